# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled core: a range coder, and the models of labels and codebooks that drive it.

Cython in pure-Python mode: the package build compiles this file, and the same file runs
uncompiled, slowly, for debugging. It takes buffers and returns buffers, releases the GIL, and
computes in integers, so that every machine gets the same result. FORMAT.md, parts "Range coder",
"Modelled codebook" and "Modelled labels", is what it implements; the comments here say why.

One class codes in both directions, so encoder and decoder cannot drift apart; encoding, it can also
choose the labels that cost least. No index comes unmasked from the input: positions in the coded bytes
are compared with their end, labels with k, and all others are bounded by construction.

Loops over lanes are kept simple, each on arrays of its own, so that a compiler makes vector
instructions of them on any machine. What is written lane by lane is not read as a vector soon
after, nor the other way round but for single lanes: processors stall on that.
"""

from __future__ import annotations

import functools
import math
from array import array
from typing import Any

import cython

# A model of labels is a number from 0 to 4, and RICH more if it is one of the larger ones.
BLENDED = 0  # nothing is asked: candidates are blended into the digits
ASKED = 3  # so many candidates are asked at most
NEAR = 4  # three candidates are asked for, then a list of other labels nearby
RICH = 8

_ROWS = cython.declare(cython.int, 4)  # features of a digit
_RICH_ROWS = cython.declare(cython.int, 13)
_BLENDED_ROWS = cython.declare(cython.int, 10)  # so many of them where candidates are blended in
_CELLS = cython.declare(cython.int, 6)  # features of the question whether a label is a candidate's
_RICH_CELLS = cython.declare(cython.int, 13)
_DIRECT = cython.declare(cython.int, 8)  # so many features are single labels: no hash while they fit
_NEAR_BITS = cython.declare(cython.int, 13)  # log2 of the rows of a feature of the list
_NEAR_PLACES = cython.declare(cython.int, 26)
_MARGIN = cython.declare(cython.int, 8)  # labels that are known on either side of a row
_PRIOR = cython.declare(cython.int, 12)  # nats / 1024 that a unit of colour distance costs at first
_MOST = cython.declare(cython.int, 6700)  # largest logit of a row, so that no sum of them overflows 16 bits
_NEVER = cython.declare(cython.int, -32768)  # the logit of a lane that is known not to come
_STEEPEST = cython.declare(cython.int, 1407)  # largest logit of a question, in nats / 128
_SURE = cython.declare(cython.int, 131056)  # largest logit of a cell, in nats / 16384
_HEAVIEST = cython.declare(cython.int, 524287)  # largest weight, in either part
_LEVELS = cython.declare(cython.int, 10)  # of trust, by visits
_NODES = cython.declare(cython.int, 23)  # of the curve that refines a probability
_NEAREST = cython.declare(cython.int, 64)  # codebook entries that are looked back
_CONTEXT = cython.declare(cython.int, 70)  # adaptive bits for numbers of one kind
_DEAREST = cython.declare(cython.int, 10646)  # what a lane costs at most, in nats / 1024: ln(2^15)
_BESIDE = cython.declare(cython.int, 1420)  # nats / 1024 that a label is worth if E or S has it too: 2 bits,
_ASLANT = cython.declare(cython.int, 710)  # if SW or SE has it

_MASK = cython.declare(cython.uint, 0xFFFFFFFF)


def _logistic_table() -> Any:
    """2^15 / (1 + exp(-i / 128)), by repeated multiplication with exp(-1 / 128) * 2^32."""
    power, table = 1 << 32, []
    for _ in range(_STEEPEST + 1):
        table.append(min((1 << 47) // ((1 << 32) + power), 32766))
        power = power * 4261542741 >> 32
    return array("H", table)


@functools.cache
def _cost_tables() -> Any:
    """ln(n / 128) up to n = 4096, and ln(1 + exp(-n / 128)); both times 1024."""
    total, logarithm = 0, [0] * 128
    for n in range(128, 4097):
        logarithm.append(total >> 20)
        total += (2 << 30) // (2 * n + 1)
    total, surprise = 744261118, []  # ln(2) * 2^30
    for n in range(_STEEPEST + 1):
        surprise.append(max(total, 0) >> 20)
        total -= (65536 - _LOGISTIC[n] - _LOGISTIC[min(n + 1, _STEEPEST)]) << 7
    return array("H", logarithm), array("H", surprise)


def _zeros(kind: str, size: int) -> Any:
    """Return an array of `size` bytes, without making a copy of it."""
    return memoryview(bytearray(size)).cast(kind)


def _falling(first: int, last: int) -> list[int]:
    """A rate that falls with the square root of the visits."""
    return [max(math.isqrt(first * first // (n + 1)), last) for n in range(256)]


_LOGISTIC = _logistic_table()
_CELL_RATE = (array("i", _falling(15543, 1200)), array("i", _falling(19107, 1200)))
_ROW_RATE = (array("h", _falling(3000, 0)), array("h", _falling(2700, 0)))
_COPY_RATE = array("i", _falling(1000, 60))
_BIT_RATE = array("i", [max((5 << 16) // (5 * n + 8), 1 << 10) for n in range(64)])
_TRUST = array("B", [sum(n >= x for x in (1, 2, 3, 5, 8, 14, 30, 80, 200)) for n in range(256)])
_ORDER = array("h", range(32))
_CURVE = [
    2 * (_LOGISTIC[t] if t >= 0 else 32768 - _LOGISTIC[-t])
    for t in (max(min(128 * n - 1408, _STEEPEST), -_STEEPEST) for n in range(_NODES))
]
# Where the list looks for labels: columns to the right, and rows up.
_NEAR_X = array(
    "b", [-1, 2, 0, -2, -2, 1, -1, 3, -3, 4, -4, 2, -2, 0, 5, 6, 7, -5, 3, -3, 8, -6, 4, -4, 5, 6]
)
_NEAR_Y = array("b", [1, 1, 2, 0, 1, 2, 2, 1, 1, 1, 1, 2, 2, 3, 1, 1, 1, 1, 2, 2, 1, 1, 2, 2, 2, 2])


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _hash(a: cython.uint, b: cython.uint) -> cython.uint:
    h: cython.uint = (
        a * cython.cast(cython.uint, 0x9E3779B1) + b * cython.cast(cython.uint, 0x85EBCA77)
    ) & _MASK
    h ^= h >> 15
    h = (h * cython.cast(cython.uint, 0x2C1B3C6D)) & _MASK
    return h ^ (h >> 13)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _clamp(value: cython.int, low: cython.int, high: cython.int) -> cython.int:
    return low if value < low else high if value > high else value


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _square(lanes: cython.int, q: cython.p_ushort) -> cython.void:
    j: cython.Py_ssize_t
    for j in range(lanes):
        q[j] = cython.cast(cython.ushort, (cython.cast(cython.uint, q[j]) * q[j]) >> 16)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _powers(lanes: cython.int, logit: cython.p_short, power: cython.p_ushort) -> cython.short:
    """Set the power of each lane, at most 2^15 - 1; return the largest logit."""
    below = cython.declare(cython.ushort[32])
    j: cython.Py_ssize_t
    most: cython.short = -32768
    for j in range(lanes):
        most = logit[j] if logit[j] > most else most
    for j in range(lanes):
        below[j] = cython.cast(cython.ushort, most - logit[j])
    for j in range(lanes):
        below[j] = 4095 if below[j] > 4095 else below[j]
    for j in range(lanes):
        below[j] = below[j] << 4
    # exp(-16 t) as (1 - t + t^2 / 2)^16
    for j in range(lanes):
        power[j] = cython.cast(cython.ushort, (cython.cast(cython.uint, below[j]) * below[j]) >> 16)
    for j in range(lanes):
        power[j] = 65535 - below[j] + (power[j] >> 1)
    _square(lanes, power)
    _square(lanes, power)
    _square(lanes, power)
    _square(lanes, power)
    for j in range(lanes):
        power[j] = power[j] >> 1
    return most


@cython.final
@cython.cclass
class _Coder:
    """A range coder, with a model of labels or adaptive bits that it codes by."""

    decoding: cython.bint
    data: cython.uchar[::1]
    at: cython.Py_ssize_t  # where the next coded byte is
    end: cython.Py_ssize_t
    low: cython.ulonglong
    range_: cython.uint
    code: cython.uint
    held: cython.uint  # the byte that a carry may still change,
    pending: cython.Py_ssize_t  # and how many bytes FF follow it

    bit_p: cython.ushort[::1]
    bit_n: cython.uchar[::1]
    bit_rate: cython.int[::1]

    rich: cython.bint
    near: cython.bint
    candidates: cython.int
    candidate: cython.int[::1]
    logistic: cython.ushort[::1]
    trust: cython.uchar[::1]
    order: cython.short[::1]

    colours: cython.uchar[:, ::1]
    k: cython.int
    digits: cython.int
    lanes: cython.int
    nodes: cython.uint
    direct: cython.bint

    # Whether a label is a candidate's: cells of one logit each, in the rich model weighted and refined
    cell_bits: cython.int
    cell: cython.int[::1]
    cell_n: cython.uchar[::1]
    cell_rate: cython.int[::1]
    cell_at: cython.uint[::1]
    cell_w: cython.int[::1]
    cell_s: cython.int[::1]
    curve: cython.ushort[::1]

    # Its digits: rows of a logit for each lane, in the rich model weighted
    row_bits: cython.int
    row: cython.short[::1]
    row_n: cython.uchar[::1]
    row_rate: cython.short[::1]
    row_at: cython.uint[::1]
    row_w: cython.int[::1]
    row_s: cython.int[::1]
    equal: cython.int
    label_count: cython.uint  # labels coded by digits
    context: cython.uint[::1]

    copy: cython.int[::1]  # of a pattern: logits for the labels of W and N
    copy_n: cython.uchar[::1]
    copy_rate: cython.int[::1]

    near_x: cython.schar[::1]
    near_y: cython.schar[::1]
    list_rows: cython.uint  # where the rows of the list begin, after the others

    # The last four rows, with a margin of labels on either side, so that no neighbour need ask
    # where the edges are
    recent: cython.ushort[::1]
    width: cython.Py_ssize_t
    stride: cython.Py_ssize_t
    pattern: cython.ushort[::1]  # which labels of the rows above are equal,
    pattern2: cython.ushort[::1]
    before: cython.uchar[::1]  # and how many in a row, in the last four rows
    after: cython.uchar[::1]
    referring: cython.bint
    reference: cython.ushort[:, ::1]
    # What labels are chosen by, where they are not given
    choosing: cython.bint
    pixels: cython.uint[:, ::1]  # which of the colours each has
    points: cython.int[:, ::1]  # the colours
    entries: cython.int[:, ::1]  # the codebook
    nearest: cython.int[::1]  # for each colour
    farthest: cython.longlong[::1]
    lagrange: cython.longlong  # the squared distance that nats / 1024 are worth
    logarithm: cython.ushort[::1]
    surprise: cython.ushort[::1]
    started: cython.uchar[::1]  # rows that were looked at, used or not
    east: cython.int  # labels to come, as far as they are guessed
    south: cython.int
    south_west: cython.int
    south_east: cython.int

    run: cython.int  # labels in a row that were that of W
    seen: cython.ushort[::1]  # of a wide neighbourhood, the label that came after it last
    seen_n: cython.uchar[::1]

    def __init__(self, data: Any, decoding: Any) -> None:
        self.data = data
        self.end = len(data)
        self.decoding = decoding
        self.bit_rate = _BIT_RATE
        self.choosing = False
        # The first byte that an encoder would write is always 0, and left out.
        self.at = 0 if decoding else -1
        self.low = self.held = self.pending = self.code = 0
        self.range_ = 0xFFFFFFFF
        if decoding:
            for _ in range(4):
                self.code = self.code << 8 | self.next_byte()

    # --- Range coder --------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def next_byte(self) -> cython.uint:
        """Bytes that are not there are 0, as an encoder leaves them out."""
        self.at += 1
        return self.data[self.at - 1] if self.at <= self.end else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def shift_low(self) -> cython.void:
        carry: cython.uint = cython.cast(cython.uint, self.low >> 32)
        if carry or (self.low >> 24) < 0xFF:
            while True:
                if 0 <= self.at < self.end:
                    self.data[self.at] = (self.held + carry) & 0xFF
                self.at += 1
                self.held = 0xFF
                if self.pending == 0:
                    break
                self.pending -= 1
            self.held = cython.cast(cython.uint, (self.low >> 24) & 0xFF)
        else:
            self.pending += 1
        self.low = (self.low & 0x00FFFFFF) << 8

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def narrow(self, start: cython.uint, size: cython.uint) -> cython.void:
        """Go on with part of the range, and fill it up with bytes."""
        if self.decoding:
            self.code -= start
        else:
            self.low += start
        self.range_ = size
        while self.range_ < 0x1000000:
            self.range_ = self.range_ << 8
            if self.decoding:
                self.code = (self.code & 0xFFFFFF) << 8 | self.next_byte()
            else:
                self.shift_low()

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def code_bit(self, p: cython.uint, bit: cython.int) -> cython.int:
        """Code a bit that is 1 with probability p / 2^15."""
        bound: cython.uint = (self.range_ >> 15) * p
        if self.decoding:
            bit = self.code < bound
        if bit:
            self.narrow(0, bound)
        else:
            self.narrow(bound, self.range_ - bound)
        return bit

    def finish(self) -> bytes:
        """Write the shortest end: as many zero bytes as the range allows, and leave those out."""
        bits: cython.int = 32
        last: cython.ulonglong = self.low + self.range_ - 1
        ones: cython.ulonglong
        end: cython.ulonglong = self.low
        while bits > 0:
            ones = (cython.cast(cython.ulonglong, 1) << bits) - 1
            end = (self.low + ones) // (ones + 1) * (ones + 1)
            if end <= last:
                break
            bits -= 1
            end = self.low
        self.low = end
        for _ in range(5):
            self.shift_low()
        return bytes(self.data[: min(self.at, self.end)]).rstrip(b"\0")

    def fits(self) -> bool:
        """Return whether all that was coded found room."""
        return self.at <= self.end

    def used_up(self) -> bool:
        """Return whether decoding needed every byte."""
        return self.at >= self.end

    # --- Numbers, for codebooks -----------------------------------------------------------------

    @cython.cfunc
    def adaptive_bit(self, context: cython.int, bit: cython.int) -> cython.int:
        p: cython.int = self.bit_p[context]
        n: cython.int = self.bit_n[context]
        bit = self.code_bit(p, bit)
        p += (((bit << 15) - p) * self.bit_rate[n]) >> 16
        self.bit_p[context] = _clamp(p, 64, 32704)
        self.bit_n[context] = n + (n < 63)
        return bit

    @cython.cfunc
    def number(self, kind: cython.int, value: cython.longlong) -> cython.longlong:
        """Code a signed number: whether it is 0, its sign, its length in bits, and these bits."""
        base: cython.int = kind * _CONTEXT
        if self.adaptive_bit(base, value == 0):
            return 0
        negative: cython.bint = self.adaptive_bit(base + 1, value < 0)
        size: cython.ulonglong = (-value if value < 0 else value) - (not self.decoding)
        length: cython.int = 0
        while length < 32 and self.adaptive_bit(base + 2 + length, size >> length != 0):
            length += 1
        result: cython.ulonglong = 1 if length else 0
        i: cython.int
        bit: cython.int
        for i in range(length - 2, -1, -1):
            bit = (size >> i) & 1
            if i == length - 2:
                bit = self.adaptive_bit(base + 36 + length, bit)
            else:
                bit = self.code_bit(1 << 14, bit)
            result = result << 1 | bit
        return -cython.cast(cython.longlong, result) - 1 if negative else result + 1

    def code_codebook(self, words: cython.uint[:, ::1], bits: cython.int) -> None:
        """Predict each channel from the nearest of the last entries, and code what is left."""
        k: cython.Py_ssize_t = words.shape[0]
        channels: cython.Py_ssize_t = words.shape[1]
        self.bit_p = array("H", [1 << 14]) * (16 * _CONTEXT)
        self.bit_n = bytearray(16 * _CONTEXT)
        top: cython.longlong = (cython.cast(cython.longlong, 1) << bits) - 1
        n: cython.Py_ssize_t
        i: cython.Py_ssize_t
        c: cython.Py_ssize_t
        d: cython.Py_ssize_t
        near: cython.Py_ssize_t
        kind: cython.int
        distance: cython.longlong
        nearest: cython.longlong
        difference: cython.longlong
        guess: cython.longlong
        value: cython.longlong
        for n in range(k):
            for c in range(channels):
                # Red, green and blue move together; alpha goes its own way.
                follows: cython.bint = 0 < c < 3 <= channels
                guess = 0
                if n == 0:
                    kind = 12 + cython.cast(cython.int, c)
                    if follows:
                        guess = words[0, c - 1]
                elif c == 0:
                    kind = 0
                    guess = words[n - 1, 0]
                else:
                    near = n - 1
                    nearest = cython.cast(cython.longlong, 1) << 40
                    for i in range(n - 1, max(n - 1 - _NEAREST, -1), -1):
                        distance = 0
                        for d in range(c):
                            difference = cython.cast(cython.longlong, words[n, d]) - words[i, d]
                            distance += difference if difference > 0 else -difference
                        if distance < nearest:
                            near, nearest = i, distance
                    kind = 3 * cython.cast(cython.int, c) + (0 if nearest == 0 else 1 if nearest == 1 else 2)
                    guess = words[near, c]
                    if follows:
                        guess += cython.cast(cython.longlong, words[n, c - 1]) - words[near, c - 1]
                        guess = 0 if guess < 0 else top if guess > top else guess
                value = self.number(kind, cython.cast(cython.longlong, words[n, c]) - guess)
                words[n, c] = cython.cast(cython.uint, (guess + value) & top)

    # --- Labels -----------------------------------------------------------------------------------

    def model_labels(self, labels: Any, colours: cython.uchar[:, ::1], model: Any, reference: Any) -> None:
        """Set a model of labels to its start."""
        height, width = labels.shape
        pixels = height * width
        self.colours = colours
        self.k = colours.shape[0]
        self.rich = model >= RICH
        self.candidates = min(model % RICH, ASKED)
        self.near = model % RICH == NEAR
        self.logistic, self.trust, self.order = _LOGISTIC, _TRUST, _ORDER
        self.cell_rate, self.row_rate = _CELL_RATE[model >= RICH], _ROW_RATE[model >= RICH]
        self.width, self.stride = width, width + 2 * _MARGIN
        self.recent = _zeros("H", 8 * self.stride)
        self.pattern = _zeros("H", 2 * width)
        self.pattern2 = _zeros("H", 2 * width)
        self.run = self.label_count = 0
        self.referring = reference is not None
        if self.referring:
            self.reference = reference

        self.lanes = 32 if 16 < self.k <= 32 else 16
        self.digits = 1 if self.k <= 32 else 2 if self.k <= 256 else 3 if self.k <= 4096 else 4
        self.nodes = ((1 << 4 * self.digits) - 1) // 15
        self.row_bits = 13
        if self.digits > 2 or (self.digits == 2 and self.rich and self.candidates):
            self.row_bits = min(max(pixels.bit_length() - 4, 13), 14)
        self.direct = self.k * self.nodes <= 1 << self.row_bits
        rows: int = _RICH_ROWS if self.rich else _ROWS
        self.list_rows = (rows << self.row_bits) * self.lanes // 16
        all_rows: int = (rows << self.row_bits) * self.lanes // 16 + (_ROWS << _NEAR_BITS if self.near else 0)
        self.row = _zeros("h", 32 * all_rows)
        self.row_n = bytearray(all_rows)
        self.row_at = _zeros("I", 4 * rows)
        self.context = _zeros("I", 4 * _RICH_ROWS)
        self.candidate = _zeros("i", 4 * ASKED)

        cells: int = _RICH_CELLS if self.rich else _CELLS
        self.cell_bits = min(max(pixels.bit_length() + 2, 8), 18 if self.rich else 16)
        if self.candidates:
            self.cell = _zeros("i", 4 * cells << self.cell_bits)
            self.cell_n = bytearray(cells << self.cell_bits)
            self.cell_at = _zeros("I", 4 * cells)
        else:
            self.copy = _zeros("i", 8 * self.digits << 16)
            self.copy_n = bytearray(self.digits << 16)
            self.copy_rate = _COPY_RATE
        if self.near:
            self.near_x, self.near_y = _NEAR_X, _NEAR_Y
        if self.rich:
            self.row_w = array("i", [235930]) * (self.digits * rows * _LEVELS)
            self.row_s = _zeros("i", 4 * self.digits * 16 * rows)
        if self.rich and self.candidates:
            self.cell_w = array("i", [118000]) * (ASKED * cells * _LEVELS)
            self.cell_s = _zeros("i", 4 * ASKED * 64 * cells)
            self.curve = array("H", _CURVE) * (ASKED * 256)
            self.seen = _zeros("H", 2 << self.cell_bits)
            self.seen_n = bytearray(1 << self.cell_bits)
            self.before = bytearray([7]) * (4 * width)
            self.after = bytearray([24]) * (4 * width)

    def code_labels(self, labels: cython.ushort[:, ::1]) -> bool:
        """Code a plane of labels row by row; False where a coded label is not below k."""
        y: cython.Py_ssize_t
        valid: cython.bint = True
        with cython.nogil:
            for y in range(labels.shape[0]):
                self.begin_row(y)
                # Written out, so that a compiler makes a version for each
                if self.candidates:
                    valid = self.asked_row(labels, y)
                elif self.rich and self.lanes == 32:
                    valid = self.blended_row(True, 32, labels, y)
                elif self.rich:
                    valid = self.blended_row(True, 16, labels, y)
                elif self.lanes == 32:
                    valid = self.blended_row(False, 32, labels, y)
                else:
                    valid = self.blended_row(False, 16, labels, y)
                if not valid:
                    break
                self.end_row(y)
        return valid

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def row_start(self, y: cython.Py_ssize_t) -> cython.Py_ssize_t:
        return (y & 3) * self.stride + _MARGIN

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begin_row(self, y: cython.Py_ssize_t) -> cython.void:
        """Set the margin on the left, and find which labels above are equal, for a whole row at once."""
        recent: cython.ushort[::1] = self.recent
        o: cython.Py_ssize_t = self.row_start(y)
        n: cython.Py_ssize_t = self.row_start(y - 1)
        nn: cython.Py_ssize_t = self.row_start(y - 2)
        x: cython.Py_ssize_t
        for x in range(1, _MARGIN + 1):
            recent[o - x] = recent[n]
        for x in range(self.width):
            self.pattern[x] = (
                (recent[n + x] == recent[n + x + 1]) << 1
                | (recent[n + x] == recent[n + x - 1]) << 3
                | (recent[n + x] == recent[nn + x]) << 5
                | (recent[n + x - 1] == recent[n + x + 1]) << 7
                | (recent[n + x + 2] == recent[n + x + 1]) << 8
                | (recent[n + x + 2] == recent[n + x]) << 9
                | (recent[n + x - 2] == recent[n + x - 1]) << 10
                | (recent[nn + x] == recent[n + x + 1]) << 13
                | (recent[nn + x] == recent[n + x - 1]) << 14
            )
        if self.candidates == 0:
            return
        for x in range(self.width):
            self.pattern2[x] = (
                (recent[nn + x + 1] == recent[n + x + 1]) << 2
                | (recent[nn + x + 1] == recent[nn + x]) << 3
                | (recent[nn + x - 1] == recent[n + x - 1]) << 4
                | (recent[nn + x - 1] == recent[nn + x]) << 5
                | (recent[n + x + 3] == recent[n + x + 2]) << 8
                | (recent[n + x + 3] == recent[n + x + 1]) << 9
                | (recent[nn + x + 1] == recent[n + x]) << 10
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def end_row(self, y: cython.Py_ssize_t) -> cython.void:
        """Set the margin on the right, and count how far each label goes on to either side."""
        recent: cython.ushort[::1] = self.recent
        width: cython.Py_ssize_t = self.width
        o: cython.Py_ssize_t = self.row_start(y)
        at: cython.Py_ssize_t = (y & 3) * width
        x: cython.Py_ssize_t
        far: cython.int
        for x in range(_MARGIN):
            recent[o + width + x] = recent[o + width - 1]
        if not (self.rich and self.candidates):
            return
        far = _MARGIN - 1
        for x in range(width):
            far = _clamp(far + 1, 0, 7) if recent[o + x] == recent[o + x - 1] else 0
            self.before[at + x] = far
        far = _MARGIN - 1
        for x in range(width - 1, -1, -1):
            far = _clamp(far + 1, 0, 24) if recent[o + x] == recent[o + x + 1] else 0
            self.after[at + x] = far

    # --- Lanes: one of 16 or 32 by the softmax of their logits -----------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def code_lane(
        self, lanes: cython.int, logit: cython.p_short, error: cython.p_short, symbol: cython.int
    ) -> cython.int:
        """Code a lane, and leave in `error` how far each frequency was from what came."""
        power = cython.declare(cython.ushort[32])
        frequency = cython.declare(cython.ushort[32])
        inverse = cython.declare(cython.ushort[32])
        j: cython.Py_ssize_t
        i: cython.int
        unit: cython.uint = self.range_ >> 15
        target: cython.int = _clamp(cython.cast(cython.int, self.code // unit), 0, 32767)
        _powers(lanes, logit, power)
        total: cython.uint = 0
        for j in range(lanes):
            total += power[j]
        total = cython.cast(cython.uint, (32768 - lanes) << 16) // total
        for j in range(lanes):
            inverse[j] = cython.cast(cython.ushort, total)
        for j in range(lanes):
            frequency[j] = (
                cython.cast(cython.ushort, (cython.cast(cython.uint, power[j]) * inverse[j]) >> 16) + 1
            )

        # The lane is found in two steps, four lanes at a time and then one.
        group: cython.int = 0
        start: cython.int = 0
        end: cython.int = 0
        after: cython.bint
        if self.decoding:
            for i in range((lanes >> 2) - 1):
                end += frequency[4 * i] + frequency[4 * i + 1] + frequency[4 * i + 2] + frequency[4 * i + 3]
                after = end <= target
                group += after
                start = end if after else start
        else:
            group = symbol >> 2
            for i in range(group):
                start += frequency[4 * i] + frequency[4 * i + 1] + frequency[4 * i + 2] + frequency[4 * i + 3]
        one: cython.int = start + frequency[4 * group]
        two: cython.int = one + frequency[4 * group + 1]
        three: cython.int = two + frequency[4 * group + 2]
        if self.decoding:
            symbol = 4 * group + (one <= target) + (two <= target) + (three <= target)
        i = symbol & 3
        start = start if i == 0 else one if i == 1 else two if i == 2 else three
        unit_start: cython.uint = start * unit
        self.narrow(unit_start, frequency[symbol] * unit if symbol < lanes - 1 else self.range_ - unit_start)
        came: cython.short = symbol
        for j in range(lanes):
            error[j] = (32767 if self.order[j] == came else 0) - cython.cast(cython.short, frequency[j])
        return symbol

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def tilt(
        self, lanes: cython.int, logit: cython.p_short, lane: cython.short, by: cython.short
    ) -> cython.void:
        j: cython.Py_ssize_t
        for j in range(lanes):
            logit[j] += by if self.order[j] == lane else 0

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def add_rows(self, lanes: cython.int, logit: cython.p_short) -> cython.void:
        """Add up four rows, without weights."""
        j: cython.Py_ssize_t
        a: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[0]) * lanes
        b: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[1]) * lanes
        c: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[2]) * lanes
        d: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[3]) * lanes
        for j in range(lanes):
            logit[j] = (
                cython.cast(
                    cython.short, self.row[a + j] + self.row[b + j] + self.row[c + j] + self.row[d + j]
                )
                >> 2
            )

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def step_row(self, lanes: cython.int, at: cython.uint, error: cython.p_short) -> cython.void:
        """Take a step down the gradient: rounded, since a bias would add up."""
        a: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, at) * lanes
        n: cython.int = self.row_n[at]
        rate: cython.short = self.row_rate[n]
        most: cython.short = _MOST
        least: cython.short = -_MOST
        step: cython.short
        logit: cython.short
        j: cython.Py_ssize_t
        self.row_n[at] = n + (n < 255)
        for j in range(lanes):
            step = cython.cast(cython.short, (cython.cast(cython.int, error[j]) * rate) >> 16)
            logit = self.row[a + j] + cython.cast(cython.short, (step + 1) >> 1)
            logit = logit if logit < most else most
            self.row[a + j] = logit if logit > least else least

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def code_lean(
        self, lanes: cython.int, logit: cython.p_short, error: cython.p_short, symbol: cython.int
    ) -> cython.int:
        """Code a lane by logits made of four rows, and let these learn."""
        symbol = self.code_lane(lanes, logit, error, symbol)
        i: cython.int
        for i in range(4):
            self.step_row(lanes, self.row_at[i], error)
        return symbol

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def weigh_rows(
        self,
        asked: cython.bint,
        rows: cython.int,
        lanes: cython.int,
        place: cython.int,
        logit: cython.p_short,
    ) -> cython.void:
        """Add up rows by their weights: by trust in each, and, after questions, by what is equal."""
        part = cython.declare(cython.short[32])
        factor: cython.short
        i: cython.int
        j: cython.Py_ssize_t
        a: cython.Py_ssize_t
        w: cython.int
        for j in range(lanes):
            logit[j] = 0
        for i in range(rows):
            a = cython.cast(cython.Py_ssize_t, self.row_at[i]) * lanes
            w = self.row_w[self.weight_at(place, i)]
            if asked:
                w += self.row_s[(place * 16 + self.equal) * _RICH_ROWS + i]
            factor = _clamp(w >> 4, -8192, 24576)
            for j in range(lanes):
                part[j] = self.row[a + j]
            for j in range(lanes):
                logit[j] += cython.cast(cython.short, (cython.cast(cython.int, factor) * part[j]) >> 16)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def weight_at(self, place: cython.int, i: cython.int) -> cython.int:
        return (place * _RICH_ROWS + i) * _LEVELS + self.trust[self.row_n[self.row_at[i]]]

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def code_rich(
        self,
        asked: cython.bint,
        rows: cython.int,
        lanes: cython.int,
        place: cython.int,
        logit: cython.p_short,
        error: cython.p_short,
        symbol: cython.int,
    ) -> cython.int:
        """Code a lane by logits made of weighted rows, and let weights and rows learn."""
        i: cython.int
        j: cython.Py_ssize_t
        a: cython.Py_ssize_t
        w: cython.int
        total: cython.int
        symbol = self.code_lane(lanes, logit, error, symbol)
        if self.label_count & 1:  # often enough for the weights
            for i in range(rows):
                a = cython.cast(cython.Py_ssize_t, self.row_at[i]) * lanes
                total = 0
                for j in range(lanes):
                    total += cython.cast(cython.int, error[j]) * self.row[a + j]
                w = self.weight_at(place, i)
                self.row_w[w] = _clamp(self.row_w[w] + ((total + (1 << 13)) >> 14), -_HEAVIEST, _HEAVIEST)
                if asked:
                    w = (place * 16 + self.equal) * _RICH_ROWS + i
                    self.row_s[w] = _clamp(self.row_s[w] + ((total + (1 << 15)) >> 16), -_HEAVIEST, _HEAVIEST)
        for i in range(rows):
            self.step_row(lanes, self.row_at[i], error)
        return symbol

    # --- A label as its digits ---------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def find_contexts(
        self, rich: cython.bint, x: cython.Py_ssize_t, y: cython.Py_ssize_t, NE: cython.uint
    ) -> cython.void:
        """Set the contexts of the rows: labels around, and colours that they suggest."""
        o: cython.Py_ssize_t = self.row_start(y) + x
        n: cython.Py_ssize_t = self.row_start(y - 1) + x
        i: cython.int
        w: cython.int
        self.context[0] = self.recent[o - 1]
        self.context[1] = self.recent[n]
        self.context[2] = self.recent[n - 1]
        self.context[3] = NE
        if not rich:
            return
        self.context[4] = self.recent[o - 2]
        self.context[5] = self.recent[self.row_start(y - 2) + x]
        self.context[6] = self.recent[n + 2]
        self.context[7] = 0
        self.context[8] = 0
        self.context[9] = 0
        for i in range(4):
            w = self.colours[self.context[0], i]
            self.context[9] = (
                self.context[9] << 8 | _clamp(2 * w - self.colours[self.context[4], i], 0, 255) >> 4
            )
            w += self.colours[self.context[1], i]
            self.context[8] = self.context[8] << 8 | _clamp(w - self.colours[self.context[2], i], 0, 255) >> 4

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def find_rows(
        self, rows: cython.int, lanes: cython.int, place: cython.int, node: cython.uint, prefix: cython.int
    ) -> cython.void:
        """Find the row of each feature; one never seen before starts with what colours suggest."""
        f: cython.int
        at: cython.uint
        for f in range(rows):
            if self.direct and f < _DIRECT:
                at = self.context[f] * self.nodes + node
            else:
                at = _hash(self.context[f], node) >> (32 - self.row_bits)
            at += cython.cast(cython.uint, f) << self.row_bits
            self.row_at[f] = at
            if f < 4 and self.row_n[at] == 0:
                self.start_row(f, at, lanes, place, prefix)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def start_row(
        self, f: cython.int, at: cython.uint, lanes: cython.int, place: cython.int, prefix: cython.int
    ) -> cython.void:
        i: cython.int
        j: cython.Py_ssize_t
        label: cython.int
        distance: cython.int
        difference: cython.int
        if self.choosing:
            if self.started[at]:
                return
            self.started[at] = 1
        for j in range(lanes):
            label = ((prefix << 4) + cython.cast(cython.int, j)) << 4 * place
            distance = _MOST
            if label < self.k:
                # The colour in the middle stands for all that share the digit.
                label += min(1 << 4 * place, self.k - label) >> 1
                distance = 0
                for i in range(4):
                    difference = self.colours[self.context[f], i]
                    difference -= self.colours[label, i]
                    distance += difference if difference > 0 else -difference
                distance = min(_PRIOR * distance, _MOST)
            distance = distance if f < 2 else distance >> 2
            self.row[cython.cast(cython.Py_ssize_t, at) * lanes + j] = -distance

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def lane_of(
        self, label: cython.int, lanes: cython.int, place: cython.int, prefix: cython.int
    ) -> cython.int:
        """Return which lane leads to a label from a prefix, or -1."""
        lane: cython.int = (label >> 4 * place) - (prefix << 4)
        return lane if 0 <= lane < lanes else -1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def blended_digits(
        self, rich: cython.bint, lanes: cython.int, equal: cython.int, c: cython.int
    ) -> cython.int:
        """Code a label, blending in how often a label is that of W or N where the same are equal."""
        logit = cython.declare(cython.short[32])
        error = cython.declare(cython.short[32])
        node: cython.uint = 0
        label: cython.int = 0
        place: cython.int
        i: cython.int
        n: cython.int
        a: cython.Py_ssize_t
        w_lane: cython.int
        n_lane: cython.int
        rate: cython.int
        for place in range(self.digits - 1, -1, -1):
            if rich:
                self.find_rows(_BLENDED_ROWS, lanes, place, node, label)
                self.weigh_rows(False, _BLENDED_ROWS, lanes, place, logit)
            else:
                self.find_rows(_ROWS, lanes, place, node, label)
                self.add_rows(lanes, logit)
            i = place << 16 | equal
            a = 2 * i
            w_lane = self.lane_of(self.context[0], lanes, place, label)
            n_lane = self.lane_of(self.context[1], lanes, place, label)
            self.tilt(lanes, logit, w_lane, self.copy[a] >> 6)
            self.tilt(lanes, logit, n_lane, self.copy[a + 1] >> 6)
            i = (c >> 4 * place) & (lanes - 1)
            if rich:
                i = self.code_rich(False, _BLENDED_ROWS, lanes, place, logit, error, i)
            else:
                i = self.code_lean(lanes, logit, error, i)
            node = node * 16 + 1 + i
            label = (label << 4) + i
            n = self.copy_n[a >> 1]
            rate = self.copy_rate[n]
            self.copy_n[a >> 1] = n + (n < 255)
            if w_lane >= 0:
                self.copy[a] = _clamp(self.copy[a] + ((error[w_lane] * rate) >> 13), -_SURE, _SURE)
            if n_lane >= 0:
                self.copy[a + 1] = _clamp(self.copy[a + 1] + ((error[n_lane] * rate) >> 13), -_SURE, _SURE)
        self.label_count += 1
        return label

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def blended_row(
        self, rich: cython.bint, lanes: cython.int, labels: cython.ushort[:, ::1], y: cython.Py_ssize_t
    ) -> cython.bint:
        recent: cython.ushort[::1] = self.recent
        o: cython.Py_ssize_t = self.row_start(y)
        n: cython.Py_ssize_t = self.row_start(y - 1)
        x: cython.Py_ssize_t
        W: cython.int
        WW: cython.int
        N: cython.int
        NW: cython.int
        NWW: cython.int
        NE: cython.int
        c: cython.int
        equal: cython.int
        for x in range(labels.shape[1]):
            W = recent[o - 1]
            WW = recent[o - 2]
            N = recent[n]
            NW = recent[n - 1]
            NWW = recent[n - 2]
            NE = self.reference[y, x] if self.referring else recent[n + 1]
            equal = (
                self.pattern[x]
                | (W == N)
                | (W == NW) << 2
                | (W == WW) << 4
                | (NE == W) << 6
                | (NWW == W) << 11
                | (WW == NW) << 12
                | (WW == NWW) << 15
            )
            self.find_contexts(rich, x, y, NE)
            c = self.blended_digits(rich, lanes, equal, 0 if self.decoding else labels[y, x])
            if c >= self.k:
                return False
            if self.decoding:
                labels[y, x] = c
            recent[o] = c
            o += 1
            n += 1
        return True

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def asked_digits(self, lanes: cython.int, c: cython.int) -> cython.int:
        """Code a label that is no candidate's."""
        logit = cython.declare(cython.short[32])
        error = cython.declare(cython.short[32])
        node: cython.uint = 0
        label: cython.int = 0
        place: cython.int
        i: cython.int
        j: cython.Py_ssize_t
        for place in range(self.digits - 1, -1, -1):
            if self.rich:
                self.find_rows(_RICH_ROWS, lanes, place, node, label)
                self.weigh_rows(True, _RICH_ROWS, lanes, place, logit)
            else:
                self.find_rows(_ROWS, lanes, place, node, label)
                self.add_rows(lanes, logit)
            if place == 0:
                for i in range(self.candidates):
                    j = self.lane_of(self.candidate[i], lanes, 0, label)
                    if j >= 0:
                        logit[j] = _NEVER
            i = (c >> 4 * place) & (lanes - 1)
            if self.rich:
                i = self.code_rich(True, _RICH_ROWS, lanes, place, logit, error, i)
            else:
                i = self.code_lean(lanes, logit, error, i)
            node = node * 16 + 1 + i
            label = (label << 4) + i
        self.label_count += 1
        return label

    # --- Choosing labels ----------------------------------------------------------------------------

    def choose_by(
        self, pixels: Any, points: Any, entries: Any, nearest: Any, farthest: Any, lagrange: Any
    ) -> None:
        """Have labels chosen, by the small model that asks for all candidates."""
        self.choosing = True
        self.pixels, self.points, self.entries = pixels, points, entries
        self.nearest, self.farthest, self.lagrange = nearest, farthest, lagrange
        self.logarithm, self.surprise = _cost_tables()
        self.started = bytearray(len(self.row_n))

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def squared_distance(self, colour: cython.Py_ssize_t, label: cython.Py_ssize_t) -> cython.longlong:
        a: cython.longlong = self.points[colour, 0] - self.entries[label, 0]
        b: cython.longlong = self.points[colour, 1] - self.entries[label, 1]
        c: cython.longlong = self.points[colour, 2] - self.entries[label, 2]
        d: cython.longlong = self.points[colour, 3] - self.entries[label, 3]
        return a * a + b * b + c * c + d * d

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def worth_ahead(self, label: cython.int) -> cython.int:
        """Return what labels to come may save if they equal this one."""
        return _BESIDE * ((label == self.east) + (label == self.south)) + _ASLANT * (
            (label == self.south_west) + (label == self.south_east)
        )

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def find_costs(self, lanes: cython.int, logit: cython.p_short, cost: cython.p_int) -> cython.void:
        """Set what each lane costs: how far its logit is below the logarithm of the sum of all powers."""
        power = cython.declare(cython.ushort[32])
        j: cython.Py_ssize_t
        most: cython.short = _powers(lanes, logit, power)
        total: cython.uint = 0
        for j in range(lanes):
            total += power[j]
        least: cython.int = self.logarithm[total >> 8]
        for j in range(lanes):
            cost[j] = min(least + most - logit[j], _DEAREST)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def choose(self, labels: cython.ushort[:, ::1], x: cython.Py_ssize_t, y: cython.Py_ssize_t) -> cython.int:
        """Return the label for which distance and cost together are least."""
        colour: cython.Py_ssize_t = self.pixels[y, x]
        farthest: cython.longlong = self.farthest[colour]
        if farthest < 0:
            return self.nearest[colour]
        right: cython.bint = x + 1 < labels.shape[1]
        below: cython.bint = y + 1 < labels.shape[0]
        self.east = labels[y, x + 1] if right else -1
        self.south = labels[y + 1, x] if below else -1
        self.south_west = labels[y + 1, x - 1] if below and x > 0 else -1
        self.south_east = labels[y + 1, x + 1] if below and right else -1
        least: cython.longlong = 0x7FFFFFFFFFFFFFFF
        best: cython.int = self.nearest[colour]
        before: cython.int = 0  # what it costs that none of the candidates so far is it
        i: cython.int
        f: cython.int
        total: cython.int
        yes: cython.int
        distance: cython.longlong
        for i in range(self.candidates):
            if (i > 0 and self.candidate[i] == self.candidate[0]) or (
                i > 1 and self.candidate[i] == self.candidate[1]
            ):
                continue
            total = 0
            for f in range(_CELLS):
                total += self.cell[self.cell_at[f] + i] >> 4
            total = _clamp(total >> 3, -_STEEPEST, _STEEPEST)
            yes = self.surprise[total] if total >= 0 else self.surprise[-total] - 8 * total
            distance = self.squared_distance(colour, self.candidate[i])
            if distance <= farthest:
                distance += self.lagrange * (before + yes - self.worth_ahead(self.candidate[i]))
                if distance < least:
                    least = distance
                    best = self.candidate[i]
            before += yes + 8 * total
        if self.lagrange * (before - 2 * (_BESIDE + _ASLANT)) >= least:
            return best  # as it would be even if another label were perfect
        if self.lanes == 32:
            return self.choose_digits(32, colour, before, least, best)
        return self.choose_digits(16, colour, before, least, best)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def choose_digits(
        self,
        lanes: cython.int,
        colour: cython.Py_ssize_t,
        before: cython.int,
        least: cython.longlong,
        best: cython.int,
    ) -> cython.int:
        """Return the label that costs least by its digits, or `best` if none costs less than `least`.

        Labels are tried that have all digits but the last from the nearest one or from a neighbour's.
        """
        logit = cython.declare(cython.short[32])
        first_cost = cython.declare(cython.int[32])
        cost = cython.declare(cython.int[32])
        prefix = cython.declare(cython.int[5])
        shift: cython.int = 5 if lanes == 32 else 4
        most_worth: cython.int = 2 * (_BESIDE + _ASLANT)
        count: cython.int = 1
        known: cython.bint
        place: cython.int
        node: cython.uint
        label: cython.int
        total: cython.int
        i: cython.int
        j: cython.int
        n: cython.int
        distance: cython.longlong
        prefix[0] = self.nearest[colour] >> shift
        for i in range(4):
            known = False
            for j in range(count):
                known |= prefix[j] == cython.cast(cython.int, self.context[i] >> shift)
            if not known:
                prefix[count] = self.context[i] >> shift
                count += 1
        if self.digits > 1:
            self.find_rows(_ROWS, lanes, self.digits - 1, 0, 0)
            self.add_rows(lanes, logit)
            self.find_costs(lanes, logit, first_cost)
        for n in range(count):
            total = before
            node = 0
            label = 0
            for place in range(self.digits - 1, 0, -1):
                i = (prefix[n] >> 4 * (place - 1)) & 15
                if node == 0:
                    total += first_cost[i]
                else:
                    self.find_rows(_ROWS, lanes, place, node, label)
                    self.add_rows(lanes, logit)
                    self.find_costs(lanes, logit, cost)
                    total += cost[i]
                node = node * 16 + 1 + i
                label = (label << 4) + i
            if self.lagrange * (total - most_worth) >= least:
                continue
            self.find_rows(_ROWS, lanes, 0, node, label)
            self.add_rows(lanes, logit)
            for i in range(self.candidates):
                j = self.lane_of(self.candidate[i], lanes, 0, label)
                if j >= 0:
                    logit[j] = _NEVER
            self.find_costs(lanes, logit, cost)
            label = prefix[n] << shift
            for i in range(min(lanes, self.k - label)):
                if self.lagrange * (total + cost[i] - most_worth) >= least or logit[i] == _NEVER:
                    continue
                distance = self.squared_distance(colour, label + i)
                if distance > self.farthest[colour]:
                    continue
                distance += self.lagrange * (total + cost[i] - self.worth_ahead(label + i))
                if distance < least:
                    least = distance
                    best = label + i
        return best

    # --- Whether a label is a candidate's -----------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def code_answer(
        self, cells: cython.int, candidate: cython.int, same: cython.int, bit: cython.int
    ) -> cython.int:
        """Code whether a label is a candidate's, and learn from it."""
        weight = cython.declare(cython.int[13])
        i: cython.int
        a: cython.uint
        n: cython.int
        w: cython.int
        step: cython.int
        node: cython.int
        bend: cython.int
        total: cython.int = 0
        first: cython.int = candidate * cells * _LEVELS
        second: cython.int = (candidate * 64 + (same & 63)) * cells
        for i in range(cells):
            a = self.cell_at[i] + candidate
            if self.rich:
                w = first + i * _LEVELS + self.trust[self.cell_n[a]]
                weight[i] = w
                w = _clamp((self.cell_w[w] + self.cell_s[second + i]) >> 4, -32768, 32767)
                total += (w * (self.cell[a] >> 4)) >> 14
            else:
                total += self.cell[a] >> 4
        total = _clamp(total >> 3, -_STEEPEST, _STEEPEST)
        p: cython.int = self.logistic[total] if total >= 0 else 32768 - self.logistic[-total]
        if self.rich:
            # What came in the past where this was the probability, between two nodes of a curve
            bend = (total + 1408) & 127
            node = (candidate * 256 + same) * _NODES + ((total + 1408) >> 7)
            n = (self.curve[node] * (128 - bend) + self.curve[node + 1] * bend) >> 7
            bit = self.code_bit(_clamp((2 * p + n) >> 2, 2, 32766), bit)
            node += bend >> 6
            self.curve[node] += ((65535 if bit else 0) - self.curve[node]) >> 6
        else:
            bit = self.code_bit(p, bit)
        error: cython.int = (bit << 15) - p
        for i in range(cells):
            a = self.cell_at[i] + candidate
            n = self.cell_n[a]
            if self.rich:
                step = (error * (self.cell[a] >> 4) + (1 << 15)) >> 16
                w = weight[i]
                self.cell_w[w] = _clamp(self.cell_w[w] + step, -_HEAVIEST, _HEAVIEST)
                self.cell_s[second + i] = _clamp(self.cell_s[second + i] + step, -_HEAVIEST, _HEAVIEST)
            step = (error * self.cell_rate[n] + (1 << 15)) >> 16
            self.cell[a] = _clamp(self.cell[a] + step, -_SURE, _SURE)
            self.cell_n[a] = n + (n < 255)
        return bit

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def code_near(
        self, x: cython.Py_ssize_t, y: cython.Py_ssize_t, more: cython.uint, c: cython.int
    ) -> cython.int:
        """Code which of up to 15 other labels nearby a label is, or return -1."""
        near = cython.declare(cython.int[16])
        logit = cython.declare(cython.short[32])
        error = cython.declare(cython.short[32])
        length: cython.int = 0
        symbol: cython.int = 15
        i: cython.int
        j: cython.int
        label: cython.int
        known: cython.bint
        W: cython.uint = self.context[0]
        for i in range(_NEAR_PLACES):
            if length == 15:
                break
            label = self.recent[self.row_start(y - self.near_y[i]) + x + self.near_x[i]]
            known = False
            for j in range(self.candidates):
                known |= label == self.candidate[j]
            for j in range(length):
                known |= label == near[j]
            if not known:
                near[length] = label
                symbol = length if label == c else symbol
                length += 1
        self.row_at[0] = length | (more & 255) << 4
        self.row_at[1] = _hash(more, length) >> (32 - _NEAR_BITS)
        self.row_at[2] = _hash(W | self.context[1] << 16, 3) >> (32 - _NEAR_BITS)
        self.row_at[3] = _hash(W, self.context[3] | 77 << 16) >> (32 - _NEAR_BITS)
        for i in range(_ROWS):
            self.row_at[i] += self.list_rows + (cython.cast(cython.uint, i) << _NEAR_BITS)
        self.add_rows(16, logit)
        for i in range(length, 15):
            logit[i] = _NEVER
        symbol = self.code_lean(16, logit, error, symbol)
        return near[symbol] if symbol < length else -1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def set_cell(self, f: cython.int, h: cython.uint) -> cython.void:
        mask: cython.uint = ((1 << self.cell_bits) - 1) & ~3
        self.cell_at[f] = (h & mask) + (cython.cast(cython.uint, f) << self.cell_bits)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def find_cells(
        self, W: cython.uint, pair: cython.uint, four: cython.uint, more: cython.uint, most: cython.uint
    ) -> cython.void:
        self.set_cell(0, _hash(pair, 1))
        self.set_cell(1, four)
        self.set_cell(2, _hash(more, 3))
        self.set_cell(3, _hash(most, 4))
        self.set_cell(4, _hash(more, pair))
        self.set_cell(5, _hash(W | (more & 255) << 16, 6))

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def find_rich_cells(
        self,
        x: cython.Py_ssize_t,
        y: cython.Py_ssize_t,
        pair: cython.uint,
        four: cython.uint,
        more: cython.uint,
        most: cython.uint,
        seen: cython.uint,
    ) -> cython.void:
        width: cython.Py_ssize_t = self.width
        o: cython.Py_ssize_t = self.row_start(y) + x
        n: cython.Py_ssize_t = self.row_start(y - 1) + x
        nn: cython.Py_ssize_t = self.row_start(y - 2) + x
        nnn: cython.Py_ssize_t = self.row_start(y - 3) + x
        a: cython.Py_ssize_t = ((y + 3) & 3) * width + x
        b: cython.Py_ssize_t = ((y + 2) & 3) * width + x
        c: cython.Py_ssize_t = ((y + 1) & 3) * width + x
        W: cython.uint = self.recent[o - 1]
        N: cython.uint = self.recent[n]
        NN: cython.uint = self.recent[nn]
        NNN: cython.uint = self.recent[nnn]
        same: cython.uint = more & 255
        edges: cython.uint
        match: cython.uint = 0
        times: cython.uint = self.seen_n[seen]
        label: cython.uint = self.seen[seen]
        self.set_cell(3, _hash(most, 4))
        most ^= _hash(
            (NNN == NN)
            | (NNN == N) << 1
            | (self.recent[nn + 2] == self.recent[nn + 1]) << 2
            | (self.recent[nn + 2] == self.recent[n + 2]) << 3
            | (self.recent[nn - 2] == self.recent[nn - 1]) << 4
            | (self.recent[nn - 2] == self.recent[n - 2]) << 5
            | (self.recent[o - 4] == self.recent[o - 3]) << 6
            | (self.recent[nn + 2] == self.recent[n + 1]) << 7
            | (self.recent[nn - 2] == self.recent[n - 1]) << 8,
            1,
        )
        # How far N and NN reach to either side tells where an edge runs, and which way
        edges = (
            self.before[a] | min(self.after[a], 7) << 4 | self.before[b] << 8 | min(self.after[b], 7) << 12
        )
        if times:
            match = 1 if label == W else 2 if label == N else 3 if label == self.recent[n + 1] else 4
        self.set_cell(0, _hash(pair, 1))
        self.set_cell(1, four)
        self.set_cell(2, _hash(most, 3))
        self.set_cell(4, _hash(pair, self.recent[n + 1] | self.recent[o - 2] << 16))
        self.set_cell(5, _hash(pair, NN | self.recent[nn + 1] << 16))
        self.set_cell(6, _hash(pair, self.recent[o - 2] | self.recent[o - 3] << 16))
        self.set_cell(
            7,
            _hash(
                edges | self.before[c] << 16 | min(self.after[c], 7) << 20,
                (W == N) | (N == NN) << 1 | (NN == NNN) << 2 | (N == NNN) << 3,
            ),
        )
        self.set_cell(
            8,
            _hash(
                edges | min(self.run, 15) << 16,
                (W == N)
                | (N == NN) << 1
                | (W == NN) << 2
                | (self.recent[n - 1] == W) << 3
                | (self.recent[n + 1] == W) << 4,
            ),
        )
        self.set_cell(9, _hash(min(self.run, 40), same))
        self.set_cell(10, _hash(self.after[a], more))
        self.set_cell(11, _hash(match | min(times, 15) << 4, 17))
        self.set_cell(12, _hash(match | min(times, 3) << 8, same))

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def ask(self, cells: cython.int, same: cython.int, c: cython.int) -> cython.int:
        """Code which candidate a label is, or return their number."""
        i: cython.int = 0
        while i < self.candidates:
            # A candidate like an earlier one is passed over.
            if not (
                (i > 0 and self.candidate[i] == self.candidate[0])
                or (i > 1 and self.candidate[i] == self.candidate[1])
            ) and self.code_answer(cells, i, same, c == self.candidate[i]):
                break
            i += 1
        return i

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def asked_row(self, labels: cython.ushort[:, ::1], y: cython.Py_ssize_t) -> cython.bint:
        recent: cython.ushort[::1] = self.recent
        o: cython.Py_ssize_t = self.row_start(y)
        n: cython.Py_ssize_t = self.row_start(y - 1)
        nn: cython.Py_ssize_t = self.row_start(y - 2)
        x: cython.Py_ssize_t
        c: cython.int
        i: cython.int
        W: cython.uint
        WW: cython.uint
        N: cython.uint
        NW: cython.uint
        NE: cython.uint
        more: cython.uint
        most: cython.uint
        pair: cython.uint
        four: cython.uint
        seen: cython.uint = 0
        for x in range(labels.shape[1]):
            W = recent[o - 1]
            WW = recent[o - 2]
            N = recent[n]
            NW = recent[n - 1]
            NE = self.reference[y, x] if self.referring else recent[n + 1]
            more = (
                self.pattern[x]
                | (W == N)
                | (W == NW) << 2
                | (W == WW) << 4
                | (NE == W) << 6
                | (recent[n - 2] == W) << 11
                | (WW == NW) << 12
                | (recent[n - 2] == WW) << 15
            )
            most = (
                more
                | cython.cast(cython.uint, self.pattern2[x]) << 16
                | (recent[nn] == W) << 16
                | (recent[n + 2] == W) << 17
                | (recent[o - 3] == WW) << 22
                | (recent[o - 3] == W) << 23
            )
            pair = W | N << 16
            four = _hash(pair, NW | NE << 16)
            c = -1 if self.decoding else labels[y, x]
            self.candidate[0] = W
            self.candidate[1] = N
            self.candidate[2] = NE
            if self.rich:
                seen = _hash(four, _hash(WW | recent[nn] << 16, recent[n + 2] | recent[n - 2] << 16))
                seen = _hash(seen, _hash(recent[o - 3] | recent[nn + 1] << 16, recent[nn - 1]))
                seen = seen >> (32 - self.cell_bits)
                self.find_rich_cells(x, y, pair, four, more, most, seen)
                i = self.ask(_RICH_CELLS, more & 255, c)
            else:
                self.find_cells(W, pair, four, more, most)
                if self.choosing:
                    self.find_contexts(False, x, y, NE)
                    c = self.choose(labels, x, y)
                    labels[y, x] = c
                i = self.ask(_CELLS, more & 255, c)
            if i < self.candidates:
                c = self.candidate[i]
            else:
                self.find_contexts(self.rich, x, y, NE)
                if self.rich:
                    self.context[10] = _hash(W, N)
                    self.equal = more & 15
                    self.context[11] = 0
                    self.context[12] = four
                    if self.seen_n[seen]:
                        self.context[11] = _hash(self.seen[seen], min(self.seen_n[seen], 7) + 100)
                i = self.code_near(x, y, more, c) if self.near else -1
                if i >= 0:
                    c = i
                elif self.lanes == 32:
                    c = self.asked_digits(32, c)
                else:
                    c = self.asked_digits(16, c)
                if c >= self.k:
                    return False
            if self.decoding:
                labels[y, x] = c
            self.run = self.run + 1 if c == cython.cast(cython.int, W) else 0
            if self.rich:
                i = self.seen_n[seen]
                if i and self.seen[seen] == c:
                    self.seen_n[seen] = i + (i < 255)
                else:
                    self.seen[seen] = c
                    self.seen_n[seen] = 1
            recent[o] = c
            o += 1
            n += 1
            nn += 1
        return True


