"""Frames from a file, in any order."""

from __future__ import annotations

import functools
import os
from io import BytesIO
from typing import IO, NamedTuple

import numpy as np

from ..errors import FormatError, KMCError, TruncatedError
from . import container
from .codebook import with_alpha
from .codec import Header
from .container import Front, Reader, Tile
from .frames import BACK, KEPT, KEY, MOST_DEPTH, Frame, parse_frame, tiles_of
from .indexed import KINDS, Array, Indexed, label_dtype
from .labels import coding_order
from .metadata import parse_timing
from .moving import TileDecoder
from .threads import check_threads, map_tiles

# Bytes at the end of the frame index: its length, and the CRC.
_TRAILER = 8


class _Places:
    """Where the frames of a file are: by its index, or else from chunk to chunk, as far as is asked."""

    def __init__(self, file: IO[bytes], front: Front) -> None:
        self.file, self._front = file, front
        self.starts = [front.start]  # of the frames that are known
        self._frontier = 0  # where what is not known begins, or 0 if that is not known either
        self._ended = False  # whether all are known

    def find(self, number: int | None, tolerant: bool) -> None:
        """Learn where frames are, up to a number, or all; where the file is cut off, those that are whole."""
        try:
            while not self._ended and (number is None or number >= len(self.starts)):
                self._ended = self._find_next()
        except TruncatedError:
            if not tolerant:
                raise

    def end(self, number: int) -> int:
        """Return where a frame ends whose start is known."""
        return self.starts[number + 1] if number + 1 < len(self.starts) else self._frontier

    def reader(self, start: int) -> Reader:
        self.file.seek(start)
        return Reader(self.file, start)

    def _end_of_first(self) -> int:
        front = self._front
        if front.tile_lengths:
            return front.start + sum(front.tile_lengths)
        return self._end_of_chunk(front.start)[1]

    def _end_of_chunk(self, start: int) -> tuple[int, int]:
        """Return a chunk's tag, and where it ends."""
        reader = self.reader(start)
        tag, length = reader.byte(), reader.varint()
        return tag, reader.offset + length + 4

    def _find_next(self) -> bool:
        """Look at the next chunk; tell whether it, or the file before it, ends the frames."""
        if not self._frontier:
            self._frontier = self._end_of_first()
            if self._find_by_index():
                return True
        tag, end = self._end_of_chunk(self._frontier)
        self.file.seek(end - 1)
        if not self.file.read(1):
            raise TruncatedError("truncated", f"the file ends before byte {end}, within a frame")
        if tag == container.FRAME_INDEX:
            return True
        if tag != container.FRAME:
            raise FormatError("chunk-order", f"a chunk {tag:#04x} at byte {self._frontier}, among frames")
        self.starts.append(self._frontier)
        self._frontier = end
        return False

    def _find_by_index(self) -> bool:
        """Find all frames by the index at the end of the file, if it is there, and fits."""
        end = self.file.seek(0, os.SEEK_END)
        start = end - int.from_bytes(self.reader(end - _TRAILER).read(4), "big")
        if not self._frontier <= start < end - _TRAILER:
            return False
        try:
            tag, payload = container.read_chunk(self.reader(start), "the frame index")
            lengths = Reader(BytesIO(payload[:-4]))
            starts = [self._frontier]
            while lengths.offset < len(payload) - 4:
                starts.append(starts[-1] + lengths.varint())
        except KMCError:
            return False
        if tag != container.FRAME_INDEX or starts[-1] != start:
            return False
        self.starts += starts[:-1]
        self._frontier = start
        return True


class _Decoded(NamedTuple):
    """A frame that was decoded, for others to go on from."""

    number: int
    depth: int
    codebook: Array
    decoders: list[TileDecoder]

    def copy(self) -> _Decoded:
        return self._replace(decoders=[decoder.copy() for decoder in self.decoders])


