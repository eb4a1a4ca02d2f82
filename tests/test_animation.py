"""Animations in Pillow: saved, opened and gone through as those of GIF, PNG and WebP, exactly and safely."""

import copy
import gc
import io
import itertools
import os
import pickle
import tempfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, ImageSequence, UnidentifiedImageError
from support import load, mostly_slow, resealed, same, save, smooth

import kmc_format
from kmc_format import Indexed
from kmc_format._format import container, frames
from kmc_format._format.codec import layout, read_header
from kmc_format._format.container import Reader
from kmc_format._format.frame_reading import FrameReader
from kmc_format._format.frame_writing import FrameWriter
from kmc_format._format.frames import MOST_DEPTH

COLOURS = np.array([[10, 20, 30], [90, 20, 30], [10, 200, 30], [80, 80, 240], [255, 255, 255]], np.uint8)


def clip(count=5, size=(24, 18), mode="RGB"):
    """Frames of a square that moves over a background of a few colours."""
    width, height = size
    background = np.random.default_rng(1).integers(0, 4, (height, width))
    labels = []
    for number in range(count):
        plane = background.copy()
        plane[height // 3 : height // 3 + 5, number % width : number % width + 6] = 4
        labels.append(plane)
    if mode == "P":
        return [with_palette(plane, COLOURS) for plane in labels]
    if mode in ("I;16", "I"):
        return [
            Image.fromarray((1000 * plane).astype(np.uint16 if mode == "I;16" else np.int32))
            for plane in labels
        ]
    return [Image.fromarray(COLOURS[plane]).convert(mode) for plane in labels]


def with_palette(plane, colours):
    image = Image.fromarray(plane.astype(np.uint8)).convert("P")
    image.putpalette(colours.tobytes())
    return image


def animated(images, **options):
    """Save images as frames, in memory."""
    return save(images[0], **{"save_all": True, "append_images": images[1:], **options})


def opened(data):
    return Image.open(io.BytesIO(data), formats=["KMC"])


def frames_of(image):
    return [frame.copy() for frame in ImageSequence.Iterator(image)]


def all_same(images, others):
    images, others = list(images), list(others)
    return len(images) == len(others) and all(map(same, images, others))


def show(image, number):
    image.seek(number)
    image.load()


def durations(image):
    return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]


def index_of(data):
    """Return where each frame's chunk begins, the index's, and where the file ends."""
    reader = FrameReader(io.BytesIO(data), read_header(Reader(io.BytesIO(data))))
    assert len(reader) > 1
    places = reader._places
    return [*places.starts, places._frontier if not places._ended else _index_start(data), len(data)]


def _index_start(data):
    return len(data) - int.from_bytes(data[-8:-4], "big")


# --- Saving and opening ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"])
@pytest.mark.parametrize("effort", range(3))
def test_frames_of_every_mode_come_back(mode, effort):
    images = clip(6, mode=mode)
    data = animated(images, effort=effort)
    with opened(data) as image:
        assert (image.mode, image.size, image.n_frames, image.is_animated) == (mode, (24, 18), 6, True)
        assert all_same(frames_of(image), images)
        if mode == "P":
            assert all(frame.getpalette()[:15] == COLOURS.ravel().tolist() for frame in frames_of(image))


def nested(images):
    return [images[0], [images[1], [images[2]]], (image for image in images[3:])]


@pytest.mark.parametrize("given", [list, tuple, iter, lambda images: (image for image in images), nested])
def test_images_to_append_come_in_any_iterable(given):
    images = clip(6)
    assert all_same(frames_of(opened(animated(images, append_images=given(images[1:])))), images)


def test_images_to_append_alone_ask_for_all():
    images = clip(3)
    assert opened(save(images[0], append_images=images[1:])).n_frames == 3
    assert opened(save(images[0], append_images=images[1:], save_all=False)).n_frames == 1


def test_animated_images_are_appended_whole():
    images = clip(6)
    parts = [opened(animated(images[1:3])), images[3], opened(animated(images[4:]))]
    parts[0].seek(1)
    with opened(animated([images[0], *parts])) as image:
        assert all_same(frames_of(image), images)
    assert parts[0].tell() == 1
    assert same(parts[0], images[2])


def test_an_animation_is_saved_whole_and_stays_where_it_is():
    images = clip(6)
    image = opened(animated(images, duration=[10, 20, 30, 40, 50, 60], loop=7))
    image.seek(4)
    again = opened(save(image, save_all=True))
    assert all_same(frames_of(again), images)
    assert again.info["loop"] == 7
    assert durations(again) == [10, 20, 30, 40, 50, 60]
    assert image.tell() == 4


def test_without_save_all_the_frame_at_hand_is_saved():
    images = clip(4)
    image = opened(animated(images, duration=50))
    for number in (2, 0, 3):
        image.seek(number)
        data = save(image)
        assert data == save(images[number])
        assert same(load(data), images[number])


