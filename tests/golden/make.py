"""Write the golden files of format version 1, each with its picture as PNG or its pixels as .npy.

    python tests/golden/make.py

Written once, decoded for ever: this leaves alone what exists, even where it would now be coded in
fewer bytes. Until the package is at 1.0 they may be made anew with a new version of the format.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from kmc_format import Indexed, _labels, codec, container
from kmc_format.container import Reader
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
    files["RGB-3-k4-rdo"] = codec.encode(picture(*rgb, 4, (29, 23)), metadata=codec.Metadata(rdo=12.5))
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


def modelled(indexed: Indexed, model: int) -> bytes:
    """Code one tile by a model, though another coding may be shorter."""
    order = codec.coding_order(indexed.codebook)
    numbers = order.numbers.take(indexed.labels)
    payload = bytes([model]) + _labels.encode_labels(numbers, order.colours, model, 16 * numbers.size + 16)
    packed = codec.encode(indexed, effort=0)
    header = codec.read_header(Reader(io.BytesIO(packed)))
    return packed[: header.front.start] + container.pack_chunk(codec.LABELS_MODELLED, payload)


def modelled_cases() -> dict[str, bytes]:
    """Pictures on both sides of every change in the models, and all models."""
    files = {}
    rgb = KINDS[3]
    models = sorted(codec._KNOWN_MODELS)
    for n, k in enumerate((1, 2, 3, 16, 17, 32, 33, 256, 257, 4096, 4097, 65536)):
        for model in (models[n % 5], models[5 + n % 5]):
            files[f"RGB-3-k{k}-model{model}"] = modelled(picture(*rgb, k, (29, 23)), model)
    for model in models:
        for size in ((1, 1), (1, 50), (50, 1), (2, 2)):
            files["RGB-3-k5-{}x{}-model{}".format(*size, model)] = modelled(picture(*rgb, 5, size), model)
        for k in (6, 25, 60, 400):
            areas = picture(*rgb, k, (13, 9))
            areas = Indexed(areas.codebook, np.kron(areas.labels, np.ones((3, 3), int)), "RGB")
            files[f"RGB-3-k{k}-areas-model{model}"] = modelled(areas, model)
    for kind in KINDS:
        for model in (0, 2, 8, 12):
            name = f"{kind.mode.replace(';', '')}-{kind.channels}-model{model}"
            files[name] = modelled(picture(*kind, min(60, kind.max_k), (29, 23)), model)
    for effort in (1, 2):
        areas = picture(*rgb, 40, (61, 47))
        areas = Indexed(areas.codebook, np.kron(areas.labels, np.ones((3, 3), int)), "RGB")
        files[f"RGB-3-k40-tiles-effort{effort}"] = codec.encode(areas, effort=effort, tile=(50, 40))
    ramp = np.arange(3000)[:, None] * [3, 2, 1, 7] // 40 % 256
    for k in (20, 300, 3000):
        for channels in (2, 3, 4):
            codebook = ramp[:k, :channels].astype(np.uint8)
            smooth = Indexed(codebook, picture(*rgb, k, (19, 13)).labels)
            files[f"{smooth.mode}-{channels}-k{k}-ramp"] = codec.encode(smooth)
    return files


def reference(data: bytes) -> Image.Image:
    """Open a file as Pillow sees it, in a form PNG can hold exactly."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, data in (cases() | modelled_cases()).items():
        path = FOLDER / f"{name}.kmc"
        if path.exists():
            continue
        path.write_bytes(data)
        image = reference(data)
        if image.mode == "I":
            np.save(path.with_suffix(".npy"), np.asarray(image))
        else:
            image.save(path.with_suffix(".png"))
