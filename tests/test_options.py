"""What the options keep, codebook, space and dither do, for arrays and for images."""

import inspect
import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from support import SAMPLES, SHARED, load, mostly_slow, psnr, save, smooth

import kmc_format
from kmc_format import Indexed, batch, report
from kmc_format._batch import running
from kmc_format._options import options
from kmc_format._options.options import SaveOptions
from kmc_format._pixels import colours
from kmc_format._quantize import kmeans
from kmc_format._quantize.levels import best_levels

PHOTOGRAPH = np.asarray(
    Image.open(next(path for path in SAMPLES if path.stem == "photograph")).convert("RGB")
)
INK = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (255, 255, 0)]  # of an e-ink display


# --- keep ---------------------------------------------------------------------------------------


def test_one_red_pixel_among_many_greys_is_kept():
    pixels = np.random.default_rng(0).integers(40, 200, (250, 400, 1), np.uint8).repeat(3, axis=2)
    pixels[100, 100] = 255, 0, 0
    picture = kmc_format.quantize(pixels, 8, keep=[(255, 0, 0)])
    assert picture.k == 8
    assert picture.expand()[100, 100].tolist() == [255, 0, 0]
    assert kmc_format.quantize(pixels, 8).expand()[100, 100].tolist() != [255, 0, 0]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize(("k", "dither"), [(3, 0), (40, 0), (40, 1), (700, 0.5)])
def test_kept_colours_are_entries_and_pixels_of_them_stay(mode, space, k, dither):
    image = smooth(mode=mode)
    pixels = np.asarray(image)
    if mode == "L":
        k = min(k, 90)
    flat = pixels.reshape(pixels.shape[0] * pixels.shape[1], -1)
    keep = [flat[7].tolist(), flat[4000].tolist(), [255, 254, 253, 255][4 - flat.shape[1] :]]
    picture = kmc_format.quantize(image, k, keep=keep, space=space, dither=dither)
    assert picture.k == min(k, len(np.unique(flat, axis=0)))
    result = picture.expand().reshape(flat.shape)
    for colour in keep:
        assert colour in picture.codebook.tolist()
        same = (flat == colour).all(axis=1)
        assert (result[same] == colour).all()


def test_k_kept_colours_are_the_codebook():
    picture = kmc_format.quantize(PHOTOGRAPH, 4, keep=INK)
    assert sorted(map(tuple, picture.codebook.tolist())) == sorted(INK)


def test_an_exact_picture_gets_the_kept_colours_too():
    pixels = np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)
    picture = kmc_format.quantize(pixels, keep=["red", "#00ff00"])
    assert picture.codebook.tolist() == [[0, 255, 0], [1, 1, 1], [2, 2, 2], [255, 0, 0]]
    assert np.array_equal(picture.expand(), pixels)
    assert kmc_format.quantize(np.array([[-5, 9]], np.int32), keep=[7]).codebook.tolist() == [[-5], [7], [9]]


def test_clear_colours_can_be_kept():
    pixels = np.asarray(smooth(mode="RGBA")).copy()
    pixels[:8, :, 3] = 0
    pixels[0, 0] = 9, 8, 7, 0
    picture = kmc_format.quantize(pixels, 6, keep=[(9, 8, 7, 0)])
    assert picture.expand()[0, 0].tolist() == [9, 8, 7, 0]
    assert [entry for entry in picture.codebook.tolist() if not entry[3]] == [[9, 8, 7, 0]]


def test_keeping_costs_little_where_the_colours_are_those_of_the_picture():
    best = kmc_format.quantize(PHOTOGRAPH, 32)
    kept = kmc_format.quantize(PHOTOGRAPH, 32, keep=best.codebook[:10].tolist())
    assert psnr(kept.expand(), PHOTOGRAPH) > psnr(best.expand(), PHOTOGRAPH) - 0.1


