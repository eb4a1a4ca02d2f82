# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled core of quantising: counting colours, the nearest codebook entry, error diffusion.

Like `_labels` it is Cython in pure-Python mode, takes buffers, releases the GIL, and computes in
integers. Coordinates are below 2**19 in size, in at most four dimensions, so that squared distances fit
64 bits. Of entries that are equally near, the first is taken.
"""

from __future__ import annotations

from array import array
from typing import Any

import cython

_LEAF = cython.declare(cython.int, 8)  # most entries that are compared one by one
_DIMENSIONS = cython.declare(cython.int, 4)  # missing ones are 0
_SHIFT = cython.declare(cython.int, 16)  # sixteen shares of an error, times a strength up to 4096
FULL_STRENGTH = 4096

_GOLDEN = cython.declare(cython.uint, 0x9E3779B1)  # 2**32 over the golden ratio
_MASK = cython.declare(cython.uint, 0xFFFFFFFF)


def _doubled(numbers: Any) -> Any:
    longer = array("I", bytes(8 * len(numbers)))
    memoryview(longer)[: len(numbers)] = memoryview(numbers)
    return longer


@cython.cclass
class _Counter:
    """A hash table of values, which are numbered as they come, and of how often each came."""

    count: cython.Py_ssize_t
    bits: cython.int  # log2 of the slots, of which at most half are taken
    slots: cython.int[::1]  # numbers, or -1
    values: cython.uint[::1]  # by number
    counts: cython.uint[::1]

    def __init__(self) -> None:
        self.count = 0
        self.bits = 10
        self.slots = array("i", [-1]) * (1 << self.bits)
        self.values = array("I", bytes(2 << self.bits))
        self.counts = array("I", bytes(2 << self.bits))

    def grow(self) -> None:
        i: cython.Py_ssize_t
        self.bits += 1
        self.slots = array("i", [-1]) * (1 << self.bits)
        self.values = _doubled(self.values)
        self.counts = _doubled(self.counts)
        for i in range(self.count):
            self.slots[self.slot(self.values[i])] = i

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def slot(self, value: cython.uint) -> cython.Py_ssize_t:
        """Find where a value is, or belongs: Fibonacci hashing (Knuth 6.4), linear probing."""
        hashed: cython.uint = (value * _GOLDEN) & _MASK
        at: cython.Py_ssize_t = hashed >> (32 - self.bits)
        number: cython.int = self.slots[at]
        while number >= 0 and self.values[number] != value:
            at = (at + 1) & ((1 << self.bits) - 1)
            number = self.slots[at]
        return at

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def run(self, values: cython.uint[::1], start: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Put numbers in the place of values, up to the end or until the table is half full."""
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t
        number: cython.int = 0
        value: cython.uint
        before: cython.uint = 0
        limit: cython.Py_ssize_t = 1 << (self.bits - 1)
        for i in range(start, values.shape[0]):
            value = values[i]
            if value != before or i == start:
                at = self.slot(value)
                number = self.slots[at]
                if number < 0:
                    if self.count >= limit:
                        return i
                    number = cython.cast(cython.int, self.count)
                    self.slots[at] = number
                    self.values[number] = value
                    self.count += 1
                before = value
            self.counts[number] += 1
            values[i] = number
        return values.shape[0]

    @cython.cfunc
    def number(self, values: cython.uint[::1]) -> cython.void:
        done: cython.Py_ssize_t = 0
        while done < values.shape[0]:
            with cython.nogil:
                done = self.run(values, done)
            if done < values.shape[0]:
                self.grow()


