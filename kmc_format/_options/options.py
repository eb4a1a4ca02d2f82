"""The save options, each once: type, range, default, what it excludes, and a sentence on what it does.

`SaveOptions` is made, and checked, where options come in: by Pillow's `save`, the functions of the package,
the command line. Below it is only read. What depends on the picture, such as whether its mode can hold the
colours of `keep`, is known there alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict, cast

import numpy as np
from PIL import Image

from .._format import codec
from .._format.indexed import MAX_K, Array, Indexed
from .._format.labels import MAX_EFFORT
from .._format.metadata import MAX_RDO, Metadata
from . import values
from .exif import exif_bytes

Colour = int | str | Sequence[int]  # a string is what `PIL.ImageColor` knows
Codebook = Array | Image.Image | Indexed | str | PathLike[str] | Sequence[Colour]

# The default of k for pictures of 8 bits. Wider integers are kept exactly, while a file can hold them.
DEFAULT_K = 256


class ClusterOptions(TypedDict, total=False):
    """The options of `kmc_format.train_codebook` other than k."""

    random_state: int
    space: str
    keep: Iterable[Colour] | None


class QuantizeOptions(ClusterOptions, total=False):
    """The options of `kmc_format.quantize` other than k."""

    codebook: Codebook | None
    dither: float
    rdo: float
    quality: int | None
    max_error: float | None


class MoreOptions(QuantizeOptions, total=False):
    """The options of `kmc_format.encode` other than k, as a caller may give them."""

    max_bytes: int | None
    effort: int
    tile: int | tuple[int, int] | None
    threads: int | None
    icc_profile: bytes | None
    exif: bytes | Image.Exif | None
    xmp: bytes | str | None
    dpi: tuple[float, float] | None


class GivenOptions(MoreOptions, total=False):
    """The options of `kmc_format.encode`, as a caller may give them: `SaveOptions` is made of them."""

    k: int | None


# --- The options --------------------------------------------------------------------------------


class Option(NamedTuple):
    """All there is to say of an option but its default."""

    check: Callable[[str, Any], Any]  # returns what is meant by a value; raises if it is none
    type: str  # as documentation has it
    summary: str  # a sentence, with the range
    usual: str = ""  # what a default of None stands for
    excludes: Mapping[str, str] = MappingProxyType({})  # other options, and why
    none: Any = None  # what None means, if not the default


# How metadata are saved by default: a colour profile is the picture's own; other metadata are left out.
_AS_IN_PILLOW = "as in Pillow"


def _option(default: Any, *option: Any, **more: Any) -> Any:
    return field(default=default, metadata={"option": Option(*option, **more)})


@dataclass(frozen=True, eq=False)
class SaveOptions:
    """The save options, checked; those that were not given as by default.

    Metadata are None where they were not given, and empty where a picture's own are to be left out.

    Examples
    --------
    >>> SaveOptions.of({"k": 8, "dither": 1, "optimize": True}).dither
    1.0
    >>> SaveOptions.of({"rdo": 5, "quality": 50})
    Traceback (most recent call last):
    ValueError: rdo=5 and quality=50 contradict each other: quality picks rdo
    """

    k: int | None = _option(
        None,
        values.Number(int, 1, MAX_K),
        "int, optional",
        "Number of colours, 1 to 65,536.",
        str(DEFAULT_K),
        excludes={"codebook": "a codebook has its own k"},
    )
    random_state: int = _option(0, values.Number(int, 0, 2**32 - 1, boolean=True), "int", "Seed for K-Means.")
    space: str = _option("srgb", values.space, "str", "Where distance is measured.")
    keep: tuple[Any, ...] | None = _option(
        None,
        values.keep,
        "iterable of colours, optional",
        "Colours to keep exactly.",
        excludes={"codebook": "put the colours in the codebook"},
    )
    codebook: Array | None = _option(  # noqa: RUF009  # which is a `field`
        None, values.codebook, "ndarray, image, path or Indexed, optional", "Take this codebook."
    )
    dither: float = _option(
        0.0,
        values.Number(float, 0, 1, boolean=True),
        "float",
        "Strength of Floyd-Steinberg dithering, 0 to 1.",
        excludes={
            name: f"dithering adds the detail that {name} weighs against bytes"
            for name in ("rdo", "quality", "max_bytes", "max_error")
        },
    )
    rdo: float = _option(
        0.0,
        values.Number(float, 0, MAX_RDO),
        "float",
        "Squared error that one bit of the file may save.",
        excludes={name: f"{name} picks rdo" for name in ("quality", "max_bytes")},
    )
    quality: int | None = _option(
        None,
        values.Number(int, 1, 100),
        "int, optional",
        "As for JPEG, 1 to 100: picks colours and rdo for it.",
    )
    max_bytes: int | None = _option(
        None, values.Number(int, 1, None), "int, optional", "The best picture in so many bytes."
    )
    max_error: float | None = _option(
        None, values.Number(float, 0, 255), "float, optional", "Largest error of any pixel, 0 to 255."
    )
    effort: int = _option(
        1,
        values.Number(int, 0, MAX_EFFORT, f"from 0 (fastest) to {MAX_EFFORT} (smallest)"),
        "int",
        "Label coding: 0 fast, 1 balanced, 2 small.",
    )
    tile: int | tuple[int, int] | None = _option(
        None, values.tile, "int or pair of int, optional", "Size of tiles in pixels.", "up to 2 MP"
    )
    threads: int | None = _option(
        None, values.threads, "int, optional", "How many tiles are coded at once.", "usable cores"
    )
    icc_profile: bytes | None = _option(
        None, values.metadata, "bytes, optional", "Colour profile.", _AS_IN_PILLOW, none=b""
    )
    exif: bytes | None = _option(
        None, values.exif, "bytes or PIL.Image.Exif, optional", "EXIF.", _AS_IN_PILLOW, none=b""
    )
    xmp: bytes | None = _option(None, values.xmp, "bytes or str, optional", "XMP.", _AS_IN_PILLOW, none=b"")
    dpi: tuple[()] | tuple[float, float] | None = _option(
        None,
        values.dpi,
        "pair of float, optional",
        "Horizontal and vertical pixels per inch.",
        _AS_IN_PILLOW,
        none=(),
    )
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)  # what `of` was given, for `digest`
    mark: bytes = field(default=b"", repr=False)  # a digest that is put into the file

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SaveOptions:
        """Return the options that have names here; others, such as those of other formats, are ignored.

        Raises
        ------
        TypeError, ValueError
            If one is not what it should be, or two contradict each other.
        OSError
            If a codebook is to be read from a file, and cannot be.
        """
        return DEFAULTS.but(given)

    def but(self, given: Mapping[str, Any]) -> SaveOptions:
        """Return the same with other options, which are checked as `of` does."""
        named = {name: value for name, value in given.items() if name in OPTIONS}
        keep = named.get("keep")
        if isinstance(keep, Iterable) and not isinstance(keep, (str, bytes, bytearray)):
            named["keep"] = list(keep)  # which may be read only once
        checked = {
            name: _NONES[name] if value is None else OPTIONS[name].check(name, value)
            for name, value in named.items()
        }
        options = replace(self, **checked, given={**self.given, **named})
        for name, other, reason in _EXCLUSIONS:
            if (name in checked or other in checked) and options.has(name) and options.has(other):
                shown = " and ".join(options.shown(one) for one in (name, other))
                raise ValueError(f"{shown} contradict each other: {reason}")
        return options

    def filled(self, own: Mapping[str, Any]) -> SaveOptions:
        """Return the same with metadata of a picture's own, as far as none were given."""
        return self.but({name: value for name, value in own.items() if getattr(self, name) is None})

    def layout(self, size: tuple[int, int]) -> codec.Layout:
        """Return how the labels of a picture of a width and height are cut into tiles and coded."""
        return codec.layout(size, self.effort, self.tile, self.threads)

    @property
    def metadata(self) -> Metadata:
        """The metadata that a file is to hold."""
        found = {
            "icc_profile": self.icc_profile,
            "exif": self.exif,
            "xmp": self.xmp,
            "dpi": self.dpi,
            "options": self.mark,
        }
        return cast(Metadata, {name: value for name, value in found.items() if value})

    @property
    def weighed(self) -> dict[str, float]:
        """Those of the options that weigh error against bytes and were given."""
        found = {"quality": self.quality, "max_bytes": self.max_bytes, "max_error": self.max_error}
        given = {name: value for name, value in found.items() if value is not None}
        return {"rdo": self.rdo, **given} if self.rdo else given

    @property
    def for_pixels(self) -> list[str]:
        """The names of those that were given and do not go with an `Indexed`."""
        names = {"k", "max_bytes", *QuantizeOptions.__annotations__}
        return [name for name in OPTIONS if name in names and self.has(name)]

    @property
    def searching(self) -> bool:
        """Whether the number of colours is searched for."""
        return self.quality is not None or self.max_bytes is not None

    def digest(self, **more: Any) -> bytes:
        """Return a few bytes that tell options apart: where options give different files, so are these bytes.

        They are part of a hash, so two sets of options may share them by chance, once in millions.

        Parameters
        ----------
        **more
            What else changes files, None where it is as usual.

        Returns
        -------
        bytes
            Empty if all options that matter have their defaults. The same on every machine and in every
            version.

        Examples
        --------
        >>> given = {"k": 8}, {"k": 8, "rdo": 0, "threads": 2}, {"k": 9}
        >>> one, same, other = (SaveOptions.of(options).digest() for options in given)
        >>> one == same != other
        True
        >>> SaveOptions.of({"k": None}).digest()
        b''
        """
        import hashlib  # slow to import, and seldom needed
        import json

        given = {name: value for name, value in self.given.items() if name != "threads" and self.has(name)}
        if self.codebook is not None:
            given["codebook"] = self.codebook
        given |= {name: value for name, value in more.items() if value is not None}
        if not given:
            return b""
        asked = {name: _plain(value) for name, value in given.items()}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()[:_DIGEST_BYTES]

    def has(self, name: str) -> bool:
        """Tell whether an option is another than by default."""
        value, default = getattr(self, name), getattr(DEFAULTS, name)
        return value is not None and (default is None or value != default)

    def shown(self, name: str) -> str:
        """Return an option as an error message has it."""
        value = getattr(self, name)
        if isinstance(value, int):
            return f"{name}={value}"
        return f"{name}={value:g}" if isinstance(value, float) else name


