"""Error weighed against bytes: rdo, quality, max_bytes and max_error."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import SAMPLES, SHARED, coded, load, mostly_slow, save, smooth

import kmc_format
from kmc_format import Indexed, _core, metrics
from kmc_format._format.codebook import encode_codebook
from kmc_format._format.labels import coding_order
from kmc_format._quantize import scene
from kmc_format._quantize.quality import rdo_of

PHOTOGRAPH = Image.open(next(path for path in SAMPLES if path.stem == "photograph")).convert("RGB")
PART = PHOTOGRAPH.crop((40, 40, 296, 232))


def size_and_error(image, **options):
    data = save(image, **options)
    return len(data), metrics.mse(image, load(data))


def worst(image, other):
    """Largest root of the mean square over channels."""
    difference = np.asarray(image, np.float64) - np.asarray(other, np.float64)
    difference = difference.reshape(difference.shape[0], difference.shape[1], -1)
    return float(np.sqrt(np.square(difference).mean(axis=2)).max())


def dotted():
    """Draw a map in soft greens with three red pixels."""
    y, x = np.mgrid[0:120, 0:160]
    pixels = np.stack([60 + x // 8, 140 + y // 3, 70 + (x + y) // 9], axis=2).astype(np.uint8)
    pixels[(20, 70, 71), (30, 100, 100)] = 230, 20, 20
    return Image.fromarray(pixels)


# --- rdo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_rdo_0_changes_nothing(mode):
    image = smooth(mode="L").convert(mode) if mode == "I;16" else smooth(mode=mode)
    assert save(image, k=20, rdo=0) == save(image, k=20, rdo=0.0) == save(image, k=20)
    assert "rdo" not in load(save(image, k=20)).info


@pytest.mark.parametrize("k", [8, 24, 64, 300, 5000])
def test_rdo_saves_bytes_for_little_error(k):
    plain, rdo = size_and_error(PART, k=k), size_and_error(PART, k=k, rdo=8)
    assert rdo[0] < plain[0]
    pixels = PART.width * PART.height
    gained = (rdo[1] - plain[1]) * 3 * pixels + 8 * 8 * (rdo[0] - plain[0])
    assert gained < 0  # by its own measure


def test_more_rdo_means_fewer_bytes_and_more_error():
    results = [size_and_error(PART, k=64, rdo=rdo) for rdo in (1, 10, 100, 1000)]
    assert results == sorted(results, reverse=True)
    assert [error for _, error in results] == sorted(error for _, error in results)


@pytest.mark.parametrize("space", mostly_slow(["srgb", "oklab"], ["oklab"]))
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_rdo_is_for_every_mode_of_colours(mode, space):
    image = PART.convert("RGBA")
    image.putalpha(smooth(image.size, "L"))
    image = image.convert("RGB").quantize(200) if mode == "P" else image.convert(mode)
    if mode == "P" and space == "oklab":
        return  # a palette stays
    plain, rdo = save(image, k=200, space=space), save(image, k=200, space=space, rdo=30)
    assert len(rdo) < 0.9 * len(plain)
    opened = load(rdo)
    assert opened.mode == image.mode
    assert opened.info["rdo"] == 30
    assert 28 < metrics.psnr(image.convert("RGBA"), opened.convert("RGBA")) < 50


def test_rdo_means_alike_in_every_range():
    grey = PART.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    eight, sixteen = (load(save(image, k=60, rdo=20)) for image in (grey, wide))
    assert sixteen.mode == "I;16"
    assert abs(metrics.psnr(grey, eight) - metrics.psnr(wide, sixteen)) < 0.5


def test_bilevel_pictures_lose_single_pixels_to_rdo():
    pixels = np.zeros((40, 40), bool)
    pixels[::9, ::7] = True
    picture = kmc_format.quantize(pixels, rdo=1e5)
    assert picture.mode == "1"
    assert not picture.expand().any()


def test_exact_pictures_stay_exact_but_with_rdo():
    image = PART.quantize(100).convert("RGB")
    assert metrics.mse(image, load(save(image, k=100))) == 0
    assert metrics.mse(image, load(save(image, k=100, rdo=50))) > 0


def test_kept_colours_and_their_pixels_stay():
    pixels = np.asarray(PART).copy()
    pixels[::16, ::16] = 255, 0, 255
    picture = kmc_format.quantize(pixels, 32, keep=["#ff00ff"], rdo=300)
    assert [255, 0, 255] in picture.codebook.tolist()
    assert (picture.expand()[::16, ::16] == (255, 0, 255)).all()


def test_clear_pixels_stay_clear():
    image = PART.convert("RGBA")
    alpha = np.full((image.height, image.width), 255, np.uint8)
    alpha[::5, ::5] = 0
    image.putalpha(Image.fromarray(alpha))
    result = np.asarray(load(save(image, k=32, rdo=1000)))
    assert (result[::5, ::5, 3] == 0).all()


def shadow(size=32):
    """Draw a soft shadow on nothing."""
    y, x = np.mgrid[-size // 2 : size // 2, -size // 2 : size // 2]
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., 3] = np.clip(14 - np.hypot(x, y), 0, 14)
    return pixels


@pytest.mark.parametrize(
    "options",
    [
        {"rdo": 20},
        {"rdo": 1e5},
        {"quality": 75},
        {"quality": 1, "k": 3},
        {"max_bytes": 70},
        {"k": 2, "rdo": 99},
    ],
)
def test_what_is_clear_stays_clear_beside_what_is_faint(options):
    pixels = shadow()
    noise = np.random.default_rng(0).integers(0, 256, (*pixels.shape[:2], 3), np.uint8)
    for picture in (pixels, np.dstack([noise, pixels[..., 3]])):
        data = kmc_format.encode(picture, **(options if "max_bytes" not in options else {"max_bytes": 130}))
        assert kmc_format.decode(data).expand()[pixels[..., 3] == 0][:, 3].max() == 0


def test_colours_under_zero_alpha_cost_nothing_where_loss_is_asked_for():
    pixels = shadow(64)
    pixels[..., 3] *= 15
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    hidden = np.where(pixels[..., 3:] == 0, np.dstack([noise, pixels[..., 3]]), pixels)
    assert len(kmc_format.encode(hidden, quality=90)) < 1.2 * len(kmc_format.encode(pixels, quality=90))
    assert np.array_equal(kmc_format.quantize(hidden, quality=100).expand(), hidden)


def test_a_given_codebook_is_not_moved():
    codebook = np.random.default_rng(0).integers(0, 256, (40, 3), np.uint8)
    plain, rdo = (kmc_format.quantize(PART, codebook=codebook, rdo=value) for value in (0, 100))
    assert np.array_equal(rdo.codebook, codebook)
    assert not np.array_equal(rdo.labels, plain.labels)
    assert len(kmc_format.encode(rdo)) < len(kmc_format.encode(plain))


def test_a_palette_stays_in_its_order_and_look_alikes_are_not_mixed_up():
    palette = [10, 10, 10, 250, 250, 250, 10, 10, 10, 0, 200, 0]
    labels = np.zeros((64, 64), np.uint8)
    labels[20:50, 8:40] = 2
    labels[40:60, 50:60] = 1
    labels[3, 3] = 3
    image = Image.fromarray(labels, "P")
    image.putpalette(palette)
    opened = load(save(image, k=256, rdo=1e-6))  # with k, as it looks like labels
    assert np.array_equal(np.asarray(opened), labels)
    opened = load(save(image, k=256, rdo=1e4))
    assert opened.getpalette()[:12] == palette
    assert np.asarray(opened)[3, 3] == 0
    assert np.asarray(opened)[30, 20] == 2


def test_a_fit_codebook_has_no_entry_without_pixels():
    picture = kmc_format.quantize(PART, 256, rdo=200)
    assert len(np.unique(picture.labels)) == picture.k < 256
    assert np.array_equal(picture.codebook, np.unique(picture.codebook, axis=0))


def test_threads_do_not_change_the_bytes():
    image = PHOTOGRAPH.resize((1100, 1000))
    one, two = (save(image, k=40, rdo=20, threads=threads, tile=500) for threads in (1, 2))
    assert one == two


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 1e5),
    st.one_of(st.none(), st.floats(0, 255)),
)
def test_small_pictures_of_any_kind(width, height, channels, seed, rdo, max_error):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    picture = kmc_format.quantize(pixels, rdo=rdo, max_error=max_error)
    result = picture.expand().reshape(pixels.shape)
    if channels in (1, 3) and max_error is not None:
        assert worst(pixels, result) <= max_error + 1e-6


@pytest.mark.parametrize("k", [1, 2, 20, 40, 300, 5000, 65_536])
@pytest.mark.parametrize("lagrange", [0, 1, 10**6, 2**44])
def test_labels_are_chosen_below_k_within_bounds_and_pinned_ones_stay(k, lagrange):
    rng = np.random.default_rng(k)
    entries, points = np.zeros((k, 4), np.int32), np.zeros((60, 4), np.int32)
    entries[:, :3] = rng.integers(-1000, 130_000, (k, 3))
    points[:, :3] = rng.integers(-1000, 130_000, (60, 3))
    distance = np.square(points[:, None].astype(np.int64) - entries).sum(axis=2)
    nearest, farthest = distance.argmin(axis=1).astype(np.int32), distance.min(axis=1) * 3
    farthest[:5] = -1
    pixels = rng.integers(0, 60, (19, 31), dtype=np.uint32)
    colours = rng.integers(0, 256, (k, 4), np.uint8)
    labels = nearest[pixels].astype(np.uint16)
    _core.choose_labels(pixels, points, entries, nearest, farthest, lagrange, colours, labels)
    assert labels.max() < k
    chosen = np.take_along_axis(distance[pixels], labels[..., None].astype(np.intp), axis=2)[..., 0]
    assert (chosen <= np.maximum(farthest, distance.min(axis=1))[pixels]).all()
    assert (labels == nearest[pixels])[pixels < 5].all()
    if lagrange == 0:
        assert np.array_equal(chosen, distance.min(axis=1)[pixels])


@pytest.mark.parametrize("k", [8, 64, 256])
def test_the_bytes_promised_are_about_those_of_the_coder(k):
    picture = kmc_format.quantize(PART, k)
    order = coding_order(picture.codebook)
    numbers = order.numbers.take(picture.labels)
    points = np.zeros((picture.k, 4), np.int32)
    points[:, :3] = picture.codebook[order.labels]
    every = np.arange(picture.k, dtype=np.int32)
    promised = _core.choose_labels(
        numbers.astype(np.uint32), points, points, every, np.full(picture.k, -1), 1, order.colours, numbers
    )
    length = len(coded(picture)) - len(encode_codebook(picture.codebook)[1])
    assert 0.85 * promised < length < 1.25 * promised


# --- quality ------------------------------------------------------------------------------------


@pytest.mark.slow  # test_quality.py has what is like it, and quick
def test_quality_rises_with_bytes_and_colours():
    results = []
    for quality in (5, 30, 60, 90, 98):
        data = save(PART, quality=quality)
        opened = load(data)
        assert opened.info["rdo"] <= rdo_of(quality) * (1 + 1e-6)  # less where JPEG would be better
        results.append((len(data), metrics.psnr(PART, opened)))
    assert results == sorted(results)
    assert load(save(PART, quality=98)).info["k"] > 256


def test_quality_100_is_exact_where_a_codebook_can_be():
    assert metrics.mse(PART, load(save(PART, quality=100))) == 0
    assert kmc_format.quantize(PART, 7, quality=100) == kmc_format.quantize(PART, 7)


@pytest.mark.slow
def test_quality_takes_k_as_upper_limit():
    assert load(save(PART, quality=95, k=20)).info["k"] <= 20
    assert load(save(PART, quality=3, k=256)).info["k"] < 256


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_quality_is_for_every_mode_of_colours(mode):
    image = smooth().quantize(64) if mode == "P" else smooth(mode="L" if mode == "I;16" else mode)
    image = image.convert(mode)
    opened = load(save(image, quality=60, **({"k": 500} if mode == "I;16" else {})))  # which are labels
    assert (opened.mode, opened.size) == (image.mode, image.size)


@pytest.mark.slow
def test_quality_suits_that_of_jpeg():
    assert all(path.exists() for path in [SHARED]) or pytest.skip("needs the Kodak images")
    differences = []
    for number in (3, 8, 13, 19, 22):
        image = Image.open(SHARED / "kodak" / f"kodim{number:02}.png").convert("RGB")
        image = image.crop((100, 100, 420, 340))
        for quality in (50, 90):
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality)
            jpeg = metrics.ssim(image, Image.open(file))
            differences.append(metrics.ssim(image, load(save(image, quality=quality))) - jpeg)
    assert abs(np.mean(differences)) < 0.03


# --- max_bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", mostly_slow([2_000, 6_000, 20_000], [6_000]))
@pytest.mark.parametrize("effort", [0, 1, 2])
def test_a_budget_is_kept_and_used(budget, effort):
    data = save(PART, max_bytes=budget, effort=effort)
    # Deflate's sizes jump; the models' do not.
    assert (0.97 if effort else 0.94) * budget <= len(data) <= budget


@pytest.mark.slow
def test_more_bytes_are_a_better_picture():
    errors = [metrics.mse(PART, load(save(PART, max_bytes=budget))) for budget in (1_000, 4_000, 16_000)]
    assert errors == sorted(errors, reverse=True)


def test_a_budget_for_the_exact_picture_gives_it():
    image = PART.crop((0, 0, 60, 50))
    exact = save(image, quality=100)
    data = save(image, max_bytes=len(exact))
    assert data == exact
    assert "rdo" not in load(data).info
    assert len(save(image, max_bytes=len(exact) - 1)) < len(exact)


@pytest.mark.slow
def test_quality_and_k_limit_what_a_budget_buys():
    assert save(PART, max_bytes=10**7, quality=40) == save(PART, quality=40)
    data = save(PART, max_bytes=5_000, quality=95, k=30)
    assert len(data) <= 5_000
    assert load(data).info["k"] <= 30


def test_metadata_counts():
    data = save(PART, max_bytes=8_000, icc_profile=bytes(5_000))
    assert 0.97 * 8_000 <= len(data) <= 8_000


def test_an_impossible_budget_says_what_is_possible():
    with pytest.raises(
        ValueError, match=r"max_bytes=20 cannot be reached: the smallest .* (\d+) bytes"
    ) as caught:
        save(PART, max_bytes=20)
    least = int(str(caught.value).split()[-2])
    assert len(save(PART, max_bytes=least)) <= least
    with pytest.raises(ValueError, match="cannot be reached"):
        save(PART, max_bytes=least - 1)


def test_a_budget_for_a_palette_or_a_codebook():
    image = PART.quantize(64)
    budget = len(save(image)) * 2 // 3
    data = save(image, max_bytes=budget)
    assert 0.97 * budget <= len(data) <= budget
    assert load(data).getpalette() == image.getpalette()
    codebook = kmc_format.train_codebook([PART], 32)
    budget = len(kmc_format.encode(PART, codebook=codebook)) * 2 // 3
    data = kmc_format.encode(PART, codebook=codebook, max_bytes=budget)
    assert 0.97 * budget <= len(data) <= budget
    assert np.array_equal(kmc_format.read_header(data).codebook, codebook)


@pytest.mark.slow
def test_encode_takes_arrays_alike():
    assert kmc_format.encode(np.asarray(PART), max_bytes=5_000) == save(PART, max_bytes=5_000)
    assert kmc_format.encode(np.asarray(PART), quality=50) == save(PART, quality=50)


# --- max_error ----------------------------------------------------------------------------------


BOUNDED = [{"k": 64}, {"k": 256, "rdo": 200}, {"quality": 10}, {"max_bytes": 9_000}]


@pytest.mark.parametrize("options", mostly_slow(BOUNDED, BOUNDED[:2]))
def test_no_pixel_exceeds_the_bound(options):
    assert worst(PART, load(save(PART, **options))) > 20
    assert worst(PART, load(save(PART, **options, max_error=20))) <= 20.000001


@pytest.mark.parametrize("options", [{"quality": 50}, {"quality": 10}, {"max_bytes": 250}, {"rdo": 1e4}])
def test_the_bound_holds_where_colours_are_only_just_enough(options):
    rng = np.random.default_rng(0)
    for channels in (1, 3, 3, 3):
        few = rng.integers(0, 256, (1, 8, channels), np.uint8)
        pixels = np.repeat(np.repeat(few, 8, axis=0), 2, axis=1)
        for max_error in (0, 1, 20):
            picture = kmc_format.decode(kmc_format.encode(pixels, k=8, max_error=max_error, **options))
            assert worst(pixels, picture.expand().reshape(pixels.shape)) <= max_error + 1e-6


@pytest.mark.slow
def test_the_bound_holds_where_a_sample_stands_for_the_picture(monkeypatch):
    monkeypatch.setattr(scene, "_TRIAL_PIXELS", 4000)
    for options in ({"quality": 5}, {"max_bytes": 8_000}, {"rdo": 500, "k": 256}):
        assert worst(PART, load(save(PART, **options, max_error=18))) <= 18.000001


def test_a_bound_on_noise_is_refused_soon():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    with pytest.raises(ValueError, match="max_error=1 cannot be met with k=256"):
        kmc_format.encode(noise, max_error=1)
    assert worst(noise, kmc_format.quantize(noise, 65_536, max_error=3).expand()) <= 3


@pytest.mark.slow
def test_the_smallest_size_is_found_with_a_bound_too():
    with pytest.raises(ValueError, match="smallest file") as caught:
        save(PART, max_error=30, max_bytes=60)
    least = int(str(caught.value).split()[-2])
    assert len(save(PART, max_error=30, max_bytes=least)) <= least
    assert least <= 1.01 * len(save(PART, max_error=30, quality=1))


def test_a_rare_salient_colour_survives_a_low_quality():
    image = dotted()
    for options in ({"quality": 1}, {"quality": 20}, {"quality": 1, "k": 8}):
        opened = load(save(image, **options))
        for dot in ((30, 20), (100, 70), (100, 71)):
            assert worst(np.array([[[230, 20, 20]]]), np.array([[opened.getpixel(dot)]])) <= 32.000001
    opened = load(save(image, quality=1, max_error=255))
    assert worst(image, opened) > 32  # without the bound it goes


def test_a_bound_that_cannot_be_met_is_refused():
    with pytest.raises(ValueError, match="max_error=1 cannot be met with k=8"):
        save(PART, k=8, max_error=1)
    with pytest.raises(ValueError, match="max_error=5 cannot be met with this codebook"):
        save(PART, codebook=["black", "white"], max_error=5)
    assert metrics.mse(PART, load(save(PART, k=65_536, max_error=0))) == 0


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rdo": -1}, ValueError, "rdo must be from 0 to 4.1943e[+]06, not -1"),
        ({"rdo": float("nan")}, ValueError, "rdo must be from 0"),
        ({"rdo": float("inf")}, ValueError, "rdo must be from 0"),
        ({"rdo": "5"}, TypeError, "rdo must be a float from 0 .* not '5'"),
        ({"rdo": np.ones(3)}, TypeError, "rdo must be a float"),
        ({"quality": 0}, ValueError, "quality must be from 1 to 100, not 0"),
        ({"quality": 101}, ValueError, "quality must be from 1 to 100, not 101"),
        ({"quality": 75.5}, TypeError, "quality must be an int from 1 to 100, not 75.5"),
        ({"quality": "keep"}, TypeError, "quality must be an int from 1 to 100, not 'keep'"),
        ({"quality": np.arange(2)}, TypeError, "quality must be an int"),
        ({"max_bytes": 0}, ValueError, "max_bytes must be 1 or more, not 0"),
        ({"max_bytes": 1e6}, TypeError, "max_bytes must be an int, 1 or more, not 1000000.0"),
        ({"max_error": 256}, ValueError, "max_error must be from 0 to 255, not 256"),
        ({"max_error": True}, TypeError, "max_error must be a float"),
        ({"rdo": 1, "quality": 50}, ValueError, "rdo=1 and quality=50 contradict each other"),
        ({"rdo": 1, "max_bytes": 50}, ValueError, "rdo=1 and max_bytes=50 contradict each other"),
        ({"rdo": 1, "dither": 0.5}, ValueError, "dither=0.5 and rdo=1 contradict each other"),
        ({"quality": 9, "dither": 1}, ValueError, "dither=1 and quality=9 contradict each other"),
        ({"max_error": 0, "dither": 1}, ValueError, "dither=1 and max_error=0 contradict each other"),
        ({"k": 5, "codebook": ["red"], "quality": 9}, ValueError, "k=5 and codebook contradict"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(options, error, message, tmp_path):
    path = tmp_path / "old.kmc"
    path.write_bytes(b"old")
    for image in (smooth(), smooth().quantize(9)):
        with pytest.raises(error, match=message):
            kmc_format.encode(image, **options)
    with pytest.raises(error, match=message):
        kmc_format.encode(np.asarray(smooth()), **options)


@pytest.mark.parametrize("option", [{"rdo": 2}, {"quality": 50}, {"max_bytes": 99}, {"max_error": 0}])
def test_labels_are_not_weighed(option):
    name = next(iter(option))
    with pytest.raises(ValueError, match=f"{name} is for colours; a picture of mode I holds labels"):
        save(Image.fromarray(np.arange(12, dtype=np.int32).reshape(3, 4)), **option)


def test_an_indexed_has_its_labels():
    for option in ({"rdo": 2}, {"quality": 50}, {"max_bytes": 99}, {"max_error": 0}):
        with pytest.raises(TypeError, match=f"{next(iter(option))}=.* is for pixels"):
            kmc_format.encode(Indexed(np.array([[1, 2, 3]], np.uint8), np.zeros((1, 1), int)), **option)