class FrameReader:
    """Reads the frames of a file in any order; one after another takes least.

    Parameters
    ----------
    file : binary file object
        One that can seek, and begins with the signature. It stays open, and may be moved between calls.
    header : Header
        What was read of it.
    tolerant : bool
        Do as if a file that is cut off ended with its last whole frame.
    """

    def __init__(self, file: IO[bytes], header: Header, *, tolerant: bool = False) -> None:
        self._header, self.tolerant = header, tolerant
        self.timing = parse_timing(header.front.chunks[container.ANIMATION])
        self._places = _Places(file, header.front)
        self._now = self._kept = _Decoded(-1, 0, header.codebook, [])

    def __len__(self) -> int:
        """Return the number of frames; raise where the file is cut off."""
        self._places.find(None, self.tolerant)
        return len(self._places.starts)

    def has(self, number: int) -> bool:
        """Tell whether there is a frame of a number, from 0, looking no farther."""
        self._places.find(number, self.tolerant)
        return 0 <= number < len(self._places.starts)

    @property
    def codebook(self) -> Array:
        """The codebook of the frame that was read last, a palette's without its transparency."""
        return self._now.codebook

    def duration(self, number: int) -> int:
        """Return for how many ms a frame is to be shown."""
        for wanted in range(number, max(number - MOST_DEPTH, -1), -1):
            duration = self._frame(wanted).duration if wanted else self.timing.duration
            if duration is not None:
                return duration
        raise _too_deep(number)

    def read(self, number: int, threads: int | None = None) -> Indexed:
        """Decode a frame, and if need be those that it goes on from."""
        if not self.has(number):
            raise IndexError(f"there is no frame {number}")
        for needed, frame in self._missing(number):
            self._decode(needed, frame, check_threads(threads))
        return Indexed(self._seen_codebook(), self._plane(), self._header.mode)

    @property
    def following_bytes(self) -> int:
        """How many bytes the frames after the first take."""
        count = len(self)
        return self._places.end(count - 1) - self._places.starts[1] if count > 1 else 0

    def hold(self) -> None:
        """Take the whole file into memory, so that it may be overwritten."""
        self._places.file.seek(0)
        self._places.file = BytesIO(self._places.file.read())

    def verify(self) -> None:
        """Check that every frame is whole and goes back to what was kept last, without decoding any."""
        kept = 0
        for number in range(1, len(self)):
            frame = self._frame(number)
            if frame.flags & BACK and number - frame.back != kept:
                raise _not_kept(frame)
            if frame.flags & (KEY | KEPT):
                kept = number

    def _missing(self, number: int) -> list[tuple[int, Frame | None]]:
        """Return what is to be decoded for a frame: those that it goes on from, in order, and itself."""
        path: list[tuple[int, Frame | None]] = []
        wanted = number
        while wanted != self._now.number:
            if len(path) == MOST_DEPTH:
                raise _too_deep(number)
            frame = self._frame(wanted) if wanted else None
            path.append((wanted, frame))
            if frame is None or not frame.back:
                break
            wanted -= frame.back
            if frame.flags & BACK and wanted == self._kept.number:
                break
            if frame.flags & BACK and number == self._now.number + 1:
                raise _not_kept(frame)
        return path[::-1]

    def _frame(self, number: int) -> Frame:
        """Read a frame after the first."""
        start = self._places.starts[number]
        name = f"frame {number} at byte {start}"
        chunk = self._places.reader(start)
        tag, payload = container.read_chunk(chunk, name)
        if tag != container.FRAME or chunk.offset != self._places.end(number):
            raise FormatError("index-mismatch", f"{name} is not as the index says")
        return parse_frame(payload, number, name, KINDS[self._header.front.pixel_format])

    def _decode(self, number: int, frame: Frame | None, threads: int) -> None:
        """Decode a frame, where what it goes on from is there."""
        front = self._header.front
        if frame is None:
            tiles = container.read_tiles(self._places.reader(front.start), front)
        else:
            tiles = tiles_of(frame, front.grid)
        before = self._before(number, frame)
        if before.depth == MOST_DEPTH:
            raise _too_deep(number)
        self._now = now = before._replace(number=-1)  # until it is whole

        def decode(numbered: tuple[int, Tile]) -> None:
            now.decoders[numbered[0]].decode(numbered[1])

        map_tiles(decode, enumerate(tiles), front.grid, threads)
        self._now = now._replace(number=number, depth=now.depth + 1)
        if frame is None or frame.flags & (KEY | KEPT):
            self._kept = self._now.copy()

    def _before(self, number: int, frame: Frame | None) -> _Decoded:
        """Return what a frame goes on from, for it to be changed."""
        if frame is None or frame.flags & KEY:
            codebook = self._header.codebook if frame is None or frame.codebook is None else frame.codebook
            order = functools.cache(functools.partial(coding_order, codebook))
            count = self._header.front.grid.count
            learns = count <= container.MAX_LEARNING_TILES
            decoders = [TileDecoder(len(codebook), order, learns) for _ in range(count)]
            return _Decoded(-1, 0, codebook, decoders)
        if not frame.flags & BACK:
            return self._now
        if number - frame.back != self._kept.number:
            raise _not_kept(frame)
        return self._kept.copy()

    def _plane(self) -> Array:
        """Return the labels of the last frame, as one plane, a copy."""
        grid = self._header.front.grid
        labels = np.empty((grid.height, grid.width), label_dtype(len(self.codebook)))
        for box, decoder in zip(grid, self._now.decoders, strict=True):
            labels[box.upper : box.lower, box.left : box.right] = decoder.labels
        return labels

    def _seen_codebook(self) -> Array:
        return with_alpha(self.codebook, self._header.metadata.get("transparency"))


def _too_deep(number: int) -> FormatError:
    return FormatError("frame-depth", f"frame {number} takes more than {MOST_DEPTH} to be decoded")


def _not_kept(frame: Frame) -> FormatError:
    return FormatError("frame-back", f"{frame.name} goes back to another than the one that was kept last")
