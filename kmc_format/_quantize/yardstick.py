"""What JPEG would make of a picture, and how alike two pictures are: the measure that `quality` goes by.

Both are worked out here and do not ask a JPEG library, so that a file's bytes do not depend on which one
there is: sums are whole numbers, exact also as floats, and what is divided is rounded alike everywhere.
"""

from __future__ import annotations

import functools

import numpy as np

from .._format.indexed import Array

PERFECT = 2**20  # the similarity of equal pictures
SIDE = 7  # the width and height of SSIM's windows, in pixels; pictures must not be smaller
# The constants that keep SSIM from dividing by nearly nothing, as its authors have them.
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_COSINE = 2**12  # what stands for 1 in the whole numbers that the cosine transform multiplies by

# JPEG's steps for the coefficients of brightness and colour at quality 50: ITU-T T.81, tables K.1 and K.2.
_LUMA = [
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
]
_CHROMA = [
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *[99] * 32,
]


# --- How alike ----------------------------------------------------------------------------------


class Yardstick:
    """Compares pictures with one, as SSIM does: windows of 7 pixels, the mean over channels.

    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13(4), 2004. With alpha, what is seen over black
    and over white is compared.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, channels)
        At least 7 pixels wide and high.
    """

    def __init__(self, pixels: Array) -> None:
        self._planes = _seen(pixels)
        self._sums = [(plane, _window_sums(plane), _window_sums(plane * plane)) for plane in self._planes]

    def similarity(self, pixels: Array) -> float:
        """Return how alike a picture is, a multiple of 1 / (planes * windows), up to PERFECT."""
        return self._compare(_seen(pixels))

    def jpeg(self, quality: int) -> float:
        """Return how alike JPEG's picture of a quality would be."""
        count = len(self._planes)
        grounds = 2 if count in (2, 6) else 1
        size = count // grounds
        parts = [self._planes[n : n + size] for n in range(0, count, size)]
        return self._compare([plane for part in parts for plane in _through_jpeg(part, quality)])

    def _compare(self, planes: list[Array]) -> float:
        total = sum(_similar(*own, plane) for own, plane in zip(self._sums, planes, strict=True))
        windows = self._sums[0][1].size
        return total / (len(planes) * windows)


