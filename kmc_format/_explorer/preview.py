"""Previews of what saving with a k, `rdo` or `dither` gives, made quickly enough for a slider that moves.

The colours are counted and clustered once; each step starts from that. So the codebook is up to a few
per cent worse than the one that saving finds, and of large pictures only the middle is coded.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .. import metrics
from .._format import codec
from .._format.grid import Box, Grid
from .._format.indexed import Array, Indexed
from .._format.labels import estimate_labels
from .._format.threads import check_threads, map_tiles
from .._options.options import DEFAULTS, SaveOptions, check_names
from .._pixels import convert, tally
from .._quantize import kmeans, rate, tasks
from . import quick_codebooks

# The right end of the slider for k, which is the number of colours.
MOST_K = 256

# Pictures of up to so many pixels are previewed as a whole.
_WHOLE_PIXELS = 2**20
# Of a larger picture so many pixels in the middle are previewed, and the colours of so many are counted,
# which come from all over.
_MIDDLE_PIXELS, _SAMPLE_PIXELS = 2**19, 2**19
# Up to so many colours, labels are coded to know the length of the file; with more it is estimated.
_QUICK_K = 32
# A picture is dithered, or its labels are chosen, in so many bands at most, each in a thread. Each band
# starts anew, so more of them would show.
_MOST_BANDS = 2
# Threads are used from so many pixels on: to start them takes about as long as the work at fewer pixels.
_THREAD_PIXELS = 2**16


class Step(NamedTuple):
    """One setting of the sliders, previewed."""

    indexed: Indexed  # what is seen, or of a large picture its middle
    length: int  # bytes of the whole file, about
    psnr: float  # of what is seen, as `psnr` has it


class Preview:
    """Previews of a picture with fewer colours.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or path
        As for `kmc_format.quantize`; one with a palette is previewed by its colours.

    Attributes
    ----------
    partial : bool
        Whether the picture is so large that only its middle is previewed.
    part : tuple of slice
        The rows and columns that are seen: all, or of a large picture the middle.
    pixels : ndarray, shape (height, width, channels)
        The pixels in `part`.
    weighable : bool
        Whether `rdo` and `dither` may be used: they are not for 32-bit integers.
    size : tuple of int
        Width and height of the whole picture.
    most : int
        The most colours that make a difference, up to 256.

    Raises
    ------
    TypeError, ValueError
        If it is not a picture.

    Examples
    --------
    >>> import numpy as np
    >>> preview = Preview(np.arange(256, dtype=np.uint8).reshape(16, 16))
    >>> step = preview.step(16)
    >>> step.indexed.k, round(step.psnr, 1)
    (16, 34.8)
    """

    def __init__(self, picture: object) -> None:
        task, whole = tasks.prepare(convert.pixels_of(picture), SaveOptions(k=MOST_K))
        height, width = whole.shape[:2]
        self.size = width, height
        self.partial = width * height > _WHOLE_PIXELS
        self.part = _middle(width, height) if self.partial else np.s_[:height, :width]
        self.pixels = whole[self.part]
        self._histogram = counted = _histogram(self.pixels)
        if self.partial:
            # Every second pixel of every second row, every third, ...
            step = math.ceil(math.sqrt(width * height / _SAMPLE_PIXELS))
            counted = _histogram(whole[::step, ::step])
            if len(counted.tally.colours) < MOST_K:  # lest one is missed
                counted = _histogram(whole)
        self.weighable = task.kind.dtype != "int32"
        height, width = self._histogram.numbers.shape
        self._threads = check_threads(None)
        self._bands = Grid(width, height, width, -(-height // min(self._threads, _MOST_BANDS)))
        self._task = task
        self._codebooks = quick_codebooks.Codebooks(task, counted.tally)
        self.most = min(MOST_K, len(counted.tally.colours))

    def step(self, k: int, **options: float) -> Step:
        """Preview the picture that saving with these options gives.

        Parameters
        ----------
        k : int
            1 to 256.
        **options
            `rdo` or `dither`, as for `kmc_format.quantize`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what it should be.
        """
        check_names("step", options, ("k",), ("rdo", "dither"))
        self.check_k(k)
        asked = SaveOptions.of(options)
        entries, kept = self._codebooks.find(k)
        if asked.rdo:
            asked = replace(asked, tile=(self._bands.tile_width, self._bands.tile_height))
            indexed, _ = rate.estimate(self._task, self._histogram, entries, kept, asked)
        else:
            indexed = self._labelled(entries, kept, tasks.strength_of(asked))
        scale = self.size[0] * self.size[1] / self._histogram.numbers.size
        return Step(indexed, round(self._length(indexed) * scale), psnr(self.pixels, indexed.expand()))

    def check_k(self, k: int) -> None:
        """Raise unless there are previews of k colours."""
        if (SaveOptions.of({"k": k}).k or 0) > MOST_K:
            raise ValueError(f"k must be from 1 to {MOST_K} in a preview, not {k}")

    def _length(self, indexed: Indexed) -> float:
        """Return how many bytes a file has: exactly, or about where coding would take too long."""
        if self._histogram.numbers.size < _THREAD_PIXELS or indexed.k <= _QUICK_K:
            return self._exactly(indexed)
        return estimate_labels(indexed, DEFAULTS.effort, self._threads) + self._front(indexed)

    def _exactly(self, indexed: Indexed) -> int:
        return len(codec.encode(indexed, DEFAULTS.layout(indexed.size)))

    def _front(self, indexed: Indexed) -> int:
        """Return how many bytes a file has beside the labels."""
        return self._exactly(Indexed(indexed.codebook, np.zeros((1, 1), int), indexed.mode))

    def _labelled(self, entries: Array, kept: Array, strength: int) -> Indexed:
        """Label the picture as `kmeans.label` does; dithering starts anew in each band."""
        if not strength:
            return kmeans.label(self._task, self._histogram, entries, kept)

        def label(box: Box) -> Array:
            band = self._histogram._replace(numbers=self._histogram.numbers[box.upper : box.lower])
            return kmeans.label(self._task, band, entries, kept, strength).labels

        labels = map_tiles(label, self._bands, self._bands, self._threads, _THREAD_PIXELS)
        return Indexed(entries, np.concatenate(labels), self._task.kind.mode)


def psnr(one: metrics.Picture, other: metrics.Picture) -> float:
    """Return `metrics.psnr`; of 32-bit integers, which have none, infinity if they are equal, or else NaN."""
    try:
        return metrics.psnr(one, other)
    except TypeError:
        return math.nan if metrics.mse(one, other) else math.inf


def _histogram(pixels: Array) -> tally.Histogram:
    return tally.histogram(np.ascontiguousarray(pixels))


def _middle(width: int, height: int) -> tuple[slice, slice]:
    """Return the rows and columns in the middle that have the number of pixels to preview."""
    wide = min(width, max(math.isqrt(_MIDDLE_PIXELS * width // height), 1))
    high = min(height, max(_MIDDLE_PIXELS // wide, 1))
    wide = min(width, _MIDDLE_PIXELS // high)
    left, top = (width - wide) // 2, (height - high) // 2
    return np.s_[top : top + high, left : left + wide]
