"""Existing programs read KMC without being edited: ``kmc autoload enable``, on request only.

It writes two files (three from Python 3.15 on) into the folder of an environment's packages: a copy of
`waiting`, and what makes Python import that when it starts. The environment variable
``KMC_AUTOLOAD=0`` turns it off for a program. Everything goes through `PIL.Image` as it is imported;
other programs notice nothing.

>>> from kmc_format import autoload
>>> autoload.status()  # doctest: +SKIP
'autoloading is not enabled in /home/me/venv/lib/python3.13/site-packages'
"""

from __future__ import annotations

import importlib.util
import py_compile
import site
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ._actions import run_action
from ._files import write_whole
from ._pillow import waiting

__all__ = ["disable", "enable", "main", "status"]

MODULE = "_kmc_format_autoload"

# A removed package, or a removed or damaged module, must never print a traceback at the start of Python.
_PTH = f"import sys; exec('try:\\n import {MODULE}\\n {MODULE}.start()\\nexcept Exception:\\n pass')\n"
_START = f"{MODULE}:start\n"  # PEP 829; beside it, Python does not execute the .pth file


def enable() -> str:
    """Make every Python program in this environment know KMC; harmless when done again.

    Returns
    -------
    str
        What was done, and where.

    Raises
    ------
    OSError
        If the folder of the environment's packages cannot be written.
    """
    folder = _folder()
    # The module comes first: a program that starts in between finds what it is told to import.
    for name, data in _files().items():
        write_whole(folder / name, data)
        if name.endswith(".py"):
            # Those who start Python may not be allowed to, and compiling takes longer than all the rest.
            py_compile.compile(str(folder / name), doraise=True)
    return f"autoloading is enabled in {folder}"


def disable() -> str:
    """Take back what `enable` did, and leave nothing behind; harmless when done again."""
    folder = _folder()
    module = folder / f"{MODULE}.py"
    cached = Path(importlib.util.cache_from_source(str(module)))
    for name in reversed([*_files(), f"{MODULE}.start"]):
        (folder / name).unlink(missing_ok=True)
    for path in cached.parent.glob(f"{MODULE}.*.pyc*"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # where it holds other files
        cached.parent.rmdir()
    return f"autoloading is disabled in {folder}"


def status() -> str:
    """Return one line: whether autoloading is enabled in this environment, and where."""
    folder = _folder()
    found = {name: (folder / name).read_bytes() for name in _files() if (folder / name).exists()}
    if not found:
        return f"autoloading is not enabled in {folder}"
    if found != _files():
        return f"autoloading is enabled in {folder} by another version; 'kmc autoload enable' renews it"
    return f"autoloading is enabled in {folder}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``kmc autoload`` or ``python -m kmc_format.autoload``; return the exit status."""
    actions = {"enable": enable, "disable": disable, "status": status}
    return run_action("autoload", __doc__, actions, arguments)


def _files() -> dict[str, bytes]:
    """Return names and contents, in the order in which they are to be written."""
    files = {f"{MODULE}.py": Path(waiting.__file__).read_bytes()}
    if sys.version_info >= (3, 15):
        files[f"{MODULE}.start"] = _START.encode()
    files[f"{MODULE}.pth"] = _PTH.encode()
    return files


def _folder() -> Path:
    """Return this environment's folder of packages; the user's, where this one was installed for the user."""
    here = Path(__file__).resolve().parent.parent
    return here if here == Path(site.getusersitepackages()).resolve() else Path(sysconfig.get_path("purelib"))


if __name__ == "__main__":
    sys.exit(main())
