"""`Indexed` to bytes and back, without loss: codebook coding, label coding, metadata, tiles.

This module mirrors FORMAT.md, parts "Codebook", "Labels" and "Metadata"; the layout around them
is `container`'s.
"""

from __future__ import annotations

import functools
import math
import operator
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Literal, NamedTuple, TypedDict, TypeVar

import numpy as np

from . import _core, container
from .container import Box, Front, Grid, Reader, Tile
from .errors import FormatError, KMCError, LimitError, TruncatedError, UnsupportedError
from .indexed import KINDS, Array, Indexed, Kind, as_int, label_dtype

CODEBOOK_RAW, CODEBOOK_MODELLED = 0, 1
LABELS_PACKED = 0  # and _core.DRAWN, _core.PHOTOGRAPHIC

MAX_RDO = 2.0**22  # more than any colours differ
_LEAST_SINGLE = 2.0**-126

MAX_EFFORT = 2

Coding = tuple[int, int]  # a label coding and its options
_EFFORTS: dict[int, list[Coding]] = {
    1: [(_core.DRAWN, 0), (_core.DRAWN, 1), (_core.DRAWN, 2), (_core.DRAWN, 3), (_core.PHOTOGRAPHIC, 0)],
    2: [(_core.DRAWN, 4), (_core.DRAWN, 5), (_core.DRAWN, 6), (_core.DRAWN, 7), (_core.PHOTOGRAPHIC, 1)],
}

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_TILE_PIXELS = 2**21  # automatic tiles have at most about so many
_TRIAL_PIXELS = 2**17  # on so many all ways to code labels are tried,
_CLOSE = {1: 1.05, 2: 1.25}  # and on all of them those that take up to so much more there than the best
_STRIPS = 2  # which the labels for a trial come from
_TRIAL_THREAD_PIXELS = 2**14  # from so many, they are tried in threads
_ALL_PIXELS = 2**14  # up to so many, all efforts try all ways, as none takes long
# Ways to code labels that look up matches decode more slowly. Their bytes are multiplied by this before the
# best way is chosen, so that they are taken only if they save about 5 % or more.
_MATCHES_WORTH = 1.05
_BY_WORTH = operator.attrgetter("worth")
_THREAD_PIXELS = 2**19  # below so many, starting threads is not worth it
_AHEAD = 3  # tiles for each thread, the one it works at among them


class Metadata(TypedDict, total=False):
    """What a file holds beside its picture, under Pillow's names."""

    icc_profile: bytes
    exif: bytes
    xmp: bytes
    dpi: tuple[float, float]
    transparency: int | bytes  # of a palette image: one clear entry, or an alpha for each
    rdo: float  # squared error a bit of the labels was worth, where they were chosen by that
    options: bytes  # only written: by what a writer knows its file again, see `SaveOptions.digest`


BYTES: dict[Literal["icc_profile", "exif", "xmp"], int] = {
    "icc_profile": container.ICC_PROFILE,
    "exif": container.EXIF,
    "xmp": container.XMP,
}


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
    encode_labels = tile_encoder(indexed.codebook, effort, spare)

    def encode_tile(box: Box) -> bytes:
        return encode_labels(indexed.labels[box.upper : box.lower, box.left : box.right])

    tiles = map_tiles(encode_tile, grid, grid, threads)
    chunks = pack_metadata(metadata or {}, indexed.mode)
    return b"".join([front, chunks, pack_index(map(len, tiles), grid), *tiles])


def pack_front(grid: Grid, kind: Kind, codebook: Array) -> bytes:
    """Write signature, header and codebook; metadata, index and what `tile_encoder` makes of tiles follow."""
    return container.pack_header(Front(grid, len(codebook), KINDS.index(kind), *_encode_codebook(codebook)))


def pack_index(lengths: Iterable[int], grid: Grid) -> bytes:
    """Write the index of the tiles of a grid, which a single one does not have."""
    return container.pack_index(lengths) if grid.count > 1 else b""


def tile_encoder(codebook: Array, effort: int, threads: int = 1) -> Callable[[Array], bytes]:
    """Return a function that codes the labels of a tile, shape (height, width), as its chunk."""
    order = functools.cache(functools.partial(coding_order, codebook))  # packed labels need none
    return lambda labels: container.pack_chunk(*_encode_labels(labels, len(codebook), order, effort, threads))


