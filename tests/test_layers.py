"""The arrows of the architecture point downwards only."""

import ast

import pytest
from support import ROOT

LAYERS = {
    "_core": 0,
    "errors": 0,
    "ahead": 0,
    "extras": 0,
    "waiting": 0,
    "files": 0,
    "parallel": 2,
    "workers": 1,
    "remote": 1,
    "container": 1,
    "indexed": 1,
    "options": 2,
    "likeness": 2,
    "yardstick": 2,
    "clustering": 2,
    "colours": 2,
    "codec": 3,
    "tally": 3,
    "kmeans": 4,
    "rate": 5,
    "training": 5,
    "saving": 6,
    "plugin": 7,
    "metrics": 7,
    "rasters": 7,
    "batch": 8,
    "preview": 8,
    "report": 8,
    "figures": 8,
    "canvas": 8,
    "registration": 8,
    "explorer": 9,
    "__init__": 11,
    "autoload": 10,
    "cli": 12,
    "__main__": 13,
}
HEAVY = {
    *("imageio", "sklearn", "scipy", "threadpoolctl", "matplotlib", "skimage"),
    *("ipywidgets", "anywidget", "traitlets", "ipykernel", "voila", "tornado"),
    *("dask", "distributed", "fsspec", "upath"),
}
WITH_PIL = {
    *("indexed", "options", "saving", "plugin", "metrics", "registration", "rasters", "batch", "report"),
    *("canvas", "explorer", "__init__", "cli"),
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
