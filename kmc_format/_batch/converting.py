"""One file made of another one: encoded or decoded, unless that is there already."""

from __future__ import annotations

import errno
import io
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from PIL import Image

from .._dask.remote import modified, readable, write
from .._format import container
from .._format.container import Reader
from .._options.options import SaveOptions
from .._pillow import animation, saving, thumbnails
from .._pixels.stepping import frame_count
from ..errors import KMCError
from .conversions import Conversion, Record

# What is kept of an image beside its pixels, under Pillow's names.
_METADATA = ("exif", "xmp", "icc_profile", "dpi")
# Formats that change pixels. Whoever names one of them accepts that, so the written file is not compared.
_LOSSY = {"JPEG", "JPEG2000", "MPO", "AVIF"}
# Formats that hold frames with their durations.
_ANIMATED = {"GIF", "PNG", "WEBP"}


def encode_file(conversion: Conversion, *, force: bool, strip: bool, options: SaveOptions) -> bool:
    """Save one file as KMC; return False if the target is up to date."""
    if not (force or conversion.named) and _is_current(conversion, options.mark):
        return False
    with Image.open(readable(conversion.source)) as image:
        own = {"icc_profile": None} if strip else _metadata(image)
        options = options.filled(own)
        if frame_count(image) > 1:
            file = io.BytesIO()
            animation.write(file, [image], options)
            data = file.getvalue()
        else:
            data = saving.encode_image(image, options)
    write(conversion.target, data)
    return True


def decode_file(conversion: Conversion, *, force: bool, name: str, thumbnail: int | None) -> bool:
    """Save one KMC file, or a thumbnail of it, in another format; return False if it is up to date."""
    if not force and conversion.target.is_file():
        if _is_newer(conversion.target, conversion.source):
            return False
        raise FileExistsError(
            errno.EEXIST, f"{conversion.target} is there, and older; to replace it takes force"
        )
    source = readable(conversion.source)
    if thumbnail is None:
        write(conversion.target, _decoded(source, name))
    elif conversion.named and conversion.target.is_file():
        # As it is, since thumbnailers read from the file that they have made and opened, not from its name.
        conversion.target.write_bytes(_thumbnail(source, name, thumbnail))
    else:
        write(conversion.target, _thumbnail(source, name, thumbnail))
    return True


def _thumbnail(source: Path | io.BytesIO, name: str, side: int) -> bytes:
    """Read a thumbnail of a KMC file; return it as a file of another format."""
    file = io.BytesIO()
    with source if isinstance(source, io.BytesIO) else source.open("rb") as opened:
        thumbnails.thumbnail(opened, side).save(file, name)
    return file.getvalue()


def _decoded(source: Path | io.BytesIO, name: str) -> bytes:
    """Read a KMC file; return it as a file of another format, with all that is in it."""
    with Image.open(source, formats=["KMC"]) as opened:
        if name == "GIF":  # to have it as it is, and not in colours that Pillow chooses
            opened.draft("P", None)
        file = io.BytesIO()
        _save(opened, file, name)
        if name in Image.OPEN and name not in _LOSSY and not _equal(opened, file):
            raise ValueError(f"is mode {opened.mode}, which {name} does not hold exactly; png and tiff do")
    return file.getvalue()


def _save(image: Image.Image, file: io.BytesIO, name: str) -> None:
    """Save an image with all its frames in another format."""
    # With these two options WebP loses nothing; other formats ignore them.
    how = {"lossless": True, "exact": True, **_metadata(image)}
    frames = frame_count(image)
    if frames > 1:
        if name not in _ANIMATED:
            raise ValueError(f"has {frames} frames, which {name} does not hold; gif, png and webp do")
        durations = []
        for number in range(frames):
            image.seek(number)
            durations.append(image.info["duration"])
        image.seek(0)
        how |= {"save_all": True, "duration": durations, "loop": image.info["loop"]}
        how["append_images"] = _Following(image, name)
    _suited(image, name).copy().save(file, name, **how)


class _Following:
    """The frames of an image after the first, each made when it is needed, as often as it is."""

    def __init__(self, image: Image.Image, name: str) -> None:
        self._image, self._name = image, name

    def __iter__(self) -> Iterator[Image.Image]:
        for number in range(1, frame_count(self._image)):
            self._image.seek(number)
            yield _suited(self._image, self._name).copy()


