"""Pictures in which few colours show: gradients, soft shadows, glows, backgrounds out of focus.

Made by arithmetic, so that they are the same everywhere. Grey, RGB and RGBA; linear and radial.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

Field = np.ndarray  # of floats from 0 to 1, shape (height, width)


def linear(size: tuple[int, int], across: float = 1.0, down: float = 0.0) -> Field:
    """Rise from 0 to 1 in a direction."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    slope = across * x / (width - 1) + down * y / (height - 1)
    return (slope - slope.min()) / (slope.max() - slope.min())


def radial(size: tuple[int, int], centre: tuple[float, float] = (0.5, 0.5), reach: float = 0.7) -> Field:
    """Fall from 1 in a centre to 0 at a distance, in heights of the picture."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - centre[0] * width, y - centre[1] * height)
    return np.clip(1 - distance / (reach * height), 0, 1)


def soft(field: Field, rounds: int = 3) -> Field:
    """Bend a field as a blur does: flat at both ends."""
    for _ in range(rounds):
        field = field * field * (3 - 2 * field)
    return field


def mixed(field: Field, one: tuple[int, ...], other: tuple[int, ...]) -> Image.Image:
    """Blend two colours, of one to four channels, by a field."""
    bands = [low + (high - low) * field for low, high in zip(one, other, strict=True)]
    pixels = np.rint(np.stack(bands, axis=2)).astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def out_of_focus(size: tuple[int, int], spots: int, seed: int) -> Image.Image:
    """Lay large soft spots of light over a dark gradient."""
    random = np.random.default_rng(seed)
    base = linear(size, 0.3, 1.0)[..., None]
    pixels = (1 - base) * random.integers(20, 90, 3) + base * random.integers(60, 160, 3)
    for _ in range(spots):
        centre = tuple(random.random(2))
        weight = 0.7 * soft(radial(size, centre, random.uniform(0.1, 0.5)), 1)[..., None]
        pixels = (1 - weight) * pixels + weight * random.integers(80, 256, 3)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def pictures(side: int = 256) -> dict[str, Image.Image]:
    """Return pictures by name, about as large as `side` says."""
    size = side, side * 3 // 4
    wide = side * 5 // 4, side // 2
    shadow = soft(np.minimum(radial(size, (0.5, 0.5), 0.6), 0.5) * 2, 1)
    return {
        "grey linear": mixed(linear(size), (0,), (255,)),
        "grey linear, steep": mixed(linear(size, 0.0, 1.0), (0,), (255,)),
        "grey aslant, faint": mixed(linear(wide, 1.0, 0.6), (180,), (235,)),
        "grey radial": mixed(radial(size), (10,), (250,)),
        "grey glow": mixed(soft(radial(size, (0.4, 0.6), 0.5)), (30,), (220,)),
        "sky": mixed(linear(size, 0.1, 1.0), (70, 120, 200), (205, 225, 250)),
        "sunset": mixed(soft(linear(wide, 0.0, 1.0), 1), (40, 30, 90), (250, 150, 70)),
        "button": mixed(linear(wide, 0.0, 1.0), (90, 160, 240), (30, 90, 190)),
        "RGB radial": mixed(radial(size), (20, 40, 80), (250, 240, 200)),
        "RGB glow": mixed(soft(radial(size, (0.5, 0.4), 0.6), 1), (5, 5, 15), (255, 120, 30)),
        "out of focus": out_of_focus(size, 12, 1),
        "out of focus, dim": out_of_focus(wide, 5, 2),
        "RGBA shadow": mixed(shadow, (0, 0, 0, 0), (0, 0, 0, 160)),
        "RGBA glow": mixed(radial(size, reach=0.5), (255, 200, 60, 0), (255, 230, 140, 255)),
        "RGBA fade": mixed(linear(wide, 1.0, 0.0), (40, 90, 200, 0), (90, 140, 240, 255)),
        "RGBA disc": disc(size),
        "star": star(side // 2),
    }


def disc(size: tuple[int, int]) -> Image.Image:
    """Draw an opaque disc of changing colours with a soft edge."""
    across, down = linear(size), linear(size, 0.0, 1.0)
    alpha = np.clip(12 * radial(size, reach=0.45), 0, 1)
    bands = [40 + 200 * across, 200 - 150 * down, 60 + 90 * across * down, 255 * alpha]
    return Image.fromarray(np.rint(np.stack(bands, axis=2)).astype(np.uint8))


def star(side: int) -> Image.Image:
    """Draw a star of one colour with soft alpha."""
    y, x = np.mgrid[0:side, 0:side] / (side - 1) * 2 - 1
    edge = 0.55 + 0.25 * np.cos(5 * np.arctan2(y, x))
    alpha = soft(np.clip((edge - np.hypot(x, y)) * 6 + 0.5, 0, 1), 1)
    return mixed(alpha, (250, 190, 40, 0), (255, 215, 80, 255))
