"""The arrows of the architecture point downwards only."""

import ast

import pytest
from support import ROOT

LAYERS = {
    "_core": 0,
    "errors": 0,
    "waiting": 0,
    "files": 0,
    "ahead": 0,
    "extras": 0,
    "container": 1,
    "indexed": 1,
    "workers": 1,
    "remote": 1,
    "parallel": 2,
    "options": 2,
    "likeness": 2,
    "yardstick": 2,
    "colours": 2,
    "nearest": 2,
    "levels": 2,
    "codec": 3,
    "clustering": 3,
    "tally": 3,
    "opacity": 4,
    "kmeans": 5,
    "rate": 6,
    "training": 6,
    "quick_codebooks": 6,
    "saving": 7,
    "plugin": 8,
    "metrics": 8,
    "rasters": 8,
    "raster_reading": 8,
    "conversions": 8,
    "converting": 9,
    "batch": 10,
    "preview": 9,
    "report": 9,
    "figures": 9,
    "canvas": 9,
    "registration": 9,
    "explorer_view": 10,
    "explorer_server": 10,
    "explorer_panel": 11,
    "explorer": 12,
    "autoload": 11,
    "__init__": 13,
    "cli": 14,
    "__main__": 15,
}
HEAVY = {
    *("imageio", "sklearn", "scipy", "threadpoolctl", "matplotlib", "skimage"),
    *("ipywidgets", "anywidget", "traitlets", "ipykernel", "voila", "tornado"),
    *("dask", "distributed", "fsspec", "upath"),
}
WITH_PIL = {
    *("indexed", "options", "saving", "plugin", "metrics", "registration", "rasters", "raster_reading"),
    *("batch", "conversions", "converting", "report", "canvas"),
    *("explorer", "explorer_panel", "explorer_server", "explorer_view", "__init__", "cli"),
}


def imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level and not node.module:
            names |= {f".{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + str(node.module))
    return names


@pytest.mark.parametrize("path", sorted((ROOT / "kmc_format").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_imports_only_from_lower_layers(path):
    tree = ast.parse(path.read_text("utf-8"))
    for name in imports(tree):
        if name.startswith("."):
            assert LAYERS[name.removeprefix(".")] < LAYERS[path.stem], name
    at_import = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    assert not {name.split(".")[0] for name in imports(at_import)} & HEAVY
    if path.stem not in WITH_PIL:
        assert "PIL" not in {name.split(".")[0] for name in imports(tree)}
