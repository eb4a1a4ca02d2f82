"""How huge pictures do: a raster of land cover, made, coded, decoded and compared by Dask's workers.

    python tests/benchmarks/raster.py [SIDE [RUNS]]

The raster has 32,768 pixels a side by default, and 64 classes; it comes from a function of coordinates,
so that no process ever has more of it than some tiles. One worker and two take turns, each time in a new
cluster of processes with one thread. Memory is the most that any process of a role had.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from common import QUICK, versions
from distributed import Client, LocalCluster

import kmc_format
from kmc_format import batch

CHUNK = 1024
STRIP = 16
PART = 4096  # of the raster, for one process to encode as well
MEGABYTE = 1e6


def lattice(rows: Any, columns: Any, seed: int) -> Any:
    """Return a number from 0 to 255 for each crossing, the same wherever it is asked for."""
    mixed = (
        rows.astype(np.uint32)[:, None] * np.uint32(0x9E3779B1)
        ^ columns.astype(np.uint32) * np.uint32(0x85EBCA77)
        ^ np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    )
    for shift in (15, 13, 16):
        mixed = (mixed ^ mixed >> np.uint32(shift)) * np.uint32(0x2C1B3C6D)
    return (mixed >> np.uint32(24)).astype(np.int32)


def noise(top: int, left: int, height: int, width: int, step: int, seed: int) -> Any:
    """Return smooth noise between lattice points `step` apart, 0 to 2**24, in integers."""
    y, x = np.arange(top, top + height), np.arange(left, left + width)
    rows = np.arange(top // step, (top + height - 1) // step + 2)
    columns = np.arange(left // step, (left + width - 1) // step + 2)
    corners = lattice(rows, columns, seed)
    upper, start = y // step - rows[0], x // step - columns[0]
    down, across = ((256 * t * t * (3 - 2 * t)).astype(np.int32) for t in (y % step / step, x % step / step))
    lines = corners[upper] * (256 - down[:, None]) + corners[upper + 1] * down[:, None]
    blended: Any = lines[:, start] * (256 - across) + lines[:, start + 1] * across
    return blended


def terrain(top: int, left: int, height: int, width: int, steps: tuple[int, ...], seed: int) -> Any:
    """Return the sum of noise of some scales, each half as strong as the one before."""
    parts = (noise(top, left, height, width, step, seed + n) >> n for n, step in enumerate(steps))
    return sum(parts)


def land_cover(block_info: Any = None) -> Any:
    """Return the classes in a chunk, made a strip at a time, which is faster."""
    (top, bottom), (left, right) = block_info[None]["array-location"]
    starts = range(top, bottom, STRIP)
    return np.concatenate([classes(y, left, min(STRIP, bottom - y), right - left) for y in starts])


def classes(top: int, left: int, height: int, width: int) -> Any:
    """Return the classes of a rectangle: by height and moisture, with fields on the plains, and rivers."""
    where = top, left, height, width
    altitude = terrain(*where, (1024, 256, 64, 16), 1)
    moisture = terrain(*where, (512, 128, 32), 7)
    fields = lattice(np.arange(top, top + height) // 48, np.arange(left, left + width) // 80, 17)
    band = np.clip((altitude >> 20) - 10, 0, 7)
    cover = np.where(band == 2, fields & 7, np.clip((moisture >> 20) - 9, 0, 7))
    rivers = np.abs(noise(*where, 700, 23) - 2**23) < 2**17
    return np.where(rivers, 0, 8 * band + cover).astype(np.uint8)


def raster(side: int) -> da.Array:
    cuts = (CHUNK,) * (side // CHUNK) + ((side % CHUNK,) if side % CHUNK else ())
    return da.map_blocks(land_cover, chunks=(cuts, cuts), dtype=np.uint8, meta=np.empty((0, 0), np.uint8))


def peak() -> float:
    """Return the most memory that this process had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)


def differing_tiles(one: da.Array, other: da.Array) -> da.Array:
    def differ(mine: Any, theirs: Any) -> Any:
        return np.array([[not np.array_equal(mine, theirs)]])

    chunks = tuple((1,) * count for count in one.numblocks)
    return da.map_blocks(differ, one, other.rechunk(one.chunks), chunks=chunks, dtype=bool).sum()


def measure(side: int, workers: int, path: Path) -> dict[str, float]:
    """Encode, decode and compare; return seconds, bytes and memory."""
    source = raster(side)
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(workers)
        start = time.perf_counter()
        batch.save_array(source, path)
        encoded = time.perf_counter()
        wrong = int(differing_tiles(batch.open_array(path), source).compute())
        compared = time.perf_counter()
        assert wrong == 0, f"{wrong} tiles differ"
        return {
            "encode": encoded - start,
            "decode": compared - encoded,
            "bytes": path.stat().st_size,
            "driver": peak(),
            "worker": max(client.run(peak).values()),
        }


def run(side: int, workers: int, path: Path) -> dict[str, float]:
    """Measure in a new process, whose memory is its own."""
    command = [sys.executable, __file__, str(side), str(workers), str(path)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    measured: dict[str, float] = json.loads(output)
    print(f"{workers}: {output.strip()}", file=sys.stderr)
    return measured


def main(side: int, runs: int) -> None:
    results: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        paths = {workers: Path(folder, f"{workers}.kmc") for workers in results}
        for _ in range(runs):
            for workers, measured in results.items():
                measured.append(run(side, workers, paths[workers]))
        assert paths[1].read_bytes() == paths[2].read_bytes()
    print("| | one worker | two workers | ratio |\n|---|---|---|---|")
    for what, name in (("encode", "encode"), ("decode", "decode and compare")):
        one, two = (min(measured[what] for measured in results[workers]) for workers in (1, 2))
        ratio = statistics.median(a[what] / b[what] for a, b in zip(*results.values(), strict=True))
        print(f"| {name}, seconds | {one:.1f} | {two:.1f} | {ratio:.2f} |")
    for role in ("worker", "driver"):
        one, two = (max(measured[role] for measured in results[workers]) / MEGABYTE for workers in (1, 2))
        print(f"| memory of a {role}, MB | {one:.0f} | {two:.0f} | |")
    part = min(side, PART)
    pixels = raster(side)[:part, :part].compute()
    start = time.perf_counter()
    kmc_format.encode(pixels, threads=1)
    seconds = time.perf_counter() - start
    size = results[1][0]["bytes"]
    print(f"\n{side}x{side} pixels, {size:,.0f} bytes, {size * 8 / side**2:.3f} bits a pixel")
    print(f"\n`kmc_format.encode` with one thread: {seconds:.2f} s for {part}x{part} of them")
    print(f"\n{versions('kmc-format', 'dask', 'distributed', 'numpy')}")


if __name__ == "__main__":
    arguments = list(map(int, sys.argv[1:3]))
    if len(sys.argv) == 4:
        print(json.dumps(measure(*arguments, Path(sys.argv[3]))))
    else:
        main(*arguments, *(2048 if QUICK else 32768, 1)[len(arguments) :])
