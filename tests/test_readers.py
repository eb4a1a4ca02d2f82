"""Programs that read with Pillow read KMC: the real ones, where they are installed."""

import hashlib
import io
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import load, save, smooth

import kmc_format

FILE = save(smooth(), k=20, tile=40)
PIXELS = kmc_format.decode(FILE).expand()
OPEN_FILES = Path("/proc/self/fd")
DAMAGED = FILE[:-9] + bytes([FILE[-9] ^ 1]) + FILE[-8:]


@pytest.fixture
def figure():
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(2, 1))
    figure.subplots().plot([1, 3, 2])
    return figure


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.kmc"
    path.write_bytes(FILE)
    return path


def test_matplotlib(path):
    image = pytest.importorskip("matplotlib.image")
    for source in (path, str(path)):
        # It scales what is not PNG as PNG is: here it does not, and gives Pillow's pixels.
        assert np.array_equal(image.imread(source), PIXELS)
    with path.open("rb") as file:
        assert np.array_equal(image.imread(file, format="kmc"), PIXELS)
    image.imsave(path.with_name("y.kmc"), PIXELS, pil_kwargs={"k": 8})
    assert kmc_format.read_header(path.with_name("y.kmc")).k == 8


def test_figures_of_matplotlib(tmp_path, figure):
    canvas = figure.canvas
    figure.savefig(tmp_path / "x.png")
    figure.savefig(tmp_path / "x.kmc", pil_kwargs={"k": 65_536})
    with Image.open(tmp_path / "x.png") as png, Image.open(tmp_path / "x.kmc") as image:
        assert image.mode == png.mode
        assert np.array_equal(image, png)
        assert image.info["dpi"] == (figure.dpi, figure.dpi)
    assert figure.canvas is canvas
    file = io.BytesIO()
    options = {"metadata": {"Title": "figure"}, "transparent": True, "bbox_inches": "tight", "dpi": 50}
    figure.savefig(file, format="kmc", pil_kwargs={"k": 5}, **options)
    small = load(file.getvalue())
    assert (small.info["k"], small.info["dpi"]) == (5, (50.0, 50.0))
    assert small.width < 100
    assert small.getpixel((0, 0))[3] == 0
    with pytest.raises(ValueError, match="k must be"):
        figure.savefig(tmp_path / "y.kmc", pil_kwargs={"k": 0})
    assert figure.canvas.get_supported_filetypes()["kmc"] == "K-Means codebook image"


@pytest.mark.parametrize("names", ["matplotlib.figure, kmc_format", "kmc_format, matplotlib.figure"])
def test_matplotlib_knows_kmc_whichever_is_imported_first(tmp_path, names):
    pytest.importorskip("matplotlib")
    program = f"import sys, {names}\nmatplotlib.figure.Figure().savefig(sys.argv[1])\n"
    command = [sys.executable, "-W", "error", "-Ic", program, tmp_path / "x.kmc"]
    subprocess.run(command, check=True)
    assert kmc_format.read_header(tmp_path / "x.kmc").mode == "RGBA"


def test_scikit_image(path):
    io_module = pytest.importorskip("skimage.io")
    assert np.array_equal(io_module.imread(path), PIXELS)
    assert np.array_equal(io_module.imread_collection(str(path.with_name("*.kmc")))[0], PIXELS)


# --- Loaders of training data -----------------------------------------------------------------


# A program of its own, as worker processes import the one that started them.
TRAINING = """
import hashlib
import multiprocessing
import sys
from pathlib import Path

import kmc_format
from PIL import Image


class Folder:
    'A data set of a folder of folders, as ImageFolder of torchvision makes it.'

    def __init__(self, root):
        self.paths = sorted(Path(root).glob("*/*.kmc"))
        self.classes = sorted({path.parent.name for path in self.paths})

    def __getitem__(self, number):
        path = self.paths[number]
        with open(path, "rb") as file:
            image = Image.open(file).convert("RGB")
        return hashlib.sha256(image.tobytes()).hexdigest(), self.classes.index(path.parent.name)


if __name__ == "__main__":
    folder = Folder(sys.argv[1])
    numbers = range(len(folder.paths))
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        samples = workers.map(folder.__getitem__, numbers)
    for digest, target in samples:
        print(target, digest)
"""


