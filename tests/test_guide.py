"""The README and the guide are true: examples run, links lead somewhere, tables are complete."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from support import ROOT

import kmc_format

README, GUIDE = ROOT / "README.md", ROOT / "kmc_format" / "GUIDE.md"
LINES = 150  # of a README that is read to its end


def examples(path, *kinds):
    """Return the examples of these kinds: `python`, and after that word `apps` or `unrun`."""
    blocks = re.findall(r"^```(python.*)\n([\s\S]*?)^```$", path.read_text("utf-8"), re.MULTILINE)
    return [code for kind, code in blocks if kind in kinds]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the pictures that the examples begin with."""
    with Image.open(ROOT / "sample_images" / "photograph.png") as image:
        image.crop((90, 60, 250, 180)).save(tmp_path / "photo.png")
    (tmp_path / "masks").mkdir()
    for target in ("mask.png", "masks/mask.png"):
        shutil.copy(ROOT / "sample_images" / "mask.png", tmp_path / target)
    shown = [Image.new("L", (40, 30), 90 * n) for n in range(3)]
    shown[0].save(tmp_path / "sprite.gif", save_all=True, append_images=shown[1:], duration=40)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(path, *kinds):
    """Run examples one after the other, as one program does; return its names."""
    names = {"__name__": "__main__"}
    for code in examples(path, *kinds):
        exec(compile(code, path.name, "exec"), names)
    return names


def test_the_readmes_examples_run(folder):
    names = run(README, "python")
    with Image.open("mask.png") as mask:
        assert names["picture"].labels.tolist() == np.asarray(mask).tolist()
    assert kmc_format.read_header("photo.kmc").k > 32  # what `max_bytes` chose
    assert (folder / "photo.kmc").stat().st_size <= 50_000


def test_the_guides_examples_run(folder):
    names = run(GUIDE, "python")
    assert not any(record.error for record in names["records"])
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [
        "alike",
        "back",
        "masks",
        "out",
    ]


@pytest.mark.apps
def test_the_guides_examples_of_dask_run(folder):
    names = run(GUIDE, "python", "python apps")
    assert names["again"].shape == (512, 512)


def test_what_cannot_run_here_is_python_at_least():
    unrun = examples(GUIDE, "python unrun")
    assert len(unrun) == 1
    for code in unrun:
        compile(code, GUIDE.name, "exec")


@pytest.mark.parametrize("path", [README, GUIDE], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8"))
    assert links
    for link in links:
        if "://" not in link:
            name, _, heading = link.partition("#")
            target = path.parent / name if name else path
            assert target.exists(), link
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE) if heading else []
            assert heading in ["", *(title.lower().replace(" ", "-") for title in headings)], link


def test_the_readme_is_short():
    assert len(README.read_text("utf-8").splitlines()) <= LINES


def test_the_guide_ships_with_the_package():
    from importlib.resources import files

    assert (files(kmc_format) / "GUIDE.md").read_text("utf-8") == GUIDE.read_text("utf-8")
