"""Labels chosen by error and size together, and the codebook fitted to them, in turn.

This is entropy-constrained vector quantisation (Chou, Lookabaugh and Gray, IEEE Transactions on
Acoustics, Speech, and Signal Processing 37(1), 1989), by the statistics of the label coder itself.
"""

from __future__ import annotations

import math

import numpy as np

from .. import _core
from .._format.grid import Box
from .._format.indexed import Array, Indexed
from .._format.labels import coding_order
from .._format.threads import map_tiles
from .._pixels import colours
from .nearest import squared_distance
from .scene import NO_BOUND, Book, Fit, Scene, are_opaque, book_of, coordinates

# The share of what a bit costs that is charged to the pixel whose label is chosen. A label that costs bits
# makes the same label cheaper at the pixels after it, and so saves the rest there. tests/benchmarks/NOTES.md
# has the measurements.
_ANTICIPATED = 0.42
# A bit in the units of cost of `_core.choose_labels`, which are 1/1024 nat.
_BIT = 1024 * math.log(2)
# Labels are chosen in threads from so many pixels on: fewer than for coding, as choosing takes longer.
_THREAD_PIXELS = 2**16


def _share_clear(scene: Scene, book: Book) -> Book:
    """Have one entry for all colours of zero alpha, but kept ones: what is not seen is to cost nothing."""
    if scene.task.fixed is not None or not colours.has_alpha(scene.task.kind):
        return book
    clear = np.flatnonzero(book.entries[:, -1] == 0)
    if len(clear) < 2:
        return book
    own = np.isin(colours.pack(book.entries[clear]), scene.task.kept)
    one = clear[own.argmax()]
    nearest, fixed = book.nearest.copy(), book.fixed.copy()
    merged = book.pinned & colours.is_clear(scene.found) & ~np.isin(scene.found, scene.task.kept)
    nearest[merged], fixed[clear[~own]] = one, False
    fixed[one] = True
    return book._replace(nearest=nearest, fixed=fixed)


def minimise(scene: Scene, book: Book, rdo: float, rounds: int, drop: bool = True) -> Fit:
    """Choose labels and fit the codebook to them, in turn; with an `rdo` of 0, take the nearest entries."""
    fit = Fit(book, book.nearest.astype(np.uint16)[scene.numbers], 0)
    for _ in range(rounds if rdo else 0):
        fit = fit._replace(book=_share_clear(scene, fit.book))
        fit = _refit(scene, _choose(scene, fit, rdo), drop)
    return fit


def _choose(scene: Scene, fit: Fit, rdo: float) -> Fit:
    """Choose labels tile by tile, by a guess of what they will be."""
    book = fit.book
    order = coding_order(book.entries)
    entries = coordinates(book.entries, scene.task)
    farthest = squared_distance(scene.points, entries[book.nearest]).astype(np.int64)
    np.maximum(farthest, scene.bound, out=farthest)
    farthest[book.pinned] = -1
    nearest = order.numbers[book.nearest].astype(np.int32)
    entries = entries[order.labels]
    opaque = are_opaque(scene, book.entries[order.labels])
    lagrange = min(max(round(_ANTICIPATED * rdo * scene.unit / _BIT), 1), 2**44)
    labels = np.empty(scene.numbers.shape, np.uint16)

    def choose_tile(box: Box) -> int:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        numbers = order.numbers.take(fit.labels[tile])
        length = _core.choose_labels(
            np.ascontiguousarray(scene.numbers[tile]),
            scene.points,
            entries,
            nearest,
            farthest,
            lagrange,
            order.colours,
            numbers,
            None if opaque is None else scene.opaque,
            opaque,
        )
        labels[tile] = order.labels.take(numbers)
        return length

    lengths = map_tiles(choose_tile, scene.grid, scene.grid, scene.threads, _THREAD_PIXELS)
    return Fit(book, labels, sum(lengths))


