import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans
from support import mostly_slow, smooth

from kmc_format import quantize
from kmc_format._options.options import SaveOptions
from kmc_format._pixels import colours, tally
from kmc_format._quantize import kmeans

SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
ARRAYS = st.one_of(
    hnp.arrays(np.bool_, SHAPES),
    hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.dtype(">u2"), np.dtype(">i4")]), SHAPES),
    SHAPES.flatmap(lambda shape: st.integers(1, 4).flatmap(lambda n: hnp.arrays(np.uint8, (*shape, n)))),
)


def nearest_distance(points, codebook):
    """Brute force: least distance of each point to a codebook."""
    return distance(points[:, None], codebook).min(axis=1)


def distance(points, others):
    difference = points.astype(np.int64) - others.astype(np.int64)
    if difference.shape[-1] == 1:
        return np.abs(difference[..., 0])  # the square of 32 bits would overflow
    return np.square(difference).sum(axis=-1)


@given(ARRAYS, st.booleans())
def test_enough_colours_are_exact(pixels, turned):
    pixels = pixels.swapaxes(0, 1) if turned else pixels
    picture = quantize(pixels, 256)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    assert picture.expand().dtype == pixels.dtype.newbyteorder("=")
    assert np.array_equal(picture.expand(), pixels)
    assert len(np.unique(picture.labels)) == picture.k


@settings(max_examples=60, deadline=None)
@given(ARRAYS, st.integers(1, 5))
def test_fewer_colours_are_all_used_and_nearest(pixels, k):
    picture = quantize(pixels, k)
    used = np.unique(picture.labels)
    assert picture.k == len(used) <= k
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        return  # compared premultiplied: see below
    points = pixels.reshape(pixels.shape[0] * pixels.shape[1], -1)
    if pixels.dtype == bool:
        points = points * np.uint8(255)
    assert picture.k == min(k, len(np.unique(points, axis=0)))
    chosen = distance(points, picture.codebook[picture.labels.ravel()])
    assert np.array_equal(chosen, nearest_distance(points, picture.codebook))


@pytest.mark.parametrize("k", [2, 7, 64, 256, 600, 1500])
def test_a_photograph_like_picture_uses_k_colours_and_the_nearest(k):
    pixels = np.asarray(smooth())
    picture = quantize(pixels, k)
    assert len(np.unique(picture.labels)) == picture.k == k
    points = pixels.reshape(-1, 3)
    chosen = distance(points, picture.codebook[picture.labels.ravel()])
    assert np.array_equal(chosen, nearest_distance(points, picture.codebook))
    order = picture.codebook.astype(int) @ [65536, 256, 1]
    assert (np.diff(order) > 0).all()


@pytest.mark.parametrize("k", [4, 16, 64])
def test_the_error_is_that_of_scikit_learn_on_all_pixels(k):
    pixels = np.asarray(smooth((120, 80)))
    fits = [KMeans(k, n_init=1, random_state=seed).fit(pixels.reshape(-1, 3)) for seed in range(3)]
    error = np.square(pixels - quantize(pixels, k).expand().astype(float)).sum()
    assert error <= 1.03 * np.mean([fit.inertia_ for fit in fits])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("most", [3, 3000])
def test_the_histogram_counts_and_numbers_colours(dtype, most):
    rng = np.random.default_rng(1)
    limits = np.iinfo(dtype)
    pixels = rng.choice(rng.integers(limits.min, limits.max, most, dtype, endpoint=True), (100, 200, 1))
    histogram = tally.histogram(pixels)
    values, counts = np.unique(colours.pack(pixels), return_counts=True)
    assert np.array_equal(histogram.tally.colours, values)
    assert np.array_equal(histogram.tally.counts, counts)
    assert np.array_equal(histogram.map(histogram.tally.colours), colours.pack(pixels))


def test_invisible_colours_share_an_entry_when_colours_are_short():
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (30, 30, 4), dtype=np.uint8)
    pixels[:, :15, 3] = 0
    pixels[:, 15:] = [[9, 9, 9, 255]]
    exact = quantize(pixels, 500)
    assert np.array_equal(exact.expand(), pixels)
    short = quantize(pixels, 8)
    assert short.codebook.tolist() == [[0, 0, 0, 0], [9, 9, 9, 255]]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_compared_as_it_looks_over_black_and_white(mode):
    pixels = np.asarray(smooth(mode=mode)).copy()
    pixels[..., -1] = np.arange(96) * 255 // 95
    picture = quantize(pixels, 20)
    assert len(np.unique(picture.labels)) == 20

    def composed(colours):
        colour, alpha = colours[..., :-1] / 255, colours[..., -1:] / 255
        return np.concatenate([colour * alpha, colour * alpha + 1 - alpha], axis=-1)

    points, codebook = composed(pixels.reshape(-1, len(mode))), composed(picture.codebook)
    chosen = np.square(points - codebook[picture.labels.ravel()]).sum(axis=1)
    best = np.square(points[:, None] - codebook).sum(axis=2).min(axis=1)
    soft = pixels[..., -1].ravel() < 255  # what is opaque stays so: test_alpha.py
    assert np.allclose(chosen[soft], best[soft], rtol=1e-4, atol=1e-9)


