"""The save options by name: their types, what is none of them, and a digest of what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypedDict

import numpy as np
from PIL import ExifTags, Image

from .indexed import Array, Indexed

Colour = int | str | Sequence[int]  # a string is what `PIL.ImageColor` knows
Codebook = Array | Image.Image | Indexed | str | PathLike[str] | Sequence[Colour]


class MoreOptions(TypedDict, total=False):
    """The options of `kmc_format.encode` other than k, which tells what they mean."""

    random_state: int
    space: str
    keep: Iterable[Colour] | None
    codebook: Codebook | None
    dither: float
    rdo: float
    quality: int | None
    max_bytes: int | None
    max_error: float | None
    effort: int
    tile: int | tuple[int, int] | None
    threads: int | None
    icc_profile: bytes | None
    exif: bytes | Image.Exif | None
    xmp: bytes | str | None
    dpi: tuple[float, float] | None


class SaveOptions(MoreOptions, total=False):
    """The options of `kmc_format.encode`."""

    k: int | None


NAMES = ("k", *MoreOptions.__annotations__)

# What people call options that have other names here.
_OTHER_NAMES = {
    **dict.fromkeys(["colors", "colours", "n_colors", "n_colours", "num_colors", "n_clusters", "K"], "k"),
    **dict.fromkeys(["palette", "colormap"], "codebook"),
    **dict.fromkeys(["seed", "random_seed"], "random_state"),
    **dict.fromkeys(["method", "speed", "compression", "compress_level", "compression_level"], "effort"),
    **dict.fromkeys(["color_space", "colour_space", "colorspace"], "space"),
    **dict.fromkeys(["max_size", "target_size", "size"], "max_bytes"),
    **dict.fromkeys(["icc", "profile"], "icc_profile"),
    **dict.fromkeys(["dithering"], "dither"),
    **dict.fromkeys(["tile_size", "tiles"], "tile"),
    **dict.fromkeys(["jobs", "num_threads", "n_jobs"], "threads"),
}
_METADATA = ("icc_profile", "exif", "xmp", "dpi")  # where None means: leave out what the image has
_DIGEST_BYTES = 3


def check_names(function: str, options: Iterable[str], others: Iterable[str] = ()) -> None:
    """Raise for options that are none, as Python does for arguments; `others` are those of the function.

    Raises
    ------
    TypeError
        If a name is not among `NAMES`; the message has the one that may be meant.

    Examples
    --------
    >>> check_names("encode", ["quality", "qualty"])
    Traceback (most recent call last):
    TypeError: encode() got an unexpected keyword argument 'qualty'; did you mean 'quality'?
    """
    for option in options:
        if option not in NAMES:
            import difflib  # slow to import, as what `digest` needs

            names = [*NAMES, *others]
            meant = [_OTHER_NAMES.get(option, ""), *difflib.get_close_matches(option, names, 1)]
            hints = [f"did you mean {name!r}?" for name in meant if name in names]
            hint = next(iter(hints), f"there are {', '.join(names)}")
            raise TypeError(f"{function}() got an unexpected keyword argument {option!r}; {hint}")


def digest(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> bytes:
    """Return some bytes that differ, as good as always, where different options give different files.

    Parameters
    ----------
    options : mapping
        Those of `SaveOptions`, and others that matter, with a codebook as an array.
    defaults : mapping
        What those that are not named are.

    Returns
    -------
    bytes
        None if all that matters is as by default. The same on every machine and in every version.

    Examples
    --------
    >>> digest({"k": 8}, {}) == digest({"k": 8, "rdo": 0, "threads": 2}, {"rdo": 0.0}) != digest({"k": 9}, {})
    True
    >>> digest({"k": None}, {})
    b''
    """
    import hashlib
    import json

    asked = {
        name: _plain(value)
        for name, value in options.items()
        if name != "threads" and (value is not None or name in _METADATA)
    }
    asked = {name: value for name, value in asked.items() if name not in defaults or value != defaults[name]}
    if not asked:
        return b""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()[:_DIGEST_BYTES]


def exif_bytes(exif: Image.Exif) -> bytes:
    """Return EXIF as Pillow writes it.

    Raises
    ------
    ValueError
        If it cannot, as a value does not fit its tag.
    """
    try:
        return exif.tobytes()
    except Exception as error:  # Pillow checks nothing, so it may be any
        tags = ", ".join(_tag_name(tag) for tag in exif if not _is_writable(tag, exif[tag]))
        raise ValueError(
            f"exif cannot be written by Pillow, for {tags or 'one of its tags'}: {error}"
        ) from error


def _is_writable(tag: int, value: Any) -> bool:
    alone = Image.Exif()
    alone[tag] = value
    try:
        alone.tobytes()
    except Exception:
        return False
    return True


def _tag_name(tag: int) -> str:
    return f"tag {tag} ({ExifTags.TAGS[tag]})" if tag in ExifTags.TAGS else f"tag {tag}"


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, alike for numbers that are equal."""
    if isinstance(value, Image.Exif):
        value = exif_bytes(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
