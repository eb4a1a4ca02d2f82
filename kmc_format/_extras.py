"""Libraries that are not installed with the package, but with one of its extras."""

from __future__ import annotations

import importlib
from typing import Any


def needed(module: str, extra: str) -> Any:
    """Import a module that an extra installs, and return it.

    Raises
    ------
    ImportError
        If it is not installed; the message is the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        raise ImportError(
            f"{library} is not installed, which this needs: pip install 'kmc-format[{extra}]'", name=library
        ) from error
