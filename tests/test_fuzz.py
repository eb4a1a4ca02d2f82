"""The fuzzer finds what is wrong, makes the same inputs again, and gets deep into the decoders."""

import random
import runpy
import time

import numpy as np
import pytest
from fuzz import fuzz
from support import ROOT

import kmc_format
from kmc_format import Indexed
from kmc_format._format import codec, container
from kmc_format._format.frame_reading import FrameReader


@pytest.fixture(autouse=True)
def _nothing_remembered():
    fuzz.frames_of.cache_clear()
    fuzz.picture_of.cache_clear()  # what a broken package made of a file


def run(folder, *arguments):
    return fuzz.main([*map(str, arguments), "--finds", str(folder)])


def broken(monkeypatch, change):
    """Let a change be made to whatever is decoded."""
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda *arguments, **options: change(decode(*arguments, **options)))


def divide(picture):
    return picture.k // 0


def change_label(picture):
    labels = picture.labels.copy()
    labels[0, 0] = (int(labels[0, 0]) + 1) % picture.k
    return Indexed(picture.codebook, labels, picture.mode)


def take_long(picture):
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    return picture


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_an_exception_of_another_kind_is_a_find(target, tmp_path, monkeypatch, capsys):
    broken(monkeypatch, divide)
    assert run(tmp_path, target, "--count", 20) == 1
    printed = capsys.readouterr().out
    assert "ZeroDivisionError" in printed
    assert f"find: {target} --seed 1 --only " in printed
    finds = list(tmp_path.glob("*.kmc"))
    assert len(finds) == printed.count("find: ")
    assert any(path.read_bytes() for path in finds)


def test_a_wrong_label_is_a_find(tmp_path, monkeypatch, capsys):
    broken(monkeypatch, change_label)
    assert run(tmp_path, "roundtrip", "--count", 10) == 1
    assert "another picture" in capsys.readouterr().out


