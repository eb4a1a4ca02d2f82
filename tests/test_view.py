"""`kmc view`: its page, and where that is written; the page of the sample images; the package for npm."""

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import sample_page
from PIL import Image
from support import ROOT, load, save, smooth

import kmc_format
from kmc_format import cli
from kmc_format._cli import page

WEB = ROOT / "kmc_format" / "web"
NODE, NPM = shutil.which("node"), shutil.which("npm")
HOSTILE_NAME = "</script><b>{{files}} &amp; 'x'.kmc"


class Page(HTMLParser):
    """A page as a browser reads it: its tags, and the text of its scripts and styles."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.inside = ""
        self.feed(data.decode())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = self.tags[-1][1].get("type") or tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        self.texts[self.inside] = self.texts.get(self.inside, "") + data

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def files(self):
        found = json.loads(self.texts["application/json"])
        return {one["name"]: base64.b64decode(one["data"]) for one in found}

    @property
    def policy(self):
        metas = self.attributes("meta")
        (policy,) = [meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy"]
        return dict(rule.split(maxsplit=1) for rule in policy.split("; "))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in, with a KMC file, a truncated one, and another below."""
    (tmp_path / "inside").mkdir()
    for name in ("x.kmc", "inside/y.KMC"):
        (tmp_path / name).write_bytes(save(smooth(), k=8))
    (tmp_path / "cut.kmc").write_bytes(save(smooth(), k=8)[:-5])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def view(capsys):
    """What runs `kmc view` in this process: gives its exit status, and what it printed on both."""

    def run(line):
        status = cli.main(["view", *shlex.split(line)])
        return status, *capsys.readouterr()

    return run


def test_a_page_beside_the_file(view, folder):
    status, out, err = view("x.kmc")
    written = (folder / "x.html").read_bytes()
    assert (status, err) == (0, "")
    assert out == f"x.html: 1 picture, {len(written) / 1000:.1f} kB\n"
    shown = Page(written)
    assert shown.files == {"x.kmc": (folder / "x.kmc").read_bytes()}
    assert shown.texts["title"] == "x.kmc \N{EN DASH} KMC"


def test_files_folders_and_patterns(view, folder):
    assert view("x.kmc inside -o a.html")[0] == 0
    assert list(Page((folder / "a.html").read_bytes()).files) == ["x.kmc", "y.KMC"]
    assert view("'*/*.KMC' x.kmc -o b.html")[0] == 0
    assert list(Page((folder / "b.html").read_bytes()).files) == ["y.KMC", "x.kmc"]
    (folder / "cut.kmc").unlink()
    assert view(". -r -o c.html")[0] == 0
    assert sorted(Page((folder / "c.html").read_bytes()).files) == ["x.kmc", "y.KMC"]


def test_what_is_no_kmc_file_is_a_line_and_the_others_are_shown(view, folder):
    (folder / "text.kmc").write_text("this is text")
    status, out, err = view("cut.kmc none.kmc text.kmc x.kmc -o page.html")
    assert status == 1
    assert out.startswith("page.html: 1 picture, ")
    assert list(Page((folder / "page.html").read_bytes()).files) == ["x.kmc"]
    lines = err.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["cut.kmc", "none.kmc", "text.kmc"]
    assert "rule truncated" in lines[0]
    assert "rule signature" in lines[2]


@pytest.mark.parametrize("files", ["cut.kmc", "none.kmc", "'none*.kmc'", "inside/y.KMC/.."])
def test_without_a_picture_no_page_is_written(view, folder, files):
    (folder / "inside" / "y.KMC").unlink()
    before = sorted(folder.rglob("*"))
    status, out, err = view(f"{files} -o page.html")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_only_its_own_pages_are_replaced_unasked(view, folder):
    (folder / "x.html").write_text("mine")
    status, out, err = view("x.kmc")
    assert (status, out) == (1, "")
    assert err == "kmc: x.html: It is there, and no page of kmc view: name one by -o\n"
    assert (folder / "x.html").read_text() == "mine"
    assert view("x.kmc -o x.html")[0] == 0
    first = (folder / "x.html").read_bytes()
    (folder / "x.kmc").write_bytes(save(smooth(), k=9))
    assert view("x.kmc")[0] == 0
    assert (folder / "x.html").read_bytes() != first


@pytest.mark.parametrize("target", ["x.kmc", "inside/y.KMC"])
def test_a_kmc_file_is_never_replaced(view, folder, target):
    before = (folder / target).read_bytes()
    status, out, err = view(f"-o {target} x.kmc")
    assert (status, out) == (1, "")
    assert err == f"kmc: {target}: It is a KMC file, which a page would replace\n"
    assert (folder / target).read_bytes() == before


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
def test_a_name_that_is_not_utf_8(view, folder):
    (folder / "x.kmc").rename(folder / os.fsdecode(b"\xff.kmc"))
    assert view("?.kmc -o page.html")[0] == 0
    assert "\ufffd.kmc" in Page((folder / "page.html").read_bytes()).files


