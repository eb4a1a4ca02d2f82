"""What one value of an option after the other gives: the rows of `report.sweep`."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .. import metrics
from .._format import codec
from .._format.codec import Header
from .._format.container import Reader
from .._format.frame_reading import FrameReader
from .._format.indexed import Array
from .._options.options import SaveOptions
from .._pixels import convert
from .._pixels.stepping import as_found, frame_count, show
from .._quantize import kmeans
from .sides import encoded


def tried(
    picture: Image.Image | Array, option: str, options: Iterable[SaveOptions]
) -> Iterator[dict[str, Any]]:
    """Yield what `report.sweep` does, for options that are checked, and of which one differs."""
    _warm_up()
    for one in options:
        with as_found(picture):
            start = time.perf_counter()
            file = encoded(picture, one)
            seconds = time.perf_counter() - start
            found = _measured(picture, file)
        size = file.getbuffer().nbytes
        yield {
            option: getattr(one, option),
            "colours": found.header.k,
            "bytes": size,
            "bits_per_pixel": 8 * size / (math.prod(found.header.size) * frame_count(picture)),
            "psnr": found.psnr,
            "encode_seconds": seconds,
            "decode_seconds": found.seconds,
        }


class _Measured(NamedTuple):
    """What is found of a file when all of it is decoded."""

    header: Header
    psnr: float | None
    seconds: float


def _measured(picture: Image.Image | Array, file: io.BytesIO) -> _Measured:
    """Decode a file, and measure how far all its frames are from those of a picture."""
    file.seek(0)
    start = time.perf_counter()
    reader = Reader(file)
    header = codec.read_header(reader)
    seconds, errors = 0.0, []
    # Where all frames are equal the file has one, and that is enough.
    for frame, pixels in enumerate(_decoded(file, reader, header)):
        seconds += time.perf_counter() - start
        show(picture, frame)
        errors.append(metrics.mse(convert.pixels_of(picture), pixels))
        start = time.perf_counter()
    return _Measured(header, _decibels(float(np.mean(errors)), header.mode), seconds)


def _decoded(file: io.BytesIO, reader: Reader, header: Header) -> Iterator[Array]:
    """Return the pixels of every frame in a file."""
    if not header.is_animated:
        yield codec.decode(reader, header).expand()
        return
    frames = FrameReader(file, header)
    for number in range(len(frames)):
        yield frames.read(number).expand()


def _decibels(error: float, mode: str) -> float | None:
    """Return the PSNR for a mean squared error, None where that is 0 or the mode has no peak."""
    peak = {"I;16": 65_535, "I": None}.get(mode, 255)
    return None if peak is None or not error else 10 * math.log10(peak**2 / error)


def _warm_up() -> None:
    """Have all imported that clustering needs, so that it does not count as the first picture's time."""
    kmeans.quantize(np.arange(3 * 16, dtype=np.uint8).reshape(4, 4, 3), SaveOptions(k=2))
