"""The compiled core: its arguments are checked, and codebooks come back from their model."""

import colorsys
import re
import threading
import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from support import ROOT

from kmc_format import _core


def dithering(**other):
    """Arguments of `dither` that are right but for some."""
    arguments = {
        "pixels": np.zeros((5, 6), np.uint32),
        "points": np.zeros((2, 3), np.int32),
        "entries": np.zeros((4, 3), np.int32),
        "pinned": np.full(2, -1, np.int32),
        "coverage": np.zeros(2, np.uint8),
        "limits": np.zeros((2, 3), np.int32),
        "strength": 4096,
        "labels": np.zeros((5, 6), np.uint16),
    }
    return {**arguments, **other}


@pytest.mark.parametrize(
    "other",
    [
        {"pixels": np.full((5, 6), 2, np.uint32)},
        {"pixels": np.zeros((5, 6), np.int32)},
        {"pixels": np.zeros((5, 6), ">u4")},
        {"pixels": np.zeros((5, 12), np.uint32)[:, ::2]},
        {"pixels": np.zeros(30, np.uint32)},
        {"points": np.zeros((2, 4), np.int32)},
        {"points": np.full((2, 3), 2**20 + 1, np.int32)},
        {"points": np.zeros((2, 3), np.float32)},
        {"entries": np.zeros((0, 3), np.int32)},
        {"entries": np.zeros((70_000, 3), np.int32)},
        {"entries": np.full((4, 3), -(2**31), np.int32)},
        {"pinned": np.full(3, -1, np.int32)},
        {"pinned": np.full(2, 4, np.int32)},
        {"coverage": np.zeros(1, np.uint8)},
        {"coverage": np.zeros(2, np.int8)},
        {"limits": np.zeros((3, 3), np.int32)},
        {"limits": np.zeros((2, 2), np.int32)},
        {"limits": np.full((2, 3), 2**30, np.int32)},
        {"strength": -1},
        {"strength": 4097},
        {"labels": np.zeros((6, 5), np.uint16)},
        {"labels": np.zeros((5, 6), np.uint8)},
        {"labels": np.frombuffer(bytes(60), np.uint16).reshape(5, 6)},
        {"labels": np.frombuffer(bytearray(61), np.uint16, 30, 1).reshape(5, 6)},
        {f"{name}": np.zeros((n, 5), np.int32) for name, n in (("points", 2), ("entries", 4), ("limits", 2))},
        {f"{name}": np.zeros((n, 0), np.int32) for name, n in (("points", 2), ("entries", 4), ("limits", 2))},
    ],
    ids=lambda other: " ".join(other),
)
def test_dithering_checks_its_arguments(other):
    _core.dither(**dithering())
    with pytest.raises(ValueError, match=r"\w"):
        _core.dither(**dithering(**other))


def test_others_check_their_arguments():
    points, entries, numbers = np.zeros((9, 3), np.int32), np.zeros((4, 3), np.int32), np.zeros(9, np.int32)
    _core.nearest(points, entries, numbers)
    for arguments in (
        (points, entries, numbers[1:]),
        (points, entries[:, :2].copy(), numbers),
        (points, entries[:0], numbers),
        (points - 2**30, entries, numbers),
        (points, entries, numbers.astype(np.int64)),
        (points, np.zeros((2**18 + 1, 3), np.int32), numbers),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.nearest(*arguments)
    for values in (np.zeros((2, 2), np.uint32), np.zeros(3, np.int32), bytes(8), np.zeros(3, np.uint64)):
        with pytest.raises(ValueError, match="values"):
            _core.count(values)
    with pytest.raises(TypeError):
        _core.count([1, 2, 3])
    words = np.zeros((3, 3), np.uint32)
    for wrong in (
        words[:0],
        words[:, :0],
        np.zeros((3, 5), np.uint32),
        words[:, 0].copy(),
        words.astype("u1"),
    ):
        with pytest.raises(ValueError, match=r"\w"):
            _core.encode_codebook(wrong, 8)
        with pytest.raises(ValueError, match=r"\w"):
            _core.decode_codebook(b"", wrong, 8)
    for bits in (0, 7, 33):
        with pytest.raises(ValueError, match="bits"):
            _core.encode_codebook(words, bits)
    with pytest.raises(ValueError, match="bits"):
        _core.encode_codebook(words + 256, 8)


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 2), (8, 3), (8, 4), (16, 1), (32, 1)])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_codebooks_come_back(bits, channels, data):
    shape = (data.draw(st.integers(1, 100)), channels)
    few = st.sampled_from([0, 1, 2, 100, 200, 2**bits - 1])
    elements = data.draw(st.sampled_from([few, st.integers(0, 2**bits - 1)]))
    words = data.draw(hnp.arrays(np.uint32, shape, elements=elements))
    coded = _core.encode_codebook(words, bits)
    decoded = np.empty_like(words)
    assert _core.decode_codebook(coded, decoded, bits)
    assert (decoded == words).all()
    more = coded + bytes(8 + 4 * words.size) + b"\1"  # zero bytes at the end of what is needed are left out
    assert not _core.decode_codebook(more, decoded, bits)


