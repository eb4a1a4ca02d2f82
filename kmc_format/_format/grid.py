"""How a picture is cut into tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle of pixels, right and lower edge exclusive, as Pillow writes boxes."""

    left: int
    upper: int
    right: int
    lower: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, as arrays have them."""
        return self.lower - self.upper, self.right - self.left


@dataclass(frozen=True)
class Grid:
    """How an image is cut into tiles: rows of equal rectangles, those at the far edges smaller."""

    width: int
    height: int
    tile_width: int
    tile_height: int

    @property
    def columns(self) -> int:
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        return -(-self.height // self.tile_height)

    @property
    def count(self) -> int:
        return -(-self.width // self.tile_width) * -(-self.height // self.tile_height)

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The heights of the rows, and the widths of the columns, as Dask has the chunks of an array."""
        rows, columns = range(0, self.count, self.columns), range(self.columns)
        return (
            tuple(box.lower - box.upper for box in map(self.tile, rows)),
            tuple(box.right - box.left for box in map(self.tile, columns)),
        )

    def __iter__(self) -> Iterator[Box]:
        return map(self.tile, range(self.count))

    def tile(self, number: int) -> Box:
        row, column = divmod(number, self.columns)
        left, upper = column * self.tile_width, row * self.tile_height
        right, lower = left + self.tile_width, upper + self.tile_height
        return Box(left, upper, min(right, self.width), min(lower, self.height))

    def at(self, x: int, y: int) -> int:
        """Return the number of the tile that a pixel lies in."""
        return y // self.tile_height * self.columns + x // self.tile_width

    def touched(self, box: Box) -> Iterator[int]:
        """Return the numbers of the tiles that a box touches, in order."""
        rows = range(box.upper // self.tile_height, -(-box.lower // self.tile_height))
        columns = range(box.left // self.tile_width, -(-box.right // self.tile_width))
        return (row * self.columns + column for row in rows for column in columns)
