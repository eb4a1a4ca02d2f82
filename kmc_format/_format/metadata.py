"""What a file holds beside its picture, to chunks and back: FORMAT.md, "Chunks"."""

from __future__ import annotations

import math
import struct
from io import BytesIO
from typing import Literal, NamedTuple, TypedDict

from ..errors import FormatError, LimitError, TruncatedError
from . import container
from .container import Reader
from .deflate import deflate, inflate

# The largest `rdo`: more than the squared error between any two colours, in 8-bit units.
MAX_RDO = 2.0**22
# The least normal number of 32 bits, as which a file holds an `rdo`.
_LEAST_SINGLE = 2.0**-126


class Metadata(TypedDict, total=False):
    """What a file holds beside its picture, under Pillow's names."""

    icc_profile: bytes
    exif: bytes
    xmp: bytes
    dpi: tuple[float, float]
    transparency: int | bytes  # of a palette image: one clear entry, or an alpha for each
    rdo: float  # squared error a bit of the labels was worth, where they were chosen by that
    options: bytes  # only written: which options the file was made with, as `SaveOptions.digest` has it


BYTES: dict[Literal["icc_profile", "exif", "xmp"], int] = {
    "icc_profile": container.ICC_PROFILE,
    "exif": container.EXIF,
    "xmp": container.XMP,
}


def pack_metadata(metadata: Metadata, mode: str) -> bytes:
    """Frame what is given as chunks."""
    payloads = {tag: _pack_bytes(metadata[name]) for name, tag in BYTES.items() if name in metadata}
    if "dpi" in metadata:
        payloads[container.DPI] = struct.pack(">2d", *metadata["dpi"])
    if "transparency" in metadata:
        payloads[container.TRANSPARENCY] = _pack_transparency(metadata["transparency"], mode)
    if "rdo" in metadata:
        payloads[container.RDO] = struct.pack(">f", max(metadata["rdo"], _LEAST_SINGLE))
    if metadata.get("options"):
        payloads[container.OPTIONS] = metadata["options"]
    return b"".join(container.pack_chunk(tag, payload) for tag, payload in payloads.items())


def _pack_bytes(value: bytes) -> bytes:
    """Return a length and so many bytes, deflated if that is shorter."""
    stored = min(value, deflate(value, 9), key=len)
    return container.pack_varint(len(value)) + stored


def check_dpi(dpi: object) -> tuple[float, float]:
    """Return a resolution as two floats, or raise what is wrong with it."""
    try:
        if isinstance(dpi, (str, bytes)):
            raise TypeError("digits are no pair")
        horizontal, vertical = map(float, dpi)  # type: ignore[call-overload]  # checked by trying
    except (TypeError, ValueError) as error:
        raise TypeError(f"dpi must be a pair of numbers, not {dpi!r}") from error
    if not (0 < horizontal < math.inf and 0 < vertical < math.inf):
        raise ValueError(f"dpi must be a pair of positive numbers, not {dpi!r}")
    return horizontal, vertical


def _check_rdo(rdo: object) -> float:
    if not isinstance(rdo, float):
        raise TypeError(f"rdo must be a float, not {rdo!r}")
    if not 0 < rdo <= MAX_RDO:
        raise ValueError(f"rdo must be over 0 and at most {MAX_RDO:g}, not {rdo!r}")
    return rdo


def _pack_transparency(transparency: object, mode: str) -> bytes:
    if mode != "P":
        raise ValueError(f"transparency belongs to a palette image, not to mode {mode}")
    checked = check_transparency(transparency)
    return bytes([0, checked]) if isinstance(checked, int) else b"\1" + checked


def check_transparency(transparency: object) -> int | bytes:
    """Return a palette's transparency, as Pillow keeps it, or raise what is wrong with it."""
    if isinstance(transparency, (bytes, bytearray)) and len(transparency) <= 256:
        return bytes(transparency)
    if isinstance(transparency, int) and 0 <= transparency <= 255:
        return transparency
    raise ValueError(f"transparency must be an int from 0 to 255 or at most 256 bytes, not {transparency!r}")


class Timing(NamedTuple):
    """How long frames are shown."""

    loop: int  # how many times all of them are, 0 for ever
    duration: int  # in ms, of the first


def parse_timing(payload: bytes) -> Timing:
    """Return what the chunk says that announces frames."""
    reader = Reader(BytesIO(payload))
    try:
        timing = Timing(reader.varint(), reader.varint())
    except TruncatedError:
        raise FormatError("frame-timing", "chunk 'a' lacks a number") from None
    if reader.offset < len(payload):
        raise FormatError("frame-timing", f"chunk 'a' has {len(payload)} bytes, more than its numbers take")
    return timing


def parse_metadata(chunks: dict[int, bytes], mode: str) -> Metadata:
    metadata = Metadata()
    for name, tag in BYTES.items():
        if tag in chunks:
            metadata[name] = _parse_bytes(chunks[tag], tag)
    if container.DPI in chunks:
        metadata["dpi"] = _parse_dpi(chunks[container.DPI])
    if container.TRANSPARENCY in chunks:
        metadata["transparency"] = _parse_transparency(chunks[container.TRANSPARENCY], mode)
    if container.RDO in chunks:
        metadata["rdo"] = _parse_rdo(chunks[container.RDO])
    if container.ANIMATION in chunks:
        parse_timing(chunks[container.ANIMATION])  # for it to be checked; a `FrameReader` has it
    return metadata


def _parse_bytes(payload: bytes, tag: int) -> bytes:
    """Return what `_pack_bytes` packed."""
    name = f"chunk {chr(tag)!r}"
    length, stored = stored_bytes(payload)
    if length > container.MAX_METADATA:
        raise LimitError("metadata-length", f"{name}: {length} bytes are over {container.MAX_METADATA}")
    if len(stored) > length:
        raise FormatError("metadata-value", f"{name} holds {len(stored)} bytes, not {length}")
    return stored if len(stored) == length else inflate(stored, length, name)


def stored_bytes(payload: bytes) -> tuple[int, bytes]:
    """Return how long metadata are, and as what they are stored."""
    reader = Reader(BytesIO(payload))
    try:
        return reader.varint(), payload[reader.offset :]
    except TruncatedError:
        raise FormatError("metadata-value", "a chunk of metadata lacks its length") from None


def _parse_rdo(payload: bytes) -> float:
    try:
        return _check_rdo(*struct.unpack(">f", payload))
    except (struct.error, ValueError) as error:
        raise FormatError("metadata-value", f"chunk 'r' does not hold a multiplier: {error}") from error


def _parse_dpi(payload: bytes) -> tuple[float, float]:
    try:
        return check_dpi(struct.unpack(">2d", payload))
    except (struct.error, ValueError) as error:
        raise FormatError("metadata-value", f"chunk 'd' does not hold a resolution: {error}") from error


def _parse_transparency(payload: bytes, mode: str) -> int | bytes:
    if mode == "P" and len(payload) == 2 and payload[0] == 0:
        return payload[1]
    if mode == "P" and 1 <= len(payload) <= 257 and payload[0] == 1:
        return payload[1:]
    raise FormatError("metadata-value", "chunk 't' does not hold a palette's transparency")
