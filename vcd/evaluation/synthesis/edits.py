"""Edited copies of pictures, by name and by seed: what a network or the detector is measured on.

An edit is planned once and applied to as many frames as there are: every parameter is drawn from
the edit's own seed as a share of the picture, so all frames of a video get the same edit. Edits are
pure functions of uint8 RGB arrays. They share no code with the edits of training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from vcd.evaluation.synthesis.overlays import OVERLAY_EDITS

__all__ = ["IMAGE_EDITS", "Edit", "plan_edit"]

Pixels = NDArray[np.uint8]
Generator = np.random.Generator
Picture = Image.Image
Editor = Callable[[Picture, Picture | None, Generator], Picture]

WORDS = (
    "breaking",
    "follow",
    "WOW",
    "part 2",
    "subscribe",
    "2026",
    "look at this",
    "@channel",
    "LIVE",
    "watch till the end",
    "no way",
    "official",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One planned edit: the same picture gives the same result, whenever it is applied.

    Attributes:
        name: a name of `IMAGE_EDITS` or of `OVERLAY_EDITS`.
        seed: decides every parameter of the edit.
    """

    name: str
    seed: int

    def __post_init__(self) -> None:
        if self.name not in _EDITS:
            raise ValueError(f"no edit {self.name!r}; there are {', '.join(_EDITS)}")

    @property
    def needs_other(self) -> bool:
        """Whether a second picture is needed, to put this one into or beside."""
        return self.name in ("inset", "stack")

    def apply(self, pixels: Pixels, other: Pixels | None = None) -> Pixels:
        """Edit one picture.

        Args:
            pixels: ``(H, W, 3)`` uint8 RGB; not changed.
            other: another picture, any size; needed where `needs_other` says so.

        Returns:
            ``(H', W', 3)`` uint8 RGB; the size depends on the edit and on ``H`` and ``W`` alone.
        """
        stranger = None if other is None else Image.fromarray(other)
        rng = np.random.default_rng(self.seed)
        edited = _EDITS[self.name](Image.fromarray(pixels), stranger, rng)
        return np.array(edited, dtype=np.uint8)


def plan_edit(name: str, rng: Generator) -> Edit:
    """Draw the parameters of an edit.

    Raises:
        ValueError: no edit has that name.
    """
    return Edit(name=name, seed=int(rng.integers(0, 2**31)))


def _none(picture: Picture, _other: Picture | None, _rng: Generator) -> Picture:
    return picture


def _jpeg8(picture: Picture, _other: Picture | None, _rng: Generator) -> Picture:
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=8)
    return Image.open(packed).convert("RGB")


