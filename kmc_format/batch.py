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

import csv
import errno
import functools
import glob
import io
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Unpack, cast

from PIL import Image

from . import codec, container, parallel, saving, training, workers
from .container import Reader
from .errors import KMCError
from .indexed import Array
from .options import SaveOptions, check_names, digest
from .raster_reading import open_array as open_array
from .rasters import save_array as save_array
from .remote import is_remote, located, modified, readable, write
from .tally import Tally

Paths = Iterable[str | PathLike[str]]

_METADATA = ("exif", "xmp", "icc_profile", "dpi")
_LOSSY = {"JPEG", "JPEG2000", "MPO", "AVIF"}  # who asks for these knows it
_COUNTED = 16  # images whose colours are counted as one task
_DEFAULTS = {**saving.QUANTIZING, **saving.RATING, "effort": codec.DEFAULT_EFFORT}
_PREVIEWS = {"MPO", "PSD"}  # formats of one picture whose other frames are previews, depths or layers of it


class Record(NamedTuple):
    """What came of one file."""

    source: str
    target: str
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    skipped: bool = False  # as its target is up to date
    error: str | None = None
    warnings: tuple[str, ...] = ()


class Job(NamedTuple):
    """A file to be made of another one."""

    source: Path
    target: Path
    named: bool = False  # by the caller, who then wants it written

    def record(self, error: str | None = None) -> Record:
        return Record(str(self.source), str(self.target), error=error)


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
    **options: Unpack[SaveOptions],
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
    **options: Unpack[SaveOptions],
) -> Batch:
    """Prepare what `encode` does: to iterate over what is returned is to do it, record by record."""
    check_names("encode", options, ("recursive", "jobs", "force", "strip", "any_size", "client"))
    client = _cluster(client, jobs)
    jobs = codec.check_threads(jobs)
    keep = options.get("keep")
    if isinstance(keep, Iterator):
        options["keep"] = list(keep)  # for more than one picture
    saving.check_options(options)
    if options.get("codebook") is not None:
        options["codebook"] = saving.codebook_of(options["codebook"])
    plan = _plan(sources, output, ".kmc", _images(), recursive)
    threads = max(jobs // max(len(plan), 1), 1) if client is None else 1
    asked = digest({**options, "strip": strip or None}, _DEFAULTS)
    given = {"threads": threads, **options, "_digest": asked}
    work = functools.partial(_encode_file, force=force, strip=strip, options=given)
    return Batch(work, plan, jobs, any_size, client)


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
    """Prepare what `decode` does, as `encode_each` does for `encode`."""
    client = _cluster(client, jobs)
    jobs = codec.check_threads(jobs)
    suffix = f".{format.lower().lstrip('.')}"
    _format_of(suffix)
    if output is not None and Path(output).suffix.lower() in Image.registered_extensions():
        suffix = Path(output).suffix.lower()
    plan = _plan(sources, output, suffix, {".kmc"}, recursive)
    work = functools.partial(_decode_file, force=force, name=_format_of(suffix))
    return Batch(work, plan, jobs, any_size, client)


def find(sources: Paths, *, recursive: bool = False) -> list[Path]:
    """Return the KMC files that are named: files, those in folders, and those that patterns match.

    Raises
    ------
    FileNotFoundError
        If no file matches a pattern.
    """
    return [file for source in sources for file, _ in _find(source, {".kmc"}, recursive)]


def train_codebook(
    sources: Paths,
    k: int | None = None,
    *,
    recursive: bool = False,
    jobs: int | None = None,
    any_size: bool = False,
    client: Any = None,
    random_state: int = 0,
    space: str = "srgb",
    keep: Iterable[int | str | Sequence[int]] | None = None,
) -> Array:
    """Find one codebook for many images, for the option ``codebook`` of `encode`.

    Their colours are counted where the images are read, and clustered once. Of more than 2**22
    colours together, those that are nearly alike are counted as their mean.

    Parameters
    ----------
    sources, recursive, jobs, any_size, client
        As for `encode`.
    k, random_state, space, keep
        As for `kmc_format.quantize`.

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
    client = _cluster(client, jobs)
    jobs = codec.check_threads(jobs)
    options = {"k": k, "random_state": random_state, "space": space, "keep": keep}
    saving.check_options(options)
    files = [file for source in sources for file, _ in _find(source, _images() | {".kmc"}, recursive)]
    groups = [files[at : at + _COUNTED] for at in range(0, len(files), _COUNTED)]
    count = functools.partial(_count, any_size)
    processes = min(jobs, len(groups))
    if not groups:
        counted = _Counted()
    elif client is not None:
        counted = parallel.reduced_on_cluster(count, _merge, groups, client)
    elif processes > 1:
        counted = _merge(parallel.in_processes(count, groups, processes, _none_counted))
    else:
        counted = _merge(map(count, groups))
    if counted.errors:
        first, error = counted.errors[0]
        message = f"{len(counted.errors)} of {len(files)} images are not in the codebook; {first}: {error}"
        warnings.warn(message, stacklevel=2)
    if counted.tally is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return training.find_codebook(counted.tally, **saving.quantizing_options(options))


def _cluster(client: Any, jobs: object) -> Any:
    """Return the client or address that does the work; None for this machine."""
    return workers.checked(client) if client is not None or jobs is None else None


# --- What is to be done -------------------------------------------------------------------------


def _images() -> set[str]:
    """Return the extensions of files that Pillow reads, other than KMC's."""
    extensions = Image.registered_extensions()  # which loads all its plugins
    return {suffix for suffix, name in extensions.items() if name in Image.OPEN and name != "KMC"}


def _format_of(suffix: str) -> str:
    """Return the format that Pillow writes to files of an extension."""
    name = Image.registered_extensions().get(suffix)
    if name is None or name not in Image.SAVE:
        raise ValueError(f"format {suffix.removeprefix('.')!r} is none that Pillow writes; try png or tiff")
    return name


def _plan(
    sources: Paths, output: str | PathLike[str] | None, suffix: str, wanted: set[str], recursive: bool
) -> list[Job]:
    """Return a job for each file."""
    found = [file for source in sources for file in _find(source, wanted, recursive)]
    if output is None:
        return [Job(source, source.with_suffix(suffix)) for source, _ in found]
    folder = located(output)
    if not _names_a_file(output, folder):
        return [Job(source, (folder / relative).with_suffix(suffix)) for source, relative in found]
    fits = folder.suffix.lower() == suffix or (folder.exists() and not folder.is_file())  # but a pipe
    if len(found) != 1 or not fits:
        what = f"{len(found)} files" if len(found) != 1 else f"a {suffix} file"
        raise ValueError(f"output {str(folder)!r} is the name of a file, and not for {what}; name a folder")
    return [Job(found[0][0], folder, named=True)]


def _names_a_file(output: str | PathLike[str], folder: Path) -> bool:
    """Tell a file from a folder, where either may not be there yet; raise for what looks like neither."""
    if folder.is_dir() or (is_remote(folder) and folder.suffix.lower() not in Image.registered_extensions()):
        return False
    if folder.suffix.lower() in Image.registered_extensions():
        return True
    if folder.exists() and not folder.is_file():
        return True
    name = os.fspath(output)
    if any(map(str.isalpha, folder.suffix)) and not name.endswith((os.sep, "/")):
        raise ValueError(
            f"output {name!r} ends in {folder.suffix!r}, as no image does; for a folder write {name + '/'!r}"
        )
    return False


def _find(source: str | PathLike[str], wanted: set[str], recursive: bool) -> list[tuple[Path, str]]:
    """Return the files that a path or pattern stands for, each with where it lies below that."""
    path = located(source)
    if path.is_dir():
        files = path.rglob("*") if recursive else path.iterdir()
        inside = sorted(file for file in files if file.suffix.lower() in wanted and file.is_file())
        return [(file, str(file.relative_to(path))) for file in inside]
    if not glob.has_magic(str(path)) or path.exists():
        return [(path, path.name)]
    root, pattern = _split(path)
    matches = sorted(match for match in root.glob(pattern) if match.is_file())
    if not matches:
        raise FileNotFoundError(errno.ENOENT, "No file matches", str(path))
    return [(match, str(match.relative_to(root))) for match in matches]


def _split(path: Path) -> tuple[Path, str]:
    """Split a pattern in the folder where it begins, and the rest."""
    root, rest = path, []
    while glob.has_magic(str(root)):
        rest.append(root.name)
        root = root.parent
    return root, "/".join(reversed(rest))


# --- One file -----------------------------------------------------------------------------------


def _encode_file(job: Job, *, force: bool, strip: bool, options: Mapping[str, Any]) -> bool:
    """Save one file as KMC; return False where that is not needed."""
    if not (force or job.named) and _is_current(job, options["_digest"]):
        return False
    with Image.open(readable(job.source)) as image:
        _check_frames(image)
        own = {"icc_profile": None} if strip else _metadata(image)
        data = saving.encode_image(image, {**own, **options})
    write(job.target, data)
    return True


def _decode_file(job: Job, *, force: bool, name: str) -> bool:
    """Save one KMC file in another format; return False where that is not needed."""
    if not force and job.target.is_file():
        if _is_newer(job.target, job.source):
            return False
        raise FileExistsError(errno.EEXIST, f"{job.target} is there, and older; to replace it takes force")
    with Image.open(readable(job.source), formats=["KMC"]) as opened:
        image = _suited(opened, name)
        file = io.BytesIO()
        image.save(file, name, lossless=True, exact=True, **_metadata(opened))  # the two are WebP's
    if name in Image.OPEN and name not in _LOSSY and not _equal(image, file):
        raise ValueError(f"is mode {image.mode}, which {name} does not hold exactly; png and tiff do")
    write(job.target, file.getvalue())
    return True


def _check_frames(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _PREVIEWS:
        raise ValueError(f"has {frames} frames; KMC stores one picture")


def _suited(image: Image.Image, name: str) -> Image.Image:
    """Convert an image where that loses nothing, and a format would lose something, or refuse it."""
    if image.mode == "I" and name == "PNG":
        low, high = cast("tuple[int, int]", image.getextrema())
        if low < 0 or high > 0xFFFF:
            raise ValueError(f"has values from {low} to {high}, which only tiff holds")
        return image.convert("I;16")
    if image.mode == "P" and image.has_transparency_data and name == "TIFF":
        return image.convert("RGBA")
    image.load()
    return image


def _equal(image: Image.Image, file: io.BytesIO) -> bool:
    """Tell whether what was written of an image is the same when it is read."""
    file.seek(0)
    with Image.open(file) as back:
        mode = image.mode if image.mode.startswith("I") else "RGBA"
        if mode != "RGBA" and not back.mode.startswith("I"):
            return False
        return image.convert(mode).tobytes() == back.convert(mode).tobytes()


def _metadata(image: Image.Image) -> dict[str, Any]:
    """Return what an image has beside its pixels, as save options."""
    found = {name: image.info[name] for name in _METADATA if image.info.get(name)}
    dpi = found.get("dpi", (1, 1))
    if not all(math.isfinite(value) and value > 0 for value in dpi):
        del found["dpi"]  # as some programs write that for an unknown one
    return found


def _is_newer(target: Path, source: Path) -> bool:
    written, changed = modified(target), modified(source)
    return written is not None and changed is not None and written > changed


def _is_current(job: Job, asked: bytes) -> bool:
    """Tell whether a KMC file is newer than its source, and was made with options of a digest."""
    if not _is_newer(job.target, job.source):
        return False
    try:
        with job.target.open("rb") as file:
            return container.read_front(Reader(file)).chunks.get(container.OPTIONS, b"") == asked
    except KMCError:
        return False


# --- Colours ------------------------------------------------------------------------------------


class _Counted(NamedTuple):
    """The colours of some images, and which of them could not be read."""

    tally: Tally | None = None
    errors: tuple[tuple[str, str], ...] = ()


def _count(any_size: bool, files: Sequence[Path]) -> _Counted:
    errors = []

    def tallies() -> Iterator[Tally]:
        for file in files:
            try:
                with _ANY_SIZE if any_size else nullcontext(), Image.open(readable(file)) as image:
                    _check_frames(image)
                    yield training.count(saving.pixels_of(image))
            except Exception as error:  # as in `_attempt`
                errors.append((str(file), _explain(error)))

    return _Counted(training.merge_all(tallies()), tuple(errors))


def _merge(parts: Iterable[_Counted]) -> _Counted:
    errors: list[tuple[str, str]] = []

    def tallies() -> Iterator[Tally]:
        for part in parts:
            errors.extend(part.errors)
            if part.tally is not None:
                yield part.tally

    return _Counted(training.merge_all(tallies()), tuple(errors))


def _none_counted(files: Sequence[Path], error: str) -> _Counted:
    return _Counted(None, tuple((str(file), error) for file in files))


# --- All of them --------------------------------------------------------------------------------


def table(records: Iterable[Record]) -> str:
    """Write records as CSV: a line of names, and one for each file.

    Examples
    --------
    >>> print(table([Record("x.png", "x.kmc", 100, 20, 0.5)]), end="")
    source,target,bytes_in,bytes_out,seconds,skipped,error,warnings
    x.png,x.kmc,100,20,0.5,False,,
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Record._fields)
    for record in records:
        writer.writerow(record._replace(warnings="; ".join(record.warnings)))  # type: ignore[arg-type]
    return file.getvalue()


class Batch:
    """Files to be made, and an iterator that makes them; its length is how many there are."""

    def __init__(
        self, work: Callable[[Job], bool], plan: Sequence[Job], jobs: int, any_size: bool, client: Any
    ) -> None:
        self._work = functools.partial(_attempt, work, any_size)
        self._plan = plan
        self._jobs = jobs
        self._client = client

    def __len__(self) -> int:
        return len(self._plan)

    @property
    def sources(self) -> list[Path]:
        """What the files are made of, in order."""
        return [job.source for job in self._plan]

    def __iter__(self) -> Iterator[Record]:
        possible = []
        taken: dict[str, Path] = {}
        for job in self._plan:
            source, target = _identity(job.source), _identity(job.target)
            if source == target:
                yield job.record("would be replaced by itself; name an output folder")
            elif target in taken:
                yield job.record(f"{job.target} is what {taken[target]} becomes, too")
            else:
                taken[target] = job.source
                possible.append(job)
        processes = min(self._jobs, len(possible))
        if self._client is not None:
            yield from parallel.on_cluster(self._work, possible, self._client, _lost)
        elif processes > 1:
            yield from parallel.in_processes(self._work, possible, processes, Job.record)
        else:
            yield from map(self._work, possible)


def _lost(job: Job, error: Exception) -> Record:
    return job.record(_explain(error))


def _identity(path: Path) -> str:
    return str(path) if is_remote(path) else os.path.normcase(path.absolute())


def _attempt(work: Callable[[Job], bool], any_size: bool, job: Job) -> Record:
    """Do one job; return what came of it, whatever that is."""
    record = job.record()
    start = time.perf_counter()
    with _ANY_SIZE if any_size else nullcontext(), _warnings() as caught:
        try:
            done = work(job)
            sizes = job.source.stat().st_size, job.target.stat().st_size
        except Exception as error:  # whatever is wrong with a file, the others are to be done
            record = record._replace(error=_explain(error))
        else:
            record = record._replace(bytes_in=sizes[0], bytes_out=sizes[1], skipped=not done)
    messages = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return record._replace(seconds=time.perf_counter() - start, warnings=messages)


@contextmanager
def _warnings() -> Iterator[Sequence[warnings.WarningMessage]]:
    """Gather warnings, which is for one thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield ()
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice that size is an error
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


def _explain(error: Exception) -> str:
    """Return what is wrong, on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):  # of a URL, which has the name only
        return os.strerror(errno.ENOENT)
    if isinstance(error, Image.DecompressionBombError):
        return f"{error} Where it is none, any-size opens it."
    return " ".join(str(error).split()) or type(error).__name__
