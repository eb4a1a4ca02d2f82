"""`Indexed` to bytes and back, without loss: header, metadata and tiles together.

The layout around them is `container`'s; what is in them `codebook`'s, `metadata`'s and `labels`'.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..errors import KMCError, UnsupportedError
from . import container
from .codebook import decode_codebook, encode_codebook, with_alpha
from .container import Front, Reader, Tile
from .grid import Box, Grid
from .indexed import KINDS, Array, Indexed, Kind, label_dtype
from .labels import coding_order, decode_labels, encode_labels
from .metadata import Metadata, pack_metadata, parse_metadata
from .threads import check_threads, map_tiles

# Automatic tiles have about so many pixels at most, so that the threads have several tiles to work at.
_TILE_PIXELS = 2**21
# Where a picture is read in strips, they have about so many pixels at least: several tiles, for the threads.
_STRIP_PIXELS = 2**23


@dataclass(frozen=True, eq=False)
class Header:
    """What a file says of itself before its labels.

    Attributes
    ----------
    size : tuple of int
        Width and height in pixels.
    mode : str
        Pillow mode the picture opens as.
    k : int
        Number of codebook entries.
    tile_size : tuple of int
        Width and height of a tile in pixels; those at the right and lower edge may be smaller.
    tiles : int
        Number of tiles.
    metadata : dict
        ``icc_profile``, ``exif`` and ``xmp`` as bytes, ``dpi`` as a pair of float,
        ``transparency`` as int or bytes, ``rdo`` as float: those that are present.
    codebook : ndarray, shape (k, channels)
        The colours; a palette's without its transparency.
    front : container.Front
        The same as bytes and offsets, for `decode`.
    """

    size: tuple[int, int]
    mode: str
    k: int
    tile_size: tuple[int, int]
    tiles: int
    metadata: Metadata
    codebook: Array = field(repr=False)
    front: Front = field(repr=False)

    @property
    def is_animated(self) -> bool:
        """Whether other frames follow the picture."""
        return container.ANIMATION in self.front.chunks


class Layout(NamedTuple):
    """How the labels of a picture are cut into tiles, how hard they are coded, and in how many threads."""

    grid: Grid
    effort: int
    threads: int


def layout(
    size: tuple[int, int], effort: int, tile: int | tuple[int, int] | None, threads: int | None
) -> Layout:
    """Return the layout of a picture of a width and height, by the options of these names.

    Raises
    ------
    ValueError
        If there would be too many tiles, or too large ones.
    """
    return Layout(_grid(size, tile), effort, threads or check_threads(None))


def encode(indexed: Indexed, layout: Layout, metadata: Metadata | None = None) -> bytes:
    """Code a picture as the bytes of a KMC file.

    Parameters
    ----------
    indexed : Indexed
        The picture; every label and codebook entry comes back as it is.
    layout : Layout
        Of its size. The bytes are the same for any number of threads.
    metadata : dict, optional
        See `Header`.

    Raises
    ------
    ValueError
        If metadata do not fit the picture's mode.
    """
    grid, effort, threads = layout
    front = pack_front(grid, indexed.kind, indexed.codebook)
    spare = threads if grid.count == 1 else 1  # for one tile to be coded in
    encode_chunk = tile_encoder(indexed.codebook, effort, spare)

    def encode_tile(box: Box) -> bytes:
        return encode_chunk(indexed.labels[box.upper : box.lower, box.left : box.right])

    tiles = map_tiles(encode_tile, grid, grid, threads)
    chunks = pack_metadata(metadata or {}, indexed.mode)
    return b"".join([front, chunks, pack_index(map(len, tiles), grid), *tiles])


def pack_front(grid: Grid, kind: Kind, codebook: Array) -> bytes:
    """Write signature, header and codebook; metadata, index and what `tile_encoder` makes of tiles follow."""
    return container.pack_header(Front(grid, len(codebook), KINDS.index(kind), *encode_codebook(codebook)))


def pack_index(lengths: Iterable[int], grid: Grid) -> bytes:
    """Write the index of the tiles of a grid, which a single one does not have."""
    return container.pack_index(lengths) if grid.count > 1 else b""


def tile_encoder(codebook: Array, effort: int, threads: int = 1) -> Callable[[Array], bytes]:
    """Return a function that codes the labels of a tile, shape (height, width), as its chunk."""
    order = functools.cache(functools.partial(coding_order, codebook))  # packed labels need none

    def encode_chunk(labels: Array) -> bytes:
        coding, payload = encode_labels(labels, len(codebook), order, effort, threads)
        return container.pack_chunk(coding, payload)  # the tag of a tile's chunk is its label coding

    return encode_chunk


def read_header(reader: Reader) -> Header:
    """Read everything before the labels.

    Raises
    ------
    KMCError
        If it breaks a rule of FORMAT.md, is truncated, or is newer than this reader.
    """
    front = container.read_front(reader)
    if front.pixel_format >= len(KINDS):
        raise UnsupportedError("pixel-format", f"pixel format {front.pixel_format} is newer than this reader")
    kind = KINDS[front.pixel_format]
    grid = front.grid
    return Header(
        size=(grid.width, grid.height),
        mode=kind.mode,
        k=front.k,
        tile_size=(grid.tile_width, grid.tile_height),
        tiles=grid.count,
        metadata=parse_metadata(front.chunks, kind.mode),
        codebook=decode_codebook(front.k, front.codebook_coding, front.codebook, kind),
        front=front,
    )


def decode(
    reader: Reader,
    header: Header,
    *,
    box: Box | None = None,
    tolerant: bool = False,
    threads: int | None = None,
) -> Indexed:
    """Read the labels that follow a header.

    Parameters
    ----------
    reader : Reader
        Standing at the first tile, as `read_header` leaves it.
    header : Header
        What `read_header` returned.
    box : Box, optional
        The part of the picture to read, inside it; of other tiles nothing is read.
    tolerant : bool
        Give damaged or missing tiles label 0 instead of raising.
    threads : int, optional
        How many tiles are decoded at once: see `check_threads`.

    Returns
    -------
    Indexed
        A palette's transparency is joined to its codebook as alpha.

    Raises
    ------
    KMCError
        If a tile is damaged, missing, or coded in a way newer than this reader.
    """
    box = box or Box(0, 0, *header.size)
    tiles = container.read_tiles(reader, header.front, header.front.grid.touched(box))
    labels = _labels_in(box, tiles, header, _tile_decoder(header, tolerant), check_threads(threads))
    return Indexed(seen_codebook(header), labels, header.mode)


def decode_strips(reader: Reader, header: Header, *, threads: int | None = None) -> Iterator[Array]:
    """Read the labels as `decode` does, but part by part, so that few of them are in memory.

    Parameters
    ----------
    reader, header, threads
        As for `decode`. The file is read front to back.

    Yields
    ------
    ndarray of int, shape (rows, width)
        From the top down, so many rows of tiles as have `_STRIP_PIXELS` pixels, or one that has more.

    Raises
    ------
    KMCError
        As `decode` does, when it comes to that tile.
    """
    grid = header.front.grid
    decode_tile, threads = _tile_decoder(header, False), check_threads(threads)
    tiles = container.read_tiles(reader, header.front)
    rows = max(_STRIP_PIXELS // (grid.width * grid.tile_height), 1)
    height = rows * grid.tile_height
    for upper in range(0, grid.height, height):
        box = Box(0, upper, grid.width, min(upper + height, grid.height))
        yield _labels_in(box, islice(tiles, rows * grid.columns), header, decode_tile, threads)


def _tile_decoder(header: Header, tolerant: bool) -> Callable[[Tile], Array]:
    """Return a function that decodes a tile to its labels."""
    order = functools.cache(functools.partial(coding_order, header.codebook))  # packed labels need none

    def decode_tile(tile: Tile) -> Array:
        try:
            return decode_labels(tile, header.k, order)
        except KMCError:
            if not tolerant:
                raise
            return np.zeros(tile.box.shape, label_dtype(header.k))

    return decode_tile


def _labels_in(
    box: Box, tiles: Iterator[Tile], header: Header, decode_tile: Callable[[Tile], Array], threads: int
) -> Array:
    """Decode the tiles that a box touches; return the labels in it."""
    grid = header.front.grid
    first, last = (grid.tile(grid.at(*corner)) for corner in (box[:2], (box.right - 1, box.lower - 1)))
    if first == box:
        return decode_tile(next(tiles))
    labels = np.zeros(box.shape, label_dtype(header.k))

    def place(tile: Tile) -> None:
        common = _common(tile.box, box)
        labels[_within(box, common)] = decode_tile(tile)[_within(tile.box, common)]

    read = Grid(last.right - first.left, last.lower - first.upper, grid.tile_width, grid.tile_height)
    map_tiles(place, tiles, read, threads)
    return labels


def decode_tile(data: bytes, header: Header, number: int) -> Indexed:
    """Read one tile from the bytes that `container.tile_range` tells of; do as `decode` does with its box."""
    start, _ = container.tile_range(header.front, number)
    tile = container.read_tile(Reader(BytesIO(data), start), header.front, number)
    order = functools.partial(coding_order, header.codebook)
    return Indexed(seen_codebook(header), decode_labels(tile, header.k, order), header.mode)


def verify(reader: Reader, header: Header) -> None:
    """Check that every tile is whole, without decoding any.

    Raises
    ------
    KMCError
        At the first tile that is damaged or missing.
    """
    for tile in container.read_tiles(reader, header.front):
        if tile.error:
            raise tile.error


def seen_codebook(header: Header) -> Array:
    """Return the codebook of a file, a palette's with its transparency."""
    return with_alpha(header.codebook, header.metadata.get("transparency"))