@pytest.mark.parametrize(
    ("mode", "keep", "error", "words"),
    [
        ("RGB", "red", TypeError, "keep must be a list of colours, not 'red'"),
        ("RGB", 5, TypeError, "keep must be a list of colours, not 5"),
        ("RGB", (255, 0, 0), TypeError, "each a sequence of ints; it has 255"),  # forgotten brackets
        ("L", (255, 0, 0), None, ""),
        ("RGB", np.array([[1, 2, 3]]), None, ""),
        ("RGB", b"red", TypeError, "keep must be a list of colours, not b'red'"),
        ("RGB", [(1, 2)], ValueError, r"keep has \(1, 2\), which a picture of mode RGB cannot hold"),
        ("RGB", [(1, 2, 300)], ValueError, r"keep has \(1, 2, 300\)"),
        ("RGB", [(1, 2, 3, 4)], ValueError, r"keep has \(1, 2, 3, 4\)"),
        ("RGB", [(1, 2, 3, 255)], None, ""),
        ("RGB", [(0.5, 0, 0)], TypeError, "keep must be a list of colours, each an int"),
        ("RGB", [()], ValueError, r"keep has \(\)"),
        ("RGB", ["rred"], ValueError, "keep has 'rred': unknown color specifier"),
        ("L", ["red"], ValueError, r"keep has \(255, 0, 0\), which a picture of mode L cannot hold"),
        ("L", ["white", 7], None, ""),
        ("1", [255], None, ""),
        ("1", [1], ValueError, "keep has 1"),
        ("I;16", [65536], ValueError, "keep has 65536"),
        ("L", list(range(9)), ValueError, "keep must have at most k=8 colours, not 9"),
    ],
)
def test_a_bad_keep_is_named(mode, keep, error, words):
    image = smooth(mode="L" if mode == "I;16" else mode).convert(mode)
    if error is None:
        kmc_format.quantize(image, 8, keep=keep)
        return
    with pytest.raises(error, match=words):
        kmc_format.quantize(image, 8, keep=keep)


# --- codebook -----------------------------------------------------------------------------------


def test_a_fixed_codebook_is_stored_as_it_is():
    picture = load(save(smooth(), codebook=INK))
    assert picture.info["k"] == 4
    indexed = kmc_format.quantize(smooth(), codebook=INK)
    assert indexed.codebook.tolist() == [list(ink) for ink in INK]
    pixels = np.asarray(smooth()).astype(int)
    nearest = np.square(pixels[:, :, None] - np.array(INK)).sum(axis=3).argmin(axis=2)
    assert np.array_equal(indexed.labels, nearest)
    assert np.array_equal(np.asarray(picture), indexed.expand())


def test_codebooks_come_from_pictures(tmp_path):
    image = smooth()
    image.save(tmp_path / "a.kmc", k=20)
    image.quantize(16).save(tmp_path / "palette.png")
    swatches = Image.fromarray(np.array([[INK[1], INK[0], INK[2], INK[0]]], np.uint8))
    swatches.save(tmp_path / "swatches.png")
    mask = Image.fromarray(np.array([[3, 60_000, 3]], np.uint16))
    codebook = kmc_format.decode(tmp_path / "a.kmc").codebook

    def codebook_of(source, picture=image):
        return kmc_format.quantize(picture, codebook=source).codebook

    assert np.array_equal(codebook_of(tmp_path / "a.kmc"), codebook)
    assert np.array_equal(codebook_of(str(tmp_path / "a.kmc")), codebook)
    assert np.array_equal(codebook_of(kmc_format.decode(tmp_path / "a.kmc")), codebook)
    with Image.open(tmp_path / "palette.png") as palette:
        entries = np.array(palette.getpalette()).reshape(-1, 3)
        assert np.array_equal(codebook_of(palette), entries)
    assert codebook_of(swatches).tolist() == [list(INK[0]), list(INK[2]), list(INK[1])]
    assert codebook_of(mask, mask).tolist() == [[3], [60_000]]


