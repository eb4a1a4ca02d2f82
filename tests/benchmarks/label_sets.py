"""The pictures that benchmarks of labels measure, by set, and the files that peers make of them.

A set has a name such as ``kodak-32``: the folder of the shared images, and the number of colours that they
are reduced to. Sets without a number keep all colours, as masks do.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import oxipng
from common import IMAGES, QUICK, saved
from PIL import Image

import kmc_format
from kmc_format import Indexed

Pixels = npt.NDArray[np.uint8 | np.uint16]

EFFORTS = (0, 1, 2)
COLOURS: dict[str, tuple[int | None, ...]] = {
    "kodak": (256, 32, 8),
    "graphics": (256, 32, 8),
    "masks": (None,),
    "text": (None, 64, 32, 16, 8, 4, 2),
    "icons": (16, None),
}
SETS = {f"{folder}-{k}" if k else folder: (folder, k) for folder, numbers in COLOURS.items() for k in numbers}
MAX_K = 65_536


def arguments(doc: str) -> argparse.ArgumentParser:
    """Return a parser of the command line that lets one choose sets and pictures."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    sets = ["masks", "icons-16"] if QUICK else list(SETS)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=sets, metavar="SET", help=", ".join(SETS))
    parser.add_argument(
        "--first",
        type=int,
        default=1 if QUICK else None,
        metavar="N",
        help="only the first N pictures of each set",
    )
    return parser


def paths(folder: str) -> list[Path]:
    """Return the files of a folder of the shared images."""
    found = sorted((IMAGES / folder).glob("*.png"))
    if not found:
        raise SystemExit(f"this benchmark needs the images in {IMAGES / folder}")
    return found


@functools.cache
def pictures(name: str, first: int | None = None) -> list[Indexed]:
    """Return the pictures of a set; one that has two colours anyway is in no set of fewer colours."""
    folder, k = SETS[name]
    files = [path for path in paths(folder) if not (k and path.stem == "bilevel")]
    return [kmc_format.quantize(pixels_of(path), k or MAX_K) for path in files[:first]]


def pixels_of(path: Path) -> Pixels:
    """Load a picture as the sets have it: icons and masks as they are, what else has colours as RGB."""
    with Image.open(path) as image:
        if image.mode == "1":
            return np.asarray(image.convert("L"))
        if path.parent.name in ("icons", "masks"):
            return np.asarray(image.convert("RGBA") if image.mode == "P" else image)
        return np.asarray(image.convert("RGB"))


def png(picture: Indexed) -> bytes:
    """Write the smallest PNG Pillow can: a palette of the least bits, or grey."""
    codebook = picture.codebook
    if picture.k > 256 or codebook.shape[1] == 1:
        return saved(Image.fromarray(picture.expand()), "PNG", optimize=True)
    if codebook.shape[1] == 2:
        codebook = codebook[:, [0, 0, 0, 1]]
    image = Image.frombytes("P", picture.size, picture.labels.tobytes())
    image.putpalette(codebook[:, :3].tobytes())
    bits = next(bits for bits in (1, 2, 4, 8) if picture.k <= 1 << bits)
    alpha = {"transparency": codebook[:, 3].tobytes()} if codebook.shape[1] == 4 else {}
    return saved(image, "PNG", bits=bits, optimize=True, **alpha)


def optimised_png(picture: Indexed) -> bytes:
    """Write a PNG and let oxipng and zopfli make it smaller."""
    return oxipng.optimize_from_memory(png(picture), level=5, deflate=oxipng.Deflaters.zopfli(15))


def webp(picture: Indexed) -> bytes:
    """Write the smallest lossless WebP, which has no 16 bits: high and low byte become red and green."""
    pixels = picture.expand()
    if pixels.dtype == np.uint16:
        pixels = np.stack([pixels >> 8, pixels & 255, pixels & 0], axis=2).astype(np.uint8)
    return saved(Image.fromarray(pixels), "WEBP", lossless=True, quality=100, method=6, exact=True)


def jpeg_xl(picture: Indexed, effort: int) -> bytes:
    """Write a lossless JPEG XL."""
    return bytes(imagecodecs.jpegxl_encode(picture.expand(), lossless=True, effort=effort))
