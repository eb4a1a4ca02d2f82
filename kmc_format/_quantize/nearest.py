"""Which codebook entry is nearest to a point, and how far apart points are."""

from __future__ import annotations

import numpy as np

from .. import _core
from .._format.indexed import Array


def nearest(points: Array, entries: Array) -> Array:
    """Return, for each point, the number of the nearest entry, the first of equals; both are integers."""
    if points.shape[1] == 1:
        return _nearest_on_a_line(points[:, 0].astype(np.int64), entries[:, 0].astype(np.int64))
    numbers = np.empty(len(points), np.int32)
    _core.nearest(np.ascontiguousarray(points), np.ascontiguousarray(entries), numbers)
    return numbers


def nearest_by_opacity(points: Array, entries: Array, opaque_points: Array, opaque_entries: Array) -> Array:
    """Do as `nearest` does, but give opaque points only opaque entries, if there are any."""
    numbers = nearest(points, entries)
    allowed = np.flatnonzero(opaque_entries)
    wrong = np.flatnonzero(opaque_points & ~opaque_entries[numbers]) if len(allowed) else allowed
    if len(wrong):
        numbers[wrong] = allowed[nearest(points[wrong], entries[allowed])]
    return numbers


def _nearest_on_a_line(points: Array, entries: Array) -> Array:
    """Do as `_core.nearest` does, whose integers are too small for those of 32 bits."""
    levels, first = np.unique(entries, return_index=True)
    above = np.searchsorted(levels, points)
    below = np.maximum(above - 1, 0)
    above = np.minimum(above, len(levels) - 1)
    step = (levels[above] - points) - (points - levels[below])
    return np.where((step < 0) | ((step == 0) & (first[above] < first[below])), first[above], first[below])


def squared_distance(points: Array, others: Array) -> Array:
    """Return the squared distance of each point to the other in the same row."""
    difference = np.subtract(points, others, dtype=np.float64)
    squared: Array = np.einsum("ij,ij->i", difference, difference)
    return squared
