"""Write the hostile files: one or more for every rule of "What a reader rejects" in FORMAT.md.

    python tests/hostile/make.py

A file's name is ``x_<rule>_<what>.kmc``. They are kept in the repository; run this after adding one.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from kmc_format import _core
from kmc_format._format import container
from kmc_format._format.container import SIGNATURE, pack_chunk, pack_varint

GREY, RGB, PALETTE, BILEVEL = 1, 3, 5, 0
TILED, MODELLED = 0x80, 0x10
DRAWN, PHOTOGRAPHIC = _core.DRAWN, _core.PHOTOGRAPHIC
TILE = pack_chunk(0, b"\x10")  # three labels of two bits: 0 1 0
ENTRIES = bytes([10, 20, 30])


def header(kind=GREY, width=3, height=1, k=3, tile=(), codebook=ENTRIES, version=1):
    numbers = [width, height, k - 1, *tile, len(codebook)]
    packed = b"".join(number if isinstance(number, bytes) else pack_varint(number) for number in numbers)
    body = bytes([version, kind]) + packed + codebook
    return SIGNATURE + body + container._crc(body)


def index(*lengths):
    return pack_chunk(container.INDEX, struct.pack(f">{len(lengths)}I", *lengths))


def two_tiles(index_chunk, second=None):
    """Two tiles of one label each, beside one another."""
    tile = pack_chunk(0, b"\x40")
    return header(GREY | TILED, 2, tile=(1, 1)) + index_chunk + tile + (tile if second is None else second)


def deflate(data):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def blank(k, shape):
    return header(RGB, *shape, k, codebook=bytes(3 * k))


def tile_of(coding, options, k, shape, cut=None, more=b""):
    """A tile of noise whose payload is cut, or followed by more."""
    numbers = np.random.default_rng(k).integers(0, k, shape, np.uint16)
    coded = _core.encode_labels(numbers, np.zeros((k, 4), np.uint8), coding, options, 2**14)
    return blank(k, shape) + pack_chunk(coding, bytes([options]) + coded[:cut] + more)


def tile_with_no_label(coding, options, k):
    """A tile with bytes that spell a label which is not below k."""
    shape, names = (4, 4), np.arange(k, dtype=np.uint16)
    for seed in range(100_000):
        data = np.random.default_rng(seed).bytes(24)
        labels = np.zeros(shape, np.uint16)
        if _core.decode_labels(data, labels, names, np.zeros((k, 4), np.uint8), coding, options) == "label":
            return blank(k, shape) + pack_chunk(coding, bytes([options]) + data)
    raise RuntimeError(f"no bytes found for coding {coding}, options {options}, k = {k}")


GOOD = header() + TILE
BILEVEL_GREY = _core.encode_codebook(np.array([[0], [128]], np.uint32), 8)

CASES = {
    "signature_jpeg": b"\xff\xd8\xff\xe0" + bytes(60),
    "signature_line-ends": GOOD.replace(b"\r\n", b"\n", 1),
    "version_0": header(version=0) + TILE,
    "version_2": header(version=2) + TILE,
    "truncated_signature": GOOD[:5],
    "truncated_header": GOOD[:14],
    "truncated_tiles": header(),
    "truncated_tile": GOOD[:-2],
    "truncated_chunk": header() + pack_chunk(container.XMP, bytes(100))[:50],
    "truncated_false-length": header() + b"x" + pack_varint(2**24),
    "truncated_false-length-unknown": header() + b"q" + pack_varint(2**32 - 1),
    "varint_long": header(width=b"\x83\x00") + TILE,
    "varint_over-32-bits": header(width=b"\xff\xff\xff\xff\x7f") + TILE,
    "varint_endless": header(width=b"\xff" * 12) + TILE,
    "crc_header": header()[:-1] + b"\x00" + TILE,
    "crc_metadata": header() + pack_chunk(container.EXIF, b"exif")[:-1] + b"\x00" + TILE,
    "crc_unknown": header() + pack_chunk(ord("q"), b"exif")[:-1] + b"\x00" + TILE,
    "crc_tile": GOOD[:-1] + b"\x00",
    "size_width-0": header(width=0) + TILE,
    "size_height-0": header(height=0) + TILE,
    "size_width-2-to-31": header(width=2**31) + TILE,
    "size_height-2-to-31": header(height=2**31) + TILE,
    "k_3-bilevel": header(BILEVEL, codebook=b"\x00\xff\xff") + TILE,
    "k_257-grey": header(k=257, codebook=bytes(257)) + TILE,
    "k_257-palette": header(PALETTE, k=257, codebook=bytes(771)) + TILE,
    "k_65537": header(RGB | MODELLED, k=65537) + TILE,
    "pixel-format_15": header(15) + TILE,
    "codebook-coding_2": header(0x20 | GREY) + TILE,
    "codebook-coding_7": header(0x70 | GREY) + TILE,
    "codebook-length_short": header(codebook=b"\x00\x01") + TILE,
    "codebook-length_long": header(codebook=bytes(12)) + TILE,
    "codebook-length_over-4k": header(codebook=bytes(13)) + TILE,
    "codebook-length_modelled": header(MODELLED | GREY, codebook=bytes(11) + b"\1") + TILE,
    "codebook-length_modelled-start": header(MODELLED | GREY, codebook=b"\xff" * 8) + TILE,
    "codebook-value_modelled-bilevel": header(MODELLED | BILEVEL, k=2, codebook=BILEVEL_GREY) + TILE,
    "codebook-value_bilevel": header(BILEVEL, k=2, codebook=b"\x00\x80") + pack_chunk(0, b"\x40"),
    "tile-size_0": header(GREY | TILED, tile=(0, 1)) + index(7) + TILE,
    "tile-size_large": header(GREY | TILED, tile=(4, 1)) + index(7) + TILE,
    "tile-size_one-tile": header(GREY | TILED, tile=(3, 1)) + index(7) + TILE,
    "tile-pixels_one-tile": header(width=2**15, height=2**14) + TILE,
    "tile-pixels_tiles": header(GREY | TILED, 2**31 - 1, 2**31 - 1, tile=(2**15, 2**14)) + index(7) + TILE,
    "tile-count_2-to-62": header(GREY | TILED, 2**31 - 1, 2**31 - 1, tile=(1, 1)) + index(7) + TILE,
    "chunk-unknown_Q": header() + pack_chunk(ord("Q"), b"") + TILE,
    "chunk-unknown_private": header() + pack_chunk(ord("Z"), b"\x02me") + TILE,
    "chunk-unknown_no-letter": header() + pack_chunk(0xE9, b"") + TILE,
    "chunk-duplicate_xmp": header() + 2 * pack_chunk(container.XMP, b"xmp") + TILE,
    "chunk-duplicate_index": two_tiles(2 * index(7, 7)),
    "chunk-order_metadata-between-tiles": two_tiles(index(7, 9), pack_chunk(container.XMP, b"xmp")),
    "chunk-order_metadata-after-index": two_tiles(index(7, 7) + pack_chunk(container.XMP, b"xmp")),
    "chunk-order_unknown-after-index": two_tiles(index(7, 7) + pack_chunk(ord("q"), b"")),
    "index-presence_none": two_tiles(b""),
    "index-presence_one-tile": header() + index(7) + TILE,
    "index-length_1-of-2": two_tiles(index(7)),
    "index-length_3-of-2": two_tiles(index(7, 7, 7)),
    "index-length_odd": two_tiles(pack_chunk(container.INDEX, bytes(7))),
    "index-mismatch_long": two_tiles(index(8, 6)),
    "index-mismatch_short": two_tiles(index(6, 8)),
    "metadata-length_icc": header() + b"i" + pack_varint(2**24 + 5) + TILE,
    "metadata-length_exif": header() + pack_chunk(container.EXIF, pack_varint(2**24 + 1) + bytes(9)) + TILE,
    "metadata-value_icc-empty": header() + pack_chunk(container.ICC_PROFILE, b"") + TILE,
    "metadata-value_icc-length": header() + pack_chunk(container.ICC_PROFILE, b"\x80") + TILE,
    "metadata-value_xmp-long": header() + pack_chunk(container.XMP, b"\x03<x/>") + TILE,
    "metadata-value_dpi-length": header() + pack_chunk(container.DPI, bytes(15)) + TILE,
    "metadata-value_dpi-nan": header()
    + pack_chunk(container.DPI, struct.pack(">2d", 72, float("nan")))
    + TILE,
    "metadata-value_dpi-0": header() + pack_chunk(container.DPI, bytes(16)) + TILE,
    "metadata-value_rdo-0": header() + pack_chunk(container.RDO, bytes(4)) + TILE,
    "metadata-value_rdo-nan": header() + pack_chunk(container.RDO, struct.pack(">f", float("nan"))) + TILE,
    "metadata-value_rdo-length": header() + pack_chunk(container.RDO, struct.pack(">d", 1)) + TILE,
    "metadata-value_transparency-of-grey": header() + pack_chunk(container.TRANSPARENCY, b"\x00\x01") + TILE,
    "metadata-value_transparency-form": header(PALETTE, codebook=bytes(9))
    + pack_chunk(container.TRANSPARENCY, b"\x02\x01")
    + TILE,
    "metadata-value_transparency-length": header(PALETTE, codebook=bytes(9))
    + pack_chunk(container.TRANSPARENCY, b"\x01" + bytes(257))
    + TILE,
    "metadata-value_transparency-empty": header(PALETTE, codebook=bytes(9))
    + pack_chunk(container.TRANSPARENCY, b"")
    + TILE,
    "label-coding_3": header() + pack_chunk(3, b"\x00\x10"),
    "label-coding_31": header() + pack_chunk(31, b"\x10"),
    "labels-length_long": header() + pack_chunk(0, b"\x10\x00"),
    "labels-length_drawn": header() + pack_chunk(DRAWN, bytes(20) + b"\1"),
    "labels-length_drawn-rich": header() + pack_chunk(DRAWN, b"\7" + bytes(20) + b"\1"),
    "labels-length_drawn-start": header() + pack_chunk(DRAWN, b"\0" + b"\xff" * 8),
    "labels-length_photographic-short": header() + pack_chunk(PHOTOGRAPHIC, bytes(5)),
    "labels-length_photographic-cut": tile_of(PHOTOGRAPHIC, 0, 300, (8, 8), cut=-2),
    "labels-length_photographic-long": tile_of(PHOTOGRAPHIC, 0, 300, (8, 8), more=bytes(2)),
    "labels-length_photographic-byte": tile_of(PHOTOGRAPHIC, 1, 5, (8, 8), more=bytes(1)),
    "labels-model_drawn-empty": header() + pack_chunk(DRAWN, b""),
    "labels-model_drawn-8": header() + pack_chunk(DRAWN, b"\x08"),
    "labels-model_drawn-128": header() + pack_chunk(DRAWN, b"\x80\x00"),
    "labels-model_photographic-empty": header() + pack_chunk(PHOTOGRAPHIC, b""),
    "labels-model_photographic-2": header() + pack_chunk(PHOTOGRAPHIC, b"\x02" + bytes(16)),
    "deflate_garbage": header(width=300) + pack_chunk(0, b"\xff" * 20),
    "deflate_empty": header() + pack_chunk(0, b""),
    "deflate_bomb": header(width=300) + pack_chunk(0, deflate(bytes(50_000))),
    "deflate_short": header(width=300) + pack_chunk(0, deflate(bytes(74))),
    "deflate_cut": header(width=300) + pack_chunk(0, deflate(bytes(75))[:-1]),
    "deflate_trailing": header(width=300) + pack_chunk(0, deflate(bytes(75)) + b"\0"),
    "deflate_exif-bomb": header() + pack_chunk(container.EXIF, b"\x64" + deflate(bytes(50_000))) + TILE,
    "deflate_exif-short": header() + pack_chunk(container.EXIF, b"\x64" + deflate(bytes(99))) + TILE,
    "deflate_xmp-trailing": header()
    + pack_chunk(container.XMP, b"\x64" + deflate(bytes(100)) + b"\0")
    + TILE,
    "deflate_icc-garbage": header() + pack_chunk(container.ICC_PROFILE, b"\x64" + b"\xff" * 20) + TILE,
    "deflate_icc-absent": header() + pack_chunk(container.ICC_PROFILE, b"\x01") + TILE,
    "varint_icc-length": header() + pack_chunk(container.ICC_PROFILE, b"\x80\x00") + TILE,
    "label_3-of-3": header() + pack_chunk(0, b"\x1c"),
    **{
        f"label_{name}-{options}-k{k}": tile_with_no_label(coding, options, k)
        for name, coding, cases in (
            ("drawn", DRAWN, ((0, 3), (1, 5), (7, 20), (4, 40), (6, 300))),
            ("photographic", PHOTOGRAPHIC, ((0, 3), (1, 20), (0, 40), (1, 300))),
        )
        for options, k in cases
    },
}

if __name__ == "__main__":
    folder = Path(__file__).parent
    for old in folder.glob("x_*.kmc"):
        old.unlink()
    for name, data in CASES.items():
        (folder / f"x_{name}.kmc").write_bytes(data)
