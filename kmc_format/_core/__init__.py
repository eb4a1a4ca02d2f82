"""The compiled core: what KMC computes for each pixel, in C.

Buffers in, buffers out; the GIL is released meanwhile. It computes in integers, so that every machine gets
the same result. Buffers are in C's order and aligned; where sizes do not belong together or a number is out
of range, a function raises `ValueError`, and then its OUT buffers may hold anything.
"""

from __future__ import annotations

from typing import Any

try:
    import kmc_format._core._native as _native
except ModuleNotFoundError as error:
    raise ImportError(
        "the core of kmc_format is not compiled here: this is its source folder. Install it (pip install .)"
        " and run Python elsewhere, or with -I or -P, so that the installed package is found first"
    ) from error

__all__ = [
    "DRAWN",
    "DRAWN_FRAMES",
    "DRAWN_LIST",
    "DRAWN_MATCHES",
    "DRAWN_RICH",
    "DRAWN_STILL",
    "FULL_STRENGTH",
    "OPTIONS",
    "PHOTOGRAPHIC",
    "PHOTOGRAPHIC_RICH",
    "begin_after",
    "choose_labels",
    "copy_frames",
    "count",
    "decode_codebook",
    "decode_frame",
    "decode_labels",
    "dither",
    "encode_codebook",
    "encode_frame",
    "encode_labels",
    "nearest",
    "open_frames",
    "size_of_frames",
]

FULL_STRENGTH = 4096

# Codings of labels, and bits of their options.
DRAWN, PHOTOGRAPHIC = 1, 2
DRAWN_LIST, DRAWN_MATCHES, DRAWN_RICH = 1, 2, 4
DRAWN_FRAMES, DRAWN_STILL = 8, 16  # of frames only
PHOTOGRAPHIC_RICH = 1
OPTIONS = {DRAWN: 8, PHOTOGRAPHIC: 2}  # how many there are


def count(values: Any) -> tuple[bytes, bytes]:
    """Number the different values, in the order in which they first occur.

    Parameters
    ----------
    values : buffer of uint32, shape (n,)
        IN, and OUT: the number of each.

    Returns
    -------
    bytes, bytes
        The different values, and how often each occurs, as uint32.

    Examples
    --------
    >>> from array import array
    >>> values = array("I", [70, 9, 70])
    >>> found, counts = count(values)
    >>> list(values), list(array("I", found)), list(array("I", counts))
    ([0, 1, 0], [70, 9], [2, 1])
    """
    return _native.count(values)


def nearest(points: Any, entries: Any, numbers: Any) -> None:
    """Find the nearest entry of each point; of entries that are equally near, the first.

    Coordinates are at most 2**20 in size, in one to four dimensions; a codebook has at most 2**18 entries.

    Parameters
    ----------
    points : buffer of int32, shape (n, dimensions)
        IN. Quicker where neighbours are alike.
    entries : buffer of int32, shape (k, dimensions)
        IN. A codebook, in the same coordinates.
    numbers : buffer of int32, shape (n,)
        OUT. Positions in `entries`.
    """
    _native.nearest(points, entries, numbers)


def dither(
    pixels: Any,
    points: Any,
    entries: Any,
    pinned: Any,
    coverage: Any,
    limits: Any,
    strength: int,
    labels: Any,
) -> None:
    """Label pixels with Floyd-Steinberg error diffusion, serpentine.

    Floyd and Steinberg, "An adaptive algorithm for spatial grey scale", Proceedings of the SID 17(2),
    1976. What a pixel is to look like, errors included, is clipped to limits, so that errors do not
    pile up where the codebook cannot follow. Coordinates are at most 2**20 in size.

    Parameters
    ----------
    pixels : buffer of uint32, shape (height, width)
        IN. Which of the colours each pixel has.
    points : buffer of int32, shape (n, dimensions)
        IN. The colours.
    entries : buffer of int32, shape (k, dimensions)
        IN. The codebook.
    pinned : buffer of int32, shape (n,)
        IN. The label a colour always gets, in which errors end; or -1.
    coverage : buffer of uint8, shape (n,)
        IN. 255 where the last coordinate is an alpha that takes no part in the diffusion.
    limits : buffer of int32, shape (2, dimensions)
        IN. Least and largest coordinates.
    strength : int
        How much of the error is passed on, from 0 to FULL_STRENGTH.
    labels : buffer of uint16, shape (height, width)
        OUT.
    """
    _native.dither(pixels, points, entries, pinned, coverage, limits, strength, labels)


