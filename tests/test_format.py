"""FORMAT.md is executed: tables against constants, the example, the reader over the golden files."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from support import GOLDEN, ROOT

import kmc_format
from kmc_format import _core
from kmc_format._format import codec, container, frames, indexed
from kmc_format._format.codebook import CODEBOOK_MODELLED, CODEBOOK_RAW
from kmc_format._format.frame_reading import FrameReader
from kmc_format._format.labels import LABELS_FOLLOWING, LABELS_PACKED

SPECIFICATION = (ROOT / "kmc_format" / "FORMAT.md").read_text("utf-8")
FILES = sorted(GOLDEN.glob("*.kmc"))
SMALL = [path for path in FILES if kmc_format.decode(path).labels.size <= 500][::3]  # a second in Python


def section(title):
    return SPECIFICATION.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title):
    """Return the cells of the tables in a section, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
    heads = {n - 1 for n, row in enumerate(cells) if set("".join(row)) <= set("-|")}
    return [row for n, row in enumerate(cells) if n not in heads and n - 1 not in heads]


def block(language):
    return re.search(rf"```{language}\n(.*?)```", SPECIFICATION, re.DOTALL).group(1)


@pytest.fixture(scope="module")
def read_kmc():
    """The reader in FORMAT.md."""
    return reader_of(block("python"))["read_kmc"]


@pytest.fixture(scope="module")
def read_frames():
    return reader_of(block("python"))["read_frames"]


def reader_of(source):
    namespace = {}
    exec(source, namespace)
    return namespace


def test_signature_and_version():
    assert bytes.fromhex(rows("File")[0][-1]) == container.SIGNATURE
    assert f"version {container.VERSION}\n" in SPECIFICATION


def test_pixel_formats():
    expected = [
        [str(number), kind.mode, f"{kind.dtype} x {kind.channels}", str(kind.max_k)]
        for number, kind in enumerate(indexed.KINDS)
    ]
    assert rows("Pixel formats") == expected


def test_codings():
    assert [row[:2] for row in rows("Codebook")] == [
        [str(CODEBOOK_RAW), "raw"],
        [str(CODEBOOK_MODELLED), "modelled"],
    ]
    assert rows("Labels") == [
        [str(LABELS_PACKED), "packed"],
        [str(_core.DRAWN), "drawn"],
        [str(_core.PHOTOGRAPHIC), "photographic"],
    ]


def test_chunks():
    tags = {row[1]: ord(row[0]) for row in rows("Chunks") if len(row[0]) == 1}
    assert tags == {
        "index": container.INDEX,
        "ICC profile": container.ICC_PROFILE,
        "Exif": container.EXIF,
        "XMP": container.XMP,
        "resolution": container.DPI,
        "transparency": container.TRANSPARENCY,
        "rdo": container.RDO,
        "options": container.OPTIONS,
        "animation": container.ANIMATION,
        "private, ancillary": ord("z"),
        "private, critical": ord("Z"),
    }
    assert f"below {container.FIRST_TAG:x} (hexadecimal)" in section("Chunks")


def test_frames():
    tables = rows("Frames")
    assert tables[-1][:2] == [str(LABELS_FOLLOWING), "following"]
    flags = re.findall(r"bit (\d): ([a-z ]+)", tables[0][2])
    names = {
        "key frame": "KEY",
        "duration": "DURATION",
        "codebook": "CODEBOOK",
        "goes back": "BACK",
        "kept": "KEPT",
    }
    assert [(1 << int(bit), names[name]) for bit, name in flags] == [
        (getattr(frames, name), name) for name in names.values()
    ]
    assert f"{frames.MOST_DEPTH} at most" in section("Frames")
    for tag in (container.ANIMATION, container.FRAME, container.FRAME_INDEX):
        assert f"chunk `{chr(tag)}`" in section("Frames")


def test_limits():
    for name, limit in rows("Limits"):
        assert int(limit) == getattr(container, name, None) or int(limit) == getattr(indexed, name)


def test_the_example(read_kmc):
    data = bytes.fromhex("".join(line[:28] for line in block("hex").splitlines()))
    picture = kmc_format.decode(data)
    assert picture.expand().tolist()[0] == [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    assert picture.labels.tolist() == [[0, 1, 2], [2, 1, 0]]
    assert codec.read_header(container.Reader(io.BytesIO(data))).k == 3
    assert read_kmc(data)[2] == picture.labels.tolist()


def test_there_are_golden_files():
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_read_as_its_reference(path):
    reference = path.with_name(path.name.split("--")[0])
    with Image.open(path) as image:
        if image.is_animated:
            a_golden_animation_is_read_as_its_reference(image, reference)
            return
        if image.mode == "I":
            assert np.array_equal(np.asarray(image), np.load(reference.with_suffix(".npy")))
            return
        with Image.open(reference.with_suffix(".png")) as expected:
            palette = image.mode == "P"
            assert image.mode == expected.mode or palette
            both = (image.convert("RGBA"), expected.convert("RGBA")) if palette else (image, expected)
            assert np.array_equal(np.asarray(both[0]), np.asarray(both[1]))
            if palette and image.palette.mode == "RGB":
                assert np.array_equal(np.asarray(image), np.asarray(expected))
                assert image.info.get("transparency") == expected.info.get("transparency")


def a_golden_animation_is_read_as_its_reference(image, reference):
    """The reference has the frames below one another, those of a palette in its colours."""
    height, numbers = image.height, range(image.n_frames)
    if image.mode == "I":
        pixels = np.load(reference.with_suffix(".npy"))
    else:
        with Image.open(reference.with_suffix(".png")) as expected:
            assert expected.mode == ("RGBA" if image.mode == "P" else image.mode)
            pixels = np.asarray(expected)
    assert len(pixels) == height * len(numbers)
    for number in [*numbers, *np.random.default_rng(0).permutation(numbers).tolist()]:
        image.seek(number)
        frame = image.convert("RGBA") if image.mode == "P" else image
        assert np.array_equal(np.asarray(frame), pixels[height * number :][:height])


def test_the_small_golden_files_have_every_coding():
    assert {coding_of(path) for path in SMALL} == {coding_of(path) for path in FILES} - {"effort1", "effort2"}


def coding_of(path):
    return path.stem.partition("--")[2]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_the_reader_reads_a_small_golden_file_alike(path, read_kmc, read_frames):
    read_alike(path, read_kmc, read_frames)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in FILES if path not in SMALL], ids=lambda path: path.stem)
def test_the_reader_reads_a_golden_file_alike(path, read_kmc, read_frames):
    read_alike(path, read_kmc, read_frames)


def read_alike(path, read_kmc, read_frames):
    data = path.read_bytes()
    header = codec.read_header(container.Reader(io.BytesIO(data)))
    if not header.is_animated:
        same_picture(read_kmc(data), kmc_format.decode(path))
        return
    reader = FrameReader(io.BytesIO(data), header)
    every = list(read_frames(data))
    assert len(every) == len(reader)
    for number, (duration, *picture) in enumerate(every):
        assert duration == reader.duration(number)
        same_picture(picture, reader.read(number))


def same_picture(read, picture):
    mode, codebook, labels = read
    assert mode == picture.mode
    assert labels == picture.labels.tolist()
    channels = len(codebook[0])  # the package joins a palette's transparency as alpha
    assert [list(entry) for entry in codebook] == picture.codebook[:, :channels].tolist()
