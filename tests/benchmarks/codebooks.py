"""Codebooks against libimagequant, pngquant, Pillow and scikit-learn: error and time.

    python tests/benchmarks/codebooks.py [TABLE ...]

Tables: photographs, oklab, alpha, large, dither, many, memory; without a name all of them. MSE is the mean
over pixels and channels in 8-bit units; with alpha, over black and over white. All quantisers run without
dithering unless a table says so. libimagequant runs at speed 1, its best, and at 4, pngquant's default; time
is the best of several runs in turn, of quantising pixels in memory, and of pngquant with its PNG files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import ICONS, PHOTOGRAPHS, alternate, geometric_mean, kodak, mosaic, some, versions
from peers import BEST, DEFAULT, libimagequant, pillow
from PIL import Image, ImageFilter
from sklearn.cluster import KMeans

import kmc_format
from kmc_format.metrics import ciede2000, mse, psnr

Quantiser = Callable[[Image.Image, int], object]


def kmc(image: Image.Image, k: int, **options: object) -> np.ndarray:
    return kmc_format.quantize(np.asarray(image), k, **options).expand()


def median_cut(image: Image.Image, k: int) -> Image.Image:
    return pillow(image, k, method=Image.Quantize.MEDIANCUT)


def octree(image: Image.Image, k: int) -> Image.Image:
    return pillow(image, k, method=Image.Quantize.FASTOCTREE)


def default_libimagequant(image: Image.Image, k: int) -> Image.Image:
    return libimagequant(image, k, speed=DEFAULT)


def k_means(image: Image.Image, k: int) -> np.ndarray:
    pixels = np.asarray(image)
    fit = KMeans(k, n_init=1, random_state=0).fit(pixels.reshape(-1, 3))
    return fit.cluster_centers_[fit.labels_].reshape(pixels.shape)


def error(pixels: object, image: Image.Image) -> float:
    """Return the MSE; scikit-learn's centres are fractions, which `metrics` does not take."""
    if isinstance(pixels, np.ndarray) and pixels.dtype.kind == "f":
        return float(np.square(pixels - np.asarray(image)).mean())
    return mse(pixels, image)


def photographs() -> None:
    """Print error and time over Kodak."""
    peers: dict[str, Quantiser] = {
        "libimagequant, best": libimagequant,
        "libimagequant, default": default_libimagequant,
        "scikit-learn": k_means,
        "median cut": median_cut,
        "octree": octree,
    }
    print("Kodak-24: geometric mean of the MSE of KMC over that of others, and of the time:\n")
    print("| k |" + "".join(f" {name} | time |" for name in peers))
    print("|---" * (1 + 2 * len(peers)) + "|")
    images = [kodak(number) for number in PHOTOGRAPHS]
    kmc(images[0], 8)  # imports scikit-learn
    overall: dict[str, list[float]] = {name: [] for name in peers}
    for k in some((16, 32, 64, 256)):
        errors: dict[str, list[float]] = {name: [] for name in peers}
        times: dict[str, list[float]] = {name: [] for name in peers}
        for image in images:
            jobs = [lambda run=run, image=image, k=k: run(image, k) for run in (kmc, *peers.values())]
            ours, *theirs = alternate(1 if k == 256 else 2, *jobs)
            own = mse(kmc(image, k), image)
            for (name, run), seconds in zip(peers.items(), theirs, strict=True):
                errors[name].append(own / error(run(image, k), image))
                times[name].append(ours / seconds)
        for name, ratios in errors.items():
            overall[name] += ratios
        cells = (
            f" {geometric_mean(errors[name]):.3f} | {geometric_mean(times[name]):.2f} |" for name in peers
        )
        print(f"| {k} |" + "".join(cells))
    print("| all |" + "".join(f" {geometric_mean(overall[name]):.3f} | |" for name in peers))


