"""The widgets of the explorer, and where they lie."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .._extras import needed
from .._pixels.colours import visible
from .preview import MOST_K, Preview
from .view import Explored, comparison_class, png, title_html, without_axis

# The right end of the slider for rdo, in squared error per bit; quality 70 picks about as much.
_MOST_RDO = 100.0
_WIDE = {"width": "auto"}  # the layout of widgets that take the width of the panel


class Panel:
    """Sliders and a button beside a picture; a subclass says what happens when they are used."""

    def __init__(self, preview: Preview, explored: Explored, k: int) -> None:
        self._preview, self._explored = preview, explored
        self._widgets = needed("ipywidgets", "notebook")
        self._make_sliders(k)
        self._make_comparison()
        self._make_saving()
        self._arrange()

    def _moved(self) -> None:
        """Do what is to be done when a slider has moved."""

    def _stepped(self) -> None:
        """Do what is to be done when another frame is to be shown."""

    def _show_code(self) -> None:
        """Show the line of code that saves the picture."""

    def _clicked(self) -> None:
        """Do what is to be done when the button was clicked."""

    def _make_sliders(self, k: int) -> None:
        widgets = self._widgets
        look: dict[str, Any] = {"layout": _WIDE, "style": {"description_width": "3.2rem"}}
        last = self._explored.frames - 1
        self.frame = widgets.IntSlider(self._explored.frame, 0, last, description="frame", **look)
        self.frame.observe(lambda change: self._stepped(), "value")
        self.frame.tooltip = "which frame is shown, from 0"
        most = MOST_K if last else self._preview.most  # as other frames may have more colours
        self.k = widgets.IntSlider(min(k, most), 1, most, description="k", **look)
        self.rdo = widgets.FloatSlider(
            0, min=0, max=_MOST_RDO, step=1, description="rdo", readout_format=".0f", **look
        )
        self.dither = widgets.FloatSlider(0, min=0, max=1, step=0.05, description="dither", **look)
        choices = [("none: by the sliders", 0), *((str(value), value) for value in range(5, 101, 5))]
        self.quality = widgets.Dropdown(options=choices, value=0, description="quality", **look)
        for moving in (self.k, self.rdo, self.dither, self.quality):
            moving.observe(lambda change: self._moved(), "value")
        self.k.tooltip = "number of colours"
        self.rdo.tooltip = "how much squared error a saved bit may cost"
        self.dither.tooltip = "strength of Floyd-Steinberg error diffusion"
        self.quality.tooltip = "as for JPEG: picks the number of colours and rdo"

    def _make_comparison(self) -> None:
        """Make the widget that shows both pictures, and the buttons that say how."""
        self._comparison = comparison_class()(
            layout={"flex": "999 1 30rem", "min_width": "0", "overflow": "hidden"},
        )
        self._view = self._widgets.ToggleButtons(
            options=[("divider", False), ("side by side", True)],
            style={"button_width": "calc(50% - 4px)"},
            layout=_WIDE,
        )
        self._widgets.link((self._view, "value"), (self._comparison, "beside"))
        self._show_original()

    def _show_original(self) -> None:
        """Show the picture, or its frame, as it was."""
        pixels = self._preview.pixels
        self._range = int(pixels.min()), int(pixels.max())
        seen = visible(pixels, *self._range)
        with self._comparison.hold_sync():
            self._comparison.before = png(Image.fromarray(without_axis(seen)))
            self._comparison.before_caption = f"original{self._explored.which}"

    def _make_saving(self) -> None:
        widgets = self._widgets
        self.path = widgets.Text(
            str(Path(self._explored.name).with_suffix(".kmc")),
            tooltip="where to save",
            layout={"flex": "1 1 auto"},
        )
        self.path.observe(lambda change: self._show_code(), "value")
        self.overwrite = widgets.Checkbox(False, description="overwrite", indent=False)
        self._button = widgets.Button(description="Save", button_style="primary", layout={"width": "5rem"})
        self._button.on_click(lambda button: self._clicked())

    def _arrange(self) -> None:
        widgets = self._widgets
        self._hint, self._figures, self._swatch, self._code, self._status = (
            widgets.HTML(layout=_WIDE) for _ in range(5)
        )
        panel = widgets.VBox(
            [
                widgets.HTML(title_html(self._explored, self._preview)),
                *([self.frame] if self._explored.film else []),
                *(self.k, self.rdo, self.dither, self.quality, self._hint, self._view),
                *(self._figures, self._swatch, self._code),
                widgets.HBox([self.path, self._button]),
                *(self.overwrite, self._status),
            ],
            layout={"flex": "1 1 21rem"},
        )
        panel.add_class("kmc-panel")
        self.widget = widgets.HBox([self._comparison, panel])
        self.widget.add_class("kmc-explorer")

    def _disable(self) -> None:
        """Disable what does not go with what is chosen, and tell why."""
        neither = not self._preview.weighable
        searching, rdo, dither = bool(self.quality.value), bool(self.rdo.value), bool(self.dither.value)
        self.k.disabled = searching
        self.rdo.disabled = neither or searching or dither
        self.dither.disabled = neither or searching or rdo
        self.quality.disabled = neither or self._preview.pixels.dtype != np.uint8 or rdo or dither
        reasons = {
            "rdo and dither are for colours, not for integers of 32 bits": neither,
            "quality picks k and rdo: choose none to move the sliders": searching,
            "dither and quality go with an rdo of 0 only": rdo,
            "rdo and quality go with a dither of 0 only": dither,
        }
        why = next((reason for reason, holds in reasons.items() if holds), "")
        self._hint.value = f"<div class='kmc-quiet kmc-hint' role='note'>{why}</div>" if why else ""

    def _complain(self, error: Exception) -> None:
        """Tell what is wrong in one line."""
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            message = f"{error.strerror}: {error.filename}"
        self._status.value = f"<div class='kmc-error' role='alert'>{html.escape(message)}</div>"
