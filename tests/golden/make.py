"""Write the golden files of format version 1, each with its picture as PNG or its pixels as .npy.

    python tests/golden/make.py

Written once, decoded for ever: this refuses to change a file that exists. Until the package is at
1.0 they may be made anew together with a change of the format.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from kmc_format import Indexed, codec
from kmc_format.indexed import KINDS

FOLDER = Path(__file__).parent / "v1"


def picture(mode: str, dtype: str, channels: int, k: int, size: tuple[int, int]) -> Indexed:
    """Make a picture with areas, lines and noise that uses its first and last entry."""
    rng = np.random.default_rng(k)
    limits = np.iinfo(dtype)
    codebook = rng.integers(limits.min, limits.max + 1, (k, channels)).astype(dtype)
    if mode == "1":
        codebook = np.array([[255], [0]], np.uint8)[:k]
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    labels = (x // 3 + y // 4) % min(k, 7)
    labels = np.where(rng.random((height, width)) < 0.2, rng.integers(0, k, (height, width)), labels)
    labels[0, 0], labels[-1, -1] = 0, k - 1
    return Indexed(codebook, labels, mode)


def cases() -> dict[str, bytes]:
    files = {}
    for kind in KINDS:
        for k in (1, 2, 3, 16, 17, 256, 257, 4096):
            if k <= kind.max_k and (k in (2, 17, 256) or kind.mode == "RGB"):
                name = f"{kind.mode.replace(';', '')}-{kind.channels}-k{k}"
                files[name] = codec.encode(picture(*kind, k, (29, 23)))
    rgb = KINDS[3]
    files["RGB-3-k65536"] = codec.encode(picture(*rgb, 65536, (29, 23)))
    for size in ((1, 1), (1, 50), (50, 1)):
        files["RGB-3-k5-{}x{}".format(*size)] = codec.encode(picture(*rgb, 5, size))
    files["RGB-3-k9-tiles"] = codec.encode(picture(*rgb, 9, (29, 23)), tile=(8, 10))
    metadata = codec.Metadata(icc_profile=b"icc", exif=b"Exif\0\0exif", xmp=b"<xmp/>", dpi=(72, 300.5))
    files["RGB-3-k4-metadata"] = codec.encode(picture(*rgb, 4, (29, 23)), metadata=metadata)
    for mode, dtype, channels in KINDS[1:]:
        steps = (
            np.arange(90)[:, None] * [7, 3, 250, 1][:channels] * 255 ** (np.dtype(dtype).itemsize - 1)
        ) & (2 ** (8 * np.dtype(dtype).itemsize) - 1)
        codebook = steps.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
        regular = Indexed(codebook, picture(mode, dtype, channels, 90, (29, 23)).labels, mode)
        files[f"{mode.replace(';', '')}-{channels}-k90-regular"] = codec.encode(regular)
    for k in (4, 256, 300):
        noise = np.random.default_rng(k).integers(0, k, (3, 5))
        noise[0, 0] = k - 1
        files[f"RGB-3-k{k}-noise"] = codec.encode(Indexed(picture(*rgb, k, (2, 2)).codebook, noise))
    ids = picture(*KINDS[7], 600, (29, 23))
    files["I16-1-k600-tiles-metadata"] = codec.encode(ids, tile=(11, 9), metadata=metadata)
    palette = picture(*KINDS[5], 30, (29, 23))
    files["P-3-k30-clear"] = codec.encode(palette, metadata=codec.Metadata(transparency=3))
    files["P-3-k30-alphas"] = codec.encode(palette, metadata=codec.Metadata(transparency=b"\x00\x80\xff\x40"))
    return files


def reference(data: bytes) -> Image.Image:
    """Open a file as Pillow sees it, in a form PNG can hold exactly."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, data in cases().items():
        path = FOLDER / f"{name}.kmc"
        if path.exists():
            if path.read_bytes() != data:
                print(f"{path.name} exists and differs: left alone")
            continue
        path.write_bytes(data)
        image = reference(data)
        if image.mode == "I":
            np.save(path.with_suffix(".npy"), np.asarray(image))
        else:
            image.save(path.with_suffix(".png"))
