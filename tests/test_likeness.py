"""Labels are not approximated by accident."""

import warnings

import made
import numpy as np
import pytest
from PIL import Image
from support import SHARED, load, save, smooth

import kmc_format
from kmc_format import metrics, report
from kmc_format._pixels.likeness import looks_like_labels, percentage

GOALS = [{"quality": 75}, {"rdo": 20}, {"max_bytes": 900}, {"max_error": 9}]


def regions(count=40, side=96, seed=0, most=256):
    """Draw the regions nearest to random points, each with a random label."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    centres = random.integers(0, side, (count, 2))
    nearest = np.hypot(y[..., None] - centres[:, 0], x[..., None] - centres[:, 1]).argmin(axis=2)
    return random.permutation(most)[:count][nearest].astype(np.uint16 if most > 256 else np.uint8)


def coloured(labels):
    image = Image.fromarray(labels, "P")
    image.putpalette(np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes())
    return image


@pytest.mark.parametrize("goal", GOALS, ids=str)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_integers_are_refused_unless_k_is_given(goal, dtype):
    labels = regions(most=60_000).astype(dtype)
    name = next(iter(goal))
    for pixels in (labels, Image.fromarray(labels)):
        with pytest.raises(ValueError, match=f"{name} is for colours; a picture of mode I"):
            kmc_format.encode(pixels, **goal)
    if dtype == np.uint16:
        assert kmc_format.decode(kmc_format.encode(labels, k=30, **goal)).k <= 30


@pytest.mark.parametrize("goal", GOALS, ids=str)
def test_palettes_that_look_like_labels_are_refused_unless_k_is_given(goal):
    image = coloured(regions())
    with pytest.raises(ValueError, match=f"{next(iter(goal))} is for colours; this palette image looks like"):
        save(image, **goal)
    assert load(save(image, k=256, **goal)).getpalette()[:768] == image.getpalette()
    assert np.array_equal(np.asarray(load(save(image))), np.asarray(image))
    photograph = smooth().quantize(64)
    assert load(save(photograph, **goal)).mode == "P"


def test_grey_labels_give_a_warning_where_some_changed():
    labels = regions()
    with pytest.warns(
        UserWarning, match=r"looks like labels, and quality changed \d+[.]\d % of them: save it"
    ):
        save(Image.fromarray(labels), quality=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(Image.fromarray(labels), quality=100)
        save(Image.fromarray(labels), quality=10, k=40)
        save(Image.fromarray(labels), k=20)
        save(smooth(mode="L"), quality=10)


@pytest.mark.parametrize("goal", [{"rdo": 200}, {"rdo": 200, "max_error": 30}], ids=str)
def test_grey_images_give_the_warning_as_arrays_do(goal):
    labels = regions()
    for picture in (labels, Image.fromarray(labels)):
        with pytest.warns(UserWarning, match="looks like labels, and rdo changed"):
            kmc_format.encode(picture, **goal)


@pytest.mark.parametrize("count", [2, 3, 5, 20, 200])
def test_regions_look_like_labels_at_any_scale(count):
    assert looks_like_labels(regions(count, 192))


def test_what_is_seen_does_not():
    """Photographs, gradients, text, icons in grey, and in palettes."""
    images = [image.convert("RGB") for image in made.pictures(256).values()]
    folders = ("kodak", "text", "icons")
    images += [Image.open(path).convert("RGB") for name in folders for path in (SHARED / name).glob("*.png")]
    wrong = [looks_like_labels(np.asarray(image.convert("L"))) for image in images]
    assert sum(wrong) <= 1  # an icon of two sharp greys
    small = [image.resize((96, 96)).quantize(64) for image in images]
    palettes = [np.array(image.getpalette()).reshape(-1, 3) for image in small]
    wrong = [
        looks_like_labels(np.asarray(one), colours) for one, colours in zip(small, palettes, strict=True)
    ]
    assert sum(wrong) <= 1


@pytest.mark.parametrize("path", sorted((SHARED / "masks").glob("*.png")), ids=lambda path: path.stem)
def test_masks_do(path):
    with Image.open(path) as image:
        assert looks_like_labels(np.asarray(image))


def test_labels_changed_is_what_compare_tells(tmp_path):
    labels = regions(most=60_000)
    Image.fromarray(labels).save(tmp_path / "mask.png")
    found = report.compare(tmp_path / "mask.png", k=10)
    other = kmc_format.quantize(labels, 10).expand()
    assert found.numbers["labels_changed"] == np.mean(labels != other) > 0.5
    assert found.captions[1].endswith(f"labels changed: {percentage(found.numbers['labels_changed'])}")
    assert report.compare(tmp_path / "mask.png").numbers["labels_changed"] == 0
    coloured(regions()).save(tmp_path / "palette.png")
    assert report.compare(tmp_path / "palette.png").captions[1].endswith("exact")
    assert report.compare(tmp_path / "palette.png", k=5).numbers["labels_changed"] > 0.5
    smooth().save(tmp_path / "picture.png")
    assert report.compare(tmp_path / "picture.png", k=5).numbers["labels_changed"] is None


def test_equal_colours_are_different_labels():
    one, other = (Image.fromarray(np.array([[n, 2]], np.uint8), "P") for n in (0, 1))
    for image in (one, other):
        image.putpalette([5, 5, 5, 5, 5, 5, 9, 9, 9])
    assert metrics.labels_changed(one, other) == 0.5
    assert [percentage(share) for share in (0, 1e-5, 0.123, 1)] == [
        "0.0 %",
        "under 0.1 %",
        "12.3 %",
        "100.0 %",
    ]
