"""One codebook for many pictures: their colours are counted, the counts added up, and clustered once.

A tally is bounded: with more than `MOST_COLOURS` colours, those that share a cell of a grid are counted
as their mean. How fine the grid is depends on all of the colours together and on nothing else, and the
sums are whole numbers; so tallies may be added up in any order, by any number of workers, and the
codebook is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from . import colours, kmeans, tasks
from .indexed import KINDS, Array, Kind
from .options import SaveOptions
from .pixels import check_pixels, common_kind

MOST_COLOURS = 2**22

_BITS = 8  # of a channel, where every colour counts by itself
_ENOUGH = 2**20  # colours that wait to be added up, at least, as adding up a few takes as long as many


class Tally(NamedTuple):
    """The colours of any number of pictures."""

    kinds: frozenset[Kind]
    bits: int  # of each channel but alpha, by which colours are told apart
    colours: Array  # packed, in ascending order, as RGBA if they are of 8 bits; the corners of cells
    counts: Array  # (n,) int64
    sums: Array  # (n, 4) int64: of the channels; (0, 4) where a cell is a colour


def train(pictures: Iterable[Array], options: SaveOptions) -> Array:
    """Find one codebook for many pictures, as `kmeans.quantize` does for one: shape (k, channels)."""
    total = merge_all(map(tally, pictures))
    if total is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return find_codebook(total, options)


def tally(pixels: Array) -> Tally:
    """Count the colours of a picture, an array as for `kmeans.quantize`."""
    kind, pixels = check_pixels(pixels)
    found, counts = colours.count(pixels)
    if kind.dtype == "uint8":
        found = colours.pack(colours.widen(colours.unpack(found, kind), 4))
    kind = KINDS[1] if kind.mode == "1" else kind
    return Tally(frozenset([kind]), _BITS, found, counts.astype(np.int64), np.empty((0, 4), np.int64))


def merge(tallies: Sequence[Tally], most: int = MOST_COLOURS) -> Tally:
    """Add up tallies, at least one, in any order; tell no more than `most` colours, 256 or more, apart.

    Raises
    ------
    ValueError
        If they are of different integers, or of more than `most` wide ones, which have no mean.
    """
    kinds = frozenset().union(*(one.kinds for one in tallies))
    common_kind(kinds)
    bits = min(one.bits for one in tallies)
    parts = [_coarsen(one, bits) for one in tallies]
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Tally._fields[2:]]
    total = _group(Tally(kinds, bits, *columns))
    while len(total.colours) > most:
        if {kind.dtype for kind in kinds} != {"uint8"}:
            raise ValueError(f"the pictures have more than {most} distinct values together")
        total = _coarsen(total, total.bits - 1)
    return total


def merge_all(tallies: Iterable[Tally]) -> Tally | None:
    """Add up tallies as they come; return None where there are none."""
    total: list[Tally] = []
    waiting: list[Tally] = []
    for one in tallies:
        waiting.append(one)
        if sum(len(part.colours) for part in waiting) > max(
            _ENOUGH, *(len(part.colours) for part in total), 0
        ):
            total, waiting = [merge(total + waiting)], []
    together = total + waiting
    return merge(together) if together else None


def find_codebook(total: Tally, options: SaveOptions) -> Array:
    """Cluster the colours of a tally; return the codebook, shape (k, channels)."""
    kind = common_kind(total.kinds)
    task = tasks.plan(kind, options)
    found = total.colours
    if kind.dtype == "uint8":
        found = colours.pack(_narrow(_means(total), kind.channels))
    counts = colours.merge_counts([colours.Counts(found, total.counts)])
    return kmeans.find_codebook(task, counts, task.k)[0]


def _coarsen(one: Tally, bits: int) -> Tally:
    """Put together the colours that do not differ in the upper bits of their channels; alpha stays."""
    if one.bits == bits:
        return one
    rgba = _rgba(one.colours)
    sums = one.sums if len(one.sums) else rgba * one.counts[:, None]
    cells = rgba & np.array([0xFF << (_BITS - bits) & 0xFF] * 3 + [0xFF], np.uint8)
    clear = rgba[:, 3] == 0  # they look alike
    cells[clear], sums = 0, np.where(clear[:, None], 0, sums)
    return _group(Tally(one.kinds, bits, colours.pack(cells), one.counts, sums))


def _group(one: Tally) -> Tally:
    """Add up what is of the same colour."""
    found, inverse = np.unique(one.colours, return_inverse=True)

    def add_up(column: Array) -> Array:
        return np.bincount(inverse, column, len(found)).astype(np.int64)  # below 2**53, so it is exact

    sums = [add_up(column) for column in one.sums.T] if len(one.sums) else []
    return Tally(one.kinds, one.bits, found, add_up(one.counts), np.array(sums, np.int64).reshape(4, -1).T)


def _means(one: Tally) -> Array:
    """Return the colour of each cell, shape (n, 4)."""
    if not len(one.sums):
        return _rgba(one.colours)
    counts = one.counts[:, None]
    means: Array = (2 * one.sums + counts) // (2 * counts)
    return means.astype(np.uint8)


def _rgba(packed: Array) -> Array:
    return colours.unpack(packed, Kind("RGBA", "uint8", 4))


def _narrow(rgba: Array, channels: int) -> Array:
    return rgba[:, {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]]
