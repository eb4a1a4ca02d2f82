"""Headless Chromium for tests, and a server of this machine with pages for it.

Where the environment variable KMC_ARTEFACTS names a folder, screenshots are kept there, and that there is no
browser is an error; otherwise the tests are skipped then.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
SECONDS = 60  # that anything may take
STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"


def needs_chromium() -> None:
    """Skip a test where there is no browser, or fail where there is to be one."""
    import pytest  # which those who measure need not have

    if not (CHROMIUM and DRIVER):
        missing = pytest.fail if "KMC_ARTEFACTS" in os.environ else pytest.skip
        missing("there is no Chromium with its chromedriver: see .ci/browser")


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Start a browser, which must be there; yield its driver."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.set_page_load_timeout(SECONDS)
        yield driver
    finally:
        driver.quit()


def until(condition: Callable[[], Any], told: Callable[[], Any] = str) -> Any:
    """Wait until a condition is true; return its value."""
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, told()
        time.sleep(0.02)
    return value


class Tab:
    """What a browser shows."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def command(self, name: str, **parameters: Any) -> Any:
        """Give a command of the protocol of Chromium's developer tools."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def pause(self, milliseconds: int) -> None:
        """Let time pass for the page."""
        self.run("return new Promise((done) => setTimeout(done, arguments[0]))", milliseconds)

    def problems(self) -> list[str]:
        """Return what the browser complains of, since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def media(self, **features: str) -> None:
        """Emulate what a user prefers, until it is called again."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.command("Emulation.setEmulatedMedia", features=named)

    def resize(self, width: int, height: int = 900) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def size(self, selector: str) -> tuple[float, float]:
        script = "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
        width, height = self.run(f"{script} return [box.width, box.height]", selector)
        return round(width, 1), round(height, 1)

    def accessible(self) -> list[dict[str, Any]]:
        """Return what assistive technology is told of: role, name, and whether one comes there by keys."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": node.get("name", {}).get("value", ""),
                "focusable": any(one["name"] == "focusable" for one in node.get("properties", ())),
            }
            for node in nodes
            if not node["ignored"]
        ]

    def accessible_names(self, role: str) -> list[str]:
        """Return the names of what has a role."""
        return [one["name"] for one in self.accessible() if one["role"] == role]

    def keep(self, name: str) -> None:
        """Keep a screenshot as an artefact of the build."""
        if os.environ.get("KMC_ARTEFACTS"):
            folder = Path(os.environ["KMC_ARTEFACTS"])
            folder.mkdir(parents=True, exist_ok=True)
            assert self.driver.save_screenshot(str(folder / f"{name}.png"))


class File(NamedTuple):
    """What a site answers to a path."""

    data: bytes
    kind: str = "application/octet-stream"
    gate: threading.Event | None = None  # what the second half of the data waits for


class Site:
    """A site of this machine: what it has at each path, and which paths were asked for."""

    def __init__(self, policy: str = STRICT, *, cache: bool = False) -> None:
        self.files: dict[str, File] = {}
        self.asked: list[str] = []
        self.broken: list[str] = []  # the paths whose answers the browser did not wait for
        self.policy = policy
        self.cache = cache  # whether the browser may keep files
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def end(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, path: str) -> None:
        self.asked.append(path)
        file = self.files.get(path)
        request.send_response(200 if file else 404)
        file = file or File(b"")
        request.send_header("Content-Type", file.kind)
        request.send_header("Content-Length", str(len(file.data)))
        request.send_header("Content-Security-Policy", self.policy)
        if self.cache:
            request.send_header("Cache-Control", "max-age=3600")
        request.end_headers()
        half = len(file.data) // 2
        try:
            request.wfile.write(file.data[:half])
            if file.gate:
                file.gate.wait(SECONDS)
            for start in range(half, len(file.data), 65536):
                request.wfile.write(file.data[start : start + 65536])
        except OSError:
            self.broken.append(path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self, self.path)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
