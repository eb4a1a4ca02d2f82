"""`<kmc-image>` in headless Chromium, on pages that allow no inline styles and scripts."""

from __future__ import annotations

import base64
import io
import re
import threading

import numpy as np
import pytest
from chromium import STRICT, File, Site, Tab, chromium, needs_chromium, until
from PIL import Image
from support import HOSTILE, ROOT, save, smooth

import kmc_format

KMC = ROOT / "kmc_format" / "web" / "kmc.js"
# What tests see of a page: the module, all events of elements, and the workers that were started.
SPY = """
import * as kmc from "/kmc.js";
globalThis.kmc = kmc;
globalThis.told = [];
globalThis.workers = 0;
const start = kmc.KMCImage.worker;
kmc.KMCImage.worker = () => (workers++, start());
for (const type of ["load", "error", "frame"]) {
  document.addEventListener(type, ({ target, message }) => {
    if (target.localName === "kmc-image") {
      const { id, frame } = target;
      told.push({ id, type, frame, at: performance.now(), message: message ?? null });
    }
  }, { capture: true });
}
"""
# A document of a library for tests, as far as that matters.
BARE = """
for (const name of ["matchMedia", "IntersectionObserver", "CSSStyleSheet"]) delete globalThis[name];
delete Document.prototype.adoptedStyleSheets;
globalThis.bare = await import("/kmc.js");
"""
# What the example of the guide begins with, and what it gives.
GUIDE = """
const bytes = new Uint8Array(await (await fetch("map.kmc")).arrayBuffer());
const context = document.createElement("canvas").getContext("2d");
@
const { width, height } = await createImageBitmap(png);
globalThis.result = [labels.length, png.type, codebook.length / 3, frames.length, width, height];
"""
PIXELS = """
const canvas = document.querySelector(arguments[0]).shadowRoot.querySelector("canvas");
const { width, height } = canvas;
return [width, height, ...canvas.getContext("2d").getImageData(0, 0, width, height).data];
"""


def film(durations, size=(20, 10), loop=0):
    """An animation, each frame of which has one grey, 10 more than in the frame before."""
    frames = [Image.new("L", size, 10 * n) for n in range(len(durations))]
    return save(frames[0], save_all=True, append_images=frames[1:], duration=durations, loop=loop)


