"""Real pictures: the samples of the project, and larger sets where they are at hand."""

import io
import random

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from support import SAMPLES, SHARED, load, psnr, save

shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared image sets")
EXACT = [path for folder in ("icons", "masks") for path in sorted((SHARED / folder).glob("*.png"))]
KODAK = SHARED / "kodak"


def distinct(image):
    pixels = np.asarray(image)
    return len(np.unique(pixels.reshape(image.width * image.height, -1), axis=0))


@pytest.mark.parametrize("path", SAMPLES + EXACT, ids=lambda path: path.stem)
def test_enough_colours_bring_a_picture_back_exactly(path):
    with Image.open(path) as image:
        if path.stem == "photograph":
            image = image.crop((0, 0, 200, 200))  # the whole has more colours than KMC
        opened = load(save(image, k=distinct(image)))
        assert opened.mode == image.mode
        assert np.array_equal(np.asarray(opened), np.asarray(image))
        if image.mode == "P":
            assert opened.getpalette() == image.getpalette()
            assert opened.info.get("transparency") == image.info.get("transparency")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_fewer_colours_look_like_the_picture(path):
    with Image.open(path) as image:
        opened = load(save(image, k=16))
        assert distinct(opened) <= 16
        if image.mode in ("L", "RGB"):
            assert psnr(image, opened) > 20


def test_there_are_sample_images():
    assert 6 <= len(SAMPLES) <= 10


@shared
def test_kodim23_at_32_colours():
    with Image.open(KODAK / "kodim23.png") as image:
        data = save(image, k=32)
        opened = load(data)
        assert distinct(opened) == 32
        assert psnr(image, opened) >= 29.1
        assert save(image, k=32) == data


def test_random_bit_flips_never_show_a_wrong_picture():
    path = next(path for path in SAMPLES if path.stem == "photograph")
    with Image.open(path) as image:
        data = save(image, k=24, tile=150)
    draw = random.Random(7)
    for _ in range(300):
        bit = draw.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            image = Image.open(io.BytesIO(bytes(flipped)), formats=["KMC"])
        except UnidentifiedImageError:
            continue
        with pytest.raises(OSError, match="rule"):
            image.load()


def test_no_truncation_of_a_real_file_shows_a_picture():
    path = next(path for path in SAMPLES if path.stem == "icon")
    with Image.open(path) as image:
        data = save(image)
    for end in range(len(data)):
        try:
            image = Image.open(io.BytesIO(data[:end]), formats=["KMC"])
        except UnidentifiedImageError:
            continue
        with pytest.raises(OSError, match="truncated"):
            image.load()
