"""Whether a picture looks like labels: a mask, whose values are names, not levels or colours.

Labels come in regions with sharp edges, and which labels touch has little to do with how alike they are.
In pictures of something seen, edges are soft, or neighbours are alike. The rule, for values in rows and
in columns:

- at most three in ten pairs of neighbours differ;
- at least half of the changes are sharp: the two pixels before one are equal, and so are the two after;
- across sharp changes the colours of a palette are on average at least half as far apart as those of all
  different pixels are; levels of grey are mostly not the next ones in use, unless there are four or less.
"""

from __future__ import annotations

import numpy as np

from .._format.indexed import Array

# The shares of the rule above: of pairs of neighbours that differ, at most, and of sharp changes, at least.
_MOST_CHANGES, _SHARP = 0.3, 0.5
# How far apart colours that touch are, at least, as a share of the mean distance of different pixels; and of
# sharp changes between greys, the share that skips a level in use, at least.
_UNRELATED = 0.5
# With up to so many levels of grey, the steps between them say nothing.
_FEW_LEVELS = 4
# As many whole rows are looked at as have so many pixels.
_MOST_PIXELS = 2**22


def looks_like_labels(values: Array, colours: Array | None = None) -> bool:
    """Tell whether values are labels rather than levels of grey, or than numbers of a palette's colours.

    Parameters
    ----------
    values : ndarray of unsigned integers, shape (height, width)
    colours : ndarray, shape (n, channels), optional
        Of each value.

    Examples
    --------
    >>> regions = np.kron([[7, 2, 9], [1, 8, 3]], np.ones((20, 20), int)).astype(np.uint8)
    >>> looks_like_labels(regions), looks_like_labels(np.arange(4000).reshape(40, 100).astype(np.uint8))
    (True, False)
    """
    values = values[: max(_MOST_PIXELS // values.shape[1], 1)]
    found, ranks = np.unique(values, return_inverse=True)
    ranks = ranks.reshape(values.shape)
    pairs = changes = 0
    steps = []
    for rows in (ranks, ranks.T):
        change = rows[:, 1:] != rows[:, :-1]
        sharp = change[:, 1:-1] & ~change[:, :-2] & ~change[:, 2:]
        steps.append(np.stack([rows[:, 1:-2][sharp], rows[:, 2:-1][sharp]], axis=1))
        pairs += change.size
        changes += int(np.count_nonzero(change))
    sharp_steps = np.concatenate(steps)
    if not 0 < changes <= _MOST_CHANGES * pairs or len(sharp_steps) < _SHARP * changes:
        return False
    if colours is not None:
        return _are_far(colours[found].astype(np.float64), sharp_steps, np.bincount(ranks.ravel()))
    beyond = np.abs(sharp_steps[:, 0] - sharp_steps[:, 1]) > 1
    return len(found) <= _FEW_LEVELS or bool(beyond.mean() >= _UNRELATED)


def percentage(share: float) -> str:
    """Write a share of labels, of which a few are not none."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def _are_far(colours: Array, steps: Array, counts: Array) -> bool:
    """Tell whether colours that touch are about as far apart as any."""
    across = np.abs(colours[steps[:, 0]] - colours[steps[:, 1]]).sum(axis=1).mean()
    share = counts / counts.sum()
    between = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    other = 1 - (share**2).sum()
    return bool(across * other >= _UNRELATED * (share @ between @ share))
