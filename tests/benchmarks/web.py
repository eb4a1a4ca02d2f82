"""How fast kmc.js decodes in Chromium, against the compiled core, and against the browser's own PNG.

    python tests/benchmarks/web.py [--first N]

Both decode the same files from memory in one thread, in turn: `decode` of kmc.js, and `kmc_format.decode`
with the vectors that the machine has. Speeds and ratios are geometric means over a set, of the best of
several runs; "first" is that of the first run in a new page, before the browser's compiler has done its
best. PNG is the smallest that Pillow writes of the same labels, decoded by `createImageBitmap`. Needs `pip
install '.[benchmark,test-apps]'`, the shared images, and Chromium with its chromedriver.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import QUICK, alternate, geometric_mean, significant, versions
from label_sets import arguments, pictures, png

import kmc_format
from kmc_format import Indexed

sys.path.append(str(Path(__file__).resolve().parents[1]))

from chromium import CHROMIUM, DRIVER
from web_page import Page, open_page

SETS = ["masks"] if QUICK else ["kodak-256", "graphics-256", "masks", "kodak-32", "kodak-8", "icons-16"]
RUNS = 1 if QUICK else 9
LEAST = 5  # ms that a run takes at least, as what is less is hard to measure

# Decodes until it took long enough; returns the milliseconds of one.
KMC = """
const data = new Uint8Array(await (await fetch("x.kmc")).arrayBuffer());
const start = performance.now();
let count = 0, spent = 0;
do {
  await kmc.decode(data);
  count++;
  spent = performance.now() - start;
} while (spent < given);
return spent / count;
"""
PNG = """
const blob = new Blob([await (await fetch("x.png")).arrayBuffer()], { type: "image/png" });
const start = performance.now();
let count = 0, spent = 0;
do {
  (await createImageBitmap(blob)).close();
  count++;
  spent = performance.now() - start;
} while (spent < given);
return spent / count;
"""


def native(data: bytes) -> float:
    """Return the milliseconds that the compiled core takes."""
    count = spent = 0.0
    while spent < LEAST:
        spent += 1000 * alternate(1, lambda: kmc_format.decode(data, threads=1))[0]
        count += 1
    return spent / count


def times(page: Page, picture: Indexed) -> list[float]:
    """Return the milliseconds of the core, of kmc.js, of its first run, and of the browser's PNG."""
    page.files["x.kmc"], page.files["x.png"] = data, _ = kmc_format.encode(picture), png(picture)
    page.driver.refresh()
    first = page.call(KMC, 0)
    rounds = [(native(data), page.call(KMC, LEAST), page.call(PNG, LEAST)) for _ in range(RUNS)]
    core, script, image = map(min, zip(*rounds, strict=True))
    return [core, script, first, image]


def main() -> None:
    parser = arguments(__doc__)
    parser.set_defaults(sets=SETS)
    wanted = parser.parse_args()
    if not (CHROMIUM and DRIVER):
        sys.exit("this benchmark needs Chromium with its chromedriver: see .ci/browser")
    columns = ["set", "core, MP/s", "kmc.js, MP/s", "kmc.js / core", "least", "first / core", "PNG, MP/s"]
    print("|", " | ".join([*columns, "kmc.js / PNG"]), "|")
    print("|---" * 8 + "|")
    with tempfile.TemporaryDirectory() as profile, open_page(Path(profile)) as page:
        for name in wanted.sets:
            chosen = pictures(name, wanted.first)
            rows = [times(page, picture) for picture in chosen]
            speeds = [
                [picture.labels.size / 1000 / spent for spent in row]
                for picture, row in zip(chosen, rows, strict=True)
            ]
            core, script, first, image = (geometric_mean(column) for column in zip(*speeds, strict=True))
            least = min(row[1] / row[0] for row in speeds)
            cells = [core, script, script / core, least, first / core, image, script / image]
            print(f"| {name} |", " | ".join(map(significant, cells)), "|", flush=True)
        browser = page.driver.capabilities["browserVersion"]
    print(f"\nChromium {browser}, {versions('kmc-format')}")


if __name__ == "__main__":
    main()