def _seen(pixels: Array) -> list[Array]:
    """Return planes of what is seen: of pictures with alpha over black, then over white."""
    values = pixels.astype(np.uint32)
    if pixels.shape[2] in (1, 3):
        return [np.ascontiguousarray(values[..., c]) for c in range(pixels.shape[2])]
    alpha = values[..., -1]
    black = [(values[..., c] * alpha + 127) // 255 for c in range(pixels.shape[2] - 1)]
    return [*black, *(plane + 255 - alpha for plane in black)]


def _window_sums(plane: Array) -> Array:
    """Sum up over windows; integers of 32 bits may pass their end on the way, but differences do not."""
    for axis in (0, 1):
        sums = np.cumsum(plane, axis=axis, dtype=np.uint32)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
        after, before = (sums[SIDE:], sums[:-SIDE]) if axis == 0 else (sums[:, SIDE:], sums[:, :-SIDE])
        plane = after - before
    return plane


def _similar(plane: Array, sums: Array, squares: Array, other: Array) -> int:
    """Return the sum of similarities of windows, each from -PERFECT to PERFECT."""
    n = SIDE * SIDE
    x, y = sums.astype(np.float64), _window_sums(other).astype(np.float64)
    xx, yy = squares.astype(np.float64), _window_sums(other * other).astype(np.float64)
    xy = _window_sums(plane * other).astype(np.float64)
    product, power = x * y, x * x + y * y
    covariance, variance = (n * xy - product), n * (xx + yy) - power
    scale = n * (n - 1)
    similar = (2 * product + _C1 * n * n) * (2 * covariance + _C2 * scale)
    similar /= (power + _C1 * n * n) * (variance + _C2 * scale)
    return int(np.floor(similar * PERFECT).astype(np.int64).sum())


# --- JPEG ---------------------------------------------------------------------------------------


def _through_jpeg(planes: list[Array], quality: int) -> list[Array]:
    """Return grey or red, green and blue as JPEG would have them, colour at half the resolution."""
    if len(planes) == 1:
        return [_coded(planes[0].astype(np.float64), _table(quality, True)).astype(np.uint32)]
    height, width = planes[0].shape
    red, green, blue = (plane.astype(np.int64) for plane in planes)
    luma = 19595 * red + 38470 * green + 7471 * blue + 2**15 >> 16
    bluish = (-11059 * red - 21709 * green + 32768 * blue + (128 << 16) + 2**15 - 1) >> 16
    reddish = (32768 * red - 27439 * green - 5329 * blue + (128 << 16) + 2**15 - 1) >> 16
    luma = _coded(luma.astype(np.float64), _table(quality, True)).astype(np.int64)
    bluish, reddish = (
        _doubled(_coded(_halved(plane).astype(np.float64), _table(quality, False)).astype(np.int64))[
            :height, :width
        ]
        - 128
        for plane in (bluish, reddish)
    )
    colours = (
        luma + (91881 * reddish + 2**15 >> 16),
        luma + (-22554 * bluish - 46802 * reddish + 2**15 >> 16),
        luma + (116130 * bluish + 2**15 >> 16),
    )
    return [np.clip(plane, 0, 255).astype(np.uint32) for plane in colours]


@functools.cache
def _table(quality: int, luma: bool) -> Array:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Array = np.clip((np.array(_LUMA if luma else _CHROMA) * scale + 50) // 100, 1, 255)
    return table.reshape(8, 8).astype(np.float64)


@functools.cache
def _cosines() -> Array:
    place = np.arange(8)
    waves = np.cos((2 * place[None] + 1) * place[:, None] * np.pi / 16) / 2
    waves[0] = np.sqrt(1 / 8)
    whole: Array = np.rint(waves * _COSINE)
    return whole


def _coded(plane: Array, table: Array) -> Array:
    """Transform blocks of 8 x 8 pixels, round by a table, and transform back."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)), mode="edge") - 128
    down, across = padded.shape[0] // 8, padded.shape[1] // 8
    blocks = padded.reshape(down, 8, across, 8).swapaxes(1, 2)
    waves = _cosines()
    parts = _times(_times(blocks, waves.T).swapaxes(2, 3), waves.T)  # transposed
    steps = table.T * (_COSINE * _COSINE)
    parts = np.floor(parts / steps + 0.5) * table.T
    blocks = _times(_times(parts, waves).swapaxes(2, 3), waves)
    blocks = np.floor(blocks / (_COSINE * _COSINE) + 0.5) + 128
    pixels: Array = np.clip(blocks.swapaxes(1, 2).reshape(padded.shape)[:height, :width], 0, 255)
    return pixels


def _times(blocks: Array, matrix: Array) -> Array:
    """Multiply rows of blocks by a matrix; all are whole numbers far below 2**53, so the order is free."""
    return (blocks.reshape(-1, 8) @ matrix).reshape(blocks.shape)


def _halved(plane: Array) -> Array:
    height, width = plane.shape
    plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    total = plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]
    halved: Array = total + 1 + np.arange(total.shape[1]) % 2 >> 2  # rounded down and up in turn, as there
    return halved


def _doubled(plane: Array) -> Array:
    """Double both sides: three quarters of the pixel itself, a quarter of the next one, each way."""
    for axis in (0, 1):
        padded = np.pad(plane, [(1, 1) if n == axis else (0, 0) for n in range(2)], mode="edge")
        before, after = (padded.take(range(start, start + plane.shape[axis]), axis) for start in (0, 2))
        pairs = np.stack([3 * plane + before, 3 * plane + after], axis=axis + 1)
        shape = [side * 2 if n == axis else side for n, side in enumerate(plane.shape)]
        plane = pairs.reshape(shape)
    doubled: Array = plane + 8 - np.arange(plane.shape[1]) % 2 >> 4  # likewise
    return doubled
