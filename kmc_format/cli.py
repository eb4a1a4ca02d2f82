"""The commands of `kmc`: what a person types, turned into calls of the other modules.

What goes wrong is one line on standard error; colours and progress are for terminals only.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import PIL.Image

from . import autoload as autoloading
from ._options.options import DEFAULTS, OPTIONS, SaveOptions
from ._pixels.colours import SPACES

if TYPE_CHECKING:
    from .batch import Batch, Record

_Command = TypeVar("_Command", bound=Callable[..., Any])

_COMPLETION = """\b
Shell completion, for bash (zsh and fish likewise), in ~/.bashrc:
  eval "$(_KMC_COMPLETE=bash_source kmc)"
"""
_FILE = click.Path(path_type=Path)
_STDIN = ("-", "/dev/stdin", "/dev/fd/0")
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1")
_DOUBLING = [2**n for n in range(1, 9)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``kmc``; return the exit status: 0, 1 after an error, 2 for wrong arguments, 130 if interrupted."""
    try:
        status = kmc.main(arguments, "kmc", standalone_mode=False, windows_expand_args=False)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "kmc"
        return _fail(path, f"{_line(error.format_message())} See '{path} --help'.", status=2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("kmc", "interrupted; every file is whole", status=130)
    except OSError as error:
        if error.errno == errno.EPIPE:  # who read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        named = f"{error.filename}: " if error.filename and error.strerror else ""
        return _fail("kmc", f"{named}{_line(error.strerror or str(error))}")
    except MemoryError:
        return _fail("kmc", "out of memory")
    except (ValueError, TypeError, ImportError, PIL.Image.DecompressionBombError) as error:
        return _fail("kmc", _line(str(error)))
    return status if isinstance(status, int) else 0


def _fail(command: str, message: str, status: int = 1) -> int:
    click.echo(f"{click.style(f'{command}:', fg='red')} {message}", err=True)
    return status


def _line(message: str) -> str:
    return " ".join(message.split())


@click.group(
    epilog=_COMPLETION, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="kmc-format")
@click.pass_context
def kmc(context: click.Context) -> None:
    """Images as a K-Means codebook and labels.

    \b
    kmc encode photo.png -k 32        writes photo.kmc
    kmc compare photo.png photo.kmc   shows what that did
    kmc explore photo.png             finds the right number of colours
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# --- Options that several commands have ---------------------------------------------------------


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


_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9}


def _save_option(name: str, *flags: str, typed: str = "", **how: Any) -> Callable[[_Command], _Command]:
    """Return the option for a save option, with how it is typed added to what is said of that."""
    option, default = OPTIONS[name], getattr(DEFAULTS, name)
    shown = option.usual if default is None else str(default).removesuffix(".0")
    parts = (option.summary, typed, shown and f" [default: {shown}]")
    return click.option(*flags, f"--{name.replace('_', '-')}", help=" ".join(filter(None, parts)), **how)


_SAVE_OPTIONS = [
    _save_option("k", "-k", type=int, metavar="N"),
    _save_option("quality", type=int, metavar="N"),
    _save_option("max_bytes", metavar="SIZE", callback=_size, typed="As 20000, 20k or 1.5M."),
    _save_option("rdo", type=float, metavar="X"),
    _save_option("max_error", type=float, metavar="X"),
    _save_option("dither", type=float, metavar="X"),
    _save_option("space", type=click.Choice(SPACES)),
    _save_option("keep", multiple=True, metavar="COLOUR", typed="As red or #ff8000; repeat."),
    _save_option("codebook", type=_FILE, metavar="FILE", typed="Of a KMC file or an image."),
    _save_option("effort", type=int, metavar="N"),
    _save_option("tile", metavar="N|WxH", callback=_tile),
    _save_option("random_state", type=int, metavar="N"),
]
_RECURSIVE = click.option("-r", "--recursive", is_flag=True, help="Take folders of folders, too.")
_BATCH_OPTIONS = [
    click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path()),
    click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=click.Path(),
        help="Folder to write to, or the name of one file; - for standard output.",
    ),
    _RECURSIVE,
    click.option("-f", "--force", is_flag=True, help="Write also what is there already."),
    click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Cores to use.  [default: all]"),
    click.option("--any-size", is_flag=True, help="Also open pictures so large that they may be an attack."),
    click.option(
        "--scheduler", "client", metavar="ADDRESS", help="A Dask cluster that does it: tcp://HOST:PORT."
    ),
    click.option(
        "--csv", "table", type=_FILE, metavar="FILE", help="Write what came of each file as a table."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file."),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
]
_HOW = ("recursive", "force", "jobs", "any_size", "client")  # those of them that `batch` has
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _options(options: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command several options, in order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _asked(options: dict[str, Any]) -> SaveOptions:
    """Return the save options, of which those that were not given are None or empty.

    What is wrong with them is a usage error.
    """
    with _wrong_use():
        return SaveOptions.of({name: value for name, value in options.items() if value not in (None, ())})


@contextmanager
def _wrong_use() -> Iterator[None]:
    """Turn errors of type and value into errors of usage, which end with status 2."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{_line(str(error))}.") from error


