"""KMC in Pillow, and through it in imageio and everything else that reads with Pillow.

Errors become what Pillow's callers expect: a header that cannot be read is a `SyntaxError`, which
`PIL.Image.open` turns into `UnidentifiedImageError`; damage found on loading is an `OSError`.
Wrong save options are `ValueError` or `TypeError`, raised before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from os import PathLike, fsdecode
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image, ImageFile

from .._format import codec, container
from .._format.container import Reader
from .._format.frame_reading import FrameReader
from .._format.indexed import Array, Indexed
from ..errors import KMCError

if TYPE_CHECKING:
    from PIL import ImagePalette

    from .._options.options import SaveOptions

_Answer = TypeVar("_Answer")


def accept(prefix: bytes) -> bool | str:
    """Tell whether a file that starts like this is KMC, or, for Pillow's warning, newer than this reader."""
    version = container.newer_version(prefix)
    if version is not None:
        return f"KMC version {version} is newer than this reader; a newer kmc_format may open it"
    return prefix.startswith(container.SIGNATURE)


class KMCImageFile(ImageFile.ImageFile):
    """An opened KMC file whose labels are read when the pixels are first needed."""

    format = "KMC"
    format_description = "K-Means codebook image"

    # On the class, as unpickled images have none.
    _header: codec.Header | None = None
    _frames: FrameReader | None = None
    _frame = 0

    @property
    def n_frames(self) -> int:
        """Number of frames; raises `OSError` where the file is cut off among them."""
        return 1 if self._frames is None else self._asked(len)

    @property
    def is_animated(self) -> bool:
        """Whether there are several frames."""
        return self._frames is not None

    @property
    def stored_codebook(self) -> Array | None:
        """The codebook in the file, shape (k, channels); None once the pixels are loaded, and may change."""
        if self._header is None or not self.tile or self._frame:
            return None
        return codec.seen_codebook(self._header)

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header = codec.read_header(Reader(self.fp))
            if header.is_animated:
                self._frames = FrameReader(self.fp, header)
        except KMCError as error:
            raise SyntaxError(str(error)) from error
        self._header = header
        self._size = header.size
        self._mode = header.mode
        self.info.update(header.metadata)
        self.info["k"] = header.k
        self._take_palette(header.codebook)
        if self._frames is not None:
            self._close_exclusive_fp_after_loading = False
            self.info["loop"], self.info["duration"] = self._frames.timing
        self._expect_pixels()

    def tell(self) -> int:
        """Return the number of the frame that is shown, from 0."""
        return self._frame

    def seek(self, frame: int) -> None:
        """Show another frame; raise `EOFError` if there is none of that number.

        It is decoded when its pixels are needed: at most 15 others before it, and after the one before it
        none.
        """
        if frame == self._frame:
            return
        if self._frames is None or not self._asked(lambda frames: frames.has(frame)):
            raise EOFError(f"there is no frame {frame} in this KMC file")
        self.info["duration"] = self._asked(lambda frames: frames.duration(frame))
        self._frame = frame
        self._expect_pixels()

    def _expect_pixels(self) -> None:
        """Have the pixels read when they are needed."""
        assert self._header is not None
        self.tile = [ImageFile._Tile("kmc", (0, 0, *self._header.size), self._header.front.start)]

    def _asked(self, question: Callable[[FrameReader], _Answer]) -> _Answer:
        """Ask the file about its frames; raise `OSError` where it is damaged or cut off."""
        assert self._frames is not None
        self._frames.tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
        try:
            return question(self._frames)
        except KMCError as error:
            raise OSError(str(error)) from error

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Load the labels as they are: mode P, with the codebook as palette.

        Its alpha, where there is one, becomes ``info["transparency"]``, as in a PNG.

        Parameters
        ----------
        mode : str or None
            ``"P"``, or the mode of the picture to take that back. Others are left to `convert`.
        size : tuple of int or None
            Not looked at: KMC holds one size.

        Returns
        -------
        tuple or None
            The mode and box that will be loaded; None, and nothing is changed, where a palette
            cannot hold the codebook, which has more than 256 entries or 16 or 32 bits.

        Examples
        --------
        >>> import io, kmc_format
        >>> file = io.BytesIO()
        >>> Image.linear_gradient("L").convert("RGB").save(file, "KMC", k=16)
        >>> image = Image.open(file)
        >>> image.draft("P", None)
        ('P', (0, 0, 256, 256))
        >>> image.getextrema()
        (0, 15)
        """
        if self._header is None or not self.tile or mode not in ("P", self._header.mode):
            return None
        if mode == "P" and not _fits_palette(self._header.codebook):
            return None
        self._mode = mode
        self._take_palette(self._header.codebook)
        return mode, (0, 0, *self.size)

    def _take_palette(self, codebook: Array) -> None:
        """Have a codebook as the palette in mode P, and none in others."""
        assert self._header is not None
        if self._header.mode in ("LA", "RGBA"):
            # As PNG has it: alpha in the palette itself is lost when an image is pickled or copied deeply.
            self.info.pop("transparency", None)
            if self.mode == "P":
                self.info["transparency"] = codebook[:, -1].tobytes()
                codebook = codebook[:, :-1]
        self.palette = _palette(codebook) if self.mode == "P" else None

    def load(self) -> Any:
        """Read the labels and look up their colours; raise `OSError` where they are damaged."""
        if self.tile:
            indexed = self._read()
            if self.palette:
                self.palette.dirty = 1
            image = expand(indexed, self.mode)
            self.im = image.im
            self.readonly = image.readonly
            self.tile = []
        return super().load()

    def _read(self) -> Indexed:
        """Read the codebook and the labels of the frame that is shown."""
        header, fp = self._begin_reading()
        tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
        if self._frames is not None and (self._frame or not tolerant):
            indexed = self._asked(lambda frames: frames.read(self._frame))
            self._take_codebook(indexed.k, self._frames.codebook)
            return indexed
        try:
            indexed = codec.decode(Reader(fp, header.front.start), header, tolerant=tolerant)
        except KMCError as error:
            raise OSError(str(error)) from error
        if self._frames is not None:
            self._take_codebook(header.k, header.codebook)
            return indexed
        if self._exclusive_fp:
            fp.close()
        self.fp = None
        return indexed

    def _take_codebook(self, k: int, codebook: Array) -> None:
        """Show the codebook of a frame, which may be another than that of the frame before."""
        if self.mode == "P" and not _fits_palette(codebook):
            raise OSError(f"frame {self._frame} has {k} colours, more than a palette holds")
        self.info["k"] = k
        self._take_palette(codebook)

    def verify(self) -> None:
        """Check every CRC without decoding; raise `OSError` where the file is damaged.

        Once the pixels are loaded they have been checked, and there is nothing to do.
        """
        if self._header is not None and not self.tile and self._frames is None:
            return
        header, fp = self._begin_reading()
        try:
            codec.verify(Reader(fp, header.front.start), header)
            if self._frames is not None:
                self._asked(FrameReader.verify)
        except KMCError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()  # which closes the file, if it is ours

    def save(self, fp: Any, *given: Any, **params: Any) -> None:
        """Save the image; over the file that it is read from, with all frames if they are asked for."""
        if self._frames is not None and isinstance(fp, (str, bytes, PathLike)) and self._is_at(fp):
            self._frames.hold()
        super().save(fp, *given, **params)

    def _is_at(self, path: str | bytes | PathLike[Any]) -> bool:
        """Tell whether a path is that of the file that the image is read from."""
        target = Path(fsdecode(path))
        return bool(self.filename) and target.exists() and target.samefile(fsdecode(self.filename))

    def _getexif(self) -> dict[int, Any] | None:
        """Return EXIF as a dictionary, as JPEG, PNG and WebP have it for programs of old."""
        return self.getexif()._get_merged_dict() if "exif" in self.info else None

    def load_seek(self, pos: int) -> None:
        """Tell `PIL.ImageFile.Parser`, by being here, to gather the whole file first."""

    def _begin_reading(self) -> tuple[codec.Header, IO[bytes]]:
        if self._header is None or self.fp is None:
            raise ValueError("Operation on closed image")
        self.fp.seek(self._header.front.start)
        return self._header, self.fp


def _fits_palette(codebook: Array) -> bool:
    return codebook.dtype == np.uint8 and len(codebook) <= 256


def _palette(codebook: Array) -> ImagePalette.ImagePalette:
    from PIL import ImagePalette  # slow to import, and seldom needed

    channels = codebook.shape[1]
    colours = codebook[:, [0, 0, 0]] if channels < 3 else codebook[:, :3]
    if channels % 2:
        return ImagePalette.ImagePalette("RGB", colours.tobytes())
    return ImagePalette.ImagePalette("RGBA", np.hstack([colours, codebook[:, -1:]]).tobytes())


def expand(indexed: Indexed, mode: str) -> Image.Image:
    """Make a Pillow image; up to k = 256 by look-ups that are faster than NumPy's."""
    if mode in ("RGB", "RGBA") and indexed.k > 256:
        words = np.zeros((indexed.k, 4), np.uint8)
        words[:, : len(mode)] = indexed.codebook
        pixels = words.view(np.uint32)[:, 0].take(indexed.labels)  # of four bytes, as Pillow keeps them
        return Image.frombytes(mode, indexed.size, pixels, "raw", "RGBX" if mode == "RGB" else mode)
    if mode == "1" or not _fits_palette(indexed.codebook):
        pixels = indexed.expand()
        return Image.fromarray(pixels.astype("<u2", copy=False) if pixels.dtype == np.uint16 else pixels)
    image = Image.frombuffer("P", indexed.size, indexed.labels, "raw", "P", 0, 1)
    if mode == "P":  # the palette is there since the header was read
        return image
    if mode == "L":
        greys = indexed.codebook.tobytes().ljust(256, b"\0")
        return Image.frombytes("L", indexed.size, indexed.labels.tobytes().translate(greys))
    palette = _palette(indexed.codebook)
    image.putpalette(palette.palette, palette.mode)
    return image.convert(mode)


