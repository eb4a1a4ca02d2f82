"""The files around the code agree with it."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from support import ROOT

import kmc_format


def test_the_newest_heading_of_the_changelog_is_the_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert next(heading for heading in headings if heading != "Unreleased") == kmc_format.__version__


def test_ci_runs_the_readmes_test_command():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line]
    assert len(commands) == 2
    assert "README.md" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_what_is_published_has_the_addresses_of_its_repository(tmp_path):
    address, tag = "https://example.org/owner/name", "v1.2.3"
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run([sys.executable, ROOT / ".ci" / "addresses.py", address, tag, tmp_path], check=True)
    metadata = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))
    assert metadata["project"]["urls"]["Source"] == address
    before, after = (folder.joinpath("README.md").read_text("utf-8") for folder in (ROOT, tmp_path))
    old, new = (re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", text) for text in (before, after))
    assert len(old) > 10
    for (picture, link), (_, published) in zip(old, new, strict=True):
        place = f"{address}/{'raw' if picture else 'blob'}/{tag}/{link}"
        assert published == (link if "://" in link else place)


def test_the_top_level_is_as_it_should_be():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    made = {"build", "dist", "kmc_format.egg-info", "photograph.kmc"}
    assert visible - made == {
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "kmc_format",
        "pyproject.toml",
        "sample_images",
        "tests",
    }


def test_public_modules_are_there_without_being_imported():
    program = """
import sys
import kmc_format
names = ["autoload", "batch", "explorer", "figures", "integrate", "metrics", "report"]
print([name for name in names if f"kmc_format.{name}" in sys.modules], set(names) <= set(dir(kmc_format)))
print(all(getattr(kmc_format, name).__name__ == f"kmc_format.{name}" for name in names))
print(hasattr(kmc_format, "reports"))
"""
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:3] == ["[] True", "True", "False"]


QUIET = """
import io
import imageio.v3
import numpy as np
import kmc_format
from PIL import Image
from matplotlib.figure import Figure
from kmc_format import batch, metrics, report

if __name__ == "__main__":
    image = Image.linear_gradient("L").resize((64, 48)).convert("RGB")
    image.save("x.png", dpi=(0, 0))
    for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV", "I"):
        for options in ({}, {"k": 5}, {"dpi": (0, 0), "xmp": "<x/>", "exif": Image.Exif()}):
            file = io.BytesIO()
            image.convert("L" if mode == "I" else "RGB").convert(mode).save(file, "KMC", **options)
            with Image.open(file) as opened:
                opened.load()
                opened.verify()
                opened._getexif()
            picture = kmc_format.decode(file.getvalue())
            repr(picture), picture._repr_png_(), np.asarray(picture)
    for name, value in {"quality": 0, "rdo": 5, "dither": 0.5, "max_bytes": 600, "codebook": ["red"]}.items():
        image.save("x.kmc", **{name: value})
    for dtype in (bool, np.uint8, np.uint16, np.int32):
        imageio.v3.imread(imageio.v3.imwrite("<bytes>", np.eye(8).astype(dtype), extension=".kmc"))
    Figure().savefig("figure.kmc")
    for options in ({"k": 8}, {"k": 9}, {"codebook": batch.train_codebook(["x.png"], k=3)}):
        records = batch.encode(["."], "out", jobs=2, **options)
        assert not any(record.error or record.warnings for record in records)
    batch.decode(["out"], "back", jobs=2)
    report.compare("x.png", k=4), list(report.sweep(image, [2, 3])), report.describe("x.kmc")
    explored = kmc_format.explore("x.png", 8)
    explored.rdo.value = 5
    explored.data, explored._repr_mimebundle_(), explored._timer.cancel()
    print("quiet")
"""


@pytest.mark.apps  # for the explorer's packages
def test_nothing_warns(tmp_path):
    (tmp_path / "quiet.py").write_text(QUIET)
    command = [sys.executable, "-W", "error", "-P", "quiet.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (result.stderr, result.stdout) == ("", "quiet\n")
