"""Bare deflate streams (RFC 1951), as packed labels and metadata are stored."""

from __future__ import annotations

import zlib

from ..errors import FormatError


def deflate(data: bytes, level: int = 6) -> bytes:
    """Compress as a bare deflate stream (RFC 1951), without zlib's checksum: the chunk around it has one."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 9)
    return compressor.compress(data) + compressor.flush()


def inflate(data: bytes, length: int, name: str) -> bytes:
    """Expand a bare deflate stream that must give exactly `length` bytes."""
    decompressor = zlib.decompressobj(-15)
    try:
        expanded = decompressor.decompress(data, length + 1)
    except zlib.error as error:
        raise FormatError("deflate", f"{name}: {error}") from error
    if len(expanded) != length or not decompressor.eof or decompressor.unused_data:
        raise FormatError("deflate", f"{name}: a deflate stream that does not hold exactly {length} bytes")
    return expanded
