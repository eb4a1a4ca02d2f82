"""Bytes against quality: KMC, pngquant with oxipng, Pillow's quantiser, lossless WebP, JPEG, WebP and AVIF.

    python tests/benchmarks/rate.py [TABLE ...]

Tables: pngquant, rdo, quality, budget, curves; without a name all of them. `curves` draws
.github/rate.png. PSNR is of the mean squared error over pixels and channels, SSIM scikit-image's mean over
channels; averages of PSNR count exact pictures as 60 dB. Bytes are whole files. pngquant runs at speed 1, its
best, without dithering, and its files go through oxipng level 6.
"""

from __future__ import annotations

import functools
import io
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import oxipng
from common import GRAPHICS, PHOTOGRAPHS, QUICK, alternate, geometric_mean, kodak, part, saved, some, versions
from PIL import Image

from kmc_format.metrics import psnr, ssim

QUALITIES = (1, 4, 10, 18, 30, 40, 50, 60, 70, 75, 80, 85, 90, 93, 96, 98, 99)
COLOURS = (8, 16, 32, 64, 128, 256)
MOST_PSNR = 60.0
ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(tempfile.gettempdir(), "rate.png") if QUICK else ROOT / ".github" / "rate.png"


class Point(NamedTuple):
    """One file of a picture."""

    size: int
    psnr: float
    ssim: float


def measured(image: Image.Image, data: bytes, pixels: object = None) -> Point:
    other = np.asarray(Image.open(io.BytesIO(data)).convert(image.mode)) if pixels is None else pixels
    return Point(len(data), min(psnr(image, other), MOST_PSNR), ssim(image, other))


def kmc(image: Image.Image, quality: int, effort: int = 1) -> Point:
    return measured(image, saved(image, "KMC", quality=quality, effort=effort))


def pngquant_png(image: Image.Image, k: int) -> bytes:
    command = ["pngquant", "--speed", "1", "--nofs", str(k), "-"]
    return subprocess.run(command, input=saved(image, "PNG"), stdout=subprocess.PIPE, check=True).stdout


def pngquant(image: Image.Image, k: int) -> Point:
    return measured(image, oxipng.optimize_from_memory(pngquant_png(image, k), level=6))


def pillow_png(image: Image.Image, k: int) -> Point:
    reduced = image.quantize(k, Image.Quantize.MEDIANCUT)
    return measured(image, oxipng.optimize_from_memory(saved(reduced, "PNG"), level=6))


def lossless_webp(image: Image.Image, k: int) -> Point:
    """Code the pixels of pngquant."""
    reduced = Image.open(io.BytesIO(pngquant_png(image, k))).convert(image.mode)
    return measured(image, saved(reduced, "WEBP", lossless=True, method=6, quality=100))


def jpeg(image: Image.Image, quality: int) -> Point:
    return measured(image, saved(image, "JPEG", quality=quality, optimize=True))


def webp(image: Image.Image, quality: int) -> Point:
    return measured(image, saved(image, "WEBP", quality=quality, method=6))


def avif(image: Image.Image, quality: int) -> Point:
    return measured(image, saved(image, "AVIF", quality=quality, speed=4))


LOSSY = (5, 15, 30, 50, 65, 75, 85, 92, 96, 99)
CODERS: dict[str, tuple[Callable[[Image.Image, int], Point], tuple[int, ...]]] = {
    "KMC": (kmc, QUALITIES),
    "pngquant, oxipng": (pngquant, COLOURS),
    "Pillow median cut, oxipng": (pillow_png, COLOURS),
    "pngquant, lossless WebP": (lossless_webp, COLOURS),
    "JPEG": (jpeg, LOSSY),
    "WebP": (webp, LOSSY),
    "AVIF": (avif, LOSSY),
}


def pictures(group: str) -> Iterator[Image.Image]:
    if group == "Kodak":
        yield from (kodak(number) for number in PHOTOGRAPHS)
    for path in some(sorted(GRAPHICS.glob("*.png"))) if group == "graphics" else []:
        with Image.open(path) as image:
            yield part(image.convert("RGB"))


def _points(job: tuple[str, Image.Image, str]) -> list[Point]:
    name, image, group = job
    coder, settings = CODERS[name]
    if name == "KMC" and group == "graphics":
        settings = (*settings, 100)  # exact; of photographs it would be huge
    return [coder(image, setting) for setting in settings]


@functools.cache
def curves_of(coder: str, group: str) -> list[list[Point]]:
    """Measure a coder at all its settings: a list for each picture."""
    with Pool() as pool:
        return pool.map(_points, [(coder, image, group) for image in pictures(group)], chunksize=1)


