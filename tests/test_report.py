"""What is said of files and pictures is true."""

import json

import numpy as np
import pytest
from PIL import Image
from support import GOLDEN, SAMPLES, mostly_slow, smooth

import kmc_format
from kmc_format import metrics, report
from kmc_format._format.frame_writing import FrameWriter
from kmc_format._options.options import SaveOptions

GOLDEN_FILES = sorted(GOLDEN.glob("*.kmc"))


@pytest.mark.parametrize(
    "path",
    mostly_slow([*SAMPLES, *GOLDEN_FILES], [*SAMPLES, *GOLDEN_FILES[::10]]),
    ids=lambda path: path.name,
)
def test_the_parts_of_a_file_are_all_of_it(tmp_path, path):
    if path.suffix != ".kmc":
        with Image.open(path) as image:
            kmc_format.write(tmp_path / "x.kmc", image, tile=100)
        path = tmp_path / "x.kmc"
    found = report.describe(path, codebook=True)
    header = kmc_format.read_header(path)
    assert sum(found["parts"].values()) == found["bytes"] == path.stat().st_size
    assert all(size >= 0 for size in found["parts"].values())
    assert (found["width"], found["height"]) == header.size
    assert (found["mode"], found["k"], found["tiles"]) == (header.mode, header.k, header.tiles)
    pixels = found["width"] * found["height"] * found.get("frames", 1)
    assert found["bits_per_pixel"] == pytest.approx(8 * found["bytes"] / pixels)
    assert len(found["codebook"]) == found["k"]
    assert json.loads(json.dumps(found))["k"] == header.k


def test_metadata_among_the_parts(tmp_path):
    smooth().save(tmp_path / "x.kmc", k=4, exif=b"Exif\0\0more", xmp=b"<x/>", dpi=(72, 72), rdo=3.0)
    found = report.describe(tmp_path / "x.kmc")
    assert (found["parts"]["exif"], found["parts"]["xmp"]) == (10, 4)
    assert (found["dpi"], found["rdo"]) == ((72.0, 72.0), 3.0)


def test_colours_are_those_that_are_seen(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "x.kmc", transparency=1)
    assert report.describe(tmp_path / "x.kmc", codebook=True)["codebook"] == ["#ff0000ff", "#00ff0000"]
    kmc_format.write(tmp_path / "y.kmc", np.array([[70000, -1]], np.int32))
    assert report.describe(tmp_path / "y.kmc", codebook=True)["codebook"] == ["-1", "70000"]
    kmc_format.write(tmp_path / "z.kmc", np.array([[7, 8]], np.uint8), effort=0)
    assert report.describe(tmp_path / "z.kmc", codebook=True)["codebook"] == ["#070707", "#080808"]


def test_damage_is_found(tmp_path):
    data = bytearray(kmc_format.encode(smooth(), k=16, tile=32))
    for name, part in (("cut", data[:-1]), ("changed", data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(kmc_format.KMCError):
            report.describe(tmp_path / name)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_picture_is_compared_with_what_it_becomes(tmp_path, path):
    found = report.compare(path, k=8)
    with Image.open(path) as image:
        kmc_format.write(tmp_path / "x.kmc", image, k=8)
        kept = report.compare(path, tmp_path / "x.kmc")
        assert kept.numbers == {**found.numbers, "compressed": str(tmp_path / "x.kmc")}
        with Image.open(tmp_path / "x.kmc") as compressed:
            assert found.numbers["mse"] == metrics.mse(image, compressed)
            assert found.numbers["exact"] == (found.numbers["mse"] == 0)
            if not found.numbers["exact"]:
                assert found.numbers["psnr"] == metrics.psnr(image, compressed)
                assert found.numbers["ssim"] == metrics.ssim(image, compressed)
    assert found.numbers["bytes"] == (tmp_path / "x.kmc").stat().st_size
    assert found.numbers["original_bytes"] == path.stat().st_size
    assert found.numbers["k"] == len(found.codebook)


def test_a_file_is_opened_once_to_be_compared_with_what_it_becomes(tmp_path, monkeypatch):
    smooth().save(tmp_path / "x.png")
    opened, open_image = [], Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(file) or open_image(file))
    report.compare(tmp_path / "x.png", k=8)
    assert opened.count(tmp_path / "x.png") == 1


def test_pictures_without_files_compare_too(tmp_path):
    smooth().save(tmp_path / "x.png")
    by_path = report.compare(tmp_path / "x.png", k=8)
    indexed = kmc_format.quantize(smooth(), 8)
    for original in (smooth(), np.asarray(smooth()), Image.open(tmp_path / "x.png")):
        found = report.compare(original, k=8)
        assert found.numbers == {**by_path.numbers, "original": None, "original_bytes": None}
        for compressed in (indexed, indexed.expand(), Image.fromarray(indexed.expand())):
            other = report.compare(original, compressed).numbers
            absent = dict.fromkeys(["bytes", "bits_per_pixel"])
            assert other == {**found.numbers, **absent}
    assert report.compare(indexed).numbers["exact"]
    with pytest.raises(TypeError, match=r"pass PIL\.Image\.open\(io\.BytesIO\(data\)\)"):
        report.compare(indexed, b"data")


def test_pictures_that_are_no_kmc_compare_too(tmp_path):
    smooth((300, 300)).save(tmp_path / "x.png")
    smooth((300, 300)).save(tmp_path / "x.jpg", quality=30)
    assert report.compare(tmp_path / "x.png", tmp_path / "x.jpg").numbers["psnr"] > 20
    smooth((299, 300)).save(tmp_path / "y.png")
    with pytest.raises(ValueError, match="do not compare"):
        report.compare(tmp_path / "x.png", tmp_path / "y.png")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    found = report.compare(tmp_path / "noise.png", tmp_path / "noise.png")
    assert found.codebook is found.numbers["k"] is None


def turning(count=5):
    """Return frames of one picture that turns; none is as the one before, which PNG would join."""
    return [smooth().rotate(10 * number) for number in range(count)]


def animate(path, frames, **options):
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, **options)
    return path


