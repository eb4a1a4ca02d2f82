"""kmc.js in Node: it reads golden files as the package does, and rejects hostile ones by the same rules."""

import functools
import importlib.util
import json
import re
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
from support import GOLDEN, HOSTILE, ROOT
from web_cases import case, cases

import kmc_format
from kmc_format import _core
from kmc_format._format.labels import LEARNING

WEB = ROOT / "kmc_format" / "web"
SCRIPT = (WEB / "kmc.js").read_text("utf-8")
GOLDEN_FILES = sorted(GOLDEN.glob("*.kmc"))
HOSTILE_FILES = sorted(HOSTILE.glob("x_*.kmc"))
NODE = shutil.which("node")
SECONDS = 60


@functools.cache
def version_of_node():
    said = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.match(r"v(\d+)", said)[1])


def run_node(*arguments, given=b""):
    if not NODE or version_of_node() < 20:
        pytest.skip("there is no Node of version 20 or newer")
    command = [NODE, *map(str, arguments)]
    folder = ROOT / "tests" / "web"
    return subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, cwd=folder)


def node(*arguments):
    done = run_node(*arguments)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return json.loads(done.stdout)


def test_node_reads_golden_files_and_rejects_hostile_ones(tmp_path):
    given = tmp_path / "cases.json"
    given.write_text(json.dumps(cases(GOLDEN_FILES, HOSTILE_FILES)))
    assert node("check.mjs", given) == {}


def test_the_check_notices_what_differs(tmp_path):
    given = tmp_path / "cases.json"
    sound, hostile = cases(GOLDEN_FILES[:1], HOSTILE_FILES[:1])
    given.write_text(json.dumps([sound | {"frames": []}, hostile | {"rules": ["k"]}]))
    assert list(node("check.mjs", given)) == [sound["name"], hostile["name"]]


def test_a_page_limits_the_pixels(tmp_path):
    still, moving = (max(GOLDEN.glob(pattern), key=lambda path: path.stat().st_size) for pattern in PATTERNS)
    program = tmp_path / "limits.mjs"
    imports = [
        f'import * as kmc from "{(WEB / "kmc.js").as_uri()}"',
        'import { readFileSync } from "node:fs"',
    ]
    imports += [f'import {{ limits }} from "{(ROOT / "tests" / "web" / "checks.js").as_uri()}"']
    calls = [f"await limits(kmc, readFileSync({str(path)!r}), {pixels(path)})" for path in (still, moving)]
    program.write_text("\n".join([*imports, f"console.log(JSON.stringify([{', '.join(calls)}]))"]))
    assert node(program) == [["", "limit", "limit"], ["", "limit", "limit"]]


def test_the_fuzzer_notices_what_differs():
    data = GOLDEN_FILES[0].read_bytes()
    expected = case(data)
    other = expected | {"k": 77}
    records = [
        (expected, data),
        (other, data),
        ({"rules": ["k"]}, data),
        ({"rules": ["crc"]}, data[:-1] + b"?"),
    ]
    parts = [part for given, file in records for part in (json.dumps(given).encode(), file)]
    done = run_node(
        "fuzz.mjs", 2**16, 24, given=b"".join(struct.pack("<I", len(part)) + part for part in parts)
    )
    *finds, summary = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert [find["wrong"] for find in finds] == [["k: 1, not 77"], ["no rule, not k"]]
    assert (summary["files"], summary["accepted"], summary["finds"]) == (4, 3, 2)


PATTERNS = ("RGB-*--default.kmc", "film-*.kmc")


def test_a_seek_decodes_16_frames_at_most(tmp_path):
    rng = np.random.default_rng(0)
    frames = np.kron(rng.integers(0, 250, (100, 12, 16), np.uint8), np.ones((1, 3, 3), np.uint8))
    for number in range(1, 100):
        frames[number, :, 12:] = frames[number - 1, :, 12:]
    path = tmp_path / "film.kmc"
    path.write_bytes(kmc_format.encode_frames(frames, duration=40, effort=2))
    in_order, anywhere, pages = node("seeks.mjs", path)
    assert in_order == 1
    assert 8 <= anywhere <= 16
    rich = LEARNING | _core.DRAWN_RICH
    learnt = _core.size_of_frames(_core.open_frames(48, 36, np.zeros((250, 4), np.uint8), rich))
    assert learnt < 65536 * pages < 3 * learnt  # nothing is left behind, but there may be copies


FILMS = [GOLDEN / f"film-{name}.kmc" for name in ("RGB-3--groups", "tiles--groups", "k12--frames1")]


def test_animations_stay_right_where_memory_ends_or_there_are_many():
    found = node("memory.mjs", *FILMS)
    assert found["wrong"] == []
    assert found["failures"] > 50
    assert found["lost"] == found["left"] == 0  # nothing that was learnt stays when all frames were decoded
    cores, states = found["many"]
    assert 0 < cores < 40  # of which browsers have about 120, for 200 animations by turns
    assert 32 <= states <= 96


def test_what_users_give_is_checked_and_shown_in_its_colours():
    still = GOLDEN / "RGB-3-k17--default.kmc"
    width, height = kmc_format.read_header(still).size
    found = node("given.mjs", still, FILMS[0])
    assert found["colours"] > 1
    assert found == {
        "width": width,
        "files": ["TypeError"] * 8,
        "bytes": [width] * 4,
        "limits": ["limit"] * 4 + [width],
        "all": ["limit", kmc_format.read_header(FILMS[0]).size[0]],
        "numbers": ["RangeError"] * 8 + [""],
        "short": "RangeError",
        "image": [True, True, 4 * width * height],
        "colours": found["colours"],
        "cloned": True,
        "again": True,
        "own": True,
    }


def pixels(path):
    width, height = kmc_format.read_header(path).size
    return width * height


@functools.cache
def builder():
    spec = importlib.util.spec_from_file_location("web", ROOT / ".build" / "web.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_is_small():
    assert builder().compressed(SCRIPT.encode()) <= 30_000


def test_what_would_be_shortened_wrongly_is_not_built():
    with pytest.raises(ValueError, match="quotes"):
        builder().strip("let a = 'text';", {})
    with pytest.raises(ValueError, match="private"):
        builder().with_short_privates('const a = "x#abc";')
    assert builder().with_short_privates("`${this.#abc}`; // #") == "`${this.#a}`; // #"


def test_it_has_its_licence():
    licence = (ROOT / "LICENSE").read_text("utf-8")
    holder = re.search("Copyright .*", licence)[0]
    assert f"MIT licence. {holder}" in SCRIPT.partition("\n")[0]
    assert (WEB / "LICENSE").read_text("utf-8") == licence


def test_it_needs_nothing_else():
    assert not re.findall(
        r"\b(?:require|import|eval|Function|fetch\(\")\s*\(|\bimport\b[^.;]*\bfrom\b", SCRIPT
    )


def test_its_types_tell_what_it_exports():
    exported = set(re.findall(r"export (?:async )?(?:function|class|const) (\w+)", SCRIPT))
    types = (WEB / "kmc.d.ts").read_text("utf-8")
    assert set(re.findall(r"export (?:declare )?(?:function|class|const) (\w+)", types)) == exported


def test_its_package_has_the_version():
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    assert package["version"] == kmc_format.__version__
    assert all((WEB / name).is_file() for name in package["files"])


def test_it_is_what_its_sources_give():
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        pytest.skip("there is no clang with wasm-ld")
    command = [sys.executable, str(ROOT / ".build" / "web.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if "nothing to compare" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