OPTIONS: dict[str, Option] = {
    one.name: one.metadata["option"] for one in fields(SaveOptions) if "option" in one.metadata
}
DEFAULTS = SaveOptions()
_NONES = {
    name: getattr(DEFAULTS, name) if option.none is None else option.none for name, option in OPTIONS.items()
}
_EXCLUSIONS = [
    (name, other, reason) for name, option in OPTIONS.items() for other, reason in option.excludes.items()
]
# How many bytes of a hash tell the options of one file from those of another.
_DIGEST_BYTES = 3


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


# --- Names --------------------------------------------------------------------------------------

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


def check_names(
    function: str, given: Iterable[str], others: Iterable[str] = (), names: Iterable[str] = ()
) -> None:
    """Raise for options that a function does not have, as Python does for arguments.

    Parameters
    ----------
    function : str
    given : iterable of str
        The names that it was called with.
    others : iterable of str
        Those of its other arguments, which may be meant.
    names : iterable of str
        Those of the options it has, by default all.

    Raises
    ------
    TypeError
        If a name is none of an option; the message has the one that may be meant.

    Examples
    --------
    >>> check_names("encode", ["quality", "qualty"])
    Traceback (most recent call last):
    TypeError: encode() got an unexpected keyword argument 'qualty'; did you mean 'quality'?
    """
    known = tuple(names) or tuple(OPTIONS)
    for option in given:
        if option not in known:
            import difflib  # slow to import, and seldom needed

            possible = [*known, *others]
            meant = [_OTHER_NAMES.get(option, ""), *difflib.get_close_matches(option, possible, 1)]
            hints = [f"did you mean {name!r}?" for name in meant if name in possible]
            hint = next(iter(hints), f"there are {', '.join(possible)}")
            raise TypeError(f"{function}() got an unexpected keyword argument {option!r}; {hint}")
