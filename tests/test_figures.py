"""Figures hold the pixels and numbers that they are drawn from."""

import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from support import FEW_SAMPLES, SAMPLES, mostly_slow, smooth

from kmc_format import figures, report


def rendered(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]


def pixels_of(figure, axes):
    """Return the pixels that were drawn within axes."""
    box = axes.get_window_extent()
    drawn = rendered(figure)
    rows = slice(round(len(drawn) - box.y1), round(len(drawn) - box.y0))
    return drawn[rows, round(box.x0) : round(box.x1)]


def test_one_pixel_is_one_pixel():
    original = smooth((400, 330))
    compressed = original.quantize(8).convert("RGB")
    figure = figures.comparison(
        original, compressed, np.unique(np.asarray(compressed).reshape(-1, 3), axis=0)
    )
    for axes, picture in zip(figure.axes, (original, compressed), strict=False):
        assert np.array_equal(pixels_of(figure, axes), np.asarray(picture))


@pytest.mark.parametrize("path", mostly_slow(SAMPLES, FEW_SAMPLES), ids=lambda path: path.stem)
def test_every_kind_of_picture(path):
    found = report.compare(path, k=8)
    figure = figures.comparison(*found.pictures, found.codebook, found.captions)
    width, height = figure.get_size_inches() * figure.dpi
    assert 900 < width < 2700
    assert 250 < height < 1000
    first, second, difference, scale, swatch = figure.axes
    assert first.get_title("left") == found.captions[0]
    assert second.get_title("left") == found.captions[1]
    assert difference.images[0].get_array().max() == pytest.approx(
        np.sqrt(np.max(np.square(difference.images[0].get_array())))
    )
    assert swatch.images[0].get_array().shape[1] == len(found.codebook)
    assert scale.get_ylim()[0] == 0
    assert len(np.unique(rendered(figure).reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (2500, 40), (5, 7)])
def test_pictures_of_odd_sizes(size):
    image = Image.new("RGB", size, "red")
    figure = figures.comparison(image, image, np.array([[255, 0, 0]], np.uint8))
    assert tuple(pixels_of(figure, figure.axes[0]).reshape(-1, 3)[0]) == (255, 0, 0)


def test_magnifying_one_magnifies_all():
    figure = figures.comparison(smooth(), smooth(), None)
    figure.axes[0].set_xlim(10, 20)
    assert figure.axes[1].get_xlim() == figure.axes[2].get_xlim() == (10, 20)


def test_a_swatch_goes_from_dark_to_light():
    codebook = np.array([[255, 255, 0], [0, 0, 80], [0, 200, 0], [255, 255, 255]], np.uint8)
    figure = figures.comparison(smooth(), smooth(), codebook)
    assert figure.axes[-1].images[0].get_array()[0].tolist() == codebook[[1, 2, 0, 3]].tolist()
    assert figure.axes[-1].get_title("left") == "codebook of 4 colours"


@pytest.mark.parametrize("option", mostly_slow(["k", "quality"], ["k"]))
def test_a_sweep_has_axes_with_units(option):
    rows = list(report.sweep(smooth(), [2, 8, 40], option))
    figure = figures.sweep(rows)
    rendered(figure)
    quality, size, time = figure.axes
    assert (quality.get_xlabel(), quality.get_ylabel()) == ("size (kB)", "PSNR (dB)")
    assert (size.get_ylabel(), time.get_ylabel()) == ("size (kB)", "time (ms)")
    assert size.get_xlabel() == time.get_xlabel() == ("colours asked for, k" if option == "k" else "quality")
    assert size.lines[0].get_xydata().tolist() == [[row[option], row["bytes"] / 1000] for row in rows]
    assert quality.lines[0].get_ydata().tolist() == [row["psnr"] for row in rows]
    assert [text.get_text() for text in time.get_legend().get_texts()] == ["encode", "decode"]
    encode, decode = time.lines
    assert encode.get_marker() != decode.get_marker()
    assert encode.get_linestyle() != decode.get_linestyle()


def test_a_sweep_that_is_exact():
    figure = figures.sweep(list(report.sweep(np.eye(8, dtype=np.uint8) * 9, [1, 2])))
    rendered(figure)
    assert any("exact" in text.get_text() for text in figure.axes[0].texts)


def test_no_window_without_a_display(monkeypatch):
    import matplotlib

    matplotlib.use("agg")
    with pytest.raises(OSError, match="no display"):
        figures.window()


def test_matplotlib_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'kmc-format\[plots\]'"):
        figures.comparison(smooth(), smooth())
