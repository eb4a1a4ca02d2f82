"""How much two pictures differ: mean squared error, PSNR, SSIM, CIEDE2000 colour difference, and where.

Each takes two pictures of the same size: images, or arrays of shape (height, width) or
(height, width, channels). Where either has alpha, what is seen is compared: both are laid over black
and over white, and the mean of the two is taken. Pictures of palettes are compared by their colours.

SSIM and CIEDE2000 need scikit-image: ``pip install 'kmc-format[metrics]'``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image

from ._extras import needed
from ._format.indexed import Array
from ._pixels import convert
from ._pixels.colours import common_channels, widen

__all__ = ["ciede2000", "error_map", "labels_changed", "mse", "psnr", "ssim"]

Picture = Array | Image.Image

_Measured = TypeVar("_Measured", float, Array)

_SSIM_SIDE = 7  # of the window, in pixels


def mse(one: Picture, other: Picture) -> float:
    """Return the mean squared error over pixels and channels, in units of the pixels' values.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        Pictures of the same size.

    Raises
    ------
    TypeError, ValueError
        If the pictures do not compare.

    Examples
    --------
    >>> import numpy as np
    >>> mse(np.array([[0, 4]], np.uint8), np.array([[0, 2]], np.uint8))
    2.0
    """
    return _mean(_squared_error, *_comparable(one, other))


def psnr(one: Picture, other: Picture) -> float:
    """Return the peak signal-to-noise ratio in decibels: 10 log10(peak**2 / mse).

    The peak is 255, or 65,535 for 16-bit pictures; equal pictures have ``inf``.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        Pictures of the same size.

    Raises
    ------
    TypeError, ValueError
        If the pictures do not compare, or hold 32-bit integers, which have no peak.

    Examples
    --------
    >>> import numpy as np
    >>> round(psnr(np.array([[0, 4]], np.uint8), np.array([[0, 2]], np.uint8)), 2)
    45.12
    """
    first, second = _comparable(one, other)
    if first.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"PSNR needs 8- or 16-bit pictures, not {first.dtype}")
    error = _mean(_squared_error, first, second)
    return 10 * math.log10(np.iinfo(first.dtype).max ** 2 / error) if error else math.inf


def ssim(one: Picture, other: Picture) -> float:
    """Return the mean structural similarity, 1 for equal pictures.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13(4), 2004, as scikit-image has it
    by default: windows of 7 pixels, the mean over channels.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        8- or 16-bit pictures of the same size, at least 7 pixels wide and high.

    Raises
    ------
    ImportError
        If scikit-image is not installed.
    TypeError, ValueError
        If the pictures do not compare, or are too small.
    """
    metrics = needed("skimage.metrics", "metrics")
    first, second = _comparable(one, other)
    if first.dtype not in (np.uint8, np.uint16):
        raise TypeError(f"SSIM needs 8- or 16-bit pictures, not {first.dtype}")
    if min(first.shape[:2]) < _SSIM_SIDE:
        size = f"{first.shape[1]}x{first.shape[0]}"
        raise ValueError(f"SSIM needs pictures of {_SSIM_SIDE}x{_SSIM_SIDE} pixels or more, not {size}")
    peak = np.iinfo(first.dtype).max

    def similarity(one: Array, other: Array) -> float:
        return float(metrics.structural_similarity(one, other, channel_axis=-1, data_range=peak))

    return _mean(similarity, first, second)


def ciede2000(one: Picture, other: Picture) -> float:
    """Return the mean CIEDE2000 colour difference; 1 is about the least that is seen.

    Sharma, Wu and Dalal, "The CIEDE2000 color-difference formula", Color Research and Application
    30(1), 2005, on CIELAB under D65, as scikit-image has it.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        8-bit pictures of the same size, in sRGB.

    Raises
    ------
    ImportError
        If scikit-image is not installed.
    TypeError, ValueError
        If the pictures do not compare.
    """
    color = needed("skimage.color", "metrics")
    first, second = _comparable(one, other)
    if first.dtype != np.uint8:
        raise TypeError(f"CIEDE2000 needs 8-bit pictures, not {first.dtype}")

    def difference(one: Array, other: Array) -> float:
        labs = (color.rgb2lab(np.broadcast_to(part / 255, (*part.shape[:2], 3))) for part in (one, other))
        return float(color.deltaE_ciede2000(*labs).mean())

    return _mean(difference, first, second)


def error_map(one: Picture, other: Picture) -> Array:
    """Return how far each pixel is from the other: the root of the mean square over its channels.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        Pictures of the same size.

    Returns
    -------
    ndarray of float, shape (height, width)
        In units of the pixels' values.

    Raises
    ------
    TypeError, ValueError
        If the pictures do not compare.

    Examples
    --------
    >>> import numpy as np
    >>> error_map(np.array([[0, 4]], np.uint8), np.array([[0, 2]], np.uint8)).tolist()
    [[0.0, 2.0]]
    """
    squares: Array = _mean(_squared_errors, *_comparable(one, other))
    return np.sqrt(squares)


def labels_changed(one: Picture, other: Picture) -> float:
    """Return the share of pixels that differ, as is right for labels, of which none is nearly another.

    Of palette images with the same palette, pixel values are compared, and else colours.

    Parameters
    ----------
    one, other : ndarray or PIL.Image.Image
        Pictures of the same size.

    Raises
    ------
    TypeError, ValueError
        If the pictures do not compare.

    Examples
    --------
    >>> import numpy as np
    >>> labels_changed(np.array([[7, 7, 4, 900]], np.uint16), np.array([[7, 7, 5, 900]], np.uint16))
    0.25
    """
    if isinstance(one, Image.Image) and isinstance(other, Image.Image):
        palettes = [image.getpalette() if image.mode == "P" else None for image in (one, other)]
        if one.size == other.size and palettes[0] is not None and palettes[0] == palettes[1]:
            return float(np.mean(np.asarray(one) != np.asarray(other)))
    first, second = _comparable(one, other)
    return float(np.mean((first != second).any(axis=2)))


def _comparable(one: Picture, other: Picture) -> tuple[Array, Array]:
    """Return two pictures as arrays (height, width, channels) of one kind."""
    first, second = (convert.pixels_of(picture) for picture in (one, other))
    first, second = (part * np.uint8(255) if part.dtype == bool else part for part in (first, second))
    first, second = (part[:, :, None] if part.ndim == 2 else part for part in (first, second))
    first, second = (part.astype(part.dtype.newbyteorder("="), copy=False) for part in (first, second))
    shapes = first.shape, second.shape
    if shapes[0][:2] != shapes[1][:2] or any(len(s) != 3 or 0 in s or s[2] > 4 for s in shapes):
        raise ValueError(f"pictures of shapes {first.shape} and {second.shape} do not compare")
    if first.dtype != second.dtype or first.dtype.kind not in "ui":
        raise TypeError(f"pictures must be integers of one dtype, not {first.dtype} and {second.dtype}")
    if first.dtype == np.uint8:
        channels = common_channels([first.shape[2], second.shape[2]])
        return widen(first, channels), widen(second, channels)
    if first.shape[2] != second.shape[2]:
        raise ValueError(f"pictures of {first.shape[2]} and {second.shape[2]} channels do not compare")
    return first, second


def _mean(measure: Callable[[Array, Array], _Measured], one: Array, other: Array) -> _Measured:
    """Measure what is seen: over black and over white, where there is alpha."""
    if one.dtype != np.uint8 or one.shape[2] in (1, 3):
        return measure(one, other)
    return (
        measure(*(_over(part, 0) for part in (one, other)))
        + measure(*(_over(part, 255) for part in (one, other)))
    ) / 2


def _over(pixels: Array, background: int) -> Array:
    """Lay 8-bit pixels with alpha over a grey, without rounding."""
    alpha = pixels[..., -1:] / 255
    over: Array = pixels[..., :-1] * alpha + background * (1 - alpha)
    return over


def _squared_errors(one: Array, other: Array) -> Array:
    squares: Array = np.square(np.subtract(one, other, dtype=np.float64)).mean(axis=2)
    return squares


def _squared_error(one: Array, other: Array) -> float:
    return float(np.mean(np.square(np.subtract(one, other, dtype=np.float64))))
