"""What can be said of a KMC file: its parts, how far it is from its original, and what other options give.

Everything is returned as plain numbers, strings and None, ready for JSON, CSV and `figures`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any, NamedTuple, Unpack

import numpy as np
from PIL import Image

from . import metrics
from ._dask.remote import located
from ._format import codec, container
from ._format.container import Reader
from ._format.frame_reading import FrameReader
from ._format.indexed import Array
from ._format.metadata import BYTES, stored_bytes
from ._options.options import GivenOptions, SaveOptions, check_names
from ._pixels.colours import common_channels, widen
from ._pixels.likeness import percentage
from ._pixels.stepping import as_found, check_frame, frame_count
from ._report.sides import AnyPicture, Side, common_count, encoded, frames_changed, opened, side
from ._report.trials import tried

__all__ = ["Comparison", "compare", "describe", "difference", "sweep"]

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
        of each part of the file; and what there is of ``dpi``, ``rdo``, and, where there are several,
        ``frames``, their ``durations`` in ms, and ``loop``.

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
        codings = _codings(reader, header)
        parts = {"codebook": len(header.front.codebook), "labels": reader.offset - header.front.start}
        film = _described(FrameReader(file, header), parts) if header.is_animated else {}
    size = path.stat().st_size
    metadata: dict[str, Any] = {**header.metadata}
    for name in ("icc_profile", "exif", "xmp"):
        if metadata.pop(name, None) is not None:
            parts[name] = len(stored_bytes(header.front.chunks[BYTES[name]])[1])
    if header.tiles > 1:
        parts["index"] = 4 * header.tiles
    parts["overhead"] = size - sum(parts.values())  # signature, sizes and checksums
    metadata.pop("transparency", None)
    width, height = header.size
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
        "labels": codings,
        "bits_per_pixel": 8 * size / (width * height * film.get("frames", 1)),
        "parts": parts,
        **film,
        **metadata,
        **({"codebook": _colours(codec.seen_codebook(header))} if codebook else {}),
    }


def _codings(reader: Reader, header: codec.Header) -> str:
    """Tell how the labels of a picture are coded, all of whose tiles are checked."""
    codings = set()
    for tile in container.read_tiles(reader, header.front):
        if tile.error:
            raise tile.error
        codings.add(_CODINGS.get(tile.coding, "modelled"))
    return " and ".join(sorted(codings))


def _described(frames: FrameReader, parts: dict[str, int]) -> dict[str, Any]:
    """Tell what there is of frames, all of which are checked, and add their bytes to the parts."""
    frames.verify()
    parts["following_frames"] = frames.following_bytes
    durations = [frames.duration(number) for number in range(len(frames))]
    return {"frames": len(frames), "durations": durations, "loop": frames.timing.loop}


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
    original: AnyPicture,
    compressed: AnyPicture | None = None,
    *,
    frame: int = 0,
    **options: Unpack[GivenOptions],
) -> Comparison:
    """Compare an image with a compressed one.

    Parameters
    ----------
    original : path, PIL.Image.Image, ndarray or Indexed
        An image.
    compressed : path, PIL.Image.Image, ndarray or Indexed, optional
        A KMC file, or another image. By default `original` is compressed now, with all its frames,
    frame : int
        Which frame is shown, of images that have several; counted from 0, as `Image.seek` does.
    **options
        with these options of `Image.save`.

    Returns
    -------
    Comparison
        Among its numbers are ``original_bytes``, ``bytes``, ``bits_per_pixel`` (all None for what is not
        in a file), ``k`` (None where it is over 65,536), those of `difference`, and ``labels_changed``: of
        integers and palettes the share of pixels that differ, None of other pictures. Where there are
        several frames, bytes and bits are those of all, the others of the one that is shown; then there
        are also ``frames``, how many there are, ``frame``, which is shown, and ``frames_changed``, how many
        are not exact.

    Raises
    ------
    IndexError
        If there is no such frame.
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If the pictures do not compare, as those of different numbers of frames, or an option is not what
        it should be.

    Examples
    --------
    >>> ramp = Image.linear_gradient("L")
    >>> compare(ramp, k=16).numbers["k"], compare(ramp, ramp).numbers["exact"]
    (16, True)
    """
    check_names("compare", options, ("original", "compressed", "frame"))
    if compressed is not None and options:
        raise TypeError("compressed is as it is: leave it out, or the options of saving")
    return compared(original, compressed, SaveOptions.of(options), frame)


def compared(
    original: AnyPicture, compressed: AnyPicture | None, options: SaveOptions, frame: int = 0
) -> Comparison:
    """Do as `compare` does, with options that are checked."""
    with opened(original) as one, as_found(one):
        if compressed is None:
            check_frame(frame, frame_count(one), "the picture")  # before all are compressed
        source = encoded(one, options) if compressed is None else compressed
        with opened(source) as other, as_found(other):
            count = common_count(one, other)
            frame = check_frame(frame, count, "each picture")
            first, second = side(original, one, "original", frame), side(source, other, "compressed", frame)
            moving = {"frames": count, "frame": frame} if count > 1 else {}
            if moving:
                moving["frames_changed"] = frames_changed(one, other, count)
    return _comparison(first, second, moving)


def _comparison(first: Side, second: Side, moving: dict[str, int]) -> Comparison:
    """Measure two sides; `moving` says what there is of frames."""
    size = second.size
    changed = None if first.labels is None else metrics.labels_changed(first.labels, second.compared)
    pixels = first.pixels.shape[0] * first.pixels.shape[1] * moving.get("frames", 1)
    numbers = {
        "original": first.path,
        "compressed": second.path,
        "original_bytes": first.size,
        "bytes": size,
        "bits_per_pixel": size and 8 * size / pixels,
        "k": None if second.codebook is None else len(second.codebook),
        **difference(first.pixels, second.pixels),
        "labels_changed": changed,
        **moving,
    }
    quality = "exact" if numbers["psnr"] is None else f"{numbers['psnr']:.2f} dB"
    if changed is not None:
        quality = f"labels changed: {percentage(changed)}" if changed else "exact"
    shown = ", frame {frame} of {frames}".format(**moving) if moving else ""
    captions = f"{first.name}{first.in_bytes}{shown}", f"{second.format}{second.in_bytes}, {quality}"
    return Comparison((first.pixels, second.pixels), second.codebook, captions, numbers)


def sweep(
    picture: Image.Image | Array, values: Iterable[int], option: str = "k", **options: Unpack[GivenOptions]
) -> Iterator[dict[str, Any]]:
    """Encode a picture with one value of an option after the other.

    Parameters
    ----------
    picture : PIL.Image.Image or ndarray
        As for `kmc_format.encode`, or an image of several frames, of which all are encoded.
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
        ``decode_seconds``. Of several frames all are counted, and PSNR is that of their mean error.

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
