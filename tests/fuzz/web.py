"""Feed damaged and forged files to kmc.js in Node, too, and compare what both readers make of them.

    python -I tests/fuzz/web.py --count 100000 --seed 1

The files are those of fuzz.py. Both readers must agree on whether a file is sound, on the rule that it
breaks, and on all that is in it. An input depends on seed and number alone, so ``--only 123`` makes it
again, and ``--save`` writes it.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import fuzz  # noqa: E402
from web_cases import case, header_of  # noqa: E402

from kmc_format import KMCError  # noqa: E402
from kmc_format._format import container  # noqa: E402
from kmc_format._format.container import Reader  # noqa: E402
from kmc_format._format.frame_reading import FrameReader  # noqa: E402
from kmc_format._format.frames import BACK, KEPT, KEY, MOST_DEPTH  # noqa: E402

MAX_PIXELS = 2**16
MOST_FRAMES = 24  # are decoded, as files may promise any number
# What a reader that looks at all frames before it decodes one finds later.
IN_CODEBOOKS = {"k", "codebook-coding", "codebook-length", "codebook-value"}


def expected(data: bytes) -> dict[str, Any]:
    """Return what tests/web/checks.js is to find."""
    later: set[str] = set()
    try:
        grid = container._read_header(Reader(io.BytesIO(data))).grid
        if grid.width * grid.height > MAX_PIXELS:
            return {"rules": ["limit"]}
        header = header_of(data)
        if header.is_animated:
            check_structure(FrameReader(io.BytesIO(data), header), later)
        found = case(data, MOST_FRAMES)
        return {"rules": ["", *later]} if later else found
    except KMCError as error:
        return {"rules": sorted({error.rule} | later)}


def check_structure(reader: FrameReader, later: set[str]) -> None:
    """Check frames before one is decoded; add rules that codebooks break, as these are decoded later."""
    kept, depths = 0, [1]
    for number in range(1, len(reader)):
        try:
            flags, back = reader._frame(number)[1:4:2]
        except KMCError as error:
            if error.rule not in IN_CODEBOOKS:
                raise
            later.add(error.rule)
            flags, back = KEY, 0
        if flags & BACK and number - back != kept:
            raise KMCError("frame-back", "")
        depths.append(depths[number - back] + 1 if back else 1)
        if depths[-1] > MOST_DEPTH:
            raise KMCError("frame-depth", "")
        if flags & (KEY | KEPT):
            kept = number


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="files to compare")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="compare just the file of this number")
    parser.add_argument("--save", type=Path, help="where to write that file")
    options = parser.parse_args()
    numbers = range(options.count) if options.only is None else range(options.only, options.only + 1)
    node = shutil.which("node")
    if not node:
        sys.exit("there is no node")
    command = [node, str(HERE.parent / "web" / "fuzz.mjs"), str(MAX_PIXELS), str(MOST_FRAMES)]
    with fuzz.prepared(), subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for number in numbers:
            data = fuzz.mutant(random.Random(f"decode {options.seed} {number}"))[0]
            if options.save:
                options.save.write_bytes(data)
            text = json.dumps({"number": number, **expected(data)}).encode()
            try:
                for part in (text, data):
                    process.stdin.write(struct.pack("<I", len(part)) + part)
            except BrokenPipeError:
                break  # Node tells why
        process.stdin.close()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
