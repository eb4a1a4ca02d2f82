"""What the benchmarks share: pictures, fair timing, and the line that names machine and versions."""

from __future__ import annotations

import importlib.metadata
import io
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from PIL import Image

Thing = TypeVar("Thing")

# A little of everything is measured, whose figures mean nothing: see run.py.
QUICK = "KMC_BENCHMARK_QUICK" in os.environ
IMAGES = Path(__file__).resolve().parents[3] / "shared" / "images"
KODAK = IMAGES / "kodak"
ICONS = IMAGES / "icons"
GRAPHICS = IMAGES / "graphics"


def some(things: Iterable[Thing]) -> list[Thing]:
    """Return all things, or two of them where a benchmark is only to show that it runs."""
    return list(things)[: 2 if QUICK else None]


PHOTOGRAPHS = some(range(1, 25))


def kodak(number: int) -> Image.Image:
    """Load a Kodak photograph, 768x512 or 512x768."""
    path = KODAK / f"kodim{number:02d}.png"
    if not path.exists():
        sys.exit(f"this benchmark needs the Kodak images in {KODAK}")
    with Image.open(path) as image:
        return part(image.convert("RGB"))


def part(image: Image.Image) -> Image.Image:
    """Return a picture, or a small part of it where a benchmark is only to show that it runs."""
    return image.crop((0, 0, min(image.width, 192), min(image.height, 128))) if QUICK else image


def mosaic() -> Image.Image:
    """Put the 24 Kodak photographs in one picture, 4608x2048 (9.4 MP)."""
    canvas = Image.new("RGB", (6 * 768, 4 * 512))
    for n in range(24):
        image = kodak(n + 1)
        if image.height > image.width:
            image = image.transpose(Image.Transpose.ROTATE_90)
        canvas.paste(image, (n % 6 * 768, n // 6 * 512))
    return canvas.crop((600, 400, 1000, 600)) if QUICK else canvas


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Write an image as a file in memory."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def alternate(runs: int, *jobs: Callable[[], object]) -> list[float]:
    """Run jobs in turn, so that noise meets all of them; return the best seconds of each."""
    best = [float("inf")] * len(jobs)
    for _ in range(1 if QUICK else runs):
        for n, job in enumerate(jobs):
            start = time.perf_counter()
            job()
            best[n] = min(best[n], time.perf_counter() - start)
    return best


def geometric_mean(ratios: Iterable[float]) -> float:
    """Return the mean that suits ratios."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


def significant(value: float) -> str:
    """Write a number with three digits, or with more before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def versions(*packages: str) -> str:
    """Describe machine and versions, for the line under a table."""
    names = " ".join(f"{name} {importlib.metadata.version(name)}," for name in packages)
    return f"{names} Python {platform.python_version()}, {platform.machine()} {platform.system()}"