def test_a_clear_palette_entry_is_clear_in_the_codebook():
    palette = Image.new("P", (1, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.info["transparency"] = 1
    picture = kmc_format.quantize(smooth(mode="RGBA"), codebook=palette)
    assert picture.codebook.tolist() == [[1, 2, 3, 255], [4, 5, 6, 0]]


@pytest.mark.parametrize(
    ("mode", "codebook", "result"),
    [
        ("L", [0, 90, 255], "L"),
        ("1", [255, 0], "1"),
        ("1", [255, 9], "L"),
        ("L", INK, "RGB"),
        ("RGB", [[0], [255]], "RGB"),
        ("RGB", [[0, 0, 0, 255], [9, 9, 9, 128]], "RGBA"),
        ("LA", INK, "RGBA"),
        ("P", INK, "P"),
        ("P", np.stack([np.arange(300) % 256, np.arange(300) // 256, np.full(300, 7)], axis=1), "RGB"),
        ("CMYK", INK, "RGB"),
        ("I;16", [5, 60_000], "I;16"),
    ],
)
def test_picture_and_codebook_meet(mode, codebook, result):
    image = smooth(mode="L" if mode == "I;16" else "RGB").convert(mode)
    picture = kmc_format.quantize(image, codebook=codebook)
    assert picture.mode == result
    assert picture.k == len(codebook)


def test_codebook_entries_that_are_equal_are_one():
    picture = kmc_format.quantize(np.array([[7, 0, 9]], np.uint8), codebook=[9, 7, 7, 0])
    assert picture.codebook[:, 0].tolist() == [9, 7, 0]
    assert picture.labels.tolist() == [[1, 2, 0]]
    padded = np.zeros((256, 3), np.uint8)
    padded[:4] = INK
    assert kmc_format.quantize(smooth(), codebook=padded) == kmc_format.quantize(smooth(), codebook=INK)


@pytest.mark.parametrize("codebook", [[0, 0, 0], np.zeros(3, np.uint8), (255, 128, 0), [7]])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_row_of_numbers_is_no_codebook_of_colours(mode, codebook):
    with pytest.raises(ValueError, match=r"shape \(k, channels\) .* \[\[r, g, b\]\] is one colour"):
        save(smooth(mode="RGBA").convert(mode), codebook=codebook)
    assert kmc_format.quantize(smooth(mode=mode), codebook=[[0, 0, 0, 255]]).k == 1
    assert kmc_format.quantize(smooth(mode="L"), codebook=codebook).k == len(set(map(int, codebook)))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"codebook": INK, "k": 4}, ValueError, "k=4 and codebook contradict"),
        ({"codebook": INK, "keep": INK}, ValueError, "keep and codebook contradict"),
        ({"codebook": []}, ValueError, "codebook must have shape"),
        ({"codebook": [[[1]]]}, ValueError, "codebook must have shape"),
        ({"codebook": [0.5]}, TypeError, "codebook must be integers, not float64"),
        ({"codebook": 5}, ValueError, "codebook must have shape"),
        ({"codebook": [(1, 2, 3), (1, 2)]}, ValueError, "codebook must have shape"),
        ({"codebook": ["rred"]}, ValueError, "codebook has 'rred'"),
        ({"codebook": Image.new("P", (0, 0))}, ValueError, "empty image"),
        ({"codebook": [256]}, ValueError, "codebook must be from 0 to 255"),
        ({"codebook": [-1]}, ValueError, "codebook must be from 0 to 255"),
        ({"codebook": "nowhere.kmc"}, FileNotFoundError, "nowhere.kmc"),
    ],
)
def test_a_bad_codebook_is_named(options, error, words):
    for mode in ("RGB", "P"):
        with pytest.raises(error, match=words):
            save(smooth().convert(mode), **options)


def test_a_codebook_without_alpha_is_refused_for_transparent_pixels():
    clear = Image.new("RGBA", (3, 3), (1, 2, 3, 0))
    with pytest.raises(ValueError, match="codebook has no alpha, but the picture has transparent pixels"):
        save(clear, codebook=INK)
    opaque = smooth().convert("RGBA")
    assert load(save(opaque, codebook=INK)).mode == "RGBA"


# --- train_codebook -----------------------------------------------------------------------------


def test_one_codebook_serves_many_pictures(tmp_path):
    pictures = [np.asarray(smooth((60, 40))), np.asarray(smooth((80, 30)))[::-1]]
    together = np.concatenate([picture.reshape(-1, 3) for picture in pictures])[None]
    codebook = kmc_format.train_codebook(pictures, 24)
    assert np.array_equal(codebook, kmc_format.quantize(together, 24).codebook)
    for picture in pictures:
        assert np.array_equal(kmc_format.quantize(picture, codebook=codebook).codebook, codebook)
    for n, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{n}.png")
    assert np.array_equal(kmc_format.train_codebook(sorted(tmp_path.iterdir()), 24), codebook)
    generator = (Image.fromarray(picture) for picture in pictures)
    assert np.array_equal(kmc_format.train_codebook(generator, 24), codebook)


def test_the_codebook_of_unlike_pictures_has_colour_and_alpha():
    grey, colour = Image.new("LA", (2, 2), (7, 0)), Image.new("RGB", (2, 2), (1, 2, 3))
    assert kmc_format.train_codebook([grey, colour]).tolist() == [[1, 2, 3, 255], [7, 7, 7, 0]]
    bilevel = Image.new("1", (2, 2), 1)
    assert kmc_format.train_codebook([bilevel, Image.new("L", (1, 1), 3)]).tolist() == [[3], [255]]
    masks = [np.array([[n, 70_000]], np.int32) for n in range(3)]
    assert kmc_format.train_codebook(masks).tolist() == [[0], [1], [2], [70_000]]


def test_what_cannot_be_trained_on_is_named():
    with pytest.raises(ValueError, match="at least one picture"):
        kmc_format.train_codebook([])
    with pytest.raises(ValueError, match="uint16 and uint8 cannot share"):
        kmc_format.train_codebook([np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint16)])
    with pytest.raises(ValueError, match="k must be from 1"):
        kmc_format.train_codebook([np.zeros((2, 2), np.uint8)], 0)
    for one in ("x.png", Image.new("L", (2, 2)), np.zeros((4, 4, 3), np.uint8)):
        with pytest.raises(TypeError, match="pictures must be an iterable of pictures, not"):
            kmc_format.train_codebook(one)


