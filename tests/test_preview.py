"""Previews: their figures are those of what they show, and near those of what saving gives."""

import math

import numpy as np
import pytest
from PIL import Image
from support import SAMPLES, mostly_slow, psnr, smooth

import kmc_format
from kmc_format import metrics
from kmc_format._explorer import preview, quick_codebooks
from kmc_format._explorer.preview import Preview
from kmc_format._options.options import SaveOptions
from kmc_format._pixels import convert, tally
from kmc_format._quantize import kmeans, tasks


@pytest.fixture(scope="module")
def photograph():
    with Image.open(next(path for path in SAMPLES if path.stem == "photograph")) as image:
        return image.convert("RGB")


def error_of(decibels):
    return 10 ** (-decibels / 10)


@pytest.mark.parametrize("options", mostly_slow([{}, {"rdo": 10}, {"dither": 1}], [{}]), ids=str)
def test_previews_are_near_what_saving_gives(photograph, options):
    previews = Preview(photograph)
    for k in (1, 8, 32, 100, 256):
        step = previews.step(k, **options)
        saved = kmc_format.encode(photograph, k, **options)
        real = kmc_format.decode(saved)
        assert step.indexed.k <= k
        assert step.length == pytest.approx(len(saved), rel=0.12, abs=40)
        wanted = error_of(metrics.psnr(photograph, real.expand()))
        assert error_of(step.psnr) <= wanted * (1.1 if options else 1.05)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_figures_are_those_of_what_is_shown(path):
    with Image.open(path) as image:
        if image.mode.startswith("I"):
            pytest.skip("not of colours")
        image.load()
    previews = Preview(image)
    for k, options in ((3, {}), (16, {"dither": 0.5}), (40, {"rdo": 5})):
        step = previews.step(k, **options)
        assert step.psnr == pytest.approx(metrics.psnr(image, step.indexed.expand()))
        size = len(kmc_format.encode(step.indexed))
        assert step.length == (pytest.approx(size, rel=0.07, abs=160) if k > 32 else size)
        assert step.length == pytest.approx(len(kmc_format.encode(image, k, **options)), rel=0.3, abs=40)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV", "La", "RGBa"]
)
def test_every_mode_of_colours(mode):
    image = smooth(mode="RGBA").convert({"PA": "P", "La": "LA"}.get(mode, mode)).convert(mode)
    previews = Preview(image)
    assert previews.pixels.dtype == np.uint8
    for options in ({}, {"rdo": 3}, {"dither": 1}):
        step = previews.step(min(9, previews.most), **options)
        assert step.indexed.size == image.size
        assert step.psnr == pytest.approx(metrics.psnr(image, step.indexed.expand()))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 1), np.uint8),
        np.eye(5, dtype=bool),
        np.full((3, 2, 2), 9, np.uint8),
        np.zeros((4, 1, 4), np.uint8),
    ],
    ids=lambda array: str(array.shape),
)
def test_small_arrays(array):
    previews = Preview(array)
    step = previews.step(previews.most)
    assert step.psnr == float("inf")
    assert (step.indexed.expand().reshape(array.shape) == array).all()
    assert previews.step(1, rdo=1).indexed.k == 1


def test_a_picture_with_at_most_k_colours_is_exact():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 3, (20, 20, 3), np.uint8) * 90)
    previews = Preview(image)
    assert previews.most == 27
    assert previews.step(27).psnr == float("inf")
    assert previews.step(26).psnr < 99


def test_clear_areas_stay_clear():
    pixels = np.array(smooth(mode="RGBA"))
    pixels[:20, :, 3] = 0
    previews = Preview(pixels)
    for k in (2, 5, 30):
        shown = previews.step(k).indexed.expand()
        assert (shown[:20, :, 3] == 0).all()