@pytest.mark.parametrize("options", [{}, {"k": 3}, {"effort": 2, "dither": 1}, {"rdo": 20}, {"tile": 9}])
def test_one_frame_or_all_equal_are_a_plain_picture(options):
    image = smooth((40, 30))
    for count in (1, 2, 5):
        data = animated([image.copy() for _ in range(count)], duration=[40] * count, loop=3, **options)
        assert data == save(image, **options)
    assert not opened(data).is_animated


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_animations_of_other_formats(suffix):
    images = clip(5)
    file = io.BytesIO()
    more = {"lossless": True} if suffix == "webp" else {}
    images[0].save(
        file, suffix, save_all=True, append_images=images[1:], duration=[30, 40, 50, 60, 70], **more
    )
    with Image.open(file) as source, opened(save(source, save_all=True)) as image:
        assert image.n_frames == 5
        for frame, expected in zip(ImageSequence.Iterator(image), images, strict=True):
            assert same(frame.convert("RGB"), expected)
        if suffix != "tiff":
            assert durations(image) == [30, 40, 50, 60, 70]
        file.seek(0)
        source.seek(3)
        assert same(load(save(source)).convert("RGB"), images[3])


def test_disposal_is_resolved():
    """Frames of a GIF that clear what they drew, or bring back what was there."""
    back = Image.new("P", (20, 10), 0)
    back.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    pieces = [back]
    for number in range(1, 4):
        piece = Image.new("P", (20, 10), 2)
        piece.putpalette(back.getpalette())
        piece.paste(1, (4 * number, 2, 4 * number + 4, 6))
        pieces.append(piece)
    for disposal in (1, 2, 3):
        file = io.BytesIO()
        pieces[0].save(
            file,
            "GIF",
            save_all=True,
            append_images=pieces[1:],
            disposal=disposal,
            transparency=2,
            duration=20,
        )
        with Image.open(file) as source:
            expected = [frame.convert("RGBA") for frame in ImageSequence.Iterator(source)]
            source.seek(0)
            found = [frame.convert("RGBA") for frame in frames_of(opened(save(source, save_all=True)))]
        assert all_same(found, expected)


@pytest.mark.parametrize("where", [0, 2])
def test_frames_of_another_size_are_named(where):
    images = clip(4)
    images[where] = images[where].crop((0, 0, 20, 18))
    with pytest.raises(ValueError, match=f"frame {where or 1} is .* pixels, and not"):
        animated(images)


# --- When they are shown --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (40, [40] * 3),
        (0, [0] * 3),
        (None, [0] * 3),
        (33.4, [33] * 3),
        (np.int64(25), [25] * 3),
        ([10, 20, 30], [10, 20, 30]),
        ((10, 10, 30), [10, 10, 30]),
        (np.array([5, 0, 2]), [5, 0, 2]),
        (2**32 - 1, [2**32 - 1] * 3),
    ],
)
def test_durations(given, expected):
    image = opened(animated(clip(3), duration=given))
    assert image.info["duration"] == expected[0]
    assert durations(image) == expected
    image.seek(2)
    assert image.info["duration"] == expected[2]
    image.seek(0)
    assert image.info["duration"] == expected[0]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (2**32, ValueError),
        ("40", TypeError),
        (b"40", TypeError),
        ("x", TypeError),
        (True, TypeError),
        (object(), TypeError),
        ([10, 20], ValueError),
        ([10] * 4, ValueError),
        ([], ValueError),
        ([10, -1, 10], ValueError),
        ([10, "x", 10], TypeError),
        ([10, None, 10], TypeError),
    ],
)
def test_wrong_durations(given, error, tmp_path):
    with pytest.raises(error, match="duration"):
        animated(clip(3), duration=given)
    images = clip(3)
    with pytest.raises(error, match="duration"):
        images[0].save(tmp_path / "x.kmc", save_all=True, append_images=images[1:], duration=given)
    assert not (tmp_path / "x.kmc").exists()


def test_images_have_durations_of_their_own():
    images = clip(3)
    for image, duration in zip(images, (70, 80, 90), strict=True):
        image.info["duration"] = duration
    assert durations(opened(animated(images))) == [70, 80, 90]
    assert durations(opened(animated(images, duration=5))) == [5, 5, 5]


def test_loop():
    images = clip(2)
    assert opened(animated(images)).info["loop"] == 0
    assert opened(animated(images, loop=5)).info["loop"] == 5
    images[0].info["loop"] = 9
    assert opened(animated(images)).info["loop"] == 9
    assert opened(animated(images, loop=0)).info["loop"] == 0
    for wrong, error in (
        (-1, ValueError),
        (2**32, ValueError),
        ("1", TypeError),
        (1.5, TypeError),
        (True, TypeError),
    ):
        with pytest.raises(error, match="loop"):
            animated(images, loop=wrong)


@pytest.mark.parametrize(("given", "expected"), [(None, 1), (0, 0), (4, 4)])
def test_a_gif_that_names_no_loop_is_shown_once(given, expected):
    images = clip(3)
    file = io.BytesIO()
    options = {} if given is None else {"loop": given}
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=50, **options)
    with Image.open(file) as source:
        assert opened(save(source, save_all=True)).info["loop"] == expected


# --- Going through --------------------------------------------------------------------------------


