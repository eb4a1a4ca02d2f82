"""Small pictures of what may be large ones, of which only a strip is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from .._format import codec
from .._format.codec import Header
from .._format.container import Reader
from .._format.indexed import Array, Indexed, plain_kind
from .._format.metadata import Metadata
from .._pixels.colours import visible
from .plugin import expand

# A picture is first reduced by whole numbers to at least this many times the thumbnail's size, and then
# resampled: as `PIL.Image.Image.thumbnail` does by default.
_GAP = 2.0
# About how many pixels have their colours in memory at a time.
_BAND_PIXELS = 2**20
# The modes in which colours are mixed by their opacity.
_PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}


def thumbnail(file: IO[bytes], side: int, *, threads: int | None = None) -> Image.Image:
    """Read a picture, or the first frame of an animation, as a small one.

    Parameters
    ----------
    file : binary file object
        It is read front to back, to the end of the first frame.
    side : int
        Of the square, in pixels, that the thumbnail fits into. It is never larger than the picture.
    threads : int, optional
        How many tiles are decoded at once.

    Returns
    -------
    PIL.Image.Image
        Of mode L, LA, RGB or RGBA, upright as EXIF tells, and with the colour profile in its `info`.
        A palette has its colours. Integers of 16 and 32 bits, which have none, are greys, from black for
        the smallest entry of the codebook to white for the largest.

    Raises
    ------
    KMCError
        If the file is damaged, truncated, or newer than this package.
    PIL.Image.DecompressionBombError
        If the picture has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import io, kmc_format
    >>> image = thumbnail(io.BytesIO(kmc_format.encode(np.eye(600, 900, dtype=bool))), 128)
    >>> image.mode, image.size
    ('L', (128, 85))
    """
    reader = Reader(file)
    header = codec.read_header(reader)
    Image._decompression_bomb_check(header.size)
    strips = codec.decode_strips(reader, header, threads=threads)
    mode, image_of = _seen(header)
    return _upright(_reduced(strips, header.size, mode, image_of, side), header.metadata)


def _seen(header: Header) -> tuple[str, Callable[[Array], Image.Image]]:
    """Return the mode in which a picture is seen, and a function that makes an image of labels."""
    codebook = codec.seen_codebook(header)
    if codebook.dtype != np.uint8:
        greys = visible(codebook[:, 0], int(codebook.min()), int(codebook.max()))
        return "L", lambda labels: Image.fromarray(greys.take(labels))
    if codebook.shape[1] == 4 and codebook[:, 3].min() == 255:
        codebook = np.ascontiguousarray(codebook[:, :3])
    mode = plain_kind("uint8", codebook.shape[1]).mode
    return mode, lambda labels: expand(Indexed(codebook, labels), mode)


def _reduced(
    strips: Iterable[Array],
    size: tuple[int, int],
    mode: str,
    image_of: Callable[[Array], Image.Image],
    side: int,
) -> Image.Image:
    """Make the thumbnail of a picture that comes in strips of labels."""
    target = _fitting(size, side)
    across, down = (int(length / wanted / _GAP) or 1 for length, wanted in zip(size, target, strict=True))
    mixed = mode if target == size else _PREMULTIPLIED.get(mode, mode)  # as to premultiply loses something
    reduced = Image.new(mixed, (-(-size[0] // across), -(-size[1] // down)))
    rows = _multiple(down, _BAND_PIXELS // size[0])
    columns = _multiple(across, _BAND_PIXELS // rows)
    for number, band in enumerate(_bands(strips, rows)):
        for left in range(0, size[0], columns):
            part = image_of(band[:, left : left + columns]).convert(mixed)
            reduced.paste(part.reduce((across, down)), (left // across, number * rows // down))
    box = (0, 0, size[0] / across, size[1] / down)
    return reduced.resize(target, Image.Resampling.BICUBIC, box).convert(mode)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size of a thumbnail: of the same aspect, as far as whole pixels allow."""
    longest = max(size)
    if longest <= side:
        return size
    width, height = (max((2 * length * side + longest) // (2 * longest), 1) for length in size)
    return width, height


def _multiple(of: int, about: int) -> int:
    """Return the multiple of a number next below another, but never 0."""
    return max(about // of, 1) * of


def _bands(strips: Iterable[Array], rows: int) -> Iterator[Array]:
    """Cut strips of labels anew, into bands of as many rows; the last one may have fewer."""
    held: list[Array] = []
    for strip in strips:
        upper = 0
        while upper < len(strip):
            held.append(strip[upper : upper + rows - sum(map(len, held))])
            upper += len(held[-1])
            if sum(map(len, held)) == rows:
                yield np.concatenate(held)
                held = []
    if held:
        yield np.concatenate(held)


def _upright(image: Image.Image, metadata: Metadata) -> Image.Image:
    """Turn an image as its EXIF or XMP tells, and leave nothing in its `info` but the colour profile."""
    image.info.update(metadata)
    with suppress(Exception):  # as EXIF is passed on unread, it may be anything
        image = ImageOps.exif_transpose(image)
    image.info = {"icc_profile": metadata["icc_profile"]} if "icc_profile" in metadata else {}
    return image
