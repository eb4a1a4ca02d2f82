"""Work that is started shortly before its results are wanted: by threads, processes or machines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_Started = TypeVar("_Started")


def work_ahead(
    items: Iterable[_Item],
    start: Callable[[_Item], _Started],
    ahead: int,
    choose: Callable[[Sequence[_Started]], int] | None = None,
    cancel: Callable[[_Started], None] | None = None,
) -> Generator[_Started, None, None]:
    """Start work at items, and give back what was started when its turn has come to be waited for.

    Items are taken from the iterable only when their work is started, so few are in memory at a time.

    Parameters
    ----------
    items : iterable
    start : callable
        Starts the work at an item; returns what stands for it, such as a future.
    ahead : int
        How many are started at a time, the one that is waited for among them.
    choose : callable, optional
        Returns the position of the next one to wait for, among those started. By default that is the first,
        so that results come in order.
    cancel : callable, optional
        Is called with each that was started and not asked for, where the loop ends before.

    Examples
    --------
    >>> list(work_ahead("abc", lambda item: print("start", item) or item, 2))
    start a
    start b
    start c
    ['a', 'b', 'c']
    """
    started: list[_Started] = []

    def following() -> _Started:
        return started.pop(choose(started) if choose else 0)

    try:
        for item in items:
            if len(started) == ahead:
                yield following()
            started.append(start(item))
        while started:
            yield following()
    finally:
        if cancel:
            for one in started:
                cancel(one)
