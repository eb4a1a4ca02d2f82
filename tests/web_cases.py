"""What kmc.js is to make of files: what the package makes of them, as tests/web/checks.js has it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from kmc_format._format import codec
from kmc_format._format.codebook import with_alpha
from kmc_format._format.codec import Header
from kmc_format._format.container import Reader
from kmc_format._format.frame_reading import FrameReader
from kmc_format._format.indexed import Array, Indexed

ARRAYS = {"uint8": "Uint8Array", "uint16": "Uint16Array", "int32": "Int32Array"}


def digest(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


def header_of(data: bytes) -> Header:
    return codec.read_header(Reader(io.BytesIO(data)))


def frames_of(data: bytes, header: Header, most: int | None) -> tuple[list[Indexed], list[int], int | None]:
    """Return all frames, or the first ones, the durations of all, and how often they are shown."""
    if not header.is_animated:
        reader = Reader(io.BytesIO(data))
        return [codec.decode(reader, codec.read_header(reader), threads=1)], [0], None
    reader = FrameReader(io.BytesIO(data), header)
    numbers = range(len(reader))
    return (
        [reader.read(number, threads=1) for number in numbers[:most]],
        [reader.duration(number) for number in numbers],
        reader.timing.loop,
    )


def frame(picture: Indexed) -> list[Any]:
    k, channels = picture.codebook.shape
    return [digest(picture.labels), picture.labels.itemsize, digest(picture.codebook), k, channels]


def metadata(header: Header) -> dict[str, Any]:
    names = {"icc_profile": "icc"}
    given = {names.get(name, name): value for name, value in header.metadata.items()}
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in given.items()}


def case(data: bytes, most: int | None = None) -> dict[str, Any]:
    """Return all there is to tell of a file that is sound."""
    header = header_of(data)
    pictures, durations, loop = frames_of(data, header, most)
    seen = with_alpha(header.codebook, header.metadata.get("transparency"))
    palette = digest(header.codebook) if header.mode == "P" else None
    return {
        "width": header.size[0],
        "height": header.size[1],
        "mode": header.mode,
        "channels": seen.shape[1],
        "k": header.k,
        "tile": list(header.tile_size),
        "loop": loop,
        "durations": durations,
        "metadata": metadata(header),
        "codebook": [ARRAYS[seen.dtype.name], digest(seen), palette],
        "frames": [frame(picture) for picture in pictures],
    }


def cases(golden: list[Path], hostile: list[Path]) -> list[dict[str, Any]]:
    sound = [{"name": str(path), **case(path.read_bytes())} for path in golden]
    return sound + [{"name": str(path), "rules": [path.name.split("_")[1]]} for path in hostile]
