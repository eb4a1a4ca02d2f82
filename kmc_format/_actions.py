"""Commands such as ``kmc autoload enable``, which are an action each, and need no click."""

from __future__ import annotations

import argparse
import py_compile
import sys
from collections.abc import Callable, Mapping, Sequence


def run_action(
    name: str, about: str | None, actions: Mapping[str, Callable[[], str]], arguments: Sequence[str] | None
) -> int:
    """Do the action that arguments name, and print what it returns; return the exit status.

    Parameters
    ----------
    name : str
        Of the module; it is also that of the command.
    about : str
        The docstring of the module, whose first line is for ``--help``.
    actions : mapping
        Names and functions.
    arguments : sequence of str or None
        None for those of the process.
    """
    summary = (about or "").partition("\n")[0].replace("``", "")
    parser = argparse.ArgumentParser(f"python -m kmc_format.{name}", description=summary)
    parser.add_argument(
        "action", choices=list(actions), help="for this user, or the environment of this Python"
    )
    try:
        print(actions[parser.parse_args(arguments).action]())
    except (OSError, RuntimeError, py_compile.PyCompileError) as error:
        print(f"kmc {name}: {_in_one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return " ".join(str(error).split())
