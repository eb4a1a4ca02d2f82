"""Pictures in KMC files as Dask arrays: each chunk reads its own tile, when it is computed."""

from __future__ import annotations

import os
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from .._extras import needed
from .._files import check_path
from .._format import codec, container
from .._format.codec import Header
from .._format.container import Reader
from .._format.indexed import Array, label_dtype

if TYPE_CHECKING:
    import dask.array


def open_array(path: str | PathLike[str], labels: bool = False) -> dask.array.Array:
    """Return the picture in a KMC file as a Dask array, of which nothing is read before it is computed.

    Parameters
    ----------
    path : str or PathLike
        A path, which workers must know as well, or a URL that fsspec knows. The file must not change
        while the array is in use.
    labels : bool
        Give the labels, not the pixels; `kmc_format.read_header` has the codebook.

    Returns
    -------
    dask.array.Array
        One chunk for each tile. Pixels are as `Indexed.expand` has them, shape (height, width) or
        (height, width, channels); labels are uint8, or uint16 where k is over 256.

    Raises
    ------
    ImportError
        If Dask is not installed: ``pip install 'kmc-format[dask]'``.
    KMCError
        If what stands before the tiles is damaged, truncated, or newer than this package. A damaged tile
        raises it when its chunk is computed.
    PIL.Image.DecompressionBombError
        If a tile has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import kmc_format
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kmc_format.write(f"{folder}/x.kmc", np.arange(64, dtype=np.uint8).reshape(8, 8), tile=4)
    ...     open_array(f"{folder}/x.kmc")[2:4, :2].compute().tolist()
    [[16, 17], [24, 25]]
    """
    check_path(path)
    dask_array, delayed = needed("dask.array", "dask"), needed("dask", "dask").delayed
    files, name = needed("fsspec", "dask").core.url_to_fs(os.fspath(path))
    with files.open(name, "rb") as file:
        header = codec.read_header(Reader(file))
    Image._decompression_bomb_check(header.tile_size)
    grid = header.front.grid
    tiled = TiledFile(files, name, header, files.ukey(name))
    tile_shape: tuple[tuple[int, ...], ...] = grid.sides
    if labels:
        dtype = label_dtype(header.k)
    else:
        dtype = np.dtype(bool) if header.mode == "1" else header.codebook.dtype
        channels = codec.seen_codebook(header).shape[1]
        tile_shape += ((channels,),) if channels > 1 else ()
    picture_array: dask.array.Array = dask_array.map_blocks(
        _read_tile,
        delayed(tiled, traverse=False, pure=True),  # one for all tasks, as its index may be long
        labels,
        chunks=tile_shape,
        dtype=dtype,
        meta=np.empty((0,) * len(tile_shape), dtype),
    )
    return picture_array


class TiledFile(NamedTuple):
    """What workers need to know to read a tile."""

    files: Any  # a file system of fsspec
    name: str
    header: Header
    version: str  # of the file, so that arrays of others have other names


def _read_tile(file: TiledFile, labels: bool, block_id: tuple[int, ...] = ()) -> Array:
    row, column = block_id[:2]
    front = file.header.front
    number = row * front.grid.columns + column
    start, end = container.tile_range(front, number)
    tile = codec.decode_tile(file.files.cat_file(file.name, start, end), file.header, number)
    return tile.labels if labels else tile.expand()
