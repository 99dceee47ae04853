"""The recipes: how a view of a training photograph is made, by name.

``copies`` is ours: SSCD's edits, and what copies of videos meet besides (letterboxes, insets both
ways, stacking, shrinking, solarizing), each scaled by one strength between 0 (nothing) and 1. The
crop and the resize come first and in one step, so every other edit works on a picture of the final
size. ``strong_blur`` and ``advanced`` are SSCD's as published: probabilities, ranges and order,
text, emoji and rotations before the crop. ``advanced_video`` adds stacking and picture in picture.

A view is a function of (photograph, other photograph, generator), nothing else. The sets that
measure a network are made elsewhere, by other code.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from vcd.training.edits import (
    boxed,
    composed,
    cropped,
    degraded,
    padded,
    pasted,
    recoloured,
    rotated,
    shrunk,
    squashed,
    stacked,
)
from vcd.training.overlays import draw_emoji, draw_over, draw_text
from vcd.training.published_edits import as_jpeg, jittered, random_crop

__all__ = [
    "HARD_EDITS",
    "HARD_KINDS",
    "HARD_WEIGHTS",
    "PUBLISHED_RECIPES",
    "RECIPES_WITH_TEXT",
    "Recipe",
    "advanced_video_view",
    "advanced_view",
    "edited_view",
    "hard_view",
    "strong_blur_view",
]

Picture = Image.Image
Pixels = NDArray[np.uint8]
Generator = np.random.Generator


class Recipe(Protocol):
    """Makes a view of a photograph, ``(size_px, size_px, 3)`` uint8 RGB."""

    def __call__(self, photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels: ...


def edited_view(
    photo: Pixels, other: Pixels, *, size_px: int, strength: float, rng: Generator
) -> Pixels:
    """Make one edited view of a photograph.

    Args:
        photo: ``(H, W, 3)`` uint8 RGB.
        other: another photograph, for insets and stacks; used only where an edit needs it.
        size_px: side of the square result.
        strength: 0 gives the whole photograph squashed to the square, 1 the full recipe.
        rng: the only source of chance.

    Returns:
        ``(size_px, size_px, 3)`` uint8 RGB.
    """
    picture = cropped(photo, size_px, strength, rng)
    if rng.random() < 0.5 * min(1.0, 2.0 * strength):
        picture = ImageOps.mirror(picture)
    if rng.random() < 0.75 * strength:
        picture = recoloured(picture, strength, rng)
    if rng.random() < 0.45 * strength:
        picture = draw_over(picture, rng)
    if rng.random() < 0.25 * strength:
        picture = rotated(picture, strength, rng)
    if rng.random() < 0.45 * strength:
        picture = composed(picture, other, strength, rng)
    if rng.random() < 0.6 * strength:
        picture = degraded(picture, strength, rng)
    return np.array(picture, dtype=np.uint8)


def _turned(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    del other
    return picture.rotate(90 * int(rng.choice([1, 1, 2, 3, 3])))


def _inset(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    return pasted(squashed(other, picture.width), picture, rng.uniform(0.33, 0.75), rng)


def _solarized(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    del other
    return ImageOps.solarize(picture, int(rng.integers(64, 192)))


def _fully_padded(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    del other
    return padded(picture, 1.0, rng)


def _fully_shrunk(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    del other
    return shrunk(picture, 1.0, rng)


HARD_EDITS: Mapping[str, Callable[[Picture, Pixels, Generator], Picture]] = MappingProxyType(
    {
        "quarter turn": _turned,
        "inset": _inset,
        "solarize": _solarized,
        "padding": _fully_padded,
        "stack": stacked,
        "shrink": _fully_shrunk,
    }
)
"""The edits of a hard view; a seventh is the tight crop, which comes instead of squashing."""

HARD_KINDS = ("crop", *HARD_EDITS)
HARD_WEIGHTS = (0.28, 0.15, 0.2, 0.1, 0.12, 0.1, 0.05)
"""How often each of the hard edits is drawn."""


def hard_view(photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels:
    """Make a view by one alone of the edits that are learned last, in full.

    A tight crop, a quarter turn, an inset in another photograph, solarizing, padding, one half of
    a stacked frame or shrinking; half of them mildly degraded as well.
    """
    kind = str(rng.choice(HARD_KINDS, p=HARD_WEIGHTS))
    if kind == "crop":
        picture = boxed(photo, size_px, rng.uniform(0.16, 0.6), rng.uniform(-0.2, 0.2), rng)
    else:
        picture = HARD_EDITS[kind](squashed(photo, size_px), other, rng)
    if rng.random() < 0.5:
        picture = degraded(picture, 0.4, rng)
    return np.array(picture, dtype=np.uint8)


def strong_blur_view(photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels:
    """Make a view by SSCD's STRONG_BLUR: crop, mirror, colours, grey, blur."""
    del other
    picture = random_crop(Image.fromarray(photo), size_px, rng)
    picture = _coloured_and_blurred(_maybe_mirrored(picture, rng), rng)
    return np.array(picture, dtype=np.uint8)


def advanced_view(photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels:
    """Make a view by SSCD's ADVANCED: turned and written over, then cropped, coloured, degraded."""
    del other
    picture = random_crop(_turned_and_written_over(photo, rng), size_px, rng)
    picture = _maybe_recompressed(_coloured_and_blurred(picture, rng), rng)
    return np.array(picture, dtype=np.uint8)


def advanced_video_view(photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels:
    """Make a view by ADVANCED and, before it is recompressed, what videos bring.

    One in ten shows half of a stacked frame, one in ten is a picture in the other photograph.
    """
    picture = random_crop(_turned_and_written_over(photo, rng), size_px, rng)
    picture = _coloured_and_blurred(picture, rng)
    if rng.random() < 0.1:
        picture = stacked(picture, other, rng)
    if rng.random() < 0.1:
        picture = _inset(picture, other, rng)
    return np.array(_maybe_recompressed(picture, rng), dtype=np.uint8)


PUBLISHED_RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "strong_blur": strong_blur_view,
        "advanced": advanced_view,
        "advanced_video": advanced_video_view,
    }
)
"""What makes a view, for every recipe but ``copies``."""

RECIPES_WITH_TEXT = frozenset({"advanced", "advanced_video"})
"""The recipes that need the fonts of the dependency group ``train``."""


def _turned_and_written_over(photo: Pixels, rng: Generator) -> Picture:
    """Do what ADVANCED does before the crop, at the photograph's own size."""
    picture = _maybe_mirrored(Image.fromarray(photo), rng)
    if rng.random() < 0.05:
        picture = picture.rotate(90 * int(rng.integers(1, 4)), Image.Resampling.BILINEAR)
    if rng.random() < 0.1:
        picture = draw_text(picture, rng)
    if rng.random() < 0.2:
        picture = draw_emoji(picture, rng)
    if rng.random() < 0.05:
        picture = picture.rotate(int(rng.integers(0, 360)), Image.Resampling.BILINEAR)
    return picture


def _maybe_mirrored(picture: Picture, rng: Generator) -> Picture:
    return ImageOps.mirror(picture) if rng.random() < 0.5 else picture


def _coloured_and_blurred(picture: Picture, rng: Generator) -> Picture:
    if rng.random() < 0.8:
        picture = jittered(picture, rng)
    if rng.random() < 0.2:
        picture = ImageOps.grayscale(picture).convert("RGB")
    if rng.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.0, 5.0)))
    return picture


def _maybe_recompressed(picture: Picture, rng: Generator) -> Picture:
    return as_jpeg(picture, int(rng.integers(0, 101))) if rng.random() < 0.2 else picture
