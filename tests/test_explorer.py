"""The explorer's widgets, without a browser: what they show is true, and what they save is what was shown."""

import html
import re
import socket
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import SAMPLES, smooth

import kmc_format
from kmc_format import explorer, metrics, report
from kmc_format._pillow import saving
from kmc_format.explorer import Explorer

PHOTOGRAPH = next(path for path in SAMPLES if path.stem == "photograph")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def explored(folder):
    made = kmc_format.explore(PHOTOGRAPH, k=20)
    yield made
    made._timer.cancel()


def shown(made):
    """The figures, without their names."""
    return [
        html.unescape(re.sub("<.*?>", " ", part)) for part in re.findall("<b>(.*?)</b>", made._figures.value)
    ]


def rest(made):
    """Wait until the figures are exact, and return the file."""
    until = time.monotonic() + 30
    while "about" in made._figures.value and time.monotonic() < until:
        time.sleep(0.01)
    with made._lock:  # it is shown step by step
        return made._data


def test_figures_follow_the_sliders_and_become_exact(explored):
    image = Image.open(PHOTOGRAPH)
    for name, value in (("k", 9), ("rdo", 20), ("rdo", 0), ("dither", 0.5)):
        before = shown(explored)
        getattr(explored, name).value = value
        about = shown(explored)
        assert about != before
        assert about[0].startswith("about ")
        assert about[1].startswith("about ")
        data = rest(explored)
        assert data == kmc_format.encode(image, **explored.options)
        decoded = kmc_format.decode(data)
        size, decibels, bits, count = shown(explored)
        assert size.startswith(f"{len(data):,} bytes ")
        assert size.endswith(f"{len(data) / PHOTOGRAPH.stat().st_size:.1%} of the PNG ")
        assert decibels == f"{metrics.psnr(image, decoded.expand()):.2f} dB"
        assert bits == f"{8 * len(data) / (480 * 320):.3f}"
        assert count == str(decoded.k)
        assert f"codebook of {decoded.k} colours" in explored._swatch.value


def test_the_pictures_shown_are_before_and_after(explored):
    data = rest(explored)
    before, after = (png(getattr(explored._comparison, name)) for name in ("before", "after"))
    assert (np.asarray(before) == np.asarray(Image.open(PHOTOGRAPH))).all()
    assert (np.asarray(after.convert("RGBA"))[..., :3] == kmc_format.decode(data).expand()).all()


def png(data):
    return Image.open(BytesIO(data))


def test_the_line_of_code_gives_the_file(explored, folder):
    explored.k.value, explored.dither.value = 30, 0.25
    rest(explored)
    code = html.unescape(re.sub("<.*?>", "", explored._code.value))
    assert code == 'image.save("photograph.kmc", k=30, dither=0.25)'
    exec(code, {"image": Image.open(PHOTOGRAPH)})
    assert (folder / "photograph.kmc").read_bytes() == explored.data
    explored.path.value = 'a "b".kmc'
    assert 'image.save("a \\"b\\".kmc", k=30' in html.unescape(explored._code.value)


def test_data_does_not_wait_for_rest(explored):
    explored.k.value = 3
    assert explored.data == kmc_format.encode(Image.open(PHOTOGRAPH), 3)
    assert "about" not in explored._figures.value


def test_rdo_and_dither_exclude_each_other(explored):
    explored.rdo.value = 5
    assert (explored.rdo.disabled, explored.dither.disabled) == (False, True)
    explored.rdo.value = 0
    explored.dither.value = 1
    assert (explored.rdo.disabled, explored.dither.disabled) == (True, False)
    explored.dither.value = 0
    assert (explored.rdo.disabled, explored.dither.disabled) == (False, False)


def test_what_is_disabled_is_explained(explored):
    assert explored._hint.value == ""
    explored.rdo.value = 5
    assert "dither and quality go with an rdo of 0 only" in explored._hint.value
    assert explored.quality.disabled
    explored.rdo.value, explored.dither.value = 0, 0.5
    assert "rdo and quality go with a dither of 0 only" in explored._hint.value
    explored.dither.value = 0
    assert explored._hint.value == ""
    assert not explored.quality.disabled


