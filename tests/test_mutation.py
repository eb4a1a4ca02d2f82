"""FORMAT.md's reader, changed by one step anywhere in its label and codebook codings, fails on a golden file.

So the golden files settle each constant and each rule; what they do not settle is told in `EQUIVALENT`.
"""

from __future__ import annotations

import ast
import copy
import functools
import io
import multiprocessing
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import GOLDEN, ROOT

import kmc_format
from kmc_format import codec, container
from kmc_format.indexed import KINDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="what loops for ever could not be stopped"),
]

CONTAINER = ("FORMATS", "read_kmc", "varint", "check")
CODEBOOK = ("read_codebook", "modelled_codebook")

EQUIVALENT = {
    mutant: reason
    for reason, mutants in {
        "channels that are the same in all colours make no difference": (
            "read_labels: [*codebook[n], 0, 0, 0] -> [*codebook[n], 1, 0, 0]",
            "read_labels: [*codebook[n], 0, 0, 0] -> [*codebook[n], 0, 1, 0]",
            "read_labels: [*codebook[n], 0, 0, 0] -> [*codebook[n], 0, 0, 1]",
            "read_labels: [n * 256 // k, 0, 0, 0] -> [n * 256 // k, 1, 0, 0]",
            "read_labels: [n * 256 // k, 0, 0, 0] -> [n * 256 // k, 0, 1, 0]",
            "read_labels: [n * 256 // k, 0, 0, 0] -> [n * 256 // k, 0, 0, 1]",
            "read_labels: without 0",
            "read_labels: :4 -> :5",
        ),
    }.items()
    for mutant in mutants
}

RICHEST = ("drawn7", "photographic1")
NEEDLESS = (ast.FunctionDef, ast.Assert, ast.Return, ast.Pass)  # to leave out: they do nothing, or stop all
LAST = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


# --- Mutants --------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """A change of the reader: which one at which node of which part."""

    name: str
    part: int
    place: int
    number: int

    def of(self, tree: ast.Module) -> ast.Module:
        body = [*tree.body]
        body[self.part] = copy.deepcopy(body[self.part])
        for n, (node, _) in enumerate(nodes(body[self.part])):
            if n == self.place:
                list(changes(node))[self.number]()
        return ast.Module(body, [])


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Change constants by one, comparisons by the equal case; leave out statements and elements of lists."""
    for part, top in enumerate(tree.body):
        if names_of(top) and not names_of(top) & set(CONTAINER):
            for place, (node, name) in enumerate(nodes(top)):
                for number in range(len(list(changes(node)))):
                    changed = copy.deepcopy(node)
                    what = list(changes(changed))[number]()
                    yield Mutant(f"{name}: {what or described(node, changed)}", part, place, number)


def names_of(top: ast.stmt) -> set[str]:
    """Return the names that a part of the module defines."""
    if isinstance(top, ast.Assign):
        return {node.id for target in top.targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return {top.name} if isinstance(top, (ast.ClassDef, ast.FunctionDef)) else set()


def nodes(top: ast.AST, name: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Return all nodes in order, with the name of what they are in; but for what is asserted: see hostile."""
    if isinstance(top, ast.Assert):
        return
    if isinstance(top, (ast.ClassDef, ast.FunctionDef)):
        name = f"{name}.{top.name}".lstrip(".")
    yield top, name
    for child in list(ast.iter_child_nodes(top)):
        yield from nodes(child, name)


def described(*versions: ast.AST) -> str:
    return " -> ".join(" ".join(ast.unparse(node).split()) for node in versions)