def test_seek_and_tell():
    images = clip(5)
    with opened(animated(images)) as image:
        assert image.tell() == 0
        for number in (3, 1, 1, 4, 0, 2):
            image.seek(number)
            assert image.tell() == number
            assert same(image, images[number])
        for wrong in (-1, 5, 10**6):
            with pytest.raises(EOFError):
                image.seek(wrong)
            assert image.tell() == 2
            assert same(image, images[2])


def test_a_sequence_can_be_gone_through_again_and_counted_from():
    images = clip(4)
    with opened(animated(images)) as image:
        for _ in range(2):
            assert all_same((frame.copy() for frame in ImageSequence.Iterator(image)), images)
        assert same(ImageSequence.Iterator(image)[2], images[2])
        with pytest.raises(IndexError):
            ImageSequence.Iterator(image)[4]
        assert all_same(ImageSequence.all_frames(image), images)


def test_what_is_done_with_a_frame():
    images = clip(4, mode="RGB")
    with opened(animated(images)) as image:
        image.seek(2)
        assert same(image.copy(), images[2])
        image.seek(1)
        assert same(image.convert("L"), images[1].convert("L"))
        image.seek(3)
        assert same(image.crop((3, 4, 20, 10)), images[3].crop((3, 4, 20, 10)))
        image.seek(2)
        assert np.array_equal(np.asarray(image), np.asarray(images[2]))
        small = images[2].copy()
        small.thumbnail((10, 10))
        copied = image.copy()
        copied.thumbnail((10, 10))
        assert same(copied, small)
        image.seek(0)
        image.putpixel((0, 0), (1, 2, 3))
        image.seek(1)
        assert same(image, images[1])
        image.seek(0)
        assert same(image, images[0])