def size_at(points: list[Point], wanted: float) -> float:
    """Return the bytes at a PSNR, between the two files around it: log bytes is about linear in dB."""
    best = min((point.size for point in points if point.psnr >= wanted), default=math.inf)
    for one in points:
        for other in points:
            if one.psnr < wanted <= other.psnr:
                part = (wanted - one.psnr) / (other.psnr - one.psnr)
                best = min(best, one.size ** (1 - part) * other.size**part)
    return best


def pngquant_table() -> None:
    """Print bytes at the PSNR of pngquant."""
    print("Bytes of KMC (`quality`, effort 1) over those of pngquant and oxipng, at pngquant's PSNR:\n")
    print("| set | k = 16 | k = 64 | k = 256 | geometric mean | largest |\n|---|---|---|---|---|---|")
    for group in ("Kodak", "graphics"):
        own, other = curves_of("KMC", group), curves_of("pngquant, oxipng", group)
        ratios = {
            k: [
                size_at(points, peers[COLOURS.index(k)].psnr) / peers[COLOURS.index(k)].size
                for points, peers in zip(own, other, strict=True)
            ]
            for k in (16, 64, 256)
        }
        everything = [ratio for column in ratios.values() for ratio in column]
        means = " | ".join(f"{geometric_mean(column):.3f}" for column in ratios.values())
        print(f"| {group} | {means} | {geometric_mean(everything):.3f} | {max(everything):.3f} |")


def _saved(job: tuple[Image.Image, str, dict[str, object]]) -> tuple[Point, int | None]:
    image, kind, options = job
    data = saved(image, kind, **options)
    return measured(image, data), Image.open(io.BytesIO(data)).info.get("k")


def all_saved(kind: str, **options: object) -> tuple[list[Point], list[int]]:
    """Save every Kodak photograph alike; return the points, and the numbers of colours."""
    with Pool() as pool:
        results = pool.map(_saved, [(image, kind, options) for image in pictures("Kodak")], chunksize=1)
    points, numbers = zip(*results, strict=True)
    return list(points), list(numbers)


def mean(points: list[Point], value: str) -> float:
    return statistics.fmean(getattr(point, value) for point in points)


def times_of(**options: object) -> list[float]:
    """Return the time of a save in that of a plain one at k = 256, for every fourth photograph."""
    ratios = []
    for image in list(pictures("Kodak"))[::4]:
        jobs = [functools.partial(saved, image, "KMC", **given) for given in ({"k": 256}, options)]
        plain, other = alternate(2, *jobs)
        ratios.append(other / plain)
    return ratios


def rdo() -> None:
    """Print what `rdo` saves and costs at k = 64."""
    print("`rdo` at k = 64 against `rdo=0`, Kodak:\n")
    print("| rdo | bytes (geometric mean) | dB lost (mean) | dB lost, most |\n|---|---|---|---|")
    plain, _ = all_saved("KMC", k=64)
    for value in some((2, 5, 7, 10, 20, 40)):
        points, _ = all_saved("KMC", k=64, rdo=value)
        lost = [one.psnr - other.psnr for one, other in zip(plain, points, strict=True)]
        ratio = geometric_mean(other.size / one.size for one, other in zip(plain, points, strict=True))
        print(f"| {value} | {ratio:.3f} | {statistics.fmean(lost):.3f} | {max(lost):.3f} |", flush=True)


