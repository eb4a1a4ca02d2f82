"""How many threads work, and tiles that are worked on in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from .grid import Grid
from .indexed import as_int

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# Threads work from so many pixels on: to start them takes longer than they save for fewer.
_THREAD_PIXELS = 2**19
# How many items are in memory at a time for each thread, the one that it works at among them.
_AHEAD = 3


def check_threads(threads: object) -> int:
    """Return how many threads to use at most.

    That is `threads`, or the environment variable ``KMC_THREADS``, or the number of cores that
    this process may use.
    """
    if threads is None:
        given = os.environ.get("KMC_THREADS", "")
        if not given:
            return _usable_cores()
        if not (given.isascii() and given.isdigit() and int(given)):
            raise ValueError(f"the environment variable KMC_THREADS must be 1 or more, not {given!r}")
        return int(given)
    number = as_int(threads)
    if number is None or isinstance(threads, bool):
        raise TypeError(f"threads must be an int, 1 or more, not {threads!r}")
    if number < 1:
        raise ValueError(f"threads must be 1 or more, not {threads!r}")
    return number


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_tiles(
    function: Callable[[_Item], _Result],
    tiles: Iterable[_Item],
    grid: Grid,
    threads: int,
    least: int = _THREAD_PIXELS,
) -> list[_Result]:
    """Map a function over the tiles of a grid, in threads where it has `least` pixels or more.

    They are taken from the iterable shortly before their turn, so that few are in memory at a time.
    """
    threads = min(threads, grid.count)
    if threads == 1 or grid.width * grid.height < least:
        return [function(tile) for tile in tiles]
    return map_in_threads(function, tiles, threads)


def map_in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int
) -> list[_Result]:
    from concurrent.futures import Future, ThreadPoolExecutor  # slow to import, and seldom needed

    from .._ahead import work_ahead

    def start(item: _Item) -> Future[_Result]:
        return executor.submit(function, item)

    with ThreadPoolExecutor(threads, "kmc") as executor:
        try:
            return [future.result() for future in work_ahead(items, start, _AHEAD * threads)]
        finally:
            executor.shutdown(cancel_futures=True)
