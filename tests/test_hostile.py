"""Every rule of "What a reader rejects" has a file that breaks it, and is what rejects that file."""

import io
import re
import warnings

import pytest
from PIL import Image, UnidentifiedImageError
from support import HOSTILE, ROOT

import kmc_format
from kmc_format import KMCError
from kmc_format._format import codec
from kmc_format._format.container import Reader
from kmc_format._format.frame_reading import FrameReader

FILES = sorted(HOSTILE.glob("x_*.kmc"))
SPECIFICATION = (ROOT / "kmc_format" / "FORMAT.md").read_text("utf-8")


def test_specification_code_and_files_know_the_same_rules():
    section = SPECIFICATION.split("## What a reader rejects")[1].split("\n## ")[0]
    specified = set(re.findall(r"^\| ([a-z-]+) \|", section, re.MULTILINE)) - {"rule", "---"}
    source = "".join(path.read_text("utf-8") for path in (ROOT / "kmc_format" / "_format").glob("*.py"))
    raised = set(re.findall(r"\b[A-Z]\w+Error\(\s*\"([a-z-]+)\"", source))
    assert specified == raised == {path.name.split("_")[1] for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_hostile_file_is_rejected_by_its_rule(path):
    with pytest.raises(KMCError) as caught:
        decode_all(path)
    assert caught.value.rule == path.stem.split("_")[1]
    assert str(caught.value).endswith(f"(rule {caught.value.rule})")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pillow_sees_an_oserror(path):
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of a newer version
        try:
            image = Image.open(io.BytesIO(data))
        except UnidentifiedImageError:
            return
    for _ in range(2):
        with pytest.raises(OSError, match="rule"):
            load_all(image)


def decode_all(path):
    reader = Reader(io.BytesIO(path.read_bytes()))
    header = codec.read_header(reader)
    if not header.is_animated:
        return [kmc_format.decode(path)]
    frames = FrameReader(io.BytesIO(path.read_bytes()), header)
    return [frames.read(number) for number in range(len(frames))]


def load_all(image):
    for number in range(image.n_frames):
        image.seek(number)
        image.load()


@pytest.mark.parametrize(
    "path", [path for path in FILES if "_frame-back_" in path.name], ids=lambda path: path.stem
)
def test_verifying_finds_what_frames_cannot_go_back_to(path):
    with Image.open(path) as image, pytest.raises(OSError, match="goes back"):
        image.verify()
