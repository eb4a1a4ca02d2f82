"""K-Means on weighted points: good starts, coarse to fine, and centres that stay where they are.

K-Means is scikit-learn's; it is imported on first use, as it takes longer to import than to run.
"""

from __future__ import annotations

import functools
import math
import operator
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import _core
from .._format.indexed import Array
from .levels import best_levels
from .nearest import nearest, squared_distance

if TYPE_CHECKING:
    from sklearn.cluster import KMeans
    from threadpoolctl import ThreadpoolController

# tests/benchmarks/NOTES.md tells how these were chosen; all of them trade error against time.

# The coarse and the fine histogram have so many bins, times the square root of k, at least.
_COARSE_BINS, _FINE_BINS = 600, 2000
# The numbers of cells along a side that are tried, in turn, for the grid of a histogram.
_SIDES = (32, 40, 48, 64, 80, 96, 128, 192, 256, 1024, 4096, 16384)
# A histogram has so many cells at most, as their numbers have 32 bits.
_MOST_CELLS = 2**32
# K-Means is begun _STARTS / k times, at least once and at most _MOST_STARTS times, and the best result is
# taken.
_STARTS, _MOST_STARTS = 64, 4
# There are so many rounds of split and merge at most, with so many Lloyd steps in each.
_ROUNDS, _ROUND_STEPS = 12, 3
# A cluster is split, and a pair merged for it, while that costs less than so many times the expected gain.
_WORTH = 2.0
# How many Lloyd steps are made on the fine histogram, at the end.
_FINAL_STEPS = 6
# Up to so many centres are found by one K-Means; for more, each group of colours has its own. The second
# number is for centres that are only a start.
_DIRECT_K, _ROUGH_K = 512, 64
# How many Lloyd steps are made in a group, after k-means++.
_GROUP_STEPS = 10
# Up to so many pairs of a colour and a centre, Lloyd steps over all groups pay.
_GLOBAL_PAIRS = 2**26
# Up to so many centres, points on a line get the best start there is, which is found on so many bins.
_LINE_K, _LINE_BINS = 128, 640
# `refine` moves k centres by _MERGED_STEPS / k Lloyd steps, at most _GROUP_STEPS.
_MERGED_STEPS = 1000
# `refine` also splits and merges up to so many centres; for more that would take long.
_THOROUGH_K = 32
# An anchor weighs so many times as much as everything else together, so that its centre stays where it is.
_ANCHOR = 1e9


class Cloud(NamedTuple):
    """Weighted points, and anchors: points that are to be centres, whatever the others are."""

    points: Array  # (n, dimensions) float64
    weights: Array  # (n,) float64
    anchors: Array  # (m, dimensions) float64, all different


