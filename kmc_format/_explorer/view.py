"""What the explorer shows: pictures as PNG, figures as HTML, and the widget that compares two pictures."""

from __future__ import annotations

import base64
import functools
import html
import math
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .._extras import needed
from .._format.indexed import Array, Indexed
from .._options.options import SaveOptions
from .._pillow import saving
from .._pixels import colours
from .._pixels.stepping import frame_count
from .film import Film, decoded
from .preview import Preview, psnr

PictureOrPath = Array | Image.Image | str | PathLike[str]

_FOLDER = Path(__file__).parent


class Explored(NamedTuple):
    """The picture that is explored, or the frame of it that is shown."""

    image: Image.Image
    name: str
    length: int  # bytes of its file; 0 where there is none
    kind: str  # what its file is called, such as "the PNG"
    call: str  # the line of code that saves it, with places for the name and the options
    film: Film | None = None  # all frames, where there are several
    frame: int = 0  # which is shown

    @property
    def frames(self) -> int:
        return 1 if self.film is None else self.film.count

    @property
    def labelled(self) -> bool:
        """Whether the picture is labels, with a palette."""
        return self.image.mode == "P" if self.film is None else self.film.labelled

    @property
    def which(self) -> str:
        """The frame that is shown, for a caption."""
        return "" if self.film is None else f", frame {self.frame} of {self.frames}"

    def at(self, frame: int) -> Explored:
        """Return the same picture with another frame shown."""
        return self if self.film is None else self._replace(image=self.film.frame(frame), frame=frame)

    def encode(self, options: SaveOptions) -> bytes:
        """Return the file that saving makes, with all frames."""
        return saving.encode_image(self.image, options) if self.film is None else self.film.encode(options)

    def decode(self, data: bytes) -> tuple[Indexed, float]:
        """Return what is shown as it is in a file, and its PSNR."""
        indexed = decoded(data, self.frame)
        return indexed, psnr(self.image, indexed.expand())


def explored_of(picture: PictureOrPath) -> Explored:
    if isinstance(picture, (str, PathLike)):
        with Image.open(picture) as opened:
            return explored_of(opened)
    if isinstance(picture, Image.Image):
        file = getattr(picture, "filename", "")
        path = Path(file) if isinstance(file, (str, PathLike)) else Path()
        length = path.stat().st_size if path.is_file() else 0
        kind = f"the {picture.format}" if picture.format else "its file"
        name, call = path.name or "picture", "image.save({}{})"
        if frame_count(picture) > 1:
            call, film, frame = "image.save({}{}, save_all=True)", Film(picture), picture.tell()
            return Explored(film.frame(frame), name, length, kind, call, film, frame)
        # A copy, as the other may be changed while its figures are shown.
        return Explored(picture.copy(), name, length, kind, call)
    pixels = np.asarray(picture)
    if pixels.dtype not in (np.bool_, np.uint8, np.uint16):
        pixels = pixels.astype(np.int32)  # which was found to hold them
    image = Image.fromarray(without_axis(pixels))
    return Explored(image, "picture", 0, "", "kmc_format.write({}, array{})")


def without_axis(pixels: Array) -> Array:
    """Return pixels as Pillow takes them, which knows no axis of one channel."""
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def palette_image(entries: Array, labels: Array) -> Image.Image:
    image = Image.frombuffer("P", labels.shape[::-1], labels, "raw", "P", 0, 1)
    image.putpalette(colours.widen(entries, 4).tobytes(), "RGBA")
    return image


def png(image: Image.Image) -> bytes:
    """Return a PNG that is made quickly, as it does not travel far."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def title_html(explored: Explored, preview: Preview) -> str:
    width, height = preview.size
    facts = [f"{width:,} &times; {height:,} pixels"]
    if explored.film:
        facts.append(f"{explored.frames:,} frames")
    if explored.length:
        facts.append(f"{explored.length:,} bytes")
    shown = preview.pixels.shape
    if preview.partial:
        facts.append(f"the middle {shown[1]:,} &times; {shown[0]:,} shown and previewed")
    return (
        f"<div class='kmc-name'>{html.escape(explored.name)}</div>"
        f"<div class='kmc-quiet'>{', '.join(facts)}</div>"
    )


def figures_html(figures: dict[str, str], about: bool) -> str:
    rows = "".join(f"<div><span>{name}</span> <b>{value}</b></div>" for name, value in figures.items())
    state = " kmc-about" if about else ""
    return f"<div class='kmc-figures{state}' aria-live='polite'>{rows}</div>"


def decibels(roughly: str, quality: float) -> str:
    return "none (32 bits)" if math.isnan(quality) else f"{roughly}{quality:.2f} dB"


def swatch_html(entries: Array) -> str:
    """Return the colours of a codebook side by side, from dark to light."""
    rgba = colours.widen(entries, 4)
    ordered = rgba[np.argsort(colours.oklab(rgba[:, :3])[:, 0], kind="stable")]
    picture = base64.b64encode(png(Image.fromarray(ordered[None]))).decode()
    alt = f"codebook of {len(entries)} colours, from dark to light"
    return f"<img class='kmc-swatch' alt='{alt}' title='{alt}' src='data:image/png;base64,{picture}'>"


@functools.cache
def comparison_class() -> Any:
    """Return the class of the widget that shows two pictures."""
    base: Any = needed("anywidget", "notebook").AnyWidget
    traitlets = needed("traitlets", "notebook")

    class Comparison(base):  # type: ignore[misc]  # whose type is known when it is installed
        _esm = _FOLDER / "explorer.js"
        _css = _FOLDER / "explorer.css"
        before = traitlets.Bytes().tag(sync=True)
        after = traitlets.Bytes().tag(sync=True)
        before_caption = traitlets.Unicode("original").tag(sync=True)
        after_caption = traitlets.Unicode().tag(sync=True)
        position = traitlets.Float(0.5).tag(sync=True)
        beside = traitlets.Bool(False).tag(sync=True)

    return Comparison
