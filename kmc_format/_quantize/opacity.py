"""Centres for colours with alpha: those of opaque colours are to be opaque themselves.

Points and entries that are opaque are called whole here; they lie at an extent in the last coordinate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._format.indexed import Array
from .clustering import Cloud
from .nearest import nearest, nearest_alike, squared_distance

# Lloyd steps after the centres were told apart into opaque and other ones.
_SETTLING_STEPS = 6
# Shares of a centre's weight that opaque points must have for it to become opaque; each of them is tried.
_WHOLE_SHARES = (0.05, 0.3, 0.6, 0.9)


def apart(cloud: Cloud, whole: Array, extent: float, find_centres: Callable[[Cloud], Array]) -> Array:
    """Find centres of a cloud whose whole points, at an extent in the last coordinate, are moved away."""

    def moved(points: Array, those: Array) -> Array:
        points = points.copy()
        points[those, -1] += extent
        return points

    anchors = moved(cloud.anchors, cloud.anchors[:, -1] == extent)
    centres = find_centres(Cloud(moved(cloud.points, whole), cloud.weights, anchors)).copy()
    centres[centres[:, -1] > 1.5 * extent, -1] -= extent
    return centres


def settle(cloud: Cloud, starts: list[Array], whole: Array, extent: float) -> Array:
    """Move centres so that those of whole points are whole as well: at an extent in the last coordinate.

    Centres that whole points share with others become whole or lose them; which of them do is tried
    in several ways, and what ends with the least error is taken.

    Parameters
    ----------
    cloud : Cloud
    starts : list of ndarray, shape (n, dimensions)
        Centres, those beside the anchors.
    whole : ndarray of bool
        Which of the cloud's points are; at least one.
    extent : float
        Their last coordinate.

    Returns
    -------
    ndarray, shape (n, dimensions)
        At least one is whole, unless there are none or an anchor is.
    """
    if not len(starts[0]):
        return starts[0]
    points, anchors = cloud.points.astype(np.int32), len(cloud.anchors)
    found = []
    for centres in starts:
        entries = np.concatenate([cloud.anchors, centres])
        numbers = nearest(points, np.rint(entries).astype(np.int32))
        own = np.bincount(numbers, cloud.weights * whole, len(entries))
        total = np.bincount(numbers, cloud.weights, len(entries))
        tried = set[bytes]()
        for share in _WHOLE_SHARES:
            alike = own > share * total
            alike[:anchors] = cloud.anchors[:, -1] == extent
            if not alike.any():
                alike[anchors + own[anchors:].argmax()] = True
            if alike.tobytes() not in tried:
                tried.add(alike.tobytes())
                found.append(_settled(points, cloud.weights, entries.copy(), anchors, whole, alike, extent))
    return min(found, key=lambda one: one[1])[0]


def _settled(
    points: Array, weights: Array, entries: Array, anchors: int, whole: Array, alike: Array, extent: float
) -> tuple[Array, float]:
    """Do Lloyd steps; return the entries that are no anchors, and the error."""
    for step in range(_SETTLING_STEPS + 1):
        entries[alike, -1] = extent
        rounded = np.rint(entries).astype(np.int32)
        numbers = nearest_alike(points, rounded, whole, alike)
        if step == _SETTLING_STEPS:
            break
        total = np.bincount(numbers, weights, len(entries))
        moving = total > 0
        moving[:anchors] = False
        for coordinates, column in zip(entries.T, points.T, strict=True):
            sums = np.bincount(numbers, weights * column, len(entries))
            coordinates[moving] = sums[moving] / total[moving]
    error = float((weights * squared_distance(points, rounded[numbers])).sum())
    return entries[anchors:], error
