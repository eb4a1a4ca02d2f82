"""One codebook for many pictures: the tally of all their colours is clustered once."""

from __future__ import annotations

from collections.abc import Iterable

from . import kmeans, tally
from .indexed import Array
from .tally import Tally

# Colours that are told apart, of 12 bytes each. Clustering looks at a quarter of so many.
MOST_COLOURS = 2**22


def train(
    pictures: Iterable[Array],
    k: int | None = None,
    *,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[kmeans.Colour] | None = None,
) -> Array:
    """Find one codebook for many pictures, as `kmeans.quantize` does for one: shape (k, channels)."""
    kmeans.check_k(k, "RGB")
    kmeans.check_random_state(random_state)
    kmeans.check_space(space)
    total = merge_all(map(count, pictures))
    if total is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return find_codebook(total, k, random_state=random_state, space=space, keep=keep)


def count(pixels: Array) -> Tally:
    """Count the colours of a picture, an array as for `kmeans.quantize`."""
    return tally.count(kmeans.check_pixels(pixels)[1])


def merge_all(tallies: Iterable[Tally]) -> Tally | None:
    """Add up the tallies of pictures; return None where there are none."""
    return tally.merge_all(tallies, MOST_COLOURS)


def find_codebook(
    total: Tally,
    k: int | None = None,
    *,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[kmeans.Colour] | None = None,
) -> Array:
    """Cluster the colours of a tally; return the codebook, shape (k, channels)."""
    task = kmeans.plan(total.kind, k, random_state=random_state, space=space, keep=keep)
    return kmeans.find_codebook(task, total, task.k)[0]
