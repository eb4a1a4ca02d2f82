"""kmc.js in headless Chromium: it reads golden files as the package does, and rejects hostile ones."""

import io

import numpy as np
import pytest
from chromium import needs_chromium
from PIL import Image
from support import GOLDEN, HOSTILE, save, smooth
from web_cases import cases
from web_page import open_page

import kmc_format

PIXELS = """
const data = await (await fetch(given)).arrayBuffer();
const picture = await kmc.open(data);
const image = kmc.toImageData(picture, await picture.labels());
return [image.width, image.height, Array.from(image.data)];
"""
BLOB = """
const picture = await kmc.decode(await (await fetch(given)).blob());
const blob = await kmc.toBlob(picture);
return [blob.type, Array.from(new Uint8Array(await blob.arrayBuffer()))];
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    needs_chromium()
    with open_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_chromium_reads_golden_files_and_rejects_hostile_ones(page):
    golden, hostile = sorted(GOLDEN.glob("*.kmc")), sorted(HOSTILE.glob("x_*.kmc"))
    page.files.update({path.as_posix().lstrip("/"): path.read_bytes() for path in golden + hostile})
    given = cases(golden, hostile)
    read = "async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer())"
    assert page.call(f"return checks.check(kmc, given, {read})", given) == {}


RECOLOURED = """
const picture = await kmc.open(await (await fetch(given)).arrayBuffer());
picture.codebook.fill(7);
const labels = await picture.labels();
return [Array.from(kmc.toImageData(picture, labels).data.slice(0, 8)), Array.from(labels)];
"""


def shown(page, image, **options):
    page.files["shown.kmc"] = save(image, **options)
    width, height, data = page.call(PIXELS, "shown.kmc")
    return np.array(data, np.uint8).reshape(height, width, 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_pixels_are_those_of_the_package(page, mode):
    image = smooth().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image = image.convert(mode)
    with Image.open(io.BytesIO(save(image))) as opened:
        assert np.array_equal(shown(page, image), np.asarray(opened.convert("RGBA")))


def test_a_palettes_transparency_is_shown(page):
    image = smooth().convert("P")
    alphas = bytes(range(0, 256, 2))
    for transparency in (3, alphas):
        with Image.open(io.BytesIO(save(image, transparency=transparency))) as opened:
            expected = np.asarray(opened.convert("RGBA"))
        assert np.array_equal(shown(page, image, transparency=transparency), expected)


def test_integers_go_from_black_to_white(page):
    values = np.array([[7, 1000], [60_000, 33_000]], np.uint16)
    grey = shown(page, Image.fromarray(values))
    assert grey[..., 3].min() == 255
    assert grey[..., 0].tolist() == [[0, 4], [255, 140]]


def test_a_page_may_change_the_codebook(page):
    image = smooth()
    page.files["shown.kmc"] = save(image, k=20)
    pixels, labels = page.call(RECOLOURED, "shown.kmc")
    assert pixels == 2 * [7, 7, 7, 255]
    assert labels == kmc_format.decode(page.files["shown.kmc"]).labels.ravel().tolist()


def test_an_image_file_is_made(page):
    image = smooth()
    page.files["shown.kmc"] = save(image, k=20)
    kind, data = page.call(BLOB, "shown.kmc")
    assert kind == "image/png"
    with Image.open(io.BytesIO(bytes(data))) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    assert np.array_equal(pixels, kmc_format.decode(page.files["shown.kmc"]).expand())
