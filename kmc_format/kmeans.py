"""Pixels to `Indexed`: the codebook, by K-Means on the histogram of colours, and the labels.

The colours of an image repeat, so clustering its distinct colours, weighted by how often each
occurs, minimises the same error as clustering its pixels, with a fraction of the work.

Colours with alpha are clustered and compared by how they look over black and over white, so that
what cannot be seen costs nothing. All that decides a label is integer arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, SupportsFloat

import numpy as np

from . import _core, colours
from .clustering import Cloud, cluster
from .indexed import KINDS, MAX_K, Array, Indexed, Kind, as_int, label_dtype, plain_kind
from .levels import best_levels
from .nearest import nearest_alike, squared_distance
from .opacity import apart, settle
from .tally import Histogram, Tally, common_kind, histogram, is_exact, means

DEFAULT_K = 256

Colour = int | Sequence[int]
FindCentres = Callable[[Cloud, int], Array]  # as `clustering.cluster` does

# Colours that are clustered, at most, and that are looked at together: of more, every second, third ... one.
_MOST_COLOURS = 2**20
# Colours for which clustering takes hardly any time.
FEW_COLOURS = 2**10
# The dtypes that are stored as they are; other integers become int32.
_STORED = {np.dtype(name) for name in ("uint8", "uint16", "int32")}
_LEVELS = np.arange(256, dtype=np.uint8)
# Added to a coordinate to keep opaque colours apart from others: more than any two differ, errors included.
_APART = 2**19


def quantize(
    pixels: Array,
    k: int | None = None,
    *,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[Colour] | None = None,
    codebook: Array | None = None,
    dither: float = 0.0,
    palette: bool = False,
) -> Indexed:
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
    space : str
        ``"srgb"`` or ``"oklab"``: where distance is measured. Integers wider than 8 bits have none.
    keep : iterable of int or of sequences of int, optional
        Colours that are entries of the codebook, and that pixels of just these colours get.
    codebook : ndarray, shape (k, channels), or of one channel (k,), optional
        Take these entries, in this order, instead of finding some. The picture gets colour or
        alpha where the codebook has it.
    dither : float
        Strength of Floyd-Steinberg error diffusion, 0 to 1; a picture that is exact is left alone.
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
        If an argument is not what it should be.
    """
    strength = check_dither(dither)
    task, pixels = prepare(
        pixels, k, random_state=random_state, space=space, keep=keep, codebook=codebook, palette=palette
    )
    if strength and task.kind.dtype == "int32":
        raise ValueError("dither is for colours; a picture of mode I holds labels or measurements")
    counted = histogram(pixels)
    return label(task, counted, *find_codebook(task, counted.tally, task.k), strength)


class Task(NamedTuple):
    """What is to be found for a picture: its kind, and the options that were given, checked."""

    kind: Kind
    space: str
    seed: int
    k: int  # most entries
    given: bool  # whether k was
    kept: Array  # packed, in ascending order
    fixed: Array | None  # the entries, where a codebook is given
    opaque: bool = False  # whether that has no alpha


def prepare(
    pixels: Array,
    k: int | None = None,
    *,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[Colour] | None = None,
    codebook: Array | None = None,
    palette: bool = False,
) -> tuple[Task, Array]:
    """Check the arguments of `quantize`; return them, and the pixels, shape (height, width, channels)."""
    pixels = np.asarray(pixels)
    kind = kind_of(pixels.shape, pixels.dtype)
    task = plan(
        kind, k, random_state=random_state, space=space, keep=keep, codebook=codebook, palette=palette
    )
    return task, fit(task, pixels)


