"""More of what Pillow's own formats do: odd files, odd callers, and what a program does all day."""

import copy
import gc
import io
import mmap
import re
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, ImageSequence, ImageShow, TiffImagePlugin
from support import load, save, smooth

import kmc_format

FILE = save(smooth(), k=20, tile=40)  # six tiles
PIXELS = kmc_format.decode(FILE).expand()
STATM = Path("/proc/self/statm")


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


def test_a_file_that_fails_verification_is_closed(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE[:-5])
    image = Image.open(path)
    file = image.fp
    with pytest.raises(OSError, match="truncated"):
        image.verify()
    assert file.closed


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


def test_memory_is_flat_over_a_thousand_loads():
    tracemalloc.start()
    try:
        assert growth_over_a_thousand_loads(lambda: tracemalloc.get_traced_memory()[0]) < 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells it like this")
def test_memory_of_the_process_is_flat_too():
    # Pillow's images are not among what Python traces: one kept of each load would be 20 MB.
    assert growth_over_a_thousand_loads(lambda: int(STATM.read_text().split()[1])) * mmap.PAGESIZE < 4e6


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


def test_all_of_one_frame_is_saved_as_that_frame():
    for more in ({}, {"append_images": []}, {"append_images": None}):
        assert save(smooth(), k=20, tile=40, save_all=True, **more) == FILE
    assert save(load(FILE), save_all=True) == save(load(FILE))


def animation():
    file = io.BytesIO()
    smooth().save(file, "GIF", save_all=True, append_images=[smooth().rotate(180), smooth().rotate(90)])
    return Image.open(file)


@pytest.mark.parametrize(
    ("make", "more", "frames"),
    [
        (smooth, {"append_images": [smooth((9, 9))]}, 2),
        (smooth, {"append_images": (smooth((9, 9)) for _ in range(3))}, 4),
        (animation, {}, 3),
        (smooth, {"append_images": [animation()]}, 4),
    ],
)
def test_several_frames_are_refused_and_leave_nothing_behind(tmp_path, make, more, frames):
    with pytest.raises(OSError, match=f"^cannot write {frames} frames as KMC: it stores one picture"):
        make().save(tmp_path / "x.kmc", save_all=True, **more)
    assert not list(tmp_path.iterdir())


def test_one_frame_of_several_is_saved_where_not_all_are_asked_for():
    image = animation()
    image.seek(1)
    assert np.array_equal(np.asarray(load(save(image)).convert("RGB")), np.asarray(image.convert("RGB")))
    assert save(smooth(), k=20, tile=40, save_all=False, append_images=[smooth((9, 9))]) == FILE


# --- Habits of programs that save every format alike ----------------------------------------------


NO_NUMBER = TiffImagePlugin.IFDRational(0, 0)  # as Pillow reads it from a TIFF file


@pytest.mark.parametrize("dpi", [(0, 0), (0.0, 0.0), [0, 0], (float("nan"), np.nan), (NO_NUMBER,) * 2, None])
def test_a_resolution_that_is_none_is_left_out(dpi):
    for data in (save(smooth(), dpi=dpi), kmc_format.encode(smooth(), dpi=dpi)):
        assert data == save(smooth())


def test_xmp_may_be_text():
    for xmp in ("<x>\u00e9</x>", b"<x>\xc3\xa9</x>"):
        assert load(save(smooth(), xmp=xmp)).info["xmp"] == b"<x>\xc3\xa9</x>"
    assert save(smooth(), xmp="") == save(smooth())


def test_a_quality_of_0_is_the_least_as_for_jpeg():
    assert save(smooth(), quality=0) == save(smooth(), quality=1)
    for wrong in (-1, 101, False):
        with pytest.raises((TypeError, ValueError), match="quality"):
            save(smooth(), quality=wrong)


def test_exif_as_a_dictionary():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "described"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:28 00:00:00"
    opened, same = load(save(smooth(), exif=exif)), io.BytesIO()
    smooth().save(same, "JPEG", exif=exif)
    with Image.open(same) as jpeg:
        assert opened._getexif() == jpeg._getexif()
    assert opened._getexif()[0x9003] == "2026:11:28 00:00:00"
    assert load(FILE)._getexif() is None


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


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [(0x0112, "x", "tag 274 (Orientation)"), (0x010E, object(), "ImageDescription"), (0x0112, 2**40, "274")],
)
def test_exif_that_pillow_cannot_write_is_named(tmp_path, tag, value, name):
    exif = Image.Exif()
    exif[0x0131], exif[tag] = "good", value
    smooth().save(tmp_path / "x.png")
    calls = [
        lambda: save(smooth(), exif=exif),
        lambda: kmc_format.encode(np.asarray(smooth()), exif=exif),
        lambda: kmc_format.batch.encode([tmp_path / "x.png"], exif=exif),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^exif cannot be written by Pillow, for .*{re.escape(name)}"):
            call()
    assert not (tmp_path / "x.kmc").exists()


def photoshop(layers):
    """A picture of 4 x 3 pixels as a PSD file with some layers."""
    size = 4 * 3
    records, pixels = b"", b""
    for n in range(layers):
        records += struct.pack(">4iH", 0, 0, 3, 4, 3)
        records += b"".join(struct.pack(">hI", channel, 2 + size) for channel in range(3))
        records += b"8BIMnorm\xff\0\0\0" + struct.pack(">3I", 12, 0, 0) + b"\1a\0\0"
        pixels += b"".join(b"\0\0" + bytes([40 * n + channel]) * size for channel in range(3))
    info = struct.pack(">h", layers) + records + pixels
    section = struct.pack(">I", len(info)) + info + bytes(4) if layers else b""
    head = b"8BPS" + struct.pack(">H6xHIIHHII", 1, 3, 3, 4, 8, 3, 0, 0)
    return head + struct.pack(">I", len(section)) + section + b"\0\0" + bytes(range(3 * size))


def test_formats_that_miscount_their_frames(tmp_path):
    for layers in (0, 1):
        image = Image.open(io.BytesIO(photoshop(layers)))
        assert image.n_frames == layers
        assert save(image, save_all=True) == save(image)
        with pytest.raises(OSError, match="cannot write 2 frames"):
            save(smooth(), save_all=True, append_images=[image])
    for layers in range(3):
        (tmp_path / f"{layers}.psd").write_bytes(photoshop(layers))
    for record in kmc_format.batch.encode([tmp_path], jobs=1):
        assert record.error is None
        assert kmc_format.decode(record.target).expand()[0, 0].tolist() == [0, 12, 24]


@pytest.mark.parametrize("first", ["import mimetypes", "import mimetypes; mimetypes.init()", "pass"])
def test_the_type_of_a_name_is_known(first):
    program = f"{first}\nimport kmc_format, sys\nprint('mimetypes' in sys.modules)\nimport mimetypes\n"
    program += "known = mimetypes.guess_type('x.kmc'), mimetypes.guess_extension('image/x-kmc')\n"
    program += "mimetypes.init()\nprint(known, 'again', mimetypes.guess_type('x.KMC')[0])"
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, check=True)
    assert "(('image/x-kmc', None), '.kmc')" in result.stdout
