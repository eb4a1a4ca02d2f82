"""Other quantisers, called alike: an image and k to the pixels they make of it."""

from __future__ import annotations

import imagequant
import numpy as np
from PIL import Image

BEST, DEFAULT = 1, 4  # speeds of libimagequant and pngquant


def libimagequant(image: Image.Image, k: int, *, speed: int = BEST, dither: float = 0.0) -> Image.Image:
    """Quantise with libimagequant, whose binding does not let the speed be chosen."""
    lib, ffi = imagequant.lib, imagequant.ffi
    rgba = image.convert("RGBA").tobytes()
    attributes = lib.liq_attr_create()
    lib.liq_set_speed(attributes, speed)
    lib.liq_set_max_colors(attributes, k)
    picture = lib.liq_image_create_rgba(attributes, rgba, *image.size, 0)
    result = ffi.new("liq_result**")
    if lib.liq_image_quantize(picture, attributes, result):
        raise RuntimeError("libimagequant failed")
    lib.liq_set_dithering_level(result[0], dither)
    labels = ffi.new("char[]", image.width * image.height)
    lib.liq_write_remapped_image(result[0], picture, labels, len(labels))
    palette = lib.liq_get_palette(result[0])
    codebook = np.array(
        [[entry.r, entry.g, entry.b, entry.a] for entry in palette.entries[0 : palette.count]], np.uint8
    )
    numbers = np.frombuffer(ffi.buffer(labels), np.uint8).reshape(image.height, image.width)
    for free, what in (
        (lib.liq_result_destroy, result[0]),
        (lib.liq_image_destroy, picture),
        (lib.liq_attr_destroy, attributes),
    ):
        free(what)
    pixels = Image.fromarray(codebook[numbers])
    return pixels if image.mode == "RGBA" else pixels.convert("RGB")


def pillow(image: Image.Image, k: int, *, method: Image.Quantize, dither: float = 0.0) -> Image.Image:
    """Quantise with Pillow; its dithering is all or nothing, and takes the codebook found before."""
    reduced = image.quantize(k, method)
    if dither:
        reduced = image.quantize(palette=reduced, dither=Image.Dither.FLOYDSTEINBERG)
    return reduced.convert(image.mode)
