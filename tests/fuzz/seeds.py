"""Write inputs for core.c to start from: labels, frames and codebooks as the coder makes them.

python -I tests/fuzz/seeds.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kmc_format import _core

EDGES = (1, 2, 8, 9, 16, 17, 32, 33, 256, 257, 1024, 1025, 4096, 4097, 32769, 65536)  # as in core.c
WIDTH, HEIGHT, STEP = 40, 30, 7


def labels(k: int) -> np.ndarray:
    """Runs, noise, and a part that comes again."""
    rng = np.random.default_rng(k)
    runs = np.repeat(rng.integers(0, k, WIDTH * HEIGHT), rng.integers(1, 12, WIDTH * HEIGHT))
    plane = runs[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    noise = np.where(rng.random(plane.shape) < 0.05, rng.integers(0, k, plane.shape), plane)
    noise[20:, 3:] = noise[5:15, :-3]
    return noise.astype(np.uint16)


def films(k: int, number: int, colours: np.ndarray) -> Iterator[bytes]:
    """Frames that are still, move, and change in part."""
    first = labels(k)
    planes = [first, first, np.roll(first, (3, -2), (0, 1)), np.where(first > k // 2, labels(k)[::-1], first)]
    for kind in (0, _core.DRAWN_RICH):
        kind |= _core.DRAWN_FRAMES | _core.DRAWN_MATCHES
        for more in (0, _core.DRAWN_LIST, _core.DRAWN_STILL):
            frames = _core.open_frames(WIDTH, HEIGHT, colours, kind)
            film = bytes([3, kind, number << 4 | 1, WIDTH - 1, HEIGHT - 1, STEP])
            for plane in planes:
                coded = _core.encode_frame(frames, plane.astype(np.uint16), kind | more, 2**16) or b""
                film += bytes([more]) + len(coded).to_bytes(2, "big") + coded
            yield film


def seeds() -> Iterator[bytes]:
    for number, k in enumerate(EDGES):
        colours = (np.arange(4 * k) * STEP >> 2).astype(np.uint8).reshape(k, 4)
        for coding, count in _core.OPTIONS.items():
            for options in range(count):
                head = bytes([coding, options, number << 4 | 1, WIDTH - 1, HEIGHT - 1, STEP])
                yield head + (_core.encode_labels(labels(k), colours, coding, options, 2**16) or b"")
        yield from films(k, number, colours)
    for channels in (1, 3, 4):
        for place, bits in enumerate((8, 16, 32)):
            words = np.random.default_rng(bits).integers(0, 1 << bits, (60, channels)).astype(np.uint32)
            head = bytes([0, 59, channels - 1 << 4, place, 0, 0])
            yield head + _core.encode_codebook(words, bits)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:03}").write_bytes(seed)
