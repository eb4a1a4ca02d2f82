"""What is said of files and pictures is true."""

import json

import numpy as np
import pytest
from PIL import Image
from support import GOLDEN, SAMPLES, mostly_slow, smooth

import kmc_format
from kmc_format import metrics, report

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
    assert found["bits_per_pixel"] == pytest.approx(8 * found["bytes"] / (found["width"] * found["height"]))
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