# --- space --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_labels_are_nearest_in_oklab(mode):
    image = smooth(mode=mode)
    picture = kmc_format.quantize(image, 25, space="oklab")
    kind = picture.kind
    pixels = np.asarray(image).reshape(-1, kind.channels)
    points, entries = (
        colours.coordinates(part, kind, "oklab").astype(np.int64) for part in (pixels, picture.codebook)
    )
    distance = np.square(points[:, None] - entries).sum(axis=2)
    assert np.array_equal(distance[np.arange(len(pixels)), picture.labels.ravel()], distance.min(axis=1))
    assert picture.k == 25
    assert picture != kmc_format.quantize(image, 25)


def test_oklab_lowers_the_difference_that_is_seen():
    metrics = pytest.importorskip("kmc_format.metrics")
    pytest.importorskip("skimage")
    seen = [
        metrics.ciede2000(kmc_format.quantize(PHOTOGRAPH, 16, space=space).expand(), PHOTOGRAPH)
        for space in ("srgb", "oklab")
    ]
    assert seen[1] < 0.97 * seen[0]


# --- dither -------------------------------------------------------------------------------------


def gradient(steps=1000, height=128):
    """Draw a gradient of so many colours."""
    part = np.linspace(0, 1, steps)
    ramp = np.stack([part * 255, 255 - part * 200, np.abs(part * 4 % 2 - 1) * 255], axis=1)
    ramp = np.rint(ramp).astype(np.uint8)
    return np.repeat(ramp[None], height, axis=0)


