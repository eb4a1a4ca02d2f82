"""How Pillow and imageio come to know KMC: at once, or as soon as they are imported.

Autoloading copies this file beside the packages of an environment, where it is imported at every start
of Python. So it imports next to nothing, and of KMC nothing until a KMC file is opened or saved.
"""

import os
import sys

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import IO, Any

    from PIL import Image

FORMAT = "KMC"
EXTENSION = ".kmc"
BEGINNING = b"\x8bKMC"  # of every KMC file


def register() -> None:
    """Make Pillow and imageio know KMC; done on ``import kmc_format``, and harmless when done again.

    Examples
    --------
    >>> import kmc_format
    >>> kmc_format.register()
    >>> from PIL import Image
    >>> Image.registered_extensions()[".kmc"]
    'KMC'
    """
    when_imported("PIL.Image", _tell_pillow)
    when_imported("imageio.config.extensions", _tell_imageio)


def start() -> None:
    """Do the same for a program that does not import `kmc_format`, where it is installed and wanted."""
    if os.environ.get("KMC_AUTOLOAD") != "0":
        when_imported("PIL.Image", _if_installed(_tell_pillow))
        when_imported("imageio.config.extensions", _if_installed(_tell_imageio))


def _if_installed(function: "Callable[[Any], None]") -> "Callable[[Any], None]":
    def checked(module: "Any") -> None:
        from importlib.util import find_spec

        if find_spec("kmc_format") is not None:
            function(module)

    return checked


# --- What is told -----------------------------------------------------------------------------


def _tell_pillow(pillow: "Any") -> None:
    pillow.register_open(FORMAT, _open, _accept)
    pillow.register_save(FORMAT, _save)
    pillow.register_extension(FORMAT, EXTENSION)
    pillow.register_mime(FORMAT, "image/x-kmc")


def _tell_imageio(extensions: "Any") -> None:
    known = getattr(extensions, "known_extensions", None)
    if known is None or EXTENSION in known:
        return
    entry = extensions.FileExtension(name="K-Means codebook image", extension=EXTENSION, priority=["pillow"])
    extensions.extension_list.append(entry)
    known[EXTENSION] = [entry]


def _accept(prefix: bytes) -> "bool | str":
    if not prefix.startswith(BEGINNING):
        return False
    from kmc_format import plugin

    return plugin.accept(prefix)


def _open(fp: "IO[bytes]", filename: "str | bytes" = "") -> "Any":
    from kmc_format import plugin

    return plugin.KMCImageFile(fp, filename)


def _save(im: "Image.Image", fp: "IO[bytes]", filename: "str | bytes") -> None:
    from kmc_format import plugin

    plugin.save(im, fp)


# --- Waiting for a module ---------------------------------------------------------------------


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
            spec = self._ask_others(name, path, target)
        finally:
            self._asking = False
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]  # it is one, by delegation
        return spec

    def _ask_others(
        self, name: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None:
                return spec
        return None

    def executed(self, module: "ModuleType") -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            self._function(module)


class _Loader:
    """The loader of a module, which also tells the finder when the module is executed."""

    def __init__(self, loader: "Any", finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.executed(module)