def _crop(area: float) -> Editor:
    """Keep a box of this share of the area, of about the same shape, anywhere."""

    def crop(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
        aspect = np.exp(rng.uniform(-0.15, 0.15))
        wide = max(1, round(picture.width * min(1.0, np.sqrt(area * aspect))))
        high = max(1, round(picture.height * min(1.0, np.sqrt(area / aspect))))
        left = round(rng.random() * (picture.width - wide))
        top = round(rng.random() * (picture.height - high))
        return picture.crop((left, top, left + wide, top + high))

    return crop


def _flip(picture: Picture, _other: Picture | None, _rng: Generator) -> Picture:
    return ImageOps.mirror(picture)


def _rotate10(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    degrees = rng.choice([-1.0, 1.0]) * rng.uniform(8.0, 12.0)
    return picture.rotate(float(degrees), Image.Resampling.BILINEAR)


def _rotate90(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    return picture.rotate(90 * int(rng.choice([1, 3])), expand=True)


def _blur(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    return picture.filter(
        ImageFilter.GaussianBlur(min(picture.size) * float(rng.uniform(0.01, 0.02)))
    )


def _grey(picture: Picture, _other: Picture | None, _rng: Generator) -> Picture:
    return ImageOps.grayscale(picture).convert("RGB")


def _colour(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    """Brightness, contrast, balance of the channels and saturation."""
    level = np.asarray(picture, dtype=np.float32) / 255.0
    gains = rng.uniform(0.75, 1.3) * rng.uniform(0.8, 1.25, size=3)
    level = (level * gains - 0.5) * rng.uniform(0.6, 1.5) + 0.5
    grey = level.mean(axis=2, keepdims=True)
    level = grey + (level - grey) * rng.uniform(0.4, 1.8)
    return Image.fromarray((np.clip(level, 0.0, 1.0) * 255).astype(np.uint8))


def _solarize(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    return ImageOps.solarize(picture, int(rng.integers(96, 161)))


def _text(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    """Write a few words across the picture."""
    written = picture.copy()
    draw = ImageDraw.Draw(written)
    for _ in range(int(rng.integers(1, 4))):
        font = ImageFont.load_default(max(6, int(min(picture.size) * rng.uniform(0.08, 0.2))))
        place = (rng.uniform(0.0, 0.5) * picture.width, rng.uniform(0.0, 0.85) * picture.height)
        colour = tuple(int(level) for level in rng.integers(0, 256, size=3))
        draw.text(place, str(rng.choice(WORDS)), fill=colour, font=font)
    return written


def _padding(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    """Add borders of one colour: above and below, at the sides, or all around."""
    shares = rng.uniform(0.2, 0.6, size=2) * np.array([(0, 1), (1, 0), (1, 1)])[rng.integers(3)]
    wide = round(picture.width * (1.0 + shares[0]))
    high = round(picture.height * (1.0 + shares[1]))
    flat = (0, 0, 0) if rng.random() < 0.5 else tuple(int(x) for x in rng.integers(0, 256, size=3))
    canvas = Image.new("RGB", (wide, high), flat)
    canvas.paste(picture, ((wide - picture.width) // 2, (high - picture.height) // 2))
    return canvas


def _inset(picture: Picture, other: Picture | None, rng: Generator) -> Picture:
    """Shrink the picture to 40 to 70 % of each side of another one and paste it in."""
    if other is None:
        raise ValueError("an inset needs another picture to lie in")
    share = rng.uniform(0.4, 0.7)
    wide, high = max(1, round(other.width * share)), max(1, round(other.height * share))
    small = picture.resize((wide, high), Image.Resampling.BILINEAR)
    left = round(rng.random() * (other.width - wide))
    top = round(rng.random() * (other.height - high))
    canvas = other.copy()
    canvas.paste(small, (left, top))
    return canvas


def _shrink8(picture: Picture, _other: Picture | None, _rng: Generator) -> Picture:
    size = (max(1, picture.width // 8), max(1, picture.height // 8))
    return picture.resize(size, Image.Resampling.BILINEAR)


def _anamorphic(picture: Picture, _other: Picture | None, rng: Generator) -> Picture:
    share = rng.uniform(0.5, 0.7)
    if rng.random() < 0.5:
        return picture.resize((max(1, round(picture.width * share)), picture.height))
    return picture.resize((picture.width, max(1, round(picture.height * share))))


def _several(picture: Picture, other: Picture | None, rng: Generator) -> Picture:
    """Three edits one after the other: one of shape, one of colour, one of quality."""
    for group in (
        ("crop70", "flip", "rotate10", "padding"),
        ("grey", "colour", "text"),
        ("jpeg8", "blur", "shrink8", "anamorphic"),
    ):
        picture = IMAGE_EDITS[str(rng.choice(group))](picture, other, rng)
    return picture


IMAGE_EDITS: Mapping[str, Editor] = MappingProxyType(
    {
        "none": _none,
        "jpeg8": _jpeg8,
        "crop70": _crop(0.7),
        "crop45": _crop(0.45),
        "flip": _flip,
        "rotate10": _rotate10,
        "rotate90": _rotate90,
        "blur": _blur,
        "grey": _grey,
        "colour": _colour,
        "solarize": _solarize,
        "text": _text,
        "padding": _padding,
        "inset": _inset,
        "shrink8": _shrink8,
        "anamorphic": _anamorphic,
        "several": _several,
    }
)
"""Every edit by name; the order is the order of result tables."""

_EDITS: Mapping[str, Editor] = MappingProxyType({**IMAGE_EDITS, **OVERLAY_EDITS})
