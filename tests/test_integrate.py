"""Desktops and `file` know KMC where that was asked for, and are as they were when it is taken back."""

import configparser
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from support import GOLDEN, smooth

import kmc_format
from kmc_format import integrate
from kmc_format._format import container
from kmc_format._pillow import registration

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="desktops of freedesktop.org")
DATA = Path(integrate.__file__).with_name("_integrate")


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{missing} not installed")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of nobody, with a picture; the folder for data is where it is by default."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith("XDG_") or name == "MAGIC":
            monkeypatch.delenv(name)
    (tmp_path / "pictures").mkdir()
    kmc_format.write(tmp_path / "pictures" / "a b%s's.kmc", smooth((300, 200)), k=8)
    return tmp_path


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_what_was_put_in_place_is_taken_away(home):
    before = contents(home)
    assert integrate.status().count(" not in place: ") == 3
    assert integrate.disable() == "nothing was in place"
    for _ in range(2):
        said = integrate.enable()
        for name in ("mime/packages/kmc-format.xml", "thumbnailers/kmc.thumbnailer"):
            assert (home / ".local" / "share" / name).read_bytes()
            assert f" in place: {home / '.local' / 'share' / name}\n" in said
        assert f" in place: {home / '.magic'}" in said
    assert integrate.status().count(" in place: ") == 3
    assert "not in place" not in integrate.status()
    assert integrate.disable().count(" taken away: ") == 3
    after = contents(home)
    assert {path for path in set(after) - set(before) if not path.is_dir()} == set()
    assert set(after) - set(before) <= {home / ".local", home / ".local" / "share"}
    assert all(after[path] == before[path] for path in before)


def test_without_the_database_it_says_what_is_missing(home, monkeypatch):
    before = contents(home)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert f"'update-mime-database {home}/.local/share/mime' was run" in integrate.enable()
    assert "'update-mime-database" in integrate.disable()
    assert set(contents(home)) - set(before) == {home / ".local", home / ".local" / "share"}


@needs("update-mime-database")
def test_what_others_put_in_place_stays(home):
    packages = home / ".local" / "share" / "mime" / "packages"
    packages.mkdir(parents=True)
    theirs = (DATA / "kmc-format.xml").read_text().replace("kmc", "theirs")
    (packages / "theirs.xml").write_text(theirs)
    (home / ".local" / "share" / "thumbnailers").mkdir()
    (home / ".local" / "share" / "thumbnailers" / "theirs.thumbnailer").write_text("[Thumbnailer Entry]")
    (home / ".magic").write_text("0 string theirs their data")  # without a line end
    run("update-mime-database", packages.parent)
    before = contents(home)
    integrate.enable()
    assert "image/x-kmc" in (packages.parent / "globs2").read_text()
    assert (home / ".magic").read_text().endswith("\n0 string theirs their data")
    integrate.disable()
    assert contents(home) == before


@pytest.mark.parametrize("name", ["mime/packages/kmc-format.xml", "thumbnailers/kmc.thumbnailer"])
def test_a_file_of_others_is_left_alone(home, name):
    path = home / ".local" / "share" / name
    path.parent.mkdir(parents=True)
    path.write_text("of others")
    before = contents(home)
    for action in (integrate.enable, integrate.status, integrate.disable):
        with pytest.raises(FileExistsError, match="did not make"):
            action()
    assert contents(home) == before


def test_lines_without_an_end_are_left_alone(home):
    integrate.enable()
    magic = home / ".magic"
    magic.write_bytes(magic.read_bytes().replace(integrate._END, b"0 string theirs\n"))
    before = contents(home)
    for action in (integrate.enable, integrate.disable):
        with pytest.raises(FileExistsError, match="no end"):
            action()
    assert contents(home) == before


def test_a_link_stays(home):
    (home / "dotfiles").touch()
    (home / ".magic").symlink_to("dotfiles")
    integrate.enable()
    assert b"KMC" in (home / "dotfiles").read_bytes()
    integrate.disable()
    assert (home / ".magic").is_symlink()
    assert (home / "dotfiles").read_bytes() == b""


def test_another_version_is_replaced(home):
    integrate.enable()
    path = home / ".local" / "share" / "mime" / "packages" / "kmc-format.xml"
    current = path.read_text()
    path.write_text(current.replace("KMC image", "an old name"))
    magic = home / ".magic"
    lines = magic.read_bytes()
    magic.write_bytes(b"# theirs\n" + lines.replace(b"RGBA", b"old") + b"# theirs, too")
    assert integrate.status().count(" of another version: ") == 2
    integrate.enable()
    assert path.read_text() == current
    assert magic.read_bytes() == lines + b"# theirs\n# theirs, too"
    integrate.disable()
    assert magic.read_bytes() == b"# theirs\n# theirs, too"


@pytest.mark.parametrize("given", ["", "relative/path"])
def test_the_folder_for_data_is_found_as_freedesktop_has_it(home, monkeypatch, given):
    monkeypatch.setenv("XDG_DATA_HOME", given)
    assert str(home / ".local" / "share" / "mime") in integrate.status()
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert str(home / "data" / "mime") in integrate.status()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_is_read_only(home, capsys):
    (home / ".local").mkdir(0o500)
    assert integrate.main(["enable"]) == 1
    assert capsys.readouterr().err.startswith("kmc integrate: Permission denied: ")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_are_told_what_does_not_work(home, monkeypatch, capsys, platform):
    monkeypatch.setattr(sys, "platform", platform)
    before = contents(home)
    for action in ("enable", "disable", "status"):
        assert integrate.main([action]) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("kmc integrate: Windows and macOS learn of types")
    assert contents(home) == before


