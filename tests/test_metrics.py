"""The measures of difference: known values, and what they compare."""

import math

import numpy as np
import pytest
from PIL import Image
from support import smooth

from kmc_format import metrics

needs_skimage = pytest.mark.usefixtures("skimage")


@pytest.fixture(scope="module")
def skimage():
    return pytest.importorskip("skimage")


def test_mse_and_psnr_are_those_of_the_definition():
    one, other = smooth(), Image.fromarray(255 - np.asarray(smooth()))
    difference = np.asarray(one, float) - np.asarray(other, float)
    assert metrics.mse(one, other) == pytest.approx(np.mean(difference**2))
    assert metrics.psnr(one, other) == pytest.approx(10 * math.log10(255**2 / np.mean(difference**2)))
    assert metrics.psnr(one, one) == math.inf


def test_what_is_clear_does_not_count():
    one, other = (np.array([[[value, value, value, 0]]], np.uint8) for value in (0, 200))
    assert metrics.mse(one, other) == 0
    assert metrics.mse(Image.new("RGBA", (1, 1)), Image.new("RGB", (1, 1), "white")) == 255**2 / 2
    assert metrics.mse(Image.new("LA", (1, 1), (255, 0)), Image.new("L", (1, 1), 255)) == 255**2 / 2


def test_pictures_of_many_kinds_compare():
    grey = Image.new("L", (8, 8), 100)
    for other in ("RGB", "RGBA", "LA"):
        assert metrics.mse(grey, grey.convert(other)) == 0
    palette = smooth().quantize(9)
    assert metrics.mse(palette, palette.convert("RGB")) == 0
    assert metrics.mse(Image.new("1", (2, 2), 1), Image.new("L", (2, 2), 255)) == 0
    deep = np.array([[0, 1000]], np.uint16)
    assert metrics.psnr(deep, deep + np.uint16(10)) == pytest.approx(20 * math.log10(65535 / 10))
    assert metrics.psnr(deep.astype(">u2"), deep) == math.inf
    labels = np.array([[0, 70_000]], np.int32)
    assert metrics.mse(labels, labels + 3) == 9


@pytest.mark.parametrize(
    ("one", "other", "error", "words"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), ValueError, "do not compare"),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint16), TypeError, "integers of one dtype"),
        (np.zeros((2, 3, 5), np.uint8), np.zeros((2, 3, 5), np.uint8), ValueError, "do not compare"),
        (np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.uint8), ValueError, "do not compare"),
        (np.zeros((2, 3)), np.zeros((2, 3)), TypeError, "integers of one dtype"),
        (np.zeros((2, 3), np.int32), np.zeros((2, 3), np.int32), TypeError, "needs 8- or 16-bit"),
    ],
)
def test_pictures_that_do_not_compare_are_refused(one, other, error, words):
    with pytest.raises(error, match=words):
        metrics.psnr(one, other)


@needs_skimage
def test_ssim_is_scikit_images():
    from skimage.metrics import structural_similarity

    one, other = np.asarray(smooth()), np.asarray(smooth().quantize(8).convert("RGB"))
    expected = structural_similarity(one, other, channel_axis=2, data_range=255)
    assert metrics.ssim(one, other) == pytest.approx(expected)
    assert metrics.ssim(one, one) == pytest.approx(1)
    with pytest.raises(ValueError, match="7x7 pixels or more, not 6x9"):
        metrics.ssim(np.zeros((9, 6), np.uint8), np.zeros((9, 6), np.uint8))


@needs_skimage
def test_ciede2000_has_the_values_of_sharma_and_others():
    # The first and the 25th of the pairs that Sharma, Wu and Dalal publish, by way of scikit-image.
    from skimage.color import deltaE_ciede2000

    assert deltaE_ciede2000([50, 2.6772, -79.7751], [50, 0, -82.7485]) == pytest.approx(2.0425, abs=1e-4)
    assert deltaE_ciede2000([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387]) == pytest.approx(
        1.2644, abs=1e-4
    )
    black, white = (Image.new("L", (2, 2), level) for level in (0, 255))
    assert metrics.ciede2000(black, white) == pytest.approx(100, abs=0.01)
    assert metrics.ciede2000(white, white.convert("RGBA")) == pytest.approx(0)


def test_without_scikit_image_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.metrics", None)
    with pytest.raises(ImportError, match=r"pip install 'kmc-format\[metrics\]'"):
        metrics.ssim(smooth(), smooth())
