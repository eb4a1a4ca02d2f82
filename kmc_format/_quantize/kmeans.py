"""Pixels to `Indexed`: the codebook, by K-Means on the histogram of colours, and the labels.

The colours of an image repeat, so clustering its distinct colours, weighted by how often each
occurs, minimises the same error as clustering its pixels, with a fraction of the work.

Colours with alpha are clustered and compared by how they look over black and over white, so that
what cannot be seen costs nothing. All that decides a label is integer arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from .. import _core
from .._format.indexed import MAX_K, Array, Indexed, Kind, label_dtype
from .._options.options import DEFAULTS, SaveOptions
from .._pixels import colours
from .._pixels.tally import Histogram, Tally, histogram, is_exact, means
from .clustering import Cloud, cluster
from .levels import best_levels
from .nearest import nearest, nearest_by_opacity, squared_distance
from .opacity import apart, settle
from .tasks import Task, prepare, strength_of

FindCentres = Callable[[Cloud, int], Array]  # as `clustering.cluster` does

# So many colours are clustered at most: of more, every second one, or every third, and so on. So many are
# also compared with the codebook at a time.
_MOST_COLOURS = 2**20
# Up to so many colours, clustering takes hardly any time.
FEW_COLOURS = 2**10
_LEVELS = np.arange(256, dtype=np.uint8)
# This is added to a coordinate to keep opaque colours apart from others. It is more than any two differ, with
# the errors that dithering adds.
_APART = 2**19


def quantize(pixels: Array, options: SaveOptions = DEFAULTS, *, palette: bool = False) -> Indexed:
    """Reduce pixels to a number of colours.

    Parameters
    ----------
    pixels : ndarray, shape (height, width) or (height, width, channels)
        bool, uint8, or wider integers that fit 16 bits unsigned or 32 bits signed; uint8 also
        with 1 to 4 channels: grey; grey, alpha; RGB; RGBA.
    options : SaveOptions
        Of which `k`, `random_state`, `space`, `keep`, `codebook` and `dither` matter. Wider integers are
        labels or measurements, so without k they are kept exactly, up to 65,536 distinct values.
    palette : bool
        Make a palette image (mode P) of RGB or RGBA pixels; k is then at most 256.

    Returns
    -------
    Indexed
        Exact where the picture has at most k distinct values; otherwise with k colours in ascending
        order, all used but for kept ones, each pixel labelled with the nearest. There are fewer
        where colours look alike: those of zero alpha share an entry.

    Raises
    ------
    TypeError, ValueError
        If the pixels are no picture, or one that the options are not for.
    """
    task, pixels = prepare(pixels, options, palette=palette)
    strength = strength_of(options)
    if strength and task.kind.dtype == "int32":
        raise ValueError("dither is for colours; a picture of mode I holds labels or measurements")
    counted = histogram(pixels)
    return label(task, counted, *find_codebook(task, counted.tally, task.k), strength)


# --- Codebook and labels --------------------------------------------------------------------------


def find_codebook(task: Task, counted: Tally, k: int, *, rough: bool = False) -> tuple[Array, Array]:
    """Return at most k entries, shape (k, channels), and which colours, packed, keep theirs exactly.

    Parameters
    ----------
    task : Task
    counted : Tally
        The colours of all that is to be labelled, of one picture or of many.
    k : int
    rough : bool
        Find entries that are good enough to start from, more quickly.
    """
    if task.fixed is not None:
        return task.fixed, task.kept
    return choose_entries(task, counted, k, functools.partial(cluster, seed=task.seed, rough=rough))


def choose_entries(task: Task, counted: Tally, k: int, find_centres: FindCentres) -> tuple[Array, Array]:
    """Do as `find_codebook` does, for a task without a fixed codebook and by another way to cluster."""
    if not (is_exact(counted) or _may_reduce(task)):
        raise ValueError(f"the pictures have more than {k} distinct values together; give k to reduce them")
    stand_ins = means(counted)
    entries, kept = _find(task, stand_ins.colours, stand_ins.counts, k, find_centres)
    return colours.unpack(entries, task.kind), kept


def _may_reduce(task: Task) -> bool:
    """Tell whether values may be replaced by others: integers are kept exactly unless k is given."""
    return task.given or task.kind.dtype == "uint8"


def _find(task: Task, found: Array, counts: Array, k: int, find_centres: FindCentres) -> tuple[Array, Array]:
    """Return at most k entries for the colours found, and the kept ones; all packed."""
    kept = task.kept
    everything = np.union1d(found, kept) if len(kept) else found
    if len(everything) <= k:
        return everything, kept
    if not _may_reduce(task):
        raise ValueError(f"the image has {len(found)} distinct values, more than {k}; give k to reduce them")
    visible, weights = found, counts
    if colours.has_alpha(task.kind):
        visible, weights, clear = _merge_clear(found, counts, kept)
        everything = np.union1d(visible, kept)
        if len(everything) <= k:
            return everything, kept
        if 1 < k > len(kept):
            kept = np.union1d(kept, clear)  # clear areas stay clear
    return _choose(visible, weights, kept, task, k, find_centres), kept


def _choose(
    visible: Array, weights: Array, kept: Array, task: Task, k: int, find_centres: FindCentres
) -> Array:
    """Choose k entries for more than k weighted colours, the kept ones among them; all packed.

    Colours and weights are in the same order.
    """
    kind, space = task.kind, task.space
    # Of a million colours or more a part will do: every second, every third, ...
    part = slice(None, None, -(-len(visible) // _MOST_COLOURS))
    visible, weights = visible[part], weights[part].astype(np.float64)
    points = _points(visible, kind, space)
    if kind.mode == "L":
        levels = _points(_LEVELS, kind, space)[:, 0].astype(np.float64)
        entries = _LEVELS[
            best_levels(points[:, 0].astype(np.float64), weights, levels, k, np.isin(_LEVELS, kept))
        ]
    else:
        anchors = np.unique(_points(kept, kind, space), axis=0)
        cloud = Cloud(points.astype(np.float64), weights, anchors.astype(np.float64))
        count = k - (len(kept) - len(anchors))  # clear colours share an anchor
        centres = _find_alike(cloud, count, find_centres, colours.is_opaque(visible, kind), kind, space)
        entries = np.union1d(kept, colours.nearest_colours(centres, kind, space))
    return _spend_unused(entries, kept, visible, points, weights, k, kind, space)


def _find_alike(
    cloud: Cloud, k: int, find_centres: FindCentres, opaque: Array, kind: Kind, space: str
) -> Array:
    """Find centres such that opaque colours have opaque entries.

    One entry alone is opaque unless something is clear, which it cannot be at the same time.
    """
    centres = find_centres(cloud, k)
    alone = k == 1 and not len(cloud.anchors)
    if not opaque.any() or (alone and not cloud.points[:, -1].all()):
        return centres
    extent = colours.opaque_extent(kind, space)
    starts = [centres]
    if len(cloud.points) <= FEW_COLOURS:  # once more with opaque colours far from the others
        starts.append(apart(cloud, opaque, extent, lambda far: find_centres(far, k)))
    return settle(cloud, starts, opaque, extent)


def _spend_unused(
    entries: Array, kept: Array, visible: Array, points: Array, weights: Array, k: int, kind: Kind, space: str
) -> Array:
    """Replace entries that no colour is nearest to, and add missing ones: spend them on the worst errors.

    Rounding may have made entries equal, or taken all colours from one. Each round adds colours that
    had an error, so the total falls, and this ends. Fewer than k are left where colours look alike.
    """
    while True:
        targets = _points(entries, kind, space)
        numbers = _nearest(points, targets, visible, entries, kind)
        used = np.isin(entries, kept)
        used[numbers] = True
        error = weights * squared_distance(points, targets[numbers])
        worst = np.argsort(-error, kind="stable")[: k - np.count_nonzero(used)]
        worst = worst[error[worst] > 0]
        if not len(worst):
            return entries[used]
        entries = np.union1d(entries[used], visible[worst])


def _merge_clear(found: Array, counts: Array, kept: Array) -> tuple[Array, Array, Array]:
    """Make one of all colours of zero alpha, a kept one if there is any; return the rest, and that one."""
    clear = colours.is_clear(found) & ~np.isin(found, kept)
    if not clear.any():
        return found, counts, found[:0]
    if colours.is_clear(kept).any():
        return found[~clear], counts[~clear], found[:0]
    zero = np.zeros(1, found.dtype)
    visible, weights = np.insert(found[~clear], 0, 0), np.insert(counts[~clear], 0, counts[clear].sum())
    return visible, weights, zero


def label(task: Task, counted: Histogram, entries: Array, kept: Array, strength: int = 0) -> Indexed:
    """Give each pixel the nearest entry, or dither."""
    found = counted.tally.colours
    numbers, exact = nearest_entries(task, found, entries)
    if not strength or exact.all():
        return Indexed(entries, counted.map(numbers.astype(label_dtype(len(entries)))), task.kind.mode)
    pinned = np.where(np.isin(found, kept), numbers, -1).astype(np.int32)
    coverage = np.zeros(len(found), np.uint8)
    if colours.has_alpha(task.kind):
        coverage = (found & 0xFF).astype(np.uint8)
        pinned = np.where(coverage == 0, numbers, pinned)
    labels = _dither(counted, entries, task, strength, pinned, coverage)
    return Indexed(entries, labels, task.kind.mode)


def nearest_entries(task: Task, found: Array, entries: Array) -> tuple[Array, Array]:
    """Return the number of the entry nearest to each packed colour, and whether it is the same.

    What is opaque stays so, where an entry is.
    """
    kind, space, packed = task.kind, task.space, colours.pack(entries)
    targets = colours.coordinates(entries, kind, space)
    numbers = np.empty(len(found), np.int32)
    for start in range(0, len(found), _MOST_COLOURS):
        block = found[start : start + _MOST_COLOURS]
        points = _points(block, kind, space)
        numbers[start : start + len(block)] = _nearest(points, targets, block, packed, kind)
    # A colour that is in the codebook gets that entry, also if it is clear and so looks like another.
    order = np.argsort(packed, kind="stable")
    at = order[np.minimum(np.searchsorted(packed, found, sorter=order), len(order) - 1)]
    exact = packed[at] == found
    numbers[exact] = at[exact]
    return numbers, exact


def _dither(
    counted: Histogram,
    entries: Array,
    task: Task,
    strength: int,
    pinned: Array,
    coverage: Array,
) -> Array:
    """Label pixels by error diffusion; `pinned` and `coverage` are of each colour, as in `_core`."""
    points = _points(counted.tally.colours, task.kind, task.space).astype(np.int32)
    targets = colours.coordinates(entries, task.kind, task.space)
    ends = np.array([[part.min(axis=0), part.max(axis=0)] for part in (points, targets)])
    # Opaque entries stand twice, the second time far from the others, where only opaque colours are.
    again = np.flatnonzero(colours.is_opaque(colours.pack(entries), task.kind))[: MAX_K - len(entries)]
    if len(again):
        points[coverage == 255, -1] += _APART
        targets = np.concatenate([targets, targets[again]])
        targets[len(entries) :, -1] += _APART
    labels = np.empty(counted.numbers.shape, np.uint16)
    _core.dither(
        counted.numbers,
        points[counted.rank],
        np.ascontiguousarray(targets, np.int32),
        pinned[counted.rank],
        coverage[counted.rank],
        np.stack([ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)]).astype(np.int32),
        strength,
        labels,
    )
    return np.concatenate([np.arange(len(entries)), again]).astype(np.uint16)[labels]


def _nearest(points: Array, targets: Array, found: Array, entries: Array, kind: Kind) -> Array:
    """Return the number of the entry nearest to each colour; opaque colours get opaque ones if there are any.

    Colours and entries are given as coordinates (`points`, `targets`) and packed.
    """
    if not colours.has_alpha(kind):
        return nearest(points, targets)
    opaque, opaque_entries = colours.is_opaque(found, kind), colours.is_opaque(entries, kind)
    return nearest_by_opacity(points, targets, opaque, opaque_entries)


def _points(packed: Array, kind: Kind, space: str) -> Array:
    return colours.coordinates(colours.unpack(packed, kind), kind, space)
