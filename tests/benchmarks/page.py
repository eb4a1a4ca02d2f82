"""How soon a web page shows 50 icons and 10 screenshots: as KMC files, and as PNG files by the browser alone.

    python tests/benchmarks/page.py

Milliseconds from the start of the first script, medians of pages that Chromium loads from a server of this
machine, without what it has cached, and with it to the right. The icons come first on the page; what is over
a megapixel is decoded in workers.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import GRAPHICS, ICONS, IMAGES, QUICK, part, saved, some, versions
from PIL import Image, ImageOps

import kmc_format  # noqa: F401  # which registers the format

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chromium import CHROMIUM, DRIVER, File, Site, chromium, until

KMC = Path(__file__).resolve().parents[2] / "kmc_format" / "web" / "kmc.js"
RUNS = 2 if QUICK else 9
BEGIN = """
const begun = performance.now(), times = {};
const done = ({ id }) => { times[id] = performance.now() - begun; };
document.addEventListener("load", ({ target }) => {
  if (target.localName === "kmc-image") done(target);
  else if (target.localName === "img") target.decode().then(() => done(target));
}, { capture: true });
"""


def icons() -> Iterator[Image.Image]:
    """Give 50 icons: those there are, mirrored, and two turned upside down, so that no two are the same."""
    found = []
    for path in sorted(ICONS.glob("*.png")):
        with Image.open(path) as image:
            found.append(image.convert("RGBA"))
    yield from [*found, *map(ImageOps.mirror, found), *map(ImageOps.flip, found)][:50]


def screenshots() -> Iterator[Image.Image]:
    for path in [*sorted((IMAGES / "text").glob("*.png")), *sorted(GRAPHICS.glob("*.png"))]:
        with Image.open(path) as image:
            yield part(image.convert("RGB") if image.mode == "P" else image.copy())


def page(site: Site, pictures: dict[str, Image.Image], kind: str) -> None:
    """Put a page on a site, with its pictures as files of a kind."""
    tags = []
    for name, image in pictures.items():
        address = f"{name}.{kind}"
        options = {"k": 256} if kind == "kmc" else {"optimize": True}
        site.files[f"/{address}"] = File(saved(image, kind, **options), f"image/{kind}")
        tag = "kmc-image" if kind == "kmc" else "img"
        size = f'width="{image.width}" height="{image.height}"'
        tags.append(f'<{tag} id="{name}" src="{address}" alt="" {size}></{tag}>')
    script = '<script type="module" src="kmc.js"></script>' if kind == "kmc" else ""
    text = f'<!doctype html><script src="begin.js"></script>{script}{"".join(tags)}'
    site.files[f"/{kind}"] = File(text.encode(), "text/html")


def measured(driver, site: Site, kind: str, count: int, cached: bool) -> dict[str, float]:
    """Load a page; return when each of its pictures was there."""
    if not cached:
        driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    driver.get("about:blank")
    driver.get(f"{site.address}/{kind}")
    times = until(lambda: (found := driver.execute_script("return times")) and len(found) == count and found)
    return dict(times)


def main() -> None:
    if not (CHROMIUM and DRIVER):
        sys.exit("this benchmark needs Chromium with its chromedriver")
    pictures = {f"icon{n}": image for n, image in enumerate(some(icons()))}
    pictures |= {f"screenshot{n}": image for n, image in enumerate(some(screenshots()))}
    site = Site("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'", cache=True)
    site.files["/kmc.js"] = File(KMC.read_bytes(), "text/javascript")
    site.files["/begin.js"] = File(BEGIN.encode(), "text/javascript")
    print("| | bytes | first picture | all icons | all | first, cached | all icons | all |")
    print("|---|---|---|---|---|---|---|---|")
    try:
        with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as driver:
            version = driver.capabilities["browserVersion"]
            for kind in ("kmc", "png"):
                page(site, pictures, kind)
                bytes_of = sum(len(file.data) for path, file in site.files.items() if path.endswith(kind))
                cells = []
                for cached in (False, True):
                    runs = [measured(driver, site, kind, len(pictures), cached) for _ in range(RUNS)]
                    icons_of = [[time for name, time in run.items() if "icon" in name] for run in runs]
                    for times in ([min(run.values()) for run in runs], map(max, icons_of)):
                        cells.append(statistics.median(times))
                    cells.append(statistics.median(max(run.values()) for run in runs))
                print(f"| {kind.upper()} | {bytes_of:,} |", " | ".join(f"{cell:.0f}" for cell in cells), "|")
    finally:
        site.end()
    print(f"\nChromium {version}, {versions('kmc-format', 'pillow')}")


if __name__ == "__main__":
    main()
