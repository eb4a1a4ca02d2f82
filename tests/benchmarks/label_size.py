"""Whole files of the same pixels: KMC against oxipng with zopfli, lossless WebP and JPEG XL.

    python tests/benchmarks/label_size.py [CACHE.json]

Prints, for each set, the sum of KMC's bytes divided by the sum of the best peer's for each picture, and
the peers' sums. The peers take about an hour; with CACHE.json their sizes are kept from run to run, by
the hash of the pixels and their versions. Needs `pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import oxipng
from common import IMAGES, versions
from PIL import Image

import kmc_format
from kmc_format import Indexed, codec

PEERS = ("oxipng", "WebP", "JPEG XL")
EFFORTS = (0, 1, 2)


def pictures() -> Iterator[tuple[str, Indexed]]:
    """Yield every picture of every set with the name of its row."""
    for folder in ("kodak", "graphics"):
        for k in (256, 32, 8):
            for path in sorted((IMAGES / folder).glob("*.png")):
                with Image.open(path) as image:
                    yield f"{folder}, k = {k}", kmc_format.quantize(np.asarray(image.convert("RGB")), k)
    for path in sorted((IMAGES / "masks").glob("*.png")):
        with Image.open(path) as image:
            yield "masks, exact", kmc_format.quantize(np.asarray(image))
    for k, row in ((16, "icons, k = 16"), (65_536, "icons, exact")):
        for path in sorted((IMAGES / "icons").glob("*.png")):
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGBA") if image.mode == "P" else image)
                yield row, kmc_format.quantize(pixels, k)


def png(picture: Indexed) -> bytes:
    """Write the smallest PNG Pillow can: a palette of the least bits, or grey."""
    file = io.BytesIO()
    codebook = picture.codebook
    if picture.k > 256 or codebook.shape[1] == 1:
        Image.fromarray(picture.expand()).save(file, "PNG", optimize=True)
        return file.getvalue()
    if codebook.shape[1] == 2:
        codebook = codebook[:, [0, 0, 0, 1]]
    image = Image.frombytes("P", picture.size, picture.labels.tobytes())
    image.putpalette(codebook[:, :3].tobytes())
    bits = next(bits for bits in (1, 2, 4, 8) if picture.k <= 1 << bits)
    alpha = {"transparency": codebook[:, 3].tobytes()} if codebook.shape[1] == 4 else {}
    image.save(file, "PNG", bits=bits, optimize=True, **alpha)
    return file.getvalue()


def peer_sizes(picture: Indexed) -> list[int]:
    pixels = picture.expand()
    shown = pixels
    if pixels.dtype == np.uint16:  # WebP has no 16 bits: high and low byte become red and green
        shown = np.stack([pixels >> 8, pixels & 255, pixels & 0], axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "WEBP", lossless=True, quality=100, method=6, exact=True)
    optimised = oxipng.optimize_from_memory(png(picture), level=5, deflate=oxipng.Deflaters.zopfli(15))
    jxl = imagecodecs.jpegxl_encode(pixels, lossless=True, effort=10)
    return [len(optimised), len(file.getvalue()), len(jxl)]


def main() -> None:
    packages = ("pyoxipng", "pillow", "imagecodecs")
    cache = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    known = json.loads(cache.read_text("utf-8")) if cache and cache.exists() else {}
    rows: dict[str, list[int]] = {}
    for row, picture in pictures():
        peers = [f"{name} {importlib.metadata.version(name)}" for name in packages]
        pixels = picture.expand()
        key = hashlib.sha256(repr((pixels.shape, peers)).encode() + pixels.tobytes()).hexdigest()
        if key not in known:
            known[key] = peer_sizes(picture)
            if cache:
                cache.write_text(json.dumps(known), "utf-8")
        sizes = [len(codec.encode(picture, effort=effort)) for effort in EFFORTS]
        sums = rows.setdefault(row, [0] * 7)
        rows[row] = [a + b for a, b in zip(sums, [*sizes, min(known[key]), *known[key]], strict=True)]
        print(".", end="", file=sys.stderr, flush=True)
    print("\n| set | effort 0 | effort 1 | effort 2 | effort 1 in bytes |", *(f"{p} |" for p in PEERS))
    print("|---" * (5 + len(PEERS)) + "|")
    for row, (packed, balanced, smallest, best, *peers) in rows.items():
        ratios = [f"{size / best:.3f}" for size in (packed, balanced, smallest)]
        print("|", " | ".join([row, *ratios, f"{balanced:,}", *(f"{size:,}" for size in peers)]), "|")
    print("\n" + versions("kmc-format", *packages))


if __name__ == "__main__":
    main()
