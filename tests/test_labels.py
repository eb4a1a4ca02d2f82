"""The compiled core: labels and codebooks come back from their models, compiled or not."""

import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from support import SAMPLES, SHARED, indexed_pictures, load_uncompiled

import kmc_format
from kmc_format import Indexed, KMCError, _labels, codec, container

MODELS = sorted(codec._KNOWN_MODELS)


def mask(size=512, k=40, seed=0):
    """Draw discs over one another, as in a segmentation mask."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.uint8)
    y, x = np.mgrid[0:size, 0:size]
    for label in range(k):
        column, row = rng.integers(0, size, 2).tolist()
        radius = int(rng.integers(size // 50 + 1, size // 5))
        labels[(x - column) ** 2 + (y - row) ** 2 < radius**2] = label
    return labels


def colours_of(k, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (k, 4), np.uint8)


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_labels_come_back(model, data):
    k = data.draw(st.sampled_from([1, 2, 3, 16, 17, 32, 33, 60, 256, 257, 4096, 4097, 65_536]))
    shape = data.draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    labels = data.draw(hnp.arrays(np.uint16, shape, elements=st.integers(0, k - 1)))
    colours = colours_of(k)
    coded = _labels.encode_labels(labels, colours, model, 64 + 16 * labels.size)
    decoded = np.empty_like(labels)
    assert _labels.decode_labels(coded, decoded, colours, model) == ""
    assert (decoded == labels).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("k", [5, 20, 40, 300])
def test_uncompiled_it_codes_the_same_bytes(model, k):
    uncompiled = load_uncompiled(_labels)
    labels = (mask(16, 20) + np.random.default_rng(2).integers(0, 3, (16, 16))) % k
    labels, colours = labels.astype(np.uint16), colours_of(k)
    coded = _labels.encode_labels(labels, colours, model, 10_000)
    assert uncompiled.encode_labels(labels, colours, model, 10_000) == coded
    decoded = np.empty_like(labels)
    assert uncompiled.decode_labels(coded, decoded, colours, model) == ""
    assert (decoded == labels).all()
    words = colours.astype(np.uint32)
    assert uncompiled.encode_codebook(words.copy(), 8) == _labels.encode_codebook(words.copy(), 8)


def test_labels_that_do_not_fit_are_not_coded():
    labels = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint16)
    for model in MODELS:
        assert _labels.encode_labels(labels, colours_of(256), model, 1000) is None
        assert _labels.encode_labels(labels, colours_of(256), model, 0) is None


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (32, 1)])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_codebooks_come_back(bits, channels, data):
    shape = (data.draw(st.integers(1, 100)), channels)
    words = data.draw(hnp.arrays(np.uint32, shape, elements=st.integers(0, 2**bits - 1)))
    coded = _labels.encode_codebook(words.copy(), bits)
    decoded = np.empty_like(words)
    assert _labels.decode_codebook(coded, decoded, bits)
    assert (decoded == words).all()


@given(data=st.binary(max_size=200), bits=st.sampled_from([8, 16, 32]))
@settings(deadline=None)
def test_any_bytes_are_a_codebook_within_range(data, bits):
    words = np.empty((50, 3 if bits == 8 else 1), np.uint32)
    _labels.decode_codebook(data, words, bits)
    assert words.max() < 2**bits


@pytest.mark.parametrize("model", MODELS)
@given(data=st.binary(max_size=300), k=st.sampled_from([1, 2, 15, 17, 31, 200, 300, 5000, 65_535]))
@settings(max_examples=25, deadline=None)
def test_any_bytes_end_in_labels_below_k_or_an_error(model, data, k):
    labels = np.zeros((20, 30), np.uint16)
    broken = _labels.decode_labels(data, labels, colours_of(k), model)
    assert broken in ("", "label", "labels-length")
    assert labels.max() < k


@pytest.mark.parametrize("model", MODELS)
def test_damage_makes_nothing_slow(model):
    labels, colours = mask(500).astype(np.uint16), colours_of(40)
    coded = _labels.encode_labels(labels, colours, model, labels.size)
    noise = np.random.default_rng(0).integers(0, 256, labels.size // 2, np.uint8).tobytes()
    noisy = np.random.default_rng(0).integers(0, 40, labels.shape, np.uint16)
    seconds = {}
    # The slowest intact stream there is holds noise; random bytes decode to something like it.
    intact = _labels.encode_labels(noisy, colours, model, 2 * labels.size)
    for name, data in (("intact", intact), ("noise", noise), ("cut", coded[:50]), ("flipped", coded[::-1])):
        runs = []
        for _ in range(3):
            start = time.perf_counter()
            _labels.decode_labels(data, np.empty_like(labels), colours, model)
            runs.append(time.perf_counter() - start)
        seconds[name] = min(runs)
    assert max(seconds.values()) < 2 * seconds["intact"]


@pytest.mark.parametrize("model", MODELS)
def test_a_reference_plane_helps_where_it_is_like_the_labels(model):
    before = mask(200, seed=5).astype(np.uint16)
    after = before.copy()
    after[50:60, 50:60] = 3
    alone = _labels.encode_labels(after, colours_of(40), model, after.size)
    coded = _labels.encode_labels(after, colours_of(40), model, after.size, before)
    assert len(coded) < 0.75 * len(alone)
    decoded = np.empty_like(after)
    assert _labels.decode_labels(coded, decoded, colours_of(40), model, before) == ""
    assert (decoded == after).all()


# --- Through the codec --------------------------------------------------------------------------


def coding_of(data):
    """Return the label codings of a file's tiles."""
    reader = container.Reader(io.BytesIO(data))
    header = codec.read_header(reader)
    return {tile.coding for tile in container.read_tiles(reader, header.front)}


