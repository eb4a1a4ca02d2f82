"""The README's figures: bytes and loading time over those of PNG, for masks, screenshots, photographs.

    python tests/benchmarks/against_png.py

A PNG is the smallest that Pillow writes: with a palette of the least bits (masks are grey), and
`optimize=True`. Bytes are those of all files of a set together. So is the time, in which a loop reads them
with `numpy.array(Image.open(path))`, on one thread; the best of several runs in turn. Needs
`pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from common import alternate, some, versions
from label_sets import pictures, png
from PIL import Image

import kmc_format
from kmc_format import Indexed

EFFORTS = (0, 1)
RUNS = 9
KINDS = {
    "masks": "masks",
    "screenshots, plots, rendered text": "text",
    "photographs in 256 colours": "kodak-256",
}


def written(folder: Path, measured: list[Indexed], write: Callable[[Indexed], bytes]) -> list[Path]:
    """Write a file for each picture; return the files."""
    folder.mkdir(parents=True)
    files = [folder / str(n) for n in range(len(measured))]
    for file, picture in zip(files, measured, strict=True):
        file.write_bytes(write(picture))
    return files


def load(files: list[Path]) -> list[np.ndarray]:
    return [np.array(Image.open(file)) for file in files]


def row(measured: list[Indexed], folder: Path) -> list[str]:
    """Return the bytes of PNG, and for each effort the ratios of bytes and of time."""
    other = written(folder / "png", measured, png)
    kmc = [
        written(folder / f"kmc-{effort}", measured, partial(kmc_format.encode, effort=effort))
        for effort in EFFORTS
    ]
    png_bytes, *kmc_bytes = (sum(file.stat().st_size for file in files) for files in (other, *kmc))
    png_time, *kmc_times = alternate(RUNS, *(partial(load, files) for files in (other, *kmc)))
    ratios = [f"{size / png_bytes:.2f}" for size in kmc_bytes] + [f"{t / png_time:.2f}" for t in kmc_times]
    return [f"{png_bytes:,}", f"{1000 * png_time / len(measured):.1f}", *ratios]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    os.environ["KMC_THREADS"] = "1"
    columns = ["pictures", "", "PNG, bytes", "PNG, ms a picture"]
    columns += [f"{what}, effort {effort}" for what in ("bytes", "time") for effort in EFFORTS]
    print("KMC over PNG:\n\n|", " | ".join(columns), "|\n" + "|---" * len(columns) + "|")
    for kind, name in KINDS.items():
        measured = some(pictures(name))
        with tempfile.TemporaryDirectory() as folder:
            print("|", " | ".join([kind, str(len(measured)), *row(measured, Path(folder))]), "|", flush=True)
    print("\n" + versions("kmc-format", "pillow", "numpy"))


if __name__ == "__main__":
    main()
