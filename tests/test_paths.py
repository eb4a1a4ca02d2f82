"""Plain C, the machine's vectors and the best vectors code the same bytes and decode the same labels."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import GOLDEN, HOSTILE, mostly_slow

import kmc_format
from kmc_format import KMCError, _core
from kmc_format._format.labels import coding_order

PATHS = range(3)
CODINGS = [(coding, options) for coding, count in _core.OPTIONS.items() for options in range(count)]
CODED = sorted(GOLDEN.glob("*--drawn0.kmc"))
FILES = [*sorted(GOLDEN.glob("*.kmc")), *sorted(HOSTILE.glob("x_label*.kmc"))]


@pytest.fixture(autouse=True)
def _best_path_at_the_end():
    yield
    _core._native.use_path(PATHS[-1])


def by_all_paths(function):
    """Return what a function returns on each path."""
    results = []
    for path in PATHS:
        _core._native.use_path(path)
        results.append(function())
    return results


def decoded(data):
    """Return the labels in a file, or the rule it breaks."""
    try:
        return kmc_format.decode(data).labels.tobytes()
    except KMCError as error:
        return error.rule


def decode(coded, shape, colours, coding):
    """Return the verdict on labels, and the labels where that is good."""
    labels, names = np.zeros(shape, np.uint16), np.arange(len(colours), dtype=np.uint16)
    verdict = _core.decode_labels(coded, labels, names, colours, *coding)
    return verdict, None if verdict else labels.tobytes()


def encode(numbers, colours):
    room = 64 + 16 * numbers.size
    return [_core.encode_labels(numbers, colours, *coding, room) or b"" for coding in CODINGS]


def test_other_paths_are_not_known():
    for path in (-1, 3, 2**70):
        with pytest.raises((ValueError, OverflowError)):
            _core._native.use_path(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_decoded_alike(path):
    data = path.read_bytes()
    assert len(set(by_all_paths(lambda: decoded(data)))) == 1


@pytest.mark.parametrize("path", mostly_slow(CODED, quick=CODED[::4]), ids=lambda path: path.stem)
def test_golden_pictures_are_coded_alike(path):
    picture = kmc_format.decode(path)
    order = coding_order(picture.codebook)
    numbers = order.numbers.take(picture.labels)
    plain, *others = by_all_paths(lambda: encode(numbers, order.colours))
    assert others == [plain] * len(others)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_made_pictures_are_coded_and_decoded_alike(data):
    k = data.draw(st.one_of(st.integers(1, 300), st.sampled_from([1024, 1025, 4097, 32_769, 65_536])))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    used = data.draw(st.integers(1, k))
    runs = np.repeat(rng.integers(0, used, shape[0] * shape[1]), data.draw(st.integers(1, 20)))
    noise = rng.random(shape) < data.draw(st.sampled_from([0, 0.03, 0.5]))
    numbers = np.where(noise, rng.integers(0, k, shape), runs[: noise.size].reshape(shape)).astype(np.uint16)
    colours = rng.integers(0, 256, (k, 4), np.uint8)
    plain, *others = by_all_paths(lambda: encode(numbers, colours))
    assert others == [plain] * len(others)
    for coding, coded in zip(CODINGS, plain, strict=True):
        assert set(by_all_paths(lambda: decode(coded, shape, colours, coding))) == {("", numbers.tobytes())}  # noqa: B023


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_hostile_bytes_get_the_same_verdict(coding, data):
    k = data.draw(st.sampled_from([1, 2, 7, 16, 20, 40, 300, 5000, 65_535]))
    coded = data.draw(st.binary(max_size=200))
    if data.draw(st.booleans()):  # what is near to intact gets deeper
        numbers = np.random.default_rng(len(coded)).integers(0, k, (16, 16), np.uint16)
        intact = _core.encode_labels(numbers, np.zeros((k, 4), np.uint8), *coding, 10_000) or b""
        place = data.draw(st.integers(0, len(intact)))
        coded = intact[:place] + coded[:2] + intact[place + len(coded[:2]) :]
    colours = np.zeros((k, 4), np.uint8)
    assert len(set(by_all_paths(lambda: decode(coded, (16, 16), colours, coding)))) == 1


def test_regions_are_decoded_alike():
    data = (GOLDEN / "k40-tiles--effort2.kmc").read_bytes()
    parts = by_all_paths(lambda: kmc_format.open_region(io.BytesIO(data), (30, 20, 90, 99)).labels.tobytes())
    assert len(set(parts)) == 1