@given(picture=indexed_pictures())
@settings(max_examples=60, deadline=None)
def test_every_effort_brings_a_picture_back_in_no_more_bytes_than_packed(picture):
    packed = codec.encode(picture, effort=0)
    for effort in (0, 1, 2):
        data = codec.encode(picture, effort=effort)
        assert kmc_format.decode(data) == picture
        assert len(data) <= len(packed)


def test_efforts_pay():
    sizes = [len(kmc_format.encode(mask(), effort=effort)) for effort in (0, 1, 2)]
    assert sizes[2] < 0.95 * sizes[1] < 0.7 * sizes[0]


def test_noise_is_packed():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    data = kmc_format.encode(noise, effort=2)
    assert coding_of(data) == {codec.LABELS_PACKED}
    assert len(data) <= 64 * 64 + 256 + 32


@pytest.mark.parametrize("effort", [1, 2])
def test_the_order_of_a_palette_hardly_matters(effort):
    with Image.open(next(path for path in SAMPLES if path.stem == "photograph")) as image:
        picture = kmc_format.quantize(image.convert("RGB").crop((0, 0, 200, 200)), 64)
    shuffle = np.random.default_rng(0).permutation(picture.k)
    shuffled = Indexed(picture.codebook[shuffle], np.argsort(shuffle)[picture.labels])
    ordered, other = (len(codec.encode(one, effort=effort)) for one in (picture, shuffled))
    assert abs(other - ordered) < 100  # which is the codebook's share


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_images_take_fewer_bytes_with_effort(path):
    with Image.open(path) as image:
        picture = kmc_format.quantize(image, 32) if image.mode != "P" else None
        if picture is None:
            picture = kmc_format.decode(kmc_format.encode(image))
    sizes = [len(codec.encode(picture, effort=effort)) for effort in (0, 1, 2)]
    assert sizes[2] <= sizes[1] < sizes[0]


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("effort", 3, ValueError),
        ("effort", -1, ValueError),
        ("effort", 1.5, TypeError),
        ("effort", True, TypeError),
        ("effort", "best", TypeError),
        ("threads", 0, ValueError),
        ("threads", -2, ValueError),
        ("threads", 2.0, TypeError),
        ("threads", "all", TypeError),
    ],
)
def test_wrong_options_are_named_before_anything_is_done(option, value, error, monkeypatch, tmp_path):
    monkeypatch.setattr(kmc_format.kmeans, "quantize", None)  # would raise another error
    with pytest.raises(error, match=option):
        kmc_format.encode(np.zeros((4, 4), np.uint8), **{option: value})
    path = tmp_path / "x.kmc"
    with pytest.raises(error, match=option):
        Image.new("RGB", (4, 4)).save(path, **{option: value})
    assert not path.exists()


# --- Threads ------------------------------------------------------------------------------------


def test_bytes_and_labels_are_the_same_with_any_number_of_threads(monkeypatch):
    picture = kmc_format.quantize(np.tile(mask(400), (3, 3)))
    for effort in (0, 1, 2):
        files = {codec.encode(picture, effort=effort, tile=300, threads=threads) for threads in (1, 2, 7)}
        monkeypatch.setenv("KMC_THREADS", "3")
        files.add(codec.encode(picture, effort=effort, tile=300))
        assert len(files) == 1
        data = files.pop()
        assert kmc_format.decode(data) == kmc_format.decode(data, threads=1) == picture


def test_small_images_start_no_threads(monkeypatch):
    import concurrent.futures

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", None)
    data = kmc_format.encode(mask(300), tile=50, threads=8)
    assert kmc_format.decode(data, threads=8).size == (300, 300)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_wrong_environment_variable_is_named(value, monkeypatch):
    monkeypatch.setenv("KMC_THREADS", value)
    with pytest.raises(ValueError, match="KMC_THREADS"):
        kmc_format.encode(mask(32))


def test_damage_in_one_of_many_tiles_is_found_in_threads():
    data = bytearray(kmc_format.encode(np.tile(mask(400), (2, 2)), tile=200))
    data[-30] ^= 1
    with pytest.raises(KMCError, match="tile 15"):
        kmc_format.decode(bytes(data), threads=4)


# --- Bars ---------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared images")
def test_codebooks_are_small():
    icons = raw = 0
    for path in sorted((SHARED / "icons").glob("*.png")):
        with Image.open(path) as image:
            codebook = kmc_format.quantize(np.asarray(image.convert("RGBA")), 65_536).codebook
        icons += len(codec._encode_codebook(codebook)[1])
        raw += codebook.nbytes
    assert icons <= 0.40 * raw
    for number in (1, 5, 23):
        with Image.open(SHARED / "kodak" / f"kodim{number:02d}.png") as image:
            codebook = kmc_format.quantize(np.asarray(image), 256).codebook
        assert len(codec._encode_codebook(codebook)[1]) <= 0.75 * codebook.nbytes
