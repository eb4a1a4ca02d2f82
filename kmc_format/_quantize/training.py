"""One codebook for many pictures: the tally of all their colours is clustered once."""

from __future__ import annotations

from collections.abc import Iterable

from .._format.indexed import Array
from .._options.options import SaveOptions
from .._pixels import tally
from .._pixels.kinds import check_pixels
from .._pixels.tally import Tally
from . import kmeans, tasks

# How many colours are told apart at most; each takes 12 bytes. Clustering looks at a quarter of so many.
MOST_COLOURS = 2**22


def train(pictures: Iterable[Array], options: SaveOptions) -> Array:
    """Find one codebook for many pictures, as `kmeans.quantize` does for one: shape (k, channels)."""
    total = merge_all(map(count, pictures))
    if total is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return find_codebook(total, options)


def count(pixels: Array) -> Tally:
    """Count the colours of a picture, an array as for `kmeans.quantize`."""
    return tally.count(check_pixels(pixels)[1])


def merge_all(tallies: Iterable[Tally]) -> Tally | None:
    """Add up the tallies of pictures; return None where there are none."""
    return tally.merge_all(tallies, MOST_COLOURS)


def find_codebook(total: Tally, options: SaveOptions) -> Array:
    """Cluster the colours of a tally; return the codebook, shape (k, channels)."""
    task = tasks.task_for(total.kind, options)
    return kmeans.find_codebook(task, total, task.k)[0]