# --- Many files ---------------------------------------------------------------------------------


@kmc.command()
@_options(_BATCH_OPTIONS)
@click.option(
    "--strip",
    is_flag=True,
    help="Leave out EXIF, XMP, colour profile and resolution, which make icons large.",
)
@click.option("--one-codebook", is_flag=True, help="Find one codebook for all of the files together.")
@_options(_SAVE_OPTIONS)
def encode(
    files: tuple[str, ...],
    output: str | None,
    table: Path | None,
    as_json: bool,
    quiet: bool,
    strip: bool,
    one_codebook: bool,
    **options: Any,
) -> int:
    """Save images as KMC files.

    FILES are images, folders of images, patterns such as "maps/**/*.png", or - for standard input, which
    goes to standard output. Each is written beside its source, or below the output folder as it lies in its
    own. What is newer than its source, and was made by the same options, is left alone, unless -o names it.
    """
    from . import batch

    how = {name: options.pop(name) for name in _HOW}
    asked = _asked(options)
    with _standard_streams(files, output, ".kmc", table) as (files, output, streams):
        with _wrong_use():
            records = batch.each_encoded(files, output, asked, strip=strip, **how)
        if one_codebook:
            asked = _with_one_codebook(records.sources, how, asked)
            records = batch.each_encoded(files, output, asked, strip=strip, **how)
        return _report_all("kmc encode", records, streams, table, as_json, quiet)