def blurred_psnr(one, other):
    parts = (Image.fromarray(part).filter(ImageFilter.GaussianBlur(2)) for part in (one, other))
    return psnr(*parts)


@pytest.mark.parametrize("space", ["srgb", "oklab"])
def test_dithering_a_gradient_brings_3_db_after_a_blur(space):
    pixels = gradient()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 900
    plain, half, full = (
        blurred_psnr(kmc_format.quantize(pixels, 16, space=space, dither=dither).expand(), pixels)
        for dither in (0, 0.5, 1)
    )
    assert full >= plain + 3
    assert plain < half


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("k", [2, 16, 300])
def test_any_mode_is_dithered(mode, k):
    image = smooth((200, 100), mode=mode)
    k = min(k, 100) if mode == "L" else k
    plain, dithered = (kmc_format.quantize(image, k, dither=dither) for dither in (0, 1))
    assert np.array_equal(plain.codebook, dithered.codebook)
    blur = ImageFilter.GaussianBlur(2)
    original, one, other = (
        np.asarray(part.filter(blur)).astype(float)
        for part in (image, *(Image.fromarray(picture.expand()) for picture in (plain, dithered)))
    )
    assert np.abs(other - original).mean() < np.abs(one - original).mean()


def test_16_bit_grey_is_dithered():
    ramp = np.repeat(np.arange(0, 65_536, 64, dtype=np.uint16)[None], 64, axis=0)
    picture = kmc_format.quantize(ramp, 4, dither=1).expand().astype(float)
    plain = kmc_format.quantize(ramp, 4).expand().astype(float)
    inside = slice(12, 52)  # what the codebook can mix
    means = [
        np.abs(part.reshape(64, 64, 16).mean(axis=(0, 2)) - ramp[0, 8::16])[inside].mean()
        for part in (picture, plain)
    ]
    assert means[0] < means[1] / 10


def test_clear_and_opaque_areas_stay_clear_and_opaque():
    pixels = np.asarray(smooth((200, 100), mode="RGBA")).copy()
    pixels[..., 3] = 255
    pixels[20:40, :, 3] = 0
    pixels[60:80, :, 3] = np.linspace(1, 254, 200)
    picture = kmc_format.quantize(pixels, 24, dither=1).expand()
    assert (picture[20:40, :, 3] == 0).all()
    opaque = picture[pixels[..., 3] == 255]
    plain = kmc_format.quantize(pixels, 24).expand()[pixels[..., 3] == 255]
    assert (opaque[:, 3] < 255).mean() <= (plain[:, 3] < 255).mean() + 0.01


def test_an_exact_picture_is_not_dithered():
    pixels = np.asarray(smooth((20, 10)))
    assert np.array_equal(kmc_format.quantize(pixels, 65_536, dither=1).expand(), pixels)
    palette = smooth().quantize(20)
    assert np.array_equal(np.asarray(load(save(palette, dither=1))), np.asarray(palette))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.floats(0, 1))
def test_dithering_takes_any_size(width, height, mode, strength):
    rng = np.random.default_rng(width * height)
    pixels = rng.integers(0, 256, (height, width, len(mode)), np.uint8)
    pixels = pixels[..., 0] if mode == "L" else pixels
    picture = kmc_format.quantize(pixels, 3, dither=strength)
    assert picture.labels.shape == (height, width)


