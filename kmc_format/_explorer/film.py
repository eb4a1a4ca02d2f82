"""The frames of a picture that is explored."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from .._format import codec
from .._format.container import Reader
from .._format.frame_reading import FrameReader
from .._format.indexed import Indexed
from .._options.options import SaveOptions
from .._pixels.stepping import frame_count, has_labels, show
from .._report.sides import encoded


class Film:
    """An image of several frames: its file in memory, as others may step through that image, or change it.

    Attributes
    ----------
    count : int
        The number of frames.
    labelled : bool
        Whether they are labels, with a palette.
    """

    def __init__(self, image: Image.Image) -> None:
        self._data = _file_of(image)
        self._image = Image.open(BytesIO(self._data))
        self.count = frame_count(self._image)
        self.labelled = has_labels(self._image)

    def frame(self, number: int) -> Image.Image:
        """Return a frame as an image of its own."""
        show(self._image, number)
        return self._image.copy()

    def encode(self, options: SaveOptions) -> bytes:
        """Return the file that `Image.save` makes of all frames."""
        with Image.open(BytesIO(self._data)) as image:  # as the other one steps meanwhile
            return encoded(image, options).getvalue()


def _file_of(image: Image.Image) -> bytes:
    """Return the file that an image of several frames is read from."""
    path = getattr(image, "filename", "")
    if path and Path(path).is_file():
        return Path(path).read_bytes()
    # Pillow's plugins for frames keep it as `_fp`, and as `fp` only while a frame is being read.
    file: Any = getattr(image, "_fp", None) or getattr(image, "fp", None)
    if not hasattr(file, "seek"):
        raise ValueError("the file of this image is closed, and so its frames cannot be read")
    position = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(position)
    return data


def decoded(data: bytes, frame: int) -> Indexed:
    """Decode a frame of a KMC file; a plain picture stands for frames that are all equal."""
    file = BytesIO(data)
    reader = Reader(file)
    header = codec.read_header(reader)
    return FrameReader(file, header).read(frame) if header.is_animated else codec.decode(reader, header)
