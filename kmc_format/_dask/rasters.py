"""Huge pictures: encoded from Dask arrays, which need not fit in memory, and read back as such.

One pass over the array counts its colours, from which the codebook is found as for any picture; a
second one codes it, a block of tiles at a time. Dask schedules both, on threads, processes or machines,
moves what is to be moved, and does again what is lost with a worker. Coded tiles come back in order,
and one writer appends them to the file.

>>> import tempfile
>>> import dask.array
>>> from kmc_format import batch
>>> column = dask.array.arange(512, chunks=128)[:, None] // 16
>>> stripes = dask.array.broadcast_to(column, (512, 512)).astype("uint8")
>>> with tempfile.TemporaryDirectory() as folder:
...     batch.save_array(stripes, f"{folder}/stripes.kmc", tile=256)
...     picture = batch.open_array(f"{folder}/stripes.kmc")
...     picture.shape, picture.chunks, bool((picture == stripes).all().compute())
((512, 512), ((256, 256), (256, 256)), True)
"""

from __future__ import annotations

import functools
import itertools
import math
import mmap
import os
from array import array as integers
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import UnsupportedOperation
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from .._ahead import work_ahead
from .._extras import needed
from .._files import check_path, naming
from .._format import codec
from .._format.grid import Grid
from .._format.indexed import Array
from .._format.metadata import pack_metadata
from .._format.threads import check_threads
from .._options.options import OPTIONS, MoreOptions, SaveOptions, check_names
from .._pixels import tally
from .._pixels.kinds import kind_of
from .._pixels.tally import Tally
from .._quantize import kmeans, tasks
from . import workers
from .remote import whole

if TYPE_CHECKING:
    import dask.array
    import distributed

# A function that takes groups of delayed objects, and gives the results of all of them one after the other.
Compute = Callable[[Iterable[list[Any]]], Iterator[Any]]

# Options that need all pixels of a picture at once.
_WHOLE = ("dither", "rdo", "quality", "max_bytes", "max_error")
# One task codes a block of tiles, whose sides are about so many pixels.
_BLOCK_SIDE = 1024
# How many bytes a chunk has, at most, of an array that is no Dask array and so has no chunks of its own.
_CHUNK_BYTES = 2**23
# How many colours are told apart at most. Each takes 12 bytes; without alpha there are no more than so many.
_MOST_COLOURS = 2**24
# How many groups of blocks are handed out at a time: one that is waited for, and one that is coded meanwhile.
_AHEAD = 2
# A group has at least so many blocks for each thread there is, and at least so many in all, as more workers
# may come later.
_BLOCKS_A_THREAD, _LEAST_BLOCKS = 4, 64
# A group ends with the row that makes it so many blocks, wherever the array's chunks end.
_MOST_BLOCKS = 2**10


def save_array(
    array: dask.array.Array | Array,
    path: str | PathLike[str],
    k: int | None = None,
    *,
    client: distributed.Client | str | None = None,
    **options: Unpack[MoreOptions],
) -> None:
    """Write a Dask array as a KMC file: the bytes that `kmc_format.encode` gives for all of its pixels.

    The array is computed twice, chunk by chunk: to count its colours, and to code them. With `codebook`
    once is enough. Of more than 2**24 colours, those that are nearly alike are counted as their mean, and the
    codebook may differ a little from the one that `kmc_format.encode` finds.

    Parameters
    ----------
    array : dask.array.Array, or what `dask.array.from_array` takes
        Shape (height, width) or (height, width, channels), and dtype, as for `kmc_format.encode`: of
        Zarr arrays, of TIFF files by tifffile's ``aszarr`` (whose stores cannot be sent to other
        processes; those of its ``write_fsspec`` can), of memory-mapped files. Chunks whose edges are
        those of tiles are the fastest.
    path : str or PathLike
        A path, or a URL that fsspec knows (``s3://...``). The file has the name when it is whole, and
        not before. Of a run that was killed a file ``.NAME.*.tmp`` beside it is left, which may be
        deleted; another run starts from the beginning.
    k, **options
        As for `kmc_format.encode`. Its `dither`, `rdo`, `quality`, `max_bytes` and `max_error` are not
        for pictures in parts, and `threads` is for `client` to say.
    client : distributed.Client or str, optional
        Where to compute, or the address of a scheduler (``tcp://...``). By default the active client, or
        else Dask's scheduler of the moment, which is threads of this process.

    Raises
    ------
    ImportError
        If Dask is not installed: ``pip install 'kmc-format[dask]'``.
    TypeError, ValueError
        If an argument is not what it should be.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import dask.array
    >>> import kmc_format
    >>> column = dask.array.arange(300, chunks=100)[:, None] % 200
    >>> bands = dask.array.broadcast_to(column, (300, 400)).astype("uint8")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_array(bands, f"{folder}/bands.kmc", k=4, tile=(200, 100))
    ...     header = kmc_format.read_header(f"{folder}/bands.kmc")
    >>> header.size, header.tiles, header.k
    ((400, 300), 6, 4)
    """
    check_path(path)
    asked = _asked(k, options)
    source = _as_dask(array)
    kind = kind_of(source.shape, source.dtype)
    size = source.shape[1], source.shape[0]
    grid, effort, _ = asked.layout(size)
    task = tasks.task_for(kind, asked)
    metadata = pack_metadata(asked.metadata, task.kind.mode)
    with _computing(client) as (compute, threads), whole(os.fspath(path)) as file:
        if not file.seekable():
            raise UnsupportedOperation(
                "save_array needs a file that can seek; encode gives the bytes for a pipe"
            )
        tile_size = grid.tile_width, grid.tile_height
        block_task = BlockTask(task, *_find_codebook(source, task, compute), effort, tile_size)
        front = codec.pack_front(grid, task.kind, block_task.entries) + metadata
        _write(file, os.fspath(path), front, grid, _tiles(source, block_task, grid, compute, threads))


