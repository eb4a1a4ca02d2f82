"""The byte layout of a KMC file: every byte that is neither codebook nor label, and every limit.

This module mirrors FORMAT.md, parts "File", "Chunks" and "Tiles"; it knows nothing of pixels.
Writing functions return bytes. Reading goes through `Reader`, which never trusts a length.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import IO, NamedTuple

from ..errors import FormatError, KMCError, LimitError, TruncatedError, UnsupportedError
from .grid import Box, Grid

SIGNATURE = b"\x8bKMC\r\n\x1a\n"  # no text starts with 0x8B; line-end or Ctrl-Z damage shows at once
VERSION = 1

MAX_DIMENSION = 2**31 - 1
MAX_TILE_PIXELS = 2**28
MAX_TILES = 2**24
MAX_LEARNING_TILES = 4  # of pictures in whose frames what was learnt goes on, as it takes memory for each
MAX_METADATA = 2**24  # bytes of metadata in one chunk
MAX_VARINT = 2**32 - 1

# Chunk tags. A tag below FIRST_TAG is a tile, and the tag is the tile's label coding.
# Otherwise it is an ASCII letter: upper case critical, lower case ancillary, as in PNG.
FIRST_TAG = 0x20
INDEX = ord("I")
ICC_PROFILE = ord("i")
EXIF = ord("e")
XMP = ord("x")
DPI = ord("d")
TRANSPARENCY = ord("t")
RDO = ord("r")
OPTIONS = ord("o")
ANIMATION = ord("a")
METADATA = (ICC_PROFILE, EXIF, XMP, DPI, TRANSPARENCY, RDO, OPTIONS, ANIMATION)
FRAME = ord("f")  # after the tiles, as is
FRAME_INDEX = ord("j")

_TILED = 0x80  # in the kind byte, above three bits of codebook coding and four of pixel format
_BLOCK = 2**20  # bytes asked of a file at once, so that a false length allocates nothing


@dataclass(frozen=True)
class Front:
    """All that stands before the first tile, checked but not interpreted."""

    grid: Grid
    k: int
    pixel_format: int
    codebook_coding: int
    codebook: bytes
    chunks: dict[int, bytes] = field(default_factory=dict)  # known metadata, by tag
    tile_lengths: array[int] = field(default_factory=lambda: array("I"))  # empty when there is one tile
    start: int = 0  # offset of the first tile


# --- Writing ----------------------------------------------------------------------------------


def pack_varint(value: int) -> bytes:
    """Encode as LEB128: seven bits a byte, the lowest first, the top bit set on all but the last."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def pack_chunk(tag: int, payload: bytes) -> bytes:
    """Frame a payload: tag, length, payload, CRC-32 of all three."""
    body = bytes([tag]) + pack_varint(len(payload)) + payload
    return body + _crc(body)


def pack_header(front: Front) -> bytes:
    """Write signature, header and codebook; metadata, index and tiles follow."""
    grid = front.grid
    tiled = grid.count > 1
    body = bytearray([VERSION, _TILED * tiled | front.codebook_coding << 4 | front.pixel_format])
    fields = [grid.width, grid.height, front.k - 1]
    if tiled:
        fields += [grid.tile_width, grid.tile_height]
    for value in (*fields, len(front.codebook)):
        body += pack_varint(value)
    body += front.codebook
    return SIGNATURE + body + _crc(body)


def pack_index(lengths: Iterable[int]) -> bytes:
    """Write the index: the whole length of every tile chunk, in order."""
    entries = array("I", lengths)
    if sys.byteorder == "little":
        entries.byteswap()
    return pack_chunk(INDEX, entries.tobytes())


def _crc(body: bytes | bytearray) -> bytes:
    return struct.pack(">I", zlib.crc32(body))


# --- Reading ----------------------------------------------------------------------------------