def test_a_quality_picks_the_rest(explored):
    explored.quality.value = 50
    assert explored.options == {"quality": 50}
    assert "Searching" in explored._figures.value
    assert explored.k.disabled
    assert explored.rdo.disabled
    assert explored.dither.disabled
    assert "quality picks k and rdo" in explored._hint.value
    data = rest(explored)
    assert data == kmc_format.encode(Image.open(PHOTOGRAPH), quality=50)
    assert shown(explored)[0].startswith(f"{len(data):,} bytes ")
    assert "quality=50)" in explored._code.value
    explored.quality.value = 0
    assert explored.options == {"k": 20}
    assert not explored.k.disabled
    assert rest(explored) == kmc_format.encode(Image.open(PHOTOGRAPH), 20)


def test_a_stale_result_is_dropped(explored, monkeypatch):
    rest(explored)
    entered, leave = threading.Event(), threading.Event()
    encode = saving.encode_image

    def slow(image, options):
        entered.set()
        assert leave.wait(30)
        return encode(image, options)

    monkeypatch.setattr(saving, "encode_image", slow)
    explored.k.value = 100
    assert entered.wait(30)  # the file for 100 colours is being made ...
    monkeypatch.setattr(saving, "encode_image", encode)
    explored.k.value = 4  # ... when it is no longer wanted
    leave.set()
    assert rest(explored) == kmc_format.encode(Image.open(PHOTOGRAPH), 4)
    assert shown(explored)[3] == "4"


def test_save(explored, folder):
    explored._button.click()
    saved = folder / "photograph.kmc"
    assert saved.read_bytes() == explored.data
    assert f"saved {len(explored.data):,} bytes: {saved}" in explored._status.value
    explored.k.value = 5
    assert explored._status.value == ""
    old = saved.read_bytes()
    explored._button.click()
    assert "photograph.kmc exists; tick overwrite to replace it" in explored._status.value
    assert saved.read_bytes() == old
    with pytest.raises(FileExistsError, match="tick overwrite"):
        explored.save()
    explored.overwrite.value = True
    assert explored.save() == saved
    assert saved.read_bytes() == explored.data != old


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/x.kmc", "No such file or directory: .*x.kmc"),
        ("", "there is no name to save it under"),
        (" ", "there is no name to save it under"),
        ("file/x.kmc", "Not a directory: .*x.kmc"),
        ("<b>/x.kmc", "No such file or directory: .*/&lt;b&gt;/x.kmc"),
    ],
)
def test_what_cannot_be_saved_is_told_in_one_line(explored, folder, path, message):
    (folder / "file").touch()
    explored.path.value = path
    explored._button.click()
    assert re.search(message, explored._status.value)
    assert "\n" not in explored._status.value
    with pytest.raises(OSError, match=r".+"):
        explored.save()
    assert sorted(folder.iterdir()) == [folder / "file"]


@pytest.mark.parametrize("dtype", [np.uint16, np.int64])
def test_integers(folder, dtype):
    labels = np.add.outer(np.arange(40), np.arange(50)).astype(dtype) * 700
    made = kmc_format.explore(labels, k=9)
    assert made.data == kmc_format.encode(labels, 9)
    with Image.open(BytesIO(made._comparison.before)) as shown:
        assert shown.getextrema() == (0, 255)
    assert made.rdo.disabled == made.dither.disabled == (dtype == np.int64)
    assert made.quality.disabled
    assert ("32 bits" in made._hint.value) == (dtype == np.int64)
    assert ("none (32 bits)" in made._figures.value) == (dtype == np.int64)


