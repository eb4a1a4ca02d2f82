"""Pictures and save options to bytes: what `Image.save` and the array functions do alike.

Options are checked here, with errors that name the option, before anything is clustered or written;
then an image or array becomes an `Indexed` and the metadata to go with it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from os import PathLike
from typing import Any, cast

import numpy as np
from PIL import Image, ImageColor

from . import codec, kmeans, rate
from .indexed import MAX_K, Array, Indexed
from .likeness import looks_like_labels, percentage
from .options import exif_bytes

# The options that choose colours, with their defaults; they are for pixels, not for an `Indexed`.
QUANTIZING = {"k": None, "random_state": 0, "space": "srgb", "keep": None, "codebook": None, "dither": 0.0}
# Those that weigh error against bytes.
RATING = {"rdo": 0.0, "quality": None, "max_bytes": None, "max_error": None}
# Those that change how labels are coded, not what they are.
CODING = ("effort", "tile", "threads")

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
_OTHER_PROFILES = {"CMYK", "LAB"}  # modes whose colour profile would be wrong for RGB
_STORED = {"1", "L", "LA", "RGB", "RGBA", "P", "I;16", "I;16L", "I;16B", "I;16N", "I"}


def encode(picture: Array | Image.Image | Indexed, options: Mapping[str, Any]) -> bytes:
    """Code an image, an array or an `Indexed` as the bytes of a KMC file, with options that are not None."""
    if isinstance(picture, Image.Image):
        return encode_image(picture, options)
    metadata = given_metadata(options)
    coding = {name: options[name] for name in CODING if name in options}
    if isinstance(picture, Indexed):
        for name, default in {**QUANTIZING, **RATING}.items():
            if name in options and (default is None or options[name] != default):
                raise TypeError(
                    f"{name}={options[name]!r} is for pixels; an Indexed is stored as it is, k={picture.k}"
                )
        return codec.encode(picture, **coding, metadata=metadata)
    pixels = array_of(picture)
    if pixels.ndim > 1 and pixels.size:
        codec.check_options((pixels.shape[1], pixels.shape[0]), **coding)
    indexed, chosen = index_pixels(pixels, quantizing_options(options), goal_of(options), coding, metadata)
    return codec.encode(indexed, **coding, metadata=cast(codec.Metadata, {**metadata, **chosen}))


def encode_image(im: Image.Image, options: Mapping[str, Any]) -> bytes:
    """Code a Pillow image as the bytes of a KMC file, with the save options of the README."""
    coding = {name: options[name] for name in CODING if options.get(name) is not None}
    _check_size(im)
    codec.check_options(im.size, **coding)  # before clustering, which may take long
    if "icc_profile" not in options and im.mode not in _OTHER_PROFILES:
        options = {**options, "icc_profile": im.info.get("icc_profile")}
    given = given_metadata(options)
    transparency = options.get("transparency", im.info.get("transparency"))
    indexed, metadata = index_image(im, options, transparency, coding, given)
    return codec.encode(indexed, **coding, metadata=cast(codec.Metadata, {**given, **metadata}))


def array_of(picture: object) -> Array:
    """Return a picture that is no image as an array; raise for what is the name or the bytes of one."""
    if isinstance(picture, (str, PathLike, bytes, bytearray, memoryview)):
        given = repr(picture) if isinstance(picture, (str, PathLike)) else "io.BytesIO(data)"
        raise TypeError(
            f"picture must be an image, an array or an Indexed, not {type(picture).__name__}:"
            f" pass PIL.Image.open({given})"
        )
    return np.asarray(picture)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise for options that are wrong for every picture, before the first of many is opened."""
    coding = {name: options[name] for name in CODING if options.get(name) is not None}
    codec.check_options((1, 1), **coding)
    given = quantizing_options({**options, "codebook": None})
    kmeans.check_dither(given.pop("dither", 0.0))
    goal_of(options)
    # Which colours are right depends on the picture; which options contradict them does not.
    any_colours = {"keep": [], "codebook": np.zeros((1, 1), np.uint8)}
    given |= {name: value for name, value in any_colours.items() if options.get(name) is not None}
    kmeans.prepare(np.full((1, 1, 4), 255, np.uint8), **given)