# --- All of them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"space": "lab"}, ValueError, "space must be one of 'srgb', 'oklab', not 'lab'"),
        ({"space": 3}, ValueError, "space must be one of"),
        ({"dither": -0.1}, ValueError, "dither must be from 0 to 1, not -0.1"),
        ({"dither": 1.1}, ValueError, "dither must be from 0 to 1"),
        ({"dither": float("nan")}, ValueError, "dither must be from 0 to 1, not nan"),
        ({"dither": 10**400}, TypeError, "dither must be a float from 0 to 1"),
        ({"dither": np.array([1, 2])}, TypeError, "dither must be a float from 0 to 1"),
        ({"k": np.array([1, 2])}, TypeError, "k must be an int"),
        ({"random_state": np.array([1, 2])}, TypeError, "random_state must be an int"),
        ({"dither": "1"}, TypeError, "dither must be a float from 0 to 1, not '1'"),
        ({"tile": 0}, ValueError, "tile must be at least 1"),
        ({"tile": np.array([1, 2])}, TypeError, "tile must be an int or a pair of int"),
        ({"tile": (4, np.array([1]))}, TypeError, "tile must be an int or a pair of int"),
        ({"effort": np.array([1, 2])}, TypeError, "effort must be an int from 0 to 2"),
        ({"threads": np.array([1, 2])}, TypeError, "threads must be an int, 1 or more"),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_bad_options_are_named_before_anything_is_written(tmp_path, mode, options, error, words):
    path = tmp_path / "x.kmc"
    path.write_bytes(b"old")
    with pytest.raises(error, match=words):
        smooth().convert(mode).save(path, **options)
    with pytest.raises(error, match=words):
        kmc_format.encode(np.asarray(smooth()), **options)


def test_an_empty_array_is_named_whatever_the_tile():
    with pytest.raises(ValueError, match="pixels must have shape"):
        kmc_format.encode(np.zeros((2, 0), np.uint8), tile=4)


@pytest.mark.parametrize("options", [{"dither": 1}, {"space": "oklab"}])
def test_labels_and_measurements_have_no_colours(options):
    with pytest.raises(ValueError, match="is for colours; a picture of mode I holds"):
        kmc_format.encode(np.array([[1, 2]], np.int32), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"k": 4},
        {"keep": [1]},
        {"codebook": np.array([1])},
        {"dither": 0.5},
        {"space": "oklab"},
        {"random_state": 1},
    ],
)
def test_codebook_and_labels_take_no_options_of_quantising(options):
    picture = Indexed(np.array([[0], [9]], np.uint8), np.array([[0, 1]]))
    with pytest.raises(TypeError, match=f"{next(iter(options))}=.* is for pixels"):
        kmc_format.encode(picture, **options)


def test_a_palette_image_keeps_its_palette_and_gets_the_kept_colours():
    image = smooth().quantize(20)
    picture = kmc_format.decode(save(image, keep=["#010203", tuple(image.getpalette()[:3])]))
    assert np.array_equal(picture.labels, np.asarray(image))
    assert np.array_equal(picture.codebook[:-1].ravel(), image.getpalette())
    assert picture.codebook[-1].tolist() == [1, 2, 3]
    few = kmc_format.decode(save(image, k=6, keep=["#010203"]))
    assert few.mode == "P"
    assert [1, 2, 3] in few.codebook.tolist()
    full = Image.new("P", (4, 4))
    full.putpalette(bytes(range(256)) * 3)
    with pytest.raises(ValueError, match="keep must have no colours that a full palette lacks, not 1"):
        save(full, keep=["#090909"])


@pytest.mark.parametrize("transparency", [0, 3, b"\0" * 256, b"\x05"])
def test_kept_colours_are_exact_in_a_palette_with_transparency(transparency):
    image = Image.new("P", (4, 4))
    image.putpalette([1, 1, 1, 2, 2, 2, 3, 3, 3])
    image.info["transparency"] = transparency
    data = save(image, keep=["red", (9, 9, 9, 77)])
    assert np.array_equal(np.asarray(load(data).convert("RGBA")), np.asarray(image.convert("RGBA")))
    codebook = kmc_format.decode(data).codebook.tolist()
    assert [255, 0, 0, 255] in codebook
    assert [9, 9, 9, 77] in codebook