@cython.cclass
class _Tree:
    """A balanced k-d tree over codebook entries.

    After Bentley, "Multidimensional binary search trees used for associative searching",
    Communications of the ACM 18(9), 1975; distances to cells are kept incrementally, after Arya and
    Mount, "Algorithms for fast vector quantization", Data Compression Conference 1993.
    """

    # A node has its entries in a stretch of `entries`; its first half is its left child's.
    k: cython.int
    entries: cython.int[::1]  # _DIMENSIONS coordinates each, in the order of the leaves
    numbers: cython.int[::1]  # of the entries, in that order
    places: cython.int[::1]  # of the entries there, by number
    axis: cython.int[::1]
    split: cython.int[::1]
    # The search at hand.
    point: cython.longlong[4]
    gap: cython.longlong[4]  # from the point to the cell, along each axis
    least: cython.longlong
    found: cython.int

    def __init__(self, entries: cython.int[:, ::1]) -> None:
        if not cython.compiled:
            self.point, self.gap = [0] * 4, [0] * 4
        self.k = entries.shape[0]
        nodes, size = 1, self.k
        while size > _LEAF:
            nodes, size = 2 * nodes + 1, (size + 1) // 2
        self.entries = array("i", bytes(4 * _DIMENSIONS * self.k))
        self.numbers = array("i", bytes(4 * self.k))
        self.places = array("i", bytes(4 * self.k))
        self.axis = array("i", bytes(4 * nodes))
        self.split = array("i", bytes(4 * nodes))
        columns = [[entries[i, c] for i in range(self.k)] for c in range(entries.shape[1])]
        self._build(columns, list(range(self.k)), 0, 0)

    def _build(
        self, columns: list[list[int]], numbers: list[int], node: cython.int, start: cython.int
    ) -> None:
        if len(numbers) <= _LEAF:
            for place, number in enumerate(numbers, start):
                self.numbers[place] = number
                self.places[number] = place
                for c, column in enumerate(columns):
                    self.entries[_DIMENSIONS * place + c] = column[number]
            return
        parts = [[column[number] for number in numbers] for column in columns]
        extents = [max(part) - min(part) for part in parts]
        axis = extents.index(max(extents))
        numbers.sort(key=columns[axis].__getitem__)
        half = len(numbers) // 2
        self.axis[node] = axis
        self.split[node] = columns[axis][numbers[half]]
        self._build(columns, numbers[:half], 2 * node + 1, start)
        self._build(columns, numbers[half:], 2 * node + 2, start + half)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def compare(self, place: cython.int) -> cython.void:
        """Take an entry if it is nearer than what was found."""
        i: cython.Py_ssize_t = _DIMENSIONS * cython.cast(cython.Py_ssize_t, place)
        a: cython.longlong = self.entries[i] - self.point[0]
        b: cython.longlong = self.entries[i + 1] - self.point[1]
        c: cython.longlong = self.entries[i + 2] - self.point[2]
        d: cython.longlong = self.entries[i + 3] - self.point[3]
        distance: cython.longlong = a * a + b * b + c * c + d * d
        if distance <= self.least and (distance < self.least or self.numbers[place] < self.found):
            self.least = distance
            self.found = self.numbers[place]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def visit(
        self, node: cython.int, start: cython.int, size: cython.int, bound: cython.longlong
    ) -> cython.void:
        """Search a node whose cell is at the squared distance `bound`."""
        place: cython.int
        if size <= _LEAF:
            for place in range(start, start + size):
                self.compare(place)
            return
        half: cython.int = size >> 1
        axis: cython.int = self.axis[node]
        gap: cython.longlong = self.point[axis] - self.split[node]
        before: cython.longlong = self.gap[axis]
        bound_beyond: cython.longlong = bound - before * before + gap * gap
        if gap < 0:
            self.visit(2 * node + 1, start, half, bound)
            if bound_beyond <= self.least:
                self.gap[axis] = gap
                self.visit(2 * node + 2, start + half, size - half, bound_beyond)
                self.gap[axis] = before
        else:
            self.visit(2 * node + 2, start + half, size - half, bound)
            if bound_beyond <= self.least:
                self.gap[axis] = gap
                self.visit(2 * node + 1, start, half, bound_beyond)
                self.gap[axis] = before

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def nearest(self, guess: cython.int) -> cython.int:
        """Return the number of the entry nearest to `point`; a good guess makes it quick."""
        c: cython.int
        for c in range(_DIMENSIONS):
            self.gap[c] = 0
        self.least = 0x7FFFFFFFFFFFFFFF
        self.found = self.k
        self.compare(self.places[guess])
        self.visit(0, 0, self.k, 0)
        return self.found

    @cython.cfunc
    def label(self, points: cython.int[:, ::1], numbers: cython.int[::1]) -> cython.void:
        i: cython.Py_ssize_t
        c: cython.Py_ssize_t
        n: cython.Py_ssize_t = points.shape[0]
        dimensions: cython.Py_ssize_t = points.shape[1]
        guess: cython.int = 0
        self.zero_point()
        with cython.nogil:
            for i in range(n):
                for c in range(dimensions):
                    self.point[c] = points[i, c]
                guess = self.nearest(guess)
                numbers[i] = guess

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def zero_point(self) -> cython.void:
        c: cython.int
        for c in range(_DIMENSIONS):
            self.point[c] = 0

    @cython.cfunc
    def dither(
        self,
        pixels: cython.uint[:, ::1],
        points: cython.int[:, ::1],
        pinned: cython.int[::1],
        coverage: cython.uchar[::1],
        limits: cython.int[:, ::1],
        strength: cython.int,
        labels: cython.ushort[:, ::1],
    ) -> cython.void:
        height: cython.Py_ssize_t = pixels.shape[0]
        width: cython.Py_ssize_t = pixels.shape[1]
        dimensions: cython.int = points.shape[1]
        # Sixteen times the error that comes to each pixel of this row and the next, with a margin.
        stride: cython.Py_ssize_t = _DIMENSIONS * (width + 2)
        errors: cython.longlong[::1] = array("q", bytes(16 * stride))
        here: cython.Py_ssize_t = 0
        below: cython.Py_ssize_t = stride
        y: cython.Py_ssize_t
        x: cython.Py_ssize_t
        i: cython.Py_ssize_t
        n: cython.Py_ssize_t
        forth: cython.Py_ssize_t
        colour: cython.Py_ssize_t
        c: cython.int
        used: cython.int
        label: cython.int = 0
        wanted: cython.longlong
        error: cython.longlong
        half: cython.longlong = 1 << (_SHIFT - 1)
        self.zero_point()
        with cython.nogil:
            for y in range(height):
                for i in range(below, below + stride):
                    errors[i] = 0
                # Serpentine: every other row from right to left, so that errors do not drift to one side.
                forth = 1 - 2 * (y & 1)
                for n in range(width):
                    x = n if forth > 0 else width - 1 - n
                    colour = pixels[y, x]
                    if pinned[colour] >= 0:
                        labels[y, x] = pinned[colour]
                        continue
                    # Where coverage is whole it stays so: errors of alpha would fray the edges.
                    used = dimensions - 1 if coverage[colour] == 255 else dimensions
                    for c in range(dimensions):
                        wanted = points[colour, c]
                        if c < used:
                            i = here + _DIMENSIONS * (x + 1) + c
                            wanted += (errors[i] * strength + half) >> _SHIFT
                            if wanted < limits[0, c]:
                                wanted = limits[0, c]
                            elif wanted > limits[1, c]:
                                wanted = limits[1, c]
                        self.point[c] = wanted
                    label = self.nearest(label)
                    labels[y, x] = label
                    for c in range(used):
                        i = _DIMENSIONS * (x + 1) + c
                        error = self.point[c] - self.entries[_DIMENSIONS * self.places[label] + c]
                        errors[here + i + _DIMENSIONS * forth] += 7 * error
                        errors[below + i - _DIMENSIONS * forth] += 3 * error
                        errors[below + i] += 5 * error
                        errors[below + i + _DIMENSIONS * forth] += error
                here, below = below, here


