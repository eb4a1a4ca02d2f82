"""Pictures and save options to the bytes of a file, alike for `Image.save` and the array functions."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import cast

import numpy as np
from PIL import Image

from .._format import codec
from .._format.codebook import with_alpha
from .._format.indexed import MAX_K, Array, Indexed
from .._format.metadata import Metadata
from .._options.options import DEFAULT_K, SaveOptions
from .._pixels.convert import array_of, check_size, in_stored_mode, palette_colours, palette_entries
from .._pixels.kinds import kind_of
from .._pixels.likeness import looks_like_labels, percentage
from .._quantize import kmeans, rate, tasks
from .._quantize.search import Size

# Modes that are stored as RGB, for which their colour profile would be wrong.
_OTHER_PROFILES = {"CMYK", "LAB"}


def encode(picture: Array | Image.Image | Indexed, options: SaveOptions) -> bytes:
    """Code an image, an array or an `Indexed` as the bytes of a KMC file."""
    if isinstance(picture, Image.Image):
        return encode_image(picture, options)
    if isinstance(picture, Indexed):
        refuse_pixel_options(picture, options)
        return _encode(picture, options, options.layout(picture.size), {})
    pixels = array_of(picture)
    kind_of(pixels.shape, pixels.dtype)
    layout = options.layout((pixels.shape[1], pixels.shape[0]))  # fails before clustering, which takes long
    indexed, own = indexed_pixels(pixels, options)
    return _encode(indexed, options, layout, own)


def encode_image(im: Image.Image, options: SaveOptions) -> bytes:
    """Code a Pillow image as the bytes of a KMC file."""
    check_size(im)
    layout = options.layout(im.size)  # fails before clustering, which takes long
    options = with_profile(im, options)
    indexed, own = indexed_image(im, options)
    return _encode(indexed, options, layout, own)


def with_profile(im: Image.Image, options: SaveOptions) -> SaveOptions:
    """Return options with the colour profile of an image, unless they say another."""
    if "icc_profile" in im.info and im.mode not in _OTHER_PROFILES:
        return options.filled({"icc_profile": im.info["icc_profile"]})
    return options


def with_stored_k(im: Image.Image, options: SaveOptions) -> SaveOptions:
    """Return options with the k of the KMC file that an image is from, if that is above the default."""
    if options.codebook is None and options.k is None and not options.searching and (k := _stored_k(im)):
        return replace(options, k=k)
    return options


def _encode(indexed: Indexed, options: SaveOptions, layout: codec.Layout, own: Metadata) -> bytes:
    return codec.encode(indexed, layout, cast(Metadata, {**options.metadata, **own}))


def refuse_pixel_options(picture: Indexed, options: SaveOptions) -> None:
    for name in options.for_pixels:
        raise TypeError(
            f"{name}={getattr(options, name)!r} is for pixels; an Indexed is stored as it is, k={picture.k}"
        )


def indexed_image(im: Image.Image, options: SaveOptions) -> tuple[Indexed, Metadata]:
    """Turn an image into codebook and labels, and what else the file is to say of them."""
    check_size(im)
    options = with_stored_k(im, options)
    transparency = im.info.get("transparency")
    im = in_stored_mode(im, transparency)
    if im.mode != "P":
        return indexed_pixels(np.asarray(im), options)
    exact = None if options.codebook is not None else _palette_as_it_is(im, options, transparency)
    if exact is None:
        fits = options.codebook is None or len(np.unique(options.codebook, axis=0)) <= 256
        return indexed_pixels(palette_colours(im, transparency), options, palette=fits)
    return _weigh_palette(*exact, options) if options.weighed else exact


def _stored_k(im: Image.Image) -> int | None:
    """Return the k an image had in its KMC file where that is above the default, so that nothing is lost."""
    stored = im.info.get("k")
    large = isinstance(stored, int) and DEFAULT_K < stored <= MAX_K
    return stored if large and not im.mode.startswith("I") else None


def _palette_as_it_is(
    im: Image.Image, options: SaveOptions, transparency: object
) -> tuple[Indexed, Metadata] | None:
    """Keep a palette image as it is, unless it uses more than k entries of its palette."""
    used = np.flatnonzero(im.histogram())
    entries = palette_entries(im, used)
    # `in_stored_mode` has checked the transparency.
    own = cast(Metadata, {} if transparency is None else {"transparency": transparency})
    seen = with_alpha(entries, own.get("transparency"))
    k = DEFAULT_K if options.k is None else options.k
    missing = tasks.missing_colours(seen, options.keep, k)
    if len(used) + len(missing) > k:
        return None
    if not len(missing):
        return Indexed(entries, np.asarray(im), "P"), own
    if len(seen) + len(missing) > 256:
        raise ValueError(
            f"keep must have no colours that a full palette lacks, not {len(missing)}; convert to RGB first"
        )
    return Indexed(np.concatenate([seen, missing]), np.asarray(im), "P"), {}


def _weigh_palette(indexed: Indexed, own: Metadata, options: SaveOptions) -> tuple[Indexed, Metadata]:
    """Choose other labels of a palette image, by error and bytes."""
    seen = with_alpha(indexed.codebook, own.get("transparency"))
    if options.k is None and looks_like_labels(indexed.labels, seen):
        raise labels_error(options)
    indexed, rdo = rate.relabel(indexed, seen, options, file_size(options, own))
    return indexed, _with_rdo(own, rdo)


def labels_error(options: SaveOptions) -> ValueError:
    """Return what is said where an option would change the labels of a palette image."""
    return ValueError(
        f"{next(iter(options.weighed))} is for colours; this palette image looks like labels: give k too"
        " if some of them may change, or convert it to RGB"
    )


def indexed_pixels(pixels: Array, options: SaveOptions, *, palette: bool = False) -> tuple[Indexed, Metadata]:
    """Turn pixels into codebook and labels, and what else the file is to say of them."""
    if not options.weighed:
        return kmeans.quantize(pixels, options, palette=palette), {}
    indexed, rdo = rate.quantize(pixels, options, file_size(options, {}), palette=palette)
    warn_of_labels(pixels, indexed, options)
    return indexed, _with_rdo({}, rdo)


def warn_of_labels(pixels: Array, indexed: Indexed, options: SaveOptions) -> None:
    """Warn where what looks like labels was changed by an option, since nobody gave a number of colours."""
    if indexed.mode != "L" or options.k is not None or options.codebook is not None:
        return
    name = next(iter(options.weighed))
    levels = pixels.reshape(pixels.shape[:2])
    changed = float(np.mean(levels != indexed.expand()))
    if changed and looks_like_labels(levels):
        warnings.warn(
            f"this picture looks like labels, and {name} changed {percentage(changed)} of them:"
            " save it without, or give k too",
            stacklevel=2,
        )


def file_size(options: SaveOptions, own: Metadata) -> Size:
    """Return a function that tells how long the file of a picture would be."""
    return lambda picture, rdo: len(
        _encode(picture, options, options.layout(picture.size), _with_rdo(own, rdo))
    )


def _with_rdo(own: Metadata, rdo: float) -> Metadata:
    return cast(Metadata, {**own, "rdo": rdo}) if rdo else own
