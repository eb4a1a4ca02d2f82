"""What save options ask for, for a picture of some kind; what depends on that kind is checked here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._format.indexed import MAX_K, Array, Kind, as_int, plain_kind
from .._options.options import DEFAULT_K, SaveOptions
from .._pixels import colours
from .._pixels.kinds import check_pixels, kind_of
from .._pixels.tally import common_kind


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


def prepare(pixels: Array, options: SaveOptions, *, palette: bool = False) -> tuple[Task, Array]:
    """Return the task that options make of pixels, and the pixels, shape (height, width, channels)."""
    pixels = np.asarray(pixels)
    task = task_for(kind_of(pixels.shape, pixels.dtype), options, palette=palette)
    return task, suited(task, pixels)


def task_for(kind: Kind, options: SaveOptions, *, palette: bool = False) -> Task:
    """Return the task that options make of a kind of picture; `suited` checks its pixels.

    Raises
    ------
    TypeError, ValueError
        If such a picture cannot have the space, the colours of `keep`, or the codebook.
    """
    space, seed = options.space, options.random_state
    if kind.dtype != "uint8" and space != "srgb":
        raise ValueError(f"space={space!r} is for colours; a picture of mode {kind.mode} holds integers")
    if options.codebook is not None:
        given = _entries_of(options.codebook, kind)
        opaque = not colours.has_alpha(plain_kind(kind.dtype, given.shape[1]))
        kind, entries = _meet(kind, given, palette)
        return Task(kind, space, seed, len(entries), True, np.empty(0, np.uint32), entries, opaque)
    kind = Kind("P", kind.dtype, kind.channels) if palette else kind
    k = min(most_colours(options.k, kind), 256 if kind.mode == "P" else MAX_K)
    return Task(kind, space, seed, k, options.k is not None, _kept(options.keep, kind, k), None)


def strength_of(options: SaveOptions) -> int:
    """Return the strength of dithering, up to `_core.FULL_STRENGTH`."""
    return round(options.dither * _core.FULL_STRENGTH)


def most_colours(k: int | None, kind: Kind) -> int:
    """Return the number of colours that the option k asks for, or what there is without."""
    if k is None:
        return DEFAULT_K if kind.dtype == "uint8" else MAX_K
    return k


def suited(task: Task, pixels: Array) -> Array:
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


def missing_colours(entries: Array, keep: tuple[Any, ...] | None, k: int) -> Array:
    """Return the colours of the option keep that are not among entries of 3 or 4 channels."""
    kind = Kind("P", "uint8", entries.shape[1])
    kept = _kept(keep, kind, k)
    return colours.unpack(np.setdiff1d(kept, colours.pack(entries)), kind)


def _kept(keep: tuple[Any, ...] | None, kind: Kind, count: int) -> Array:
    """Return the colours of the option keep, packed, in ascending order."""
    rows = [_check_colour(colour, kind) for colour in keep or ()]
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


def _entries_of(codebook: Array, kind: Kind) -> Array:
    """Return the entries of the option codebook, shape (k, channels), for a kind of picture."""
    entries = codebook[:, None] if codebook.ndim == 1 else codebook
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
