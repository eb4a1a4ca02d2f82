import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from PIL import Image
from support import indexed_pictures, smooth

import kmc_format
from kmc_format import Indexed

RED_WHITE = np.array([[255, 0, 0], [255, 255, 255]], np.uint8)


@given(indexed_pictures())
def test_expand_looks_every_label_up(picture):
    pixels = picture.expand()
    expected = picture.codebook[picture.labels]
    if picture.codebook.shape[1] == 1:
        expected = expected[..., 0]
    if picture.mode == "1":
        expected = expected == 255
    assert pixels.dtype == expected.dtype
    assert np.array_equal(pixels, expected)


def test_labels_take_one_byte_up_to_k_256():
    for k, dtype in ((256, np.uint8), (257, np.uint16)):
        assert Indexed(np.zeros((k, 3), np.uint8), np.zeros((2, 2), np.int64)).labels.dtype == dtype


def test_equality_is_by_value():
    one = Indexed(RED_WHITE, np.array([[0, 1]]))
    assert one == Indexed(RED_WHITE.copy(), np.array([[0, 1]], np.uint8))
    assert one != Indexed(RED_WHITE, np.array([[1, 1]]))
    assert one != Indexed(RED_WHITE, np.array([[0, 1]]), "P")
    assert one != "something else"


@pytest.mark.parametrize(
    ("codebook", "labels", "mode", "error", "words"),
    [
        (RED_WHITE[0], [[0]], "", ValueError, "codebook must have shape"),
        (RED_WHITE[:0], [[0]], "", ValueError, "codebook must have shape"),
        (RED_WHITE, [0], "", ValueError, "labels must have shape"),
        (RED_WHITE, np.zeros((0, 3), int), "", ValueError, "labels must have shape"),
        (RED_WHITE, [[0.0]], "", TypeError, "labels must be integers"),
        (RED_WHITE, [[2]], "", ValueError, "from 0 to 1"),
        (RED_WHITE, [[-1]], "", ValueError, "from 0 to 1"),
        (RED_WHITE.astype(float), [[0]], "", TypeError, "a codebook is uint8"),
        (np.zeros((2, 5), np.uint8), [[0]], "", TypeError, "a codebook is uint8"),
        (RED_WHITE, [[0]], "L", ValueError, "cannot be of mode L"),
        (np.zeros((257, 3), np.uint8), [[0]], "P", ValueError, "at most 256"),
        (np.zeros((65537, 3), np.uint8), [[0]], "", ValueError, "at most 65536"),
        (np.array([[0], [7]], np.uint8), [[0]], "1", ValueError, "only 0 and 255"),
    ],
)
def test_what_does_not_fit_is_refused(codebook, labels, mode, error, words):
    with pytest.raises(error, match=words):
        Indexed(codebook, np.asarray(labels), mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16", "I"])
def test_it_is_an_array_and_a_picture_of_a_notebook(mode):
    image = smooth(mode="L" if mode.startswith("I") else "RGBA").convert(mode)
    picture = kmc_format.quantize(image, k=2)
    assert np.asarray(picture).dtype == picture.expand().dtype
    assert np.array_equal(np.asarray(picture), picture.expand())
    assert np.asarray(picture, np.float64).dtype == np.float64
    assert np.array(picture, copy=True).tolist() == picture.expand().tolist()
    with pytest.raises(ValueError, match="copy"):
        np.array(picture, copy=False)
    assert repr(picture) == f"Indexed({mode}, 96 x 64, k=2)"
    shown = picture._repr_png_()
    if mode == "I":
        assert shown is None
        return
    with Image.open(io.BytesIO(shown)) as png:
        assert np.array_equal(np.asarray(png), np.asarray(picture))


@pytest.mark.parametrize("picture", ["icon.png", Path("icon.png"), b"bytes", bytearray(b"bytes")])
@pytest.mark.parametrize("function", [kmc_format.encode, kmc_format.quantize])
def test_names_and_bytes_are_no_pictures(function, picture):
    given = repr(picture) if isinstance(picture, (str, Path)) else "io.BytesIO(data)"
    with pytest.raises(TypeError, match=re.escape(f"pass PIL.Image.open({given})")):
        function(picture)
