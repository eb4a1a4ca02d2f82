from typing_extensions import Buffer

def count(values: Buffer) -> tuple[bytes, bytes]: ...
def nearest(points: Buffer, entries: Buffer, numbers: Buffer) -> None: ...
def dither(
    pixels: Buffer,
    points: Buffer,
    entries: Buffer,
    pinned: Buffer,
    coverage: Buffer,
    limits: Buffer,
    strength: int,
    labels: Buffer,
) -> None: ...
def encode_codebook(words: Buffer, bits: int) -> bytes: ...
def decode_codebook(data: Buffer, words: Buffer, bits: int) -> bool: ...
def encode_labels(
    numbers: Buffer, colours: Buffer, coding: int, options: int, limit: int
) -> bytes | None: ...
def decode_labels(
    data: Buffer, labels: Buffer, names: Buffer, colours: Buffer, coding: int, options: int
) -> str: ...
def choose_labels(
    pixels: Buffer,
    points: Buffer,
    entries: Buffer,
    nearest: Buffer,
    farthest: Buffer,
    lagrange: int,
    colours: Buffer,
    labels: Buffer,
    whole: Buffer | None = None,
    whole_entries: Buffer | None = None,
) -> int: ...
def use_path(path: int, /) -> None: ...
