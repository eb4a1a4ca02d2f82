"""A codebook to bytes and back: FORMAT.md, "Codebook"."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..errors import FormatError, UnsupportedError
from .indexed import Array, Kind

# The numbers of codebook codings in a file (FORMAT.md, "Codebook").
CODEBOOK_RAW, CODEBOOK_MODELLED = 0, 1


def encode_codebook(codebook: Array) -> tuple[int, bytes]:
    """Code entries in the shortest way there is."""
    words = _words(codebook)
    raw = words.astype(words.dtype.newbyteorder(">")).tobytes()
    modelled = _core.encode_codebook(words.astype(np.uint32), 8 * words.itemsize)
    # Of equally long ones `min` takes the first, which is the one that is easier to read.
    return min((CODEBOOK_RAW, raw), (CODEBOOK_MODELLED, modelled), key=lambda item: len(item[1]))


def decode_codebook(k: int, coding: int, data: bytes, kind: Kind) -> Array:
    dtype = np.dtype(kind.dtype)
    big = np.dtype(f">u{dtype.itemsize}")
    if k > kind.max_k:
        raise FormatError("k", f"k = {k} is over {kind.max_k}, the most for mode {kind.mode}")
    length = k * kind.channels * dtype.itemsize
    if coding == CODEBOOK_RAW:
        if len(data) != length:
            raise FormatError("codebook-length", f"a codebook of {len(data)} bytes, not {length}")
        words = np.frombuffer(data, big).reshape(k, kind.channels)
    elif coding == CODEBOOK_MODELLED:
        words = np.empty((k, kind.channels), np.uint32)
        if not _core.decode_codebook(data, words, 8 * dtype.itemsize):
            raise FormatError("codebook-length", f"a codebook is not what {len(data)} bytes hold")
    else:
        raise UnsupportedError("codebook-coding", f"codebook coding {coding} is newer than this reader")
    codebook = words.astype(big.newbyteorder("=")).view(dtype)
    if kind.mode == "1" and not np.isin(codebook, (0, 255)).all():
        raise FormatError("codebook-value", "a bilevel codebook holds other values than 0 and 255")
    return codebook


def _words(codebook: Array) -> Array:
    return codebook.view(f"u{codebook.itemsize}")


def with_alpha(codebook: Array, transparency: int | bytes | None) -> Array:
    """Join a palette's transparency, as Pillow keeps it, to its codebook as alpha.

    Entries it does not name keep the alpha they have.
    """
    if transparency is None:
        return codebook
    alpha = np.full(len(codebook), 255, np.uint8) if codebook.shape[1] == 3 else codebook[:, 3].copy()
    if isinstance(transparency, int):
        alpha[transparency : transparency + 1] = 0
    else:
        given = np.frombuffer(transparency, np.uint8)[: len(codebook)]
        alpha[: len(given)] = given
    return np.column_stack([codebook[:, :3], alpha])