def plan(
    kind: Kind,
    k: int | None = None,
    *,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[Colour] | None = None,
    codebook: Array | None = None,
    palette: bool = False,
) -> Task:
    """Check the arguments of `quantize`, for pixels that are not there yet; `fit` is for these."""
    seed = check_random_state(random_state)
    check_space(space)
    _check_space_of(kind, space)
    if codebook is not None:
        if k is not None:
            raise ValueError(f"k={k!r} and codebook contradict each other: a codebook has its own k")
        if keep is not None:
            raise ValueError("keep and codebook contradict each other: put the colours in the codebook")
        given = _check_codebook(codebook, kind)
        opaque = not colours.has_alpha(plain_kind(kind.dtype, given.shape[1]))
        kind, entries = _meet(kind, given, palette)
        return Task(kind, space, seed, len(entries), True, np.empty(0, np.uint32), entries, opaque)
    kind = Kind("P", kind.dtype, kind.channels) if palette else kind
    return _free_task(kind, k, seed, space, keep)


def fit(task: Task, pixels: Array) -> Array:
    """Check pixels of the kind that a task was planned for; return them as it has them.

    Parameters
    ----------
    task : Task
    pixels : ndarray
        As for `quantize`: the whole picture, or a part of it.

    Returns
    -------
    ndarray, shape (height, width, channels)

    Raises
    ------
    ValueError
        If values are beyond the range of int32, or transparent where the codebook has no alpha.
    """
    kind, pixels = check_pixels(pixels)
    if task.opaque and colours.has_alpha(kind) and (pixels[..., -1] < 255).any():
        raise ValueError(
            "codebook has no alpha, but the picture has transparent pixels: add an entry for them"
        )
    return colours.widen(pixels, task.kind.channels)


def _free_task(kind: Kind, k: int | None, seed: int, space: str, keep: Iterable[Colour] | None) -> Task:
    """Return the task of finding a codebook, with the options k and keep checked."""
    count = min(check_k(k, kind.mode), 256 if kind.mode == "P" else MAX_K)
    return Task(kind, space, seed, count, k is not None, _check_keep(keep, kind, count), None)


def distinct_colours(pixels: Array) -> Array:
    """Return the colours of a picture in ascending order, shape (n, channels), if they make a codebook."""
    kind, pixels = check_pixels(pixels)
    found = histogram(pixels).tally.colours
    if len(found) > MAX_K:
        raise ValueError(f"an image used as codebook has at most {MAX_K} distinct colours, not {len(found)}")
    return colours.unpack(found, kind)


def missing_colours(entries: Array, keep: Iterable[Colour] | None, k: int) -> Array:
    """Return the colours of the option keep that are not among entries of 3 or 4 channels."""
    kind = Kind("P", "uint8", entries.shape[1])
    kept = _check_keep(keep, kind, k)
    return colours.unpack(np.setdiff1d(kept, colours.pack(entries)), kind)


# --- Options ------------------------------------------------------------------------------------


def check_k(k: object, mode: str) -> int:
    """Return the number of colours that the option k asks for, or the default for a mode."""
    if k is None:
        return MAX_K if mode.startswith("I") else DEFAULT_K
    count = as_int(k)
    if count is None or isinstance(k, bool):
        raise TypeError(f"k must be an int, not {k!r}")
    if not 1 <= count <= MAX_K:
        raise ValueError(f"k must be from 1 to {MAX_K}, not {count}")
    return count