@given(data=st.binary(max_size=200), bits=st.sampled_from([8, 16, 32]))
@settings(deadline=None)
def test_any_bytes_are_a_codebook_within_range(data, bits):
    words = np.full((50, 3 if bits == 8 else 1), 2**32 - 1, np.uint32)
    if data[:8] != b"\xff" * 8:
        _core.decode_codebook(data, words, bits)
        assert words.max() < 2**bits


def test_bytes_that_no_coder_makes():
    words = np.zeros((50, 3), np.uint32)
    assert not _core.decode_codebook(b"\xff" * 8 + bytes(50), words, 8)


WEB = range(0, 256, 51)


@pytest.mark.parametrize(
    ("words", "most"),
    [
        ([[n] for n in range(256)], 2),
        ([[n] for n in range(255, -1, -1)], 4),
        ([[17 * n] for n in range(16)], 4),
        ([[5 * n] for n in range(52)], 4),
        ([[n, n, n] for n in range(256)], 3),
        ([[0, 0, 0, n] for n in range(256)], 4),
        ([[r, g, b] for r in WEB for g in WEB for b in WEB], 40),
        ([[round(255 * x) for x in colorsys.hsv_to_rgb(n / 256, 1, 1)] for n in range(256)], 110),
    ],
    ids=["grey", "down", "grey 16", "fives", "RGB grey", "alpha", "web", "hues"],
)
def test_regular_codebooks_take_few_bytes(words, most):
    assert len(_core.encode_codebook(np.array(words, np.uint32), 8)) <= most


@pytest.mark.parametrize("words", [np.arange(65_536), np.arange(0, 65_536_000, 1000), np.zeros(65_536)])
def test_the_largest_codebooks(words):
    words = words.astype(np.uint32)[:, None]
    coded = _core.encode_codebook(words, 32)
    assert len(coded) < 100
    decoded = np.empty_like(words)
    assert _core.decode_codebook(coded, decoded, 32)
    assert (decoded == words).all()


def test_threads_compute_at_once():
    words = np.random.default_rng(0).integers(0, 256, (3000, 3)).astype(np.uint32)
    expected = _core.encode_codebook(words, 8)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(_core.encode_codebook(words, 8))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_the_build_knows_all_files_of_the_core():
    # Else a source distribution would lack one.
    extensions = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"][
        "ext-modules"
    ]
    core = next(extension for extension in extensions if extension["name"] == "kmc_format._core._native")
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "kmc_format" / "_core").glob("*.[ch]")]
    assert sorted(core["sources"]) == sorted(file for file in files if file.endswith(".c"))
    assert set(core["depends"]) == {
        *(".build/backend.py", ".build/web.py", ".build/web_names.txt"),
        *(file for file in files if file.endswith(".h")),
        *(path.relative_to(ROOT).as_posix() for path in (ROOT / "kmc_format/web/source").rglob("*.*")),
    }


def test_the_face_has_what_the_module_has():
    stub = (ROOT / "kmc_format" / "_core" / "_native.pyi").read_text("utf-8")
    functions = re.findall(r"^def (\w+)", stub, re.MULTILINE)
    assert sorted(functions) == sorted(name for name in dir(_core._native) if not name.startswith("_"))
    assert set(functions) - {"use_path"} <= set(_core.__all__)  # that one is for tests
