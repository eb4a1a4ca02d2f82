"""The commands of `kmc`: what a person types, turned into calls of the other modules.

What goes wrong is one line on standard error; colours and progress are for terminals only.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import PIL.Image

from . import autoload as autoloading
from . import integrate as integrating
from ._cli.options import (
    AS_JSON,
    BATCH_OPTIONS,
    FILE,
    RECURSIVE,
    SAVE_OPTIONS,
    asked_of,
    having,
    numbers_of,
    wrong_use,
)
from ._cli.streams import Streams, is_stdout, refuse_sources, standard_streams, write_table, writer_of
from ._cli.text import (
    comparison_text,
    csv_of,
    description_of,
    explain,
    fail,
    line_of,
    row_text,
    saved,
    summary,
)
from ._cli.viewing import view
from ._options.options import SaveOptions

if TYPE_CHECKING:
    from ._batch.running import Run
    from .batch import Batch, Record

__all__ = ["main"]

_COMPLETION = """\b
Shell completion, for bash (zsh and fish likewise), in ~/.bashrc:
  eval "$(_KMC_COMPLETE=bash_source kmc)"
"""
# The numbers of colours that `kmc sweep` tries unless it is told others.
_DOUBLING = [2**n for n in range(1, 9)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``kmc``; return the exit status: 0, 1 after an error, 2 for wrong arguments, 130 if interrupted."""
    try:
        status = kmc.main(arguments, "kmc", standalone_mode=False, windows_expand_args=False)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "kmc"
        return fail(path, f"{line_of(error.format_message())} See '{path} --help'.", status=2)
    except (click.Abort, KeyboardInterrupt):
        return fail("kmc", "interrupted; every file is whole", status=130)
    except OSError as error:
        if error.errno == errno.EPIPE:  # who read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        named = f"{error.filename}: " if error.filename and error.strerror else ""
        return fail("kmc", f"{named}{line_of(error.strerror or str(error))}")
    except MemoryError:
        return fail("kmc", "out of memory")
    except (ValueError, TypeError, ImportError, PIL.Image.DecompressionBombError) as error:
        return fail("kmc", line_of(str(error)))
    return status if isinstance(status, int) else 0


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


# --- Many files -----------------------------------------------------------------------------------


@kmc.command()
@having(BATCH_OPTIONS)
@click.option(
    "--strip",
    is_flag=True,
    help="Leave out EXIF, XMP, colour profile and resolution, which make icons large.",
)
@click.option("--one-codebook", is_flag=True, help="Find one codebook for all of the files together.")
@having(SAVE_OPTIONS)
def encode(
    files: tuple[str, ...],
    output: str | None,
    table: Path | None,
    as_json: bool,
    quiet: bool,
    one_codebook: bool,
    **options: Any,
) -> int:
    """Save images as KMC files.

    FILES are images, folders of images, patterns such as "maps/**/*.png", or - for standard input, which
    goes to standard output. Each is written beside its source, or below the output folder as it lies in its
    own. What is newer than its source, and was made by the same options, is left alone, unless -o names it.
    """
    from . import batch
    from ._batch.running import Run

    run = Run(**{name: options.pop(name) for name in Run._fields})
    asked = asked_of(options)
    with standard_streams(files, output, ".kmc", table) as (files, output, streams):
        with wrong_use():
            records = batch.each_encoded(files, output, asked, run)
        if one_codebook:
            asked = _with_one_codebook(records.sources, run, asked)
            records = batch.each_encoded(files, output, asked, run)
        return _report_all("kmc encode", records, streams, table, as_json, quiet)


