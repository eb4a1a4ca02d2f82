"""Thumbnails are what Pillow makes of the whole picture, but take neither its memory nor later frames."""

import io
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageCms
from support import GOLDEN, HOSTILE, coded, load, save, smooth

import kmc_format
from kmc_format import Indexed, KMCError, batch
from kmc_format._format import codec
from kmc_format._pillow import thumbnails
from kmc_format._pillow.thumbnails import thumbnail


def small(data, side, **options):
    return thumbnail(io.BytesIO(data), side, **options)


def expected(data, side):
    """Return the thumbnail that Pillow makes of a whole picture."""
    image = load(data)
    image = image.convert({"1": "L", "P": "RGBA" if image.has_transparency_data else "RGB"}.get(image.mode))
    image.thumbnail((side, side))
    return image


def difference(one, other):
    assert (one.mode, one.size) == (other.mode, other.size)
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("size", [(640, 427), (97, 803), (1, 1000), (1000, 1), (50, 64)])
def test_a_thumbnail_is_pillows(mode, size):
    y, x = np.mgrid[: size[1], : size[0]]
    bands = [x * 3 % 256, y * 5 % 256, (x + y) % 256, (x // 9 + y // 7) * 60 % 256]
    few = np.stack(bands, 2) // 51 * 51
    data = save(Image.fromarray(few.astype(np.uint8)).convert(mode), k=3000, tile=101, effort=0)
    assert difference(small(data, 64), expected(data, 64)) <= (1 if "A" in mode else 0)


@pytest.mark.parametrize("tile", [11, (64, 5), (5, 64), (150, 100)])
def test_neither_tiles_nor_strips_nor_bands_are_seen(monkeypatch, tile):
    y, x = np.mgrid[:100, :150]
    pixels = np.stack([x, y * 2, (x + y) % 7 * 30], 2).astype(np.uint8) // 25 * 25
    data = kmc_format.encode(pixels, tile=tile, effort=0)
    whole = small(data, 20)
    for strip, band in ((1, 1), (5000, 3000), (2**23, 400)):
        monkeypatch.setattr(codec, "_STRIP_PIXELS", strip)
        monkeypatch.setattr(thumbnails, "_BAND_PIXELS", band)
        assert small(data, 20).tobytes() == whole.tobytes()


def test_what_fits_is_as_it_is():
    image = smooth((40, 30), "RGBA")
    data = save(image, k=2000)
    for side in (40, 41, 5000):
        assert small(data, side).tobytes() == image.tobytes()


def test_colours_are_mixed_by_their_opacity():
    red, clear_green = (255, 0, 0, 255), (0, 255, 0, 0)
    labels = np.indices((64, 64)).sum(0) % 2
    data = coded(Indexed(np.array([red, clear_green], np.uint8), labels))
    assert small(data, 8).getpixel((4, 4)) == (255, 0, 0, 128)
    palette = coded(Indexed(np.array([red, clear_green], np.uint8), labels, "P"))
    assert small(palette, 8).getpixel((4, 4)) == (255, 0, 0, 128)


def test_what_is_opaque_has_no_alpha():
    assert small(save(Image.new("RGBA", (300, 300), "red")), 8).mode == "RGB"


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
def test_integers_are_greys_from_the_smallest_to_the_largest(dtype):
    numbers = np.repeat(np.arange(1000, 61000, 100, dtype=dtype), 20).reshape(600, 20)
    if dtype == "int32":
        numbers -= 30000
    greys = np.asarray(small(kmc_format.encode(numbers), 60))
    assert greys.shape == (60, 2)
    assert (np.diff(greys[:, 0].astype(int)) >= 0).all()
    assert greys.min() <= 3
    assert greys.max() >= 252
    alike = kmc_format.encode(np.full((9, 9), 7, dtype))
    assert small(alike, 3).getextrema() == (0, 0)


def test_a_thumbnail_is_upright_and_has_nothing_but_a_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    data = save(smooth((90, 60)), exif=exif, xmp=b"<x/>", dpi=(72, 72), icc_profile=profile)
    image = small(data, 30)
    assert image.size == (20, 30)
    assert image.info == {"icc_profile": profile}
    turned = np.asarray(expected(data, 30).transpose(Image.Transpose.ROTATE_270))
    assert np.asarray(image).tolist() == turned.tolist()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"", b"garbage", b"II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09"]
)
def test_exif_may_be_anything(exif):
    picture = Indexed(np.array([[9]], np.uint8), np.zeros((20, 30), int))
    assert small(coded(picture, {"exif": exif, "xmp": b"tiff:Orientation=>9"}), 10).size == (10, 7)


