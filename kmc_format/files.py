"""Files that are whole or not there: written under another name in the same folder, then renamed."""

from __future__ import annotations

import errno
import os
import stat
from os import PathLike
from pathlib import Path


def write_whole(path: str | PathLike[str], data: bytes) -> None:
    """Write a file so that, whenever it is looked at, the old one or the new one is there, and whole.

    Parameters
    ----------
    path : str or PathLike
        Where links lead is written, and keeps its permissions. What is not a regular file, such as a
        pipe, is written as it is.
    data : bytes
        All that the file is to hold.

    Raises
    ------
    OSError
        If it cannot be written; then the old file is as it was, and no other is left.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(f"{folder}/new", b"data")
    ...     os.listdir(folder)
    ['new']
    """
    target = Path(path).resolve()
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(data)
        return
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "The file is read-only", str(target))
    # A name that no other process or thread takes; of a long one the beginning, as 255 bytes are the most.
    temporary = target.with_name(f".{target.name[:40]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)
