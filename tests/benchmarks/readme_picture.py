"""Draw the README's picture: a photograph beside the same in 32 colours, with its codebook.

python tests/benchmarks/readme_picture.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kmc_format

ROOT = Path(__file__).resolve().parents[2]
K = 32
GAP, LINE, SWATCH = 16, 28, 24


def main() -> None:
    path = ROOT / "sample_images" / "photograph.png"
    with Image.open(path) as image:
        original = image.convert("RGB")
    data = io.BytesIO()
    original.save(data, "KMC", k=K)
    reduced = Image.open(data).convert("RGB")
    codebook = kmc_format.decode(data.getvalue()).codebook
    brightness = codebook @ [0.299, 0.587, 0.114]

    width, height = original.size
    sheet = Image.new("RGB", (2 * width + GAP, LINE + height + SWATCH), "white")
    sheet.paste(original, (0, LINE))
    sheet.paste(reduced, (width + GAP, LINE))
    for n, colour in enumerate(codebook[np.argsort(brightness)].tolist()):
        left, right = (width + GAP + round(edge * width / K) for edge in (n, n + 1))
        sheet.paste(tuple(colour), (left, LINE + height + 4, right, LINE + height + SWATCH))

    colours = len(original.getcolors(original.width * original.height))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    draw.text((0, 4), f"original: {colours:,} colours, PNG {path.stat().st_size:,} bytes", "black", font)
    caption = f"{K} colours: KMC {len(data.getvalue()):,} bytes"
    draw.text((width + GAP, 4), caption, "black", font)
    sheet.save(ROOT / ".github" / "side-by-side.png", optimize=True)


if __name__ == "__main__":
    main()
