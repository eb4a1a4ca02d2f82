"""Run the golden files through the core as other machines have it: NEON, big-endian; compile it for wasm32.

    python -I tests/cross/run.py

On Debian, `apt install clang gcc-aarch64-linux-gnu gcc-s390x-linux-gnu qemu-user libc6-dev-arm64-cross
libc6-dev-s390x-cross` brings what it needs; what is missing is skipped, with a message.
"""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kmc_format import _core
from kmc_format._format import codec, container
from kmc_format._format.codebook import CODEBOOK_MODELLED, _words
from kmc_format._format.labels import Order, coding_order, decode_labels

HERE = Path(__file__).resolve().parent
CORE = HERE.parents[1] / "kmc_format" / "_core"
LIBC = CORE.parent / "web" / "source" / "libc"  # it declares the seven functions that decoders may use
GOLDEN = HERE.parent / "golden" / "v1"

BINDINGS = {"bind_frames", "bind_labels", "bind_mapping", "binding", "module"}
SOURCES = sorted(path for path in CORE.glob("*.c") if path.stem not in BINDINGS)
DECODER = [
    path for path in SOURCES if path.stem.startswith(("codebook", "drawn", "labels", "machine", "photo"))
]
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{CORE}"]

MACHINES = [  # compiler, its options, and what runs its programs
    ("gcc", [], []),
    ("gcc", ["-DKMC_PLAIN"], []),
    ("clang", [], []),
    ("aarch64-linux-gnu-gcc", ["-static"], ["qemu-aarch64"]),
    ("s390x-linux-gnu-gcc", ["-static"], ["qemu-s390x"]),
]
END, CODEBOOK, LABELS = range(3)
# Golden files of bytes that are valid, but that no writer makes: tests/golden/make.py.
NOT_WRITTEN = ("unlikely-", "I-1-k3-bound-", "I-1-k3-highest-")


def cases() -> Iterator[bytes]:
    """What core.c reads."""
    for path in sorted(GOLDEN.glob("*.kmc")):
        reader = container.Reader(io.BytesIO(path.read_bytes()))
        header = codec.read_header(reader)
        name = path.stem.encode()
        start = numbers(len(name)) + name + numbers(not path.stem.startswith(NOT_WRITTEN))
        if header.front.codebook_coding == CODEBOOK_MODELLED:
            yield numbers(CODEBOOK) + start + codebook_case(header)
        order = coding_order(header.codebook)
        for tile in container.read_tiles(reader, header.front):
            if tile.coding in _core.OPTIONS:
                labels = order.numbers.take(decode_labels(tile, header.k, lambda: order))  # noqa: B023
                yield numbers(LABELS) + start + labels_case(tile, labels, order)
    yield numbers(END)


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def codebook_case(header: codec.Header) -> bytes:
    words = _words(header.codebook)
    sizes = numbers(*words.shape, 8 * words.itemsize, len(header.front.codebook))
    return sizes + header.front.codebook + words.astype("<u4").tobytes()


def labels_case(tile: container.Tile, labels: np.ndarray, order: Order) -> bytes:
    height, width = labels.shape
    coded = tile.payload[1:]
    sizes = numbers(width, height, len(order.labels), tile.coding, tile.payload[0], len(coded))
    return sizes + order.colours.tobytes() + coded + labels.astype("<u4").tobytes()


def run(*command: object) -> bool:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    said = (done.stdout + done.stderr).rstrip()
    if said:
        print(said[-4000:])
    return done.returncode == 0


def check_machines(folder: Path) -> bool:
    good = True
    (folder / "cases").write_bytes(b"".join(cases()))
    for compiler, options, emulator in MACHINES:
        print(compiler, *options, *emulator, end=": ", flush=True)
        missing = [tool for tool in [compiler, *emulator] if not shutil.which(tool)]
        if missing:
            print(f"skipped, as there is no {missing[0]}")
            continue
        program = folder / "core"
        compiled = run(compiler, *STRICT, *options, *SOURCES, HERE / "core.c", "-o", program)
        good &= compiled and run(*emulator, program, folder / "cases")
    return good


def check_wasm(folder: Path) -> bool:
    """Compile the decoder where there is no C library, with vectors and without."""
    print("clang --target=wasm32", end=": ", flush=True)
    if not shutil.which("clang"):
        print("skipped, as there is no clang")
        return True
    options = [*STRICT, "--target=wasm32", "-ffreestanding", "-nostdlib", "-Wno-pass-failed", f"-I{LIBC}"]
    return all(
        run("clang", *options, *vectors, "-c", source, "-o", folder / f"{source.stem}.o")
        for source in DECODER
        for vectors in (["-msimd128"], [])
    ) and not print(f"{len(DECODER)} files compiled")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        good = check_machines(Path(folder))
        return 0 if check_wasm(Path(folder)) and good else 1


if __name__ == "__main__":
    sys.exit(main())
