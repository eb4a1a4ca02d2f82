"""The one noun of the package: a picture as a codebook and a plane of labels."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

MAX_K = 65_536

Array = npt.NDArray[Any]


class Kind(NamedTuple):
    """One legal combination of a Pillow mode and the codebook entries behind it."""

    mode: str
    dtype: str
    channels: int

    @property
    def max_k(self) -> int:
        """Largest codebook: Pillow's palettes and 8-bit greys end at 256 entries, bilevel at 2."""
        return {"1": 2, "L": 256, "P": 256}.get(self.mode, MAX_K)


# The position is the pixel format number in a file (FORMAT.md, "Pixel formats"): append only.
KINDS = (
    Kind("1", "uint8", 1),
    Kind("L", "uint8", 1),
    Kind("LA", "uint8", 2),
    Kind("RGB", "uint8", 3),
    Kind("RGBA", "uint8", 4),
    Kind("P", "uint8", 3),
    Kind("P", "uint8", 4),
    Kind("I;16", "uint16", 1),
    Kind("I", "int32", 1),
)


@dataclass(frozen=True, eq=False, repr=False)
class Indexed:
    """A picture as a codebook and labels: the pixel at (y, x) is ``codebook[labels[y, x]]``.

    `numpy.asarray` gives its pixels, as `expand` does, and notebooks show it.

    Parameters
    ----------
    codebook : ndarray, shape (k, channels)
        The colours, 1 <= k <= 65,536: uint8 with 1 (grey), 2 (grey, alpha), 3 (RGB) or
        4 (RGBA) channels, or uint16 or int32 with one channel.
    labels : ndarray of int, shape (height, width)
        The number of each pixel's colour. Kept as uint8 up to k = 256, else as uint16.
    mode : str, optional
        Pillow mode of the picture. By default what the codebook suggests: L, LA, RGB, RGBA,
        I;16 or I. ``"1"`` makes a one-channel codebook of 0 and 255 bilevel; ``"P"`` makes an
        RGB or RGBA codebook a palette, in which the labels themselves carry meaning.

    Raises
    ------
    TypeError
        If an array has the wrong dtype.
    ValueError
        If shapes, k, mode or labels do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> flag = Indexed(np.array([[255, 0, 0], [255, 255, 255]], np.uint8), np.array([[0, 1, 0]]))
    >>> flag
    Indexed(RGB, 3 x 1, k=2)
    >>> flag.mode, flag.k, flag.size
    ('RGB', 2, (3, 1))
    >>> flag.expand().tolist()
    [[[255, 0, 0], [255, 255, 255], [255, 0, 0]]]
    """

    codebook: Array
    labels: Array
    mode: str = ""

    def __post_init__(self) -> None:
        codebook, labels = np.asarray(self.codebook), np.asarray(self.labels)
        codebook = np.ascontiguousarray(codebook, codebook.dtype.newbyteorder("="))
        if codebook.ndim != 2 or not codebook.size:
            raise ValueError(f"codebook must have shape (k, channels), not {codebook.shape}")
        if labels.ndim != 2 or not labels.size:
            raise ValueError(f"labels must have shape (height, width), not {labels.shape}")
        if labels.dtype.kind not in "ui":
            raise TypeError(f"labels must be integers, not {labels.dtype}")
        kind = _kind_of(codebook, self.mode)
        k = len(codebook)
        if k > kind.max_k:
            raise ValueError(f"a codebook of mode {kind.mode} has at most {kind.max_k} entries, not {k}")
        if kind.mode == "1" and not np.isin(codebook, (0, 255)).all():
            raise ValueError("a codebook of mode 1 holds only 0 and 255")
        if int(labels.max()) >= k or (labels.dtype.kind == "i" and int(labels.min()) < 0):
            raise ValueError(f"labels must be from 0 to {k - 1}, for a codebook of {k} entries")
        object.__setattr__(self, "codebook", codebook)
        object.__setattr__(self, "labels", np.ascontiguousarray(labels, label_dtype(k)))
        object.__setattr__(self, "mode", kind.mode)

    @property
    def k(self) -> int:
        """Number of codebook entries."""
        return len(self.codebook)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow orders them."""
        height, width = self.labels.shape
        return width, height

    @property
    def kind(self) -> Kind:
        """Mode, dtype and channels together."""
        return Kind(self.mode, self.codebook.dtype.name, self.codebook.shape[1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Indexed):
            return NotImplemented
        return (
            self.kind == other.kind
            and np.array_equal(self.codebook, other.codebook)
            and np.array_equal(self.labels, other.labels)
        )

    __hash__ = None  # type: ignore[assignment]  # compares by value and holds mutable arrays

    def __repr__(self) -> str:
        width, height = self.size
        return f"{type(self).__name__}({self.mode}, {width} x {height}, k={self.k})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("the pixels of an Indexed are made anew each time, which is a copy")
        return np.asarray(self.expand(), dtype)

    def _repr_png_(self) -> bytes | None:
        """Show it in notebooks; 32-bit integers, of which there is no PNG, by their `repr`."""
        from PIL import Image  # which decoding arrays does not need

        if self.mode == "I":
            return None
        file = BytesIO()
        Image.fromarray(self.expand()).save(file, "PNG")
        return file.getvalue()

    def expand(self) -> Array:
        """Look every label up in the codebook.

        Returns
        -------
        ndarray, shape (height, width) or (height, width, channels)
            The pixels, in the codebook's dtype; bool for mode 1. A palette's colours for mode P,
            whose pixel values proper are the labels.
        """
        channels = self.codebook.shape[1]
        if self.mode == "1":
            return (self.codebook[:, 0] >= 128).take(self.labels)
        if channels == 1:
            return self.codebook[:, 0].take(self.labels)
        # Four bytes move as one word, several times faster than rows of three or four.
        words = np.zeros((self.k, 4), np.uint8)
        words[:, :channels] = self.codebook
        pixels = words.view(np.uint32)[:, 0].take(self.labels).view(np.uint8)
        return np.ascontiguousarray(pixels.reshape(*self.labels.shape, 4)[..., :channels])


def label_dtype(k: int) -> np.dtype[Any]:
    """Return the dtype labels are kept in: one byte up to k = 256, else two."""
    return np.dtype(np.uint8 if k <= 256 else np.uint16)


def as_int(value: object) -> int | None:
    """Return what is an integer as int; NumPy's arrays only look like one."""
    try:
        return operator.index(value) if isinstance(value, SupportsIndex) else None
    except TypeError:
        return None


def plain_kind(dtype: str, channels: int) -> Kind:
    """Return the kind of picture with such entries that is neither bilevel nor a palette's."""
    for kind in KINDS:
        if (kind.dtype, kind.channels) == (dtype, channels) and kind.mode not in ("1", "P"):
            return kind
    raise TypeError(
        f"a codebook is uint8 with 1 to 4 channels, or uint16 or int32 with one, not {dtype} with {channels}"
    )


def _kind_of(codebook: Array, mode: str) -> Kind:
    """Return the kind of picture with this codebook and mode; without a mode, the plain one."""
    dtype, channels = codebook.dtype.name, codebook.shape[1]
    plain = plain_kind(dtype, channels)
    if not mode:
        return plain
    kind = Kind(mode, dtype, channels)
    if kind in KINDS:
        return kind
    raise ValueError(f"a codebook of {dtype} with {channels} channels cannot be of mode {mode}")