def test_of_an_animation_the_first_frame_is_read_and_no_other():
    frames = [Image.new("L", (200, 100), 40 * n) for n in range(6)]
    data = save(frames[0], save_all=True, append_images=frames[1:], duration=9)
    file = io.BytesIO(data)
    assert thumbnail(file, 50).getextrema() == (0, 0)
    read = file.tell()
    assert read < len(data) / 2
    assert small(data[:read], 50).getextrema() == (0, 0)
    with pytest.raises(KMCError):
        small(data[: read - 1], 50)


def test_a_large_picture_is_never_whole_in_memory(monkeypatch):
    monkeypatch.setattr(codec, "_STRIP_PIXELS", 2**19)
    data = kmc_format.encode(np.tile(np.arange(240, dtype=np.uint8), (4800, 20)), tile=600)
    in_threads = small(data, 256, threads=3)
    tracemalloc.start()
    try:
        assert small(data, 256, threads=1).tobytes() == in_threads.tobytes()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4800 * 4800 / 2


def test_bombs_are_asked_about(monkeypatch):
    data = kmc_format.encode(np.zeros((1000, 1000), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400_000)
    with pytest.raises(Image.DecompressionBombError):
        small(data, 10)


def test_golden_files_have_thumbnails():
    for path in sorted(GOLDEN.glob("*.kmc")):
        image = small(path.read_bytes(), 5)
        assert max(image.size) <= 5
        assert image.mode in ("L", "LA", "RGB", "RGBA")


@pytest.mark.filterwarnings("ignore:KMC version 2 is newer")
def test_hostile_files_have_none():
    seen = 0
    for path in sorted(HOSTILE.glob("*.kmc")):
        data = path.read_bytes()
        try:
            load(data)  # only the first frame of those that are broken later
        except OSError:
            seen += 1
            with pytest.raises(KMCError):
                small(data, 5)
    assert seen > 70


# --- Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["t.png", "t", ".thumbnail.XC43AB", "ä % b", *["a\nb"] * (os.name != "nt"), "t.webp", "t.tiff"]
)
@pytest.mark.parametrize("there", [False, True])
def test_one_file_may_have_any_name(tmp_path, name, there):
    kmc_format.write(tmp_path / "a [1] %s.kmc", smooth((300, 200)), k=9)
    target = tmp_path / name
    if there:
        target.touch()
    [record] = batch.decode([tmp_path / "a [1] %s.kmc"], target, thumbnail=64, force=there)
    assert (record.error, record.skipped) == (None, False)
    with Image.open(target) as image:
        assert image.format == {".webp": "WEBP", ".tiff": "TIFF"}.get(target.suffix, "PNG")
        assert image.size == (64, 43)


def test_folders_have_thumbnails_in_folders(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("in/a.kmc", "in/deep/b.kmc"):
        kmc_format.write(tmp_path / name, smooth(), k=3)
    for source in (tmp_path / "in", f"{tmp_path}/in/*.kmc"):
        records = batch.decode([source], tmp_path / "out", thumbnail=8, recursive=True, format="jpg")
        assert not any(record.error for record in records)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "out").rglob("*.jpg")) == [
        "out/a.jpg",
        "out/deep/b.jpg",
    ]
    [record] = batch.decode([tmp_path / "in" / "a.kmc"], f"{tmp_path}/new/", thumbnail=8)
    assert record.target.endswith("a.png")


@pytest.mark.parametrize(
    ("thumbnail", "output", "error"),
    [
        (0, "x", ValueError),
        (-3, "x", ValueError),
        (2.5, "x", TypeError),
        (True, "x", TypeError),
        (9, None, ValueError),
    ],
)
def test_wrong_thumbnails(thumbnail, output, error):
    with pytest.raises(error, match="thumbnail"):
        batch.decode(["x.kmc"], output, thumbnail=thumbnail)
