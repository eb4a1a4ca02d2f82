"""The colours of many images, counted where the images are read, and added up."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from .._dask import parallel
from .._dask.remote import readable
from .._pillow.animation import pictures_of
from .._pixels import convert
from .._pixels.tally import Tally
from .._quantize import training
from .converting import explain, pixel_limit
from .running import Run

# How many images are counted as one task: so few that all processes have some, and so many that tallies are
# seldom sent from one process to another.
_GROUP = 16


class Counted(NamedTuple):
    """The colours of some images, and which of them could not be read."""

    tally: Tally | None = None
    errors: tuple[tuple[str, str], ...] = ()


def count_all(files: Sequence[Path], run: Run) -> Counted:
    """Count the colours of images where they are read, and add them up."""
    groups = [files[at : at + _GROUP] for at in range(0, len(files), _GROUP)]
    count = functools.partial(_count_files, run.any_size)
    client, processes = run.cluster(), min(run.cores(), len(groups))
    if not groups:
        return Counted()
    if client is not None:
        return parallel.reduced_on_cluster(count, _merge_counted, groups, client)
    if processes > 1:
        return _merge_counted(parallel.in_processes(count, groups, processes, _none_counted))
    return _merge_counted(map(count, groups))


def _count_files(any_size: bool, files: Sequence[Path]) -> Counted:
    errors = []

    def tallies() -> Iterator[Tally]:
        for file in files:
            try:
                with pixel_limit(any_size), Image.open(readable(file)) as image:
                    for frame in pictures_of([image]):
                        yield training.count(convert.pixels_of(frame.picture))
            except Exception as error:  # as in `attempt`
                errors.append((str(file), explain(error)))

    return Counted(training.merge_all(tallies()), tuple(errors))


def _merge_counted(parts: Iterable[Counted]) -> Counted:
    errors: list[tuple[str, str]] = []

    def tallies() -> Iterator[Tally]:
        for part in parts:
            errors.extend(part.errors)
            if part.tally is not None:
                yield part.tally

    return Counted(training.merge_all(tallies()), tuple(errors))


def _none_counted(files: Sequence[Path], error: str) -> Counted:
    return Counted(None, tuple((str(file), error) for file in files))
