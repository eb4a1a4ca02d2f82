"""Every mode comes back as what it was, and palettes with their values: what they are is their meaning."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from support import load, psnr, same, save, smooth

import kmc_format

# --- Modes ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("mode", ["L", "P"])
def test_random_state_is_checked_even_where_nothing_is_clustered(mode):
    with pytest.raises(TypeError, match="random_state must be an int"):
        save(sample(mode), random_state="abc")


# --- Palettes -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("transparency", [1, b"\x09"])
def test_an_rgba_palette_with_transparency_too_is_the_same_for_both_readers(transparency):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette(bytes([1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 200]), "RGBA")
    image.info["transparency"] = transparency
    data = save(image)
    expected = np.asarray(image.convert("RGBA"))
    assert np.array_equal(np.asarray(load(data).convert("RGBA")), expected)
    assert np.array_equal(kmc_format.decode(data).expand(), expected)


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
