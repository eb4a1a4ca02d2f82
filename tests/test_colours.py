"""Colour spaces: published values, and colours that come back from their coordinates."""

import numpy as np
import pytest

from kmc_format._format.indexed import KINDS
from kmc_format._pixels import colours

# Ottosson's and CSS Color 4's values of Oklab.
PUBLISHED = {
    (255, 255, 255): (1.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (0.627955, 0.224863, 0.125846),
    (0, 255, 0): (0.866440, -0.233888, 0.179498),
    (0, 0, 255): (0.452014, -0.032457, -0.311528),
    (255, 255, 0): (0.967983, -0.071369, 0.198570),
    (0, 255, 255): (0.905399, -0.149444, -0.039398),
    (255, 0, 255): (0.701674, 0.274566, -0.169156),
}


@pytest.mark.parametrize(("colour", "lab"), PUBLISHED.items())
def test_oklab_has_the_published_values(colour, lab):
    assert np.allclose(colours.oklab(np.array([colour], np.uint8)), lab, atol=2e-5)
    assert np.allclose(colours.from_oklab(np.array([lab])), colour, atol=0.05)


def test_a_grey_has_the_lightness_it_has_as_rgb():
    greys = np.arange(256, dtype=np.uint8)[:, None]
    lab = colours.oklab(np.repeat(greys, 3, axis=1))
    assert np.allclose(colours.oklab(greys)[:, 0], lab[:, 0], atol=1e-6)
    assert np.allclose(lab[:, 1:], 0, atol=1e-6)


@pytest.mark.parametrize("space", colours.SPACES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_colours_come_back_from_their_coordinates(kind, space):
    if kind.dtype != "uint8" and space != "srgb":
        pytest.skip("integers have no colour space")
    limits = np.iinfo(kind.dtype)
    rng = np.random.default_rng(4)
    entries = rng.integers(limits.min, limits.max, (5000, kind.channels), kind.dtype, endpoint=True)
    if kind.mode == "1":
        entries = entries // 128 * 255
    if colours.has_alpha(kind):
        entries[:, -1] |= 128  # what is hardly visible has hardly a colour
    back = colours.nearest_colours(colours.coordinates(entries, kind, space), kind, space)
    assert np.array_equal(colours.unpack(back, kind), entries)


def test_clear_colours_are_one_point_and_come_back_as_0():
    kind = KINDS[4]
    clear = np.array([[1, 2, 3, 0], [255, 0, 255, 0]], np.uint8)
    for space in colours.SPACES:
        points = colours.coordinates(clear, kind, space)
        assert (points == 0).all()
        assert (colours.nearest_colours(points, kind, space) == 0).all()


def test_a_distance_with_alpha_is_what_is_seen_over_black_and_white():
    rng = np.random.default_rng(5)
    one, other = rng.integers(0, 256, (2, 1000, 4), np.uint8)
    points = [colours.coordinates(part, KINDS[4], "srgb").astype(float) for part in (one, other)]
    distance = np.square(points[0] - points[1]).sum(axis=1) / 510**2

    def over(pixels, background):
        alpha = pixels[:, 3:] / 255
        return pixels[:, :3] * alpha + background * (1 - alpha)

    seen = sum(np.square(over(one, grey) - over(other, grey)).sum(axis=1) for grey in (0, 255)) / 2
    assert np.allclose(distance, seen, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("entry", "channels", "wide"),
    [
        ([7], 2, [7, 255]),
        ([7], 3, [7, 7, 7]),
        ([7], 4, [7, 7, 7, 255]),
        ([7, 9], 4, [7, 7, 7, 9]),
        ([1, 2, 3], 4, [1, 2, 3, 255]),
        ([1, 2, 3], 3, [1, 2, 3]),
    ],
)
def test_colours_are_widened(entry, channels, wide):
    assert colours.widen(np.array([entry], np.uint8), channels).tolist() == [wide]
