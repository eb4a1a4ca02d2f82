"""Loaders of training data read KMC by the lines that the guide has, and unedited where it says so.

Each example is a program, which is run with the real package where that is installed:
``pip install '.[test-loaders]'`` brings all of them, which are several gigabytes.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import ROOT, made_environment, run_in, smooth

import kmc_format

GUIDE = ROOT / "kmc_format" / "GUIDE.md"

# What an example of the guide, whose kind is the package's name, has to have done in the end.
CHECKS = {
    "torch": """
    import multiprocessing

    expected = torch.from_numpy(numpy.load("classes.npy"))
    assert torch.equal(Masks("masks")[0], expected[0])  # before it is forked
    for method in multiprocessing.get_all_start_methods():
        options = {"batch_size": 8, "num_workers": 2, "multiprocessing_context": method}
        (batch,) = DataLoader(Masks("masks"), **options)
        assert batch.dtype == torch.int64
        assert torch.equal(batch, expected), method
        (batch,) = DataLoader(Crops("masks"), **options)
        assert batch.shape == (4, 256, 256)
        for crop, mask in zip(batch, expected):
            windows = mask.unfold(0, 256, 1).unfold(1, 256, 1)
            alike = (windows[:, :, ::16, ::16] == crop[::16, ::16]).all(3).all(2)
            assert any(torch.equal(windows[*place], crop) for place in alike.nonzero()), method
""",
    "torchvision": """
    import pickle
    from torch.utils.data import DataLoader

    for (image, _), array in zip(photos, numpy.load("photos.npy"), strict=True):
        assert numpy.array_equal(image, array)
    expected = numpy.load("classes.npy")
    for data in photos, classes:
        samples = pickle.loads(pickle.dumps(data))
        assert (len(data.classes), samples.targets) == (2, [0, 0, 1, 1])
    for method in "spawn", None:
        ((batch, _),) = DataLoader(classes, batch_size=4, num_workers=2, multiprocessing_context=method)
        assert numpy.array_equal(batch[:, 0], expected), method
    assert len(ImageFolder("photos")) == 4
    assert numpy.array_equal(pixels.permute(1, 2, 0), numpy.load("photo.npy"))
    assert numpy.array_equal(mask[0], expected[0])
""",
    "datasets": """
    import importlib.util

    expected = numpy.load("classes.npy")
    for row, mask in zip(masks, expected):
        assert row["mask"].format == "KMC" and numpy.array_equal(row["mask"], mask)
    for row, mask in zip(Dataset.from_parquet("masks.parquet"), expected):
        assert row["mask"].format == "KMC" and numpy.array_equal(row["mask"], mask[::-1, ::-1])
    undecoded = turned.cast_column("mask", Image(decode=False))
    assert undecoded[0]["mask"]["bytes"][1:4] == b"KMC"
    for row, mask in zip(undecoded.with_transform(labels), expected):
        assert numpy.array_equal(row["mask"], mask[::-1, ::-1])
    assert photos["label"] == [0, 0, 1, 1]
    for image, array in zip(photos["image"], numpy.load("photos.npy")):
        assert numpy.array_equal(image, array)
    feature = Image()
    encoded = feature.encode_example(Path("mask.kmc").read_bytes())
    assert numpy.array_equal(feature.decode_example(encoded), expected[0])
    assert feature.encode_example(feature.decode_example(encoded))["bytes"][1:4] == b"KMC"
    for name, package in ("numpy", "numpy"), ("torch", "torch"), ("tf", "tensorflow"):
        if importlib.util.find_spec(package):
            formatted = numpy.asarray(masks.with_format(name)[0]["mask"])
            assert numpy.array_equal(formatted.reshape(expected[0].shape), expected[0]), name
""",
    "tensorflow": """
    (batch,) = masks
    assert numpy.array_equal(batch, numpy.load("classes.npy"))
    ((batch, targets),) = photos
    expected = tf.image.resize(numpy.load("photos.npy"), (64, 64))
    assert numpy.array_equal(batch, expected)
    assert targets.numpy().tolist() == [0, 0, 1, 1]
    assert photos.element_spec[0].shape[1:] == (64, 64, 3)
    shown, targets = next(batches)
    assert shown.shape == (4, 64, 64, 3)
    assert sorted(targets.argmax(1).tolist()) == [0, 0, 1, 1]
""",
    "cv2": """
    assert cv2.imread("photo.kmc") is None
    cv2.imwrite("photo.png", bgr)
    assert numpy.array_equal(Image.open("photo.png"), numpy.load("photo.npy"))
    assert numpy.array_equal(cv2.imread("photo.png"), bgr)
    assert numpy.array_equal(kmc_format.decode("again.kmc").expand(), numpy.load("photo.npy"))
    assert numpy.array_equal(mask, numpy.load("classes.npy")[0])
""",
    "timm": """
    for (image, target), array, number in zip(photos, numpy.load("photos.npy"), [0, 0, 1, 1], strict=True):
        assert numpy.array_equal(image, array) and target == number
""",
    "monai": """
    assert numpy.array_equal(classes.numpy().T, numpy.load("classes.npy")[0])
""",
    "webdataset": """
    samples = list(masks)
    for sample, mask in zip(samples, numpy.load("classes.npy")):
        assert numpy.array_equal(sample["kmc"].labels, mask)
    assert len(samples) == 4
