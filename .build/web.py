"""Build kmc_format/web/kmc.js, the decoder for browsers, of its sources and the compiled core.

    python .build/web.py           writes it
    python .build/web.py --check   tells whether it is what the sources give

It needs clang and wasm-ld, on Debian `apt install clang lld`, and for the smallest file `pip install zopfli`.
The same version of clang gives the same code; the file names the version in its first line, and with another
one there is nothing to compare.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import itertools
import re
import shutil
import string
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "kmc_format" / "_core"
SOURCE = ROOT / "kmc_format" / "web" / "source"
RESULT = ROOT / "kmc_format" / "web" / "kmc.js"
LICENSE = ROOT / "LICENSE"
DECODER = (
    "reader.js",
    "codebook.js",
    "container.js",
    "decoder.js",
)  # in the order in which they are joined, before element.js

# The files of the core that decode. All are made small, those less that take nearly all of the time.
FILES = ("codebook", "drawn", "drawn_base", "drawn_motion", "photo", "photo_base")
FAST = {"drawn_base": "-Os", "photo_base": "-O2"}
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
    "-fno-vectorize",  # what gains by vectors has them already
    "-fno-slp-vectorize",
    "-Wno-pass-failed",  # loops are to be unrolled where their length is known
    f"-I{SOURCE / 'libc'}",
    f"-I{CORE}",
]
LINK = [
    "wasm-ld",
    "--no-entry",
    "--gc-sections",
    "--strip-all",
    "--lto-O2",
    "-O2",
    *("-mllvm", "-vectorize-loops=false", "-mllvm", "-vectorize-slp=false"),
    *("-mllvm", "-disable-lsr"),  # which makes it larger, and no faster
    "--stack-first",  # so that an overflow is a trap
    *("-z", "stack-size=65536"),
    f"--max-memory={2**30}",  # whatever a file says
]

# What scripts consist of. There are no regular expressions in them that hold quotes, comments or spaces, and
# in the braces of a template are only names, points and what else a name would not be mistaken for.
TOKENS = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|(?P<comment>/\*.*?\*/|//[^\n]*)"""
    r"""|(?P<name>[A-Za-z_$][\w$]*)|(?P<other>\d\w*|#\w+|.)""",
    re.DOTALL,
)
NAME = re.compile(r"(?<![#\w$])[A-Za-z_$][\w$]*")
BRACES = re.compile(r"(?<=\$\{)[^}]*(?=\})")
# Names that are not ours to shorten.
KEPT = {
    name
    for line in Path(__file__).with_name("web_names.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
    for name in line.split()
}


def compiler() -> str:
    """Return the version of clang."""
    said = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+\.\d+\.\d+)", said)
    assert found, said
    return found[1]


def core() -> bytes:
    """Compile the decoder of the core as a module of WebAssembly."""
    with tempfile.TemporaryDirectory() as folder:

        def build(source: Path) -> str:
            result = str(Path(folder, f"{source.stem}.o"))
            subprocess.run(
                [*COMPILE, FAST.get(source.stem, "-Oz"), "-c", str(source), "-o", result], check=True
            )
            return result

        with ThreadPoolExecutor() as pool:
            objects = list(pool.map(build, [*(CORE / f"{name}.c" for name in FILES), SOURCE / "core.c"]))
        module = Path(folder, "core.wasm")
        linked = subprocess.run([*LINK, *objects, "-o", str(module)], stderr=subprocess.PIPE, text=True)
        if linked.returncode:
            sys.exit(linked.stderr)
        return module.read_bytes()


def deflate(data: bytes) -> bytes:
    """Compress as a bare deflate stream, as far as there is a program for it."""
    try:
        import zopfli.zlib

        return bytes(zopfli.zlib.compress(data, numiterations=50))[2:-4]
    except ImportError:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
        return compressor.compress(data) + compressor.flush()


def names_in(script: str) -> Iterator[str]:
    for found in TOKENS.finditer(script):
        if found["name"]:
            yield found["name"]
        elif found["text"] and found["text"][0] == "`":
            for inside in BRACES.findall(found["text"]):
                yield from NAME.findall(inside)


def short_names(script: str) -> dict[str, str]:
    """Return shorter names for those that are ours, the shortest for the most frequent."""
    counts = Counter(names_in(script))
    letters = string.ascii_letters
    candidates = (a + b for a in ["", *letters] for b in letters)
    unused = itertools.filterfalse(KEPT.__contains__, candidates)
    ours = {name: next(unused) for name, _ in counts.most_common() if name not in KEPT}
    return ours | {"const": "let"}


