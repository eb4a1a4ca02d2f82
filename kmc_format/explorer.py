"""`kmc_format.explore`: sliders for k, `rdo` and `dither`, or a `quality`, beside a picture.

A notebook or a browser shows them. While a slider moves, previews are shown: at once, and about right. When
it rests, the picture is saved as `Image.save` does, in memory and in the background; what is then shown, and
written on request, is exactly that. ipywidgets and the rest are imported when they are needed.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import logging
import math
import secrets
import socket
import sys
import threading
import webbrowser
from io import BytesIO
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from . import codec, colours, files, metrics, saving
from .container import Reader
from .extras import needed
from .indexed import Array, Indexed
from .likeness import percentage
from .options import SaveOptions
from .preview import Preview, psnr

Picture = Array | Image.Image | str | PathLike[str]

_REST = 0.3  # seconds after which a slider that has not moved is at rest
_MOST_RDO = 100.0
_FOLDER = Path(__file__).parent
_ADDRESS = "127.0.0.1"
# Nothing is loaded from elsewhere, whatever the page would like to have.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:"
    f" ws://{_ADDRESS}:*;"
    " frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


class Explorer:
    """Sliders for k, `rdo` and `dither`, or a `quality`, and what they do to a picture; notebooks display it.

    Parameters
    ----------
    picture : ndarray, PIL.Image.Image or path
        As for `kmc_format.quantize`. Integers of more than 8 bits are shown as greys.
    k : int
        Number of colours to start with, 1 to 256.

    Attributes
    ----------
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

    def __init__(self, picture: Picture, k: int = 32) -> None:
        self._widgets = needed("ipywidgets", "notebook")
        needed("anywidget", "notebook")
        self._preview = Preview(picture)
        self._preview.check_k(k)
        self._source = _source(picture)
        self._range = int(self._preview.pixels.min()), int(self._preview.pixels.max())
        self._lock = threading.Lock()  # guards what is shown, and:
        self._generation = 0  # how often the sliders have moved
        self._data: bytes | None = None  # for where they are now, once they rest
        self._saving = threading.Lock()  # of several that would be saved, only the last still counts
        self._timer: threading.Timer | None = None
        self._make_widgets(min(k, self._preview.most))
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

    # --- Widgets ---

    def _make_widgets(self, k: int) -> None:
        widgets, source = self._widgets, self._source
        wide = {"width": "auto"}
        slider: dict[str, Any] = {"layout": wide, "style": {"description_width": "3.2rem"}}
        self.k = widgets.IntSlider(k, 1, self._preview.most, description="k", **slider)
        self.rdo = widgets.FloatSlider(
            0, min=0, max=_MOST_RDO, step=1, description="rdo", readout_format=".0f", **slider
        )
        self.dither = widgets.FloatSlider(0, min=0, max=1, step=0.05, description="dither", **slider)
        choices = [("none: by the sliders", 0), *((str(value), value) for value in range(5, 101, 5))]
        self.quality = widgets.Dropdown(options=choices, value=0, description="quality", **slider)
        for moving in (self.k, self.rdo, self.dither, self.quality):
            moving.observe(lambda change: self._moved(), "value")
        self.k.tooltip = "number of colours"
        self.rdo.tooltip = "how much squared error a saved bit may cost"
        self.dither.tooltip = "strength of Floyd-Steinberg error diffusion"
        self.quality.tooltip = "as for JPEG: picks the number of colours and rdo"
        seen = _visible(self._preview.pixels, *self._range)
        self._comparison = _comparison()(
            before=_png(Image.fromarray(_without_axis(seen))),
            layout={"flex": "999 1 30rem", "min_width": "0", "overflow": "hidden"},
        )
        view = widgets.ToggleButtons(
            options=[("divider", False), ("side by side", True)],
            style={"button_width": "calc(50% - 4px)"},
            layout=wide,
        )
        widgets.link((view, "value"), (self._comparison, "beside"))
        self._hint, self._figures, self._swatch, self._code, self._status = (
            widgets.HTML(layout=wide) for _ in range(5)
        )
        self.path = widgets.Text(
            str(Path(source.name).with_suffix(".kmc")), tooltip="where to save", layout={"flex": "1 1 auto"}
        )
        self.path.observe(lambda change: self._show_code(), "value")
        self.overwrite = widgets.Checkbox(False, description="overwrite", indent=False)
        self._button = widgets.Button(description="Save", button_style="primary", layout={"width": "5rem"})
        self._button.on_click(lambda button: self._clicked())
        panel = widgets.VBox(
            [
                widgets.HTML(_title(source, self._preview)),
                *(self.k, self.rdo, self.dither, self.quality, self._hint, view),
                *(self._figures, self._swatch, self._code),
                widgets.HBox([self.path, self._button]),
                *(self.overwrite, self._status),
            ],
            layout={"flex": "1 1 21rem"},
        )
        panel.add_class("kmc-panel")
        self.widget = widgets.HBox([self._comparison, panel])
        self.widget.add_class("kmc-explorer")

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
            self._figures.value = _figures({"Searching": "for the fewest bytes &hellip;"}, about=True)
            self._show_code()
        self._timer = threading.Timer(_REST, self._rested, [self._generation])
        self._timer.daemon = True
        self._timer.start()

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

    def _rested(self, generation: int) -> None:
        try:
            self._rest(generation)
        except Exception as error:  # nobody else would be told
            self._complain(error)

    def _rest(self, generation: int) -> None:
        """Save the picture in memory, and show what that gave, unless the sliders have moved since."""
        with self._saving:
            if generation != self._generation or self._data is not None:
                return
            image = self._source.image
            data = saving.encode_image(image, SaveOptions.of(self.options))
            reader = Reader(BytesIO(data))
            indexed = codec.decode(reader, codec.read_header(reader))
            quality = psnr(image, indexed.expand())
            with self._lock:
                if generation == self._generation:
                    self._data = data
                    shown = Indexed(indexed.codebook, indexed.labels[self._preview.part], indexed.mode)
                    self._show(shown, indexed, len(data), quality, about=False)

    def _show(self, shown: Indexed, whole: Indexed, length: int, quality: float, *, about: bool) -> None:
        """Show a picture, or of a large one its middle, and the figures of the whole."""
        used = whole.codebook[np.bincount(whole.labels.ravel(), minlength=whole.k) > 0]
        used, entries = (_visible(part, *self._range) for part in (used, shown.codebook))
        with self._comparison.hold_sync():
            self._comparison.after = _png(_palette_image(entries, shown.labels))
            self._comparison.after_caption = f"KMC, {len(used)} colour{'s' * (len(used) != 1)}"
        roughly = "about " if about else ""
        file = self._source.length
        share = f"<small>{length / file:.1%} of {self._source.kind}</small>" if file else ""
        changed = self._changed(shown)
        exactly = "exact in the middle" if about and self._preview.partial else "exact"
        self._figures.value = _figures(
            {
                "File": f"{roughly}{length:,} bytes{share}",
                "PSNR": exactly if math.isinf(quality) else _decibels(roughly, quality),
                "Bits per pixel": f"{roughly}{8 * length / math.prod(self._preview.size):.3f}",
                "Colours": f"{len(used)}",
                **({} if changed is None else {"Labels changed": f"{roughly}{percentage(changed)}"}),
            },
            about,
        )
        self._swatch.value = _swatch(used)
        self._show_code()

    def _changed(self, shown: Indexed) -> float | None:
        """Return the share of pixels that differ, if they are integers or a palette's."""
        if self._preview.pixels.dtype == np.uint8 and self._source.image.mode != "P":
            return None
        return metrics.labels_changed(self._preview.pixels, shown.expand())

    def _show_code(self) -> None:
        """Show the line that gives the figures, or that they are not settled."""
        line = "exact figures when the sliders rest …"
        if self._data is not None:
            options = "".join(f", {name}={value:g}" for name, value in self.options.items())
            name = json.dumps(Path(self.path.value.strip()).name, ensure_ascii=False)
            line = self._source.call.format(name, options)
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

    def _complain(self, error: Exception) -> None:
        """Tell what is wrong in one line."""
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            message = f"{error.strerror}: {error.filename}"
        self._status.value = f"<div class='kmc-error' role='alert'>{html.escape(message)}</div>"


