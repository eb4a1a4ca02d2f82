"""How fast labels are decoded and coded, what a second thread brings, memory, and what damage costs.

    python tests/benchmarks/label_speed.py [--tables TABLE ...] [--sets SET ...] [--first N]

Decoding is `Image.open(...).load()` from memory, against JPEG XL of effort 9 and against Pillow's PNG of the
same labels; coding is against writing that PNG, a yardstick for comparing versions. One thread, but for the
table of threads. The table of damage has the time that forged labels take, in that of intact ones that hold
noise, which are the slowest there are. Speeds and ratios are geometric means over a set, of the best of
several runs in turn. Needs `pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np
from common import alternate, geometric_mean, mosaic, significant, versions
from label_sets import EFFORTS, arguments, jpeg_xl, pictures, png
from PIL import Image

import kmc_format
from kmc_format import Indexed, _core

RUNS = 5
SMALL = 10**5  # of fewer pixels, a run is too short for so few of them
MANY_RUNS = 25

# VmHWM and not ru_maxrss, which a child process inherits from its parent; so this part needs Linux.
MEMORY = """
import sys
import numpy, PIL.Image, kmc_format
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
labels = kmc_format.decode(sys.argv[1], threads=int(sys.argv[2])).labels
print((peak() - before) * 1024 - labels.nbytes)
"""


def load(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()


def in_turn(picture: Indexed, *jobs: Callable[[], object]) -> list[float]:
    """Return how many megapixels a second each job does."""
    pixels = picture.labels.size
    return [pixels / 1e6 / spent for spent in alternate(RUNS if pixels > SMALL else MANY_RUNS, *jobs)]


def decoding_speeds(picture: Indexed) -> list[float]:
    """Return the speeds of the efforts, of JPEG XL, and of PNG."""
    files = [kmc_format.encode(picture, effort=effort) for effort in EFFORTS]
    jxl = jpeg_xl(picture, effort=9)
    return in_turn(
        picture,
        *(partial(load, file) for file in files),
        partial(imagecodecs.jpegxl_decode, jxl, numthreads=1),
        partial(load, png(picture)),
    )


def coding_speeds(picture: Indexed) -> list[float]:
    """Return the speeds of the efforts, and of PNG."""
    jobs = (partial(kmc_format.encode, picture, effort=effort) for effort in EFFORTS)
    return in_turn(picture, *jobs, partial(png, picture))


def table(
    wanted: argparse.Namespace, peers: tuple[str, ...], speeds_of: Callable[[Indexed], list[float]]
) -> None:
    """Print speeds and ratios of a set a row."""
    efforts = [f"effort {effort}" for effort in EFFORTS]
    ratios = [f"{effort} / {peer}" for peer in peers for effort in efforts]
    print("| set |", " | ".join([*efforts, *peers, *ratios]), "|")
    print("|---" * (1 + len(efforts) + len(peers) + len(ratios)) + "|")
    for name in wanted.sets:
        columns = zip(*map(speeds_of, pictures(name, wanted.first)), strict=True)
        means = [geometric_mean(speeds) for speeds in columns]
        own, others = means[: len(EFFORTS)], means[len(EFFORTS) :]
        cells = [*means, *(mean / other for other in others for mean in own)]
        print(f"| {name} |", " | ".join(map(significant, cells)), "|", flush=True)


def decoding(wanted: argparse.Namespace) -> None:
    """Print how fast files are loaded."""
    print("\nLoading, MP/s, and ratios to JPEG XL of effort 9 and to PNG:\n")
    table(wanted, ("JPEG XL", "PNG"), decoding_speeds)


def coding(wanted: argparse.Namespace) -> None:
    """Print how fast labels become files."""
    print("\nCoding, MP/s, and ratios to Pillow's PNG, optimised:\n")
    table(wanted, ("PNG",), coding_speeds)


def threads(_: argparse.Namespace) -> None:
    """Print what the large photograph takes with one thread and with two."""
    print("\nThe mosaic of 9.4 MP at k = 32: MP/s on one and two threads, and memory above the labels:\n")
    print("| effort | bytes | coding, 1 | 2 | ratio | decoding, 1 | 2 | ratio | memory of decoding, 1 | 2 |")
    print("|---" * 10 + "|")
    picture = kmc_format.quantize(np.asarray(mosaic()), 32)
    for effort in EFFORTS:
        data = kmc_format.encode(picture, effort=effort)
        speeds = in_turn(
            picture,
            *(partial(kmc_format.encode, picture, effort=effort, threads=count) for count in (1, 2)),
            *(partial(kmc_format.decode, data, threads=count) for count in (1, 2)),
        )
        cells = [str(effort), f"{len(data):,}"]
        for one, two in (speeds[:2], speeds[2:]):
            cells += [f"{one:.1f}", f"{two:.1f}", f"{two / one:.2f}"]
        cells += [f"{memory(data, count) / 1e6:.0f} MB" for count in (1, 2)]
        print("|", " | ".join(cells), "|", flush=True)


def memory(data: bytes, count: int) -> int:
    """Return the most bytes that decoding takes in a new process, without the labels themselves."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.kmc")
        path.write_bytes(data)
        command = [sys.executable, "-P", "-c", MEMORY, str(path), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def damage(_: argparse.Namespace) -> None:
    """Print what damaged labels take."""
    size, k = 400, 40
    rng = np.random.default_rng(0)
    noisy = rng.integers(0, k, (size, size), np.uint16)
    plain = np.repeat(np.repeat(rng.integers(0, k, (16, 16), np.uint16), 25, axis=0), 25, axis=1)
    print("\nTime of damaged labels, in that of intact ones of noise:\n")
    print("| coding | random bytes | cut off | backwards |\n|---|---|---|---|")
    for coding, count in _core.OPTIONS.items():
        for options in range(count):
            coded = _labels_bytes(plain, k, coding, options)
            random = rng.integers(0, 256, size * size // 2, np.uint8).tobytes()
            streams = (_labels_bytes(noisy, k, coding, options), random, coded[:50], coded[::-1])
            jobs = (partial(_decode, data, (size, size), k, coding, options) for data in streams)
            intact, *damaged = alternate(RUNS, *jobs)
            cells = (f"{seconds / intact:.2f}" for seconds in damaged)
            print(f"| {coding}, {options} |", " | ".join(cells), "|", flush=True)


def _colours(k: int) -> np.ndarray:
    colours = np.zeros((k, 4), np.uint8)
    colours[:, 0] = np.arange(k)
    return colours


def _labels_bytes(labels: np.ndarray, k: int, coding: int, options: int) -> bytes:
    return _core.encode_labels(labels, _colours(k), coding, options, 64 + 16 * labels.size) or b""


def _decode(data: bytes, shape: tuple[int, int], k: int, coding: int, options: int) -> str:
    names = np.arange(k, dtype=np.uint16)
    return _core.decode_labels(data, np.empty(shape, np.uint16), names, _colours(k), coding, options)


TABLES = {"decoding": decoding, "coding": coding, "threads": threads, "damage": damage}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES), help="which tables")
    wanted = parser.parse_args()
    os.environ["KMC_THREADS"] = "1"
    for name in wanted.tables:
        TABLES[name](wanted)
    print("\n" + versions("kmc-format", "imagecodecs", "pillow", "numpy"))


if __name__ == "__main__":
    main()
