"""What a contact sheet of a recipe shows: each edit alone by name, whole views, mixed views.

Whole and mixed views are those of real batches, at four steps of the run. How a sheet is drawn is
not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vcd.training import edits, published_edits
from vcd.training.batches import Batch, make_batch
from vcd.training.data import PackedPhotos
from vcd.training.overlays import draw_emoji, draw_over, draw_text
from vcd.training.settings import TrainingSettings

__all__ = ["Cell", "Row", "edit_rows", "mixed_rows", "view_rows"]

Picture = Image.Image
Pixels = NDArray[np.uint8]
Generator = np.random.Generator
Edit = Callable[[Picture, Pixels, Generator], Picture]
Edits = Mapping[str, Mapping[str, Edit]]
Enhancer = ImageEnhance.Brightness | ImageEnhance.Color | ImageEnhance.Contrast

MOMENTS = (0.0, 1 / 3, 2 / 3, 1.0)
"""Of which steps views are shown, as shares of the run."""

MIXED_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture, ``(S, S, 3)`` uint8, and what is said below it."""

    caption: str
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures side by side under a name."""

    name: str
    cells: tuple[Cell, ...]


def edit_rows(photos: PackedPhotos, settings: TrainingSettings) -> list[Row]:
    """Show every edit of the recipe alone, from weak to strong, each on a photograph of its own."""
    rows = []
    for ordinal, (name, variants) in enumerate(_edits_of(settings.augment.recipe).items()):
        photo = photos[ordinal % len(photos)]
        other = photos[(ordinal + 1) % len(photos)]
        picture = edits.squashed(photo, settings.input_px)
        cells = [Cell("as it is", np.asarray(picture))]
        for caption, edit in variants.items():
            rng = np.random.default_rng([settings.seed, ordinal])
            cells.append(Cell(caption, np.asarray(edit(picture, other, rng))))
        rows.append(Row(name, tuple(cells)))
    return rows


def view_rows(photos: PackedPhotos, settings: TrainingSettings) -> list[Row]:
    """Show both views of each photograph at four steps of the run, unmixed."""
    plain = replace(settings.augment, mixup_probability=0.0)
    settings = replace(settings, augment=plain, batch_photos=max(2, len(photos)))
    steps = [round(moment * (settings.steps - 1)) for moment in MOMENTS]
    batches = [make_batch(photos, settings, step * settings.accumulate_batches) for step in steps]
    rows = []
    for photo in range(len(photos)):
        cells = [Cell("photograph", np.asarray(edits.squashed(photos[photo], settings.input_px)))]
        for step, batch in zip(steps, batches, strict=True):
            first, second = np.flatnonzero(batch.photo_V == photo)[:2].tolist()
            cells.append(Cell(f"step {step}, first", batch.views_VHWC[first]))
            cells.append(Cell("second", batch.views_VHWC[second]))
        rows.append(Row(photos.names[photo], tuple(cells)))
    return rows


def mixed_rows(photos: PackedPhotos, settings: TrainingSettings) -> list[Row]:
    """Show mixed views, if the recipe has any: each says how much is its own photograph."""
    if settings.augment.mixup_probability == 0.0:
        return []
    always = replace(settings.augment, mixup_probability=1.0)
    settings = replace(settings, augment=always, batch_photos=max(2, len(photos)))
    batch = make_batch(photos, settings, 0)
    shown = range(min(MIXED_COLUMNS, len(batch.photo_V)))
    return [Row("sums and boxes of two views", tuple(_mixed_cell(batch, view) for view in shown))]


def _mixed_cell(batch: Batch, view: int) -> Cell:
    share = float(batch.share_V[view])
    return Cell(f"{share:.0%} and {1.0 - share:.0%}", batch.views_VHWC[view])


def _edits_of(recipe: str) -> Edits:
    if recipe == "copies":
        return _COPIES
    if recipe == "strong_blur":
        return _STRONG_BLUR
    composed = _COMPOSED if recipe == "advanced_video" else {}
    return {**_BEFORE_CROP, **_STRONG_BLUR, **composed, "JPEG": _JPEG}


def _plain(edit: Callable[[Picture], Picture]) -> Edit:
    return lambda picture, _other, _rng: edit(picture)


def _drawn(edit: Callable[[Picture, Generator], Picture]) -> Edit:
    return lambda picture, _other, rng: edit(picture, rng)


def _by_strength(edit: Callable[[Picture, float, Generator], Picture]) -> Mapping[str, Edit]:
    def at(strength: float) -> Edit:
        return lambda picture, _other, rng: edit(picture, strength, rng)

    return {"weak": at(0.2), "middle": at(0.5), "strong": at(1.0)}


def _enhanced(edit: Callable[[Picture], Enhancer]) -> Mapping[str, Edit]:
    def by(gain: float) -> Edit:
        return lambda picture, _other, _rng: edit(picture).enhance(gain)

    return {f"x {gain}": by(gain) for gain in (1.3, 1.8, 0.2)}


def _random_crop(area: float) -> Edit:
    return lambda picture, _other, rng: published_edits.random_crop(
        picture, picture.width, rng, areas=(area, area)
    )


def _box(area: float) -> Edit:
    return lambda picture, _other, rng: edits.boxed(
        np.asarray(picture), picture.width, area, 0.0, rng
    )


def _inside(share: float) -> Edit:
    return lambda picture, other, rng: edits.pasted(
        edits.squashed(other, picture.width), picture, share, rng
    )


def _behind(share: float) -> Edit:
    return lambda picture, other, rng: edits.pasted(
        picture, edits.squashed(other, picture.width), share, rng
    )


def _shrunk(share: float) -> Edit:
    def shrink(picture: Picture) -> Picture:
        small = max(1, int(picture.width * share))
        return picture.resize((small, small)).resize(picture.size)

    return _plain(shrink)


def _stacked(ordinal: int) -> Edit:
    return lambda picture, other, rng: edits.stacked(picture, other, rng.spawn(3)[ordinal])


def _draws(edit: Callable[[Picture, Generator], Picture]) -> Mapping[str, Edit]:
    def draw(ordinal: int) -> Edit:
        return lambda picture, _other, rng: edit(picture, rng.spawn(3)[ordinal])

    return {"one draw": draw(0), "another": draw(1), "a third": draw(2)}


_MIRROR: Edits = {"mirror": {"mirrored": _plain(ImageOps.mirror)}}
_GREY = _plain(lambda picture: ImageOps.grayscale(picture).convert("RGB"))
_JPEG: Mapping[str, Edit] = {
    f"quality {quality}": _plain(partial(published_edits.as_jpeg, quality=quality))
    for quality in (50, 10, 1)
}
_COMPOSED: Edits = {
    "stacked frame": {"one way": _stacked(0), "another": _stacked(1), "a third": _stacked(2)},
    "picture in picture": {
        f"{share:.0%} of the side": _inside(share) for share in (0.75, 0.5, 0.33)
    },
}
_BEFORE_CROP: Edits = {
    "quarter turn": {
        f"{degrees} degrees": _plain(partial(Image.Image.rotate, angle=degrees))
        for degrees in (90, 180, 270)
    },
    "text": {
        f"{height:.0%} high, opacity {opacity}": _drawn(
            partial(draw_text, heights=(height, height), opacities=(opacity, opacity))
        )
        for height, opacity in ((0.1, 0.4), (0.2, 0.7), (0.3, 1.0))
    },
    "emoji": {
        f"{size:.0%}, opacity {opacity}": _drawn(
            partial(draw_emoji, sizes=(size, size), opacities=(opacity, opacity))
        )
        for size, opacity in ((0.1, 0.7), (0.3, 0.85), (0.5, 1.0))
    },
    "any turn": {
        f"{degrees} degrees": _plain(
            partial(Image.Image.rotate, angle=degrees, resample=Image.Resampling.BILINEAR)
        )
        for degrees in (15, 45, 200)
    },
}
_STRONG_BLUR: Edits = {
    "crop": {f"{area:.0%} of the area": _random_crop(area) for area in (0.7, 0.3, 0.08)},
    **_MIRROR,
    "brightness": _enhanced(ImageEnhance.Brightness),
    "contrast": _enhanced(ImageEnhance.Contrast),
    "saturation": _enhanced(ImageEnhance.Color),
    "hue": {
        f"{360 * shift / 256:+.0f} degrees": _plain(
            partial(published_edits.shifted_hue, shift=shift)
        )
        for shift in (13, 51, -51)
    },
    "grey": {"grey": _GREY},
    "blur": {
        f"radius {radius}": _plain(
            partial(Image.Image.filter, filter=ImageFilter.GaussianBlur(radius))
        )
        for radius in (1, 3, 5)
    },
}
_COPIES: Edits = {
    "crop": {f"{area:.0%} of the area": _box(area) for area in (0.8, 0.5, 0.16)},
    **_MIRROR,
    "colours": _by_strength(edits.recoloured),
    "grey, solarized, inverted": {
        "grey": _GREY,
        "solarized": _plain(partial(ImageOps.solarize, threshold=128)),
        "inverted": _plain(ImageOps.invert),
    },
    "text and shapes": _draws(draw_over),
    "turn": _draws(lambda picture, rng: edits.rotated(picture, 1.0, rng)),
    "padding": _by_strength(edits.padded),
    **_COMPOSED,
    "partly hidden": {f"{share:.0%} of the side": _behind(share) for share in (0.15, 0.3, 0.5)},
    "blur": _by_strength(edits.blurred),
    "JPEG": _JPEG,
    "shrinking": {f"to {share:.0%}": _shrunk(share) for share in (0.7, 0.4, 0.18)},
    "noise": _by_strength(edits.noisy),
}
