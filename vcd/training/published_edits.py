"""The edits of the published recipes of SSCD, one function each, as strong as its arguments say.

Most are plain calls of Pillow, as published; what is here is what Pillow does not have, in the
form in which torchvision has it.
"""

from io import BytesIO

import numpy as np
from PIL import Image, ImageEnhance

__all__ = ["as_jpeg", "jittered", "random_crop", "shifted_hue"]

Picture = Image.Image
Generator = np.random.Generator

CROP_AREAS = (0.08, 1.0)
"""Least and largest share of the area that a crop keeps; published."""

CROP_ASPECTS = (3 / 4, 4 / 3)
"""Least and largest width over height of a crop before it is squashed; published."""

CROP_TRIES = 10
"""After so many boxes that do not fit, the middle is taken; published."""

JITTER_DEPTH = 0.8
"""Brightness, contrast and saturation are multiplied by up to 1 more or less this; published."""

HUE_DEPTH = 0.2
"""The hue is turned by up to this share of the circle; published."""


def random_crop(
    picture: Picture,
    size_px: int,
    rng: Generator,
    *,
    areas: tuple[float, float] = CROP_AREAS,
) -> Picture:
    """Cut a random box and squash it to a square, as torchvision's RandomResizedCrop does.

    Args:
        picture: of any size.
        size_px: side of the result.
        rng: draws place, area and aspect.
        areas: between which shares of the area the box keeps.
    """
    box = _random_box(picture.width, picture.height, areas, rng)
    return picture.crop(box).resize((size_px, size_px), Image.Resampling.BILINEAR)


def _random_box(
    width: int, height: int, areas: tuple[float, float], rng: Generator
) -> tuple[int, int, int, int]:
    for _ in range(CROP_TRIES):
        area = width * height * rng.uniform(*areas)
        aspect = np.exp(rng.uniform(*np.log(CROP_ASPECTS)))
        wide, high = round(float(np.sqrt(area * aspect))), round(float(np.sqrt(area / aspect)))
        if 0 < wide <= width and 0 < high <= height:
            left = int(rng.integers(0, width - wide + 1))
            top = int(rng.integers(0, height - high + 1))
            return left, top, left + wide, top + high
    wide = min(width, max(1, round(height * CROP_ASPECTS[1])))
    high = min(height, max(1, round(width / CROP_ASPECTS[0])))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def jittered(picture: Picture, rng: Generator) -> Picture:
    """Change brightness, contrast, saturation and hue, in random order (ColorJitter)."""
    gains = rng.uniform(1.0 - JITTER_DEPTH, 1.0 + JITTER_DEPTH, size=3)
    turn = rng.uniform(-HUE_DEPTH, HUE_DEPTH)
    for edit in rng.permutation(4).tolist():
        if edit == 0:
            picture = ImageEnhance.Brightness(picture).enhance(gains[0])
        elif edit == 1:
            picture = ImageEnhance.Contrast(picture).enhance(gains[1])
        elif edit == 2:
            picture = ImageEnhance.Color(picture).enhance(gains[2])
        else:
            picture = shifted_hue(picture, int(turn * 255))
    return picture


def shifted_hue(picture: Picture, shift: int) -> Picture:
    """Turn the hue by so many 256ths of the circle, either way."""
    levels = np.arange(256)
    table = np.concatenate([(levels + shift) % 256, levels, levels])
    return picture.convert("HSV").point(table.tolist()).convert("RGB")


def as_jpeg(picture: Picture, quality: int) -> Picture:
    """Compress as JPEG, 0 to 100 (libjpeg knows no less than 1), and decode again."""
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=max(1, quality))
    return Image.open(packed).convert("RGB")
