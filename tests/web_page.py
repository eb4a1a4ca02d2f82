"""A page with kmc.js in headless Chromium, for tests and benchmarks."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import chromium

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120  # that anything may take
PAGE = "<!doctype html><meta charset=utf-8><title>KMC</title>"
CALL = """
const [body, given, done] = arguments;
const wait = Object.getPrototypeOf(async () => {}).constructor;
Promise.all([import("/kmc_format/web/kmc.js"), import("/tests/web/checks.js")])
  .then(([kmc, checks]) => new wait("kmc", "checks", "given", body)(kmc, checks, given))
  .then((value) => ({ value: value ?? null }), (error) => ({ error: String(error.stack) }))
  .then((answer) => done(JSON.stringify(answer)));
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the repository, other files that are given, and an empty page."""

    def __init__(self, *arguments: Any, files: dict[str, bytes]) -> None:
        self.files = files
        super().__init__(*arguments, directory=str(ROOT))

    def do_GET(self) -> None:
        data = PAGE.encode() if self.path == "/" else self.files.get(self.path[1:])
        if data is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Page:
    """A page that can run asynchronous functions; `files` are served under their names."""

    def __init__(self, driver: Any, files: dict[str, bytes]) -> None:
        self.driver, self.files = driver, files

    def call(self, body: str, given: object = None) -> Any:
        """Run the body of a function of `kmc`, `checks` and what is given; return what it does."""
        answer = json.loads(self.driver.execute_async_script(CALL, body, given))
        assert "error" not in answer, answer["error"]
        return answer["value"]


@contextmanager
def open_page(profile: Path) -> Iterator[Page]:
    files: dict[str, bytes] = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, files=files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium(profile) as driver:
            driver.set_script_timeout(SECONDS)
            driver.get(f"http://127.0.0.1:{server.server_port}/")
            yield Page(driver, files)
    finally:
        server.shutdown()
        server.server_close()
