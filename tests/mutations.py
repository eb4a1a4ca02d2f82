"""FORMAT.md's reader, changed by one step anywhere in its codings, and which golden files notice.

Processes import this module, so it is none of pytest's.
"""

from __future__ import annotations

import ast
import collections
import copy
import functools
import io
import itertools
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from support import GOLDEN, ROOT

import kmc_format
from kmc_format import _core
from kmc_format._format import codec, container
from kmc_format._format.frame_reading import FrameReader
from kmc_format._format.indexed import KINDS
from kmc_format._format.labels import LABELS_PACKED

CONTAINER = ("FORMATS", "read_kmc", "varint", "check")
TILES = ("packed", "drawn", "photographic")
OF_FRAMES = ("begin_after", "references", "same", "calm", "still_length", "still_zone", "reference_contexts")
READ_BY = {  # others are used by drawn and photographic labels
    "read_frames": ("frames",),
    "follow": ("frames",),
    "read_codebook": ("codebook",),
    "modelled_codebook": ("codebook",),
    "RangeDecoder": ("codebook", "drawn", "frames"),
    "clamp": ("codebook", "drawn", "photographic"),
    "read_labels": TILES,
    "unpack": ("packed",),
    "Drawn": ("drawn", "frames"),
    "Photo": ("photographic",),
    **{f"Drawn.{name}": ("frames",) for name in OF_FRAMES},
}
WHOLE = (
    "tiles",
    "metadata",
    "regular",
    "noise",
)  # in the names of files of one frame that are read whole, too

