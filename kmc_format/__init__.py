"""KMC: images as a K-Means codebook and a plane of labels, at home in Pillow and imageio.

Importing the package makes Pillow, and with it imageio, read and write ``.kmc``:

>>> import io
>>> import kmc_format
>>> from PIL import Image
>>> file = io.BytesIO()
>>> Image.linear_gradient("L").save(file, "KMC", k=16)
>>> Image.open(file).info["k"]
16

The functions here give codebook and labels themselves, without expanding them to pixels.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from ._api.frames import Frames, encode_frames, open_frames, write_frames
from ._api.reading import decode, open_region, read_header
from ._api.writing import encode, explore, quantize, train_codebook, write
from ._format.codec import Header
from ._format.indexed import Indexed
from ._pillow.registration import register
from .errors import FormatError, KMCError, LimitError, TruncatedError, UnsupportedError

if TYPE_CHECKING:
    from . import autoload as autoload
    from . import batch as batch
    from . import explorer as explorer
    from . import figures as figures
    from . import integrate as integrate
    from . import metrics as metrics
    from . import report as report

__version__ = "0.2.0"

__all__ = [
    "FormatError",
    "Frames",
    "Header",
    "Indexed",
    "KMCError",
    "LimitError",
    "TruncatedError",
    "UnsupportedError",
    "decode",
    "encode",
    "encode_frames",
    "explore",
    "open_frames",
    "open_region",
    "quantize",
    "read_header",
    "register",
    "train_codebook",
    "write",
    "write_frames",
]

# Imported when they are used.
_MODULES = ("autoload", "batch", "explorer", "figures", "integrate", "metrics", "report")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> ModuleType:
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


register()
