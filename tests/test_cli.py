"""The commands of `kmc`, as a person types them."""

import csv
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from support import FEW_SAMPLES, ROOT, SAMPLES, mostly_slow, save, smooth

import kmc_format
from kmc_format import autoload, cli, integrate, metrics
from kmc_format._cli import options

COMMANDS = sorted(cli.kmc.commands)
PYTHON = [sys.executable, "-W", "error", "-Im"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in, with an image, its KMC file and a truncated one."""
    smooth().save(tmp_path / "x.png")
    kmc_format.write(tmp_path / "x.kmc", smooth(), k=8)
    (tmp_path / "cut.kmc").write_bytes((tmp_path / "x.kmc").read_bytes()[:-5])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KMC_THREADS", "1")  # as starting processes takes long
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return tmp_path


@pytest.fixture
def kmc(capsys):
    """What runs `kmc` in this process: gives its exit status, and what it printed on both."""

    def run(line):
        status = cli.main(shlex.split(str(line)))
        return status, *capsys.readouterr()

    return run


def start(*arguments, **options):
    """Start `kmc` in a process of its own."""
    return subprocess.Popen(
        [*PYTHON, "kmc_format", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- Every command ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", mostly_slow(SAMPLES, FEW_SAMPLES), ids=lambda path: path.stem)
def test_every_command_on_every_sample(kmc, tmp_path, path):
    name, made = path.stem, tmp_path / f"{path.stem}.kmc"
    assert kmc(f"encode {path} -o {tmp_path} -k 12")[::2] == (0, "")
    with Image.open(path) as image:
        data = kmc_format.encode(image, k=12)
        assert kmc_format.decode(made).expand().tolist() == kmc_format.decode(data).expand().tolist()

    assert kmc(f"decode {made} -o {tmp_path / 'back'}")[::2] == (0, "")
    with Image.open(tmp_path / "back" / f"{name}.png") as back, Image.open(made) as stored:
        assert metrics.mse(back, stored) == 0

    status, out, err = kmc(f"info {made}")
    assert (status, err) == (0, "")
    assert f"bytes       {made.stat().st_size:,} (" in out
    assert json.loads(kmc(f"info {made} --json")[1])[0]["bytes"] == made.stat().st_size

    status, out, err = kmc(f"compare {path} {made} -o {tmp_path / 'c.png'}")
    assert (status, err) == (0, "")
    assert f"{path.stat().st_size:,} to {made.stat().st_size:,}" in out
    with Image.open(tmp_path / "c.png") as drawn:
        assert drawn.width > 900

    status, out, err = kmc(
        f"sweep {path} -k 2,7 --effort 0 --csv {tmp_path / 's.csv'} --plot {tmp_path / 's.svg'}"
    )
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 3
    with (tmp_path / "s.csv").open() as file:
        assert [row["k"] for row in csv.DictReader(file)] == ["2", "7"]
    assert (tmp_path / "s.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(kmc, command):
    status, out, err = kmc(f"{command} --help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: {' '.join(['kmc', *command.split()])} ")
    assert max(map(len, out.splitlines())) <= 80
    assert kmc(f"{command} -h")[1] == out


def test_every_option_has_help():
    for command in cli.kmc.commands.values():
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (command.name, parameter.name)


def test_every_save_option_is_there():
    missing = {"threads", "icc_profile", "exif", "xmp", "dpi"}  # --jobs, and what --strip leaves out
    options = {parameter.name for parameter in cli.kmc.commands["encode"].params}
    guide = (ROOT / "kmc_format" / "GUIDE.md").read_text("utf-8")
    table = guide.partition("| option of `save`")[2].partition("\n\n")[0].splitlines()[2:]
    names = " ".join(line.split("|")[1] for line in table)
    documented = set(names.replace("`", "").replace(",", " ").split())
    assert {"k", "rdo"} < documented
    assert documented - missing <= options


def test_version_and_nothing(kmc):
    assert kmc("--version")[:2] == (0, f"kmc, version {kmc_format.__version__}\n")
    status, out, err = kmc("")
    assert (status, err) == (0, "")
    assert out == kmc("--help")[1]


def test_a_start_imports_little():
    program = "import sys; from kmc_format.__main__ import main; sys.argv = ['kmc', '--help']; main(); "
    program += "print({name.partition('.')[0] for name in sys.modules} & {'sklearn', 'scipy', 'matplotlib', "
    program += "'skimage', 'imageio', 'concurrent', 'multiprocessing', 'dask'})"
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("set()\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    environment = {
        **os.environ,
        "_KMC_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "kmc enc",
        "COMP_CWORD": "1",
    }
    if shell == "fish":
        environment["COMP_CWORD"] = "enc"
    program = "import sys; from kmc_format.__main__ import main; sys.argv = ['kmc']; main()"
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, env=environment)
    assert "encode" in result.stdout
    assert "decode" not in result.stdout
    environment["_KMC_COMPLETE"] = f"{shell}_source"
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True, env=environment)
    assert "_KMC_COMPLETE" in result.stdout


# --- What is printed ------------------------------------------------------------------------------


def test_a_summary(kmc, folder):
    (folder / "broken.png").write_bytes(b"no picture")
    status, out, err = kmc("encode . -o out -k 2")
    assert status == 1
    size = (folder / "out" / "x.kmc").stat().st_size
    assert out.startswith(f"1 written, {(folder / 'x.png').stat().st_size} bytes to {size} bytes (")
    assert out.endswith("; 1 failed\n")
    assert err.startswith("kmc encode: broken.png: cannot identify image file ")
    assert kmc("encode x.png -o out -k 2")[1] == "1 up to date (--force writes them again)\n"
    assert kmc("encode x.png -o out -k 3")[1].startswith("1 written, ")
    assert kmc("encode x.png -o out --quiet --force")[:2] == (0, "")
    (folder / "empty").mkdir()
    assert kmc("encode empty")[1].startswith("no such files were found")


def test_records_as_json(kmc, folder):
    status, out, err = kmc("encode x.png nothing.png -o out --json")
    first, second = sorted(map(json.loads, out.splitlines()), key=lambda record: record["error"] or "")
    assert (status, err) == (1, "kmc encode: nothing.png: No such file or directory\n")
    assert (first["source"], first["error"], second["error"]) == ("x.png", None, "No such file or directory")
    assert first["bytes_out"] == (folder / "out" / "x.kmc").stat().st_size


def test_one_codebook(kmc, folder):
    smooth().rotate(90).save("y.png")
    (folder / "broken.png").write_bytes(b"no picture")
    status, _, err = kmc("encode x.png y.png broken.png -o out -k 9 --one-codebook --keep red")
    assert status == 1
    assert err.splitlines()[0].startswith(
        "kmc encode: 1 of 3 images are not in the codebook; broken.png: cannot"
    )
    assert len(err.splitlines()) == 2
    codebooks = [kmc_format.read_header(f"out/{name}.kmc").codebook.tolist() for name in "xy"]
    assert codebooks[0] == codebooks[1]
    assert len(codebooks[0]) == 9
    assert kmc("encode x.png y.png -k 9 --one-codebook")[0] == 0
    Path("broken.png").unlink()
    assert kmc("encode . -k 9 --one-codebook")[1].startswith("2 up to date")
    smooth().rotate(45).save("z.png")
    assert kmc("encode . -k 9 --one-codebook")[1].startswith("3 written")
    assert [255, 0, 0] in codebooks[0]


def test_figures_without_a_picture(kmc, folder):
    status, out, err = kmc("compare x.png -k 8 --json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["bytes"] == len(save(smooth(), k=8))
    assert found["psnr"] == metrics.psnr(smooth(), Image.open("x.kmc"))
    status, out, err = kmc("compare x.png -o c.pdf")
    assert (status, err) == (0, "")
    assert (folder / "c.pdf").read_bytes().startswith(b"%PDF")
    assert "dB PSNR" in out
    assert "SSIM" in out


@pytest.mark.parametrize(
    "line", ["compare x.png -o x.png", "sweep x.png -k 2 --plot x.png", "sweep x.png -k 2 --csv x.png"]
)
def test_a_source_is_not_replaced_by_what_is_found_out(kmc, folder, line):
    before = (folder / "x.png").read_bytes()
    status, _, err = kmc(line)
    assert (status, "x.png would be replaced by itself: name another file" in err) == (2, True)
    assert (folder / "x.png").read_bytes() == before


def test_a_frame_is_compared(kmc, folder):
    frames = [smooth().rotate(angle) for angle in (0, 30, 60)]
    frames[0].save("moving.png", save_all=True, append_images=frames[1:], duration=40)
    frames[0].save("moving.kmc", save_all=True, append_images=frames[1:], k=8)
    status, out, err = kmc("compare moving.png moving.kmc --frame 2 -o c.png")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "frames   3, of which 3 changed; shown: 2"
    found = json.loads(kmc("compare moving.png --frame 1 -k 8 --json")[1])
    assert (found["frames"], found["frame"], found["bytes"]) == (3, 1, Path("moving.kmc").stat().st_size)
    status, out, err = kmc("compare moving.png moving.kmc --frame 3 -o c.png")
    assert (status, out) == (2, "")
    assert "there is no frame 3: each picture has frames 0 to 2." in err
    status, out, err = kmc("compare moving.png x.png -o c.png")
    assert (status, out) == (1, "")
    assert err == "kmc: pictures of 3 frames and of 1 frame do not compare\n"


@pytest.mark.slow
def test_a_sweep_of_qualities(kmc, folder):
    rows = json.loads(kmc("sweep x.png --quality 30:70:20 --json")[1])
    assert [row["quality"] for row in rows] == [30, 50, 70]
    assert rows[0]["bytes"] == len(save(smooth(), quality=30))


def piped(line, data=b""):
    """Run `kmc` in a process of its own with bytes as its input."""
    command = [*PYTHON, "kmc_format", *shlex.split(line)]
    return subprocess.run(command, input=data, capture_output=True, check=False)


def test_standard_streams(folder):
    picture, before = (folder / "x.png").read_bytes(), contents(folder)
    for line in ("encode - -k 8", "encode x.png -k 8 -o -"):
        made = piped(line, picture)
        assert made.returncode == 0
        assert kmc_format.decode(made.stdout) == kmc_format.decode(folder / "x.kmc")
        assert made.stderr.startswith(b"1 written, ")
    described = piped("info - --json", made.stdout)
    assert json.loads(described.stdout)[0]["path"] == "-"
    assert piped("info -", made.stdout).stdout.startswith(b"-\n  picture     96 x 64 pixels")
    for line in ("decode -", "decode x.kmc -o - --format tiff"):
        back = piped(line, made.stdout)
        with Image.open(io.BytesIO(back.stdout)) as image:
            assert image.format == ("TIFF" if "tiff" in line else "PNG")
            assert np.array_equal(image, kmc_format.decode(folder / "x.kmc").expand())
        assert back.stderr.startswith(b"1 written, ")
    assert contents(folder) == before
    assert piped("encode - -o y.kmc -q", picture).stdout == b""
    assert kmc_format.read_header(folder / "y.kmc").size == (96, 64)


@pytest.mark.slow
def test_what_is_said_beside_data_on_standard_output(folder):
    made = piped("encode x.png -o - --json")
    record = json.loads(made.stderr)
    assert (record["source"], record["target"], record["bytes_out"]) == ("x.png", "-", len(made.stdout))
    made = piped("encode x.png --csv - -f")
    assert made.stdout.startswith(b"source,target,")
    assert made.stderr.startswith(b"1 written, ")
    swept = piped("sweep x.png -k 2,3 --csv -")
    assert swept.stdout.startswith(b"k,colours,")
    assert len(swept.stderr.splitlines()) == 3
    assert not (folder / "-").exists()
    for line in ("encode -", "decode -", "info -"):
        failed = piped(line, b"no picture")
        assert (failed.returncode, failed.stdout) == (1, b"")
        assert failed.stderr.startswith(f"kmc {line}".replace(" -", ": -: ").encode())
        assert b"kmc_" not in failed.stderr
        assert str(folder).encode() not in failed.stderr


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there are no such devices")  # noqa: PTH110
@pytest.mark.slow
def test_a_thumbnail(kmc, folder):
    assert kmc("decode x.kmc --thumbnail 48 -o y")[::2] == (0, "")
    with Image.open("y") as image:
        assert (image.format, image.size) == ("PNG", (48, 32))
    os.utime("y", (0, 0))
    assert kmc("decode x.kmc --thumbnail 24 -o y")[0] == 1  # as y is there, and older
    with Path("y").open("rb") as opened:  # as thumbnailers do, which read from the file that they have opened
        assert kmc("decode -qf x.kmc --thumbnail 24 -o y") == (0, "", "")
        with Image.open(opened) as image:
            assert image.size == (24, 16)
    command = [*PYTHON, "kmc_format", "decode", "-", "--thumbnail", "16"]
    process = subprocess.run(command, input=Path("x.kmc").read_bytes(), capture_output=True, check=True)
    with Image.open(io.BytesIO(process.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (16, 11))


def test_devices_and_pipes_are_files(folder):
    for line in ("encode x.png -o /dev/stdout", "encode /dev/stdin -o -"):
        made = piped(line, (folder / "x.png").read_bytes())
        assert kmc_format.decode(made.stdout).size == (96, 64)
    script = "exec {0} kmc_format encode <(cat x.png) -o >(cat > y.kmc; touch done)"
    subprocess.run(["bash", "-c", script.format(shlex.join(PYTHON))], check=True, stdout=subprocess.DEVNULL)
    while not (folder / "done").exists():
        time.sleep(0.01)
    assert kmc_format.read_header(folder / "y.kmc").size == (96, 64)


def test_binary_data_does_not_go_to_a_terminal(kmc, folder, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    status, out, err = kmc("encode x.png -o -")
    assert (status, out) == (2, "")
    assert "Standard output is a terminal" in err


def test_a_picture_and_a_table_are_not_mixed_on_standard_output(folder):
    for line in ("encode x.png -o - --csv -", "decode x.kmc -o - --csv /dev/stdout"):
        mixed = piped(line)
        assert (mixed.returncode, mixed.stdout) == (2, b"")
        assert b"Standard output has the picture: name a file for --csv" in mixed.stderr


@pytest.mark.parametrize(("stream", "line"), [("stdin", "info -"), ("stdout", "encode x.png -o -")])
def test_standard_streams_that_are_closed(folder, monkeypatch, stream, line):
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(click.UsageError, match="is closed: name a file"):
        cli.kmc.main(shlex.split(line), "kmc", standalone_mode=False)


def test_standard_output_is_one_file(kmc, folder):
    shutil.copy(folder / "x.png", folder / "y.png")
    status, _, err = kmc("encode x.png y.png -o /dev/stdout")
    assert (status, "output '-' is" in err, "kmc_" in err) == (2, True, False)


@pytest.mark.parametrize(
    ("given", "size"), [("300", 300), ("0.3k", 300), (".3K", 300), ("0.3kB", 300), ("1M", 10**6), ("2b", 2)]
)
def test_sizes_have_units(given, size):
    assert options._size(None, None, given) == size


def test_habits(kmc, folder):
    assert kmc("encode x.png --k 5 -o y.kmc")[0] == 0
    assert kmc_format.read_header("y.kmc").k == 5
    assert kmc("sweep x.png --k 2")[0] == 0
    assert kmc("encode x.png --max-bytes 0.4k -o y.kmc")[0] == 0
    assert (folder / "y.kmc").stat().st_size <= 400
    assert kmc("encode x.png -o new.d/")[0] == 0
    assert (folder / "new.d" / "x.kmc").exists()
    assert kmc("encode x.png -o 2024.11")[0] == 0
    assert (folder / "2024.11" / "x.kmc").exists()


def test_folders_and_patterns_of_files_that_are_described(kmc, folder):
    (folder / "cut.kmc").unlink()
    (folder / "below").mkdir()
    kmc_format.write("below/y.kmc", smooth(), k=2)

    def paths(line):
        return [Path(found["path"]).name for found in json.loads(kmc(f"info --json {line}")[1])]

    assert paths(".") == ["x.kmc"]
    assert sorted(paths(". -r")) == ["x.kmc", "y.kmc"]
    assert paths("'*/*.kmc' x.kmc") == ["y.kmc", "x.kmc"]
    (folder / "empty").mkdir()
    assert kmc("info empty")[1].startswith("no such files were found")


def test_colours_of_a_file(kmc, folder):
    colours = kmc("info x.kmc --codebook")[1].splitlines()[-8:]
    expected = ["#" + bytes(entry).hex() for entry in kmc_format.read_header("x.kmc").codebook]
    assert [line.strip() for line in colours] == expected


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are of POSIX")
@pytest.mark.slow
def test_colours_and_progress_are_for_terminals(folder):
    import pty

    smooth().save(folder / "x.png", compress_level=0)
    reader, writer = pty.openpty()
    command = [*PYTHON, "kmc_format", "encode", "x.png", "missing.png", "-o", "out"]
    subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, check=False)
    shown = os.read(reader, 10**6).decode()
    assert "saved" in shown
    assert "\x1b[31mkmc encode:\x1b[0m missing.png: No such file" in shown
    command[-1] = "other"
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == "kmc encode: missing.png: No such file or directory\n"
    os.close(writer)
    os.close(reader)


# --- What goes wrong ------------------------------------------------------------------------------

WRONG_USE = [
    "bogus",
    "encode",
    "encode x.png --kk 3",
    "encode x.png -k 0",
    "encode x.png -k many",
    "encode x.png -k 70000",
    "encode x.png --quality 0",
    "encode x.png --quality 50 --rdo 3",
    "encode x.png --dither 2",
    "encode x.png --effort 9",
    "encode x.png --tile 5x",
    "encode x.png --tile 0",
    "encode x.png --keep nocolour",
    "encode x.png --space lab",
    "encode x.png --codebook x.png -k 3",
    "encode x.png --codebook x.png --one-codebook",
    "encode x.png --one-codebook --quality 50 --rdo 3",
    "encode x.png --random-state -1",
    "encode x.png --jobs 0",
    "encode x.png --max-bytes 20q",
    "encode x.png --max-bytes 1.5",
    "encode x.png --max-bytes -5",
    "encode x.png --max-bytes 0k",
    "encode x.png -o c.xyz",
    "encode x.png -o new/c.jpgg",
    "encode - x.png",
    "encode x.png cut.kmc -o -",
    "decode x.kmc -o c.xyz",
    "encode x.png x.png -o y.kmc",
    "decode x.kmc --format xyz",
    "compare x.png x.kmc -k 3",
    "compare x.png -o c.xyz",
    "compare x.png --frame 1 -o c.png",
    "compare x.png x.kmc --frame -1",
    "sweep x.png -k 2:9",
    "sweep x.png -k 2,x",
    "sweep x.png -k 0",
    "sweep x.png -k 9:2:1",
    "sweep x.png -k 2 --quality 3",
    "sweep x.png --plot s.xyz",
    "explore x.png --port 70000",
    "autoload on",
    "integrate on",
    "decode x.kmc --thumbnail 64",
    "decode x.kmc --thumbnail 0 -o y.png",
    "decode x.kmc --thumbnail big -o y.png",
    "decode x.kmc --thumbnail 64 --format xyz -o y",
    "decode x.kmc x.kmc --thumbnail 64 -o y.png",
]


@pytest.mark.parametrize("line", WRONG_USE)
def test_wrong_use_is_one_line(kmc, folder, line):
    before = contents(folder)
    status, out, err = kmc(line)
    assert (status, out) == (2, "")
    assert err.startswith("kmc")
    assert err.endswith(" --help'.\n")
    assert err.count("\n") == 1
    assert contents(folder) == before


FAILURES = {
    "encode missing.png": "missing.png: No such file or directory",
    "encode missing*.png": "missing*.png: No file matches",
    "encode x.png --codebook missing.png": "missing.png: No such file or directory",
    "encode cut.kmc -o out": "cut.kmc: the file ends at byte",
    "encode x.png -o x.kmc/out": "x.png: Not a directory",
    "decode missing.kmc": "missing.kmc: No such file or directory",
    "decode cut.kmc": "cut.kmc: the file ends at byte",
    "decode x.png -o out": "x.png: cannot identify image file",
    "decode x.kmc": "x.kmc: x.png is there",
    "decode cut.kmc --thumbnail 9 -o y": "cut.kmc: the file ends at byte",
    "decode x.png --thumbnail 9 -o y": "x.png: not a KMC file",
    "decode missing.kmc --thumbnail 9 -o y": "missing.kmc: No such file or directory",
    "decode x.kmc --thumbnail 9 -o x.png/y/z": "x.kmc: Not a directory",
    "info missing.kmc": "missing.kmc: No such file or directory",
    "info cut.kmc": "cut.kmc: the file ends at byte",
    "info x.png": "x.png: not a KMC file",
    "info .": "cut.kmc: the file ends at byte",
    "info missing*.kmc": "missing*.kmc: No file matches",
    "compare missing.png -o c.png": "missing.png: No such file or directory",
    "compare x.png missing.png -o c.png": "missing.png: No such file or directory",
    "compare x.png cut.kmc -o c.png": "the file ends at byte",
    "compare x.png -o x.kmc/c.png": "c.png: Not a directory",
    "compare x.png": "there is no display",
    "sweep missing.png": "missing.png: No such file or directory",
    "sweep cut.kmc": "the file ends at byte",
    "sweep x.png --show": "there is no display",
    "sweep x.png -k 2 --csv x.kmc/t.csv": "t.csv: Not a directory",
    "explore missing.png": "missing.png: No such file or directory",
    "explore cut.kmc": "the file ends at byte",
}


@pytest.mark.parametrize("line", FAILURES)
def test_a_failure_is_one_line(kmc, folder, line):
    if line == "explore cut.kmc":
        pytest.importorskip("anywidget")
    before = contents(folder)
    status, _, err = kmc(line)
    assert status == 1
    assert err.startswith("kmc")
    assert FAILURES[line] in err
    assert err.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("module", "line", "extra"),
    [
        ("click", "--help", "cli"),
        ("matplotlib.figure", "compare x.png -o c.png", "plots"),
        pytest.param("matplotlib.pyplot", "compare x.png", "plots", marks=pytest.mark.slow),
        pytest.param("matplotlib.figure", "sweep x.png --plot s.png", "plots", marks=pytest.mark.slow),
        ("voila", "explore x.png", "explore"),
    ],
)
def test_an_extra_that_is_missing(folder, module, line, extra):
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = {['kmc', *line.split()]!r};"
        " from kmc_format.__main__ import main; sys.exit(main())"
    )
    result = subprocess.run([sys.executable, "-Ic", program], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"pip install 'kmc-format[{extra}]'" in result.stderr
    assert not (folder / "c.png").exists()


@pytest.mark.slow
def test_a_toolkit_that_cannot_run(folder):
    environment = {**os.environ, "MPLBACKEND": "TkAgg"}
    result = start("compare", "x.png", env=environment)
    _, err = result.communicate()
    assert (result.returncode, err.count("\n")) == (1, 1)
    assert "there is no display" in err


@pytest.mark.skipif(os.name == "nt", reason="process groups are of POSIX")
@pytest.mark.slow
def test_an_interrupt_leaves_whole_files(tmp_path):
    for n in range(40):
        smooth((400, 400)).rotate(n).save(tmp_path / f"{n}.png", compress_level=0)
    out = tmp_path / "out"
    process = start("encode", tmp_path, "-o", out, "-j", 2, start_new_session=True)
    while not (out.exists() and list(out.glob("*.kmc"))):
        time.sleep(0.01)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "\nkmc: interrupted; every file is whole\n"
    assert process.returncode == 130
    files = list(out.iterdir())
    assert 0 < len(files) < 40
    for path in files:
        assert np.asarray(Image.open(path)).shape == (400, 400, 3)


@pytest.mark.skipif(os.name == "nt", reason="on Windows a closed pipe is another error")
def test_a_reader_that_has_seen_enough(folder):
    process = start("info", *["x.kmc"] * 2000, cwd=folder)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


def test_autoload(kmc, monkeypatch, tmp_path):
    monkeypatch.setattr(autoload, "_folder", lambda: tmp_path)
    for action, said in (("enable", "enabled"), ("status", "enabled"), ("disable", "disabled")):
        assert kmc(f"autoload {action}") == (0, f"autoloading is {said} in {tmp_path}\n", "")
    monkeypatch.setattr(autoload, "_folder", lambda: tmp_path / "missing")
    status, _, err = kmc("autoload enable")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("kmc autoload: No such file or directory: ")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such desktops")
def test_integrate(kmc, monkeypatch, tmp_path):
    monkeypatch.setattr(
        integrate, "_parts", lambda: [integrate._Part("it", "is", tmp_path / "x", b"kmc integrate")]
    )
    monkeypatch.setattr(integrate, "_update", lambda mime: [])
    monkeypatch.setattr(integrate, "_notes", lambda: [])
    for action, said in (("enable", "in place"), ("status", "in place"), ("disable", "taken away")):
        assert kmc(f"integrate {action}") == (0, f"it is {said}: {tmp_path / 'x'}\n", "")
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "x").write_bytes(b"of others")
    for action in ("enable", "status", "disable"):
        status, out, err = kmc(f"integrate {action}")
        assert (status, out) == (1, "")
        assert err == f"kmc integrate: There is a file that 'kmc integrate' did not make: {tmp_path / 'x'}\n"


def test_the_command_is_installed():
    command = Path(sys.executable).with_name("kmc.exe" if os.name == "nt" else "kmc")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"kmc, version {kmc_format.__version__}\n"
