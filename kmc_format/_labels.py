# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The compiled core: a range coder, and the models of labels and codebooks that drive it.

Cython in pure-Python mode: the package build compiles this file, and the same file runs
uncompiled, slowly, for debugging. It takes buffers and returns buffers, releases the GIL, and
computes in integers, so that every machine gets the same result. FORMAT.md, parts "Range coder",
"Modelled codebook" and "Modelled labels", is what it implements; the comments here say why.

One class codes in both directions, so encoder and decoder cannot drift apart. No index comes
unmasked from the input: positions in the coded bytes are compared with their end, labels with k,
and all others are bounded by construction.
"""

from __future__ import annotations

import math
from array import array
from typing import Any

import cython

LEAN, RICH = 0, 1

_LEAN_CELLS, _LEAN_ROWS = 6, 6  # features of a two-way and of a sixteen-way decision
_RICH_CELLS, _RICH_ROWS = 16, 14
_ROW_BITS = cython.declare(cython.int, 13)  # log2 of the rows a feature has
_DIRECT = cython.declare(cython.int, 8)  # so many features are single labels: no hash while they fit
_PRIOR = cython.declare(cython.int, 10)  # nats / 1024 that a unit of colour distance costs at first
_MOST = cython.declare(cython.int, 5400)  # largest logit of a row, so that no sum of them overflows 16 bits
_LEVELS = cython.declare(cython.int, 10)  # of trust, by visits
_NEAREST = cython.declare(cython.int, 64)  # codebook entries that are looked back
_CONTEXT = cython.declare(cython.int, 70)  # adaptive bits for numbers of one kind

_MASK = cython.declare(cython.uint, 0xFFFFFFFF)


def _logistic_table() -> Any:
    """2^15 / (1 + exp(-i / 128)), by repeated multiplication with exp(-1 / 128) * 2^32."""
    power, table = 1 << 32, []
    for _ in range(1408):
        table.append(min((1 << 47) // ((1 << 32) + power), 32766))
        power = power * 4261542741 >> 32
    return array("H", table)


_LOGISTIC = _logistic_table()
_CELL_RATE = array("i", [max(math.isqrt((1 << 30) * 9 // 40 // (n + 1)), 1200) for n in range(256)])
_ROW_RATE = array("h", [max(math.isqrt(2458 * 2458 // (n + 1)), 123) for n in range(256)])
_BIT_RATE = array("i", [max((5 << 16) // (5 * n + 8), 1 << 10) for n in range(64)])
_TRUST = array("B", [sum(n >= x for x in (1, 2, 3, 5, 8, 14, 30, 80, 200)) for n in range(256)])


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
def _square(q: cython.p_ushort) -> cython.void:
    j: cython.Py_ssize_t
    for j in range(16):
        q[j] = cython.cast(cython.ushort, (cython.cast(cython.uint, q[j]) * q[j]) >> 16)


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

    rich: cython.bint
    candidates: cython.int
    logistic: cython.ushort[::1]
    cell_rate: cython.int[::1]
    row_rate: cython.short[::1]
    bit_rate: cython.int[::1]
    trust: cython.uchar[::1]

    colours: cython.uchar[:, ::1]
    k: cython.int
    digits: cython.int
    nodes: cython.uint
    direct: cython.bint

    cells: cython.int  # features of a two-way decision
    cell_bits: cython.int
    cell: cython.short[::1]
    cell_n: cython.uchar[::1]
    cell_at: cython.uint[::1]
    cell_w: cython.int[::1]
    cell_s: cython.int[::1]

    rows: cython.int  # features of a sixteen-way decision
    row: cython.short[::1]
    row_n: cython.uchar[::1]
    row_at: cython.uint[::1]
    row_w: cython.int[::1]
    row_s: cython.int[::1]
    context: cython.uint[::1]

    def __init__(self, data: Any, decoding: Any) -> None:
        self.data = data
        self.end = len(data)
        self.decoding = decoding
        self.logistic, self.trust = _LOGISTIC, _TRUST
        self.cell_rate, self.row_rate, self.bit_rate = _CELL_RATE, _ROW_RATE, _BIT_RATE
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

    def model_labels(self, labels: Any, colours: cython.uchar[:, ::1], rich: Any, candidates: Any) -> None:
        """Set the model of labels to its start."""
        pixels = labels.shape[0] * labels.shape[1]
        self.colours = colours
        self.k = colours.shape[0]
        self.rich, self.candidates = rich, candidates
        self.digits = 1 if self.k <= 16 else 2 if self.k <= 256 else 3 if self.k <= 4096 else 4
        self.nodes = ((1 << 4 * self.digits) - 1) // 15
        self.direct = self.k * self.nodes <= 1 << _ROW_BITS
        self.cells = _RICH_CELLS if rich else _LEAN_CELLS
        self.rows = _RICH_ROWS if rich else _LEAN_ROWS
        self.cell_bits = min(max(pixels.bit_length() + 2, 8), 18 if rich else 16) if candidates else 2
        cells: int = self.cells
        rows: int = self.rows
        self.cell = array("h", bytes(2 * cells << self.cell_bits))
        self.cell_n = bytearray(cells << self.cell_bits)
        self.cell_at = array("I", bytes(4 * cells))
        self.cell_w = array("i", [118000]) * (4 * cells * _LEVELS)
        self.cell_s = array("i", bytes(4 * 4 * 64 * cells))
        self.row = array("h", bytes(32 * rows << _ROW_BITS))
        self.row_n = bytearray(rows << _ROW_BITS)
        self.row_at = array("I", bytes(4 * rows))
        self.row_w = array("i", [235930]) * (4 * rows * _LEVELS)
        self.row_s = array("i", bytes(4 * 4 * 16 * rows))
        self.context = array("I", bytes(4 * 16))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def flag(self, candidate: cython.int, pattern: cython.int, bit: cython.int) -> cython.int:
        """Code whether a label is that of a neighbour, and learn from it."""
        i: cython.int
        a: cython.uint
        n: cython.int
        w: cython.int
        step: cython.int
        total: cython.int = 0
        weights: cython.int = candidate * self.cells * _LEVELS
        selected: cython.int = (candidate * 64 + (pattern & 63)) * self.cells
        for i in range(self.cells):
            a = self.cell_at[i] + candidate
            if self.rich:
                w = self.cell_w[weights + i * _LEVELS + self.trust[self.cell_n[a]]]
                w += self.cell_s[selected + i]
                total += (_clamp(w >> 4, -32768, 32767) * self.cell[a]) >> 14
            else:
                total += self.cell[a]
        total = _clamp(total >> 3, -1407, 1407)
        p: cython.int = self.logistic[total] if total >= 0 else 32768 - self.logistic[-total]
        bit = self.code_bit(p, bit)
        error: cython.int = (bit << 15) - p
        for i in range(self.cells):
            a = self.cell_at[i] + candidate
            n = self.cell_n[a]
            if self.rich:
                w = weights + i * _LEVELS + self.trust[n]
                step = (error * self.cell[a] + (1 << 15)) >> 16
                self.cell_w[w] = _clamp(self.cell_w[w] + step, -524288, 524287)
                self.cell_s[selected + i] = _clamp(self.cell_s[selected + i] + step, -524288, 524287)
            step = (error * self.cell_rate[n] + (1 << 19)) >> 20
            self.cell[a] = _clamp(self.cell[a] + step, -8191, 8191)
            self.cell_n[a] = n + (n < 255)
        return bit

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def digit(self, place: cython.int, pattern: cython.int, symbol: cython.int) -> cython.int:
        """Code one base-16 digit of a label, and learn from it.

        Loops over sixteen lanes are kept simple, each on arrays of its own, so that a compiler
        makes vector instructions of them on any machine.
        """
        logit = cython.declare(cython.short[16])
        part = cython.declare(cython.short[16])
        weight = cython.declare(cython.short[16])
        below = cython.declare(cython.ushort[16])
        power = cython.declare(cython.ushort[16])
        frequency = cython.declare(cython.short[16])
        start = cython.declare(cython.short[16])
        error = cython.declare(cython.short[16])
        i: cython.int
        j: cython.Py_ssize_t
        a: cython.Py_ssize_t
        n: cython.int
        w: cython.int
        unit: cython.uint = self.range_ >> 14
        target: cython.int = cython.cast(cython.int, self.code // unit)
        weights: cython.int = place * self.rows * _LEVELS
        selected: cython.int = (place * 16 + (pattern & 15)) * self.rows
        if self.rich:
            for j in range(16):
                logit[j] = 0
            for i in range(self.rows):
                w = self.row_w[weights + i * _LEVELS + self.trust[self.row_n[self.row_at[i]]]]
                weight[i] = _clamp((w + self.row_s[selected + i]) >> 4, -8192, 24576)
            factor: cython.short
            for i in range(self.rows):
                a = cython.cast(cython.Py_ssize_t, self.row_at[i]) * 16
                factor = weight[i]
                for j in range(16):
                    part[j] = self.row[a + j]
                for j in range(16):
                    logit[j] += cython.cast(cython.short, (cython.cast(cython.int, factor) * part[j]) >> 16)
        else:
            a = cython.cast(cython.Py_ssize_t, self.row_at[0]) * 16
            a1: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[1]) * 16
            a2: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[2]) * 16
            a3: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[3]) * 16
            a4: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[4]) * 16
            a5: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, self.row_at[5]) * 16
            for j in range(16):
                logit[j] = (
                    self.row[a + j]
                    + self.row[a1 + j]
                    + self.row[a2 + j]
                    + self.row[a3 + j]
                    + self.row[a4 + j]
                    + self.row[a5 + j]
                ) >> 2
        most: cython.short = -32768
        for j in range(16):
            most = logit[j] if logit[j] > most else most
        for j in range(16):
            below[j] = cython.cast(cython.ushort, most - logit[j])
        for j in range(16):
            below[j] = 4095 if below[j] > 4095 else below[j]
        for j in range(16):
            below[j] = below[j] << 4
        # exp(-16 t) as (1 - t + t^2 / 2)^16
        for j in range(16):
            power[j] = cython.cast(cython.ushort, (cython.cast(cython.uint, below[j]) * below[j]) >> 16)
        for j in range(16):
            power[j] = 65535 - below[j] + (power[j] >> 1)
        _square(power)
        _square(power)
        _square(power)
        _square(power)
        total: cython.int = 0
        for j in range(16):
            part[j] = power[j] >> 1
        for j in range(16):
            total += part[j]
        inverse: cython.short = cython.cast(cython.short, cython.cast(cython.int, 16368 << 16) // total)
        for j in range(16):
            frequency[j] = cython.cast(cython.short, (cython.cast(cython.int, part[j]) * inverse) >> 16) + 1
        total = 0
        found: cython.int = 0
        for i in range(4):
            for j in range(4):
                start[4 * i + j] = total
                total += frequency[4 * i + j]
                found += total <= target
        if self.decoding:
            symbol = found if found < 15 else 15
        unit_start: cython.uint = start[symbol] * unit
        self.narrow(unit_start, frequency[symbol] * unit if symbol < 15 else self.range_ - unit_start)

        for j in range(16):
            error[j] = -frequency[j]
        error[symbol] += 16384
        rate: cython.short
        logit_: cython.short
        for i in range(self.rows):
            a = self.row_at[i]
            n = self.row_n[a]
            self.row_n[a] = n + (n < 255)
            rate = self.row_rate[n]
            a = a * 16
            if self.rich:
                total = 0
                for j in range(16):
                    total += cython.cast(cython.int, error[j]) * self.row[a + j]
                w = weights + i * _LEVELS + self.trust[n]
                self.row_w[w] = _clamp(self.row_w[w] + ((total + (1 << 13)) >> 14), -524288, 524287)
                w = selected + i
                self.row_s[w] = _clamp(self.row_s[w] + ((total + (1 << 15)) >> 16), -524288, 524287)
            for j in range(16):
                logit_ = (
                    self.row[a + j]
                    + cython.cast(cython.short, (cython.cast(cython.int, error[j]) * rate) >> 16)
                    + (cython.cast(cython.ushort, (cython.cast(cython.int, error[j]) * rate) & 0xFFFF) >> 15)
                )
                logit_ = logit_ if logit_ < _MOST else _MOST
                self.row[a + j] = logit_ if logit_ > -_MOST else -_MOST
        return symbol

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def find_rows(self, place: cython.int, node: cython.uint, prefix: cython.int) -> cython.void:
        """Find the row of each feature; one never seen before starts with what colours suggest."""
        f: cython.int
        i: cython.int
        j: cython.Py_ssize_t
        at: cython.uint
        label: cython.int
        distance: cython.int
        difference: cython.int
        for f in range(self.rows):
            if self.direct and f < _DIRECT:
                at = self.context[f] * self.nodes + node
            else:
                at = _hash(self.context[f], node) >> (32 - _ROW_BITS)
            at += cython.cast(cython.uint, f) << _ROW_BITS
            self.row_at[f] = at
            if f >= 4 or self.row_n[at]:
                continue
            for j in range(16):
                label = (prefix << 4 | cython.cast(cython.int, j)) << 4 * place
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
                self.row[cython.cast(cython.Py_ssize_t, at) * 16 + j] = -distance

    def code_labels(self, labels: cython.ushort[:, ::1]) -> bool:
        """Code a plane of labels row by row; False where a coded label is not below k.

        The last four rows are kept with four labels of margin on either side, so that every
        neighbour can be read without asking where the edges are.
        """
        height: cython.Py_ssize_t = labels.shape[0]
        width: cython.Py_ssize_t = labels.shape[1]
        stride: cython.Py_ssize_t = width + 8
        recent: cython.ushort[::1] = array("H", bytes(8 * stride))
        x: cython.Py_ssize_t
        y: cython.Py_ssize_t
        o: cython.Py_ssize_t
        n: cython.Py_ssize_t
        nn: cython.Py_ssize_t
        nnn: cython.Py_ssize_t
        i: cython.int
        c: cython.int
        W: cython.uint
        WW: cython.uint
        WWW: cython.uint
        N: cython.uint
        NW: cython.uint
        NWW: cython.uint
        NE: cython.uint
        NEE: cython.uint
        NEEE: cython.uint
        NN: cython.uint
        NNE: cython.uint
        NNEE: cython.uint
        NNW: cython.uint
        NNWW: cython.uint
        same: cython.uint
        more: cython.uint
        most: cython.uint
        pair: cython.uint
        four: cython.uint
        mask: cython.uint = ((1 << self.cell_bits) - 1) & ~3
        candidate = cython.declare(cython.uint[4])
        valid: cython.bint = True
        run: cython.int = 0  # labels in a row that were that of W
        ahead: cython.int  # labels after N that are that of N
        with cython.nogil:
            for y in range(height):
                o = (y & 3) * stride + 4
                n = ((y + 3) & 3) * stride + 4
                nn = ((y + 2) & 3) * stride + 4
                nnn = ((y + 1) & 3) * stride + 4
                for i in range(1, 5):
                    recent[o - i] = recent[n]
                for x in range(width):
                    W = recent[o - 1]
                    WW = recent[o - 2]
                    WWW = recent[o - 3]
                    N = recent[n]
                    NW = recent[n - 1]
                    NWW = recent[n - 2]
                    NE = recent[n + 1]
                    NEE = recent[n + 2]
                    NEEE = recent[n + 3]
                    NN = recent[nn]
                    NNE = recent[nn + 1]
                    NNEE = recent[nn + 2]
                    NNW = recent[nn - 1]
                    NNWW = recent[nn - 2]
                    same = (
                        (W == N)
                        | (N == NE) << 1
                        | (W == NW) << 2
                        | (N == NW) << 3
                        | (W == WW) << 4
                        | (N == NN) << 5
                        | (NE == W) << 6
                        | (NW == NE) << 7
                    )
                    c = -1 if self.decoding else labels[y, x]
                    i = 0
                    if self.candidates:
                        more = (
                            same
                            | (NEE == NE) << 8
                            | (NEE == N) << 9
                            | (NWW == NW) << 10
                            | (NWW == W) << 11
                            | (WW == NW) << 12
                            | (NN == NE) << 13
                            | (NN == NW) << 14
                            | (WW == NWW) << 15
                        )
                        most = (
                            more
                            | (NN == W) << 16
                            | (NEE == W) << 17
                            | (NNE == NE) << 18
                            | (NNE == NN) << 19
                            | (NNW == NW) << 20
                            | (NNW == NN) << 21
                            | (WWW == WW) << 22
                            | (WWW == W) << 23
                            | (NEEE == NEE) << 24
                            | (NEEE == NE) << 25
                            | (NNE == N) << 26
                        )
                        pair = W | N << 16
                        four = _hash(pair, NW | NE << 16)
                        self.cell_at[0] = _hash(pair, 1)
                        self.cell_at[1] = four
                        self.cell_at[2] = _hash(more, 3)
                        self.cell_at[3] = _hash(most, 4)
                        self.cell_at[4] = _hash(more, pair)
                        self.cell_at[5] = _hash(W | (same << 16), 6)
                        if self.rich:
                            most ^= _hash(
                                (recent[nnn] == NN)
                                | (recent[nnn] == N) << 1
                                | (NNEE == NNE) << 2
                                | (NNEE == NEE) << 3
                                | (NNWW == NNW) << 4
                                | (NNWW == NWW) << 5
                                | (recent[o - 4] == WWW) << 6
                                | (NNEE == NE) << 7
                                | (NNWW == NW) << 8,
                                1,
                            )
                            self.cell_at[6] = _hash(four, _hash(WW | NN << 16, NEE | NWW << 16))
                            self.cell_at[7] = _hash(N | (same << 16), 8)
                            self.cell_at[8] = _hash(most, 3)
                            self.cell_at[9] = _hash(four, most)
                            self.cell_at[10] = _hash(pair, NE | WW << 16)
                            self.cell_at[11] = _hash(pair, NN | NNE << 16)
                            self.cell_at[12] = _hash(most, W)
                            self.cell_at[13] = _hash(pair, WW | WWW << 16)
                            ahead = 0
                            while ahead < 24 and x + ahead + 1 < width and recent[n + ahead + 1] == N:
                                ahead += 1
                            self.cell_at[14] = _hash(min(run, 40), same)
                            self.cell_at[15] = _hash(ahead, more)
                        for i in range(self.cells):
                            self.cell_at[i] = (self.cell_at[i] & mask) + (
                                cython.cast(cython.uint, i) << self.cell_bits
                            )
                        candidate[0] = W
                        candidate[1] = N
                        candidate[2] = NE
                        i = 0
                        while i < self.candidates:
                            if not (
                                (i > 0 and candidate[i] == W) or (i > 1 and candidate[i] == N)
                            ) and self.flag(i, same, c == cython.cast(cython.int, candidate[i])):
                                c = candidate[i]
                                break
                            i += 1
                    if i == self.candidates:
                        c = self.number_of(c, W, N, NW, NE, WW, NN, NEE, same)
                        if c >= self.k:
                            valid = False
                            break
                    if self.decoding:
                        labels[y, x] = c
                    run = run + 1 if c == cython.cast(cython.int, W) else 0
                    recent[o] = c
                    o += 1
                    n += 1
                    nn += 1
                    nnn += 1
                if not valid:
                    break
                for i in range(4):
                    recent[o + i] = recent[o - 1]
        return valid

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def number_of(
        self,
        c: cython.int,
        W: cython.uint,
        N: cython.uint,
        NW: cython.uint,
        NE: cython.uint,
        WW: cython.uint,
        NN: cython.uint,
        NEE: cython.uint,
        same: cython.uint,
    ) -> cython.int:
        """Code a label as its base-16 digits, the highest first."""
        context: cython.uint[::1] = self.context
        i: cython.int
        w: cython.int
        n: cython.int
        context[0] = W
        context[1] = N
        context[2] = NW
        context[3] = NE
        context[4] = WW
        context[5] = NN
        if self.rich:
            context[6] = NEE
            context[7] = 0
            context[8] = 0
            context[9] = 0
            context[10] = 0
            context[11] = W
            for i in range(4):
                w = self.colours[W, i]
                n = self.colours[N, i]
                context[8] = context[8] << 8 | _clamp(w + n - self.colours[NW, i], 0, 255) >> 4
                context[9] = context[9] << 8 | _clamp(2 * w - self.colours[WW, i], 0, 255) >> 4
                context[10] = context[10] << 8 | _clamp(2 * n - self.colours[NN, i], 0, 255) >> 4
                n = (3 * (w + n) + self.colours[NW, i] + self.colours[NE, i]) >> 6
                context[11] = _hash(context[11], n)
            context[12] = _hash(W, N)
            context[13] = _hash(N, NE + 77)
        node: cython.uint = 0
        label: cython.int = 0
        place: cython.int
        symbol: cython.int
        for place in range(self.digits - 1, -1, -1):
            self.find_rows(place, node, label)
            symbol = self.digit(place, same, (c >> 4 * place) & 15)
            node = node * 16 + 1 + symbol
            label = label << 4 | symbol
        return label


def encode_labels(labels: Any, colours: Any, rich: bool, candidates: int, limit: int) -> bytes | None:
    """Code a plane of labels by a model.

    Parameters
    ----------
    labels : buffer of uint16, shape (height, width)
        All below k.
    colours : buffer of uint8, shape (k, 4)
        What the labels look like.
    rich : bool
        Whether to use the larger model.
    candidates : int
        How many neighbours, 0 to 3, are asked first whether the label is theirs.
    limit : int
        How many bytes the labels may take.

    Returns
    -------
    bytes or None
        The coded labels; None where they take more than `limit` bytes.
    """
    coder = _Coder(bytearray(limit), False)
    plane = memoryview(labels)
    coder.model_labels(plane, memoryview(colours), rich, candidates)
    coder.code_labels(plane)
    coded = coder.finish()
    return coded if coder.fits() else None


def decode_labels(data: bytes, labels: Any, colours: Any, rich: bool, candidates: int) -> str:
    """Decode what `encode_labels` coded into `labels`; return the rule of FORMAT.md that is broken, or ""."""
    coder = _Coder(bytearray(data), True)
    plane = memoryview(labels)
    coder.model_labels(plane, memoryview(colours), rich, candidates)
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
