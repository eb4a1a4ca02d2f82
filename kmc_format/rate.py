"""The fewest bytes: labels and codebook chosen by error and size together.

Where `kmeans` gives each pixel the nearest entry, this gives it the one for which squared error plus
`rdo` times bits is least, by the statistics of the coder itself, and fits the codebook to the result:
entropy-constrained vector quantisation (Chou, Lookabaugh and Gray, IEEE Transactions on Acoustics,
Speech, and Signal Processing 37(1), 1989). Many colours that are seldom changed take fewer bytes than
few colours, so `quality` and `max_bytes` search for the number of colours as well.

tests/benchmarks/NOTES.md tells how the constants were chosen.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _core, codec, colours, kmeans, tally, yardstick
from .container import Box, Grid
from .indexed import Array, Indexed
from .nearest import squared_distance
from .options import DEFAULT_K, SaveOptions
from .tasks import Task, prepare

Size = Callable[[Indexed, float], int]  # tells the bytes of a file, for a picture and the `rdo` it tells

_ROUNDS = 3  # of choosing labels and fitting the codebook to them
_SEARCH_ROUNDS = 2  # the same, where the number of colours is searched for too
_TRIAL_PIXELS = 2**18  # of a large picture, on which numbers of colours are tried
_STRIPS = 8  # they come from
# The share of the cost of a bit that is charged to the pixel whose label is chosen. A label that costs bits
# makes the same label cheaper at the pixels after it, which gives the rest back.
_ANTICIPATED = 0.42
_BIT = 1024 * math.log(2)  # in the units of cost of `_core.choose_labels`
_ENTRY_BITS = 6  # that a byte of an entry takes, about
_QUALITY_RDO, _QUALITY_POWER = 185.0, 1.25
_QUALITY_STEP, _FINE_QUALITY = 5, 90  # of qualities that share an rdo, up to here
_FIRST_QUALITY = 50  # for which the number of colours is searched for, where all values of rdo are tried
_CHAIN_PIXELS = 2**17  # up to which they are
_LADDER = (
    1,
    5,
    *range(10, 70, 10),
    *range(70, 90, 5),
    90,
    *range(94, 100),
)  # whose rdo is tried after the first
_LAST_RDOS = tuple(2.0**-n for n in range(7))  # and what is tried after these
_FINE_LADDER = (*range(5, 90, 5), *range(90, 100))  # the same for large pictures, where each step costs bytes
# The similarity beside JPEG's that may lack; in small smooth pictures JPEG libraries differ by up to 0.003.
_SHORTFALL, _SMALL_SHORTFALL = 0.018 * yardstick.PERFECT, 0.015 * yardstick.PERFECT
_EXACT_WORTH = 1.125  # so many times the bytes are well spent on the exact picture
_QUALITY_ERROR = 32.0  # that no pixel exceeds, where a quality is given
_LEAST_RDO, _MOST_RDO = 2.0**-6, codec.MAX_RDO
_COLOURS_POWER = 0.8  # of rdo, to which numbers of colours are about in inverse proportion
_FIRST_RDO = 40.0  # at which 256 colours are about right for a photograph
_SMALL_SHARE = 0.125  # of a picture, in whose place a sample does for all rounds but the last
_CLOSE, _CLOSE_ENOUGH = 0.99, 0.975  # of the budget: what will do at first, and after a few steps
_AIM = 0.996  # of the budget, is tried for
_UNLIKE = 1.25  # how far real sizes may be from expected ones before the search starts again
_MOST_STEPS = 8  # towards a budget
_SMALLEST = 8  # numbers of colours that may make the smallest file
_MOST_GUESSES = 6  # on a sample, before, with one number of colours
_ROUGHLY = 0.1  # how close to the budget a guess is to be
_USUAL_SLOPE = -0.4  # of the logarithm of bytes over that of rdo
_NO_BOUND = 2**62
_NO_COVER = 2**20  # between coordinates of colours that cannot stand for each other
_MANY_FAR = 4096  # colours beyond the bound are not covered one by one
_THREAD_PIXELS = 2**16  # from so many, labels are chosen in threads, which takes long
_FAR = 3.0  # the farthest step, in logarithms of rdo


# --- Options ------------------------------------------------------------------------------------


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


# --- What is to be labelled ---------------------------------------------------------------------


class _Scene(NamedTuple):
    """A picture as the colour of each pixel, and how it will be coded."""

    task: Task
    found: Array  # (n,) the colours, packed
    points: Array  # (n, 4) int32, their coordinates
    whole: Array  # (n,) uint8: 1 where they are opaque, and stay so
    numbers: Array  # (height, width) uint32: which colour each pixel has
    unit: float  # squared distance that is a squared error of 1, in 8-bit units
    bound: int  # largest squared distance,
    max_error: float | None  # that was asked for; else it yields to the number of colours
    grid: Grid
    threads: int


class _Book(NamedTuple):
    """A codebook for a scene."""

    entries: Array  # (k, channels)
    fixed: Array  # (k,) bool: those that stay as they are
    nearest: Array  # (n,) for each colour
    pinned: Array  # (n,) bool: colours that have just that label


class _Fit(NamedTuple):
    """Labels for a scene, with the codebook that fits them."""

    book: _Book
    labels: Array
    length: float  # in bytes, of the coded labels, about


class _Found(NamedTuple):
    """What a search by quality found."""

    fit: _Fit
    rdo: float
    error: float  # the sum of squares
    longest: int  # bytes of the longest file among this one and those of lower qualities


def _scene(task: Task, found: Array, numbers: Array, options: SaveOptions) -> _Scene:
    kind = task.kind
    if kind.dtype == "int32":
        name = next(iter(options.weighed))
        raise ValueError(
            f"{name} is for colours; a picture of mode I holds labels or measurements:"
            " give k alone, or convert it to I;16 or L"
        )
    height, width = numbers.shape
    layout = options.layout((width, height))
    points = _coordinates(colours.unpack(found, kind), task)
    unit = colours.squared_unit(kind, task.space)
    error = options.max_error
    if error is None and options.quality is not None and options.quality < 100:
        error = _QUALITY_ERROR
    channels = kind.channels - colours.has_alpha(kind)
    bound = _NO_BOUND if error is None else int(error**2 * channels * unit)
    whole = colours.is_opaque(found, kind).astype(np.uint8)
    return _Scene(
        task, found, points, whole, numbers, unit, bound, options.max_error, layout.grid, layout.threads
    )


def _are_whole(scene: _Scene, entries: Array) -> Array | None:
    """Return 1 for each entry that is opaque and 0 for others; None where there are no opaque ones."""
    whole = colours.is_opaque(colours.pack(entries), scene.task.kind)
    return whole.astype(np.uint8) if whole.any() else None


def _coordinates(entries: Array, task: Task) -> Array:
    """Return coordinates in as many dimensions as the compiled core has."""
    own = colours.coordinates(entries, task.kind, task.space)
    padded = np.zeros((len(own), 4), np.int32)
    padded[:, : own.shape[1]] = own
    return padded


def _sample(scene: _Scene) -> _Scene:
    """Take strips of a large picture."""
    height, width = scene.numbers.shape
    if height * width <= _TRIAL_PIXELS:
        return scene
    strips = min(_STRIPS, height)
    wide = min(width, 1024)
    high = max(_TRIAL_PIXELS // (strips * wide), 1)
    parts = []
    for n in range(strips):
        top = (2 * n + 1) * height // (2 * strips) - high // 2
        top = min(max(top, 0), max(height - high, 0))
        left = (width - wide) * n // max(strips - 1, 1)
        parts.append(scene.numbers[top : top + high, left : left + wide])
    numbers = np.concatenate(parts)
    return scene._replace(
        numbers=numbers, grid=Grid(numbers.shape[1], numbers.shape[0], numbers.shape[1], numbers.shape[0])
    )


# --- Labels and codebook ------------------------------------------------------------------------


def _book(scene: _Scene, entries: Array, kept: Array, fixed: bool = False) -> _Book:
    nearest, _ = kmeans.nearest_entries(scene.task, scene.found, entries)
    pinned, stay = np.isin(scene.found, kept), np.isin(colours.pack(entries), kept) | fixed
    if colours.has_alpha(scene.task.kind):  # clear areas stay clear
        pinned |= colours.is_clear(scene.found) & (entries[nearest, -1] == 0)
        stay |= entries[:, -1] == 0
    return _Book(entries, stay, nearest.astype(np.int32), pinned)


def _share_clear(scene: _Scene, book: _Book) -> _Book:
    """Have one entry for all colours of zero alpha, but kept ones: what is not seen is to cost nothing."""
    if scene.task.fixed is not None or not colours.has_alpha(scene.task.kind):
        return book
    clear = np.flatnonzero(book.entries[:, -1] == 0)
    if len(clear) < 2:
        return book
    own = np.isin(colours.pack(book.entries[clear]), scene.task.kept)
    one = clear[own.argmax()]
    nearest, fixed = book.nearest.copy(), book.fixed.copy()
    merged = book.pinned & colours.is_clear(scene.found) & ~np.isin(scene.found, scene.task.kept)
    nearest[merged], fixed[clear[~own]] = one, False
    fixed[one] = True
    return book._replace(nearest=nearest, fixed=fixed)


def _minimise(scene: _Scene, book: _Book, rdo: float, rounds: int, drop: bool = True) -> _Fit:
    """Choose labels and fit the codebook to them, in turn; the nearest, where bits are worth nothing."""
    fit = _Fit(book, book.nearest.astype(np.uint16)[scene.numbers], 0)
    for _ in range(rounds if rdo else 0):
        fit = fit._replace(book=_share_clear(scene, fit.book))
        fit = _refit(scene, _choose(scene, fit, rdo), drop)
    return fit


def _choose(scene: _Scene, fit: _Fit, rdo: float) -> _Fit:
    """Choose labels tile by tile, by a guess of what they will be."""
    book = fit.book
    order = codec.coding_order(book.entries)
    entries = _coordinates(book.entries, scene.task)
    farthest = squared_distance(scene.points, entries[book.nearest]).astype(np.int64)
    np.maximum(farthest, scene.bound, out=farthest)
    farthest[book.pinned] = -1
    nearest = order.numbers[book.nearest].astype(np.int32)
    entries = entries[order.labels]
    whole = _are_whole(scene, book.entries[order.labels])
    lagrange = min(max(round(_ANTICIPATED * rdo * scene.unit / _BIT), 1), 2**44)
    labels = np.empty(scene.numbers.shape, np.uint16)

    def choose_tile(box: Box) -> int:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        numbers = order.numbers.take(fit.labels[tile])
        length = _core.choose_labels(
            np.ascontiguousarray(scene.numbers[tile]),
            scene.points,
            entries,
            nearest,
            farthest,
            lagrange,
            order.colours,
            numbers,
            None if whole is None else scene.whole,
            whole,
        )
        labels[tile] = order.labels.take(numbers)
        return length

    lengths = codec.map_tiles(choose_tile, scene.grid, scene.grid, scene.threads, _THREAD_PIXELS)
    return _Fit(book, labels, sum(lengths))


def _refit(scene: _Scene, fit: _Fit, drop: bool) -> _Fit:
    """Move each entry to the mean of the colours that have it; drop those that none has, or leave them."""
    entries, fixed = fit.book.entries, fit.book.fixed
    k = len(entries)
    if fixed.all():
        return fit

    def sum_tile(box: Box) -> Array:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        labels, numbers = fit.labels[tile].ravel(), scene.numbers[tile].ravel()
        columns = [np.bincount(labels, scene.points[numbers, c], k) for c in range(dimensions)]
        return np.stack([*columns, np.bincount(labels, minlength=k)])

    dimensions = colours.coordinates(entries[:1], scene.task.kind, scene.task.space).shape[1]
    # Whole numbers far below 2**53, so that their sum does not depend on the order.
    sums = np.sum(codec.map_tiles(sum_tile, scene.grid, scene.grid, scene.threads), axis=0)
    moved = entries.copy()
    free = (sums[-1] > 0) & ~fixed
    means = (sums[:-1, free] / sums[-1, free]).T
    whole = _are_whole(scene, entries[free])
    if whole is not None:
        means[whole > 0, -1] = colours.opaque_extent(scene.task.kind, scene.task.space)
    moved[free] = colours.unpack(
        colours.nearest_colours(means, scene.task.kind, scene.task.space), scene.task.kind
    )
    if scene.bound < _NO_BOUND:
        broken = _broken(scene, fit, moved)
        moved[broken] = entries[broken]
    used = (sums[-1] > 0) | fixed | (not drop)
    renumbered = (np.cumsum(used) - 1).astype(np.uint16)
    book = _book(scene, moved[used], colours.pack(entries[fixed]))
    return _Fit(book._replace(fixed=fixed[used]), renumbered[fit.labels], fit.length)


def _broken(scene: _Scene, fit: _Fit, entries: Array) -> Array:
    """Return which entries are farther than they may be from a colour that has them."""
    before, after = (_coordinates(book, scene.task) for book in (fit.book.entries, entries))

    def broken_in(box: Box) -> Array:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        labels, points = fit.labels[tile].ravel(), scene.points[scene.numbers[tile].ravel()]
        distance = squared_distance(points, after[labels])
        worse = (distance > scene.bound) & (distance > squared_distance(points, before[labels]))
        return np.bincount(labels[worse], minlength=len(entries)) > 0

    broken: Array = np.any(codec.map_tiles(broken_in, scene.grid, scene.grid, scene.threads), axis=0)
    return broken


def _squared_error(scene: _Scene, fit: _Fit) -> float:
    """Return the sum over pixels of squared errors, in 8-bit units."""
    entries = _coordinates(fit.book.entries, scene.task)

    def error_in(box: Box) -> float:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        points = scene.points[scene.numbers[tile].ravel()]
        return float(squared_distance(points, entries[fit.labels[tile].ravel()]).sum())

    return sum(codec.map_tiles(error_in, scene.grid, scene.grid, scene.threads)) / scene.unit


def _is_beyond(scene: _Scene, fit: _Fit) -> bool:
    """Tell whether any pixel is farther from its entry than the bound."""
    entries = _coordinates(fit.book.entries, scene.task)

    def is_beyond(box: Box) -> bool:
        tile = np.s_[box.upper : box.lower, box.left : box.right]
        points = scene.points[scene.numbers[tile].ravel()]
        return bool((squared_distance(points, entries[fit.labels[tile].ravel()]) > scene.bound).any())

    return any(codec.map_tiles(is_beyond, scene.grid, scene.grid, scene.threads))


# --- The bound on the worst error ---------------------------------------------------------------


def _cover(scene: _Scene, entries: Array) -> Array:
    """Add colours until none is farther than the bound."""
    nearest, _ = kmeans.nearest_entries(scene.task, scene.found, entries)
    distance = squared_distance(scene.points, _coordinates(entries, scene.task)[nearest])
    far = np.flatnonzero(distance > scene.bound)
    added = _spread(scene, far) if len(far) > _MANY_FAR else _farthest(scene, far, distance[far])
    if not len(added):
        return entries
    return np.concatenate([entries, colours.unpack(scene.found[added], scene.task.kind)])


def _farthest(scene: _Scene, far: Array, distance: Array) -> Array:
    """Choose colours that cover the far ones, each the worst off of those left."""
    points, chosen = _apart(scene, far), []
    while len(far):
        worst = int(distance.argmax())
        chosen.append(int(far[worst]))
        distance = np.minimum(distance, squared_distance(points, points[worst]))
        left = distance > scene.bound
        far, distance, points = far[left], distance[left], points[left]
    return np.array(chosen, np.int64)


def _apart(scene: _Scene, far: Array) -> Array:
    """Return the coordinates of colours, opaque ones far from the others, which do not cover them."""
    points = scene.points[far].astype(np.int64)
    points[scene.whole[far] > 0] += _NO_COVER
    return points


def _spread(scene: _Scene, far: Array) -> Array:
    """Choose more colours that cover the far ones, in less time: one from each cell of a grid."""
    dimensions = max(int(scene.points.any(axis=0).sum()), 1)
    side = max(math.isqrt(scene.bound // dimensions), 1)  # of cells in which none is far from another
    _, first = np.unique(_apart(scene, far) // side, axis=0, return_index=True)
    return far[np.sort(first)]


# --- Search -------------------------------------------------------------------------------------


def quantize(
    pixels: Array, options: SaveOptions, size: Size | None = None, *, palette: bool = False
) -> tuple[Indexed, float]:
    """Reduce pixels as those of `SaveOptions.weighed` ask.

    Parameters
    ----------
    pixels, options, palette
        As for `kmeans.quantize`; k is an upper limit where a quality or a size is given.
    size : callable
        Tells how many bytes the file has; needed for `quality` and `max_bytes`.

    Returns
    -------
    Indexed, float
        The picture, and the `rdo` that was used.

    Raises
    ------
    TypeError, ValueError
        If the pixels are no picture, or one that the options are not for, or these are out of reach.
    """
    task, pixels = prepare(pixels, options, palette=palette)
    if task.kind.dtype == "uint16" and not task.given:
        raise ValueError(
            f"{next(iter(options.weighed))} is for colours; a picture of mode I;16 holds labels or"
            " measurements: give k too if fewer of them will do"
        )
    if options.searching:
        task = task._replace(k=task.k if task.given else task.kind.max_k, given=True)
    histogram = tally.histogram(pixels)
    scene = _scene(task, histogram.tally.colours[histogram.rank], histogram.numbers, options)

    def find(k: int) -> _Book:
        entries, kept = kmeans.find_codebook(task, histogram.tally, k, rough=options.searching)
        return _book(scene, entries, kept, task.fixed is not None or task.kind.mode == "1")

    def picture(fit: _Fit) -> Indexed:
        return _picture(scene, fit)

    search = _Search(scene, find, picture, _SEARCH_ROUNDS if options.searching else _ROUNDS)
    if options.quality is None:
        return search.run(options.rdo, options.max_bytes, size)

    def plain(k: int) -> Indexed:
        return kmeans.label(task, histogram, *kmeans.find_codebook(task, histogram.tally, k))

    distinct = len(histogram.tally.colours)
    exact = plain(distinct) if distinct <= task.k else None
    return search.run_quality(options, size, functools.partial(plain, min(DEFAULT_K, task.k)), exact)


def estimate(
    task: Task,
    histogram: tally.Histogram,
    entries: Array,
    kept: Array,
    options: SaveOptions,
) -> tuple[Indexed, float]:
    """Choose labels, and fit a codebook to them, in one round: for a preview of what `quantize` gives.

    Parameters
    ----------
    task, histogram
        As for `kmeans.find_codebook`.
    entries, kept
        What that returned.
    options : SaveOptions
        With an `rdo` above 0.

    Returns
    -------
    Indexed, float
        The picture, and how many bytes its labels take, about.
    """
    scene = _scene(task, histogram.tally.colours[histogram.rank], histogram.numbers, options)
    book = _book(scene, entries, kept, task.fixed is not None or task.kind.mode == "1")
    fit = _minimise(scene, book, options.rdo, 1)
    return _picture(scene, fit), fit.length


def relabel(indexed: Indexed, seen: Array, options: SaveOptions, size: Size) -> tuple[Indexed, float]:
    """Choose other labels for a palette image, as options ask; the palette, which is `seen` so, stays.

    A label that looks like another one in use is left alone, as its meaning must be elsewhere.
    """
    kind = indexed.kind._replace(channels=seen.shape[1])
    none = np.empty(0, np.uint32)
    task = Task(kind, "srgb", 0, indexed.k, True, none, seen)
    found, numbers = colours.pack(seen), indexed.labels.astype(np.uint32)
    scene = _scene(task, found, numbers, options)
    every = np.arange(indexed.k, dtype=np.int32)
    _, same, counts = np.unique(found[np.unique(numbers)], return_inverse=True, return_counts=True)
    pinned = colours.is_clear(found) if kind.channels == 4 else np.zeros(len(found), bool)
    pinned[np.unique(numbers)] |= counts[same] > 1
    book = _Book(seen, np.ones(indexed.k, bool), every, pinned)

    def picture(fit: _Fit) -> Indexed:
        return Indexed(indexed.codebook, fit.labels, "P")

    search = _Search(scene, lambda k: book, picture, _SEARCH_ROUNDS)
    if options.quality is None:
        return search.run(options.rdo, options.max_bytes, size)
    return search.run_quality(options, size, lambda: indexed, indexed)


def _picture(scene: _Scene, fit: _Fit) -> Indexed:
    """Return codebook and labels, in ascending order unless the codebook was given."""
    entries, labels = fit.book.entries, fit.labels
    if scene.task.fixed is None:
        packed, number = np.unique(colours.pack(entries), return_inverse=True)
        entries, labels = colours.unpack(packed, scene.task.kind), number.astype(np.uint16)[labels]
    return Indexed(entries, labels, scene.task.kind.mode)


class _Search:
    """A search for a number of colours and an `rdo`."""

    def __init__(
        self, scene: _Scene, find: Callable[[int], _Book], picture: Callable[[_Fit], Indexed], rounds: int
    ) -> None:
        self.scene, self.find, self.picture, self.rounds = scene, find, picture, rounds
        self.seen = scene.task.fixed  # what labels look like, where that is given
        self.sample = _sample(scene)
        self.share = self.sample.numbers.size / scene.numbers.size
        self.books: dict[int, _Book] = {}
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
        fit = _Fit(_Book(entries, nothing, nothing, nothing), picture.labels, 0)
        return math.inf if _is_beyond(self.scene, fit) else _squared_error(self.scene, fit)

    def fit_quality(self, quality: int, size: Callable[[_Fit, float], int], enough: float) -> _Found:
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
        return _Found(fit, rdo, _squared_error(scene, fit), size(fit, rdo))

    def fit_chain(self, quality: int, size: Callable[[_Fit, float], int], enough: float) -> _Found:
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
            error = _squared_error(self.scene, fit)
            if found is not None and error >= found.error:
                continue
            longest = max(longest, size(fit, rdo))
            found = _Found(fit, rdo, error, longest)
            if longest >= enough or (rdo <= usual and self.similarity(measure, fit) >= wanted):
                break
        assert found is not None
        return found

    def fit_jumping(self, quality: int, is_enough: Callable[[_Fit, float], bool]) -> tuple[_Fit, float]:
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
        fits: dict[int, _Fit] = {}

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

    def similarity(self, measure: yardstick.Yardstick, fit: _Fit) -> float:
        """Return how alike a fit and the picture are."""
        return measure.similarity(fit.book.entries[fit.labels])

    def book(self, k: int) -> _Book:
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

    def covering(self, book: _Book, k: int) -> _Book | None:
        """Add entries until no colour is farther than the bound, in place of others if they are too many.

        Return None where that cannot be, or as good a book as there is if the bound was not asked for.
        """
        scene, limit, least = self.scene, self.scene.task.k, self.sizes[0]
        soft = scene.max_error is None
        if scene.bound == _NO_BOUND or (soft and scene.task.fixed is not None):
            return book
        entries = _cover(scene, book.entries)
        while len(entries) > limit and k > least and scene.task.fixed is None:
            excess = len(entries) - limit
            k = max(k - (min(excess, limit // 4) if soft else excess), least)
            book = self.find(k)
            entries = _cover(scene, book.entries)
            if soft:
                break
        if len(entries) == len(book.entries):
            return book
        if len(entries) > limit and not soft and scene.task.fixed is None:
            first = colours.unpack(scene.found[:1], scene.task.kind)  # no means of several, only colours
            entries = _cover(scene, book.entries[book.fixed] if book.fixed.any() else first)
        if len(entries) > limit and not soft:
            return None
        return _book(scene, entries[:limit], colours.pack(book.entries[book.fixed]))

    def fit(self, k: int, rdo: float) -> _Fit:
        """Return the best labels and codebook that start from k entries."""
        book, rounds = self.book(k), self.rounds
        if self.share < _SMALL_SHARE and rdo:
            sampled = self.covering(_minimise(self.sample, book, rdo, rounds, drop=False).book, k)
            if sampled is not None:
                book, rounds = sampled, 1
        return _minimise(self.scene, book, rdo, rounds)

    def trial(self, k: int, rdo: float) -> tuple[float, float]:
        """Return squared error and bytes that are to be expected."""
        if (k, rdo) in self.trials:
            return self.trials[k, rdo]
        fit = _minimise(self.sample, self.book(k), rdo, _SEARCH_ROUNDS)
        length = self.length(fit._replace(length=fit.length / self.share))
        self.trials[k, rdo] = _squared_error(self.sample, fit) / self.share, length
        return self.trials[k, rdo]

    def length(self, fit: _Fit) -> float:
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

    def fit_bytes(self, rdo: float, budget: int, size: Callable[[_Fit, float], int]) -> tuple[_Fit, float]:
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

    def smallest(self, budget: int, size: Callable[[_Fit, float], int]) -> tuple[tuple[_Fit, float], int]:
        """Return what makes a file within a budget or else as small as possible, and its bytes."""
        found = []
        # A bound on errors may need many colours, and then the largest rdo need not save most.
        for rdo in (_MOST_RDO, _MOST_RDO / 2**8, _MOST_RDO / 2**16):
            for k in self.sizes[:_SMALLEST]:
                fit = self.fit(k, rdo), rdo
                found.append((fit, size(*fit)))
                if found[-1][1] <= budget:
                    return found[-1]
                if self.scene.bound == _NO_BOUND:
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
