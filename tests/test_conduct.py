"""More of what Pillow's own formats do: odd files, odd callers, and what a program does all day."""

import copy
import gc
import io
import subprocess
import sys
import tempfile
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, ImageSequence, ImageShow
from support import load, save, smooth

import kmc_format

FILE = save(smooth(), k=20, tile=40)  # six tiles
PIXELS = kmc_format.decode(FILE).expand()


def test_frames():
    with Image.open(io.BytesIO(FILE)) as image:
        assert (image.n_frames, image.is_animated) == (1, False)
        for _ in range(2):  # before and after loading
            image.seek(0)
            assert image.tell() == 0
            for frame in (1, -1):
                with pytest.raises(EOFError):
                    image.seek(frame)
            image.load()
        assert len(list(ImageSequence.Iterator(image))) == 1


def test_truncated_images_load_on_request_wherever_they_are_cut(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    front = kmc_format.read_header(FILE).front
    ends = np.cumsum([front.start, *front.tile_lengths])
    for cut in range(front.start + 1, len(FILE) + 1):
        pixels = np.asarray(load(FILE[:cut]))
        assert pixels.shape == (64, 96, 3)
        for box, end in zip(front.grid, ends[1:], strict=True):
            part = np.s_[box.upper : box.lower, box.left : box.right]
            if end <= cut:
                assert np.array_equal(pixels[part], PIXELS[part])
            else:
                assert (pixels[part] == kmc_format.read_header(FILE).codebook[0]).all()


def test_a_round_trip_with_a_safeblock_of_one(monkeypatch):
    monkeypatch.setattr(ImageFile, "SAFEBLOCK", 1)
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1)
    data = save(smooth(), k=20, tile=40, exif=b"exif", xmp=b"xmp")
    assert np.array_equal(np.asarray(load(data)), PIXELS)
    assert load(data).info["xmp"] == b"xmp"


@pytest.mark.parametrize(
    "make", [tempfile.TemporaryFile, tempfile.SpooledTemporaryFile, tempfile.NamedTemporaryFile]
)
def test_temporary_files(make):
    with make() as file:
        smooth().save(file, "KMC", k=20, tile=40)
        file.seek(0)
        assert file.read() == FILE
        file.seek(0)
        with Image.open(file) as image:
            assert np.array_equal(np.asarray(image), PIXELS)
        assert not file.closed


# One that is dropped unloaded and unclosed warns, as in Pillow's own formats.
@pytest.mark.parametrize(
    ("closing", "loading"),
    [("with", True), ("with", False), ("close", True), ("close", False), ("load only", True)],
)
def test_no_file_is_left_open(tmp_path, loading, closing):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = Image.open(path)
        if closing == "with":
            with image:
                image.load() if loading else None
        else:
            image.load() if loading else None
            image.close() if closing == "close" else None
        del image
        gc.collect()
    assert not caught


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"no exif at all", b"Exif\0\0MM\0*\0\0\xff\xff", b"II*\0\x08\0\0\0\x09"]
)
def test_invalid_exif_does_no_harm(exif):
    opened = load(save(smooth(), k=20, tile=40, exif=exif))
    assert opened.info["exif"] == exif
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of corrupt EXIF data
        plain = Image.frombytes("RGB", (96, 64), smooth().tobytes())
        plain.info["exif"] = exif
        assert outcome(opened.getexif) == outcome(plain.getexif)  # whatever Pillow makes of it
        assert outcome(lambda: ImageOps.exif_transpose(opened).size) == outcome(
            lambda: ImageOps.exif_transpose(plain).size
        )
    assert np.array_equal(np.asarray(opened), PIXELS)


def outcome(function):
    try:
        return dict(result) if isinstance(result := function(), Image.Exif) else result
    except Exception as error:
        return type(error)


def test_no_exif():
    opened = load(FILE)
    assert not opened.getexif()
    assert ImageOps.exif_transpose(opened).size == (96, 64)


def test_memory_is_flat_over_a_thousand_loads():
    sizes = []
    tracemalloc.start()
    for n in range(1001):
        load(FILE)
        with pytest.raises(OSError, match="truncated"):
            load(FILE[:-5])
        if n in (100, 1000):
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 20_000


def test_image_show_is_given_a_file_it_can_show(monkeypatch):
    shown = []

    class Viewer(ImageShow.Viewer):
        format = "PNG"

        def show_file(self, path, **options):
            with Image.open(path) as image:
                shown.append((image.format, np.asarray(image)))
            return 1

    monkeypatch.setattr(ImageShow, "_viewers", [Viewer()])
    Image.open(io.BytesIO(FILE)).show()
    assert shown[0][0] == "PNG"
    assert np.array_equal(shown[0][1], PIXELS)
    png = Image.open(io.BytesIO(FILE))._repr_png_()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), PIXELS)


def test_tkinter_is_never_imported():
    script = """
import io, sys
sys.modules["tkinter"] = None  # as where it is not installed
import kmc_format
from PIL import Image
file = io.BytesIO()
Image.linear_gradient("L").save(file, "KMC")
Image.open(file).load()
print("PIL.ImageTk" in sys.modules)
"""
    command = [sys.executable, "-P", "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda image: image.copy()])
def test_copies_outlive_the_file(copied):
    image = Image.open(io.BytesIO(FILE))
    image.load()
    other = copied(image)
    image.close()
    assert np.array_equal(np.asarray(other), PIXELS)
    assert other.info["k"] == 20


def test_loading_twice_keeps_what_was_changed():
    image = Image.open(io.BytesIO(FILE))
    image.load()
    image.putpixel((3, 4), (1, 2, 3))
    image.load()
    assert image.getpixel((3, 4)) == (1, 2, 3)


def test_the_other_images_of_save_all_are_ignored_no_more_than_by_other_single_frame_formats(tmp_path):
    outcomes = {}
    for name in ("ppm", "kmc"):
        path = tmp_path / f"x.{name}"
        outcomes[name] = outcome(lambda path=path: smooth().save(path, save_all=True))
        assert not (path.exists() and outcomes[name])
    assert outcomes["kmc"] == outcomes["ppm"]