@pytest.mark.parametrize("frame", range(5))
def test_frames_are_compared_one_by_one(tmp_path, frame):
    frames = turning()
    apng, kmc = animate(tmp_path / "x.png", frames), animate(tmp_path / "x.kmc", frames, k=8)
    found = report.compare(apng, kmc, frame=frame)
    with Image.open(kmc) as opened:
        opened.seek(frame)
        assert (found.pictures[1] == np.asarray(opened)).all()
        assert found.numbers["psnr"] == metrics.psnr(frames[frame], opened)
    assert (found.pictures[0] == np.asarray(frames[frame])).all()
    numbers = {"frames": 5, "frame": frame, "frames_changed": 5, "bytes": kmc.stat().st_size, "k": 8}
    assert {name: found.numbers[name] for name in numbers} == numbers
    assert found.numbers["original_bytes"] == apng.stat().st_size
    assert found.numbers["bits_per_pixel"] == 8 * kmc.stat().st_size / (5 * 96 * 64)
    assert f", frame {frame} of 5" in found.captions[0]
    made = report.compare(apng, frame=frame, k=8)
    assert made.numbers == {**found.numbers, "compressed": None}
    assert (made.pictures[1] == found.pictures[1]).all()


def test_frames_that_changed_are_counted(tmp_path):
    frames = turning()
    changed = [frame.copy() for frame in frames]
    for number in (1, 4):
        changed[number].putpixel((3, 3), (1, 2, 3))
    one, other = animate(tmp_path / "x.png", frames), animate(tmp_path / "y.png", changed)
    assert report.compare(one, one).numbers["frames_changed"] == 0
    found = [report.compare(one, other, frame=frame).numbers for frame in range(5)]
    assert [numbers["frames_changed"] for numbers in found] == [2] * 5
    assert [numbers["exact"] for numbers in found] == [True, False, True, True, False]


def test_an_open_image_shows_afterwards_what_it_showed(tmp_path):
    with Image.open(animate(tmp_path / "x.kmc", turning())) as opened:
        opened.seek(3)
        shown = np.asarray(opened)
        numbers = report.compare(opened, opened, frame=1).numbers
        assert (opened.tell(), numbers["frame"], numbers["exact"]) == (3, 1, True)
        assert (np.asarray(opened) == shown).all()
        list(report.sweep(opened, [2]))
        assert opened.tell() == 3


def test_a_new_codebook_is_that_of_its_frame(tmp_path):
    pictures = [kmc_format.quantize(smooth(), k) for k in (5, 9, 9)]
    with (tmp_path / "x.kmc").open("wb") as file:
        writer = FrameWriter(file, SaveOptions().layout((96, 64)), {}, 0)
        for picture in pictures:
            writer.add(picture, 40)
        writer.close()
    for frame, picture in enumerate(pictures):
        found = report.compare(tmp_path / "x.kmc", tmp_path / "x.kmc", frame=frame)
        assert (found.codebook == picture.codebook).all()
        assert (found.numbers["k"], found.numbers["frames_changed"]) == (picture.k, 0)


