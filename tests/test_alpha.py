"""What is opaque stays opaque and what is clear stays clear, however a picture is reduced."""

import made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import SHARED, load, mostly_slow, save

import kmc_format
from kmc_format import _core, metrics

MADE = {name: image for name, image in made.pictures(96).items() if image.mode == "RGBA"}
ICONS = [*sorted((SHARED / "icons").glob("*.png")), SHARED / "graphics" / "pingus-blackboard.png"]
WAYS = [
    {},
    {"dither": 1.0},
    {"dither": 0.6, "space": "oklab"},
    {"rdo": 30},
    {"rdo": 2000, "space": "oklab"},
    {"max_error": 12, "k": 256},
    {"keep": [(1, 2, 3, 255), (9, 9, 9, 100)]},
]


def opaque_and_clear(pixels):
    return pixels[..., -1] == 255, pixels[..., -1] == 0


def check(pixels, result):
    opaque, clear = opaque_and_clear(pixels)
    assert (result[opaque][:, -1] == 255).all()
    assert (result[clear][:, -1] == 0).all()


@pytest.mark.parametrize("k", [4, 40])
@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize("name", MADE)
def test_alpha_255_and_0_stay(name, options, k):
    pixels = np.asarray(MADE[name])
    check(pixels, kmc_format.quantize(pixels, **{"k": k, **options}).expand())
    grey = np.asarray(MADE[name].convert("LA"))
    options = {option: value for option, value in options.items() if option != "keep"}
    check(grey, kmc_format.quantize(grey, **{"k": k, **options}).expand())


@pytest.mark.parametrize(
    "options",
    mostly_slow([{"quality": 10}, {"quality": 75}, {"max_bytes": 1500}], [{"quality": 75}]),
    ids=str,
)
@pytest.mark.parametrize("name", MADE)
def test_alpha_255_and_0_stay_in_searches(name, options):
    check(np.asarray(MADE[name]), np.asarray(load(save(MADE[name], **options))))


@pytest.mark.parametrize("path", mostly_slow(ICONS, ICONS[:-1:8]), ids=lambda path: path.stem)
def test_alpha_of_real_pictures_stays(path):
    if not path.exists():
        pytest.skip("needs the shared images")
    with Image.open(path) as image:
        image.load()
    if not image.has_transparency_data:
        return
    pixels = np.asarray(image.convert("RGBA"))
    for options in ({"k": 256}, {"k": 8}, {"k": 16, "dither": 1.0}, {"k": 64, "rdo": 100}, {"quality": 40}):
        check(pixels, kmc_format.quantize(pixels, **options).expand())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 6),
    st.sampled_from([2, 4]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([{}, {"dither": 1.0}, {"rdo": 500}, {"quality": 20}]),
)
@pytest.mark.slow
def test_alpha_of_noise_stays(k, channels, seed, options):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (9, 11, channels), np.uint8)
    pixels[..., -1] = random.choice([0, 3, 128, 254, 255], (9, 11))
    check(pixels, kmc_format.quantize(pixels, k, **options).expand())


@pytest.mark.parametrize("options", [{}, {"dither": 1.0}, {"rdo": 200}, {"quality": 20}], ids=str)
def test_alpha_stays_with_a_given_codebook(options):
    pixels = np.asarray(MADE["RGBA disc"])
    entries = np.random.default_rng(1).integers(0, 256, (40, 4), np.uint8)
    entries[:20, 3] = np.arange(235, 255)
    entries[20:24, 3], entries[24] = 255, 0
    picture = kmc_format.quantize(pixels, codebook=entries, **options)
    check(pixels, picture.expand())
    assert len(np.unique(picture.expand()[pixels[..., 3] == 255], axis=0)) > 1
    soft = kmc_format.quantize(pixels, codebook=entries[:20], **options)  # which has no opaque entry
    assert (soft.expand()[..., 3] < 255).all()


@pytest.mark.parametrize("options", [{"rdo": 3000}, {"max_bytes": 500}], ids=str)
def test_alpha_of_a_palette_stays(options):
    image = MADE["RGBA disc"].quantize(64)
    pixels = np.asarray(image.convert("RGBA"))
    check(pixels, np.asarray(load(save(image, **options)).convert("RGBA")))


def test_alone_an_entry_is_opaque_unless_something_is_clear():
    pixels = np.full((4, 4, 4), 90, np.uint8)
    pixels[0, 0, 3] = 255
    assert kmc_format.quantize(pixels, 1).expand()[0, 0, 3] == 255
    pixels[1, 1, 3] = 0
    assert kmc_format.quantize(pixels, 1).k == 1


def test_it_costs_little():
    """Of pictures with many colours, of which few are entries."""
    before = {8: 95.2, 64: 12.96, 256: 3.207}  # mean squared error when opaque pixels could fade
    pixels = np.asarray(made.disc((192, 144)))
    for k, error in before.items():
        assert metrics.mse(pixels, kmc_format.quantize(pixels, k).expand()) < 1.01 * error


def test_whole_colours_get_whole_entries_in_the_core():
    random = np.random.default_rng(3)
    points, entries = random.integers(0, 90, (40, 4), np.int32), random.integers(0, 90, (30, 4), np.int32)
    whole, whole_entries = random.integers(0, 2, 40, np.uint8), random.integers(0, 2, 30, np.uint8)
    distance = np.square(points[:, None].astype(np.int64) - entries).sum(axis=2)
    distance[np.ix_(whole > 0, whole_entries == 0)] = 2**40
    nearest = distance.argmin(axis=1).astype(np.int32)
    pixels = random.integers(0, 40, (30, 30), np.uint32)
    colours, farthest = random.integers(0, 256, (30, 4), np.uint8), np.full(40, 2**50, np.int64)
    arguments = pixels, points, entries, nearest, farthest, 1, colours
    labels = nearest[pixels].astype(np.uint16)
    _core.choose_labels(*arguments, labels, whole, whole_entries)
    assert whole_entries[labels[whole[pixels] > 0]].all()
    assert not whole_entries[labels].all()
    for wrong in ((whole[1:], whole_entries), (whole, whole_entries[1:]), (whole, None)):
        with pytest.raises((TypeError, ValueError)):
            _core.choose_labels(*arguments, labels, *wrong)