EQUIVALENT = {
    mutant: reason
    for reason, mutants in {
        "what a reader has to reject is no golden file, but a hostile one": (
            "modelled_codebook: without decoder.close()",
            "Drawn.frame: without self.decoder.close()",
        ),
        "only a name of something learnt, which nothing else has either way": (
            "modelled_codebook.channel: 12 + c -> 13 + c",
            "Drawn.zone: size << 6 -> size << 7",
            "Drawn.zone: size << 4 -> size << 5",
            "Drawn.zone: without 'zone'",
            "Drawn.pixel: without 'certain'",
            "Drawn.weighed: without 'same'",
            "Drawn.weighed: without 'rate'",
            "Drawn.nearby: without 'listed' (2)",
            "Drawn.lane: without 'digit'",
            "Drawn.still_zone: without 'still'",
            "Drawn.still_zone: size << 6 -> size << 7",
            "Drawn.zone: (None, 0, 0, self.far_context() >> 64 - self.match_bits) -> "
            "(None, 1, 0, self.far_context() >> 64 - self.match_bits)",
        ),
        "that context is the only one of its feature, and its nodes have rows of their own either way": (
            "Drawn.spelt: [W, N, NE, NW, o[-2], b[0], a[2], 0, hashed(W, N)] -> "
            "[W, N, NE, NW, o[-2], b[0], a[2], 1, hashed(W, N)]",
        ),
        "not looked at unless there was a count, or an end was foretold": (
            "Drawn.zone: (0, 0, 0) -> (1, 0, 0)",
            "Drawn.zone: (None, 0, 0, self.far_context() >> 64 - self.match_bits) -> "
            "(None, 0, 1, self.far_context() >> 64 - self.match_bits)",
            "Drawn.pixel: (0, 0, 0) -> (0, 0, 1)",
        ),
        "more than is ever asked for": (
            "Photo.__init__: [1 << 22] * 20 -> [1 << 22] * 21",
            "Drawn.weighed: range(23) -> range(24)",
            "Drawn.begin_after: self.width + 16 -> self.width + 17",
            "Drawn.begin_after: self.width + 16 -> self.width + 15",
            "Drawn.references: self.height + 1 -> self.height + 2",
            "Drawn.look: first + 2 -> first + 3",
            "Drawn.pixel: 11 if self.rich else lean -> 12 if self.rich else lean",
            "interleaved: range(8) -> range(9)",
        ),
        "all of them are alike": (
            "Digits.forecast: rows[0] -> rows[1]",  # in length
            "Drawn.frame: above[0] -> above[1]",  # blank
            "Drawn.line: self.width + 1 -> self.width + 2 (2)",  # right of a row
        ),
        "a margin is made anew, and what is right of it written, before anything is read there": (
            "Photo.tile: [0] -> [1] (2)",
            "Photo.tile: self.width + 16 -> self.width + 17",
            "Photo.tile: self.width + 16 -> self.width + 15",
            "Photo.tile: self.width + 16 -> self.width + 17 (2)",
            "Photo.tile: self.width + 16 -> self.width + 15 (2)",
            "Photo.step: :8 -> :9",
            "Photo.step: :8 -> :7",
            "Photo.step: self.lines[i + 1][8:9] * 8 -> self.lines[i + 1][8:9] * 9",
        ),
        "not looked at: all labels are written, and of changes only what follows is kept": (
            "read_frames: [0] -> [1]",
            "Drawn.same: [0, 0] -> [1, 0]",
            "Drawn.same: [0, 0] -> [0, 1]",
        ),
        "key frames go on from nothing": (
            "read_frames: without None",
            "read_frames: without None (2)",
        ),
        "key frames were told before, and have a duration": (
            "read_frames: flags & 8 -> flags & 9",
            "read_frames: flags & 2 -> flags & 3",
        ),
        "no tag is so near to the first letter": (
            "read_frames: data[at] >= 32 -> data[at] >= 33",
            "read_frames: data[at] >= 32 -> data[at] >= 31",
            "read_frames: data[at] >= 32 -> data[at] > 32",
        ),
        "up to 8 are no zone": (
            "Drawn.still_length: return 0 -> return 1",
            "Drawn.line: self.still_length() if self.still and self.reference else 0 -> "
            "self.still_length() if self.still and self.reference else 1",
        ),
        "the lesser of both is the same": ("Drawn.line: length + 1 -> length + 2",),
        "one more step has no pixels": ("Photo.tile: self.width + 14 -> self.width + 15",),
        "one more 0 moves what is found after it as well": ("Drawn.line: 2: -> 1:", "Drawn.same: 2: -> 1:"),
        "62 and more are one class up to 63": (
            "Drawn.line: -63 -> -64",
            "Drawn.line: -63 -> -62",
            "Drawn.zone: min(x - self.broke, 63) -> min(x - self.broke, 62)",
        ),
        "up to the next change above, labels are the same": (
            "Drawn.line: self.a[0] -> self.a[1]",
            "Drawn.zone: a[0] -> a[1]",
        ),
        "no change is at the width itself": (
            "Drawn.zone: x + length + 1 < self.width -> x + length + 1 <= self.width",
        ),
        "if NE is another label than N, it is that of the next change above": (
            "Drawn.nearby: without NE (2)",
        ),
        "what all lanes have more changes no share": ("Drawn.nearby: [0] -> [1]",),
        "the default is as much": ("Near.like: range(7) -> range(8)",),
        "so near to the first entry, nothing is long enough": (
            "modelled_codebook: n >= 4 -> n >= 3",
            "modelled_codebook: max(n - 129, 1) -> max(n - 129, 2)",
        ),
        "of counts of matches, only those up to 9 matter, of zones, up to 3": (
            "Drawn.pixel: min(n + 1, 255) -> min(n + 1, 256)",
            "Drawn.pixel: min(n + 1, 255) -> min(n + 1, 254)",
            "Drawn.zone: min(past[2] + 1, 255) -> min(past[2] + 1, 256)",
            "Drawn.zone: min(past[2] + 1, 255) -> min(past[2] + 1, 254)",
            "Drawn.zone: min(past[2] + 1, 255) -> min(past[2] + 1, 256) (2)",
            "Drawn.zone: min(past[2] + 1, 255) -> min(past[2] + 1, 254) (2)",
        ),
        "the table is the same, rounded to 16 bits": (
            "logistic_table: (4162817722, []) -> (4162817723, [])",
            "logistic_table: (4162817722, []) -> (4162817721, [])",
            "logistic_table: power * 4034753694 -> power * 4034753695",
            "logistic_table: power * 4034753694 -> power * 4034753693",
        ),
        "both ends of the table are flat": (
            "Drawn.answer: clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 0, 351) -> "
            "clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 1, 351)",
            "Drawn.answer: clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 0, 351) -> "
            "clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 0, 350)",
            "Drawn.weighed: clamp((total >> 10) + 176, 0, 351) -> clamp((total >> 10) + 176, 1, 351)",
            "Drawn.weighed: clamp((total >> 10) + 176, 0, 351) -> clamp((total >> 10) + 176, 0, 350)",
            "Drawn.weighed: min(16 * i, 351) -> min(16 * i, 350)",
        ),
    }.items()
    for mutant in mutants
}