def _refit(scene: Scene, fit: Fit, drop: bool) -> Fit:
    """Move each entry to the mean of the colours that have it; drop those that none has, or leave them."""
    entries, fixed = fit.book.entries, fit.book.fixed
    k = len(entries)
    if fixed.all():
        return fit

    def sum_tile(box: Box) -> Array:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        labels, numbers = fit.labels[tile].ravel(), scene.numbers[tile].ravel()
        columns = [np.bincount(labels, scene.points[numbers, c], k) for c in range(dimensions)]
        return np.stack([*columns, np.bincount(labels, minlength=k)])

    dimensions = colours.coordinates(entries[:1], scene.task.kind, scene.task.space).shape[1]
    # Whole numbers far below 2**53, so that their sum does not depend on the order.
    sums = np.sum(map_tiles(sum_tile, scene.grid, scene.grid, scene.threads), axis=0)
    moved = entries.copy()
    free = (sums[-1] > 0) & ~fixed
    means = (sums[:-1, free] / sums[-1, free]).T
    opaque = are_opaque(scene, entries[free])
    if opaque is not None:
        means[opaque > 0, -1] = colours.opaque_extent(scene.task.kind, scene.task.space)
    moved[free] = colours.unpack(
        colours.nearest_colours(means, scene.task.kind, scene.task.space), scene.task.kind
    )
    if scene.bound < NO_BOUND:
        broken = _broken(scene, fit, moved)
        moved[broken] = entries[broken]
    used = (sums[-1] > 0) | fixed | (not drop)
    renumbered = (np.cumsum(used) - 1).astype(np.uint16)
    book = book_of(scene, moved[used], colours.pack(entries[fixed]))
    return Fit(book._replace(fixed=fixed[used]), renumbered[fit.labels], fit.length)


def _broken(scene: Scene, fit: Fit, entries: Array) -> Array:
    """Return which entries are farther than they may be from a colour that has them."""
    before, after = (coordinates(book, scene.task) for book in (fit.book.entries, entries))

    def broken_in(box: Box) -> Array:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        labels, points = fit.labels[tile].ravel(), scene.points[scene.numbers[tile].ravel()]
        distance = squared_distance(points, after[labels])
        worse = (distance > scene.bound) & (distance > squared_distance(points, before[labels]))
        return np.bincount(labels[worse], minlength=len(entries)) > 0

    broken: Array = np.any(map_tiles(broken_in, scene.grid, scene.grid, scene.threads), axis=0)
    return broken


def squared_error(scene: Scene, fit: Fit) -> float:
    """Return the sum over pixels of squared errors, in 8-bit units."""
    entries = coordinates(fit.book.entries, scene.task)

    def error_in(box: Box) -> float:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        points = scene.points[scene.numbers[tile].ravel()]
        return float(squared_distance(points, entries[fit.labels[tile].ravel()]).sum())

    return sum(map_tiles(error_in, scene.grid, scene.grid, scene.threads)) / scene.unit


def is_beyond(scene: Scene, fit: Fit) -> bool:
    """Tell whether any pixel is farther from its entry than the bound."""
    entries = coordinates(fit.book.entries, scene.task)

    def is_beyond(box: Box) -> bool:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        points = scene.points[scene.numbers[tile].ravel()]
        return bool((squared_distance(points, entries[fit.labels[tile].ravel()]) > scene.bound).any())

    return any(map_tiles(is_beyond, scene.grid, scene.grid, scene.threads))


def picture_of(scene: Scene, fit: Fit) -> Indexed:
    """Return codebook and labels, in ascending order unless the codebook was given."""
    entries, labels = fit.book.entries, fit.labels
    if scene.task.fixed is None:
        packed, number = np.unique(colours.pack(entries), return_inverse=True)
        entries, labels = colours.unpack(packed, scene.task.kind), number.astype(np.uint16)[labels]
    return Indexed(entries, labels, scene.task.kind.mode)
