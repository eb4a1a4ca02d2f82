"""Pictures in parts: the bytes are those of one machine, whatever happens to workers and to the driver."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import dask
import dask.array as da
import distributed
import fsspec
import numpy as np
import pytest
import tifffile
import zarr
from fsspec.asyn import AsyncFileSystem
from PIL import Image
from support import scheduler_address, smooth

import kmc_format
from kmc_format import batch
from kmc_format._dask import rasters
from kmc_format._pixels import tally

pytestmark = pytest.mark.filterwarnings(  # Dask leaves sockets and event loops open where it is ended
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::UserWarning:distributed"
)

# Saves the array in the first argument as the second, on the scheduler in the third, in small steps.
DRIVER = """
import sys
import dask.array
from kmc_format._dask import rasters
rasters._BLOCK_SIDE, rasters._LEAST_BLOCKS, rasters._BLOCKS_A_THREAD = 128, 8, 1
source, path, scheduler = sys.argv[1:]
rasters.save_array(dask.array.from_zarr(source), path, tile=128, effort=2, client=scheduler)
"""


def regions(height, width, classes=64):
    """Make labels in regions with ragged edges."""
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, classes, (height // 32 + 2, width // 32 + 2))
    y, x = np.mgrid[:height, :width]
    jitter = rng.integers(0, 6, (2, height, width))
    return seeds[(y + jitter[0]) // 32, (x + jitter[1]) // 32].astype(np.uint8)


def picture(mode, shape=(130, 170)):
    """Make an array whose default chunks are cut between channels as well."""
    if mode in ("1", "L", "LA", "RGB", "RGBA"):
        pixels = np.array(smooth(shape[::-1], mode))
        if mode == "RGBA":
            pixels[:40, :60, 3] = 0
        return pixels
    return (
        np.random.default_rng(1).integers(-5000, 5000, shape) if mode == "I" else picture("L") * np.uint16(9)
    )


def cut(pixels, side=64):
    return da.from_array(pixels, chunks=(side, side + 7, 2)[: pixels.ndim])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def here():
    """Compute in this thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def client():
    """A client of two workers, each a process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def labels():
    return regions(768, 768)


@pytest.fixture(scope="module")
def stored(labels, tmp_path_factory):
    """The path of labels in a Zarr array."""
    path = tmp_path_factory.mktemp("zarr") / "labels.zarr"
    zarr.create_array(path, data=labels, chunks=(128, 128))
    return str(path)


@pytest.fixture(scope="module")
def expected(labels):
    return kmc_format.encode(labels, tile=128, effort=2)


@pytest.fixture
def small_steps(monkeypatch):
    """Write after every few small blocks."""
    monkeypatch.setattr(rasters, "_BLOCK_SIDE", 128)
    monkeypatch.setattr(rasters, "_LEAST_BLOCKS", 8)
    monkeypatch.setattr(rasters, "_BLOCKS_A_THREAD", 1)


# --- The bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("1", {}),
        ("1", {"codebook": [[255], [0]], "effort": 0}),
        ("L", {"effort": 2}),
        ("L", {"k": 7, "keep": [3]}),
        ("L", {"codebook": np.array([[0, 0, 0], [255, 128, 0]], np.uint8)}),
        ("LA", {"k": 40, "dpi": (72, 96)}),
        ("RGB", {"k": 2**16}),
        ("RGB", {"k": 16, "space": "oklab", "keep": ["red"]}),
        ("RGB", {"k": 300, "random_state": 5, "icc_profile": b"profile", "exif": b"exif", "xmp": b"xmp"}),
        ("RGBA", {"k": 16}),
        ("RGBA", {"codebook": np.eye(4, dtype=np.uint8) * 200, "effort": 0}),
        ("I;16", {}),
        ("I", {}),
        ("I", {"k": 9}),
    ],
)
@pytest.mark.parametrize("tile", [None, 64, (50, 33)])
def test_the_bytes_are_those_of_the_whole_picture(tmp_path, here, mode, options, tile):
    pixels = picture(mode)
    batch.save_array(cut(pixels), tmp_path / "x.kmc", tile=tile, **options)
    assert (tmp_path / "x.kmc").read_bytes() == kmc_format.encode(pixels, tile=tile, **options)
    assert names(tmp_path) == ["x.kmc"]


@pytest.mark.parametrize("dtype", ["i1", "<u2", ">u2", "u4", ">i4", "i8", "u8"])
def test_integers_of_any_width(tmp_path, here, dtype):
    pixels = (np.arange(5000).reshape(50, 100) % 101).astype(dtype)
    batch.save_array(cut(pixels), tmp_path / "x.kmc")
    assert (tmp_path / "x.kmc").read_bytes() == kmc_format.encode(pixels)


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1100, 1300), (1, 1)])
@pytest.mark.parametrize("chunks", [-1, 500, ((700, 400), -1)])
def test_blocks_of_several_tiles(tmp_path, here, shape, chunks):
    if isinstance(chunks, tuple) and shape[0] != 1100:
        pytest.skip("these chunks are for another shape")
    pixels = regions(*shape)
    batch.save_array(da.from_array(pixels, chunks), tmp_path / "x.kmc", tile=100, effort=0)
    assert (tmp_path / "x.kmc").read_bytes() == kmc_format.encode(pixels, tile=100, effort=0)


def test_default_tiles_and_threads(tmp_path):
    pixels = regions(2200, 1500)
    batch.save_array(cut(pixels, 400), tmp_path / "x.kmc", effort=0)
    data = (tmp_path / "x.kmc").read_bytes()
    assert data == kmc_format.encode(pixels, effort=0)
    assert kmc_format.read_header(data).tiles == 4


def test_counts_are_exact(monkeypatch):
    pixels = np.array(smooth((64, 50)))
    whole = tally.histogram(pixels).tally
    monkeypatch.setattr(tally, "_STRIP", 64 * 7)
    parts = tally.count(pixels)
    assert np.array_equal(parts.colours, whole.colours)
    assert np.array_equal(parts.counts, whole.counts)
    large = [
        whole._replace(colours=np.array([n, 9], np.uint32), counts=np.array([2**33 + n, 2**32 - 1]))
        for n in (1, 2)
    ]
    total = tally.merge(large, 2**24)
    assert total.colours.tolist() == [1, 2, 9]
    assert total.counts.tolist() == [2**33 + 1, 2**33 + 2, 2**33 - 2]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I"])
def test_any_number_of_colours(tmp_path, here, monkeypatch, mode):
    pixels = picture(mode, (200, 200))
    monkeypatch.setattr(rasters, "_MOST_COLOURS", 2**11)
    batch.save_array(cut(pixels), tmp_path / "x.kmc", k=16)
    made, exactly = (
        one.expand() for one in (kmc_format.decode(tmp_path / "x.kmc"), kmc_format.quantize(pixels, k=16))
    )
    found, best = (np.square(one - pixels, dtype=float).mean() for one in (made, exactly))
    assert found < 1.05 * best


def test_rows_of_blocks_are_computed_once_for_a_row_of_chunks(tmp_path, here):
    computed = []

    def load(block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return np.full(block_info[None]["chunk-shape"], sum(computed[-1]), np.uint8)

    source = da.map_blocks(load, chunks=((2000, 1500), (1800, 1800)), dtype="u1", meta=np.empty((0, 0), "u1"))
    batch.save_array(source, tmp_path / "x.kmc", effort=0)
    assert sorted(computed) == sorted(2 * [(0, 0), (0, 1), (1, 0), (1, 1)])
    computed.clear()
    batch.save_array(source, tmp_path / "x.kmc", effort=0, codebook=np.arange(3, dtype=np.uint8))
    assert sorted(computed) == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("rows", "columns", "ends", "threads", "groups"),
    [
        (3, 40, {1, 2, 3}, 2, [2, 3]),
        (300, 1, {100, 200, 300}, 1, [100, 200, 300]),
        (300, 1, set(range(301)), 32, [128, 256, 300]),
        (5, 600, {5}, 1, [2, 4, 5]),
    ],
)
def test_groups(rows, columns, ends, threads, groups):
    blocks = rasters.Grid(columns, rows, 1, 1)
    assert [group.stop for group in rasters._groups(blocks, ends, threads)] == groups


# --- Sources ------------------------------------------------------------------------------------


def test_zarr_tiff_memory_maps_and_arrays(tmp_path, here):
    pixels = regions(300, 500)
    zarr.create_array(tmp_path / "x.zarr", data=pixels, chunks=(128, 100))
    tifffile.imwrite(tmp_path / "x.tif", pixels, tile=(128, 64))
    np.save(tmp_path / "x.npy", pixels)
    expected = kmc_format.encode(pixels, tile=128)
    with tifffile.imread(tmp_path / "x.tif", aszarr=True) as store:
        sources = [
            da.from_zarr(str(tmp_path / "x.zarr")),
            zarr.open_array(tmp_path / "x.zarr", mode="r"),
            da.from_zarr(store),
            np.load(tmp_path / "x.npy", mmap_mode="r"),
            da.from_array(np.load(tmp_path / "x.npy", mmap_mode="r"), chunks=200),
            pixels,
            pixels[:, :, None],
        ]
        for number, source in enumerate(sources):
            batch.save_array(source, tmp_path / "x.kmc", tile=128)
            assert (tmp_path / "x.kmc").read_bytes() == expected, number


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_memory_map_is_sent_by_name(tmp_path, client, order):
    pixels = regions(700, 800)
    (tmp_path / "x").write_bytes(bytes(33) + pixels.tobytes(order))
    mapped = np.memmap(tmp_path / "x", np.uint8, "r", 33, pixels.shape, order)
    assert len(pickle.dumps(rasters._as_dask(mapped))) < 20_000
    for source in (mapped, mapped[:, 7:]):
        batch.save_array(source, tmp_path / "x.kmc", client=client)
        assert np.array_equal(kmc_format.decode(tmp_path / "x.kmc").expand(), source)


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be from 1"),
        ({"k": 3, "codebook": [[0]]}, ValueError, "contradict"),
        ({"keep": [300]}, ValueError, "keep has 300"),
        ({"space": "xyz"}, ValueError, "space must be"),
        ({"random_state": -1}, ValueError, "random_state"),
        ({"codebook": [[300]]}, ValueError, "codebook must be from 0 to 255"),
        ({"effort": 3}, ValueError, "effort must be"),
        ({"tile": 0}, ValueError, "tile must be"),
        ({"dpi": (0, 1)}, ValueError, "dpi must be"),
        ({"exif": "text"}, TypeError, "exif must be bytes"),
        ({"dither": 0.5}, ValueError, "dither=0.5 needs the whole picture"),
        ({"rdo": 2.0}, ValueError, "rdo=2 needs the whole picture"),
        ({"quality": 50}, ValueError, "quality=50 needs"),
        ({"max_bytes": 50}, ValueError, "max_bytes=50 needs"),
        ({"max_error": 2}, ValueError, "max_error=2 needs"),
        ({"tiles": 5}, TypeError, "unexpected keyword argument 'tiles'"),
        ({"client": 5}, TypeError, "client must be"),
    ],
)
def test_bad_options_are_refused_before_anything_is_computed(tmp_path, here, options, error, message):
    def load(block):
        raise AssertionError("computed")

    source = da.zeros((100, 100), dtype="u1", chunks=50).map_blocks(
        load, dtype="u1", meta=np.empty((0, 0), "u1")
    )
    with pytest.raises(error, match=message):
        batch.save_array(source, tmp_path / "x.kmc", **options)
    assert not names(tmp_path)


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (np.zeros((9, 9)), {}, TypeError, "not float64"),
        (np.zeros((9, 9, 5), np.uint8), {}, ValueError, "shape"),
        (np.zeros((9, 0), np.uint8), {}, ValueError, "none 0"),
        (np.array([[0, 2**31]]), {}, ValueError, "range of int32"),
        (np.array([[0, 2**31]]), {"codebook": [0, 1]}, ValueError, "range of int32"),
        (np.array([[0, 2**31]]), {"codebook": [0, 2**31]}, ValueError, "codebook must be from"),
        (np.arange(70_000)[None], {}, ValueError, "70000 distinct values"),
        (picture("RGBA"), {"codebook": np.eye(3, dtype=np.uint8)}, ValueError, "transparent pixels"),
    ],
)
def test_bad_pixels_leave_the_old_file(tmp_path, here, source, options, error, message):
    path = tmp_path / "x.kmc"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        batch.save_array(da.from_array(source, chunks=-1), path, **options)
    with pytest.raises(error, match=message):
        kmc_format.encode(source, **options)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.kmc"]


def test_other_bad_arguments(tmp_path, here, monkeypatch):
    source = da.from_array(regions(64, 64), 20)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        batch.save_array(source[source.sum(axis=1) > 0], tmp_path / "x.kmc")
    with pytest.raises(ValueError, match="at most 2147483647 pixels a side"):
        batch.save_array(da.zeros((1, 2**31), dtype="u1"), tmp_path / "x.kmc")
    for function in (lambda path: batch.save_array(source, path), batch.open_array):
        with pytest.raises(TypeError, match="path must be"):
            function(b"x.kmc")
    with pytest.raises(TypeError, match=r"array must be .* not Image"):
        batch.save_array(smooth(), tmp_path / "x.kmc")
    with pytest.raises(FileNotFoundError):
        batch.save_array(source, tmp_path / "missing" / "x.kmc")
    assert not names(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
def test_a_pipe_is_refused():
    read, write = os.pipe()
    with pytest.raises(OSError, match="file that can seek"):
        batch.save_array(np.zeros((4, 4), np.uint8), f"/dev/fd/{write}")
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("kind", ["of the source", "of the target"])
def test_an_error_of_the_system_names_the_right_file(tmp_path, here, monkeypatch, kind):
    def fail(*_):
        raise OSError(errno.EIO, "broken", "source")

    source = da.zeros((50, 50), dtype="u1")
    if kind == "of the source":
        source = source.map_blocks(fail, dtype="u1", meta=np.empty((0, 0), "u1"))
    else:
        monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken") as caught:
        batch.save_array(source, tmp_path / "x.kmc")
    assert caught.value.filename == ("source" if kind == "of the source" else str(tmp_path / "x.kmc"))
    assert not names(tmp_path)


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dask", None)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"pip install 'kmc-format\[dask\]'"):
        batch.save_array(np.zeros((4, 4), np.uint8), tmp_path / "x.kmc")


# --- Workers ------------------------------------------------------------------------------------


def test_worker_processes(tmp_path, client, stored, expected, small_steps):
    batch.save_array(da.from_zarr(stored), tmp_path / "x.kmc", tile=128, effort=2, client=client)
    assert (tmp_path / "x.kmc").read_bytes() == expected
    back = batch.open_array(tmp_path / "x.kmc")
    assert client.compute((back == da.from_zarr(stored)).all()).result()


def test_the_active_client_is_used(tmp_path, client):
    def pid(block):
        return np.full(block.shape, os.getpid() % 251, np.uint8)

    source = da.zeros((90, 90), dtype="u1").map_blocks(pid, dtype="u1", meta=np.empty((0, 0), "u1"))
    workers = {number % 251 for number in client.run(os.getpid).values()}
    with client.as_current():
        batch.save_array(source, tmp_path / "x.kmc")
    assert set(kmc_format.read_header(tmp_path / "x.kmc").codebook.flat) <= workers
    batch.save_array(source, tmp_path / "x.kmc")
    assert kmc_format.read_header(tmp_path / "x.kmc").codebook.item() == os.getpid() % 251


def written(folder):
    """Return how much there is of a file that is being written."""
    return sum(path.stat().st_size for path in folder.glob(".x.kmc.*.tmp"))


def wait_until_writing(folder, running, least=3000):
    while written(folder) < least:
        assert running()
        assert not (folder / "x.kmc").exists()
        time.sleep(0.005)


def test_a_worker_is_killed(tmp_path, client, stored, expected, small_steps):
    arguments = da.from_zarr(stored), tmp_path / "x.kmc"
    options = {"tile": 128, "effort": 2, "client": client}
    thread = threading.Thread(target=batch.save_array, args=arguments, kwargs=options)
    thread.start()
    workers = client.run(os.getpid)
    wait_until_writing(tmp_path, thread.is_alive)
    os.kill(next(iter(workers.values())), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert thread.is_alive()
    thread.join()
    assert (tmp_path / "x.kmc").read_bytes() == expected
    assert names(tmp_path) == ["x.kmc"]
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) != set(workers.values())


@contextmanager
def command(*arguments):
    with subprocess.Popen([sys.executable, "-P", *arguments], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_scheduler_and_workers_started_by_commands_and_a_killed_driver(
    tmp_path, stored, expected, small_steps
):
    place, folder = tmp_path / "scheduler.json", tmp_path / "out"
    folder.mkdir()
    own = ("--scheduler-file", str(place), "--no-dashboard")
    worker = ("-m", "dask", "worker", *own, "--nthreads", "1", "--no-nanny")
    with command("-m", "dask", "scheduler", *own, "--port", "0"), command(*worker), command(*worker):
        address = scheduler_address(place)
        with command("-c", DRIVER, stored, str(folder / "x.kmc"), address) as driver:
            wait_until_writing(folder, lambda: driver.poll() is None)
        [left] = names(folder)
        assert left.startswith(".x.kmc.")
        options = {"tile": 128, "effort": 2, "client": address}
        batch.save_array(da.from_zarr(stored), folder / "x.kmc", **options)
    assert (folder / "x.kmc").read_bytes() == expected
    assert names(folder) == [left, "x.kmc"]


# --- Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16", "I"])
@pytest.mark.parametrize("tile", [None, (60, 50)])
def test_pixels_and_labels(tmp_path, mode, tile):
    picture_ = smooth((130, 90)).quantize(20) if mode == "P" else picture(mode)
    kmc_format.write(tmp_path / "x.kmc", picture_, k=20, tile=tile)
    whole = kmc_format.decode(tmp_path / "x.kmc")
    for array, back in [
        (batch.open_array(tmp_path / "x.kmc"), whole.expand()),
        (batch.open_array(tmp_path / "x.kmc", labels=True), whole.labels),
    ]:
        assert (array.shape, array.dtype) == (back.shape, back.dtype)
        assert array._meta.shape == (0,) * back.ndim
        computed = array.compute()
        assert computed.dtype == back.dtype
        assert np.array_equal(computed, back)
    assert array.npartitions == kmc_format.read_header(tmp_path / "x.kmc").tiles


def test_the_transparency_of_a_palette(tmp_path):
    image = smooth((60, 40)).quantize(20)
    image.save(tmp_path / "x.kmc", transparency=3, tile=20)
    array = batch.open_array(tmp_path / "x.kmc").compute()
    assert np.array_equal(array, kmc_format.decode(tmp_path / "x.kmc").expand())


def test_only_the_tiles_that_are_needed_are_read(tmp_path, here, monkeypatch):
    pixels = regions(400, 600)
    kmc_format.write(tmp_path / "x.kmc", pixels, tile=100)
    array = batch.open_array(tmp_path / "x.kmc")
    read, files = [], fsspec.get_filesystem_class("file")
    cat_file = files.cat_file
    monkeypatch.setattr(
        files, "cat_file", lambda *arguments: read.append(arguments[2:]) or cat_file(*arguments)
    )
    part = array[150:250, 310:390]
    assert not read
    assert np.array_equal(part.compute(), pixels[150:250, 310:390])
    assert len(read) == 2  # tiles 9 and 15
    lengths = kmc_format.read_header(tmp_path / "x.kmc").front.tile_lengths
    assert sorted(end - start for start, end in read) == sorted([lengths[9], lengths[15]])


def test_a_damaged_tile_is_an_error_of_its_chunk(tmp_path):
    pixels = regions(200, 200)
    data = bytearray(kmc_format.encode(pixels, tile=100))
    data[-30] ^= 1  # in the last of four
    (tmp_path / "x.kmc").write_bytes(data)
    array = batch.open_array(tmp_path / "x.kmc")
    assert np.array_equal(array[:, :100].compute(), pixels[:, :100])
    with pytest.raises(kmc_format.FormatError, match=r"tile 3 at byte \d+ is damaged"):
        array.compute()
    (tmp_path / "x.kmc").write_bytes(data[:-40])
    with pytest.raises(kmc_format.KMCError, match=r"the file ends at byte \d+, 40 too early"):
        array[100:, 100:].compute()
    (tmp_path / "x.kmc").write_bytes(data[:20])
    with pytest.raises(kmc_format.TruncatedError):
        batch.open_array(tmp_path / "x.kmc")


def test_urls(tmp_path):
    pixels = regions(300, 300)
    expected = kmc_format.encode(pixels, tile=100)
    files = fsspec.filesystem("memory")
    files.pipe("/folder/x.kmc", b"old")
    for url in (f"file://{tmp_path.as_posix()}/x.kmc", "memory://folder/x.kmc"):
        batch.save_array(cut(pixels), url, tile=100)
        assert np.array_equal(batch.open_array(url).compute(), pixels)
    assert (tmp_path / "x.kmc").read_bytes() == files.cat("/folder/x.kmc") == expected
    assert files.ls("/folder", detail=False) == ["/folder/x.kmc"]
    files.rm("/folder", recursive=True)


class ObjectStore(AsyncFileSystem):
    """A store of whole objects, as S3 is one, that notes what it is asked to do."""

    protocol = "objects"
    objects, asked, broken = {"bucket/x.kmc": b"old"}, [], False

    async def _put_file(self, lpath, rpath, **_):
        self.asked.append(("put", rpath))
        if self.broken:
            raise OSError("failed")
        self.objects[rpath] = Path(lpath).read_bytes()

    async def _cat_file(self, path, **_):
        return self.objects[path]


def test_an_object_is_written_once(monkeypatch):
    fsspec.register_implementation("objects", ObjectStore, clobber=True)
    pixels = regions(200, 200)
    monkeypatch.setattr(ObjectStore, "broken", True)
    with pytest.raises(OSError, match="failed"):
        batch.save_array(pixels, "objects://bucket/x.kmc", tile=100)
    assert ObjectStore.objects == {"bucket/x.kmc": b"old"}
    monkeypatch.undo()
    batch.save_array(pixels, "objects://bucket/x.kmc", tile=100)
    assert ObjectStore.objects == {"bucket/x.kmc": kmc_format.encode(pixels, tile=100)}
    assert ObjectStore.asked == [("put", "bucket/x.kmc")] * 2


@pytest.mark.parametrize("step", ["open", "mv"])
def test_an_upload_that_fails_leaves_the_old_file(monkeypatch, step):
    files = fsspec.filesystem("memory")
    files.pipe("/folder/x.kmc", b"old")

    def fail(*arguments, **_):
        raise OSError("failed")

    monkeypatch.setattr(type(files), step, fail)
    with pytest.raises(OSError, match="failed"):
        batch.save_array(np.zeros((9, 9), np.uint8), "memory://folder/x.kmc")
    monkeypatch.undo()
    assert files.ls("/folder", detail=False) == ["/folder/x.kmc"]
    assert files.cat("/folder/x.kmc") == b"old"
    files.rm("/folder", recursive=True)


def test_tiles_that_pillow_calls_a_bomb_are_refused(tmp_path, monkeypatch):
    kmc_format.write(tmp_path / "x.kmc", regions(200, 200), tile=100)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with pytest.warns(Image.DecompressionBombWarning):
        batch.open_array(tmp_path / "x.kmc")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(Image.DecompressionBombError):
        batch.open_array(tmp_path / "x.kmc")
