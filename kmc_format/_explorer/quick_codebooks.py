"""Codebooks that are found in milliseconds, for the sliders of the explorer."""

from __future__ import annotations

import numpy as np

from .._format.indexed import Array
from .._pixels.tally import Tally
from .._quantize.clustering import Cloud, cluster, refine
from .._quantize.kmeans import FEW_COLOURS, choose_entries
from .._quantize.nearest import nearest
from .._quantize.tasks import Task

# Up to so many entries, clustering anew takes hardly any time.
_FEW_ENTRIES = 8


class Codebooks:
    """Codebooks for one picture, each found in milliseconds and nearly as good as that of `find_codebook`.

    The colours are clustered once, for the most entries; these are merged pairwise, and those left
    move by a few steps of K-Means. Where there are few colours, or few entries are wanted, colours are
    clustered anew each time, and the codebook is as good as any.

    Parameters
    ----------
    task : Task
        Its k is the most entries there can be.
    counted : Tally
        The picture's colours.
    """

    def __init__(self, task: Task, counted: Tally) -> None:
        self._task, self._tally = task, counted
        self._merged: list[Array] = []

    def find(self, k: int) -> tuple[Array, Array]:
        """Do as `find_codebook` does."""
        return choose_entries(self._task, self._tally, k, self._centres)

    def _centres(self, cloud: Cloud, k: int) -> Array:
        if len(cloud.points) <= FEW_COLOURS or k <= _FEW_ENTRIES:
            return cluster(cloud, k, self._task.seed)
        if not self._merged:
            self._merged = self._merge(cloud)
        free = k - len(cloud.anchors)
        if free >= len(self._merged) - 1:
            return self._merged[-1]
        return refine(cloud, self._merged[free])

    def _merge(self, cloud: Cloud) -> list[Array]:
        centres = cluster(cloud, self._task.k, self._task.seed)
        number = nearest(cloud.points.astype(np.int32), np.rint(centres).astype(np.int32))
        weights = np.bincount(number, cloud.weights, len(centres))
        return merged_centres(centres[weights > 0], weights[weights > 0])


def merged_centres(centres: Array, weights: Array) -> list[Array]:
    """Merge weighted centres pairwise, each time the two whose merging adds least error.

    Equitz, "A new vector quantization clustering algorithm", IEEE Transactions on Acoustics, Speech,
    and Signal Processing 37(10), 1989; the error of a merge is Ward's.

    Parameters
    ----------
    centres : ndarray, shape (n, dimensions)
    weights : ndarray, shape (n,)
        All above 0.

    Returns
    -------
    list of ndarray
        At position i the i centres that are left when there are so many, i = 0 ... n.
    """
    points, weights, left = centres.astype(np.float64), weights.astype(np.float64), np.arange(len(centres))

    def loss(number: int) -> Array:
        """Return the error that merging one centre with each of those left adds."""
        added = np.full(len(points), np.inf)
        share = weights[left] * weights[number] / (weights[left] + weights[number])
        added[left] = share * np.square(points[left] - points[number]).sum(axis=1)
        added[number] = np.inf
        return added

    losses = np.array([loss(number) for number in left.tolist()])
    found = [points.copy()]
    while len(left) > 1:
        one, other = divmod(int(losses.argmin()), len(points))
        points[one] = np.average(points[[one, other]], axis=0, weights=weights[[one, other]])
        weights[one] += weights[other]
        left = left[left != other]
        losses[other] = losses[:, other] = np.inf
        losses[one] = losses[:, one] = loss(one)
        found.append(points[left])
    return [points[:0], *reversed(found)]
