"""KMC opens and loads as Pillow's own formats do: odd files, odd callers, and what a program does all day."""

import copy
import gc
import io
import mmap
import pickle
import subprocess
import sys
import tempfile
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageSequence, ImageShow, UnidentifiedImageError
from support import load, same, save, smooth

import kmc_format
from kmc_format._pillow.plugin import KMCImageFile

JPEG = io.BytesIO()
smooth().save(JPEG, "JPEG")
FILE = save(smooth(), k=20, tile=40)  # six tiles
PIXELS = kmc_format.decode(FILE).expand()
STATM = Path("/proc/self/statm")


# --- Identity -------------------------------------------------------------------------------------


def test_format_mode_size_and_mime_type():
    with Image.open(io.BytesIO(FILE)) as image:
        assert (image.format, image.mode, image.size) == ("KMC", "RGB", (96, 64))
        assert image.format_description == "K-Means codebook image"
        assert image.get_format_mimetype() == "image/x-kmc"
        assert image.info == {"k": 20}


def test_registering_twice_is_harmless():
    kmc_format.register()
    assert Image.registered_extensions()[".kmc"] == "KMC"
    assert Image.ID.count("KMC") == 1


def test_formats_in_any_case():
    for name in ("KMC", "kmc", "Kmc"):
        assert Image.open(io.BytesIO(FILE), formats=[name]).format == "KMC"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(FILE), formats=["PNG"])


def test_opening_reads_only_the_header(monkeypatch):
    reads = []

    class Counting(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            reads.append(len(data))
            return data

    large = kmc_format.encode(np.random.default_rng(0).integers(0, 200, (500, 500), dtype=np.uint8))
    image = Image.open(Counting(large))
    assert sum(reads) < 400
    image.load()
    assert sum(reads) > 200_000


def test_pillow_lists_the_format():
    command = [sys.executable, "-P", "-c", "import kmc_format, PIL.features; PIL.features.pilinfo()"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "\nKMC " in listing
    assert ".kmc" in listing
    assert "image/x-kmc" in listing


@pytest.mark.parametrize("first", ["import mimetypes", "import mimetypes; mimetypes.init()", "pass"])
def test_the_type_of_a_name_is_known(first):
    program = f"{first}\nimport kmc_format, sys\nprint('mimetypes' in sys.modules)\nimport mimetypes\n"
    program += "known = mimetypes.guess_type('x.kmc'), mimetypes.guess_extension('image/x-kmc')\n"
    program += "mimetypes.init()\nprint(known, 'again', mimetypes.guess_type('x.KMC')[0])"
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, check=True)
    assert "(('image/x-kmc', None), '.kmc')" in result.stdout


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


# --- Bad files ------------------------------------------------------------------------------------


def test_a_jpeg_is_not_kmc():
    JPEG.seek(0)
    with pytest.raises(SyntaxError):
        KMCImageFile(JPEG)


@pytest.mark.parametrize("data", [b"", b"garbage" * 30, b"\x8bKMC", FILE[:9]])
def test_garbage_is_not_identified(data):
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(data))


def test_a_newer_version_is_named():
    with pytest.warns(UserWarning, match="KMC version 7 is newer"), pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(FILE[:8] + b"\x07" + FILE[9:]))


def test_every_truncation_is_an_oserror_twice():
    start = kmc_format.read_header(FILE).front.start
    for end in range(start + 1):
        with pytest.raises(UnidentifiedImageError):
            Image.open(io.BytesIO(FILE[:end]))
    for end in range(start + 1, len(FILE)):
        image = Image.open(io.BytesIO(FILE[:end]))
        for _ in range(2):
            with pytest.raises(OSError, match="truncated"):
                image.load()
        with pytest.raises(OSError, match="truncated"):
            Image.open(io.BytesIO(FILE[:end])).verify()


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


def test_verify():
    Image.open(io.BytesIO(FILE)).verify()
    damaged = FILE[:-9] + bytes([FILE[-9] ^ 1]) + FILE[-8:]
    with pytest.raises(OSError, match="tile 5 at byte"):
        Image.open(io.BytesIO(damaged)).verify()


def test_a_file_that_fails_verification_is_closed(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE[:-5])
    image = Image.open(path)
    file = image.fp
    with pytest.raises(OSError, match="truncated"):
        image.verify()
    assert file.closed


def test_verifying_what_is_loaded(tmp_path):
    (tmp_path / "x.kmc").write_bytes(FILE)
    with Image.open(tmp_path / "x.kmc") as image:
        image.load()
        image.verify()
        assert image.getpixel((3, 4)) == load(FILE).getpixel((3, 4))
    closed = Image.open(tmp_path / "x.kmc")
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        closed.verify()