def encode_labels(labels: Any, colours: Any, model: int, limit: int, reference: Any = None) -> bytes | None:
    """Code a plane of labels by a model.

    Parameters
    ----------
    labels : buffer of uint16, shape (height, width)
        All below k.
    colours : buffer of uint8, shape (k, 4)
        What the labels look like.
    model : int
        `BLENDED`, 1 to `ASKED` for so many candidates, or `NEAR`; for the larger models `RICH`
        more. FORMAT.md, "Modelled labels", tells what they are.
    limit : int
        How many bytes the labels may take.
    reference : buffer of uint16, shape (height, width), optional
        Another plane, such as that of the frame before, all below k: its label takes the place of
        NE among the neighbours. FORMAT.md does not use it yet.

    Returns
    -------
    bytes or None
        The coded labels; None where they take more than `limit` bytes.
    """
    coder = _Coder(bytearray(limit), False)
    plane = memoryview(labels)
    coder.model_labels(plane, memoryview(colours), model, reference)
    coder.code_labels(plane)
    coded = coder.finish()
    return coded if coder.fits() else None


def choose_labels(
    pixels: Any,
    points: Any,
    entries: Any,
    nearest: Any,
    farthest: Any,
    lagrange: int,
    colours: Any,
    labels: Any,
) -> int:
    """Choose the labels for which squared distance and bits together are least; return their bytes.

    Each pixel in turn gets the label that is cheapest where the adaptive model `ASKED` then stands,
    and the model learns from it; what a label does to the pixels that follow is guessed from the
    labels that those had before. So it pays to choose again by the result.

    Entropy-constrained vector quantisation, after Chou, Lookabaugh and Gray, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 37(1), 1989.

    Parameters
    ----------
    pixels : buffer of uint32, shape (height, width)
        IN. Which of the colours each pixel has.
    points : buffer of int32, shape (n, 4)
        IN. The colours, as coordinates below 2**19 in size.
    entries : buffer of int32, shape (k, 4)
        IN. The codebook, in the same coordinates.
    nearest : buffer of int32, shape (n,)
        IN. The entry nearest to each colour.
    farthest : buffer of int64, shape (n,)
        IN. The largest squared distance from each colour to its entry, no less than to the nearest;
        a negative one lets the colour have only that.
    lagrange : int
        The squared distance that saving 1/1024 nat is worth, up to 2**44.
    colours : buffer of uint8, shape (k, 4)
        IN. As for `encode_labels`.
    labels : buffer of uint16, shape (height, width)
        IN, all below k: a guess, such as the nearest or those of the round before. OUT: the labels.
    """
    coder = _Coder(bytearray(0), False)
    plane = memoryview(labels)
    coder.model_labels(plane, memoryview(colours), ASKED, None)
    coder.choose_by(*map(memoryview, (pixels, points, entries, nearest, farthest)), lagrange)
    coder.code_labels(plane)
    coder.finish()
    return coder.at


def decode_labels(data: bytes, labels: Any, colours: Any, model: int, reference: Any = None) -> str:
    """Decode what `encode_labels` coded into `labels`; return the rule of FORMAT.md that is broken, or ""."""
    coder = _Coder(bytearray(data), True)
    plane = memoryview(labels)
    coder.model_labels(plane, memoryview(colours), model, reference)
    if not coder.code_labels(plane):
        return "label"
    return "" if coder.used_up() else "labels-length"


def encode_codebook(words: Any, bits: int) -> bytes:
    """Code a codebook, a buffer of uint32 of shape (k, channels), whose values have so many bits."""
    coder = _Coder(bytearray(2 * memoryview(words).nbytes + 16), False)
    coder.code_codebook(memoryview(words), bits)
    return coder.finish()


def decode_codebook(data: bytes, words: Any, bits: int) -> bool:
    """Decode what `encode_codebook` coded into `words`; False where some of `data` was not needed."""
    coder = _Coder(bytearray(data), True)
    coder.code_codebook(memoryview(words), bits)
    return coder.used_up()