def test_a_folder_of_images_loaded_by_worker_processes(tmp_path):
    program, expected = tmp_path / "training.py", []
    program.write_text(TRAINING)
    for target, (mode, name) in enumerate([("RGBA", "cat"), ("P", "dog"), ("L", "owl")]):
        (tmp_path / "data" / name).mkdir(parents=True)
        data = save(smooth((40 + target, 30), mode), k=9)
        (tmp_path / "data" / name / "0.kmc").write_bytes(data)
        expected += [str(target), hashlib.sha256(load(data).convert("RGB").tobytes()).hexdigest()]
    command = [sys.executable, "-P", "-W", "error::ResourceWarning", program, tmp_path / "data"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == expected


def test_images_come_back_from_worker_processes(path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, initializer=kmc_format.register) as pool:
        images = pool.map(Image.open, [str(path)] * 4)  # what is pickled back is loaded
    assert all(np.array_equal(np.asarray(image), PIXELS) for image in images)


# --- Documents and uploads --------------------------------------------------------------------


@pytest.fixture
def drawn():
    """A function that makes a PDF with one image by ReportLab."""
    from reportlab.pdfgen import canvas

    def draw(source, **options):
        page = canvas.Canvas(io.BytesIO(), pageCompression=0, invariant=True)
        page.drawImage(source, 10, 10, **options)
        return page.getpdfdata()

    return draw


def as_png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.apps
@pytest.mark.parametrize("mask", [None, "auto"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_reportlab_draws_what_it_draws_of_png(drawn, mode, mask):
    from reportlab.lib.utils import ImageReader

    data = save(smooth(mode="RGB" if mode == "P" else "RGBA").convert(mode), k=20)
    kmc, png = (ImageReader(io.BytesIO(file)) for file in (data, as_png(load(data))))
    document = drawn(kmc, mask=mask)
    assert document == drawn(png, mask=mask)
    assert (b"/SMask" in document) == (mask == "auto" and mode in ("LA", "RGBA"))


@pytest.mark.apps
def test_reportlab_draws_from_a_path(drawn, path):
    assert drawn(str(path)).replace(b"x.kmc", b"") == drawn(path).replace(b"x.kmc", b"")
    assert b"/Width 96" in drawn(str(path))


@pytest.mark.apps
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_img2pdf(mode):
    import img2pdf
    import pikepdf

    data = save(smooth().convert(mode), k=20)
    with pikepdf.open(io.BytesIO(img2pdf.convert(data))) as document:
        (drawing,) = document.pages[0].Resources.XObject.values()
        image = pikepdf.PdfImage(drawing).as_pil_image()
    assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(load(data).convert("RGB")))


@pytest.fixture(scope="module")
def image_field():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_I18N=False)
        django.setup()
    from django.forms import ImageField

    return ImageField()


def small_upload(data, name="x.kmc"):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, data, content_type="application/octet-stream")


def large_upload(data, name="x.kmc"):
    from django.core.files.uploadedfile import TemporaryUploadedFile

    upload = TemporaryUploadedFile(name, "image/x-kmc", len(data), None)
    upload.write(data)
    upload.flush()
    upload.seek(0)
    return upload


@pytest.mark.apps
@pytest.mark.parametrize("upload", [small_upload, large_upload])
def test_django_takes_an_upload(image_field, upload):
    with upload(FILE) as file:
        cleaned = image_field.clean(file)
        assert (cleaned.image.format, cleaned.content_type) == ("KMC", "image/x-kmc")
        assert cleaned.read() == FILE


@pytest.mark.apps
@pytest.mark.parametrize("upload", [small_upload, large_upload])
@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (DAMAGED, "x.kmc", "valid image"),
        (FILE[:-1], "x.kmc", "valid image"),
        (FILE[:30], "x.kmc", "valid image"),
        (b"text", "x.kmc", "valid image"),
        (FILE, "x.kmz", "extension"),
    ],
    ids=["damaged", "cut", "cut in the header", "text", "misnamed"],
)
def test_django_refuses(image_field, upload, data, name, message):
    from django.core.exceptions import ValidationError

    with upload(data, name) as file, pytest.raises(ValidationError, match=message):
        image_field.clean(file)


@pytest.mark.apps
@pytest.mark.skipif(not OPEN_FILES.exists(), reason="only Linux tells it like this")
def test_a_large_upload_that_is_refused_is_closed_and_removed(image_field):
    from django.core.exceptions import ValidationError

    with large_upload(DAMAGED) as file:
        path = file.temporary_file_path()
        with pytest.raises(ValidationError, match="valid image"):
            image_field.clean(file)
        assert [os.path.realpath(link) for link in OPEN_FILES.iterdir()].count(path) == 1  # the upload's own
    assert not Path(path).exists()


@pytest.mark.apps
def test_an_upload_checked_in_flask():
    import flask

    application = flask.Flask(__name__)

    @application.post("/")
    def receive():
        file = flask.request.files["picture"]
        try:
            with Image.open(file.stream) as image:
                image.verify()
        except (OSError, SyntaxError):
            return "not an image", 415
        file.stream.seek(0)
        with Image.open(file.stream) as image:
            return {"type": image.get_format_mimetype(), "size": image.size}

    def post(data):
        return application.test_client().post("/", data={"picture": (io.BytesIO(data), "x.kmc")})

    assert post(FILE).json == {"type": "image/x-kmc", "size": [96, 64]}
    for data in (DAMAGED, FILE[:-1], FILE[:30], b"text"):
        assert post(data).status_code == 415