def check_random_state(random_state: object) -> int:
    """Return the seed that the option random_state gives."""
    seed = as_int(random_state)
    if seed is None:
        raise TypeError(f"random_state must be an int, not {random_state!r}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"random_state must be from 0 to {2**32 - 1}, not {seed}")
    return seed


def check_space(space: object) -> None:
    """Raise unless the option space names a colour space."""
    if space not in colours.SPACES:
        raise ValueError(f"space must be one of {', '.join(map(repr, colours.SPACES))}, not {space!r}")


def check_dither(dither: object) -> int:
    """Return the strength of dithering that the option dither gives, up to `_core.FULL_STRENGTH`."""
    strength = as_float(dither)
    if strength is None:
        raise TypeError(f"dither must be a float from 0 to 1, not {dither!r}")
    if not 0 <= strength <= 1:
        raise ValueError(f"dither must be from 0 to 1, not {dither!r}")
    return round(strength * _core.FULL_STRENGTH)


def as_float(value: object) -> float | None:
    """Return what is a number as float; NumPy's arrays only look like one."""
    try:
        return float(value) if isinstance(value, SupportsFloat) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _check_keep(keep: Iterable[Colour] | None, kind: Kind, count: int) -> Array:
    """Return the colours that the option keep gives, packed, in ascending order."""
    if keep is None:
        keep = []
    if isinstance(keep, (str, bytes, bytearray)) or not isinstance(keep, Iterable):
        raise TypeError(f"keep must be a list of colours, not {keep!r}")
    rows = [_check_colour(colour, kind) for colour in keep]
    kept: Array = np.unique(colours.pack(np.array(rows, kind.dtype).reshape(-1, kind.channels)))
    if len(kept) > count:
        raise ValueError(f"keep must have at most k={count} colours, not {len(kept)}")
    return kept


def _check_colour(colour: object, kind: Kind) -> list[int]:
    """Return a colour's channels in a kind of picture that can hold it exactly."""
    if kind.channels > 2 and as_int(colour) is not None:
        raise TypeError(f"keep must be a list of colours, each a sequence of ints; it has {colour!r}")
    given = list(colour) if isinstance(colour, Iterable) else [colour]
    values = [value for value in map(as_int, given) if value is not None]
    if len(values) < len(given):
        raise TypeError(
            f"keep must be a list of colours, each an int or a sequence of ints; it has {colour!r}"
        )
    limits = np.iinfo(kind.dtype)
    if 1 <= len(values) <= 4 and all(limits.min <= value <= limits.max for value in values):
        if kind.dtype != "uint8":
            if len(values) == 1:
                return values
        elif kind.mode != "1" or values[0] in (0, 255):
            rgba = colours.widen(np.array([values], np.uint8), 4)
            entry = rgba[:, colours.CHANNELS_OF_RGBA[kind.channels]]
            if np.array_equal(colours.widen(entry, 4), rgba):
                channels: list[int] = entry[0].tolist()
                return channels
    raise ValueError(f"keep has {colour!r}, which a picture of mode {kind.mode} cannot hold")


def _check_space_of(kind: Kind, space: str) -> None:
    """Raise if a space of colours is given for a picture that has none."""
    if kind.dtype != "uint8" and space != "srgb":
        raise ValueError(f"space={space!r} is for colours; a picture of mode {kind.mode} holds integers")


def _check_codebook(codebook: Array, kind: Kind) -> Array:
    """Return the entries that the option codebook gives, shape (k, channels), for a kind of picture."""
    entries = np.asarray(codebook)
    if entries.ndim == 1:
        entries = entries[:, None]
    if entries.ndim != 2 or not entries.size or entries.shape[1] > 4:
        raise ValueError(f"codebook must have shape (k, 1 to 4), not {np.shape(codebook)}")
    if entries.dtype.kind not in "ui":
        raise TypeError(f"codebook must be integers, not {entries.dtype}")
    limits = np.iinfo(kind.dtype)
    if int(entries.min()) < limits.min or int(entries.max()) > limits.max:
        raise ValueError(
            f"codebook must be from {limits.min} to {limits.max} for a picture of mode {kind.mode}"
        )
    if kind.dtype != "uint8" and entries.shape[1] != 1:
        raise ValueError(f"codebook has {entries.shape[1]} channels; a picture of mode {kind.mode} has one")
    if np.ndim(codebook) == 1 and kind.channels > 1:
        raise ValueError(
            f"codebook must have shape (k, channels) for a picture of mode {kind.mode}, not"
            f" {np.shape(codebook)}: [[r, g, b]] is one colour, [[0], [255]] are two greys"
        )
    return _without_equals(np.ascontiguousarray(entries, kind.dtype))


def _without_equals(entries: Array) -> Array:
    """Leave out entries that are equal to an earlier one, as no pixel would get them."""
    _, first = np.unique(entries, axis=0, return_index=True)
    return entries[np.sort(first)]


def kind_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Kind:
    """Return the kind of picture that an array of a shape and dtype is."""
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] > 4):
        raise ValueError(
            f"pixels must have shape (height, width) or (height, width, 1 to 4), none 0, not {shape}"
        )
    channels = shape[2] if len(shape) == 3 else 1
    if dtype.kind == "b" and channels == 1:
        return KINDS[0]
    if dtype.kind not in "ui" or (channels > 1 and dtype != np.uint8):
        raise TypeError(
            "pixels must be bool, uint8 (1 to 4 channels) or integers (one channel),"
            f" not {dtype} with {channels}"
        )
    stored = dtype.newbyteorder("=") if dtype.newbyteorder("=") in _STORED else np.dtype(np.int32)
    return plain_kind(stored.name, channels)