def _suited(image: Image.Image, name: str) -> Image.Image:
    """Convert an image that a format refuses, or would store with a loss, to a mode where nothing is lost."""
    if image.mode == "I" and name == "PNG":
        low, high = cast("tuple[int, int]", image.getextrema())
        if low < 0 or high > 0xFFFF:
            raise ValueError(f"has values from {low} to {high}, which only tiff holds")
        return image.convert("I;16")
    if image.mode == "P" and image.has_transparency_data and name == "TIFF":
        return image.convert("RGBA")
    if image.mode == "P" and name == "GIF":
        return _with_one_clear(image)
    image.load()
    return image


def _with_one_clear(image: Image.Image) -> Image.Image:
    """Return a palette image with its transparency as GIF has it, if it has one clear entry or none."""
    image = image.copy()
    alphas = image.info.get("transparency")
    if isinstance(alphas, bytes) and set(alphas) <= {0, 255} and alphas.count(0) < 2:
        del image.info["transparency"]
        if 0 in alphas:
            image.info["transparency"] = alphas.index(0)
    return image


def _equal(image: Image.Image, file: io.BytesIO) -> bool:
    """Tell whether what was written of an image is the same when it is read."""
    file.seek(0)
    mode = image.mode if image.mode.startswith("I") else "RGBA"
    with Image.open(file) as back:
        if mode != "RGBA" and not back.mode.startswith("I"):
            return False
        pairs = zip_longest(_changes(image, mode), _changes(back, mode))
        return all(one == other for one, other in pairs)


def _changes(image: Image.Image, mode: str) -> Iterator[bytes]:
    """Return the pixels of each frame that differs from the one before, as some formats have no others."""
    last = b""
    for number in range(frame_count(image)):
        image.seek(number)
        pixels = image.convert(mode).tobytes()
        if pixels != last:
            yield pixels
        last = pixels


def _metadata(image: Image.Image) -> dict[str, Any]:
    """Return what an image has beside its pixels, as save options."""
    found = {name: image.info[name] for name in _METADATA if image.info.get(name)}
    dpi = found.get("dpi", (1, 1))
    if not all(math.isfinite(value) and value > 0 for value in dpi):
        del found["dpi"]  # some programs write zeros where they do not know it
    return found


def _is_newer(target: Path, source: Path) -> bool:
    written, changed = modified(target), modified(source)
    return written is not None and changed is not None and written > changed


def _is_current(conversion: Conversion, asked: bytes) -> bool:
    """Tell whether a KMC file is newer than its source, and was made with options of a digest."""
    if not _is_newer(conversion.target, conversion.source):
        return False
    try:
        with conversion.target.open("rb") as file:
            return container.read_front(Reader(file)).chunks.get(container.OPTIONS, b"") == asked
    except KMCError:
        return False


def attempt(work: Callable[[Conversion], bool], any_size: bool, conversion: Conversion) -> Record:
    """Do one conversion; return what came of it, whatever that is."""
    record = conversion.record()
    start = time.perf_counter()
    with pixel_limit(any_size), _warnings() as caught:
        try:
            done = work(conversion)
            sizes = conversion.source.stat().st_size, conversion.target.stat().st_size
        except Exception as error:  # whatever is wrong with a file, the others are to be done
            record = record._replace(error=explain(error))
        else:
            record = record._replace(bytes_in=sizes[0], bytes_out=sizes[1], skipped=not done)
    messages = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return record._replace(seconds=time.perf_counter() - start, warnings=messages)


@contextmanager
def _warnings() -> Iterator[Sequence[warnings.WarningMessage]]:
    """Gather warnings. Only the main thread can, as Python has one list of filters for all threads."""
    if threading.current_thread() is not threading.main_thread():
        yield ()
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Pictures of twice the pixels that Pillow warns of are errors anyway.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield caught


class _AnySize:
    """A context without Pillow's limit of pixels, for any number of threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                Image.MAX_IMAGE_PIXELS = self._limit


_ANY_SIZE = _AnySize()


def pixel_limit(any_size: bool) -> AbstractContextManager[None]:
    """Return a context that lifts Pillow's limit of pixels, or keeps it."""
    return _ANY_SIZE if any_size else nullcontext()


def explain(error: Exception) -> str:
    """Return what is wrong, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):  # from fsspec, whose errors have the name of the file only
        return os.strerror(errno.ENOENT)
    if isinstance(error, Image.DecompressionBombError):
        return f"{error} Where it is none, any-size opens it."
    return " ".join(str(error).split()) or type(error).__name__
