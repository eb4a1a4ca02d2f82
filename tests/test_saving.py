"""KMC saves as Pillow's own formats do: metadata, frames, habits of programs that save every format."""

import io
import os
import re
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin
from support import load, same, save, smooth

import kmc_format

FILE = save(smooth(), k=20, tile=40)  # six tiles
PIXELS = kmc_format.decode(FILE).expand()


# --- Files ----------------------------------------------------------------------------------------


def test_save_to_everything(tmp_path):
    image, expected = smooth(), save(smooth(), k=5)
    image.save(str(tmp_path / "a.kmc"), k=5)
    image.save(os.fsencode(tmp_path / "b.kmc"), k=5)
    image.save(tmp_path / "c.KMC", k=5)
    with (tmp_path / "d.kmc").open("wb") as file:
        image.save(file, k=5)
        assert not file.closed
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {expected}
    assert len(list(tmp_path.iterdir())) == 4


def test_save_to_and_open_from_a_pipe():
    script = """
import sys, kmc_format
from PIL import Image
print(Image.open(sys.stdin.buffer).convert("L").size)
"""
    command, pipe = [sys.executable, "-P", "-c", script], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        smooth().save(process.stdin, "KMC", k=5)
        process.stdin.close()
        assert process.stdout.read().strip() == b"(96, 64)"


def test_saving_over_the_file_being_read(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    expected = load(FILE)
    image = Image.open(path)
    image.save(path)
    with Image.open(path) as opened:
        assert same(opened, expected)


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"k": 0}, ValueError),
        ({"k": "many"}, TypeError),
        ({"tile": 0}, ValueError),
        ({"dpi": (0, 72)}, ValueError),
        ({"dpi": (-1, -1)}, ValueError),
        ({"dpi": 0}, TypeError),
        ({"exif": 5}, TypeError),
        ({"random_state": -1}, ValueError),
    ],
)
def test_a_bad_option_leaves_nothing_behind(tmp_path, option, error):
    with pytest.raises(error, match=next(iter(option))):
        smooth().save(tmp_path / "new.kmc", **option)
    assert not list(tmp_path.iterdir())
    file = io.BytesIO(b"what was there")
    with pytest.raises(error):
        smooth().save(file, "KMC", **option)
    assert file.getvalue() == b"what was there"


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_empty_image(size):
    with pytest.raises(ValueError, match="empty"):
        save(Image.new("RGB", size))


def test_options_of_other_formats_are_ignored():
    foreign = {"subsampling": 2, "optimize": True, "compress_level": 3, "lossless": True}
    assert save(smooth(), k=5, **foreign) == save(smooth(), k=5)


def test_saving_again_loses_nothing():
    image = load(save(smooth((128, 64)), k=1000))
    assert image.info["k"] == 1000
    assert same(load(save(image)), image)
    turned = image.transpose(Image.Transpose.ROTATE_90)
    assert same(load(save(turned)), turned)
    assert load(save(smooth(), k=8)).info["k"] == 8
    assert load(save(load(save(smooth(), k=8)))).info["k"] == 8


def test_the_default_k_is_256():
    assert load(save(smooth())).info["k"] == 256
    numbers = Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30))
    assert load(save(numbers)).info["k"] == 900
    assert load(save(numbers, k=12)).info["k"] == 12


# --- Metadata -------------------------------------------------------------------------------------


def test_icc_profile_by_pillows_conventions():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" not in load(save(smooth())).info
    opened = load(save(smooth(), icc_profile=profile))
    assert opened.info["icc_profile"] == profile
    assert load(save(opened)).info["icc_profile"] == profile
    assert "icc_profile" not in load(save(opened, icc_profile=None)).info
    cmyk = smooth().convert("CMYK")
    cmyk.info["icc_profile"] = profile
    assert "icc_profile" not in load(save(cmyk)).info
    assert load(save(cmyk, icc_profile=profile)).info["icc_profile"] == profile


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = smooth((20, 10))
    for given in (exif, exif.tobytes(), exif.tobytes().removeprefix(b"Exif\0\0")):
        opened = load(save(image, exif=given))
        assert opened.getexif()[0x0112] == orientation
        expected = load(save(image))
        expected.getexif()[0x0112] = orientation
        assert same(ImageOps.exif_transpose(opened), ImageOps.exif_transpose(expected))


def test_exif_and_xmp_only_when_given():
    opened = load(save(smooth(), exif=b"not exif at all", xmp=b"<x:xmpmeta/>", dpi=(72, 300.25)))
    assert opened.info["exif"] == b"not exif at all"
    assert opened.info["xmp"] == b"<x:xmpmeta/>"
    assert opened.info["dpi"] == (72.0, 300.25)
    assert load(save(opened)).info.keys() == {"k"}


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"no exif at all", b"Exif\0\0MM\0*\0\0\xff\xff", b"II*\0\x08\0\0\0\x09"]
)
def test_invalid_exif_does_no_harm(exif):
    opened = load(save(smooth(), k=20, tile=40, exif=exif))
    assert opened.info["exif"] == exif
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of corrupt EXIF data
        plain = Image.frombytes("RGB", (96, 64), smooth().tobytes())
        plain.info["exif"] = exif
        assert outcome(opened.getexif) == outcome(plain.getexif)  # whatever Pillow makes of it
        assert outcome(lambda: ImageOps.exif_transpose(opened).size) == outcome(
            lambda: ImageOps.exif_transpose(plain).size
        )
    assert np.array_equal(np.asarray(opened), PIXELS)


