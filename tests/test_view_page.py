"""The page that `kmc view` writes, in headless Chromium, opened as the file that it is."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path

import numpy as np
import pytest
from chromium import Tab, chromium, needs_chromium, until
from PIL import Image
from support import ROOT, save, smooth

import kmc_format
from kmc_format._cli import page as pages

HOSTILE_NAME = "<img src=x onerror=alert(1)> & 'x'.kmc"
WIDTHS = (360, 768, 1280)
# Counts the pictures that workers send.
SPY = """
globalThis.answered = 0;
globalThis.Worker = class extends Worker {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data: { image } }) => (answered += !!image));
  }
};
"""
PIXELS = """
const canvas = document.querySelectorAll("kmc-image")[arguments[0]].shadowRoot.querySelector("canvas");
const { width, height } = canvas;
return [width, height, ...canvas.getContext("2d").getImageData(0, 0, width, height).data];
"""
SCALE = (
    "const image = arguments[0].querySelector('kmc-image'); return image.offsetWidth / image.naturalWidth;"
)


def film():
    frames = [Image.new("L", (40, 30), 40 * n) for n in range(4)]
    return save(frames[0], save_all=True, append_images=frames[1:], duration=60, loop=0)


def shown():
    """Pictures of each kind, one of them large, and one damaged."""
    with Image.open(ROOT / "sample_images" / "mask.png") as mask:
        found = {"mask.kmc": save(mask)}
    ids = Image.fromarray(np.arange(600, dtype=np.int32).reshape(20, 30) * 1000 - 5)
    large = Image.fromarray((np.mgrid[0:1100, 0:1000].sum(axis=0) // 40 % 50).astype(np.uint8))
    found |= {
        HOSTILE_NAME: save(smooth(mode="RGBA"), k=12, dpi=(72, 36), xmp=b"<x>&amp;</x>", exif=b"Exif\0\0"),
        "film.kmc": film(),
        "ids.kmc": save(ids),
        "large.kmc": save(large, effort=0, tile=(500, 400)),
        "cut.kmc": save(smooth(), k=12)[:-9],
    }
    return found


FILES = shown()


class View(Tab):
    """The page, as it is seen."""

    def __init__(self, driver, path):
        super().__init__(driver)
        self.problems()
        self.path = path
        driver.get(path.as_uri())
        until(lambda: self.run("return document.readyState") == "complete")

    def articles(self):
        return {one.find_element("css selector", "h2").text: one for one in self.all("article")}

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        (found,) = self.all(selector)
        return found

    def complete(self):
        """Go through the page until all pictures are there; return its articles."""
        script = """
            const image = arguments[0].querySelector("kmc-image");
            arguments[0].scrollIntoView();
            return (image.picture ?? image.error) !== null;
        """
        for article in self.all("article"):
            until(lambda article=article: self.run(script, article), self.problems)
        self.run("scrollTo(0, 0)")
        return self.articles()

    def message(self):
        return self.one("[role=status]").text

    def pixels(self, number=0):
        width, height, *pixels = self.run(PIXELS, number)
        return np.array(pixels, np.uint8).reshape(height, width, 4)

    def press(self, *keys):
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.keys import Keys

        ActionChains(self.driver).send_keys(*[getattr(Keys, key) for key in keys]).perform()

    def focus(self):
        """Return what has the focus: its tag and type, and whether that is seen."""
        script = """
            const one = document.activeElement;
            const seen = one.matches(".zoom input") ? one.nextElementSibling : one;
            const outer = seen.closest(".button") ?? seen;
            const drawn = [seen, outer].some((it) => getComputedStyle(it).outlineStyle === "solid");
            return [one.localName, one.type ?? "", drawn];
        """
        return tuple(self.run(script))


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    needs_chromium()
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SPY})
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    for name, data in FILES.items():
        if name != HOSTILE_NAME:
            (folder / name).write_bytes(data)
    (folder / "text.kmc").write_text("this is text")
    page = pages.page_of([pages.Shown(*one) for one in FILES.items()])
    (folder / "all.html").write_bytes(page)
    for name in ("film.kmc", "mask.kmc"):
        (folder / f"{name}.html").write_bytes(pages.page_of([pages.Shown(name, FILES[name])]))
    return folder


@pytest.fixture
def show(driver, folder):
    yield lambda name: View(driver, folder / name)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_shows_pictures_and_what_there_is_to_know(show):
    view = show("all.html")
    articles = view.complete()
    assert list(articles) == list(FILES)
    texts = {name: article.text for name, article in articles.items()}
    assert "480 \N{MULTIPLICATION SIGN} 320 pixels" in texts["mask.kmc"]
    assert f"{len(FILES['mask.kmc']):,} bytes" in texts["mask.kmc"]
    assert "P, palette" in texts["mask.kmc"]
    assert "Colours\n12" in texts[HOSTILE_NAME]
    assert "72 \N{MULTIPLICATION SIGN} 36 pixels per inch" in texts[HOSTILE_NAME]
    assert "XMP\n12 bytes" in texts[HOSTILE_NAME] or "XMP 12 bytes" in texts[HOSTILE_NAME]
    assert "4, 60 ms each" in texts["film.kmc"]
    assert "for ever" in texts["film.kmc"]
    assert "6 of 500 \N{MULTIPLICATION SIGN} 400 pixels" in texts["large.kmc"]
    assert "32-bit integers" in texts["ids.kmc"]
    assert "Save as PNG" in texts["mask.kmc"]
    assert "Save as PNG" not in texts["ids.kmc"]  # of which it would be a picture only
    error = view.run(
        "return arguments[0].querySelector('kmc-image').shadowRoot.textContent", articles["cut.kmc"]
    )
    assert "(rule truncated)" in error
    with Image.open(ROOT / "sample_images" / "mask.png") as mask:
        expected = np.asarray(mask.convert("RGBA"))
    seen = view.pixels()
    assert (seen[expected[:, :, 3] > 0] == expected[expected[:, :, 3] > 0]).all()
    assert (seen[:, :, 3] == expected[:, :, 3]).all()
    assert view.problems() == []


def test_large_pictures_are_decoded_in_workers_also_from_a_file(show):
    view = show("all.html")
    view.complete()
    assert view.run("return answered") == 1
    assert (view.pixels(4)[:, :, 0] == kmc_format.decode(FILES["large.kmc"]).expand()).all()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_all_widths(show, width, scheme):
    view = show("all.html")
    view.media(prefers_color_scheme=scheme)
    view.resize(width)
    articles = view.complete()
    assert view.run("return document.documentElement.scrollWidth") <= width
    for article in articles.values():
        for part in article.find_elements("css selector", "h2, dl, .controls, .stage"):
            assert part.rect["x"] >= 0
            assert part.rect["x"] + part.rect["width"] <= width
    stage, told = (articles["mask.kmc"].find_element("css selector", one).rect for one in (".stage", ".told"))
    assert (told["x"] >= stage["x"] + stage["width"]) == (width == 1280)
    view.keep(f"view-{width}-{scheme}")


def luminance(colour):
    channels = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(show, scheme):
    """As WCAG 2 asks for: a contrast of at least 4.5."""
    view = show("all.html")
    view.media(prefers_color_scheme=scheme)
    view.complete()
    script = """
        const paper = (one) => {
          for (; one; one = one.parentElement) {
            const colour = getComputedStyle(one).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)") return colour;
          }
        };
        const all = document.querySelectorAll(
          "h1, h2, h3, h3 span, dt, dd, p, a, summary, .button, .zoom span, output");
        return [...all].filter((one) => one.innerText.trim())
          .map((one) => [one.innerText, getComputedStyle(one).color, paper(one)]);
    """
    texts = view.run(script)
    assert len(texts) > 50
    for text, ink, paper in texts:
        low, high = sorted(luminance(colour) for colour in (ink, paper))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ink, paper)


def test_everything_has_a_name(show):
    view = show("all.html")
    view.complete()
    told = view.accessible()
    for one in told:
        if one["focusable"] or one["role"] in ("image", "region", "slider", "article", "navigation"):
            assert one["name"] or one["role"] in ("RootWebArea", "generic"), one
    named = {(one["role"], one["name"]) for one in told}
    assert {
        ("button", "Open KMC files"),
        ("navigation", "Pictures"),
        ("heading", "mask.kmc"),
        ("image", "mask.kmc"),
        ("image", HOSTILE_NAME),
        ("region", "Picture mask.kmc"),
        ("group", "Zoom"),
        ("radio", "Fit"),
        ("slider", "Frame"),
        ("button", "Pause"),
        ("button", "Save as PNG"),
    } <= named
    assert [one["role"] for one in told if one["role"] in ("banner", "main")] == ["banner", "main"]


def test_all_is_reached_by_keys_and_the_focus_is_seen(show):
    view = show("film.kmc.html")
    view.complete()
    stops = []
    for _ in range(8):
        view.press("TAB")
        stops.append(view.focus())
    assert stops == [
        ("input", "file", True),
        ("div", "", True),  # the picture, which scrolls
        ("input", "radio", True),
        ("button", "button", True),  # pause
        ("input", "range", True),
        ("button", "button", True),  # save
        ("summary", "", True),
        ("body", "", False),
    ]


def test_it_zooms_by_keys(show):
    view = show("mask.kmc.html")
    view.resize(1280)
    (article,) = view.complete().values()
    assert view.run(SCALE, article) == 1  # twice does not fit
    view.press("TAB", "TAB", "TAB", "ARROW_RIGHT")
    scales = []
    for _ in range(4):
        scales.append(view.run(SCALE, article))
        view.press("ARROW_RIGHT")
    assert scales == [1, 2, 4, 8]
    image = article.find_element("css selector", "kmc-image")
    assert image.value_of_css_property("image-rendering") == "pixelated"
    view.resize(360)
    until(lambda: view.run(SCALE, article) < 1)  # the last key led to "Fit" again
    assert image.value_of_css_property("image-rendering") == "auto"


def frame_of(view):
    return view.run("return document.querySelector('kmc-image').frame")


def test_frames_are_paused_and_stepped_through(show):
    view = show("film.kmc.html")
    view.complete()
    button, slider = view.one(".film button"), view.one(".film input")
    until(lambda: frame_of(view) == 2)
    button.click()
    assert button.text == "Play"
    view.pause(200)
    slider.send_keys("\ue011")  # Home
    until(lambda: frame_of(view) == 0)
    view.press("ARROW_RIGHT", "ARROW_RIGHT", "ARROW_RIGHT")
    until(lambda: frame_of(view) == 3)
    assert slider.get_attribute("aria-valuetext") == "4 of 4"
    assert view.one(".film output").text == "4 / 4"
    until(lambda: view.pixels()[0, 0, 0] == 120)
    button.click()
    until(lambda: frame_of(view) == 1)
    assert button.text == "Pause"


def test_nothing_moves_for_who_prefers_that_until_asked_to(show):
    view = show("film.kmc.html")
    view.media(prefers_reduced_motion="reduce")
    view.driver.refresh()
    view.complete()
    view.pause(200)
    assert (frame_of(view), view.one(".film button").text) == (0, "Play")
    view.one(".film button").click()
    until(lambda: frame_of(view) == 2)


def test_colours_are_counted(show):
    view = show("mask.kmc.html")
    view.complete()
    view.one("summary").click()
    until(lambda: len(view.all("tbody tr")) > 1)
    rows = view.run(
        "return [...document.querySelectorAll('tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    labels = kmc_format.decode(FILES["mask.kmc"]).labels
    counts = np.bincount(labels.ravel(), minlength=len(rows))
    assert [int(row[2].replace(",", "")) for row in rows] == counts.tolist()
    assert rows[1] == ["1", "#800000", f"{counts[1]:,}", f"{counts[1] / labels.size:.2%}".replace("%", " %")]
    assert len(view.all(".swatches li")) == len(rows)


def test_a_picture_is_saved_as_png(show, tmp_path):
    view = show("mask.kmc.html")
    view.complete()
    view.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    next(one for one in view.all(".button") if one.text == "Save as PNG").click()
    until((tmp_path / "mask.png").exists)
    with Image.open(tmp_path / "mask.png") as saved, Image.open(io.BytesIO(FILES["mask.kmc"])) as opened:
        assert saved.size == opened.size
        seen, expected = np.asarray(saved.convert("RGBA")), np.asarray(opened.convert("RGBA"))
        assert (expected[:, :, 3] < 255).any()
        assert (seen == expected).all()  # what is clear, too


# --- Other files ----------------------------------------------------------------------------------


def drag(view, folder, *names):
    """Drag files over the page as a user does; return what drops them."""
    files = [str(folder / name) for name in names]
    data = {"items": [], "files": files, "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        view.command("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)
    return lambda: view.command("Input.dispatchDragEvent", type="drop", x=300, y=300, data=data)


def test_files_are_dropped(show, folder):
    view = show("mask.kmc.html")
    view.complete()
    drop = drag(view, folder, "film.kmc", "ids.kmc")
    until(lambda: view.one("#drop").is_displayed())
    view.keep("view-drop")
    drop()
    until(lambda: list(view.articles()) == ["film.kmc", "ids.kmc", "mask.kmc"])
    assert not view.one("#drop").is_displayed()
    assert view.message() == "film.kmc, ids.kmc opened"
    assert view.run("return document.activeElement.innerText") == "film.kmc"
    assert [link.text for link in view.all("nav a")] == ["film.kmc", "ids.kmc", "mask.kmc"]
    view.complete()
    assert view.problems() == []


def test_what_is_dropped_and_no_kmc_file_is_a_message(show, folder):
    view = show("mask.kmc.html")
    view.complete()
    drag(view, folder, "text.kmc", "film.kmc")()
    until(lambda: "film.kmc" in view.articles())
    assert list(view.articles()) == ["film.kmc", "mask.kmc"]
    assert view.message().startswith("text.kmc is not shown: ")
    assert view.message().endswith(" (rule signature). film.kmc opened")
    assert "error" in view.one("[role=status]").get_attribute("class")
    view.keep("view-message")


def test_a_folder_that_is_dropped_is_a_message(show, folder):
    (folder / "folder.kmc").mkdir()
    view = show("mask.kmc.html")
    view.complete()
    drag(view, folder, "folder.kmc", "film.kmc")()
    until(lambda: "film.kmc" in view.articles())
    assert view.message() == "folder.kmc is not shown: it cannot be read. film.kmc opened"
    assert view.problems() == []


def test_of_many_files_their_number_is_told(show, folder):
    view = show("mask.kmc.html")
    view.complete()
    drag(view, folder, *["film.kmc"] * 7)()
    until(lambda: view.message() == "7 files opened")


def test_files_are_opened_by_the_button(show, folder):
    view = show("mask.kmc.html")
    view.one("input[type=file]").send_keys(str(folder / "film.kmc"))
    until(lambda: list(view.articles()) == ["film.kmc", "mask.kmc"])
    view.one("input[type=file]").send_keys(str(folder / "film.kmc"))  # again
    until(lambda: len(view.all("article")) == 3)


def test_files_are_pasted(show):
    view = show("mask.kmc.html")
    script = """
        const clipboardData = new DataTransfer();
        for (const [name, data] of Object.entries(arguments[0])) {
          clipboardData.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
        }
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    """
    view.run(script, {"film.kmc": base64.b64encode(FILES["film.kmc"]).decode()})
    until(lambda: "film.kmc" in view.articles())
    view.run(script, {})
    until(lambda: view.message() == "The clipboard holds no file.")


def test_the_page_of_the_sample_images(driver):
    view = View(driver, ROOT / "sample_images" / "view.html")
    begun = time.monotonic()
    articles = view.complete()
    assert time.monotonic() - begun < 20
    for article in articles.values():
        assert view.run("return arguments[0].querySelector('kmc-image').error", article) is None
    assert view.problems() == []


def test_names_are_text(show, folder):
    assert Path(folder / "all.html").exists()
    view = show("all.html")
    view.complete()
    assert view.run("return document.images.length") == 0
    assert HOSTILE_NAME in view.articles()
