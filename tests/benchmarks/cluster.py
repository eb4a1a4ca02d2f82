"""What Dask costs and gains where many images are encoded on workers of this machine.

    python tests/benchmarks/cluster.py

The 24 Kodak photographs, ten times, on one worker process and on two, of one thread each. Overhead is the
time of the workers that is no record's: all that Dask does, and at the end the waiting for the last file.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from common import KODAK, QUICK, kodak, some, versions
from dask.distributed import Client, LocalCluster

from kmc_format import batch

TIMES = 1 if QUICK else 10
EMPTY = 2000  # tasks that do nothing


def nothing(number: int) -> int:
    return number


def encode(pictures: Path, out: Path, workers: int) -> tuple[float, float, float]:
    """Encode all; return the seconds it took, those of the records, and of a task that does nothing."""
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        batch.encode(sorted(pictures.iterdir())[:workers], out / "first", client=client)  # import all
        start = time.perf_counter()
        records = batch.encode([pictures], out, client=client)
        seconds = time.perf_counter() - start
        assert not any(record.error or record.skipped for record in records)
        begin = time.perf_counter()
        client.gather(client.map(nothing, range(EMPTY)))
        empty = (time.perf_counter() - begin) / EMPTY
    return seconds, sum(record.seconds for record in records), empty


def main() -> None:
    kodak(1)  # or say that there are none
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, "pictures")
        pictures.mkdir()
        for path in some(sorted(KODAK.glob("*.png"))):
            for n in range(TIMES):
                shutil.copy(path, pictures / f"{path.stem}-{n}.png")
        count = len(list(pictures.iterdir()))
        print(f"| workers | {count} images, seconds | work, seconds | overhead | an empty task, ms |")
        print("|---|---|---|---|---|")
        taken = []
        for workers in (1, 2):
            seconds, work, empty = encode(pictures, Path(folder, f"out-{workers}"), workers)
            taken.append(seconds)
            overhead = workers * seconds / work - 1
            print(f"| {workers} | {seconds:.1f} | {work:.1f} | {overhead:.1%} | {1000 * empty:.2f} |")
        print(f"\nTwo workers are {taken[0] / taken[1]:.2f} times as fast as one.")
    print(f"\n{versions('kmc-format', 'dask', 'distributed', 'scikit-learn', 'numpy', 'pillow')}")


if __name__ == "__main__":
    main()
