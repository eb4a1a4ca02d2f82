"""The build backend of setuptools: it compiles the core on all processors, and says what is missing where it
cannot.

``pip install . -C sanitize=address,undefined`` compiles the core with sanitizers, to be tested:
see tests/fuzz.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, build_meta
from setuptools.build_meta import *  # noqa: F403  # a backend is its functions
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

OPTIONS = {"msvc": ["/O2", "/std:c11"]}
OTHERS_OPTIONS = ["-O3", "-g0", "-std=c11"]
SANITIZERS = ("address", "undefined", "leak", "thread")
HINT = """

If it is the core of kmc_format that could not be compiled: installing from source needs a C compiler and
the headers of Python. On Debian and Ubuntu `apt install gcc python3-dev`, on Fedora `dnf install gcc
python3-devel`, on macOS `xcode-select --install` brings them; on Windows the Build Tools for Visual Studio,
with "Desktop development with C++".
"""


def _compile_extension(self: build_ext, extension: Extension) -> None:
    """Compile with the compiler's own options, and several files at once."""
    options = OPTIONS.get(self.compiler.compiler_type, OTHERS_OPTIONS)
    extension.extra_compile_args = [*options, *extension.extra_compile_args]
    compile_files = type(self.compiler).compile.__get__(self.compiler)

    def compile_at_once(sources: list[str], **arguments: Any) -> list[str]:
        first = compile_files(sources[:1], **arguments)  # which also makes the folders
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rest = pool.map(lambda source: compile_files([source], **arguments), sources[1:])
            return [*first, *(file for files in rest for file in files)]

    self.compiler.compile = compile_at_once
    _compile_one_by_one(self, extension)


_compile_one_by_one = build_ext.build_extension
build_ext.build_extension = _compile_extension


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    settings = dict(config_settings or {})
    if "sanitize" in settings:
        _sanitize(settings.pop("sanitize"))
    try:
        return build_meta.build_wheel(wheel_directory, settings, metadata_directory)
    except SystemExit as error:
        raise SystemExit(f"{error}{HINT}") from error


def _sanitize(given: str) -> None:
    """Compile with sanitizers: last on the command line, so that they win, and into a folder of its own."""
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in SANITIZERS:
            raise SystemExit(f"sanitize={given}: {name!r} is none of {', '.join(SANITIZERS)}")
    sanitize = f"-fsanitize={','.join(names)}"
    flags = [sanitize, "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g1", "-O1"]
    finish, compile_extension = build.finalize_options, build_ext.build_extension

    def finalize_options(self: build) -> None:
        self.build_base = str(Path(self.build_base) / "-".join(["sanitized", *names]))
        finish(self)

    def build_extension(self: build_ext, extension: Extension) -> None:
        extension.extra_compile_args = [*extension.extra_compile_args, *flags]
        extension.extra_link_args = [*extension.extra_link_args, sanitize]
        compile_extension(self, extension)

    build.finalize_options = finalize_options
    build_ext.build_extension = build_extension