def _with_one_codebook(files: Sequence[Path], how: dict[str, Any], asked: SaveOptions) -> SaveOptions:
    """Find a codebook for all files; return the save options with it."""
    from . import batch

    if asked.codebook is not None:
        raise click.UsageError("--codebook and --one-codebook contradict each other.")
    how = {name: value for name, value in how.items() if name != "force"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        codebook = batch.trained_codebook(files, asked, **how)
    for warning in caught:
        _fail("kmc encode", _line(str(warning.message)))
    return asked.but({"k": None, "keep": None, "codebook": codebook})


@kmc.command()
@_options(_BATCH_OPTIONS)
@click.option("--format", default="png", metavar="EXT", help="What to write: png, tiff, ...  [default: png]")
def decode(
    files: tuple[str, ...],
    output: str | None,
    table: Path | None,
    as_json: bool,
    quiet: bool,
    format: str,  # noqa: A002  # as the option is called
    **how: Any,
) -> int:
    """Save KMC files as PNG or other images.

    FILES are KMC files, folders of them, patterns, or - for standard input, which goes to standard output. A
    file that is there, and older, is not replaced without --force: it may be what the KMC file was made of.
    """
    from . import batch

    suffix = f".{format.lower().lstrip('.')}"
    with _standard_streams(files, output, suffix, table) as (files, output, streams):
        with _wrong_use():
            records = batch.decode_each(files, output, format=format, **how)
        return _report_all("kmc decode", records, streams, table, as_json, quiet)


class _Streams(NamedTuple):
    """The files that stand for standard input and output, where these are asked for."""

    source: Path | None = None
    target: Path | None = None

    def named(self, record: Record) -> Record:
        """Name them in a record as the user does."""
        for path in map(str, filter(None, self)):
            record = record._replace(
                source=record.source.replace(path, "-"),
                target=record.target.replace(path, "-"),
                error=record.error and record.error.replace(path, "-"),
            )
        return record


@contextmanager
def _standard_streams(
    files: tuple[str, ...], output: str | None, suffix: str, table: Path | None = None
) -> Iterator[tuple[tuple[str, ...], str | None, _Streams]]:
    """Replace - and its other names by files: what is read from, and what is written when all went well."""
    reads = any(file in _STDIN for file in files)
    if reads and len(files) > 1:
        raise click.UsageError("Standard input is one file: name no others beside it.")
    writes = output in _STDOUT or (reads and output is None)
    if not (reads or writes):
        yield files, output, _Streams()
        return
    if (reads and sys.stdin is None) or (writes and sys.stdout is None):
        raise click.UsageError("Standard input or output is closed: name a file instead of -.")
    if writes and sys.stdout.isatty():
        raise click.UsageError("Standard output is a terminal: send it to a file, or name one by -o.")
    if writes and _is_stdout(table):
        raise click.UsageError("Standard output has the picture: name a file for --csv, or one by -o.")
    with TemporaryDirectory(prefix="kmc") as folder:
        source = target = None
        if reads:
            source = Path(folder, "input")
            source.write_bytes(sys.stdin.buffer.read())
            files = (str(source),)
        if writes:
            target = Path(folder, f"output{suffix}")
            output = str(target)
        try:
            yield files, output, _Streams(source, target)
        except click.UsageError as error:
            said = error.message.replace(repr(str(target)), "'-'")
            raise click.UsageError(said, error.ctx) from error
        if target and target.exists():
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()


def _report_all(
    command: str, records: Batch, streams: _Streams, table: Path | None, as_json: bool, quiet: bool
) -> int:
    """Print what comes of files as they are done, and all of it at the end; return the exit status.

    It goes to standard error where standard output has a picture.
    """
    from . import batch

    aside = streams.target is not None or _is_stdout(table)
    done: list[Record] = []
    for given in records if quiet else _with_progress(records):
        record = streams.named(given)
        done.append(record)
        for warning in record.warnings:
            _fail(command, f"{record.source}: warning: {warning}")
        if record.error:
            _fail(command, f"{record.source}: {record.error}")
        if as_json:
            click.echo(json.dumps(record._asdict()), err=aside)
    if table:
        _write_table(table, batch.table(done))
    if not (quiet or as_json):
        click.echo(_summary(done), err=aside)
    return int(any(record.error for record in done))


def _with_progress(records: Batch) -> Iterator[Record]:
    """Show a bar while records come, on a terminal."""
    if not sys.stderr.isatty():
        yield from records
        return
    done: list[Record] = []
    progress: Any = click.progressbar(
        length=len(records), show_pos=True, item_show_func=lambda _: _saved(done), file=sys.stderr
    )
    with progress as bar:
        bar.render_progress()
        for record in records:
            done.append(record)
            if record.error or record.warnings:
                click.echo("\r\x1b[K", nl=False, err=True)  # clear the line for what is printed now
            yield record
            bar.update(1, record)


def _sizes(records: Iterable[Record]) -> tuple[int, int]:
    """Return how many bytes were read and written."""
    written = [record for record in records if not (record.error or record.skipped)]
    return sum(record.bytes_in for record in written), sum(record.bytes_out for record in written)


def _saved(records: Iterable[Record]) -> str:
    before, after = _sizes(records)
    return f"{_bytes(before - after)} saved" if before > after else ""


def _summary(records: Sequence[Record]) -> str:
    if not records:
        return "no such files were found; --recursive looks into folders of folders, too"
    failed, skipped = sum(bool(record.error) for record in records), sum(record.skipped for record in records)
    before, after = _sizes(records)
    parts = []
    if written := len(records) - failed - skipped:
        share = f" ({after / before:.1%})" if before else ""
        parts.append(f"{written} written, {_bytes(before)} to {_bytes(after)}{share}")
    if skipped:
        parts.append(f"{skipped} up to date (--force writes them again)")
    if failed:
        parts.append(f"{failed} failed")
    return "; ".join(parts)


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if abs(count) >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


# --- One file -----------------------------------------------------------------------------------


@kmc.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path())
@_RECURSIVE
@_AS_JSON
@click.option("--codebook", is_flag=True, help="Also list the colours.")
def info(files: tuple[str, ...], recursive: bool, as_json: bool, codebook: bool) -> int:
    """Tell what KMC files hold: size, colours, tiles, the bytes of each part, metadata.

    FILES are KMC files, folders of them, patterns, or - for standard input. Every byte is read and checked,
    so this also finds damage.
    """
    from . import batch, report

    with _standard_streams(files, "", "") as (files, _, streams):
        found, status = [], 0
        for path in batch.find(files, recursive=recursive):
            name = "-" if path == streams.source else str(path)
            try:
                described = report.describe(path, codebook=codebook) | {"path": name}
            except (OSError, ValueError) as error:
                status = _fail("kmc info", f"{name}: {_explain(error)}")
                continue
            found.append(described)
            if not as_json:
                click.echo(_description(described))
    if as_json:
        click.echo(json.dumps(found, indent=1))
    elif not (found or status):
        click.echo(_summary([]))
    return status


