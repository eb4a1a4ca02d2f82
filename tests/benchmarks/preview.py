"""How long a move of the explorer's sliders takes, and how near its preview is to what saving gives.

    python tests/benchmarks/preview.py

A move is all that happens until what is to be shown leaves for the browser; the best of a few, each after a
move elsewhere. Error is the mean squared error, over that of the real quantiser at the same options.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
from common import GRAPHICS, kodak, some, versions
from PIL import Image

import kmc_format
from kmc_format import metrics
from kmc_format.explorer import Explorer

COLOURS = some((2, 4, 8, 9, 16, 24, 32, 33, 48, 64, 96, 128, 192, 255, 256))
OPTIONS: tuple[dict[str, float], ...] = ({}, {"rdo": 10}, {"dither": 1})
RUNS = 3


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Give pictures of 0.4 MP: two photographs, and the middle of a graphic."""
    yield "kodim05", kodak(5)
    yield "kodim23", kodak(23)
    with Image.open(GRAPHICS / "clegg.png") as image:
        left, top = (image.width - 640) // 2, (image.height - 614) // 2
        yield "clegg, middle", image.convert("RGB").crop((left, top, left + 640, top + 614))


def milliseconds(explorer: Explorer, k: int) -> float:
    """Move the slider to k from next to it."""
    best = float("inf")
    for _ in range(RUNS):
        explorer.k.value = k + 1 if k < 256 else 255
        start = time.perf_counter()
        explorer.k.value = k
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def nearness(
    explorer: Explorer, image: Image.Image, k: int, options: dict[str, float]
) -> tuple[float, float]:
    """Return error and bytes of a preview, over those of the real file."""
    step = explorer._preview.step(k, **options)
    data = kmc_format.encode(image, k, **options)
    real = metrics.mse(image, kmc_format.decode(data).expand())
    return metrics.mse(image, step.indexed.expand()) / real, step.length / len(data)


def main() -> None:
    print("| picture | options | ms, median | most | error, median | most | bytes, median | least | most |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, image in pictures():
        for options in OPTIONS:
            explorer = Explorer(image)
            for option, value in options.items():
                getattr(explorer, option).value = value
            times = [milliseconds(explorer, k) for k in COLOURS]
            assert explorer._timer is not None
            explorer._timer.cancel()
            errors, sizes = np.transpose([nearness(explorer, image, k, options) for k in COLOURS])
            given = ", ".join(f"{option} {value:g}" for option, value in options.items())
            print(
                f"| {name} | {given} | {statistics.median(times):.0f} | {max(times):.0f} "
                f"| {np.median(errors):.3f} | {max(errors):.3f} "
                f"| {np.median(sizes):.3f} | {min(sizes):.3f} | {max(sizes):.3f} |",
                flush=True,
            )
    print(
        f"\nk = {', '.join(map(str, COLOURS))}; {versions('kmc-format', 'scikit-learn', 'numpy', 'pillow')}"
    )


if __name__ == "__main__":
    main()