def cluster(cloud: Cloud, k: int, seed: int, *, rough: bool = False) -> Array:
    """Return the centres that K-Means finds beside the anchors; with the anchors they are k.

    Rough centres are found more quickly, and are good enough to start from.
    """
    from sklearn import config_context

    if k <= len(cloud.anchors):
        return cloud.anchors[:0]
    # Sums over threads would depend on how many there are, and with them the file's bytes; and GNU's
    # OpenMP hangs in a process that was forked after threads ran, as workers of data loaders are.
    with _ONE_THREAD(), config_context(assume_finite=True, skip_parameter_validation=True):
        if cloud.points.shape[1] == 1 and k <= _LINE_K:
            return _cluster_on_a_line(cloud, k)
        if k > (_ROUGH_K if rough else _DIRECT_K):
            return _cluster_in_groups(cloud, k, seed, rough)
        coarse = _coarsen(cloud, int(_COARSE_BINS * math.sqrt(k)))
        starts = min(max(_STARTS // k, 1), _MOST_STARTS)
        fits = [_split_and_merge(_start(coarse, k, (seed + n) % 2**32, 1), coarse) for n in range(starts)]
        fit = min(fits, key=operator.attrgetter("inertia_"))
        fine = _coarsen(cloud, int(_FINE_BINS * math.sqrt(k)))
        return _free_centres(_lloyd(fine, fit.cluster_centers_, _FINAL_STEPS), fine)


def refine(cloud: Cloud, centres: Array) -> Array:
    """Move centres, those beside the anchors, to where K-Means on a coarse histogram has them."""
    from sklearn import config_context

    if not len(centres):
        return centres
    with _ONE_THREAD(), config_context(assume_finite=True, skip_parameter_validation=True):
        everything = np.concatenate([cloud.anchors, centres])
        coarse = _coarsen(cloud, int(_COARSE_BINS * math.sqrt(len(everything))))
        fit = _lloyd(coarse, everything, min(_MERGED_STEPS // len(everything) + 1, _GROUP_STEPS))
        return _free_centres(_split_and_merge(fit, coarse) if len(everything) <= _THOROUGH_K else fit, coarse)


# --- Threads ------------------------------------------------------------------------------------


class _OneThread:
    """A context in which native libraries use one thread, and scikit-learn does not warn of empty clusters.

    It works for any number of threads at once.

    OpenMP's limit is the calling thread's own, but that of BLAS is the process's: the first thread
    in sets it, the last one out lifts it. scikit-learn limits BLAS as well; two of its fits at once,
    unguarded, would leave the process limited.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore: ExitStack

    @contextmanager
    def __call__(self) -> Iterator[None]:
        pools = _thread_pools()
        with self._lock:
            if not self._inside:
                self._restore = ExitStack()
                self._restore.callback(pools.limit(limits=1, user_api="blas").restore_original_limits)
                self._restore.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", "Number of distinct clusters")
            self._inside += 1
        try:
            with pools.limit(limits=1, user_api="openmp"):
                yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._restore.close()


_ONE_THREAD = _OneThread()


@functools.cache
def _thread_pools() -> ThreadpoolController:
    import sklearn.cluster  # noqa: F401  # first, so that its thread pools are among those found
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    return ThreadpoolController()


# --- Coarse to fine -----------------------------------------------------------------------------


def _coarsen(cloud: Cloud, wanted: int) -> Cloud:
    """Merge points that share a cell of the coarsest grid that leaves at least `wanted` of them."""
    points, weights, anchors = cloud
    columns = points.T.copy()  # contiguous, which is four times faster
    columns -= columns.min(axis=1, keepdims=True)
    span = float(columns.max())
    for cells in _SIDES:
        if cells > span or cells ** len(columns) > _MOST_CELLS or wanted > len(points):
            break
        key = np.zeros(len(points), np.uint32)
        for column in columns:
            key *= np.uint32(cells)
            key += (column * (cells / (span + 1))).astype(np.uint32)
        count = len(_core.count(key)[0]) // key.itemsize
        if count >= wanted:
            bin_weights = np.bincount(key, weights)
            sums = [np.bincount(key, weights * column) for column in points.T]
            return Cloud(np.stack(sums, axis=1) / bin_weights[:, None], bin_weights, anchors)
    return cloud


def _start(cloud: Cloud, k: int, seed: int, steps: int) -> KMeans:
    from sklearn.cluster import kmeans_plusplus

    # Anchors are picked first, for their weight.
    points, weights = _with_anchors(cloud) if len(cloud.anchors) else cloud[:2]
    centres, _ = kmeans_plusplus(points, k, sample_weight=weights, random_state=seed, n_local_trials=1)
    return _lloyd(cloud, centres, steps)


def _lloyd(cloud: Cloud, centres: Array, steps: int) -> KMeans:
    from sklearn.cluster import KMeans

    points, weights = _with_anchors(cloud) if len(cloud.anchors) else cloud[:2]
    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=steps, tol=0, random_state=0)
    return fit.fit(points, sample_weight=weights)


def _with_anchors(cloud: Cloud) -> tuple[Array, Array]:
    """Return points and weights with the anchors among them, so heavy that their centres stay there."""
    heavy = np.full(len(cloud.anchors), _ANCHOR * cloud.weights.sum())
    return np.vstack([cloud.points, cloud.anchors]), np.concatenate([cloud.weights, heavy])


def _free_centres(fit: KMeans, cloud: Cloud) -> Array:
    """Return the centres that are not an anchor's."""
    free: Array = np.delete(fit.cluster_centers_, fit.labels_[len(cloud.points) :], axis=0)
    return free


def _cluster_on_a_line(cloud: Cloud, k: int) -> Array:
    """Start Lloyd steps from the best choice among a few hundred bins of one-dimensional points in order.

    Bins are cut as centres would lie: in proportion to the cube root of density (Panter and Dite,
    "Quantization distortion in pulse-count modulation with nonuniform spacing of levels",
    Proceedings of the IRE 39(1), 1951).
    """
    points, weights = cloud.points[:, 0], cloud.weights
    number = np.arange(len(points))
    if len(points) > _LINE_BINS:
        share = np.cumsum(np.cbrt(weights * np.gradient(points) ** 2))
        # A quarter of the bins have as many points each, lest a wide gap leaves few for the rest.
        place = 3 * share / share[-1] + (number + 1) / len(points)
        number = np.unique((place * (_LINE_BINS / 4)).astype(np.int64), return_inverse=True)[1]
    bin_weights = np.bincount(number, weights)
    bins = np.bincount(number, weights * points) / bin_weights
    anchors = cloud.anchors[:, 0]
    levels = np.union1d(bins, anchors)
    origin = levels[0]  # so that squares stay exact enough
    kept = np.isin(levels, anchors)
    levels = levels[best_levels(bins - origin, bin_weights, levels - origin, k, kept)]
    fine = _coarsen(cloud, int(_FINE_BINS * math.sqrt(k)))
    return _free_centres(_lloyd(fine, levels[:, None], _FINAL_STEPS), fine)


# --- Split and merge ----------------------------------------------------------------------------


def _split_and_merge(fit: KMeans, cloud: Cloud) -> KMeans:
    """Leave poor local optima: split the clusters that gain most, merge the pairs that lose least.

    Keeps a round's result where it is better, and moves half as many clusters after one that is not.
    After Kaukoranta, Fränti and Nevalainen, "Iterative split-and-merge algorithm for vector
    quantization codebook generation", Optical Engineering 37(10), 1998.
    """
    most = -(-len(fit.cluster_centers_) // 8)
    for _ in range(_ROUNDS):
        centres, moves = _move_centres(fit, cloud, most)
        if not moves:
            break
        other = _lloyd(cloud, centres, _ROUND_STEPS)
        if other.inertia_ < fit.inertia_:
            fit = other
        else:
            most = moves // 2
    return fit


def _move_centres(fit: KMeans, cloud: Cloud, most: int) -> tuple[Array, int]:
    """Return the centres with at most so many pairs merged and as many clusters split, and how many."""
    centres = fit.cluster_centers_.copy()
    mass, covariance = _moments(centres, fit.labels_[: len(cloud.points)], cloud)
    values, vectors = np.linalg.eigh(covariance)
    gain = np.maximum(values[:, -1], 0)
    deviation = vectors[:, :, -1] * np.sqrt(gain / np.maximum(mass, 1e-300))[:, None]
    loss = (
        np.square(centres[:, None] - centres).sum(axis=2)
        * (mass * mass[:, None])
        / (mass + mass[:, None] + 1e-300)
    )
    np.fill_diagonal(loss, np.inf)
    anchored = set(fit.labels_[len(cloud.points) :].tolist())
    pairs = _pair_moves(gain, loss, anchored, most)
    for one, other, split in pairs:
        centres[other] = np.average(centres[[one, other]], axis=0, weights=mass[[one, other]] + 1e-300)
        centres[one] = centres[split] - deviation[split]
        centres[split] += deviation[split]
    return centres, len(pairs)


def _pair_moves(gain: Array, loss: Array, anchored: set[int], most: int) -> list[tuple[int, int, int]]:
    """Choose triples: the first of a pair to be merged is free to help split the third cluster."""
    partner, least = loss.argmin(axis=1), loss.min(axis=1)
    splits = iter(np.argsort(-gain, kind="stable").tolist())
    split, taken, moves = next(splits), set[int](), list[tuple[int, int, int]]()
    for one in np.argsort(least, kind="stable").tolist():
        other = int(partner[one])
        pair = {one, other}
        if pair & (taken | anchored):
            continue
        while split in taken | pair:
            split = next(splits, -1)
        if len(moves) == most or split < 0 or _WORTH * gain[split] <= least[one]:
            break
        moves.append((one, other, split))
        taken |= {*pair, split}
    return moves


def _moments(centres: Array, labels: Array, cloud: Cloud) -> tuple[Array, Array]:
    """Return each cluster's weight, and its weighted sums of products of deviations: (k, d, d)."""
    k, dimensions = centres.shape
    deviation = (cloud.points - centres[labels]).T.copy()
    covariance = np.empty((k, dimensions, dimensions))
    for i in range(dimensions):
        weighted = cloud.weights * deviation[i]
        for j in range(i + 1):
            covariance[:, i, j] = covariance[:, j, i] = np.bincount(labels, weighted * deviation[j], k)
    return np.bincount(labels, cloud.weights, k), covariance


# --- Many centres -------------------------------------------------------------------------------


def _cluster_in_groups(cloud: Cloud, k: int, seed: int, rough: bool) -> Array:
    """Find many centres: cluster coarsely, then within each group, as many as its error deserves."""
    points, weights, anchors = cloud
    none = anchors[:0]
    k -= len(anchors)
    groups = np.rint(cluster(Cloud(points, weights, none), math.isqrt(k), seed)).astype(np.int32)
    number = nearest(points.astype(np.int32), groups)
    sizes = np.bincount(number, minlength=len(groups))
    error = np.bincount(number, weights * squared_distance(points, groups[number]), len(groups))
    share = _share_out(error, sizes, k, points.shape[1])
    centres = [anchors]
    for group, wanted in enumerate(share.tolist()):
        member = number == group
        if wanted < sizes[group]:
            part = Cloud(points[member], weights[member], none)
            centres.append(_start(part, wanted, seed, _GROUP_STEPS).cluster_centers_)
        else:
            centres.append(points[member])
    found = np.concatenate(centres)
    if rough or len(points) * len(found) > _GLOBAL_PAIRS:
        return found[len(anchors) :]
    return _free_centres(_lloyd(cloud, found, _FINAL_STEPS), cloud)


def _share_out(error: Array, sizes: Array, k: int, dimensions: int) -> Array:
    """Divide k centres among groups, none more than its size and none without.

    Shares are in proportion to error ** (d / (d + 2)), which minimises the total for many centres
    in d dimensions (Zador, "Asymptotic quantization error of continuous signals and the
    quantization dimension", IEEE Transactions on Information Theory 28(2), 1982).
    """
    merit = error ** (dimensions / (dimensions + 2)) + 1e-9
    low, high = 0.0, float(k / merit.min())
    for _ in range(200):
        scale = (low + high) / 2
        share = np.clip(np.floor(merit * scale), np.minimum(1, sizes), sizes).astype(np.int64)
        low, high = (scale, high) if share.sum() <= k else (low, scale)
    share = np.clip(np.floor(merit * low), np.minimum(1, sizes), sizes).astype(np.int64)
    for group in np.argsort(-merit, kind="stable"):
        share[group] += min(k - share.sum(), sizes[group] - share[group])
    return share
