"""Pictures of what compressing did: an original beside what became of it, and what options give.

Drawn with matplotlib: ``pip install 'kmc-format[plots]'``. The colours are those of Okabe and Ito,
"Color universal design", 2008, which colour-blind people tell apart; lines also differ in their marks, for
print.

>>> from kmc_format import figures, report
>>> from PIL import Image
>>> rows = list(report.sweep(Image.linear_gradient("L"), [2, 4, 8]))
>>> figures.sweep(rows).savefig("sweep.png")  # doctest: +SKIP
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from ._extras import needed
from ._format.indexed import Array
from ._pixels import colours, convert

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["comparison", "show", "sweep", "window"]

# Colours of lines, from Okabe and Ito's set.
_BLUE, _VERMILLION, _GREEN = "#0072B2", "#D55E00", "#009E73"
_DPI = 100  # pixels of a figure for each of the inches that matplotlib counts in
_PANEL = (320, 800)  # pixels: small pictures are magnified to the first, large ones reduced to the second
_GAP, _CAPTION, _SWATCH, _SCALE = 16, 44, 36, 12  # pixels between and beside panels
_SHARP: dict[str, Any] = {"interpolation": "nearest", "interpolation_stage": "rgba"}
_LABELLED_POINTS = 12  # with more, only every second point has a label, or every third ...


def comparison(
    original: metrics.Picture,
    compressed: metrics.Picture,
    codebook: Array | None = None,
    captions: Sequence[str] = ("original", "KMC"),
    *,
    figure: Figure | None = None,
) -> Figure:
    """Draw an original, what became of it, and where they differ, above a swatch of the codebook.

    Parameters
    ----------
    original, compressed : ndarray or PIL.Image.Image
        Pictures of the same size. One pixel is one of the figure's, or several; large ones are reduced.
    codebook : ndarray, shape (k, channels), optional
        The colours of `compressed`, to be shown from dark to light.
    captions : pair of str
        Written above the two.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw into, such as a window's.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If the pictures do not compare.
    """
    error = metrics.error_map(original, compressed)
    pictures = [convert.pixels_of(picture) for picture in (original, compressed)]
    width, height = _panel_size(*error.shape)
    whole = (3 * width + 4 * _GAP + 2 * _CAPTION, height + 2 * _CAPTION + _SWATCH + _GAP)
    figure = figure or needed("matplotlib.figure", "plots").Figure()
    figure.set_dpi(_DPI)
    figure.set_size_inches(whole[0] / _DPI, whole[1] / _DPI)

    panel = functools.partial(_panel, figure, whole)
    first: Axes | None = None
    limits = _limits(pictures)
    for n, (pixels, caption) in enumerate(zip(pictures, captions, strict=True)):
        # Whoever magnifies one of the panels magnifies all.
        left = _GAP + n * (width + _GAP)
        axes = panel(left, _CAPTION, width, height, caption, sharex=first, sharey=first, facecolor="0.85")
        axes.imshow(_shown(pixels), **limits, **_SHARP)
        first = first or axes
    left = _GAP + 2 * (width + _GAP)
    axes = panel(left, _CAPTION, width, height, "difference, RMS of levels", sharex=first, sharey=first)
    map_of_error = axes.imshow(error, cmap="magma", vmin=0, vmax=max(float(error.max()), 1), **_SHARP)
    scale = panel(left + width + _GAP // 2, _CAPTION, _SCALE, height, "")
    figure.colorbar(map_of_error, cax=scale)
    if codebook is not None:
        top, wide = height + 2 * _CAPTION - _GAP // 2, 3 * width + 2 * _GAP
        swatch = panel(_GAP, top, wide, _SWATCH, _title_of_swatch(len(codebook)), facecolor="0.85")
        swatch.imshow(_by_lightness(codebook)[None], aspect="auto", interpolation="nearest", **limits)
    return figure


def sweep(rows: Sequence[Mapping[str, Any]], *, figure: Figure | None = None) -> Figure:
    """Draw what the values of an option give: quality over bytes, and bytes and time over the option.

    Parameters
    ----------
    rows : sequence of dict
        What `report.sweep` gives.
    figure : matplotlib.figure.Figure, optional
        An empty one to draw into, such as a window's.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    option = next(iter(rows[0]))
    values = [row[option] for row in rows]
    size = [row["bytes"] / 1000 for row in rows]
    figure = figure or needed("matplotlib.figure", "plots").Figure()
    figure.set_size_inches(11, 3.6)
    figure.set_layout_engine("constrained")
    quality, bytes_, times = figure.subplots(1, 3)

    _draw(quality, size, [_decibels(row["psnr"]) for row in rows], "o-", _BLUE)
    quality.set(xlabel="size (kB)", ylabel="PSNR (dB)", title="quality and size")
    every = -(-len(rows) // _LABELLED_POINTS)
    for row, kilobytes in list(zip(rows, size, strict=True))[::every]:
        if row["psnr"] is not None:
            name = f"{option} = {row[option]}" if row is rows[0] else str(row[option])
            place = {"xytext": (6, -9), "textcoords": "offset points", "fontsize": 8}
            quality.annotate(name, (kilobytes, row["psnr"]), **place)
    if any(row["psnr"] is None for row in rows):
        quality.text(
            0.98, 0.03, "exact ones have no PSNR", ha="right", fontsize=8, transform=quality.transAxes
        )

    name = "colours asked for, k" if option == "k" else option
    _draw(bytes_, values, size, "o-", _BLUE)
    bytes_.set(xlabel=name, ylabel="size (kB)", title="size", ylim=(0, None))
    for action, marker, colour in (("encode", "s-", _VERMILLION), ("decode", "^--", _GREEN)):
        milliseconds = [1000 * row[f"{action}_seconds"] for row in rows]
        _draw(times, values, milliseconds, marker, colour, label=action)
    times.set(xlabel=name, ylabel="time (ms)", title="time", ylim=(0, None))
    times.legend(frameon=False)
    if option == "k":
        for axes in (bytes_, times):
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return figure


def window() -> Figure:
    """Return an empty figure in a window, for `show`.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    OSError
        If there is no display, or no toolkit that matplotlib can open windows with.
    """
    pyplot = needed("matplotlib.pyplot", "plots")
    try:
        figure: Figure = pyplot.figure()
        shown = figure.canvas.required_interactive_framework is not None
    except ImportError:  # of a toolkit that was asked for, and cannot run
        shown = False
    if not shown:
        raise OSError("there is no display to open a window on; write a file instead")
    return figure


def show() -> None:
    """Show the windows, until they are closed."""
    needed("matplotlib.pyplot", "plots").show()


def _panel(
    figure: Figure,
    whole: tuple[int, int],
    left: int,
    top: int,
    wide: int,
    high: int,
    title: str,
    **options: Any,
) -> Axes:
    """Add axes for a picture to a figure whose width and height in pixels are `whole`."""
    place = (left / whole[0], 1 - (top + high) / whole[1], wide / whole[0], high / whole[1])
    axes = figure.add_axes(place, xticks=[], yticks=[], **options)
    axes.set_title(title, fontsize=11, loc="left")
    axes.spines[:].set_visible(False)  # they would lie over pixels
    return axes


def _draw(
    axes: Axes, x: Sequence[float], y: Sequence[float], style: str, colour: str, label: str = ""
) -> None:
    axes.plot(x, y, style, color=colour, markersize=4.5, linewidth=1.6, label=label)
    axes.grid(visible=True, color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)


def _decibels(psnr: float | None) -> float:
    return float("nan") if psnr is None else psnr


def _panel_size(height: int, width: int) -> tuple[int, int]:
    """Return width and height of a panel: a whole multiple of the picture's, or less than it."""
    side = max(width, height)
    if side > _PANEL[1]:
        return max(round(width * _PANEL[1] / side), 1), max(round(height * _PANEL[1] / side), 1)
    scale = max(_PANEL[0] // side, 1)
    return scale * width, scale * height


def _limits(pictures: Sequence[Array]) -> dict[str, Any]:
    """Return how values that are no colours are shown: alike in both pictures."""
    if pictures[0].dtype in (np.bool_, np.uint8):
        return {"cmap": "gray", "vmin": 0, "vmax": 255}
    low, high = (int(of([of(part) for part in pictures])) for of in (np.min, np.max))
    return {"cmap": "viridis", "vmin": low, "vmax": max(high, low + 1)}


def _shown(pixels: Array) -> Array:
    """Return pixels as matplotlib takes them."""
    if pixels.dtype == bool:
        return pixels * np.uint8(255)
    if pixels.ndim == 3 and pixels.shape[2] < 3:
        return colours.widen(pixels, 4) if pixels.shape[2] == 2 else pixels[:, :, 0]
    return pixels


def _by_lightness(codebook: Array) -> Array:
    """Return the entries from dark to light, as a row of pixels."""
    entries = codebook
    if codebook.dtype == np.uint8 and codebook.shape[1] > 2:
        lightness = colours.oklab(codebook[:, :3])[:, 0]
        entries = codebook[np.argsort(lightness, kind="stable")]
    row: Array = _shown(entries[None])[0]
    return row


def _title_of_swatch(k: int) -> str:
    return f"codebook of {k:,} colour{'s' * (k != 1)}"