def test_notes(home, monkeypatch):
    (home / ".magic.mgc").touch()
    monkeypatch.setattr(integrate, "_SEEN_BY_GNOME", home)
    assert "GNOME" in integrate.enable()
    assert "~/.magic.mgc" in integrate.enable()
    (home / ".magic.mgc").unlink()
    with monkeypatch.context() as changed:
        changed.setattr(importlib.util, "find_spec", lambda name: None)
        assert "pip install 'kmc-format[cli]'" in integrate.enable()
    monkeypatch.setattr(integrate, "_SEEN_BY_GNOME", Path("/"))
    assert integrate.enable().count("\n") == 2 + (shutil.which("update-mime-database") is None)


# --- What is in the files -------------------------------------------------------------------------


def test_files_say_whose_they_are():
    for name in ("kmc-format.xml", "kmc.thumbnailer"):
        assert integrate._MARK in (DATA / name).read_bytes()


def test_the_description_of_the_type_is_that_of_the_format():
    spaces = {"m": "http://www.freedesktop.org/standards/shared-mime-info"}
    [described] = ElementTree.parse(DATA / "kmc-format.xml").getroot().findall("m:mime-type", spaces)
    match, glob = described.find("m:magic/m:match", spaces), described.find("m:glob", spaces)
    assert described.get("type") == registration.MIME_TYPE
    assert glob.get("pattern") == f"*{registration.EXTENSION}"
    assert match.get("offset") == "0"
    assert match.get("value").encode().decode("unicode_escape").encode("latin1") == container.SIGNATURE


def thumbnailer(home):
    parsed = configparser.RawConfigParser()
    parsed.optionxform = str
    parsed.read_string((home / ".local" / "share" / "thumbnailers" / "kmc.thumbnailer").read_text())
    return parsed["Thumbnailer Entry"]


def started(entry, folder, **given):
    """Start a thumbnailer as desktops do, in the folder of the picture."""
    command = entry["Exec"]
    for letter, value in given.items():
        command = command.replace(f"%{letter}", shlex.quote(str(value)))
    return subprocess.run(shlex.split(command.replace("%%", "%")), cwd=folder, capture_output=True, text=True)


def test_the_thumbnailer_makes_thumbnails(home):
    integrate.enable()
    entry = thumbnailer(home)
    assert entry["TryExec"] == sys.executable
    assert entry["MimeType"] == f"{registration.MIME_TYPE};"
    source, target = home / "pictures" / "a b%s's.kmc", home / ".thumbnail.XY12Z"
    (home / "pictures" / "kmc_format.py").write_text("raise SystemExit('not what is in the folder')")
    target.touch()  # which desktops read from, as they have opened it
    with target.open("rb") as opened:
        result = started(entry, home / "pictures", s=128, i=source, o=target)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        with Image.open(opened) as image:
            assert (image.format, image.size) == ("PNG", (128, 85))
    source.write_bytes(source.read_bytes()[:-9])
    other = home / "other.png"
    assert started(entry, home / "pictures", s=128, i=source, o=other).returncode == 1
    assert not other.exists()


def test_the_name_of_python_may_be_strange(home, monkeypatch):
    python = home / "it's 100% \\ odd" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    integrate.enable()
    entry = thumbnailer(home)
    assert entry["TryExec"].replace("\\\\", "\\") == str(python)
    command = shlex.split(entry["Exec"].replace("\\\\", "\\"))[0]
    assert command.replace("%%", "%") == str(python)


# --- Real programs --------------------------------------------------------------------------------


@needs("update-mime-database", "xdg-mime", "gio")
def test_desktops_know_the_type(home):
    source, unnamed = home / "pictures" / "a b%s's.kmc", home / "unnamed"
    shutil.copy(source, unnamed)
    assert "x-kmc" not in run("gio", "info", "-a", "standard::content-type", source)
    integrate.enable()
    for path in (source, unnamed):
        assert "image/x-kmc" in run("gio", "info", "-a", "standard::content-type", path)
    assert run("xdg-mime", "query", "filetype", source) == "image/x-kmc"
    integrate.disable()
    assert "x-kmc" not in run("gio", "info", "-a", "standard::content-type", source)


@needs("file")
def test_the_command_file_knows_kmc(home):
    modes = {"1-1": "bilevel", "L-1": "grey", "LA-2": "grey with alpha", "RGB-3": "RGB", "RGBA-4": "RGBA"}
    modes |= {"P-3": "palette", "P-4": "palette with alpha", "I16-1": "16-bit grey", "I-1": "32-bit integers"}
    paths = {path: mode for name, mode in modes.items() for path in GOLDEN.glob(f"{name}-k*0--drawn0.kmc")}
    assert len(paths) == len(modes)
    for path, mode in paths.items():
        assert run("file", "-b", "-m", DATA / "magic", path) == f"KMC image data, version 1, {mode}"
    tiled = next(GOLDEN.glob("*tiles*.kmc"))
    assert run("file", "-b", "-m", DATA / "magic", tiled).endswith(", tiled")
    assert run("file", "-bi", "-m", DATA / "magic", tiled).startswith("image/x-kmc")
    picture = home / "x.png"
    smooth().save(picture)
    integrate.enable()
    assert run("file", "-b", tiled).startswith("KMC image data")
    assert run("file", "-b", picture).startswith("PNG image data")  # what it knew it still knows
    integrate.disable()
    assert "KMC" not in run("file", "-b", tiled)