def large():
    """A picture of over a megapixel, which is soon made."""
    return save(Image.fromarray((np.mgrid[0:1100, 0:1000].sum(axis=0) // 40 % 50).astype(np.uint8)), effort=0)


@pytest.fixture(scope="module")
def site():
    site = Site()
    site.files["/kmc.js"] = File(KMC.read_bytes(), "text/javascript")
    site.files["/spy.js"] = File(SPY.encode(), "text/javascript")
    site.files["/smooth.kmc"] = File(save(smooth(), k=16))
    site.files["/clear.kmc"] = File(save(smooth((48, 32), "RGBA"), k=16))
    site.files["/large.kmc"] = File(large())
    site.files["/film.kmc"] = File(film([60, 0, 60, 10, 60, 60]))
    site.files["/twice.kmc"] = File(film([30, 30, 30], loop=2))
    site.files["/cut.kmc"] = File(save(smooth(), k=16)[:-9])
    site.files["/text.kmc"] = File(b"some text")
    yield site
    site.end()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    needs_chromium()
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


class Page(Tab):
    """A page of a body, as it is seen."""

    def __init__(self, driver, site, body):
        super().__init__(driver)
        self.site = site
        site.asked.clear()
        site.broken.clear()
        head = (
            '<!doctype html><html lang="en"><title>page</title><script type="module" src="/spy.js"></script>'
        )
        site.files["/"] = File(f"{head}{body}".encode(), "text/html; charset=utf-8")
        self.problems()
        driver.get(f"{site.address}/")
        until(lambda: self.run("return globalThis.kmc !== undefined"))

    def events(self, *types):
        return [one for one in self.run("return told") if one["type"] in (types or ("load", "error"))]

    def loaded(self, count=1):
        """Wait until so many pictures are there; none has an error."""
        until(lambda: len(self.events()) >= count, lambda: (self.events(), self.problems()))
        assert [one["type"] for one in self.events()] == ["load"] * count, self.events()

    def pixels(self, selector):
        width, height, *pixels = self.run(PIXELS, selector)
        return np.array(pixels, np.uint8).reshape(height, width, 4)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).shadowRoot.textContent", selector)

    def is_still(self):
        """Tell whether no frame is shown for a while."""
        before = self.run("return told.length")
        self.pause(300)
        return self.run("return told.length") == before


@pytest.fixture
def show(driver, site):
    yield lambda body: Page(driver, site, body)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# --- The element ----------------------------------------------------------------------------------


def test_it_shows_pictures_under_a_strict_policy(show):
    page = show(
        '<kmc-image id="a" src="smooth.kmc"></kmc-image><kmc-image id="b" src="clear.kmc"></kmc-image>'
    )
    page.loaded(2)
    for name, selector in (("smooth", "#a"), ("clear", "#b")):
        with Image.open(io.BytesIO(page.site.files[f"/{name}.kmc"].data)) as image:
            expected = np.asarray(image.convert("RGBA")).astype(int)
        seen = page.pixels(selector).astype(int)
        clear = expected[:, :, 3:] / 255  # a canvas keeps colours multiplied by alpha
        assert (np.abs(seen - expected)[:, :, :3] * clear <= 1).all()
        assert (seen[:, :, 3] == expected[:, :, 3]).all()
    assert page.run("return [a.complete, a.naturalWidth, a.naturalHeight, a.error, a.picture.k]") == [
        True,
        96,
        64,
        None,
        16,
    ]
    assert page.site.asked.count("/smooth.kmc") == 1
    assert page.problems() == []


def test_the_policy_is_as_strict_as_it_says(show):
    """Otherwise the test above would say nothing."""
    page = show("<script>globalThis.ran = 1</script><style>body { color: red }</style><p style='color: red'>")
    assert page.run("return globalThis.ran ?? null") is None
    assert page.run("return getComputedStyle(document.querySelector('p')).color") == "rgb(0, 0, 0)"
    assert len(page.problems()) == 3


def test_it_is_an_image_to_assistive_technology(show):
    page = show(
        '<kmc-image src="smooth.kmc" alt="A &lt;b&gt; &amp; c"></kmc-image>'
        '<kmc-image src="clear.kmc" alt=""></kmc-image>'
        '<button><kmc-image src="clear.kmc" alt="Save"></kmc-image></button>'
    )
    page.loaded(3)
    assert page.accessible_names("image") == ["A <b> & c", "Save"]
    assert page.accessible_names("button") == ["Save"]
    page.run("document.querySelector('kmc-image').alt = 'Other'")
    assert page.accessible_names("image") == ["Other", "Save"]


SIZES = {
    "": (96, 64),
    'width="48"': (48, 32),
    'height="32"': (48, 32),
    'width="100" height="20"': (100, 20),
    'width="5%"': (96, 64),
    'class="wide"': (192, 128),
    'class="high"': (30, 20),
    'class="narrow"': (60, 40),
    'class="narrow" width="90" height="90"': (60, 90),
    'class="narrow auto" width="90" height="90"': (60, 40),
    'class="block"': (96, 64),
    'class="block high"': (30, 20),
    "hidden": (0, 0),
}
STYLE = """
const sheet = new CSSStyleSheet();
sheet.replaceSync(`.wide { width: 192px } .high { height: 20px } .narrow { max-width: 60px }
  .auto { height: auto } .block { display: block } body { margin: 0; width: 400px }`);
document.adoptedStyleSheets = [sheet];
"""


def test_it_has_the_size_of_an_img(show):
    """Beside each element is an <img> with the same attributes, and an SVG of that size."""
    image = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='96' height='64'/>"
    rows = "".join(
        f'<div><kmc-image id="k{n}" src="smooth.kmc" {some}></kmc-image></div>'
        f'<div><img id="i{n}" {some}></div>'
        for n, some in enumerate(SIZES)
    )
    page = show(rows)
    page.site.policy += "; img-src data:"
    try:
        page = show(rows)
        page.loaded(len(SIZES))
        page.run(STYLE)
        page.run("document.querySelectorAll('img').forEach((one) => { one.src = arguments[0]; })", image)
        until(lambda: page.run("return [...document.images].every((one) => one.complete)"))
        for n, (some, size) in enumerate(SIZES.items()):
            assert page.size(f"#k{n}") == size, some
            if "%" not in some:
                assert page.size(f"#i{n}") == size, some
    finally:
        page.site.policy = page.site.policy.removesuffix("; img-src data:")


def test_what_it_takes_is_reserved_by_width_and_height(show):
    page = show('<kmc-image loading="lazy" src="none" width="80" height="60"></kmc-image>')
    assert page.size("kmc-image") == (80, 60)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("text.kmc", "(rule signature)"),
        ("cut.kmc", "(rule truncated)"),
        ("no/none.kmc?x=/y", "the server says 404 Not Found"),
        ("http://127.0.0.1:9/far.kmc", "it cannot be reached"),
    ],
)
def test_errors_are_text(show, file, reason):
    page = show(f'<kmc-image id="a" src="{file}" alt="The &lt;i&gt; map"></kmc-image>')
    (event,) = until(page.events)
    assert event["type"] == "error"
    name = file.split("?")[0].rpartition("/")[2]
    assert page.text("#a").startswith(f"The <i> map \N{EN DASH} {name} cannot be shown: ")
    assert page.text("#a").endswith(reason)
    assert event["message"].endswith(reason)
    assert page.run("return [a.complete, a.picture, a.error.message]") == [True, None, event["message"]]
    assert page.size("#a")[1] > 15
    assert any(text.startswith("The <i> map") for text in page.accessible_names("StaticText"))
    page.run("a.src = 'smooth.kmc'")
    until(lambda: page.run("return a.picture !== null"))
    assert page.text("#a") == ""


