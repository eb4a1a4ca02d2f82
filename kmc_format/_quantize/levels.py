"""The best choice of levels for points on a line, such as greys."""

from __future__ import annotations

import numpy as np

from .._format.indexed import Array


def best_levels(points: Array, weights: Array, levels: Array, k: int, kept: Array) -> Array:
    """Choose the k of some levels that are nearest to weighted points on a line: the best there are.

    By dynamic programming over pairs of levels next to one another among the chosen, after Wu,
    "Optimal quantization by matrix searching", Journal of Algorithms 12(4), 1991 (without the
    matrix searching, as levels are few).

    Parameters
    ----------
    points, weights : ndarray, shape (n,)
        Points in ascending order.
    levels : ndarray, shape (m,)
        In ascending order, k < m.
    kept : ndarray of bool, shape (m,)
        Levels that are chosen in any case, at most k.

    Returns
    -------
    ndarray of int, shape (k,)
        Positions in `levels`.
    """
    moments = [np.concatenate([[0.0], np.cumsum(weights * points**power)]) for power in range(3)]

    def error(start: Array, end: Array, level: Array) -> Array:
        """Sum up squared distances of the points from start to end to a level."""
        zeroth, first, second = (moment[end] - moment[start] for moment in moments)
        total: Array = second - 2 * level * first + level**2 * zeroth
        return total

    left, right = levels[:, None], levels[None, :]
    at = np.searchsorted(points, levels)
    middle = np.searchsorted(points, (left + right) / 2)
    between = error(at[:, None], middle, left) + error(middle, at[None, :], right)
    skipped = np.cumsum(kept) - kept  # kept levels before each
    between[(left >= right) | (skipped[None, :] > (skipped + kept)[:, None])] = np.inf
    best = np.where(skipped > 0, np.inf, error(np.zeros_like(at), at, levels))
    before = []
    for _ in range(k - 1):
        total = best[:, None] + between
        before.append(total.argmin(axis=0))
        best = total.min(axis=0)
    best += np.where(skipped + kept < kept.sum(), np.inf, error(at, np.full_like(at, len(points)), levels))
    chosen = [int(best.argmin())]
    for step in reversed(before):
        chosen.append(int(step[chosen[-1]]))
    return np.array(chosen[::-1])