def test_integers_are_never_reduced_unless_asked():
    ids = np.arange(70_000, dtype=np.int32).reshape(700, 100) * 1000
    with pytest.raises(ValueError, match="70000 distinct values, more than 65536; give k"):
        quantize(ids)
    assert quantize(ids, 300).k == 300
    assert np.array_equal(quantize(ids[:600]).expand(), ids[:600])
    wide = quantize(np.array([[-5, 2**31 - 1]], np.int64))
    assert wide.expand().tolist() == [[-5, 2**31 - 1]]
    assert wide.mode == "I"


def test_bilevel_at_k_1_takes_the_majority():
    pixels = np.array([[True, True, False]])
    assert quantize(pixels, 1).expand().tolist() == [[True, True, True]]


def test_one_colour_and_heavy_counts():
    flat = np.full((50, 50, 3), 7, np.uint8)
    assert quantize(flat, 16).codebook.tolist() == [[7, 7, 7]]
    flat[0, :20, 0] = np.arange(20)
    assert quantize(flat, 3).k == 3


def test_a_palette_has_at_most_256_entries():
    picture = kmeans.quantize(np.asarray(smooth()), SaveOptions(k=1000), palette=True)
    assert (picture.mode, picture.k) == ("P", 256)


def test_the_seed_matters_and_repeats():
    pixels = np.asarray(smooth())
    assert quantize(pixels, 30, random_state=1) == quantize(pixels, 30, random_state=1)
    assert quantize(pixels, 30, random_state=1) != quantize(pixels, 30, random_state=2)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"k": 0}, ValueError, "k must be from 1 to 65536, not 0"),
        ({"k": 65537}, ValueError, "k must be from 1 to 65536, not 65537"),
        ({"k": -3}, ValueError, "k must be from 1 to 65536"),
        ({"k": 3.5}, TypeError, "k must be an int from 1 to 65536, not 3.5"),
        ({"k": "8"}, TypeError, "k must be an int from 1 to 65536, not '8'"),
        ({"k": True}, TypeError, "k must be an int from 1 to 65536, not True"),
        ({"random_state": -1}, ValueError, "random_state must be from 0"),
        ({"random_state": 2**32}, ValueError, "random_state must be from 0"),
        ({"random_state": 1.5}, TypeError, "random_state must be an int"),
        ({"random_state": "x"}, TypeError, "random_state must be an int"),
    ],
)
def test_a_bad_option_is_named(options, error, words):
    with pytest.raises(error, match=words):
        quantize(np.zeros((2, 2), np.uint8), **options)


def test_the_largest_seed_is_one():
    assert quantize(np.asarray(smooth()), 4, random_state=2**32 - 1).k == 4


def test_a_numpy_integer_is_an_int():
    assert quantize(np.asarray(smooth()), np.int64(5)).k == 5


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((2, 2)), TypeError),
        (np.zeros((2, 2, 3), np.uint16), TypeError),
        (np.zeros((2, 2, 2), bool), TypeError),
        (np.zeros((2, 2, 5), np.uint8), ValueError),
        (np.zeros((2, 0), np.uint8), ValueError),
        (np.zeros((2, 2, 0), np.uint8), ValueError),
        (np.zeros(2, np.uint8), ValueError),
        (np.zeros((1, 2, 2, 3), np.uint8), ValueError),
        (np.array([[2**31]]), ValueError),
    ],
)
def test_pixels_of_another_kind_are_refused(pixels, error):
    with pytest.raises(error, match="pixels must"):
        quantize(pixels)


@pytest.mark.parametrize("n", mostly_slow([80, 200, 300, 358], [80]))
def test_one_colour_too_many_warns_of_nothing(n):
    colours = np.random.default_rng(n).permutation(2**24)[:n].astype("<u4").view(np.uint8).reshape(1, n, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quantize(colours[..., :3], n - 1).k == n - 1
        assert quantize(np.arange(256, dtype=np.uint8)[None], 250).k == 250
