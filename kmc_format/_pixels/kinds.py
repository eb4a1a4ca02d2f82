"""Arrays of pixels: which kind of picture they are, and as what they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._format.indexed import KINDS, MAX_K, Array, Kind, plain_kind
from . import colours
from .tally import histogram

# The dtypes that are stored as they are; other integers become int32.
_STORED = {np.dtype(name) for name in ("uint8", "uint16", "int32")}


def kind_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Kind:
    """Return the kind of picture that an array of a shape and dtype is."""
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] > 4):
        raise ValueError(
            f"pixels must have shape (height, width) or (height, width, 1 to 4), none 0, not {shape}"
        )
    channels = shape[2] if len(shape) == 3 else 1
    if dtype.kind == "b" and channels == 1:
        return KINDS[0]
    if dtype.kind not in "ui" or (channels > 1 and dtype != np.uint8):
        raise TypeError(
            "pixels must be bool, uint8 (1 to 4 channels) or integers (one channel),"
            f" not {dtype} with {channels}"
        )
    stored = dtype.newbyteorder("=") if dtype.newbyteorder("=") in _STORED else np.dtype(np.int32)
    return plain_kind(stored.name, channels)


def check_pixels(pixels: Array) -> tuple[Kind, Array]:
    """Return the kind of picture an array is, and the array as (height, width, channels) of that kind."""
    pixels = np.asarray(pixels)
    kind = kind_of(pixels.shape, pixels.dtype)
    pixels = pixels.reshape(*pixels.shape[:2], kind.channels)
    if kind.mode == "1":
        return kind, np.ascontiguousarray(pixels) * np.uint8(255)
    limits = np.iinfo(kind.dtype)
    if not np.can_cast(pixels.dtype, kind.dtype) and (
        int(pixels.min()) < limits.min or int(pixels.max()) > limits.max
    ):
        raise ValueError(f"pixels must be from {limits.min} to {limits.max}, the range of {kind.dtype}")
    return kind, np.ascontiguousarray(pixels, kind.dtype)


def distinct_colours(pixels: Array) -> Array:
    """Return the colours of a picture in ascending order, shape (n, channels), if they make a codebook."""
    kind, pixels = check_pixels(pixels)
    found = histogram(pixels).tally.colours
    if len(found) > MAX_K:
        raise ValueError(f"an image used as codebook has at most {MAX_K} distinct colours, not {len(found)}")
    return colours.unpack(found, kind)