def test_an_error_stays_where_the_element_is_moved(show):
    page = show('<p id="p"></p><kmc-image id="a"></kmc-image>')
    page.run("a.show(new Blob(['some text']))")
    until(lambda: page.run("return a.error !== null"))
    page.run("p.append(a)")
    page.pause(50)
    assert page.text("#a").endswith(page.run("return a.error.message"))


@pytest.mark.parametrize("address", ["data:,a/file", "blob:null/file"])
def test_addresses_that_name_no_file_are_not_told(show, address):
    page = show(f'<kmc-image id="a" src="{address}"></kmc-image>')
    until(page.events)
    assert page.text("#a") == "the picture cannot be shown: it cannot be reached"


@pytest.mark.parametrize("file", ["smooth.kmc", "large.kmc"])
def test_it_says_what_a_policy_must_allow(show, site, file):
    site.policy = STRICT.replace(" 'wasm-unsafe-eval'", "")
    try:
        page = show(f'<kmc-image id="a" src="{file}"></kmc-image>')
        until(page.events)
        assert page.text("#a").endswith(": this page's policy lacks 'wasm-unsafe-eval'")
    finally:
        site.policy = STRICT


def test_its_properties_are_those_of_an_img(show):
    """After each step they are what an <img> without a picture says."""
    page = show('<kmc-image id="a"></kmc-image><img id="b">')
    steps = [
        "",
        "one.alt = 'x'",
        "one.setAttribute('alt', 'y')",
        "one.width = 40; one.height = 30",
        "one.hidden = true",
        "one.remove()",
    ]
    seen = page.run(
        """
        return [a, b].map((one) => arguments[0].map((step) => {
          Function("one", step)(one);
          const { src, alt, width, height } = one;
          return [src, alt, width, height, one.getAttribute("width"), one.getAttribute("height")];
        }));
    """,
        steps,
    )
    assert seen[0] == seen[1]
    loading = "one.loading = arguments[0]; return [one.loading, one.getAttribute('loading')]"
    one = "const one = document.createElement('kmc-image');"
    assert page.run(f"{one} return one.loading") == "eager"
    assert page.run(f"{one} {loading}", "lazy") == ["lazy", "lazy"]
    assert page.run(f"{one} {loading}", "other") == ["eager", "other"]


def test_pictures_are_as_large_as_the_page_allows(show):
    page = show('<kmc-image id="a" src="smooth.kmc" maxpixels="6143"></kmc-image>')
    until(page.events)
    assert page.text("#a").endswith("(rule limit)")
    page.run("a.setAttribute('maxpixels', 6144); a.src = 'smooth.kmc'")
    until(lambda: page.run("return a.picture !== null"))


