"""Many files: each encoded or decoded by itself, in several processes, with a record of what came of it.

A file that fails is one record with an error, and the others are done. Whatever happens, interrupts
included, under the name of a target there is the old file or a new one that is whole.

>>> import tempfile
>>> from kmc_format import batch
>>> with tempfile.TemporaryDirectory() as folder:
...     Image.linear_gradient("L").save(f"{folder}/ramp.png")
...     [record] = batch.encode([folder], k=4)
...     record.error, Path(record.target).name
(None, 'ramp.kmc')
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from PIL import Image

from ._batch.conversions import Conversion, Paths, Record, find_files, format_of, image_suffixes, plan, table
from ._batch.converting import attempt, check_frames, decode_file, encode_file, explain, pixel_limit
from ._dask import parallel, workers
from ._dask.raster_reading import open_array
from ._dask.rasters import save_array
from ._dask.remote import is_remote, readable
from ._format.indexed import Array
from ._format.threads import check_threads
from ._options.options import ClusterOptions, GivenOptions, SaveOptions, check_names
from ._pixels import convert
from ._pixels.tally import Tally
from ._quantize import training

__all__ = [
    "Batch",
    "Record",
    "decode",
    "decode_each",
    "encode",
    "encode_each",
    "find",
    "open_array",
    "save_array",
    "table",
    "train_codebook",
]

# Images whose colours are counted as one task: so few that all processes have some, and so many that tallies
# are seldom sent from one process to another.
_COUNTED = 16


def encode(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    recursive: bool = False,
    jobs: int | None = None,
    force: bool = False,
    strip: bool = False,
    any_size: bool = False,
    client: Any = None,
    **options: Unpack[GivenOptions],
) -> list[Record]:
    """Save images as KMC files, several at once.

    Parameters
    ----------
    sources : iterable of path
        Files; folders, of which every image is taken; and patterns such as ``"maps/**/*.png"``. Those
        with ``://`` are URLs, for fsspec (the extra `dask`).
    output : path, optional
        A folder, in which the tree of folders below those of `sources` is mirrored; or, for one
        file, a name that ends in ``.kmc``, or a pipe. By default each file is written beside its source.
    recursive : bool
        Take the images in folders of folders, too.
    jobs : int, optional
        How many cores to use: as many processes, or threads if there are fewer files. By default
        those that this process may use. Scripts that start processes begin their work below
        ``if __name__ == "__main__":``, as `multiprocessing` tells.
    force : bool
        Also write what is up to date: targets that are newer than their sources, and were made with
        the same options. Files tell their options by 9 bytes, and those that do not, as those of
        `Image.save`, count as made without options. A file that `output` names is always written.
    strip : bool
        Leave out EXIF, XMP, colour profile and resolution, which are kept otherwise.
    any_size : bool
        Also open images of more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels, which may be an attack.
    client : distributed.Client or str, optional
        A Dask cluster that does the work, or the address of its scheduler, ``"tcp://..."``. Its workers
        have to reach the files; `jobs` does not matter then. By default the active client, unless `jobs` is
        given; and where there is none, this machine.
    **options
        Those of `Image.save`.

    Returns
    -------
    list of Record
        One for each file, in the order in which they were done.

    Raises
    ------
    TypeError, ValueError
        If an option is not what it should be; then nothing is written.
    FileNotFoundError
        If no file matches a pattern.
    """
    how = {"recursive": recursive, "jobs": jobs, "force": force, "any_size": any_size, "client": client}
    return list(encode_each(sources, output, strip=strip, **how, **options))


def encode_each(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    recursive: bool = False,
    jobs: int | None = None,
    force: bool = False,
    strip: bool = False,
    any_size: bool = False,
    client: Any = None,
    **options: Unpack[GivenOptions],
) -> Batch:
    """Check and plan what `encode` does; it is done when the result is iterated over, record by record."""
    check_names("encode", options, ("recursive", "jobs", "force", "strip", "any_size", "client"))
    how = {"recursive": recursive, "jobs": jobs, "force": force, "any_size": any_size, "client": client}
    return each_encoded(sources, output, SaveOptions.of(options), strip=strip, **how)


def each_encoded(
    sources: Paths,
    output: str | PathLike[str] | None,
    options: SaveOptions,
    *,
    recursive: bool,
    jobs: int | None,
    force: bool,
    strip: bool,
    any_size: bool,
    client: Any,
) -> Batch:
    """Do as `encode_each` does, with options that are checked."""
    client = _cluster(client, jobs)
    jobs = check_threads(jobs)
    conversions = plan(sources, output, ".kmc", image_suffixes(), recursive)
    threads = max(jobs // max(len(conversions), 1), 1) if client is None else 1
    marked = replace(
        options, threads=options.threads or threads, mark=options.digest(strip=strip or None), given={}
    )
    work = functools.partial(encode_file, force=force, strip=strip, options=marked)
    return Batch(work, conversions, jobs, any_size, client)


def decode(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    format: str = "png",  # noqa: A002  # as it is called in Pillow
    recursive: bool = False,
    jobs: int | None = None,
    force: bool = False,
    any_size: bool = False,
    client: Any = None,
) -> list[Record]:
    """Save KMC files as images of another format, several at once.

    Parameters
    ----------
    sources, output, recursive, jobs
        As for `encode`; of folders the files ``*.kmc`` are taken.
    format : str
        An extension that Pillow knows, ``"png"`` or ``"tiff"``. Where `output` is the name of a file,
        that has one.
    force : bool
        Replace files that are there. Without, those newer than their sources are skipped, and those
        older are errors: they may be what the KMC file was made of.
    any_size, client
        As for `encode`.

    Returns
    -------
    list of Record
        One for each file, in the order in which they were done.

    Raises
    ------
    ValueError
        If Pillow cannot write such files.
    FileNotFoundError
        If no file matches a pattern.
    """
    how = {"recursive": recursive, "jobs": jobs, "force": force, "any_size": any_size, "client": client}
    return list(decode_each(sources, output, format=format, **how))


def decode_each(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    format: str = "png",  # noqa: A002  # as for `decode`
    recursive: bool = False,
    jobs: int | None = None,
    force: bool = False,
    any_size: bool = False,
    client: Any = None,
) -> Batch:
    """Check and plan what `decode` does; it is done when the result is iterated over, record by record."""
    client = _cluster(client, jobs)
    jobs = check_threads(jobs)
    suffix = f".{format.lower().lstrip('.')}"
    format_of(suffix)
    if output is not None and Path(output).suffix.lower() in Image.registered_extensions():
        suffix = Path(output).suffix.lower()
    conversions = plan(sources, output, suffix, {".kmc"}, recursive)
    work = functools.partial(decode_file, force=force, name=format_of(suffix))
    return Batch(work, conversions, jobs, any_size, client)


def find(sources: Paths, *, recursive: bool = False) -> list[Path]:
    """Return the KMC files that are named: files, those in folders, and those that patterns match.

    Raises
    ------
    FileNotFoundError
        If no file matches a pattern.
    """
    return _files(sources, {".kmc"}, recursive)


def _files(sources: Paths, suffixes: set[str], recursive: bool) -> list[Path]:
    return [file for source in sources for file, _ in find_files(source, suffixes, recursive)]


def train_codebook(
    sources: Paths,
    k: int | None = None,
    *,
    recursive: bool = False,
    jobs: int | None = None,
    any_size: bool = False,
    client: Any = None,
    **options: Unpack[ClusterOptions],
) -> Array:
    """Find one codebook for many images, for the option ``codebook`` of `encode`.

    Their colours are counted where the images are read, and clustered once. Of more than 2**22
    colours together, those that are nearly alike are counted as their mean.

    Parameters
    ----------
    sources, recursive, jobs, any_size, client
        As for `encode`.
    k, **options
        Also `random_state`, `space` and `keep`, as for `kmc_format.train_codebook`.

    Returns
    -------
    ndarray, shape (k, channels)
        In ascending order; with colour, or alpha, where any of the images has it.

    Raises
    ------
    TypeError, ValueError
        If an option is not what it should be, or no image can be read.
    FileNotFoundError
        If no file matches a pattern.

    Warns
    -----
    UserWarning
        If some images cannot be read; the codebook is for the others.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for grey in (10, 12, 200):
    ...         Image.new("L", (4, 4), grey).save(f"{folder}/{grey}.png")
    ...     train_codebook([folder], k=2).tolist()
    [[11], [200]]
    """
    how = {"recursive": recursive, "jobs": jobs, "any_size": any_size, "client": client}
    check_names("train_codebook", options, how, ("k", *ClusterOptions.__annotations__))
    return trained_codebook(sources, SaveOptions.of({"k": k, **options}), **how)


def trained_codebook(
    sources: Paths, options: SaveOptions, *, recursive: bool, jobs: int | None, any_size: bool, client: Any
) -> Array:
    """Do as `train_codebook` does, with options that are checked."""
    client = _cluster(client, jobs)
    jobs = check_threads(jobs)
    files = _files(sources, image_suffixes() | {".kmc"}, recursive)
    counted = _count_all(files, jobs, any_size, client)
    if counted.errors:
        first, error = counted.errors[0]
        message = f"{len(counted.errors)} of {len(files)} images are not in the codebook; {first}: {error}"
        warnings.warn(message, stacklevel=3)
    if counted.tally is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return training.find_codebook(counted.tally, options)


def _cluster(client: Any, jobs: object) -> Any:
    """Return the client or address that does the work; None for this machine."""
    return workers.checked(client) if client is not None or jobs is None else None


class _Counted(NamedTuple):
    """The colours of some images, and which of them could not be read."""

    tally: Tally | None = None
    errors: tuple[tuple[str, str], ...] = ()


def _count_all(files: Sequence[Path], jobs: int, any_size: bool, client: Any) -> _Counted:
    """Count the colours of images where they are read, and add them up."""
    groups = [files[at : at + _COUNTED] for at in range(0, len(files), _COUNTED)]
    count = functools.partial(_count_files, any_size)
    processes = min(jobs, len(groups))
    if not groups:
        return _Counted()
    if client is not None:
        return parallel.reduced_on_cluster(count, _merge_counted, groups, client)
    if processes > 1:
        return _merge_counted(parallel.in_processes(count, groups, processes, _none_counted))
    return _merge_counted(map(count, groups))


def _count_files(any_size: bool, files: Sequence[Path]) -> _Counted:
    errors = []

    def tallies() -> Iterator[Tally]:
        for file in files:
            try:
                with pixel_limit(any_size), Image.open(readable(file)) as image:
                    check_frames(image)
                    yield training.count(convert.pixels_of(image))
            except Exception as error:  # as in `attempt`
                errors.append((str(file), explain(error)))

    return _Counted(training.merge_all(tallies()), tuple(errors))


def _merge_counted(parts: Iterable[_Counted]) -> _Counted:
    errors: list[tuple[str, str]] = []

    def tallies() -> Iterator[Tally]:
        for part in parts:
            errors.extend(part.errors)
            if part.tally is not None:
                yield part.tally

    return _Counted(training.merge_all(tallies()), tuple(errors))


def _none_counted(files: Sequence[Path], error: str) -> _Counted:
    return _Counted(None, tuple((str(file), error) for file in files))


class Batch:
    """Files that are made one by one while this is iterated over; its length is how many there are."""

    def __init__(
        self,
        work: Callable[[Conversion], bool],
        conversions: Sequence[Conversion],
        jobs: int,
        any_size: bool,
        client: Any,
    ) -> None:
        self._work = functools.partial(attempt, work, any_size)
        self._conversions = conversions
        self._jobs = jobs
        self._client = client

    def __len__(self) -> int:
        return len(self._conversions)

    @property
    def sources(self) -> list[Path]:
        """What the files are made of, in order."""
        return [conversion.source for conversion in self._conversions]

    def __iter__(self) -> Iterator[Record]:
        possible = []
        taken: dict[str, Path] = {}
        for conversion in self._conversions:
            source, target = _identity(conversion.source), _identity(conversion.target)
            if source == target:
                yield conversion.record("would be replaced by itself; name an output folder")
            elif target in taken:
                yield conversion.record(f"{conversion.target} is what {taken[target]} becomes, too")
            else:
                taken[target] = conversion.source
                possible.append(conversion)
        processes = min(self._jobs, len(possible))
        if self._client is not None:
            yield from parallel.on_cluster(self._work, possible, self._client, _lost)
        elif processes > 1:
            yield from parallel.in_processes(self._work, possible, processes, Conversion.record)
        else:
            yield from map(self._work, possible)


def _lost(conversion: Conversion, error: Exception) -> Record:
    return conversion.record(explain(error))


def _identity(path: Path) -> str:
    return str(path) if is_remote(path) else os.path.normcase(path.absolute())
