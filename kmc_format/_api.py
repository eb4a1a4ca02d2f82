"""The functions of the package: `kmc_format.encode` and the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO, UnsupportedOperation
from os import PathLike
from typing import IO, TYPE_CHECKING, Unpack

import numpy as np
from PIL import Image

from ._format import codec
from ._format.codebook import with_alpha
from ._format.codec import Header
from ._format.container import Box, Reader
from ._format.indexed import Array, Indexed, as_int

if TYPE_CHECKING:
    from . import explorer
    from ._options.options import ClusterOptions, MoreOptions, QuantizeOptions

Source = str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


def encode(
    picture: Array | Image.Image | Indexed, k: int | None = None, **options: Unpack[MoreOptions]
) -> bytes:
    """Code a picture as the bytes of a KMC file.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or Indexed
        An array as for `quantize`, an image of any mode KMC can store, or codebook and labels,
        which are stored as they are.
    k : int, optional
        Number of colours, as for `quantize`; not for an `Indexed`, which has its own.
    random_state, space, keep, codebook, dither, rdo, quality, max_error
        As for `quantize`; not for an `Indexed`.
    max_bytes : int, optional
        The best picture whose file has at most so many bytes: `rdo` and the number of colours are
        searched for, up to `k` and to `quality` where they are given. Not for an `Indexed`.
    effort : int
        How hard to make the labels small: 0 packs them, which decodes fastest; 1 models them; 2
        models them best.
    tile : int or pair of int, optional
        Side, or width and height, of independent tiles in pixels. By default images over two
        megapixels (2**21 pixels) are cut into equal tiles of at most about that size.
    threads : int, optional
        How many tiles are coded at once; by default the environment variable ``KMC_THREADS`` or
        the usable cores. The bytes are the same.
    icc_profile : bytes, optional
        The colour profile. An image's own is the default; None leaves it out, which for an icon may be
        most of its bytes. Like the other metadata it comes back as it is, and is deflated in the file.
    exif : bytes or PIL.Image.Exif, optional
        Of the camera.
    xmp : bytes or str, optional
        As XML.
    dpi : pair of float, optional
        Horizontal and vertical pixels per inch.

    Returns
    -------
    bytes
        A whole file. The same for the same picture, options and library versions.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> mask = np.zeros((64, 64), np.uint8)
    >>> mask[16:48, 16:48] = 7
    >>> data = kmc_format.encode(mask)
    >>> bool((kmc_format.decode(data).expand() == mask).all())
    True
    """
    return _encoded("encode", picture, k, options)


def _encoded(
    function: str, picture: Array | Image.Image | Indexed, k: int | None, options: MoreOptions
) -> bytes:
    from ._options.options import SaveOptions, check_names
    from ._pillow import saving  # which, with K-Means, is not for those who only read

    check_names(function, options)
    return saving.encode(picture, SaveOptions.of({"k": k, **options}))


def write(
    path: str | PathLike[str],
    picture: Array | Image.Image | Indexed,
    k: int | None = None,
    **options: Unpack[MoreOptions],
) -> None:
    """Write a picture as a KMC file, which is whole at any time.

    Nothing is opened before the picture is coded; then the file is written beside its place and
    renamed. So whatever happens, the old file or the new one is there.

    Parameters
    ----------
    path : str or PathLike
        Where to, in a folder that can be written to. Links are followed, and permissions kept; other
        names (hard links) of an old file keep that. A pipe, also as ``/dev/stdout``, is written to.
    picture, k, **options
        As for `encode`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import kmc_format
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kmc_format.write(f"{folder}/x.kmc", np.eye(9, dtype=np.uint8), effort=2)
    ...     kmc_format.read_header(f"{folder}/x.kmc").k
    2
    """
    from . import _files as files

    if not isinstance(path, (str, PathLike)):  # known before the picture is coded, which may take long
        raise TypeError(f"path must be a str or PathLike, not {type(path).__name__}; encode gives the bytes")
    files.write_whole(path, _encoded("write", picture, k, options))


def decode(source: Source, *, threads: int | None = None) -> Indexed:
    """Read codebook and labels of a KMC file.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning.
    threads : int, optional
        How many tiles are decoded at once, as for `encode`.

    Returns
    -------
    Indexed
        Codebook and labels, not expanded; ``decode(source).expand()`` gives the pixels. The
        labels of a palette image are its pixel values, and its codebook has alpha where the
        palette is transparent.

    Raises
    ------
    KMCError
        If the file is damaged, truncated, or newer than this package.
    PIL.Image.DecompressionBombError
        If the picture has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> data = kmc_format.encode(np.array([[0, 200], [200, 200]], np.uint8))
    >>> picture = kmc_format.decode(data)
    >>> picture.codebook.tolist(), picture.labels.tolist()
    ([[0], [200]], [[0, 1], [1, 1]])
    """
    with _opened(source) as file:
        reader = Reader(file)
        header = codec.read_header(reader)
        Image._decompression_bomb_check(header.size)
        return _writable(codec.decode(reader, header, threads=threads))


def quantize(
    picture: Array | Image.Image, k: int | None = None, **options: Unpack[QuantizeOptions]
) -> Indexed:
    """Find the best k colours of a picture with K-Means, and the nearest of them for each pixel.

    Parameters
    ----------
    picture : ndarray or PIL.Image.Image
        An image of any mode KMC can store, or an array of shape (height, width): bool, uint8,
        uint16, or other integers in the range of int32; or uint8 of shape
        (height, width, 1 to 4): grey; grey, alpha; RGB; RGBA.
    k : int, optional
        Number of colours, 1 to 65,536. By default 256; for 16- and 32-bit integers, which are
        labels or measurements, as many as there are.
    random_state : int
        Seed for K-Means.
    space : str
        Where distance is measured: ``"srgb"``, or ``"oklab"``, in which equal distances look alike.
    keep : iterable of colours, optional
        Colours that the codebook has exactly, and that pixels of just these colours get: ints for
        grey, sequences of ints, or names and codes such as ``"red"`` and ``"#ff8000"``.
    codebook : ndarray, image, path or Indexed, optional
        Take this codebook instead of finding one: shape (k, channels), in this order, used or not, but
        for entries that are equal to an earlier one. For a picture of one channel (k,) does. Of an image
        its codebook or palette, or else its distinct colours.
    dither : float
        Strength of Floyd-Steinberg error diffusion, 0 to 1.
    rdo : float
        How much squared error, summed over channels in 8-bit units, one bit of the file may save:
        labels and codebook are chosen for the least of both together. A picture that would be exact
        is not, then.
    quality : int, optional
        1 to 100, as for JPEG: `rdo` and the number of colours, up to `k`, are chosen for the fewest
        bytes at that quality.
    max_error : float, optional
        The largest difference of any pixel from what it was, 0 to 255: the root of the mean square
        over its channels, in 8-bit units; with alpha as it is seen over black and over white; in
        Oklab with black as far from white as in sRGB. With `quality` it is 32 by default, as far as
        `k` and `codebook` allow.

    Returns
    -------
    Indexed
        Exact if the picture has at most k distinct values.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> kmc_format.quantize(ramp, k=2).codebook.tolist()
    [[63], [191]]
    >>> kmc_format.quantize(ramp, k=3, keep=[0]).codebook.tolist()
    [[0], [101], [204]]
    """
    from ._options.options import QuantizeOptions, SaveOptions, check_names
    from ._pillow import saving
    from ._pixels import convert

    check_names("quantize", options, names=("k", *QuantizeOptions.__annotations__))
    asked = SaveOptions.of({"k": k, **options})
    if not isinstance(picture, Image.Image):
        return saving.index_pixels(convert.array_of(picture), asked)[0]
    indexed, found = saving.index_image(picture, asked)
    return Indexed(with_alpha(indexed.codebook, found.get("transparency")), indexed.labels, indexed.mode)


def explore(picture: Array | Image.Image | str | PathLike[str], k: int = 32) -> explorer.Explorer:
    """Show a picture with sliders for k, `rdo` and `dither`, or for a `quality`, in a Jupyter notebook.

    The picture before and after, the size of the file, PSNR and the codebook follow the sliders; when
    they rest, all is exactly what `Image.save` gives, and may be saved.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or path
        A picture of 8-bit colours, as for `quantize`.
    k : int
        Number of colours to start with, 1 to 256.

    Returns
    -------
    Explorer
        As the last value of a cell it is displayed. `explorer.Explorer` tells what it has for programs.

    Raises
    ------
    ImportError
        If ipywidgets or anywidget is not installed: ``pip install 'kmc-format[notebook]'``.
    TypeError, ValueError
        If it is not a picture of 8-bit colours, or k is not what it should be.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> explorer = kmc_format.explore(np.arange(256, dtype=np.uint8).reshape(16, 16), k=8)
    >>> explorer.rdo.value = 10
    >>> kmc_format.decode(explorer.data).k
    8
    """
    from .explorer import Explorer

    return Explorer(picture, k)


def train_codebook(
    pictures: Iterable[Array | Image.Image | str | PathLike[str]],
    k: int | None = None,
    **options: Unpack[ClusterOptions],
) -> Array:
    """Find one codebook for many pictures, for the option `codebook` of each of them.

    Parameters
    ----------
    pictures : iterable of ndarray, PIL.Image.Image or path
        As for `quantize`. They are looked at one by one, and may come from a generator.
    k, random_state, space, keep
        As for `quantize`.

    Returns
    -------
    ndarray, shape (k, channels)
        In ascending order; with colour, or alpha, where any of the pictures has it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or there is no picture.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> frames = [np.full((4, 4, 3), grey, np.uint8) for grey in (10, 12, 200, 204)]
    >>> codebook = kmc_format.train_codebook(frames, k=2)
    >>> codebook.tolist()
    [[11, 11, 11], [202, 202, 202]]
    >>> kmc_format.encode(frames[0], codebook=codebook)[:4]
    b'\\x8bKMC'
    """
    from ._options.options import ClusterOptions, SaveOptions, check_names
    from ._pixels import convert
    from ._quantize import training

    check_names("train_codebook", options, names=("k", *ClusterOptions.__annotations__))
    asked = SaveOptions.of({"k": k, **options})

    one = isinstance(pictures, (str, PathLike, Image.Image))
    if one or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise TypeError(f"pictures must be an iterable of pictures, not {type(pictures).__name__}")
    return training.train(map(convert.pixels_of, pictures), asked)


def open_region(source: Source, box: tuple[int, int, int, int], *, threads: int | None = None) -> Indexed:
    """Read a part of a KMC file: of its labels, only the tiles that the part touches.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning and can seek.
    box : tuple of int
        Left, upper, right and lower edge in pixels, the last two exclusive, as for
        `PIL.Image.Image.crop`, but within the picture.
    threads : int, optional
        How many tiles are decoded at once, as for `encode`.

    Returns
    -------
    Indexed
        The whole codebook, and the labels in the box.

    Raises
    ------
    TypeError, ValueError
        If the box is not one, or not within the picture.
    io.UnsupportedOperation
        If the file cannot seek.
    KMCError
        If the file is damaged or truncated in what is read of it, or newer than this package.
    PIL.Image.DecompressionBombError
        If the box, or a tile, has more than twice `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> data = kmc_format.encode(np.arange(64, dtype=np.uint8).reshape(8, 8), tile=4)
    >>> kmc_format.open_region(data, (1, 0, 3, 2)).expand().tolist()
    [[1, 2], [9, 10]]
    """
    with _opened(source) as file:
        if not (hasattr(file, "seek") and getattr(file, "seekable", lambda: True)()):
            raise UnsupportedOperation("open_region needs a file that can seek; decode reads any file")
        reader = Reader(file)
        header = codec.read_header(reader)
        part = _checked_box(box, header.size)
        Image._decompression_bomb_check((part.right - part.left, part.lower - part.upper))
        Image._decompression_bomb_check(header.tile_size)
        picture = codec.decode(reader, header, box=part, threads=threads)
    return _writable(picture)


def _checked_box(box: object, size: tuple[int, int]) -> Box:
    given = box if isinstance(box, (tuple, list)) else [None]
    edges = [edge for edge in map(as_int, given) if edge is not None]
    if len(edges) < len(given):
        raise TypeError(f"box must be left, upper, right and lower edge as ints, not {box!r}")
    if len(edges) != 4:
        raise ValueError(f"box must be left, upper, right and lower edge, not {box!r}")
    left, upper, right, lower = edges
    if not (0 <= left < right <= size[0] and 0 <= upper < lower <= size[1]):
        raise ValueError(
            f"box {(left, upper, right, lower)} must hold pixels, within (0, 0, {size[0]}, {size[1]})"
        )
    return Box(left, upper, right, lower)


def _writable(picture: Indexed) -> Indexed:
    return Indexed(picture.codebook, np.require(picture.labels, requirements="W"), picture.mode)


def read_header(source: Source) -> Header:
    """Read what a KMC file says of itself, without its labels.

    Parameters
    ----------
    source : str, PathLike, bytes or binary file object
        A path, the bytes of a file, or an open file that stands at its beginning.

    Returns
    -------
    Header
        Size, mode, k, tiles, codebook and metadata.

    Raises
    ------
    KMCError
        If the file is damaged, truncated, or newer than this package.

    Examples
    --------
    >>> import numpy as np
    >>> import kmc_format
    >>> header = kmc_format.read_header(kmc_format.encode(np.eye(5, dtype=bool)))
    >>> header.size, header.mode, header.k
    ((5, 5), '1', 2)
    """
    with _opened(source) as file:
        return codec.read_header(Reader(file))


@contextmanager
def _opened(source: Source) -> Iterator[IO[bytes]]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield BytesIO(source)
    elif isinstance(source, (str, PathLike)):
        with open(source, "rb") as file:  # noqa: PTH123  # pathlib is slow to import
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise TypeError(f"source must be a path, bytes or a binary file, not {type(source).__name__}")