# --- Tiles ----------------------------------------------------------------------------------------


def _grid(size: tuple[int, int], tile: int | tuple[int, int] | None) -> Grid:
    """Cut a picture into tiles of a side, or width and height, or else into automatic ones."""
    width, height = size
    if max(size) > container.MAX_DIMENSION:
        raise ValueError(
            f"a picture has at most {container.MAX_DIMENSION} pixels a side, not {width}x{height}"
        )
    if tile is None:
        return Grid(width, height, *_automatic_tile_size(width, height))
    tile_width, tile_height = tile if isinstance(tile, tuple) else (tile, tile)
    grid = Grid(width, height, min(tile_width, width), min(tile_height, height))
    if grid.tile_width * grid.tile_height > container.MAX_TILE_PIXELS:
        raise ValueError(f"tile={tile!r} makes tiles of over {container.MAX_TILE_PIXELS} pixels")
    if grid.count > container.MAX_TILES:
        raise ValueError(
            f"tile={tile!r} makes {grid.count} tiles; at most {container.MAX_TILES} are possible"
        )
    return grid


def _automatic_tile_size(width: int, height: int) -> tuple[int, int]:
    if width * height <= _TILE_PIXELS:
        return width, height
    # A narrow image gets long tiles, so that their area stays. Equal cuts leave no slivers.
    side = math.isqrt(_TILE_PIXELS)
    columns = math.ceil(width / max(side, _TILE_PIXELS // height))
    rows = math.ceil(height / max(side, _TILE_PIXELS // width))
    return math.ceil(width / columns), math.ceil(height / rows)


def _common(one: Box, other: Box) -> Box:
    """Return the part that two boxes share, where they touch."""
    left, upper = max(one.left, other.left), max(one.upper, other.upper)
    return Box(left, upper, min(one.right, other.right), min(one.lower, other.lower))


def _within(box: Box, part: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a part in an array of a whole box."""
    rows = slice(part.upper - box.upper, part.lower - box.upper)
    return rows, slice(part.left - box.left, part.right - box.left)
