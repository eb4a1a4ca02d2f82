"""Each save option stands once: what else is said of it agrees, and no default of one stands elsewhere."""

import ast
import re

import pytest
from support import ROOT

import kmc_format
from kmc_format._options.options import DEFAULTS, OPTIONS, SaveOptions

PACKAGE = ROOT / "kmc_format"
SOURCES = sorted(path for path in PACKAGE.glob("*.py") if path.name != "options.py")


def named_values(tree):
    """Yield all names in a module that have a constant as value: of arguments, keywords, keys, variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            yield from zip(positional[len(positional) - len(node.defaults) :], node.defaults, strict=True)
            yield from zip(node.kwonlyargs, node.kw_defaults, strict=True)
        elif isinstance(node, ast.Call) and name_of(node.func) != "KMeans":  # which has a random_state, too
            yield from ((keyword, keyword.value) for keyword in node.keywords)
        elif isinstance(node, ast.Dict):
            yield from zip(node.keys, node.values, strict=True)
        elif isinstance(node, ast.AnnAssign):
            yield node.target, node.value


def name_of(node):
    return getattr(node, "arg", None) or getattr(node, "value", None) or getattr(node, "id", None)


def defaults_in(source):
    """Return the options whose default is repeated in a module."""
    found = []
    for node, value in named_values(ast.parse(source)):
        name = name_of(node)
        default = getattr(DEFAULTS, name) if isinstance(name, str) and name in OPTIONS else None
        if default is not None and isinstance(value, ast.Constant) and value.value == default:
            found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_default_stands_elsewhere(path):
    assert defaults_in(path.read_text("utf-8")) == []
    assert not re.search(r"^_?DEFAULT_\w+ *=", path.read_text("utf-8"), re.MULTILINE)


def test_a_default_elsewhere_would_be_found():
    assert defaults_in("def f(a, space='srgb', *, effort: int = 1, k=None): f(dither=0)") == [
        "space",
        "effort",
        "dither",
    ]
    assert defaults_in("x = {'rdo': 0.0, 'k': 3}\nrandom_state: int = 0") == ["random_state", "rdo"]


def documented(function):
    """Return type and text of each parameter in a NumPy style docstring."""
    text = re.search(r"Parameters\n    -+\n(.*?)\n\n    Returns", function.__doc__, re.DOTALL)[1]
    parts = re.findall(r"^    (\w+) : (.*)\n((?: {8}.*\n?)+)", text + "\n", re.MULTILINE)
    return {name: (type_, " ".join(words.split())) for name, type_, words in parts}


@pytest.mark.parametrize("name", OPTIONS)
def test_docstrings_have_the_type_and_the_range(name):
    type_, words = {**documented(kmc_format.encode), **documented(kmc_format.quantize)}[name]
    assert type_ == OPTIONS[name].type
    for number in re.findall(r"\d[\d,]*", OPTIONS[name].summary):
        assert number.rstrip(",") in words
    if OPTIONS[name].usual.isdigit():
        assert f"By default {OPTIONS[name].usual}" in words


def test_the_guides_table_has_each_option_and_its_default():
    [table] = re.findall(r"\| option of `save` .*\n(?:\|.*\n)+", (PACKAGE / "GUIDE.md").read_text("utf-8"))
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    told = {name: cells[1] for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
    assert told.keys() == OPTIONS.keys()
    for name, cell in told.items():
        default = getattr(DEFAULTS, name)
        shown = OPTIONS[name].usual or "none" if default is None else str(default).removesuffix(".0")
        assert cell.strip('`"') == shown, name


def test_the_command_line_says_of_each_option_what_is_said_here(monkeypatch):
    pytest.importorskip("click")
    from click.testing import CliRunner

    from kmc_format.cli import kmc

    told = " ".join(CliRunner().invoke(kmc, ["encode", "--help"], terminal_width=200).output.split())
    programs_only = {"threads", "icc_profile", "exif", "xmp", "dpi"}
    for name in OPTIONS.keys() - programs_only:
        assert f"--{name.replace('_', '-')} " in told
        assert OPTIONS[name].summary in told


@pytest.mark.parametrize("name", OPTIONS)
def test_none_is_as_by_default_or_leaves_out(name):
    value = getattr(SaveOptions.of({name: None}), name)
    assert value == (getattr(DEFAULTS, name) if OPTIONS[name].none is None else OPTIONS[name].none)


@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, option in OPTIONS.items() for other in option.excludes]
)
def test_options_exclude_each_other_in_any_order(name, other):
    some = {"codebook": [7], "keep": [7]}
    given = {one: some.get(one, 1) for one in (name, other)}
    for options in (given, dict(reversed(given.items()))):
        with pytest.raises(ValueError, match=rf"^{name}.* and {other}.* contradict each other: "):
            SaveOptions.of(options)
    one, later = SaveOptions.of({name: given[name]}), {other: given[other]}
    with pytest.raises(ValueError, match="contradict each other"):
        one.but(later)


def test_options_are_one_frozen_value():
    options = SaveOptions.of({"k": 8, "optimize": True})
    with pytest.raises(AttributeError):
        options.k = 9  # type: ignore[misc]
    assert options.but({"k": None}).k is None
    assert options.filled({"exif": b"a"}).filled({"exif": b"b"}).metadata == {"exif": b"a"}
    assert SaveOptions.of({"exif": None}).filled({"exif": b"a"}).metadata == {}
