"""Which files are to be made of which others, and the record of what came of each."""

from __future__ import annotations

import csv
import errno
import glob
import io
import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from .._dask.remote import is_remote, located

Paths = Iterable[str | PathLike[str]]


class Record(NamedTuple):
    """What came of one file."""

    source: str
    target: str
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    skipped: bool = False  # as its target is up to date
    error: str | None = None
    warnings: tuple[str, ...] = ()


class Conversion(NamedTuple):
    """A file to be made of another one."""

    source: Path
    target: Path
    named: bool = False  # whether the caller named the target, and so wants it written in any case

    def record(self, error: str | None = None) -> Record:
        return Record(str(self.source), str(self.target), error=error)


def image_suffixes() -> set[str]:
    """Return the extensions of files that Pillow reads, other than KMC's."""
    extensions = Image.registered_extensions()  # which loads all its plugins
    return {suffix for suffix, name in extensions.items() if name in Image.OPEN and name != "KMC"}


def format_of(suffix: str) -> str:
    """Return the format that Pillow writes to files of an extension."""
    name = Image.registered_extensions().get(suffix)
    if name is None or name not in Image.SAVE:
        raise ValueError(f"format {suffix.removeprefix('.')!r} is none that Pillow writes; try png or tiff")
    return name


def plan(
    sources: Paths, output: str | PathLike[str] | None, suffix: str, wanted: set[str], recursive: bool
) -> list[Conversion]:
    """Return a conversion for each file that the sources stand for."""
    found = [file for source in sources for file in find_files(source, wanted, recursive)]
    if output is None:
        return [Conversion(source, source.with_suffix(suffix)) for source, _ in found]
    folder = located(output)
    if not _names_a_file(output, folder):
        return [Conversion(source, (folder / relative).with_suffix(suffix)) for source, relative in found]
    fits = folder.suffix.lower() == suffix or (folder.exists() and not folder.is_file())  # but a pipe
    if len(found) != 1 or not fits:
        what = f"{len(found)} files" if len(found) != 1 else f"a {suffix} file"
        raise ValueError(f"output {str(folder)!r} is the name of a file, and not for {what}; name a folder")
    return [Conversion(found[0][0], folder, named=True)]


def between_files(sources: Paths, output: str | PathLike[str] | None) -> Conversion | None:
    """Return the conversion of the one source to the output, where both are files, of whatever names."""
    given = list(sources)
    if output is None or len(given) != 1 or os.fspath(output).endswith((os.sep, "/")):
        return None
    source, target = located(given[0]), located(output)
    if is_remote(target) or target.is_dir() or not source.is_file():
        return None
    return Conversion(source, target, named=True)


def _names_a_file(output: str | PathLike[str], folder: Path) -> bool:
    """Tell a file from a folder, where either may not be there yet; raise for what looks like neither."""
    if folder.is_dir() or (is_remote(folder) and folder.suffix.lower() not in Image.registered_extensions()):
        return False
    if folder.suffix.lower() in Image.registered_extensions():
        return True
    if folder.exists() and not folder.is_file():
        return True
    name = os.fspath(output)
    if any(map(str.isalpha, folder.suffix)) and not name.endswith((os.sep, "/")):
        raise ValueError(
            f"output {name!r} ends in {folder.suffix!r}, as no image does; for a folder write {name + '/'!r}"
        )
    return False


def find_files(source: str | PathLike[str], wanted: set[str], recursive: bool) -> list[tuple[Path, str]]:
    """Return the files that a path or pattern stands for, each with where it lies below that."""
    path = located(source)
    if path.is_dir():
        files = path.rglob("*") if recursive else path.iterdir()
        inside = sorted(file for file in files if file.suffix.lower() in wanted and file.is_file())
        return [(file, str(file.relative_to(path))) for file in inside]
    if not glob.has_magic(str(path)) or path.exists():
        return [(path, path.name)]
    root, pattern = _root_and_pattern(path)
    matches = sorted(match for match in root.glob(pattern) if match.is_file())
    if not matches:
        raise FileNotFoundError(errno.ENOENT, "No file matches", str(path))
    return [(match, str(match.relative_to(root))) for match in matches]


def _root_and_pattern(path: Path) -> tuple[Path, str]:
    """Split a pattern in the folder where it begins, and the rest."""
    root, rest = path, []
    while glob.has_magic(str(root)):
        rest.append(root.name)
        root = root.parent
    return root, "/".join(reversed(rest))


def table(records: Iterable[Record]) -> str:
    """Write records as CSV: a line of names, and one for each file.

    Examples
    --------
    >>> print(table([Record("x.png", "x.kmc", 100, 20, 0.5)]), end="")
    source,target,bytes_in,bytes_out,seconds,skipped,error,warnings
    x.png,x.kmc,100,20,0.5,False,,
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Record._fields)
    for record in records:
        writer.writerow(record._replace(warnings="; ".join(record.warnings)))  # type: ignore[arg-type]
    return file.getvalue()
