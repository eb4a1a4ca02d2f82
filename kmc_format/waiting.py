"""Calls that wait until a module is imported: Pillow and imageio learn of KMC without being imported for it.

Autoloading copies this file beside the packages of an environment, where it is imported at every start
of Python. So it is short, imports next to nothing, and nothing at all of KMC.
"""

import os
import sys

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def start() -> None:
    """Let programs that do not import `kmc_format` know KMC, where it is installed and wanted."""
    if os.environ.get("KMC_AUTOLOAD") != "0":
        when_imported("PIL.Image", _tell)
        when_imported("imageio.config.extensions", _tell)


def _tell(module: "Any") -> None:
    """Run `registration`, of the package that is installed now, without importing the package."""
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    try:
        package = find_spec("kmc_format")
    except ValueError:  # it is being imported in a way of its own; that is no matter of this program's
        return
    for folder in (package and package.submodule_search_locations) or ():
        path = os.path.join(folder, "registration.py")  # noqa: PTH118  # pathlib is slow to import
        spec = spec_from_file_location("_kmc_format_registration", path)
        if spec is not None and spec.loader is not None and os.path.exists(path):  # noqa: PTH110
            registration = module_from_spec(spec)
            spec.loader.exec_module(registration)
            registration.tell(module)


def when_imported(name: str, function: "Callable[[Any], None]") -> None:
    """Call a function with a module: now, if it is imported, or else as soon as it has been executed."""
    if name in sys.modules:
        function(sys.modules[name])
    elif not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, function))


class _Finder:
    """Finds one module as the other finders do, and learns from its loader when it is executed."""

    def __init__(self, name: str, function: "Callable[[Any], None]") -> None:
        self.name = name
        self._function = function
        self._asking = False

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != self.name or self._asking:
            return None
        self._asking = True  # another finder may ask all of them, as this one does
        try:
            for finder in sys.meta_path:
                spec = finder.find_spec(name, path, target) if finder is not self else None
                if spec is not None:
                    self._listen(spec.loader)
                    return spec
        finally:
            self._asking = False
        return None

    def _listen(self, loader: "Any") -> None:
        """Be told by a loader, which is made anew for each import, when it has executed the module."""
        execute = loader.exec_module

        def exec_module(module: "ModuleType") -> None:
            execute(module)
            vars(loader).pop("exec_module", None)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._function(module)

        loader.exec_module = exec_module