def test_what_cannot_be_coded_is_told(explored, monkeypatch):
    rest(explored)

    def failing(image, options):
        raise ValueError("exif is too long")

    monkeypatch.setattr(saving, "encode_image", failing)
    explored.k.value = 11
    until = time.monotonic() + 30
    while "exif is too long" not in explored._status.value and time.monotonic() < until:
        time.sleep(0.01)
    assert "exif is too long" in explored._status.value
    explored._status.value = ""
    explored._button.click()
    assert "exif is too long" in explored._status.value
    with pytest.raises(ValueError, match="exif is too long"):
        explored.save()


def test_small_integers_keep_their_sign(folder):
    made = kmc_format.explore(np.array([[-3, 4]], np.int8))
    assert kmc_format.decode(made.data).expand().tolist() == [[-3, 4]]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_sample(path, folder):
    image = Image.open(path)
    made = kmc_format.explore(image)
    assert made.path.value == f"{path.stem}.kmc"
    assert made.data == kmc_format.encode(image, **made.options)
    made.rdo.value = 8
    assert made.data == kmc_format.encode(image, **made.options)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 1), np.uint8),
        np.eye(5, dtype=bool),
        np.asarray(smooth(mode="LA")),
        np.asarray(smooth(mode="RGBA")),
        np.asarray(smooth(mode="L"))[:, :, None],
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_arrays(array, folder):
    made = kmc_format.explore(array, k=12)
    assert made.data == kmc_format.encode(array, **made.options)
    code = html.unescape(re.sub("<.*?>", "", made._code.value))
    exec(code, {"kmc_format": kmc_format, "array": array})
    assert (folder / "picture.kmc").read_bytes() == made.data


def test_an_exact_picture_says_so(folder):
    made = kmc_format.explore(np.arange(6, dtype=np.uint8).reshape(2, 3), k=200)
    assert (made.k.value, made.k.max) == (6, 6)
    assert shown(made)[1] == "exact"
    rest(made)
    assert shown(made)[1] == "exact"
    made.k.value = 5
    assert shown(made)[1].startswith("about ")


def test_a_large_picture(folder):
    with Image.open(PHOTOGRAPH) as opened:
        large = opened.resize((1440, 960))
    made = kmc_format.explore(large, k=16)
    assert (
        "1,440 &times; 960 pixels, the middle 887 &times; 591 shown and previewed"
        in made.widget.children[1].children[0].value
    )
    assert png(made._comparison.after).size == (887, 591)
    data = rest(made)
    assert data == kmc_format.encode(large, 16)
    assert shown(made)[0] == f"{len(data):,} bytes"
    middle = kmc_format.decode(data).expand()[made._preview.part]
    assert (np.asarray(png(made._comparison.after).convert("RGBA"))[..., :3] == middle).all()


def test_the_picture_may_change_meanwhile(folder):
    image = smooth()
    made = kmc_format.explore(image, k=7)
    wanted = kmc_format.encode(image, 7)
    image.paste("red", (0, 0, 50, 50))
    assert made.data == wanted


@pytest.fixture
def film(folder):
    """An animation of three pictures, of which the first has fewer colours."""
    frames = [smooth().quantize(4).convert("RGB"), smooth(), smooth().rotate(90)]
    frames[0].save(folder / "x.png", save_all=True, append_images=frames[1:], duration=40)
    made = kmc_format.explore(folder / "x.png", k=20)
    yield made
    made._timer.cancel()


def saved_all(path, **options):
    file = BytesIO()
    with Image.open(path) as image:
        image.save(file, "KMC", save_all=True, **options)
    return file.getvalue()


def frame_of(file, number):
    with Image.open(file) as image:
        image.seek(number)
        return np.asarray(image.convert("RGB"))


def pictures(made):
    both = made._comparison.before, made._comparison.after
    return [np.asarray(png(data).convert("RGBA").convert("RGB")) for data in both]


