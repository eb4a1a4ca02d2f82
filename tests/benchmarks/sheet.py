"""Draw sheets to look at: an original beside what KMC, pngquant and Pillow make of it.

    python tests/benchmarks/sheet.py [IMAGE OUTPUT]

Without arguments it draws the README's, of a part of a sample image.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from peers import libimagequant, pillow
from PIL import Image, ImageDraw, ImageFont

import kmc_format
from kmc_format.metrics import psnr

ROOT = Path(__file__).resolve().parents[2]
PART = (90, 60, 270, 170)
GAP, LINE = 6, 20


def panels(image: Image.Image, k: int, dither: float) -> list[tuple[str, Image.Image]]:
    """Quantise an image in each way."""
    return [
        ("KMC", Image.fromarray(kmc_format.quantize(image, k, dither=dither).expand())),
        ("pngquant", libimagequant(image, k, dither=dither)),
        ("Pillow", pillow(image, k, method=Image.Quantize.MEDIANCUT, dither=dither)),
    ]


def sheet(image: Image.Image, view: tuple[int, int, int, int]) -> Image.Image:
    """Draw a view of the image in rows of k, without and with dithering."""
    width, height = view[2] - view[0], view[3] - view[1]
    rows = [(k, dither) for k in (8, 16, 32) for dither in (0.0, 1.0)]
    canvas = Image.new("RGB", (4 * (width + GAP) - GAP, len(rows) * (height + LINE)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=13)
    for row, (k, dither) in enumerate(rows):
        for column, (name, panel) in enumerate([("original", image), *panels(image, k, dither)]):
            left, upper = column * (width + GAP), row * (height + LINE)
            figure = "" if panel is image else f", k = {k}{', dithered' if dither else ''}"
            figure += "" if panel is image or dither else f": {psnr(panel, image):.2f} dB"
            draw.text((left, upper + 2), name + figure, "black", font)
            canvas.paste(panel.crop(view), (left, upper + LINE))
    return canvas


def main() -> None:
    if len(sys.argv) == 3:
        with Image.open(sys.argv[1]) as image:
            image = image.convert("RGB")
        sheet(image, (0, 0, *image.size)).save(sys.argv[2])
        return
    with Image.open(ROOT / "sample_images" / "photograph.png") as image:
        drawn = sheet(image.convert("RGB"), PART)
    # As a palette image it would be quantised itself; the pixels are kept.
    drawn.save(ROOT / ".github" / "quantisers.png", optimize=True)
    print(drawn.size, np.asarray(drawn).nbytes)


if __name__ == "__main__":
    main()
