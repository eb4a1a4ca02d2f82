"""The labels of a tile to bytes and back: FORMAT.md, "Labels"; and the choice among its codings."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import _core
from ..errors import FormatError, UnsupportedError
from .container import Tile
from .deflate import deflate, inflate
from .indexed import Array, Indexed, label_dtype
from .threads import map_in_threads

# The number of a label coding in a file; those of the others are `_core.DRAWN` and `_core.PHOTOGRAPHIC`.
LABELS_PACKED = 0
# What a tile has in their place that goes on from the frame before.
LABELS_FOLLOWING = 3
# The options of drawn labels that another frame can go on from.
LEARNING = _core.DRAWN_FRAMES | _core.DRAWN_MATCHES
MAX_EFFORT = 2
Coding = tuple[int, int]  # a label coding and its options
# Which codings, with which options, are tried at an effort; the shortest result is taken.
_EFFORTS: dict[int, list[Coding]] = {
    1: [(_core.DRAWN, 0), (_core.DRAWN, 1), (_core.DRAWN, 2), (_core.DRAWN, 3), (_core.PHOTOGRAPHIC, 0)],
    2: [(_core.DRAWN, 4), (_core.DRAWN, 5), (_core.DRAWN, 6), (_core.DRAWN, 7), (_core.PHOTOGRAPHIC, 1)],
}
# Of a larger tile, all of these are tried on about so many pixels, which come in so many strips.
_TRIAL_PIXELS, _STRIPS = 2**17, 2
# On the whole tile those are tried then that took up to so many times the bytes of the best; by effort.
_CLOSE = {1: 1.05, 2: 1.25}
# From so many pixels on, codings are tried in threads, if there are some to spare.
_TRIAL_THREAD_PIXELS = 2**14
# Tiles of up to so many pixels are coded as at all efforts, since that does not take long.
_ALL_PIXELS = 2**14
# Codings that look up matches decode more slowly. Their bytes are multiplied by this before the best coding
# is chosen, so that they are taken only if they save about 5 % or more.
_MATCHES_WORTH = 1.05
_BY_WORTH = operator.attrgetter("worth")


class Order(NamedTuple):
    """The order in which a model numbers the labels: one that puts like colours side by side."""

    labels: Array  # (k,) uint16: the label of each number
    numbers: Array  # (k,) uint16: the number of each label
    colours: Array  # (k, 4) uint8: the colour of each number, as far as the model knows it


def coding_order(codebook: Array) -> Order:
    """Return the order in which models number the labels of a codebook: FORMAT.md, "Digits of labels"."""
    k, channels = codebook.shape
    colours = np.zeros((k, 4), np.uint8)
    if codebook.dtype == np.uint8:
        # Along a Z-curve: by the highest bits of all channels first, then by the next ones.
        key: Array = np.zeros(k, np.uint32)
        for bit in range(7, -1, -1):
            for channel in range(channels):
                key = key << 1 | codebook[:, channel] >> bit & 1
        order = np.argsort(key, kind="stable")
        colours[:, :channels] = codebook[order]
    else:
        order = np.argsort(codebook[:, 0], kind="stable")
        colours[:, 0] = np.arange(k) * 256 // k
    numbers = np.empty(k, np.uint16)
    numbers[order] = np.arange(k)
    return Order(order.astype(np.uint16), numbers, colours)


def encode_labels(
    labels: Array, k: int, order: Callable[[], Order], effort: int, threads: int
) -> tuple[int, bytes]:
    """Code labels in the way that takes the fewest bytes at an effort."""
    packed = _pack(labels, _label_bits(k))
    packed = min(packed, deflate(packed), key=len)
    modelled = _encode_modelled(labels, order(), effort, len(packed), threads) if effort else None
    return modelled or (LABELS_PACKED, packed)


def decode_labels(tile: Tile, k: int, order: Callable[[], Order]) -> Array:
    if tile.error:
        raise tile.error
    if tile.coding == LABELS_PACKED:
        return _decode_packed(tile, k)
    if tile.coding in _core.OPTIONS:
        return _decode_modelled(tile, order())
    raise UnsupportedError(
        "label-coding", f"{tile.name}: label coding {tile.coding} is newer than this reader"
    )


def estimate_labels(indexed: Indexed, effort: int, threads: int) -> int:
    """Return how many bytes labels take in a file of one tile, about: packing is not tried."""
    order = coding_order(indexed.codebook)
    numbers = order.numbers.take(indexed.labels)
    most = 2 * numbers.size
    trials = _trials(numbers, order, _EFFORTS[effort], most, threads)
    coded = min(trials, key=_BY_WORTH).coded
    return most if coded is None else len(coded)


# --- Packed ---------------------------------------------------------------------------------------


def _pack(labels: Array, bits: int) -> bytes:
    """Pack labels, the first in the highest bits, each row padded with 0 to whole bytes."""
    if bits >= 8:
        return labels.astype(f">u{bits // 8}").tobytes()
    per_byte = 8 // bits
    padded = np.pad(labels, ((0, 0), (0, -labels.shape[1] % per_byte)))
    packed = np.zeros((len(labels), padded.shape[1] // per_byte), np.uint8)
    for place in range(per_byte):
        packed |= padded[:, place::per_byte] << (8 - bits * (place + 1))
    return packed.tobytes()


def _unpack(packed: bytes, width: int, height: int, bits: int) -> Array:
    if bits >= 8:
        return (
            np.frombuffer(packed, f">u{bits // 8}").reshape(height, width).astype(f"u{bits // 8}", copy=False)
        )
    per_byte = 8 // bits
    shifts = np.arange(8 - bits, -1, -bits)
    # One look-up a byte gives all its labels, moved as one word.
    words = (np.arange(256)[:, None] >> shifts & (1 << bits) - 1).astype(np.uint8).view(f"u{per_byte}")[:, 0]
    labels = words.take(np.frombuffer(packed, np.uint8)).view(np.uint8).reshape(height, -1)
    return np.ascontiguousarray(labels[:, :width])


def _decode_packed(tile: Tile, k: int) -> Array:
    height, width = tile.box.shape
    bits = _label_bits(k)
    length = height * -(-width * bits // 8)
    if len(tile.payload) > length:
        raise FormatError("labels-length", f"{tile.name}: {len(tile.payload)} bytes of labels, not {length}")
    packed = tile.payload if len(tile.payload) == length else inflate(tile.payload, length, tile.name)
    labels = _unpack(packed, width, height, bits)
    if labels.max() >= k:
        raise FormatError("label", f"{tile.name}: label {labels.max()} is not below k = {k}")
    return labels


def _label_bits(k: int) -> int:
    return next(bits for bits in (1, 2, 4, 8, 16) if k <= 1 << bits)


# --- Modelled -------------------------------------------------------------------------------------


def _encode_modelled(
    labels: Array, order: Order, effort: int, limit: int, threads: int
) -> tuple[int, bytes] | None:
    """Code labels by a model, the best of those worth trying; None where `limit` bytes do not do."""
    numbers = order.numbers.take(labels)
    codings = _EFFORTS[effort]
    if numbers.size <= _ALL_PIXELS:
        codings = [coding for codings in _EFFORTS.values() for coding in codings]
    most = max(limit - 2, 0)  # beside the byte that names the options, and fewer than packed
    if numbers.size > _TRIAL_PIXELS:
        codings = _promising(numbers, order, codings, _CLOSE[effort], threads)
    (coding, options), coded, _ = min(_trials(numbers, order, codings, most, threads), key=_BY_WORTH)
    return None if coded is None else (coding, bytes([options]) + coded)


def _promising(
    numbers: Array, order: Order, codings: list[Coding], share: float, threads: int
) -> list[Coding]:
    """Return the codings that take up to `share` times the bytes of the best one on a sample."""
    sample = _sample(numbers, _TRIAL_PIXELS)

    def close(ways: list[Coding]) -> list[Coding]:
        trials = _trials(sample, order, ways, 2 * sample.size, threads)
        most = share * min(trials, key=_BY_WORTH).worth
        return [trial.coding for trial in trials if trial.worth <= most]

    # The option to list labels nearby changes little, so codings are first tried without it.
    firsts = close([way for way in codings if not (way[0] == _core.DRAWN and way[1] & _core.DRAWN_LIST)])
    drawn = [options for coding, options in firsts if coding == _core.DRAWN]
    listed = [(_core.DRAWN, options | _core.DRAWN_LIST) for options in drawn]
    return close(firsts + listed) if listed else firsts


def _sample(numbers: Array, pixels: int) -> Array:
    """Return about so many labels, in strips from all over, or all where there are not more."""
    height, width = numbers.shape
    rows = max(pixels // _STRIPS // width, 1)
    if numbers.size <= pixels or _STRIPS * rows >= height:
        return np.ascontiguousarray(numbers[:, : max(pixels // height, 1)])
    tops = np.linspace(0, height - rows, _STRIPS).astype(int)
    strips = [numbers[top : top + rows, : max(pixels // _STRIPS // rows, 1)] for top in tops]
    return np.concatenate(strips)


class _Trial(NamedTuple):
    """Labels coded in one way."""

    coding: Coding
    coded: bytes | None  # None where they take more than there was room for
    worth: float  # the bytes, weighted as `_MATCHES_WORTH` says; infinity for one that was given up


def _trials(numbers: Array, order: Order, codings: list[Coding], room: int, threads: int) -> list[_Trial]:
    """Code labels in each way, in at most `room` bytes."""

    def attempt(way: Coding) -> _Trial:
        coding, options = way
        coded = _core.encode_labels(numbers, order.colours, coding, options, room)
        lookups = coding == _core.DRAWN and options & _core.DRAWN_MATCHES and not options & _core.DRAWN_RICH
        length = math.inf if coded is None else len(coded)
        return _Trial(way, coded, length * (_MATCHES_WORTH if lookups else 1))

    together = threads > 1 and numbers.size >= _TRIAL_THREAD_PIXELS
    return map_in_threads(attempt, codings, threads) if together else [attempt(one) for one in codings]


def learns(tile: Tile) -> bool:
    """Tell whether a tile is of those that another frame can go on from."""
    return tile.coding == _core.DRAWN and bool(tile.payload) and bool(tile.payload[0] & _core.DRAWN_FRAMES)


def options_of(tile: Tile) -> int:
    """Return the options of modelled labels, if there are such."""
    options = tile.payload[0] if tile.payload else 255
    if options & LEARNING == LEARNING and options < 2 * _core.DRAWN_STILL:
        known = tile.coding in (_core.DRAWN, LABELS_FOLLOWING)
    else:
        known = tile.coding != LABELS_FOLLOWING and options < _core.OPTIONS[tile.coding]
    if not known:
        raise UnsupportedError("labels-model", f"{tile.name}: a model of labels newer than this reader")
    return options


def _decode_modelled(tile: Tile, order: Order) -> Array:
    labels = np.empty(tile.box.shape, label_dtype(len(order.labels)))
    options = options_of(tile)
    if learns(tile):
        height, width = tile.box.shape
        decode_learning(tile, _core.open_frames(width, height, order.colours, options), labels, order)
    else:
        data, names = memoryview(tile.payload)[1:], order.labels
        _check(tile, _core.decode_labels(data, labels, names, order.colours, tile.coding, options), order)
    return labels


def decode_learning(tile: Tile, frames: object, labels: Array, order: Order) -> None:
    """Decode labels of the next frame into those of the frame before."""
    data = memoryview(tile.payload)[1:]
    _check(tile, _core.decode_frame(frames, data, labels, order.labels, tile.payload[0]), order)


def _check(tile: Tile, broken: str, order: Order) -> None:
    """Raise for the rule that the compiled core says is broken, if any."""
    if broken == "label":
        raise FormatError("label", f"{tile.name}: a label is not below k = {len(order.labels)}")
    if broken:
        raise FormatError(
            "labels-length", f"{tile.name}: {len(tile.payload)} bytes are not what its labels take"
        )