# --- Pictures -----------------------------------------------------------------------------------


class _Source(NamedTuple):
    """The picture that is explored."""

    image: Image.Image
    name: str
    length: int  # of its file in bytes; 0 where there is none
    kind: str  # of its file
    call: str  # that saves it, but for the name and the options


def _source(picture: Picture) -> _Source:
    if isinstance(picture, (str, PathLike)):
        with Image.open(picture) as opened:
            return _source(opened)
    if isinstance(picture, Image.Image):
        file = getattr(picture, "filename", "")
        path = Path(file) if isinstance(file, (str, PathLike)) else Path()
        length = path.stat().st_size if path.is_file() else 0
        kind = f"the {picture.format}" if picture.format else "its file"
        # A copy, as the other may be changed while its figures are shown.
        return _Source(picture.copy(), path.name or "picture", length, kind, "image.save({}{})")
    pixels = np.asarray(picture)
    if pixels.dtype not in (np.bool_, np.uint8, np.uint16):
        pixels = pixels.astype(np.int32)  # which was found to hold them
    image = Image.fromarray(_without_axis(pixels))
    return _Source(image, "picture", 0, "", "kmc_format.write({}, array{})")


def _without_axis(pixels: Array) -> Array:
    """Return pixels as Pillow takes them, which knows no axis of one channel."""
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _visible(values: Array, low: int, high: int) -> Array:
    """Return 8-bit colours as they are, and integers between two as greys."""
    if values.dtype == np.uint8:
        return values
    parts: Array = np.subtract(values, low, dtype=np.int64) * 255 // max(high - low, 1)
    return parts.clip(0, 255).astype(np.uint8)


