"""Draw the frames of a synthetic query, one after the other, from frames of its footage."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch

__all__ = ["Footage", "Pixels", "edited_size", "fit_picture", "query_frames"]

Pixels = NDArray[np.uint8]
Footage = Callable[[Stretch], contextlib.AbstractContextManager[Iterator[Pixels]]]
"""Opens a stretch: the picture of each of its cells, ``(H, W, 3)`` uint8 RGB, in order."""


def query_frames(plan: QueryPlan, footage: Footage) -> Iterator[Pixels]:
    """Draw every frame of a query; only one picture of each stretch is held at a time.

    Args:
        plan: what to show.
        footage: opens a stretch; closed when its last picture was taken.

    Yields:
        ``(H, W, 3)`` uint8 RGB of the size of the plan.
    """
    for part in plan.parts:
        with contextlib.ExitStack() as stack:
            pictures = [stack.enter_context(footage(one)) for one in part.stretches]
            for shown, *behind in zip(*pictures, strict=True):
                edited = _edited(part, shown, behind[0] if behind else None)
                yield fit_picture(edited, plan.size, blurred_bars=plan.blurred_bars)


def edited_size(part: Part, shown: tuple[int, int], behind: tuple[int, int]) -> tuple[int, int]:
    """Find the width and height that a part has after its edits.

    Args:
        part: with its edits.
        shown: width and height of the footage.
        behind: width and height of what an inset would lie in.
    """
    blank, other = (np.zeros((height, width, 3), np.uint8) for width, height in (shown, behind))
    height, width = _edited(part, blank, other).shape[:2]
    return width, height


def fit_picture(pixels: Pixels, size: tuple[int, int], *, blurred_bars: bool) -> Pixels:
    """Make a picture as large as fits, whole and undistorted, in the middle of a canvas.

    Args:
        pixels: ``(H, W, 3)`` uint8 RGB.
        size: width and height of the canvas.
        blurred_bars: whether what it leaves free shows the picture itself, blurred; else black.
    """
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    picture = Image.fromarray(pixels)
    scale = min(size[0] / width, size[1] / height)
    inner = (round(width * scale), round(height * scale))
    if max(size[0] - inner[0], size[1] - inner[1]) <= _MAX_STRETCH_PX:
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    inner = (max(1, inner[0]), max(1, inner[1]))
    canvas = _blurred(picture, size) if blurred_bars else Image.new("RGB", size)
    place = ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2)
    canvas.paste(picture.resize(inner, Image.Resampling.BILINEAR), place)
    return np.asarray(canvas)


_MAX_STRETCH_PX = 4
"""Bars narrower than this are rounding, not shape."""


def _blurred(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    tiny = ImageOps.fit(picture, (max(2, size[0] // 16), max(2, size[1] // 16)))
    soft = tiny.filter(ImageFilter.GaussianBlur(1.5))
    return soft.resize(size, Image.Resampling.BILINEAR)


def _edited(part: Part, pixels: Pixels, other: Pixels | None) -> Pixels:
    for edit in part.edits:
        pixels = edit.apply(pixels, other if edit.needs_other else None)
    return pixels