def test_colours_that_look_alike_share_an_entry_and_end_the_search():
    greys = np.array([[[level * 20, 0, 0, 255] for level in range(12)]], np.uint8)
    kept = [(0, 0, 0, 0), (1, 1, 1, 0)]
    picture = kmc_format.quantize(greys, 4, keep=kept)
    assert picture.k == 4
    assert all(list(colour) in picture.codebook.tolist() for colour in kept)
    faint = np.array([[[255, 255, level, 1] for level in range(3)]], np.uint8)
    assert kmc_format.quantize(faint, 2, space="oklab").k <= 2
    faint = np.random.default_rng(0).integers(0, 256, (20, 20, 4), np.uint8)
    faint[..., 3] %= 3
    for space in colours.SPACES:
        assert kmc_format.quantize(faint, 50, space=space).k == 50


def test_ties_go_to_the_first_entry_in_every_mode():
    for codebook, value, label in (([5, 5, 10, 10], 6, 0), ([20, 10], 15, 0), ([10, 20], 15, 0)):
        grey, column = np.array([[value]], np.uint8), np.array(codebook)[:, None]
        for pixels in (grey, grey.astype(np.uint16), grey.astype(np.int32), np.dstack([grey] * 3)):
            assert kmc_format.quantize(pixels, codebook=column).labels.tolist() == [[label]]


def test_a_loaded_picture_is_a_codebook_as_it_is_now():
    opened = load(save(smooth().quantize(5)))
    opened.putpalette([9, 9, 9, 8, 8, 8])
    assert kmc_format.quantize(smooth(), codebook=opened).codebook[:2].tolist() == [[9] * 3, [8] * 3]


def test_named_colours_make_a_codebook():
    picture = kmc_format.quantize(smooth(), codebook=["red", "#00f", (1, 2, 3)])
    assert picture.codebook.tolist() == [[255, 0, 0], [0, 0, 255], [1, 2, 3]]


@pytest.mark.parametrize("k", mostly_slow([1, 2, 5, 30, 100, 200], [1, 5, 30]))
@pytest.mark.parametrize("kept", [(), (0,), (3, 250)])
def test_grey_codebooks_are_the_best_there_are(k, kept):
    rng = np.random.default_rng(k)
    points = np.unique(rng.integers(0, 256, 240)).astype(float)
    weights = rng.integers(1, 99, len(points)).astype(float)
    if k < len(kept) or k >= len(points):
        return

    def error(levels):
        return (weights * np.square(points[:, None] - levels).min(axis=1)).sum()

    levels = np.arange(256.0)
    chosen = levels[best_levels(points, weights, levels, k, np.isin(levels, kept))]
    assert len(np.unique(chosen)) == k
    assert set(kept) <= set(chosen)
    for position in range(k):  # no single entry can be moved to gain
        if chosen[position] in kept:
            continue
        others = np.delete(chosen, position)
        assert all(error(np.append(others, level)) >= error(chosen) - 1e-6 for level in levels)


@pytest.mark.parametrize("k", mostly_slow([1, 2, 7, 40, 128], [1, 40]))
@pytest.mark.parametrize("outlier", [None, 60_000])
def test_16_bit_codebooks_are_nearly_the_best(k, outlier):
    rng = np.random.default_rng(k)
    pixels = rng.normal(9000, 2500, (40, 40)).clip(0, 20_000).astype(np.uint16)
    if outlier:
        pixels[0, 0] = outlier
    points, counts = np.unique(pixels, return_counts=True)
    points = points.astype(float)
    best = points[best_levels(points, counts.astype(float), points, k, np.zeros(len(points), bool))]
    error = (counts * np.square(points[:, None] - best).min(axis=1)).sum()
    for dtype in (np.uint16, np.int32):
        picture = kmc_format.quantize(pixels.astype(dtype), k)
        assert np.square(picture.expand().astype(float) - pixels).sum() <= 1.02 * error
    kept = kmc_format.quantize(pixels, k, keep=[17])
    assert 17 in kept.codebook