def test_a_large_picture_is_decoded_in_a_worker(show):
    page = show(
        '<kmc-image id="a" src="large.kmc" alt="Large"></kmc-image><kmc-image src="smooth.kmc"></kmc-image>'
    )
    page.loaded(2)
    assert page.run("return workers") == 1
    assert page.site.asked.count("/kmc.js") + page.site.asked.count("/large.kmc") <= 3
    assert (
        page.pixels("#a")[:, :, 0] == kmc_format.decode(page.site.files["/large.kmc"].data).expand()
    ).all()
    assert page.problems() == []


def test_a_worker_of_the_page_needs_no_more_than_the_module(show):
    page = show('<kmc-image id="a"></kmc-image><kmc-image id="b"></kmc-image>')
    page.site.files["/mine.js"] = File(b'import "/kmc.js";', "text/javascript")
    page.run("""
        globalThis.images = 0;
        kmc.KMCImage.worker = () => {
          const worker = new Worker("/mine.js", { type: "module" });
          worker.addEventListener("message", ({ data: { image } }) => (images += !!image));
          return worker;
        };
        a.src = b.src = "large.kmc";
    """)
    page.loaded(2)
    assert page.run("return images") == 2
    assert page.problems() == []


NOT_OURS = {
    "silent": "",
    "another": "onmessage = () => postMessage({ told: 'something else' });",
    "wrong": "onmessage = () => { throw new Error('it is not for this'); };",
}


@pytest.mark.parametrize("script", NOT_OURS.values(), ids=NOT_OURS)
def test_a_worker_of_another_kind_is_not_waited_for(show, script):
    page = show('<kmc-image id="a"></kmc-image>')
    page.site.files["/other.js"] = File(script.encode(), "text/javascript")
    page.run("kmc.KMCImage.worker = () => new Worker('/other.js'); a.src = 'large.kmc'")
    page.loaded()
    assert page.pixels("#a").shape == (1100, 1000, 4)


@pytest.mark.parametrize("way", ["() => { throw new Error('none') }", "() => new Worker('/none.js')"])
def test_without_workers_it_is_decoded_all_the_same(show, way):
    page = show('<kmc-image id="a" alt="Large"></kmc-image>')
    page.run(f"kmc.KMCImage.worker = {way}; a.src = 'large.kmc'")
    page.loaded()
    assert page.pixels("#a").shape == (1100, 1000, 4)


def test_the_page_lives_while_pictures_are_decoded(show):
    pictures = '<kmc-image src="smooth.kmc"></kmc-image>' * 40
    page = show("")
    page.run(
        """
        const tick = () => { told.push({ type: "tick" }); setTimeout(tick); };
        tick();
        document.body.innerHTML = arguments[0];
    """,
        pictures,
    )
    until(lambda: len(page.events()) == 40)
    types = [one["type"] for one in page.run("return told")]
    first, last = types.index("load"), len(types) - types[::-1].index("load")
    assert types[first:last].count("tick") >= 2


def test_nothing_is_loaded_that_is_far_away(show):
    lines = "<br>" * 600
    page = show(
        f'<kmc-image src="clear.kmc"></kmc-image>{lines}'
        '<kmc-image id="far" loading="lazy" src="smooth.kmc"></kmc-image>'
    )
    page.loaded()
    page.pause(200)
    assert "/smooth.kmc" not in page.site.asked
    assert page.run("return far.complete") is False
    page.run("far.scrollIntoView()")
    page.loaded(2)


@pytest.mark.parametrize("how", ["a.remove()", "a.src = 'smooth.kmc'"])
def test_what_is_not_wanted_any_more_is_not_loaded(show, how):
    page = show('<kmc-image id="a"></kmc-image>')
    gate = threading.Event()
    page.site.files["/slow.kmc"] = File(b"\0" * 30_000_000, gate=gate)
    page.run("globalThis.a = document.querySelector('kmc-image'); a.src = 'slow.kmc'")
    until(lambda: "/slow.kmc" in page.site.asked)
    page.run(how)
    page.pause(100)
    gate.set()
    until(lambda: page.site.broken == ["/slow.kmc"])
    if "src" in how:
        page.loaded()
    assert [one["type"] for one in page.events()] == ["load"] * ("src" in how)
    assert page.problems() == []


