"""Many pictures and save options to a file of frames, alike for `Image.save` and the array functions."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, cast

import numpy as np
from PIL import Image

from .._format.codebook import with_alpha
from .._format.container import MAX_VARINT
from .._format.frame_writing import FrameWriter
from .._format.indexed import Array, Indexed, as_int
from .._format.metadata import MAX_RDO, Metadata
from .._options.options import DEFAULT_K, SaveOptions
from .._pixels.likeness import looks_like_labels
from .._pixels.stepping import frame_count
from .._quantize.scene import refuse_integers
from .._quantize.search import near_colours
from .._quantize.sequence import Sequencer, find_sequencer, sample_of
from .._quantize.training import count, merge_all
from . import saving
from .spool import MAX_IN_MEMORY, Spool, still_of

Picture = Image.Image | Indexed | Array

# What is tried to meet a budget, in squared error for a bit, after what has no such loss.
_RDOS = tuple(min(2.0**n, MAX_RDO) for n in range(-2, 23))


class Timed(NamedTuple):
    """A picture, and for how many ms it is shown, if it says so itself."""

    picture: Picture
    duration: float | None = None


# --- What pictures there are ----------------------------------------------------------------------


def pictures_of(given: Iterable[object]) -> Iterator[Timed]:
    """Return every picture of images, animated or not, arrays, and iterables of these."""
    for one in [given] if isinstance(given, (Image.Image, Indexed)) else given:
        if isinstance(one, Image.Image):
            yield from _frames_of(one)
        elif isinstance(one, (Indexed, np.ndarray)):
            yield Timed(one)
        elif isinstance(one, Iterable) and not isinstance(one, (str, bytes)):
            yield from pictures_of(one)
        else:
            raise TypeError(f"a frame must be an image, an array or an Indexed, not {one!r}")


def _frames_of(image: Image.Image) -> Iterator[Timed]:
    """Return the frames of an image, which afterwards shows the one that it shows now."""
    count = frame_count(image)
    if count == 1:
        yield Timed(image, image.info.get("duration"))
        return
    shown = image.tell()
    try:
        for number in range(count):
            image.seek(number)
            image.load()  # as some formats know the duration only then
            yield Timed(image, image.info.get("duration"))
    finally:
        image.seek(shown)


def _copied(image: Image.Image) -> Image.Image:
    """Return a copy, as an image may be changed for the next frame, that tells what format it is from."""
    copy = image.copy()
    copy.format = image.format
    return copy


# --- When they are shown --------------------------------------------------------------------------


class Durations:
    """For how many ms frames are shown: as given, or as pictures say themselves, or 0.

    Parameters
    ----------
    given : number, sequence of numbers or None
        For all frames, or for each.
    """

    def __init__(self, given: Any) -> None:
        several = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, (str, bytes))
        self._all = None if given is None or several else _milliseconds(given)
        self._each = [_milliseconds(one) for one in given] if several else None

    def of(self, number: int, own: float | None) -> int:
        """Return the duration of a frame."""
        if self._each is not None:
            return self._each[number] if number < len(self._each) else 0
        if self._all is not None:
            return self._all
        return 0 if own is None else _milliseconds(own)

    def check(self, count: int) -> None:
        """Raise if there are not as many durations as frames."""
        if self._each is not None and len(self._each) != count:
            raise ValueError(f"duration has {len(self._each)} numbers for {count} frames")


def _milliseconds(value: Any) -> int:
    try:
        number = float("" if isinstance(value, (str, bytes, bool)) else value)
    except (TypeError, ValueError):
        raise TypeError(f"duration must be in ms, one number or one for each frame, not {value!r}") from None
    if not 0 <= number <= MAX_VARINT:  # as NaN is not, either
        raise ValueError(f"duration must be from 0 to {MAX_VARINT} ms, not {value!r}")
    return round(number)


def check_loop(loop: Any) -> int:
    """Return how many times frames are shown, 0 for ever."""
    number = as_int(loop)
    if number is None or isinstance(loop, bool):
        raise TypeError(f"loop must be an int, how often all frames are shown or 0 for ever, not {loop!r}")
    if not 0 <= number <= MAX_VARINT:
        raise ValueError(f"loop must be from 0 (for ever) to {MAX_VARINT}, not {loop!r}")
    return number


def _loop_of(image: Image.Image) -> int:
    """Return how many times an image says that its frames are shown; a GIF that says nothing, once."""
    return check_loop(image.info.get("loop", 1 if image.format == "GIF" else 0))


# --- The file -------------------------------------------------------------------------------------


def write(
    file: IO[bytes], given: Iterable[object], options: SaveOptions, *, duration: Any = None, loop: Any = None
) -> None:
    """Write pictures as the frames of a file; one, or all equal, as a plain picture.

    Nothing is written before all of it is there.

    Parameters
    ----------
    file : binary file object
    given : iterable
        Images, animated or not, arrays, `Indexed`, and iterables of these; all of one size. They are gone
        through once.
    options : SaveOptions
    duration : number or sequence of numbers, optional
        For how many ms each frame is shown. By default what images say, or 0.
    loop : int, optional
        How many times the frames are shown, 0 for ever. By default what the first image says, or 0.

    Raises
    ------
    TypeError, ValueError, OSError
        If an option is not what it should be, or a picture cannot be a frame of this file.
    """
    durations, loop = Durations(duration), None if loop is None else check_loop(loop)
    with Spool() as spool:
        first, times = _gather(spool, given, durations)
        if not spool.moves:
            file.write(saving.encode(first, options))
            return
        if isinstance(first, Image.Image):
            options = saving.with_stored_k(first, saving.with_profile(first, options))
            loop = _loop_of(first) if loop is None else loop
        with _coded(spool, times, options, loop or 0) as coded:
            coded.seek(0)
            shutil.copyfileobj(coded, file)


def _gather(spool: Spool, given: Iterable[object], durations: Durations) -> tuple[Picture, list[int]]:
    """Put pictures into the spool; return the first, and the durations."""
    first: Picture | None = None
    size, times = (0, 0), []
    for number, (picture, own) in enumerate(pictures_of(given)):
        still = still_of(picture)
        if first is None:
            first, size = _copied(picture) if isinstance(picture, Image.Image) else picture, still.size
        if still.size != size:
            shown, wanted = (f"{width}x{height}" for width, height in (still.size, size))
            raise ValueError(f"frame {number} is {shown} pixels, and not {wanted} as those before")
        spool.add(still)
        times.append(durations.of(number, own))
    if first is None:
        raise ValueError("there must be at least one frame")
    durations.check(len(times))
    return first, times


@contextmanager
def _coded(spool: Spool, times: list[int], options: SaveOptions, loop: int) -> Iterator[IO[bytes]]:
    """Code what is in a spool into a temporary file."""
    _refuse_labels(spool, options)
    with SpooledTemporaryFile(MAX_IN_MEMORY) as temporary:
        file = cast(IO[bytes], temporary)
        if options.max_bytes is None:
            _encode(file, spool, times, options, loop, asked=options)
        else:
            _encode_within(file, spool, times, options, loop)
        yield file


def _encode_within(file: IO[bytes], spool: Spool, times: list[int], options: SaveOptions, loop: int) -> None:
    """Code with the least loss for which the file has at most `max_bytes`."""
    assert options.max_bytes is not None
    best = replace(options, max_bytes=None)
    coarser = [replace(best, quality=None, rdo=rdo, k=_colours_for(rdo, options)) for rdo in _RDOS]
    levels = [best, *coarser]
    low, high, length = 0, len(levels), 0
    while low < high:
        middle = (low + high) // 2
        length = _encode(file, spool, times, levels[middle], loop)
        low, high = (low, middle) if length <= options.max_bytes else (middle + 1, high)
    if low == len(levels):
        raise ValueError(
            f"max_bytes={options.max_bytes} cannot be reached:"
            f" the smallest file of these frames has {length} bytes"
        )
    _encode(file, spool, times, levels[low], loop, asked=options)


def _colours_for(rdo: float, options: SaveOptions) -> int | None:
    """Return how many colours go with an `rdo`, no more than asked for."""
    if options.codebook is not None:
        return None
    most = DEFAULT_K if options.k is None else options.k
    return max(min(round(near_colours(rdo)), most), min(2, most), len(options.keep or ()))


def _encode(
    file: IO[bytes],
    spool: Spool,
    times: list[int],
    options: SaveOptions,
    loop: int,
    asked: SaveOptions | None = None,
) -> int:
    """Code what is in a spool, in place of what is in a file; return the number of bytes.

    Where it is no trial, there is a warning if what was asked for has changed labels.
    """
    pictures, own = _indexed(spool, options, asked)
    file.seek(0)
    file.truncate()
    first = next(iter(spool))
    writer = FrameWriter(file, options.layout(first.size), cast(Metadata, {**options.metadata, **own}), loop)
    for indexed, duration in zip(pictures, times, strict=True):
        writer.add(indexed, duration)
    writer.close()
    return file.tell()


def _indexed(
    spool: Spool, options: SaveOptions, asked: SaveOptions | None
) -> tuple[Iterator[Indexed], Metadata]:
    """Return codebook and labels of each picture, and what else the file is to say of them."""
    first = next(iter(spool))
    if spool.labels and first.entries is not None and _may_keep(spool, options):
        entries, mode = first.entries, first.mode
        own = {} if first.transparency is None else {"transparency": first.transparency}
        return (Indexed(entries, still.values, mode) for still in spool), cast(Metadata, own)
    sequencer = _sequencer(spool, options, palette=spool.labels and first.mode == "P")
    return _labelled(spool, sequencer, asked), {"rdo": sequencer.rdo} if sequencer.rdo else {}


def _labelled(spool: Spool, sequencer: Sequencer, asked: SaveOptions | None) -> Iterator[Indexed]:
    for number, pixels in enumerate(spool.pixels()):
        indexed = sequencer.label(pixels)
        if asked is not None and asked.weighed and not number:
            saving.warn_of_labels(pixels, indexed, asked)
        yield indexed


def _refuse_labels(spool: Spool, options: SaveOptions) -> None:
    """Raise where what was asked for is for colours, and the pictures hold labels."""
    first = next(iter(spool))
    if spool.labels and first.entries is not None:
        if first.mode != "P":
            saving.refuse_pixel_options(Indexed(first.entries, first.values, first.mode), options)
            return
        seen = with_alpha(first.entries, first.transparency)
        if options.weighed and options.k is None and looks_like_labels(first.values, seen):
            raise saving.labels_error(options)
    elif options.weighed:
        refuse_integers(spool.kind, options.k is not None or options.codebook is not None, options)


def _may_keep(spool: Spool, options: SaveOptions) -> bool:
    """Tell whether labels that stand for the same are stored as they are."""
    first = next(iter(spool))
    if first.mode != "P":
        return True
    wanted = options.codebook is not None or options.keep is not None or options.weighed
    return not wanted and spool.used <= (DEFAULT_K if options.k is None else options.k)


def _sequencer(spool: Spool, options: SaveOptions, *, palette: bool) -> Sequencer:
    """Return what labels the pictures of a spool as options ask."""
    total = merge_all(map(count, spool.pixels()))
    assert total is not None
    kind = spool.kind._replace(mode="P") if palette else spool.kind
    width, height = next(iter(spool)).size
    sample = sample_of(len(spool), width * height)
    size = saving.file_size(options, {})
    return find_sequencer(kind, total, lambda: spool.pixels(sample), options, size)