def changes(node: ast.AST) -> Iterator[Any]:
    """Return functions that change a node, each in one way; they may say how."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Constant) and type(child.value) is int:
            yield lambda child=child: setattr(child, "value", child.value + 1)
            if child.value > 1:
                yield lambda child=child: setattr(child, "value", child.value - 1)
    if isinstance(node, ast.Compare):
        for n, operator in enumerate(node.ops):
            if type(operator) in LAST:
                yield lambda n=n, operator=operator: node.ops.__setitem__(n, LAST[type(operator)]())
    if isinstance(node, ast.BoolOp):
        yield from leaving_out(node.values, [ast.Constant(isinstance(node.op, ast.And))])
    if isinstance(node, (ast.Tuple, ast.List)) and len(node.elts) > 1:
        yield from leaving_out(node.elts, [])
    for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
        if isinstance(body, list) and not isinstance(node, ast.ClassDef):
            yield from leaving_out(body, [ast.Pass()])


def leaving_out(parts: list[Any], instead: list[Any]) -> Iterator[Any]:
    """Return functions that replace one of several parts."""

    def leave_out(n: int) -> str:
        name = f"without {described(parts[n])}"
        parts[n : n + 1] = instead
        return name

    for n, part in enumerate(parts):
        if not (isinstance(part, NEEDLESS) or is_docstring(part)):
            yield functools.partial(leave_out, n)


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# --- Golden files ---------------------------------------------------------------------------------


class Golden(NamedTuple):
    """A golden file and what it holds."""

    name: str
    data: bytes
    cost: int
    codings: frozenset[int]
    codebook: tuple[Any, ...]  # what read_codebook takes
    entries: list[tuple[int, ...]]
    labels: list[list[int]]


def golden_files() -> list[Golden]:
    """Read all: first the smallest, then those that make use of all options, which most mutants fail on."""
    files = map(golden_file, sorted(GOLDEN.glob("*.kmc")))
    return sorted(files, key=lambda file: (file.cost > 1500 and 2 - file.name.endswith(RICHEST), file.cost))


def golden_file(path: Path) -> Golden:
    reader = container.Reader(io.BytesIO(path.read_bytes()))
    header = codec.read_header(reader)
    front = header.front
    codings = frozenset(tile.coding for tile in container.read_tiles(reader, front))
    letter = {"uint8": "B", "uint16": "H", "int32": "i"}[KINDS[front.pixel_format].dtype]
    return Golden(
        path.stem,
        path.read_bytes(),
        header.size[0] * header.size[1] * (1 if codings == {codec.LABELS_PACKED} else 20) + header.k,
        codings,
        (front.codebook, front.codebook_coding, header.k, header.codebook.shape[1], letter),
        list(map(tuple, header.codebook.tolist())),
        kmc_format.decode(path).labels.tolist(),
    )


# --- Trials ---------------------------------------------------------------------------------------


class OverdueError(BaseException):
    """A mutant takes too long."""


def overdue(*_: object) -> None:
    raise OverdueError


def first_to_notice(changed: Mutant, tree: ast.Module, files: list[Golden]) -> str | None:
    """Return the golden file that a mutant fails on or reads differently."""
    namespace: dict[str, Any] = {}
    function = changed.name.split(":")[0].split(".")[0]
    code = compile(ast.fix_missing_locations(changed.of(tree)), "<mutant>", "exec")
    try:
        with_limit(lambda: exec(code, namespace))
    except (Exception, OverdueError):
        return "the module itself"
    for file in files:
        if reads_codebooks(function) and fails(read_entries, namespace, file, file.entries):
            return file.name
    for file in files:
        if reads_labels(function, file) and fails(read_labels, namespace, file, file.labels):
            return file.name
    return None


def reads_codebooks(function: str) -> bool:
    return function in CODEBOOK or function in ("RangeDecoder", "clamp")


def reads_labels(function: str, file: Golden) -> bool:
    wanted = {"Drawn": {1}, "Photo": {2}, "RangeDecoder": {1}, "unpack": {0}}.get(function, {0, 1, 2})
    return function not in CODEBOOK and bool(file.codings & wanted)


def read_entries(namespace: dict[str, Any], file: Golden) -> Any:
    return [tuple(entry) for entry in namespace["read_codebook"](*file.codebook)]


def read_labels(namespace: dict[str, Any], file: Golden) -> Any:
    return namespace["read_kmc"](file.data)[2]


def fails(read: Any, namespace: dict[str, Any], file: Golden, expected: Any) -> bool:
    seconds = 2 + file.cost / 60_000  # about five times as long as it takes
    try:
        return bool(with_limit(lambda: read(namespace, file), seconds) != expected)
    except (Exception, OverdueError):
        return True


def with_limit(function: Any, seconds: float = 5) -> Any:
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        return function()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def prepare(files: list[Golden]) -> None:
    """Prepare a process for trials."""
    import resource

    signal.signal(signal.SIGVTALRM, overdue)
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    globals()["_prepared"] = reader(), files


def trial(changed: Mutant) -> tuple[str, str | None]:
    return changed.name, first_to_notice(changed, *globals()["_prepared"])


def survivors(changed: list[Mutant]) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), prepare, (golden_files(),)) as pool:
        for name, noticed in pool.imap_unordered(trial, changed):
            if noticed is None:
                yield name


def reader() -> ast.Module:
    specification = (ROOT / "kmc_format" / "FORMAT.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", specification, re.DOTALL)
    assert found
    return ast.parse(found.group(1))


def test_each_mutant_of_the_reader_fails_on_a_golden_file():
    every = list(mutants(reader()))
    assert len(every) > 500
    names = {changed.name for changed in every}
    assert set(EQUIVALENT) <= names, "no such mutants any more"
    assert sorted(survivors([changed for changed in every if changed.name not in EQUIVALENT])) == []
