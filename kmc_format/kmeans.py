"""Pixels to `Indexed`: the histogram of colours, K-Means on it, the codebook and the labels.

The colours of an image repeat, so clustering its distinct colours, weighted by how often each
occurs, minimises the same error as clustering its pixels, with a fraction of the work. K-Means is
scikit-learn's; it is imported on first use, as it takes longer to import than to run.

Colours with alpha are clustered and compared premultiplied, so that what cannot be seen costs
nothing. All that decides a label is integer arithmetic: distances are sums of products of
integers, exact in the float types they are computed in.
"""

from __future__ import annotations

import functools
import math
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from .indexed import KINDS, MAX_K, Array, Indexed, Kind, label_dtype

if TYPE_CHECKING:
    from sklearn.cluster import KMeans
    from threadpoolctl import ThreadpoolController

DEFAULT_K = 256

_BLOCK = 2**22  # pixels handled at once, which bounds temporary memory
_TABLE_BITS = 24  # size of the table from colours to labels: one slot for every RGB colour

# The effort spent on clustering; tests/benchmarks/NOTES.md tells how these were chosen.
_COARSE_BINS = 600  # times the square root of k: least size of the coarse histogram
_START_STEPS = 1  # Lloyd steps there after k-means++
_ROUNDS = 8  # most rounds of split and merge there, or the square root of k where that is more
_ROUND_STEPS = 3  # Lloyd steps after each
_FINE_BINS = 2000  # times the square root of k: least size of the fine histogram
_FINAL_STEPS = 8  # Lloyd steps there
_DIRECT_K = 512  # up to here one K-Means run finds all clusters; beyond, one run a group
_GROUP_STEPS = 10  # Lloyd steps in a group after k-means++
_GLOBAL_PAIRS = 2**26  # colour-entry pairs up to which Lloyd steps over all groups pay
_DENSE_PAIRS = 2**27  # colour-entry pairs up to which comparing every pair beats a search tree


def quantize(pixels: Array, k: int | None = None, *, random_state: int = 0, palette: bool = False) -> Indexed:
    """Reduce pixels to at most k colours.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        bool, uint8, or wider integers that fit 16 bits unsigned or 32 bits signed; uint8 also
        with 1 to 4 channels: grey; grey, alpha; RGB; RGBA.
    k : int, optional
        Number of colours, 1 to 65,536; 256 by default. Wider integers are labels or
        measurements, so by default they are kept exactly, up to 65,536 distinct values.
    random_state : int
        Seed for K-Means, 0 to 2**32 - 1.
    palette : bool
        Make a palette image (mode P) of RGB or RGBA pixels; k is then at most 256.

    Returns
    -------
    Indexed
        Exact where the picture has at most k distinct values; otherwise with k colours, all used,
        in ascending order, each pixel labelled with the nearest.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    """
    kind, pixels = _check_pixels(pixels)
    count = check_k(k, kind.mode)
    seed = check_random_state(random_state)
    values = _pack(pixels)
    colours, counts = _histogram(values)
    if k is None and len(colours) > count and kind.dtype != "uint8":
        raise ValueError(
            f"the image has {len(colours)} distinct values, more than {count}; give k to reduce them"
        )
    if palette:
        kind, count = Kind("P", kind.dtype, kind.channels), min(count, 256)
    if len(colours) <= count:
        entries, nearest = colours, np.arange(len(colours))
    else:
        entries, nearest = _reduce(colours, counts, kind, count, seed)
    labels = _map_colours(values, colours, nearest.astype(label_dtype(len(entries))))
    return Indexed(_unpack(entries, kind), labels, kind.mode)


def check_k(k: object, mode: str) -> int:
    """Return the number of colours that the option k asks for, or the default for a mode."""
    if k is None:
        return MAX_K if mode.startswith("I") else DEFAULT_K
    if not isinstance(k, SupportsIndex) or isinstance(k, bool):
        raise TypeError(f"k must be an int, not {k!r}")
    count = operator.index(k)
    if not 1 <= count <= MAX_K:
        raise ValueError(f"k must be from 1 to {MAX_K}, not {count}")
    return count