def test_grey_codebooks_of_two_are_the_best_of_all_pairs():
    rng = np.random.default_rng(1)
    pixels = (rng.normal(90, 40, (50, 50)).clip(0, 255)).astype(np.uint8)
    picture = kmeans.quantize(pixels, SaveOptions(k=2))
    error = np.square(picture.expand().astype(int) - pixels).sum()
    values, counts = np.unique(pixels, return_counts=True)
    distance = np.square(values[:, None].astype(int) - np.arange(256))
    best = min(
        (counts * np.minimum(distance[:, a], distance[:, b])).sum() for a in range(256) for b in range(a)
    )
    assert error == best


@pytest.mark.skipif(not SHARED.exists(), reason="the shared images are not here")
@pytest.mark.parametrize("options", [{"space": "oklab"}, {"dither": 0.7}, {"keep": INK}, {"codebook": INK}])
def test_bytes_are_the_same_again(options):
    with Image.open(SHARED / "kodak" / "kodim23.png") as image:
        image = image.resize((200, 130))
    assert save(image, **options) == save(image, threads=1, **options)


# --- Names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        *(("qualty", "quality"), ("colours", "k"), ("n_clusters", "k"), ("K", "k"), ("palette", "codebook")),
        *(
            ("max_byte", "max_bytes"),
            ("seed", "random_state"),
            ("randomstate", "random_state"),
            ("zzz", None),
        ),
    ],
)
def test_a_misspelt_option_is_an_error_with_the_right_one(tmp_path, given, meant):
    source = tmp_path / "x.png"
    smooth().save(source)
    calls = [
        lambda **options: kmc_format.write(tmp_path / "x.kmc", smooth(), **options),
        lambda **options: batch.encode([source], **options),
        lambda **options: batch.encode_each([source], **options),
        lambda **options: batch.save_array(np.zeros((2, 2), np.uint8), tmp_path / "x.kmc", **options),
        lambda **options: report.sweep(smooth(), [2], **options),
        lambda **options: report.compare(source, **options),
    ]
    words = f"did you mean '{meant}'" if meant else "there are k, random_state, "
    for call in calls:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{given}'; {words}"):
            call(**{given: 10})
    assert not (tmp_path / "x.kmc").exists()
    for call in (kmc_format.encode, kmc_format.quantize):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{given}'"):
            call(smooth(), **{given: 10})


def test_arguments_of_a_function_are_suggested_too(tmp_path):
    for function in (batch.encode, batch.decode, batch.train_codebook):
        with pytest.raises(TypeError, match="'recursve'; did you mean 'recursive'"):
            function([tmp_path], recursve=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'strip'"):
        batch.decode([tmp_path], strip=True)
    with pytest.raises(ValueError, match="option must be 'k' or 'quality', not 'rdo'"):
        report.sweep(smooth(), [1], "rdo")
    with pytest.raises(TypeError, match="leave it out, or the options"):
        report.compare(tmp_path / "x.png", tmp_path / "x.kmc", k=3)


def test_the_options_have_types():
    assert list(options.OPTIONS) == [*typing.get_type_hints(SaveOptions)][: len(options.OPTIONS)]
    assert set(options.OPTIONS) == typing.get_type_hints(options.GivenOptions).keys()
    given = {
        options.MoreOptions: (kmc_format.encode, kmc_format.write, batch.save_array),
        options.QuantizeOptions: (kmc_format.quantize,),
        options.ClusterOptions: (kmc_format.train_codebook,),
        options.GivenOptions: (report.sweep, report.compare),
        running.EncodeArguments: (batch.encode, batch.encode_each),
        running.TrainArguments: (batch.train_codebook,),
    }
    for type_, functions in given.items():
        for function in functions:
            annotation = inspect.signature(function).parameters["options"].annotation
            assert annotation == f"Unpack[{type_.__name__}]"
    of_encode = typing.get_type_hints(running.EncodeArguments).keys()
    assert of_encode == {*typing.get_type_hints(options.GivenOptions), *running.Run._fields}


def test_pillow_ignores_what_it_does_not_know():
    assert save(smooth(), qualty=10, optimize=True) == save(smooth())
