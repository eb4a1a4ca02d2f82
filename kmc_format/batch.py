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
import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Unpack

from PIL import Image

from ._batch.conversions import (
    Paths,
    Record,
    between_files,
    find_files,
    format_of,
    image_suffixes,
    plan,
    table,
)
from ._batch.converting import decode_file, encode_file
from ._batch.counting import count_all
from ._batch.running import Batch, EncodeArguments, ReadArguments, Run, RunArguments, TrainArguments, split
from ._dask.raster_reading import open_array
from ._dask.rasters import save_array
from ._format.indexed import Array, as_int
from ._options.options import ClusterOptions, SaveOptions
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


def encode(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    **options: Unpack[EncodeArguments],
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
    recursive : bool, optional
        Take the images in folders of folders, too.
    jobs : int, optional
        How many cores to use: as many processes, or threads if there are fewer files. By default
        those that this process may use. Scripts that start processes begin their work below
        ``if __name__ == "__main__":``, as `multiprocessing` tells.
    force : bool, optional
        Also write what is up to date: targets that are newer than their sources, and were made with
        the same options. Files tell their options by 9 bytes, and those that do not, as those of
        `Image.save`, count as made without options. A file that `output` names is always written.
    strip : bool, optional
        Leave out EXIF, XMP, colour profile and resolution, which are kept otherwise.
    any_size : bool, optional
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
    return list(encode_each(sources, output, **options))


def encode_each(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    **options: Unpack[EncodeArguments],
) -> Batch:
    """Check and plan what `encode` does; it is done when the result is iterated over, record by record."""
    run, rest = split("encode", options, Run._fields)
    return each_encoded(sources, output, SaveOptions.of(rest), run)


def each_encoded(sources: Paths, output: str | PathLike[str] | None, options: SaveOptions, run: Run) -> Batch:
    """Do as `encode_each` does, with options that are checked."""
    client, cores = run.cluster(), run.cores()
    conversions = plan(sources, output, ".kmc", image_suffixes(), run.recursive)
    threads = max(cores // max(len(conversions), 1), 1) if client is None else 1
    marked = replace(
        options, threads=options.threads or threads, mark=options.digest(strip=run.strip or None), given={}
    )
    work = functools.partial(encode_file, force=run.force, strip=run.strip, options=marked)
    return Batch(work, conversions, run)


def decode(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    format: str = "png",  # noqa: A002  # as it is called in Pillow
    thumbnail: int | None = None,
    **how: Unpack[RunArguments],
) -> list[Record]:
    """Save KMC files as images of another format, several at once.

    Parameters
    ----------
    sources, output, recursive, jobs
        As for `encode`; of folders the files ``*.kmc`` are taken.
    format : str
        An extension that Pillow knows, ``"png"`` or ``"tiff"``. Where `output` is the name of a file,
        that has one.
    thumbnail : int, optional
        Write pictures that fit into a square of this side in pixels, and of animations the first frame.
        They are upright and in colours that are seen, and have no metadata but a colour profile; of a
        large picture only a part is in memory at a time. Then `output` must be given, and of one file may
        be any name: one that is not an image's is of `format`.
    force : bool, optional
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
    return list(decode_each(sources, output, format=format, thumbnail=thumbnail, **how))


def decode_each(
    sources: Paths,
    output: str | PathLike[str] | None = None,
    *,
    format: str = "png",  # noqa: A002  # as for `decode`
    thumbnail: int | None = None,
    **how: Unpack[RunArguments],
) -> Batch:
    """Check and plan what `decode` does; it is done when the result is iterated over, record by record."""
    run, _ = split("decode", how, RunArguments.__annotations__, ("format", "thumbnail"))
    suffix = f".{format.lower().lstrip('.')}"
    format_of(suffix)
    if output is not None and Path(output).suffix.lower() in Image.registered_extensions():
        suffix = Path(output).suffix.lower()
    sources = list(sources)
    conversion = None
    if thumbnail is not None:
        _check_thumbnail(thumbnail, output)
        conversion = between_files(sources, output)
    conversions = [conversion] if conversion else plan(sources, output, suffix, {".kmc"}, run.recursive)
    work = functools.partial(decode_file, force=run.force, name=format_of(suffix), thumbnail=thumbnail)
    return Batch(work, conversions, run)


def _check_thumbnail(thumbnail: object, output: object) -> None:
    side = as_int(thumbnail)
    if side is None or isinstance(thumbnail, bool):
        raise TypeError(f"thumbnail must be an int, 1 or more, not {thumbnail!r}")
    if side < 1:
        raise ValueError(f"thumbnail must be 1 or more, not {thumbnail!r}")
    if output is None:
        raise ValueError("thumbnail needs an output, as beside its source it would have the picture's name")


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


def train_codebook(sources: Paths, k: int | None = None, **options: Unpack[TrainArguments]) -> Array:
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
    names = ("k", *ClusterOptions.__annotations__)
    run, rest = split("train_codebook", options, ReadArguments.__annotations__, names)
    return trained_codebook(sources, SaveOptions.of({"k": k, **rest}), run)


def trained_codebook(sources: Paths, options: SaveOptions, run: Run) -> Array:
    """Do as `train_codebook` does, with options that are checked."""
    files = _files(sources, image_suffixes() | {".kmc"}, run.recursive)
    counted = count_all(files, run)
    if counted.errors:
        first, error = counted.errors[0]
        message = f"{len(counted.errors)} of {len(files)} images are not in the codebook; {first}: {error}"
        warnings.warn(message, stacklevel=3)
    if counted.tally is None:
        raise ValueError("there must be at least one picture to train a codebook on")
    return training.find_codebook(counted.tally, options)
