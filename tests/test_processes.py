"""What only a fresh interpreter shows: what is imported when, and that bytes do not depend on it."""

import hashlib
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from support import ROOT, SAMPLES, mostly_slow, save

PHOTOGRAPH = next(path for path in SAMPLES if path.stem == "photograph")
ICON = next(path for path in SAMPLES if path.stem == "icon")


def run(script, *arguments, **environment):
    command = [sys.executable, "-P", "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **environment}
    ).stdout.split()


def test_opening_and_loading_import_nothing_heavy(tmp_path):
    path = tmp_path / "x.kmc"
    with Image.open(ICON) as image:
        path.write_bytes(save(image, k=20))
    script = """
import sys, kmc_format
from PIL import Image
with Image.open(sys.argv[1]) as image:
    image.load()
kmc_format.decode(sys.argv[1]).expand()
print(*sys.modules)
"""
    modules = {name.split(".")[0] for name in run(script, path)}
    assert "kmc_format" in modules
    assert not modules & {"sklearn", "scipy", "threadpoolctl", "joblib", "matplotlib", "imageio", "dask"}


def test_importing_the_package_imports_little():
    script = """
import sys, numpy, PIL.Image
before = set(sys.modules)
import kmc_format
print(*set(sys.modules) - before)
"""
    modules = set(run(script))
    rooms = {name.split(".")[1] for name in modules if name.startswith("kmc_format.")}
    assert rooms == {"_api", "_core", "_format", "_pillow", "errors"}
    assert not modules & {"kmc_format._pillow.plugin", "kmc_format._pillow.saving"}
    # Each of these takes longer than the whole package may: they come when they are needed.
    assert not modules & {"pathlib", "logging", "threading", "concurrent.futures", "PIL.ImageFile", "imageio"}


def test_an_exact_save_imports_no_scikit_learn(tmp_path):
    script = """
import sys, io, kmc_format
from PIL import Image
Image.open(sys.argv[1]).save(io.BytesIO(), "KMC", k=65536)
print("sklearn" in sys.modules)
"""
    assert run(script, ICON) == ["False"]


@pytest.mark.parametrize("k", mostly_slow([16, 700], [16]))
def test_bytes_are_the_same_in_other_processes_with_any_number_of_threads(k):
    script = """
import sys, io, hashlib, kmc_format
from PIL import Image
file = io.BytesIO()
Image.open(sys.argv[1]).save(file, "KMC", k=int(sys.argv[2]))
print(hashlib.sha256(file.getvalue()).hexdigest())
"""
    with Image.open(PHOTOGRAPH) as image:
        expected = hashlib.sha256(save(image, k=k)).hexdigest()
    for threads in ("1", "5"):
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        assert run(script, PHOTOGRAPH, k, **environment) == [expected]


def test_existing_code_needs_only_the_import():
    data = io.BytesIO()
    with Image.open(ICON) as image:
        image.save(data, "kmc", k=8)
    assert Image.open(data).info["k"] == 8


def test_saving_in_threads_gives_the_same_bytes_and_leaves_the_thread_pools_alone():
    from threadpoolctl import threadpool_info

    with Image.open(PHOTOGRAPH) as image:
        image.load()
        expected = save(image, k=40)
        before = [pool["num_threads"] for pool in threadpool_info()]
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: save(image, k=40), range(8)))
    assert set(results) == {expected}
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_the_source_folder_says_why_it_cannot_be_imported():
    script = """
import sys
sys.path.insert(0, sys.argv[1])
sys.modules["cython"] = None  # as where it is not installed
try:
    import kmc_format
except ImportError as error:
    print("pip install" in str(error), "not compiled" in str(error))
"""
    core = ROOT / "kmc_format" / "_core"
    if any(core.glob("_native.*.so")) or any(core.glob("_native.*.pyd")):
        pytest.skip("compiled in place")
    assert run(script, ROOT) == ["True", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only some systems fork processes")
def test_a_process_that_was_forked_after_a_save_can_save():
    script = """
import multiprocessing, sys, kmc_format
from PIL import Image

def job(_):
    return len(kmc_format.encode(Image.open(sys.argv[1]), k=16))

own = job(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map_async(job, range(2)).get(timeout=60) == [own, own])
"""
    command = [sys.executable, "-P", "-c", script, str(PHOTOGRAPH)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["True"]
