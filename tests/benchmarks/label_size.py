"""Whole files of the same pixels: KMC against oxipng with zopfli, lossless WebP and JPEG XL.

    python tests/benchmarks/label_size.py [--cache FILE] [--sets SET ...] [--first N]

Prints, for each set, the sum of KMC's bytes divided by the sum of the best peer's for each picture, and
the sums. The peers take about an hour; with a cache their sizes are kept from run to run, by the hash of
the pixels and their versions. Needs `pip install '.[benchmark]'` and the shared images.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

from common import versions
from label_sets import EFFORTS, arguments, jpeg_xl, optimised_png, pictures, webp

import kmc_format
from kmc_format import Indexed

PACKAGES = ("pyoxipng", "pillow", "imagecodecs")
PEERS = ("oxipng", "WebP", "JPEG XL")


class Sizes:
    """The sizes of the peers' files, in the order of PEERS, kept in a file of JSON if there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.known: dict[str, list[int]] = {}
        if path and path.exists():
            self.known = json.loads(path.read_text("utf-8"))

    def of(self, picture: Indexed) -> list[int]:
        key = self._key(picture)
        if key not in self.known:
            files = optimised_png(picture), webp(picture), jpeg_xl(picture, effort=10)
            self.known[key] = [len(file) for file in files]
            if self.path:
                self.path.write_text(json.dumps(self.known), "utf-8")
        return self.known[key]

    @staticmethod
    def _key(picture: Indexed) -> str:
        pixels = picture.expand()
        peers = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
        return hashlib.sha256(repr((pixels.shape, peers)).encode() + pixels.tobytes()).hexdigest()


def cells(measured: list[Indexed], sizes: Sizes) -> list[str]:
    """Return what a set's row shows."""
    peers = [sizes.of(picture) for picture in measured]
    best = sum(map(min, peers))
    own = [sum(len(kmc_format.encode(picture, effort=effort)) for picture in measured) for effort in EFFORTS]
    totals = [*own, best, *map(sum, zip(*peers, strict=True))]
    return [str(len(measured)), *(f"{size / best:.3f}" for size in own), *(f"{size:,}" for size in totals)]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="keep the sizes of peers' files here")
    wanted = parser.parse_args()
    sizes = Sizes(wanted.cache)
    ratios = [f"effort {effort}" for effort in EFFORTS]
    header = ["set", "pictures", *ratios, *(f"{name}, bytes" for name in (*ratios, "best peers", *PEERS))]
    print("Bytes of KMC over those of the best peer for each picture, and bytes:\n")
    print("|", " | ".join(header), "|")
    print("|---" * len(header) + "|")
    for name in wanted.sets:
        print("|", " | ".join([name, *cells(pictures(name, wanted.first), sizes)]), "|", flush=True)
    print("\n" + versions("kmc-format", *PACKAGES))


if __name__ == "__main__":
    main()