# A valid stream may tell these: limits that keep numbers within the registers of an implementation. Of what
# is coded for people, and of thousands of pictures made to get there, none has come to them, or is small
# enough to be a golden file.
FAR_OFF = {
    mutant: reason
    for reason, mutants in {
        "sums of cells came to 151 of 176": (
            "logistic_table: min((1 << 48) // ((1 << 32) + power), 65533) -> "
            "min((1 << 48) // ((1 << 32) + power), 65534)",
            "logistic_table: min((1 << 48) // ((1 << 32) + power), 65533) -> "
            "min((1 << 48) // ((1 << 32) + power), 65532)",
            "Drawn.answer: clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 0, 351) -> "
            "clamp((sum((logit for logit, _ in cells)) >> 10) + 176, 0, 352)",
            "Drawn.weighed: clamp((total >> 10) + 176, 0, 351) -> clamp((total >> 10) + 176, 0, 352)",
            "Drawn.weighed: range(23) -> range(22)",
            "Drawn.weighed: clamp((total >> 7) + 1408, 0, 2815) -> clamp((total >> 7) + 1408, 1, 2815)",
            "Drawn.weighed: clamp((total >> 7) + 1408, 0, 2815) -> clamp((total >> 7) + 1408, 0, 2816)",
            "Drawn.weighed: clamp((total >> 7) + 1408, 0, 2815) -> clamp((total >> 7) + 1408, 0, 2814)",
        ),
        "refined probabilities came to 65522 of 65532, and below 4 only with 9,000 pixels": (
            "Drawn.weighed: clamp(p + refined >> 1, 4, 65532) -> clamp(p + refined >> 1, 5, 65532)",
            "Drawn.weighed: clamp(p + refined >> 1, 4, 65532) -> clamp(p + refined >> 1, 3, 65532)",
            "Drawn.weighed: clamp(p + refined >> 1, 4, 65532) -> clamp(p + refined >> 1, 4, 65533)",
            "Drawn.weighed: clamp(p + refined >> 1, 4, 65532) -> clamp(p + refined >> 1, 4, 65531)",
        ),
        "cells came to 2^17 of 2^19": (
            "Drawn.adapt: 2 ** 20 -> 3 ** 20",
            "Drawn.adapt: 2 ** 20 -> 2 ** 21",
        ),
        "weights came to 45,000 of 2^17, those of digits to 390,000 of 2^19": (
            "within: 1 - 2 ** bits -> 2 - 2 ** bits",
            "within: 2 ** bits -> 3 ** bits",
            "within: 2 ** bits - 1 -> 2 ** bits - 2",
            "within: 2 ** bits -> 3 ** bits (2)",
            "Drawn.weighed: within(self.weights[name] + part, 17) -> within(self.weights[name] + part, 18)",
            "Drawn.weighed: within(self.weights[name] + part, 17) -> within(self.weights[name] + part, 16)",
            "Drawn.lane: within(self.weights[name] + step, 19) -> within(self.weights[name] + step, 20)",
            "Drawn.lane: within(self.weights[name] + step, 19) -> within(self.weights[name] + step, 18)",
        ),
        "no golden file is so wide that frames move by more": (
            "Drawn.references: self.decoder.magnitude(1, 65536, 'offset', way) -> "
            "self.decoder.magnitude(1, 65537, 'offset', way)",
        ),
        "weights of photographs came to -2^21 of -2^24": (
            "Photo.step: 2 ** 24 -> 3 ** 24",
            "Photo.step: 2 ** 24 -> 2 ** 25",
            "Photo.step: 2 ** 24 -> 2 ** 23",
        ),
        "one more or less at the limit is lost in rounding": (
            "short: clamp(value, -32768, 32767) -> clamp(value, -32768, 32768)",
            "short: clamp(value, -32768, 32767) -> clamp(value, -32768, 32766)",
            "short: -32768 -> -32769",
            "short: -32768 -> -32767",
            "Photo.step: 2 ** 24 - 1 -> 2 ** 24 - 2",
        ),
    }.items()
    for mutant in mutants
}

