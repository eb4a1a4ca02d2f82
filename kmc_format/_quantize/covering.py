"""More entries for a codebook, until no colour is farther from its own than a bound on the worst error."""

from __future__ import annotations

import math

import numpy as np

from .._format.indexed import Array
from .._pixels import colours
from . import kmeans
from .nearest import squared_distance
from .scene import Scene, coordinates

# This is added to the coordinates of opaque colours, so that they are far from all others, which must not
# stand for them. It is more than any two coordinates differ.
_NO_COVER = 2**20
# If more colours than this are beyond the bound, they are covered by cells of a grid, as covering them one by
# one takes time that grows as the square of their number.
_MANY_FAR = 4096


def cover(scene: Scene, entries: Array) -> Array:
    """Add colours until none is farther than the bound."""
    nearest, _ = kmeans.nearest_entries(scene.task, scene.found, entries)
    distance = squared_distance(scene.points, coordinates(entries, scene.task)[nearest])
    far = np.flatnonzero(distance > scene.bound)
    added = _spread(scene, far) if len(far) > _MANY_FAR else _farthest(scene, far, distance[far])
    if not len(added):
        return entries
    return np.concatenate([entries, colours.unpack(scene.found[added], scene.task.kind)])


def _farthest(scene: Scene, far: Array, distance: Array) -> Array:
    """Choose colours that cover the far ones, each the worst off of those left."""
    points, chosen = _apart(scene, far), []
    while len(far):
        worst = int(distance.argmax())
        chosen.append(int(far[worst]))
        distance = np.minimum(distance, squared_distance(points, points[worst]))
        left = distance > scene.bound
        far, distance, points = far[left], distance[left], points[left]
    return np.array(chosen, np.int64)


def _apart(scene: Scene, far: Array) -> Array:
    """Return the coordinates of colours, opaque ones far from the others, which do not cover them."""
    points = scene.points[far].astype(np.int64)
    points[scene.opaque[far] > 0] += _NO_COVER
    return points


def _spread(scene: Scene, far: Array) -> Array:
    """Choose more colours that cover the far ones, in less time: one from each cell of a grid."""
    dimensions = max(int(scene.points.any(axis=0).sum()), 1)
    side = max(math.isqrt(scene.bound // dimensions), 1)  # of cells in which none is far from another
    _, first = np.unique(_apart(scene, far) // side, axis=0, return_index=True)
    return far[np.sort(first)]