def check_pixels(pixels: Array) -> tuple[Kind, Array]:
    """Return the kind of picture an array is, and the array as (height, width, channels) of that kind."""
    pixels = np.asarray(pixels)
    kind = kind_of(pixels.shape, pixels.dtype)
    pixels = pixels.reshape(*pixels.shape[:2], kind.channels)
    if kind.mode == "1":
        return kind, np.ascontiguousarray(pixels) * np.uint8(255)
    limits = np.iinfo(kind.dtype)
    if not np.can_cast(pixels.dtype, kind.dtype) and (
        int(pixels.min()) < limits.min or int(pixels.max()) > limits.max
    ):
        raise ValueError(f"pixels must be from {limits.min} to {limits.max}, the range of {kind.dtype}")
    return kind, np.ascontiguousarray(pixels, kind.dtype)


def _meet(kind: Kind, entries: Array, palette: bool) -> tuple[Kind, Array]:
    """Return the kind of picture that pixels of a kind and a codebook make, and its entries in that."""
    own = plain_kind("uint8", entries.shape[1])
    bilevel = (
        kind.mode == "1" and entries.shape[1] == 1 and set(entries.flat) <= {0, 255} and len(entries) <= 2
    )
    if kind.dtype == "uint8" and not bilevel:
        kind = common_kind([kind, own])
        entries = colours.widen(entries, kind.channels)
    kind = Kind("P", kind.dtype, kind.channels) if palette else kind
    if len(entries) > kind.max_k:
        raise ValueError(
            f"codebook has {len(entries)} entries; a picture of mode {kind.mode} has at most {kind.max_k}"
        )
    return kind, entries


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
    cloud: Cloud, k: int, find_centres: FindCentres, whole: Array, kind: Kind, space: str
) -> Array:
    """Find centres such that opaque colours, the whole ones, have opaque entries.

    One entry alone is opaque unless something is clear, which it cannot be at the same time.
    """
    centres = find_centres(cloud, k)
    alone = k == 1 and not len(cloud.anchors)
    if not whole.any() or (alone and not cloud.points[:, -1].all()):
        return centres
    extent = colours.opaque_extent(kind, space)
    starts = [centres]
    if len(cloud.points) <= FEW_COLOURS:  # once more with opaque colours far from the others
        starts.append(apart(cloud, whole, extent, lambda far: find_centres(far, k)))
    return settle(cloud, starts, whole, extent)


def _spend_unused(
    entries: Array, kept: Array, visible: Array, points: Array, weights: Array, k: int, kind: Kind, space: str
) -> Array:
    """Replace entries that no colour is nearest to, and add missing ones: spend them on the worst errors.

    Rounding may have made entries equal, or taken all colours from one. Each round adds colours that
    had an error, so the total falls, and this ends. Fewer than k are left where colours look alike.
    """
    while True:
        targets = _points(entries, kind, space)
        whole = colours.is_opaque(visible, kind), colours.is_opaque(entries, kind)
        numbers = nearest_alike(points, targets, *whole)
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
    targets, whole = colours.coordinates(entries, kind, space), colours.is_opaque(packed, kind)
    blocks = (found[start : start + _MOST_COLOURS] for start in range(0, len(found), _MOST_COLOURS))
    numbers = np.concatenate(
        [
            nearest_alike(_points(block, kind, space), targets, colours.is_opaque(block, kind), whole)
            for block in blocks
        ]
    )
    # Equal colours first, as clear ones look alike.
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


def _points(packed: Array, kind: Kind, space: str) -> Array:
    return colours.coordinates(colours.unpack(packed, kind), kind, space)
