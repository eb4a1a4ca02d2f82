"""`quality` picture by picture: SSIM beside that of JPEG, bytes beside an earlier version's, and order.

    python tests/benchmarks/quality.py [--sets NAME ...] [--write FILE] [--against FILE]

`--write` keeps what was measured, for a later run `--against` it. SSIM is scikit-image's mean over
channels, data range 255; of pictures with alpha over black and over white, where JPEG has both.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from common import (
    GRAPHICS,
    IMAGES,
    PHOTOGRAPHS,
    alternate,
    geometric_mean,
    kodak,
    part,
    saved,
    some,
    versions,
)
from PIL import Image

from kmc_format.metrics import psnr, ssim

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import made  # noqa: E402

QUALITIES = (30, 50, 75, 90, 95)
MOST_PSNR = 99.0
SAMPLES = ROOT / "sample_images"


def plain(image: Image.Image) -> Image.Image:
    """Return an image in a mode that JPEG's peers know: grey, RGB or RGBA."""
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return {"1": image.convert("L"), "LA": image.convert("RGBA")}.get(image.mode, image)


def opened(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            if not image.mode.startswith("I") and min(image.size) >= 7:
                yield path.stem, part(plain(image))


def pictures(group: str) -> Iterator[tuple[str, Image.Image]]:
    if group == "Kodak":
        yield from ((f"kodim{n:02}", kodak(n)) for n in PHOTOGRAPHS)
    elif group == "made":
        yield from made.pictures().items()
    else:
        yield from opened({"samples": SAMPLES, "graphics": GRAPHICS, "text": IMAGES / "text"}[group])


SETS = ("Kodak", "graphics", "text", "samples", "made")


def jpeg_ssim(image: Image.Image, quality: int) -> float:
    """Return JPEG's SSIM; one with alpha is laid over black and over white."""
    if image.mode == "RGBA":
        grounds = [Image.new("RGBA", image.size, (level, level, level, 255)) for level in (0, 255)]
        over = [Image.alpha_composite(ground, image).convert("RGB") for ground in grounds]
        return sum(jpeg_ssim(one, quality) for one in over) / 2
    return ssim(image, Image.open(io.BytesIO(saved(image, "JPEG", quality=quality))))


def measure(job: tuple[str, str, Image.Image]) -> dict[str, Any]:
    """Save one picture at each quality, plainly and exactly."""
    group, name, image = job
    rows = []
    for quality in QUALITIES:
        data = saved(image, "KMC", quality=quality)
        other = Image.open(io.BytesIO(data))
        decibels = min(psnr(image, other), MOST_PSNR)
        rows.append(
            {
                "quality": quality,
                "bytes": len(data),
                "psnr": decibels,
                "ssim": ssim(image, other),
                "jpeg": jpeg_ssim(image, quality),
                "k": other.info["k"],
            }
        )
    simple = {}
    for k in (256, 65_536):
        try:
            data = saved(image, "KMC", k=k)
        except ValueError:
            continue
        simple[str(k)] = len(data), min(psnr(image, Image.open(io.BytesIO(data))), MOST_PSNR)
    return {"set": group, "name": name, "rows": rows, "plain": simple}


def faults(one: dict[str, Any]) -> tuple[int, int]:
    """Count steps of quality that lose decibels, and files beaten by one saved without options."""
    decibels = [row["psnr"] for row in one["rows"]]
    falls = sum(later < earlier - 1e-9 for earlier, later in pairwise(decibels))
    beaten = sum(
        any(size < row["bytes"] and level > row["psnr"] for size, level in one["plain"].values())
        for row in one["rows"]
    )
    return falls, beaten


def table(results: list[dict[str, Any]], before: dict[tuple[str, str], dict[str, Any]]) -> None:
    print("Least SSIM minus that of JPEG (and how many are below -0.02); bytes over those before, a")
    print("geometric mean; how often more quality gave fewer decibels, and a plain save was better:\n")
    print("| set | " + " | ".join(f"{quality} | bytes" for quality in QUALITIES) + " | falls | beaten |")
    print("|---" * (3 + 2 * len(QUALITIES)) + "|")
    for group in dict.fromkeys(one["set"] for one in results):
        mine = [one for one in results if one["set"] == group]
        cells = []
        for n in range(len(QUALITIES)):
            gaps = [one["rows"][n]["ssim"] - one["rows"][n]["jpeg"] for one in mine]
            low = sum(gap < -0.02 for gap in gaps)
            cells.append(f"{min(gaps):+.4f}" + (f" ({low})" if low else ""))
            pairs = [
                (one["rows"][n], before[key]["rows"][n])
                for one in mine
                if (key := (group, one["name"])) in before
            ]
            cells.append(
                f"{geometric_mean(new['bytes'] / old['bytes'] for new, old in pairs):.3f}" if pairs else ""
            )
        totals = [sum(column) for column in zip(*map(faults, mine), strict=True)]
        print(f"| {group} | " + " | ".join(cells) + f" | {totals[0]} | {totals[1]} |", flush=True)


def times() -> None:
    """Print how long a save by quality takes, in the time of one at k = 256."""
    print("\nTime of a save by quality, plain save at k = 256: 1\n")
    print("| picture | " + " | ".join(map(str, QUALITIES)) + " |\n" + "|---" * (1 + len(QUALITIES)) + "|")
    for name, image in [one for group in ("Kodak", "graphics", "made") for one in list(pictures(group))[::5]]:
        options = [{"k": 256}, *({"quality": quality} for quality in QUALITIES)]
        first, *rest = alternate(2, *(partial(saved, image, "KMC", **given) for given in options))
        print(f"| {name} | " + " | ".join(f"{one / first:.1f}" for one in rest) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture of a set")
    given = parser.parse_args()
    jobs = [(group, *one) for group in given.sets for one in some(pictures(group))[:: given.every]]
    with Pool() as pool:
        results = pool.map(measure, jobs, chunksize=1)
    if given.write:
        given.write.write_text(json.dumps(results))
    before = json.loads(given.against.read_text()) if given.against else []
    table(results, {(one["set"], one["name"]): one for one in before})
    if given.times:
        times()
    print("\n" + versions("kmc-format", "pillow", "scikit-image", "numpy"))


if __name__ == "__main__":
    main()