def check_random_state(random_state: object) -> int:
    """Return the seed that the option random_state gives."""
    if not isinstance(random_state, SupportsIndex):
        raise TypeError(f"random_state must be an int, not {random_state!r}")
    seed = operator.index(random_state)
    if not 0 <= seed < 2**32:
        raise ValueError(f"random_state must be from 0 to {2**32 - 1}, not {seed}")
    return seed


def _check_pixels(pixels: Array) -> tuple[Kind, Array]:
    """Return the kind of picture an array is, and the array as (height, width, channels) of that kind."""
    pixels = np.asarray(pixels)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or not pixels.size or pixels.shape[2] > 4:
        raise ValueError(
            f"pixels must have shape (height, width) or (height, width, 1 to 4), none 0, not {pixels.shape}"
        )
    channels = pixels.shape[2]
    if pixels.dtype == bool and channels == 1:
        return KINDS[0], pixels * np.uint8(255)
    if pixels.dtype.kind not in "ui" or (channels > 1 and pixels.dtype != np.uint8):
        raise TypeError(
            "pixels must be bool, uint8 (1 to 4 channels) or integers (one channel),"
            f" not {pixels.dtype} with {channels}"
        )
    dtype = pixels.dtype.newbyteorder("=")
    if dtype not in (np.uint8, np.uint16, np.int32):
        limits = np.iinfo(np.int32)
        if int(pixels.min()) < limits.min or int(pixels.max()) > limits.max:
            raise ValueError(f"pixels must be from {limits.min} to {limits.max}, the range of int32")
        dtype = np.dtype(np.int32)
    mode = {1: {1: "L", 2: "I;16", 4: "I"}[dtype.itemsize], 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Kind(mode, dtype.name, channels), np.ascontiguousarray(pixels, dtype)


# --- Colours as single integers ---------------------------------------------------------------


def _pack(pixels: Array) -> Array:
    """Make one unsigned integer of each pixel, in the order of its channels."""
    if pixels.dtype == np.int32:
        return pixels[..., 0].view(np.uint32) ^ np.uint32(1 << 31)  # keeps the order of signed values
    channels = pixels.shape[-1]
    if channels == 1:
        return pixels[..., 0]
    values: Array = pixels[..., 0].astype(np.uint16 if channels == 2 else np.uint32)
    for channel in range(1, channels):
        values <<= np.uint8(8)
        values |= pixels[..., channel]
    return values


def _unpack(values: Array, kind: Kind) -> Array:
    """Turn what `_pack` made into codebook entries, shape (n, channels)."""
    if kind.dtype == "int32":
        return (values ^ np.uint32(1 << 31)).view(np.int32)[:, None]
    if kind.channels == 1:
        return values[:, None]
    words = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(len(values), -1)
    return np.ascontiguousarray(words[:, -kind.channels :])


def _blocks(values: Array) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, values.size, _BLOCK))


def _histogram(values: Array) -> tuple[Array, Array]:
    """Return the distinct values in ascending order, and how often each occurs."""
    flat = values.ravel()
    parts = [np.unique(flat[block], return_counts=True) for block in _blocks(flat)]
    if len(parts) == 1:
        return parts[0]
    colours, inverse = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    counts = np.bincount(inverse, np.concatenate([part[1] for part in parts]))
    return colours, counts.astype(np.int64)