def _palette_image(entries: Array, labels: Array) -> Image.Image:
    image = Image.frombuffer("P", labels.shape[::-1], labels, "raw", "P", 0, 1)
    image.putpalette(colours.widen(entries, 4).tobytes(), "RGBA")
    return image


def _png(image: Image.Image) -> bytes:
    """Return a PNG that is made quickly, as it does not travel far."""
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


# --- HTML ---------------------------------------------------------------------------------------


def _title(source: _Source, preview: Preview) -> str:
    width, height = preview.size
    facts = [f"{width:,} &times; {height:,} pixels"]
    if source.length:
        facts.append(f"{source.length:,} bytes")
    shown = preview.pixels.shape
    if preview.partial:
        facts.append(f"the middle {shown[1]:,} &times; {shown[0]:,} shown and previewed")
    return (
        f"<div class='kmc-name'>{html.escape(source.name)}</div>"
        f"<div class='kmc-quiet'>{', '.join(facts)}</div>"
    )


def _figures(figures: dict[str, str], about: bool) -> str:
    rows = "".join(f"<div><span>{name}</span> <b>{value}</b></div>" for name, value in figures.items())
    state = " kmc-about" if about else ""
    return f"<div class='kmc-figures{state}' aria-live='polite'>{rows}</div>"


def _decibels(roughly: str, quality: float) -> str:
    return "none (32 bits)" if math.isnan(quality) else f"{roughly}{quality:.2f} dB"


def _swatch(entries: Array) -> str:
    """Return the colours of a codebook side by side, from dark to light."""
    rgba = colours.widen(entries, 4)
    ordered = rgba[np.argsort(colours.oklab(rgba[:, :3])[:, 0], kind="stable")]
    picture = base64.b64encode(_png(Image.fromarray(ordered[None]))).decode()
    alt = f"codebook of {len(entries)} colours, from dark to light"
    return f"<img class='kmc-swatch' alt='{alt}' title='{alt}' src='data:image/png;base64,{picture}'>"


