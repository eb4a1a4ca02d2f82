"""Options that several commands have, and how their values are typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from .._options.options import DEFAULTS, OPTIONS, SaveOptions
from .._pixels.colours import SPACES
from .text import line_of

_Command = TypeVar("_Command", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)


# --- Values ---------------------------------------------------------------------------------------


# What a letter after a size multiplies it by: decimal units, as in "20 kB".
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9}


def _tile(_: click.Context, __: click.Parameter, value: str | None) -> int | tuple[int, ...] | None:
    """Parse ``512`` or ``512x256``."""
    if value is None:
        return None
    sides = value.split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise click.BadParameter(f"{value!r} is neither a side in pixels nor a width and height as 512x256.")
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Parse ``20000``, ``20k``, ``1.5MB``."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+|\d*\.\d+(?=[kmg]))([kmg]?)b?", value.lower(), re.ASCII)
    if not found:
        raise click.BadParameter(f"{value!r} is not a number of bytes as 20000, 20k or 1.5M.")
    number, unit = found.groups()
    return round(float(number) * _UNITS[unit]) if unit else int(number)


def numbers_of(_: click.Context, __: click.Parameter, value: str | None) -> list[int] | None:
    """Parse ``2,4,8`` and ranges such as ``10:90:20``, of which both ends are meant."""
    if value is None:
        return None
    numbers: list[int] = []
    for part in value.split(","):
        if not re.fullmatch(r"\d+(:\d+:[1-9]\d*)?", part, re.ASCII):
            raise click.BadParameter(f"{part!r} is neither a number nor first:last:step.")
        first, *rest = map(int, part.split(":"))
        last, step = rest or (first, 1)
        numbers += range(first, last + 1, step)
    if not numbers:
        raise click.BadParameter(f"{value!r} holds no number.")
    return numbers


# --- Options --------------------------------------------------------------------------------------


def _save_option(name: str, *flags: str, typed: str = "", **how: Any) -> Callable[[_Command], _Command]:
    """Return the option for a save option, with how it is typed added to what is said of that."""
    option, default = OPTIONS[name], getattr(DEFAULTS, name)
    shown = option.usual if default is None else str(default).removesuffix(".0")
    parts = (option.summary, typed, shown and f" [default: {shown}]")
    return click.option(*flags, f"--{name.replace('_', '-')}", help=" ".join(filter(None, parts)), **how)


SAVE_OPTIONS = [
    _save_option("k", "-k", type=int, metavar="N"),
    _save_option("quality", type=int, metavar="N"),
    _save_option("max_bytes", metavar="SIZE", callback=_size, typed="As 20000, 20k or 1.5M."),
    _save_option("rdo", type=float, metavar="X"),
    _save_option("max_error", type=float, metavar="X"),
    _save_option("dither", type=float, metavar="X"),
    _save_option("space", type=click.Choice(SPACES)),
    _save_option("keep", multiple=True, metavar="COLOUR", typed="As red or #ff8000; repeat."),
    _save_option("codebook", type=FILE, metavar="FILE", typed="Of a KMC file or an image."),
    _save_option("effort", type=int, metavar="N"),
    _save_option("tile", metavar="N|WxH", callback=_tile),
    _save_option("random_state", type=int, metavar="N"),
]
RECURSIVE = click.option("-r", "--recursive", is_flag=True, help="Take folders of folders, too.")
BATCH_OPTIONS = [
    click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path()),
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=click.Path(),
        help="Folder to write to, or the name of one file; - for standard output.",
    ),
    RECURSIVE,
    click.option("-f", "--force", is_flag=True, help="Write also what is there already."),
    click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Cores to use.  [default: all]"),
    click.option("--any-size", is_flag=True, help="Also open pictures so large that they may be an attack."),
    click.option(
        "--scheduler", "client", metavar="ADDRESS", help="A Dask cluster that does it: tcp://HOST:PORT."
    ),
    click.option(
        "--csv", "table", type=FILE, metavar="FILE", help="Write what came of each file as a table."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file."),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
]
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def having(options: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command several options, in order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def asked_of(options: dict[str, Any]) -> SaveOptions:
    """Return the save options, of which those that were not given are None or empty.

    What is wrong with them is a usage error.
    """
    with wrong_use():
        return SaveOptions.of({name: value for name, value in options.items() if value not in (None, ())})


@contextmanager
def wrong_use() -> Iterator[None]:
    """Turn errors of type and value into errors of usage, which end with status 2."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{line_of(str(error))}.") from error