def test_a_slider_chooses_the_frame(film):
    data = rest(film)
    assert data == saved_all("x.png", k=20)
    assert film.frame in film.widget.children[1].children
    assert "3 frames" in film.widget.children[1].children[0].value
    figures = shown(film)
    for number in (2, 1, 0):
        film.frame.value = number
        before, after = pictures(film)
        assert (before == frame_of("x.png", number)).all()
        assert (after == frame_of(BytesIO(data), number)).all()
        assert film._comparison.before_caption == f"original, frame {number} of 3"
        assert film._data is data  # as all frames are in it already
        share = len(data) / Path("x.png").stat().st_size
        assert shown(film)[0] == f"{len(data):,} bytes {share:.1%} of the PNG "
        assert shown(film)[1] == f"{metrics.psnr(before, after):.2f} dB"
        assert shown(film)[2] == f"{8 * len(data) / (3 * 96 * 64):.3f}"
        assert shown(film)[3] == "20"
        used = len(np.unique(after.reshape(-1, 3), axis=0))
        assert film._comparison.after_caption == f"KMC, {used} colours"
    assert shown(film) == figures
    assert used == 4


def test_sliders_preview_the_frame_that_is_shown_and_save_all(film):
    rest(film)
    film.frame.value = 2
    film.k.value = 9
    assert "Frame alone" in film._figures.value
    assert shown(film)[0].startswith("about ")
    image = kmc_format.quantize(frame_of("x.png", 2), 9)
    assert metrics.psnr(pictures(film)[1], image.expand()) > 30
    assert rest(film) == saved_all("x.png", k=9)
    assert "Frame alone" not in film._figures.value
    film.rdo.value = 20
    film.frame.value = 1  # before the slider counts as at rest
    assert "Frame alone" in film._figures.value
    assert film.data == saved_all("x.png", k=9, rdo=20)
    assert (pictures(film)[1] == frame_of(BytesIO(film.data), 1)).all()
    film.rdo.value, film.quality.value = 0, 50
    assert film.data == saved_all("x.png", quality=50)


def test_the_line_of_code_saves_all_frames(film, folder):
    rest(film)
    code = html.unescape(re.sub("<.*?>", "", film._code.value))
    assert code == 'image.save("x.kmc", k=20, save_all=True)'
    with Image.open("x.png") as image:
        exec(code, {"image": image})
    assert (folder / "x.kmc").read_bytes() == film.data
    film.path.value = "y.kmc"
    assert film.save().read_bytes() == film.data


def test_other_frames_may_have_more_colours(film):
    assert film.k.max == 256
    film.frame.value = 0
    film.k.value = 200
    assert shown(film)[1] == "exact"
    film.frame.value = 1
    assert kmc_format.decode(film.data).k == 200


def test_an_open_image_may_step_meanwhile(film):
    for source in ("x.png", BytesIO(Path("x.png").read_bytes())):
        with Image.open(source) as image:
            image.seek(1)
            made = kmc_format.explore(image, k=20)
            assert made.frame.value == image.tell() == 1
            image.seek(2)
            assert (np.asarray(image) == frame_of("x.png", 2)).all()
            assert (pictures(made)[0] == frame_of("x.png", 1)).all()
        made.frame.value = 2
        assert (pictures(made)[0] == frame_of("x.png", 2)).all()
        assert made.data == saved_all("x.png", k=20)


def test_frames_of_a_gif_are_no_labels_as_only_the_first_has_a_palette(folder):
    frames = [smooth().rotate(angle).quantize(16) for angle in (0, 30)]
    for suffix, labelled in (("gif", False), ("tiff", True)):
        frames[0].save(f"x.{suffix}", save_all=True, append_images=frames[1:])
        made = kmc_format.explore(f"x.{suffix}", k=5)
        for number in (0, 1):
            made.frame.value = number
            assert ("Labels changed" in made._figures.value) == labelled
            found = report.compare(f"x.{suffix}", frame=number, k=5)
            assert (found.numbers["labels_changed"] is not None) == labelled
        made._timer.cancel()


