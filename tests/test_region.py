"""Parts of a picture, and labels as they are, without reading or expanding the rest."""

import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support import load, save, smooth

import kmc_format
from kmc_format import Indexed
from kmc_format._format.grid import Box, Grid

LABELS = np.random.default_rng(3).integers(0, 300, (50, 70)).astype(np.uint16)
CODEBOOK = np.random.default_rng(4).integers(0, 256, (300, 3), dtype=np.uint8)
PICTURE = Indexed(CODEBOOK, LABELS)
TILED = kmc_format.encode(PICTURE, tile=(16, 20), xmp=b"x" * 1000)


class Counting(io.BytesIO):
    """A file that knows which bytes were read."""

    def __init__(self, data):
        super().__init__(data)
        self.seen = set()

    def read(self, size=-1):
        start = self.tell()
        data = super().read(size)
        self.seen.update(range(start, start + len(data)))
        return data


def part(box):
    left, upper, right, lower = box
    return Indexed(CODEBOOK, LABELS[upper:lower, left:right])


@st.composite
def boxes(draw, width=70, height=50):
    left, upper = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return left, upper, draw(st.integers(left + 1, width)), draw(st.integers(upper + 1, height))


@given(boxes(), st.sampled_from([1, 7, 16, (70, 5), (16, 20), 70]))
@settings(max_examples=150, deadline=None)
def test_any_box_of_any_tiles(box, tile):
    data = kmc_format.encode(PICTURE, tile=tile, effort=0)
    assert kmc_format.open_region(data, box) == part(box)


@given(boxes())
@settings(max_examples=100, deadline=None)
def test_the_tiles_that_a_box_touches(box):
    grid = Grid(70, 50, 16, 20)
    left, upper, right, lower = box
    touched = [
        number
        for number, tile in enumerate(grid)
        if tile.left < right and left < tile.right and tile.upper < lower and upper < tile.lower
    ]
    assert list(grid.touched(Box(*box))) == touched


@given(boxes())
@settings(max_examples=60, deadline=None)
def test_only_the_front_and_the_touched_tiles_are_read(box):
    file = Counting(TILED)
    assert kmc_format.open_region(file, box) == part(box)
    front = kmc_format.read_header(TILED).front
    ends = np.cumsum([front.start, *front.tile_lengths])
    expected = set(range(front.start))
    for number in front.grid.touched(Box(*box)):
        expected |= set(range(ends[number], ends[number + 1]))
    # To learn that the tiles begin, their first byte is looked at.
    assert file.seen - {front.start} == expected - {front.start}


def test_paths_files_and_files_in_files(tmp_path):
    path, box = tmp_path / "x.kmc", (3, 4, 60, 44)
    path.write_bytes(TILED)
    inside = io.BytesIO(b"before" + TILED + b"after")
    inside.seek(6)
    with path.open("rb") as file:
        for source in (path, str(path), TILED, memoryview(TILED), file, inside):
            assert kmc_format.open_region(source, box) == part(box)
    assert not inside.closed


def test_threads_and_large_parts():
    picture = kmc_format.quantize(smooth((1100, 900)), k=90)
    data = kmc_format.encode(picture, effort=0, tile=200)
    box = (150, 60, 1090, 870)
    expected = Indexed(picture.codebook, picture.labels[60:870, 150:1090])
    for threads in (1, 2, 9):
        assert kmc_format.open_region(data, box, threads=threads) == expected
        assert kmc_format.decode(data, threads=threads) == picture


def test_a_palettes_transparency_and_writable_labels():
    image = smooth().quantize(9)
    image.info["transparency"] = 3
    region = kmc_format.open_region(save(image), (5, 6, 25, 16))
    assert np.array_equal(region.expand(), np.asarray(image.convert("RGBA").crop((5, 6, 25, 16))))
    region.labels[0, 0] = 1


