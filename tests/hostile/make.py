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
from kmc_format._format.labels import LEARNING

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


def animated(*frames, first=TILE, timing=b"\x00\x28", index=None, **of_header):
    """A file of frames, by default after one of three grey pixels."""
    start = header(**of_header) if of_header else header()
    return start + pack_chunk(container.ANIMATION, timing) + first + frames_of(*frames, index=index)


def frames_of(*payloads, index=None):
    """The chunks of frames, and their index, which may lie."""
    chunks = [pack_chunk(container.FRAME, payload) for payload in payloads]
    lengths = b"".join(map(pack_varint, map(len, chunks) if index is None else index))
    length = len(pack_chunk(container.FRAME_INDEX, lengths + bytes(4)))
    return b"".join([*chunks, pack_chunk(container.FRAME_INDEX, lengths + length.to_bytes(4, "big"))])


def two_tiles_of(payload):
    """A frame of two tiles, of one label each, after such a one."""
    first = index(7, 7) + 2 * pack_chunk(0, b"\x40")
    return animated(payload, first=first, kind=GREY | TILED, width=2, tile=(1, 1))


def following(options, coded):
    """A frame that goes on from one of drawn labels, of four by four, with the same options or others."""
    k, lean = 20, LEARNING & ~_core.DRAWN_RICH
    frames = _core.open_frames(4, 4, np.zeros((k, 4), np.uint8), lean)
    numbers = np.random.default_rng(0).integers(0, k, (4, 4), np.uint16)
    begun = _core.encode_frame(frames, numbers, lean, 2**14)
    first = pack_chunk(DRAWN, bytes([lean]) + begun)
    data = bytes([3, options]) + (coded(frames, numbers) if callable(coded) else coded)
    return animated(b"\0" + data, first=first, kind=RGB, width=4, height=4, k=k, codebook=bytes(3 * k))


def no_label(frames, labels):
    """Bytes that spell a label which is not below k, in a frame."""
    names = np.arange(20, dtype=np.uint16)
    for seed in range(100_000):
        data = np.random.default_rng(seed).bytes(24)
        if _core.decode_frame(_core.copy_frames(frames), data, labels.copy(), names, LEARNING) == "label":
            return data
    raise RuntimeError("no bytes found for a frame")


def long(frames, labels):
    return _core.encode_frame(frames, labels[::-1].copy(), LEARNING, 2**14) + bytes(8) + b"\1"


GOOD = header() + TILE
KEY, GOES_BACK, SAME = b"\x03\x28", b"\x0a\x28", b"\0"  # flags and durations of frames
KEPT = b"\x1a\x28"
FILM = animated(SAME, KEY + b"\0\x10", SAME)
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
    "frame-timing_empty": animated(timing=b""),
    "frame-timing_short": animated(timing=b"\x03"),
    "frame-timing_long": animated(timing=b"\x03\x28\0"),
    "frame-timing_cut": animated(timing=b"\x03\x80"),
    "varint_timing": animated(timing=b"\x80\0\x28"),
    "varint_frame-duration": animated(b"\x02\x80\0"),
    "chunk-duplicate_animation": header() + 2 * pack_chunk(container.ANIMATION, b"\0\0") + TILE,
    "frame-flags_32": animated(b"\x20"),
    "frame-flags_128": animated(b"\x80"),
    "frame-flags_key-that-goes-back": animated(b"\x0b\x28\x01\0\x10"),
    "frame-flags_key-without-duration": animated(b"\x01\0\x10"),
    "frame-flags_back-without-duration": animated(b"\x08\x01"),
    "frame-flags_codebook-without-key": animated(b"\x06\x28\x02\0\x03" + ENTRIES),
    "frame-flags_kept-without-back": animated(b"\x10"),
    "frame-length_empty": animated(b""),
    "frame-length_no-duration": animated(b"\x02"),
    "frame-length_no-back": animated(GOES_BACK),
    "frame-length_codebook": animated(b"\x07\x28\x02\0\x03" + ENTRIES[:2]),
    "frame-length_no-tile": two_tiles_of(b"\0"),
    "frame-length_tile-long": two_tiles_of(b"\0\x05\0\x40"),
    "frame-key_following": animated(KEY + b"\x03\x0a"),
    "frame-key_unchanged": animated(KEY),
    "frame-key_unchanged-tile": two_tiles_of(KEY + b"\x02\0\x40"),
    "frame-key_first": animated(first=pack_chunk(3, b"\x0a")),
    "frame-back_0": animated(GOES_BACK + b"\0"),
    "frame-back_2-of-1": animated(GOES_BACK + b"\x02"),
    "frame-back_not-kept": animated(SAME, GOES_BACK + b"\x01"),
    "frame-back_past-kept": animated(KEPT + b"\x01", GOES_BACK + b"\x02"),
    "frame-back_past-key": animated(KEY + b"\0\x10", GOES_BACK + b"\x02"),
    "frame-depth_17": animated(*[SAME] * 16),
    "frame-depth_kept": animated(*[KEPT + b"\x01"] * 16),
    "frame-depth_back": animated(*[SAME] * 9, KEPT + b"\x0a", *[SAME] * 15),
    "chunk-order_metadata-among-frames": FILM[:-30] + pack_chunk(container.XMP, b"\x03xmp") + FILM[-30:],
    "chunk-order_tile-among-frames": animated()[:-10] + TILE + frames_of(SAME),
    "truncated_frames": animated()[:-10],
    "truncated_frame": FILM[:-25],
    "truncated_frame-index": FILM[:-1],
    "crc_frame": FILM.replace(KEY, b"\x03\x29"),
    "index-mismatch_frames": animated(SAME, KEY + b"\0\x10", index=(10, 7)),
    "k_frame-257-grey": animated(b"\x07\x28" + pack_varint(256) + b"\0" + pack_varint(257) + bytes(257)),
    "codebook-coding_frame": animated(b"\x07\x28\x02\x02\x03" + ENTRIES + b"\0\x10"),
    "codebook-length_frame": animated(b"\x07\x28\x02\0\x02" + ENTRIES[:2] + b"\0\x10"),
    "codebook-length_frame-over-4k": animated(b"\x07\x28\x02\0\x0d" + bytes(13) + b"\0\x10"),
    "label-coding_frame-4": animated(b"\0\x04\x10"),
    "label_frame": animated(b"\0\0\x1c"),
    "label_frame-following": following(LEARNING, no_label),
    "labels-length_frame": animated(b"\0\0\x10\0"),
    "labels-length_frame-following": following(LEARNING, long),
    "labels-length_frame-start": following(LEARNING, b"\xff" * 8),
    "labels-model_frame-empty": animated(b"\0\x03"),
    "labels-model_frame-no-matches": following(_core.DRAWN_FRAMES, bytes(8)),
    "labels-model_frame-no-frames": following(_core.DRAWN_MATCHES, bytes(8)),
    "labels-model_frame-32": following(LEARNING | 32, bytes(8)),
    "labels-model_frame-rich-after-lean": following(LEARNING | _core.DRAWN_RICH, bytes(8)),
    "deflate_frame": animated(
        b"\0\0" + b"\xff" * 20, kind=GREY, width=300, first=pack_chunk(0, deflate(bytes(75)))
    ),
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