def test_of_a_large_picture_the_middle_is_seen(photograph):
    large = Image.new("RGB", (1440, 960))
    for n in range(9):
        other = photograph.point(lambda value, n=n: value * (20 - n) // 20)  # so that nothing comes twice
        large.paste(other, (n % 3 * 480, n // 3 * 320))
    previews = Preview(large)
    assert previews.partial
    assert (np.asarray(large)[previews.part] == previews.pixels).all()
    height, width = previews.pixels.shape[:2]
    assert 0.95 * 2**19 < width * height <= 2**19
    step = previews.step(64)
    assert step.indexed.size == (width, height)
    assert step.length == pytest.approx(len(kmc_format.encode(large, 64)), rel=0.15)
    real = kmc_format.quantize(large, 64).expand()
    assert step.psnr == pytest.approx(psnr(large, real), abs=0.5)


def test_no_colour_of_a_large_picture_is_missed():
    pixels = np.zeros((1100, 1100), np.uint8)
    pixels[1, 1] = 77
    assert Preview(pixels).most == 2


@pytest.mark.parametrize("size", [(2**20 + 1, 1), (1, 2**20 + 1), (3, 400_000), (1025, 1025), (5000, 300)])
def test_the_middle_of_any_shape(size):
    width, height = size
    rows, columns = preview._middle(width, height)
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    assert 0.7 * 2**19 < high * wide <= 2**19
    assert 0 <= rows.start <= height - high
    assert 0 <= columns.start <= width - wide


def test_integers():
    labels = np.random.default_rng(0).integers(0, 2000, (40, 50)).astype(np.uint16)
    previews = Preview(labels)
    for options in ({}, {"rdo": 50}, {"dither": 1}):
        step = previews.step(40, **options)
        assert step.psnr == metrics.psnr(labels, step.indexed.expand())
        assert step.indexed.k <= 40
    assert previews.weighable
    wide = labels.astype(np.int32) * 1000
    previews = Preview(Image.fromarray(wide))
    assert not previews.weighable
    assert math.isnan(previews.step(40).psnr)
    with pytest.raises(ValueError, match="rdo is for colours"):
        previews.step(40, rdo=1)
    assert math.isinf(Preview(wide[:2, :2]).step(4).psnr)


def test_pictures_that_are_none_are_refused():
    with pytest.raises(OSError, match="cannot write mode F"):
        Preview(Image.new("F", (3, 3)))
    with pytest.raises(TypeError, match="pixels must be"):
        Preview(np.zeros((3, 3)))


def test_bad_options_are_refused():
    previews = Preview(smooth())
    for options, message in (
        ({"k": 0}, "k must be from 1 to"),
        ({"k": 257}, "k must be from 1 to 256 in a preview, not 257"),
        ({"k": 5, "rdo": 1, "dither": 1}, "contradict each other"),
        ({"k": 5, "rdo": -1}, "rdo must be from 0"),
        ({"k": 5, "dither": 2}, "dither must be from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            previews.step(**options)
    with pytest.raises(TypeError, match="'dithr'; did you mean 'dither'"):
        previews.step(5, dithr=1)


def test_the_same_settings_give_the_same_preview(photograph):
    previews = Preview(photograph)
    first = previews.step(20, rdo=4)
    previews.step(90)
    second = previews.step(20, rdo=4)
    assert first.indexed == second.indexed
    assert first[1:] == second[1:]


def test_centres_are_merged_where_that_costs_least():
    centres = np.array([[0.0], [1.0], [10.0], [13.0]])
    merged = quick_codebooks.merged_centres(centres, np.array([1.0, 3.0, 1.0, 1.0]))
    assert [len(left) for left in merged] == [0, 1, 2, 3, 4]
    assert merged[3].ravel().tolist() == [0.75, 10, 13]
    assert merged[2].ravel().tolist() == [0.75, 11.5]
    assert merged[1].ravel() == pytest.approx([(4 * 0.75 + 2 * 11.5) / 6])


def test_merged_codebooks_are_nearly_as_good_as_found_ones(photograph):
    task, pixels = tasks.prepare(convert.pixels_of(photograph), SaveOptions(k=256))
    counted = tally.histogram(pixels)
    codebooks = quick_codebooks.Codebooks(task, counted.tally)
    for k in (1, 3, 17, 200, 256):
        own, best = codebooks.find(k), kmeans.find_codebook(task, counted.tally, k)
        assert len(own[0]) == len(best[0]) == k
        errors = [metrics.mse(photograph, kmeans.label(task, counted, *one).expand()) for one in (own, best)]
        assert errors[0] <= errors[1] * 1.05


def test_tiles_are_weighed_in_threads_also_where_the_picture_is_small(photograph):
    options = {"rdo": 10, "tile": (480, 80)}
    one, other = (kmc_format.encode(photograph, 30, threads=threads, **options) for threads in (1, 3))
    assert one == other
    assert kmc_format.read_header(one).tiles == 4