def test_what_is_moved_is_loaded_once(show):
    page = show('<p id="p"></p>')
    page.run("""
        globalThis.made = Object.assign(document.createElement("kmc-image"), { src: "smooth.kmc", id: "a" });
        document.body.append(made);
        p.append(made);
    """)
    page.loaded()
    page.run("made.remove()")
    page.pause(50)
    page.run("document.body.append(made)")
    page.pause(50)
    page.loaded()
    assert page.site.asked.count("/smooth.kmc") == 1


def test_what_is_taken_away_while_it_loads_is_loaded_when_it_is_back(show):
    page = show('<kmc-image id="a"></kmc-image>')
    page.site.files["/waits.kmc"] = File(page.site.files["/smooth.kmc"].data, gate=threading.Event())
    page.run("globalThis.made = a; made.src = 'waits.kmc'")
    until(lambda: "/waits.kmc" in page.site.asked)
    page.run("made.remove()")
    page.pause(50)
    page.site.files["/waits.kmc"].gate.set()
    assert page.events() == []
    page.run("document.body.append(made)")
    page.loaded()


def test_a_picture_stays_until_the_next_is_there(show):
    page = show('<kmc-image id="a" src="smooth.kmc"></kmc-image>')
    page.loaded()
    gate = threading.Event()
    page.site.files["/next.kmc"] = File(page.site.files["/clear.kmc"].data, gate=gate)
    page.run("a.src = 'next.kmc'")
    until(lambda: "/next.kmc" in page.site.asked)
    assert page.run("return [a.complete, a.naturalWidth]") == [False, 96]
    assert page.size("#a") == (96, 64)
    assert page.pixels("#a").any()
    gate.set()
    page.loaded(2)
    assert page.size("#a") == (48, 32)


@pytest.mark.parametrize("how", ["a.removeAttribute('src')", "a.src = 'none.kmc'; a.src = 'waits.kmc'"])
def test_a_picture_goes_when_it_is_not_asked_for(show, how):
    page = show('<kmc-image id="a" src="smooth.kmc" width="80" height="60"></kmc-image>')
    page.site.files["/waits.kmc"] = File(b"\0" * 100, gate=threading.Event())
    page.loaded()
    for step in how.split("; "):
        page.run(step)
        page.pause(100)
    assert page.run("return [a.picture, a.error, a.naturalWidth, a.frame]") == [None, None, 0, 0]
    assert page.run("return a.shadowRoot.querySelector('canvas').width") == 0
    assert page.size("#a") == (80, 60)


def test_files_at_hand(show):
    page = show('<kmc-image id="a"></kmc-image>')
    data = base64.b64encode(page.site.files["/smooth.kmc"].data).decode()
    page.run("const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0)); a.show(bytes)", data)
    page.loaded()
    page.run("a.show(new Blob(['some text']))")
    until(lambda: page.run("return a.error !== null"))
    assert page.text("#a").startswith("the picture cannot be shown: ")
    assert page.text("#a").endswith(" (rule signature)")


def test_where_tests_have_no_styles_the_module_loads_all_the_same(show):
    page = show("")
    page.site.files["/bare.js"] = File(BARE.encode(), "text/javascript")
    page.site.files["/bare"] = File(
        b'<!doctype html><script type="module" src="/bare.js"></script>', "text/html"
    )
    page.driver.get(f"{page.site.address}/bare")
    until(lambda: page.run("return globalThis.bare !== undefined"))
    assert page.run("return document.createElement('kmc-image').constructor === HTMLElement")
    assert page.problems() == []


def test_img_is_upgraded_on_request(show):
    page = show(
        '<p id="p"><img data-kmc="smooth.kmc" alt="Bands" class="x" width="48"></p>'
        '<img data-kmc="clear.kmc" id="other">'
    )
    assert page.run("return kmc.upgrade(p).length") == 1
    page.loaded()
    assert (
        page.run("return p.innerHTML")
        == '<kmc-image src="smooth.kmc" alt="Bands" class="x" width="48"></kmc-image>'
    )
    assert page.size("#p kmc-image") == (48, 32)
    page.run("kmc.upgrade()")
    page.loaded(2)
    assert page.run("return other.naturalWidth") == 48


