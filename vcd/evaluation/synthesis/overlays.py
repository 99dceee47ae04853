"""What people lay over, put beside or write under the pictures that they copy.

Like the edits of `vcd.evaluation.synthesis.edits`, which these belong to: every parameter is drawn
from the generator as a share of the picture, so that all frames of a video get the same edit.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["OVERLAY_EDITS"]

Generator = np.random.Generator
Picture = Image.Image

CAPTIONS = (
    "when the beat drops",
    "wait for it...",
    "you won't believe this",
    "credit to the owner",
    "part 3/7",
    "POV: monday",
    "like and share",
)
_FACE_YELLOW = (255, 204, 51)
_INK = (60, 40, 20)


def _sticker(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    """Lay one to three faces, hearts or bubbles over the picture."""
    covered = picture.copy()
    draw = ImageDraw.Draw(covered)
    for _ in range(int(rng.integers(1, 4))):
        radius = max(2.0, min(picture.size) * float(rng.uniform(0.08, 0.16)))
        place = (
            float(rng.uniform(0.1, 0.9)) * picture.width,
            float(rng.uniform(0.1, 0.9)) * picture.height,
        )
        paint = (_face, _heart, _bubble)[int(rng.integers(3))]
        paint(draw, place, radius)
    return covered


def _face(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float) -> None:
    x, y = place
    eye, rim = radius / 5, max(1, round(radius / 12))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), _FACE_YELLOW, _INK, rim)
    for side in (-1, 1):
        left, top = x + side * radius * 0.38 - eye, y - radius * 0.35 - eye
        draw.ellipse((left, top, left + 2 * eye, top + 2 * eye), _INK)
    mouth = (x - radius * 0.6, y - radius * 0.5, x + radius * 0.6, y + radius * 0.65)
    draw.chord(mouth, 10, 170, (255, 255, 255), _INK, rim)


def _heart(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float) -> None:
    x, y = place
    red, half = (230, 30, 60), radius * 0.55
    for side in (-1, 1):
        middle = x + side * half * 0.85
        draw.ellipse((middle - half, y - half * 1.4, middle + half, y + half * 0.6), red)
    wing = half * 1.72
    draw.polygon([(x - wing, y + half * 0.05), (x + wing, y + half * 0.05), (x, y + radius)], red)


def _bubble(draw: ImageDraw.ImageDraw, place: tuple[float, float], radius: float) -> None:
    x, y = place
    white = (250, 250, 250)
    box = (x - radius * 1.6, y - radius * 0.7, x + radius * 1.6, y + radius * 0.5)
    draw.polygon([(x - radius, y), (x - radius * 0.3, y), (x - radius * 1.1, y + radius)], white)
    draw.rounded_rectangle(box, radius * 0.4, white)
    font = ImageFont.load_default(max(6, int(radius * 0.6)))
    draw.text((x, y - radius * 0.1), "so true!!", fill=(20, 20, 20), font=font, anchor="mm")


def _caption(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    """Put a band with a line of text above or below the picture."""
    band = max(1, round(picture.height * float(rng.uniform(0.12, 0.22))))
    is_dark, is_above = rng.random(2) < (0.4, 0.6)
    paper, ink = ((0, 0, 0), (255, 255, 255)) if is_dark else ((255, 255, 255), (10, 10, 10))
    canvas = Image.new("RGB", (picture.width, picture.height + band), paper)
    canvas.paste(picture, (0, band if is_above else 0))
    font = ImageFont.load_default(max(6, round(min(band * 0.55, picture.width / 14))))
    middle = band / 2 if is_above else picture.height + band / 2
    words = str(rng.choice(CAPTIONS))
    ImageDraw.Draw(canvas).text((picture.width / 2, middle), words, ink, font, anchor="mm")
    return canvas


def _stack(picture: Picture, other: Picture | None, rng: Generator) -> Picture:
    """Show another picture of the same size above, below or beside this one."""
    if other is None:
        raise ValueError("a stack needs another picture to lie beside")
    beside = ImageOps.fit(other, picture.size, Image.Resampling.BILINEAR)
    pair = [picture, beside] if rng.random() < 0.5 else [beside, picture]
    is_wide = picture.width > picture.height
    right, below = (0, picture.height) if is_wide else (picture.width, 0)
    canvas = Image.new("RGB", (picture.width + right, picture.height + below))
    canvas.paste(pair[0], (0, 0))
    canvas.paste(pair[1], (right, below))
    return canvas


OVERLAY_EDITS: Mapping[str, Callable[[Picture, Picture | None, Generator], Picture]] = (
    MappingProxyType(
        {"sticker": _sticker, "caption": _caption, "stack": _stack},
    )
)
"""Every edit that lays something over a picture or beside it, by name."""
