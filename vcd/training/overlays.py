"""Text and emoji laid over a training picture.

`draw_over` is what the recipe ``copies`` does: the font is the one inside Pillow, the shapes are
drawn, nothing needs a file. `draw_text` and `draw_emoji` are SSCD's, in the fonts of `fonts`. That
emoji font has outlines only, where the published emoji are coloured pictures: so the inside of a
glyph is filled with a colour, and its lines are dark.
"""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_fill_holes

from vcd.training.fonts import load_emoji_face, load_faces, open_font

__all__ = ["draw_emoji", "draw_over", "draw_text"]

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


TEXT_HEIGHTS = (0.1, 0.3)
"""Font size as a share of the short side; published."""

TEXT_OPACITIES = (0.1, 1.0)
EMOJI_SIZES = (0.1, 0.5)
"""Size as a share of the largest that fits; published."""

EMOJI_OPACITIES = (0.7, 1.0)
MAX_CODES = 100
"""Characters of a text before what does not fit is cut off; published."""

EMOJI_PX = 72
"""Emoji are drawn once at this size and then resized, as the published ones, which have it."""


def draw_text(
    picture: Image.Image,
    rng: Generator,
    *,
    heights: tuple[float, float] = TEXT_HEIGHTS,
    opacities: tuple[float, float] = TEXT_OPACITIES,
) -> Image.Image:
    """Write a random string in a random font, anywhere where all of it is in the picture.

    A hundred random code points of the font are drawn, and of the longest beginning that fits, a
    random part. Where not even one fits, the picture is returned as it is.

    Args:
        picture: RGB, of any size.
        rng: the only source of chance.
        heights: between which shares of the short side the font size is drawn.
        opacities: between which values the opacity is drawn, 0 to 1.
    """
    face = load_faces()[int(rng.integers(0, len(load_faces())))]
    height_px = int(min(picture.size) * rng.uniform(*heights))
    colour = tuple(rng.integers(0, 256, size=3).tolist())
    opacity, across, down = rng.uniform(*opacities), rng.random(), rng.random()
    text = "".join(map(chr, rng.choice(face.codes, size=MAX_CODES).tolist()))
    if height_px < 1:
        return picture
    font = open_font(face.file, height_px)
    longest = _num_fitting(font, text, picture.size)
    if longest == 0:
        return picture
    text = text[: int(rng.integers(1, longest + 1))]
    left, top, right, bottom = (int(bound) for bound in font.getbbox(text))
    mask = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    fill = round(255 * opacity)
    ImageDraw.Draw(mask).text((-left, -top), text, fill=fill, font=font)
    return _laid_over(picture, colour, mask, (across, down))


def _num_fitting(font: ImageFont.FreeTypeFont, text: str, size: tuple[int, int]) -> int:
    """Count the characters of the longest beginning of a text that fits, by doubling, halving.

    Few of a hundred characters fit, and every one that is measured costs time.
    """

    def fits(length: int) -> bool:
        left, top, right, bottom = font.getbbox(text[:length])
        return right - left <= size[0] and bottom - top <= size[1]

    stop = 1
    while stop <= len(text) and fits(stop):
        stop *= 2
    first, stop = stop // 2, min(stop, len(text) + 1)
    while stop - first > 1:
        middle = (first + stop) // 2
        first, stop = (middle, stop) if fits(middle) else (first, middle)
    return first


def draw_emoji(
    picture: Image.Image,
    rng: Generator,
    *,
    sizes: tuple[float, float] = EMOJI_SIZES,
    opacities: tuple[float, float] = EMOJI_OPACITIES,
) -> Image.Image:
    """Paste a random emoji anywhere into the picture; its colour is random too.

    Args:
        picture: RGB, of any size.
        rng: the only source of chance.
        sizes: between which shares of the largest size that fits it is drawn.
        opacities: between which values the opacity is drawn, 0 to 1.
    """
    lines, inside = _emoji(int(rng.choice(load_emoji_face().codes)))
    share, opacity = rng.uniform(*sizes), rng.uniform(*opacities)
    hue, across, down = int(rng.integers(0, 256)), rng.random(), rng.random()
    scale = share * min(picture.width / lines.width, picture.height / lines.height)
    size = (int(lines.width * scale), int(lines.height * scale))
    if min(size) < 1:
        return picture
    emoji = Image.new("HSV", lines.size, (hue, 200, 255)).convert("RGB")
    emoji.paste((40, 30, 20), mask=lines)
    faded = np.rint(np.arange(256) * opacity).astype(np.uint8).tolist()
    mask = inside.resize(size, Image.Resampling.BILINEAR).point(faded)
    emoji = emoji.resize(size, Image.Resampling.BILINEAR)
    return _laid_over(picture, emoji, mask, (across, down))


@lru_cache(maxsize=2048)
def _emoji(code: int) -> tuple[Image.Image, Image.Image]:
    """Draw the lines of an emoji, and all that they enclose."""
    font = open_font(load_emoji_face().file, EMOJI_PX)
    font.set_variation_by_axes([700])
    left, top, right, bottom = (int(bound) for bound in font.getbbox(chr(code)))
    lines = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(lines).text((-left, -top), chr(code), fill=255, font=font)
    filled = binary_fill_holes(np.asarray(lines) > 127)
    inside = np.maximum(np.asarray(lines), np.where(filled, np.uint8(255), np.uint8(0)))
    return lines, Image.fromarray(inside)


def _laid_over(
    picture: Image.Image,
    overlay: Image.Image | tuple[int, ...],
    mask: Image.Image,
    place: tuple[float, float],
) -> Image.Image:
    """Paste at a place between the upper left (0, 0) and the lower right (1, 1)."""
    left = int(place[0] * (picture.width - mask.width))
    top = int(place[1] * (picture.height - mask.height))
    picture = picture.copy()
    picture.paste(overlay, (left, top, left + mask.width, top + mask.height), mask)
    return picture