def test_damage_that_nothing_notices_is_a_find(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(container.Reader, "check_crc", lambda self, what: self.read(4))
    assert run(tmp_path, "decode", "--count", 300) == 1
    assert "damage unnoticed" in capsys.readouterr().out


def test_what_differs_between_pillow_and_the_package_is_a_find(tmp_path, monkeypatch, capsys):
    decode = kmc_format.decode
    monkeypatch.setattr(
        kmc_format, "decode", lambda *given, **options: change_label(decode(*given, **options))
    )
    monkeypatch.setattr(fuzz, "picture_of", lambda data: None)
    assert run(tmp_path, "decode", "--count", 100) == 1
    assert "Pillow has other" in capsys.readouterr().out


def test_what_depends_on_how_a_file_is_handed_over_is_a_find(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "kmc_format._format.container.Reader.read", lambda self, length: self._file.read(length)
    )
    assert run(tmp_path, "chunks", "--count", 20) == 1
    assert "find: " in capsys.readouterr().out


def test_what_takes_long_is_a_find(tmp_path, monkeypatch, capsys):
    broken(monkeypatch, take_long)
    assert run(tmp_path, "roundtrip", "--count", 1, "--seconds", 0.1) == 1
    assert "FindError: took 0." in capsys.readouterr().out


def test_memory_that_stays_is_a_find(tmp_path, monkeypatch, capsys):
    kept = []
    broken(monkeypatch, lambda picture: kept.append(np.ones(2**20)) or picture)
    assert run(tmp_path, "roundtrip", "--count", 30) == 1
    assert "memory grew" in capsys.readouterr().out


def test_an_input_depends_on_its_number_alone(tmp_path, monkeypatch, capsys):
    mutants = []
    mutant = fuzz.mutant
    monkeypatch.setattr(fuzz, "mutant", lambda rng: mutants.append(mutant(rng)) or mutants[-1])
    assert run(tmp_path, "decode", "--count", 30) == 0
    assert run(tmp_path, "decode", "--first", 10, "--count", 10) == 0
    assert run(tmp_path, "decode", "--only", 29) == 0
    assert run(tmp_path, "decode", "--only", 29, "--seed", 2) == 0
    data = [data for data, _ in mutants]
    assert data[30:40] == data[10:20]
    assert data[40] == data[29] != data[41]


def test_forged_files_get_deep(tmp_path):
    """Past the CRCs: some decode, and most rules are met."""
    tally = fuzz.Tally()
    with fuzz.prepared():
        for number in range(700):
            fuzz.decode(random.Random(number), tally)
    assert 0.1 < tally.accepted / 700 < 0.5
    assert {"label", "labels-length", "labels-model", "deflate", "codebook-length"} < set(tally.rules)
    assert {"metadata-value", "index-mismatch", "tile-size"} < set(tally.rules)
    assert len(tally.rules) > 22


def test_files_taken_apart_and_put_together_are_the_same():
    for data in fuzz.corpus()[0]:
        if fuzz.picture_of(data) and whole(data):
            parts = fuzz.take_apart(data)
            assert fuzz.put_together(parts, indexed=len(parts.tiles) > 1) == data == fuzz.resealed(data)


def whole(data):
    """Tell whether a file's frames are all there, and its index."""
    reader = fuzz.reader_of(data)
    return reader is None or fuzz.read_frames(reader)[1] is None


def test_a_wrong_frame_is_a_find(tmp_path, monkeypatch, capsys):
    read = FrameReader.read
    monkeypatch.setattr(
        FrameReader,
        "read",
        lambda self, number: change_label(read(self, number)) if number else read(self, 0),
    )
    assert run(tmp_path, "roundtrip", "--count", 20) == 1
    assert "another frame 1" in capsys.readouterr().out


@pytest.fixture
def _only_frames(monkeypatch):
    films = [data for data in fuzz.corpus()[0] if fuzz.picture_of(data) and fuzz.reader_of(data) is not None]
    monkeypatch.setattr(fuzz, "pick", lambda rng: rng.choice(films))


@pytest.mark.usefixtures("_only_frames")
def test_frames_that_depend_on_the_order_are_a_find(tmp_path, monkeypatch, capsys):
    """Each is decoded as if the one before had just been."""

    def alone(self, number):
        return [(number, self._frame(number) if number else None)]

    monkeypatch.setattr(FrameReader, "_missing", alone)
    assert run(tmp_path, "decode", "--count", 60) == 1
    assert "another frame out of order" in capsys.readouterr().out


@pytest.mark.usefixtures("_only_frames")
def test_damage_of_frames_that_nothing_notices_is_a_find(tmp_path, monkeypatch, capsys):
    check = container.Reader.check_crc

    def damaged(rng):
        original = fuzz.pick(rng)
        return fuzz.damage(rng, original, 2), fuzz.frames_of(original)

    def without_frames(self, what):
        return self.read(4) if what.startswith("frame ") else check(self, what)

    monkeypatch.setattr(fuzz, "mutant", damaged)
    monkeypatch.setattr(container.Reader, "check_crc", without_frames)
    assert run(tmp_path, "decode", "--count", 150) == 1
    assert "damage unnoticed: another frame" in capsys.readouterr().out


def test_forged_frames_get_deep():
    tally = fuzz.Tally()
    with fuzz.prepared():
        for number in range(1500):
            data = fuzz.mutant(random.Random(f"frames {number}"))[0]
            reader = fuzz.attempt(lambda: fuzz.reader_of(data), kmc_format.KMCError)[0]  # noqa: B023
            if reader is not None:
                error = fuzz.read_frames(reader)[1]
                tally.saw(error)
    assert {"frame-flags", "frame-length", "frame-key", "frame-back", "labels-length"} <= set(tally.rules)
    assert tally.accepted > 20


QUICK = [("decode", 500), ("roundtrip", 60), ("chunks", 60)]
MANY = [("decode", 2000), ("roundtrip", 300), ("chunks", 300)]


@pytest.mark.parametrize(
    ("target", "count"), QUICK + [pytest.param(*values, marks=pytest.mark.slow) for values in MANY]
)
def test_nothing_is_found(target, count, tmp_path, capsys):
    assert run(tmp_path / "finds", target, "--count", count, "--seed", 7, "--seconds", 20) == 0, (
        capsys.readouterr().out
    )
    assert not (tmp_path / "finds").exists()
    assert f"{count} inputs" in capsys.readouterr().out


@pytest.mark.skipif(not (ROOT / ".build").exists(), reason="only in a checkout")
def test_an_unknown_sanitizer_is_named():
    pytest.importorskip("setuptools")
    backend = runpy.run_path(str(ROOT / ".build" / "backend.py"))
    with pytest.raises(
        SystemExit, match="sanitize=address,undefinde: 'undefinde' is none of address, undefined"
    ):
        backend["build_wheel"]("", {"sanitize": "address,undefinde"})
