"""Codebooks for many pictures: the same in whatever order and groups their colours are added up."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import SAMPLES, smooth

import kmc_format
from kmc_format import metrics
from kmc_format._options.options import DEFAULTS, SaveOptions
from kmc_format._pixels import convert, tally
from kmc_format._quantize import kmeans, training


def noise(seed, shape=(20, 30, 3), high=256):
    return np.random.default_rng(seed).integers(0, high, shape).astype(np.uint8)


def merge(tallies, most=training.MOST_COLOURS):
    return tally.merge(tallies, most)


def same(one, other):
    assert (one.kind, one.bits) == (other.kind, other.bits)
    for mine, others in zip(one[2:], other[2:], strict=True):
        assert mine.dtype == others.dtype
        assert np.array_equal(mine, others)


PICTURES = [
    *(noise(n) for n in range(4)),
    noise(4, (20, 30, 4)),
    noise(5, (20, 30)),
    noise(6, (9, 9, 2)),
    noise(7, (20, 20, 3), 3),
    np.eye(5, dtype=bool),
]


@settings(deadline=None, max_examples=60)
@given(
    st.permutations(range(len(PICTURES))),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.integers(256, 3000),
)
def test_order_and_groups_do_not_matter(order, cuts, most):
    merge = functools.partial(tally.merge, most=most)
    tallies = [training.count(PICTURES[number]) for number in order]
    groups = [[tallies[0]]]
    for one, cut in zip(tallies[1:], cuts, strict=True):
        groups.append([one]) if cut else groups[-1].append(one)
    whole = merge([training.count(picture) for picture in PICTURES])
    same(merge([merge(group) for group in groups]), whole)
    same(functools.reduce(lambda *two: merge(two), tallies), whole)
    assert len(whole.colours) <= most
    assert whole.counts.sum() == sum(
        picture[..., :1].size if picture.ndim == 3 else picture.size for picture in PICTURES
    )


def test_colours_are_exact_where_there_is_room():
    [counted] = [merge([training.count(picture)]) for picture in PICTURES[:1]]
    assert counted.bits == 8
    found = training.find_codebook(counted, SaveOptions(k=40))
    assert np.array_equal(found, kmc_format.quantize(PICTURES[0], 40).codebook)


@pytest.mark.parametrize("most", [2**13, 2**11])
def test_a_bound_costs_little(most):
    [photograph] = [convert.pixels_of(path) for path in SAMPLES if path.stem == "photograph"]
    counted = merge([training.count(photograph)], most)
    assert counted.bits < 8
    codebook = training.find_codebook(counted, SaveOptions(k=32))
    error = metrics.mse(photograph, kmc_format.quantize(photograph, codebook=codebook).expand())
    best = metrics.mse(photograph, kmc_format.quantize(photograph, 32).expand())
    assert error < best * 1.02


def test_means_are_those_of_the_colours():
    pixels = np.array([[[0, 0, 0], [1, 2, 3], [1, 2, 4], [255, 0, 0]]], np.uint8)
    counted = tally._coarsen(training.count(pixels), 5)
    assert counted.counts.tolist() == [3, 1]
    assert training.find_codebook(counted, SaveOptions(k=2)).tolist() == [[1, 1, 2], [255, 0, 0]]


def test_clear_areas_stay_clear():
    picture = noise(1, (40, 40, 4))
    picture[:20, :, 3] = 0
    picture[20:, :, 3] |= 1
    counted = merge([training.count(picture)], 300)
    codebook = training.find_codebook(counted, SaveOptions(k=12))
    assert [0, 0, 0, 0] in codebook.tolist()
    assert (codebook[:, 3] == 0).sum() == 1


def test_integers_have_means_only_where_a_k_allows_it():
    values = np.arange(-450, 450, dtype=np.int32).reshape(30, 30)
    assert training.find_codebook(merge([training.count(values)]), DEFAULTS).shape == (900, 1)
    bounded = merge([training.count(values)], 800)
    assert (len(bounded.colours), bounded.counts.sum()) == (450, 900)
    with pytest.raises(ValueError, match="distinct values together; give k"):
        training.find_codebook(bounded, DEFAULTS)
    assert training.find_codebook(bounded, SaveOptions(k=3)).ravel().tolist() == pytest.approx(
        [-300, 0, 300], abs=2
    )


def test_many_pictures_are_added_up_as_they_come(monkeypatch):
    monkeypatch.setattr(tally, "_ENOUGH", 700)
    pictures = [noise(n, (10, 10, 3)) for n in range(40)]
    same(
        training.merge_all(map(training.count, pictures)),
        merge([training.count(np.concatenate(pictures))]),
    )
    assert training.merge_all([]) is None


def test_options_are_those_of_kmeans():
    pictures = [np.asarray(smooth()), np.asarray(smooth().rotate(90))]
    options = SaveOptions.of({"k": 9, "space": "oklab", "keep": [(1, 2, 3)], "random_state": 3})
    found = training.train(pictures, options)
    assert [1, 2, 3] in found.tolist()
    whole = np.concatenate([picture.reshape(1, -1, 3) for picture in pictures], axis=1)
    assert np.array_equal(found, kmeans.quantize(whole, options).codebook)


def test_images_of_palettes_count_by_colour(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putpixel((1, 0), 1)
    assert kmc_format.train_codebook([image]).tolist() == [[1, 2, 3], [9, 8, 7]]