def index_image(
    im: Image.Image,
    options: Mapping[str, Any],
    transparency: object,
    coding: Mapping[str, Any] | None = None,
    metadata: codec.Metadata | None = None,
) -> tuple[Indexed, codec.Metadata]:
    """Turn an image into codebook and labels, and what else the file is to say of them.

    `coding` and `metadata` are the arguments of `codec.encode`, for the size of the file.
    """
    _check_size(im)
    given = quantizing_options(options)
    goal = goal_of(options)
    if "codebook" not in given and "k" not in given and (goal is None or not goal.searching):
        given["k"] = _default_k(im)
    im = _in_stored_mode(im, transparency)
    if im.mode != "P":
        return index_pixels(np.asarray(im), given, goal, coding, metadata)
    exact = None if "codebook" in given else _index_palette(im, given, transparency)
    if exact is None:
        given["palette"] = len(np.unique(np.atleast_1d(given.get("codebook", 0)), axis=0)) <= 256
        pixels = _colours_of_palette_image(im, transparency)
        return index_pixels(pixels, given, goal, coding, metadata)
    if goal is None:
        return exact
    indexed, own = exact
    seen = codec.with_alpha(indexed.codebook, own.get("transparency"))
    if options.get("k") is None and looks_like_labels(indexed.labels, seen):
        raise ValueError(
            f"{next(iter(goal.asked))} is for colours; this palette image looks like labels: give k too if"
            " some of them may change, or convert it to RGB"
        )
    size = _file_size(coding, cast(codec.Metadata, {**(metadata or {}), **own}))
    indexed, rdo = rate.relabel(indexed, seen, goal, coding=coding, size=size)
    return indexed, cast(codec.Metadata, {**own, **_chosen(rdo)})


def index_pixels(
    pixels: Array,
    given: Mapping[str, Any],
    goal: rate.Goal | None,
    coding: Mapping[str, Any] | None = None,
    metadata: codec.Metadata | None = None,
) -> tuple[Indexed, codec.Metadata]:
    """Turn pixels into codebook and labels, by what `quantizing_options` and `goal_of` made of options."""
    if goal is None:
        return kmeans.quantize(pixels, **given), {}
    given = {name: value for name, value in given.items() if name != "dither"}
    indexed, rdo = rate.quantize(pixels, goal, coding=coding, size=_file_size(coding, metadata), **given)
    if indexed.mode == "L" and given.get("k") is None and given.get("codebook") is None:
        _warn_of_labels(pixels, indexed, goal)
    return indexed, _chosen(rdo)


def _warn_of_labels(pixels: Array, indexed: Indexed, goal: rate.Goal) -> None:
    """Warn where what looks like labels was changed, since nobody gave a number of colours."""
    levels = pixels.reshape(pixels.shape[:2])
    changed = float(np.mean(levels != indexed.expand()))
    if changed and looks_like_labels(levels):
        name = next(iter(goal.asked))
        warnings.warn(
            f"this picture looks like labels, and {name} changed {percentage(changed)} of them:"
            " save it without, or give k too",
            stacklevel=2,
        )


def goal_of(options: Mapping[str, Any]) -> rate.Goal | None:
    """Return what the options ask for besides a number of colours, or None."""
    given = {name: options[name] for name in (*RATING, "dither") if options.get(name) is not None}
    return rate.check_goal(**given)


def _file_size(
    coding: Mapping[str, Any] | None, metadata: codec.Metadata | None
) -> Callable[[Indexed, float], int]:
    """Return a function that tells how long the file of a picture would be."""

    def size(indexed: Indexed, rdo: float) -> int:
        everything = cast(codec.Metadata, {**(metadata or {}), **_chosen(rdo)})
        return len(codec.encode(indexed, **(coding or {}), metadata=everything))

    return size


def _chosen(rdo: float) -> codec.Metadata:
    return {"rdo": rdo} if rdo else {}


