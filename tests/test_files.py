"""Whatever the package writes itself is whole at any time, and nothing else is left or lost."""

import errno
import io
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support import smooth

import kmc_format
from kmc_format import _files as files

# Writes two pictures in turn to the path it is given, for ever.
WRITER = """
import sys
import numpy as np
import kmc_format
codebook = np.arange(200, dtype=np.uint8)[:, None]
sizes = [(300, 300), (400, 300)]
pictures = [kmc_format.Indexed(codebook, np.random.default_rng(0).integers(0, 200, size)) for size in sizes]
while True:
    for picture in pictures:
        kmc_format.write(sys.argv[1], picture, effort=0)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "x.kmc"
    for k in (3, 5):
        kmc_format.write(str(path), smooth(), k)
        assert path.read_bytes() == kmc_format.encode(smooth(), k)
    assert names(tmp_path) == ["x.kmc"]


@pytest.mark.parametrize("picture", [np.zeros((2, 2)), smooth()])
def test_a_bad_picture_or_option_leaves_the_old_file(tmp_path, picture):
    path = tmp_path / "x.kmc"
    path.write_bytes(b"old")
    with pytest.raises((TypeError, ValueError)):
        kmc_format.write(path, picture, k=-1)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.kmc"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_error_at_any_step_leaves_the_old_file(tmp_path, monkeypatch, step, error):
    def fail(*_):
        raise error

    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)) as caught:
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]
    if isinstance(error, OSError):
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))


def test_a_missing_folder_is_named_by_the_path_that_was_given(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        files.write_whole(tmp_path / "missing" / "x.kmc", b"")
    assert caught.value.filename == str(tmp_path / "missing" / "x.kmc")


def test_a_folder_is_not_overwritten(tmp_path):
    with pytest.raises(OSError, match=r".") as caught:
        files.write_whole(tmp_path, b"data")
    assert caught.value.filename == str(tmp_path)
    assert not names(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")
def test_permissions_are_those_of_the_old_file_or_of_any_new_one(tmp_path):
    path, ordinary = tmp_path / "x", tmp_path / "ordinary"
    files.write_whole(path, b"new")
    ordinary.write_bytes(b"")
    assert path.stat().st_mode == ordinary.stat().st_mode
    path.chmod(0o640)
    files.write_whole(path, b"newer")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_read_only_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o444)
    # Root may write everything, so that the answer to the question is given here.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError) as caught:
        files.write_whole(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    files.write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "folder") == ["target"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    thread.start()
    files.write_whole(pipe, b"data")
    thread.join()
    assert read == [b"data"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/fd/0").exists(), reason="there are no paths of open files")
def test_a_pipe_without_a_name_is_written_to():
    read, write = os.pipe()
    files.write_whole(f"/dev/fd/{write}", b"data")  # as >(command) in a shell, or /dev/stdout
    assert os.read(read, 9) == b"data"
    os.close(read)
    os.close(write)


@pytest.mark.skipif(sys.platform != "linux", reason="only there such a path leads to the file")
def test_a_deleted_file_is_written_to(tmp_path):
    with (tmp_path / "x").open("w+b") as file:
        Path(file.name).unlink()
        files.write_whole(f"/dev/fd/{file.fileno()}", b"data")
        assert file.read() == b"data"
    assert not names(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_in_a_circle(tmp_path):
    (tmp_path / "x").symlink_to("y")
    (tmp_path / "y").symlink_to("x")
    with pytest.raises(OSError, match=r".") as caught:
        files.write_whole(tmp_path / "x", b"data")
    assert caught.value.errno == errno.ELOOP
    assert names(tmp_path) == ["x", "y"]


def test_other_names_keep_the_old_file(tmp_path):
    path, other = tmp_path / "x", tmp_path / "other"
    path.write_bytes(b"old")
    other.hardlink_to(path)
    files.write_whole(path, b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize("name", ["new/", "new/.", "x/"])
def test_the_name_of_a_folder_makes_no_file(tmp_path, name):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(OSError, match=r"."):
        kmc_format.write(f"{tmp_path}/{name}", smooth(), 3)
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


@pytest.mark.parametrize("path", [io.BytesIO(), b"x.kmc", None])
def test_what_is_no_path_is_refused_before_coding(monkeypatch, path):
    monkeypatch.setattr(kmc_format, "encode", lambda *_: pytest.fail("coded"))
    with pytest.raises(TypeError, match=f"path must be .* not {type(path).__name__}"):
        kmc_format.write(path, smooth())


def test_a_long_name(tmp_path):
    path = tmp_path / ("n" * 250 + ".kmc")
    files.write_whole(path, b"data")
    assert names(tmp_path) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="a file that is being read cannot be replaced there")
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "x.kmc"
    seen = set()
    for n in range(8):
        with subprocess.Popen([sys.executable, "-P", "-c", WRITER, str(path)]) as process:
            while not path.exists():
                assert process.poll() is None
            end = time.monotonic() + 0.1 + 0.003 * n
            while time.monotonic() < end:  # while it is being written
                seen.add(kmc_format.decode(path).labels.shape)
            process.kill()
        seen.add(kmc_format.decode(path).labels.shape)
        path.unlink()
    assert seen == {(300, 300), (400, 300)}
    assert all(name.startswith(".x.kmc.") and name.endswith(".tmp") for name in names(tmp_path))
    assert len(names(tmp_path)) <= 8
