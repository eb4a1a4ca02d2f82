"""One codebook for the pictures of an animation, and labels that stay where pixels do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from .._format.indexed import Array, Indexed, Kind
from .._options.options import SaveOptions
from .._pixels import colours
from .._pixels.tally import Tally, histogram
from . import kmeans, rate
from .search import Size
from .tasks import Task, strength_of, suited, task_for

# Pixels of pictures taken from all over the animation, for which a quality is searched for.
_SAMPLE_PIXELS = 2**22


class Sequencer:
    """Labels one picture after another, by the same codebook.

    What is asked for may give equal pixels different labels, by what is around them. Pixels that are as
    in the picture before keep theirs, so that nothing flickers.
    """

    def __init__(self, task: Task, entries: Array, kept: Array, options: SaveOptions) -> None:
        self._task, self._entries, self._kept = task, entries, kept
        self._strength = strength_of(options)
        self._choice = replace(
            options, k=None, keep=None, codebook=entries, quality=None, max_bytes=None, dither=0.0, given={}
        )
        self.rdo = options.rdo
        self._before: tuple[Array, Array] | None = None  # pixels and labels

    def label(self, pixels: Array) -> Indexed:
        """Return codebook and labels of the next picture, of the kind that the task is for."""
        indexed = self._label(pixels)
        if not (self._strength or self._choice.weighed):
            return indexed
        labels = indexed.labels
        if self._before is not None:
            stays = pixels == self._before[0]
            stays = stays if stays.ndim == 2 else stays.all(axis=2)
            labels = np.where(stays, self._before[1], labels)
        self._before = pixels, labels
        return Indexed(indexed.codebook, labels, indexed.mode)

    def _label(self, pixels: Array) -> Indexed:
        if self._choice.weighed:
            return rate.quantize(pixels, self._choice, palette=self._task.kind.mode == "P")[0]
        counted = histogram(suited(self._task, pixels))
        return kmeans.label(self._task, counted, self._entries, self._kept, self._strength)


def find_sequencer(
    kind: Kind, total: Tally, pictures: Callable[[], Iterable[Array]], options: SaveOptions, size: Size
) -> Sequencer:
    """Find the codebook that options ask for, for pictures whose colours are counted.

    Parameters
    ----------
    kind : Kind
        Of each picture.
    total : Tally
        The colours of all.
    pictures : callable
        Returns some of them, from all over.
    options : SaveOptions
        Without `max_bytes`.
    size : callable
        As for `rate.quantize`.
    """
    palette = kind.mode == "P"
    task = task_for(kind, options, palette=palette)
    if not options.weighed:
        return Sequencer(task, *kmeans.find_codebook(task, total, task.k), options)
    sample = _tall(pictures(), total, options.max_error is not None)
    indexed, rdo = rate.quantize(sample, options, size, palette=palette)
    entries, kept = indexed.codebook, task.kept
    if not rdo and options.codebook is None:
        exact = options.k is None and len(total.colours) <= task.kind.max_k
        entries, kept = kmeans.find_codebook(task, total, len(total.colours) if exact else indexed.k)
    return Sequencer(task, entries, kept, replace(options, rdo=rdo))


def _tall(pictures: Iterable[Array], total: Tally, with_all: bool) -> Array:
    """Put pictures below one another; with all colours in the end, so that a bound holds for them too."""
    tall = np.concatenate(list(pictures))
    if not with_all:
        return tall
    every = colours.unpack(total.colours, total.kind)
    every = np.resize(every, (-(-len(every) // tall.shape[1]), tall.shape[1], every.shape[1]))
    return np.concatenate([tall, every.reshape(-1, *tall.shape[1:])])


def sample_of(count: int, pixels: int) -> range:
    """Return the numbers of the pictures to look at, of so many with so many pixels each."""
    return range(0, count, -(-count * pixels // max(_SAMPLE_PIXELS, pixels)))