def count(values: Any) -> tuple[bytes, bytes]:
    """Number the different values, in the order in which they first occur.

    Parameters
    ----------
    values : buffer of uint32, shape (n,)
        IN, and OUT: the number of each.

    Returns
    -------
    bytes, bytes
        The different values, and how often each occurs, as uint32.
    """
    counter = _Counter()
    counter.number(memoryview(values))
    found = memoryview(counter.values)[: counter.count]
    counts = memoryview(counter.counts)[: counter.count]
    return bytes(found.cast("B")), bytes(counts.cast("B"))


def nearest(points: Any, entries: Any, numbers: Any) -> None:
    """Find the nearest entry of each point.

    Parameters
    ----------
    points : buffer of int32, shape (n, dimensions)
        IN. Quicker where neighbours are alike.
    entries : buffer of int32, shape (k, dimensions)
        IN. A codebook, in the same coordinates.
    numbers : buffer of int32, shape (n,)
        OUT. Positions in `entries`.
    """
    _Tree(memoryview(entries)).label(memoryview(points), memoryview(numbers))


def dither(
    pixels: Any,
    points: Any,
    entries: Any,
    pinned: Any,
    coverage: Any,
    limits: Any,
    strength: int,
    labels: Any,
) -> None:
    """Label pixels with Floyd-Steinberg error diffusion, serpentine.

    Floyd and Steinberg, "An adaptive algorithm for spatial grey scale", Proceedings of the SID 17(2),
    1976. What a pixel is to look like, errors included, is clipped to limits, so that errors do not
    pile up where the codebook cannot follow.

    Parameters
    ----------
    pixels : buffer of uint32, shape (height, width)
        IN. Which of the colours each pixel has.
    points : buffer of int32, shape (n, dimensions)
        IN. The colours.
    entries : buffer of int32, shape (k, dimensions)
        IN. The codebook.
    pinned : buffer of int32, shape (n,)
        IN. The label a colour always gets, in which errors end; or -1.
    coverage : buffer of uint8, shape (n,)
        IN. 255 where the last coordinate is an alpha that takes no part in the diffusion.
    limits : buffer of int32, shape (2, dimensions)
        IN. Least and largest coordinates.
    strength : int
        How much of the error is passed on, from 0 to FULL_STRENGTH.
    labels : buffer of uint16, shape (height, width)
        OUT.
    """
    _Tree(memoryview(entries)).dither(
        memoryview(pixels),
        memoryview(points),
        memoryview(pinned),
        memoryview(coverage),
        memoryview(limits),
        strength,
        memoryview(labels),
    )
