"""The edits of the recipe ``copies``, one function each: what people do to copies, cheaply.

Every edit but the crop works on a picture that has its final size, is scaled by one strength
between 0 (nothing) and 1, and takes the generator that is its only source of chance.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vcd.training.published_edits import as_jpeg, shifted_hue

__all__ = [
    "blurred",
    "boxed",
    "composed",
    "cropped",
    "degraded",
    "noisy",
    "padded",
    "pasted",
    "recoloured",
    "recompressed",
    "rotated",
    "shrunk",
    "squashed",
    "stacked",
]

Picture = Image.Image
Pixels = NDArray[np.uint8]
Generator = np.random.Generator

MIN_CROP_AREA = 0.2
"""Share of the photograph that the strongest crop keeps; the published recipe goes to 0.08."""


def cropped(photo: Pixels, size_px: int, strength: float, rng: Generator) -> Picture:
    """Keep all or, more often the stronger, cut a random box; squash it to the square."""
    if rng.random() < 0.25 + 0.5 * strength:
        area = rng.uniform(1.0 - strength * (1.0 - MIN_CROP_AREA), 1.0)
        return boxed(photo, size_px, area, strength * rng.uniform(-0.35, 0.35), rng)
    return squashed(photo, size_px)


def squashed(photo: Pixels, size_px: int) -> Picture:
    """Bring the whole photograph to the square."""
    return Image.fromarray(photo).resize((size_px, size_px), Image.Resampling.BILINEAR)


def boxed(photo: Pixels, size_px: int, area: float, log_aspect: float, rng: Generator) -> Picture:
    """Cut a box of this share of the area, as RandomResizedCrop does, and squash it."""
    height, width = photo.shape[:2]
    aspect = np.exp(log_aspect)
    wide = width * min(1.0, float(np.sqrt(area * aspect)))
    high = height * min(1.0, float(np.sqrt(area / aspect)))
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
    box = (left, top, left + wide, top + high)
    size = (size_px, size_px)
    return Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box=box)


def recoloured(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Change brightness, contrast, saturation and hue; sometimes grey, solarize or invert."""
    kind = rng.random()
    if kind < 0.2:
        return ImageOps.grayscale(picture).convert("RGB")
    if kind < 0.27:
        return ImageOps.solarize(picture, int(rng.integers(64, 192)))
    if kind < 0.29:
        return ImageOps.invert(picture)
    depth = 0.8 * strength
    gains = rng.uniform(1.0 - depth, 1.0 + depth, size=3)
    picture = _levels(picture, float(gains[0]), float(gains[1]), rng.uniform(-depth, depth) / 2)
    if rng.random() < 0.7:
        picture = ImageEnhance.Color(picture).enhance(float(gains[2]))
    if rng.random() < 0.5:
        picture = _tinted(picture, strength, rng)
    return picture


def _levels(picture: Picture, brightness: float, contrast: float, bend: float) -> Picture:
    """Brightness, contrast around mid-grey and gamma, as one look-up table."""
    level = np.linspace(0.0, 1.0, 256) ** np.exp(-bend)
    table = (level * brightness - 0.5) * contrast + 0.5
    return picture.point((np.clip(table, 0.0, 1.0) * 255).astype(np.uint8).tolist() * 3)


