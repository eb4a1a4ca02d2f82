"""The chunks of the frames after a file's first: FORMAT.md, "Frames"."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from ..errors import FormatError, TruncatedError, UnsupportedError
from . import container
from .codebook import decode_codebook, encode_codebook
from .container import Reader, Tile, pack_chunk, pack_varint
from .grid import Grid
from .indexed import Array, Kind
from .moving import UNCHANGED

# To show any frame, no more than so many are decoded.
MOST_DEPTH = 16
# Bits of a frame's flags.
KEY, DURATION, CODEBOOK, BACK, KEPT = 1, 2, 4, 8, 16
_ALL_FLAGS = 31

Tiles = list[tuple[int, bytes]]  # label codings, or UNCHANGED, and what they made of each tile


class Frame(NamedTuple):
    """A frame after the first, as read from its chunk: checked, but not decoded."""

    name: str  # for messages
    flags: int
    duration: int | None  # in ms; None is that of the frame before
    back: int  # how many frames before the one it goes on from comes; 0 for a key frame
    codebook: Array | None  # None if a key frame has the header's, others that of the frame before
    tiles: bytes


def pack_frame(flags: int, duration: int, back: int, codebook: Array, tiles: Tiles) -> bytes:
    """Return the chunk of a frame; of duration, way back and codebook, those that its flags name."""
    parts = [bytes([flags])]
    if flags & DURATION:
        parts.append(pack_varint(duration))
    if flags & BACK:
        parts.append(pack_varint(back))
    if flags & CODEBOOK:
        coding, coded = encode_codebook(codebook)
        parts += [pack_varint(len(codebook) - 1), bytes([coding]), pack_varint(len(coded)), coded]
    for number, (coding, payload) in enumerate(tiles):
        tile = b"" if coding == UNCHANGED else bytes([coding]) + payload
        if number < len(tiles) - 1:
            parts.append(pack_varint(len(tile)))
        parts.append(tile)
    return pack_chunk(container.FRAME, b"".join(parts))


def parse_frame(payload: bytes, number: int, name: str, kind: Kind) -> Frame:
    """Return what the chunk of a frame after the first says, of a picture of a kind."""
    reader = Reader(BytesIO(payload))
    try:
        flags = reader.byte()
        _check_flags(flags, name)
        duration = reader.varint() if flags & DURATION else None
        back = reader.varint() if flags & BACK else int(not flags & KEY)
        if not flags & KEY and not 1 <= back <= number:
            raise FormatError("frame-back", f"{name} goes back by {back} frames")
        codebook = _read_codebook(reader, kind) if flags & CODEBOOK else None
    except TruncatedError:
        raise FormatError("frame-length", f"{name} ends before its tiles") from None
    return Frame(name, flags, duration, back, codebook, payload[reader.offset :])


def _check_flags(flags: int, name: str) -> None:
    if flags & ~_ALL_FLAGS:
        raise UnsupportedError("frame-flags", f"{name} has flags newer than this reader, {flags:#x}")
    anew, back = flags & KEY, flags & BACK
    if ((anew or back) and not flags & DURATION) or (anew and back):
        raise FormatError("frame-flags", f"{name} has flags that are not for one frame, {flags:#x}")
    if (flags & CODEBOOK and not anew) or (flags & KEPT and not back):
        raise FormatError("frame-flags", f"{name} has flags that lack another one, {flags:#x}")


def _read_codebook(reader: Reader, kind: Kind) -> Array:
    k, coding, length = reader.varint() + 1, reader.byte(), reader.varint()
    container.check_codebook_length(length, k)
    return decode_codebook(k, coding, reader.read(length), kind)


def tiles_of(frame: Frame, grid: Grid) -> Iterator[Tile]:
    """Return the tiles of a frame."""
    reader = Reader(BytesIO(frame.tiles))
    for number, box in enumerate(grid):
        name = f"tile {number} of {frame.name}"
        try:
            last = number == grid.count - 1
            coded = reader.read(len(frame.tiles) - reader.offset if last else reader.varint())
        except TruncatedError:
            raise FormatError("frame-length", f"{name} is not there") from None
        yield Tile(name, box, coded[0] if coded else UNCHANGED, coded[1:])
