"""Many files in one go: what is written where, what is left alone, and what comes of those that fail."""

import multiprocessing
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from support import SAMPLES, mostly_slow, smooth

import kmc_format
from kmc_format import batch
from kmc_format._batch import counting
from kmc_format._pillow import saving


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Work in this process, where nothing else is asked for: starting others takes long."""
    monkeypatch.setenv("KMC_THREADS", "1")


@pytest.fixture
def tree(tmp_path):
    """A folder of images, with one below, a file that is no image, and one that cannot be read."""
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    for n, name in enumerate(["a.png", "b.JPG", "below/c.webp"]):
        smooth((32 + n, 24)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def errors(records):
    return {Path(record.source).name: record.error for record in records if record.error}


def test_each_file_beside_its_source(tree):
    records = batch.encode([tree], k=8)
    assert errors(records) == {}
    assert names(tree) == ["a.kmc", "a.png", "b.JPG", "b.kmc", "below/c.webp", "notes.txt"]
    [record] = [record for record in records if record.source.endswith("a.png")]
    assert record.bytes_in == (tree / "a.png").stat().st_size
    assert record.bytes_out == (tree / "a.kmc").stat().st_size
    assert record.seconds > 0
    data = kmc_format.encode(smooth((32, 24)), k=8)
    assert kmc_format.decode(tree / "a.kmc") == kmc_format.decode(data)
    assert record.bytes_out == len(data) + 9  # which tell the options
    batch.encode([tree / "a.png"], force=True)
    assert (tree / "a.kmc").read_bytes() == kmc_format.encode(smooth((32, 24)))


@pytest.mark.parametrize("jobs", mostly_slow([1, 2], [1]))
def test_a_tree_is_mirrored(tree, tmp_path, jobs):
    made = batch.encode([tree], tmp_path / "out", recursive=True, jobs=jobs, k=8)
    assert len(made) == 3
    assert errors(made) == {}
    assert names(tmp_path / "out") == ["a.kmc", "b.kmc", "below/c.kmc"]
    made = batch.decode([tmp_path / "out"], tmp_path / "back", recursive=True, jobs=jobs)
    assert errors(made) == {}
    assert names(tmp_path / "back") == ["a.png", "b.png", "below/c.png"]
    for name in ("a", "b", "below/c"):
        with (
            Image.open(tmp_path / "out" / f"{name}.kmc") as one,
            Image.open(tmp_path / "back" / f"{name}.png") as other,
        ):
            assert np.array_equal(one, other)
    assert names(tree) == ["a.png", "b.JPG", "below/c.webp", "notes.txt"]


def test_patterns_and_files(tree, tmp_path):
    made = batch.encode([f"{tree}/**/*.webp", tree / "a.png"], tmp_path / "out")
    assert errors(made) == {}
    assert names(tmp_path / "out") == ["a.kmc", "below/c.kmc"]
    with pytest.raises(FileNotFoundError, match="No file matches"):
        batch.encode([f"{tree}/*.bmp"])
    odd = tree / "[x].png"
    smooth().save(odd)
    assert errors(batch.encode([odd])) == {}
    assert (tree / "[x].kmc").exists()


def test_the_name_of_one_file(tree, tmp_path):
    assert errors(batch.encode([tree / "a.png"], tmp_path / "new" / "x.kmc")) == {}
    assert errors(batch.decode([tmp_path / "new" / "x.kmc"], tmp_path / "y.tiff")) == {}
    with Image.open(tmp_path / "y.tiff") as image:
        assert image.format == "TIFF"
    with pytest.raises(ValueError, match="name of a file, and not for 2 files"):
        batch.encode([tree], tmp_path / "x.kmc")
    with pytest.raises(ValueError, match=r"not for a \.kmc file"):
        batch.encode([tree / "a.png"], tmp_path / "x.png")
    with pytest.raises(ValueError, match="none that Pillow writes"):
        batch.decode([tree], format="xyz")


def skipped(records):
    assert errors(records) == {}
    return [record.skipped for record in records]


def test_what_is_up_to_date_is_left_alone(tree):
    assert skipped(batch.encode([tree], k=8)) == [False, False]
    before = (tree / "a.kmc").stat().st_mtime_ns
    assert skipped(batch.encode([tree], k=8, jobs=2, rdo=0, threads=3)) == [True, True]
    assert (tree / "a.kmc").stat().st_mtime_ns == before
    os.utime(tree / "a.png", ns=(before + 1, before + 1))
    assert skipped(batch.encode([tree], k=8)) == [False, True]
    assert skipped(batch.encode([tree], k=8, force=True)) == [False, False]


def test_what_was_asked_is_part_of_being_up_to_date(tree):
    codebook = kmc_format.train_codebook([tree / "a.png", tree / "b.JPG"], 6)
    other = codebook.copy()
    other[0, 0] ^= 1
    asked = [
        *({"k": 8}, {"k": 4}, {}, {"quality": 50}, {"quality": 51}, {"rdo": 4}, {"dither": 0.5}),
        *({"k": 4, "random_state": 1}, {"k": 4, "space": "oklab"}, {"k": 4, "keep": ["red"]}, {"tile": 16}),
        *({"max_bytes": 900}, {"quality": 50, "max_error": 20}, {"codebook": codebook}, {"codebook": other}),
        *(
            {"effort": 0},
            {"strip": True},
            {"icc_profile": None},
            {"xmp": b"<x/>"},
            {"dpi": (72, 72)},
            {"dpi": (72, 96)},
        ),
    ]
    for options in [*asked, *asked[:2]]:
        assert skipped(batch.encode([tree / "a.png"], **options)) == [False], options
        assert skipped(batch.encode([tree / "a.png"], **options)) == [True], options
        with Image.open(tree / "a.kmc") as image:  # the digest is nobody else's matter
            assert image.info.keys() <= {"k", "rdo", "xmp", "dpi"}
        assert (tree / "a.kmc").stat().st_size <= options.get("max_bytes", 9999)
    assert skipped(batch.encode([tree / "a.png"], k=8, keep=iter(["red"]))) == [False]
    for keep in (["red"], {"red"}, {"red": "a key"}.keys()):
        assert skipped(batch.encode([tree / "a.png"], k=8, keep=keep)) == [True]


def test_files_that_do_not_tell_their_options_count_as_made_without(tree):
    kmc_format.write(tree / "a.kmc", smooth((32, 24)), k=5)
    assert skipped(batch.encode([tree / "a.png"])) == [True]
    assert skipped(batch.encode([tree / "a.png"], k=6)) == [False]
    (tree / "a.kmc").write_bytes((tree / "a.kmc").read_bytes()[:20])
    assert skipped(batch.encode([tree / "a.png"], k=6)) == [False]


def test_what_is_named_is_written(tree):
    named = tree / "x.kmc"
    assert skipped(batch.encode([tree / "a.png"], named)) == [False]
    assert skipped(batch.encode([tree / "b.JPG"], named)) == [False]
    assert kmc_format.read_header(named).size == (33, 24)


def test_decoding_does_not_replace_an_original(tree):
    original = (tree / "a.png").read_bytes()
    assert errors(batch.encode([tree / "a.png"], k=8)) == {}
    assert "older" in errors(batch.decode([tree / "a.kmc"]))["a.kmc"]
    assert (tree / "a.png").read_bytes() == original
    assert errors(batch.decode([tree / "a.kmc"], force=True)) == {}
    assert (tree / "a.png").read_bytes() != original


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_frames_come_and_go(tmp_path, suffix):
    shown = [smooth().rotate(90 * n).quantize(16).convert("RGB") for n in range(3)]
    source, times = tmp_path / f"in/many.{suffix}", [40, 70, 100]
    source.parent.mkdir()
    shown[0].save(source, save_all=True, append_images=shown[1:], duration=times, loop=3, lossless=True)
    assert not errors(batch.encode([source], tmp_path, k=256))
    with Image.open(tmp_path / "many.kmc") as image:
        assert (image.n_frames, image.info["loop"]) == (3, 3)
    assert not errors(batch.decode([tmp_path / "many.kmc"], tmp_path / "out", format=suffix))
    with Image.open(tmp_path / f"out/many.{suffix}") as back, Image.open(source) as image:
        assert back.n_frames == 3
        for number in range(3):
            image.seek(number)
            back.seek(number)
            back.load()
            assert back.convert("RGB").tobytes() == image.convert("RGB").tobytes()
            assert round(back.info["duration"]) == times[number]
    found = errors(batch.decode([tmp_path / "many.kmc"], tmp_path / "out", format="jpg"))
    assert found["many.kmc"] == "has 3 frames, which JPEG does not hold; gif, png and webp do"
    assert len(batch.train_codebook([source], k=200)) > len(
        batch.train_codebook([image_of(shown[0], tmp_path)], k=200)
    )


def image_of(image, folder):
    image.save(folder / "first.png")
    return folder / "first.png"


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_others_are_done_when_some_fail(tree, jobs):
    (tree / "broken.png").write_bytes((tree / "a.png").read_bytes()[:80])
    (tree / "empty.png").write_bytes(b"")
    found = errors(batch.encode([tree, tree / "missing.png"], k=8, jobs=jobs))
    assert found.keys() == {"broken.png", "empty.png", "missing.png"}
    assert found["missing.png"] == "No such file or directory"
    assert "cannot identify" in found["empty.png"]
    assert all("\n" not in error for error in found.values())
    assert [name for name in names(tree) if name.endswith(".kmc")] == ["a.kmc", "b.kmc"]


def test_no_two_files_become_one(tree):
    smooth().save(tree / "a.gif")
    found = errors(batch.encode([tree, tree / "b.JPG"]))
    assert found["a.png"] == f"{tree / 'a.kmc'} is what {tree / 'a.gif'} becomes, too"
    assert "becomes, too" in found["b.JPG"]
    kept = (tree / "a.kmc").read_bytes()
    assert "itself" in errors(batch.encode([tree / "a.kmc"], k=2))["a.kmc"]
    assert (tree / "a.kmc").read_bytes() == kept
    assert errors(batch.encode([tree / "a.kmc"], tree / "out", k=2)) == {}


def test_a_folder_that_cannot_be_written(tree, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = errors(batch.encode([tree], tmp_path / "file" / "out"))
    assert found.keys() == {"a.png", "b.JPG"}
    assert (tmp_path / "file").read_text() == "in the way"


def test_wrong_options_come_before_any_work(tree):
    for options in ({"k": 0}, {"quality": 101}, {"keep": ["no colour"]}, {"k": 2, "codebook": SAMPLES[0]}):
        with pytest.raises(ValueError, match=next(iter(options))):
            batch.encode([tree], **options)
    with pytest.raises(ValueError, match="threads"):
        batch.encode([tree], jobs=0)
    with pytest.raises(FileNotFoundError):
        batch.encode([tree], codebook=tree / "missing.kmc")
    assert not [name for name in names(tree) if name.endswith(".kmc")]


def test_options_of_every_kind(tree):
    batch.encode([tree / "a.png"], k=8)
    made = batch.encode([tree / "b.JPG"], codebook=tree / "a.kmc", effort=2, tile=(16, 12), jobs=2)
    assert errors(made) == {}
    header = kmc_format.read_header(tree / "b.kmc")
    assert (header.tile_size, header.k) == ((16, 12), 8)
    for options in ({"keep": ["red"]}, {"space": "oklab"}, {"max_bytes": 400}, {"dither": 0.5}):
        assert errors(batch.encode([tree / "a.png"], force=True, k=8, **options)) == {}


def test_metadata_goes_both_ways(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "described"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    smooth().save(tmp_path / "x.jpg", exif=exif, icc_profile=profile, dpi=(300, 200), xmp=b"<x/>")
    assert errors(batch.encode([tmp_path / "x.jpg"])) == {}
    assert errors(batch.decode([tmp_path / "x.kmc"], format="jpg", output=tmp_path / "back")) == {}
    for path in ("x.kmc", "back/x.jpg"):
        with Image.open(tmp_path / path) as image:
            assert image.getexif()[0x010E] == "described"
            assert image.info["icc_profile"] == profile
            assert image.info["dpi"] == pytest.approx((300, 200))
            assert image.info["xmp"] == b"<x/>"
    assert errors(batch.encode([tmp_path / "x.jpg"], strip=True, force=True)) == {}
    assert kmc_format.read_header(tmp_path / "x.kmc").metadata == {}


def test_a_resolution_that_is_none_is_left_out(tmp_path):
    smooth().save(tmp_path / "x.bmp", dpi=(0, 0))
    assert errors(batch.encode([tmp_path / "x.bmp"])) == {}
    assert "dpi" not in kmc_format.read_header(tmp_path / "x.kmc").metadata


def test_integers_are_not_cut_off(tmp_path):
    for name, value in (("small", 65_535), ("large", 65_536)):
        kmc_format.write(tmp_path / f"{name}.kmc", np.array([[0, value]], np.int32))
    found = errors(batch.decode([tmp_path]))
    assert found == {"large.kmc": "has values from 0 to 65536, which only tiff holds"}
    with Image.open(tmp_path / "small.png") as image:
        assert np.asarray(image).tolist() == [[0, 65_535]]
    assert errors(batch.decode([tmp_path / "large.kmc"], format="tiff")) == {}
    with Image.open(tmp_path / "large.tiff") as image:
        assert np.asarray(image).tolist() == [[0, 65_536]]


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    """A folder with the sample images as KMC files."""
    folder = tmp_path_factory.mktemp("exact")
    assert errors(batch.encode(SAMPLES, folder, k=65536, effort=0)) == {}
    return folder


@pytest.mark.parametrize("suffix", mostly_slow(["png", "tiff", "webp"], ["png"]))
def test_decoding_loses_nothing(tmp_path, exact, suffix):
    found = errors(batch.decode([exact], tmp_path / suffix, format=suffix))
    assert found.keys() == ({"instances.kmc"} if suffix == "webp" else set())  # it has no 16 bits
    for path in (tmp_path / suffix).iterdir():
        with Image.open(path) as back, Image.open(exact / f"{path.stem}.kmc") as stored:
            mode = stored.mode if stored.mode.startswith("I") else "RGBA"
            assert np.array_equal(back.convert(mode), stored.convert(mode)), path.name


def test_pictures_of_any_size(tmp_path, monkeypatch):
    smooth((64, 64)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "any-size opens it" in errors(batch.encode([tmp_path]))["x.png"]
    assert errors(batch.encode([tmp_path], any_size=True)) == {}
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_warnings_are_of_a_file(tree, monkeypatch):
    def encode_image(image, options):
        if image.format == "PNG":
            warnings.warn("odd", stacklevel=1)
        return b"data"

    monkeypatch.setattr(saving, "encode_image", encode_image)
    assert [record.warnings for record in batch.encode([tree])] == [("odd",), ()]


@pytest.mark.slow
def test_the_same_bytes_in_any_number_of_processes(tmp_path):
    for jobs in (1, 2):
        found = errors(batch.encode(SAMPLES, tmp_path / str(jobs), jobs=jobs, quality=60))
        assert found.keys() == {"instances.png", "mask.png"}  # which are labels
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_a_process_that_is_killed(tmp_path):
    for n in range(12):
        smooth((300, 300)).save(tmp_path / f"{n}.png")
    records = []
    for record in batch.encode_each([tmp_path], jobs=2, k=64):
        records.append(record)
        if len(records) == 1:
            multiprocessing.active_children()[0].kill()
    found = errors(records)
    assert len(records) == 12
    assert found
    assert set(found.values()) == {"a process was killed, perhaps as memory ran out"}
    for record in records:
        if not record.error:
            kmc_format.decode(record.target)


def test_a_format_that_loses_colours_is_an_error(tmp_path):
    kmc_format.write(tmp_path / "x.kmc", smooth(), k=2000)
    found = errors(batch.decode([tmp_path], format="gif"))
    assert found == {"x.kmc": "is mode RGB, which GIF does not hold exactly; png and tiff do"}
    assert names(tmp_path) == ["x.kmc"]
    assert errors(batch.decode([tmp_path], format="jpg")) == {}
    assert errors(batch.decode([tmp_path], format="pdf")) == {}


# --- One codebook for all -------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_codebook(tree, monkeypatch, jobs):
    monkeypatch.setattr(counting, "_GROUP", 2)
    files = [tree / "a.png", tree / "b.JPG", tree / "below" / "c.webp"]
    found = batch.train_codebook([tree], 20, recursive=True, jobs=jobs)
    assert np.array_equal(found, kmc_format.train_codebook(files, 20))
    assert errors(batch.encode([tree], recursive=True, codebook=found)) == {}
    for path in tree.rglob("*.kmc"):
        assert np.array_equal(kmc_format.read_header(path).codebook, found)


@pytest.mark.parametrize("jobs", [1, 2])
def test_images_that_cannot_be_read_are_left_out(tree, monkeypatch, jobs):
    monkeypatch.setattr(counting, "_GROUP", 1)
    (tree / "broken.png").write_bytes(b"no picture")
    (tree / "many.gif").write_bytes(b"")
    (tree / "empty").mkdir()
    with pytest.warns(UserWarning, match="2 of 4 images are not in the codebook; .*: cannot identify"):
        found = batch.train_codebook([tree], 20, jobs=jobs)
    assert np.array_equal(found, kmc_format.train_codebook([tree / "a.png", tree / "b.JPG"], 20))
    with pytest.raises(ValueError, match="at least one"), pytest.warns(UserWarning, match="1 of 1"):
        batch.train_codebook([tree / "broken.png"])
    with pytest.raises(ValueError, match="at least one"):
        batch.train_codebook([tree / "empty"])
    with pytest.raises(ValueError, match="k must be"):
        batch.train_codebook([tree], 0)
