"""Images of several frames: how many there are, and showing one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from .._format.indexed import as_int

# Formats of one picture: their other frames are previews, depths or layers of it.
PREVIEWS = {"MPO", "PSD"}


def frame_count(picture: object) -> int:
    """Return how many frames a picture has: 1 for what is no image, and of formats that have one picture.

    Examples
    --------
    >>> frame_count(Image.new("L", (2, 2)))
    1
    """
    if not isinstance(picture, Image.Image) or picture.format in PREVIEWS:
        return 1
    return max(getattr(picture, "n_frames", 1), 1)  # 0 for a PSD without layers


def has_labels(image: Image.Image) -> bool:
    """Tell whether an image is a palette's, and so holds labels; in a GIF only the first frame is one."""
    return image.mode == "P" and not (image.format == "GIF" and frame_count(image) > 1)


def check_frame(frame: object, count: int, name: str) -> int:
    """Return the number of a frame; raise where a picture of so many frames has none of that number."""
    number = as_int(frame)
    if number is None or isinstance(frame, bool):
        raise TypeError(f"frame must be an int, the number of a frame from 0, not {frame!r}")
    if not 0 <= number < count:
        has = "one picture, frame 0" if count == 1 else f"frames 0 to {count - 1}"
        raise IndexError(f"there is no frame {number}: {name} has {has}")
    return number


def show(picture: object, frame: int) -> None:
    """Have an image of several frames show one of them; others show what they do."""
    if not isinstance(picture, Image.Image) or (count := frame_count(picture)) == 1:
        return
    if frame < picture.tell() and picture.format == "PNG":
        # Pillow cannot go on from the first frame when it comes back from one that was loaded, unless that
        # is the last: it would take the chunk that followed for that of the next frame.
        picture.seek(count - 1)
        picture.load()
    picture.seek(frame)


@contextmanager
def as_found(picture: object) -> Iterator[None]:
    """Have an image show in the end what it showed before."""
    shown = picture.tell() if isinstance(picture, Image.Image) else 0
    try:
        yield
    finally:
        show(picture, shown)
