"""Standard input and output in the place of files."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .._extras import needed
from .._files import write_whole

if TYPE_CHECKING:
    from ..batch import Record

# The names by which a command is told to read its input, and to write its output, as a stream.
_STDIN = ("-", "/dev/stdin", "/dev/fd/0")
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1")


class Streams(NamedTuple):
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
def standard_streams(
    files: tuple[str, ...], output: str | None, suffix: str, table: Path | None = None
) -> Iterator[tuple[tuple[str, ...], str | None, Streams]]:
    """Replace - and its other names by files: what is read from, and what is written when all went well."""
    reads = any(file in _STDIN for file in files)
    if reads and len(files) > 1:
        raise click.UsageError("Standard input is one file: name no others beside it.")
    writes = output in _STDOUT or (reads and output is None)
    if not (reads or writes):
        yield files, output, Streams()
        return
    if (reads and sys.stdin is None) or (writes and sys.stdout is None):
        raise click.UsageError("Standard input or output is closed: name a file instead of -.")
    if writes and sys.stdout.isatty():
        raise click.UsageError("Standard output is a terminal: send it to a file, or name one by -o.")
    if writes and is_stdout(table):
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
            yield files, output, Streams(source, target)
        except click.UsageError as error:
            said = error.message.replace(repr(str(target)), "'-'")
            raise click.UsageError(said, error.ctx) from error
        if target and target.exists():
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()


def is_stdout(path: Path | None) -> bool:
    return str(path) in _STDOUT


def write_table(path: Path, text: str) -> None:
    if is_stdout(path):
        click.echo(text, nl=False)
    else:
        write_whole(path, text.encode())


def refuse_sources(path: Path, sources: Iterable[Path]) -> None:
    """Raise where a file would be replaced by what is found out about it."""
    if any(source.exists() and path.exists() and path.samefile(source) for source in sources):
        raise click.UsageError(f"{path} would be replaced by itself: name another file.")


def writer_of(path: Path, sources: Iterable[Path]) -> Callable[[Any], None]:
    """Return what writes a figure to a path; raise at once if it cannot be such a file, or is a source."""
    refuse_sources(path, sources)
    known = needed("matplotlib.figure", "plots").Figure().canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in known:
        raise click.UsageError(f"{path} does not end in .png, .svg or .pdf.")

    def write(figure: Any) -> None:
        file = io.BytesIO()
        figure.savefig(file, format=kind)
        write_whole(path, file.getvalue())

    return write