def test_a_thumbnail_of_a_frame():
    images = clip(4)
    with opened(animated(images)) as image:
        image.seek(2)
        image.thumbnail((12, 9))
        expected = images[2].copy()
        expected.thumbnail((12, 9))
        assert same(image, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_drafts_of_frames(mode):
    images = clip(4, mode=mode)
    with opened(animated(images)) as image:
        image.seek(2)
        assert image.draft("P", None)
        assert image.mode == "P"
        assert same(image.convert(mode), images[2])
        image.seek(3)
        assert same(image.convert(mode), images[3])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_frames(protocol):
    images = clip(4)
    with opened(animated(images)) as image:
        image.seek(2)
        other = pickle.loads(pickle.dumps(image, protocol))
        assert same(other, images[2])
        assert other.tell() == 0
        assert (other.n_frames, other.is_animated) == (1, False)
        assert same(copy.deepcopy(image), images[2])
        image.seek(1)
        assert same(image, images[1])


def test_closing(tmp_path):
    images = clip(4)
    path = tmp_path / "x.kmc"
    images[0].save(path, save_all=True, append_images=images[1:])
    image = Image.open(path)
    file = image.fp
    image.seek(2)
    image.load()
    assert not file.closed  # as others may be wanted
    image.close()
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        show(image, 1)
    with Image.open(path) as image:
        file = image.fp
    assert file.closed
    kept = io.BytesIO(path.read_bytes())
    with Image.open(kept) as image:
        image.seek(3)
        image.load()
    assert not kept.closed


def test_verify():
    data = animated(clip(4))
    opened(data).verify()
    for start in index_of(data)[:-2]:
        damaged = bytearray(data)
        damaged[start + 4] ^= 1
        with pytest.raises(OSError, match="damaged"):
            opened(bytes(damaged)).verify()
    with pytest.raises(OSError, match="truncated"):
        opened(data[:-1]).verify()


# --- Options --------------------------------------------------------------------------------------


def noisy(count=6, size=(48, 40), mode="RGB"):
    """Frames of a smooth picture with a patch that moves, so that most pixels are still."""
    base = np.asarray(smooth(size).convert("RGB"))
    result = []
    for number in range(count):
        pixels = base.copy()
        pixels[5:15, 4 * number : 4 * number + 12] = base[20:30, 10:22]
        result.append(Image.fromarray(pixels).convert(mode))
    return result


def colours_of(images):
    return set(
        itertools.chain.from_iterable(
            map(tuple, np.asarray(image).reshape(-1, 3).tolist()) for image in images
        )
    )


@pytest.mark.parametrize(
    "options",
    [{"k": 8}, {"k": 8, "dither": 1}, {"k": 8, "rdo": 40}, {"quality": 40}, {"rdo": 100}, {"max_error": 12}],
)
def test_nothing_flickers(options):
    images = noisy()
    found = frames_of(opened(animated(images, **options)))
    changed = 0
    for (before, after), (was, now) in zip(
        itertools.pairwise(images), itertools.pairwise(found), strict=True
    ):
        still = (np.asarray(before) == np.asarray(after)).all(axis=2)
        assert (np.asarray(was)[still] == np.asarray(now)[still]).all()
        changed += (np.asarray(was) != np.asarray(now)).any()
    assert changed == len(images) - 1
    if "k" in options:
        assert len(colours_of(found)) <= 8
    if "max_error" in options:
        for image, other in zip(images, found, strict=True):
            assert np.abs(np.asarray(image).astype(int) - np.asarray(other)).max() <= 12


def test_few_colours_are_kept_exactly_over_all_frames():
    """Each frame has 150 colours, all of them together 256, and one more."""

    def made(total):
        labels = [np.arange(150).reshape(10, 15), (np.arange(150) + total - 150).reshape(10, 15)]
        colours = np.random.default_rng(0).permutation(2**16)[:total]
        colours = np.stack([colours >> 8, colours & 255, colours // 300], axis=1).astype(np.uint8)
        return [Image.fromarray(colours[plane]) for plane in labels]

    images = made(256)
    assert all_same(frames_of(opened(animated(images))), images)
    images = made(257)
    found = frames_of(opened(animated(images)))
    assert not all_same(found, images)
    assert len(colours_of(found)) <= 256
    assert all_same(frames_of(opened(animated(images, k=257))), images)


def test_one_codebook_is_for_all_frames():
    images = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue", "white", "lime")]
    found = frames_of(opened(animated(images, k=2)))
    assert len(colours_of(found)) == 2


def test_keep_and_codebook():
    images = noisy()
    found = frames_of(opened(animated(images, k=5, keep=[(1, 2, 3)])))
    assert len(colours_of(found) | {(1, 2, 3)}) <= 5
    image = opened(animated(images, k=5, keep=[(1, 2, 3)]))
    assert [1, 2, 3] in image.stored_codebook.tolist()
    codebook = np.array([[0, 0, 0], [255, 0, 0], [9, 250, 9], [200, 200, 255]], np.uint8)
    found = frames_of(opened(animated(images, codebook=codebook)))
    assert colours_of(found) <= set(map(tuple, codebook.tolist()))
    for image, other in zip(images, found, strict=True):
        assert same(load(save(image, codebook=codebook)), other)


def test_max_bytes():
    images = noisy()
    most = len(animated(images))
    for wanted in (most, most // 2, most // 5):
        data = animated(images, max_bytes=wanted)
        assert len(data) <= wanted
        assert opened(data).n_frames == len(images)
    with pytest.raises(ValueError, match="max_bytes=20 cannot be reached"):
        animated(images, max_bytes=20)


def test_quality_asks_for_more_or_less():
    images = noisy()
    lengths, errors = [], []
    for quality in (10, 50, 90):
        data = animated(images, quality=quality)
        lengths.append(len(data))
        found = frames_of(opened(data))
        errors.append(
            sum(
                np.square(np.asarray(a, int) - np.asarray(b, int)).mean()
                for a, b in zip(images, found, strict=True)
            )
        )
    assert lengths == sorted(lengths)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("k", mostly_slow([257, 5000, 65_536], [257]))
def test_many_colours(k):
    rng = np.random.default_rng(k)
    colours = rng.permutation(2**24)[:k].astype(np.uint32)
    colours = colours.view(np.uint8).reshape(k, 4)[:, :3]
    side = int(np.ceil(k**0.5))
    plane = np.resize(rng.permutation(k), (side, side))
    images = [Image.fromarray(colours[np.roll(plane, number, 0)]) for number in range(3)]
    with opened(animated(images, k=k)) as image:
        assert all_same(frames_of(image), images)
        assert image.info["k"] == k
        image.seek(0)
        assert all_same(frames_of(opened(save(image, save_all=True))), images)  # as its k is known


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("effort", range(3))
def test_narrow_pictures(size, effort):
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 5, (7, size[1], size[0]))
    planes[3] = planes[2]
    planes[4] = (planes[3] + 1) % 5
    images = [Image.fromarray(COLOURS[plane]) for plane in planes]
    assert all_same(frames_of(opened(animated(images, effort=effort))), images)


@pytest.mark.parametrize("tile", [7, (30, 3), (5, 100)])
@pytest.mark.parametrize("effort", range(3))
def test_tiles_and_threads(tile, effort, monkeypatch):
    monkeypatch.setattr("kmc_format._format.threads._THREAD_PIXELS", 0)
    images = clip(20)
    data = animated(images, tile=tile, effort=effort, threads=1)
    assert animated(images, tile=tile, effort=effort, threads=3) == data
    header = read_header(Reader(io.BytesIO(data)))
    assert header.tiles > 1
    assert all_same(frames_of(opened(data)), images)
    readers = [FrameReader(io.BytesIO(data), header) for _ in range(2)]
    for number in range(20):
        assert readers[0].read(number, 1) == readers[1].read(number, 3)


@pytest.mark.parametrize("first", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("second", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_modes_are_mixed(first, second):
    images = [clip(2, mode=first)[0], clip(2, mode=second)[1]]
    with opened(animated(images)) as image:
        for frame, expected in zip(ImageSequence.Iterator(image), images, strict=True):
            assert same(frame.convert("RGBA"), expected.convert("RGBA"))


@pytest.mark.parametrize(
    ("first", "second"), [("I;16", "RGB"), ("I", "L"), ("P", "I"), ("I", "I;16"), ("1", "I;16")]
)
def test_modes_that_cannot_share_a_codebook(first, second):
    images = [clip(2, mode=first)[0], clip(2, mode=second)[1]]
    with pytest.raises(ValueError, match="cannot share a codebook"):
        animated(images)


def test_a_mode_that_cannot_be_saved(tmp_path):
    images = [*clip(2), Image.new("F", (24, 18))]
    with pytest.raises(OSError, match="cannot write mode F as KMC"):
        animated(images)


def test_palettes_that_differ():
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 5, (18, 24))
    images = [with_palette(plane, COLOURS), with_palette(plane, COLOURS[::-1])]
    for frame, expected in zip(frames_of(opened(animated(images))), images, strict=True):
        assert same(frame.convert("RGB"), expected.convert("RGB"))


@pytest.mark.parametrize("transparency", [2, bytes([255, 0, 128, 255, 9])])
def test_palettes_with_transparency(transparency):
    images = clip(3, mode="P")
    for image in images:
        image.info["transparency"] = transparency
    with opened(animated(images)) as image:
        assert image.info["transparency"] == transparency
        for frame, expected in zip(ImageSequence.Iterator(image), images, strict=True):
            assert same(frame, expected)
            assert same(frame.convert("RGBA"), expected.convert("RGBA"))
    images = clip(3, mode="P")  # as Pillow's own keep the alpha that they were converted with
    images[0].info["transparency"] = transparency
    for frame, expected in zip(frames_of(opened(animated(images))), images, strict=True):
        assert same(frame.convert("RGBA"), expected.convert("RGBA"))


def test_labels_are_not_changed_unasked():
    """As in a picture: of a palette it is an error, of greys a warning."""
    cells = np.random.default_rng(0).integers(0, 30, (20, 20)).astype(np.uint8)
    plane = np.kron(cells, np.ones((4, 4), np.uint8))
    other = plane.copy()
    other[7:30:5, 3:40:6] = 17
    colours = np.random.default_rng(0).integers(0, 256, (30, 3), np.uint8)
    images = [with_palette(plane, colours), with_palette(other, colours)]
    for transparency in (None, 3):
        for image in images:
            image.info |= {} if transparency is None else {"transparency": transparency}
        for options in ({"rdo": 5}, {"quality": 50}):
            with pytest.raises(ValueError, match="this palette image looks like labels"):
                animated(images, **options)
    assert opened(animated(images, rdo=5, k=4)).n_frames == 2
    with pytest.warns(UserWarning, match="this picture looks like labels, and rdo changed"):
        animated([Image.fromarray(plane), Image.fromarray(other)], rdo=500)


def test_a_parser_that_is_fed_in_pieces():
    data = animated(clip(4))
    for size in (1, 50, len(data)):
        with ImageFile.Parser() as parser:
            for start in range(0, len(data), size):
                parser.feed(data[start : start + size])
        assert same(parser.image, clip(4)[0])


def test_nothing_stays_open(tmp_path):
    images = clip(4)
    images[0].save(tmp_path / "x.kmc", save_all=True, append_images=images[1:])
    with Image.open(tmp_path / "x.kmc") as image:
        image.seek(2)
        image.load()
        image.save(tmp_path / "y.kmc", save_all=True)
        image.save(tmp_path / "y.kmc")
    with Image.open(tmp_path / "x.kmc") as image:
        image.verify()
    gc.collect()  # what is still open would warn, which is an error
    (tmp_path / "x.kmc").unlink()


def test_metadata_are_for_all():
    images = clip(3)
    images[0].info["icc_profile"] = b"profile"
    exif = Image.Exif()
    exif[0x010E] = "words"
    with opened(animated(images, exif=exif, dpi=(72, 72), xmp=b"<x/>")) as image:
        for number in (0, 2):
            image.seek(number)
            assert image.info["icc_profile"] == b"profile"
            assert image.info["dpi"] == (72, 72)
            assert image.getexif()[0x010E] == "words"
            assert image.info["xmp"] == b"<x/>"


# --- Where to -------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """What can only be written to."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def test_a_file_that_cannot_seek_is_written():
    images = clip(4)
    pipe = Pipe()
    images[0].save(pipe, "KMC", save_all=True, append_images=images[1:])
    assert pipe.data == animated(images)
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as target:
        images[0].save(target, "KMC", save_all=True, append_images=images[1:])
        target.close()
        assert source.read() == pipe.data


def test_a_file_object_is_written_to_from_where_it_stands():
    images = clip(4)
    file = io.BytesIO(b"before")
    file.seek(6)
    images[0].save(file, "KMC", save_all=True, append_images=images[1:])
    assert file.getvalue() == b"before" + animated(images)


@pytest.mark.parametrize("size", [(24, 18), (300, 200)])
def test_saving_over_the_file_that_is_read(tmp_path, size):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 200, size[::-1], np.uint8)) for _ in range(4)]
    path = tmp_path / "x.kmc"
    images[0].save(path, save_all=True, append_images=images[1:], effort=0, duration=[1, 2, 3, 4])
    with Image.open(path) as image:
        image.seek(2)
        image.save(path, save_all=True)
    with Image.open(path) as image:
        assert all_same(frames_of(image), images)
        assert durations(image) == [1, 2, 3, 4]
        image.seek(2)
        image.save(path)
    with Image.open(path) as image:
        assert image.n_frames == 1
        assert same(image, images[2])


def raising(images, error):
    yield from images
    raise error


def test_what_is_raised_midway_leaves_nothing(tmp_path):
    images = clip(4)
    for error in (RuntimeError("the camera is gone"), KeyError("frame")):
        with pytest.raises(type(error)):
            images[0].save(tmp_path / "x.kmc", save_all=True, append_images=raising(images[1:], error))
        file = io.BytesIO()
        with pytest.raises(type(error)):
            images[0].save(file, "KMC", save_all=True, append_images=raising(images[1:], error))
        assert file.getvalue() == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [["x.png"], [None], [3], [b"bytes"]])
