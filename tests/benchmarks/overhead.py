"""What the package costs those who do not use it: time of importing it, time of a start, memory.

    python tests/benchmarks/overhead.py

Importing is timed after NumPy and `PIL.Image`, in fresh interpreters; a start, in a new virtual
environment of this Python without and with autoloading. Memory is that of the process while one
file is opened and loaded 10,000 times, and of another that opens, saves and decodes damaged files too.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from common import QUICK, versions

import kmc_format

IMPORT = """
import numpy, PIL.Image, time
t = time.perf_counter()
import kmc_format
print((time.perf_counter() - t) * 1000)
"""
LOADS = (5, 10, 50, 100) if QUICK else (500, 1_000, 5_000, 10_000)
START = "import site, time; t = time.perf_counter(); site.main(); print((time.perf_counter() - t) * 1000)"
MEMORY = """
import io, sys, gc
import numpy as np
import kmc_format
from PIL import Image
ramp = np.add.outer(np.arange(90), np.arange(120)).astype(np.uint8)
data = kmc_format.encode(np.stack([ramp, ramp.T.reshape(90, 120), 255 - ramp], axis=2), k=60, tile=50)

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

def load():
    Image.open(io.BytesIO(data)).load()

def everything():
    load()
    kmc_format.encode(kmc_format.decode(data), effort=0)
    kmc_format.open_region(data, (10, 20, 70, 80))
    try:
        Image.open(io.BytesIO(data[:-9])).load()
    except OSError:
        pass

counts = [int(argument) for argument in sys.argv[2:]]
for n in range(counts[-1] + 1):
    if n in counts:
        print(f"{resident():.1f}")
    {"load": load, "everything": everything}[sys.argv[1]]()
"""


def measured(python: str | Path, *arguments: str) -> list[float]:
    command = [str(python), "-I", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [float(word) for word in output.split()]


def start_times() -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"without": [], "with autoloading": []}
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        here = Path(kmc_format.__file__).parent.parent
        packages = Path(subprocess.check_output([python, "-c", PURELIB], text=True).strip())
        shutil.copytree(here / "kmc_format", packages / "kmc_format")
        (packages / "needs.pth").write_text(f"{here}\n", "utf-8")
        for _ in range(1 if QUICK else 5):
            for name, action in zip(times, ("disable", "enable"), strict=True):
                subprocess.run(
                    [python, "-Im", "kmc_format.autoload", action], check=True, capture_output=True
                )
                times[name] += [measured(python, "-S", "-c", START)[0] for _ in range(2 if QUICK else 10)]
    return times


def memory(what: str) -> list[float]:
    """Return the resident megabytes after each number of loads."""
    return measured(sys.executable, "-c", MEMORY, what, *map(str, LOADS))


PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


def main() -> None:
    imports = [measured(sys.executable, "-c", IMPORT)[0] for _ in range(2 if QUICK else 25)]
    print("| | median | least |\n|---|---|---|")
    print(f"| `import kmc_format`, ms | {statistics.median(imports):.1f} | {min(imports):.1f} |")
    starts = start_times()
    for name, values in starts.items():
        print(f"| start of Python {name}, ms | {statistics.median(values):.2f} | {min(values):.2f} |")
    print("\n| resident MB after loads |", " | ".join(f"{count:,}" for count in LOADS), "|")
    print("|---" * (1 + len(LOADS)) + "|")
    for name in ("load", "everything"):
        print(
            f"| {name} |",
            " | ".join(f"{size:.1f}" for size in memory(name)),
            "|",
        )
    print(f"\n{versions('kmc-format', 'pillow', 'numpy')}")


if __name__ == "__main__":
    main()