FIRST = {  # golden files to try early, where nearly all others are in vain
    "Digits.__init__": ("k4096", "k4097", "k32768--drawn", "k32769--drawn"),
    "Digits.row": ("k1025--photographic0", "photograph-k567--drawn4"),
    "Drawn.__init__": ("blank", "edges", "few"),
    "Drawn.spelt": ("texture",),
    "Drawn.zone": ("edges", "rectangles"),
    "Photo.step": ("diagonals",),
    "follow": ("film-k20-after",),
    "read_frames": ("film-RGB-3", "k9-tiles", "k4-metadata"),
    "learn": ("chance-k32-32x32",),
    "stretch": ("marks",),
}
NEEDLESS = (ast.FunctionDef, ast.Assert, ast.Return, ast.Pass)  # to leave out: they do nothing, or stop all
LAST = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}


# --- Mutants --------------------------------------------------------------------------------------


class Mutant(NamedTuple):
    """A change of the reader: which one at which node of which part."""

    name: str
    part: int
    place: int
    number: int

    def of(self, part: ast.stmt) -> ast.stmt:
        part = copy.deepcopy(part)
        for n, (node, _) in enumerate(nodes(part)):
            if n == self.place:
                list(changes(node))[self.number]()
        return part


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Change constants by one, comparisons by the equal case; leave out statements and elements of lists."""
    for part, top in enumerate(tree.body):
        if names_of(top) and not names_of(top) & set(CONTAINER):
            for place, (node, name) in enumerate(nodes(top)):
                for number in range(len(list(changes(node)))):
                    changed = copy.deepcopy(node)
                    what = list(changes(changed))[number]()
                    yield Mutant(f"{name}: {what or described(node, changed)}", part, place, number)


def numbered(changed: list[Mutant]) -> list[Mutant]:
    """Tell those of the same name apart."""
    seen: collections.Counter[str] = collections.Counter()
    result = []
    for mutant in changed:
        seen[mutant.name] += 1
        number = f" ({seen[mutant.name]})" if seen[mutant.name] > 1 else ""
        result.append(mutant._replace(name=mutant.name + number))
    return result


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


class Piece(NamedTuple):
    """A codebook or a tile of a golden file, or all of one of frames, and the rows that it holds."""

    name: str
    kind: str
    given: tuple[Any, ...]  # what read_codebook, read_labels or read_frames takes
    expected: Any  # a row for each entry or row of labels; for each frame duration, mode, codebook and labels
    cost: float  # about as many seconds as reading it takes


def pieces() -> list[Piece]:
    """Return all that golden files hold, each once."""
    every = itertools.chain.from_iterable(map(pieces_of, sorted(GOLDEN.glob("*.kmc"))))
    return list({str(piece.given): piece for piece in every}.values())


def pieces_of(path: Path) -> Iterator[Piece]:
    data = path.read_bytes()
    reader = container.Reader(io.BytesIO(data))
    header = codec.read_header(reader)
    front = header.front
    if header.is_animated:
        yield file_of_frames(path, data, header)
        return
    letter = {"uint8": "B", "uint16": "H", "int32": "i"}[KINDS[front.pixel_format].dtype]
    channels = KINDS[front.pixel_format].channels  # without what a palette's transparency adds
    entries = header.codebook[:, :channels]
    given = front.codebook, front.codebook_coding, len(entries), channels, letter
    yield Piece(
        path.stem, "codebook", given, entries.tolist(), 1e-5 * len(entries) * (1 + 9 * front.codebook_coding)
    )
    labels = kmc_format.decode(path).labels
    if any(word in path.stem for word in WHOLE) and labels.size < 5000:
        whole = [None, header.mode, entries.tolist(), labels.tolist()]
        yield Piece(f"{path.stem} whole", "frames", (data,), [whole], 2e-4 * labels.size)
    for tile in container.read_tiles(reader, front):
        left, upper, right, lower = tile.box
        size = right - left, lower - upper
        yield Piece(
            f"{path.stem} {left},{upper}",
            TILES[tile.coding],
            (tile.payload, tile.coding, *size, [*map(tuple, entries.tolist())], letter),
            labels[upper:lower, left:right].tolist(),
            1e-5 * len(entries) + cost_of_labels(tile, size[0] * size[1]),
        )


def file_of_frames(path: Path, data: bytes, header: codec.Header) -> Piece:
    reader, expected = FrameReader(io.BytesIO(data), header), []
    for number in range(len(reader)):
        labels = reader.read(number).labels
        expected.append([reader.duration(number), header.mode, reader.codebook.tolist(), labels.tolist()])
    return Piece(path.stem, "frames", (data,), expected, 2e-4 * labels.size * len(expected))


def cost_of_labels(tile: container.Tile, pixels: int) -> float:
    if tile.coding == LABELS_PACKED:
        return 0.0
    if tile.coding == _core.DRAWN:
        return min(5e-5 * pixels, 1e-3 * len(tile.payload))
    return (4e-4 if tile.payload[0] else 8e-5) * pixels


# --- Trials ---------------------------------------------------------------------------------------


class OverdueError(Exception):
    """A mutant goes on and on."""


class Clock:
    """Counts the rounds of the reader's loops, so that none goes on for ever."""

    left = 0

    def tick(self) -> bool:
        self.left -= 1
        if self.left < 0:
            raise OverdueError
        return True


