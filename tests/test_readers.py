"""Programs that read with Pillow read KMC: the real ones, where they are installed."""

import io
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import save, smooth

import kmc_format

FILE = save(smooth(), k=20, tile=40)
PIXELS = kmc_format.decode(FILE).expand()
DAMAGED = FILE[:-9] + bytes([FILE[-9] ^ 1]) + FILE[-8:]


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


def test_scikit_image(path):
    io_module = pytest.importorskip("skimage.io")
    assert np.array_equal(io_module.imread(path), PIXELS)
    assert np.array_equal(io_module.imread_collection(str(path.with_name("*.kmc")))[0], PIXELS)


# --- Loaders of training data -----------------------------------------------------------------


class Folder:
    """A data set of a folder of folders, as torchvision's `ImageFolder` and Keras make it."""

    def __init__(self, root):
        self.classes = sorted(path.name for path in Path(root).iterdir())
        self.samples = [(path, path.parent.name) for path in sorted(Path(root).glob("*/*.kmc"))]

    def __getitem__(self, number):
        path, name = self.samples[number]
        with open(path, "rb") as file:  # noqa: PTH123  # as they do
            return np.asarray(Image.open(file).convert("RGB")), self.classes.index(name)

    def __len__(self):
        return len(self.samples)


def load_sample(root, number):
    """What a worker does: it is a new process, in which this module is imported anew."""
    pixels, target = Folder(root)[number]
    return pixels.tobytes(), target


def test_a_folder_of_images(tmp_path):
    for number, name in enumerate(["cat", "cat", "dog"]):
        (tmp_path / name).mkdir(exist_ok=True)
        smooth((40 + number, 30)).save(tmp_path / name / f"{number}.kmc", k=9)
    folder = Folder(tmp_path)
    here = [load_sample(tmp_path, number) for number in range(len(folder))]
    assert [target for _, target in here] == [0, 0, 1]
    assert [len(pixels) for pixels, _ in here] == [40 * 90, 41 * 90, 42 * 90]


def test_a_loader_with_worker_processes(path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, initializer=kmc_format.register) as pool:
        images = pool.map(Image.open, [str(path)] * 4)  # what is pickled back is loaded
    assert all(np.array_equal(np.asarray(image), PIXELS) for image in images)


# --- Documents and uploads --------------------------------------------------------------------


def test_reportlab(path):
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    document = io.BytesIO()
    page = canvas.Canvas(document, pageCompression=0)
    page.drawImage(str(path), 10, 10)
    page.save()
    assert b"/Width 96" in document.getvalue()


@pytest.fixture(scope="module")
def image_field():
    django = pytest.importorskip("django")
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_I18N=False)
        django.setup()
    from django.forms import ImageField

    return ImageField()


def upload(data):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile("x.kmc", data, content_type="application/octet-stream")


def test_django_takes_an_upload(image_field):
    cleaned = image_field.clean(upload(FILE))
    assert (cleaned.image.format, cleaned.content_type) == ("KMC", "image/x-kmc")
    assert cleaned.read() == FILE


@pytest.mark.parametrize("data", [DAMAGED, FILE[:-1], FILE[:30], b"text"])
def test_django_refuses_what_is_damaged(image_field, data):
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError, match="valid image"):
        image_field.clean(upload(data))


def test_an_upload_checked_in_flask():
    flask = pytest.importorskip("flask")
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
