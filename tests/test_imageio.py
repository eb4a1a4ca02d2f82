"""imageio, both of its interfaces, reads and writes KMC once kmc_format is imported."""

import io
import subprocess
import sys

import imageio
import imageio.config
import imageio.v2
import imageio.v3
import numpy as np
import pytest
from PIL import Image

import kmc_format

RNG = np.random.default_rng(0)
ARRAYS = {
    "grey": RNG.integers(0, 90, (9, 12), dtype=np.uint8),
    "grey-alpha": RNG.integers(0, 256, (9, 12, 2), dtype=np.uint8),
    "rgb": RNG.integers(0, 256, (9, 12, 3), dtype=np.uint8),
    "rgba": RNG.integers(0, 256, (9, 12, 4), dtype=np.uint8),
    "bool": RNG.random((9, 12)) < 0.5,
    "uint16": RNG.integers(0, 65536, (9, 12), dtype=np.uint16),
}
RGB = ARRAYS["rgb"]
both = pytest.mark.parametrize("api", [imageio.v2, imageio.v3], ids=["v2", "v3"])


@pytest.mark.parametrize("name", ARRAYS)
@both
def test_round_trip(tmp_path, api, name):
    array, path = ARRAYS[name], tmp_path / "x.kmc"
    if name == "bool" and api is imageio.v2:
        with pytest.raises(ValueError, match="not numeric"):  # imageio.v2 writes no bool in any format
            api.imwrite(path, array)
        array = array.astype(np.uint8) * 255
    api.imwrite(path, array, k=256)
    assert path.read_bytes().startswith(b"\x8bKMC")
    assert np.array_equal(np.asarray(api.imread(path)), array)


@both
def test_options_reach_the_encoder(tmp_path, api):
    path = tmp_path / "x.kmc"
    api.imwrite(path, RGB, k=32)
    assert kmc_format.read_header(path).k == 32
    with pytest.raises(ValueError, match="k must be"):
        api.imwrite(tmp_path / "y.kmc", RGB, k=-1)


@pytest.mark.parametrize("name", ARRAYS)
def test_bytes_out_and_in(name):
    data = imageio.v3.imwrite("<bytes>", ARRAYS[name], extension=".kmc", k=256)
    assert data.startswith(b"\x8bKMC")
    for source in (data, io.BytesIO(data)):
        assert np.array_equal(imageio.v3.imread(source), ARRAYS[name])
        assert np.array_equal(imageio.v3.imread(source, extension=".kmc"), ARRAYS[name])


def test_file_objects():
    file = io.BytesIO()
    imageio.v3.imwrite(file, RGB, extension=".kmc")
    assert np.array_equal(kmc_format.decode(file.getvalue()).expand(), RGB)
    assert not file.closed


@pytest.mark.parametrize("name", ["KMC", "kmc", ".kmc"])
def test_a_format_by_name_in_v2(tmp_path, name):
    path = tmp_path / "without-extension"
    imageio.v2.imwrite(path, RGB, format=name)
    assert kmc_format.read_header(path).k == 108
    assert np.array_equal(imageio.v2.imread(path, format=name), RGB)
    data = imageio.v2.imwrite("<bytes>", RGB, format=name)
    assert np.array_equal(imageio.v2.imread(data, format=name), RGB)


def test_a_list_of_one_image(tmp_path):
    path = tmp_path / "x.kmc"
    imageio.v2.mimwrite(path, [RGB])
    assert [np.array_equal(image, RGB) for image in imageio.v2.mimread(path)] == [True]
    imageio.v3.imwrite(path, [RGB])
    assert [np.array_equal(image, RGB) for image in imageio.v3.imiter(path)] == [True]
    assert np.array_equal(imageio.v3.imread(path, index=...), [RGB])


FILM = np.stack([np.roll(RGB, 3 * n, 1) for n in range(5)])


@pytest.mark.parametrize("film", [FILM, FILM[..., 0], FILM[..., 0].astype(np.uint16) * 9, FILM[..., 0] > 99])
def test_frames(tmp_path, film):
    path = tmp_path / "x.kmc"
    imageio.v3.imwrite(path, film, duration=40, loop=2)
    assert np.array_equal(imageio.v3.imread(path, index=...), film)
    assert [np.array_equal(one, frame) for one, frame in zip(imageio.v3.imiter(path), film, strict=True)] == [
        True
    ] * 5
    assert np.array_equal(imageio.v3.imread(path, index=3), film[3])
    assert np.array_equal(imageio.v3.imread(path), film[0])
    found = imageio.v3.improps(path, index=...)
    assert (found.shape, found.n_images) == (film.shape, 5)
    assert imageio.v3.immeta(path, index=4)["duration"] == 40
    assert imageio.v3.immeta(path)["loop"] == 2


def test_frames_by_fps(tmp_path):
    path = tmp_path / "x.kmc"
    imageio.v3.imwrite(path, FILM, fps=20)
    assert imageio.v3.immeta(path, index=0)["duration"] == 50
    imageio.v2.mimwrite(path, list(FILM), fps=25)
    assert imageio.v3.immeta(path, index=0)["duration"] == 40


