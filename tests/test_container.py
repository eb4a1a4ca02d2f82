import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmc_format._format import container
from kmc_format._format.container import Reader
from kmc_format._format.grid import Grid
from kmc_format.errors import FormatError, TruncatedError


@given(st.integers(0, container.MAX_VARINT))
def test_varint_round_trip(value):
    packed = container.pack_varint(value)
    reader = Reader(io.BytesIO(packed))
    assert reader.varint() == value
    assert reader.offset == len(packed) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize("packed", ["80 00", "ff 80 00", "ff ff ff ff 10", "80 80 80 80 80 00"])
def test_varint_over_long(packed):
    with pytest.raises(FormatError) as caught:
        Reader(io.BytesIO(bytes.fromhex(packed))).varint()
    assert caught.value.rule == "varint"


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 60), st.integers(1, 60))
def test_a_grid_covers_every_pixel_once(width, height, tile_width, tile_height):
    grid = Grid(width, height, tile_width, tile_height)
    boxes = list(grid)
    rows = [(box, y) for box in boxes for y in range(box.upper, box.lower)]
    pixels = [(x, y) for box, y in rows for x in range(box.left, box.right)]
    assert len(boxes) == grid.count
    assert len(pixels) == len(set(pixels)) == width * height
    assert [(box.upper, box.left) for box in boxes] == sorted((box.upper, box.left) for box in boxes)


class Dribble(io.RawIOBase):
    """A stream that cannot seek and gives a byte or two at a time."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, size=-1):
        return self._file.read(min(size, 2))


def test_the_reader_copes_with_short_reads():
    reader = Reader(Dribble(bytes(range(100))))
    assert reader.peek() == 0
    assert reader.read(50) == bytes(range(50))
    assert reader.offset == 50
    with pytest.raises(TruncatedError, match="ends at byte 100, 10 too early"):
        reader.read(60)