def estimate_labels(indexed: Indexed, effort: int, threads: int) -> int:
    """Return how many bytes labels take in a file of one tile, about: packing is not tried."""
    order = coding_order(indexed.codebook)
    numbers = order.numbers.take(indexed.labels)
    most = 2 * numbers.size
    trials = _trials(numbers, order, _EFFORTS[effort], most, threads)
    coded = min(trials, key=_BY_WORTH).coded
    return most if coded is None else len(coded)


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
        metadata=_parse_metadata(front.chunks, kind.mode),
        codebook=_decode_codebook(front, kind),
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
    threads = check_threads(threads)
    grid = header.front.grid
    box = box or Box(0, 0, *header.size)
    order = functools.cache(functools.partial(coding_order, header.codebook))  # packed labels need none
    dtype = label_dtype(header.k)

    def labels_of(tile: Tile) -> Array:
        try:
            return _decode_labels(tile, header.k, order)
        except KMCError:
            if not tolerant:
                raise
            return np.zeros(_shape(tile.box), dtype)

    tiles = container.read_tiles(reader, header.front, grid.touched(box))
    first, last = (grid.tile(grid.at(*corner)) for corner in (box[:2], (box.right - 1, box.lower - 1)))
    if first == box:
        labels = labels_of(next(tiles))
    else:
        labels = np.zeros(_shape(box), dtype)

        def place(tile: Tile) -> None:
            common = _common(tile.box, box)
            labels[_within(box, common)] = labels_of(tile)[_within(tile.box, common)]

        read = Grid(last.right - first.left, last.lower - first.upper, grid.tile_width, grid.tile_height)
        map_tiles(place, tiles, read, threads)
    return Indexed(seen_codebook(header), labels, header.mode)


def decode_tile(data: bytes, header: Header, number: int) -> Indexed:
    """Read one tile from the bytes that `container.tile_range` tells of; do as `decode` does with its box."""
    start, _ = container.tile_range(header.front, number)
    tile = container.read_tile(Reader(BytesIO(data), start), header.front, number)
    order = functools.partial(coding_order, header.codebook)
    return Indexed(seen_codebook(header), _decode_labels(tile, header.k, order), header.mode)


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


# --- Tiles ------------------------------------------------------------------------------------


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


def seen_codebook(header: Header) -> Array:
    """Return the codebook of a file, a palette's with its transparency."""
    return with_alpha(header.codebook, header.metadata.get("transparency"))


def _decode_labels(tile: Tile, k: int, order: Callable[[], Order]) -> Array:
    if tile.error:
        raise tile.error
    if tile.coding == LABELS_PACKED:
        return _decode_packed(tile, k)
    if tile.coding in _core.OPTIONS:
        return _decode_modelled(tile, order())
    raise UnsupportedError(
        "label-coding", f"{tile.name}: label coding {tile.coding} is newer than this reader"
    )


def _encode_labels(
    labels: Array, k: int, order: Callable[[], Order], effort: int, threads: int
) -> tuple[int, bytes]:
    """Code labels in the way that takes the fewest bytes at an effort."""
    packed = _pack(labels, _label_bits(k))
    packed = min(packed, _deflate(packed), key=len)
    modelled = _encode_modelled(labels, order(), effort, len(packed), threads) if effort else None
    return modelled or (LABELS_PACKED, packed)


def _shape(box: Box) -> tuple[int, int]:
    return box.lower - box.upper, box.right - box.left


def _common(one: Box, other: Box) -> Box:
    """Return the part that two boxes share, where they touch."""
    left, upper = max(one.left, other.left), max(one.upper, other.upper)
    return Box(left, upper, min(one.right, other.right), min(one.lower, other.lower))


