"""Files that are named by URLs, as of object stores, beside those of this machine.

A URL, ``"s3://..."``, is opened through fsspec, by universal_pathlib (the extra `dask`), whose paths have
the methods of `pathlib.Path`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

from .extras import needed
from .files import whole_file

_BLOCK = 2**23  # bytes copied at once


def located(path: str | PathLike[str]) -> Path:
    """Return a path, or for a URL what has its methods.

    Raises
    ------
    ImportError
        If it is a URL, and universal_pathlib is not installed.

    Examples
    --------
    >>> located("photos").name
    'photos'
    """
    name = os.fspath(path) if isinstance(path, (str, PathLike)) else str(path)
    return cast(Path, needed("upath", "dask").UPath(name)) if "://" in name else Path(name)


def is_remote(path: Path) -> bool:
    """Tell whether a path is a URL."""
    return not isinstance(path, Path)


def readable(path: Path) -> Path | BytesIO:
    """Return what opens as an image: a path, or the bytes of a remote file or a pipe, which cannot seek."""
    return BytesIO(path.read_bytes()) if is_remote(path) or path.is_fifo() else path


def modified(path: Path) -> float | None:
    """Return when a file was written, in seconds; None where there is none, or its store does not tell."""
    if not path.exists():
        return None
    if not is_remote(path):
        return path.stat().st_mtime_ns / 1e9
    remote: Any = path
    try:
        return float(remote.fs.modified(remote.path).timestamp())
    except NotImplementedError:
        return None


def write(path: Path, data: bytes) -> None:
    """Write a whole file, and the folders it lies in; at no time is there a part of it under its name.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(str(path)) as file:
        file.write(data)


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """Open a file for writing that gets its name when it is whole, at a path or URL.

    Yields
    ------
    binary file object
        As `files.whole_file` gives it.
    """
    if "://" not in path:
        with whole_file(path) as file:
            yield file
        return
    fsspec = needed("fsspec", "dask")
    files, name = fsspec.core.url_to_fs(path)
    if isinstance(files, fsspec.get_filesystem_class("file")):
        with whole_file(name) as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:  # as others cannot seek when they write
        yield file
        file.seek(0)
        _upload(file, files, name)


def _upload(file: IO[bytes], files: Any, name: str) -> None:
    """Copy a file to another file system, under another name until all is there."""
    temporary = f"{name}.{os.urandom(4).hex()}.tmp"
    try:
        with files.open(temporary, "wb") as remote:
            shutil.copyfileobj(file, remote, _BLOCK)
        files.mv(temporary, name)
    finally:
        with suppress(OSError):
            files.rm_file(temporary)