def strip(script: str, names: dict[str, str]) -> str:
    """Leave out comments and space that say nothing, and shorten names."""

    def renamed(found: re.Match[str]) -> str:
        return names.get(found[0], found[0])

    def template(text: str) -> str:
        return BRACES.sub(lambda inside: NAME.sub(renamed, inside[0]), re.sub(r"\s*\n\s*", "", text))

    parts = [""]
    for found in TOKENS.finditer(script):
        if text := found["text"]:
            parts += [template(text) if text[0] == "`" else text, ""]
        elif found["comment"] is None:
            if found[0] == "'":
                raise ValueError("texts in scripts are to be in double quotes, or in backquotes")
            parts[-1] += renamed(found)
    return "".join(part if n % 2 else without_space(part) for n, part in enumerate(parts)).strip() + "\n"


def without_space(code: str) -> str:
    """Leave out what need not be there: also semicolons and commas before an end."""
    code = re.sub(r"\s*\n\s*", "\n", code)
    code = re.sub(r" *([\][{}(),;:=?&|<>!*]) *", r"\1", code)
    code = re.sub(r"(?<![-+/]) ?([-+/%^]=?) ?(?![-+/])", r"\1", code)
    code = re.sub(r"(?<!async)\((\w+)\)=>", r"\1=>", code)
    code = re.sub(r"\n(?=[\]}).?:&|])|(?<=[\[{(,;:?&|=>])\n|(?<=})\n(?!export )", "", code)
    return re.sub(r"[;,](?=})|,(?=[)\]])", "", code)


def scripts() -> str:
    """Return the scripts as one, in which there is no core yet."""
    decoder = "".join((SOURCE / name).read_text("utf-8") for name in DECODER)
    element = (SOURCE / "element.js").read_text("utf-8")
    names = short_names(decoder + element)
    holder = re.search(r"^Copyright .*$", LICENSE.read_text("utf-8"), re.MULTILINE)
    assert holder
    first = f"// kmc_format, MIT licence. {holder[0]}. Of kmc_format/web/source, with clang {compiler()}\n"
    joined = strip(decoder, names) + with_short_privates(strip(element, names))
    # Last, as gzip makes less of the scripts where they are beside it.
    return f'{first}{joined}function CORE(){{return"@CORE@"}}\n'


def with_short_privates(script: str) -> str:
    """Shorten the private names of classes, which begin with #; nothing else may in the element."""
    for found in TOKENS.finditer(script):
        if re.search(r"#\w", BRACES.sub("", found["text"] or "")):
            raise ValueError(f"this would be taken for a private name: {found[0]}")
    names = sorted(set(re.findall(r"#\w+", script)))
    short = dict(zip(names, string.ascii_letters, strict=False))
    assert len(short) == len(names)
    return re.sub(r"#\w+", lambda found: "#" + short[found[0]], script)


def parts_of(result: str) -> tuple[str, bytes]:
    """Take a result apart into the scripts and the core."""
    found = re.search(r'(?<=")[A-Za-z0-9+/]{1000,}={0,2}(?=")', result)
    assert found
    expanded = zlib.decompress(base64.b64decode(found[0]), -15)
    return result[: found.start()] + "@CORE@" + result[found.end() :], expanded


def compressed(data: bytes) -> int:
    """Return the size with zlib's gzip or with the program, which differ by hundreds of bytes: the larger."""
    size = len(gzip.compress(data, 9))
    if program := shutil.which("gzip"):
        done = subprocess.run([program, "-9c"], input=data, capture_output=True, check=True)
        size = max(size, len(done.stdout))
    return size


def check() -> int:
    there = RESULT.read_text("utf-8")
    if not there.partition("\n")[0].endswith(f" clang {compiler()}"):
        print(f"it was built with another compiler than clang {compiler()}: there is nothing to compare")
        return 0
    same = parts_of(there) == (scripts(), core())
    print(f"{RESULT.name} is {'' if same else 'not '}what its sources give")
    return 0 if same else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if parser.parse_args().check:
        return check()
    RESULT.write_text(scripts().replace("@CORE@", base64.b64encode(deflate(core())).decode()), "utf-8")
    data = RESULT.read_bytes()
    print(f"{len(data):,} bytes, {compressed(data):,} compressed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