def outcome(function):
    try:
        return dict(result) if isinstance(result := function(), Image.Exif) else result
    except Exception as error:
        return type(error)


def test_no_exif():
    opened = load(FILE)
    assert not opened.getexif()
    assert ImageOps.exif_transpose(opened).size == (96, 64)


NO_NUMBER = TiffImagePlugin.IFDRational(0, 0)  # as Pillow reads it from a TIFF file


@pytest.mark.parametrize("dpi", [(0, 0), (0.0, 0.0), [0, 0], (float("nan"), np.nan), (NO_NUMBER,) * 2, None])
def test_a_resolution_that_is_none_is_left_out(dpi):
    for data in (save(smooth(), k=20, tile=40, dpi=dpi), kmc_format.encode(smooth(), 20, tile=40, dpi=dpi)):
        assert data == FILE


def test_xmp_may_be_text():
    for xmp in ("<x>\u00e9</x>", b"<x>\xc3\xa9</x>"):
        assert load(save(smooth(), xmp=xmp)).info["xmp"] == b"<x>\xc3\xa9</x>"
    assert save(smooth(), xmp="") == save(smooth())


def test_exif_as_a_dictionary():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "described"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:28 00:00:00"
    opened, same = load(save(smooth(), exif=exif)), io.BytesIO()
    smooth().save(same, "JPEG", exif=exif)
    with Image.open(same) as jpeg:
        assert opened._getexif() == jpeg._getexif()
    assert opened._getexif()[0x9003] == "2026:11:28 00:00:00"
    assert load(FILE)._getexif() is None


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [(0x0112, "x", "tag 274 (Orientation)"), (0x010E, object(), "ImageDescription"), (0x0112, 2**40, "274")],
)
def test_exif_that_pillow_cannot_write_is_named(tmp_path, tag, value, name):
    exif = Image.Exif()
    exif[0x0131], exif[tag] = "good", value
    smooth().save(tmp_path / "x.png")
    calls = [
        lambda: save(smooth(), exif=exif),
        lambda: kmc_format.encode(np.asarray(smooth()), exif=exif),
        lambda: kmc_format.batch.encode([tmp_path / "x.png"], exif=exif),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"^exif cannot be written by Pillow, for .*{re.escape(name)}"):
            call()
    assert not (tmp_path / "x.kmc").exists()


# --- Frames ---------------------------------------------------------------------------------------


def test_all_of_one_frame_is_saved_as_that_frame():
    for more in ({}, {"append_images": []}, {"append_images": None}):
        assert save(smooth(), k=20, tile=40, save_all=True, **more) == FILE
    assert save(load(FILE), save_all=True) == save(load(FILE))


def animation():
    file = io.BytesIO()
    smooth().save(file, "GIF", save_all=True, append_images=[smooth().rotate(180), smooth().rotate(90)])
    return Image.open(file)


def test_one_frame_of_several_is_saved_where_not_all_are_asked_for():
    image = animation()
    image.seek(1)
    assert np.array_equal(np.asarray(load(save(image)).convert("RGB")), np.asarray(image.convert("RGB")))
    assert save(smooth(), k=20, tile=40, save_all=False, append_images=[smooth((9, 9))]) == FILE


def photoshop(layers):
    """A picture of 4 x 3 pixels as a PSD file with some layers."""
    size = 4 * 3
    records, pixels = b"", b""
    for n in range(layers):
        records += struct.pack(">4iH", 0, 0, 3, 4, 3)
        records += b"".join(struct.pack(">hI", channel, 2 + size) for channel in range(3))
        records += b"8BIMnorm\xff\0\0\0" + struct.pack(">3I", 12, 0, 0) + b"\1a\0\0"
        pixels += b"".join(b"\0\0" + bytes([40 * n + channel]) * size for channel in range(3))
    info = struct.pack(">h", layers) + records + pixels
    section = struct.pack(">I", len(info)) + info + bytes(4) if layers else b""
    head = b"8BPS" + struct.pack(">H6xHIIHHII", 1, 3, 3, 4, 8, 3, 0, 0)
    return head + struct.pack(">I", len(section)) + section + b"\0\0" + bytes(range(3 * size))


def test_formats_that_miscount_their_frames(tmp_path):
    for layers in (0, 1):
        image = Image.open(io.BytesIO(photoshop(layers)))
        assert image.n_frames == layers
        assert save(image, save_all=True) == save(image)
        both = load(save(smooth((4, 3)), save_all=True, append_images=[image]))
        assert both.n_frames == 2
    for layers in range(3):
        (tmp_path / f"{layers}.psd").write_bytes(photoshop(layers))
    for record in kmc_format.batch.encode([tmp_path], jobs=1):
        assert record.error is None
        assert kmc_format.decode(record.target).expand()[0, 0].tolist() == [0, 12, 24]


# --- Options --------------------------------------------------------------------------------------


def test_a_quality_of_0_is_the_least_as_for_jpeg():
    assert save(smooth(), quality=0) == save(smooth(), quality=1)
    for wrong in (-1, 101, False):
        with pytest.raises((TypeError, ValueError), match="quality"):
            save(smooth(), quality=wrong)
