"""Unedited programs read and write KMC where autoloading is enabled, and nothing else changes."""

import sys
import threading
import types
import zipfile
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL
import pytest
from support import made_environment
from support import run_in as run

from kmc_format import autoload
from kmc_format._format import container
from kmc_format._pillow import registration, waiting
from kmc_format.autoload import main

UNEDITED = """
import sys
loaded = "kmc_format" in sys.modules
from PIL import Image
assert loaded == ("kmc_format" in sys.modules)
assert not any(getattr(finder, "name", "") == "PIL.Image" for finder in sys.meta_path)
assert "exec_module" not in vars(Image.__loader__)
Image.linear_gradient("L").convert("RGB").save("x.kmc", k=7)
with Image.open("x.kmc") as image:
    assert (image.format, image.info["k"]) == ("KMC", 7)
import imageio.v3
assert imageio.v3.imread("x.kmc").shape == (256, 256, 3)
print("done")
"""
WITHOUT_EDITING_IMAGEIO = """
import numpy
import imageio.v3
print(imageio.v3.imwrite("<bytes>", numpy.eye(9, dtype=numpy.uint8), extension=".kmc")[1:4].decode())
"""
WITHOUT_EDITING_MATPLOTLIB = """
import matplotlib.figure
matplotlib.figure.Figure().savefig("figure.kmc")
print(open("figure.kmc", "rb").read(4)[1:].decode())
"""

WITHOUT_EDITING_MIMETYPES = """
import mimetypes
print(mimetypes.guess_type("x.kmc")[0], mimetypes.guess_extension("image/x-kmc"))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A real virtual environment that has the package as this one has it; its Python and its packages."""
    return made_environment(tmp_path_factory.mktemp("environment"))


def test_an_unedited_program(environment):
    python, packages = environment
    before = set(packages.rglob("*")) - set((packages / "kmc_format").rglob("*"))
    assert "unknown file extension: .kmc" in run(python, "-c", UNEDITED, check=False)
    assert run(python, "-m", "kmc_format.autoload", "status").startswith("autoloading is not enabled in")
    for _ in range(2):
        assert run(python, "-m", "kmc_format.autoload", "enable") == f"autoloading is enabled in {packages}"
    assert run(python, "-m", "kmc_format.autoload", "status") == f"autoloading is enabled in {packages}"
    assert run(python, "-c", UNEDITED) == "done"
    assert run(python, "-c", WITHOUT_EDITING_IMAGEIO) == "KMC"
    if find_spec("matplotlib"):
        assert run(python, "-c", WITHOUT_EDITING_MATPLOTLIB) == "KMC"
    assert run(python, "-c", WITHOUT_EDITING_MIMETYPES) == "image/x-kmc .kmc"
    assert run(python, "-c", WITHOUT_EDITING_MIMETYPES, KMC_AUTOLOAD="0") == "None None"
    assert run(python, "-c", "import kmc_format\n" + UNEDITED) == "done"
    assert "unknown file extension: .kmc" in run(python, "-c", UNEDITED, check=False, KMC_AUTOLOAD="0")
    for _ in range(2):
        run(python, "-m", "kmc_format.autoload", "disable")
    assert "unknown file extension: .kmc" in run(python, "-c", UNEDITED, check=False)
    after = set(packages.rglob("*")) - set((packages / "kmc_format").rglob("*"))
    assert after == before


def test_a_removed_package_leaves_no_traceback(environment):
    python, packages = environment
    run(python, "-m", "kmc_format.autoload", "enable")
    (packages / "kmc_format").rename(packages / "elsewhere")
    (packages / "needs.pth").rename(packages / "needs.txt")
    try:
        assert run(python, "-c", "print('quiet')") == "quiet"
        script = f"import sys; sys.path.append({str(Path(PIL.__file__).parent.parent)!r})\n"
        script += (
            "sys.modules['kmc_format'] = None\n" * (Path(PIL.__file__).parent.parent / "kmc_format").exists()
        )
        script += "from PIL import Image; print('.kmc' in Image.EXTENSION)"
        assert run(python, "-c", script) == "False"
        (packages / "_kmc_format_autoload.py").write_text("damaged (", "utf-8")
        assert run(python, "-c", "print('quiet')") == "quiet"
        (packages / "_kmc_format_autoload.py").unlink()
        assert run(python, "-c", "print('quiet')") == "quiet"
    finally:
        (packages / "elsewhere").rename(packages / "kmc_format")
        (packages / "needs.txt").rename(packages / "needs.pth")
        run(python, "-m", "kmc_format.autoload", "disable")


