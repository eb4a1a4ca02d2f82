"""Images of any mode to pixels that KMC stores, and to codebooks."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import cast

import numpy as np
from PIL import Image, ImageColor

from .._format.codebook import with_alpha
from .._format.indexed import Array, Indexed
from .._format.metadata import check_transparency
from .kinds import distinct_colours

# What a mode is stored as; modes that are not named here are stored as they are.
_STORED_AS = {
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "La": "LA",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}
_STORED = {"1", "L", "LA", "RGB", "RGBA", "P", "I;16", "I;16L", "I;16B", "I;16N", "I"}


def pixels_of(picture: object) -> Array:
    """Return the pixels of an array, an image or the image at a path; of a palette image its colours."""
    if isinstance(picture, (str, PathLike)):
        with Image.open(picture) as opened:
            return pixels_of(opened)
    if not isinstance(picture, Image.Image):
        return array_of(picture)
    check_size(picture)
    transparency = picture.info.get("transparency")
    image = in_stored_mode(picture, transparency)
    return palette_colours(image, transparency) if image.mode == "P" else np.asarray(image)


def array_of(picture: object) -> Array:
    """Return a picture that is no image as an array; raise for what is the name or the bytes of one."""
    if isinstance(picture, (str, PathLike, bytes, bytearray, memoryview)):
        given = repr(picture) if isinstance(picture, (str, PathLike)) else "io.BytesIO(data)"
        raise TypeError(
            f"picture must be an image, an array or an Indexed, not {type(picture).__name__}:"
            f" pass PIL.Image.open({given})"
        )
    return np.asarray(picture)


def codebook_of(source: object) -> Array:
    """Return the codebook of what the option `codebook` gives, shape (k, channels).

    That is an array, or a sequence of colours; an `Indexed`; or an image, open or a path: its
    palette, or of a KMC file whose pixels are not loaded the codebook, or else its distinct colours
    in ascending order.
    """
    if isinstance(source, Indexed):
        return source.codebook
    if isinstance(source, (str, PathLike)):
        with Image.open(source) as opened:
            return codebook_of(opened)
    if isinstance(source, (list, tuple)):
        try:
            return np.asarray(colour_numbers(source, "codebook"))
        except ValueError as error:
            if "inhomogeneous" not in str(error):
                raise
            raise ValueError(
                "codebook must have shape (k, channels): its colours differ in channels"
            ) from error
    if not isinstance(source, Image.Image):
        return np.asarray(source)
    stored = getattr(source, "stored_codebook", None)  # of an opened KMC file
    if stored is not None:
        return cast(Array, stored)
    check_size(source)
    transparency = source.info.get("transparency")
    image = in_stored_mode(source, transparency)
    if image.mode == "P":
        return with_alpha(palette_entries(image, np.flatnonzero(image.histogram())), transparency)
    return distinct_colours(pixels_of(source))


def colour_numbers(colours: Iterable[object], option: str) -> list[object]:
    """Turn colours that are strings into tuples."""
    numbers: list[object] = []
    for colour in colours:
        try:
            numbers.append(ImageColor.getrgb(colour) if isinstance(colour, str) else colour)
        except ValueError as error:
            raise ValueError(f"{option} has {colour!r}: {error}") from error
    return numbers


def check_size(im: Image.Image) -> None:
    width, height = im.size
    if not (width and height):
        raise ValueError(f"cannot write an empty image ({width}x{height}) as KMC")


def in_stored_mode(im: Image.Image, transparency: object) -> Image.Image:
    """Convert a mode that KMC has not, and a transparent colour of one that has no alpha."""
    if im.mode == "P" and transparency is not None:
        check_transparency(transparency)
    if im.mode == "LAB":
        return _lab_to_rgb(im)
    if im.mode in _STORED_AS:
        return im.convert(_STORED_AS[im.mode])
    if im.mode not in _STORED:
        raise OSError(f"cannot write mode {im.mode} as KMC")
    if im.mode == "P" and im.palette and im.palette.mode not in ("RGB", "RGBA"):
        return _with_rgb_palette(im)
    if (im.mode in ("1", "L") and isinstance(transparency, int)) or (
        im.mode == "RGB" and isinstance(transparency, tuple)
    ):
        return with_transparency(im, transparency).convert("RGBA" if im.mode == "RGB" else "LA")
    return im


def palette_colours(im: Image.Image, transparency: object) -> Array:
    im = with_transparency(im, transparency)
    return np.asarray(im.convert("RGBA" if im.has_transparency_data else "RGB"))


def palette_entries(im: Image.Image, used: Array) -> Array:
    """Return the palette of an image, shape (k, 3 or 4), with an entry for each label used."""
    assert im.palette is not None  # as Pillow gives every image of mode P one
    mode = im.palette.mode
    palette = np.array(im.getpalette(mode), np.uint8).reshape(-1, len(mode))
    # Pillow shows pixels beyond the end of the palette as opaque black.
    entries = np.zeros((max(len(palette), int(used[-1]) + 1), len(mode)), np.uint8)
    entries[:, 3:] = 255
    entries[: len(palette)] = palette
    return entries


def with_transparency(im: Image.Image, transparency: object) -> Image.Image:
    """Return a copy that has a transparency, or None, among its info, where Pillow's conversions look."""
    im = im.copy()
    im.info.pop("transparency", None)
    if transparency is not None:
        im.info["transparency"] = transparency
    return im


def _with_rgb_palette(im: Image.Image) -> Image.Image:
    """Return a palette image with the same pixel values and the colours that Pillow shows for them."""
    im = im.copy()
    im.load()
    assert im.palette is not None
    ramp = im.resize((256, 1))
    ramp.frombytes(bytes(range(256)))
    shown = np.asarray(ramp.convert("RGB"))[0]
    im.putpalette(shown[: len(im.palette.palette) // len(im.palette.mode)].tobytes())
    return im


def _lab_to_rgb(im: Image.Image) -> Image.Image:
    from PIL import ImageCms

    rgb = ImageCms.profileToProfile(
        im, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert rgb is not None  # as it does not work in place
    return rgb
