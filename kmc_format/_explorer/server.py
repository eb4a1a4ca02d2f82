"""The explorer in a browser, without a notebook: a server for one picture, on this machine only."""

from __future__ import annotations

import json
import logging
import secrets
import socket
import sys
import threading
import webbrowser
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from .._extras import needed
from .preview import Preview

_ADDRESS = "127.0.0.1"  # which other machines cannot reach
# Browsers load nothing from elsewhere, whatever the page asks for.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:"
    f" ws://{_ADDRESS}:*;"
    " frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


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
