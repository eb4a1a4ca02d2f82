"""A picture whose labels are to be chosen by error and size together, and codebooks and labels for it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._format.grid import Grid
from .._format.indexed import Array, Kind
from .._options.options import SaveOptions
from .._pixels import colours
from . import kmeans
from .tasks import Task

# Of a larger picture, numbers of colours are tried on about so many pixels, which come in so many strips.
_TRIAL_PIXELS, _STRIPS = 2**18, 8
# The `max_error` where a quality is given, in 8-bit units. A rare but striking colour does not vanish, and
# files are no larger (tests/benchmarks/NOTES.md).
_QUALITY_ERROR = 32.0
# The squared distance that stands for no bound: far above all that occur, and far below what int64 holds.
NO_BOUND = 2**62


class Scene(NamedTuple):
    """A picture as the colour of each pixel, and how it will be coded."""

    task: Task
    found: Array  # (n,) the colours, packed
    points: Array  # (n, 4) int32, their coordinates
    opaque: Array  # (n,) uint8: 1 where they are opaque, and stay so
    numbers: Array  # (height, width) uint32: which colour each pixel has
    unit: float  # squared distance that is a squared error of 1, in 8-bit units
    bound: int  # the largest squared distance that a pixel may have from its entry
    max_error: float | None  # the option; where it is None, the bound yields to the number of colours
    grid: Grid  # the tiles in which labels are chosen
    threads: int


class Book(NamedTuple):
    """A codebook for a scene."""

    entries: Array  # (k, channels)
    fixed: Array  # (k,) bool: those that stay as they are
    nearest: Array  # (n,) which entry is nearest to each colour
    pinned: Array  # (n,) bool: colours that have just that label


class Fit(NamedTuple):
    """Labels for a scene, with the codebook that fits them."""

    book: Book
    labels: Array
    length: float  # in bytes, of the coded labels, about


def refuse_integers(kind: Kind, given: bool, options: SaveOptions) -> None:
    """Raise for integers that are no colours: those of 32 bits, and those of 16 bits unless k is given."""
    name = next(iter(options.weighed))
    if kind.dtype == "int32":
        raise ValueError(
            f"{name} is for colours; a picture of mode I holds labels or measurements:"
            " give k alone, or convert it to I;16 or L"
        )
    if kind.dtype == "uint16" and not given:
        raise ValueError(
            f"{name} is for colours; a picture of mode I;16 holds labels or"
            " measurements: give k too if fewer of them will do"
        )


def scene_of(task: Task, found: Array, numbers: Array, options: SaveOptions) -> Scene:
    """Return the scene of a picture: of its packed colours, and of which of them each pixel has."""
    kind = task.kind
    height, width = numbers.shape
    layout = options.layout((width, height))
    points = coordinates(colours.unpack(found, kind), task)
    unit = colours.squared_unit(kind, task.space)
    error = options.max_error
    if error is None and options.quality is not None and options.quality < 100:
        error = _QUALITY_ERROR
    channels = kind.channels - colours.has_alpha(kind)
    bound = NO_BOUND if error is None else int(error**2 * channels * unit)
    opaque = colours.is_opaque(found, kind).astype(np.uint8)
    return Scene(
        task, found, points, opaque, numbers, unit, bound, options.max_error, layout.grid, layout.threads
    )


def are_opaque(scene: Scene, entries: Array) -> Array | None:
    """Return 1 for each entry that is opaque and 0 for others; None where there are no opaque ones."""
    opaque = colours.is_opaque(colours.pack(entries), scene.task.kind)
    return opaque.astype(np.uint8) if opaque.any() else None


def coordinates(entries: Array, task: Task) -> Array:
    """Return coordinates in as many dimensions as the compiled core has."""
    own = colours.coordinates(entries, task.kind, task.space)
    padded = np.zeros((len(own), 4), np.int32)
    padded[:, : own.shape[1]] = own
    return padded


def sample_of(scene: Scene) -> Scene:
    """Take strips of a large picture."""
    height, width = scene.numbers.shape
    if height * width <= _TRIAL_PIXELS:
        return scene
    strips = min(_STRIPS, height)
    wide = min(width, 1024)
    high = max(_TRIAL_PIXELS // (strips * wide), 1)
    parts = []
    for n in range(strips):
        top = (2 * n + 1) * height // (2 * strips) - high // 2
        top = min(max(top, 0), max(height - high, 0))
        left = (width - wide) * n // max(strips - 1, 1)
        parts.append(scene.numbers[top : top + high, left : left + wide])
    numbers = np.concatenate(parts)
    return scene._replace(
        numbers=numbers, grid=Grid(numbers.shape[1], numbers.shape[0], numbers.shape[1], numbers.shape[0])
    )


def book_of(scene: Scene, entries: Array, kept: Array, fixed: bool = False) -> Book:
    """Return a codebook for a scene. Kept colours, given packed, stay as they are; if it is fixed, all do."""
    nearest, _ = kmeans.nearest_entries(scene.task, scene.found, entries)
    pinned, stay = np.isin(scene.found, kept), np.isin(colours.pack(entries), kept) | fixed
    if colours.has_alpha(scene.task.kind):  # clear areas stay clear
        pinned |= colours.is_clear(scene.found) & (entries[nearest, -1] == 0)
        stay |= entries[:, -1] == 0
    return Book(entries, stay, nearest.astype(np.int32), pinned)