class Reader:
    """Reads exact amounts from a binary file front to back, knowing the offset and a running CRC.

    Parameters
    ----------
    file : binary file object
        Only ``read`` is used, unless tiles are skipped; it need not be seekable.
    offset : int
        Where in the KMC file it stands, for messages and for `Front.start`.
    """

    def __init__(self, file: IO[bytes], offset: int = 0) -> None:
        self._file = file
        self._peeked = b""
        self.offset = offset
        self._crc = 0

    def read(self, length: int) -> bytes:
        """Read exactly `length` bytes, in blocks; raise `TruncatedError` where there are fewer."""
        blocks = []
        missing = length
        while missing:
            block = self._peeked or self._file.read(min(missing, _BLOCK))
            self._peeked = b""
            if not block:
                end = self.offset + length - missing
                raise TruncatedError("truncated", f"the file ends at byte {end}, {missing} too early")
            blocks.append(block)
            missing -= len(block)
            self._crc = zlib.crc32(block, self._crc)
        self.offset += length
        return b"".join(blocks)

    def skip(self, length: int) -> None:
        """Leave bytes unread, in a file that can seek."""
        self._file.seek(length - len(self._peeked), os.SEEK_CUR)
        self._peeked = b""
        self.offset += length

    def byte(self) -> int:
        return self.read(1)[0]

    def peek(self) -> int:
        """Return the next byte and leave it to be read."""
        self._peeked = self._peeked or self._file.read(1)
        if not self._peeked:
            raise TruncatedError("truncated", f"the file ends at byte {self.offset}, before its tiles")
        return self._peeked[0]

    def varint(self) -> int:
        start, value = self.offset, 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > MAX_VARINT or (shift and not byte):
                    break
                return value
        raise FormatError("varint", f"number at byte {start} is over-long")

    def begin_crc(self) -> None:
        self._crc = 0

    def check_crc(self, what: str) -> None:
        computed = self._crc
        if self.read(4) != struct.pack(">I", computed):
            raise FormatError("crc", f"{what} is damaged: its CRC-32 at byte {self.offset - 4} differs")


def newer_version(prefix: bytes) -> int | None:
    """Return the version of a file that starts like this, where it is newer than this reader's."""
    version = prefix[8] if len(prefix) > 8 else 0
    return version if prefix.startswith(SIGNATURE) and version > VERSION else None


def read_front(reader: Reader) -> Front:
    """Read and check everything before the first tile.

    Raises
    ------
    KMCError
        If it breaks a rule of FORMAT.md, is truncated, or is newer than this reader.
    """
    front = _read_header(reader)
    chunks: dict[int, bytes] = {}
    while reader.peek() >= FIRST_TAG:
        start = reader.offset
        tag, payload = _read_chunk(reader, front.grid.count)
        if tag in chunks:
            raise FormatError("chunk-duplicate", f"a second chunk {chr(tag)!r} at byte {start}")
        if INDEX in chunks:
            raise FormatError("chunk-order", f"a chunk {chr(tag)!r} at byte {start}, after the index")
        if payload is not None:
            chunks[tag] = payload
    lengths = _tile_lengths(chunks.pop(INDEX, None), front.grid)
    return replace(front, chunks=chunks, tile_lengths=lengths, start=reader.offset)


def _read_header(reader: Reader) -> Front:
    if reader.read(len(SIGNATURE)) != SIGNATURE:
        raise FormatError("signature", "not a KMC file")
    reader.begin_crc()
    version = reader.byte()
    if version > VERSION:
        raise UnsupportedError("version", f"KMC version {version} is newer than this reader")
    if version == 0:
        raise FormatError("version", "KMC version 0 does not exist")
    kind = reader.byte()
    width, height, k = reader.varint(), reader.varint(), reader.varint() + 1
    tile = (reader.varint(), reader.varint()) if kind & _TILED else (width, height)
    length = reader.varint()
    check_codebook_length(length, k)
    codebook = reader.read(length)
    reader.check_crc("the header")
    grid = Grid(width, height, *tile)
    _check_grid(grid, tiled=bool(kind & _TILED))
    return Front(grid, k, kind & 0x0F, kind >> 4 & 0x07, codebook)


def check_codebook_length(length: int, k: int) -> None:
    """Raise where a codebook is longer than its entries can be."""
    if length > 4 * k:
        raise FormatError("codebook-length", f"{length} bytes are too long for a codebook of {k} entries")


def _check_grid(grid: Grid, tiled: bool) -> None:
    for name, length in (("width", grid.width), ("height", grid.height)):
        if not 1 <= length <= MAX_DIMENSION:
            raise FormatError("size", f"{name} {length} is not from 1 to {MAX_DIMENSION}")
    width, height = grid.tile_width, grid.tile_height
    if not (1 <= width <= grid.width and 1 <= height <= grid.height) or tiled != (grid.count > 1):
        raise FormatError("tile-size", f"a {grid.width}x{grid.height} image has no {width}x{height} tiles")
    if width * height > MAX_TILE_PIXELS:
        raise LimitError("tile-pixels", f"a tile of {width}x{height} pixels is over {MAX_TILE_PIXELS} pixels")
    if grid.count > MAX_TILES:
        raise LimitError("tile-count", f"{grid.count} tiles are over {MAX_TILES}")


