"""KMC behaves as Pillow's own formats do."""

import io
import os
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from support import load, psnr, save, smooth

import kmc_format
from kmc_format.plugin import KMCImageFile

JPEG = io.BytesIO()
smooth().save(JPEG, "JPEG")
FILE = save(smooth(), k=20, tile=40)  # six tiles


def same(one, other):
    return one.mode == other.mode and one.size == other.size and one.tobytes() == other.tobytes()


# --- Identity ---------------------------------------------------------------------------------


def test_format_mode_size_and_mime_type():
    with Image.open(io.BytesIO(FILE)) as image:
        assert (image.format, image.mode, image.size) == ("KMC", "RGB", (96, 64))
        assert image.format_description == "K-Means codebook image"
        assert image.get_format_mimetype() == "image/x-kmc"
        assert image.info == {"k": 20}
        assert (getattr(image, "n_frames", 1), getattr(image, "is_animated", False)) == (1, False)
        assert image.tell() == 0
        with pytest.raises(EOFError):
            image.seek(1)


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


# --- Bad files --------------------------------------------------------------------------------


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


def test_truncated_images_load_on_request(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    start = kmc_format.read_header(FILE).front.start
    whole = np.asarray(load(FILE))
    for end in (start + 1, (start + len(FILE)) // 2, len(FILE) - 1):
        image = load(FILE[:end])
        assert image.size == (96, 64)
    assert np.array_equal(np.asarray(image)[:40], whole[:40])


def test_verify():
    Image.open(io.BytesIO(FILE)).verify()
    damaged = FILE[:-9] + bytes([FILE[-9] ^ 1]) + FILE[-8:]
    with pytest.raises(OSError, match="tile 5 at byte"):
        Image.open(io.BytesIO(damaged)).verify()


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


# --- Loading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000, len(FILE)])
def test_the_parser_in_any_pieces(step):
    parser = ImageFile.Parser()
    for start in range(0, len(FILE), step):
        parser.feed(FILE[start : start + step])
    assert same(parser.close(), load(FILE))


def test_safeblock_of_one(monkeypatch):
    monkeypatch.setattr(ImageFile, "SAFEBLOCK", 1)
    assert same(load(FILE), kmc_to_image(FILE))


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


# --- Modes ------------------------------------------------------------------------------------


def sample(mode):
    """Make an image of a mode with 30 distinct values."""
    ramp = np.arange(300, dtype=np.uint8).reshape(15, 20) % 30 * 8
    if mode in ("I", "I;16", "I;16L", "I;16B", "I;16N", "F"):
        dtype = {"I": np.int32, "F": np.float32, "I;16B": ">u2"}.get(mode, "<u2")
        image = Image.fromarray((ramp.astype(np.int64) * 250).astype(dtype))
        return image if image.mode == mode else Image.frombytes(mode, image.size, image.tobytes())
    if mode in ("La", "RGBa", "PA"):
        return sample({"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]).convert(mode)
    if mode == "P":
        image = Image.fromarray(ramp // 8).convert("L")
        image.putpalette(bytes(np.random.default_rng(1).integers(0, 256, 120, dtype=np.uint8)))
        return image
    bands = len(Image.new(mode, (1, 1)).getbands())
    if mode == "1":
        return Image.fromarray(ramp > 100)
    data = np.stack([ramp, 240 - ramp, ramp // 2, 255 - ramp][:bands], axis=2)
    return Image.frombytes(mode, (20, 15), data.tobytes())


OPENS_AS = {
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I;16N": "I;16",
}


@pytest.mark.parametrize("mode", sorted({*Image.MODES, "PA", "La", "LAB", "HSV", "I;16L", "I;16N"} - {"F"}))
def test_every_mode_comes_back_exactly_in_the_mode_it_is_stored_as(mode):
    image = sample(mode)
    before = image.tobytes(), dict(image.info)
    opened = load(save(image))
    assert opened.mode == OPENS_AS.get(mode, mode)
    if mode.startswith("I;16"):
        assert np.array_equal(np.asarray(opened), np.asarray(image))
    elif mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        assert same(opened, ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"))
    else:
        assert same(opened, image.convert(opened.mode))
    assert (image.tobytes(), image.info) == before


def test_mode_f_is_refused():
    with pytest.raises(OSError, match=r"^cannot write mode F as KMC$"):
        save(Image.new("F", (2, 2)))


def test_rgb_under_zero_alpha_is_kept():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    assert np.array_equal(np.asarray(load(save(Image.fromarray(pixels)))), pixels)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "I"])
def test_fewer_colours(mode):
    if mode.startswith("I"):
        ramp = np.arange(6000).reshape(60, 100) * 10
        image = Image.fromarray(ramp.astype("<i4" if mode == "I" else "<u2"))
    else:
        image = smooth(mode="RGBA").convert(mode)
    opened = load(save(image, k=40))
    assert opened.mode == mode
    assert len(np.unique(np.asarray(opened).reshape(opened.width * opened.height, -1), axis=0)) == 40
    assert opened.info["k"] == 40
    if mode in ("L", "RGB"):
        assert psnr(image, opened) > 25


# --- Palettes ---------------------------------------------------------------------------------


def voc_mask():
    """A mask like Pascal VOC's: 21 of 256 palette entries, and 255 for void."""
    labels = np.repeat(np.arange(21), 20).astype(np.uint8)
    labels = np.tile(labels, (30, 1))
    labels[:, ::17] = 255
    mask = Image.fromarray(labels)
    mask.putpalette(bytes(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8)))
    return mask


@pytest.mark.parametrize("transparency", [None, 0, 255, b"\x00", bytes(range(256))])
def test_a_palette_image_keeps_values_palette_and_transparency(transparency):
    mask = voc_mask()
    if transparency is not None:
        mask.info["transparency"] = transparency
    opened = Image.open(io.BytesIO(save(mask)))
    assert opened.mode == "P"
    assert opened.palette.mode == "RGB"
    assert opened.info.get("transparency") == transparency
    assert np.array_equal(np.asarray(opened), np.asarray(mask))
    assert opened.getpalette() == mask.getpalette()
    assert opened.palette.palette == mask.palette.palette
    assert same(opened.convert("RGBA"), mask.convert("RGBA"))
    assert opened.info["k"] == 256
    assert load(save(mask, k=22)).getpalette() == mask.getpalette()


def test_a_short_palette_stays_short():
    image = sample("P")
    opened = load(save(image))
    assert len(opened.palette.palette) == 120
    assert opened.info["k"] == 40


def test_pixels_beyond_the_palette_stay_what_they_are():
    image = Image.fromarray(np.array([[0, 1, 7]], np.uint8))
    image.putpalette(bytes([1, 2, 3, 4, 5, 6]))
    opened = load(save(image))
    assert np.asarray(opened).tolist() == [[0, 1, 7]]
    assert same(opened.convert("RGB"), image.convert("RGB"))


def test_an_rgba_palette():
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette(bytes([1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255]), "RGBA")
    opened = load(save(image))
    assert (opened.mode, opened.palette.mode) == ("P", "RGBA")
    assert same(opened.convert("RGBA"), image.convert("RGBA"))


def test_a_cmyk_palette_is_shown_as_rgb():
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette(bytes([255, 0, 0, 0, 0, 255, 0, 0]), "CMYK")
    opened = load(save(image))
    assert same(opened.convert("RGB"), image.convert("RGB"))
    assert (opened.mode, np.asarray(opened).tolist(), len(opened.getpalette())) == ("P", [[0, 1]], 6)
    assert (image.palette.mode, image.getpalette("CMYK")) == ("CMYK", [255, 0, 0, 0, 0, 255, 0, 0])


def test_a_palette_of_51_entries():
    image = smooth().quantize(51)
    for opened in (load(save(image)), load(save(load(save(image)))), load(save(image, transparency=3))):
        assert opened.getpalette() == image.getpalette()
        assert len(opened.getpalette()) == 3 * 51


@pytest.mark.parametrize("k", [256, 12])
@pytest.mark.parametrize("transparency", [256, -1, bytes(257), "x", (1, 2, 3), np.int64(3)])
def test_a_transparency_that_is_none_is_named(transparency, k):
    mask = voc_mask()
    mask.info["transparency"] = transparency
    uses = [
        lambda: save(mask, k=k),
        lambda: kmc_format.quantize(mask, k),
        lambda: kmc_format.train_codebook([mask], k),
        lambda: save(smooth(), codebook=mask),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="transparency must be an int from 0 to 255 or"):
            use()


@pytest.mark.parametrize("transparency", [None, 3])
def test_a_palette_image_reduced_is_still_one(transparency):
    mask = voc_mask()
    if transparency is not None:
        mask.info["transparency"] = transparency
    opened = load(save(mask, k=12))
    assert (opened.mode, opened.info["k"]) == ("P", 12)
    assert opened.has_transparency_data == (transparency is not None)
    if transparency is not None:
        clear = np.asarray(mask) == transparency
        assert np.array_equal(np.asarray(opened.convert("RGBA"))[..., 3] == 0, clear)


@pytest.mark.parametrize(
    ("mode", "transparency", "opens_as"), [("RGB", (0, 240, 0), "RGBA"), ("L", 16, "LA"), ("1", 255, "LA")]
)
def test_a_transparent_colour_becomes_alpha(mode, transparency, opens_as):
    image = sample(mode)
    image.info["transparency"] = transparency
    opened = load(save(image))
    assert same(opened, image.convert(opens_as))
    assert np.asarray(opened)[..., -1].min() == 0
    assert same(load(save(sample(mode), transparency=transparency)), opened)


def test_the_array_functions_join_transparency_to_the_palette():
    mask = voc_mask()
    mask.info["transparency"] = 4
    for picture in (kmc_format.quantize(mask), kmc_format.decode(kmc_format.encode(mask))):
        assert np.array_equal(picture.labels, np.asarray(mask))
        assert np.array_equal(picture.expand(), np.asarray(mask.convert("RGBA")))


# --- Metadata ---------------------------------------------------------------------------------


def test_icc_profile_by_pillows_conventions():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" not in load(save(smooth())).info
    opened = load(save(smooth(), icc_profile=profile))
    assert opened.info["icc_profile"] == profile
    assert load(save(opened)).info["icc_profile"] == profile
    assert "icc_profile" not in load(save(opened, icc_profile=None)).info
    cmyk = smooth().convert("CMYK")
    cmyk.info["icc_profile"] = profile
    assert "icc_profile" not in load(save(cmyk)).info
    assert load(save(cmyk, icc_profile=profile)).info["icc_profile"] == profile


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = smooth((20, 10))
    for given in (exif, exif.tobytes(), exif.tobytes().removeprefix(b"Exif\0\0")):
        opened = load(save(image, exif=given))
        assert opened.getexif()[0x0112] == orientation
        expected = load(save(image))
        expected.getexif()[0x0112] = orientation
        assert same(ImageOps.exif_transpose(opened), ImageOps.exif_transpose(expected))


def test_exif_and_xmp_only_when_given():
    opened = load(save(smooth(), exif=b"not exif at all", xmp=b"<x:xmpmeta/>", dpi=(72, 300.25)))
    assert opened.info["exif"] == b"not exif at all"
    assert opened.info["xmp"] == b"<x:xmpmeta/>"
    assert opened.info["dpi"] == (72.0, 300.25)
    assert load(save(opened)).info.keys() == {"k"}


# --- Saving -----------------------------------------------------------------------------------


def test_save_to_everything(tmp_path):
    image, expected = smooth(), save(smooth(), k=5)
    image.save(str(tmp_path / "a.kmc"), k=5)
    image.save(os.fsencode(tmp_path / "b.kmc"), k=5)
    image.save(tmp_path / "c.KMC", k=5)
    with (tmp_path / "d.kmc").open("wb") as file:
        image.save(file, k=5)
        assert not file.closed
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {expected}
    assert len(list(tmp_path.iterdir())) == 4


def test_save_to_and_open_from_a_pipe():
    script = """
import sys, kmc_format
from PIL import Image
print(Image.open(sys.stdin.buffer).convert("L").size)
"""
    command, pipe = [sys.executable, "-P", "-c", script], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        smooth().save(process.stdin, "KMC", k=5)
        process.stdin.close()
        assert process.stdout.read().strip() == b"(96, 64)"


def test_saving_over_the_file_being_read(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    expected = load(FILE)
    image = Image.open(path)
    image.save(path)
    with Image.open(path) as opened:
        assert same(opened, expected)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"k": 0}, ValueError),
        ({"k": "many"}, TypeError),
        ({"tile": 0}, ValueError),
        ({"dpi": (0, 72)}, ValueError),
        ({"dpi": (-1, -1)}, ValueError),
        ({"dpi": 0}, TypeError),
        ({"exif": 5}, TypeError),
        ({"random_state": -1}, ValueError),
    ],
)
def test_a_bad_option_leaves_nothing_behind(tmp_path, option, error):
    with pytest.raises(error, match=next(iter(option))):
        smooth().save(tmp_path / "new.kmc", **option)
    assert not list(tmp_path.iterdir())
    file = io.BytesIO(b"what was there")
    with pytest.raises(error):
        smooth().save(file, "KMC", **option)
    assert file.getvalue() == b"what was there"


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_empty_image(size):
    with pytest.raises(ValueError, match="empty"):
        save(Image.new("RGB", size))


def test_options_of_other_formats_are_ignored():
    foreign = {"subsampling": 2, "optimize": True, "compress_level": 3, "lossless": True}
    assert save(smooth(), k=5, **foreign) == save(smooth(), k=5)


def test_saving_again_loses_nothing():
    image = load(save(smooth((128, 64)), k=1000))
    assert image.info["k"] == 1000
    assert same(load(save(image)), image)
    turned = image.transpose(Image.Transpose.ROTATE_90)
    assert same(load(save(turned)), turned)
    assert load(save(smooth(), k=8)).info["k"] == 8
    assert load(save(load(save(smooth(), k=8)))).info["k"] == 8


def test_the_default_k_is_256():
    assert load(save(smooth())).info["k"] == 256
    numbers = Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30))
    assert load(save(numbers)).info["k"] == 900
    assert load(save(numbers, k=12)).info["k"] == 12


def test_memory_stays_flat():
    tracemalloc = pytest.importorskip("tracemalloc")
    load(FILE)
    tracemalloc.start()
    for n in range(300):
        load(FILE)
        if n == 20:
            before = tracemalloc.get_traced_memory()[0]
    assert tracemalloc.get_traced_memory()[0] - before < 50_000
    tracemalloc.stop()


@pytest.mark.parametrize("transparency", [1, b"\x09"])
def test_an_rgba_palette_with_transparency_too_is_the_same_for_both_readers(transparency):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette(bytes([1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 200]), "RGBA")
    image.info["transparency"] = transparency
    data = save(image)
    expected = np.asarray(image.convert("RGBA"))
    assert np.array_equal(np.asarray(load(data).convert("RGBA")), expected)
    assert np.array_equal(kmc_format.decode(data).expand(), expected)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_random_state_is_checked_even_where_nothing_is_clustered(mode):
    with pytest.raises(TypeError, match="random_state must be an int"):
        save(sample(mode), random_state="abc")
