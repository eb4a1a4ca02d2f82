"""The arrows of the architecture point downwards only."""

import ast

import pytest
from support import ROOT

LAYERS = {
    "_core": 0,
    "errors": 0,
    "exif": 0,
    "extras": 0,
    "waiting": 0,
    "files": 0,
    "ahead": 0,
    "container": 1,
    "indexed": 1,
    "workers": 1,
    "remote": 1,
    "parallel": 2,
    "likeness": 2,
    "yardstick": 2,
    "colours": 2,
    "nearest": 2,
    "levels": 2,
    "codec": 3,
    "clustering": 3,
    "tally": 3,
    "opacity": 4,
    "pixels": 4,
    "convert": 5,
    "values": 6,
    "options": 7,
    "tasks": 8,
    "kmeans": 9,
    "rate": 10,
    "training": 10,
    "quick_codebooks": 10,
    "saving": 11,
    "plugin": 12,
    "metrics": 12,
    "rasters": 12,
    "raster_reading": 12,
    "conversions": 12,
    "converting": 13,
    "batch": 14,
    "preview": 13,
    "report": 13,
    "figures": 13,
    "canvas": 13,
    "registration": 13,
    "explorer_view": 14,
    "explorer_server": 14,
    "explorer_panel": 15,
    "explorer": 16,
    "autoload": 15,
    "__init__": 17,
    "cli": 18,
    "__main__": 19,
}
HEAVY = {
    *("imageio", "sklearn", "scipy", "threadpoolctl", "matplotlib", "skimage"),
    *("ipywidgets", "anywidget", "traitlets", "ipykernel", "voila", "tornado"),
    *("dask", "distributed", "fsspec", "upath"),
}
WITH_PIL = {
    *("values", "indexed", "exif", "convert", "options", "saving", "plugin", "metrics", "registration"),
    *("raster_reading", "batch", "conversions", "converting", "report", "canvas"),
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
