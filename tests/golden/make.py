"""Write the golden files of format version 1, each with its picture as PNG or its pixels as .npy.

The frames of an animation are in one picture, below one another.

    python -I tests/golden/make.py

``<picture>--<coding>.kmc`` shows ``<picture>.png``. Written once, decoded for ever: this leaves alone what
exists, even where it would now be coded in fewer bytes. Until the package is at 1.0 they may be made anew
with a new version of the format. They have to be such that no constant of the codings could be another one:
tests/test_mutation.py checks it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

import kmc_format
from kmc_format import Indexed, _core
from kmc_format._format import codec, container
from kmc_format._format.codebook import CODEBOOK_MODELLED, _words, encode_codebook
from kmc_format._format.container import Reader
from kmc_format._format.grid import Grid
from kmc_format._format.indexed import KINDS
from kmc_format._format.labels import (
    LABELS_FOLLOWING,
    LABELS_PACKED,
    LEARNING,
    Order,
    _label_bits,
    _pack,
    coding_order,
)
from kmc_format._format.metadata import Metadata, pack_metadata
from kmc_format._options.options import SaveOptions

FOLDER = Path(__file__).parent / "v1"
SAMPLES = FOLDER.parent.parent.parent / "sample_images"

RGB, PALETTE, WIDE = KINDS[3], KINDS[5], KINDS[7]
DRAWN = [(_core.DRAWN, options) for options in range(_core.OPTIONS[_core.DRAWN])]
PHOTOGRAPHIC = [(_core.PHOTOGRAPHIC, options) for options in range(_core.OPTIONS[_core.PHOTOGRAPHIC])]
ALL = DRAWN + PHOTOGRAPHIC
TEXT = "the codebook of a picture and labels, tile by tile: each label is a number below k;"
NAMES = {_core.DRAWN: "drawn", _core.PHOTOGRAPHIC: "photographic"}
KEY, BACK, KEPT = 1, 8, 16  # flags of frames; others are set as needed
Way = tuple[int, int]  # a label coding and its options


# --- Pictures -------------------------------------------------------------------------------------


def file_of(picture: Indexed, metadata: Any = None, **options: Any) -> bytes:
    """Code a picture with any metadata, and options of `kmc_format.encode`."""
    return codec.encode(picture, SaveOptions.of(options).layout(picture.size), metadata)


def plain_name(kind: Any) -> str:
    return f"{kind.mode.replace(';', '')}-{kind.channels}"


def codebook_of(kind: Any, k: int) -> Any:
    """Random entries, which no coding can make smaller."""
    limits = np.iinfo(kind.dtype)
    if kind.mode == "1":
        return np.array([[255], [0]], np.uint8)[:k]
    rng = np.random.default_rng(k)
    return rng.integers(limits.min, limits.max, (k, kind.channels), kind.dtype, endpoint=True)


def regular_codebook(kind: Any, k: int) -> Any:
    """Entries that step by a constant, which takes a few bytes."""
    bits = 8 * np.dtype(kind.dtype).itemsize
    steps = np.arange(k)[:, None] * [7, 3, 250, 1][: kind.channels] << bits - 8
    return (steps & (1 << bits) - 1).astype(f"u{bits // 8}").view(kind.dtype)


def areas(k: int, size: tuple[int, int] = (15, 11), zoom: int = 1) -> Any:
    """Labels in areas and lines with noise, the first and last label among them."""
    rng = np.random.default_rng(k)
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    labels = (x // 3 + y // 4) % min(k, 7)
    labels = np.where(rng.random((height, width)) < 0.2, rng.integers(0, k, (height, width)), labels)
    labels[0, 0], labels[-1, -1] = 0, k - 1
    return np.kron(labels, np.ones((zoom, zoom), int))


def picture(kind: Any, k: int, size: tuple[int, int] = (15, 11), zoom: int = 1) -> Indexed:
    return Indexed(codebook_of(kind, k), areas(k, size, zoom), kind.mode)


def sample(name: str, box: tuple[int, int, int, int], k: int, codebook: Any = None) -> Indexed:
    """A part of a sample image in k colours."""
    with Image.open(SAMPLES / f"{name}.png") as image:
        part = np.asarray(image.convert("RGB").crop(box))
    return kmc_format.quantize(part, **({"k": k} if codebook is None else {"codebook": codebook}))


def text(size: tuple[int, int], colours: int) -> Indexed:
    """Lines of text: in two colours, or anti-aliased in more."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1" if colours == 2 else "L"
    font = ImageFont.load_default(9 if colours == 2 else 11)
    words = iter(TEXT.split() * 99)
    for y in range(2, size[1] - 6, 12):
        x = 3.0
        while x < size[0] - 20:
            word = next(words) + " "
            draw.text((round(x), y), word, 0, font)
            x += draw.textlength(word, font)
    return kmc_format.quantize(np.asarray(image), colours)


