"""Frames of drawn labels come back, by every path of the core, and cost what there is to tell."""

import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT, mostly_slow

from kmc_format import _core

LEAN = _core.DRAWN_FRAMES | _core.DRAWN_MATCHES
RICH = LEAN | _core.DRAWN_RICH
MORE = (0, _core.DRAWN_LIST, _core.DRAWN_STILL, _core.DRAWN_LIST | _core.DRAWN_STILL)
OPTIONS = [kind | more for kind in (LEAN, RICH) for more in MORE]
PATHS = range(3)
# On both sides of every change in the coding of digits.
EDGES = [1, 2, 3, 8, 9, 16, 17, 32, 33, 256, 257, 1024, 1025, 4096, 4097, 32_768, 32_769, 65_536]


@pytest.fixture(autouse=True)
def _best_path_at_the_end():
    yield
    _core._native.use_path(PATHS[-1])


def colours_of(k):
    return np.random.default_rng(1).integers(0, 256, (k, 4), np.uint8)


def open_frames(shape, k, options):
    return _core.open_frames(shape[1], shape[0], colours_of(k), options)


def encode(planes, k, options):
    frames = open_frames(planes[0].shape, k, options)
    return [_core.encode_frame(frames, plane, options, 64 + 16 * plane.size) for plane in planes]


def decode(coded, shape, k, options):
    """Return the verdict on each frame, and the labels up to the first that is broken."""
    frames, names = open_frames(shape, k, options), np.arange(k, dtype=np.uint16)
    labels, verdicts, planes = np.zeros(shape, np.uint16), [], []
    for one in coded:
        verdicts.append(_core.decode_frame(frames, one, labels, names, options))
        if not any(verdicts):
            planes.append(labels.copy())
    return verdicts, planes


