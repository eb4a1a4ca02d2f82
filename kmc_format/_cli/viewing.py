"""The command `kmc view`."""

from __future__ import annotations

import errno
import os
import webbrowser
from pathlib import Path

import click

from .._dask.remote import is_remote
from .._files import write_whole
from .._format.container import SIGNATURE
from .options import RECURSIVE
from .page import Shown, is_page, page_of
from .streams import Streams, standard_streams
from .text import explain, fail, size_of, summary


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="PAGE",
    type=click.Path(),
    help="The page to write, - for standard output.  [default: beside the first file]",
)
@RECURSIVE
@click.option("--show", is_flag=True, help="Open the page in a browser.")
def view(files: tuple[str, ...], output: str | None, recursive: bool, show: bool) -> int:
    """Write a web page that shows KMC files: pictures, colours, metadata.

    FILES are KMC files, folders of them, patterns, or - for standard input. The page is one file, which needs
    no server and nothing else, and shows other KMC files that are dropped on it. Without -o it is not written
    over a file that is anything else.
    """
    from .. import batch

    with standard_streams(files, output, ".html") as (files, output, streams):
        paths = batch.find(files, recursive=recursive)
        shown = [one for one in (_read(path, streams) for path in paths) if one]
        if not paths:
            return fail("kmc view", summary([]))
        if shown:
            target = _checked(Path(output)) if output else _beside(paths[0])
            write_whole(target, page_of(shown))
            if streams.target is None:
                _tell(target, len(shown), show)
    return int(len(shown) < len(paths))


def _read(path: Path, streams: Streams) -> Shown | None:
    """Read a file and check all of it; say so where it cannot be shown."""
    from .. import report

    is_input = path == streams.source
    try:
        report.describe(path)
        name = os.fsencode(path.name).decode("utf-8", "replace")  # which need not be UTF-8
        return Shown("standard input" if is_input else name, path.read_bytes())
    except (OSError, ValueError) as error:
        fail("kmc view", f"{'-' if is_input else path}: {explain(error)}")
        return None


def _beside(path: Path) -> Path:
    """Return the name of a page, which no file has that is none."""
    target = Path(path.name if is_remote(path) else path).with_suffix(".html")
    if target.exists() and not is_page(target):
        raise FileExistsError(
            errno.EEXIST, "It is there, and no page of kmc view: name one by -o", str(target)
        )
    return target


def _checked(target: Path) -> Path:
    """Return a name, which no KMC file has, as one would where `-o` stands before a pattern."""
    if target.is_file():
        with target.open("rb") as file:
            start = file.read(len(SIGNATURE))
        if start == SIGNATURE:
            raise FileExistsError(errno.EEXIST, "It is a KMC file, which a page would replace", str(target))
    return target


def _tell(target: Path, count: int, show: bool) -> None:
    pictures = "1 picture" if count == 1 else f"{count:,} pictures"
    click.echo(f"{target}: {pictures}, {size_of(target.stat().st_size)}")
    if show:
        webbrowser.open(target.resolve().as_uri())
