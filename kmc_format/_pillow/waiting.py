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
        for module in ("PIL.Image", "imageio.config.extensions", "matplotlib.backend_bases", "mimetypes"):
            when_imported(module, _tell)


def _tell(module: "Any") -> None:
    """Run `registration`, of the package that is installed now, without importing the package.

    Whatever is wrong with that is no matter of the program's: its own import goes on.
    """
    from importlib.util import find_spec, module_from_spec, spec_from_file_location

    try:
        package = find_spec("kmc_format")
        for folder in (package and package.submodule_search_locations) or ():
            path = os.path.join(folder, "_pillow", "registration.py")  # noqa: PTH118  # pathlib is slow to import
            spec = spec_from_file_location("_kmc_format_registration", path)
            if spec is not None and spec.loader is not None and os.path.exists(path):  # noqa: PTH110
                registration = module_from_spec(spec)
                spec.loader.exec_module(registration)
                registration.tell(module)
    except Exception:
        return


def when_imported(name: str, function: "Callable[[Any], None]") -> None:
    """Call a function with a module: now, if it is imported, or else as soon as it has been executed."""
    module = sys.modules.get(name)
    if module is not None:
        __import__(name)  # waits, where another thread is executing it
        function(module)
    elif not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, function))


class _Finder:
    """Finds one module as the other finders do, and learns from its loader when it is executed."""

    def __init__(self, name: str, function: "Callable[[Any], None]") -> None:
        self.name = name
        self._function = function
        self._asking = False
        self._heard: Any = None  # the loader that will tell

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name != self.name or self._asking:
            return None
        self._asking = True  # another finder may ask all of them, as this one does
        try:
            for finder in sys.meta_path:
                find = getattr(finder, "find_spec", None)  # which one of an old kind has not
                spec: ModuleSpec | None = find(name, path, target) if find and finder is not self else None
                if spec is not None:
                    if spec.loader is not self._heard:
                        self._listen(spec.loader)
                    return spec
        finally:
            self._asking = False
        return None

    def _listen(self, loader: "Any") -> None:
        """Be told by a loader when it has executed the module, unless it is of a kind that cannot tell."""

        def exec_module(module: "ModuleType") -> None:
            execute(module)
            if module is not sys.modules.get(self.name):  # a loader may be that of many modules
                return
            if own.get("exec_module") is exec_module:  # else another has listened since, through this one
                own.pop("exec_module")
                own.update(before)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self._function(module)

        try:
            own, execute = vars(loader), loader.exec_module
            before = {name: own[name] for name in own if name == "exec_module"}
            own["exec_module"] = exec_module
            self._heard = loader
        except (AttributeError, TypeError):
            return