def save(im: Image.Image, fp: IO[bytes]) -> None:
    """Save an image with its `encoderinfo` as the options, which are checked before anything is written.

    Of an animation the frame that is shown is saved, as by Pillow's PNG without ``save_all``.
    """
    from .._pixels import convert
    from . import saving  # which, with K-Means, is not for those who only read

    options = _options_of(im)
    if "transparency" in im.encoderinfo:
        im = convert.with_transparency(im, im.encoderinfo["transparency"])
    fp.write(saving.encode_image(im, options))


def _options_of(im: Image.Image) -> SaveOptions:
    from .._options.options import SaveOptions

    given = im.encoderinfo
    if type(given.get("quality")) is int and given["quality"] == 0:  # which JPEG and WebP take
        given = {**given, "quality": 1}
    return SaveOptions.of(given)


def save_all(im: Image.Image, fp: IO[bytes]) -> None:
    """Save an image and those to be appended as frames; one, or all equal, as `save` does.

    Of the options, `duration` is in ms, one number or one for each frame, and `loop` is how often the frames
    are shown, 0 for ever; by default both are what the images say.
    """
    from .._pixels.stepping import frame_count
    from . import animation

    given = im.encoderinfo
    more = given.get("append_images")
    if more is None and frame_count(im) == 1:
        save(im, fp)
        return
    options = _options_of(im)
    pictures = chain([im], more or ())
    animation.write(fp, pictures, options, duration=given.get("duration"), loop=given.get("loop"))
