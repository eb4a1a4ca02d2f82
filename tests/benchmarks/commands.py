"""How the command line does: what a second core is worth when many images are encoded, and its start.

    python tests/benchmarks/commands.py

The 24 Kodak photographs are encoded with default options, with one job and with two in turn, each time
by a new `kmc`, so that starting processes counts. ``kmc --help`` is timed the same way.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from common import KODAK, alternate, kodak, versions

RUNS = 5


def kmc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-Im", "kmc_format", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    kodak(1)  # or say that there are none
    with tempfile.TemporaryDirectory() as folder:
        one, two = alternate(
            RUNS,
            *(partial(kmc, "encode", "--force", str(KODAK), "-o", f"{folder}/{n}", "-j", n) for n in "12"),
        )
        files = [[path.read_bytes() for path in sorted(Path(folder, n).glob("*.kmc"))] for n in "12"]
        assert len(files[0]) == 24
        assert files[0] == files[1]
    print("| 24 Kodak photographs, k = 256 | one job | two jobs | ratio |\n|---|---|---|---|")
    print(f"| seconds | {one:.2f} | {two:.2f} | {one / two:.2f} |")
    [start] = alternate(20, partial(kmc, "--help"))
    print(f"\n`kmc --help`: {start:.3f} s")
    print(f"\n{versions('kmc-format', 'click', 'scikit-learn', 'numpy', 'pillow')}")


if __name__ == "__main__":
    main()