def encode_codebook(words: Any, bits: int) -> bytes:
    """Code a codebook as FORMAT.md, "Modelled codebook", tells.

    Parameters
    ----------
    words : buffer of uint32, shape (k, channels)
        IN. The entries, of one to four channels.
    bits : int
        How many bits a channel has: 8, 16 or 32.

    Returns
    -------
    bytes
        The coded codebook.
    """
    return _native.encode_codebook(words, bits)


def decode_codebook(data: Any, words: Any, bits: int) -> bool:
    """Decode what `encode_codebook` coded.

    Parameters
    ----------
    data : buffer of bytes
        IN. The coded codebook.
    words : buffer of uint32, shape (k, channels)
        OUT. The entries, whatever `data` is.
    bits : int
        How many bits a channel has: 8, 16 or 32.

    Returns
    -------
    bool
        False where some of `data` was not needed, or no coder makes it.
    """
    return _native.decode_codebook(data, words, bits)


def encode_labels(numbers: Any, colours: Any, coding: int, options: int, limit: int) -> bytes | None:
    """Code the labels of a tile as FORMAT.md, "Drawn labels" or "Photographic labels", tells.

    Parameters
    ----------
    numbers : buffer of uint16, shape (height, width)
        IN. The labels, by numbers that put like colours side by side; all below k.
    colours : buffer of uint8, shape (k, 4)
        IN. What the numbers look like.
    coding : int
        `DRAWN` or `PHOTOGRAPHIC`.
    options : int
        Of `DRAWN_LIST`, `DRAWN_MATCHES` and `DRAWN_RICH` any sum; or `PHOTOGRAPHIC_RICH` or 0.
    limit : int
        How many bytes the labels may take.

    Returns
    -------
    bytes or None
        The coded labels; None where they take more than `limit` bytes, or none at all.
    """
    return _native.encode_labels(numbers, colours, coding, options, limit)


def decode_labels(data: Any, labels: Any, names: Any, colours: Any, coding: int, options: int) -> str:
    """Decode what `encode_labels` coded.

    Parameters
    ----------
    data : buffer of bytes
        IN. The coded labels.
    labels : buffer of uint8 or uint16, shape (height, width)
        OUT. The labels.
    names : buffer of uint16, shape (k,)
        IN. The label of each number.
    colours : buffer of uint8, shape (k, 4)
        IN. What the numbers look like.
    coding, options : int
        As for `encode_labels`.

    Returns
    -------
    str
        The rule of FORMAT.md that is broken, or "".
    """
    return _native.decode_labels(data, labels, names, colours, coding, options)


def open_frames(width: int, height: int, colours: Any, options: int) -> object:
    """Start to code or decode the frames of a tile, of which each learns from those before.

    Parameters
    ----------
    width, height : int
        Of the tile.
    colours : buffer of uint8, shape (k, 4)
        IN, copied. What the numbers look like.
    options : int
        `DRAWN_FRAMES` and `DRAWN_MATCHES`, with or without `DRAWN_RICH`. Each frame may add `DRAWN_LIST` and
        `DRAWN_STILL`.

    Returns
    -------
    object
        What was learnt, and the last frame: for the functions below, and for one thread at a time.

    Examples
    --------
    >>> import numpy as np
    >>> numbers, colours = np.eye(30, dtype=np.uint16), np.zeros((2, 4), np.uint8)
    >>> names, options = np.arange(2, dtype=np.uint16), DRAWN_FRAMES | DRAWN_MATCHES
    >>> frames = open_frames(30, 30, colours, options)
    >>> coded = [encode_frame(frames, numbers, options, 1000) for _ in range(2)]
    >>> [len(one) for one in coded]
    [8, 0]
    >>> decoded, frames = np.empty((30, 30), np.uint8), open_frames(30, 30, colours, options)
    >>> [decode_frame(frames, one, decoded, names, options) for one in coded]
    ['', '']
    >>> np.array_equal(decoded, numbers)
    True
    """
    return _native.open_frames(width, height, colours, options)


