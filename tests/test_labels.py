"""Labels come back from their codings: by the compiled core, and through the codec."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from support import SAMPLES, SHARED, coded, indexed_pictures

import kmc_format
from kmc_format import Indexed, KMCError, _core
from kmc_format._format import codec, container
from kmc_format._format.codebook import encode_codebook
from kmc_format._format.labels import LABELS_PACKED
from kmc_format._quantize import kmeans

CODINGS = [(coding, options) for coding, count in _core.OPTIONS.items() for options in range(count)]
# On both sides of every change in the codings.
EDGES = [1, 2, 3, 8, 9, 16, 17, 32, 33, 256, 257, 1024, 1025, 4096, 4097, 32_768, 32_769, 65_536]


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


def decode(coded, shape, k, coding):
    """Decode labels that stand for themselves; return the broken rule, if any, and the labels."""
    labels = np.empty(shape, np.uint16)
    broken = _core.decode_labels(coded, labels, np.arange(k, dtype=np.uint16), colours_of(k), *coding)
    return broken, labels


def encode(labels, k, coding):
    """Code labels; None, which is for no bytes at all where there is room, becomes these."""
    return _core.encode_labels(labels, colours_of(k), *coding, 64 + 16 * labels.size) or b""


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_labels_come_back(coding, data):
    k = data.draw(st.sampled_from(EDGES))
    shape = data.draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    labels = data.draw(hnp.arrays(np.uint16, shape, elements=st.integers(0, k - 1)))
    broken, decoded = decode(encode(labels, k, coding), shape, k, coding)
    assert broken == ""
    assert (decoded == labels).all()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("k", EDGES)
def test_structure_comes_back(coding, k):
    rng = np.random.default_rng(k)
    labels = mask(70, 12).astype(np.int64) * 5003
    labels[20:40] += (rng.random((20, 70)) < 0.1) * rng.integers(0, k, (20, 70))
    labels[40:60, 3:61] = labels[5:25, 7:65]
    labels = (labels % k).astype(np.uint16)
    for plane in (labels, labels[:1], np.ascontiguousarray(labels[:, :1])):
        broken, decoded = decode(encode(plane, k, coding), plane.shape, k, coding)
        assert broken == ""
        assert (decoded == plane).all()


def test_labels_get_the_names_of_their_numbers():
    labels = mask(60).astype(np.uint16)
    names = np.random.default_rng(3).permutation(40).astype(np.uint16)
    for coding in CODINGS:
        for dtype in (np.uint8, np.uint16):
            decoded = np.empty(labels.shape, dtype)
            coded = encode(labels, 40, coding)
            assert _core.decode_labels(coded, decoded, names, colours_of(40), *coding) == ""
            assert (decoded == names[labels]).all()


def test_labels_that_do_not_fit_are_not_coded():
    labels = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint16)
    for coding in CODINGS:
        assert _core.encode_labels(labels, colours_of(256), *coding, 1000) is None
        assert _core.encode_labels(labels, colours_of(256), *coding, 0) is None


def test_coding_labels_checks_its_arguments():
    labels, names, colours = np.zeros((4, 5), np.uint16), np.arange(3, dtype=np.uint16), colours_of(3)
    for wrong in (
        (labels, colours, 1, 8, 99),
        (labels, colours, 2, 2, 99),
        (labels, colours, 3, 0, 99),
        (labels, colours, 0, 0, 99),
        (labels, colours, 1, -1, 99),
        (labels, colours, 1, 0, -1),
        (labels + np.uint16(3), colours, 1, 0, 99),
        (labels[:0], colours, 1, 0, 99),
        (labels[0], colours, 1, 0, 99),
        (labels.astype(np.uint8), colours, 1, 0, 99),
        (labels, colours[:, :3].copy(), 1, 0, 99),
        (labels, colours[:0], 1, 0, 99),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.encode_labels(*wrong)
    for wrong in (
        (labels, names[:2], colours, 1, 0),
        (labels, names, colours, 1, 8),
        (labels, names, colours, 3, 0),
        (labels.astype(np.uint32), names, colours, 1, 0),
        (labels, names.astype(np.int16), colours, 1, 0),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.decode_labels(b"", *wrong)


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(max_size=300), k=st.sampled_from([1, 2, 15, 17, 31, 200, 300, 5000, 65_535]))
@settings(max_examples=25, deadline=None)
def test_any_bytes_end_in_labels_below_k_or_an_error(coding, data, k):
    broken, labels = decode(data, (20, 30), k, coding)
    assert broken in ("", "label", "labels-length")
    assert broken or labels.max() < k


@pytest.mark.parametrize("coding", CODINGS)
def test_bytes_that_are_not_needed_and_those_that_no_coder_makes_are_rejected(coding):
    labels = mask(60).astype(np.uint16)
    coded = encode(labels, 40, coding)
    assert decode(coded + bytes(12) + b"\1", labels.shape, 40, coding)[0] == "labels-length"
    assert decode(b"\xff" * 8 + coded, labels.shape, 40, coding)[0] in ("labels-length", "label")


# --- Through the codec --------------------------------------------------------------------------


def coding_of(data):
    """Return the label codings of a file's tiles."""
    reader = container.Reader(io.BytesIO(data))
    header = codec.read_header(reader)
    return {tile.coding for tile in container.read_tiles(reader, header.front)}