def _map_colours(values: Array, colours: Array, labels: Array) -> Array:
    """Give every pixel the label of its colour."""
    flat, mapped = values.ravel(), np.empty(values.size, labels.dtype)
    if colours[-1] < 1 << _TABLE_BITS:
        table = np.zeros(int(colours[-1]) + 1, labels.dtype)
        table[colours] = labels
        for block in _blocks(flat):
            mapped[block] = table[flat[block]]
    else:
        # Too many possible colours for a table: look up where a hash points, and search for the
        # few whose slot another colour took.
        table = np.zeros(1 << _TABLE_BITS, np.uint32)
        table[_slots(colours)] = np.arange(len(colours), dtype=np.uint32)
        for block in _blocks(flat):
            found = table[_slots(flat[block])]
            missed = np.flatnonzero(colours[found] != flat[block])
            found[missed] = np.searchsorted(colours, flat[block][missed])
            mapped[block] = labels[found]
    return mapped.reshape(values.shape)


def _slots(values: Array) -> Array:
    return values * np.uint32(0x9E3779B1) >> np.uint32(32 - _TABLE_BITS)  # Fibonacci hashing, Knuth 6.4


# --- The codebook -----------------------------------------------------------------------------


def _reduce(colours: Array, counts: Array, kind: Kind, k: int, seed: int) -> tuple[Array, Array]:
    """Choose k entries for more than k colours; return them and the entry number of each colour."""
    visible, inverse = _merge_invisible(colours, kind)
    if len(visible) <= k:
        return visible, inverse
    weights = np.bincount(inverse, counts)
    points = _features(_unpack(visible, kind))
    centres = _cluster(points, weights, k, seed)
    entries = np.unique(_round(centres, kind))
    while True:
        targets = _features(_unpack(entries, kind))
        nearest = _nearest(points, targets)
        used = np.unique(nearest)
        if len(used) == k:
            return entries, nearest[inverse]
        # Rounding made entries equal, or took all colours from one: spend them on the worst errors.
        error = weights * _squared_distance(points, targets[nearest])
        worst = np.argsort(-error, kind="stable")[: k - len(used)]
        entries = np.union1d(entries[used], visible[worst])


def _merge_invisible(colours: Array, kind: Kind) -> tuple[Array, Array]:
    """Make all colours of zero alpha one; return the rest with it, and which each colour became."""
    if kind.channels not in (2, 4):
        return colours, np.arange(len(colours))
    merged = np.where(colours & 0xFF, colours, 0).astype(colours.dtype)
    visible, inverse = np.unique(merged, return_inverse=True)
    return visible, inverse


def _features(entries: Array) -> Array:
    """Return the coordinates in which distance is measured: integers, alpha premultiplied."""
    wide = entries.astype(np.float64)
    if entries.shape[1] in (2, 4):
        alpha = wide[:, -1:]
        return np.hstack([wide[:, :-1] * alpha, 255 * alpha])
    return wide


def _round(centres: Array, kind: Kind) -> Array:
    """Return the colours nearest to centres, packed."""
    if kind.channels in (2, 4):
        alpha = np.rint(centres[:, -1:] / 255)
        centres = np.hstack([centres[:, :-1] / np.maximum(alpha, 1) * (alpha > 0), alpha])
    limits = np.iinfo(kind.dtype)
    entries = np.clip(np.rint(centres), limits.min, limits.max)
    if kind.mode == "1":
        entries = np.where(entries >= 128, 255, 0)
    return _pack(entries.astype(kind.dtype))


def _nearest(points: Array, entries: Array) -> Array:
    """Return, for each point, the number of the nearest entry."""
    if points.shape[1] == 1:
        order = np.argsort(entries[:, 0], kind="stable")
        ascending = entries[order, 0]
        return order[np.searchsorted((ascending[1:] + ascending[:-1]) / 2, points[:, 0])]
    if len(points) * len(entries) <= _DENSE_PAIRS:
        return _nearest_of_all(points, entries)
    from scipy.spatial import KDTree  # comes with scikit-learn

    number: Array = KDTree(entries).query(points)[1]
    return number


def _squared_distance(points: Array, others: Array) -> Array:
    difference = points - others
    squared: Array = np.einsum("ij,ij->i", difference, difference)
    return squared


