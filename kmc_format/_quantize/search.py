"""What the searches for a quality and for a budget share: codebooks, fits, and what to expect of them.

Such a search (`quality`, `budget`) looks for the number of colours and the `rdo` that suit a picture. It
tries numbers of colours on a sample, and fits the whole picture for those that are worth it.
tests/benchmarks/NOTES.md tells how the constants here and there were chosen.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from .._format.indexed import Indexed
from .._pixels import colours
from .covering import cover
from .fitting import minimise, squared_error
from .scene import NO_BOUND, Book, Fit, Scene, book_of, sample_of

# Tells how many bytes the whole file has, for a picture and the `rdo` that the file states.
Size = Callable[[Indexed, float], int]

# How often labels are chosen, and the codebook is fitted to them, where the number of colours is searched
# for. That makes many fits, so each has fewer rounds than in `rate`.
SEARCH_ROUNDS = 2
# About how many bits each byte of an entry takes in a coded codebook.
_ENTRY_BITS = 6
# A photograph is best stored in 256 colours at this `rdo`; at others the number of colours that suits it goes
# by this power of 1 / rdo.
FIRST_RDO, _COLOURS_POWER = 40.0, 0.8
# Where the sample is less than this share of a picture, all rounds but the last are made on the sample.
_SMALL_SHARE = 0.125


def near_colours(rdo: float) -> float:
    """Return about how many colours suit a photograph where a bit is worth an `rdo`, which is over 0."""
    return 256 * math.pow(FIRST_RDO / rdo, _COLOURS_POWER)


class Search:
    """A search for a number of colours and an `rdo`, with what was found on the way.

    Parameters
    ----------
    scene : Scene
    find : callable
        Returns a codebook of k entries at most.
    picture : callable
        Returns the codebook and labels that a fit stands for.
    rounds : int
        How often labels are chosen and the codebook is fitted to them.
    size : callable, optional
        See `Size`; needed for a quality and for a budget.
    """

    def __init__(
        self,
        scene: Scene,
        find: Callable[[int], Book],
        picture: Callable[[Fit], Indexed],
        rounds: int,
        size: Size | None,
    ) -> None:
        self.scene, self.picture = scene, picture
        self._find, self._rounds, self._size = find, rounds, size
        self._sample = sample_of(scene)
        self._share = self._sample.numbers.size / scene.numbers.size
        self._books: dict[int, Book] = {}
        self._trials: dict[tuple[int, float], tuple[float, float]] = {}
        self.ks = _numbers_of_colours(scene)

    def file_bytes(self, picture: Indexed, rdo: float) -> int:
        """Return how many bytes the file of a picture has."""
        assert self._size is not None
        return self._size(picture, rdo)

    def fit(self, k: int, rdo: float) -> Fit:
        """Return the best labels and codebook that start from k entries."""
        book, rounds = self._book(k), self._rounds
        if self._share < _SMALL_SHARE and rdo:
            sampled = self._covering(minimise(self._sample, book, rdo, rounds, drop=False).book, k)
            if sampled is not None:
                book, rounds = sampled, 1
        return minimise(self.scene, book, rdo, rounds)

    def trial(self, k: int, rdo: float) -> tuple[float, float]:
        """Return the squared error and the bytes that are to be expected, by the sample."""
        if (k, rdo) not in self._trials:
            fit = minimise(self._sample, self._book(k), rdo, SEARCH_ROUNDS)
            length = expected_bytes(fit._replace(length=fit.length / self._share))
            self._trials[k, rdo] = squared_error(self._sample, fit) / self._share, length
        return self._trials[k, rdo]

    def best(self, rdo: float) -> int:
        """Return the number of colours for which error and bytes together are least."""
        if not rdo:
            return self.ks[-1]

        def cost(at: int) -> float:
            error, length = self.trial(self.ks[at], rdo)
            return error + rdo * 8 * length

        return self.ks[climb(cost, self.near(rdo), len(self.ks))]

    def near(self, rdo: float) -> int:
        """Return the place among `ks` of a number of colours that may suit an `rdo`."""
        return self._place_of(near_colours(rdo))

    def scaled(self, k: int, usual: float, rdo: float) -> int:
        """Return which of `ks` suits an `rdo` where k suits the usual one."""
        return self.ks[self._place_of(k * (usual / rdo) ** _COLOURS_POWER)]

    def _place_of(self, wanted: float) -> int:
        """Return the place among `ks` of the number that is nearest, by its ratio."""
        return min(range(len(self.ks)), key=lambda at: abs(math.log(self.ks[at] / wanted)))

    def _book(self, k: int) -> Book:
        """Return a codebook of k entries, or of as many more as the bound on errors needs."""
        if k not in self._books:
            book = self._covering(self._find(k), k)
            if book is None and k == self.ks[-1]:
                fixed = self.scene.task.fixed is not None
                what = "this codebook" if fixed else f"k={self.scene.task.k}"
                raise ValueError(
                    f"max_error={self.scene.max_error:g} cannot be met with {what};"
                    " allow more colours or more error"
                )
            self._books[k] = self._book(self.ks[-1]) if book is None else book
        return self._books[k]

    def _covering(self, book: Book, k: int) -> Book | None:
        """Add entries until no colour is farther than the bound, in place of others if they are too many.

        Return None where that cannot be, or as good a book as there is if the bound was not asked for.
        """
        scene, limit, least = self.scene, self.scene.task.k, self.ks[0]
        soft = scene.max_error is None
        if scene.bound == NO_BOUND or (soft and scene.task.fixed is not None):
            return book
        entries = cover(scene, book.entries)
        while len(entries) > limit and k > least and scene.task.fixed is None:
            excess = len(entries) - limit
            k = max(k - (min(excess, limit // 4) if soft else excess), least)
            book = self._find(k)
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


def _numbers_of_colours(scene: Scene) -> list[int]:
    """Return the numbers of colours that are tried, in ascending order: powers of two and both ends."""
    task = scene.task
    least = max(len(task.kept), 1)
    if (
        colours.has_alpha(task.kind)
        and (colours.is_clear(scene.found) & ~np.isin(scene.found, task.kept)).any()
    ):
        least = min(max(len(task.kept) + 1, 2), task.k)  # a clear entry among them
    most = max(min(task.k, len(np.union1d(scene.found, task.kept))), least)
    powers = [1 << n for n in range(17) if least < 1 << n < most]
    return [most] if task.fixed is not None else sorted({least, *powers, most})


def expected_bytes(fit: Fit) -> float:
    """Return how many bytes labels and codebook take, about."""
    return fit.length + fit.book.entries.nbytes * _ENTRY_BITS / 8


def climb(cost: Callable[[int], float], at: int, count: int) -> int:
    """Return the place, of so many, where costs are least, going from one to the next."""
    cost = functools.cache(cost)
    here = cost(at)
    below, above = (cost(n) if 0 <= n < count else math.inf for n in (at - 1, at + 1))
    step = 1 if above < min(here, below) else -1
    while 0 <= at + step < count and cost(at + step) < cost(at):
        at += step
    return at
