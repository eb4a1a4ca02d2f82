"""The labels of a tile in one frame after another: FORMAT.md, "Frames"."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from .. import _core
from ..errors import FormatError
from .container import Tile
from .indexed import Array, label_dtype
from .labels import (
    LABELS_FOLLOWING,
    LEARNING,
    Order,
    decode_labels,
    decode_learning,
    encode_labels,
    learns,
    options_of,
)

# In place of a label coding: the tile is as in the frame that this one goes on from.
UNCHANGED = -1
# What of the options is alike in all frames that follow one another.
_LASTING = LEARNING | _core.DRAWN_RICH
# The options of frames, by effort.
_OPTIONS = {1: LEARNING, 2: LEARNING | _core.DRAWN_RICH}
# So many frames of a tile are coded with still zones and without; those after them in the better way.
_TRIED = 8
# If more than this share of a tile's labels changed, it is coded as if nothing came before, too.
_MUCH = 0.5
# A tile that others follow may be so many times larger, if these go on from what was learnt in it.
_LEARNING_WORTH = 1.1


class TileCoder:
    """Codes a tile in frame after frame, each of which goes on from the one before.

    Parameters
    ----------
    k : int
    order : callable
        Returns the coding order of the codebook.
    effort : int
    learns : bool
        Whether what is learnt in a frame goes on, and not only its labels.
    """

    def __init__(self, k: int, order: Callable[[], Order], effort: int, learns: bool) -> None:
        self._k, self._order, self._effort, self._learns = k, order, effort, learns
        self._before: Array | None = None
        self._frames: object = None  # what the compiled core has learnt so far
        self._tried, self._saved = 0, 0  # frames with still zones, and the bytes that these have saved

    def copy(self) -> TileCoder:
        """Return a coder that goes on from here, independently."""
        other = copy.copy(self)
        other._frames = None if self._frames is None else _core.copy_frames(self._frames)
        return other

    def encode(self, labels: Array) -> tuple[int, bytes]:
        """Code the labels of the next frame, shape (height, width); no bytes say that all is as it was."""
        before, self._before = self._before, labels
        if before is not None and np.array_equal(before, labels):
            return UNCHANGED, b""
        if not self._effort:
            return encode_labels(labels, self._k, self._order, self._effort, 1)
        numbers = self._order().numbers.take(labels)
        if before is not None and self._frames is None:
            self._frames = self._open(numbers, self._order().numbers.take(before))
        if before is None or np.mean(before != labels) > _MUCH:
            coded = self._begin(labels, numbers, before)
        else:
            coded = LABELS_FOLLOWING, self._follow(numbers)
        if not self._learns:
            self._frames = None
        return coded

    def _begin(self, labels: Array, numbers: Array, before: Array | None) -> tuple[int, bytes]:
        """Code labels in the way that takes the fewest bytes, with and without what came before."""
        alone = encode_labels(labels, self._k, self._order, self._effort, 1)
        frames = self._open(numbers, None)
        learning = _core.DRAWN, self._go_on(frames, numbers, 0)
        if len(learning[1]) > _LEARNING_WORTH * len(alone[1]) or not self._learns:
            frames, learning = None, alone
        if before is not None:
            again = _core.copy_frames(self._frames)
            following = LABELS_FOLLOWING, self._go_on(again, numbers, 0)
            if len(following[1]) <= len(learning[1]):
                frames, learning = again, following
        self._frames = frames
        return learning

    def _open(self, numbers: Array, reference: Array | None) -> object:
        height, width = numbers.shape
        frames = _core.open_frames(width, height, self._order().colours, _OPTIONS[self._effort])
        if reference is not None:
            _core.begin_after(frames, reference)
        return frames

    def _follow(self, numbers: Array) -> bytes:
        """Code labels of which many are as in the frame before."""
        if self._tried == _TRIED:
            return self._go_on(self._frames, numbers, _core.DRAWN_STILL if self._saved > 0 else 0)
        other = _core.copy_frames(self._frames)
        plain = self._go_on(self._frames, numbers, 0)
        still = self._go_on(other, numbers, _core.DRAWN_STILL)
        self._tried, self._saved = self._tried + 1, self._saved + len(plain) - len(still)
        if len(plain) <= len(still):
            return plain
        self._frames = other
        return still

    def _go_on(self, frames: object, numbers: Array, more: int) -> bytes:
        options = _OPTIONS[self._effort] | more
        coded = _core.encode_frame(frames, numbers, options, 4 * numbers.size + 64)
        assert coded is not None  # as there is room for anything
        return bytes([options]) + coded


class TileDecoder:
    """Decodes what a `TileCoder` coded.

    Parameters
    ----------
    k, order, learns
        As for that.
    """

    def __init__(self, k: int, order: Callable[[], Order], learns: bool) -> None:
        self._k, self._order, self._learns = k, order, learns
        self.labels: Array | None = None  # of the last frame, shape (height, width); the next overwrites them
        self._frames: object = None
        self._options = 0  # of the frames

    def copy(self) -> TileDecoder:
        """Return a decoder that goes on from here, independently."""
        other = copy.copy(self)
        other.labels = None if self.labels is None else self.labels.copy()
        other._frames = None if self._frames is None else _core.copy_frames(self._frames)
        return other

    def decode(self, tile: Tile) -> None:
        """Decode the next frame."""
        if tile.error:
            raise tile.error
        if tile.coding in (LABELS_FOLLOWING, UNCHANGED):
            if self.labels is None:
                raise FormatError("frame-key", f"{tile.name} goes on, but nothing comes before")
            if tile.coding == LABELS_FOLLOWING:
                self._go_on(tile, self.labels)
        elif learns(tile):
            self._frames = None
            self._go_on(tile, np.empty(tile.box.shape, label_dtype(self._k)))
        else:
            labels = decode_labels(tile, self._k, self._order)
            self.labels, self._frames = np.require(labels, requirements="W"), None

    def _go_on(self, tile: Tile, labels: Array) -> None:
        """Decode labels into those of the frame before, or into new ones, from which nothing is taken."""
        options, order = options_of(tile), self._order()
        if self._frames is None:
            height, width = tile.box.shape
            self._frames = _core.open_frames(width, height, order.colours, options)
            if labels is self.labels:
                _core.begin_after(self._frames, order.numbers.take(labels))
            self._options = options
        if (options ^ self._options) & _LASTING:
            raise FormatError("labels-model", f"{tile.name} does not go on as it began")
        self.labels = None  # until the new ones are there
        decode_learning(tile, self._frames, labels, order)
        self.labels = labels
        if not self._learns:
            self._frames = None
