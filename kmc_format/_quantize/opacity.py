"""Centres for colours with alpha: those of opaque colours are to be opaque themselves.

The last coordinate is alpha, and that of opaque points and entries is called the extent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._format.indexed import Array
from .clustering import Cloud
from .nearest import nearest, nearest_by_opacity, squared_distance

# How many Lloyd steps are made once it is decided which centres are opaque.
_SETTLING_STEPS = 6
# A centre becomes opaque where opaque points have more than this share of its weight; each share is tried.
_OPAQUE_SHARES = (0.05, 0.3, 0.6, 0.9)


def apart(cloud: Cloud, opaque: Array, extent: float, find_centres: Callable[[Cloud], Array]) -> Array:
    """Find centres of a cloud with its opaque points moved far away from the others, and move them back."""

    def moved(points: Array, those: Array) -> Array:
        points = points.copy()
        points[those, -1] += extent
        return points

    anchors = moved(cloud.anchors, cloud.anchors[:, -1] == extent)
    centres = find_centres(Cloud(moved(cloud.points, opaque), cloud.weights, anchors)).copy()
    centres[centres[:, -1] > 1.5 * extent, -1] -= extent
    return centres


def settle(cloud: Cloud, starts: list[Array], opaque: Array, extent: float) -> Array:
    """Move centres so that those of opaque points are opaque as well.

    A centre that opaque points share with others becomes opaque, or loses the opaque points. Several ways to
    decide that are tried, and the one that ends with the least error is taken.

    Parameters
    ----------
    cloud : Cloud
    starts : list of ndarray, shape (n, dimensions)
        Centres, those beside the anchors.
    opaque : ndarray of bool
        Which of the cloud's points are opaque; at least one is.
    extent : float
        The last coordinate of opaque points.

    Returns
    -------
    ndarray, shape (n, dimensions)
        At least one is opaque, unless there are none or an anchor is.
    """
    if not len(starts[0]):
        return starts[0]
    points, anchors = cloud.points.astype(np.int32), len(cloud.anchors)
    found = []
    for centres in starts:
        entries = np.concatenate([cloud.anchors, centres])
        numbers = nearest(points, np.rint(entries).astype(np.int32))
        own = np.bincount(numbers, cloud.weights * opaque, len(entries))
        total = np.bincount(numbers, cloud.weights, len(entries))
        tried = set[bytes]()
        for share in _OPAQUE_SHARES:
            opaque_entries = own > share * total
            opaque_entries[:anchors] = cloud.anchors[:, -1] == extent
            if not opaque_entries.any():
                opaque_entries[anchors + own[anchors:].argmax()] = True
            if opaque_entries.tobytes() not in tried:
                tried.add(opaque_entries.tobytes())
                found.append(
                    _settled(points, cloud.weights, entries.copy(), anchors, opaque, opaque_entries, extent)
                )
    return min(found, key=lambda one: one[1])[0]


def _settled(
    points: Array,
    weights: Array,
    entries: Array,
    anchors: int,
    opaque: Array,
    opaque_entries: Array,
    extent: float,
) -> tuple[Array, float]:
    """Do Lloyd steps; return the entries that are no anchors, and the error."""
    for step in range(_SETTLING_STEPS + 1):
        entries[opaque_entries, -1] = extent
        rounded = np.rint(entries).astype(np.int32)
        numbers = nearest_by_opacity(points, rounded, opaque, opaque_entries)
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
