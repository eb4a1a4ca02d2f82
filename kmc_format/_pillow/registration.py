"""What Pillow, imageio and others are told of KMC: stubs, which import the rest when it is needed.

Autoloading runs this file by itself, without importing the package; so it imports nothing at first.

What is told is kept by `PIL.Image`, and lost with all other formats by ``importlib.reload(PIL.Image)``;
``kmc_format.register()`` brings it back.
"""

TYPE_CHECKING = False  # as in `typing`, which takes longer to import than all of this
if TYPE_CHECKING:
    from typing import IO, Any

    from PIL import Image

FORMAT = "KMC"
EXTENSION = ".kmc"
MIME_TYPE = "image/x-kmc"
DESCRIPTION = "K-Means codebook image"
BEGINNING = b"\x8bKMC"  # of every KMC file


def register() -> None:
    """Make Pillow, imageio, matplotlib and `mimetypes` know KMC, as far as they are, or will be, imported.

    It is done on ``import kmc_format``, and harmless when done again.

    Examples
    --------
    >>> import kmc_format
    >>> kmc_format.register()
    >>> from PIL import Image
    >>> Image.registered_extensions()[".kmc"]
    'KMC'
    """
    from .waiting import when_imported

    for module in ("PIL.Image", "imageio.config.extensions", "matplotlib.backend_bases", "mimetypes"):
        when_imported(module, tell)


def tell(module: "Any") -> None:
    """Tell one of the modules that `register` names about KMC; no other."""
    if module.__name__ == "PIL.Image":
        _tell_pillow(module)
    elif module.__name__ == "imageio.config.extensions":
        _tell_imageio(module)
    elif module.__name__ == "matplotlib.backend_bases":
        module.register_backend("kmc", "kmc_format._canvas", DESCRIPTION)
    elif module.__name__ == "mimetypes":
        _tell_mimetypes(module)


def _tell_pillow(pillow: "Any") -> None:
    pillow.register_open(FORMAT, _open, _accept)
    pillow.register_save(FORMAT, _save)
    pillow.register_save_all(FORMAT, _save_all)
    pillow.register_extension(FORMAT, EXTENSION)
    pillow.register_mime(FORMAT, MIME_TYPE)


def _tell_imageio(extensions: "Any") -> None:
    known = getattr(extensions, "known_extensions", None)
    if known is None or EXTENSION in known:
        return
    entry = extensions.FileExtension(name=DESCRIPTION, extension=EXTENSION, priority=["pillow"])
    extensions.extension_list.append(entry)
    known[EXTENSION] = [entry]


def _tell_mimetypes(mimetypes: "Any") -> None:
    if mimetypes.inited:
        mimetypes.add_type(MIME_TYPE, EXTENSION)
    else:  # which it begins from when it reads the files of the system, and that takes 2 ms
        mimetypes.types_map.setdefault(EXTENSION, MIME_TYPE)


def _accept(prefix: bytes) -> "bool | str":
    if not prefix.startswith(BEGINNING):
        return False
    from kmc_format._pillow import plugin

    return plugin.accept(prefix)


def _open(fp: "IO[bytes]", filename: "str | bytes" = "") -> "Any":
    from kmc_format._pillow import plugin

    return plugin.KMCImageFile(fp, filename)


def _save(im: "Image.Image", fp: "IO[bytes]", filename: "str | bytes") -> None:
    from kmc_format._pillow import plugin

    plugin.save(im, fp)


def _save_all(im: "Image.Image", fp: "IO[bytes]", filename: "str | bytes") -> None:
    from kmc_format._pillow import plugin

    plugin.save_all(im, fp)
