"""A run over many files: how it is made, and what is made one by one while it is iterated over."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from .._dask import parallel, workers
from .._dask.remote import is_remote
from .._format.threads import check_threads
from .._options.options import ClusterOptions, GivenOptions, check_names
from .conversions import Conversion, Record
from .converting import attempt, explain


class ReadArguments(TypedDict, total=False):
    """What a run that reads files is told, other than save options."""

    recursive: bool
    jobs: int | None
    any_size: bool
    client: Any


class RunArguments(ReadArguments, total=False):
    """What a run that also writes files is told, other than save options."""

    force: bool


class EncodeArguments(GivenOptions, RunArguments, total=False):
    """The options of `kmc_format.batch.encode`."""

    strip: bool


class TrainArguments(ClusterOptions, ReadArguments, total=False):
    """The options of `kmc_format.batch.train_codebook` other than k."""


class Run(NamedTuple):
    """How a run over many files is made; `kmc_format.batch.encode` tells what each of these means."""

    recursive: bool = False
    jobs: int | None = None
    force: bool = False
    strip: bool = False
    any_size: bool = False
    client: Any = None

    def cluster(self) -> Any:
        """Return the client, or the address, of the cluster that does the work; None for this machine."""
        return workers.checked(self.client) if self.client is not None or self.jobs is None else None

    def cores(self) -> int:
        """Return how many cores of this machine do the work, where no cluster does."""
        return check_threads(self.jobs)


def split(
    function: str, arguments: Mapping[str, Any], own: Iterable[str], options: Iterable[str] = ()
) -> tuple[Run, dict[str, Any]]:
    """Split the arguments of a function into a run and the rest; raise for those that it does not have.

    Parameters
    ----------
    function : str
    arguments : mapping
        What it was called with, by name.
    own : iterable of str
        The names of those that are for the run.
    options : iterable of str
        The names of the others, by default all save options.
    """
    run = {name: arguments[name] for name in own if name in arguments}
    rest = {name: value for name, value in arguments.items() if name not in run}
    check_names(function, rest, own, options)
    return Run(**run), rest


class Batch:
    """Files that are made one by one while this is iterated over; its length is how many there are."""

    def __init__(
        self,
        work: Callable[[Conversion], bool],
        conversions: Sequence[Conversion],
        run: Run,
    ) -> None:
        self._work = functools.partial(attempt, work, run.any_size)
        self._conversions = conversions
        self._cores = run.cores()
        self._client = run.cluster()

    def __len__(self) -> int:
        return len(self._conversions)

    @property
    def sources(self) -> list[Path]:
        """What the files are made of, in order."""
        return [conversion.source for conversion in self._conversions]

    def __iter__(self) -> Iterator[Record]:
        possible = []
        taken: dict[str, Path] = {}
        for conversion in self._conversions:
            source, target = _identity(conversion.source), _identity(conversion.target)
            if source == target:
                yield conversion.record("would be replaced by itself; name an output folder")
            elif target in taken:
                yield conversion.record(f"{conversion.target} is what {taken[target]} becomes, too")
            else:
                taken[target] = conversion.source
                possible.append(conversion)
        processes = min(self._cores, len(possible))
        if self._client is not None:
            yield from parallel.on_cluster(self._work, possible, self._client, _lost)
        elif processes > 1:
            yield from parallel.in_processes(self._work, possible, processes, Conversion.record)
        else:
            yield from map(self._work, possible)


def _lost(conversion: Conversion, error: Exception) -> Record:
    return conversion.record(explain(error))


def _identity(path: Path) -> str:
    return str(path) if is_remote(path) else os.path.normcase(path.absolute())