def test_a_start_imports_hardly_more(environment):
    python, _ = environment
    imported = {}
    for action in ("disable", "enable", "disable"):
        run(python, "-m", "kmc_format.autoload", action)
        imported[action] = set(run(python, "-I", "-c", "import sys; print(*sys.modules)").split())
    assert imported["enable"] - imported["disable"] == {autoload.MODULE}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(autoload, "_folder", lambda: tmp_path)
    return tmp_path


def test_the_command(folder, capsys):
    assert main(["enable"]) == 0
    assert {path.name for path in folder.iterdir()} == {*autoload._files(), "__pycache__"}
    for other in (b"# an older one", b"\xff damaged"):
        (folder / f"{autoload.MODULE}.py").write_bytes(other)
        assert main(["status"]) == 0
        assert "by another version" in capsys.readouterr().out
    assert main(["disable"]) == 0
    assert not list(folder.iterdir())
    with pytest.raises(SystemExit) as caught:
        main(["perhaps"])
    assert caught.value.code == 2


def test_a_folder_that_cannot_be_written(folder, monkeypatch, capsys):
    monkeypatch.setattr(autoload, "_folder", lambda: folder / "missing")
    assert main(["enable"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("kmc autoload: No such file or directory: ")
    assert str(folder / "missing") in said
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("no number"), "no number"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (None, "SyntaxError: '(' was never closed"),
    ],
)
def test_errors_are_one_line(folder, monkeypatch, capsys, error, said):
    def files():
        if error:
            raise error
        return {"damaged.py": b"damaged ("}

    monkeypatch.setattr(autoload, "_files", files)
    assert main(["enable"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kmc autoload: ")
    assert said in line


def test_a_start_file_where_python_reads_them(folder, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 15, 0))
    autoload.enable()
    start = folder / f"{autoload.MODULE}.start"
    assert start.read_text("utf-8") == "_kmc_format_autoload:start\n"
    assert start.with_suffix(".pth").exists()
    monkeypatch.undo()
    monkeypatch.setattr(autoload, "_folder", lambda: folder)
    autoload.disable()
    assert not list(folder.iterdir())


# --- Waiting for a module ---------------------------------------------------------------------


@pytest.fixture
def called(tmp_path, monkeypatch):
    """A module that is not imported yet, and a list of those that were executed."""
    (tmp_path / "awaited.py").write_text("value = 5\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "awaited", raising=False)
    yield []
    sys.modules.pop("awaited", None)


def finders():
    names = ("awaited", "not_there_at_all")
    return [finder for finder in sys.meta_path if getattr(finder, "name", "") in names]


def test_a_function_is_called_once_the_module_is_executed(called):
    for _ in range(3):
        waiting.when_imported("awaited", lambda module: called.append(module.value))
    assert len(finders()) == 1
    assert find_spec("awaited").origin.endswith("awaited.py")
    assert not called  # as it was looked up, not executed
    import awaited

    assert called == [5]
    assert not finders()
    assert vars(awaited.__loader__).keys() == vars(np.__loader__).keys()
    waiting.when_imported("awaited", lambda module: called.append(module))
    assert called == [5, awaited]


def test_two_that_wait_for_the_same_module_do_not_ask_each_other_for_ever(called):
    other = types.ModuleType("other")
    exec(Path(waiting.__file__).read_text("utf-8"), other.__dict__)  # as the copy of autoloading is
    other.when_imported("awaited", called.append)
    waiting.when_imported("awaited", called.append)
    import awaited

    assert called == [awaited, awaited]
    assert not finders()


def test_a_module_that_is_not_there_is_still_not_there(called):
    waiting.when_imported("not_there_at_all", called.append)
    with pytest.raises(ModuleNotFoundError):
        import not_there_at_all  # noqa: F401
    assert not called
    assert len(finders()) == 1


def test_a_module_that_fails_is_waited_for_again(called, tmp_path):
    (tmp_path / "awaited.py").write_text("1 / 0\n", "utf-8")
    waiting.when_imported("awaited", called.append)
    with pytest.raises(ZeroDivisionError):
        import awaited
    assert not called
    (tmp_path / "awaited.py").write_text("value = 6  # mended\n", "utf-8")
    PathFinder.invalidate_caches()
    import awaited

    assert called == [awaited]


def test_a_module_that_another_thread_is_executing_is_waited_for(called, tmp_path):
    executing, going_on = threading.Event(), threading.Event()
    (tmp_path / "awaited.py").write_text("executing.set()\ngoing_on.wait()\nvalue = 7\n", "utf-8")
    builtins = {"executing": executing, "going_on": going_on}
    threads = [
        threading.Thread(target=__import__, args=("awaited",)),
        threading.Thread(
            target=waiting.when_imported, args=("awaited", lambda module: called.append(module.value))
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, event in builtins.items():
            patch.setattr("builtins." + name, event, raising=False)
        threads[0].start()
        executing.wait()
        threads[1].start()
        threads[1].join(0.1)
        assert not called
        going_on.set()
        for thread in threads:
            thread.join()
    assert called == [7]


def test_a_module_that_may_not_be_imported_is_left_alone(called, monkeypatch):
    monkeypatch.setitem(sys.modules, "awaited", None)
    waiting.when_imported("awaited", called.append)
    with pytest.raises(ModuleNotFoundError):
        import awaited  # noqa: F401
    assert not called


@pytest.fixture
def zipped(tmp_path, monkeypatch):
    """A module `beside` that comes from the same loader as the awaited one, which imports it."""
    path = tmp_path / "modules.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("awaited.py", "import beside\nvalue = 8\n")
        file.writestr("beside.py", "value = 9\n")
    monkeypatch.syspath_prepend(path)
    yield
    sys.modules.pop("beside", None)


@pytest.mark.parametrize("names", [("awaited",), ("awaited", "beside"), ("beside", "awaited")])
def test_a_loader_of_many_modules_tells_of_the_right_ones(called, zipped, names):
    for name in names:
        waiting.when_imported(name, lambda module: called.append(module.__name__))
        find_spec(name)  # looked up, but not executed
    import beside

    assert called == ["beside"] * ("beside" in names)
    import awaited

    assert sorted(called) == sorted(names)
    assert awaited.__loader__ is beside.__loader__
    assert not finders()
    if names[0] == "awaited":  # the other way round, what is left only calls the loader
        assert "exec_module" not in vars(awaited.__loader__)


class SlottedLoader:
    __slots__ = ()

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.value = 10


class ClassLoader:
    create_module = classmethod(SlottedLoader.create_module)
    exec_module = classmethod(SlottedLoader.exec_module)


class OldLoader:
    def load_module(self, name):
        raise NotImplementedError  # Python 3.15 calls it no more


@pytest.mark.parametrize(
    "loader", [SlottedLoader(), ClassLoader, OldLoader(), None], ids=["slotted", "class", "old", "none"]
)
def test_loaders_that_cannot_tell_are_left_alone(called, monkeypatch, loader):
    spec = ModuleSpec("awaited", loader)
    finder = types.SimpleNamespace(find_spec=lambda name, *_: spec if name == "awaited" else None)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    waiting.when_imported("awaited", called.append)
    assert find_spec("awaited") is spec
    if hasattr(loader, "exec_module"):
        import awaited

        assert awaited.value == 10
    assert not called


def test_finders_of_an_old_kind_are_passed_over(called, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [object(), *sys.meta_path])
    waiting.when_imported("awaited", called.append)
    import awaited

    assert called == [awaited]


@pytest.mark.parametrize("damage", ["a finder that fails", "a registration that is no Python"])
def test_what_is_wrong_with_the_package_is_no_matter_of_the_programs(tmp_path, monkeypatch, damage):
    def find(name):
        if damage.startswith("a finder"):
            raise RuntimeError(name)
        package = ModuleSpec(name, None, is_package=True)
        package.submodule_search_locations.append(str(tmp_path))
        return package

    (tmp_path / "registration.py").write_text("damaged (", "utf-8")
    monkeypatch.setattr("importlib.util.find_spec", find)
    waiting._tell(sys)


def test_only_pillow_and_imageio_are_told():
    other = types.ModuleType("other")
    other.known_extensions = {}
    registration.tell(other)
    assert not other.known_extensions


def test_what_a_reload_of_pillow_loses_comes_back():
    script = "import importlib, kmc_format; from PIL import Image; importlib.reload(Image)\n"
    script += "print('KMC' in Image.OPEN); kmc_format.register(); print('KMC' in Image.OPEN)"
    assert run(Path(sys.executable), "-P", "-c", script).split() == ["False", "True"]


def test_every_file_begins_as_registration_knows():
    assert container.SIGNATURE.startswith(registration.BEGINNING)
    assert not registration._accept(b"\x89PNG\r\n\x1a\n")
    assert registration._accept(container.SIGNATURE) is True
