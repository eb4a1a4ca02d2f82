"""Files that are named by URLs, in object stores for example, beside those of this machine.

A URL such as ``"s3://bucket/picture.png"`` is opened through fsspec, by universal_pathlib (both come with the
extra `dask`), whose paths have the methods of `pathlib.Path`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

from .._extras import needed
from .._files import whole_file


def located(path: str | PathLike[str]) -> Path:
    """Return the path that a name stands for; for a URL an object with the methods of a path.

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
    """Return when a file was written, in seconds; None if there is no file, or its store does not tell."""
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
    """Open a file for writing, at a path or URL, that gets its name when all of it is written.

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
    with tempfile.TemporaryDirectory(prefix="kmc-") as folder:
        local = Path(folder, name.rsplit("/", 1)[-1])  # some stores tell the type of contents from the name
        with local.open("wb") as file:  # as remote files cannot seek when they are written
            yield file
        _upload(str(local), files, name)


def _upload(local: str, files: Any, name: str) -> None:
    """Copy a local file to another file system, where it has its name when all of it is there."""
    if files.async_impl:  # an object store, whose objects are there when they are whole, and not before
        files.put_file(local, name)
        return
    temporary = f"{name}.{os.urandom(4).hex()}.tmp"
    try:
        files.put_file(local, temporary)
        files.mv(temporary, name)
    finally:
        with suppress(OSError):
            files.rm_file(temporary)