class Counted(ast.NodeTransformer):
    """Make each round of a loop tick."""

    def visit_While(self, node: ast.While) -> ast.While:
        self.generic_visit(node)
        node.test = ast.parse(f"tick() and ({ast.unparse(node.test)})", mode="eval").body
        return node


class Trials:
    """Reads with mutants; pieces that told more of those before in less time are tried first."""

    def __init__(self) -> None:
        self.tree, self.pieces, self.clock = reader(), pieces(), Clock()
        self.codes = [compiled(part) for part in self.tree.body]
        self.seconds = collections.defaultdict(float)
        self.told = collections.defaultdict(float)

    def first_to_notice(self, changed: Mutant) -> str | None:
        """Return the piece that a mutant fails on or reads differently."""
        namespace: dict[str, Any] = {"tick": self.clock.tick}
        try:
            self.clock.left = 10_000
            for n, code in enumerate(self.codes):
                exec(compiled(changed.of(self.tree.body[n])) if n == changed.part else code, namespace)
        except Exception:
            return "the module itself"
        function = changed.name.split(":")[0]
        kinds = READ_BY.get(function) or READ_BY.get(function.split(".")[0], (*TILES[1:], "frames"))
        wanted = [piece for piece in self.pieces if piece.kind in kinds]
        for piece in sorted(wanted, key=lambda piece: self.worth(function, piece), reverse=True):
            start = time.process_time()
            noticed = self.differs(namespace, piece)
            self.seconds[function, piece.name] += time.process_time() - start
            self.told[function, piece.name] += noticed
            if noticed:
                return piece.name
        return None

    def worth(self, function: str, piece: Piece) -> float:
        """Return about how many mutants a second a piece tells."""
        guess = 10 if piece.name.startswith(FIRST.get(function, ())) else 0.1
        seconds = self.seconds[function, piece.name] + piece.cost
        return (self.told[function, piece.name] + guess) / seconds

    def differs(self, namespace: dict[str, Any], piece: Piece) -> bool:
        read = namespace[
            {"codebook": "read_codebook", "frames": "read_frames"}.get(piece.kind, "read_labels")
        ]
        whole = piece.kind == "frames"
        self.clock.left = 100_000 if whole else 10_000 + 2000 * len(piece.expected)
        try:
            for row, expected in zip(read(*piece.given), piece.expected, strict=True):
                self.clock.left = 100_000 if whole else 1000 + 99 * len(expected)
                if plain(row) != expected:
                    return True
        except Exception:
            return True
        return False


def plain(row: Any) -> Any:
    """Return what was read as lists."""
    return [plain(part) for part in row] if isinstance(row, (list, tuple)) else row


def compiled(part: ast.stmt) -> Any:
    counted = Counted().visit(copy.deepcopy(part))
    return compile(ast.fix_missing_locations(ast.Module([counted], [])), "<reader>", "exec")


def prepare() -> None:
    globals()["trials"] = Trials()


def trial(changed: Mutant) -> tuple[str, str | None]:
    return changed.name, globals()["trials"].first_to_notice(changed)


def survivors(changed: list[Mutant]) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), prepare) as pool:
        for name, noticed in pool.imap_unordered(trial, changed):
            if noticed is None:
                yield name


def reader() -> ast.Module:
    specification = (ROOT / "kmc_format" / "FORMAT.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", specification, re.DOTALL)
    assert found
    return ast.parse(found.group(1))
