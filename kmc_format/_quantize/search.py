"""The search for the number of colours, and for what a bit is worth, that a quality or a budget asks for.

tests/benchmarks/NOTES.md tells how the constants were chosen.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._format.indexed import Indexed
from .._format.metadata import MAX_RDO
from .._options.options import SaveOptions
from .._pixels import colours
from . import yardstick
from .covering import cover
from .fitting import is_beyond, minimise, squared_error
from .scene import NO_BOUND, Book, Fit, Scene, book_of, sample_of

# Tells the bytes of a whole file, for a picture and the `rdo` that the file tells.
Size = Callable[[Indexed, float], int]

# Rounds of choosing labels and fitting the codebook, where the number of colours is searched for and many
# fits are tried.
SEARCH_ROUNDS = 2
# Bits that a byte of an entry takes in a coded codebook, about.
_ENTRY_BITS = 6

# What turns JPEG's scale of a quality into an `rdo`; fitted so that mean SSIM on Kodak is JPEG's.
_QUALITY_RDO, _QUALITY_POWER = 185.0, 1.25
# Up to the second, so many qualities in a row share an `rdo`.
_QUALITY_STEP, _FINE_QUALITY = 5, 90
# Pictures of up to so many pixels try all values of `rdo`, with the number of colours that suits this
# quality.
_CHAIN_PIXELS, _FIRST_QUALITY = 2**17, 50
# The qualities whose `rdo` they try, in this order,
_LADDER = (1, 5, *range(10, 70, 10), *range(70, 90, 5), 90, *range(94, 100))
# the finer ones of larger pictures, where a step costs more bytes,
_FINE_LADDER = (*range(5, 90, 5), *range(90, 100))
# and what is tried after the last of either.
_LAST_RDOS = tuple(2.0**-n for n in range(7))
# How far similarity to the picture may stay behind JPEG's; JPEG libraries differ by up to 0.003 in small
# smooth pictures. The second is for pictures that try all values.
_SHORTFALL, _SMALL_SHORTFALL = 0.018 * yardstick.PERFECT, 0.015 * yardstick.PERFECT
# So many times the bytes of another file are well spent on one of the exact picture.
_EXACT_WORTH = 1.125

# What a budget may be met with, in squared error for a bit.
_LEAST_RDO, _MOST_RDO = 2.0**-6, MAX_RDO
# The number of colours that suits a photograph is 256 at the first, and goes by this power of 1 / rdo.
_FIRST_RDO, _COLOURS_POWER = 40.0, 0.8
# Below this share of a picture, the sample does for all rounds but the last.
_SMALL_SHARE = 0.125
# The shares of a budget that end the search, at first and after half of its steps, and the one that is aimed
# at.
_CLOSE, _CLOSE_ENOUGH, _AIM = 0.99, 0.975, 0.996
# A file that is so many times larger or smaller than expected lets the search start again.
_UNLIKE = 1.25
# The most steps towards a budget, each of which makes a file; and the most guesses on a sample before that,
# with one number of colours, which end where one comes as near to the budget as the share.
_MOST_STEPS, _MOST_GUESSES, _ROUGHLY = 8, 6, 0.1
# So many of the least numbers of colours are tried for the smallest file there is.
_SMALLEST = 8
# Log bytes over log rdo, where it is not known; and the farthest step in log rdo.
_USUAL_SLOPE, _FAR = -0.4, 3.0


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


class _Found(NamedTuple):
    """What a search by quality found."""

    fit: Fit
    rdo: float
    error: float  # the sum of squares
    longest: int  # bytes of the longest file among this one and those of lower qualities


class Search:
    """A search for a number of colours and an `rdo`."""

    def __init__(
        self, scene: Scene, find: Callable[[int], Book], picture: Callable[[Fit], Indexed], rounds: int
    ) -> None:
        self.scene, self.find, self.picture, self.rounds = scene, find, picture, rounds
        self.seen = scene.task.fixed  # what labels look like, where that is given
        self.sample = sample_of(scene)
        self.share = self.sample.numbers.size / scene.numbers.size
        self.books: dict[int, Book] = {}
        self.trials: dict[tuple[int, float], tuple[float, float]] = {}
        task = scene.task
        least = max(len(task.kept), 1)
        if (
            colours.has_alpha(task.kind)
            and (colours.is_clear(scene.found) & ~np.isin(scene.found, task.kept)).any()
        ):
            least = min(max(len(task.kept) + 1, 2), task.k)  # a clear entry among them
        most = max(min(task.k, len(np.union1d(scene.found, task.kept))), least)
        powers = [1 << n for n in range(17) if least < 1 << n < most]
        self.sizes = [most] if task.fixed is not None else sorted({least, *powers, most})

    def run(self, rdo: float, budget: int | None, size: Size | None) -> tuple[Indexed, float]:
        """Return the best picture, within a budget if there is one, and the `rdo` it was chosen by."""
        if budget is not None and size is not None:
            fit, rdo = self.fit_bytes(rdo, budget, lambda fit, rdo: size(self.picture(fit), rdo))
        else:
            fit = self.fit(self.sizes[-1], rdo)
        return self.picture(fit), rdo

    def run_quality(
        self,
        options: SaveOptions,
        size: Size | None,
        plain: Callable[[], Indexed],
        exact: Indexed | None,
    ) -> tuple[Indexed, float]:
        """Return the picture of a quality, or one that is better and no larger, or exact and hardly so."""
        assert options.quality is not None
        assert size is not None
        enough = math.inf if exact is None else size(exact, 0.0) / _EXACT_WORTH
        found = self.fit_quality(options.quality, lambda fit, rdo: size(self.picture(fit), rdo), enough)
        if exact is not None and found.longest >= enough:
            picture, rdo = exact, 0.0
        else:
            picture, rdo, other = self.picture(found.fit), found.rdo, plain()
            if self.error_of(other) <= found.error and size(other, 0.0) <= found.longest:
                picture, rdo = other, 0.0
        if options.max_bytes is None or size(picture, rdo) <= options.max_bytes:
            return picture, rdo
        return self.run(rdo_of(options.quality), options.max_bytes, size)

    def error_of(self, picture: Indexed) -> float:
        """Return the sum of squared errors of a picture; infinity where one is beyond the bound."""
        entries = picture.codebook if self.seen is None else self.seen
        nothing = np.zeros(len(entries), bool)
        fit = Fit(Book(entries, nothing, nothing, nothing), picture.labels, 0)
        return math.inf if is_beyond(self.scene, fit) else squared_error(self.scene, fit)

    def fit_quality(self, quality: int, size: Callable[[Fit, float], int], enough: float) -> _Found:
        """Return the first fit that is as good as JPEG would be, from the usual `rdo` on to smaller ones.

        What takes `enough` bytes ends the search: the exact picture is better, and hardly larger.
        """
        rdo, scene = rdo_of(quality), self.scene
        if rdo and scene.task.kind.dtype == "uint8" and min(scene.numbers.shape) >= yardstick.SIDE:
            if scene.numbers.size <= _CHAIN_PIXELS:
                return self.fit_chain(quality, size, enough)
            fit, rdo = self.fit_jumping(quality, lambda fit, rdo: size(fit, rdo) >= enough)
        else:
            fit = self.fit(self.best(rdo), rdo)
        return _Found(fit, rdo, squared_error(scene, fit), size(fit, rdo))

    def fit_chain(self, quality: int, size: Callable[[Fit, float], int], enough: float) -> _Found:
        """Find the fit among those of all values of `rdo`, the largest first, that have ever less error.

        What is wanted of a quality rises with it, so that a higher one gets the same fit or a later one.
        """
        usual, first, measure = rdo_of(quality), rdo_of(_FIRST_QUALITY), self.measure()
        # JPEG itself may be worse at more quality; up to the next step, so that in between is in order too.
        steps = _LADDER[: 1 + bisect.bisect_left(_LADDER, quality)]
        wanted = max(map(measure.jpeg, steps)) - _SMALL_SHORTFALL
        k, found, longest = self.best(first), None, 0
        for rdo in (*map(rdo_of, _LADDER), *_LAST_RDOS):
            fit = self.fit(self.scaled(k, first, rdo), rdo)
            error = squared_error(self.scene, fit)
            if found is not None and error >= found.error:
                continue
            longest = max(longest, size(fit, rdo))
            found = _Found(fit, rdo, error, longest)
            if longest >= enough or (rdo <= usual and self.similarity(measure, fit) >= wanted):
                break
        assert found is not None
        return found

    def fit_jumping(self, quality: int, is_enough: Callable[[Fit, float], bool]) -> tuple[Fit, float]:
        """Find a fit in less time: try the usual `rdo`, and search among smaller ones."""
        usual = rdo_of(quality)
        k = self.best(usual)
        fit = self.fit(k, usual)
        if is_enough(fit, usual):
            return fit, usual
        measure = self.measure()
        wanted = measure.jpeg(quality) - _SHORTFALL
        if self.similarity(measure, fit) >= wanted:
            return fit, usual
        rdos = [rdo for rdo in (*map(rdo_of, _FINE_LADDER), *_LAST_RDOS) if rdo < usual]
        fits: dict[int, Fit] = {}

        def will_do(n: int) -> bool:
            fits[n] = self.fit(self.scaled(k, usual, rdos[n]), rdos[n])
            return self.similarity(measure, fits[n]) >= wanted

        n = _first(will_do, len(rdos) - 1)
        if n not in fits:
            will_do(n)
        return fits[n], rdos[n]

    def scaled(self, k: int, usual: float, rdo: float) -> int:
        """Return which of `sizes` suits an `rdo` where k suits the usual one."""
        wanted = k * (usual / rdo) ** _COLOURS_POWER
        return min(self.sizes, key=lambda one: abs(math.log(one / wanted)))

    def measure(self) -> yardstick.Yardstick:
        """Return the measure of how alike others are to the picture."""
        scene = self.scene
        return yardstick.Yardstick(colours.unpack(scene.found, scene.task.kind)[scene.numbers])

    def similarity(self, measure: yardstick.Yardstick, fit: Fit) -> float:
        """Return how alike a fit and the picture are."""
        return measure.similarity(fit.book.entries[fit.labels])

    def book(self, k: int) -> Book:
        """Return a codebook of k entries, or of as many more as the bound on errors needs."""
        if k not in self.books:
            book = self.covering(self.find(k), k)
            if book is None and k == self.sizes[-1]:
                fixed = self.scene.task.fixed is not None
                what = "this codebook" if fixed else f"k={self.scene.task.k}"
                raise ValueError(
                    f"max_error={self.scene.max_error:g} cannot be met with {what};"
                    " allow more colours or more error"
                )
            self.books[k] = self.book(self.sizes[-1]) if book is None else book
        return self.books[k]

    def covering(self, book: Book, k: int) -> Book | None:
        """Add entries until no colour is farther than the bound, in place of others if they are too many.

        Return None where that cannot be, or as good a book as there is if the bound was not asked for.
        """
        scene, limit, least = self.scene, self.scene.task.k, self.sizes[0]
        soft = scene.max_error is None
        if scene.bound == NO_BOUND or (soft and scene.task.fixed is not None):
            return book
        entries = cover(scene, book.entries)
        while len(entries) > limit and k > least and scene.task.fixed is None:
            excess = len(entries) - limit
            k = max(k - (min(excess, limit // 4) if soft else excess), least)
            book = self.find(k)
            entries = cover(scene, book.entries)
            if soft:
                break
        if len(entries) == len(book.entries):
            return book
        if len(entries) > limit and not soft and scene.task.fixed is None:
            first = colours.unpack(scene.found[:1], scene.task.kind)  # no means of several, only colours
            entries = cover(scene, book.entries[book.fixed] if book.fixed.any() else first)
        if len(entries) > limit and not soft:
            return None
        return book_of(scene, entries[:limit], colours.pack(book.entries[book.fixed]))

    def fit(self, k: int, rdo: float) -> Fit:
        """Return the best labels and codebook that start from k entries."""
        book, rounds = self.book(k), self.rounds
        if self.share < _SMALL_SHARE and rdo:
            sampled = self.covering(minimise(self.sample, book, rdo, rounds, drop=False).book, k)
            if sampled is not None:
                book, rounds = sampled, 1
        return minimise(self.scene, book, rdo, rounds)

    def trial(self, k: int, rdo: float) -> tuple[float, float]:
        """Return squared error and bytes that are to be expected."""
        if (k, rdo) in self.trials:
            return self.trials[k, rdo]
        fit = minimise(self.sample, self.book(k), rdo, SEARCH_ROUNDS)
        length = self.length(fit._replace(length=fit.length / self.share))
        self.trials[k, rdo] = squared_error(self.sample, fit) / self.share, length
        return self.trials[k, rdo]

    def length(self, fit: Fit) -> float:
        """Return how many bytes labels and codebook take, about."""
        return fit.length + fit.book.entries.nbytes * _ENTRY_BITS / 8

    def near(self, rdo: float) -> int:
        """Return the place among `sizes` of a number of colours that may suit an `rdo`."""
        wanted = 256 * (_FIRST_RDO / rdo) ** _COLOURS_POWER
        return min(range(len(self.sizes)), key=lambda n: abs(math.log(self.sizes[n] / wanted)))

    def best(self, rdo: float) -> int:
        """Return the number of colours for which error and bytes together are least."""
        if not rdo:
            return self.sizes[-1]

        def cost(at: int) -> float:
            error, length = self.trial(self.sizes[at], rdo)
            return error + rdo * 8 * length

        return self.sizes[_climb(cost, self.near(rdo), len(self.sizes))]

    # --- A budget ---

    def fit_bytes(self, rdo: float, budget: int, size: Callable[[Fit, float], int]) -> tuple[Fit, float]:
        """Return the best that is within a budget, with an `rdo` no less than the one given."""
        exact = self.scene.task.fixed is not None or len(self.scene.found) <= self.sizes[-1]
        if rdo or exact:
            fit = self.fit(self.best(rdo), rdo)
            if size(fit, rdo) <= budget:
                return fit, rdo
        found, length = self.smallest(budget, size)
        if length > budget:
            raise ValueError(
                f"max_bytes={budget} cannot be reached: the smallest file of this picture has {length} bytes"
            )
        lowest = max(rdo, _LEAST_RDO)
        at, rdo = self.best_within(budget, lowest)
        low, high, before = lowest, _MOST_RDO, None
        for n in range(_MOST_STEPS):
            fit = self.fit(self.sizes[at], rdo)
            now = size(fit, rdo)
            low, high = (rdo, high) if now > budget else (low, rdo)
            if length < now <= budget:
                found, length = (fit, rdo), now
            if length >= (_CLOSE if n < _MOST_STEPS // 2 else _CLOSE_ENOUGH) * budget:
                break
            ratio = now / self.length(fit)
            if n == 0 and not 1 / _UNLIKE < ratio < _UNLIKE:  # by another label coding, or for metadata
                at, rdo = self.best_within(budget / ratio, lowest)
                low, high = lowest, _MOST_RDO
                continue
            here = (math.log(rdo), math.log(now))
            if before is not None and now <= budget and _flat(before, here) and at + 1 < len(self.sizes):
                at, low, before = at + 1, lowest, None  # these colours have no use for more bytes
                high = _MOST_RDO
            else:
                rdo, before = _step(before, here, math.log(_AIM * budget), low, high), here
        return found

    def smallest(self, budget: int, size: Callable[[Fit, float], int]) -> tuple[tuple[Fit, float], int]:
        """Return what makes a file within a budget or else as small as possible, and its bytes."""
        found = []
        # A bound on errors may need many colours, and then the largest rdo need not save most.
        for rdo in (_MOST_RDO, _MOST_RDO / 2**8, _MOST_RDO / 2**16):
            for k in self.sizes[:_SMALLEST]:
                fit = self.fit(k, rdo), rdo
                found.append((fit, size(*fit)))
                if found[-1][1] <= budget:
                    return found[-1]
                if self.scene.bound == NO_BOUND:
                    return found[0]
        return min(found, key=lambda one: one[1])

    def best_within(self, budget: float, lowest: float) -> tuple[int, float]:
        """Return the place in `sizes`, and the `rdo`, with the least error a sample promises for a budget."""
        _, rdo = self.solve(None, budget, max(_FIRST_RDO, lowest), lowest)
        solved: dict[int, float] = {}

        def cost(at: int) -> float:
            error, solved[at] = self.solve(at, budget, solved.get(at - 1, solved.get(at + 1, rdo)), lowest)
            return error

        at = _climb(cost, self.near(rdo), len(self.sizes))
        return at, solved[at]

    def solve(self, at: int | None, budget: float, rdo: float, lowest: float) -> tuple[float, float]:
        """Return the error a sample promises for a budget with so many colours, and the `rdo`.

        Without a place among `sizes` there are as many colours as may suit each `rdo`.
        """
        low, high, before = lowest, _MOST_RDO, None
        for n in range(_MOST_GUESSES):
            error, length = self.trial(self.sizes[self.near(rdo) if at is None else at], rdo)
            low, high = (rdo, high) if length > budget else (low, rdo)
            here = (math.log(rdo), math.log(length))
            flat = before is not None and _flat(before, here)
            if abs(length / budget - 1) < _ROUGHLY or flat or n == _MOST_GUESSES - 1:
                break
            rdo, before = _step(before, here, math.log(budget), low, high), here
        # By the meaning of rdo, what is left to the budget is worth so much error.
        return error + rdo * 8 * (length - budget), rdo


def _climb(cost: Callable[[int], float], at: int, count: int) -> int:
    """Return the place among so many, going from one to the next, where costs are least."""
    cost = functools.cache(cost)
    here = cost(at)
    below, above = (cost(n) if 0 <= n < count else math.inf for n in (at - 1, at + 1))
    step = 1 if above < min(here, below) else -1
    while 0 <= at + step < count and cost(at + step) < cost(at):
        at += step
    return at


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


def _flat(before: tuple[float, float], here: tuple[float, float]) -> bool:
    """Tell whether bytes hardly grew where rdo fell."""
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