def oklab() -> None:
    """Print the colour difference that is seen."""
    print("Kodak-24: geometric mean of the mean CIEDE2000 over that of libimagequant at its best:\n")
    print('| k | `space="oklab"` | `space="srgb"` |\n|---|---|---|')
    overall = []
    for k in some((16, 32, 64, 256)):
        rows = []
        for number in PHOTOGRAPHS:
            image = kodak(number)
            theirs = ciede2000(libimagequant(image, k), image)
            rows.append(
                [ciede2000(kmc(image, k, space=space), image) / theirs for space in ("oklab", "srgb")]
            )
        overall += rows
        print(
            f"| {k} | {' | '.join(f'{geometric_mean(column):.3f}' for column in zip(*rows, strict=True))} |"
        )
    print(f"| all | {' | '.join(f'{geometric_mean(column):.3f}' for column in zip(*overall, strict=True))} |")


def pngquant(image: Image.Image, k: int, *options: str) -> Image.Image:
    """Run pngquant's command on files, which it reads and writes itself."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"
        image.save(source)
        run_pngquant(source, target, k, *options)
        with Image.open(target) as result:
            return result.convert(image.mode)


def run_pngquant(source: Path, target: Path, k: int, *options: str) -> None:
    command = ["pngquant", "--force", *options, "--output", target, str(k), source]
    subprocess.run(command, check=True)


def alpha() -> None:
    """Print the error over icons with alpha."""
    print("Icons at k = 8, as RGBA: MSE over black and white, `pngquant --speed 1 --nofs`:\n")
    print("| icon | colours | KMC | pngquant | ratio |\n|---|---|---|---|---|")
    ratios = []
    for path in some(sorted(ICONS.glob("*.png"))):
        with Image.open(path) as image:
            icon = image.convert("RGBA")
        colours = len(icon.getcolors(icon.width * icon.height))
        if colours <= 8:
            continue
        own, theirs = mse(kmc(icon, 8), icon), mse(pngquant(icon, 8, "--speed", "1", "--nofs"), icon)
        ratios.append(own / theirs)
        print(f"| {path.stem} | {colours} | {own:.2f} | {theirs:.2f} | {ratios[-1]:.3f} |")
    print(f"| geometric mean | | | | {geometric_mean(ratios):.3f} |")


def large() -> None:
    """Print the time that a large photograph takes."""
    image = mosaic()
    print("The mosaic of 9.4 MP: seconds and MSE; pngquant's with reading and writing PNG:\n")
    print(
        "| k | KMC | pngquant --speed 4 | libimagequant, speed 4 | KMC / pngquant | MSE | pngquant | ratio |"
    )
    print("|---" * 8 + "|")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.png", Path(folder) / "out.png"
        image.save(source, compress_level=1)
        for k in (16, 256):
            seconds = alternate(
                3,
                lambda k=k: kmc_format.quantize(image, k),
                lambda k=k: run_pngquant(source, target, k, "--speed", "4", "--nofs"),
                lambda k=k: libimagequant(image, k, speed=DEFAULT),
            )
            with Image.open(target) as result:
                theirs = mse(result.convert("RGB"), image)
            own = mse(kmc(image, k), image)
            times = " | ".join(f"{value:.2f}" for value in seconds)
            print(
                f"| {k} | {times} | {seconds[0] / seconds[1]:.2f} |"
                f" {own:.3f} | {theirs:.3f} | {own / theirs:.3f} |"
            )


def dither() -> None:
    """Print what dithering brings to the picture seen from afar."""
    print("PSNR in dB after a Gaussian blur of radius 2, k = 16:\n")
    print("| picture | KMC | `dither=1` | libimagequant | dithered | Pillow | dithered |")
    print("|---" * 7 + "|")
    part = np.linspace(0, 1, 1000)
    ramp = np.stack([part * 255, 255 - part * 200, np.abs(part * 4 % 2 - 1) * 255], axis=1)
    gradient = Image.fromarray(np.repeat(np.rint(ramp).astype(np.uint8)[None], 256, axis=0))
    for name, image in (("gradient", gradient), ("kodim05", kodak(5)), ("kodim23", kodak(23))):
        results = [
            run(image, 16, dither=strength)
            for run in (
                lambda image, k, dither: Image.fromarray(kmc(image, k, dither=dither)),
                libimagequant,
                lambda image, k, dither: pillow(image, k, method=Image.Quantize.MEDIANCUT, dither=dither),
            )
            for strength in (0.0, 1.0)
        ]
        blur = ImageFilter.GaussianBlur(2)
        cells = (f"{psnr(result.filter(blur), image.filter(blur)):.2f}" for result in results)
        print(f"| {name} | {' | '.join(cells)} |")


def many() -> None:
    """Print how time grows with k."""
    image = kodak(5)
    print("kodim05, 0.4 MP, 63,558 colours:\n")
    print("| k | seconds | against k = 256 | PSNR |\n|---|---|---|---|")
    ks = some((16, 256, 1024, 4096, 16_384, 63_000))
    seconds = alternate(3, *(lambda k=k: kmc_format.quantize(image, k) for k in ks))
    for k, own in zip(ks, seconds, strict=True):
        print(f"| {k} | {own:.3f} | {own / seconds[1]:.2f} | {psnr(kmc(image, k), image):.2f} |")


_MEMORY = """
import sys, threading, time
import numpy as np, sklearn.cluster
import kmc_format
from pathlib import Path

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines()
                if line.startswith("VmRSS")) * 1024

