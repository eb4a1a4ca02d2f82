"""The functions of the package that read files: `kmc_format.decode` and the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, UnsupportedOperation
from os import PathLike
from typing import IO

import numpy as np
from PIL import Image

from .._format import codec
from .._format.codec import Header
from .._format.container import Reader
from .._format.grid import Box
from .._format.indexed import Indexed, as_int

Source = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


def read_header(source: Source) -> Header:
    """Read what a KMC file says of itself, without its labels.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning.

    Returns
    -------
    Header
        Size, mode, k, tiles, codebook and metadata.

    Raises
    ------
    KMCError
        If the file is damaged, truncated, or newer than this package.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> header = kmc_format.read_header(kmc_format.encode(np.eye(5, dtype=bool)))
    >>> header.size, header.mode, header.k
    ((5, 5), '1', 2)
    """
    with _opened(source) as file:
        return codec.read_header(Reader(file))


def decode(source: Source, *, threads: int | None = None) -> Indexed:
    """Read codebook and labels of a KMC file.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning.
    threads : int, optional
        How many tiles are decoded at once, as for `encode`.

    Returns
    -------
    Indexed
        Codebook and labels, not expanded; ``decode(source).expand()`` gives the pixels. The
        labels of a palette image are its pixel values, and its codebook has alpha where the
        palette is transparent.

    Raises
    ------
    KMCError
        If the file is damaged, truncated, or newer than this package.
    PIL.Image.DecompressionBombError
        If the picture has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> data = kmc_format.encode(np.array([[0, 200], [200, 200]], np.uint8))
    >>> picture = kmc_format.decode(data)
    >>> picture.codebook.tolist(), picture.labels.tolist()
    ([[0], [200]], [[0, 1], [1, 1]])
    """
    with _opened(source) as file:
        reader = Reader(file)
        header = codec.read_header(reader)
        Image._decompression_bomb_check(header.size)
        return _writable(codec.decode(reader, header, threads=threads))


def open_region(source: Source, box: tuple[int, int, int, int], *, threads: int | None = None) -> Indexed:
    """Read a part of a KMC file: of its labels, only the tiles that the part touches.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning and can seek.
    box : tuple of int
        Left, upper, right and lower edge in pixels, the last two exclusive, as for
        `PIL.Image.Image.crop`, but within the picture.
    threads : int, optional
        How many tiles are decoded at once, as for `encode`.

    Returns
    -------
    Indexed
        The whole codebook, and the labels in the box.

    Raises
    ------
    TypeError, ValueError
        If the box is not one, or not within the picture.
    io.UnsupportedOperation
        If the file cannot seek.
    KMCError
        If the file is damaged or truncated in what is read of it, or newer than this package.
    PIL.Image.DecompressionBombError
        If the box, or a tile, has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> data = kmc_format.encode(np.arange(64, dtype=np.uint8).reshape(8, 8), tile=4)
    >>> kmc_format.open_region(data, (1, 0, 3, 2)).expand().tolist()
    [[1, 2], [9, 10]]
    """
    with _opened(source) as file:
        if not (hasattr(file, "seek") and getattr(file, "seekable", lambda: True)()):
            raise UnsupportedOperation("open_region needs a file that can seek; decode reads any file")
        reader = Reader(file)
        header = codec.read_header(reader)
        part = _checked_box(box, header.size)
        Image._decompression_bomb_check((part.right - part.left, part.lower - part.upper))
        Image._decompression_bomb_check(header.tile_size)
        picture = codec.decode(reader, header, box=part, threads=threads)
    return _writable(picture)


def _checked_box(box: object, size: tuple[int, int]) -> Box:
    given = box if isinstance(box, (tuple, list)) else [None]
    edges = [edge for edge in map(as_int, given) if edge is not None]
    if len(edges) < len(given):
        raise TypeError(f"box must be left, upper, right and lower edge as ints, not {box!r}")
    if len(edges) != 4:
        raise ValueError(f"box must be left, upper, right and lower edge, not {box!r}")
    left, upper, right, lower = edges
    if not (0 <= left < right <= size[0] and 0 <= upper < lower <= size[1]):
        raise ValueError(
            f"box {(left, upper, right, lower)} must hold pixels, within (0, 0, {size[0]}, {size[1]})"
        )
    return Box(left, upper, right, lower)


def _writable(picture: Indexed) -> Indexed:
    return Indexed(picture.codebook, np.require(picture.labels, requirements="W"), picture.mode)


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield BytesIO(source)
    elif isinstance(source, (str, PathLike)):
        with open(source, "rb") as file:  # noqa: PTH123  # pathlib is slow to import
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise TypeError(f"source must be a path, bytes or a binary file, not {type(source).__name__}")
