"""Frames to a file, one after another, each with those before it as reference."""

from __future__ import annotations

import functools
import math
import struct
from typing import IO, NamedTuple

import numpy as np

from . import container
from .codec import Layout, pack_front, pack_index
from .container import pack_chunk, pack_varint
from .frames import BACK, CODEBOOK, DURATION, KEPT, KEY, MOST_DEPTH, Tiles, pack_frame
from .indexed import Array, Indexed
from .labels import coding_order
from .metadata import Metadata, pack_metadata
from .moving import TileCoder
from .threads import map_tiles

# A frame that goes back is tried as a key frame, too, from this share of the last one's bytes on.
_LIKE_A_KEY = 0.5
# It is kept, for others to go back to, if it takes so many times the bytes of the first that went back there.
_FARTHER = 1.5
# No frame is kept that takes more than so many to be decoded, so that groups do not become short.
_MOST_KEPT_DEPTH = 8


class _Kept(NamedTuple):
    """What a frame has left that others go back to."""

    coders: list[TileCoder]
    number: int
    depth: int
    first_return: float = math.inf  # bytes of the first frame that went back to it


class FrameWriter:
    """Writes a picture and the frames after it to a file, as they come.

    A group of frames goes on one from another, until the last of them takes `MOST_DEPTH` to be decoded. The
    next one goes back to a frame that was kept, at first the key frame, or becomes a key frame itself.

    Parameters
    ----------
    file : binary file object
        Only ``write`` is used.
    layout : Layout
        Of the size of the frames.
    metadata : dict
        See `codec.Header`.
    loop : int
        How many times the frames are to be shown, 0 for ever.
    """

    def __init__(self, file: IO[bytes], layout: Layout, metadata: Metadata, loop: int) -> None:
        self._file, self._layout, self._metadata, self._loop = file, layout, metadata, loop
        self._lengths: list[int] = []  # of the chunks
        self._number = -1  # of the last frame
        self._depth = 0  # how many are decoded for it, with itself
        self._duration = 0
        self._codebook: Array | None = None
        self._renewed = False  # whether that is another than the header's
        self._coders: list[TileCoder] = []
        self._kept = _Kept([], 0, 0)
        self._back = 0  # from the last frame to the one it went on from, where it went back
        self._key_bytes = 0

    def add(self, indexed: Indexed, duration: int) -> None:
        """Write the next frame, which is shown for a duration in ms."""
        self._number += 1
        if self._codebook is None or not np.array_equal(self._codebook, indexed.codebook):
            flags, tiles = self._renew(indexed)
        elif self._depth < MOST_DEPTH:
            flags, tiles = 0, self._code(self._coders, indexed)
            self._depth += 1
        else:
            flags, tiles = self._begin_group(indexed)
        if self._number:
            self._write_frame(indexed, tiles, duration, flags)
        else:
            self._write_first(indexed, tiles, duration)
        self._duration = duration

    def close(self) -> None:
        """Write the index, without which the file counts as cut off."""
        lengths = b"".join(map(pack_varint, self._lengths))
        length = len(pack_chunk(container.FRAME_INDEX, lengths + bytes(4)))
        self._file.write(pack_chunk(container.FRAME_INDEX, lengths + struct.pack(">I", length)))

    def _renew(self, indexed: Indexed) -> tuple[int, Tiles]:
        """Begin with another codebook."""
        self._renewed = self._codebook is not None
        self._codebook = indexed.codebook
        coders = self._new_coders()
        tiles = self._code(coders, indexed)
        return self._begin_with_key(coders, tiles), tiles

    def _new_coders(self) -> list[TileCoder]:
        assert self._codebook is not None
        k, order = len(self._codebook), functools.cache(functools.partial(coding_order, self._codebook))
        count, effort = self._layout.grid.count, self._layout.effort
        return [TileCoder(k, order, effort, count <= container.MAX_LEARNING_TILES) for _ in range(count)]

    def _begin_with_key(self, coders: list[TileCoder], tiles: Tiles) -> int:
        self._coders, self._depth, self._key_bytes = coders, 1, _bytes_of(tiles)
        self._keep()
        return KEY | CODEBOOK * self._renewed

    def _keep(self) -> None:
        """Keep the last frame for others to go back to."""
        self._kept = _Kept([coder.copy() for coder in self._coders], self._number, self._depth)

    def _begin_group(self, indexed: Indexed) -> tuple[int, Tiles]:
        """Go back to the frame that was kept, or begin with a key frame if that takes fewer bytes."""
        coders = [coder.copy() for coder in self._kept.coders]
        tiles = self._code(coders, indexed)
        length = _bytes_of(tiles)
        if length > _LIKE_A_KEY * self._key_bytes:
            others = self._new_coders()
            key = self._code(others, indexed)
            if _bytes_of(key) <= length:
                return self._begin_with_key(others, key), key
        self._coders, self._depth = coders, self._kept.depth + 1
        self._back = self._number - self._kept.number
        if length > _FARTHER * self._kept.first_return and self._depth <= _MOST_KEPT_DEPTH:
            self._keep()
            return BACK | KEPT, tiles
        self._kept = self._kept._replace(first_return=min(self._kept.first_return, length))
        return BACK, tiles

    def _code(self, coders: list[TileCoder], indexed: Indexed) -> Tiles:
        grid = self._layout.grid

        def encode(number: int) -> tuple[int, bytes]:
            box = grid.tile(number)
            labels = np.ascontiguousarray(indexed.labels[box.upper : box.lower, box.left : box.right])
            return coders[number].encode(labels)

        return map_tiles(encode, range(grid.count), grid, self._layout.threads)

    def _write_first(self, indexed: Indexed, tiles: Tiles, duration: int) -> None:
        grid = self._layout.grid
        timing = pack_varint(self._loop) + pack_varint(duration)
        chunks = [pack_chunk(*tile) for tile in tiles]
        self._file.write(pack_front(grid, indexed.kind, indexed.codebook))
        self._file.write(pack_metadata(self._metadata, indexed.mode))
        self._file.write(pack_chunk(container.ANIMATION, timing))
        self._file.write(pack_index(map(len, chunks), grid))
        self._file.writelines(chunks)

    def _write_frame(self, indexed: Indexed, tiles: Tiles, duration: int, flags: int) -> None:
        if flags & (KEY | BACK) or duration != self._duration:
            flags |= DURATION
        chunk = pack_frame(flags, duration, self._back, indexed.codebook, tiles)
        self._lengths.append(len(chunk))
        self._file.write(chunk)


def _bytes_of(tiles: Tiles) -> int:
    return sum(len(payload) for _, payload in tiles)
