"""The functions of the package that make codebooks, labels and files: `kmc_format.encode` and the others.

What they need beyond NumPy is imported when they are called, as it is not for programs that only read.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Unpack

import numpy as np
from PIL import Image

from .._format.codebook import with_alpha
from .._format.indexed import Array, Indexed

if TYPE_CHECKING:
    from .. import explorer
    from .._options.options import ClusterOptions, MoreOptions, QuantizeOptions


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
    from .._options.options import SaveOptions, check_names
    from .._pillow import saving  # which, with K-Means, is not for those who only read

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
    from .. import _files as files

    files.check_path(path, "; encode gives the bytes")  # before the picture is coded, which may take long
    files.write_whole(path, _encoded("write", picture, k, options))


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
    from .._options.options import QuantizeOptions, SaveOptions, check_names
    from .._pillow import saving
    from .._pixels import convert

    check_names("quantize", options, names=("k", *QuantizeOptions.__annotations__))
    asked = SaveOptions.of({"k": k, **options})
    if not isinstance(picture, Image.Image):
        return saving.indexed_pixels(convert.array_of(picture), asked)[0]
    indexed, own = saving.indexed_image(picture, asked)
    return Indexed(with_alpha(indexed.codebook, own.get("transparency")), indexed.labels, indexed.mode)


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
    from .._options.options import ClusterOptions, SaveOptions, check_names
    from .._pixels import convert
    from .._quantize import training

    check_names("train_codebook", options, names=("k", *ClusterOptions.__annotations__))
    asked = SaveOptions.of({"k": k, **options})

    one = isinstance(pictures, (str, PathLike, Image.Image))
    if one or (isinstance(pictures, np.ndarray) and pictures.ndim < 4):
        raise TypeError(f"pictures must be an iterable of pictures, not {type(pictures).__name__}")
    return training.train(map(convert.pixels_of, pictures), asked)


def explore(picture: Array | Image.Image | str | PathLike[str], k: int = 32) -> explorer.Explorer:
    """Show a picture with sliders for k, `rdo` and `dither`, or for a `quality`, in a Jupyter notebook.

    The picture before and after, the size of the file, PSNR and the codebook follow the sliders; when
    they rest, all is exactly what `Image.save` gives, and may be saved.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or path
        A picture of 8-bit colours, as for `quantize`; or several frames, of which another slider shows one.
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
    from ..explorer import Explorer

    return Explorer(picture, k)