def _tinted(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Turn the hue or weigh the colour channels differently."""
    if rng.random() < 0.5:
        gains = rng.uniform(1.0 - 0.4 * strength, 1.0 + 0.3 * strength, size=3)
        table = np.clip(np.arange(256)[None] * gains[:, None], 0, 255)
        return picture.point(table.astype(np.uint8).ravel().tolist())
    return shifted_hue(picture, int(rng.uniform(-51, 51) * strength))


def rotated(picture: Picture, strength: float, rng: Generator) -> Picture:
    """A quarter turn, a slight tilt or any angle; corners black, mean grey or cut away."""
    kind = rng.random()
    if kind < 0.35:
        return picture.rotate(int(rng.integers(1, 4)) * 90)
    any_angle = kind < 0.5
    degrees = rng.uniform(-180, 180) if any_angle else rng.uniform(-25, 25) * strength
    fill = tuple(int(level) for level in rng.integers(0, 256, size=3)) if kind > 0.8 else None
    grown = bool(rng.random() < 0.5)
    turned = picture.rotate(degrees, Image.Resampling.BILINEAR, expand=grown, fillcolor=fill)
    return turned.resize(picture.size, Image.Resampling.BILINEAR) if grown else turned


def composed(picture: Picture, other: Pixels, strength: float, rng: Generator) -> Picture:
    """Put the picture into something larger, or something smaller into the picture."""
    kind = rng.random()
    if kind < 0.42:
        return padded(picture, strength, rng)
    stranger = squashed(other, picture.width)
    if kind < 0.8:
        share = rng.uniform(0.95 - 0.57 * strength, 0.95)
        return pasted(stranger, picture, share, rng)
    if kind < 0.9:
        return pasted(picture, stranger, rng.uniform(0.15, 0.5), rng)
    return stacked(picture, other, rng)


def stacked(picture: Picture, other: Pixels, rng: Generator) -> Picture:
    """Show the picture and another one side by side or one above the other."""
    size = picture.width
    stranger = squashed(other, picture.width)
    across = rng.random() < 0.5
    half = (size // 2, size) if across else (size, size // 2)
    place = [(0, 0), (half[0], 0) if across else (0, half[1])]
    order = rng.permutation(2)
    stranger.paste(picture.resize(half, Image.Resampling.BILINEAR), place[int(order[0])])
    return stranger


def pasted(canvas: Picture, inset: Picture, share: float, rng: Generator) -> Picture:
    """Paste ``inset``, shrunk to about ``share`` of each side, somewhere into ``canvas``."""
    wide, high = np.clip(share * np.exp(rng.uniform(-0.2, 0.2, size=2)), 0.1, 1.0) * canvas.width
    small = inset.resize((int(wide), int(high)), Image.Resampling.BILINEAR)
    left = int(rng.uniform(0, canvas.width - wide + 1))
    top = int(rng.uniform(0, canvas.height - high + 1))
    canvas = canvas.copy()
    canvas.paste(small, (left, top))
    return canvas


def padded(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Letterbox, pillarbox or frame the picture; the border is flat, or its own blur."""
    size = picture.width
    shares = 1.0 - strength * rng.uniform(0.05, 0.55, size=2)
    kept = int(rng.integers(0, 3))
    if kept < 2:
        shares[kept] = 1.0
    wide, high = int(shares[0] * size), int(shares[1] * size)
    if rng.random() < 0.2:
        canvas = picture.filter(ImageFilter.BoxBlur(size / 12))
    else:
        flat = (0, 0, 0) if rng.random() < 0.5 else tuple(rng.integers(0, 256, size=3).tolist())
        canvas = Image.new("RGB", picture.size, flat)
    middle = rng.random() < 0.6
    left = (size - wide) // 2 if middle else int(rng.integers(0, size - wide + 1))
    top = (size - high) // 2 if middle else int(rng.integers(0, size - high + 1))
    canvas.paste(picture.resize((wide, high), Image.Resampling.BILINEAR), (left, top))
    return canvas


def blurred(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Blur, up to a radius of 2.8 % of the side."""
    radius = picture.width * rng.uniform(0.003, 0.003 + 0.025 * strength)
    return picture.filter(ImageFilter.GaussianBlur(radius))


def shrunk(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Shrink, down to an eighth of a usual photograph's side, and enlarge again."""
    small = int(picture.width * max(0.18, 1.0 - rng.uniform(0.3, 0.85) * strength))
    reduced = picture.resize((small, small), Image.Resampling.BILINEAR)
    return reduced.resize(picture.size, Image.Resampling.BICUBIC)


def noisy(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Add noise to every level, with a standard deviation of up to 34 of 255."""
    pixels = np.asarray(picture, dtype=np.float32)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(4, 4 + 30 * strength)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def recompressed(picture: Picture, strength: float, rng: Generator) -> Picture:
    """JPEG down to quality 1; at training size that is as bad as far less at full size."""
    return as_jpeg(picture, int(rng.uniform(95 - 94 * strength, 95)))


_DEGRADATIONS: tuple[Callable[[Picture, float, Generator], Picture], ...] = (
    blurred,
    recompressed,
    shrunk,
    noisy,
)


def degraded(picture: Picture, strength: float, rng: Generator) -> Picture:
    """One or two of blur, JPEG, shrinking and noise."""
    num_edits = 1 + int(rng.random() < 0.3 * strength)
    weights = (0.35, 0.35, 0.2, 0.1)
    for edit in rng.choice(len(_DEGRADATIONS), size=num_edits, replace=False, p=weights):
        picture = _DEGRADATIONS[int(edit)](picture, strength, rng)
    return picture
