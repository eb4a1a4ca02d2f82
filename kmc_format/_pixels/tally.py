"""The tally of colours: which ones a picture, many pictures or a huge raster have, and how often.

A codebook is found from a tally, wherever the pixels come from. Tallies are added up by `merge`. A merged
tally is bounded: when there are too many colours to tell apart, those that share a cell of a grid are
counted together, and their mean stands for them. How fine the grid is depends on the set of all colours and
on nothing else, and the sums are whole numbers. So tallies may be added up in any order, by any number of
workers, and the codebook is the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .. import _core
from .._format.indexed import Array, Kind, plain_kind
from .colours import common_channels, has_alpha, pack, unpack, widen

# How many pixels `Histogram.map` looks up at once. NumPy makes 64-bit positions of them: 8 MiB.
_BLOCK = 2**20
# How many pixels `count` has in memory as 32-bit numbers at once: 16 MiB.
_STRIP = 2**22
# `merge_all` adds up tallies when at least so many colours wait, as adding up a few takes as long as many.
_ENOUGH = 2**20


class Tally(NamedTuple):
    """The colours of any number of pictures, and how often each of them occurs."""

    kind: Kind  # of the picture that holds all of them exactly; neither bilevel nor a palette's
    bits: int  # by how many upper bits of each channel, alpha excepted, colours are told apart
    colours: Array  # (n,) packed as the kind has them, distinct, in ascending order; the lowest of each cell
    counts: Array  # (n,) integers
    sums: Array  # (n, channels) int64: of the differences from the lowest; (0, channels) if cells are colours


class Histogram(NamedTuple):
    """The tally of one picture, and which of the colours each pixel has."""

    tally: Tally
    rank: Array  # the position in the tally of the first colour to occur in the picture, the second, ...
    numbers: Array  # which of these each pixel has; uint32, of the picture's shape

    def map(self, values: Array) -> Array:
        """Give every pixel the value of its colour: one of `values`, which are in the order of the tally."""
        values = values[self.rank]
        flat, mapped = self.numbers.ravel(), np.empty(self.numbers.size, values.dtype)
        for start in range(0, flat.size, _BLOCK):
            values.take(flat[start : start + _BLOCK], out=mapped[start : start + _BLOCK], mode="clip")
        return mapped.reshape(self.numbers.shape)


def histogram(pixels: Array) -> Histogram:
    """Count the colours of pixels, shape (height, width, channels), of a dtype that codebooks have."""
    packed = pack(pixels)
    numbers = np.array(packed, np.uint32, order="C")  # a copy, which becomes numbers in place
    found, occurrences = _core.count(numbers.reshape(-1))
    first, counts = np.frombuffer(found, np.uint32), np.frombuffer(occurrences, np.uint32)
    order = np.argsort(first)
    rank = np.empty(len(order), np.uint32)
    rank[order] = np.arange(len(order), dtype=np.uint32)
    kind = plain_kind(pixels.dtype.name, pixels.shape[-1])
    return Histogram(_exact(kind, first[order].astype(packed.dtype), counts[order]), rank, numbers)


def count(pixels: Array) -> Tally:
    """Count colours as `histogram` does, in little memory; there may be 2**32 pixels and more."""
    rows = max(_STRIP // pixels.shape[1], 1)
    strips = (histogram(pixels[start : start + rows]).tally for start in range(0, len(pixels), rows))
    return functools.reduce(lambda *two: _add_up(two), strips)


def merge(tallies: Sequence[Tally], most: int) -> Tally:
    """Add up tallies, at least one, in any order.

    Parameters
    ----------
    tallies : sequence of Tally
    most : int
        How many colours the result tells apart at most; 256 or more.

    Raises
    ------
    ValueError
        If they are of colours and of wider integers, or of integers of different widths.
    """
    kind = common_kind(one.kind for one in tallies)
    bits = min(one.bits for one in tallies)
    total = _add_up([_coarsen(_widened(one, kind), bits) for one in tallies])
    while len(total.colours) > most:
        total = _coarsen(total, total.bits - 1)
    return total


def merge_all(tallies: Iterable[Tally], most: int) -> Tally | None:
    """Add up tallies as they come, a few at a time; return None where there are none."""
    total: list[Tally] = []
    waiting: list[Tally] = []
    for one in tallies:
        waiting.append(one)
        if sum(len(part.colours) for part in waiting) > max(
            _ENOUGH, *(len(part.colours) for part in total), 0
        ):
            total, waiting = [merge(total + waiting, most)], []
    together = total + waiting
    return merge(together, most) if together else None


def is_exact(tally: Tally) -> bool:
    """Tell whether the tally has every colour by itself, and not the means of several."""
    return not len(tally.sums)


def means(tally: Tally) -> Tally:
    """Return the tally of the colours that stand for those counted: the means of the cells."""
    if is_exact(tally):
        return tally
    counts = tally.counts[:, None]
    above = (2 * tally.sums + counts) // (2 * counts)
    colours = pack((_values(tally) + above).astype(tally.kind.dtype))
    return _add_up([_exact(tally.kind, colours, tally.counts)])


def common_kind(kinds: Iterable[Kind]) -> Kind:
    """Return the kind of picture that holds the colours of several kinds exactly."""
    several = set(kinds)
    dtypes = {kind.dtype for kind in several}
    if len(dtypes) > 1:
        raise ValueError(f"pictures of {' and '.join(sorted(dtypes))} cannot share a codebook")
    return plain_kind(dtypes.pop(), common_channels(kind.channels for kind in several))


def _exact(kind: Kind, colours: Array, counts: Array) -> Tally:
    return Tally(
        kind, 8 * np.dtype(kind.dtype).itemsize, colours, counts, np.empty((0, kind.channels), np.int64)
    )


def _widened(tally: Tally, kind: Kind) -> Tally:
    """Return a tally with the channels of another kind, which holds its colours."""
    if tally.kind == kind:
        return tally
    colours = pack(widen(unpack(tally.colours, tally.kind), kind.channels))
    sums = widen(tally.sums, kind.channels)
    if has_alpha(kind) and not has_alpha(tally.kind):
        sums[:, -1] = 0  # all are opaque
    return Tally(kind, tally.bits, colours, tally.counts, sums)


def _values(tally: Tally) -> Array:
    """Return the lowest colour of each cell as numbers that can be added, shape (n, channels)."""
    return unpack(tally.colours, tally.kind).astype(np.int64)


def _coarsen(tally: Tally, bits: int) -> Tally:
    """Put together the colours that do not differ in the upper bits of their channels; alpha stays."""
    if tally.bits == bits:
        return tally
    values = _values(tally)
    width = 8 * np.dtype(tally.kind.dtype).itemsize
    cells = values >> width - bits << width - bits
    if has_alpha(tally.kind):
        cells[:, -1] = values[:, -1]
    sums = (values - cells) * tally.counts[:, None]
    if len(tally.sums):
        sums += tally.sums
    if has_alpha(tally.kind):  # colours of zero alpha look alike: they all count as zeros
        clear = values[:, -1] == 0
        cells[clear] = sums[clear] = 0
    colours = pack(cells.astype(tally.kind.dtype))
    return _add_up([Tally(tally.kind, bits, colours, tally.counts, sums)])


def _add_up(parts: Sequence[Tally]) -> Tally:
    """Add up tallies of the same kind and grid, whose colours may be in any order."""
    kind, bits = parts[0][:2]
    if any(map(len, (part.sums for part in parts))):
        sums = np.concatenate([part.sums for part in parts])
    else:
        sums = parts[0].sums
    colours = np.concatenate([part.colours for part in parts])
    order = np.argsort(colours, kind="stable")
    colours = colours[order]
    first = np.flatnonzero(np.append(True, colours[1:] != colours[:-1]))
    counts = np.concatenate([part.counts for part in parts], dtype=np.int64)[order]
    if len(sums):
        sums = np.add.reduceat(sums[order], first)
    return Tally(kind, bits, colours[first], np.add.reduceat(counts, first), sums)
