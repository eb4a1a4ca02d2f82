"""The pictures of an animation, kept outside of memory until all of them were seen."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .._format.codebook import with_alpha
from .._format.indexed import KINDS, Array, Indexed, Kind
from .._pixels.colours import widen
from .._pixels.convert import array_of, check_size, in_stored_mode, palette_entries
from .._pixels.kinds import check_pixels, kind_of
from .._pixels.tally import common_kind

# Bytes that stay in memory, of what may go to a temporary file.
MAX_IN_MEMORY = 2**25
_BLOCK = 2**16
_NO_VALUES: Array = np.empty(0, np.uint8)


class Still(NamedTuple):
    """One picture of an animation: its pixels, or labels with what they stand for."""

    values: Array  # (height, width) or (height, width, channels)
    entries: Array | None = None  # of labels: (k, channels)
    transparency: int | bytes | None = None  # of labels: as Pillow has it for a palette
    mode: str = ""  # of labels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def pixels(self) -> Array:
        """The pixels, shape (height, width) or (height, width, channels); of labels the colours."""
        if self.entries is None:
            return self.values
        mode = "" if self.mode == "P" else self.mode
        return Indexed(with_alpha(self.entries, self.transparency), self.values, mode).expand()

    def means_as(self, other: Still) -> bool:
        """Tell whether the values stand for the same in both."""
        if self.entries is None or other.entries is None:
            return self.entries is other.entries
        alike = self.mode == other.mode and self.transparency == other.transparency
        return alike and np.array_equal(self.entries, other.entries)


def still_of(picture: object) -> Still:
    """Return what is to be kept of an image, an array or an `Indexed`."""
    if isinstance(picture, Indexed):
        return Still(picture.labels, picture.codebook, None, picture.mode)
    if not isinstance(picture, Image.Image):
        pixels = array_of(picture)
        kind_of(pixels.shape, pixels.dtype)
        return Still(pixels)
    check_size(picture)
    transparency = picture.info.get("transparency")
    image = in_stored_mode(picture, transparency)
    if image.mode != "P":
        return Still(np.array(image))
    entries = palette_entries(image, np.flatnonzero(image.histogram()))
    return Still(np.array(image), entries, transparency, "P")


class _Kept(NamedTuple):
    """Where a picture is kept."""

    about: Still  # without its values
    start: int  # of these in the file
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class Spool:
    """Keeps pictures of one size; what is equal to the one before is kept once.

    Attributes
    ----------
    moves : bool
        Whether any differs from the one before it.
    labels : bool
        Whether all are labels that stand for the same.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115  # closed by `__exit__`
        self._kept: list[_Kept] = []
        self._last: Still | None = None
        self._kinds: set[Kind] = set()
        self._used: set[int] = set()
        self.moves, self.labels = False, True

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Still]:
        return self.taken(range(len(self)))

    def add(self, still: Still) -> None:
        """Keep the next picture."""
        last = self._last
        alike = last is None or still.means_as(last)
        self.labels &= still.entries is not None and alike
        if last is not None and alike and _equal(still.values, last.values):
            self._kept.append(self._kept[-1])
            return
        if last is not None:
            self.moves = True
            if alike:  # one copy of what the labels stand for will do
                still = last._replace(values=still.values)
        self._last = still
        pixels = still.pixels[:1, :1] if still.entries is not None else still.values
        self._kinds.add(kind_of(pixels.shape, pixels.dtype))
        if self.labels:
            self._used.update(np.flatnonzero(np.bincount(still.values.ravel())).tolist())
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(zlib.compress(still.values.tobytes(), 1))
        about = still._replace(values=_NO_VALUES)
        self._kept.append(_Kept(about, start, still.values.dtype, still.values.shape))

    @property
    def used(self) -> int:
        """How many labels there are in all pictures, where they stand for the same."""
        return len(self._used)

    @property
    def kind(self) -> Kind:
        """The kind of picture that holds the pixels of all."""
        return KINDS[0] if self._kinds == {KINDS[0]} else common_kind(self._kinds)

    def taken(self, numbers: range) -> Iterator[Still]:
        """Return the pictures of ascending numbers; equal neighbours are one object."""
        last, still = None, None
        for number in numbers:
            kept = self._kept[number]
            if kept is not last or still is None:
                last, still = kept, kept.about._replace(values=self._read(kept))
            yield still

    def pixels(self, numbers: range | None = None) -> Iterator[Array]:
        """Return the pixels of pictures, of the kind that holds those of all."""
        kind = self.kind
        last, pixels = None, None
        for still in self.taken(range(len(self)) if numbers is None else numbers):
            if still is not last or pixels is None:
                last, pixels = still, _as_kind(still.pixels, kind)
            yield pixels

    def _read(self, kept: _Kept) -> Array:
        decompressor, parts = zlib.decompressobj(), []
        self._file.seek(kept.start)
        while not decompressor.eof:
            parts.append(decompressor.decompress(self._file.read(_BLOCK)))
        return np.frombuffer(b"".join(parts), kept.dtype).reshape(kept.shape)


def _equal(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _as_kind(pixels: Array, kind: Kind) -> Array:
    if kind.mode == "1":
        return pixels
    widened = widen(check_pixels(pixels)[1], kind.channels)
    return widened if kind.channels > 1 else widened[..., 0]
