"""Smooth noise, gradients and grain: what drawn scenes are made of."""

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = [
    "Colour",
    "Generator",
    "ball_mask",
    "gradient",
    "grained",
    "noise",
    "random_colour",
    "ridge",
    "tinted",
]

Colour = tuple[int, int, int]
Generator = np.random.Generator
Levels = NDArray[np.float64]


def random_colour(rng: Generator, *, hue: float | None = None, light: float = 0.6) -> Colour:
    """Draw a colour; near a hue of 0 to 1 when one is given."""
    hue = rng.uniform() if hue is None else hue + rng.normal(0, 0.03)
    red, green, blue = colorsys.hls_to_rgb(
        hue % 1.0, float(np.clip(light + rng.normal(0, 0.05), 0.05, 0.95)), rng.uniform(0.4, 0.9)
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def noise(rng: Generator, size: tuple[int, int], *, cells: tuple[int, int]) -> Levels:
    """Smooth noise from 0 to 1 in four octaves, ``cells`` bumps across and down."""
    total = np.zeros((size[1], size[0]))
    for octave in range(4):
        grid = rng.uniform(0, 1, (cells[1] * 2**octave + 1, cells[0] * 2**octave + 1))
        smooth = Image.fromarray(grid.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(smooth, dtype=np.float64) / 2**octave
    low, high = np.percentile(total, (1, 99))
    levels: Levels = np.clip((total - low) / (high - low), 0.0, 1.0)
    return levels


def ridge(rng: Generator, width: int, *, rough: float) -> Levels:
    """Smooth noise along a line: the edge of a hill."""
    line: Levels = noise(rng, (width, 4), cells=(4 + int(4 * rough), 1))[1]
    return line


def tinted(levels: Levels, colours: list[Colour]) -> Image.Image:
    """Map 0 to 1 onto a row of colours."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(levels, stops, [colour[c] for colour in colours]) for c in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def gradient(top: Colour, bottom: Colour, size: tuple[int, int]) -> Image.Image:
    """Blend two colours from top to bottom."""
    return tinted(np.tile(np.linspace(0, 1, size[1])[:, None], (1, size[0])), [top, bottom])


def grained(picture: Image.Image, rng: Generator, *, strength: float) -> Image.Image:
    """Lay a texture over flat areas, which no camera would have seen flat."""
    texture = (noise(rng, picture.size, cells=(40, 24)) - 0.5) * 2 * strength
    pixels = np.asarray(picture, dtype=np.float64) + texture[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def ball_mask(radius: int) -> Image.Image:
    """Cut a soft disc out of a square of twice the radius."""
    mask = Image.new("L", (2 * radius, 2 * radius), 0)
    ImageDraw.Draw(mask).circle((radius, radius), radius - 2, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(1))