def _nearest_of_all(points: Array, entries: Array) -> Array:
    # 8-bit values make sums below 2**24, which float32 holds exactly; premultiplied ones need 53 bits.
    dtype = np.float32 if points.shape[1] == 3 else np.float64
    points, entries = points.astype(dtype), entries.astype(dtype)
    norms = np.square(entries).sum(axis=1)
    number = np.empty(len(points), np.intp)
    rows = max(1, 2**20 // len(entries))
    for start in range(0, len(points), rows):
        distance = points[start : start + rows] @ (-2 * entries.T) + norms
        number[start : start + rows] = distance.argmin(axis=1)
    return number


# --- Clustering -------------------------------------------------------------------------------


def _cluster(points: Array, weights: Array, k: int, seed: int) -> Array:
    """Return k centres that K-Means finds for weighted points, coarse to fine."""
    from sklearn import config_context

    # Sums over threads would depend on how many there are, and with them the file's bytes.
    with _ONE_THREAD(), config_context(assume_finite=True, skip_parameter_validation=True):
        if k > _DIRECT_K:
            return _cluster_in_groups(points, weights, k, seed)
        bins, bin_weights = _coarsen(points, weights, int(_COARSE_BINS * math.sqrt(k)))
        fit = _start(bins, bin_weights, k, seed, _START_STEPS)
        fit = _split_and_merge(fit, bins, bin_weights)
        bins, bin_weights = _coarsen(points, weights, int(_FINE_BINS * math.sqrt(k)))
        return _centres(_lloyd(bins, bin_weights, _centres(fit), _FINAL_STEPS))


class _OneThread:
    """A context in which native libraries use one thread, for any number of threads at once.

    OpenMP's limit is the calling thread's own, but that of BLAS is the process's: the first thread
    in sets it, the last one out lifts it. scikit-learn limits BLAS as well; two of its fits at once,
    unguarded, would leave the process limited.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore_blas: Callable[[], None]

    @contextmanager
    def __call__(self) -> Iterator[None]:
        pools = _thread_pools()
        with self._lock:
            if not self._inside:
                self._restore_blas = pools.limit(limits=1, user_api="blas").restore_original_limits
            self._inside += 1
        try:
            with pools.limit(limits=1, user_api="openmp"):
                yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._restore_blas()


_ONE_THREAD = _OneThread()


@functools.cache
def _thread_pools() -> ThreadpoolController:
    import sklearn.cluster  # noqa: F401  # first, so that its thread pools are among those found
    from threadpoolctl import ThreadpoolController  # comes with scikit-learn

    return ThreadpoolController()


def _coarsen(points: Array, weights: Array, wanted: int) -> tuple[Array, Array]:
    """Merge points that share a cell of the coarsest grid that leaves at least `wanted` of them."""
    columns = points.T.copy()  # contiguous, which is four times faster
    columns -= columns.min(axis=1, keepdims=True)
    span = float(columns.max())
    for cells in (32, 40, 48, 64, 80, 96, 128, 192, 256, 1024, 4096, 16384):
        if cells > span or wanted > len(points):
            break
        key = np.zeros(len(points), np.int64)
        for column in columns:
            key = key * cells + (column * (cells / (span + 1))).astype(np.int64)
        _, inverse = np.unique(key, return_inverse=True)
        bin_weights = np.bincount(inverse, weights)
        if len(bin_weights) >= wanted:
            sums = [np.bincount(inverse, weights * column) for column in points.T]
            return np.stack(sums, axis=1) / bin_weights[:, None], bin_weights
    return points, weights


def _start(points: Array, weights: Array, k: int, seed: int, steps: int) -> KMeans:
    from sklearn.cluster import kmeans_plusplus

    centres, _ = kmeans_plusplus(points, k, sample_weight=weights, random_state=seed, n_local_trials=1)
    return _lloyd(points, weights, centres, steps)


def _lloyd(points: Array, weights: Array, centres: Array, steps: int) -> KMeans:
    from sklearn.cluster import KMeans

    fit = KMeans(len(centres), init=centres, n_init=1, max_iter=steps, tol=0, random_state=0)
    return fit.fit(points, sample_weight=weights)


def _centres(fit: KMeans) -> Array:
    centres: Array = fit.cluster_centers_
    return centres


def _split_and_merge(fit: KMeans, points: Array, weights: Array) -> KMeans:
    """Leave poor local optima: split the clusters of largest error, merge the pairs that lose least.

    Keeps a round's result where it is better, and moves half as many clusters after one that is not.
    After Kaukoranta, Fränti and Nevalainen, "Iterative split-and-merge algorithm for vector
    quantization codebook generation", Optical Engineering 37(10), 1998.
    """
    k = len(_centres(fit))
    moves = -(-k // 8)
    for _ in range(max(_ROUNDS, math.isqrt(k))):
        if not moves:
            break
        centres = _move_centres(fit, points, weights, moves)
        other = _lloyd(points, weights, centres, _ROUND_STEPS)
        if other.inertia_ < fit.inertia_:
            fit = other
        else:
            moves //= 2
    return fit


def _move_centres(fit: KMeans, points: Array, weights: Array, moves: int) -> Array:
    """Return the centres with up to `moves` clusters split and as many pairs merged."""
    centres, labels = _centres(fit).copy(), fit.labels_
    k = len(centres)
    mass = np.bincount(labels, weights, k)
    error = np.bincount(labels, weights * _squared_distance(points, centres[labels]), k)
    loss = (
        np.square(centres[:, None] - centres).sum(axis=2)
        * (mass * mass[:, None])
        / (mass + mass[:, None] + 1e-300)
    )
    np.fill_diagonal(loss, np.inf)
    partner = loss.argmin(axis=1)
    moves = min(moves, int(np.count_nonzero(error)))  # splitting points that are alike would part nothing
    split = np.argsort(-error, kind="stable")[:moves]
    taken = set(split.tolist())
    free: list[int] = []
    for one in np.argsort(loss.min(axis=1), kind="stable").tolist():
        other = int(partner[one])
        if len(free) < moves and not taken & {one, other}:
            taken |= {one, other}
            free.append(one)
            centres[other] = np.average(centres[[one, other]], axis=0, weights=mass[[one, other]] + 1e-300)
    for one, other in zip(free, split.tolist(), strict=False):
        member = labels == other
        offset = _principal_deviation(points[member] - centres[other], weights[member])
        centres[one] = centres[other] - offset
        centres[other] += offset
    return centres


def _principal_deviation(centred: Array, weights: Array) -> Array:
    """Return the vector along which weighted points vary most, one standard deviation long."""
    covariance = (centred * weights[:, None]).T @ centred / weights.sum()
    values, vectors = np.linalg.eigh(covariance)
    deviation: Array = vectors[:, -1] * math.sqrt(max(values[-1], 0.0))
    return deviation


def _cluster_in_groups(points: Array, weights: Array, k: int, seed: int) -> Array:
    """Find many centres: cluster coarsely, then within each group, as many as its error deserves."""
    groups = _cluster(points, weights, math.isqrt(k), seed)
    number = _nearest(points, groups)
    sizes = np.bincount(number, minlength=len(groups))
    error = np.bincount(number, weights * _squared_distance(points, groups[number]), len(groups))
    share = _share_out(error, sizes, k, points.shape[1])
    centres = []
    for group, wanted in enumerate(share.tolist()):
        member = number == group
        if wanted < sizes[group]:
            fit = _start(points[member], weights[member], wanted, seed, _GROUP_STEPS)
            centres.append(_centres(fit))
        else:
            centres.append(points[member])
    found = np.concatenate(centres)
    if len(points) * k > _GLOBAL_PAIRS:
        return found
    return _centres(_lloyd(points, weights, found, _FINAL_STEPS))


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