def film(rng, shape, k, count):
    """Draw planes, each made of the one before: still, changed in parts, scrolled, noisy, or new."""
    runs = np.repeat(rng.integers(0, k, shape[0] * shape[1]), rng.integers(1, 20))
    plane = runs[: shape[0] * shape[1]].reshape(shape)
    planes = [plane]
    for kind in rng.integers(0, 6, count - 1):
        plane = plane.copy()
        top, left = (int(rng.integers(0, side)) for side in shape)
        part = (slice(top, top + 9), slice(left, left + 9))
        if kind == 1:
            plane[part] = rng.integers(0, k)
        elif kind == 2:
            plane[part] = rng.integers(0, k, plane[part].shape)
        elif kind == 3:
            plane = np.roll(plane, rng.integers(-9, 10, 2), (0, 1))
            plane[: shape[0] // 4] = planes[-1][: shape[0] // 4]
        elif kind == 4:
            plane = np.where(rng.random(shape) < 0.1, rng.integers(0, k, shape), plane)
        elif kind == 5:
            plane = np.sort(plane, axis=int(rng.integers(0, 2)))
        planes.append(plane)
    return [plane.astype(np.uint16) for plane in planes]


def same(planes, others):
    return len(planes) == len(others) and all(map(np.array_equal, planes, others))


@pytest.mark.parametrize("options", OPTIONS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_frames_come_back(options, data):
    k = data.draw(st.sampled_from(EDGES))
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    planes = film(np.random.default_rng(data.draw(st.integers(0, 2**32))), shape, k, 5)
    verdicts, decoded = decode(encode(planes, k, options), shape, k, options)
    assert not any(verdicts)
    assert same(decoded, planes)


@pytest.mark.parametrize("k", EDGES)
def test_paths_code_and_decode_alike(k):
    rng = np.random.default_rng(k)
    for number, options in enumerate(OPTIONS):
        shape = [(1, 90), (90, 1), (33, 47), (60, 70)][number % 4]
        planes, results = film(rng, shape, k, 5), []
        for path in PATHS:
            _core._native.use_path(path)
            results.append(encode(planes, k, options))
        assert results[1:] == results[:1] * 2
        for path in PATHS:
            _core._native.use_path(path)
            assert same(decode(results[0], shape, k, options)[1], planes)


@pytest.mark.parametrize("options", mostly_slow(OPTIONS, quick=OPTIONS[::3]))
def test_wide_frames_come_back(options):
    rng = np.random.default_rng(0)
    planes = film(rng, (3, 150_000), 200, 3)
    planes.append(np.roll(planes[-1], 70_000, 1))
    verdicts, decoded = decode(encode(planes, 200, options), planes[0].shape, 200, options)
    assert not any(verdicts)
    assert same(decoded, planes)


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_still_or_moves_costs_little(options):
    rng = np.random.default_rng(5)
    first = rng.integers(0, 200, (120, 160), np.uint16)
    scrolled = first.copy()
    scrolled[10:] = np.roll(first[10:], -7, 0)
    spotted = scrolled.copy()
    spotted[60:70, 80:90] = 3
    planes = [first, first, first, scrolled, spotted]
    whole, *others, moved, spot = map(len, encode(planes, 200, options))
    assert max(others) <= 2
    assert moved < 0.08 * whole  # of which seven rows in 120 are new
    assert spot < (120 if options & _core.DRAWN_STILL else 500)  # the rest of ten rows of noise is still


def test_what_was_learnt_is_kept():
    rng = np.random.default_rng(6)
    tiles = rng.integers(0, 16, (4, 16, 16))
    planes = [np.block([[tiles[n] for n in row] for row in rng.integers(0, 4, (6, 6))]) for _ in range(3)]
    first, *others = map(len, encode([plane.astype(np.uint16) for plane in planes], 16, LEAN))
    assert max(others) < 0.5 * first


def test_labels_get_the_names_of_their_numbers():
    planes = film(np.random.default_rng(7), (40, 50), 60, 4)
    names = np.random.default_rng(3).permutation(60).astype(np.uint16)
    for dtype in (np.uint8, np.uint16):
        frames, labels = open_frames((40, 50), 60, LEAN), np.empty((40, 50), dtype)
        for plane, coded in zip(planes, encode(planes, 60, LEAN), strict=True):
            assert _core.decode_frame(frames, coded, labels, names, LEAN) == ""
            assert (labels == names[plane]).all()


def test_each_frame_has_options_of_its_own():
    planes = film(np.random.default_rng(8), (40, 50), 60, 8)
    frames = open_frames((40, 50), 60, LEAN)
    again, labels = open_frames((40, 50), 60, LEAN), np.empty((40, 50), np.uint16)
    for number, plane in enumerate(planes):
        options = LEAN | MORE[number % 4]
        coded = _core.encode_frame(frames, plane, options, 99_999)
        assert _core.decode_frame(again, coded, labels, np.arange(60, dtype=np.uint16), options) == ""
        assert (labels == plane).all()


@pytest.mark.parametrize("options", OPTIONS)
def test_copies_go_on_independently(options):
    planes = film(np.random.default_rng(9), (50, 60), 300, 6)
    whole = encode(planes, 300, options)
    frames = open_frames((50, 60), 300, options)
    for number, plane in enumerate(planes):
        copy = _core.copy_frames(frames)
        assert _core.encode_frame(copy, plane[::-1].copy(), options, 99_999)
        assert _core.encode_frame(_core.copy_frames(frames), plane, options, 99_999) == whole[number]
        assert _core.encode_frame(frames, plane, options, 99_999) == whole[number]
    assert _core.size_of_frames(frames) == _core.size_of_frames(copy) > 2 * 50 * 60 * 2


@pytest.mark.parametrize("options", OPTIONS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_bytes_get_the_same_verdict_and_labels_below_k(options, data):
    k, shape = data.draw(st.sampled_from([1, 2, 15, 17, 31, 200, 300, 5000, 65_535])), (20, 30)
    planes = film(np.random.default_rng(data.draw(st.integers(0, 99))), shape, k, 3)
    coded = encode(planes, k, options)
    number = data.draw(st.integers(0, 2))
    changed = bytearray(coded[number])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), max_size=4)):
        if place < len(changed):
            changed[place] ^= value
    coded[number] = bytes(changed[: data.draw(st.integers(0, 400))]) + data.draw(st.binary(max_size=20))
    results = []
    for path in PATHS:
        _core._native.use_path(path)
        verdicts, decoded = decode(coded, shape, k, options)
        assert set(verdicts) <= {"", "label", "labels-length"}
        assert all(plane.max() < k for plane in decoded)
        results.append((verdicts, [plane.tobytes() for plane in decoded]))
    assert results[1:] == results[:1] * 2


