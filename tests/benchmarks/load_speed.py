"""Loading speed of packed labels against Pillow's PNG decoder on the same pixels.

    python tests/benchmarks/load_speed.py

Both load from memory, on one thread, to the same pixels. PNG is measured in both forms it has for
them: as a palette image converted to RGB, and as a palette image left as it is, which is what
loads least.
"""

from __future__ import annotations

import io
import os

from common import alternate, kodak, mosaic, saved, versions
from PIL import Image

import kmc_format


def as_palette(image: Image.Image) -> Image.Image:
    """Return an RGB image of at most 256 colours as a palette image of the same pixels."""
    picture = kmc_format.quantize(image)
    palette = Image.fromarray(picture.labels)
    palette.putpalette(picture.codebook.tobytes())
    return palette


def main() -> None:
    os.environ["KMC_THREADS"] = "1"
    print("Speeds in MP/s.\n")
    print("| picture | k | KMC | PNG to RGB | PNG palette | KMC / PNG to RGB | KMC / PNG palette |")
    print("|---|---|---|---|---|---|---|")
    pictures = {"kodim05, 0.4 MP": kodak(5), "kodim23, 0.4 MP": kodak(23), "mosaic, 9.4 MP": mosaic()}
    for name, image in pictures.items():
        for k in (16, 32, 256):
            kmc = saved(image, "KMC", k=k, effort=0)
            reduced = Image.open(io.BytesIO(kmc))
            png = saved(as_palette(reduced), "PNG")
            assert Image.open(io.BytesIO(png)).convert("RGB").tobytes() == reduced.tobytes()
            seconds = alternate(
                9,
                lambda kmc=kmc: Image.open(io.BytesIO(kmc)).load(),
                lambda png=png: Image.open(io.BytesIO(png)).convert("RGB"),
                lambda png=png: Image.open(io.BytesIO(png)).load(),
            )
            speed = [image.width * image.height / 1e6 / second for second in seconds]
            cells = [f"{value:.0f}" for value in speed] + [f"{speed[0] / other:.2f}" for other in speed[1:]]
            print(f"| {name} | {k} |", " | ".join(cells), "|")
    print()
    print(versions("kmc-format", "pillow", "numpy"))


if __name__ == "__main__":
    main()
