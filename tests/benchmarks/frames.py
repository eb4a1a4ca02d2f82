"""Measure the coding of animations: real ones, and ones that are drawn here, against GIF, WebP and APNG."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

SHARED = Path(__file__).parents[3] / "shared" / "images"
ROOT = Path(__file__).parents[2]
Frames = list[Image.Image]

_DARK = (30, 32, 38)
_TOKENS = {"def": "#c678dd", "return": "#c678dd", "import": "#61afef", "from": "#61afef", "for": "#e5c07b"}


def terminal(count: int = 150) -> Frames:
    """A terminal that scrolls by up to three lines a frame, with a title bar that stays."""
    lines = (ROOT / "kmc_format" / "codec.py").read_text("utf8").splitlines()
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
    image = Image.open(SHARED / "animations" / f"{name}.gif")
    return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