# --- What is saved ------------------------------------------------------------------------------


class BlockTask(NamedTuple):
    """What workers need to know to code a block."""

    task: tasks.Task
    entries: Array
    kept: Array
    effort: int
    tile_size: tuple[int, int]


class _Mapped:
    """A memory-mapped array that is sent to workers by the name of its file, not by its contents."""

    def __init__(self, mapped: np.memmap[Any, Any]) -> None:
        self.dtype, self.shape, self.ndim = mapped.dtype, mapped.shape, mapped.ndim
        self._file = mapped.filename, mapped.offset, "C" if mapped.flags.c_contiguous else "F"

    def __getitem__(self, part: tuple[slice, ...]) -> Array:
        name, offset, order = self._file
        return np.array(np.memmap(name, self.dtype, "r", offset, self.shape, order)[part])  # type: ignore[call-overload]


def _asked(k: int | None, options: Mapping[str, Any]) -> SaveOptions:
    """Return the options, checked; raise for those that are not for pictures in parts."""
    check_names("save_array", options, ("client",), [name for name in OPTIONS if name != "threads"])
    asked = SaveOptions.of({"k": k, **options})
    for name in _WHOLE:
        if asked.has(name):
            shown = asked.shown(name)
            raise ValueError(f"{shown} needs the whole picture at once; save_array has it in parts")
    return asked


def _as_dask(array: Any) -> Any:
    """Return a Dask array, not cut between channels."""
    dask, dask_array = needed("dask", "dask"), needed("dask.array", "dask")
    if not isinstance(array, dask_array.Array):
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):  # others are parts of one
            array = _Mapped(array)
        if not (hasattr(array, "shape") and hasattr(array, "dtype")):
            raise TypeError(f"array must be a Dask array or another array, not {type(array).__name__}")
        with dask.config.set({"array.chunk-size": _CHUNK_BYTES}):
            array = dask_array.from_array(array, "auto")
    if any(map(math.isnan, array.shape)):
        raise ValueError("array must have chunks of known sizes: call its compute_chunk_sizes() before")
    return array.rechunk({2: -1}) if array.ndim == 3 else array


# --- The first pass -----------------------------------------------------------------------------


def _find_codebook(source: Any, task: tasks.Task, compute: Compute) -> tuple[Array, Array]:
    """Do as `kmeans.find_codebook` does, with the counts of chunks added up by a tree of tasks."""
    if task.fixed is not None:
        return task.fixed, task.kept
    merge = functools.partial(_merge_chunks, most=_MOST_COLOURS)
    counts = needed("dask.array", "dask").reduction(
        source,
        functools.partial(_count_chunk, task=task),
        merge,
        combine=merge,
        axis=tuple(range(source.ndim)),
        dtype=object,
        concatenate=False,
        meta=np.empty((), object),
    )
    [counted] = compute([[counts.to_delayed().item()]])
    return kmeans.find_codebook(task, counted, task.k)


def _count_chunk(pixels: Array, task: tasks.Task, **_: Any) -> Tally:
    return tally.count(tasks.suited(task, pixels))


def _merge_chunks(parts: Any, most: int, **_: Any) -> Tally:
    """Add up tallies in lists of lists, as the reduction has them."""
    return tally.merge(list(_flat(parts)), most)


def _flat(parts: Any) -> Iterator[Tally]:
    if isinstance(parts, list):
        for part in parts:
            yield from _flat(part)
    else:
        yield parts


# --- The second pass ----------------------------------------------------------------------------


