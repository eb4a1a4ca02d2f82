"""The search for a budget: the least error in a file of so many bytes at most."""

from __future__ import annotations

import math
from typing import NamedTuple

from .._format.indexed import Indexed
from .._format.metadata import MAX_RDO
from .scene import NO_BOUND, Fit
from .search import FIRST_RDO, Search, climb, expected_bytes

# The values of `rdo` that a budget may be met with lie between these.
_LEAST_RDO, _MOST_RDO = 2.0**-6, MAX_RDO
# The search ends where a file has the first of these shares of the budget, after half of its steps the
# second. It aims at the third.
_CLOSE, _CLOSE_ENOUGH, _AIM = 0.99, 0.975, 0.996
# Where the first file is so many times larger or smaller than expected, the search starts again.
_UNLIKE = 1.25
# The most steps towards a budget, each of which makes a file.
_MOST_STEPS = 8
# The most guesses on a sample before that, for each number of colours. They end where one differs from the
# budget by this share or less.
_MOST_GUESSES, _ROUGHLY = 6, 0.1
# So many of the least numbers of colours are tried for the smallest file there is.
_SMALLEST = 8
# How much the logarithm of bytes changes with that of `rdo`, where it is not known; and the farthest step in
# the logarithm of `rdo`.
_USUAL_SLOPE, _FAR = -0.4, 3.0


class _File(NamedTuple):
    """A fit, and what its file would be."""

    fit: Fit
    rdo: float
    picture: Indexed
    bytes: int


def choose(search: Search, rdo: float, budget: int) -> tuple[Indexed, float]:
    """Return the best picture that is within a budget, with an `rdo` no less than the one given."""
    exact = search.scene.task.fixed is not None or len(search.scene.found) <= search.ks[-1]
    if rdo or exact:
        file = _file_of(search, search.best(rdo), rdo)
        if file.bytes <= budget:
            return file.picture, rdo
    found = _smallest(search, budget)
    if found.bytes > budget:
        raise ValueError(
            f"max_bytes={budget} cannot be reached: the smallest file of this picture has {found.bytes} bytes"
        )
    best = _largest_within(search, budget, max(rdo, _LEAST_RDO), found)
    return best.picture, best.rdo


def _file_of(search: Search, k: int, rdo: float) -> _File:
    fit = search.fit(k, rdo)
    picture = search.picture(fit)
    return _File(fit, rdo, picture, search.file_bytes(picture, rdo))


def _largest_within(search: Search, budget: int, lowest: float, found: _File) -> _File:
    """Return the file nearest to a budget, and within it, of a few; at first the one that was found."""
    at, rdo = _best_within(search, budget, lowest)
    low, high, before = lowest, _MOST_RDO, None
    for n in range(_MOST_STEPS):
        file = _file_of(search, search.ks[at], rdo)
        low, high = (rdo, high) if file.bytes > budget else (low, rdo)
        if found.bytes < file.bytes <= budget:
            found = file
        if found.bytes >= (_CLOSE if n < _MOST_STEPS // 2 else _CLOSE_ENOUGH) * budget:
            break
        ratio = file.bytes / expected_bytes(file.fit)
        if n == 0 and not 1 / _UNLIKE < ratio < _UNLIKE:  # by another label coding, or for metadata
            at, rdo = _best_within(search, budget / ratio, lowest)
            low, high = lowest, _MOST_RDO
            continue
        here = (math.log(rdo), math.log(file.bytes))
        if before is not None and file.bytes <= budget and _flat(before, here) and at + 1 < len(search.ks):
            at, before = at + 1, None  # these colours have no use for more bytes
            low, high = lowest, _MOST_RDO
        else:
            rdo, before = _step(before, here, math.log(_AIM * budget), low, high), here
    return found


def _smallest(search: Search, budget: int) -> _File:
    """Return a file within a budget, or else the smallest there is."""
    smallest = None
    # A bound on errors may need many colours, and then the largest rdo need not save most.
    for rdo in (_MOST_RDO, _MOST_RDO / 2**8, _MOST_RDO / 2**16):
        for k in search.ks[:_SMALLEST]:
            file = _file_of(search, k, rdo)
            if file.bytes <= budget or search.scene.bound == NO_BOUND:
                return file
            if smallest is None or file.bytes < smallest.bytes:
                smallest = file
    assert smallest is not None
    return smallest


def _best_within(search: Search, budget: float, lowest: float) -> tuple[int, float]:
    """Return the place in `ks`, and the `rdo`, with the least error that a sample promises for a budget."""
    _, rdo = _solve(search, None, budget, max(FIRST_RDO, lowest), lowest)
    solved: dict[int, float] = {}

    def cost(at: int) -> float:
        start = solved.get(at - 1, solved.get(at + 1, rdo))
        error, solved[at] = _solve(search, at, budget, start, lowest)
        return error

    at = climb(cost, search.near(rdo), len(search.ks))
    return at, solved[at]


def _solve(search: Search, at: int | None, budget: float, rdo: float, lowest: float) -> tuple[float, float]:
    """Return the error that a sample promises for a budget with so many colours, and the `rdo`.

    Without a place among `ks` there are as many colours as may suit each `rdo`.
    """
    low, high, before = lowest, _MOST_RDO, None
    for n in range(_MOST_GUESSES):
        error, length = search.trial(search.ks[search.near(rdo) if at is None else at], rdo)
        low, high = (rdo, high) if length > budget else (low, rdo)
        here = (math.log(rdo), math.log(length))
        flat = before is not None and _flat(before, here)
        if abs(length / budget - 1) < _ROUGHLY or flat or n == _MOST_GUESSES - 1:
            break
        rdo, before = _step(before, here, math.log(budget), low, high), here
    # By the meaning of rdo, what is left to the budget is worth so much error.
    return error + rdo * 8 * (length - budget), rdo


def _flat(before: tuple[float, float], here: tuple[float, float]) -> bool:
    """Tell whether bytes hardly grew where rdo fell; both are points of log rdo and log bytes."""
    return here[0] < before[0] - 0.5 and here[1] < before[1] + 0.01


def _step(
    before: tuple[float, float] | None,
    here: tuple[float, float],
    wanted: float,
    low: float,
    high: float,
) -> float:
    """Return where the secant through two points of log rdo and log bytes meets what is wanted.

    It is kept between `low` and `high`, and half way where the secant leads out of there.
    """
    slope = _USUAL_SLOPE
    if before is not None and before[0] != here[0]:
        slope = (here[1] - before[1]) / (here[0] - before[0])
    slope = min(slope, _USUAL_SLOPE / 4)
    rdo = math.exp(min(max(here[0] + (wanted - here[1]) / slope, here[0] - _FAR), here[0] + _FAR))
    return rdo if low < rdo < high else math.sqrt(low * high)