def discs(k: int, size: tuple[int, int]) -> Indexed:
    """A mask of many objects, numbered as they come; its codebook tells nothing."""
    rng = np.random.default_rng(k)
    width, height = size
    labels = np.zeros((height, width), int)
    y, x = np.mgrid[0:height, 0:width]
    for label in range(1, k):
        column, row, radius = rng.integers(0, width), rng.integers(0, height), rng.integers(3, 14)
        labels[(x - column) ** 2 + (y - row) ** 2 < radius**2] = label
    return Indexed(np.arange(k, dtype=np.uint16)[:, None], labels, WIDE.mode)


def lattice(*steps: int) -> Any:
    """A codebook of all colours of a lattice, which takes a few bytes."""
    levels = [np.linspace(0, 255, n).astype(np.uint8) for n in steps]
    return np.stack(np.meshgrid(*levels, indexing="ij"), axis=-1).reshape(-1, len(steps))


def sparse(k: int, size: tuple[int, int], busy: int) -> Indexed:
    """A large picture that is blank but for some pixels, so that tables are as large as they can be.

    What comes first comes once more, so that it shows what tables have kept.
    """
    rng = np.random.default_rng(k)
    width, height = size
    labels = np.zeros((height, width), np.uint16)
    rows = min(height // 2, 1 + busy // 400)
    patch = rng.integers(0, k, (rows, busy // rows // 2))
    labels[height - 2 * rows :, 7 : 7 + patch.shape[1]] = np.tile(
        np.where(rng.random(patch.shape) < 0.5, 0, patch), (2, 1)
    )
    labels[height - 2 * rows :, 3 * width // 4] = k - 1
    return Indexed(regular_codebook(RGB, k), labels)


def rectangles(k: int, size: tuple[int, int]) -> Indexed:
    """Plain areas of many labels and sizes."""
    rng = np.random.default_rng(k)
    labels = np.zeros(size[::-1], int)
    for _ in range(size[0] * size[1] // 20):
        x, y, width, height = rng.integers(0, size[0]), rng.integers(0, size[1]), *rng.integers(2, 20, 2)
        labels[y : y + height // 3, x : x + width] = rng.integers(0, k)
    labels[-1, -1] = k - 1
    return Indexed(regular_codebook(RGB, k), labels)


def diagonals(k: int, size: tuple[int, int]) -> Indexed:
    """What can be foretold but never is the same as a neighbour drives weights and logits to their limits."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    return Indexed(regular_codebook(RGB, k), (x // 2 + y) % k)


def chance(k: int, size: tuple[int, int]) -> Indexed:
    rng = np.random.default_rng(0)
    return Indexed(regular_codebook(RGB, k), rng.integers(0, k, size[::-1]))


def texture(k: int, size: tuple[int, int]) -> Indexed:
    """A pattern that comes again and again, with noise."""
    rng = np.random.default_rng(k)
    pattern = np.tile(rng.integers(0, k, (16, 16)), (size[1] // 16, size[0] // 16))
    labels = np.where(rng.random(pattern.shape) < 0.04, rng.integers(0, k, pattern.shape), pattern)
    labels[0, 0] = k - 1
    return Indexed(regular_codebook(RGB, k), labels)


def edges(k: int, size: tuple[int, int], margin: int = 0) -> Indexed:
    """A plain area of label 0, whose right edge goes back and forth between a few places."""
    rng = np.random.default_rng(0)
    width, height = size
    places = rng.choice([width // 2 - 1, width // 2, 3 * width // 4], height)
    labels = (np.arange(width) >= places[:, None]) * rng.integers(1, k, (height, 1))
    labels[:, :margin] = rng.integers(1, k, (height, 1))
    return Indexed(regular_codebook(RGB, k), labels)


def marks(size: tuple[int, int]) -> Indexed:
    """Wide rows, each blank but for a pixel, with lengths between them that are told apart, or no more."""
    width, height = size
    labels = np.zeros((height, width), int)
    places = np.random.default_rng(0).choice([6 * width // 11, 8 * width // 11, 21 * width // 22], height)
    labels[np.arange(height), places + np.arange(height) % 3] = 1
    return Indexed(regular_codebook(RGB, 2), labels)


def noise(k: int) -> Indexed:
    labels = np.random.default_rng(k).integers(0, k, (3, 5))
    labels[0, 0] = k - 1
    return Indexed(codebook_of(RGB, k), labels)


def smooth(channels: int, k: int) -> Indexed:
    """A codebook of colours that change little from one to the next."""
    ramp = np.arange(k)[:, None] * [3, 2, 1, 7] // 40 % 256
    return Indexed(ramp[:, :channels].astype(np.uint8), areas(k, (19, 13)))


# --- Files ----------------------------------------------------------------------------------------


def coded(indexed: Indexed, coding: int, options: int) -> bytes:
    """Code one tile in one way, though another may be shorter."""
    order = coding_order(indexed.codebook)
    numbers = order.numbers.take(indexed.labels)
    labels = _core.encode_labels(numbers, order.colours, coding, options, 16 * numbers.size + 64) or b""
    packed = file_of(indexed, effort=0, tile=indexed.size)
    header = codec.read_header(Reader(io.BytesIO(packed)))
    return packed[: header.front.start] + container.pack_chunk(coding, bytes([options]) + labels)


def in_codings(name: str, indexed: Indexed, codings: list[tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    for coding, options in codings:
        yield f"{name}--{NAMES[coding]}{options}", coded(indexed, coding, options)


def unlikely(size: tuple[int, int], coding: int, options: int) -> bytes:
    """Bytes by chance as labels, as many as are needed: no writer says these things so."""
    packed = file_of(Indexed(regular_codebook(RGB, 16), areas(16, size)), effort=0)
    head = packed[: codec.read_header(Reader(io.BytesIO(packed))).front.start]
    stream = np.random.default_rng(0).bytes(size[0] * size[1])
    for length in range(len(stream), 0, -1):
        data = head + container.pack_chunk(coding, bytes([options]) + stream[:length])
        with contextlib.suppress(kmc_format.KMCError):
            kmc_format.decode(data)
            return data
    raise AssertionError("no stream is valid")


def with_codebook(mode: str, k: int, coded_codebook: bytes) -> bytes:
    """Code a picture of one pixel, with a modelled codebook, though a raw one may be shorter."""
    number = next(n for n, kind in enumerate(KINDS) if kind.mode == mode)
    grid = Grid(1, 1, 1, 1)
    front = container.Front(grid, k, number, CODEBOOK_MODELLED, coded_codebook)
    return container.pack_header(front) + container.pack_chunk(LABELS_PACKED, bytes(1 + (k > 256)))


def modelled(codebook: Any) -> bytes:
    return _core.encode_codebook(_words(codebook).astype(np.uint32), 8 * codebook.itemsize)


def codebooks() -> Iterator[tuple[str, bytes]]:
    """Codebooks that reach the ends of what is looked through, of numbers, and of the range of a code."""
    rng = np.random.default_rng(0)
    codebook = np.append(codebook_of(KINDS[8], 40), np.arange(20, dtype=np.int32)[:, None], axis=0)
    yield "I-1-k60-random--modelled", with_codebook("I", 60, modelled(codebook))
    for period in (64, 65):  # entries are like those 64 or 65 before
        codebook = rng.integers(0, 256, (200, 3), np.uint8)
        codebook[:, 0] = 3 * np.resize(rng.permutation(period), 200)
        yield f"RGB-3-k200-like-{period}--modelled", with_codebook("RGB", 200, modelled(codebook))
    for period in (128, 129):  # steps are those 128 or 129 before
        steps = np.resize(rng.integers(0, 256, (period, 3)), (300, 3))
        codebook = steps.cumsum(axis=0).astype(np.uint8)
        yield f"RGB-3-k300-repeats-{period}--modelled", with_codebook("RGB", 300, modelled(codebook))
    down = 100 - np.arange(60, dtype=np.uint8)[:, None].repeat(2, axis=1)
    yield "LA-2-k60-down--modelled", with_codebook("LA", 60, modelled(down))
    # The first bit's bound, so that all bits after it are 1, and a number is -2^32; all bits are 0.
    yield "I-1-k3-bound--modelled", with_codebook("I", 3, bytes.fromhex("7FFFFFFFFFFF80"))
    yield "I-1-k3-highest--modelled", with_codebook("I", 3, bytes.fromhex("FFFFFFFFFFFFFFFE"))


def kinds() -> Iterator[tuple[str, bytes]]:
    """All pixel formats, with codebooks of either coding."""
    for kind in KINDS:
        for k in (1, 2, 17, 256):
            if k <= kind.max_k and (k > 2 or kind.mode in ("1", "RGB")):
                yield f"{plain_name(kind)}-k{k}--default", file_of(picture(kind, k))
        few = picture(kind, min(60, kind.max_k))
        yield from in_codings(f"{plain_name(kind)}-k60", few, [DRAWN[0], DRAWN[7], *PHOTOGRAPHIC])
        if kind.mode != "1":
            regular = Indexed(regular_codebook(kind, 90), areas(90), kind.mode)
            yield f"{plain_name(kind)}-k90-regular--default", file_of(regular)
    for channels in (2, 3, 4):
        for k in (20, 300, 3000):
            yield f"colours-{channels}-k{k}-ramp--default", file_of(smooth(channels, k))


def containers() -> Iterator[tuple[str, bytes]]:
    """Tiles, metadata, and what is packed."""
    for k in (2, 3, 16, 200, 300):
        yield f"k{k}-areas--packed", file_of(picture(RGB, k), effort=0)
        yield f"k{k}-noise--packed", file_of(noise(k))
    yield "k2-9x3--packed", file_of(picture(RGB, 2, (9, 3)), effort=0)
    # Deflate finds some labels of a row again 120 rows, 30,000 bytes, below.
    far = np.zeros((460, 250), np.uint8)
    far[::8, :6] = np.resize(np.random.default_rng(0).integers(0, 256, (15, 6)), (58, 6))
    yield "k256-far--packed", file_of(Indexed(regular_codebook(RGB, 256), far), effort=0)
    profile = b"profile" * 40  # which is deflated, unlike the others
    metadata = Metadata(icc_profile=profile, exif=b"Exif\0\0exif", xmp=b"<xmp/>", dpi=(72, 300.5))
    yield "k9-tiles--default", file_of(picture(RGB, 9, (29, 23)), tile=(8, 10))
    yield "k4-metadata--default", file_of(picture(RGB, 4), metadata=metadata)
    yield "k4-rdo--default", file_of(picture(RGB, 4), metadata=Metadata(rdo=12.5))
    ids = picture(WIDE, 600, (29, 23))
    yield "I16-k600-tiles-metadata--default", file_of(ids, tile=(11, 9), metadata=metadata)
    palette = picture(PALETTE, 30)
    for name, transparency in (("clear", 3), ("alphas", b"\x00\x80\xff\x40")):
        given = Metadata(transparency=transparency)
        yield f"P-k30-{name}--default", file_of(palette, metadata=given)
    for effort in (1, 2):
        many = picture(RGB, 40, (61, 47), zoom=3)
        yield f"k40-tiles--effort{effort}", file_of(many, effort=effort, tile=(50, 40))


def shapes() -> Iterator[tuple[str, bytes]]:
    """Pictures of few pixels, and numbers of labels on both sides of every change in the codings."""
    for size in ((1, 1), (1, 50), (50, 1), (2, 2), (9, 2)):
        yield from in_codings("k5-{}x{}".format(*size), picture(RGB, 5, size), ALL)
    edges = (1, 2, 3, 8, 9, 16, 17, 32, 33, 256, 257, 1024, 1025, 4096, 4097, 32768, 32769, 65536)
    for n, k in enumerate(edges):
        several = Indexed(regular_codebook(RGB, k), areas(k), RGB.mode)
        yield from in_codings(f"k{k}", several, [DRAWN[n % 4], DRAWN[4 + n % 4], *PHOTOGRAPHIC])
    for k in (6, 25, 60, 400):
        yield from in_codings(f"k{k}-areas", picture(RGB, k, (13, 9), zoom=3), DRAWN)


def drawn() -> Iterator[tuple[str, bytes]]:
    yield from in_codings("text-k2", text((200, 150), 2), DRAWN)
    yield from in_codings("text-k16", text((140, 90), 16), DRAWN)
    yield from in_codings("mask-k300", discs(300, (160, 110)), DRAWN)
    yield from in_codings("map-k40", sample("map", (150, 90, 260, 170), 40), DRAWN)
    yield from in_codings("screenshot-k200", sample("screenshot", (120, 100, 230, 180), 200), DRAWN)
    yield from in_codings("pixel-art-k16", sample("pixel-art", (0, 0, 100, 80), 16), DRAWN)


def limits() -> Iterator[tuple[str, bytes]]:
    """What counts, weights and sums may be at most."""
    yield from in_codings("diagonals-k256", diagonals(256, (64, 48)), PHOTOGRAPHIC[1:])
    yield from in_codings("rectangles-k1500", rectangles(1500, (170, 120)), [DRAWN[0]])
    yield from in_codings("rectangles-k60", rectangles(60, (60, 48)), [DRAWN[6]])
    yield from in_codings("texture-k200", texture(200, (96, 80)), [DRAWN[6]])
    yield from in_codings("chance-k32-32x32", chance(32, (32, 32)), [DRAWN[4]])
    yield from in_codings("chance-k32-64x48", chance(32, (64, 48)), PHOTOGRAPHIC[1:])
    for options in (1, 5):
        yield f"unlikely-k16-{options}--drawn{options}", unlikely((16, 16), _core.DRAWN, options)
    yield from in_codings("edges-k3", edges(3, (40, 60)), [DRAWN[2], DRAWN[6]])
    yield from in_codings("edges-margin-k3", edges(3, (40, 150), 2), [DRAWN[2], DRAWN[6]])


def large() -> Iterator[tuple[str, bytes]]:
    """What only shows where there are many pixels, or long rows."""
    yield from in_codings("blank-k9", sparse(9, (2048, 2048), 6000), [DRAWN[2], DRAWN[6]])
    yield from in_codings("few-k9", sparse(9, (256, 160), 1500), [DRAWN[0], DRAWN[2], DRAWN[6]])
    yield from in_codings("marks-k2", marks((110_000, 12)), [DRAWN[0], DRAWN[7]])
    yield from in_codings("wide-k3", sparse(3, (140_000, 3), 100), [DRAWN[1], DRAWN[7]])


def photographic() -> Iterator[tuple[str, bytes]]:
    for k in (5, 8, 20, 60, 256):
        crop = sample("photograph", (260, 220, 324, 268), k)
        yield from in_codings(f"photograph-k{k}", crop, PHOTOGRAPHIC)
    many = sample("photograph", (260, 220, 308, 260), 0, lattice(12, 10, 8))
    yield from in_codings("photograph-k960", many, PHOTOGRAPHIC)
    yield from in_codings("flat-k9", sparse(9, (64, 64), 40), PHOTOGRAPHIC)
    for steps in ((9, 9, 7), (19, 18, 15), (35, 35, 33)):
        crop = sample("photograph", (260, 220, 300, 250), 0, lattice(*steps))
        yield from in_codings(f"photograph-k{crop.k}", crop, [*PHOTOGRAPHIC, DRAWN[3], DRAWN[4]])


# --- Frames ---------------------------------------------------------------------------------------


class State(NamedTuple):
    """What a tile of the next frame can go on from."""

    numbers: Any = None
    frames: object = None  # of the compiled core

    def copy(self) -> State:
        return self._replace(frames=self.frames and _core.copy_frames(self.frames))


def tile_in(way: Way | None, numbers: Any, state: State, order: Order) -> tuple[bytes, State]:
    """Code a tile of a frame in a way, or as one in which nothing changes; return what it leaves."""
    if way is None:
        return b"", state
    coding, options = way
    height, width = numbers.shape
    room = 16 * numbers.size + 64
    if coding == LABELS_PACKED:
        labels = order.labels.take(numbers)
        return bytes([coding]) + _pack(labels, _label_bits(len(order.labels))), State(numbers)
    if not options & _core.DRAWN_FRAMES:
        coded = _core.encode_labels(numbers, order.colours, coding, options, room) or b""
        return bytes(way) + coded, State(numbers)
    frames = state.frames
    if coding == _core.DRAWN or frames is None:
        frames = _core.open_frames(width, height, order.colours, options)
        if coding == LABELS_FOLLOWING:
            _core.begin_after(frames, state.numbers)
    return bytes(way) + (_core.encode_frame(frames, numbers, options, room) or b""), State(numbers, frames)


def frame_of(flags: int, fields: bytes, tiles: list[bytes]) -> bytes:
    lengths = [container.pack_varint(len(tile)) for tile in tiles[:-1]]
    coded = [length + tile for length, tile in zip([*lengths, b""], tiles, strict=True)]
    return container.pack_chunk(container.FRAME, bytes([flags]) + fields + b"".join(coded))


def file_of_frames(
    pictures: list[Indexed], ways: list[tuple[int, list[Way | None]]], tile: Any = None, metadata: Any = None
) -> bytes:
    """Code frames, each with flags and ways for its tiles, which are taken in turn."""
    grid = SaveOptions.of({"tile": tile}).layout(pictures[0].size).grid
    chunks: list[bytes] = []
    states = kept = [State()] * grid.count
    kept_number, before = 0, 0
    for number, (indexed, (flags, codings)) in enumerate(zip(pictures, ways, strict=True)):
        order, tiles = coding_order(indexed.codebook), []
        numbers = order.numbers.take(indexed.labels)
        if flags & (KEY | BACK):
            states = [State()] * grid.count if flags & KEY else [state.copy() for state in kept]
        for n, box in enumerate(grid):
            part = np.ascontiguousarray(numbers[box.upper : box.lower, box.left : box.right])
            coded, state = tile_in(codings[n % len(codings)], part, states[n], order)
            states = [*states[:n], state, *states[n + 1 :]]
            tiles.append(coded)
        duration = 10 * (number // 3) ** 3
        fields = b""
        if flags & (KEY | BACK) or duration != before:
            flags, fields = flags | 2, container.pack_varint(duration)
        if flags & BACK:
            fields += container.pack_varint(number - kept_number)
        if flags & KEY and indexed.codebook is not pictures[0].codebook:
            coding, codebook = encode_codebook(indexed.codebook)
            flags |= 4
            fields += container.pack_varint(indexed.k - 1) + bytes([coding])
            fields += container.pack_varint(len(codebook)) + codebook
        if flags & (KEY | KEPT):
            kept, kept_number = [state.copy() for state in states], number
        before = duration
        if number:
            chunks.append(frame_of(flags, fields, tiles))
        else:
            firsts = [container.pack_chunk(coded[0], coded[1:]) for coded in tiles]
            timing = container.pack_varint(3) + container.pack_varint(duration)
            front = [codec.pack_front(grid, indexed.kind, indexed.codebook)]
            front += [pack_metadata(metadata or {}, indexed.mode)]
            front += [container.pack_chunk(container.ANIMATION, timing)]
            front += [codec.pack_index(map(len, firsts), grid), *firsts]
    index = b"".join(container.pack_varint(len(chunk)) for chunk in chunks)
    length = len(container.pack_chunk(container.FRAME_INDEX, index + bytes(4)))
    end = container.pack_chunk(container.FRAME_INDEX, index + length.to_bytes(4, "big"))
    return b"".join([*front, *chunks, end])


def moving(k: int, size: tuple[int, int], zoom: int = 1) -> list[Any]:
    """Labels of frames that are still, change in parts, scroll, move and are new."""
    rng = np.random.default_rng(k)
    first = areas(k, (-(-size[0] // zoom), -(-size[1] // zoom)), zoom)[: size[1], : size[0]]
    height, width = first.shape
    spotted = first.copy()
    spotted[height // 2 : height // 2 + 5, width // 3 : width // 3 + 6] = rng.integers(0, k, (5, 6))
    scrolled = np.roll(spotted, -5, 0)
    scrolled[:3], scrolled[-5:] = spotted[:3], rng.integers(0, k, (5, 1))
    aside = np.roll(scrolled, (2, 9), (0, 1))
    aside[height // 2 :] = scrolled[height // 2 :]
    noisy = np.where(rng.random(first.shape) < 0.06, rng.integers(0, k, first.shape), aside)
    plain = noisy.copy()
    plain[2:-2, 5:-5] = noisy[0, 0]
    back = np.roll(noisy, (1, -1), (0, 1))
    back[0, 0] = (back[0, 0] + 1) % k
    return [first, spotted, scrolled, scrolled, aside, noisy, plain, back, first]


def following(options: int) -> list[Way | None]:
    return [(LABELS_FOLLOWING, options)]


def frames() -> Iterator[tuple[str, bytes]]:
    """Frames that go on one from another, in lean and rich codings with and without what may be added."""
    for rich in (0, _core.DRAWN_RICH):
        name = f"frames{rich // _core.DRAWN_RICH}"
        more = [0, _core.DRAWN_LIST, _core.DRAWN_STILL, _core.DRAWN_LIST | _core.DRAWN_STILL]
        options = [LEARNING | rich | one for one in more]
        for k, size, zoom in FILMS:
            pictures = [Indexed(regular_codebook(RGB, k), labels) for labels in moving(k, size, zoom)]
            ways = [(KEY, [(_core.DRAWN, options[0])])]
            ways += [(0, following(options[(n + k) % 4])) for n in range(1, len(pictures))]
            yield f"film-k{k}--{name}", file_of_frames(pictures, ways)
        for one in (options[0], options[3]):
            pictures = [Indexed(regular_codebook(RGB, 20), labels) for labels in moving(20, (30, 24), 2)]
            others = [(LABELS_PACKED, 0), (_core.PHOTOGRAPHIC, 1), (_core.DRAWN, 3), (_core.DRAWN, one)]
            ways = [(KEY, others)]
            for n in range(1, len(pictures)):
                mixed = [following(one)[0]] * 4
                mixed[n % 4] = None if n == 3 else others[n % 3] if n % 2 else others[3]
                ways.append((0, mixed))
            ways[3] = 0, [None]
            yield f"film-k20-after-{one}--{name}", file_of_frames(pictures, ways, tile=(16, 13))


FILMS = [
    (2, (40, 30), 1),
    (3, (40, 34), 3),
    (12, (36, 30), 2),
    (30, (24, 20), 4),
    (200, (36, 28), 2),
    (700, (24, 20), 2),
    (5000, (20, 16), 1),
]


def frames_at_limits() -> Iterator[tuple[str, bytes]]:
    """Frames that are far from where they were, and with many still areas of many labels."""
    options = LEARNING | _core.DRAWN_STILL
    first, on = (KEY, [(_core.DRAWN, options)]), (0, following(options))
    still = rectangles(1500, (150, 110))
    rng = np.random.default_rng(0)
    changed = [still]
    for _ in range(4):
        labels = np.array(changed[-1].labels)
        labels[rng.integers(0, 110, 250), rng.integers(0, 150, 250)] = rng.integers(0, 1500, 250)
        changed.append(Indexed(still.codebook, labels))
    yield "film-still-k1500--frames0", file_of_frames(changed, [first, on, on, on, on])
    bursts = np.zeros((2, 70_000), np.uint16)
    for left in range(500, 70_000, 1500):
        bursts[:, left : left + 48] = rng.integers(0, 60, 48)
    wide = [Indexed(regular_codebook(RGB, 60), np.roll(bursts, right, 1)) for right in (0, 33_000, 33_100)]
    yield "film-wide-k60--frames0", file_of_frames(wide, [first, on, on])


def groups() -> Iterator[tuple[str, bytes]]:
    """Frames that go back, are kept, and have another codebook; of all pixel formats."""
    learning = LEARNING | _core.DRAWN_STILL
    on, new = following(learning), [(_core.DRAWN, learning)]
    flags = [KEY, 0, 0, BACK, 0, BACK | KEPT, 0, BACK, KEY, 0, BACK, KEY, 0, BACK | KEPT, BACK, KEY, 0, BACK]
    ways = [(one, new if one & KEY else on) for one in flags]
    planes = [*moving(5, (21, 17)), *moving(5, (21, 17))[::-1]]
    for kind in KINDS:
        k = min(5, kind.max_k)
        first, other = codebook_of(kind, k), regular_codebook(kind, k)[::-1].copy()
        if kind.mode == "1":
            other = first[::-1].copy()
        pictures = [
            Indexed(other if 11 <= n < 15 else first, plane % k, kind.mode) for n, plane in enumerate(planes)
        ]
        alphas = Metadata(transparency=bytes([0, 128])) if kind == PALETTE else None
        yield f"film-{plain_name(kind)}--groups", file_of_frames(pictures, ways, metadata=alphas)
    large = Indexed(regular_codebook(RGB, 300), moving(300, (21, 17))[1])
    small = Indexed(regular_codebook(RGB, 5), planes[0])
    sizes = [(KEY, new), (0, on), (KEY, new), (0, on), (KEY, new)]
    yield "film-sizes--groups", file_of_frames([small, small, large, large, small], sizes, tile=(11, 17))
    several = [Indexed(regular_codebook(RGB, 12), labels) for labels in moving(12, (30, 24), 2)]
    yield "film-tiles--groups", kmc_format.encode_frames(several, tile=(6, 24))  # one too many to learn


PARTS: list[Callable[[], Iterator[tuple[str, bytes]]]]
PARTS = [
    kinds,
    codebooks,
    containers,
    shapes,
    drawn,
    photographic,
    limits,
    large,
    frames,
    frames_at_limits,
    groups,
]


def save_reference(data: bytes, path: Path) -> None:
    """Save the picture that Pillow sees in a form that holds it exactly; frames below one another."""
    with Image.open(io.BytesIO(data)) as image:
        if image.mode == "I":
            pixels = [np.asarray(frame) for frame in ImageSequence.Iterator(image)]
            np.save(path.with_suffix(".npy"), np.concatenate(pixels))
        else:
            tall(image).save(path.with_suffix(".png"), optimize=True)


def tall(image: Image.Image) -> Image.Image:
    """Put the frames of an image below one another, those of a palette in its colours."""
    if getattr(image, "n_frames", 1) == 1:
        return image
    frames = [frame.copy() for frame in ImageSequence.Iterator(image)]
    if image.mode == "P":
        frames = [frame.convert("RGBA") for frame in frames]
    result = Image.new(frames[0].mode, (image.width, len(frames) * image.height))
    for number, frame in enumerate(frames):
        result.paste(frame, (0, number * image.height))
    return result


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for part in PARTS:
        for name, data in part():
            path = FOLDER / f"{name}.kmc"
            if not path.exists():
                path.write_bytes(data)
                save_reference(data, FOLDER / name.split("--")[0])


if __name__ == "__main__":
    main()
