"""`explorer.serve` in a real browser: headless Chromium moves the sliders and the divider, and saves."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil  # which ipykernel brings
import pytest
from chromium import SECONDS, chromium, needs_chromium, until
from PIL import Image
from support import ROOT, smooth

import kmc_format

PHOTOGRAPH = ROOT / "sample_images" / "photograph.png"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is ended by SIGINT")


class Server:
    """`explorer.serve` in a process of its own, in a folder of its own."""

    def __init__(self, folder: Path, picture: Path = PHOTOGRAPH) -> None:
        script = f"from kmc_format import explorer; explorer.serve({str(picture)!r}, browser=False)"
        (folder / "work").mkdir()
        (folder / "temporary").mkdir()
        self.folder, self.temporary = folder / "work", folder / "temporary"
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-Ic", script],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary), "HOME": str(folder)},
        )
        assert self.process.stdout
        begun = re.fullmatch(r"KMC explorer starts at (\S+), .*\n", self.process.stdout.readline())
        assert begun, self.errors()
        line = self.process.stdout.readline()
        found = re.fullmatch(r"KMC explorer, until Ctrl-C: (http://127\.0\.0\.1:(\d+)/)\?token=(\S+)\n", line)
        assert found, line + self.errors()
        self.address, self.port, self.token = found[1], int(found[2]), found[3]
        assert begun[1] == self.address
        self.url = f"{self.address}?token={self.token}"

    def errors(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def children(self) -> set[int]:
        """The processes that it started, such as kernels, which have sessions of their own."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def end(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(SECONDS)
        assert self.process.stdout
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def serving(*arguments):
    needs_chromium()
    server = Server(*arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()
        server.log.close()


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    with browsing(server, tmp_path_factory.mktemp("profile")) as page:
        yield page


@contextmanager
def browsing(server, profile):
    with chromium(profile) as driver:
        driver.get(server.url)
        yield Page(driver)


class Page:
    """The explorer as it is seen."""

    def __init__(self, driver):
        self.driver = driver
        self.until(lambda: self.all(".kmc-figures"))

    def until(self, condition):
        return until(condition, lambda: self.driver.page_source)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        found = self.all(selector)
        assert len(found) == 1, selector
        return found[0]

    def text(self, selector):
        """Return a text in one step, as what has it may be replaced in between."""
        return self.driver.execute_script(f"return document.querySelector({selector!r})?.innerText ?? ''")

    @property
    def figures(self):
        return self.text(".kmc-figures")

    def exact(self):
        """Wait until the sliders have rested, and return the figures."""
        self.until(lambda: self.text(".kmc-code").startswith("image.save(") and "about" not in self.figures)
        return self.figures

    def slider(self, name):
        labels = [label.text for label in self.all(".widget-slider .widget-label")]
        return self.all(".widget-slider .noUi-handle")[labels.index(name)]

    def press(self, element, *keys):
        from selenium.webdriver.common.keys import Keys

        element.send_keys(*[getattr(Keys, key) for key in keys])

    def shown(self, name):
        """The pixels of a picture, as the browser has them."""
        script = """
            const image = document.querySelector(arguments[0]), canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
        """
        image = self.one(f".kmc-{name} img")
        self.until(lambda: image.get_property("complete"))
        size = image.get_property("naturalHeight"), image.get_property("naturalWidth")
        data = self.driver.execute_script(script, f".kmc-{name} img")
        return np.array(data, np.uint8).reshape(*size, 4)[:, :, :3]

    def keep(self, name):
        """Keep a screenshot as an artefact of the build."""
        if os.environ.get("KMC_ARTEFACTS"):
            folder = Path(os.environ["KMC_ARTEFACTS"])
            folder.mkdir(parents=True, exist_ok=True)
            assert self.driver.save_screenshot(str(folder / f"{name}.png"))


def test_it_shows_the_picture_before_and_after(page):
    page.exact()
    assert page.driver.title == "KMC explorer: photograph.png"
    assert page.text(".kmc-name") == "photograph.png"
    with Image.open(PHOTOGRAPH) as image:
        assert (page.shown("before") == np.asarray(image)).all()
        assert (page.shown("after") == kmc_format.quantize(image, 32).expand()).all()
    assert not page.all("pre")  # no code
    page.keep("explorer")


def test_the_numbers_change_with_the_slider(page):
    before = page.exact()
    handle = page.slider("k")
    page.press(handle, *["ARROW_RIGHT"] * 5)
    page.until(lambda: "about" in page.figures)
    after = page.exact()
    assert handle.get_attribute("aria-valuetext") == "37"
    assert after != before
    data = kmc_format.encode(Image.open(PHOTOGRAPH), 37)
    assert f"{len(data):,} bytes" in after
    assert "Colours\n37" in after
    assert page.text(".kmc-code") == 'image.save("photograph.kmc", k=37)'
    assert (page.shown("after") == kmc_format.decode(data).expand()).all()


@pytest.mark.parametrize(("one", "other"), [("rdo", "dither"), ("dither", "rdo")])
def test_rdo_and_dither(page, one, other):
    before = page.exact()
    page.press(page.slider(one), *["ARROW_RIGHT"] * 10)
    page.until(lambda: f"{one}=" in page.text(".kmc-code"))
    assert page.exact() != before
    assert len(page.all(".widget-slider [disabled]")) == 1
    assert f"an {one} of 0 only" in page.text(".kmc-hint").replace("a dither", "an dither")
    page.keep(one)
    page.press(page.slider(one), "HOME")
    page.until(lambda: page.text(".kmc-code") and one not in page.text(".kmc-code"))
    assert page.exact() == before
    assert not page.all(".widget-slider [disabled]")


def test_a_quality(page):
    from selenium.webdriver.support.ui import Select

    before = page.exact()
    choice = Select(page.one(".widget-dropdown select"))
    choice.select_by_visible_text("50")
    page.until(lambda: page.text(".kmc-code") == 'image.save("photograph.kmc", quality=50)')
    with Image.open(PHOTOGRAPH) as image:
        assert f"{len(kmc_format.encode(image, quality=50)):,} bytes" in page.exact()
    assert "quality picks k and rdo" in page.text(".kmc-hint")
    page.keep("quality")
    choice.select_by_index(0)
    page.until(lambda: "quality" not in page.text(".kmc-code"))
    assert page.exact() == before


def test_the_divider_is_dragged_and_moved_with_keys(page):
    from selenium.webdriver import ActionChains

    stage, divider = page.one(".kmc-stage"), page.one(".kmc-divider")
    width = stage.size["width"]

    def clipped():
        return [page.one(f".kmc-{name}").value_of_css_property("clip-path") for name in ("before", "after")]

    before = clipped()
    assert divider.get_attribute("aria-valuenow") == "50"
    ActionChains(page.driver).click_and_hold(divider).move_by_offset(-width // 4, 5).release().perform()
    assert abs(int(divider.get_attribute("aria-valuenow")) - 25) <= 1
    assert clipped() != before
    ActionChains(page.driver).move_by_offset(200, 0).perform()  # no longer held
    at = int(divider.get_attribute("aria-valuenow"))
    assert abs(at - 25) <= 1
    page.press(divider, "ARROW_RIGHT", "ARROW_RIGHT", "PAGE_UP")
    assert divider.get_attribute("aria-valuenow") == str(at + 12)
    page.press(divider, "END")
    assert divider.get_attribute("aria-valuetext") == "100 % before, 0 % after"
    page.press(divider, "HOME", "ARROW_LEFT")
    assert divider.get_attribute("aria-valuenow") == "0"
    ActionChains(page.driver).move_to_element(stage).click().perform()
    assert divider.get_attribute("aria-valuenow") == "50"


def test_side_by_side(page):
    one, other = page.one(".kmc-before"), page.one(".kmc-after")
    assert one.rect == other.rect
    divided, beside = page.all(".widget-toggle-button")
    beside.click()
    page.until(lambda: one.rect["x"] + one.rect["width"] <= other.rect["x"])
    assert not page.one(".kmc-divider").is_displayed()
    page.keep("side-by-side")
    divided.click()
    page.until(lambda: one.rect == other.rect)


def test_saving(page, server):
    page.press(page.slider("k"), "ARROW_LEFT")
    page.one(".kmc-panel button.mod-primary").click()
    saved = server.folder / "photograph.kmc"
    page.until(lambda: f"bytes: {saved}" in page.text("[role=status]"))
    with Image.open(PHOTOGRAPH) as image, Image.open(saved) as opened:
        assert opened.info["k"] == 36
        assert saved.read_bytes() == kmc_format.encode(image, 36)
        assert (np.asarray(opened) == kmc_format.quantize(image, 36).expand()).all()
        assert (page.shown("after") == np.asarray(opened)).all()
    page.one(".kmc-panel button.mod-primary").click()
    page.until(lambda: "photograph.kmc exists; tick overwrite to replace it" in page.text("[role=alert]"))
    page.keep("refused")
    page.one(".kmc-panel input[type=checkbox]").click()
    page.one(".kmc-panel button.mod-primary").click()
    page.until(lambda: "saved" in page.text("[role=status]"))


def test_a_narrow_window(page):
    page.driver.set_window_size(500, 900)
    stage = page.one(".kmc-stage")
    page.until(lambda: stage.rect["width"] <= 500)
    assert page.one(".kmc-panel").rect["y"] >= stage.rect["y"] + stage.rect["height"]
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 500
    page.keep("narrow")
    page.driver.set_window_size(1280, 900)


def test_nothing_comes_from_elsewhere(page, server):
    script = "return performance.getEntriesByType('resource').filter(e => e.transferSize).map(e => e.name)"
    loaded = page.driver.execute_script(script)
    assert loaded
    assert all(name.startswith((server.address, "blob:", "data:")) for name in loaded)
    with urllib.request.urlopen(server.address) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy


def test_only_this_machine_reaches_it(server):
    socket.create_connection(("127.0.0.1", server.port), 5).close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", server.port), 5)


@pytest.mark.parametrize("query", ["", "?token=wrong"])
def test_without_the_token_there_is_no_page(server, query):
    before = server.children()
    with urllib.request.urlopen(server.address + query) as answer:  # sent to where a token is asked for
        assert "/login" in answer.url
        assert "kmc" not in answer.read().decode().lower().replace("kmc explorer", "")
    for path in ("api/kernels/00000000-0000-0000-0000-000000000000", "voila/files/notebook.ipynb"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(server.address + path)
    assert server.children() == before


def test_frames_are_stepped_through_with_keys(tmp_path):
    frames = [smooth().rotate(angle) for angle in (0, 30, 60)]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=frames[1:], duration=40)
    with serving(tmp_path, tmp_path / "x.png") as server, browsing(server, tmp_path / "profile") as page:
        page.exact()
        handle = page.slider("frame")
        page.press(handle, "ARROW_RIGHT", "ARROW_RIGHT", "ARROW_RIGHT")
        page.until(lambda: page.text(".kmc-before figcaption") == "original, frame 2 of 3")
        assert handle.get_attribute("aria-valuetext") == "2"
        page.keep("frames")
        page.until(lambda: (page.shown("before") == np.asarray(frames[2])).all())
        assert page.text(".kmc-code") == 'image.save("x.kmc", k=32, save_all=True)'
        page.press(page.slider("k"), "ARROW_LEFT")
        page.until(lambda: "Frame alone" in page.figures)
        page.keep("frame-alone")
        assert "File" in page.exact()
        page.one(".kmc-panel button.mod-primary").click()
        page.until(lambda: "saved" in page.text("[role=status]"))
        with Image.open(server.folder / "x.kmc") as saved:
            assert (saved.n_frames, saved.info["k"]) == (3, 31)
            saved.seek(2)
            page.until(lambda: (page.shown("after") == np.asarray(saved)).all())


def test_ctrl_c_ends_it_and_its_kernel(page, server):
    children = server.children()
    assert children
    assert server.end() == 0
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert [path.name for path in server.temporary.iterdir()] == []
    assert sorted(path.name for path in server.folder.iterdir()) == ["photograph.kmc"]
    assert server.errors() == ""