def test_standard_input_and_output(folder, capfdbinary, monkeypatch):
    with (folder / "x.kmc").open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("Input", (), {"buffer": file}))
        assert cli.main(["view", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert (list(Page(out).files), err) == (["standard input"], b"")
    assert cli.main(["view", "x.kmc", "-o", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert (list(Page(out).files), err) == (["x.kmc"], b"")


def test_the_page_is_opened_on_request(view, folder, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert view("x.kmc --show")[0] == 0
    assert opened == [(folder / "x.html").resolve().as_uri()]


def test_names_are_text(tmp_path):
    data = save(smooth(), k=4)
    shown = Page(page.page_of([page.Shown(HOSTILE_NAME, data)]))
    assert shown.files == {HOSTILE_NAME: data}
    assert "b" not in {tag for tag, _ in shown.tags}
    assert shown.texts["title"].startswith(HOSTILE_NAME)


def test_nothing_runs_or_loads_that_is_not_of_the_page():
    shown = Page(page.page_of([page.Shown("x.kmc", b"")]))
    hashes = {
        name: f"'sha256-{base64.b64encode(hashlib.sha256(shown.texts[name].encode()).digest()).decode()}'"
        for name in ("module", "style")
    }
    assert shown.policy == {
        "default-src": "'none'",
        "script-src": f"{hashes['module']} 'wasm-unsafe-eval'",
        "style-src": hashes["style"],
        "img-src": "data:",
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [len(shown.attributes(tag)) for tag in ("script", "style")] == [2, 1]
    addresses = [
        value
        for _, attributes in shown.tags
        for name, value in attributes.items()
        if name in ("src", "href", "style") or name.startswith("on")
    ]
    assert [address.partition(",")[0] for address in addresses] == ["data:image/svg+xml"]


def test_a_page_holds_so_much(view, folder, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 100)
    status, out, err = view("x.kmc")
    assert (status, out) == (1, "")
    size = (folder / "x.kmc").stat().st_size
    assert err == f"kmc: the files have {size:,} bytes, and a page holds 100: name fewer files\n"
    assert not (folder / "x.html").exists()


# --- The page of the sample images ----------------------------------------------------------------


def test_the_page_of_the_sample_images_is_what_is_written_now():
    data = sample_page.PATH.read_bytes().replace(b"\r\n", b"\n")
    assert page.page_of(sample_page.files_of(data)) == data, "python -I tests/sample_page.py writes it again"
    assert len(data) < 150_000


def test_the_page_of_the_sample_images_shows_them():
    files = sample_page.files_of(sample_page.PATH.read_bytes())
    assert len(files) >= 5
    for name, data in files:
        with Image.open((ROOT / "sample_images" / name).with_suffix(".png")) as image:
            shown, pixels = load(data), np.asarray(image).astype(int)
            assert shown.mode == image.mode
        error = np.abs(np.asarray(shown) - pixels).mean()
        assert error == 0 if shown.mode in ("P", "RGBA", "I;16") else error < 8, name


# --- The package for npm --------------------------------------------------------------------------


def exported(script):
    """Return the names that a module exports, or that its types declare."""
    return set(re.findall(r"^export (?:async )?(?:function|class) (\w+)", script, re.MULTILINE))


def test_the_package_for_npm_is_of_this_version():
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    assert (package["name"], package["version"]) == ("kmc-format", kmc_format.__version__)
    assert package["license"] == "MIT"
    assert exported((WEB / "kmc.d.ts").read_text("utf-8")) == exported((WEB / "kmc.js").read_text("utf-8"))


@pytest.mark.skipif(not NPM, reason="there is no npm")
def test_npm_packs_it(tmp_path):
    command = [NPM, "pack", "--dry-run", "--json", "--offline"]
    environment = {**os.environ, "HOME": str(tmp_path), "npm_config_cache": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=True, env=environment)
    (packed,) = json.loads(done.stdout)
    assert packed["id"] == f"kmc-format@{kmc_format.__version__}"
    assert {file["path"] for file in packed["files"]} == {"LICENSE", "kmc.d.ts", "kmc.js", "package.json"}


@pytest.mark.skipif(not NODE, reason="there is no Node")
def test_node_finds_it_by_its_name(tmp_path):
    (tmp_path / "node_modules").mkdir()
    shutil.copytree(WEB, tmp_path / "node_modules" / "kmc-format")
    (tmp_path / "x.kmc").write_bytes(save(smooth(), k=8))
    script = """
        import { readFileSync } from "node:fs";
        import { KMCImage, open, upgrade } from "kmc-format";
        const { width, height, k } = await open(readFileSync("x.kmc"));
        console.log(width, height, k, typeof KMCImage, typeof upgrade);
    """
    command = [NODE, "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "96 64 8 function function\n"
