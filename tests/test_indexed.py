import numpy as np
import pytest
from hypothesis import given
from support import indexed_pictures

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
