"""The edits a training photograph goes through: what people do to copies, cheaply.

SSCD's "advanced" recipe at full strength (flip, rotation, text, emoji, crop, colour, grey, blur,
JPEG), and what copies of videos meet besides: letterboxes, insets both ways, stacking, shrinking,
solarizing. The crop and the resize come first and in one step, so every other edit works on a
picture of the final size. One strength between 0 (nothing) and 1 scales probability and depth of
every edit. A view is a function of (photograph, other photograph, generator), nothing else.

The sets that measure a network are made elsewhere, by other code.
"""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vcd.training.overlays import draw_over

__all__ = ["edited_view", "hard_view"]

Picture = Image.Image
Pixels = NDArray[np.uint8]
Generator = np.random.Generator

MIN_CROP_AREA = 0.2
"""Share of the photograph that the strongest crop keeps; the published recipe goes to 0.08."""


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
    picture = _cropped(photo, size_px, strength, rng)
    if rng.random() < 0.5 * min(1.0, 2.0 * strength):
        picture = ImageOps.mirror(picture)
    if rng.random() < 0.75 * strength:
        picture = _recoloured(picture, strength, rng)
    if rng.random() < 0.45 * strength:
        picture = draw_over(picture, rng)
    if rng.random() < 0.25 * strength:
        picture = _rotated(picture, strength, rng)
    if rng.random() < 0.45 * strength:
        picture = _composed(picture, other, strength, rng)
    if rng.random() < 0.6 * strength:
        picture = _degraded(picture, strength, rng)
    return np.array(picture, dtype=np.uint8)


def hard_view(photo: Pixels, other: Pixels, *, size_px: int, rng: Generator) -> Pixels:
    """Make a view by one alone of the edits that are learned last, in full.

    A tight crop, a quarter turn, an inset in another photograph, or solarizing; half of them
    mildly degraded as well.
    """
    size, bilinear = (size_px, size_px), Image.Resampling.BILINEAR
    kind = int(rng.integers(0, 4))
    if kind == 0:
        picture = _boxed(photo, size_px, rng.uniform(0.25, 0.6), rng.uniform(-0.2, 0.2), rng)
    else:
        picture = Image.fromarray(photo).resize(size, bilinear)
    if kind == 1:
        picture = picture.rotate(90 * int(rng.choice([1, 1, 2, 3, 3])))
    elif kind == 2:
        stranger = Image.fromarray(other).resize(size, bilinear)
        picture = _pasted(stranger, picture, rng.uniform(0.35, 0.75), rng)
    elif kind == 3:
        picture = ImageOps.solarize(picture, int(rng.integers(64, 192)))
    if rng.random() < 0.5:
        picture = _degraded(picture, 0.4, rng)
    return np.array(picture, dtype=np.uint8)


def _cropped(photo: Pixels, size_px: int, strength: float, rng: Generator) -> Picture:
    """Keep all or, more often the stronger, cut a random box; squash it to the square."""
    if rng.random() < 0.25 + 0.5 * strength:
        area = rng.uniform(1.0 - strength * (1.0 - MIN_CROP_AREA), 1.0)
        return _boxed(photo, size_px, area, strength * rng.uniform(-0.35, 0.35), rng)
    size = (size_px, size_px)
    return Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR)


def _boxed(photo: Pixels, size_px: int, area: float, log_aspect: float, rng: Generator) -> Picture:
    """Cut a box of this share of the area, as RandomResizedCrop does, and squash it."""
    height, width = photo.shape[:2]
    aspect = np.exp(log_aspect)
    wide = width * min(1.0, float(np.sqrt(area * aspect)))
    high = height * min(1.0, float(np.sqrt(area / aspect)))
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
    box = (left, top, left + wide, top + high)
    size = (size_px, size_px)
    return Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box=box)


def _recoloured(picture: Picture, strength: float, rng: Generator) -> Picture:
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
    hue, saturation, value = picture.convert("HSV").split()
    shift = int(rng.uniform(-51, 51) * strength)
    hue = hue.point([(level + shift) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _rotated(picture: Picture, strength: float, rng: Generator) -> Picture:
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


def _composed(picture: Picture, other: Pixels, strength: float, rng: Generator) -> Picture:
    """Put the picture into something larger, or something smaller into the picture."""
    kind = rng.random()
    if kind < 0.42:
        return _padded(picture, strength, rng)
    size = picture.width
    stranger = Image.fromarray(other).resize(picture.size, Image.Resampling.BILINEAR)
    if kind < 0.8:
        share = rng.uniform(0.95 - 0.57 * strength, 0.95)
        return _pasted(stranger, picture, share, rng)
    if kind < 0.9:
        return _pasted(picture, stranger, rng.uniform(0.15, 0.5), rng)
    across = rng.random() < 0.5
    half = (size // 2, size) if across else (size, size // 2)
    place = [(0, 0), (half[0], 0) if across else (0, half[1])]
    order = rng.permutation(2)
    stranger.paste(picture.resize(half, Image.Resampling.BILINEAR), place[int(order[0])])
    return stranger


def _pasted(canvas: Picture, inset: Picture, share: float, rng: Generator) -> Picture:
    """Paste ``inset``, shrunk to about ``share`` of each side, somewhere into ``canvas``."""
    wide, high = np.clip(share * np.exp(rng.uniform(-0.2, 0.2, size=2)), 0.1, 1.0) * canvas.width
    small = inset.resize((int(wide), int(high)), Image.Resampling.BILINEAR)
    left = int(rng.uniform(0, canvas.width - wide + 1))
    top = int(rng.uniform(0, canvas.height - high + 1))
    canvas = canvas.copy()
    canvas.paste(small, (left, top))
    return canvas


def _padded(picture: Picture, strength: float, rng: Generator) -> Picture:
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


def _blurred(picture: Picture, strength: float, rng: Generator) -> Picture:
    radius = picture.width * rng.uniform(0.003, 0.003 + 0.025 * strength)
    return picture.filter(ImageFilter.GaussianBlur(radius))


def _shrunk(picture: Picture, strength: float, rng: Generator) -> Picture:
    """Shrink, down to an eighth of a usual photograph's side, and enlarge again."""
    small = int(picture.width * max(0.18, 1.0 - rng.uniform(0.3, 0.85) * strength))
    reduced = picture.resize((small, small), Image.Resampling.BILINEAR)
    return reduced.resize(picture.size, Image.Resampling.BICUBIC)


def _noisy(picture: Picture, strength: float, rng: Generator) -> Picture:
    pixels = np.asarray(picture, dtype=np.float32)
    noise = rng.standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(4, 4 + 30 * strength)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _recompressed(picture: Picture, strength: float, rng: Generator) -> Picture:
    """JPEG down to quality 1; at training size that is as bad as far less at full size."""
    quality = int(rng.uniform(95 - 94 * strength, 95))
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=max(1, quality))
    return Image.open(packed).convert("RGB")


_DEGRADATIONS: tuple[Callable[[Picture, float, Generator], Picture], ...] = (
    _blurred,
    _recompressed,
    _shrunk,
    _noisy,
)


def _degraded(picture: Picture, strength: float, rng: Generator) -> Picture:
    """One or two of blur, JPEG, shrinking and noise."""
    num_edits = 1 + int(rng.random() < 0.3 * strength)
    weights = (0.35, 0.35, 0.2, 0.1)
    for edit in rng.choice(len(_DEGRADATIONS), size=num_edits, replace=False, p=weights):
        picture = _DEGRADATIONS[int(edit)](picture, strength, rng)
    return picture
