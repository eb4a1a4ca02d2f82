"""Feed the package what nobody would write by hand, and check that it does what it promises.

    python -I tests/fuzz/fuzz.py decode --count 100000 --seed 1

``decode`` reads damaged and forged files, ``roundtrip`` codes made-up pictures, ``chunks`` hands files
over piece by piece; files of several frames are among them all. An input depends on target, seed and
number alone, so ``--only 123`` makes it again.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import functools
import gc
import io
import mmap
import os
import random
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

import kmc_format
from kmc_format import Indexed, KMCError
from kmc_format._format import codec, container, threads
from kmc_format._format.codebook import with_alpha
from kmc_format._format.container import Reader, pack_chunk, pack_varint
from kmc_format._format.frame_reading import FrameReader
from kmc_format._format.frame_writing import FrameWriter
from kmc_format._format.grid import Box
from kmc_format._format.indexed import KINDS, Kind
from kmc_format._format.labels import MAX_EFFORT
from kmc_format._options.options import SaveOptions

TESTS = Path(__file__).resolve().parent.parent
MAX_PIXELS = 2**15  # twice as many are refused: files may promise what takes long to read
MAX_GROWTH = 128 * 2**20  # what tiles of frames have learnt takes up to 25 MB each, while they are read
MOST_FINDS = 50  # after so many it stops
MOST_FRAMES = 24  # are looked at, as files may promise any number
LARGE = 5000  # pixels of a picture whose file is taken seldom
EDGES = (1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 64, 90, 255, 256, 257, 300)
MANY = (1024, 1025, 4095, 4096, 4097, 8192)
Bomb = Image.DecompressionBombError


class FindError(AssertionError):
    """The package did what it must not."""


@dataclass
class Tally:
    """What the inputs so far have shown, and the bytes of the present one."""

    data: bytes = b""
    inputs: int = 0
    accepted: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, 0)
    finds: int = 0

    def saw(self, error: Exception | None) -> None:
        self.accepted += error is None
        if error is not None:
            self.rules[error.rule if isinstance(error, KMCError) else type(error).__name__] += 1


def expect(condition: object, message: str) -> None:
    if not condition:
        raise FindError(message)


def attempt(function: Callable[[], Any], *errors: type[Exception]) -> tuple[Any, Any]:
    try:
        return function(), None
    except errors as error:
        return None, error.with_traceback(None)  # which would keep what was read until cycles are collected


# --- Pictures -----------------------------------------------------------------------------------


def make_labels(rng: random.Random, k: int, width: int, height: int) -> Any:
    """Labels with the structures that models learn, and without."""
    noise = np.random.default_rng(rng.getrandbits(64))
    used = rng.choice([k, k, min(k, 2), min(k, 5)])
    form = rng.randrange(6)
    if form == 0:
        return np.full((height, width), rng.randrange(k))
    if form == 1:
        return noise.integers(0, used, (height, width))
    if form == 2:
        slope = rng.choice([1, 3, k / (width + height)])
        return (np.add.outer(np.arange(height), np.arange(width)) * slope).astype(np.int64) % k
    if form == 3:
        runs = noise.integers(0, used, width * height)
        return np.repeat(runs, noise.integers(1, 12, runs.size))[: runs.size].reshape(height, width)
    if form == 4:
        motif = noise.integers(0, used, (rng.randint(1, 5), rng.randint(1, 5)))
        return np.tile(motif, (height, width))[:height, :width]
    row = noise.integers(0, used, width)
    changes = np.where(noise.random((height, width)) < 0.03, noise.integers(0, used, (height, width)), 0)
    return (row + changes) % k


def make_codebook(rng: random.Random, kind: Kind, k: int) -> Any:
    noise = np.random.default_rng(rng.getrandbits(64))
    if kind.mode == "1":
        return noise.choice(np.array([0, 255], np.uint8), (k, 1))
    limits = np.iinfo(kind.dtype)
    form = rng.randrange(4)
    if form == 0:
        step = rng.choice([1, 2, 7])
        return (np.arange(k)[:, None] * step + np.arange(kind.channels)).astype(kind.dtype)
    if form == 1:
        return np.full((k, kind.channels), rng.randint(limits.min, limits.max), kind.dtype)
    colours = noise.integers(limits.min, limits.max, (k, kind.channels), kind.dtype, endpoint=True)
    return np.sort(colours, axis=0) if form == 2 else colours


def make_picture(rng: random.Random, kind: Kind, side: int = 40, large: bool = True) -> Indexed:
    chance = rng.random()
    wanted = rng.choice(EDGES)
    if large and chance < 0.01:
        wanted = rng.choice(MANY) if chance > 0.0005 else rng.choice([65535, 65536])
    k = min(wanted, kind.max_k)
    width, height = rng.randint(1, side), rng.randint(1, side)
    return Indexed(make_codebook(rng, kind, k), make_labels(rng, k, width, height), kind.mode)


def make_film(rng: random.Random) -> tuple[list[Indexed], list[int]]:
    """Frames that are still, change in parts, scroll or are new, or have another codebook; and durations."""
    picture = make_picture(rng, rng.choice(KINDS), 24)
    pictures = [picture]
    for _ in range(rng.choice([1, 3, 8, 20])):
        labels, form = pictures[-1].labels.copy(), rng.randrange(7)
        height, width = labels.shape
        top, left = rng.randrange(height), rng.randrange(width)
        if form == 1:
            labels[top : top + 5, left : left + 7] = rng.randrange(pictures[-1].k)
        elif form == 2:
            labels = np.roll(labels, (rng.randint(-5, 5), rng.randint(-5, 5)), (0, 1))
        elif form == 3:
            labels = make_labels(rng, pictures[-1].k, width, height)
        elif form == 4:
            labels = rng.choice(pictures[-3:]).labels.astype(np.int64) % pictures[-1].k
        codebook = pictures[-1].codebook
        if form == 5 and rng.random() < 0.3:
            codebook = make_codebook(rng, picture.kind, min(rng.choice(EDGES), picture.kind.max_k))
            labels = labels.astype(np.int64) % len(codebook)
        pictures.append(Indexed(codebook, labels, picture.mode))
    shown = rng.choice([0, 40])
    return pictures, [rng.choice([shown, shown, rng.randrange(2**32)]) for _ in pictures]


def make_metadata(rng: random.Random, picture: Indexed) -> Any:
    metadata: dict[str, Any] = {}
    for name in ("icc_profile", "exif", "xmp"):
        if rng.random() < 0.3:
            length = rng.choice([0, 1, 20, 127, 128, 300])
            metadata[name] = rng.choice([rng.randbytes(length), bytes(length)])
    if rng.random() < 0.3:
        metadata["dpi"] = (rng.uniform(1e-3, 1e4), 72.0)
    if rng.random() < 0.2:
        metadata["rdo"] = 2.0 ** rng.randint(-20, 20)
    if picture.mode == "P" and rng.random() < 0.7:
        metadata["transparency"] = rng.choice([rng.randrange(256), rng.randbytes(rng.randint(0, picture.k))])
    return metadata


def make_tile(rng: random.Random, picture: Indexed) -> Any:
    return rng.choice([None, None, rng.randint(4, 30), (rng.randint(3, 40), rng.randint(3, 40))])


def coded(picture: Indexed, metadata: Any = None, **options: Any) -> bytes:
    """Code a picture with any metadata, and options of `kmc_format.encode`."""
    return codec.encode(picture, SaveOptions.of(options).layout(picture.size), metadata)


def coded_film(pictures: list[Indexed], times: list[int], metadata: Any = None, **options: Any) -> bytes:
    file = io.BytesIO()
    writer = FrameWriter(file, SaveOptions.of(options).layout(pictures[0].size), metadata or {}, 3)
    for picture, duration in zip(pictures, times, strict=True):
        writer.add(picture, duration)
    writer.close()
    return file.getvalue()


@functools.cache
def corpus() -> tuple[list[bytes], list[bytes]]:
    """Files to start from: small ones and large ones."""
    paths = [*sorted((TESTS / "golden" / "v1").glob("*.kmc")), *sorted((TESTS / "hostile").glob("*.kmc"))]
    files = [path.read_bytes() for path in paths]
    for n, kind in enumerate(KINDS):
        for effort in range(MAX_EFFORT + 1):
            for tile in (None, 7):
                rng = random.Random(f"corpus {n} {effort} {tile}")
                picture = make_picture(rng, kind, 24, large=False)
                metadata = make_metadata(rng, picture) if tile else {}
                files.append(coded(picture, metadata, effort=effort, tile=tile))
                files.append(coded_film(*make_film(rng), effort=effort, tile=tile and 13))
    small: list[bytes] = []
    large: list[bytes] = []
    for data in files:
        header = attempt(lambda: kmc_format.read_header(data), KMCError)[0]  # noqa: B023
        (large if header and LARGE < header.size[0] * header.size[1] <= MAX_PIXELS else small).append(data)
    return small, large


def pick(rng: random.Random) -> bytes:
    small, large = corpus()
    if rng.random() > 0.003:
        return rng.choice(small)
    return rng.choice(large)


@functools.lru_cache(512)
def picture_of(data: bytes) -> Indexed | None:
    return attempt(lambda: kmc_format.decode(data), KMCError, Bomb)[0]


def reader_of(data: bytes, file: Any = None) -> FrameReader | None:
    """Return what reads the frames of a file, if it has several."""
    header = kmc_format.read_header(data)
    return FrameReader(file or io.BytesIO(data), header) if header.is_animated else None


def read_frames(reader: FrameReader) -> tuple[list[Indexed], KMCError | None]:
    """Return the frames of a file up to the first that is broken, and what is wrong with that."""
    frames: list[Indexed] = []
    while len(frames) < MOST_FRAMES:
        there, error = attempt(lambda: reader.has(len(frames)), KMCError)
        if error or not there:
            return frames, error
        frame, error = attempt(lambda: reader.read(len(frames)), KMCError)
        if error:
            return frames, error
        frames.append(frame)
    return frames, None


@functools.lru_cache(512)
def frames_of(data: bytes) -> list[Indexed]:
    """Return the picture of a file, and the frames after it that can be read."""
    if not picture_of(data):
        return []
    reader = reader_of(data)
    return [picture_of(data)] if reader is None else read_frames(reader)[0]


# --- Mutants ------------------------------------------------------------------------------------


def damage(rng: random.Random, data: bytes, forms: int = 6) -> bytes:
    """Change a few bytes; of the six forms the first four are such that a CRC notices for certain."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        place, length = rng.randrange(len(changed) + 1), rng.choice([1, 1, 2, 3, 8, 30])
        form = rng.randrange(forms)
        if form == 0 and place < len(changed):
            changed[place] ^= 1 << rng.randrange(8)
        elif form == 1 and place < len(changed):
            changed[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif form == 2:
            changed[place:place] = rng.randbytes(length)
        elif form == 3 and rng.random() < 0.3:
            del changed[place:]
        elif form == 4:
            del changed[place : place + length]
        elif form == 5:
            other = rng.choice([changed, pick(rng)])
            start = rng.randrange(len(other) + 1)
            changed[place : place + rng.choice([0, length])] = other[start : start + rng.choice([4, 16, 64])]
    return bytes(changed)


@dataclass
class Parts:
    """A file taken apart, so that it can be put together again with right lengths and CRCs."""

    start: bytes  # version and kind
    numbers: list[int]
    codebook: bytes
    chunks: list[tuple[int, bytes]]
    tiles: list[tuple[int, bytes]]
    frames: list[tuple[int, bytes]]  # their index among them


def take_apart(data: bytes) -> Parts:
    reader = Reader(io.BytesIO(data), 0)
    reader.read(len(container.SIGNATURE))
    start = reader.read(2)
    numbers = [reader.varint() for _ in range(5 if start[1] & 0x80 else 3)]
    codebook = reader.read(reader.varint())
    reader.read(4)
    chunks = []
    while reader.offset < len(data):
        tag = reader.byte()
        chunks.append((tag, reader.read(reader.varint())))
        reader.read(4)
    firsts = [n for n, (tag, _) in enumerate(chunks) if tag in (container.FRAME, container.FRAME_INDEX)]
    chunks, frames = chunks[: (firsts or [len(chunks)])[0]], chunks[(firsts or [len(chunks)])[0] :]
    front = [chunk for chunk in chunks if chunk[0] >= container.FIRST_TAG and chunk[0] != container.INDEX]
    tiles = [chunk for chunk in chunks if chunk[0] < container.FIRST_TAG]
    return Parts(start, numbers, codebook, front, tiles, frames)


def put_together(parts: Parts, indexed: bool) -> bytes:
    body = parts.start + b"".join(map(pack_varint, [*parts.numbers, len(parts.codebook)])) + parts.codebook
    header = container.SIGNATURE + body + container._crc(body)
    tiles = [pack_chunk(*tile) for tile in parts.tiles]
    index = [container.pack_index(map(len, tiles))] if indexed else []
    chunks, frames = ([pack_chunk(*chunk) for chunk in some] for some in (parts.chunks, parts.frames))
    return b"".join([header, *chunks, *index, *tiles, *frames])


def resealed(data: bytes) -> bytes:
    """Put the right CRC wherever one is due, as far as the lengths lead."""
    sealed, reader = bytearray(data), Reader(io.BytesIO(data))

    def seal(start: int) -> None:
        sealed[reader.offset : reader.offset + 4] = container._crc(sealed[start : reader.offset])
        reader.read(4)

    with contextlib.suppress(KMCError):
        start = reader.read(10)
        for _ in range(5 if start[9] & 0x80 else 3):
            reader.varint()
        reader.read(reader.varint())
        seal(len(container.SIGNATURE))
        while True:
            chunk = reader.offset
            reader.byte()
            reader.read(reader.varint())
            seal(chunk)
    return bytes(sealed[: len(data)])


def forge(rng: random.Random, data: bytes) -> bytes:
    """Change what the lengths and CRCs guard, and make these right again."""
    parts = take_apart(data)
    indexed = len(parts.tiles) > 1
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        form = rng.choice(["number", "kind", "codebook", "chunk", "tile", "tile", "tiles"])
        if parts.frames and rng.random() < 0.7:
            parts.frames = forged_frames(rng, parts.frames)
            continue
        if form == "number":
            place = rng.randrange(len(parts.numbers))
            number = parts.numbers[place]
            other = rng.choice([number + 1, max(number - 1, 0), rng.choice(EDGES) - 1, rng.randrange(300)])
            parts.numbers[place] = rng.choice([other, other, 1 << rng.randrange(32)])
        elif form == "kind":
            kind = parts.start[1] ^ 1 << rng.randrange(8) if rng.random() < 0.7 else rng.randrange(256)
            parts.start = bytes([rng.choice([1] * 20 + [0, 2]), kind])
            if kind & 0x80 and len(parts.numbers) == 3:
                parts.numbers += [max(number // 2, 1) for number in parts.numbers[:2]]
            parts.numbers = parts.numbers[: 5 if kind & 0x80 else 3]
        elif form == "codebook":
            parts.codebook = forged_payload(rng, parts.codebook)
        elif form == "chunk":
            parts.chunks = forged_chunks(rng, parts.chunks)
        elif form == "tile" and parts.tiles:
            place = rng.randrange(len(parts.tiles))
            coding, payload = parts.tiles[place]
            coding = rng.choice([coding] * 9 + [0, 1, 2, 3])
            parts.tiles[place] = coding, forged_payload(rng, payload)
        elif form == "tiles" and parts.tiles:
            rng.shuffle(parts.tiles)
            parts.tiles = rng.choice([parts.tiles, parts.tiles[1:], parts.tiles + parts.tiles[:1]])
            indexed = rng.choice([indexed, indexed, not indexed])
    return put_together(parts, indexed)


def forged_frames(rng: random.Random, frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Damage a frame, or change its flags; or leave some out, or have them twice; the index mostly fits."""
    changed = [frame for frame in frames if frame[0] != container.FRAME_INDEX]
    for _ in range(rng.choice([1, 1, 2])):
        place, form = rng.randrange(len(changed) + 1), rng.randrange(6)
        tag, payload = changed[place] if place < len(changed) else (container.FRAME, b"\0")
        if form == 0 and payload:
            payload = bytes([payload[0] ^ 1 << rng.randrange(6)]) + payload[1:]
        elif form == 1:
            short = [b"\0", b"\x0a\x28", b"\x1a\x28", b"\x03\x28", b"\x07\x28"]
            payload = rng.choice(short) + rng.randbytes(rng.randrange(9))
        elif form < 4:
            payload = forged_payload(rng, payload)
        changed[place : place + rng.choice([1, 1, 1, 0])] = [(tag, payload)] * rng.choice([1, 1, 1, 1, 0, 20])
    lengths = b"".join(pack_varint(len(pack_chunk(*frame))) for frame in changed)
    length = len(pack_chunk(container.FRAME_INDEX, lengths + bytes(4)))
    index = container.FRAME_INDEX, lengths + length.to_bytes(4, "big")
    return [*changed, rng.choice([index, index, index, frames[-1]])]


def forged_payload(rng: random.Random, payload: bytes) -> bytes:
    """Damage a payload, or what is deflated in it, or the byte that names options, or the end."""
    if rng.random() < 0.5:
        with contextlib.suppress(zlib.error):
            inflated = zlib.decompressobj(-15).decompress(payload, 2**17)
            deflater = zlib.compressobj(rng.choice([1, 9]), zlib.DEFLATED, -15)
            return deflater.compress(damage(rng, inflated, 2)) + deflater.flush()
    if payload and rng.random() < 0.3:
        first = rng.choice([*range(9), rng.randrange(256)])
        return rng.choice([bytes([first]) + payload[1:], payload[:-1], payload + b"\0", payload + b"\1"])
    return damage(rng, payload, rng.choice([2, 6]))


def forged_chunks(rng: random.Random, chunks: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    changed = [(tag, damage(rng, payload) if rng.random() < 0.5 else payload) for tag, payload in chunks]
    tag = rng.choice([*container.METADATA, *container.METADATA, ord("z"), ord("Z"), rng.randrange(0x20, 256)])
    alphas = b"\1" + rng.randbytes(rng.randrange(260))
    length = container.pack_varint(rng.choice([0, 1, 300, 301, 2**24 + 1]))
    metadata = length + rng.choice(
        [bytes(300), zlib.compress(bytes(300), 9, -15), rng.randbytes(9), b"", b"\0"]
    )
    payload = {
        container.ICC_PROFILE: metadata,
        container.EXIF: metadata,
        container.XMP: metadata,
        container.DPI: struct.pack(">2d", 72, rng.choice([1e-308, 300, 0, -1, float("inf"), float("nan")])),
        container.RDO: struct.pack(">f", rng.choice([2.0**22, 1e-40, 1, 0, -1, float("nan")])),
        container.TRANSPARENCY: rng.choice([bytes([0, rng.randrange(256)]), alphas]),
    }.get(tag, b"\2me" + rng.randbytes(rng.randrange(9)))
    changed.insert(rng.randrange(len(changed) + 1), (tag, payload))
    return changed


def mutant(rng: random.Random) -> tuple[bytes, list[Indexed] | None]:
    """Return a file, and what frames it must show, if any; None where that cannot be said."""
    original = pick(rng)
    chance = rng.random()
    if chance < 0.15:
        return damage(rng, original, 4), frames_of(original)
    if chance < 0.25:
        return damage(rng, original), None
    if chance < 0.45:
        return resealed(damage(rng, original)), None
    return attempt(lambda: forge(rng, original), KMCError)[0] or resealed(damage(rng, original)), None


# --- Targets ------------------------------------------------------------------------------------


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["KMC"])


def compare(image: Image.Image, picture: Indexed) -> None:
    """Pillow's picture is that of codebook and labels; a palette's, with its alpha."""
    expect((image.mode, image.size) == (picture.mode, picture.size), "Pillow has another mode or size")
    pixels = picture.expand()
    if picture.mode != "P":
        expect(np.array_equal(np.asarray(image), pixels), "Pillow has other pixels")
        return
    expect(np.array_equal(np.asarray(image), picture.labels), "Pillow has other labels")
    shown = np.asarray(image.convert("RGBA"))
    expect(np.array_equal(shown[..., : pixels.shape[2]], pixels), "Pillow shows other colours")
    expect(pixels.shape[2] == 4 or (shown[..., 3] == 255).all(), "Pillow shows alpha where there is none")


def decode(rng: random.Random, tally: Tally) -> None:
    data, expected = mutant(rng)
    tally.data = data
    header, header_error = attempt(lambda: kmc_format.read_header(data), KMCError)
    picture, error = attempt(lambda: kmc_format.decode(data), KMCError, Bomb)
    tally.saw(error)
    expect(error or header, "decoded what has no header")
    expect(error or expected is None or [picture] == expected[:1], "damage unnoticed: another picture")
    image, open_error = attempt(lambda: opened(data), UnidentifiedImageError, Bomb)
    if header_error or isinstance(error, Bomb):
        wanted = UnidentifiedImageError if header_error else Bomb
        expect(type(open_error) is wanted, f"Pillow opened it, or failed otherwise: {open_error!r}")
        expect(str(header_error or "") == str(error if header_error else ""), "two messages of one header")
        return
    expect(image, f"Pillow did not open what has a header: {open_error!r}")
    check_loading(image, picture, error)
    damaged = attempt(opened(data).verify, OSError)[1] if not header.is_animated else None
    expect(error or not damaged, f"verify rejects what decodes: {damaged}")
    if rng.random() < 0.1:
        check_tolerance(data, picture)
        check_draft(data, picture)
    if rng.random() < 0.5:
        check_region(rng, data, header.size, picture)
    if picture and rng.random() < 0.5:
        coded = kmc_format.encode(picture, effort=0)
        expect(kmc_format.decode(coded) == picture, "another picture when coded again")
    if header.is_animated and rng.random() < 0.5:
        check_frames(rng, data, expected or [])


def check_frames(rng: random.Random, data: bytes, expected: list[Indexed]) -> None:
    """Frames are the same in any order, and in Pillow; and what they must be."""
    reader, again = reader_of(data), reader_of(data)
    assert reader is not None
    assert again is not None
    frames, error = read_frames(reader)
    for frame, other in zip(frames, expected, strict=False):
        expect(frame == other, "damage unnoticed: another frame")
    numbers = [*range(len(frames)), *range(len(frames))]
    rng.shuffle(numbers)
    for number in numbers[:30]:
        found = attempt(lambda: again.read(number), KMCError)  # noqa: B023
        expect(found[0] == frames[number], f"another frame out of order: {found[1]!r}")
    image = opened(data)
    for number in numbers[:4]:
        image.seek(number)
        compare(image, frames[number])
    if not error and len(frames) < MOST_FRAMES:
        expect(image.n_frames == len(frames), "another number of frames in Pillow")
        opened(data).verify()
    check_frames_of_damaged(data, frames)


def check_frames_of_damaged(data: bytes, frames: list[Indexed]) -> None:
    """With Pillow's switch on, frames are the same or an error."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = opened(data)
        count = attempt(lambda: image.n_frames, OSError)[0] or 0
        for number in range(1, min(count, MOST_FRAMES)):
            error = attempt(lambda: (image.seek(number), image.load()), OSError)[1]  # noqa: B023
            if not error and number < len(frames):
                compare(image, frames[number])
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def check_loading(image: Image.Image, picture: Indexed | None, error: KMCError | None) -> None:
    if picture is None:
        for _ in range(2):
            caught = attempt(image.load, OSError)[1]
            # What goes on from a frame is no label coding of a picture, but one of frames.
            alike = str(caught) == str(error) or "(rule frame-key)" in str(caught)
            expect(caught and alike, f"Pillow says {caught!r}, not {error!r}")
        return
    image.load()
    compare(image, picture)


def check_tolerance(data: bytes, picture: Indexed | None) -> None:
    """With Pillow's switch on, whatever has a good header loads, and a good file as ever."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = opened(data)
        image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    if picture:
        compare(image, picture)


def check_draft(data: bytes, picture: Indexed | None) -> None:
    """Pillow's draft gives the labels, or does not apply."""
    image = opened(data)
    if image.draft("P", None):
        error = attempt(image.load, OSError)[1]
        expect((picture is None) == (error is not None), f"a draft: {error!r}")
        expect(error or np.array_equal(np.asarray(image), picture.labels), "a draft has other labels")


def check_region(rng: random.Random, data: bytes, size: tuple[int, int], picture: Indexed | None) -> None:
    """A region of a good file is that part of the picture; a damaged file's may be readable."""
    left, upper = rng.randrange(size[0]), rng.randrange(size[1])
    box = Box(left, upper, rng.randint(left + 1, size[0]), rng.randint(upper + 1, size[1]))
    part, error = attempt(lambda: kmc_format.open_region(data, box), KMCError, Bomb)
    if picture:
        expect(part, f"a region: {error!r}")
        expect(np.array_equal(part.codebook, picture.codebook), "a region has another codebook")
        labels = picture.labels[box.upper : box.lower, box.left : box.right]
        expect(np.array_equal(part.labels, labels), "a region is not that part of the picture")


def roundtrip(rng: random.Random, tally: Tally) -> None:
    if rng.random() < 0.3:
        roundtrip_of_frames(rng, tally)
        return
    picture = make_picture(rng, rng.choice(KINDS))
    options = {"effort": rng.randrange(MAX_EFFORT + 1), "tile": make_tile(rng, picture)}
    metadata = make_metadata(rng, picture) if rng.random() < 0.4 else {}
    tally.data = data = coded(picture, metadata, **options)
    codebook = with_alpha(picture.codebook, metadata.get("transparency"))
    expected = Indexed(codebook, picture.labels, picture.mode)
    expect(kmc_format.decode(data) == expected, "another picture")
    expect(kmc_format.read_header(data).metadata == metadata, "other metadata")
    compare(opened(data), expected)
    tally.saw(None)
    if rng.random() < 0.1:
        expect(coded(picture, metadata, **options) == data, "other bytes the second time")
    if rng.random() < 0.02:
        check_threads(picture, options, metadata, data)


def roundtrip_of_frames(rng: random.Random, tally: Tally) -> None:
    pictures, times = make_film(rng)
    tile = rng.choice([None, None, (rng.randint(13, 30), rng.randint(13, 30))])
    options = {"effort": rng.randrange(MAX_EFFORT + 1), "tile": tile}
    tally.data = data = coded_film(pictures, times, **options)
    expect(kmc_format.decode(data) == pictures[0], "another picture")
    reader = reader_of(data)
    assert reader is not None
    expect(len(reader) == len(pictures), "another number of frames")
    for number in [*range(len(pictures)), *rng.choices(range(len(pictures)), k=5)]:
        expect(reader.read(number) == pictures[number], f"another frame {number}")
        expect(reader.duration(number) == times[number], f"another duration of frame {number}")
    image = opened(data)
    for number in rng.choices(range(len(pictures)), k=2):
        image.seek(number)
        compare(image, pictures[number])
    tally.saw(None)
    if rng.random() < 0.1:
        expect(coded_film(pictures, times, **options) == data, "other bytes the second time")


def check_threads(picture: Indexed, options: Any, metadata: Any, data: bytes) -> None:
    """Threads make no difference; small pictures would not get any."""
    least, threads._THREAD_PIXELS = threads._THREAD_PIXELS, 0
    try:
        for count in (1, 2):
            same = coded(picture, metadata, **options, threads=count) == data
            expect(same, f"other bytes with {count} threads")
            decoded = kmc_format.decode(data, threads=count)
            expect(np.array_equal(decoded.labels, picture.labels), f"other labels with {count} threads")
    finally:
        threads._THREAD_PIXELS = least


class Stream:
    """A file that can only be read, and gives less than asked for."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self.file, self.rng = io.BytesIO(data), rng

    def read(self, size: int = -1) -> bytes:
        return self.file.read(self.rng.randint(1, size) if size > 0 else size)


class SeekableStream(Stream):
    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.file.tell()


def chunks(rng: random.Random, tally: Tally) -> None:
    data = mutant(rng)[0] if rng.random() < 0.7 else pick(rng)
    tally.data = data
    picture, error = attempt(lambda: kmc_format.decode(data), KMCError, Bomb)
    tally.saw(error)
    later = io.BytesIO(b"before" + data)
    later.seek(6)
    for source in (Stream(data, rng), bytearray(data), later):
        check_same(attempt(lambda: kmc_format.decode(source), KMCError, Bomb), picture, error)  # noqa: B023
    if picture:
        check_same(attempt(lambda: kmc_format.decode(data + b"after"), KMCError, Bomb), picture, error)
        box = (0, 0, *picture.size)
        stream = SeekableStream(data, rng)
        check_same(attempt(lambda: kmc_format.open_region(stream, box), KMCError, Bomb), picture, error)
        frames = reader_of(data)
        if frames is not None and len(data) < LARGE:
            others, reason = read_frames(reader_of(data, SeekableStream(data, rng)))
            found = read_frames(frames)
            expect(others == found[0] and str(reason) == str(found[1]), "other frames")
    image, failure = attempt(lambda: parse(rng, data), OSError, Bomb)
    expect((image is None) == (picture is None), f"Pillow's parser: {failure!r}, not {error!r}")
    if picture:
        compare(image, picture)


def check_same(result: tuple[Any, Any], picture: Indexed | None, error: Exception | None) -> None:
    expect(type(result[1]) is type(error) and str(result[1]) == str(error), f"{result[1]!r}, not {error!r}")
    expect(result[0] == picture, "another picture")


def parse(rng: random.Random, data: bytes) -> Image.Image:
    most, start = max(rng.choice([3, 40, 1000]), len(data) // 40), 0
    with ImageFile.Parser() as parser:
        while start < len(data):
            size = rng.randint(1, most)
            parser.feed(data[start : start + size])
            start += size
    return parser.image


TARGETS: dict[str, Callable[[random.Random, Tally], None]] = {
    "decode": decode,
    "roundtrip": roundtrip,
    "chunks": chunks,
}


# --- Running ------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of memory that this process has, where the system tells."""
    path = Path("/proc/self/statm")
    return int(path.read_text("ascii").split()[1]) * mmap.PAGESIZE if path.exists() else 0


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", "KMC version")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = most


def run_one(options: argparse.Namespace, number: int, tally: Tally) -> None:
    """Run an input; a slow one twice, as it may have been the machine. Time is the processor's."""
    tally.data, tally.inputs = b"", tally.inputs + 1
    best = float("inf")
    for _ in range(2):
        began = time.process_time()
        TARGETS[options.target](random.Random(f"{options.target} {options.seed} {number}"), tally)
        best = min(best, time.process_time() - began)
        if best <= options.seconds:
            break
    tally.slowest = max(tally.slowest, (best, number))
    expect(best <= options.seconds, f"took {best:.1f} s")


def report(options: argparse.Namespace, number: int, tally: Tally) -> None:
    tally.finds += 1
    path = options.finds / f"{options.target}-{options.seed}-{number}.kmc"
    path.write_bytes(tally.data)
    print(f"find: {options.target} --seed {options.seed} --only {number}, {path}\n{traceback.format_exc()}")


def run(options: argparse.Namespace) -> Tally:
    tally = Tally()
    numbers = range(options.first, options.first + options.count)
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    settled = resident()
    # The number of an input stands in a file before it runs, which outlives a crash.
    current = options.finds / f"{options.target}-{options.seed}.current"
    current.write_bytes(b"%20d\n" % numbers.start)
    with current.open("r+b") as file, mmap.mmap(file.fileno(), 0) as place:
        for number in numbers:
            place[:20] = b"%20d" % number
            try:
                run_one(options, number, tally)
            except Exception:
                report(options, number, tally)
                if tally.finds == MOST_FINDS:
                    break
            if tally.inputs == max(len(numbers) // 10, 1):
                settled = resident()
    current.unlink()
    gc.collect()
    growth = resident() - settled
    if growth > MAX_GROWTH:
        tally.finds += 1
        print(f"find: memory grew by {growth >> 20} MB")
    print(
        f"{options.target} --seed {options.seed}: {tally.inputs} inputs,"
        f" {100 * tally.accepted / tally.inputs:.1f} % accepted, {len(tally.rules)} rules,"
        f" slowest {tally.slowest[0]:.3f} s (input {tally.slowest[1]}),"
        f" memory {growth / 2**20:+.1f} MB, {tally.finds} finds"
    )
    return tally


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--count", type=int, default=10_000, help="inputs to run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", type=int, help="run just the input of this number")
    parser.add_argument("--finds", type=Path, help="folder for finds, by default a new one")
    parser.add_argument("--seconds", type=float, default=1.0, help="what takes longer is a find")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    options.finds = options.finds or Path(tempfile.mkdtemp(prefix="kmc-fuzz-"))
    options.finds.mkdir(parents=True, exist_ok=True)
    with prepared():
        tally = run(options)
    with contextlib.suppress(OSError):
        os.rmdir(options.finds)  # noqa: PTH106
    return 1 if tally.finds else 0


if __name__ == "__main__":
    faulthandler.enable()
    sys.exit(main())