def quality() -> None:
    """Print SSIM, bytes and time of `quality` beside JPEG's."""
    print("`quality` against Pillow's JPEG at the same number, Kodak, means:\n")
    print(
        "| quality | SSIM | of JPEG | PSNR | of JPEG | bytes | of JPEG | k | time, plain save at k = 256: 1 |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for value in some((30, 50, 75, 90)):
        own, numbers = all_saved("KMC", quality=value)
        other, _ = all_saved("JPEG", quality=value)
        cells = [f"{mean(points, 'ssim'):.4f}" for points in (own, other)]
        cells += [f"{mean(points, 'psnr'):.2f}" for points in (own, other)]
        cells += [f"{mean(points, 'size'):,.0f}" for points in (own, other)]
        cells += [f"{min(numbers)} to {max(numbers):,}", f"{geometric_mean(times_of(quality=value)):.1f}"]
        print(f"| {value} | " + " | ".join(cells) + " |", flush=True)


def budget() -> None:
    """Print how near `max_bytes` comes to the budget, and its time."""
    print("`max_bytes`, Kodak:\n")
    print("| budget | file / budget, least | mean | PSNR | time, plain save at k = 256: 1 | most |")
    print("|---|---|---|---|---|---|")
    for most in some((10_000, 30_000, 60_000, 120_000)):
        points, _ = all_saved("KMC", max_bytes=most)
        shares = [point.size / most for point in points]
        ratios = times_of(max_bytes=most)
        print(
            f"| {most:,} | {min(shares):.3f} | {statistics.fmean(shares):.3f} | {mean(points, 'psnr'):.2f}"
            f" | {geometric_mean(ratios):.1f} | {max(ratios):.1f} |",
            flush=True,
        )


LOOKS = {  # colours of Okabe and Ito, which the colour-blind tell apart
    "KMC": ("#D55E00", "-", "o"),
    "pngquant, oxipng": ("#0072B2", "-", "s"),
    "Pillow median cut, oxipng": ("#56B4E9", "-", "v"),
    "pngquant, lossless WebP": ("#009E73", "-", "^"),
    "JPEG": ("#000000", "--", "x"),
    "WebP": ("#CC79A7", "--", "+"),
    "AVIF": ("#999999", "--", "d"),
}
BITS = (0.1, 0.2, 0.5, 1, 2, 5)  # a pixel, which the axes name
TITLES = {"Kodak": "24 Kodak photographs", "graphics": "6 graphics and screenshots"}


def curves() -> None:
    """Draw mean PSNR and SSIM over bits a pixel, and print bytes at some of the PSNRs."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    for row, group in zip(axes, TITLES, strict=True):
        for axis, value in zip(row, ("psnr", "ssim"), strict=True):
            draw(axis, group, value)
        row[0].set_ylabel("mean PSNR, dB")
        row[1].set(ylabel="mean SSIM", ylim=(0.7, 1.005))
    axes[0, 0].legend(fontsize=8)
    figure.savefig(PICTURE, dpi=90)
    print(f"drew {PICTURE.name}\n")
    for group in TITLES:
        print_sizes(group)


def draw(axis: Any, group: str, value: str) -> None:
    """Draw a line for each coder."""
    pixels = sum(image.width * image.height for image in pictures(group))
    for name, (colour, line, marker) in LOOKS.items():
        settings = list(zip(*curves_of(name, group), strict=True))
        bits = [8 * sum(point.size for point in points) / pixels for points in settings]
        means = [mean(points, value) for points in settings]
        width = 2.5 if name == "KMC" else 1.3
        axis.plot(bits, means, line, color=colour, marker=marker, ms=4, lw=width, label=name)
    axis.set(xscale="log", xlabel="bits a pixel", title=TITLES[group])
    # A logarithmic axis of little more than a decade labels its minor ticks, too, which overlap.
    axis.xaxis.set_minor_formatter("")
    least, most = axis.get_xlim()
    ticks = [tick for tick in BITS if least < tick < most]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.grid(which="both", alpha=0.25)


def print_sizes(group: str) -> None:
    """Print what a PSNR takes in each format."""
    print(f"Mean bytes at the mean PSNR of {group}; interpolated:\n")
    print("| PSNR | " + " | ".join(LOOKS) + " |\n" + "|---" * (1 + len(LOOKS)) + "|")
    for wanted in (28, 32, 36, 40, 44):
        sizes = (mean_size_at(name, group, wanted) for name in LOOKS)
        cells = (f"{size:,.0f}" if size < math.inf else "" for size in sizes)
        print(f"| {wanted} | " + " | ".join(cells) + " |")
    print()


def mean_size_at(name: str, group: str, wanted: float) -> float:
    """Return the mean bytes at a mean PSNR; infinite where no settings are below and above it."""
    means = [
        Point(round(mean(points, "size")), mean(points, "psnr"), mean(points, "ssim"))
        for points in zip(*curves_of(name, group), strict=True)
    ]
    reached = min(means, key=lambda point: point.psnr).psnr <= wanted
    return size_at(means, wanted) if reached else math.inf


TABLES = {"pngquant": pngquant_table, "rdo": rdo, "quality": quality, "budget": budget, "curves": curves}


def main() -> None:
    for name in sys.argv[1:] or TABLES:
        start = time.perf_counter()
        TABLES[name]()
        print(f"\n({time.perf_counter() - start:.0f} s)\n", flush=True)
    print(versions("kmc-format", "pillow", "pyoxipng", "scikit-image", "scikit-learn", "numpy"))
    version = subprocess.run(["pngquant", "--version"], capture_output=True, text=True, check=True).stdout
    print(f"pngquant {version.strip()}")


if __name__ == "__main__":
    main()
