"""The compiled core of quantising: counts, nearest entries and dithering."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kmc_format import _core

COORDINATES = st.one_of(st.integers(-3, 3), st.integers(-(2**19), 2**19))


def nearest(points, entries):
    numbers = np.full(len(points), -1, np.int32)
    _core.nearest(points, entries, numbers)
    return numbers


def brute_force(points, entries):
    distance = np.square(points[:, None].astype(np.int64) - entries).sum(axis=2)
    return distance.argmin(axis=1)  # the first of those that are equally near


@given(st.data())
@settings(deadline=None)
def test_the_nearest_entry_is_found_and_of_equals_the_first(data):
    dimensions = data.draw(st.integers(1, 4))
    points, entries = (
        data.draw(hnp.arrays(np.int32, (data.draw(st.integers(1, 40)), dimensions), elements=COORDINATES))
        for _ in range(2)
    )
    assert np.array_equal(nearest(points, entries), brute_force(points, entries))


@pytest.mark.parametrize("k", [1, 8, 9, 17, 256, 3000, 20_000])
@pytest.mark.parametrize("dimensions", [1, 3, 4])
def test_the_nearest_of_many(k, dimensions):
    rng = np.random.default_rng(k)
    points, entries = (rng.integers(-100, 100, (n, dimensions), np.int32) for n in (500, k))
    assert np.array_equal(nearest(points, entries), brute_force(points, entries))


@given(hnp.arrays(np.uint32, st.integers(1, 300), elements=st.sampled_from([0, 1, 2**31, 2**32 - 1, 77])))
def test_values_are_numbered_as_they_come(values):
    numbers = values.copy()
    found, counts = (np.frombuffer(part, np.uint32) for part in _core.count(numbers))
    assert np.array_equal(found[numbers], values)
    assert np.array_equal(counts, np.bincount(numbers))
    assert np.array_equal(
        np.unique(numbers, return_index=True)[1], np.sort(np.unique(values, return_index=True)[1])
    )


def dithered(strength, coverage=None, pinned=None, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 60_000, (30, 4), np.int32)
    entries = rng.integers(0, 60_000, (12, 4), np.int32)
    pixels = rng.integers(0, len(points), (20, 17), np.uint32)
    pinned = np.full(len(points), -1, np.int32) if pinned is None else pinned
    coverage = np.zeros(len(points), np.uint8) if coverage is None else coverage
    limits = np.array([[0] * 4, [60_000] * 4], np.int32)
    labels = np.full(pixels.shape, 99, np.uint16)
    _core.dither(pixels, points, entries, pinned, coverage, limits, strength, labels)
    return pixels, points, entries, labels


def floyd_steinberg(pixels, points, entries, strength):
    """Dither in floating point, to compare with."""
    height, width = pixels.shape
    wanted = points[pixels].astype(float)
    labels = np.empty(pixels.shape, int)
    for y in range(height):
        forth = -1 if y % 2 else 1
        for x in range(width)[::forth]:
            target = np.clip(wanted[y, x], 0, 60_000)
            labels[y, x] = np.square(entries - target).sum(axis=1).argmin()
            error = (target - entries[labels[y, x]]) * strength
            for right, down, share in ((forth, 0, 7), (-forth, 1, 3), (0, 1, 5), (forth, 1, 1)):
                if 0 <= x + right < width and y + down < height:
                    wanted[y + down, x + right] += error * share / 16
    return labels


@pytest.mark.parametrize("strength", [0, 1000, 4096])
def test_dithering_is_floyd_steinbergs(strength):
    *arguments, labels = dithered(strength)
    reference = floyd_steinberg(*arguments, strength / _core.FULL_STRENGTH)
    assert np.mean(labels == reference) > 0.99  # but for rounding


def test_pinned_colours_keep_their_label_and_pass_on_no_error():
    pinned = np.full(30, -1, np.int32)
    pinned[:10] = 5
    pixels, points, entries, labels = dithered(4096, pinned=pinned)
    assert (labels[pixels < 10] == 5).all()
    everything = np.full(30, 3, np.int32)
    everything[20] = -1
    pixels, points, entries, labels = dithered(4096, pinned=everything)
    alone = (pixels == 20) & ~np.roll(pixels == 20, 1, axis=0) & ~np.roll(pixels == 20, -1, axis=0)
    alone[:, 1:] &= pixels[:, :-1] != 20
    alone[:, :-1] &= pixels[:, 1:] != 20
    alone[1:-1, 1:-1] &= (pixels[:-2, :-2] != 20) & (pixels[:-2, 2:] != 20)
    nearest_entry = brute_force(points[20:21], entries)[0]
    assert alone[1:-1, 1:-1].any()
    assert (labels[1:-1, 1:-1][alone[1:-1, 1:-1]] == nearest_entry).all()


def test_whole_coverage_takes_no_error_of_alpha():
    # Two opaque colours between two opaque entries; a third entry is near only if alpha drifts.
    points = np.array([[100, 0, 0, 1000], [200, 0, 0, 500]], np.int32)
    entries = np.array([[0, 0, 0, 1000], [300, 0, 0, 1000], [100, 0, 0, 0]], np.int32)
    pixels = np.tile(np.array([[0, 1]], np.uint32), (8, 8))
    limits = np.array([[0, 0, 0, 0], [300, 0, 0, 1000]], np.int32)
    labels = np.empty(pixels.shape, np.uint16)
    coverage = np.array([255, 128], np.uint8)
    _core.dither(pixels, points, entries, np.array([-1, -1], np.int32), coverage, limits, 4096, labels)
    assert (labels[pixels == 0] != 2).all()
    assert (labels[pixels == 1] == 2).any()


def test_a_codebook_of_the_largest_coordinates_and_of_equal_entries():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.int32) << 20
    assert np.array_equal(nearest(corners, corners[::-1].copy()), np.arange(8)[::-1])
    assert not nearest(corners, np.zeros((2**18, 3), np.int32)).any()


@pytest.mark.parametrize("strength", [1, 1000, 4096])
def test_dithering_rounds_as_python_does(strength):
    coverage = np.random.default_rng(1).choice([0, 255], 30).astype(np.uint8)
    pixels, points, entries, labels = dithered(strength, coverage=coverage)
    points, entries = points.tolist(), entries.tolist()
    height, width = pixels.shape
    errors = [[[0] * 4 for _ in range(width + 2)] for _ in range(height + 1)]
    for y in range(height):
        forth = -1 if y % 2 else 1
        for x in range(width)[::forth]:
            colour = pixels[y, x]
            used = 3 if coverage[colour] == 255 else 4
            wanted = list(points[colour])
            for c in range(used):
                share = (errors[y][x + 1][c] * strength + (1 << 15)) >> 16
                wanted[c] = min(max(wanted[c] + share, 0), 60_000)
            distances = [sum((a - b) ** 2 for a, b in zip(wanted, entry, strict=True)) for entry in entries]
            label = distances.index(min(distances))
            assert labels[y, x] == label
            for right, down, share in ((forth, 0, 7), (-forth, 1, 3), (0, 1, 5), (forth, 1, 1)):
                for c in range(used):
                    errors[y + down][x + 1 + right][c] += share * (wanted[c] - entries[label][c])


@pytest.mark.parametrize("values", [np.arange(3000), np.arange(3000)[::-1] * 1_431_655, np.zeros(9), []])
def test_counts_of_a_table_that_grows(values):
    values = np.array(values, np.uint32)
    numbers = values.copy()
    found, counts = (np.frombuffer(part, np.uint32) for part in _core.count(numbers))
    order: dict[int, int] = {}
    assert numbers.tolist() == [order.setdefault(value, len(order)) for value in values.tolist()]
    assert found.tolist() == list(order)
    assert counts.sum() == len(values)