def _within(box: Box, part: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a part in an array of a whole box."""
    rows = slice(part.upper - box.upper, part.lower - box.upper)
    return rows, slice(part.left - box.left, part.right - box.left)


# --- Threads and efforts ------------------------------------------------------------------------


def check_threads(threads: object) -> int:
    """Return how many threads to use at most.

    That is `threads`, or the environment variable ``KMC_THREADS``, or the number of cores that
    this process may use.
    """
    if threads is None:
        given = os.environ.get("KMC_THREADS", "")
        if not given:
            return _usable_cores()
        if not (given.isascii() and given.isdigit() and int(given)):
            raise ValueError(f"the environment variable KMC_THREADS must be 1 or more, not {given!r}")
        return int(given)
    number = as_int(threads)
    if number is None or isinstance(threads, bool):
        raise TypeError(f"threads must be an int, 1 or more, not {threads!r}")
    if number < 1:
        raise ValueError(f"threads must be 1 or more, not {threads!r}")
    return number


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_tiles(
    function: Callable[[_Item], _Result],
    tiles: Iterable[_Item],
    grid: Grid,
    threads: int,
    least: int = _THREAD_PIXELS,
) -> list[_Result]:
    """Map a function over the tiles of a grid, in threads where it has `least` pixels or more.

    They are taken from the iterable shortly before their turn, so that few are in memory at a time.
    """
    threads = min(threads, grid.count)
    if threads == 1 or grid.width * grid.height < least:
        return [function(tile) for tile in tiles]
    return _map_in_threads(function, tiles, threads)


def _map_in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> list[_Result]:
    from concurrent.futures import Future, ThreadPoolExecutor  # slow to import, and seldom needed

    from .ahead import work_ahead

    def start(item: _Item) -> Future[_Result]:
        return executor.submit(function, item)

    with ThreadPoolExecutor(threads, "kmc") as executor:
        try:
            return [future.result() for future in work_ahead(items, start, _AHEAD * threads)]
        finally:
            executor.shutdown(cancel_futures=True)


# --- Packed labels ----------------------------------------------------------------------------


def _decode_packed(tile: Tile, k: int) -> Array:
    height, width = _shape(tile.box)
    bits = _label_bits(k)
    length = height * -(-width * bits // 8)
    if len(tile.payload) > length:
        raise FormatError("labels-length", f"{tile.name}: {len(tile.payload)} bytes of labels, not {length}")
    packed = tile.payload if len(tile.payload) == length else _inflate(tile.payload, length, tile.name)
    labels = _unpack(packed, width, height, bits)
    if labels.max() >= k:
        raise FormatError("label", f"{tile.name}: label {labels.max()} is not below k = {k}")
    return labels


def _label_bits(k: int) -> int:
    return next(bits for bits in (1, 2, 4, 8, 16) if k <= 1 << bits)


def _pack(labels: Array, bits: int) -> bytes:
    """Pack labels, the first in the highest bits, each row padded with 0 to whole bytes."""
    if bits >= 8:
        return labels.astype(f">u{bits // 8}").tobytes()
    per_byte = 8 // bits
    padded = np.pad(labels, ((0, 0), (0, -labels.shape[1] % per_byte)))
    packed = np.zeros((len(labels), padded.shape[1] // per_byte), np.uint8)
    for place in range(per_byte):
        packed |= padded[:, place::per_byte] << (8 - bits * (place + 1))
    return packed.tobytes()


def _unpack(packed: bytes, width: int, height: int, bits: int) -> Array:
    if bits >= 8:
        return (
            np.frombuffer(packed, f">u{bits // 8}").reshape(height, width).astype(f"u{bits // 8}", copy=False)
        )
    per_byte = 8 // bits
    shifts = np.arange(8 - bits, -1, -bits)
    # One look-up a byte gives all its labels, moved as one word.
    words = (np.arange(256)[:, None] >> shifts & (1 << bits) - 1).astype(np.uint8).view(f"u{per_byte}")[:, 0]
    labels = words.take(np.frombuffer(packed, np.uint8)).view(np.uint8).reshape(height, -1)
    return np.ascontiguousarray(labels[:, :width])


# --- Modelled labels ----------------------------------------------------------------------------


class Order(NamedTuple):
    """The order in which a model numbers the labels: one that puts like colours side by side."""

    labels: Array  # (k,) uint16: the label of each number
    numbers: Array  # (k,) uint16: the number of each label
    colours: Array  # (k, 4) uint8: the colour of each number, as far as the model knows it


def coding_order(codebook: Array) -> Order:
    k, channels = codebook.shape
    colours = np.zeros((k, 4), np.uint8)
    if codebook.dtype == np.uint8:
        # Along a Z-curve: by the highest bits of all channels first, then by the next ones.
        key: Array = np.zeros(k, np.uint32)
        for bit in range(7, -1, -1):
            for channel in range(channels):
                key = key << 1 | codebook[:, channel] >> bit & 1
        order = np.argsort(key, kind="stable")
        colours[:, :channels] = codebook[order]
    else:
        order = np.argsort(codebook[:, 0], kind="stable")
        colours[:, 0] = np.arange(k) * 256 // k
    numbers = np.empty(k, np.uint16)
    numbers[order] = np.arange(k)
    return Order(order.astype(np.uint16), numbers, colours)


def _encode_modelled(
    labels: Array, order: Order, effort: int, limit: int, threads: int
) -> tuple[int, bytes] | None:
    """Code labels by a model, the best of those worth trying; None where `limit` bytes do not do."""
    numbers = order.numbers.take(labels)
    codings = _EFFORTS[effort]
    if numbers.size <= _ALL_PIXELS:
        codings = [coding for codings in _EFFORTS.values() for coding in codings]
    most = max(limit - 2, 0)  # beside the byte that names the options, and fewer than packed
    if numbers.size > _TRIAL_PIXELS:
        codings = _promising(numbers, order, codings, _CLOSE[effort], threads)
    (coding, options), coded, _ = min(_trials(numbers, order, codings, most, threads), key=_BY_WORTH)
    return None if coded is None else (coding, bytes([options]) + coded)


def _promising(
    numbers: Array, order: Order, codings: list[Coding], share: float, threads: int
) -> list[Coding]:
    """Return the ways to code labels that take up to `share` of the bytes of the best in a sample."""
    sample = _sample(numbers, _TRIAL_PIXELS)

    def close(ways: list[Coding]) -> list[Coding]:
        trials = _trials(sample, order, ways, 2 * sample.size, threads)
        most = share * min(trials, key=_BY_WORTH).worth
        return [trial.coding for trial in trials if trial.worth <= most]

    # Whether labels nearby are listed decides little: so at first without.
    firsts = close([way for way in codings if not (way[0] == _core.DRAWN and way[1] & _core.DRAWN_LIST)])
    drawn = [options for coding, options in firsts if coding == _core.DRAWN]
    listed = [(_core.DRAWN, options | _core.DRAWN_LIST) for options in drawn]
    return close(firsts + listed) if listed else firsts


def _sample(numbers: Array, pixels: int) -> Array:
    """Return about so many labels, in strips from all over, or all where there are not more."""
    height, width = numbers.shape
    rows = max(pixels // _STRIPS // width, 1)
    if numbers.size <= pixels or _STRIPS * rows >= height:
        return np.ascontiguousarray(numbers[:, : max(pixels // height, 1)])
    tops = np.linspace(0, height - rows, _STRIPS).astype(int)
    strips = [numbers[top : top + rows, : max(pixels // _STRIPS // rows, 1)] for top in tops]
    return np.concatenate(strips)


class _Trial(NamedTuple):
    """Labels coded in one way."""

    coding: Coding
    coded: bytes | None  # None where they take more than there was room for
    worth: float  # the bytes, weighted as `_MATCHES_WORTH` says; infinity for one that was given up


def _trials(numbers: Array, order: Order, codings: list[Coding], room: int, threads: int) -> list[_Trial]:
    """Code labels in each way, in at most `room` bytes."""

    def attempt(way: Coding) -> _Trial:
        coding, options = way
        coded = _core.encode_labels(numbers, order.colours, coding, options, room)
        lookups = coding == _core.DRAWN and options & _core.DRAWN_MATCHES and not options & _core.DRAWN_RICH
        length = math.inf if coded is None else len(coded)
        return _Trial(way, coded, length * (_MATCHES_WORTH if lookups else 1))

    together = threads > 1 and numbers.size >= _TRIAL_THREAD_PIXELS
    return _map_in_threads(attempt, codings, threads) if together else [attempt(one) for one in codings]


def _decode_modelled(tile: Tile, order: Order) -> Array:
    k = len(order.labels)
    if not tile.payload or tile.payload[0] >= _core.OPTIONS[tile.coding]:
        raise UnsupportedError("labels-model", f"{tile.name}: a model of labels newer than this reader")
    labels = np.empty(_shape(tile.box), label_dtype(k))
    data = memoryview(tile.payload)[1:]
    broken = _core.decode_labels(data, labels, order.labels, order.colours, tile.coding, tile.payload[0])
    if broken == "label":
        raise FormatError("label", f"{tile.name}: a label is not below k = {k}")
    if broken:
        raise FormatError(
            "labels-length", f"{tile.name}: {len(tile.payload)} bytes are not what its labels take"
        )
    return labels


# --- Codebook ---------------------------------------------------------------------------------


def _encode_codebook(codebook: Array) -> tuple[int, bytes]:
    """Code entries in the shortest way there is."""
    words = _words(codebook)
    raw = words.astype(words.dtype.newbyteorder(">")).tobytes()
    modelled = _core.encode_codebook(words.astype(np.uint32), 8 * words.itemsize)
    # The first of the shortest: raw, where the other is not shorter.
    return min((CODEBOOK_RAW, raw), (CODEBOOK_MODELLED, modelled), key=lambda item: len(item[1]))


def _decode_codebook(front: Front, kind: Kind) -> Array:
    dtype = np.dtype(kind.dtype)
    big = np.dtype(f">u{dtype.itemsize}")
    if front.k > kind.max_k:
        raise FormatError("k", f"k = {front.k} is over {kind.max_k}, the most for mode {kind.mode}")
    length = front.k * kind.channels * dtype.itemsize
    if front.codebook_coding == CODEBOOK_RAW:
        if len(front.codebook) != length:
            raise FormatError("codebook-length", f"a codebook of {len(front.codebook)} bytes, not {length}")
        words = np.frombuffer(front.codebook, big).reshape(front.k, kind.channels)
    elif front.codebook_coding == CODEBOOK_MODELLED:
        words = np.empty((front.k, kind.channels), np.uint32)
        if not _core.decode_codebook(front.codebook, words, 8 * dtype.itemsize):
            raise FormatError("codebook-length", f"a codebook is not what {len(front.codebook)} bytes hold")
    else:
        raise UnsupportedError(
            "codebook-coding", f"codebook coding {front.codebook_coding} is newer than this reader"
        )
    codebook = words.astype(big.newbyteorder("=")).view(dtype)
    if kind.mode == "1" and not np.isin(codebook, (0, 255)).all():
        raise FormatError("codebook-value", "a bilevel codebook holds other values than 0 and 255")
    return codebook


def _words(codebook: Array) -> Array:
    return codebook.view(f"u{codebook.itemsize}")


def with_alpha(codebook: Array, transparency: int | bytes | None) -> Array:
    """Join a palette's transparency, as Pillow keeps it, to its codebook as alpha.

    Entries it does not name keep the alpha they have.
    """
    if transparency is None:
        return codebook
    alpha = np.full(len(codebook), 255, np.uint8) if codebook.shape[1] == 3 else codebook[:, 3].copy()
    if isinstance(transparency, int):
        alpha[transparency : transparency + 1] = 0
    else:
        given = np.frombuffer(transparency, np.uint8)[: len(codebook)]
        alpha[: len(given)] = given
    return np.column_stack([codebook[:, :3], alpha])


# --- Deflate ----------------------------------------------------------------------------------


def _deflate(data: bytes, level: int = 6) -> bytes:
    """Compress as a bare deflate stream (RFC 1951); the chunk's CRC makes zlib's own idle."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 9)
    return compressor.compress(data) + compressor.flush()


def _inflate(data: bytes, length: int, name: str) -> bytes:
    """Expand a bare deflate stream that must give exactly `length` bytes."""
    decompressor = zlib.decompressobj(-15)
    try:
        expanded = decompressor.decompress(data, length + 1)
    except zlib.error as error:
        raise FormatError("deflate", f"{name}: {error}") from error
    if len(expanded) != length or not decompressor.eof or decompressor.unused_data:
        raise FormatError("deflate", f"{name}: a deflate stream that does not hold exactly {length} bytes")
    return expanded


# --- Metadata ---------------------------------------------------------------------------------


def pack_metadata(metadata: Metadata, mode: str) -> bytes:
    """Frame what is given as chunks."""
    payloads = {tag: _pack_bytes(metadata[name]) for name, tag in BYTES.items() if name in metadata}
    if "dpi" in metadata:
        payloads[container.DPI] = struct.pack(">2d", *metadata["dpi"])
    if "transparency" in metadata:
        payloads[container.TRANSPARENCY] = _pack_transparency(metadata["transparency"], mode)
    if "rdo" in metadata:
        payloads[container.RDO] = struct.pack(">f", max(metadata["rdo"], _LEAST_SINGLE))
    if metadata.get("options"):
        payloads[container.OPTIONS] = metadata["options"]
    return b"".join(container.pack_chunk(tag, payload) for tag, payload in payloads.items())


def _pack_bytes(value: bytes) -> bytes:
    """Return a length and so many bytes, deflated if that is shorter."""
    stored = min(value, _deflate(value, 9), key=len)
    return container.pack_varint(len(value)) + stored


def check_dpi(dpi: object) -> tuple[float, float]:
    """Return a resolution as two floats, or raise what is wrong with it."""
    try:
        if isinstance(dpi, (str, bytes)):
            raise TypeError("digits are no pair")
        horizontal, vertical = map(float, dpi)  # type: ignore[call-overload]  # checked by trying
    except (TypeError, ValueError) as error:
        raise TypeError(f"dpi must be a pair of numbers, not {dpi!r}") from error
    if not (0 < horizontal < math.inf and 0 < vertical < math.inf):
        raise ValueError(f"dpi must be a pair of positive numbers, not {dpi!r}")
    return horizontal, vertical


def _check_rdo(rdo: object) -> float:
    if not isinstance(rdo, float):
        raise TypeError(f"rdo must be a float, not {rdo!r}")
    if not 0 < rdo <= MAX_RDO:
        raise ValueError(f"rdo must be over 0 and at most {MAX_RDO:g}, not {rdo!r}")
    return rdo


def _pack_transparency(transparency: object, mode: str) -> bytes:
    if mode != "P":
        raise ValueError(f"transparency belongs to a palette image, not to mode {mode}")
    checked = check_transparency(transparency)
    return bytes([0, checked]) if isinstance(checked, int) else b"\1" + checked


def check_transparency(transparency: object) -> int | bytes:
    """Return a palette's transparency, as Pillow keeps it, or raise what is wrong with it."""
    if isinstance(transparency, (bytes, bytearray)) and len(transparency) <= 256:
        return bytes(transparency)
    if isinstance(transparency, int) and 0 <= transparency <= 255:
        return transparency
    raise ValueError(f"transparency must be an int from 0 to 255 or at most 256 bytes, not {transparency!r}")


def _parse_metadata(chunks: dict[int, bytes], mode: str) -> Metadata:
    metadata = Metadata()
    for name, tag in BYTES.items():
        if tag in chunks:
            metadata[name] = _parse_bytes(chunks[tag], tag)
    if container.DPI in chunks:
        metadata["dpi"] = _parse_dpi(chunks[container.DPI])
    if container.TRANSPARENCY in chunks:
        metadata["transparency"] = _parse_transparency(chunks[container.TRANSPARENCY], mode)
    if container.RDO in chunks:
        metadata["rdo"] = _parse_rdo(chunks[container.RDO])
    return metadata


def _parse_bytes(payload: bytes, tag: int) -> bytes:
    """Return what `_pack_bytes` packed."""
    name = f"chunk {chr(tag)!r}"
    length, stored = stored_bytes(payload)
    if length > container.MAX_METADATA:
        raise LimitError("metadata-length", f"{name}: {length} bytes are over {container.MAX_METADATA}")
    if len(stored) > length:
        raise FormatError("metadata-value", f"{name} holds {len(stored)} bytes, not {length}")
    return stored if len(stored) == length else _inflate(stored, length, name)


def stored_bytes(payload: bytes) -> tuple[int, bytes]:
    """Return how long metadata are, and as what they are stored."""
    reader = Reader(BytesIO(payload))
    try:
        return reader.varint(), payload[reader.offset :]
    except TruncatedError:
        raise FormatError("metadata-value", "a chunk of metadata lacks its length") from None


def _parse_rdo(payload: bytes) -> float:
    try:
        return _check_rdo(*struct.unpack(">f", payload))
    except (struct.error, ValueError) as error:
        raise FormatError("metadata-value", f"chunk 'r' does not hold a multiplier: {error}") from error


def _parse_dpi(payload: bytes) -> tuple[float, float]:
    try:
        return check_dpi(struct.unpack(">2d", payload))
    except (struct.error, ValueError) as error:
        raise FormatError("metadata-value", f"chunk 'd' does not hold a resolution: {error}") from error


def _parse_transparency(payload: bytes, mode: str) -> int | bytes:
    if mode == "P" and len(payload) == 2 and payload[0] == 0:
        return payload[1]
    if mode == "P" and 1 <= len(payload) <= 257 and payload[0] == 1:
        return payload[1:]
    raise FormatError("metadata-value", "chunk 't' does not hold a palette's transparency")
