"""Files that are whole or not there: written under another name in the same folder, then renamed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO


def check_path(path: object, instead: str = "") -> None:
    """Raise for what is not the name of a file; `instead` says what the caller may want then."""
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path must be a str or PathLike, not {type(path).__name__}{instead}")


def write_whole(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that, whenever it is looked at, the old one or the new one is there, and whole.

    Parameters
    ----------
    path : str or PathLike
        Where symbolic links lead is written, and keeps its permissions. The file is a new one all
        the same: it belongs to who writes it, and other names (hard links) keep the old file. What
        is not a regular file, such as a pipe, or has no name any more, is written as it is.
    data : bytes
        All that the file is to hold.

    Raises
    ------
    OSError
        If it cannot be written, or its folder cannot; then the old file is as it was, and no other
        is left.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/new", b"data")
    ...     os.listdir(folder)
    ['new']
    """
    with whole_file(path) as file, naming(path):
        file.write(data)


@contextmanager
def whole_file(path: str | PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name when all is written, as `write_whole` does.

    A process that is killed leaves what it has written under another name, ``.NAME.*.tmp`` in the same
    folder, which may be deleted.

    Parameters
    ----------
    path : str or PathLike
        As for `write_whole`.

    Yields
    ------
    binary file object
        Empty. It can seek, but for pipes. Where the block raises, the old file is as it was.

    Raises
    ------
    OSError
        As for `write_whole`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(f"{folder}/new") as file:
    ...         _ = file.write(b"data")
    ...         print("new" in os.listdir(folder))
    ...     os.listdir(folder)
    False
    ['new']
    """
    old = _status(path)
    target = Path(os.path.realpath(path))
    if old is None and os.path.basename(path) in ("", os.curdir, os.pardir):  # noqa: PTH119  # pathlib hides it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    # Links to pipes and to deleted files, as in /dev/fd, lead nowhere by name.
    if old is not None and not (stat.S_ISREG(old.st_mode) and _is_at(old, target)):
        with Path(path).open("wb") as file:
            yield file
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "The file is read-only", str(target))
    with _replacing(target, old) as file:
        yield file


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Name a file in errors of the operating system."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _status(path: str | PathLike[str]) -> os.stat_result | None:
    """Return what there is at a path, links followed, or None where nothing is."""
    try:
        return os.stat(path)  # noqa: PTH116  # pathlib would take slashes off
    except FileNotFoundError:
        return None


def _is_at(status: os.stat_result, path: Path) -> bool:
    other = _status(path)
    return other is not None and os.path.samestat(status, other)


@contextmanager
def _replacing(target: Path, old: os.stat_result | None) -> Iterator[IO[bytes]]:
    # A name that no other process or thread takes; of a long one the beginning, as 255 bytes are the most.
    temporary = target.with_name(f".{target.name[:40]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with naming(target):
            file = temporary.open("xb")
        with file:
            yield file
            with naming(target):
                file.flush()
                os.fsync(file.fileno())
        with naming(target):
            if old is not None:
                temporary.chmod(stat.S_IMODE(old.st_mode))
            temporary.replace(target)
    finally:
        with suppress(OSError):  # it may be that there is no such folder
            temporary.unlink(missing_ok=True)