def _with_one_codebook(files: Sequence[Path], run: Run, asked: SaveOptions) -> SaveOptions:
    """Find a codebook for all files; return the save options with it."""
    from . import batch

    if asked.codebook is not None:
        raise click.UsageError("--codebook and --one-codebook contradict each other.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        codebook = batch.trained_codebook(files, asked, run)
    for warning in caught:
        fail("kmc encode", line_of(str(warning.message)))
    return asked.but({"k": None, "keep": None, "codebook": codebook})


@kmc.command()
@having(BATCH_OPTIONS)
@click.option("--format", default="png", metavar="EXT", help="What to write: png, tiff, ...  [default: png]")
@click.option("--thumbnail", type=int, metavar="N", help="Write small pictures, of N pixels at most a side.")
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
    With --thumbnail, -o must say where to, and of animations the first frame is taken.
    """
    from . import batch

    suffix = f".{format.lower().lstrip('.')}"
    with standard_streams(files, output, suffix, table) as (files, output, streams):
        with wrong_use():
            records = batch.decode_each(files, output, format=format, **how)
        return _report_all("kmc decode", records, streams, table, as_json, quiet)


def _report_all(
    command: str, records: Batch, streams: Streams, table: Path | None, as_json: bool, quiet: bool
) -> int:
    """Print what comes of files as they are done, and all of it at the end; return the exit status.

    It goes to standard error where standard output has a picture.
    """
    from . import batch

    aside = streams.target is not None or is_stdout(table)
    done: list[Record] = []
    for given in records if quiet else _with_progress(records):
        record = streams.named(given)
        done.append(record)
        for warning in record.warnings:
            fail(command, f"{record.source}: warning: {warning}")
        if record.error:
            fail(command, f"{record.source}: {record.error}")
        if as_json:
            click.echo(json.dumps(record._asdict()), err=aside)
    if table:
        write_table(table, batch.table(done))
    if not (quiet or as_json):
        click.echo(summary(done), err=aside)
    return int(any(record.error for record in done))


def _with_progress(records: Batch) -> Iterator[Record]:
    """Show a bar while records come, on a terminal."""
    if not sys.stderr.isatty():
        yield from records
        return
    done: list[Record] = []
    progress: Any = click.progressbar(
        length=len(records), show_pos=True, item_show_func=lambda _: saved(done), file=sys.stderr
    )
    with progress as bar:
        bar.render_progress()
        for record in records:
            done.append(record)
            if record.error or record.warnings:
                click.echo("\r\x1b[K", nl=False, err=True)  # clear the line for what is printed now
            yield record
            bar.update(1, record)


# --- One file -------------------------------------------------------------------------------------


@kmc.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path())
@RECURSIVE
@AS_JSON
@click.option("--codebook", is_flag=True, help="Also list the colours.")
def info(files: tuple[str, ...], recursive: bool, as_json: bool, codebook: bool) -> int:
    """Tell what KMC files hold: size, colours, tiles, the bytes of each part, metadata.

    FILES are KMC files, folders of them, patterns, or - for standard input. Every byte is read and checked,
    so this also finds damage.
    """
    from . import batch, report

    with standard_streams(files, "", "") as (files, _, streams):
        found, status = [], 0
        for path in batch.find(files, recursive=recursive):
            name = "-" if path == streams.source else str(path)
            try:
                described = report.describe(path, codebook=codebook) | {"path": name}
            except (OSError, ValueError) as error:
                status = fail("kmc info", f"{name}: {explain(error)}")
                continue
            found.append(described)
            if not as_json:
                click.echo(description_of(described))
    if as_json:
        click.echo(json.dumps(found, indent=1))
    elif not (found or status):
        click.echo(summary([]))
    return status


@kmc.command()
@click.argument("original", type=FILE)
@click.argument("compressed", type=FILE, required=False)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Write a PNG, SVG or PDF; open no window.")
@click.option("--frame", type=click.IntRange(0), default=0, metavar="N", help="Of an animation, from 0.")
@AS_JSON
@having(SAVE_OPTIONS)
def compare(
    original: Path, compressed: Path | None, output: Path | None, frame: int, as_json: bool, **options: Any
) -> None:
    """Show an image beside a compressed one, and where they differ.

    COMPRESSED is a KMC file, or any other; without it, ORIGINAL is compressed now, by the options. With
    --json and without --output there are only figures. Of animations one frame is shown, and all compared.
    """
    from . import figures, report

    asked = asked_of(options)
    if compressed and asked.given:
        raise click.UsageError("COMPRESSED is as it is: leave it out, or the options of saving.")
    draw = writer_of(output, [original, compressed or original]) if output else None
    try:
        compared = report.compared(original, compressed, asked, frame)
    except IndexError as error:
        raise click.UsageError(f"{line_of(str(error))}.") from error
    click.echo(json.dumps(compared.numbers, indent=1) if as_json else comparison_text(compared.numbers))
    if draw is None and as_json:
        return
    figure = None if draw else figures.window()
    figure = figures.comparison(*compared.pictures, compared.codebook, compared.captions, figure=figure)
    if draw:
        draw(figure)
    else:
        figures.show()


kmc.add_command(view)


# --- Many options ---------------------------------------------------------------------------------


@kmc.command()
@click.argument("image", type=FILE)
@click.option(
    "-k", "--k", "colours", metavar="LIST", callback=numbers_of, help="4,8 or 8:64:8.  [default: 2 to 256]"
)
@click.option("--quality", metavar="LIST", callback=numbers_of, help="Qualities instead, such as 10:90:20.")
@click.option("--csv", "table", type=FILE, metavar="FILE", help="Write the figures as a table.")
@click.option("--plot", type=FILE, metavar="FILE", help="Draw them, as PNG, SVG or PDF.")
@click.option("--show", is_flag=True, help="Draw them in a window.")
@AS_JSON
@having(SAVE_OPTIONS[2:])
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
    """Try numbers of colours, or qualities: bytes, PSNR and time of each, of an animation for all frames."""
    from . import figures
    from ._report.trials import tried as rows_of

    if colours and quality:
        raise click.UsageError("-k and --quality are not for one sweep: choose one.")
    option, values = ("quality", quality) if quality else ("k", colours or _DOUBLING)
    asked = asked_of(options)
    with wrong_use():
        tried = [asked.but({option: value}) for value in values]
    if table:
        refuse_sources(table, [image])
    draw = writer_of(plot, [image]) if plot else None
    window = figures.window() if show else None
    rows: list[dict[str, Any]] = []
    with PIL.Image.open(image) as opened:
        for row in rows_of(opened, option, tried):
            if not as_json:
                click.echo(row_text(row, heading=not rows), err=is_stdout(table))
            rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=1), err=is_stdout(table))
    if table:
        write_table(table, csv_of(rows))
    if draw:
        draw(figures.sweep(rows))
    if window:
        figures.sweep(rows, figure=window)
        figures.show()


# --- Others ---------------------------------------------------------------------------------------


@kmc.command()
@click.argument("image", type=FILE)
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


@kmc.command()
@click.argument("action", type=click.Choice(["enable", "disable", "status"]))
def integrate(action: str) -> int:
    """Let desktops and the command file know KMC, and show thumbnails.

    It concerns this user, on systems that go by freedesktop.org. It puts two files below XDG_DATA_HOME and a
    few lines into ~/.magic, or takes them away.
    """
    return integrating.main([action])
