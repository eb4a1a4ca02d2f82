"""What several tests share: where the pictures are, and how to make some."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import time
import venv
import zlib
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import kmc_format
from kmc_format import Indexed
from kmc_format._format import codec
from kmc_format._format.indexed import KINDS, Kind
from kmc_format._options.options import SaveOptions

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = sorted((ROOT / "sample_images").glob("*.png"))
FEW_SAMPLES = [path for path in SAMPLES if path.stem in ("icon", "mask", "screenshot")]
SHARED = ROOT.parent / "shared" / "images"
GOLDEN = ROOT / "tests" / "golden" / "v1"
HOSTILE = ROOT / "tests" / "hostile"


def save(image: Image.Image, **options: Any) -> bytes:
    """Save an image as KMC in memory."""
    file = io.BytesIO()
    image.save(file, "KMC", **options)
    return file.getvalue()


def coded(picture: Indexed, metadata: Any = None, **options: Any) -> bytes:
    """Code a picture with any metadata, and options of `kmc_format.encode`."""
    return codec.encode(picture, SaveOptions.of(options).layout(picture.size), metadata)


def load(data: bytes) -> Image.Image:
    """Open and load a KMC file in memory."""
    image = Image.open(io.BytesIO(data), formats=["KMC"])
    image.load()
    return image


def mostly_slow(values: Iterable[Any], quick: Container[Any]) -> list[Any]:
    """Mark the values of a parameter as of the tier `slow`, but for the quick ones, which stand for them."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


def same(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether mode, size and pixels are the same."""
    return one.mode == other.mode and one.size == other.size and one.tobytes() == other.tobytes()


def resealed(data: bytes, start: int, end: int) -> bytes:
    """Put the right CRC behind data[start:end]."""
    return data[:end] + zlib.crc32(data[start:end]).to_bytes(4, "big") + data[end + 4 :]


def scheduler_address(file: Path) -> str:
    """Wait for the file that a Dask scheduler writes, all of it; return the scheduler's address."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return str(json.loads(file.read_text("utf-8"))["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def made_environment(folder: Path) -> tuple[Path, Path]:
    """Make a virtual environment that has the package as this one has it; return its Python and packages."""
    venv.create(folder)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    packages = Path(run_in(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    # What the package needs comes from here, without the .pth files of here being read.
    (packages / "needs.pth").write_text(f"{Path(PIL.__file__).parent.parent}\n", "utf-8")
    source = Path(kmc_format.__file__).parent
    shutil.copytree(source, packages / "kmc_format", ignore=shutil.ignore_patterns("__pycache__"))
    return python, packages


def run_in(python: Path, *arguments: Any, check: bool = True, **environment: str) -> str:
    """Run Python in its own folder; return what it printed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("KMC_", "PYTHON"))},
        **environment,
    }
    result = subprocess.run(
        [python, *arguments], capture_output=True, text=True, cwd=python.parent, env=environment
    )
    assert not check or (result.returncode, result.stderr) == (0, ""), result.stderr
    return (result.stdout + result.stderr).strip()


def psnr(one: Any, other: Any) -> float:
    """Peak signal-to-noise ratio of two 8-bit pictures in decibels."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return float(10 * np.log10(255**2 / np.mean(np.square(difference))))


def smooth(size: tuple[int, int] = (96, 64), mode: str = "RGB") -> Image.Image:
    """Make a small picture with thousands of colours."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    bands = [x * 255 // (width - 1), y * 255 // (height - 1), (x * 3 + y * 5) % 256, 255 - (x + y) % 256]
    image = Image.fromarray(np.stack(bands, axis=2).astype(np.uint8))
    return image.convert(mode)


@st.composite
def indexed_pictures(draw: st.DrawFn, kinds: tuple[Kind, ...] = KINDS) -> Indexed:
    """Draw pictures of all kinds, mostly small, with k on both sides of every label width."""
    kind = draw(st.sampled_from(kinds))
    near_width = st.sampled_from([1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 4096])
    k = min(draw(st.one_of(st.integers(1, 40), near_width)), kind.max_k)
    entries = st.sampled_from([0, 255]) if kind.mode == "1" else None
    codebook = draw(hnp.arrays(kind.dtype, (k, kind.channels), elements=entries, fill=entries))
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    labels = draw(hnp.arrays(np.uint16, shape, elements=st.integers(0, k - 1)))
    return Indexed(codebook, labels, kind.mode)
