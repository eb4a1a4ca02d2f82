"""The arrows of the architecture point downwards only."""

import ast

import pytest
from support import ROOT

LAYERS = {
    "_core": 0,
    "errors": 0,
    "extras": 0,
    "waiting": 0,
    "files": 0,
    "parallel": 1,
    "remote": 1,
    "container": 1,
    "indexed": 1,
    "options": 2,
    "likeness": 2,
    "yardstick": 2,
    "clustering": 2,
    "colours": 2,
    "codec": 3,
    "kmeans": 3,
    "rate": 4,
    "training": 4,
    "saving": 5,
    "plugin": 6,
    "metrics": 6,
    "rasters": 6,
    "batch": 7,
    "preview": 7,
    "report": 7,
    "figures": 7,
    "canvas": 7,
    "registration": 7,
    "explorer": 8,
    "__init__": 10,
    "autoload": 9,
    "cli": 11,
    "__main__": 12,
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