def _explain(error: Exception) -> str:
    return _line((isinstance(error, OSError) and error.strerror) or str(error))


def _description(found: dict[str, Any]) -> str:
    """Write what `report.describe` found as lines of text."""
    tiles = "1 tile" if found["tiles"] == 1 else f"{found['tiles']:,} tiles"
    lines = [
        click.style(found["path"], bold=True),
        f"  picture     {found['width']} x {found['height']} pixels, mode {found['mode']}",
        f"  colours     {found['k']:,}",
        f"  labels      {found['labels']}, {tiles} of {found['tile_width']} x {found['tile_height']}",
        f"  bytes       {found['bytes']:,} ({found['bits_per_pixel']:.3f} bits a pixel)",
        *(f"  {name.replace('_', ' '):>11} {size:,}" for name, size in found["parts"].items()),
    ]
    if "dpi" in found:
        lines.append("  resolution  {:g} x {:g} dpi".format(*found["dpi"]))
    if "rdo" in found:
        lines.append(f"  rdo         {found['rdo']:g}")
    return "\n".join(lines + [f"  {_swatch(entry)}{entry}" for entry in found.get("codebook", [])])


def _swatch(entry: str) -> str:
    """Return a patch of a colour, which click leaves out where there is no terminal."""
    if not entry.startswith("#"):
        return ""
    red, green, blue = (int(entry[at : at + 2], 16) for at in (1, 3, 5))
    return click.style("  ", bg=(red, green, blue)) + " "


