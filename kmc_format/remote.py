"""Files that are named by URLs, as of object stores, beside those of this machine.

A URL, ``"s3://..."``, is opened through fsspec, by universal_pathlib (the extra `dask`), whose paths have
the methods of `pathlib.Path`.
"""

from __future__ import annotations

import os
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, cast

from .extras import needed
from .files import write_whole


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
    """Return what opens as an image: a path, or the bytes of a remote file."""
    return BytesIO(path.read_bytes()) if is_remote(path) else path


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
    if not is_remote(path):
        write_whole(path, data)
        return
    remote: Any = path
    temporary = f"{remote.path}.{os.urandom(8).hex()}.tmp"
    try:
        remote.fs.pipe_file(temporary, data)
        remote.fs.mv(temporary, remote.path)
    finally:
        if remote.fs.exists(temporary):
            remote.fs.rm_file(temporary)