""",
}

# Programs that know nothing of KMC.
UNEDITED = {
    "torch": """
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class Masks(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        with Image.open(f"masks/{number}.kmc") as image:
            return torch.from_numpy(numpy.array(image)).long()


if __name__ == "__main__":
    import multiprocessing

    for method in multiprocessing.get_all_start_methods():
        (batch,) = DataLoader(Masks(), batch_size=4, num_workers=2, multiprocessing_context=method)
        assert numpy.array_equal(batch, numpy.load("classes.npy")), method
""",
    "datasets": """
import json
import pathlib
from datasets import Dataset, Image, load_dataset

paths = [f"masks/{number}.kmc" for number in range(4)]
data = [open(path, "rb").read() for path in paths]
for column in paths, data:
    masks = Dataset.from_dict({"mask": column}).cast_column("mask", Image())
    masks.to_parquet("unedited.parquet")
    for table in masks, Dataset.from_parquet("unedited.parquet"):
        for row, mask in zip(table, numpy.load("classes.npy"), strict=True):
            assert numpy.array_equal(row["mask"], mask)
rows = {
    "metadata.jsonl": [json.dumps({"file_name": path[6:]}) for path in paths],
    "metadata.csv": ["file_name,number", *(f"{path[6:]},0" for path in paths)],
}
for name, lines in rows.items():
    metadata = pathlib.Path("masks", name)
    metadata.write_text("\\n".join(lines) + "\\n")
    for options in {}, {"streaming": True}:
        listed = list(load_dataset("imagefolder", data_dir="masks", split="train", **options))
        for row, mask in zip(listed, numpy.load("classes.npy"), strict=True):
            assert numpy.array_equal(row["image"], mask)
    metadata.unlink()
""",
    "tensorflow": """
import keras

assert numpy.array_equal(keras.utils.load_img("photo.kmc"), numpy.load("photo.npy"))
""",
    "skimage": """
import skimage.io

skimage.io.imsave("saved.kmc", skimage.io.imread("photo.kmc"))
assert open("saved.kmc", "rb").read(4)[1:] == b"KMC"
assert numpy.array_equal(skimage.io.imread("saved.kmc"), numpy.load("photo.npy"))
""",
    "fastai": """
from fastai.vision.all import ImageDataLoaders, get_image_files

assert len(get_image_files("photos")) == 4
loaders = ImageDataLoaders.from_folder("photos", valid_pct=0.5, bs=2, num_workers=0, device="cpu")
assert loaders.one_batch()[0].shape == (2, 3, 64, 96)
""",
}


def examples():
    """Return the kinds and texts of the examples in the guide's section on loaders."""
    _, section = re.split("^## Loaders.*$", GUIDE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(re.findall(r"^```python (\w+)\n([\s\S]*?)^```$", section.partition("\n## ")[0], re.MULTILINE))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with what the examples read, as KMC and, for comparison, as arrays."""
    folder = tmp_path_factory.mktemp("pictures")
    with Image.open(ROOT / "sample_images" / "mask.png") as mask:
        masks = [mask.transpose(flip) for flip in (Image.Transpose.ROTATE_180, *list(Image.Transpose)[:2])]
        masks.insert(0, mask.copy())
    (folder / "masks").mkdir()
    for number, mask in enumerate(masks):
        mask.save(folder / "masks" / f"{number}.kmc", tile=128)
        scene = folder / "scenes" / ("day", "night")[number // 2]
        scene.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "masks" / f"{number}.kmc", scene)
    photos = []
    for number, name in enumerate(["cat/0", "cat/1", "dog/0", "dog/1"]):
        path = folder / "photos" / f"{name}.kmc"
        path.parent.mkdir(parents=True, exist_ok=True)
        smooth().rotate(30 * number).save(path, k=9 + number)
        photos.append(kmc_format.decode(path).expand())
    shutil.copy(folder / "masks" / "0.kmc", folder / "mask.kmc")
    shutil.copy(folder / "photos" / "cat" / "0.kmc", folder / "photo.kmc")
    np.save(folder / "classes.npy", np.stack([np.asarray(mask) for mask in masks]).astype(np.int64))
    np.save(folder / "photos.npy", np.stack(photos))
    np.save(folder / "photo.npy", photos[0])
    with tarfile.open(folder / "masks.tar", "w") as archive:
        for number in range(len(masks)):
            archive.add(folder / "masks" / f"{number}.kmc", f"{number}.kmc")
    return folder


@pytest.fixture
def folder(pictures, tmp_path):
    return Path(shutil.copytree(pictures, tmp_path / "pictures"))


@pytest.fixture(scope="module")
def unedited(tmp_path_factory):
    """The Python of an environment in which autoloading is enabled."""
    python, _ = made_environment(tmp_path_factory.mktemp("environment"))
    run_in(python, "-m", "kmc_format.autoload", "enable")
    return python


def succeeds(python, folder, program):
    """Run a program in a folder, which is also the home of what these packages write."""
    path = folder / "program.py"
    path.write_text(program, "utf-8")
    homes = dict.fromkeys(("HOME", "USERPROFILE", "HF_HOME", "XDG_CACHE_HOME"), str(folder / "home"))
    environment = {**os.environ, **homes, "HF_HUB_OFFLINE": "1", "PYTHONPATH": "", "KMC_AUTOLOAD": "1"}
    result = subprocess.run(
        [python, path], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr


def needs(package):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.mark.apps
@pytest.mark.parametrize("package", CHECKS)
def test_the_guides_lines_for(folder, package):
    needs(package)
    check = f'\n\nif __name__ == "__main__":\n    import numpy\n{CHECKS[package]}'
    succeeds(sys.executable, folder, examples()[package] + check)


@pytest.mark.apps
@pytest.mark.parametrize("package", UNEDITED)
def test_unedited(folder, unedited, package):
    needs(package)
    program = "import sys\nimport numpy\nassert 'kmc_format' not in sys.modules\n" + UNEDITED[package]
    succeeds(unedited, folder, program)


def test_all_lines_of_the_guide_are_tried():
    assert examples().keys() == CHECKS.keys()
    for package, code in examples().items():
        compile(code, package, "exec")
