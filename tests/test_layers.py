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
    "parallel": 1,
    "remote": 1,
    "container": 1,
    "indexed": 1,
    "likeness": 2,
    "yardstick": 2,
    "clustering": 2,
    "colours": 2,
    "codec": 3,
    "pixels": 3,
    "convert": 4,
    "values": 5,
    "options": 6,
    "tasks": 7,
    "kmeans": 8,
    "rate": 9,
    "training": 9,
    "saving": 10,
    "plugin": 11,
    "metrics": 11,
    "rasters": 11,
    "batch": 12,
    "preview": 12,
    "report": 12,
    "figures": 12,
    "canvas": 12,
    "registration": 12,
    "explorer": 13,
    "autoload": 14,
    "__init__": 15,
    "cli": 16,
    "__main__": 17,
}
HEAVY = {
    *("imageio", "sklearn", "scipy", "threadpoolctl", "matplotlib", "skimage"),
    *("ipywidgets", "anywidget", "traitlets", "ipykernel", "voila", "tornado"),
    *("dask", "distributed", "fsspec", "upath"),
}
WITH_PIL = {
    *(
        "values",
        "indexed",
        "exif",
        "convert",
        "options",
        "saving",
        "plugin",
        "metrics",
        "registration",
        "rasters",
        "batch",
        "report",
    ),
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
