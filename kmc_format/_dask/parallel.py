"""Work at many items: in processes of this machine, or by a Dask cluster.

Results are given in the order in which they are ready. Nothing here knows what the work is.
"""

from __future__ import annotations

import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from .._ahead import work_ahead
from .._extras import needed
from . import workers

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# How many items are handed out for each process at a time, the one that it works at among them. That is
# enough that no process has to wait for more.
_AHEAD = 4
# About how many tasks each core of a cluster gets: enough that all cores end at about the same time.
_GROUPS = 16
# The most items in a task. A task costs the scheduler about a millisecond, which hardly counts when it is
# spread over so many items.
_MOST_IN_GROUP = 64
# How many results one task merges: more of them make fewer rounds, and need more memory at once.
_BRANCHES = 8
_INTERRUPTED = "interrupted"
_KILLED = "a process was killed, perhaps as memory ran out"


# --- Processes ------------------------------------------------------------------------------------


def in_processes(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    processes: int,
    lost: Callable[[_Item, str], _Result],
) -> Iterator[_Result]:
    """Map a function over items in several processes of this machine.

    Parameters
    ----------
    work : callable
        Is called with each item, in one of the processes.
    items : sequence
    processes : int
    lost : callable
        Makes a result of an item whose process was killed, or that was not begun any more, and of the message
        that says so.

    Yields
    ------
    result
        In the order in which the work was done.
    """
    # A process that is forked has a copy of all locks, but not of the threads that would release them.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()

    def start(item: _Item) -> tuple[_Item, Future[_Result]]:
        try:
            with _ignoring_interrupts():  # as a process does that is started now, until it is ready
                return item, pool.submit(_interruptible, work, item, lost)
        except BrokenProcessPool as error:
            failed: Future[_Result] = Future()
            failed.set_exception(error)
            return item, failed

    with ProcessPoolExecutor(processes, context, initializer=_start_worker, initargs=(stop,)) as pool:
        try:
            for item, future in work_ahead(items, start, _AHEAD * processes, _first_done):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield lost(item, _KILLED)
        finally:
            stop.set()  # some items are beyond cancelling, in the hands of a process before it begins them
            pool.shutdown(cancel_futures=True)


def _first_done(started: Sequence[tuple[Any, Future[Any]]]) -> int:
    """Return the position of one that is done; wait until there is one."""
    futures = [future for _, future in started]
    done = wait(futures, return_when=FIRST_COMPLETED).done
    return next(position for position, future in enumerate(futures) if future in done)


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # others have no say in it
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


class _Worker:
    """The state of a process of the pool."""

    stop: Event  # set when no more items are to be begun
    working = False


def _start_worker(stop: Event) -> None:
    """Prepare a process, which is to end with its parent, however that ends."""
    _Worker.stop = stop
    signal.signal(signal.SIGINT, _interrupt)
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def end_with_parent() -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _interrupt(*_: object) -> None:
    """Raise an interrupt in a process that works at an item; leave one that waits for work alone."""
    if _Worker.working:
        raise KeyboardInterrupt


def _interruptible(
    work: Callable[[_Item], _Result], item: _Item, lost: Callable[[_Item, str], _Result]
) -> _Result:
    """Do the work at an item; an interrupt ends it, and leaves no part of a file.

    It is raised where the result is asked for, too, as the process that asks may not have noticed it.
    """
    try:
        _Worker.working = True
        return lost(item, _INTERRUPTED) if _Worker.stop.is_set() else work(item)
    finally:
        _Worker.working = False


# --- Dask -----------------------------------------------------------------------------------------


def on_cluster(
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    client: Any,
    lost: Callable[[_Item, Exception], _Result],
) -> Iterator[_Result]:
    """Map a function over items on a Dask cluster, several items as one task.

    Dask does again what was lost with a worker. `client` is a client or an address, as for `workers.reached`;
    `lost` makes a result of an item, and of the error for which its task was given up.
    """
    as_completed = needed("distributed", "dask").as_completed
    with workers.reached(client) as connected:
        size = min(max(len(items) // (_GROUPS * max(workers.cores(connected), 1)), 1), _MOST_IN_GROUP)
        groups = [items[at : at + size] for at in range(0, len(items), size)]
        futures = connected.map(functools.partial(_map, work), groups, pure=False)
        waiting = dict(zip(futures, groups, strict=True))
        try:
            for future in as_completed(futures, loop=connected.loop):  # no client need be the active one
                group = waiting.pop(future)
                try:
                    yield from future.result()
                except Exception as error:  # lost again and again, or it has another version of this package
                    yield from [lost(item, error) for item in group]
                future.release()  # workers would keep the results of millions of items
        finally:
            connected.cancel(list(waiting))


def reduced_on_cluster(
    work: Callable[[_Item], _Result],
    merge: Callable[[Sequence[_Result]], _Result],
    items: Sequence[_Item],
    client: Any,
) -> _Result:
    """Map a function over items, at least one, on a Dask cluster; merge the results there, and return one."""
    with workers.reached(client) as connected:
        futures = connected.map(work, items, pure=False)
        while len(futures) > 1:
            parts = [futures[at : at + _BRANCHES] for at in range(0, len(futures), _BRANCHES)]
            futures = [connected.submit(merge, part, pure=False) for part in parts]
        result: _Result = futures[0].result()
        return result


def _map(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    return [work(item) for item in items]