def test_decompression_bombs(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 96 * 64 - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(FILE))
    with pytest.warns(Image.DecompressionBombWarning):
        kmc_format.decode(FILE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 96 * 64 // 2 - 1)
    for read in (lambda: Image.open(io.BytesIO(FILE)), lambda: kmc_format.decode(FILE)):
        with pytest.raises(Image.DecompressionBombError):
            read()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(FILE)


# --- Loading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000, len(FILE)])
def test_the_parser_in_any_pieces(step):
    parser = ImageFile.Parser()
    for start in range(0, len(FILE), step):
        parser.feed(FILE[start : start + step])
    assert same(parser.close(), load(FILE))


def test_a_round_trip_with_a_safeblock_of_one(monkeypatch):
    monkeypatch.setattr(ImageFile, "SAFEBLOCK", 1)
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1)
    data = save(smooth(), k=20, tile=40, exif=b"exif", xmp=b"xmp")
    assert np.array_equal(np.asarray(load(data)), PIXELS)
    assert load(data).info["xmp"] == b"xmp"


def kmc_to_image(data):
    return Image.fromarray(kmc_format.decode(data).expand())


def test_the_callers_file_stays_open_and_at_the_end_of_the_image():
    file = io.BytesIO(FILE + b"more")
    with Image.open(file) as image:
        image.load()
        assert file.tell() == len(FILE)
    assert not file.closed


def test_files_are_closed_after_loading(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    image = Image.open(path)
    file = image.fp
    image.load()
    assert file.closed
    with Image.open(path) as image:
        file = image.fp
    assert file.closed
    for close in (lambda image: image.close(), lambda image: image.__exit__()):
        image = Image.open(path)
        close(image)
        with pytest.raises(ValueError, match="closed"):
            image.load()


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


def test_loading_twice_keeps_what_was_changed():
    image = Image.open(io.BytesIO(FILE))
    image.load()
    image.putpixel((3, 4), (1, 2, 3))
    image.load()
    assert image.getpixel((3, 4)) == (1, 2, 3)


# --- Copies, threads, memory ----------------------------------------------------------------------


def test_copies_and_operations_on_an_unloaded_image():
    expected = kmc_to_image(FILE)
    unloaded = [Image.open(io.BytesIO(FILE)) for _ in range(6)]
    assert same(unloaded[0].copy(), expected)
    assert same(unloaded[1].convert("L"), expected.convert("L"))
    assert same(unloaded[2].crop((3, 4, 50, 60)), expected.crop((3, 4, 50, 60)))
    assert np.array_equal(np.asarray(unloaded[3]), np.asarray(expected))
    unloaded[4].thumbnail((30, 30))
    assert unloaded[4].size == (30, 20)
    unloaded[5].putpixel((0, 0), (1, 2, 3))
    assert unloaded[5].getpixel((0, 0)) == (1, 2, 3)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda image: image.copy()])
def test_copies_outlive_the_file(copied):
    image = Image.open(io.BytesIO(FILE))
    image.load()
    other = copied(image)
    image.close()
    assert np.array_equal(np.asarray(other), PIXELS)
    assert other.info["k"] == 20


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    image = pickle.loads(pickle.dumps(Image.open(io.BytesIO(FILE)), protocol))
    assert same(image, kmc_to_image(FILE))
    assert image.tell() == 0
    assert image.info == {"k": 20}


def test_threads_loading_at_once(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    expected, results = kmc_to_image(FILE), []

    def work():
        for _ in range(10):
            with Image.open(path) as image:
                results.append(same(image, expected) or image.load() is None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


def growth_over_a_thousand_loads(measure):
    """Return how much more memory there is after 1,000 loads, whole and damaged, than after 100."""
    sizes = []
    for n in range(1001):
        load(FILE)
        with pytest.raises(OSError, match="truncated"):
            load(FILE[:-5])
        if n in (100, 1000):
            gc.collect()
            sizes.append(measure())
    return sizes[1] - sizes[0]


@pytest.mark.slow
def test_memory_is_flat_over_a_thousand_loads():
    tracemalloc.start()
    try:
        assert growth_over_a_thousand_loads(lambda: tracemalloc.get_traced_memory()[0]) < 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells it like this")
@pytest.mark.slow
def test_memory_of_the_process_is_flat_too():
    # Pillow's images are not among what Python traces: one kept of each load would be 20 MB.
    assert growth_over_a_thousand_loads(lambda: int(STATM.read_text().split()[1])) * mmap.PAGESIZE < 4e6


# --- Showing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PNG", "KMC"])
def test_image_show_is_given_a_file_it_can_show(monkeypatch, name):
    shown = []

    class Viewer(ImageShow.Viewer):
        format = name

        def show_file(self, path, **options):
            with Image.open(path) as image:
                shown.append((image.format, np.asarray(image)))
            Path(path).unlink()
            return 1

    monkeypatch.setattr(ImageShow, "_viewers", [])
    ImageShow.register(Viewer)
    Image.open(io.BytesIO(FILE)).show()
    ((shown_format, pixels),) = shown
    assert shown_format == name
    assert np.array_equal(pixels, PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_notebooks_show_unloaded_images_as_they_are(mode):
    grey = mode == "I;16"  # Pillow converts only grey to it
    data = save(smooth(mode="L" if grey else "RGBA").convert(mode), k=20)
    png = Image.open(io.BytesIO(Image.open(io.BytesIO(data))._repr_png_()))
    expected = load(data)
    assert png.mode == mode
    assert np.array_equal(np.asarray(png), np.asarray(expected))
    assert np.array_equal(np.asarray(png.convert("RGBA")), np.asarray(expected.convert("RGBA")))
