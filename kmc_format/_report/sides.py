"""Two pictures that are compared, each with the file that it comes from, frame by frame."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import IO, NamedTuple

from PIL import Image

from .. import metrics
from .._format import codec
from .._format.container import Reader
from .._format.frame_reading import FrameReader
from .._format.indexed import Array, Indexed
from .._options.options import SaveOptions
from .._pillow import animation, saving
from .._pixels import convert
from .._pixels.kinds import distinct_colours
from .._pixels.stepping import frame_count, has_labels, show

Picture = Image.Image | Array | Indexed
AnyPicture = str | PathLike[str] | Picture


class Side(NamedTuple):
    """One of two pictures that are compared, or the frame of it that is shown."""

    pixels: Array
    codebook: Array | None
    labels: Image.Image | Array | None  # where the picture is a palette's or integers
    format: str
    name: str
    path: str | None = None
    size: int | None = None  # in bytes

    @property
    def compared(self) -> Image.Image | Array:
        """What is compared with the labels of another."""
        return self.pixels if self.labels is None else self.labels

    @property
    def in_bytes(self) -> str:
        """The size for a caption."""
        return "" if self.size is None else f", {self.size:,} bytes"


def opened(source: AnyPicture | io.BytesIO) -> AbstractContextManager[Picture]:
    """Return a context in which the image of a file is open; of other pictures that picture."""
    return Image.open(source) if isinstance(source, (str, PathLike, io.BytesIO)) else nullcontext(source)


def encoded(picture: Picture, options: SaveOptions) -> io.BytesIO:
    """Return a KMC file of a picture, with all its frames."""
    if frame_count(picture) == 1:
        return io.BytesIO(saving.encode(picture, options))
    file = io.BytesIO()
    animation.write(file, [picture], options)
    return file


def side(source: AnyPicture | io.BytesIO, picture: Picture, name: str, frame: int) -> Side:
    """Return what is compared of a frame of a picture, and of the file that it comes from, if it does."""
    show(picture, frame)
    codebook = _codebook(picture, frame)  # before pixels are loaded, as those of a KMC file may change then
    pixels = convert.pixels_of(picture)
    found = Side(pixels, codebook, _labels(picture, pixels), getattr(picture, "format", None) or name, name)
    if isinstance(source, io.BytesIO):
        return found._replace(size=source.getbuffer().nbytes)
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        return found._replace(name=path.name, path=fspath(source), size=path.stat().st_size)
    return found


def _labels(picture: Picture, pixels: Array) -> Image.Image | Array | None:
    if isinstance(picture, Image.Image) and has_labels(picture):
        return picture.copy()
    return pixels if pixels.dtype.itemsize > 1 else None


def _codebook(picture: Picture, frame: int) -> Array | None:
    """Return the colours of a frame, or None where they are too many."""
    try:
        if frame and isinstance(picture, Image.Image) and picture.format == "KMC":
            return _stored_codebook(getattr(picture, "fp", None), frame)
        if isinstance(picture, (Image.Image, Indexed)):
            return convert.codebook_of(picture)
        return distinct_colours(picture)
    except ValueError:
        return None


def _stored_codebook(file: IO[bytes] | None, frame: int) -> Array:
    """Return the codebook of a frame, which may be newer than that of the first."""
    if file is None:
        raise ValueError("the file is closed")
    file.seek(0)
    return FrameReader(file, codec.read_header(Reader(file))).read(frame).codebook


# --- All frames -----------------------------------------------------------------------------------


def common_count(one: Picture, other: Picture) -> int:
    """Return how many frames two pictures have; raise if they have not as many.

    A plain picture goes with frames that are all equal, as that is how these are saved.
    """
    counts = frame_count(one), frame_count(other)
    if counts[0] != counts[1] and (min(counts) > 1 or _moves(one) or _moves(other)):
        first, second = (f"{count:,} frame{'s' * (count != 1)}" for count in counts)
        raise ValueError(f"pictures of {first} and of {second} do not compare")
    return max(counts)


def frames_changed(one: Picture, other: Picture, count: int) -> int:
    """Return how many frames are not the same in both."""
    changed = 0
    for frame in range(count):
        show(one, frame)
        pixels = convert.pixels_of(one)  # copied, as both may be one image
        show(other, frame)
        changed += metrics.mse(pixels, convert.pixels_of(other)) > 0
    return changed


def _moves(picture: Picture) -> bool:
    """Tell whether any frame differs from the first."""
    show(picture, 0)
    first = convert.pixels_of(picture)
    for frame in range(1, frame_count(picture)):
        show(picture, frame)
        if metrics.mse(first, convert.pixels_of(picture)):
            return True
    return False
