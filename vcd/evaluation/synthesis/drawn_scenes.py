"""Paint still scenes: what a drawn film points its camera at.

Every painter takes a generator and a size and fills the whole picture; the same
generator paints the same scene. No two scenes of different seeds are alike, and
all of them have edges, textures and colours at several scales, as photographs do.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vcd.evaluation.synthesis.drawn_textures import (
    Generator,
    ball_mask,
    gradient,
    grained,
    noise,
    random_colour,
    ridge,
    tinted,
)

__all__ = ["PAINTERS", "Painter"]

Painter = Callable[[Generator, tuple[int, int]], Image.Image]

_WORDS = [
    "GRAND TOUR",
    "NIGHT SHOW",
    "HARVEST",
    "OPEN AIR",
    "LAST TRAIN",
    "BLUE HOUR",
    "RIVERSIDE",
    "FIRST SNOW",
]


def _mountains(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    picture = gradient(random_colour(rng, light=0.45), random_colour(rng, light=0.85), size)
    draw = ImageDraw.Draw(picture)
    x, y, radius = rng.uniform(0, width), rng.uniform(0.1, 0.4) * height, rng.uniform(0.05, 0.12)
    draw.circle((x, y), radius * height * 1.4, random_colour(rng, hue=0.13, light=0.85))
    hue = rng.uniform()
    for layer in range(5):
        rise = ridge(rng, width, rough=0.5 + 0.1 * layer)
        top = height * (0.30 + 0.14 * layer) - rise * height * (0.28 - 0.03 * layer)
        colour = random_colour(rng, hue=hue + 0.05 * layer, light=0.62 - 0.12 * layer)
        line = [(float(column), float(top[column])) for column in range(width)]
        draw.polygon([(0, height), *line, (width, height)], fill=colour)
    return grained(picture, rng, strength=28)


def _city(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    picture = gradient(random_colour(rng, light=0.25), random_colour(rng, light=0.65), size)
    draw = ImageDraw.Draw(picture)
    hue, lit = rng.uniform(), random_colour(rng, hue=0.13, light=0.75)
    for layer in range(3):
        left = -10.0
        wall = random_colour(rng, hue=hue, light=0.42 - 0.14 * layer)
        while left < width:
            wide = rng.uniform(0.05, 0.14) * width
            top = height * (rng.uniform(0.1, 0.5) + 0.17 * layer)
            draw.rectangle((left, top, left + wide, height), fill=wall)
            step = rng.integers(8, 15)
            for x in np.arange(left + 4, left + wide - 6, step):
                for y in np.arange(top + 6, height, step * 1.3):
                    if rng.uniform() < 0.4:
                        draw.rectangle((x, y, x + step * 0.45, y + step * 0.6), fill=lit)
            left += wide * rng.uniform(1.0, 1.5)
    return grained(picture, rng, strength=16)


def _sea(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    horizon = int(height * rng.uniform(0.3, 0.55))
    picture = gradient(random_colour(rng, light=0.5), random_colour(rng, light=0.85), size)
    deep, bright = random_colour(rng, hue=0.56, light=0.3), random_colour(rng, hue=0.5, light=0.7)
    waves = noise(rng, (width, height - horizon), cells=(6, 40))
    picture.paste(tinted(waves, [deep, bright, (250, 250, 245)]), (0, horizon))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(0.05, 0.95) * width, horizon + rng.uniform(0.0, 0.35) * height
        tall = (0.1 + (y - horizon) / height) * height * 0.8
        sail = [(x, y), (x, y - tall), (x + tall * rng.uniform(-0.6, 0.6), y - 0.1 * tall)]
        draw.polygon(sail, fill=random_colour(rng, light=0.75))
        hull = [(x - tall / 3, y), (x + tall / 3, y), (x + tall / 5, y + tall / 7)]
        draw.polygon(hull, fill=random_colour(rng, light=0.3))
    return grained(picture, rng, strength=14)


def _marble(rng: Generator, size: tuple[int, int]) -> Image.Image:
    warp = noise(rng, size, cells=(4, 3)) * rng.uniform(4, 9)
    stripes = 0.5 + 0.5 * np.sin(warp * np.pi + noise(rng, size, cells=(20, 12)) * 3)
    colours = [random_colour(rng, light=light) for light in (0.15, 0.5, 0.7, 0.9)]
    return tinted(stripes, colours)


def _forest(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    hue = rng.choice([0.08, 0.2, 0.3, 0.38])
    picture = gradient(random_colour(rng, light=0.75), random_colour(rng, hue=hue), size)
    draw = ImageDraw.Draw(picture)
    for depth in np.linspace(0.3, 1.0, 26):
        x, foot = rng.uniform(0, width), height * (0.45 + 0.5 * depth)
        tall, wide = height * 0.75 * depth, width * 0.012 * depth
        draw.rectangle(
            (x - wide, foot - tall, x + wide, foot), fill=random_colour(rng, hue=0.07, light=0.25)
        )
        for _ in range(14):
            angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.28) * tall
            leaf = (x + np.cos(angle) * away, foot - tall + np.sin(angle) * away * 0.8)
            radius = tall * rng.uniform(0.05, 0.14)
            draw.circle(leaf, radius, random_colour(rng, hue=hue, light=0.2 + 0.35 * depth))
    return grained(picture, rng, strength=30)


def _mosaic(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    num_cells = int(rng.integers(40, 110))
    centres = rng.uniform((0, 0), (width, height), size=(num_cells, 2))
    grid_x, grid_y = np.meshgrid(np.arange(width), np.arange(height))
    nearest = np.full((height, width), np.inf)
    second = np.full((height, width), np.inf)
    owner = np.zeros((height, width), dtype=np.int64)
    for cell, (x, y) in enumerate(centres):
        away = np.hypot(grid_x - x, grid_y - y)
        is_nearer = away < nearest
        second = np.where(is_nearer, nearest, np.minimum(second, away))
        owner[is_nearer] = cell
        nearest = np.minimum(nearest, away)
    hue = rng.uniform()
    colours = np.array([random_colour(rng, hue=hue + rng.choice([0, 0.3, 0.5])) for _ in centres])
    shade = np.clip((second - nearest) / 6, 0.15, 1.0) * np.clip(1.2 - nearest / 90, 0.4, 1.2)
    return Image.fromarray(np.clip(colours[owner] * shade[..., None], 0, 255).astype(np.uint8))


def _planet(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    sky = noise(rng, size, cells=(5, 3)) ** 2
    picture = tinted(sky, [(4, 4, 14), random_colour(rng, light=0.25), random_colour(rng)])
    draw = ImageDraw.Draw(picture)
    for x, y in rng.uniform((0, 0), (width, height), size=(220, 2)):
        draw.circle((x, y), rng.uniform(0.4, 1.8), (255, 250, 235))
    for _ in range(int(rng.integers(1, 4))):
        radius = int(height * rng.uniform(0.12, 0.42))
        bands = noise(rng, (2 * radius, 2 * radius), cells=(2, int(rng.integers(4, 14))))
        ball = tinted(bands, [random_colour(rng, light=light) for light in (0.25, 0.5, 0.75)])
        corner = (int(rng.uniform(0, width)) - radius, int(rng.uniform(0, height)) - radius)
        picture.paste(ball, corner, ball_mask(radius))
    return picture


def _hall(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    horizon = height * rng.uniform(0.4, 0.6)
    wall = noise(rng, size, cells=(30, 4))
    picture = tinted(wall, [random_colour(rng, light=0.35), random_colour(rng, light=0.7)])
    grid_x, grid_y = np.meshgrid(
        np.arange(width) - width * rng.uniform(0.2, 0.8), np.arange(height)
    )
    depth = 60 / np.maximum(grid_y - horizon, 1.0)
    tiles = (np.floor(grid_x * depth / 30) + np.floor(depth * rng.uniform(4, 8))) % 2
    dark, light = random_colour(rng, light=0.2), random_colour(rng, light=0.8)
    floor = np.where(tiles[..., None] > 0, np.array(dark), np.array(light)).astype(np.uint8)
    picture.paste(Image.fromarray(floor[int(horizon) :]), (0, int(horizon)))
    draw = ImageDraw.Draw(picture)
    for _ in range(7):
        x, y = rng.uniform(0, width), horizon + rng.uniform(0.0, 0.4) * height
        wide, tall = rng.uniform(0.04, 0.12) * width, rng.uniform(0.1, 0.45) * height
        colour = random_colour(rng)
        draw.rectangle((x, y - tall, x + wide, y), fill=colour)
        side = [
            (x + wide, y - tall),
            (x + wide * 1.4, y - tall * 1.1),
            (x + wide * 1.4, y - 8),
            (x + wide, y),
        ]
        draw.polygon(side, fill=tuple(level // 2 for level in colour))
    return grained(picture, rng, strength=14)


def _meadow(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    grass = noise(rng, size, cells=(60, 14))
    greens = [random_colour(rng, hue=0.3, light=light) for light in (0.12, 0.3, 0.5)]
    picture = tinted(grass, greens)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(18, 45))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius, petals = rng.uniform(0.03, 0.11) * height, int(rng.integers(5, 11))
        colour, turn = random_colour(rng, light=0.65), rng.uniform(0, 2)
        for angle in np.linspace(0, 2 * np.pi, petals, endpoint=False) + turn:
            centre = (x + np.cos(angle) * radius * 0.7, y + np.sin(angle) * radius * 0.7)
            draw.circle(centre, radius * 0.42, fill=colour, outline=(40, 30, 40))
        draw.circle((x, y), radius * 0.4, random_colour(rng, hue=0.14))
    return picture


def _poster(rng: Generator, size: tuple[int, int]) -> Image.Image:
    width, height = size
    picture = gradient(random_colour(rng, light=0.3), random_colour(rng, light=0.75), size)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(5, 12))):
        start, slant = rng.uniform(-0.3, 1.0) * width, rng.uniform(-0.5, 0.5) * width
        wide = rng.uniform(0.02, 0.12) * width
        band = [
            (start, 0),
            (start + wide, 0),
            (start + wide + slant, height),
            (start + slant, height),
        ]
        draw.polygon(band, fill=random_colour(rng, light=rng.uniform(0.2, 0.8)))
    for _ in range(4):
        font = ImageFont.load_default(size=float(rng.uniform(0.1, 0.28) * height))
        at = (rng.uniform(-0.05, 0.6) * width, rng.uniform(0, 0.85) * height)
        colours = random_colour(rng, light=0.9), random_colour(rng, light=0.1)
        draw.text(
            at, str(rng.choice(_WORDS)), colours[0], font, stroke_width=2, stroke_fill=colours[1]
        )
    return grained(picture, rng, strength=18)


def _contours(rng: Generator, size: tuple[int, int]) -> Image.Image:
    heights = noise(rng, size, cells=(6, 4))
    colours = [random_colour(rng, light=light) for light in (0.3, 0.5, 0.65, 0.85)]
    steps = int(rng.integers(7, 15))
    picture = tinted(np.floor(heights * steps) / steps, colours)
    is_line = (heights * steps) % 1.0 < 0.09
    pixels = np.asarray(picture).copy()
    pixels[is_line] = random_colour(rng, light=0.12)
    return grained(Image.fromarray(pixels), rng, strength=12)


PAINTERS: Mapping[str, Painter] = MappingProxyType(
    {
        "city": _city,
        "contours": _contours,
        "forest": _forest,
        "hall": _hall,
        "marble": _marble,
        "meadow": _meadow,
        "mosaic": _mosaic,
        "mountains": _mountains,
        "planet": _planet,
        "poster": _poster,
        "sea": _sea,
    }
)
"""Every kind of scene by its name."""
