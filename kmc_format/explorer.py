"""`kmc_format.explore`: sliders for k, `rdo` and `dither`, or a `quality`, beside a picture.

A notebook or a browser shows them. While a slider moves, previews are shown: at once, and about right. When
it rests, the picture is saved as `Image.save` does, in memory and in the background; what is then shown, and
written on request, is exactly that. ipywidgets and the rest are imported when they are needed.
"""

from __future__ import annotations

import html
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np

from . import _files as files
from . import metrics
from ._explorer.panel import Panel
from ._explorer.preview import Preview
from ._explorer.server import serve
from ._explorer.view import (
    PictureOrPath,
    decibels,
    explored_of,
    figures_html,
    palette_image,
    png,
    swatch_html,
)
from ._extras import needed
from ._format.indexed import Indexed
from ._options.options import SaveOptions
from ._pixels.colours import visible
from ._pixels.likeness import percentage

__all__ = ["Explorer", "serve"]

# Seconds after which a slider that has not moved counts as at rest, and the picture is saved.
_REST = 0.3


class Explorer(Panel):
    """Sliders for k, `rdo` and `dither`, or a `quality`, and what they do to a picture; notebooks display it.

    Of an animation one frame is shown, which another slider chooses. Previews are of that frame alone; when
    the sliders rest, all frames are saved, and the bytes are those of all.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or path
        As for `kmc_format.quantize`. Integers of more than 8 bits are shown as greys.
    k : int
        Number of colours to start with, 1 to 256.

    Attributes
    ----------
    frame : ipywidgets.IntSlider
        Its `value` is the number of the frame that is shown, from 0.
    k, rdo, dither : ipywidgets sliders
        Their `value` may be set. `rdo` and `dither` exclude each other.
    quality : ipywidgets.Dropdown
        Its `value` is 0, or a quality that picks k and `rdo`, in steps of 5; for 8-bit colours.
    path, overwrite : ipywidgets.Text, ipywidgets.Checkbox
        Where `save` writes, and whether it may replace a file.
    widget : ipywidgets.Widget
        All of it, to be put into other widgets.

    Raises
    ------
    ImportError
        If ipywidgets or anywidget is not installed.
    TypeError, ValueError
        If it is not a picture, or k is not what it should be.
    """

    def __init__(self, picture: PictureOrPath, k: int = 32) -> None:
        needed("ipywidgets", "notebook")
        needed("anywidget", "notebook")
        self._preview = Preview(picture)
        self._preview.check_k(k)
        self._explored = explored_of(picture)
        self._lock = threading.Lock()  # is held while the picture shown, the generation or the data change
        self._generation = 0  # how often the sliders have moved
        self._data: bytes | None = None  # the file for where the sliders are now, once they rest
        self._saving = threading.Lock()  # lets one picture be saved at a time; only the last one is shown
        self._timer: threading.Timer | None = None
        super().__init__(self._preview, self._explored, k)
        self._comparison.on_msg(lambda widget, content, buffers: self._tell_again())
        self._moved()

    # --- For programs ---

    @property
    def options(self) -> dict[str, Any]:
        """The save options that the sliders stand for, or the quality."""
        if self.quality.value:
            return {"quality": self.quality.value}
        given = {"rdo": self.rdo.value, "dither": self.dither.value}
        return {"k": self.k.value, **{name: value for name, value in given.items() if value}}

    @property
    def data(self) -> bytes:
        """The file that `Image.save` makes with these options."""
        while self._data is None:
            self._rest(self._generation)
        return self._data

    def save(self) -> Path:
        """Write `data` to `path`; return where that is.

        Raises
        ------
        FileExistsError
            If there is a file, and `overwrite` is not ticked.
        OSError
            If it cannot be written.
        """
        if not self.path.value.strip():
            raise FileNotFoundError("there is no name to save it under")
        path = Path(self.path.value.strip()).expanduser()
        if path.exists() and not self.overwrite.value:
            raise FileExistsError(f"{path} exists; tick overwrite to replace it")
        files.write_whole(path, self.data)
        return path.resolve()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)

    # --- Previews, and what they become ---

    def _moved(self) -> None:
        """Show a preview for where the sliders are now, and start to wait until they rest."""
        with self._lock:
            self._generation += 1
            self._data = None
        if self._timer is not None:
            self._timer.cancel()
        self._disable()
        self._status.value = ""
        if not self.quality.value:
            step = self._preview.step(**self.options)
            self._show(step.indexed, step.indexed, step.length, step.psnr, about=True)
        else:  # a search, of which there is no preview
            self._figures.value = figures_html({"Searching": "for the fewest bytes &hellip;"}, about=True)
            self._show_code()
        self._timer = threading.Timer(_REST, self._rested, [self._generation])
        self._timer.daemon = True
        self._timer.start()

    def _stepped(self) -> None:
        """Show another frame: as it is in the file, which is the same for all, or else a preview."""
        try:
            explored = self._explored.at(self.frame.value)
            preview = Preview(explored.image)
        except OSError as error:  # a damaged frame
            self._complain(error)
            return
        with self._lock:
            self._explored, self._preview = explored, preview
            self._generation += self._data is None  # so that no other frame is shown by who is saving
            data = self._data
        self._show_original()
        if data is None:
            self._moved()
        else:
            self._show_saved(len(data), *explored.decode(data))

    def _rested(self, generation: int) -> None:
        try:
            self._rest(generation)
        except Exception as error:  # this is a timer's thread, whose errors nobody else would see
            self._complain(error)

    def _rest(self, generation: int) -> None:
        """Save the picture in memory, and show what that gave, unless the sliders have moved since."""
        with self._saving:
            if generation != self._generation or self._data is not None:
                return
            explored = self._explored
            data = explored.encode(SaveOptions.of(self.options))
            indexed, quality = explored.decode(data)
            with self._lock:
                if generation == self._generation:
                    self._data = data
                    self._show_saved(len(data), indexed, quality)

    def _show_saved(self, length: int, indexed: Indexed, quality: float) -> None:
        """Show what is in the file."""
        shown = Indexed(indexed.codebook, indexed.labels[self._preview.part], indexed.mode)
        self._show(shown, indexed, length, quality, about=False)

    def _show(self, shown: Indexed, whole: Indexed, length: int, quality: float, *, about: bool) -> None:
        """Show a picture, or of a large one its middle, and the figures of the whole."""
        film = self._explored.film is not None
        used = whole.codebook[np.bincount(whole.labels.ravel(), minlength=whole.k) > 0]
        used, entries = (visible(part, *self._range) for part in (used, shown.codebook))
        with self._comparison.hold_sync():
            self._comparison.after = png(palette_image(entries, shown.labels))
            self._comparison.after_caption = f"KMC, {len(used)} colour{'s' * (len(used) != 1)}"
        stored = visible(whole.codebook, *self._range) if film and not about else used
        roughly = "about " if about else ""
        alone = film and about  # as previews are of the frame alone
        file = 0 if alone else self._explored.length
        share = f"<small>{length / file:.1%} of {self._explored.kind}</small>" if file else ""
        pixels = math.prod(self._preview.size) * (1 if alone else self._explored.frames)
        changed = self._changed(shown)
        exactly = "exact in the middle" if about and self._preview.partial else "exact"
        likeness = exactly if math.isinf(quality) else decibels(roughly, quality)
        self._figures.value = figures_html(
            {
                "Frame alone" if alone else "File": f"{roughly}{length:,} bytes{share}",
                "PSNR, this frame" if film else "PSNR": likeness,
                "Bits per pixel": f"{roughly}{8 * length / pixels:.3f}",
                "Colours": f"{len(stored)}",
                **({} if changed is None else {"Labels changed": f"{roughly}{percentage(changed)}"}),
            },
            about,
        )
        self._swatch.value = swatch_html(stored)
        self._show_code()

    def _tell_again(self) -> None:
        """Send what is shown to a browser that begins to show it: what changed until then may be lost."""
        with self._lock:  # lest what is sent is older than what others send meanwhile
            for widget in (self._comparison, self._figures, self._swatch, self._code, self._status):
                widget.send_state()

    def _changed(self, shown: Indexed) -> float | None:
        """Return the share of pixels that differ, if they are integers or a palette's."""
        if self._preview.pixels.dtype == np.uint8 and not self._explored.labelled:
            return None
        return metrics.labels_changed(self._preview.pixels, shown.expand())

    def _show_code(self) -> None:
        """Show the line that gives the figures, or that they are not settled."""
        line = "exact figures when the sliders rest …"
        if self._data is not None:
            options = "".join(f", {name}={value:g}" for name, value in self.options.items())
            name = json.dumps(Path(self.path.value.strip()).name, ensure_ascii=False)
            line = self._explored.call.format(name, options)
        quiet = " kmc-quiet" if self._data is None else ""
        self._code.value = f"<code class='kmc-code{quiet}'>{html.escape(line)}</code>"

    def _clicked(self) -> None:
        """Save, and tell what came of it."""
        try:
            path = self.save()
        except (OSError, TypeError, ValueError) as error:
            self._complain(error)
        else:
            message = f"saved {len(self.data):,} bytes: {path}"
            self._status.value = f"<div class='kmc-quiet' role='status'>{html.escape(message)}</div>"