def test_frames_in_v2(tmp_path):
    path = tmp_path / "x.kmc"
    imageio.v2.mimwrite(path, list(FILM), duration=[10, 20, 30, 40, 50])
    assert np.array_equal(np.stack(imageio.v2.mimread(path)), FILM)
    with imageio.v2.get_writer(path, duration=20) as writer:
        for frame in FILM:
            writer.append_data(frame)
    with imageio.v2.get_reader(path) as reader:
        assert len(reader) == 5
        assert np.array_equal(reader.get_data(3), FILM[3])
        assert reader.get_meta_data(3)["duration"] == 20


def test_readers_and_writers_of_v2(tmp_path):
    path = tmp_path / "x.kmc"
    with imageio.v2.get_writer(path) as writer:
        writer.append_data(RGB)
    with imageio.v2.get_reader(path) as reader:
        assert len(reader) == 1
        assert np.array_equal(reader.get_data(0), RGB)
        assert reader.get_meta_data()["k"] == 108
        with pytest.raises(EOFError):
            reader.get_data(1)


@pytest.mark.parametrize("name", ARRAYS)
def test_properties_are_those_of_the_array(name):
    array = ARRAYS[name]
    properties = imageio.v3.improps(kmc_format.encode(array, k=256))
    assert (properties.shape, properties.dtype, properties.is_batch) == (array.shape, array.dtype, False)


def test_metadata(tmp_path):
    path = tmp_path / "x.kmc"
    imageio.v3.imwrite(path, RGB, dpi=(72, 72))
    metadata = imageio.v3.immeta(path)
    assert (metadata["mode"], metadata["k"], metadata["dpi"]) == ("RGB", 108, (72.0, 72.0))


def test_pictures_are_turned_as_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = imageio.v3.imwrite("<bytes>", RGB, extension=".kmc", exif=exif)
    assert np.array_equal(imageio.v3.imread(data), RGB)
    assert np.array_equal(imageio.v3.imread(data, rotate=True), np.rot90(RGB, k=3))


def test_a_palette_image_is_read_in_colour_and_as_labels_on_request():
    mask = Image.fromarray(ARRAYS["grey"] % 5)
    mask.putpalette(range(15))
    data = kmc_format.encode(mask)
    assert np.array_equal(imageio.v3.imread(data), np.asarray(mask.convert("RGB")))
    assert np.array_equal(imageio.v3.imread(data, mode="P"), np.asarray(mask))


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        *(
            (np.int8, (-3, 5)),
            (np.int16, (-300, 5)),
            (np.uint32, (0, 2**31 - 1)),
            (np.int64, (-5, 2**31 - 1)),
        ),
        *(
            (np.uint64, (0, 9)),
            (np.uint32, (0, 2**31)),
            (np.int64, (0, -(2**31) - 1)),
            (np.uint64, (1, 2**64 - 1)),
        ),
    ],
)
def test_write_keeps_integers_that_pillow_would_change_or_refuses_them(tmp_path, dtype, values):
    array = np.array([values], dtype)
    if min(values) >= -(2**31) and max(values) < 2**31:
        kmc_format.write(tmp_path / "x.kmc", array)
        assert imageio.v3.imread(tmp_path / "x.kmc").tolist() == array.tolist()
    else:
        with pytest.raises(ValueError, match="must be from -2147483648 to 2147483647"):
            kmc_format.write(tmp_path / "x.kmc", array)


def test_opening_to_read_and_to_write(tmp_path):
    path = tmp_path / "x.kmc"
    with imageio.v3.imopen(path, "w") as file:
        assert type(file).__name__ == "PillowPlugin"
        file.write(RGB, k=20)
    with imageio.v3.imopen(path, "r") as file:
        assert np.array_equal(file.read(), kmc_format.decode(path).expand())
        assert file.metadata()["k"] == 20


@pytest.mark.parametrize(
    ("api", "options"),
    [
        (imageio.v2, {}),
        (imageio.v2, {"format": "KMC"}),
        (imageio.v3, {}),
        (imageio.v3, {"extension": ".kmc"}),
        (imageio.v3, {"plugin": "pillow"}),
    ],
)
def test_damage_is_an_error(api, options):
    with pytest.raises(OSError, match="truncated"):
        api.imread(kmc_format.encode(RGB)[:-5], **options)


def test_the_extension_is_listed_once():
    kmc_format.register()
    assert [entry.extension for entry in imageio.config.extension_list].count(".kmc") == 1
    (entry,) = imageio.config.known_extensions[".kmc"]
    assert entry.priority == ["pillow"]


@pytest.mark.parametrize(
    "imports",
    [
        "kmc_format, imageio.v3",
        "imageio.v3, kmc_format",
        "imageio.config, kmc_format, imageio.v3",
        "PIL.Image, kmc_format, imageio.config, imageio.v3",
    ],
)
def test_it_is_known_whichever_is_imported_first(imports):
    script = f"import {imports}, numpy\n"
    script += "data = imageio.v3.imwrite('<bytes>', numpy.eye(9, dtype=numpy.uint8), extension='.kmc')\n"
    script += "print(data[1:4].decode(), len(imageio.config.known_extensions['.kmc']))"
    command = [sys.executable, "-P", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["KMC", "1"]
