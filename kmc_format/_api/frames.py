"""Several pictures in a file: `kmc_format.encode_frames`, `write_frames` and `open_frames`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from os import PathLike, fspath
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Unpack, overload

from .._format import codec
from .._format.codec import Header
from .._format.container import Reader
from .._format.frame_reading import FrameReader
from .._format.indexed import Indexed, as_int
from .reading import Source

if TYPE_CHECKING:
    from .._options.options import MoreOptions


def encode_frames(
    frames: Iterable[Any],
    k: int | None = None,
    *,
    duration: Any = None,
    loop: int | None = None,
    **options: Unpack[MoreOptions],
) -> bytes:
    """Code several pictures as the bytes of one KMC file.

    They share a codebook, and cost little where they are like the ones before. One picture, or several that
    are all equal, makes the file that `kmc_format.encode` makes.

    Parameters
    ----------
    frames : iterable
        Arrays, one by one or as one of shape (n, height, width) or (n, height, width, channels); images, of
        which those that are animated are taken with all their frames; or `Indexed`. All have one size. They
        are gone through once, and need not be in memory together.
    k : int, optional
        Number of colours of all frames together, as for `kmc_format.encode`.
    duration : number or sequence of numbers, optional
        For how many milliseconds each frame is shown. By default what images say themselves, or 0.
    loop : int, optional
        How many times the frames are shown, 0 for ever. By default what the first image says, or 0.
    **options
        As for `kmc_format.encode`. `quality` is searched for on a sample of frames. Pixels that are as in the
        frame before keep their labels, whatever is asked for.

    Returns
    -------
    bytes
        A whole file. The same for the same frames, options and library versions.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or a frame has another size, or is of another kind, such as
        integers among colours.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> masks = np.zeros((50, 64, 64), np.uint16)
    >>> for n, mask in enumerate(masks):
    ...     mask[n : n + 9, 20:40] = 1000
    >>> with kmc_format.open_frames(kmc_format.encode_frames(masks)) as frames:
    ...     len(frames), bool((frames[30].expand() == masks[30]).all())
    (50, True)
    """
    file = BytesIO()
    _write("encode_frames", file, frames, k, duration, loop, options)
    return file.getvalue()


def write_frames(
    path: str | PathLike[str],
    frames: Iterable[Any],
    k: int | None = None,
    *,
    duration: Any = None,
    loop: int | None = None,
    **options: Unpack[MoreOptions],
) -> None:
    """Write several pictures as a KMC file, which is whole at any time, as `kmc_format.write` does.

    Parameters
    ----------
    path : str or PathLike
        As for `kmc_format.write`.
    frames, k, duration, loop, **options
        As for `encode_frames`.

    Raises
    ------
    TypeError, ValueError
        As by `encode_frames`.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import kmc_format
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kmc_format.write_frames(f"{folder}/x.kmc", (np.eye(9, k=n, dtype=np.uint8) for n in range(5)))
    ...     with kmc_format.open_frames(f"{folder}/x.kmc") as frames:
    ...         len(frames)
    5
    """
    from .._files import check_path, naming, whole_file

    check_path(path, "; encode_frames gives the bytes")
    with whole_file(path) as file, naming(path):
        _write("write_frames", file, frames, k, duration, loop, options)


def _write(
    function: str,
    file: IO[bytes],
    frames: Iterable[Any],
    k: int | None,
    duration: Any,
    loop: int | None,
    options: MoreOptions,
) -> None:
    from .._options.options import SaveOptions, check_names
    from .._pillow import animation  # which, with K-Means, is not for those who only read

    check_names(function, options, ("duration", "loop"))
    animation.write(file, frames, SaveOptions.of({"k": k, **options}), duration=duration, loop=loop)


def open_frames(source: Source) -> Frames:
    """Open a KMC file of several frames, or of one, to read any of them.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        What the file is read from. A file object must be able to seek, and stays open; it has to begin with
        the file.

    Raises
    ------
    KMCError
        If it is no KMC file, damaged, or newer than this reader.
    OSError
        If it cannot be read.

    Examples
    --------
    See `encode_frames`.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Frames(BytesIO(source), own=True)
    if isinstance(source, (str, PathLike)):
        return Frames(open(fspath(source), "rb"), own=True)  # noqa: PTH123  # closed by `Frames`
    if hasattr(source, "read"):
        return Frames(source, own=False)
    raise TypeError(f"source must be a path, bytes or a binary file, not {type(source).__name__}")


class Frames:
    """The frames of a KMC file: a sequence of `Indexed`, each read when it is asked for.

    A frame takes at most fifteen others to be decoded, and none after the one before it. It is used by one
    thread at a time, and closed at the end of a ``with`` block.

    Attributes
    ----------
    header : Header
        What the file says before its frames.
    loop : int
        How many times the frames are to be shown, 0 for ever.
    """

    def __init__(self, file: IO[bytes], *, own: bool) -> None:
        self._file, self._own = file, own
        try:
            self.header: Header = codec.read_header(Reader(file))
            self._reader = FrameReader(file, self.header) if self.header.is_animated else None
        except BaseException:
            self.close()
            raise
        self.loop = 0 if self._reader is None else self._reader.timing.loop

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._own:
            self._file.close()

    def __len__(self) -> int:
        return 1 if self._reader is None else len(self._reader)

    @overload
    def __getitem__(self, index: int) -> Indexed: ...
    @overload
    def __getitem__(self, index: slice) -> list[Indexed]: ...
    def __getitem__(self, index: int | slice) -> Indexed | list[Indexed]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self._read(self._number(index))

    def __iter__(self) -> Iterator[Indexed]:
        number = 0
        while self._has(number):
            yield self._read(number)
            number += 1

    def duration(self, index: int) -> int:
        """Return for how many milliseconds a frame is shown."""
        number = self._number(index)
        return 0 if self._reader is None else self._reader.duration(number)

    @property
    def durations(self) -> list[int]:
        """For how many milliseconds each frame is shown."""
        return [self.duration(number) for number in range(len(self))]

    def _has(self, number: int) -> bool:
        return number == 0 if self._reader is None else self._reader.has(number)

    def _number(self, index: int) -> int:
        number = as_int(index)
        if number is None:
            raise TypeError(f"the number of a frame must be an int, not {index!r}")
        number += len(self) if number < 0 else 0
        if not self._has(number):
            raise IndexError(f"there is no frame {index}; there are {len(self)}")
        return number

    def _read(self, number: int) -> Indexed:
        if self._reader is not None:
            return self._reader.read(number)
        self._file.seek(self.header.front.start)
        return codec.decode(Reader(self._file, self.header.front.start), self.header)
