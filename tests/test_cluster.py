"""Many files on Dask: in processes and threads, by separate commands, with workers and drivers killed."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from dask.distributed import Client, LocalCluster
from PIL import Image
from support import SAMPLES, scheduler_address, smooth
from upath import UPath

import kmc_format
from kmc_format import batch, cli
from kmc_format._batch import counting
from kmc_format._dask import parallel

pytestmark = pytest.mark.filterwarnings(  # Dask leaves sockets and event loops open where it is ended
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::UserWarning:distributed"
)
QUIET = {"dashboard_address": ":0", "silence_logs": 50}


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", **QUIET) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with 40 pictures, which take some time, and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(40):
        smooth((200 + n, 180)).rotate(n).save(folder / f"{n:02}.png", compress_level=1)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def expected(pictures, tmp_path_factory):
    """What this process makes of them."""
    folder = tmp_path_factory.mktemp("expected")
    batch.encode([pictures], folder, jobs=1, k=20)
    return contents(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def errors(records):
    return {Path(record.source).name: record.error for record in records if record.error}


def test_the_same_bytes_as_without(client, pictures, expected, tmp_path):
    made = batch.encode([pictures], tmp_path / "out", client=client, k=20)
    assert len(made) == 41
    records = list(made)
    assert errors(records).keys() == {"broken.png"}
    assert "cannot identify" in errors(records)["broken.png"]
    assert contents(tmp_path / "out") == expected
    assert all(
        record.skipped
        for record in batch.encode([pictures], tmp_path / "out", client=client, k=20)
        if not record.error
    )
    assert errors(batch.decode([tmp_path / "out"], tmp_path / "back", client=client)) == {}
    assert len(contents(tmp_path / "back")) == 40
    assert client.status == "running"


def test_threads(pictures, expected, tmp_path):
    with (
        LocalCluster(n_workers=1, threads_per_worker=3, processes=False, **QUIET) as cluster,
        Client(cluster) as own,
    ):
        found = errors(batch.encode([pictures], tmp_path, client=own, any_size=True, k=20))
    assert found.keys() == {"broken.png"}
    assert contents(tmp_path) == expected
    assert Image.MAX_IMAGE_PIXELS


def test_a_codebook_travels(client, tmp_path):
    codebook = np.array([[0, 0, 0], [200, 30, 30]], np.uint8)
    assert errors(batch.encode(SAMPLES[:1], tmp_path, client=client, codebook=codebook)) == {}
    [path] = tmp_path.iterdir()
    assert np.array_equal(kmc_format.read_header(path).codebook, codebook)


@pytest.mark.filterwarnings("ignore:1 of 41 images:UserWarning")
def test_one_codebook(client, pictures, monkeypatch):
    monkeypatch.setattr(counting, "_GROUP", 1)  # so that there are several rounds of adding up
    found = batch.train_codebook([pictures], 30, client=client)
    assert np.array_equal(found, batch.train_codebook([pictures], 30, jobs=1))


def test_the_active_client_is_used(client, pictures, tmp_path, monkeypatch):
    def refused(*_):
        raise AssertionError("done by processes of this machine")

    monkeypatch.setattr(parallel, "in_processes", refused)
    batch.encode([pictures], tmp_path, k=2)
    assert len(contents(tmp_path)) == 40
    assert len(batch.train_codebook([tmp_path], 4)) == 4
    with pytest.raises(AssertionError, match="of this machine"):
        batch.decode([tmp_path], jobs=2)


@pytest.mark.parametrize("wrong", [3, object()])
def test_what_is_no_client_is_refused_at_once(wrong, tmp_path):
    with pytest.raises(TypeError, match=r"distributed\.Client or the address"):
        batch.encode_each(SAMPLES[:1], tmp_path, client=wrong)
    with pytest.raises(TypeError, match=r"distributed\.Client or the address"):
        batch.save_array(np.zeros((9, 9), np.uint8), tmp_path / "x.kmc", client=wrong)


def test_a_worker_that_is_killed(client, pictures, expected, tmp_path):
    workers = client.run(os.getpid)
    killed = None
    records = []
    for record in batch.encode_each([pictures], tmp_path, client=client, k=20):
        records.append(record)
        if killed is None:
            killed = next(iter(workers.values()))
            os.kill(killed, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert len(records) == 41
    assert errors(records).keys() == {"broken.png"}
    assert {name: data for name, data in contents(tmp_path).items() if name.endswith(".kmc")} == expected
    deadline = time.monotonic() + 60
    while killed in (pids := list(client.run(os.getpid).values())) or len(pids) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


DRIVER = """
import sys
from kmc_format import batch
if __name__ == "__main__":
    for record in batch.encode_each([sys.argv[1]], sys.argv[2], client=sys.argv[3], k=20):
        print(record.source, flush=True)
