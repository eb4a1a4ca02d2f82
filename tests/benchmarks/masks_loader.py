"""How fast a training loop gets its masks: pictures a second, in one process, from files of many formats.

    python tests/benchmarks/masks_loader.py

A loop of `numpy.array(Image.open(path))` over the five masks of the shared images; for zstd and crackle,
which have no plugin for Pillow, of reading the file and of their own decoder. Lossless WebP has no 16 bits,
so it is in the table of the masks of 8 bits only. Then crops of 512 pixels squared of a large mask, by
`kmc_format.open_region`, which PNG has to read whole. One thread; the best of several runs in turn. Needs
`pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import lzma
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import crackle
import numpy as np
import zstandard
from common import alternate, some, versions
from label_sets import EFFORTS, Pixels, paths, pixels_of, png, webp
from PIL import Image

import kmc_format

RUNS = 15
SIDE = 512  # of crops, and of the tiles that they are read from

Box = tuple[int, int, int, int]


class Format(NamedTuple):
    """A kind of file: how a mask is written and read, and the most bits that a label can have."""

    write: Callable[[Pixels], bytes]
    read: Callable[[Path], Pixels]
    most_bits: int = 16


def pillow(path: Path) -> Pixels:
    return np.array(Image.open(path))


def first_channel(path: Path) -> Pixels:
    """Read WebP, which has no greys."""
    return pillow(path)[..., 0]


def zstd(mask: Pixels) -> bytes:
    """Compress the raw array behind its shape and dtype."""
    head = np.array([*mask.shape, mask.itemsize], "<u4").tobytes()
    return head + zstandard.compress(mask.tobytes(), 19)


def unzstd(path: Path) -> Pixels:
    data = path.read_bytes()
    height, width, size = np.frombuffer(data, "<u4", 3)
    raw = zstandard.decompress(data[12:])
    return np.frombuffer(raw, f"<u{size}").reshape(height, width)


def crackled(mask: Pixels) -> bytes:
    """Compress with crackle's model of order 5, as a volume of one plane, and then with xz."""
    return lzma.compress(crackle.compress(mask.T, markov_model_order=5), preset=9)


def uncrackled(path: Path) -> Pixels:
    volume: Pixels = crackle.decompress(lzma.decompress(path.read_bytes()), parallel=1)
    return volume.reshape(volume.shape[:2]).T


def kmc(mask: Pixels, effort: int) -> bytes:
    return kmc_format.encode(mask, effort=effort)


FORMATS = {
    "PNG": Format(lambda mask: png(kmc_format.quantize(mask)), pillow),
    "lossless WebP": Format(lambda mask: webp(kmc_format.quantize(mask)), first_channel, most_bits=8),
    "zstd, level 19": Format(zstd, unzstd),
    "crackle, xz": Format(crackled, uncrackled),
    **{f"KMC, effort {effort}": Format(partial(kmc, effort=effort), pillow) for effort in EFFORTS},
}


def written(form: Format, masks: list[Pixels], folder: Path) -> list[Path]:
    """Write the masks as files, and return them; what is read from them is the same."""
    folder.mkdir()
    files = [folder / str(number) for number in range(len(masks))]
    for file, mask in zip(files, masks, strict=True):
        file.write_bytes(form.write(mask))
        np.testing.assert_array_equal(form.read(file), mask)
    return files


def loop(read: Callable[[Any], Pixels], things: list[Any]) -> None:
    for thing in things:
        read(thing)


def table(masks: list[Pixels]) -> None:
    """Print bytes and speeds of the formats that can hold all the masks."""
    bits = max(8 * mask.itemsize for mask in masks)
    formats = {name: form for name, form in FORMATS.items() if bits <= form.most_bits}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: written(form, masks, Path(folder, name)) for name, form in formats.items()}
        seconds = alternate(RUNS, *(partial(loop, formats[name].read, files[name]) for name in formats))
        sizes = [sum(file.stat().st_size for file in written_files) for written_files in files.values()]
    print("| format | bytes | pictures a second | / PNG |\n|---|---|---|---|")
    for name, size, spent in zip(formats, sizes, seconds, strict=True):
        print(f"| {name} | {size:,} | {len(masks) / spent:.0f} | {seconds[0] / spent:.2f} |")


def large(mask: Pixels) -> Pixels:
    """Repeat a mask, mirrored, until it is 4,096 pixels squared."""
    height, width = mask.shape
    return np.pad(mask, ((0, 4096 - height), (0, 4096 - width)), "symmetric")


def crop_png(path: Path, box: Box) -> Pixels:
    return np.asarray(Image.open(path).crop(box))


def crop_kmc(path: Path, box: Box) -> Pixels:
    return kmc_format.open_region(path, box).expand()


def table_of_crops(mask: Pixels) -> None:
    """Print what a random crop takes, of PNG and of KMC with small tiles."""
    corners = np.random.default_rng(0).integers(0, 4096 - SIDE, (8, 2)).tolist()
    boxes: list[Box] = [(left, upper, left + SIDE, upper + SIDE) for left, upper in corners]
    with tempfile.TemporaryDirectory() as folder:
        readers = {"PNG": (Path(folder, "png"), png(kmc_format.quantize(mask)), crop_png)}
        for effort in EFFORTS[:2]:
            name = f"KMC, effort {effort}, tile {SIDE}"
            data = kmc_format.encode(mask, effort=effort, tile=SIDE)
            readers[name] = (Path(folder, name), data, crop_kmc)
        for path, data, read in readers.values():
            path.write_bytes(data)
            np.testing.assert_array_equal(read(path, boxes[0]), crop_of(mask, boxes[0]))
        seconds = alternate(
            RUNS // 3, *(partial(loop, partial(read, path), boxes) for path, _, read in readers.values())
        )
    print("| format | bytes | ms a crop | / PNG |\n|---|---|---|---|")
    for (name, (_, data, _)), spent in zip(readers.items(), seconds, strict=True):
        ratio = spent / seconds[0]
        print(f"| {name} | {len(data):,} | {spent / len(boxes) * 1000:.1f} | {ratio:.3f} |")


def crop_of(mask: Pixels, box: Box) -> Pixels:
    left, upper, right, lower = box
    return mask[upper:lower, left:right]


def main() -> None:
    os.environ["KMC_THREADS"] = "1"
    masks = [pixels_of(path) for path in some(paths("masks"))]
    narrow = [mask for mask in masks if mask.itemsize == 1]
    print(f"All {len(masks)} masks:\n")
    table(masks)
    print(f"\nThe {len(narrow)} of 8 bits:\n")
    table(narrow)
    print(f"\nA crop of {SIDE} x {SIDE} of a mask of 4096 x 4096:\n")
    table_of_crops(large(narrow[0]))
    print("\n" + versions("kmc-format", "pillow", "zstandard", "crackle-codec", "numpy"))


if __name__ == "__main__":
    main()