pixels = np.load(sys.argv[1])
kmc_format.quantize(pixels[:64, :64], 4)
before = peak = resident()
running = True
def watch():
    global peak
    while running:
        peak = max(peak, resident())
        time.sleep(0.002)
thread = threading.Thread(target=watch)
thread.start()
kmc_format.quantize(pixels, int(sys.argv[2]), dither=float(sys.argv[3]))
running = False
thread.join()
print(peak - before)
"""


def memory() -> None:
    """Print the memory of fresh processes (Linux)."""
    print("Peak memory above the pixels, 9.4 MP; the bar is 24 bytes a pixel and 200 MB:\n")
    print("| pixels | k | dither | MB | bytes a pixel |\n|---|---|---|---|---|")
    image = mosaic()
    noise = np.random.default_rng(0).integers(0, 256, (image.height, image.width, 4), np.uint8)
    cases = (
        ("L", np.asarray(image.convert("L")), 16, 0),
        ("RGB", np.asarray(image), 256, 0),
        ("RGB", np.asarray(image), 4096, 0),
        ("RGB", np.asarray(image), 256, 1),
        ("RGBA", np.asarray(image.convert("RGBA")), 256, 0),
        ("RGBA, noise", noise, 256, 0),
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels, k, strength in cases:
            np.save(Path(folder) / "pixels.npy", pixels)
            command = [sys.executable, "-P", "-c", _MEMORY, f"{folder}/pixels.npy", str(k), str(strength)]
            peak = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
            pixel_count = pixels.shape[0] * pixels.shape[1]
            print(f"| {name} | {k} | {strength} | {peak / 2**20:.0f} | {peak / pixel_count:.1f} |")


TABLES = (photographs, oklab, alpha, large, dither, many, memory)


def main() -> None:
    wanted = sys.argv[1:] or [table.__name__ for table in TABLES]
    for table in TABLES:
        if table.__name__ in wanted:
            start = time.perf_counter()
            table()
            print(f"\n({time.perf_counter() - start:.0f} s)\n", flush=True)
    print(versions("kmc-format", "scikit-learn", "numpy", "pillow", "imagequant", "scikit-image"))
    if shutil.which("pngquant"):
        version = subprocess.run(["pngquant", "--version"], capture_output=True, text=True, check=True).stdout
        print(f"pngquant {version.strip()}; libimagequant speed {BEST} is its best")


if __name__ == "__main__":
    main()