def quantizing_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what `kmeans.quantize` takes, with colours and codebooks as numbers."""
    given = {name: options[name] for name in QUANTIZING if options.get(name) is not None}
    if isinstance(given.get("keep"), Iterable) and not isinstance(given["keep"], (str, bytes, bytearray)):
        given["keep"] = _numbers(given["keep"], "keep")
    if "codebook" in given:
        given["codebook"] = codebook_of(given["codebook"])
    return given


def _numbers(colours: Iterable[object], option: str) -> list[object]:
    """Turn colours that are strings into tuples."""
    numbers: list[object] = []
    for colour in colours:
        try:
            numbers.append(ImageColor.getrgb(colour) if isinstance(colour, str) else colour)
        except ValueError as error:
            raise ValueError(f"{option} has {colour!r}: {error}") from error
    return numbers


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
            return np.asarray(_numbers(source, "codebook"))
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
    _check_size(source)
    transparency = source.info.get("transparency")
    image = _in_stored_mode(source, transparency)
    if image.mode == "P":
        return codec.with_alpha(_palette_entries(image, np.flatnonzero(image.histogram())), transparency)
    return kmeans.distinct_colours(pixels_of(source))


def pixels_of(picture: object) -> Array:
    """Return the pixels of an array, an image or the image at a path; of a palette image its colours."""
    if isinstance(picture, (str, PathLike)):
        with Image.open(picture) as opened:
            return pixels_of(opened)
    if not isinstance(picture, Image.Image):
        return array_of(picture)
    _check_size(picture)
    transparency = picture.info.get("transparency")
    image = _in_stored_mode(picture, transparency)
    return _colours_of_palette_image(image, transparency) if image.mode == "P" else np.asarray(image)


def _check_size(im: Image.Image) -> None:
    width, height = im.size
    if not (width and height):
        raise ValueError(f"cannot write an empty image ({width}x{height}) as KMC")


def _colours_of_palette_image(im: Image.Image, transparency: object) -> Array:
    im = _with_transparency(im, transparency)
    return np.asarray(im.convert("RGBA" if im.has_transparency_data else "RGB"))


def _default_k(im: Image.Image) -> int | None:
    """Return the k an image had in its KMC file where that is above the default, so that nothing is lost."""
    stored = im.info.get("k")
    large = isinstance(stored, int) and kmeans.DEFAULT_K < stored <= MAX_K
    return stored if large and not im.mode.startswith("I") else None


def _in_stored_mode(im: Image.Image, transparency: object) -> Image.Image:
    """Convert a mode that KMC has not, and a transparent colour of one that has no alpha."""
    if im.mode == "P" and transparency is not None:
        codec.check_transparency(transparency)
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
        return _with_transparency(im, transparency).convert("RGBA" if im.mode == "RGB" else "LA")
    return im


def _with_transparency(im: Image.Image, transparency: object) -> Image.Image:
    """Return a copy that has the transparency among its info, where Pillow's conversions look."""
    im = im.copy()
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


def _index_palette(
    im: Image.Image, given: Mapping[str, Any], transparency: Any
) -> tuple[Indexed, codec.Metadata] | None:
    """Keep a palette image as it is, unless it uses more than k entries of its palette."""
    kmeans.check_random_state(given.get("random_state", 0))
    kmeans.check_space(given.get("space", "srgb"))
    kmeans.check_dither(given.get("dither", 0))
    k = kmeans.check_k(given.get("k"), im.mode)
    used = np.flatnonzero(im.histogram())
    entries = _palette_entries(im, used)
    seen = codec.with_alpha(entries, transparency)
    missing = kmeans.missing_colours(seen, given.get("keep"), k)
    if len(used) + len(missing) > k:
        return None
    if not len(missing):
        # `codec.encode` checks it.
        metadata = cast(codec.Metadata, {} if transparency is None else {"transparency": transparency})
        return Indexed(entries, np.asarray(im), "P"), metadata
    if len(seen) + len(missing) > 256:
        raise ValueError(
            f"keep must have no colours that a full palette lacks, not {len(missing)}; convert to RGB first"
        )
    return Indexed(np.concatenate([seen, missing]), np.asarray(im), "P"), {}


def _palette_entries(im: Image.Image, used: Array) -> Array:
    """Return the palette of an image, shape (k, 3 or 4), with an entry for each label used."""
    assert im.palette is not None  # as Pillow gives every image of mode P one
    mode = im.palette.mode
    palette = np.array(im.getpalette(mode), np.uint8).reshape(-1, len(mode))
    # Pillow shows pixels beyond the end of the palette as opaque black.
    entries = np.zeros((max(len(palette), int(used[-1]) + 1), len(mode)), np.uint8)
    entries[:, 3:] = 255
    entries[: len(palette)] = palette
    return entries


def given_metadata(options: Mapping[str, Any]) -> codec.Metadata:
    """Gather the metadata among save options; what is None or empty is absent."""
    exif, xmp, dpi = (options.get(name) for name in ("exif", "xmp", "dpi"))
    given = {
        "icc_profile": options.get("icc_profile"),
        "exif": exif_bytes(exif) if isinstance(exif, Image.Exif) else exif,
        "xmp": xmp.encode() if isinstance(xmp, str) else xmp,
        "dpi": None if _is_unknown(dpi) else dpi,
        "options": options.get("_digest"),  # of `batch`
    }
    absent = (type(None), bytes)
    present = {name: value for name, value in given.items() if not isinstance(value, absent) or value}
    return cast(codec.Metadata, present)


def _is_unknown(dpi: object) -> bool:
    """Tell whether a resolution is none, as the formats have it that Pillow reads."""
    if not isinstance(dpi, (tuple, list)) or not all(isinstance(value, Real) for value in dpi):
        return False
    return all(value == 0 or not math.isfinite(value) for value in dpi)