"""


def test_a_driver_that_is_killed(client, pictures, expected, tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    address, out = client.scheduler.address, tmp_path / "out"
    command = [sys.executable, "-I", str(tmp_path / "driver.py"), str(pictures), str(out), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout.readline()
        driver.kill()
    assert driver.returncode
    half = list(out.glob("*.kmc"))
    assert 0 < len(half) < 40
    for path in half:
        assert path.read_bytes() == expected[path.name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.count("\n") == 41
    assert {path.name: path.read_bytes() for path in out.glob("*.kmc")} == expected


@pytest.fixture
def commands(tmp_path):
    """A scheduler and two workers that are started as commands; the address of the scheduler."""
    file = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
    start = [sys.executable, "-Im", "dask"]
    log = (tmp_path / "log").open("w")
    running = [subprocess.Popen([*start, "scheduler", *options, "--port", "0"], stdout=log, stderr=log)]
    address = scheduler_address(file)
    worker = [*start, "worker", *options, "--nthreads", "1", "--local-directory", str(tmp_path)]
    running += [subprocess.Popen(worker, stdout=log, stderr=log) for _ in range(2)]
    with Client(address) as client:
        client.wait_for_workers(2, timeout=60)
        yield address
    for process in reversed(running):
        process.terminate()
        process.wait()
    log.close()


def test_a_cluster_of_commands(commands, pictures, expected, tmp_path, capsys):
    out = tmp_path / "out"
    line = [
        "encode",
        str(pictures),
        "-o",
        str(out),
        "-k",
        "20",
        "--scheduler",
        commands,
        "--csv",
        str(tmp_path / "t.csv"),
    ]
    assert cli.main(line) == 1
    said, err = capsys.readouterr()
    assert said.startswith("40 written, ")
    assert err.startswith(f"kmc encode: {pictures / 'broken.png'}: cannot identify")
    assert contents(out) == expected
    with (tmp_path / "t.csv").open() as file:
        rows = {Path(row["source"]).name: row for row in csv.DictReader(file)}
    assert len(rows) == 41
    assert int(rows["07.png"]["bytes_out"]) == len(expected["07.kmc"])
    assert rows["07.png"]["error"] == ""
    assert "cannot identify" in rows["broken.png"]["error"]


def test_no_scheduler(capsys):
    assert cli.main(["encode", str(SAMPLES[0]), "--scheduler", "nonsense"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_named_by_urls():
    store = UPath("memory://pictures")
    (store / "below").mkdir(parents=True)
    for name in ("a.png", "below/b.png"):
        with (store / name).open("wb") as file:
            smooth().save(file, "PNG")
    (store / "broken.png").write_bytes(b"no picture")
    records = batch.encode(["memory://pictures"], "memory://out", recursive=True, k=8, jobs=1)
    assert errors(records).keys() == {"broken.png"}
    found = sorted(
        str(path.relative_to(UPath("memory://out")))
        for path in UPath("memory://out").rglob("*")
        if path.is_file()
    )
    assert found == ["a.kmc", "below/b.kmc"]
    made = kmc_format.decode((UPath("memory://out") / "a.kmc").read_bytes())
    assert made == kmc_format.decode(kmc_format.encode(smooth(), 8))
    for k, skipped in ((8, True), (3, False)):
        [record] = batch.encode(["memory://pictures/below"], "memory://out/below", k=k, jobs=1)
        assert record.skipped == skipped
    [record] = batch.encode(["memory://pictures/*/b.png"], "memory://single", jobs=1)
    assert record.target == "memory://single/below/b.kmc"
    [record] = batch.encode(["memory://pictures/missing.png"], jobs=1)
    assert record.error == "No such file or directory"
    [record] = batch.decode(["memory://out/a.kmc"], jobs=1)
    with (UPath("memory://out") / "a.png").open("rb") as file, Image.open(file) as image:
        assert np.array_equal(image, kmc_format.quantize(smooth(), 8).expand())


def test_urls_on_a_cluster(client, pictures, expected, tmp_path):
    made = batch.encode([pictures.as_uri()], tmp_path.as_uri(), client=client, k=20)
    assert errors(made).keys() == {"broken.png"}
    assert contents(tmp_path) == expected


def test_dask_is_an_extra(monkeypatch):
    for module in ("distributed", "upath"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'kmc-format\[dask\]'"):
        batch.encode(SAMPLES[:1], client="tcp://127.0.0.1:1")
    with pytest.raises(ImportError, match=r"pip install 'kmc-format\[dask\]'"):
        batch.encode(["s3://bucket/x.png"])
