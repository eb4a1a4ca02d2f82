"""KMC in Pillow, and through it in imageio and everything else that reads with Pillow.

Errors become what Pillow's callers expect: a header that cannot be read is a `SyntaxError`, which
`PIL.Image.open` turns into `UnidentifiedImageError`; damage found on loading is an `OSError`.
Wrong save options are `ValueError` or `TypeError`, raised before anything is written.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

from .._format import codec, container
from .._format.codebook import with_alpha
from .._format.container import Reader
from .._format.indexed import Array, Indexed
from ..errors import KMCError

if TYPE_CHECKING:
    from PIL import ImagePalette


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
    n_frames = 1
    is_animated = False

    _header: codec.Header | None = None  # on the class, as unpickled images have none

    @property
    def stored_codebook(self) -> Array | None:
        """The codebook in the file, shape (k, channels); None once the pixels are loaded, and may change."""
        if self._header is None or not self.tile:
            return None
        return with_alpha(self._header.codebook, self._header.metadata.get("transparency"))

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header = codec.read_header(Reader(self.fp))
        except KMCError as error:
            raise SyntaxError(str(error)) from error
        self._header = header
        self._size = header.size
        self._mode = header.mode
        self.info.update(header.metadata)
        self.info["k"] = header.k
        if header.mode == "P":
            self.palette = _palette(header.codebook)
        self.tile = [ImageFile._Tile("kmc", (0, 0, *header.size), header.front.start)]

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
        codebook = self._header.codebook
        if self._header.mode in ("LA", "RGBA"):
            # As PNG has it: alpha in the palette itself is lost when an image is pickled or copied deeply.
            self.info.pop("transparency", None)
            if mode == "P":
                self.info["transparency"] = codebook[:, -1].tobytes()
                codebook = codebook[:, :-1]
        self._mode = mode
        self.palette = _palette(codebook) if mode == "P" else None
        return mode, (0, 0, *self.size)

    def load(self) -> Any:
        """Read the labels and look up their colours; raise `OSError` where they are damaged."""
        if self.tile:
            header, fp = self._begin_reading()
            try:
                indexed = codec.decode(
                    Reader(fp, header.front.start), header, tolerant=ImageFile.LOAD_TRUNCATED_IMAGES
                )
            except KMCError as error:
                raise OSError(str(error)) from error
            image = _expand(indexed, self.mode)
            self.im = image.im
            self.readonly = image.readonly
            self.tile = []
            if self.palette:
                self.palette.dirty = 1
            if self._exclusive_fp:
                fp.close()
            self.fp = None
        return super().load()

    def verify(self) -> None:
        """Check every CRC without decoding; raise `OSError` where the file is damaged.

        Once the pixels are loaded they have been checked, and there is nothing to do.
        """
        if self._header is not None and not self.tile:
            return
        header, fp = self._begin_reading()
        try:
            codec.verify(Reader(fp, header.front.start), header)
        except KMCError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()  # which closes the file, if it is ours

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


def _expand(indexed: Indexed, mode: str) -> Image.Image:
    """Make a Pillow image; up to k = 256 by look-ups that are faster than NumPy's."""
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
    from .._options.options import SaveOptions
    from .._pixels import convert
    from . import saving  # which, with K-Means, are not for those who only read

    given = im.encoderinfo
    if type(given.get("quality")) is int and given["quality"] == 0:  # which JPEG and WebP take
        given = {**given, "quality": 1}
    options = SaveOptions.of(given)
    if "transparency" in given:
        im = convert.with_transparency(im, given["transparency"])
    fp.write(saving.encode_image(im, options))


def save_all(im: Image.Image, fp: IO[bytes]) -> None:
    """Save an image as `save` does, if it is all there is to save; raise `OSError` for several frames."""
    pictures = [im, *(im.encoderinfo.get("append_images") or ())]
    frames = sum(
        max(getattr(picture, "n_frames", 1), 1) for picture in pictures
    )  # 0 for a PSD without layers
    if frames > 1:
        raise OSError(
            f"cannot write {frames} frames as KMC: it stores one picture, frames are not supported yet"
        )
    save(im, fp)