def _read_chunk(reader: Reader, tiles: int) -> tuple[int, bytes | None]:
    """Read an index or metadata chunk; skip an unknown ancillary one, whose payload is None."""
    start = reader.offset
    reader.begin_crc()
    tag, length = reader.byte(), reader.varint()
    name = f"chunk {chr(tag)!r} at byte {start}"
    if tag == INDEX and length != 4 * tiles:
        raise FormatError("index-length", f"{name}: {length} bytes are no index of {tiles} tiles")
    if tag in METADATA and length > MAX_METADATA + 4:  # with their own length
        raise LimitError("metadata-length", f"{name}: {length} bytes are over {MAX_METADATA}")
    payload = None
    if tag == INDEX or tag in METADATA:
        payload = reader.read(length)
    else:
        for done in range(0, length, _BLOCK):
            reader.read(min(_BLOCK, length - done))
    reader.check_crc(name)
    if payload is None and not ord("a") <= tag <= ord("z"):
        raise UnsupportedError("chunk-unknown", f"{name} is newer than this reader")
    return tag, payload


def _tile_lengths(index: bytes | None, grid: Grid) -> array[int]:
    if (index is not None) != (grid.count > 1):
        wrong = "lacks its index" if index is None else "has an index"
        raise FormatError("index-presence", f"an image of {grid.count} tiles {wrong}")
    lengths = array("I", index or b"")  # ints would take nine times the memory of the index
    if sys.byteorder == "little":
        lengths.byteswap()
    return lengths


class Tile(NamedTuple):
    """One tile as read: where it lies, its label coding and coded labels, or what is wrong with it."""

    name: str
    box: Box
    coding: int
    payload: bytes
    error: KMCError | None = None


def read_tiles(reader: Reader, front: Front, numbers: Iterable[int] | None = None) -> Iterator[Tile]:
    """Read the tiles, or those of ascending numbers, from the first tile on; only gaps make it seek.

    A damaged one comes with its error, and the others still come.
    """
    following = 0
    for number in range(front.grid.count) if numbers is None else numbers:
        if number > following:
            reader.skip(sum(front.tile_lengths[following:number]))
        following = number + 1
        yield read_tile(reader, front, number)


def read_tile(reader: Reader, front: Front, number: int) -> Tile:
    """Read the tile of a number, at which the reader stands."""
    box = front.grid.tile(number)
    name = f"tile {number} at byte {reader.offset}"
    try:
        if front.tile_lengths:
            coding, payload = _read_indexed_tile(reader, name, front.tile_lengths[number])
        else:
            coding, payload = _read_chunk_of_tile(reader, name)
    except KMCError as error:
        return Tile(name, box, 0, b"", error)
    return Tile(name, box, coding, payload)


def tile_range(front: Front, number: int) -> tuple[int, int | None]:
    """Return where a tile starts in the file and where it ends, which only an index tells."""
    start = front.start + sum(front.tile_lengths[:number])
    return start, start + front.tile_lengths[number] if front.tile_lengths else None


def read_chunk(reader: Reader, name: str) -> tuple[int, bytes]:
    """Read a whole chunk of any tag; return tag and payload."""
    reader.begin_crc()
    tag, payload = reader.byte(), reader.read(reader.varint())
    reader.check_crc(name)
    return tag, payload


def _read_chunk_of_tile(reader: Reader, name: str) -> tuple[int, bytes]:
    coding, payload = read_chunk(reader, name)
    if coding >= FIRST_TAG:
        raise FormatError("chunk-order", f"{name} is a chunk {chr(coding)!r}")
    return coding, payload


def _read_indexed_tile(reader: Reader, name: str, length: int) -> tuple[int, bytes]:
    """Read as many bytes as the index says, so that damage inside cannot shift the next tile."""
    chunk = Reader(BytesIO(reader.read(length)), reader.offset - length)
    try:
        tile = _read_chunk_of_tile(chunk, name)
    except TruncatedError:
        tile = None
    if tile is None or chunk.offset != reader.offset:
        raise FormatError("index-mismatch", f"{name} is not as long as the index says")
    return tile