def test_frames_that_do_not_compare(tmp_path):
    whole = animate(tmp_path / "x.png", turning())
    short, still = animate(tmp_path / "y.png", turning(4)), tmp_path / "z.png"
    smooth().save(still)
    with pytest.raises(ValueError, match="pictures of 5 frames and of 4 frames do not compare"):
        report.compare(whole, short)
    with pytest.raises(ValueError, match="pictures of 1 frame and of 5 frames do not compare"):
        report.compare(still, whole)
    for given in ((whole, whole), (whole,)):
        for frame in (-1, 5):
            with pytest.raises(IndexError, match=f"there is no frame {frame}: .* has frames 0 to 4"):
                report.compare(*given, frame=frame)
    with pytest.raises(IndexError, match="there is no frame 1: the picture has one picture, frame 0"):
        report.compare(still, frame=1)
    with pytest.raises(TypeError, match="frame must be an int"):
        report.compare(whole, frame=1.0)


def test_frames_that_are_all_equal_are_compared_with_the_plain_picture_they_become(tmp_path):
    frame = Image.open(SAMPLES[0]).convert("P")
    frames = [frame] * 3
    path = animate(tmp_path / "x.tiff", frames)
    with Image.open(path) as opened:
        assert opened.n_frames == 3
    found = report.compare(path, frame=2).numbers
    assert (found["frames"], found["frames_changed"], found["exact"]) == (3, 0, True)
    with Image.open(path) as opened:
        [row] = report.sweep(opened, [256])
    assert (row["psnr"], row["bytes"]) == (None, found["bytes"])


def test_a_sweep_takes_all_frames(tmp_path):
    frames = turning()
    path = animate(tmp_path / "x.png", frames)
    with Image.open(path) as opened:
        rows = list(report.sweep(opened, [2, 9], effort=0))
    for row in rows:
        kmc = animate(tmp_path / "x.kmc", frames, k=row["k"], effort=0)
        assert (row["bytes"], row["colours"]) == (kmc.stat().st_size, row["k"])
        assert row["bits_per_pixel"] == 8 * row["bytes"] / (5 * 96 * 64)
        with kmc_format.open_frames(kmc) as film:
            errors = [metrics.mse(one, other.expand()) for one, other in zip(frames, film, strict=True)]
        assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))


def test_differences_that_have_no_decibels():
    large = np.array([[0, 70000]], np.int32)
    assert report.difference(large, large) == {"exact": True, "mse": 0, "psnr": None, "ssim": None}
    found = report.difference(large, large + 2)
    assert found == {"exact": False, "mse": 4, "psnr": None, "ssim": None}


def test_a_map_of_the_error():
    one, other = smooth(), smooth().rotate(1)
    found = metrics.error_map(one, other)
    assert found.shape == (64, 96)
    assert np.mean(found**2) == pytest.approx(metrics.mse(one, other))
    clear = np.zeros((2, 2, 4), np.uint8)
    assert not metrics.error_map(clear, clear + np.array([9, 9, 9, 0], np.uint8)).any()


@pytest.mark.parametrize("option", mostly_slow(["k", "quality"], ["k"]))
def test_a_sweep_gives_what_saving_gives(option):
    image = smooth()
    values = [8, 2, 40]
    rows = list(report.sweep(image, values, option, effort=0))
    assert [row[option] for row in rows] == values
    for value, row in zip(values, rows, strict=True):
        data = kmc_format.encode(image, **{option: value}, effort=0)
        picture = kmc_format.decode(data)
        assert (row["bytes"], row["colours"]) == (len(data), picture.k)
        assert row["psnr"] == metrics.psnr(image, picture.expand())
        assert min(row["encode_seconds"], row["decode_seconds"]) > 0


def test_a_sweep_of_an_exact_picture():
    [row] = report.sweep(np.eye(8, dtype=np.uint8), [5])
    assert (row["k"], row["colours"], row["psnr"]) == (5, 2, None)


def test_a_sweep_checks_its_options_first():
    with pytest.raises(ValueError, match="effort"):
        next(report.sweep(smooth(), [2], effort=3))
