"""The arrows of the architecture point downwards only, and its parts are small."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from support import ROOT

PACKAGE = ROOT / "kmc_format"
# From the ground up; a module imports from its own room and from those before it.
ROOMS = [
    *("errors", "_extras", "_ahead", "_actions", "_files", "_core", "_format", "_pixels", "_options"),
    *("_quantize", "_pillow", "_dask", "metrics", "_report", "report", "_batch", "batch", "figures"),
    *("_canvas", "_explorer", "explorer", "autoload", "_integrate", "integrate", "_api", "__init__"),
    *("_cli", "cli", "__main__"),
]
HEAVY = {
    *("imageio", "sklearn", "scipy", "threadpoolctl", "matplotlib", "skimage"),
    *("ipywidgets", "anywidget", "traitlets", "ipykernel", "voila", "tornado"),
    *("dask", "distributed", "fsspec", "upath"),
}
WITHOUT_PILLOW = ("_core", "_format", "_quantize")
# The most lines of a module with all there is in it, and of a class and a function without docstrings.
MOST_LINES, MOST_LINES_OF_CLASS, MOST_LINES_OF_FUNCTION = 400, 200, 40


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str, tree: ast.AST) -> set[str]:
    """Return what a module imports: those of the package by their names here, of others the package."""
    found = set()
    here = ["kmc_format", *module.split(".")] + ["__init__"] * (PACKAGE / module).is_dir()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*here[: -node.level], *filter(None, [node.module])]) if node.level else node.module
            )
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {resolved(name) for name in found}


def resolved(name: str) -> str:
    package, _, inside = name.partition(".")
    while package == "kmc_format" and inside and inside not in MODULES:
        inside = inside.rpartition(".")[0]
    return f"kmc_format.{inside or '__init__'}" if package == "kmc_format" else package


def test_modules_import_from_rooms_below_and_never_in_circles():
    arrows = {
        module: {name.removeprefix("kmc_format.") for name in imports(module, tree) if "." in name} - {module}
        for module, tree in MODULES.items()
    }
    assert {name.split(".")[0] for name in arrows} == set(ROOMS)
    for module, others in arrows.items():
        above = [
            name for name in others if ROOMS.index(name.split(".")[0]) > ROOMS.index(module.split(".")[0])
        ]
        assert not above, module
    list(TopologicalSorter(arrows).static_order())


def test_heavy_libraries_are_imported_when_they_are_used():
    for module, tree in MODULES.items():
        first = ast.Module([n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], [])
        assert not imports(module, first) & HEAVY, module
        assert module.split(".")[0] not in WITHOUT_PILLOW or "PIL" not in imports(module, first), module


def lines_of_docstrings(node: ast.AST) -> int:
    with_body = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    inside = [one for one in ast.walk(node) if isinstance(one, with_body) and ast.get_docstring(one)]
    return sum((one.body[0].end_lineno or 0) - one.body[0].lineno + 1 for one in inside)


def test_modules_classes_and_functions_are_small():
    for module, tree in MODULES.items():
        assert tree.body[-1].end_lineno <= MOST_LINES, module
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                most = MOST_LINES_OF_CLASS if isinstance(node, ast.ClassDef) else MOST_LINES_OF_FUNCTION
                lines = node.end_lineno - node.lineno + 1 - lines_of_docstrings(node)
                assert lines <= most, f"{module}: {node.name}"