def test_a_picture_has_no_slider_for_frames(explored):
    assert explored.frame not in explored.widget.children[1].children
    assert explored._comparison.before_caption == "original"


def test_a_damaged_frame_is_told(film, folder):
    data = bytearray(film.data)
    data[-len(data) // 8] ^= 1
    (folder / "broken.kmc").write_bytes(data)
    made = kmc_format.explore(folder / "broken.kmc")
    made._timer.cancel()  # as the file cannot be saved, either
    made.frame.value = 1
    assert made._status.value == ""
    made._timer.cancel()
    made.frame.value = 2
    assert "kmc-error" in made._status.value
    assert made._comparison.before_caption == "original, frame 1 of 3"


def test_a_notebook_displays_it(explored):
    assert "application/vnd.jupyter.widget-view+json" in explored._repr_mimebundle_()
    assert explored.widget.children[0].get_state(["beside", "position"]) == {"beside": False, "position": 0.5}


def test_what_changed_while_a_page_was_loaded_is_sent_again(explored, monkeypatch):
    rest(explored)
    sent = {}
    for name in ("_comparison", "_figures", "_swatch", "_code", "_status"):
        widget = getattr(explored, name)
        monkeypatch.setattr(widget, "_send", lambda message, name=name, **_: sent.update({name: message}))
    explored._comparison._handle_custom_msg("shown", [])
    assert sent["_figures"]["state"]["value"] == explored._figures.value
    assert sent.keys() == {"_comparison", "_figures", "_swatch", "_code", "_status"}


def test_names_are_not_taken_for_html(folder):
    path = folder / "<i>&.png"
    smooth().save(path)
    made = kmc_format.explore(path)
    assert "&lt;i&gt;&amp;.png" in made.widget.children[1].children[0].value
    rest(made)
    assert "&lt;i&gt;&amp;.kmc" in made._code.value


@pytest.mark.parametrize("k", [0, 257, 1000])
def test_bad_k(k):
    with pytest.raises(ValueError, match=r"k must be from 1 to"):
        kmc_format.explore(smooth(), k)
    with pytest.raises(TypeError, match=r"k must be an int"):
        kmc_format.explore(smooth(), "5")


@pytest.mark.parametrize("missing", ["ipywidgets", "anywidget"])
def test_a_missing_extra_is_named(missing, monkeypatch):
    without(missing, monkeypatch)
    with pytest.raises(ImportError, match=re.escape("pip install 'kmc-format[notebook]'")) as caught:
        kmc_format.explore(smooth())
    assert caught.value.name == missing


@pytest.mark.parametrize("missing", ["voila", "ipykernel", "anywidget"])
def test_a_missing_extra_is_named_before_a_server_starts(missing, monkeypatch):
    without(missing, monkeypatch)
    with pytest.raises(ImportError, match=re.escape("pip install 'kmc-format[explore]'")):
        explorer.serve(PHOTOGRAPH)


def without(package, monkeypatch):
    """Let a package look as if it were not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])


def test_an_unreadable_picture_is_an_error_before_a_server_starts(folder):
    with pytest.raises(FileNotFoundError):
        explorer.serve(folder / "none.png")
    (folder / "text.png").write_text("no picture")
    with pytest.raises(OSError, match="cannot identify image file"):
        explorer.serve(folder / "text.png")
    Image.new("F", (2, 2)).save(folder / "floats.tiff")
    with pytest.raises(OSError, match="cannot write mode F"):
        explorer.serve(folder / "floats.tiff")


def test_a_taken_port_is_an_error_before_a_server_starts(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        explorer.serve(PHOTOGRAPH, port=taken.getsockname()[1])


def test_importing_the_package_imports_no_widgets():
    script = (
        "import sys, kmc_format; print({'ipywidgets', 'anywidget', 'kmc_format.explorer'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-Ic", script], capture_output=True, text=True).stdout == "set()\n"


def test_an_explorer_is_one_of_the_module():
    assert isinstance(kmc_format.explore(smooth()), Explorer)