def _tiles(source: Any, block_task: BlockTask, grid: Grid, compute: Compute, threads: int) -> Iterator[bytes]:
    """Code all tiles; return them in order."""
    width, height = (side * max(_BLOCK_SIDE // side, 1) for side in block_task.tile_size)
    blocks = Grid(grid.width, grid.height, min(width, grid.width), min(height, grid.height))
    shared = needed("dask", "dask").delayed(block_task, traverse=False, pure=True)
    ends = itertools.accumulate(source.chunks[0])
    groups = _groups(blocks, {-(-end // blocks.tile_height) for end in ends}, threads)
    coded = compute(_coded(source, shared, blocks, rows) for rows in groups)
    for _ in range(blocks.rows):
        # Of each block rows of tiles, which are put side by side.
        for row in zip(*itertools.islice(coded, blocks.columns), strict=True):
            yield from itertools.chain.from_iterable(row)


def _groups(blocks: Grid, ends: set[int], threads: int) -> Iterator[range]:
    """Cut the rows of blocks into groups that give every thread some blocks.

    They are cut at `ends`, rows in which a row of chunks ends, so that few chunks are computed for two
    groups. Of very high chunks all are, lest too many blocks are in flight.
    """
    start, least = 0, max(_LEAST_BLOCKS, _BLOCKS_A_THREAD * threads)
    for end in range(1, blocks.rows + 1):
        count = (end - start) * blocks.columns
        if end == blocks.rows or count >= _MOST_BLOCKS or (count >= least and end in ends):
            yield range(start, end)
            start = end


def _coded(source: Any, block_task: Any, blocks: Grid, rows: range) -> list[Any]:
    """Return the blocks in some rows, delayed, each as what `_encode_block` makes of it."""
    heights, widths = blocks.sides
    heights = heights[rows.start : rows.stop]
    start = rows.start * blocks.tile_height
    part = source[start : start + sum(heights)].rechunk((heights, widths, *source.chunks[2:]), method="tasks")
    coded = needed("dask.array", "dask").map_blocks(
        _encode_block,
        part,
        block_task,
        dtype=object,
        chunks=((1,) * len(heights), (1,) * len(widths)),
        drop_axis=[2] if part.ndim == 3 else None,
        meta=np.empty((0, 0), object),
    )
    delayed: list[Any] = coded.to_delayed().ravel().tolist()
    return delayed


def _encode_block(pixels: Array, block_task: BlockTask) -> list[list[bytes]]:
    """Code a block; return its tiles in rows."""
    histogram = tally.histogram(tasks.suited(block_task.task, pixels))
    labels = kmeans.label(block_task.task, histogram, block_task.entries, block_task.kept).labels
    height, width = labels.shape
    grid = Grid(width, height, min(block_task.tile_size[0], width), min(block_task.tile_size[1], height))
    encode = codec.tile_encoder(block_task.entries, block_task.effort)
    tiles = [encode(labels[box.upper : box.lower, box.left : box.right]) for box in grid]
    return [tiles[start : start + grid.columns] for start in range(0, grid.count, grid.columns)]


@contextmanager
def _computing(client: distributed.Client | str | None) -> Iterator[tuple[Compute, int]]:
    """Return a function that computes where that is wanted, and how many threads are there."""
    with workers.reached(client) as connected:
        if connected is None:
            yield _compute_here, check_threads(None)
        else:
            yield functools.partial(_compute_on, connected), workers.cores(connected)


def _compute_here(groups: Iterable[list[Any]]) -> Iterator[Any]:
    compute = needed("dask", "dask").compute
    for group in groups:
        yield from compute(*group)


def _compute_on(client: Any, groups: Iterable[list[Any]]) -> Iterator[Any]:
    def start(group: list[Any]) -> Any:
        return client.compute(group, fifo_timeout=0)  # after those handed out before

    with closing(work_ahead(groups, start, _AHEAD, cancel=client.cancel)) as started:
        for futures in started:
            try:
                results = client.gather(futures)
            except BaseException:
                client.cancel(futures)
                raise
            del futures  # which lets workers forget the results
            yield from results


# --- The file -----------------------------------------------------------------------------------


def _write(file: IO[bytes], path: str, front: bytes, grid: Grid, tiles: Iterable[bytes]) -> None:
    """Write all there is, tiles as they come; then the index before them, for which room was left."""
    lengths = integers("I")
    with naming(path):
        file.write(front + codec.pack_index(itertools.repeat(0, grid.count), grid))
    for tile in tiles:
        lengths.append(len(tile))
        with naming(path):
            file.write(tile)
    with naming(path):
        file.seek(len(front))
        file.write(codec.pack_index(lengths, grid))
