"""`quality` holds picture by picture: as good as JPEG, ever better, and no worse than a plain save."""

import io

import made
import numpy as np
import pytest
from PIL import Image
from support import FEW_SAMPLES, SAMPLES, SHARED, load, mostly_slow, save

import kmc_format
from kmc_format import metrics
from kmc_format._quantize.yardstick import PERFECT, Yardstick

MADE = made.pictures(64)
QUALITIES = (30, 75, 95)


def through_jpeg(image, quality):
    """Return JPEG's SSIM; one with alpha is laid over black and over white."""
    if image.mode == "RGBA":
        grounds = [Image.new("RGBA", image.size, (level, level, level, 255)) for level in (0, 255)]
        over = [Image.alpha_composite(ground, image).convert("RGB") for ground in grounds]
        return sum(through_jpeg(one, quality) for one in over) / 2
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return metrics.ssim(image, Image.open(file))


def yardstick(image):
    pixels = np.asarray(image)
    return Yardstick(pixels[..., None] if pixels.ndim == 2 else pixels)


@pytest.mark.parametrize("name", mostly_slow(MADE, ["grey linear", "sky", "RGBA shadow"]))
def test_quality_is_that_of_jpeg_and_rises(name):
    image, before = MADE[name], 0.0
    plain = [save(image, k=k) for k in (256, 65_536)]
    for quality in QUALITIES:
        data = save(image, quality=quality)
        opened = load(data)
        assert metrics.ssim(image, opened) >= through_jpeg(image, quality) - 0.02
        decibels = metrics.psnr(image, opened)
        assert decibels >= before
        before = decibels
        for other in plain:
            assert len(data) <= len(other) or decibels >= metrics.psnr(image, load(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["star", "RGBA shadow"])
def test_no_step_of_quality_gives_less(name):
    image = made.pictures(48)[name]
    decibels = [metrics.psnr(image, load(save(image, quality=quality))) for quality in range(1, 100, 11)]
    assert decibels == sorted(decibels)


@pytest.mark.parametrize("path", mostly_slow(SAMPLES, FEW_SAMPLES), ids=lambda path: path.stem)
def test_quality_of_the_samples(path):
    with Image.open(path) as image:
        image.load()
    if image.mode not in ("RGB", "RGBA"):
        return
    assert metrics.ssim(image, load(save(image, quality=75))) >= through_jpeg(image, 75) - 0.02


@pytest.mark.slow
def test_quality_of_a_photograph_with_a_soft_background():
    path = SHARED / "kodak" / "kodim12.png"
    if not path.exists():
        pytest.skip("needs the Kodak images")
    with Image.open(path) as opened:
        image = opened.convert("RGB")  # which had 0.04 less
    assert metrics.ssim(image, load(save(image, quality=30))) >= through_jpeg(image, 30) - 0.02


def test_few_colours_are_exact_where_that_is_smaller():
    pixels = np.random.default_rng(0).integers(0, 4, (64, 64), np.uint8) * 80
    exact = kmc_format.encode(pixels)
    assert len(kmc_format.encode(pixels, quality=50)) <= len(exact)
    ramp = Image.linear_gradient("L")
    assert save(ramp, quality=75) == save(ramp)


@pytest.mark.parametrize("name", MADE)
def test_the_yardstick_is_ssim(name):
    image = MADE[name]
    other = load(save(image, k=12))
    pixels = np.asarray(other)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    assert yardstick(image).similarity(pixels) / PERFECT == pytest.approx(
        metrics.ssim(image, other), abs=0.002
    )


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 90, 100])
def test_the_yardstick_knows_what_jpeg_makes(quality):
    photograph = Image.open(next(path for path in SAMPLES if path.stem == "photograph")).convert("RGB")
    images = {**MADE, "photograph": photograph, "odd": photograph.crop((3, 5, 104, 92))}
    for name, image in images.items():
        expected, got = through_jpeg(image, quality), yardstick(image).jpeg(quality) / PERFECT
        assert got == pytest.approx(expected, abs=0.02 if quality < 30 else 0.006), name
