"""Footage for tests of views: things with edges that move, and pictures laid over one another."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT_PX, WIDTH_PX = 240, 320


def footage(
    num_frames: int, seed: int, *, height_px: int = HEIGHT_PX, width_px: int = WIDTH_PX
) -> NDArray[np.uint8]:
    """Soft noise, askew, that moves: things with edges, none of them straight and still."""
    drawn = _drawn(seed)
    moves = [((37 * n + 5) % 199, (23 * n + 11) % 279) for n in range(num_frames)]
    return np.stack([drawn[y : y + height_px, x : x + width_px] for x, y in moves])


def with_inset(
    num_frames: int, box: tuple[int, int, int, int], *, seed: int = 1
) -> NDArray[np.uint8]:
    """Lay moving footage over other moving footage, in a box of left, top, right and bottom."""
    left, top, right, bottom = box
    frames = footage(num_frames, seed)
    frames[:, top:bottom, left:right] = footage(
        num_frames, seed + 50, height_px=bottom - top, width_px=right - left
    )
    return frames


@cache
def _drawn(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    drawn = Image.fromarray(noise).resize((800, 800), Image.Resampling.BICUBIC)
    return np.asarray(drawn.rotate(30, Image.Resampling.BILINEAR))[140:660, 140:660]