@kmc.command()
@click.argument("original", type=_FILE)
@click.argument("compressed", type=_FILE, required=False)
@click.option("-o", "--output", type=_FILE, metavar="FILE", help="Write a PNG, SVG or PDF; open no window.")
@_AS_JSON
@_options(_SAVE_OPTIONS)
def compare(
    original: Path, compressed: Path | None, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Show an image beside a compressed one, and where they differ.

    COMPRESSED is a KMC file, or any other; without it, ORIGINAL is compressed now, by the options. With
    --json and without --output there are only figures.
    """
    from . import figures, report

    asked = _asked(options)
    if compressed and asked.given:
        raise click.UsageError("COMPRESSED is as it is: leave it out, or the options of saving.")
    draw = _writer(output) if output else None
    compared = report.compared(original, compressed, asked)
    click.echo(json.dumps(compared.numbers, indent=1) if as_json else _comparison(compared.numbers))
    if draw is None and as_json:
        return
    figure = None if draw else figures.window()
    figure = figures.comparison(*compared.pictures, compared.codebook, compared.captions, figure=figure)
    if draw:
        draw(figure)
    else:
        figures.show()


def _comparison(found: dict[str, Any]) -> str:
    """Write the figures of `report.compare` as lines of text."""
    from ._pixels.likeness import percentage

    quality = "exact" if found["exact"] else f"{found['mse']:.2f} mean squared error"
    if found["psnr"] is not None:
        quality = f"{found['psnr']:.2f} dB PSNR"
    if found["ssim"] is not None and not found["exact"]:
        quality += f", {found['ssim']:.4f} SSIM"
    share = found["bytes"] / found["original_bytes"]
    lines = [
        f"bytes    {found['original_bytes']:,} to {found['bytes']:,} ({share:.1%}),"
        f" {found['bits_per_pixel']:.3f} bits a pixel",
        f"quality  {quality}",
    ]
    if found["labels_changed"] is not None:
        lines.append(f"labels changed: {percentage(found['labels_changed'])}")
    if found["k"] is not None:
        lines.append(f"colours  {found['k']:,}")
    return "\n".join(lines)


def _writer(path: Path) -> Callable[[Any], None]:
    """Return what writes a figure to a path; raise at once if it cannot be such a file."""
    from ._extras import needed
    from ._files import write_whole

    known = needed("matplotlib.figure", "plots").Figure().canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in known:
        raise click.UsageError(f"{path} does not end in .png, .svg or .pdf.")

    def write(figure: Any) -> None:
        file = io.BytesIO()
        figure.savefig(file, format=kind)
        write_whole(path, file.getvalue())

    return write


# --- Many options -------------------------------------------------------------------------------


def _numbers(_: click.Context, __: click.Parameter, value: str | None) -> list[int] | None:
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


@kmc.command()
@click.argument("image", type=_FILE)
@click.option(
    "-k", "--k", "colours", metavar="LIST", callback=_numbers, help="4,8 or 8:64:8.  [default: 2 to 256]"
)
@click.option("--quality", metavar="LIST", callback=_numbers, help="Qualities instead, such as 10:90:20.")
@click.option("--csv", "table", type=_FILE, metavar="FILE", help="Write the figures as a table.")
@click.option("--plot", type=_FILE, metavar="FILE", help="Draw them, as PNG, SVG or PDF.")
@click.option("--show", is_flag=True, help="Draw them in a window.")
@_AS_JSON
@_options(_SAVE_OPTIONS[2:])
def sweep(
    image: Path,
    colours: list[int] | None,
    quality: list[int] | None,
    table: Path | None,
    plot: Path | None,
    show: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Try numbers of colours, or qualities: bytes, PSNR and time of each."""
    from . import figures, report

    if colours and quality:
        raise click.UsageError("-k and --quality are not for one sweep: choose one.")
    option, values = ("quality", quality) if quality else ("k", colours or _DOUBLING)
    asked = _asked(options)
    with _wrong_use():
        tried = [asked.but({option: value}) for value in values]
    draw = _writer(plot) if plot else None
    window = figures.window() if show else None
    rows: list[dict[str, Any]] = []
    with PIL.Image.open(image) as opened:
        for row in report.tried(opened, option, tried):
            if not as_json:
                click.echo(_row(row, heading=not rows), err=_is_stdout(table))
            rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=1), err=_is_stdout(table))
    if table:
        _write_table(table, _csv(rows))
    if draw:
        draw(figures.sweep(rows))
    if window:
        figures.sweep(rows, figure=window)
        figures.show()


def _row(row: dict[str, Any], *, heading: bool) -> str:
    """Write a row of `report.sweep` as a line of text."""
    option = next(iter(row))
    psnr = "exact" if row["psnr"] is None else f"{row['psnr']:.2f} dB"
    line = (
        f"{row[option]:>8} {row['colours']:>7} {row['bytes']:>11,} {row['bits_per_pixel']:>9.3f} {psnr:>9}"
        f" {row['encode_seconds']:>7.3f} s {row['decode_seconds']:>7.3f} s"
    )
    titles = (
        f"{option:>8} {'colours':>7} {'bytes':>11} {'bits/px':>9} {'PSNR':>9} {'encode':>9} {'decode':>9}"
    )
    return f"{click.style(titles, bold=True)}\n{line}" if heading else line


def _is_stdout(path: Path | None) -> bool:
    return str(path) in _STDOUT


def _write_table(path: Path, text: str) -> None:
    from ._files import write_whole

    if _is_stdout(path):
        click.echo(text, nl=False)
    else:
        write_whole(path, text.encode())


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


# --- Others -------------------------------------------------------------------------------------


@kmc.command()
@click.argument("image", type=_FILE)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="[default: any that is free]"
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
def explore(image: Path, port: int, no_browser: bool) -> None:
    """Find the right number of colours with sliders, in a browser.

    The page is served to this machine only, until Ctrl-C.
    """
    from . import explorer

    explorer.serve(image, port=port, browser=not no_browser)


@kmc.command()
@click.argument("action", type=click.Choice(["enable", "disable", "status"]))
def autoload(action: str) -> int:
    """Let programs that do not import kmc_format read and write KMC.

    It concerns the environment of this Python, and writes two small files there, or removes them.
    """
    return autoloading.main([action])