def begin_after(frames: object, numbers: Any) -> None:
    """Have labels as the frame before the first, from which nothing is learnt.

    Parameters
    ----------
    frames : object
        IN and OUT. What `open_frames` returned.
    numbers : buffer of uint16, shape (height, width)
        IN. As for `encode_labels`.
    """
    _native.begin_after(frames, numbers)


def copy_frames(frames: object) -> object:
    """Return frames that go on from where these are, independently."""
    return _native.copy_frames(frames)


def size_of_frames(frames: object) -> int:
    """Return how many bytes of memory frames take."""
    return _native.size_of_frames(frames)


def encode_frame(frames: object, numbers: Any, options: int, limit: int) -> bytes | None:
    """Code the next frame as FORMAT.md, "Frames of drawn labels", tells.

    Parameters
    ----------
    frames : object
        IN and OUT. What `open_frames` returned.
    numbers : buffer of uint16, shape (height, width)
        IN. As for `encode_labels`.
    options : int
        As for `open_frames`.
    limit : int
        How many bytes the frame may take.

    Returns
    -------
    bytes or None
        The coded labels, which may be none; None where they take more than `limit` bytes, and for all frames
        after such a one.
    """
    return _native.encode_frame(frames, numbers, options, limit)


def decode_frame(frames: object, data: Any, labels: Any, names: Any, options: int) -> str:
    """Decode the next frame that `encode_frame` coded.

    Parameters
    ----------
    frames : object
        IN and OUT. What `open_frames` returned.
    data : buffer of bytes
        IN. The coded labels.
    labels : buffer of uint8 or uint16, shape (height, width)
        IN: the labels of the frame before, where there was one. OUT: those of this.
    names : buffer of uint16, shape (k,)
        IN. The label of each number.
    options : int
        As for `encode_frame`.

    Returns
    -------
    str
        The rule of FORMAT.md that is broken, or "". After a broken frame all are.
    """
    return _native.decode_frame(frames, data, labels, names, options)


def choose_labels(
    pixels: Any,
    points: Any,
    entries: Any,
    nearest: Any,
    farthest: Any,
    lagrange: int,
    colours: Any,
    labels: Any,
    whole: Any = None,
    whole_entries: Any = None,
) -> int:
    """Choose the labels for which squared distance and bits together are least; return their bytes, about.

    Each pixel in turn gets the label that is cheapest where an adaptive model then stands, and the model
    learns from it; what a label does to the pixels that follow is guessed from the labels that those had
    before. So it pays to choose again by the result.

    Entropy-constrained vector quantisation, after Chou, Lookabaugh and Gray, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 37(1), 1989.

    Parameters
    ----------
    pixels : buffer of uint32, shape (height, width)
        IN. Which of the colours each pixel has.
    points : buffer of int32, shape (n, 4)
        IN. The colours, as coordinates at most 2**20 in size.
    entries : buffer of int32, shape (k, 4)
        IN. The codebook, in the same coordinates.
    nearest : buffer of int32, shape (n,)
        IN. The entry nearest to each colour.
    farthest : buffer of int64, shape (n,)
        IN. The largest squared distance from each colour to its entry, no less than to the nearest;
        a negative one lets the colour have only that.
    lagrange : int
        The squared distance that saving 1/1024 nat is worth, up to 2**44.
    colours : buffer of uint8, shape (k, 4)
        IN. As for `encode_labels`.
    labels : buffer of uint16, shape (height, width)
        IN, all below k: a guess, such as the nearest or those of the round before. OUT: the labels.
    whole : buffer of uint8, shape (n,), optional
        IN. Other than 0 where a colour gets only entries that are whole, unless the nearest is not.
    whole_entries : buffer of uint8, shape (k,), optional
        IN. Other than 0 where an entry is; needed with `whole`.
    """
    return _native.choose_labels(
        pixels, points, entries, nearest, farthest, lagrange, colours, labels, whole, whole_entries
    )
