"""Text and emoji-like shapes laid over a training picture.

The font is the one inside Pillow, the shapes are drawn: nothing here needs a file.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["draw_over"]

Generator = np.random.Generator

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !?&%#@"))


def draw_over(picture: Image.Image, rng: Generator) -> Image.Image:
    """Lay text or emoji-like shapes over the picture, more or less opaque."""
    size = picture.width
    layer = picture.copy()
    draw = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 4))):
        colour = tuple(int(level) for level in rng.integers(0, 256, size=3))
        if rng.random() < 0.6:
            _write(draw, size, colour, rng)
        else:
            _draw_shape(draw, size, colour, rng)
    return Image.blend(picture, layer, float(rng.uniform(0.4, 1.0)))


@lru_cache(maxsize=64)
def _font(height_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height_px)


def _write(draw: ImageDraw.ImageDraw, size: int, colour: tuple[int, ...], rng: Generator) -> None:
    height_px = max(6, int(size * rng.uniform(0.07, 0.3)))
    text = "".join(rng.choice(LETTERS, size=int(rng.integers(2, 24))))
    place = (rng.uniform(-0.2, 0.7) * size, rng.uniform(0.0, 0.9) * size)
    outline = (0, 0, 0) if sum(colour) > 384 else (255, 255, 255)
    stroke = int(rng.integers(0, 2))
    draw.text(
        place, text, fill=colour, font=_font(height_px), stroke_width=stroke, stroke_fill=outline
    )


def _draw_shape(
    draw: ImageDraw.ImageDraw, size: int, colour: tuple[int, ...], rng: Generator
) -> None:
    """Draw a face-like disc, a polygon or a bar."""
    centre_x, centre_y = rng.uniform(0.0, 1.0, size=2) * size
    radius = size * rng.uniform(0.06, 0.25)
    around = (centre_x - radius, centre_y - radius, centre_x + radius, centre_y + radius)
    kind = rng.random()
    if kind < 0.45:
        draw.ellipse(around, fill=colour, outline=(40, 40, 40))
        for side in (-0.4, 0.4):
            x, y, dot = centre_x + side * radius, centre_y - 0.25 * radius, 0.15 * radius
            draw.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(20, 20, 20))
        mouth = 0.6 * radius
        smile = (centre_x - mouth, centre_y - mouth, centre_x + mouth, centre_y + mouth)
        draw.arc(smile, 20, 160, fill=(20, 20, 20), width=2)
    elif kind < 0.8:
        turn, corners = rng.uniform(0, np.pi), int(rng.integers(3, 11))
        reach = np.where(np.arange(corners) % 2, rng.uniform(0.4, 1.0), 1.0) * radius
        angle = turn + 2 * np.pi * np.arange(corners) / corners
        points = np.stack([centre_x + reach * np.cos(angle), centre_y + reach * np.sin(angle)], 1)
        draw.polygon([tuple(point) for point in points.tolist()], fill=colour)
    else:
        draw.rectangle((0, centre_y - radius / 3, size, centre_y + radius / 3), fill=colour)
