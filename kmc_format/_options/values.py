"""What the value of a save option must be: each function returns what is meant by one, or raises."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, NamedTuple, SupportsFloat

from PIL import Image

from .._format import container
from .._format.indexed import Array, as_int
from .._format.metadata import check_dpi
from .._format.threads import check_threads
from .._pixels.colours import SPACES
from .._pixels.convert import codebook_of, colour_numbers
from .exif import exif_bytes


class Number(NamedTuple):
    """A range of integers, or of any numbers."""

    type: type[int] | type[float]
    least: float
    most: float | None
    shown: str = ""  # the range in an error message, where it is not just the numbers
    boolean: bool = False  # whether True is 1

    def __call__(self, name: str, value: Any) -> float:
        """Return a value of the option of a name as a number in the range."""
        number = as_int(value) if self.type is int else _as_float(value)
        if number is None or (isinstance(value, bool) and not self.boolean):
            kind = "an int" if self.type is int else "a float"
            separator = "," if self.most is None else ""
            raise TypeError(f"{name} must be {kind}{separator} {self.limits}, not {value!r}")
        if not self.least <= number or (self.most is not None and not number <= self.most):
            raise ValueError(f"{name} must be {self.shown or self.limits}, not {value!r}")
        return number

    @property
    def limits(self) -> str:
        if self.most is None:
            return f"{self.least} or more"
        return f"from {self.least} to {self.most if self.type is int else format(self.most, 'g')}"


def _as_float(value: object) -> float | None:
    """Return what is a number as float; NumPy's arrays only look like one."""
    try:
        return float(value) if isinstance(value, SupportsFloat) else None
    except (TypeError, ValueError, OverflowError):
        return None


def space(_: str, space: Any) -> str:
    """Return one of `SPACES`."""
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(map(repr, SPACES))}, not {space!r}")
    return str(space)


def keep(name: str, keep: Any) -> tuple[object, ...]:
    """Return colours, with numbers in place of their names."""
    if isinstance(keep, (str, bytes, bytearray)) or not isinstance(keep, Iterable):
        raise TypeError(f"keep must be a list of colours, not {keep!r}")
    return tuple(colour_numbers(keep, name))


def codebook(_: str, given: Any) -> Array:
    """Return entries, shape (k,) or (k, 1 to 4), of what `convert.codebook_of` knows."""
    codebook = codebook_of(given)
    columns = codebook[:, None] if codebook.ndim == 1 else codebook
    if columns.ndim != 2 or not columns.size or columns.shape[1] > 4:
        raise ValueError(f"codebook must have shape (k, 1 to 4), not {codebook.shape}")
    if codebook.dtype.kind not in "ui":
        raise TypeError(f"codebook must be integers, not {codebook.dtype}")
    return codebook


def tile(_: str, tile: Any) -> int | tuple[int, int]:
    """Return a side, or a width and height."""
    given = tile if isinstance(tile, (tuple, list)) else (tile, tile)
    sides = [side for side in map(as_int, given) if side is not None]
    if len(given) != 2 or len(sides) != 2 or any(side is True for side in given):
        raise TypeError(f"tile must be an int or a pair of int, in pixels, not {tile!r}")
    if min(sides) < 1:
        raise ValueError(f"tile must be at least 1 pixel wide and high, not {tile!r}")
    return (sides[0], sides[1]) if given is tile else sides[0]


def metadata(name: str, value: Any) -> bytes:
    """Return bytes, which are not looked into."""
    if not isinstance(value, (bytes, bytearray)):
        raise TypeError(f"{name} must be bytes, not {type(value).__name__}")
    if len(value) > container.MAX_METADATA:
        raise ValueError(f"{name} is {len(value)} bytes long; at most {container.MAX_METADATA} are possible")
    return bytes(value)


def threads(_: str, threads: Any) -> int:
    """Return a number of threads."""
    return check_threads(threads)


def exif(name: str, exif: Any) -> bytes:
    """Return EXIF as bytes."""
    return metadata(name, exif_bytes(exif) if isinstance(exif, Image.Exif) else exif)


def xmp(name: str, xmp: Any) -> bytes:
    """Return XMP as bytes."""
    return metadata(name, xmp.encode() if isinstance(xmp, str) else xmp)


def dpi(_: str, dpi: Any) -> tuple[()] | tuple[float, float]:
    """Return a resolution, or an empty one for zeros and infinities, which mean that it is unknown."""
    numbers = isinstance(dpi, (tuple, list)) and all(isinstance(value, Real) for value in dpi)
    if numbers and all(value == 0 or not math.isfinite(value) for value in dpi):
        return ()
    return check_dpi(dpi)
