"""Animations, real ones and ones drawn here: bytes and time as KMC, and as GIF, WebP and APNG.

    python tests/benchmarks/frames.py [--cache FILE] [NAME ...]

All are exact. WebP is lossless, method 6, and as small as Pillow makes it; APNG is Pillow's through oxipng;
GIF is gifsicle's -O3, where there are at most 256 colours. Masks are compared with a KMC file for each.
Reading is of all frames in order, by Pillow. The other formats take half an hour; with a cache what they gave
is kept.
Needs gifsicle, pyoxipng and the shared images.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import oxipng
from common import QUICK, some, versions
from PIL import Image, ImageDraw, ImageFont, ImageSequence

import kmc_format

SHARED = Path(__file__).parents[3] / "shared" / "images"
ROOT = Path(__file__).parents[2]
Frames = list[Image.Image]

_DARK = (30, 32, 38)
_TOKENS = {"def": "#c678dd", "return": "#c678dd", "import": "#61afef", "from": "#61afef", "for": "#e5c07b"}


def terminal(count: int = 150) -> Frames:
    """A terminal that scrolls by up to three lines a frame, with a title bar that stays."""
    lines = (ROOT / "kmc_format" / "_format" / "codec.py").read_text("utf8").splitlines()
    font, size, high = ImageFont.load_default(13), (640, 384), 16
    rng, frames, top = np.random.default_rng(0), [], 0
    for number in range(count):
        image = Image.new("RGB", size, _DARK)
        draw = ImageDraw.Draw(image)
        for row in range(23):
            x = 6.0
            for word in lines[(top + row) % len(lines)].replace("    ", "\t").split(" "):
                text = word.replace("\t", "    ") + " "
                draw.text((x, 20 + row * high), text, _TOKENS.get(word.strip(), "#dcdfe4"), font)
                x += draw.textlength(text, font)
        draw.rectangle((0, 0, size[0], 18), "#4b5263")
        draw.text((260, 2), "user@host: ~/source", "#ffffff", font)
        if number % 2:
            draw.rectangle((6, 370, 13, 383), "#98c379")
        frames.append(image)
        top += int(rng.integers(0, 4))
    return frames


def cursor(count: int = 100) -> Frames:
    """A cursor that moves over a desktop, and now and then opens a menu."""
    desktop = Image.open(SHARED / "text" / "desktop.png").convert("RGB").crop((0, 0, 800, 500))
    arrow = [(0, 0), (0, 16), (4, 12), (7, 18), (9, 17), (6, 11), (11, 11)]
    rng, frames = np.random.default_rng(1), []
    points = rng.integers((20, 20), (760, 460), (6, 2))
    for number in range(count):
        leg, part = divmod(number * (len(points) - 1) / count, 1)
        x, y = (points[int(leg)] * (1 - part) + points[int(leg) + 1] * part).astype(int).tolist()
        image = desktop.copy()
        draw = ImageDraw.Draw(image)
        if number % 40 > 25:
            draw.rectangle((300, 120, 460, 260), "#fafafa", "#808080")
            for line in range(6):
                draw.text((310, 126 + 22 * line), f"Menu entry {line}", "#202020", ImageFont.load_default(14))
        draw.polygon([(x + dx, y + dy) for dx, dy in arrow], "white", "black")
        frames.append(image)
    return frames


def plot(count: int = 100) -> Frames:
    """Two curves that grow, drawn smoothly."""
    rng, frames = np.random.default_rng(2), []
    curves = np.cumsum(rng.normal(0, 1, (2, count * 4)), axis=1)
    curves = (curves - curves.min()) / np.ptp(curves)
    font = ImageFont.load_default(24)
    for number in range(1, count + 1):
        large = Image.new("RGB", (1280, 960), "white")
        draw = ImageDraw.Draw(large)
        for tick in range(6):
            draw.line((120, 80 + 160 * tick, 1240, 80 + 160 * tick), "#d0d0d0", 2)
            draw.text((50, 66 + 160 * tick), f"{1 - tick / 5:.1f}", "black", font)
        draw.rectangle((120, 80, 1240, 880), None, "black", 2)
        for values, colour in zip(curves, ("#1f77b4", "#ff7f0e"), strict=True):
            y = (880 - 800 * values[: 4 * number]).tolist()
            x = np.linspace(120, 1240, values.size)[: len(y)].tolist()
            draw.line(list(zip(x, y, strict=True)), colour, 5, "curve")
        draw.text((580, 900), f"step {number}", "black", font)
        frames.append(large.resize((640, 480), Image.Resampling.BOX))
    return frames


def sprites(count: int = 128) -> Frames:
    """Pixel art: figures of 16 pictures each that walk over a background of square pieces."""
    rng, frames = np.random.default_rng(3), []
    palette = rng.integers(0, 256, (32, 3), np.uint8)
    pieces = palette[rng.integers(0, 8, (6, 16, 16)) // rng.integers(1, 4, (6, 16, 16))]
    ground = np.concatenate([np.concatenate(list(pieces[row]), 1) for row in rng.integers(0, 6, (15, 20))], 0)
    shapes = rng.integers(8, 32, (4, 16, 24, 12)) // 3 * 3
    shapes[:, 1:, :14] = shapes[:, :1, :14]  # only the legs move
    shapes = np.concatenate([shapes, shapes[..., ::-1]], 3)
    outline = np.hypot(*np.mgrid[-11.5:12:1, -11.5:12:1]) < 11
    for number in range(count):
        picture = ground.copy()
        for which, figures in enumerate(shapes):
            x, y = (40 + 60 * which + (which + 1) * number) % 290, 30 + 50 * which
            picture[y : y + 24, x : x + 24][outline] = palette[figures[number % 16]][outline]
        frames.append(Image.fromarray(picture))
    return frames


def masks(count: int = 100) -> list[np.ndarray]:
    """Labels of regions that drift: the nearest of points that move, on a field that bends them."""
    rng = np.random.default_rng(4)
    height, width, k = 300, 400, 48
    y, x = np.mgrid[0:height, 0:width].astype(float)
    bend = sum(rng.normal(0, 6) * np.sin(x / rng.uniform(8, 40) + y / rng.uniform(8, 40)) for _ in range(6))
    points, speed = rng.uniform((0, 0), (height, width), (k, 2)), rng.normal(0, 0.6, (k, 2))
    planes = []
    for _ in range(count):
        best, labels = np.full((height, width), np.inf), np.zeros((height, width), np.uint8)
        for label, (row, column) in enumerate(points):
            distance = np.hypot(y + bend - row, x + bend - column) + (label % 5) * 6
            labels[distance < best] = label
            best = np.minimum(best, distance)
        labels[best > 45] = 0
        planes.append(labels)
        speed += rng.normal(0, 0.1, speed.shape)
        points += speed
    return planes


def real(name: str) -> Frames:
    with Image.open(SHARED / "animations" / f"{name}.gif") as image:
        return pixels_alone(image)


def pixels_alone(image: Image.Image) -> Frames:
    """Return the frames of an image as they look, without what else it says."""
    return [Image.fromarray(np.asarray(frame.convert("RGB"))) for frame in ImageSequence.Iterator(image)]


def of_gifsicle() -> Frames:
    """An animation of a palette for each frame, as gifsicle makes one palette of them."""
    source = SHARED / "animations" / "iss634.gif"
    run = subprocess.run(["gifsicle", "-O3", "--colors", "256", source], capture_output=True, check=True)
    with Image.open(io.BytesIO(run.stdout)) as image:
        return pixels_alone(image)


SETS: dict[str, Callable[[], Frames]] = {
    "chi": lambda: real("chi"),
    "newtonscradle": lambda: real("newtonscradle"),
    "iss634": of_gifsicle,
    "terminal": terminal,
    "cursor": cursor,
    "plot": plot,
    "sprites": sprites,
    "masks": lambda: [Image.fromarray(labels) for labels in masks()],
}


def webp(frames: Frames) -> bytes:
    file = io.BytesIO()
    how = {"lossless": True, "method": 6, "minimize_size": True, "quality": 100}
    frames[0].save(file, "webp", save_all=True, append_images=frames[1:], duration=40, **how)
    return file.getvalue()


def apng(frames: Frames) -> bytes:
    """APNG by Pillow, its first frame and the others compressed again by oxipng."""
    file = io.BytesIO()
    frames[0].save(file, "png", save_all=True, append_images=frames[1:], duration=40, optimize=True)
    return oxipng.optimize_from_memory(file.getvalue(), level=4)


def gif(frames: Frames) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".gif") as file:
        frames[0].save(file.name, save_all=True, append_images=frames[1:], duration=40)
        return subprocess.run(["gifsicle", "-O3", file.name], capture_output=True, check=True).stdout


def separate(frames: Frames) -> bytes:
    return b"".join(kmc_format.encode(np.asarray(frame)) for frame in frames)


def in_palette(frames: Frames) -> Frames:
    """The same frames in mode P, as GIF and PNG want them, or as they are if they have over 256 colours."""
    pixels = np.stack([np.asarray(frame) for frame in frames])
    if pixels.ndim < 4:
        return frames
    values = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found, labels = np.unique(values, return_inverse=True)
    if len(found) > 256:
        return frames
    palette = (found[:, None] >> np.array([16, 8, 0]) & 255).astype(np.uint8).tobytes()
    planes = [Image.fromarray(plane) for plane in labels.reshape(values.shape).astype(np.uint8)]
    for plane in planes:
        plane.putpalette(palette)
    return planes


class File(NamedTuple):
    """What became of frames in a format."""

    size: int
    writing: float  # in s
    reading: float  # all frames in order, in s


def timed(write: Callable[[Frames], bytes], frames: Frames) -> File:
    start = time.process_time()
    data = write(frames)
    middle = time.process_time()
    read_all(data)
    return File(len(data), middle - start, time.process_time() - middle)


def read_all(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        for frame in ImageSequence.Iterator(image):
            frame.load()


def peers(name: str, frames: Frames) -> dict[str, File]:
    if name == "masks":
        return {"100 files": File(len(separate(frames)), math.nan, math.nan)}
    few = in_palette(frames)
    found = {"WebP": timed(webp, frames), "APNG": timed(apng, few)}
    return found | ({"GIF": timed(gif, few)} if few[0].mode == "P" else {})


def kmc(frames: Frames, effort: int) -> tuple[File, bytes]:
    """Save frames exactly, and look whether they are; the best time of three to read them."""
    file = io.BytesIO()
    start = time.process_time()
    how = {"duration": 40, "k": 65_536, "effort": effort}
    frames[0].save(file, "KMC", save_all=True, append_images=frames[1:], **how)
    writing = time.process_time() - start
    data = file.getvalue()
    with Image.open(io.BytesIO(data)) as image:
        for frame, shown in zip(frames, ImageSequence.Iterator(image), strict=True):
            assert np.array_equal(np.asarray(frame), np.asarray(shown))
    readings = []
    for _ in range(3):
        start = time.process_time()
        read_all(data)
        readings.append(time.process_time() - start)
    return File(len(data), writing, min(readings)), data


def worst_seek(data: bytes) -> float:
    """Return how many times as long as the first frame any frame takes in a file just opened."""
    times = []
    with Image.open(io.BytesIO(data)) as image:
        count = image.n_frames
    for number in range(count):
        with Image.open(io.BytesIO(data)) as image:
            start = time.process_time()
            image.seek(number)
            image.load()
            times.append(time.process_time() - start)
    return max(times) / max(times[0], 1e-9)


def measure(name: str, cache: dict[str, dict[str, list[float]]]) -> None:
    frames = some_frames(SETS[name]())
    if name not in cache:
        cache[name] = {way: list(file) for way, file in peers(name, frames).items()}
    others = {way: File(*file) for way, file in cache[name].items()}
    best = min(others, key=lambda way: others[way].size)
    (lean, data), (rich, _) = (kmc(frames, effort) for effort in (1, 2))
    ratios = [f"{file.size / others[best].size:.3f}" for file in (lean, rich)]
    webp_file = others.get("WebP", File(0, math.nan, math.nan))
    print(
        f"| {name} | {len(frames)} | {best} | {others[best].size:,} | {lean.size:,} | {' | '.join(ratios)} "
        f"| {webp_file.writing / lean.writing:.0f} | {lean.reading / webp_file.reading:.1f} "
        f"| {worst_seek(data):.0f} |",
        flush=True,
    )


def some_frames(frames: Frames) -> Frames:
    return frames[: 4 if QUICK else None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--cache", type=Path, help="a file in which what other formats make is found again")
    arguments = parser.parse_args()
    cache = json.loads(arguments.cache.read_text()) if arguments.cache and arguments.cache.exists() else {}
    print("Bytes of KMC are over those of the best of WebP, APNG and GIF. To write, WebP takes so many times")
    print(
        "as long as KMC; to read all frames, KMC so many times as long as WebP. `seek` is the longest way to"
    )
    print("any frame over that to the first, in a file just opened.\n")
    print("| animation | frames | best | bytes | KMC | effort 1 | effort 2 | writes | reads | seek |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.names or some(SETS):
        measure(name, cache)
        if arguments.cache:
            arguments.cache.write_text(json.dumps(cache))
    print(f"\n{versions('pyoxipng')}")


if __name__ == "__main__":
    main()