@pytest.mark.parametrize(
    ("box", "error"),
    [
        ((0, 0, 71, 50), ValueError),
        ((-1, 0, 5, 5), ValueError),
        ((5, 5, 5, 9), ValueError),
        ((9, 5, 5, 9), ValueError),
        ((0, 0, 5), ValueError),
        ((0, 0, 5, 5.0), TypeError),
        ((0, 0, 5, np.array([5])), TypeError),
        ("0055", TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_box(box, error):
    with pytest.raises(error, match="box"):
        kmc_format.open_region(TILED, box)


def test_a_file_that_cannot_seek():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    with pytest.raises(io.UnsupportedOperation, match="decode reads any file"):
        kmc_format.open_region(Pipe(TILED), (0, 0, 5, 5))
    assert kmc_format.decode(Pipe(TILED)) == PICTURE


def test_damage_matters_only_where_it_is_read():
    front = kmc_format.read_header(TILED).front
    second = front.start + front.tile_lengths[0] + 9
    damaged = TILED[:second] + bytes([TILED[second] ^ 1]) + TILED[second + 1 :]
    assert kmc_format.open_region(damaged, (0, 0, 16, 20)) == part((0, 0, 16, 20))
    assert kmc_format.open_region(damaged, (32, 0, 70, 50)) == part((32, 0, 70, 50))
    with pytest.raises(kmc_format.FormatError, match="tile 1 at byte"):
        kmc_format.open_region(damaged, (0, 0, 17, 20))
    with pytest.raises(kmc_format.TruncatedError):
        kmc_format.open_region(TILED[: front.start + 9], (50, 40, 70, 50))


def test_bombs_are_measured_by_what_is_read(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 320)
    assert kmc_format.open_region(TILED, (0, 0, 16, 20)).size == (16, 20)
    with pytest.raises(Image.DecompressionBombError):
        kmc_format.open_region(TILED, (0, 0, 70, 50))
    with pytest.raises(Image.DecompressionBombError):
        kmc_format.open_region(kmc_format.encode(PICTURE), (0, 0, 2, 2))


# --- Labels as they are -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_draft_gives_the_labels(mode):
    data = save(smooth(mode="RGBA").convert(mode), k=20, tile=40)
    image = Image.open(io.BytesIO(data))
    assert image.draft("P", None) == ("P", (0, 0, 96, 64))
    assert image.mode == "P"
    expected = kmc_format.decode(data)
    assert np.array_equal(np.asarray(image), expected.labels)
    shown = image.convert("RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert shown.tobytes() == load(data).convert(shown.mode).tobytes()
    assert image.draft(mode, None) is None  # as the labels are loaded


def saved_and_opened(image, name):
    file = io.BytesIO()
    image.save(file, name)
    return Image.open(file)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_the_alpha_of_a_draft_outlives_copies_and_files(mode, loaded):
    data = save(smooth(mode="RGBA").convert(mode), k=20)
    image = Image.open(io.BytesIO(data))
    image.draft("P", None)
    if loaded:
        image.load()
    expected = load(data).convert("RGBA").tobytes()
    assert len(set(load(data).getchannel("A").tobytes())) > 5
    others = [pickle.loads(pickle.dumps(image)), copy.deepcopy(image), copy.copy(image), image.copy()]
    for other in (image, *others, saved_and_opened(image, "PNG"), saved_and_opened(image, "KMC")):
        assert other.mode == "P"
        assert other.has_transparency_data
        assert np.array_equal(np.asarray(other), kmc_format.decode(data).labels)
        assert other.convert("RGBA").tobytes() == expected


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_draft_may_be_taken_back(mode):
    data = save(smooth(mode=mode), k=20)
    image = Image.open(io.BytesIO(data))
    image.draft("P", None)
    assert image.draft(mode, (9, 9)) == (mode, (0, 0, 96, 64))
    assert image.tobytes() == load(data).tobytes()
    assert image.palette is None
    assert image.info == {"k": 20}


def test_draft_changes_nothing_where_a_palette_cannot_hold_the_codebook():
    numbers = Image.fromarray(np.arange(100, dtype=np.uint16).reshape(10, 10))
    for data in (save(smooth(), k=257), save(numbers)):
        image = Image.open(io.BytesIO(data))
        assert image.draft("P", None) is None
        assert image.mode == load(data).mode
        assert image.tobytes() == load(data).tobytes()
    image = Image.open(io.BytesIO(save(smooth(), k=5)))
    for mode in ("L", None, "CMYK"):
        assert image.draft(mode, (20, 20)) is None
    image.thumbnail((30, 30))  # which asks for a draft of a smaller size
    assert (image.mode, image.size) == ("RGB", (30, 20))


def test_a_draft_of_damage_is_an_oserror():
    data = save(smooth(), k=20)
    image = Image.open(io.BytesIO(data[:-20]))
    image.draft("P", None)
    for _ in range(2):
        with pytest.raises(OSError, match="truncated"):
            image.load()


def test_saving_a_draft_keeps_the_labels():
    image = Image.open(io.BytesIO(save(smooth(), k=20)))
    image.draft("P", None)
    opened = load(save(image))
    assert opened.mode == "P"
    assert opened.tobytes() == image.tobytes()
    assert opened.getpalette() == image.getpalette()