def test_what_is_no_image_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="a frame must be an image"):
        animated([*clip(2), *wrong])


def test_images_are_left_as_they_were():
    images = clip(3, mode="P")
    for image in images:
        image.info["transparency"] = 1
    before = [(image.mode, image.tobytes(), dict(image.info), image.getpalette()) for image in images]
    animated(images, duration=[1, 2, 3])
    animated(images, k=2)
    assert [(image.mode, image.tobytes(), dict(image.info), image.getpalette()) for image in images] == before


def test_images_may_be_closed_as_they_go(tmp_path):
    """A generator that opens one file after another."""
    images = clip(5)
    for number, image in enumerate(images):
        image.save(tmp_path / f"{number}.png")

    def one_by_one():
        for number in range(1, 5):
            with Image.open(tmp_path / f"{number}.png") as image:
                yield image

    assert all_same(frames_of(opened(animated(images, append_images=one_by_one()))), images)


def test_one_image_that_changes_is_many_frames():
    """A generator may draw on and yield the same image."""
    images = clip(5)
    canvas = images[0].copy()

    def drawn():
        for image in images[1:]:
            canvas.paste(image)
            yield canvas

    assert all_same(frames_of(opened(save(canvas, save_all=True, append_images=drawn()))), images)


# --- Damage ---------------------------------------------------------------------------------------