# --- Without a notebook ---------------------------------------------------------------------------


def serve(path: str | PathLike[str], *, port: int = 0, browser: bool = True) -> None:
    """Explore a picture in a browser, without a notebook, until Ctrl-C.

    Only programs of this machine reach it, and only those that know the address, which holds a secret.
    Files are saved in the current folder.

    Parameters
    ----------
    path : str or PathLike
        The picture.
    port : int
        Where to listen; by default any free port.
    browser : bool
        Open the page in a browser, or else only print its address.

    Raises
    ------
    ImportError
        If Voila is not installed: ``pip install 'kmc-format[explore]'``.
    OSError, TypeError, ValueError
        If the picture cannot be read or explored, or the port is taken.
    """
    with Image.open(path):  # raises at once if it is no image
        pass
    with socket.create_server((_ADDRESS, port)) as probe:
        port = probe.getsockname()[1]
    print(f"KMC explorer starts at http://{_ADDRESS}:{port}/, which takes some seconds ...", flush=True)
    for module in ("anywidget", "ipykernel", "voila.app"):
        needed(module, "explore")
    Preview(path)  # raises what else there is to raise
    with TemporaryDirectory(prefix="kmc-") as folder:
        _prepare(Path(folder), Path(path).resolve())
        logging.getLogger("tornado").setLevel(logging.CRITICAL)
        server = _server()(Path(folder), port, browser)
        server.initialize([])
        server.start()


def _prepare(folder: Path, picture: Path) -> None:
    """Write a notebook that explores a picture, and a kernel: this Python, quiet, without a profile."""
    code = (
        f"import os\nos.chdir({str(Path.cwd())!r})\n"  # where files are to be saved
        f"from kmc_format import explorer\nexplorer.Explorer({str(picture)!r})"
    )
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    metadata = {
        "title": f"KMC explorer: {picture.name}",
        "kernelspec": {"name": "kmc", "display_name": "KMC"},
    }
    notebook = {"cells": [{**cell, "source": code}], "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    (folder / "notebook.ipynb").write_text(json.dumps(notebook), "utf-8")
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
    kernel = {
        "argv": command,
        "display_name": "KMC",
        "language": "python",
        "env": {"IPYTHONDIR": str(folder / "ipython")},
    }
    (folder / "kmc").mkdir()
    (folder / "kmc" / "kernel.json").write_text(json.dumps(kernel), "utf-8")


def _server() -> Any:
    """Return the class of the server: Voila, for this machine only, quiet, and under no configuration."""
    base: Any = needed("voila.app", "explore").Voila

    class Server(base):  # type: ignore[misc]  # whose type is known when it is installed
        def __init__(self, folder: Path, port: int, browser: bool) -> None:
            super().__init__(
                notebook_path=str(folder / "notebook.ipynb"),
                ip=_ADDRESS,
                port=port,
                token=secrets.token_urlsafe(32),
                config_file_paths=[],
                log_level=logging.CRITICAL,
                tornado_settings={"headers": {"Content-Security-Policy": _POLICY}},
            )
            self.folder, self.browser_wanted = folder, browser

        def init_settings(self) -> Any:
            settings = super().init_settings()
            self.kernel_spec_manager.kernel_dirs = [str(self.folder)]
            return settings

        def launch_browser(self) -> None:
            """Tell the address, and open it by way of a file, as all users see the arguments of programs."""
            address = f"{self.connection_url}?token={self.token}"
            print(f"KMC explorer, until Ctrl-C: {address}", flush=True)
            if self.browser_wanted:
                page = self.folder / "open.html"  # in a folder that is this user's
                page.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', "utf-8")
                threading.Thread(target=webbrowser.open, args=[page.as_uri()], daemon=True).start()

    return Server


@functools.cache
def _comparison() -> Any:
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
