"""Colours as numbers: packed into integers, and as coordinates of a colour space.

A packed colour is one unsigned integer that holds its channels in order, so that colours sort as
their channels do. Coordinates are integers as well, whatever the space: distances between them,
and with them all labels, are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from .._format.indexed import Array, Kind

SPACES = ("srgb", "oklab")

# Which channels of RGBA an 8-bit colour is made of, by how many channels it has: grey; grey and alpha; RGB;
# RGBA.
CHANNELS_OF_RGBA = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}
_ALPHA = 3  # the position of alpha in RGBA

# How far black is from white in integer coordinates of Oklab.
_UNIT = 2**17
# The coordinates a and b count twice, which Ottosson found to fit measured colour differences: delta E OK2.
_OKLAB_SCALE = np.array([_UNIT, 2 * _UNIT, 2 * _UNIT])

# Ottosson, "A perceptual color space for image processing", 2020: linear sRGB to cone responses,
# and their cube roots to lightness, green to red, blue to yellow.
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


# --- Packed colours -----------------------------------------------------------------------------


def pack(pixels: Array) -> Array:
    """Make one unsigned integer of each pixel, shape (..., channels), in the order of its channels."""
    if pixels.dtype == np.int32:
        return pixels[..., 0].view(np.uint32) ^ np.uint32(1 << 31)  # keeps the order of signed values
    channels = pixels.shape[-1]
    if channels == 1:
        return pixels[..., 0]
    values: Array = pixels[..., 0].astype(np.uint16 if channels == 2 else np.uint32)
    for channel in range(1, channels):
        values <<= np.uint8(8)
        values |= pixels[..., channel]
    return values


def unpack(values: Array, kind: Kind) -> Array:
    """Turn packed colours into codebook entries, shape (n, channels)."""
    if kind.dtype == "int32":
        return (values ^ np.uint32(1 << 31)).view(np.int32)[:, None]
    if kind.channels == 1:
        return values[:, None]
    words = values.astype(values.dtype.newbyteorder(">")).view(np.uint8)
    words = words.reshape(len(values), values.itemsize)
    return np.ascontiguousarray(words[:, -kind.channels :])


def widen(entries: Array, channels: int) -> Array:
    """Give 8-bit colours, shape (..., channels), more channels: grey becomes RGB, and alpha is opaque."""
    have = entries.shape[-1]
    if have == channels:
        return entries
    colour, opaque = entries[..., : 3 if have > 2 else 1], np.full_like(entries[..., :1], 255)
    if channels > 2:
        colour = np.repeat(colour, 3, axis=-1) if have < 3 else colour
    if channels in (1, 3):
        return np.ascontiguousarray(colour)
    return np.concatenate([colour, opaque if have in (1, 3) else entries[..., -1:]], axis=-1)


def visible(values: Array, low: int, high: int) -> Array:
    """Return 8-bit colours as they are, and integers between two as greys."""
    if values.dtype == np.uint8:
        return values
    parts: Array = np.subtract(values, low, dtype=np.int64) * 255 // max(high - low, 1)
    return parts.clip(0, 255).astype(np.uint8)


def common_channels(channels: Iterable[int]) -> int:
    """Return how many channels hold 8-bit colours of so many: with colour, or alpha, where any has it."""
    several = list(channels)
    return (3 if max(several) > 2 else 1) + any(_ALPHA in CHANNELS_OF_RGBA[one] for one in several)


# --- Coordinates --------------------------------------------------------------------------------


def has_alpha(kind: Kind) -> bool:
    """Tell whether the last channel is alpha."""
    return _ALPHA in CHANNELS_OF_RGBA[kind.channels]


def is_clear(packed: Array) -> Array:
    """Tell which packed colours with alpha are clear."""
    clear: Array = packed & 0xFF == 0
    return clear


def is_opaque(packed: Array, kind: Kind) -> Array:
    """Tell which packed colours are opaque, where some of their kind need not be."""
    opaque: Array = packed & 0xFF == 0xFF if has_alpha(kind) else np.zeros(len(packed), bool)
    return opaque


def opaque_extent(kind: Kind, space: str) -> int:
    """Return the last coordinate of opaque colours of a kind with alpha."""
    return round(_mid_grey(kind.channels - 1, space)[1])


def coordinates(entries: Array, kind: Kind, space: str) -> Array:
    """Return the integers between which distance is measured, shape (n, dimensions).

    With alpha they are such that squared distance is, but for a factor, the squared difference that
    is seen, as the mean over black and over white: the colour as it is on mid grey, and alpha itself.
    """
    if kind.dtype != "uint8":
        return entries.astype(np.int64)
    with_alpha = has_alpha(kind)
    colour = entries[:, :-1] if with_alpha else entries
    points = _OKLAB_SCALE[: colour.shape[1]] * oklab(colour) if space == "oklab" else colour * 510.0
    if with_alpha:
        grey, extent = _mid_grey(kind.channels - 1, space)
        alpha = entries[:, -1:] / 255
        points = np.hstack([alpha * (points - grey), alpha * extent])
    return np.rint(points).astype(np.int32)


def squared_unit(kind: Kind, space: str) -> float:
    """Return the squared distance between coordinates that is a squared error of 1, in 8-bit units.

    Errors are summed over channels. In Oklab black is as far from white as it is in sRGB.
    """
    if kind.dtype != "uint8":
        return 257.0**2 if kind.dtype == "uint16" else 1.0
    if space == "srgb":
        return 510.0**2
    channels = kind.channels - has_alpha(kind)
    return _UNIT**2 / (255.0**2 * channels)


def nearest_colours(points: Array, kind: Kind, space: str) -> Array:
    """Return the colours closest to coordinates, which need not be integers, packed."""
    if kind.dtype != "uint8":
        limits = np.iinfo(kind.dtype)
        return pack(np.clip(np.rint(points), limits.min, limits.max).astype(kind.dtype))
    with_alpha = has_alpha(kind)
    if with_alpha:
        grey, extent = _mid_grey(kind.channels - 1, space)
        alpha = np.clip(points[:, -1:] / extent, 1 / 255, 1)
        visible = points[:, -1:] * 510 >= extent  # others round to an alpha of 0
        points = points[:, :-1] / alpha + grey
    oklab_scale = _OKLAB_SCALE[: points.shape[1]]
    colour = from_oklab(points / oklab_scale) if space == "oklab" else points / 510
    colour = np.clip(np.rint(colour), 0, 255)
    if kind.mode == "1":
        colour = np.where(colour >= 128, 255, 0)
    if with_alpha:
        colour = np.hstack([colour, np.rint(alpha * 255)]) * visible
    return pack(colour.astype(np.uint8))


def _mid_grey(channels: int, space: str) -> tuple[Array, float]:
    """Return the coordinates half way from black to white, and how far it is from there to either."""
    if space == "oklab":
        return np.array([_UNIT / 2, 0, 0])[:channels], _UNIT / 2
    return np.full(channels, 255 * 255), 255 * 255 * math.sqrt(channels)


def oklab(colours: Array) -> Array:
    """Convert 8-bit sRGB colours to Oklab.

    Parameters
    ----------
    colours : ndarray of uint8, shape (..., 3) or (..., 1)
        Of grey only the lightness is returned.

    Returns
    -------
    ndarray of float64, of the same shape
        Lightness from 0 to 1; green to red; blue to yellow.

    Notes
    -----
    Ottosson, "A perceptual color space for image processing", 2020.
    """
    part = np.arange(256) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)[colours]
    if colours.shape[-1] == 1:
        return np.cbrt(linear)
    return _times(_TO_LAB, np.cbrt(_times(_TO_LMS, linear)))


def from_oklab(lab: Array) -> Array:
    """Convert Oklab to sRGB, from 0 to 255 but neither rounded nor clipped; the inverse of `oklab`."""
    if lab.shape[-1] == 1:
        linear = lab**3
    else:
        linear = _times(np.linalg.inv(_TO_LMS), _times(np.linalg.inv(_TO_LAB), lab) ** 3)
    linear = np.maximum(linear, 0)
    srgb: Array = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    return srgb


def _times(matrix: Array, vectors: Array) -> Array:
    """Multiply vectors, shape (..., 3), by a matrix; not by BLAS, whose sums differ between machines."""
    one, two, three = (vectors[..., i : i + 1] * matrix[:, i] for i in range(3))
    product: Array = one + two + three
    return product