def test_the_guides_examples_run(show):
    guide = (ROOT / "kmc_format" / "GUIDE.md").read_text("utf-8")
    blocks = dict(re.findall(r"^```(html|http|js)\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    assert blocks["http"].strip() == f"Content-Security-Policy: {STRICT}"
    page = show("")
    page.site.files["/map.kmc"] = page.site.files["/smooth.kmc"]
    page.site.files["/guide.js"] = File(GUIDE.replace("@", blocks["js"]).encode(), "text/javascript")
    page = show(f'{blocks["html"]}<script type="module" src="/guide.js"></script>')
    page.loaded()
    assert page.accessible_names("image") == ["Map of the town"]
    assert until(lambda: page.run("return globalThis.result")) == [6144, "image/png", 16, 1, 96, 64]
    assert page.problems() == []


# --- Animations -----------------------------------------------------------------------------------


def test_frames_follow_one_another_in_their_time(show):
    page = show('<kmc-image id="a" src="film.kmc" alt="Film"></kmc-image>')
    frames = until(lambda: (seen := page.events("frame"))[18:] and seen[:19])
    assert [one["frame"] for one in frames] == [n % 6 for n in range(19)]
    due = np.cumsum([0, *[60, 100, 60, 100, 60, 60] * 3])  # ms; what says 10 or less is shown for 100
    late = [one["at"] - frames[0]["at"] for one in frames] - due
    assert late.min() > -30
    assert np.median(late[-6:]) - np.median(late[1:7]) < 60  # delays do not add up
    number = page.run("a.setAttribute('paused', ''); return a.frame")
    assert page.pixels("#a")[0, 0].tolist() == [10 * number] * 3 + [255]
    assert page.problems() == []


def test_a_large_animation_has_a_worker_while_it_is_there(show):
    page = show('<kmc-image id="a"></kmc-image>')
    page.site.files["/wide.kmc"] = File(film([40] * 5, size=(1100, 1000)))  # more than is kept
    page.run("globalThis.made = a; a.src = 'wide.kmc'")
    until(lambda: len(page.events("frame")) > 7)
    assert [one["frame"] for one in page.events("frame")[:8]] == [0, 1, 2, 3, 4, 0, 1, 2]
    assert page.run("return workers") == 1
    page.run("a.remove()")
    until(page.is_still)
    page.run("document.body.append(made)")
    until(lambda: not page.is_still())
    assert page.run("return workers") == 2
    page.run("a.setAttribute('paused', '')")
    page.run("return a.seek(1)")
    assert (page.pixels("#a") == [10, 10, 10, 255]).all()
    assert page.site.asked.count("/wide.kmc") == 1
    assert page.problems() == []


def test_a_loop_ends(show):
    page = show('<kmc-image id="a" src="twice.kmc"></kmc-image>')
    until(lambda: len(page.events("frame")) >= 6)
    page.pause(200)
    assert [one["frame"] for one in page.events("frame")] == [0, 1, 2, 0, 1, 2]
    page.run("a.seek(0)")
    until(lambda: len(page.events("frame")) >= 12)


def test_who_prefers_less_motion_sees_the_first_frame(show):
    page = show('<kmc-image id="a"></kmc-image><kmc-image id="b" motion="always"></kmc-image>')
    page.media(prefers_reduced_motion="reduce")
    page.run("a.src = b.src = 'film.kmc'")
    until(lambda: len(page.events("frame")) > 8)
    assert {one["frame"] for one in page.events("frame") if one["id"] == "a"} == {0}
    page.media(prefers_reduced_motion="no-preference")
    until(lambda: page.run("return a.frame") > 1)
    page.media(prefers_reduced_motion="reduce")
    until(lambda: page.run("return a.frame") == 0)
    page.run("told.length = 0")
    until(lambda: len(page.events("frame")) > 3)
    assert {one["id"] for one in page.events("frame")} == {"b"}


def test_it_rests_where_it_is_not_seen(show):
    page = show(f'<kmc-image id="a" src="film.kmc"></kmc-image>{"<br>" * 600}')
    until(lambda: len(page.events("frame")) > 2)
    page.run("scrollTo(0, 9999)")
    until(lambda: page.is_still())
    page.run("scrollTo(0, 0)")
    until(lambda: not page.is_still())
    page.run("globalThis.kept = a; a.remove()")
    until(lambda: page.is_still())
    page.run("document.body.prepend(kept)")
    until(lambda: not page.is_still())
    assert page.site.asked.count("/film.kmc") == 1


def test_it_rests_in_a_window_that_is_hidden(show):
    page = show('<kmc-image id="a" src="film.kmc"></kmc-image>')
    until(lambda: len(page.events("frame")) > 2)
    hide = "Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });"
    page.run(f"{hide} document.dispatchEvent(new Event('visibilitychange'))", True)
    until(lambda: page.is_still())
    page.run(f"{hide} document.dispatchEvent(new Event('visibilitychange'))", False)
    until(lambda: not page.is_still())


def test_it_is_paused_and_moved_to_a_frame(show):
    page = show('<kmc-image id="a" src="film.kmc" paused></kmc-image>')
    page.loaded()
    assert page.is_still()
    page.run("return a.seek(4)")
    assert page.run("return a.frame") == 4
    assert page.pixels("#a")[0, 0, 0] == 40
    assert page.is_still()
    page.run("a.removeAttribute('paused')")
    until(lambda: page.run("return a.frame") != 4)


def test_what_is_no_frame_stops_nothing(show):
    page = show('<kmc-image id="a" src="film.kmc"></kmc-image><kmc-image id="b"></kmc-image>')
    until(lambda: len(page.events("frame")) > 2)
    seek = "return a.seek(arguments[0]).then(() => a.frame, ({ name, message }) => `${name}: ${message}`)"
    for number in (99, -1, 1.5, "x", None):
        said = page.run(seek.replace("arguments[0]", "undefined") if number is None else seek, number)
        assert said == f"RangeError: there is no frame {'undefined' if number is None else number}"
    until(lambda: not page.is_still())
    page.run("a.setAttribute('paused', '')")
    assert page.run(seek, "3") == 3
    assert page.run(seek.replace("a.", "b."), 0) == "RangeError: there is no frame 0"


def test_a_film_that_is_gone_rests(show):
    page = show('<kmc-image id="a" src="film.kmc"></kmc-image>')
    until(lambda: len(page.events("frame")) > 2)
    page.run("a.src = 'none.kmc'")
    until(lambda: page.events("error"))
    page.problems()
    page.media(prefers_reduced_motion="reduce")
    page.pause(100)
    assert page.is_still()
    assert page.problems() == []


def test_a_film_goes_on_until_another_picture_is_there(show):
    page = show('<kmc-image id="a" src="film.kmc"></kmc-image>')
    gate = threading.Event()
    page.site.files["/next.kmc"] = File(page.site.files["/smooth.kmc"].data, gate=gate)
    until(lambda: len(page.events("frame")) > 2)
    page.run("a.src = 'next.kmc'")
    until(lambda: "/next.kmc" in page.site.asked)
    assert not page.is_still()
    gate.set()
    page.loaded(2)
    assert page.is_still()
    assert page.size("#a") == (96, 64)
    assert page.problems() == []


def test_a_frame_may_be_shown_for_weeks(show):
    page = show('<kmc-image id="a"></kmc-image>')
    page.site.files["/weeks.kmc"] = File(film([2**31 + 9, 2**32 - 1]))
    page.run("a.src = 'weeks.kmc'")
    page.loaded()
    assert page.is_still()
    assert page.run("return a.frame") == 0


def test_a_damaged_frame_is_an_error(show):
    """The first is shown, and its second is wrong."""
    page = show('<kmc-image id="a"></kmc-image>')
    page.site.files["/damaged.kmc"] = File((HOSTILE / "x_deflate_frame.kmc").read_bytes())
    page.run("a.src = 'damaged.kmc'")
    until(lambda: len(page.events()) == 2)
    assert [one["type"] for one in page.events()] == ["load", "error"]
    assert page.text("#a").endswith("(rule deflate)")
    assert page.is_still()