def test_every_truncation(monkeypatch):
    images = clip(5, size=(10, 7))
    data = animated(images, duration=[1, 2, 3, 4, 5])
    start, *ends, _ = index_of(data)
    for cut in range(len(data)):
        if cut <= start:
            with pytest.raises(UnidentifiedImageError):
                opened(data[:cut])
            continue
        whole = sum(frame_end <= cut for frame_end in ends)
        image = opened(data[:cut])
        for number in range(whole):
            image.seek(number)
            assert same(image, images[number])
        with pytest.raises(OSError, match="truncated"):
            show(image, whole)
        with pytest.raises(OSError, match="truncated"):
            _ = image.n_frames
        with monkeypatch.context() as patch:
            patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
            image = opened(data[:cut])
            assert image.n_frames == max(whole, 1)
            assert image.size == load(data[:cut]).size
            if whole:
                assert all_same(frames_of(image), images[:whole])
                with pytest.raises(EOFError):
                    image.seek(whole)


@pytest.mark.filterwarnings("ignore:KMC version")
def test_every_byte_that_changes_is_noticed(monkeypatch):
    """Or the index is, and is done without."""
    images = clip(5, size=(10, 7))
    data = animated(images, duration=[1, 2, 3, 4, 5], tile=6)
    index = _index_start(data)
    for place, bit in itertools.product(range(len(data)), (0, 7)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << bit
        error, found, times = None, [], []
        try:
            image = opened(bytes(damaged))
            for number in range(image.n_frames):
                image.seek(number)
                found.append(image.copy())
                times.append(image.info["duration"])
        except (OSError, UnidentifiedImageError, EOFError) as caught:
            error = caught
        for frame, expected in zip(found, images, strict=False):
            assert same(frame, expected)
        assert times == [1, 2, 3, 4, 5][: len(times)]
        assert error or len(found) == 5
        assert error or place >= index
        if error:
            with pytest.raises((OSError, UnidentifiedImageError)):
                opened(bytes(damaged)).verify()


def test_a_damaged_frame_is_an_error_again_and_others_are_not():
    images = clip(4)
    data = animated(images)
    damaged = bytearray(data)
    damaged[index_of(data)[2] + 4] ^= 1
    image = opened(bytes(damaged))
    for _ in range(2):
        with pytest.raises(OSError, match="damaged"):
            show(image, 2)
    image.seek(1)
    assert same(image, images[1])
    image.seek(0)
    assert same(image, images[0])


def test_damage_does_not_show_what_is_kept_in_other_colours(film):
    """A key frame has its own codebook; where it is damaged, that of what was decoded before holds."""
    pictures, _, data = film
    damaged = bytearray(data)
    starts = index_of(data)
    damaged[starts[51] - 9] ^= 1  # in the tile of frame 50
    damaged = resealed(bytes(damaged), starts[50], starts[51] - 4)
    reader = reader_of(damaged)
    assert reader.read(20) == pictures[20]
    with pytest.raises(kmc_format.KMCError):
        reader.read(50)
    for number in (20, 17, 16, 40):
        assert reader.read(number) == pictures[number]


# --- Frames in the file ---------------------------------------------------------------------------


def long_film(count=130, size=(20, 14)):
    """Planes of which some come again, so that frames go back and are kept, and some are new."""
    rng = np.random.default_rng(3)
    scenes = rng.integers(0, 5, (4, size[1], size[0]))
    planes = []
    for number in range(count):
        plane = scenes[number // 40].copy()
        plane[number % 10, : number % 17 + 1] = 4
        if number % 7 == 0:
            plane[3:9, 4:12] = rng.integers(0, 5, (6, 8))
        planes.append(plane)
    return planes


def written(pictures, times=None, effort=1, tile=None, file=None):
    file = io.BytesIO() if file is None else file
    pictures = list(pictures)
    writer = FrameWriter(file, layout(pictures[0].size, effort, tile, 1), {}, 0)
    for number, picture in enumerate(pictures):
        writer.add(picture, times[number] if times else 40)
    writer.close()
    return file.getvalue()


def reader_of(data, file=None, **options):
    return FrameReader(file or io.BytesIO(data), read_header(Reader(io.BytesIO(data))), **options)


@pytest.fixture(scope="module")
def film():
    """Frames with two changes of the codebook, and their file."""
    other = COLOURS[::-1] // 2
    pictures = []
    for number, plane in enumerate(long_film()):
        pictures.append(Indexed(other if 50 <= number < 77 else COLOURS, plane))
    times = [40 + number // 3 for number in range(len(pictures))]
    return pictures, times, written(pictures, times)


def test_there_are_frames_of_all_kinds(film):
    _, _, data = film
    reader = reader_of(data)
    flags = [reader._frame(number).flags for number in range(1, len(reader))]
    for bit in (frames.KEY, frames.DURATION, frames.CODEBOOK, frames.BACK):
        assert any(one & bit for one in flags), bit


def test_in_any_order_frames_are_as_in_sequence(film):
    pictures, times, data = film
    reader = reader_of(data)
    assert len(reader) == len(pictures)
    rng = np.random.default_rng(0)
    for order in (range(len(pictures)), *(rng.permutation(len(pictures)) for _ in range(3))):
        for number in map(int, order):
            assert reader.read(number) == pictures[number]
            assert reader.duration(number) == times[number]


def test_frames_that_are_kept():
    """Where the first of a group drifts away from what is kept, it is kept itself."""
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 40, (30, 40))
    pictures = []
    for _ in range(150):
        plane = plane.copy()
        for _ in range(3):
            plane[rng.integers(0, 30), rng.integers(0, 40)] = rng.integers(0, 40)
        pictures.append(Indexed(np.arange(120).reshape(40, 3).astype(np.uint8), plane))
    data = written(pictures)
    reader = reader_of(data)
    flags = [reader._frame(number).flags for number in range(1, len(reader))]
    assert any(one & frames.KEPT for one in flags)
    for number in map(int, rng.permutation(150)):
        assert reader.read(number) == pictures[number]
        assert reader_of(data).read(number) == pictures[number]


def test_any_frame_takes_few_to_be_decoded(film, monkeypatch):
    pictures, _, data = film
    decoded = []
    decode = FrameReader._decode
    monkeypatch.setattr(
        FrameReader,
        "_decode",
        lambda self, number, *rest: decoded.append(number) or decode(self, number, *rest),
    )
    rng = np.random.default_rng(1)
    reader = reader_of(data)
    for number in [*range(len(pictures)), *map(int, rng.permutation(len(pictures)))]:
        for one in (reader_of(data), reader):
            decoded.clear()
            one.read(number)
            assert len(decoded) <= MOST_DEPTH
    decoded.clear()
    for number in range(len(pictures)):
        reader.read(number)
    in_order = len(decoded)
    assert in_order <= len(pictures) + MOST_DEPTH
    decoded.clear()
    reader.read(len(pictures) - 1)
    assert decoded == []


def test_without_the_index_frames_are_found_alike(film):
    pictures, _, data = film
    index = _index_start(data)
    wrong = bytearray(data)
    wrong[index + 5] ^= 3
    lies = data[:index] + container.pack_chunk(
        container.FRAME_INDEX, bytes(3) + (len(data)).to_bytes(4, "big")
    )
    for changed in (bytes(wrong), lies, data + b"trailing", data + bytes(100), data + data):
        reader = reader_of(changed)
        assert len(reader) == len(pictures)
        for number in (129, 3, 60):
            assert reader.read(number) == pictures[number]
    with pytest.raises(kmc_format.TruncatedError):
        len(reader_of(data[:index]))
    assert len(reader_of(data[:index], tolerant=True)) == len(pictures)


def test_the_reader_looks_no_farther_than_needed(film):
    _, _, data = film
    read = []

    class Counting(io.BytesIO):
        def read(self, size=-1):
            found = super().read(size)
            read.append(len(found))
            return found

    reader = reader_of(data, Counting(data))
    reader.read(60)
    assert sum(read) < len(data) / 2
    assert not reader.has(-1)
    with pytest.raises(IndexError):
        reader.read(len(reader))


def test_a_file_object_that_is_moved_between(film):
    pictures, _, data = film
    file = io.BytesIO(data)
    reader = reader_of(data, file)
    for number in (0, 1, 2, 17, 60):
        file.seek(number)
        assert reader.read(number) == pictures[number]


def test_frames_given_out_stay_as_they_are(film):
    pictures, _, data = film
    reader = reader_of(data)
    found = [reader.read(number) for number in range(30)]
    assert found == pictures[:30]


def test_wrong_frames_are_noticed_by_the_writer():
    writer = FrameWriter(io.BytesIO(), layout((4, 3), 1, None, 1), {}, 0)
    writer.add(Indexed(COLOURS, np.zeros((3, 4), int)), 0)
    writer.close()


@pytest.mark.parametrize("k", [1, 2, 256, 257, 4097, 65_536])
def test_codebooks_that_change_their_size(k):
    rng = np.random.default_rng(k)
    pictures = []
    for number in range(6):
        size = k if number in (2, 3) else 7
        codebook = rng.integers(0, 256, (size, 3), np.uint8) if number in (0, 2, 4) else pictures[-1].codebook
        pictures.append(Indexed(codebook, rng.integers(0, size, (9, 11))))
    reader = reader_of(written(pictures))
    for number in (5, 2, 0, 3, 4, 1):
        assert reader.read(number) == pictures[number]


def test_codebooks_that_change_in_pillow():
    rng = np.random.default_rng(0)
    pictures = []
    for k in (5, 300, 9):
        pictures.append(Indexed(rng.integers(0, 256, (k, 3), np.uint8), rng.integers(0, k, (9, 11))))
    with opened(written(pictures)) as image:
        for number in (0, 1, 2, 0, 2):
            image.seek(number)
            assert np.array_equal(np.asarray(image), pictures[number].expand())
            assert image.info["k"] == pictures[number].k
        image.seek(0)
        image.draft("P", None)
        image.load()
        image.seek(1)
        with pytest.raises(OSError, match="more than a palette holds"):
            image.load()
        image.seek(2)
        assert np.array_equal(np.asarray(image), pictures[2].labels)
        assert np.array_equal(np.asarray(image.convert("RGB")), pictures[2].expand())


# --- Memory ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_frames(tmp_path):
    background = np.random.default_rng(0).integers(0, 5, (200, 300))

    def made(count):
        for number in range(count):
            plane = background.copy()
            plane[number % 190 : number % 190 + 10, number % 290 : number % 290 + 10] = number % 5
            yield Image.fromarray(COLOURS[plane])

    def peak(count):
        tracemalloc.start()
        first = next(made(1))
        first.save(tmp_path / "x.kmc", save_all=True, append_images=itertools.islice(made(count), 1, None))
        with Image.open(tmp_path / "x.kmc") as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()
            assert image.tell() == count - 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = peak(100)
    assert peak(1500) < few + 40 * 2**20


def test_temporary_files_go(tmp_path, monkeypatch):
    monkeypatch.setattr("kmc_format._pillow.spool.MAX_IN_MEMORY", 100)
    monkeypatch.setattr("kmc_format._pillow.animation.MAX_IN_MEMORY", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    images = clip(20)
    assert all_same(frames_of(opened(animated(images))), images)
    with pytest.raises(TypeError):
        animated([*images, 3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("tile", "learns"), [(12, True), (8, False)])
def test_many_tiles_learn_nothing_as_each_would_take_memory(tile, learns):
    planes = np.kron(np.arange(36).reshape(6, 6), np.ones((4, 4), np.uint8)).astype(np.uint8)
    changed = [np.where(np.arange(24) == n, 50, planes).astype(np.uint8) for n in range(5)]
    data = kmc_format.encode_frames(changed, tile=tile)
    reader = FrameReader(io.BytesIO(data), read_header(Reader(io.BytesIO(data))))
    assert all(np.array_equal(reader.read(n).expand(), changed[n]) for n in (3, 1, 4))
    assert any(decoder._frames is not None for decoder in reader._now.decoders) == learns


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_budget_is_not_for_integers(dtype):
    planes = [np.kron(np.arange(36).reshape(6, 6) * 900, np.ones((4, 4), int)).astype(dtype)]
    planes.append(np.roll(planes[0], 5, 1))
    with pytest.raises(ValueError, match="max_bytes is for colours"):
        kmc_format.encode_frames(planes, max_bytes=200)


def test_a_budget_is_not_for_palettes_of_labels():
    rng = np.random.default_rng(1)
    image = Image.fromarray(np.kron(rng.integers(0, 60, (12, 12)), np.ones((6, 6), int)).astype(np.uint8))
    image.putpalette(rng.integers(0, 256, 768, np.uint8).tobytes())
    with pytest.raises(ValueError, match="max_bytes is for colours; this palette image looks like labels"):
        animated([image, ImageOps.mirror(image)], max_bytes=300)


def test_a_budget_has_room_for_what_is_kept():
    kept = ["red", "blue", "#123456", "white"]
    pictures = [
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 50, 3), np.uint8)) for n in range(3)
    ]
    assert opened(animated(pictures, max_bytes=3000, keep=kept)).info["k"] >= len(kept)
