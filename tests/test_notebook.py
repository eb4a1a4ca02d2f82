"""The example notebook runs, and shows what it says."""

import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from support import ROOT

NOTEBOOK = ROOT / "sample_images" / "step-by-step.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The cells of the notebook, executed in a copy of its folder."""
    folder = tmp_path_factory.mktemp("notebook")
    for path in NOTEBOOK.parent.glob("*.png"):
        shutil.copy(path, folder)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook.cells


def shown(cells, beginning):
    """Return by type what the cell shows that has a line which begins so."""
    [cell] = [cell for cell in cells if f"\n{beginning}" in f"\n{cell.source}" and cell.cell_type == "code"]
    data = {}
    for output in cell.outputs:
        data |= output.get("data", {"text": output.get("text")})
    return data


def test_every_cell_is_run_and_shows_something(cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert cell.execution_count
            assert cell.outputs, cell.source


def test_pictures_are_shown(cells):
    for beginning in ("image = ", "figure, (left", "rebuilt = ", "figures.comparison", "figures.sweep"):
        assert "image/png" in shown(cells, beginning), beginning


def test_the_slider_is_shown(cells):
    assert "application/vnd.jupyter.widget-view+json" in shown(cells, "kmc_format.explore")


def test_what_it_says_of_errors(cells):
    words = shown(cells, "picture = ")["text"].split()
    by_hand, here = float(words[words.index("hand") + 1].rstrip(",")), float(words[-1])
    assert here < by_hand


def test_it_is_kept_without_outputs():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")
