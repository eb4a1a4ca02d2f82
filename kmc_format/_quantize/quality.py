"""The search for a quality: what takes the fewest bytes and is as good as JPEG would be.

The usual `rdo` of a quality gives JPEG's mean over photographs; where a picture needs a smaller one to look
as good as its JPEG, that is searched for.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._format.indexed import Indexed
from .._pixels import colours
from . import yardstick
from .fitting import is_beyond, squared_error
from .scene import Book, Fit
from .search import Search

# What turns JPEG's scale of a quality into an `rdo`; fitted so that mean SSIM on Kodak is JPEG's.
_QUALITY_RDO, _QUALITY_POWER = 185.0, 1.25
# So many qualities in a row share an `rdo`, up to the second number.
_QUALITY_STEP, _FINE_QUALITY = 5, 90
# Pictures of up to so many pixels try all values of `rdo`, with the number of colours that suits this
# quality.
_CHAIN_PIXELS, _FIRST_QUALITY = 2**17, 50
# The qualities whose `rdo` these pictures try, in this order.
_LADDER = (1, 5, *range(10, 70, 10), *range(70, 90, 5), 90, *range(94, 100))
# The qualities whose `rdo` larger pictures try; there a step costs more bytes, so these are finer.
_FINE_LADDER = (*range(5, 90, 5), *range(90, 100))
# The values of `rdo` that are tried after the last of either.
_LAST_RDOS = tuple(2.0**-n for n in range(7))
# How far similarity to the picture may stay behind JPEG's, in the units of `yardstick`; JPEG libraries differ
# by up to 0.003 in small smooth pictures. The second is for pictures that try all values.
_SHORTFALL, _SMALL_SHORTFALL = 0.018 * yardstick.PERFECT, 0.015 * yardstick.PERFECT
# The exact picture is taken where its file has up to so many times the bytes of the one that would do.
_EXACT_WORTH = 1.125


class _Found(NamedTuple):
    """What a search by quality found."""

    fit: Fit
    rdo: float
    error: float  # the sum of squares
    longest: int  # bytes of the longest file among this one and those of lower qualities


def rdo_of(quality: int) -> float:
    """Return the `rdo` of a quality.

    JPEG's steps are in proportion to `scale`, as the Independent JPEG Group's library has it; the rest
    makes the mean SSIM of the Kodak photographs that of JPEG (tests/benchmarks/rate.py). Up to 90 it is
    alike for five qualities, so that none gives less than the one before.
    """
    if quality <= _FINE_QUALITY:
        quality = max(quality - quality % _QUALITY_STEP, min(quality, _QUALITY_STEP))
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    return _QUALITY_RDO * math.pow(scale, _QUALITY_POWER)


def choose(
    search: Search, quality: int, plain: Callable[[], Indexed], exact: Indexed | None
) -> tuple[Indexed, float]:
    """Return the picture of a quality, or one that is better and no larger, or exact and hardly so.

    Parameters
    ----------
    search : Search
    quality : int
    plain : callable
        Returns what the picture would be without a quality.
    exact : Indexed, optional
        The exact picture, where there are few enough colours for it.

    Returns
    -------
    Indexed, float
        The picture, and the `rdo` it was chosen by.
    """
    enough = math.inf if exact is None else search.file_bytes(exact, 0.0) / _EXACT_WORTH
    found = _fit(search, quality, enough)
    if exact is not None and found.longest >= enough:
        return exact, 0.0
    other = plain()
    if _error_of(search, other) <= found.error and search.file_bytes(other, 0.0) <= found.longest:
        return other, 0.0
    return search.picture(found.fit), found.rdo


def _error_of(search: Search, picture: Indexed) -> float:
    """Return the sum of squared errors of a picture; infinity where one is beyond the bound."""
    seen = search.scene.task.fixed  # what labels look like, where that is given
    entries = picture.codebook if seen is None else seen
    nothing = np.zeros(len(entries), bool)
    fit = Fit(Book(entries, nothing, nothing, nothing), picture.labels, 0)
    return math.inf if is_beyond(search.scene, fit) else squared_error(search.scene, fit)


def _fit(search: Search, quality: int, enough: float) -> _Found:
    """Return the first fit that is as good as JPEG would be, from the usual `rdo` on to smaller ones.

    A file of `enough` bytes or more ends the search: the exact picture is better, and hardly larger.
    """
    rdo, scene = rdo_of(quality), search.scene
    if rdo and scene.task.kind.dtype == "uint8" and min(scene.numbers.shape) >= yardstick.SIDE:
        if scene.numbers.size <= _CHAIN_PIXELS:
            return _fit_chain(search, quality, enough)
        fit, rdo = _fit_jumping(search, quality, enough)
    else:
        fit = search.fit(search.best(rdo), rdo)
    return _Found(fit, rdo, squared_error(scene, fit), _bytes_of(search, fit, rdo))


def _fit_chain(search: Search, quality: int, enough: float) -> _Found:
    """Find the fit among those of all values of `rdo`, the largest first, that have ever less error.

    What is wanted of a quality rises with it, so that a higher one gets the same fit or a later one.
    """
    usual, first, measure = rdo_of(quality), rdo_of(_FIRST_QUALITY), _measure(search)
    # JPEG itself may be worse at more quality; up to the next step, so that in between is in order too.
    steps = _LADDER[: 1 + bisect.bisect_left(_LADDER, quality)]
    wanted = max(map(measure.jpeg, steps)) - _SMALL_SHORTFALL
    k, found, longest = search.best(first), None, 0
    for rdo in (*map(rdo_of, _LADDER), *_LAST_RDOS):
        fit = search.fit(search.scaled(k, first, rdo), rdo)
        error = squared_error(search.scene, fit)
        if found is not None and error >= found.error:
            continue
        longest = max(longest, _bytes_of(search, fit, rdo))
        found = _Found(fit, rdo, error, longest)
        if longest >= enough or (rdo <= usual and _similarity(measure, fit) >= wanted):
            break
    assert found is not None
    return found


def _fit_jumping(search: Search, quality: int, enough: float) -> tuple[Fit, float]:
    """Find a fit in less time: try the usual `rdo`, and search among smaller ones."""
    usual = rdo_of(quality)
    k = search.best(usual)
    fit = search.fit(k, usual)
    if _bytes_of(search, fit, usual) >= enough:
        return fit, usual
    measure = _measure(search)
    wanted = measure.jpeg(quality) - _SHORTFALL
    if _similarity(measure, fit) >= wanted:
        return fit, usual
    rdos = [rdo for rdo in (*map(rdo_of, _FINE_LADDER), *_LAST_RDOS) if rdo < usual]
    fits: dict[int, Fit] = {}

    def will_do(n: int) -> bool:
        fits[n] = search.fit(search.scaled(k, usual, rdos[n]), rdos[n])
        return _similarity(measure, fits[n]) >= wanted

    n = _first(will_do, len(rdos) - 1)
    if n not in fits:
        will_do(n)
    return fits[n], rdos[n]


def _bytes_of(search: Search, fit: Fit, rdo: float) -> int:
    return search.file_bytes(search.picture(fit), rdo)


def _measure(search: Search) -> yardstick.Yardstick:
    """Return the measure of how alike others are to the picture."""
    scene = search.scene
    return yardstick.Yardstick(colours.unpack(scene.found, scene.task.kind)[scene.numbers])


def _similarity(measure: yardstick.Yardstick, fit: Fit) -> float:
    """Return how alike a fit and the picture are."""
    return measure.similarity(fit.book.entries[fit.labels])


def _first(will_do: Callable[[int], bool], last: int) -> int:
    """Return the first number for which something will do, as for all that follow; the last if for none."""
    step, low, high = 1, -1, last
    while low + step < last:
        if will_do(low + step):
            high = low + step
            break
        low += step
        step *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if will_do(middle) else (middle, high)
    return high
