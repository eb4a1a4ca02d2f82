"""What can be said of a KMC file: its parts, how far it is from its original, and what other options give.

Everything is returned as plain numbers, strings and None, ready for JSON, CSV and `figures`.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from PIL import Image

from . import metrics
from ._dask.remote import located
from ._format import codec, container
from ._format.codebook import with_alpha
from ._format.container import Reader
from ._format.indexed import Array, Indexed
from ._format.metadata import BYTES, stored_bytes
from ._options.options import GivenOptions, SaveOptions, check_names
from ._pillow import saving
from ._pixels import convert
from ._pixels.colours import common_channels, widen
from ._pixels.kinds import distinct_colours
from ._pixels.likeness import percentage
from ._quantize import kmeans

__all__ = ["Comparison", "compare", "describe", "difference", "sweep"]

AnyPicture = str | PathLike[str] | Image.Image | Array | Indexed

_CODINGS = {0: "packed"}  # the names of label codings; all others are "modelled"


def describe(path: str | PathLike[str], *, codebook: bool = False) -> dict[str, Any]:
    """Describe a KMC file, all of which is read and checked, but not decoded.

    Parameters
    ----------
    path : str or PathLike
        The file.
    codebook : bool
        Also list the colours: those of 8 bits as ``"#rrggbb"`` or ``"#rrggbbaa"``, others as numbers.

    Returns
    -------
    dict
        ``path``, ``bytes``, ``width``, ``height``, ``mode``, ``k``, ``tile_width``, ``tile_height``,
        ``tiles``, ``labels`` (``"packed"`` or ``"modelled"``), ``bits_per_pixel``; ``parts``, the bytes
        of each part of the file; and what there is of ``dpi`` and ``rdo``.

    Raises
    ------
    KMCError
        If it is damaged, truncated, or newer than this package.

    Examples
    --------
    >>> import tempfile
    >>> import kmc_format
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kmc_format.write(f"{folder}/x.kmc", Image.linear_gradient("L"), effort=0)
    ...     found = describe(f"{folder}/x.kmc")
    >>> found["width"], found["k"], found["labels"], found["parts"]["labels"] < found["bytes"]
    (256, 256, 'packed', True)
    """
    path = located(path)
    with path.open("rb") as file:
        reader = Reader(file)
        header = codec.read_header(reader)
        codings = set()
        for tile in container.read_tiles(reader, header.front):
            if tile.error:
                raise tile.error
            codings.add(_CODINGS.get(tile.coding, "modelled"))
        labels = reader.offset - header.front.start
    width, height = header.size
    metadata: dict[str, Any] = {**header.metadata}
    size = path.stat().st_size
    parts = {"codebook": len(header.front.codebook), "labels": labels}
    for name in ("icc_profile", "exif", "xmp"):
        if metadata.pop(name, None) is not None:
            parts[name] = len(stored_bytes(header.front.chunks[BYTES[name]])[1])
    if header.tiles > 1:
        parts["index"] = 4 * header.tiles
    parts["frame"] = size - sum(parts.values())  # signature, sizes and checksums
    metadata.pop("transparency", None)
    entries = with_alpha(header.codebook, header.metadata.get("transparency"))
    return {
        "path": str(path),
        "bytes": size,
        "width": width,
        "height": height,
        "mode": header.mode,
        "k": header.k,
        "tile_width": header.tile_size[0],
        "tile_height": header.tile_size[1],
        "tiles": header.tiles,
        "labels": " and ".join(sorted(codings)),
        "bits_per_pixel": 8 * size / (width * height),
        "parts": parts,
        **metadata,
        **({"codebook": _colours(entries)} if codebook else {}),
    }


def _colours(codebook: Array) -> list[str]:
    if codebook.dtype != np.uint8:
        return [str(value) for value in codebook[:, 0]]
    return [f"#{bytes(entry).hex()}" for entry in widen(codebook, common_channels([3, codebook.shape[1]]))]


def difference(one: metrics.Picture, other: metrics.Picture) -> dict[str, Any]:
    """Measure how much two pictures of the same size differ.

    Returns
    -------
    dict
        ``mse``; ``psnr`` in dB, None where pictures are equal or of 32-bit integers; ``ssim``, None where
        there is none, as for pictures of fewer than 7 pixels, or where scikit-image is not installed;
        ``exact``, whether they are equal.

    Raises
    ------
    TypeError, ValueError
        If the pictures do not compare.

    Examples
    --------
    >>> ramp = Image.linear_gradient("L")
    >>> difference(ramp, ramp)["exact"], difference(ramp, ramp.point(lambda level: level // 2))["exact"]
    (True, False)
    """
    error = metrics.mse(one, other)
    return {
        "exact": error == 0,
        "mse": error,
        "psnr": _decibels(one, other),
        "ssim": _similarity(one, other),
    }


def _decibels(one: metrics.Picture, other: metrics.Picture) -> float | None:
    try:
        value = metrics.psnr(one, other)
    except TypeError:  # of 32-bit integers
        return None
    return None if math.isinf(value) else value


def _similarity(one: metrics.Picture, other: metrics.Picture) -> float | None:
    try:
        return metrics.ssim(one, other)
    except (ImportError, TypeError, ValueError):
        return None


class Comparison(NamedTuple):
    """An original and what became of it, with their figures."""

    pictures: tuple[Array, Array]
    codebook: Array | None  # None for a picture of more colours than a codebook holds
    captions: tuple[str, str]
    numbers: dict[str, Any]


def compare(
    original: AnyPicture, compressed: AnyPicture | None = None, **options: Unpack[GivenOptions]
) -> Comparison:
    """Compare an image with a compressed one.

    Parameters
    ----------
    original : path, PIL.Image.Image, ndarray or Indexed
        An image.
    compressed : path, PIL.Image.Image, ndarray or Indexed, optional
        A KMC file, or another image. By default `original` is compressed now,
    **options
        with these options of `Image.save`.

    Returns
    -------
    Comparison
        Among its numbers are ``original_bytes``, ``bytes``, ``bits_per_pixel`` (all None for what is not
        in a file), ``k`` (None where it is over 65,536), those of `difference`, and ``labels_changed``: of
        integers and palettes the share of pixels that differ, None of other pictures.

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If the pictures do not compare, or an option is not what it should be.

    Examples
    --------
    >>> ramp = Image.linear_gradient("L")
    >>> compare(ramp, k=16).numbers["k"], compare(ramp, ramp).numbers["exact"]
    (16, True)
    """
    check_names("compare", options, ("original", "compressed"))
    if compressed is not None and options:
        raise TypeError("compressed is as it is: leave it out, or the options of saving")
    return compared(original, compressed, SaveOptions.of(options))


def compared(original: AnyPicture, compressed: AnyPicture | None, options: SaveOptions) -> Comparison:
    """Do as `compare` does, with options that are checked."""
    with _opened(original) as picture:
        first = _side(original, picture, "original")
        other = io.BytesIO(saving.encode(picture, options)) if compressed is None else compressed
    with _opened(other) as picture:
        second = _side(other, picture, "compressed")
    size = second.size
    changed = None if first.labels is None else metrics.labels_changed(first.labels, second.compared)
    numbers = {
        "original": first.path,
        "compressed": second.path,
        "original_bytes": first.size,
        "bytes": size,
        "bits_per_pixel": size and 8 * size / (first.pixels.shape[0] * first.pixels.shape[1]),
        "k": None if second.codebook is None else len(second.codebook),
        **difference(first.pixels, second.pixels),
        "labels_changed": changed,
    }
    quality = "exact" if numbers["psnr"] is None else f"{numbers['psnr']:.2f} dB"
    if changed is not None:
        quality = f"labels changed: {percentage(changed)}" if changed else "exact"
    captions = f"{first.name}{_in_bytes(first)}", f"{second.format}{_in_bytes(second)}, {quality}"
    return Comparison((first.pixels, second.pixels), second.codebook, captions, numbers)


class _Side(NamedTuple):
    """One of two pictures that are compared."""

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


def _opened(source: AnyPicture | io.BytesIO) -> AbstractContextManager[Image.Image | Array | Indexed]:
    """Return a context in which the image of a file is open; of other pictures that picture."""
    return Image.open(source) if isinstance(source, (str, PathLike, io.BytesIO)) else nullcontext(source)


def _side(source: AnyPicture | io.BytesIO, picture: Image.Image | Array | Indexed, name: str) -> _Side:
    """Return what is compared of a picture, and of the file that it comes from, if it does."""
    codebook = _codebook(picture)  # before the pixels are loaded, as those of a KMC file may change then
    pixels = convert.pixels_of(picture)
    side = _Side(pixels, codebook, _labels(picture, pixels), getattr(picture, "format", None) or name, name)
    if isinstance(source, io.BytesIO):
        return side._replace(size=source.getbuffer().nbytes)
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        return side._replace(name=path.name, path=fspath(source), size=path.stat().st_size)
    return side


def _labels(picture: Image.Image | Array | Indexed, pixels: Array) -> Image.Image | Array | None:
    if isinstance(picture, Image.Image) and picture.mode == "P":
        return picture.copy()
    return pixels if pixels.dtype.itemsize > 1 else None


def _in_bytes(side: _Side) -> str:
    return "" if side.size is None else f", {side.size:,} bytes"


def _codebook(picture: Image.Image | Array | Indexed) -> Array | None:
    """Return the colours of a picture, or None where they are too many."""
    try:
        if isinstance(picture, (Image.Image, Indexed)):
            return convert.codebook_of(picture)
        return distinct_colours(picture)
    except ValueError:
        return None


def sweep(
    picture: Image.Image | Array, values: Iterable[int], option: str = "k", **options: Unpack[GivenOptions]
) -> Iterator[dict[str, Any]]:
    """Encode a picture with one value of an option after the other.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray
        As for `kmc_format.encode`.
    values : iterable of int
        Of the option.
    option : str
        ``"k"`` or ``"quality"``.
    **options
        Others of `Image.save`.

    Yields
    ------
    dict
        The value, under the option's name; ``colours``, how many there are; ``bytes``;
        ``bits_per_pixel``; ``psnr`` in dB, None where it is exact; ``encode_seconds``,
        ``decode_seconds``.

    Raises
    ------
    TypeError, ValueError
        If an option is not what it should be.

    Examples
    --------
    >>> [row["k"] for row in sweep(Image.linear_gradient("L"), [2, 16])]
    [2, 16]
    """
    if option not in ("k", "quality"):
        raise ValueError(f"option must be 'k' or 'quality', not {option!r}")
    check_names("sweep", options, ("picture", "values", "option"))
    asked = SaveOptions.of(options)
    return tried(picture, option, (asked.but({option: value}) for value in values))


def tried(
    picture: Image.Image | Array, option: str, options: Iterable[SaveOptions]
) -> Iterator[dict[str, Any]]:
    """Yield what `sweep` does, for options that are checked, and of which one differs."""
    original = convert.pixels_of(picture)
    _warm_up()
    for one in options:
        start = time.perf_counter()
        data = saving.encode(picture, one)
        encoded = time.perf_counter()
        reader = Reader(io.BytesIO(data))
        header = codec.read_header(reader)
        pixels = codec.decode(reader, header).expand()
        decoded = time.perf_counter()
        yield {
            option: getattr(one, option),
            "colours": header.k,
            "bytes": len(data),
            "bits_per_pixel": 8 * len(data) / math.prod(header.size),
            "psnr": _decibels(original, pixels),
            "encode_seconds": encoded - start,
            "decode_seconds": decoded - encoded,
        }


def _warm_up() -> None:
    """Have all imported that clustering needs, so that it does not count as the first picture's time."""
    kmeans.quantize(np.arange(3 * 16, dtype=np.uint8).reshape(4, 4, 3), SaveOptions(k=2))