def test_after_a_broken_frame_all_are():
    planes = film(np.random.default_rng(10), (20, 30), 40, 3)
    coded = encode(planes, 40, LEAN)
    verdicts, _ = decode([coded[0], b"\xff" * 8, *coded[1:]], (20, 30), 40, LEAN)
    assert verdicts[0] == ""
    assert all(verdicts[1:])
    verdicts, _ = decode([coded[0], coded[1] + bytes(12) + b"\1", coded[2]], (20, 30), 40, LEAN)
    assert verdicts[:2] == ["", "labels-length"]
    assert verdicts[2]


def test_after_a_frame_without_room_there_is_none():
    plane = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint16)
    frames = open_frames(plane.shape, 256, LEAN)
    assert _core.encode_frame(frames, plane, LEAN, 1000) is None
    assert _core.encode_frame(frames, plane, LEAN, 99_999) is None


def test_a_frame_may_take_no_bytes():
    plane = np.zeros((40, 40), np.uint16)
    assert encode([plane] * 2, 1, LEAN)[1] == b""
    verdicts, decoded = decode([b"", b""], (40, 40), 1, LEAN)
    assert not any(verdicts)
    assert same(decoded, [plane] * 2)


def test_frames_are_for_one_thread_at_a_time():
    plane = np.random.default_rng(0).integers(0, 256, (700, 700), np.uint16)
    frames, problems = open_frames(plane.shape, 256, RICH), []

    def code():
        try:
            _core.encode_frame(frames, plane, RICH, 9_999_999)
        except ValueError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=code) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == ["the frames are in use by another thread"]


def test_frames_check_their_arguments():
    plane, names, colours = np.zeros((4, 5), np.uint16), np.arange(3, dtype=np.uint16), colours_of(3)
    for wrong in (
        (0, 4, colours, LEAN),
        (5, 0, colours, LEAN),
        (2**30, 4, colours, LEAN),
        (5, 4, colours[:, :3].copy(), LEAN),
        (5, 4, colours[:0], LEAN),
        (5, 4, colours, _core.DRAWN_FRAMES),
        (5, 4, colours, _core.DRAWN_MATCHES),
        (5, 4, colours, LEAN | 32),
        (5, 4, colours, -1),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.open_frames(*wrong)
    frames = _core.open_frames(5, 4, colours, LEAN)
    for wrong in (
        (frames, plane.T.copy(), LEAN, 99),
        (frames, plane + np.uint16(3), LEAN, 99),
        (frames, plane.astype(np.uint8), LEAN, 99),
        (frames, plane, _core.DRAWN_MATCHES, 99),
        (frames, plane, LEAN, -1),
        (None, plane, LEAN, 99),
        (object(), plane, LEAN, 99),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.encode_frame(*wrong)
    for wrong in (
        (frames, b"", plane[:3].copy(), names, LEAN),
        (frames, b"", plane, names[:2], LEAN),
        (frames, b"", plane.astype(np.uint32), names, LEAN),
        (frames, b"", plane, names, 0),
        (colours, b"", plane, names, LEAN),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.decode_frame(*wrong)
    for function in (_core.copy_frames, _core.size_of_frames):
        with pytest.raises(ValueError, match=r"\w"):
            function(None)


# --- By the reader of FORMAT.md -----------------------------------------------------------------


@pytest.fixture(scope="module")
def reader():
    """What the reader in FORMAT.md defines."""
    namespace = {}
    specification = (ROOT / "kmc_format" / "FORMAT.md").read_text("utf-8")
    exec(re.search(r"```python\n(.*?)```", specification, re.DOTALL).group(1), namespace)
    return namespace


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("k", mostly_slow([2, 12, 30, 200, 700, 5000], [2, 200]))
def test_the_reader_decodes_frames_alike(reader, options, k):
    rng = np.random.default_rng(k)
    planes = film(rng, [(1, 60), (40, 1), (19, 30), (30, 22)][k % 4], k, 7)
    planes += [np.roll(planes[-1], (3, 2), (0, 1)), planes[0]]
    height, width = planes[0].shape
    tile = reader["Drawn"](bytes([options]), width, height, k, colours_of(k).tolist())
    for plane, coded in zip(planes, encode(planes, k, options), strict=True):
        assert np.array_equal(list(tile.frame(bytes([options]) + coded)), plane)