@given(picture=indexed_pictures())
@settings(max_examples=60, deadline=None)
def test_every_effort_brings_a_picture_back_in_no_more_bytes_than_packed(picture):
    packed = coded(picture, effort=0)
    for effort in (0, 1, 2):
        data = coded(picture, effort=effort)
        assert kmc_format.decode(data) == picture
        assert len(data) <= len(packed)


def test_efforts_pay():
    with Image.open(next(path for path in SAMPLES if path.stem == "screenshot")) as image:
        picture = kmc_format.quantize(image.convert("RGB"), 32)
    for one, gain in ((kmc_format.quantize(mask()), 1), (picture, 0.95)):
        sizes = [len(coded(one, effort=effort)) for effort in (0, 1, 2)]
        assert sizes[2] <= gain * sizes[1] < 0.7 * sizes[0]


def test_noise_is_packed():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    data = kmc_format.encode(noise, effort=2)
    assert coding_of(data) == {LABELS_PACKED}
    assert len(data) <= 64 * 64 + 256 + 32


@pytest.mark.parametrize("effort", [1, 2])
def test_the_order_of_a_palette_hardly_matters(effort):
    with Image.open(next(path for path in SAMPLES if path.stem == "photograph")) as image:
        picture = kmc_format.quantize(image.convert("RGB").crop((0, 0, 200, 200)), 64)
    shuffle = np.random.default_rng(0).permutation(picture.k)
    shuffled = Indexed(picture.codebook[shuffle], np.argsort(shuffle)[picture.labels])
    ordered, other = (len(coded(one, effort=effort)) for one in (picture, shuffled))
    assert abs(other - ordered) < 100  # which is the codebook's share


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_images_take_fewer_bytes_with_effort(path):
    with Image.open(path) as image:
        picture = kmc_format.quantize(image, 32) if image.mode != "P" else None
        if picture is None:
            picture = kmc_format.decode(kmc_format.encode(image))
    sizes = [len(coded(picture, effort=effort)) for effort in (0, 1, 2)]
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
    monkeypatch.setattr(kmeans, "quantize", None)  # would raise another error
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
        files = {coded(picture, effort=effort, tile=300, threads=threads) for threads in (1, 2, 7)}
        monkeypatch.setenv("KMC_THREADS", "3")
        files.add(coded(picture, effort=effort, tile=300))
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
        icons += len(encode_codebook(codebook)[1])
        raw += codebook.nbytes
    assert icons <= 0.40 * raw
    for number in (1, 5, 23):
        with Image.open(SHARED / "kodak" / f"kodim{number:02d}.png") as image:
            codebook = kmc_format.quantize(np.asarray(image), 256).codebook
        assert len(encode_codebook(codebook)[1]) <= 0.75 * codebook.nbytes
