"""The build backend of setuptools, which also says what is missing where the core cannot be compiled."""

from __future__ import annotations

from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  # a backend is its functions

HINT = """

If it is the core of kmc_format that could not be compiled: installing from source needs a C compiler and
the headers of Python. On Debian and Ubuntu `apt install gcc python3-dev`, on Fedora `dnf install gcc
python3-devel`, on macOS `xcode-select --install` brings them; on Windows the Build Tools for Visual Studio,
with "Desktop development with C++".
"""


def build_wheel(*arguments: Any, **options: Any) -> str:
    try:
        return build_meta.build_wheel(*arguments, **options)
    except SystemExit as error:
        raise SystemExit(f"{error}{HINT}") from error
