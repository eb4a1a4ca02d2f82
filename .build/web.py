"""Build kmc_format/web/kmc.js, the decoder for browsers, of its sources and the compiled core.

    python .build/web.py           writes it
    python .build/web.py --check   tells whether it is what the sources give

It needs clang and wasm-ld, on Debian `apt install clang lld`. The same versions give the same bytes; the file
names the version in its first line, and with another one `--check` says so and has nothing to compare.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import re
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "kmc_format" / "_core"
SOURCE = ROOT / "kmc_format" / "web" / "source"
RESULT = ROOT / "kmc_format" / "web" / "kmc.js"
SCRIPTS = ("decoder.js", "element.js")  # in the order in which they are joined

# The files of the core that decode, and how each is compiled: fast where labels are decoded, else small.
FILES = {
    "codebook": "-Oz",
    "drawn": "-Oz",
    "drawn_base": "-O2",
    "drawn_motion": "-Oz",
    "drawn_plain": "-Oz",
    "machine": "-Oz",
    "photo": "-Oz",
    "photo_base": "-O2",
    "photo_plain": "-Oz",
}
COMPILE = [
    "clang",
    "--target=wasm32",
    "-std=c11",
    "-flto",
    "-ffreestanding",
    "-fbuiltin",
    "-nostdlib",
    "-msimd128",
    "-mbulk-memory",
    "-msign-ext",
    f"-I{SOURCE / 'libc'}",
    f"-I{CORE}",
    f"-ffile-prefix-map={ROOT}=.",
]
LINK = [
    "wasm-ld",
    "--no-entry",
    "--gc-sections",
    "--strip-all",
    "--lto-O2",
    "-O2",
    "--stack-first",
    "-z",
    "stack-size=65536",  # tables are elsewhere; an overflow is a trap
    f"--max-memory={2**30}",  # whatever a file says
]


def compiler() -> str:
    """Return the version of clang."""
    said = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", said)
    assert found, said
    return found[1]


def core() -> bytes:
    """Compile the decoder of the core as a module of WebAssembly."""
    with tempfile.TemporaryDirectory() as folder:

        def build(source: Path, option: str) -> str:
            result = str(Path(folder, f"{source.stem}.o"))
            subprocess.run([*COMPILE, option, "-c", str(source), "-o", result], check=True)
            return result

        jobs = [(CORE / f"{name}.c", option) for name, option in FILES.items()]
        with ThreadPoolExecutor() as pool:
            objects = list(pool.map(lambda job: build(*job), [*jobs, (SOURCE / "core.c", "-Oz")]))
        module = Path(folder, "core.wasm")
        subprocess.run([*LINK, *objects, "-o", str(module)], check=True)
        return module.read_bytes()


# Strings are kept whole; of a template, what is in its braces too, so these hold no comments. There are no
# regular expressions in the sources that hold quotes or slashes.
TOKENS = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|(?P<comment>/\*.*?\*/|//[^\n]*)""",
    re.DOTALL,
)


def strip(script: str) -> str:
    """Leave out comments, and space at the ends of lines."""
    bare = TOKENS.sub(lambda found: found["text"] or "", script)
    return "\n".join(line for line in map(str.strip, bare.split("\n")) if line) + "\n"


def script() -> str:
    """Return what kmc.js is to hold."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    coded = base64.b64encode(deflate.compress(core()) + deflate.flush()).decode()
    scripts = [strip((SOURCE / name).read_text("utf-8")) for name in SCRIPTS if (SOURCE / name).exists()]
    joined = "".join(scripts)
    assert joined.count("@CORE@") == 1
    return f"// KMC for browsers, built of kmc_format/web/source with clang {compiler()}\n" + joined.replace(
        "@CORE@", coded
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if parser.parse_args().check:
        there = RESULT.read_text("utf-8")
        first = there.partition("\n")[0]
        if not first.endswith(f" clang {compiler()}"):
            print(f"{RESULT.name} was built with another compiler than clang {compiler()}: nothing to compare")
            return 0
        same = there == script()
        print(f"{RESULT.name} is {'' if same else 'not '}what its sources give")
        return 0 if same else 1
    RESULT.write_text(script(), "utf-8")
    data = RESULT.read_bytes()
    print(f"{len(data):,} bytes, {len(gzip.compress(data, 9)):,} compressed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
