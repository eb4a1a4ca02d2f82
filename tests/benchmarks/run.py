"""Run the benchmarks on the installed version, and write what they print to RESULTS.md beside this file.

    python tests/benchmarks/run.py [--cache FILE] [--into FILE] [BENCHMARK ...]
    python tests/benchmarks/run.py --quick [BENCHMARK ...]

Without names all of them run, which takes hours on a quiet machine. With names only those do; what others
gave before is kept if it came from the same version, machine and Python. With a cache, the sizes of
other formats' files are not found again. `--quick` runs a little of each to see that all of it runs; what
comes of it means nothing, and is printed instead of written.

Needs `pip install '.[benchmark,test-apps]'`, the shared images, pngquant, gifsicle and Chromium; a benchmark
that fails is named in the end, and its part says how.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import kmc_format

FOLDER = Path(__file__).resolve().parent
BENCHMARKS = (
    "against_png",
    "label_size",
    "label_speed",
    "frames",
    "masks_loader",
    "load_speed",
    "web",
    "codebooks",
    "rate",
    "quality",
    "preview",
    "overhead",
    "commands",
    "page",
    "cluster",
    "raster",
)


def processor() -> str:
    """Return the name of the processor, where the system tells."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", information.read_text("utf-8"), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def head() -> str:
    """Return what is above the parts: the version, and what it ran on."""
    return (
        "# Results of the benchmarks\n\n"
        f"kmc-format {kmc_format.__version__}, Python {platform.python_version()}, {platform.system()}, "
        f"{os.cpu_count()} cores of {processor()}. Written by `python tests/benchmarks/run.py`.\n"
    )


def kept(path: Path) -> dict[str, str]:
    """Return the parts of an older file with the same head, by the name of the benchmark."""
    if not path.exists():
        return {}
    top, *parts = re.split(r"^(?=## )", path.read_text("utf-8"), flags=re.MULTILINE)
    if top.strip() != head().strip():
        return {}
    return {part.split(maxsplit=2)[1]: part for part in parts}


def run(name: str, arguments: list[str]) -> tuple[str, bool]:
    """Run a benchmark; return its part of the results, and whether it ended well."""
    script = FOLDER / f"{name}.py"
    about = (ast.get_docstring(ast.parse(script.read_text("utf-8"))) or "").partition("\n")[0]
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True)
    minutes = (time.perf_counter() - start) / 60
    end = f"({minutes:.1f} minutes)" if not done.returncode else f"It failed with status {done.returncode}."
    return f"## {name}\n\n{about}\n\n{done.stdout.strip()}\n\n{end}\n", not done.returncode


def in_order(parts: dict[str, str]) -> list[str]:
    return [parts[name] for name in BENCHMARKS if name in parts]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=", ".join(BENCHMARKS))
    parser.add_argument("--cache", type=Path, metavar="FILE", help="as for label_size.py")
    parser.add_argument("--into", type=Path, metavar="FILE", default=FOLDER / "RESULTS.md")
    parser.add_argument("--quick", action="store_true", help="only see that they run")
    given = parser.parse_args()
    wanted = given.benchmarks or list(BENCHMARKS)
    if unknown := set(wanted) - set(BENCHMARKS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    parts = {} if given.quick else kept(given.into)
    if given.quick:
        os.environ["KMC_BENCHMARK_QUICK"] = "1"
    failed = []
    for name in wanted:
        print(name, file=sys.stderr, flush=True)
        cached = ["--cache", str(given.cache)] if given.cache and name == "label_size" else []
        parts[name], well = run(name, cached)
        failed += [] if well else [name]
        if given.quick:
            print(parts[name], flush=True)
        else:
            given.into.write_text("\n".join([head(), *in_order(parts)]), "utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
