"""The fewest bytes: labels and codebook chosen by error and size together.

Where `kmeans` gives each pixel the nearest entry, this gives it the one for which squared error plus
`rdo` times bits is least, by the statistics of the coder itself, and fits the codebook to the result
(`fitting`). Many colours that are seldom changed take fewer bytes than few colours, so the options
`quality` and `max_bytes` search for the number of colours as well (the modules `quality` and `budget`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from .._format.indexed import Array, Indexed
from .._options.options import DEFAULT_K, SaveOptions
from .._pixels import colours, tally
from . import budget, kmeans, quality
from .fitting import minimise, picture_of
from .scene import Book, Fit, book_of, refuse_integers, scene_of
from .search import SEARCH_ROUNDS, Search, Size
from .tasks import Task, prepare

# How often labels are chosen, and the codebook is fitted to them, where the number of colours is given.
_ROUNDS = 3


def quantize(
    pixels: Array, options: SaveOptions, size: Size | None = None, *, palette: bool = False
) -> tuple[Indexed, float]:
    """Reduce pixels as those of `SaveOptions.weighed` ask.

    Parameters
    ----------
    pixels, options, palette
        As for `kmeans.quantize`; k is an upper limit where a quality or a size is given.
    size : callable
        Tells how many bytes the file has; needed for `quality` and `max_bytes`.

    Returns
    -------
    Indexed, float
        The picture, and the `rdo` that was used.

    Raises
    ------
    TypeError, ValueError
        If the pixels are no picture, or one that the options are not for, or these are out of reach.
    """
    task, pixels = prepare(pixels, options, palette=palette)
    refuse_integers(task.kind, task.given, options)
    if options.searching:
        task = task._replace(k=task.k if task.given else task.kind.max_k, given=True)
    histogram = tally.histogram(pixels)
    scene = scene_of(task, histogram.tally.colours[histogram.rank], histogram.numbers, options)

    def find(k: int) -> Book:
        entries, kept = kmeans.find_codebook(task, histogram.tally, k, rough=options.searching)
        return book_of(scene, entries, kept, task.fixed is not None or task.kind.mode == "1")

    def picture(fit: Fit) -> Indexed:
        return picture_of(scene, fit)

    search = Search(scene, find, picture, SEARCH_ROUNDS if options.searching else _ROUNDS, size)
    if options.quality is None:
        return _within(search, options, options.rdo)

    def plain(k: int) -> Indexed:
        return kmeans.label(task, histogram, *kmeans.find_codebook(task, histogram.tally, k))

    distinct = len(histogram.tally.colours)
    exact = plain(distinct) if distinct <= task.k else None
    return _of_quality(search, options, functools.partial(plain, min(DEFAULT_K, task.k)), exact)


def estimate(
    task: Task,
    histogram: tally.Histogram,
    entries: Array,
    kept: Array,
    options: SaveOptions,
) -> tuple[Indexed, float]:
    """Choose labels, and fit a codebook to them, in one round: for a preview of what `quantize` gives.

    Parameters
    ----------
    task, histogram
        As for `kmeans.find_codebook`.
    entries, kept
        What that returned.
    options : SaveOptions
        With an `rdo` above 0.

    Returns
    -------
    Indexed, float
        The picture, and how many bytes its labels take, about.
    """
    refuse_integers(task.kind, True, options)
    scene = scene_of(task, histogram.tally.colours[histogram.rank], histogram.numbers, options)
    book = book_of(scene, entries, kept, task.fixed is not None or task.kind.mode == "1")
    fit = minimise(scene, book, options.rdo, 1)
    return picture_of(scene, fit), fit.length


def relabel(indexed: Indexed, seen: Array, options: SaveOptions, size: Size) -> tuple[Indexed, float]:
    """Choose other labels for a palette image, as options ask; its palette, which looks like `seen`, stays.

    A label that looks like another one in use is left alone, as its meaning must be elsewhere.
    """
    kind = indexed.kind._replace(channels=seen.shape[1])
    none = np.empty(0, np.uint32)
    task = Task(kind, "srgb", 0, indexed.k, True, none, seen)
    found, numbers = colours.pack(seen), indexed.labels.astype(np.uint32)
    scene = scene_of(task, found, numbers, options)
    every = np.arange(indexed.k, dtype=np.int32)
    _, same, counts = np.unique(found[np.unique(numbers)], return_inverse=True, return_counts=True)
    pinned = colours.is_clear(found) if kind.channels == 4 else np.zeros(len(found), bool)
    pinned[np.unique(numbers)] |= counts[same] > 1
    book = Book(seen, np.ones(indexed.k, bool), every, pinned)

    def picture(fit: Fit) -> Indexed:
        return Indexed(indexed.codebook, fit.labels, "P")

    search = Search(scene, lambda k: book, picture, SEARCH_ROUNDS, size)
    if options.quality is None:
        return _within(search, options, options.rdo)
    return _of_quality(search, options, lambda: indexed, indexed)


def _within(search: Search, options: SaveOptions, rdo: float) -> tuple[Indexed, float]:
    """Return the best picture, within a budget if there is one, and the `rdo` it was chosen by."""
    if options.max_bytes is not None:
        return budget.choose(search, rdo, options.max_bytes)
    return search.picture(search.fit(search.ks[-1], rdo)), rdo


def _of_quality(
    search: Search, options: SaveOptions, plain: Callable[[], Indexed], exact: Indexed | None
) -> tuple[Indexed, float]:
    """Return the picture of a quality, and its `rdo`, or a worse one where that is beyond the budget."""
    assert options.quality is not None
    found = quality.choose(search, options.quality, plain, exact)
    if options.max_bytes is None or search.file_bytes(*found) <= options.max_bytes:
        return found
    return _within(search, options, quality.rdo_of(options.quality))
