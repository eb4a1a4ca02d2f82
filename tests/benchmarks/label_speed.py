"""How fast labels are coded: decoding against JPEG XL, encoding against lossless WebP, threads, memory.

    python tests/benchmarks/label_speed.py

All on one thread but the table of threads. Needs `pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Iterable

import imagecodecs
import numpy as np
from common import alternate, kodak, mosaic, versions
from PIL import Image

import kmc_format
from kmc_format import Indexed, codec
from kmc_format.container import Reader

EFFORTS = (0, 1, 2)
RUNS = 5

# VmHWM and not ru_maxrss, which a child process inherits from its parent; so this part needs Linux.
MEMORY = """
import sys
import numpy, PIL.Image, kmc_format
from kmc_format import _labels, codec
from kmc_format.container import Reader
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
with open(sys.argv[1], "rb") as file:
    labels = kmc_format.decode(file, threads=int(sys.argv[2])).labels
print(peak() - before - labels.nbytes // 1024)
"""


def decode(data: bytes, threads: int = 1) -> Indexed:
    reader = Reader(io.BytesIO(data))
    return codec.decode(reader, codec.read_header(reader), threads=threads)


def mean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def decoding(numbers: Iterable[int]) -> None:
    print("\nDecoding, MP/s (geometric means over Kodak; KMC / JPEG XL over both k at the end):\n")
    print("| k | JPEG XL effort 9 | KMC effort 0 | effort 1 | effort 2 |\n|---|---|---|---|---|")
    ratios: dict[int, list[float]] = {effort: [] for effort in EFFORTS}
    for k in (256, 32):
        speeds: list[list[float]] = [[], [], [], []]
        for number in numbers:
            picture = kmc_format.quantize(np.asarray(kodak(number)), k)
            jxl = imagecodecs.jpegxl_encode(picture.expand(), lossless=True, effort=9)
            files = [codec.encode(picture, effort=effort) for effort in EFFORTS]
            jobs = [lambda jxl=jxl: imagecodecs.jpegxl_decode(jxl, numthreads=1)]
            jobs += [lambda data=data: decode(data).expand() for data in files]
            seconds = alternate(RUNS, *jobs)
            for job, spent in enumerate(seconds):
                speeds[job].append(picture.labels.size / 1e6 / spent)
            for effort in EFFORTS:
                ratios[effort].append(seconds[0] / seconds[effort + 1])
        print(f"| {k} |", " | ".join(f"{mean(speed):.1f}" for speed in speeds), "|")
    print("| ratio | 1 |", " | ".join(f"{mean(ratios[effort]):.2f}" for effort in EFFORTS), "|")


def encoding(numbers: Iterable[int]) -> None:
    print("\nCoding labels, MP/s (geometric means), against lossless WebP, method 6, quality 100:\n")
    print("| k | WebP | KMC effort 0 | effort 1 | effort 2 | effort 1 / WebP | effort 2 / WebP |")
    print("|---" * 7 + "|")
    for k in (256, 32):
        speeds: list[list[float]] = [[], [], [], []]
        for number in numbers:
            picture = kmc_format.quantize(np.asarray(kodak(number)), k)
            image = Image.fromarray(picture.expand())
            jobs = [
                lambda image=image: image.save(io.BytesIO(), "WEBP", lossless=True, quality=100, method=6)
            ]
            jobs += [lambda e=effort, p=picture: codec.encode(p, effort=e, threads=1) for effort in EFFORTS]
            for job, spent in enumerate(alternate(1, *jobs)):
                speeds[job].append(picture.labels.size / 1e6 / spent)
        webp, *own = [mean(speed) for speed in speeds]
        cells = [
            f"{webp:.2f}",
            *(f"{speed:.2f}" for speed in own),
            f"{own[1] / webp:.0f}",
            f"{own[2] / webp:.0f}",
        ]
        print(f"| {k} |", " | ".join(cells), "|")


def threads_and_memory(path: str) -> None:
    print("\nThe mosaic of 9.4 MP at k = 32: MP/s on one and two threads, and memory above the labels:\n")
    print("| effort | bytes | coding, 1 | 2 | ratio | decoding, 1 | 2 | ratio | memory of decoding, 1 | 2 |")
    print("|---" * 10 + "|")
    picture = kmc_format.quantize(np.asarray(mosaic()), 32)
    for effort in (1, 2):
        data = codec.encode(picture, effort=effort)
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(data)
        jobs = [lambda t=t, e=effort: codec.encode(picture, effort=e, threads=t) for t in (1, 2)]
        jobs += [lambda t=t, d=data: decode(d, t) for t in (1, 2)]
        speeds = [picture.labels.size / 1e6 / seconds for seconds in alternate(3, *jobs)]
        cells = []
        for one, two in (speeds[:2], speeds[2:]):
            cells += [f"{one:.1f}", f"{two:.1f}", f"{two / one:.2f}"]
        for threads in ("1", "2"):
            command = [sys.executable, "-P", "-c", MEMORY, path, threads]
            spent = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            cells.append(f"{int(spent) / 1024:.0f} MB")
        print(f"| {effort} | {len(data):,} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    decoding(range(1, 25))
    encoding((1, 5, 13, 23))
    with tempfile.TemporaryDirectory() as folder:
        threads_and_memory(str(Path(folder) / "mosaic.kmc"))
    print("\n" + versions("kmc-format", "imagecodecs", "pillow", "numpy"))
