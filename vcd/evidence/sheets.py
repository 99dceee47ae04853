"""Put pictures of a video side by side into one JPEG file.

    +----+----+----+----+
    | 0  | 1  | 2  | 3  |      all of one size, row by row; the rest of the last row is black
    +----+----+----+----+
    | 4  | 5  |
    +----+----+

One file with many pictures opens faster than many files, and a page shows any part of it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError
from vcd.evidence.record import Sheet

__all__ = ["picture_size", "resized", "write_sheet"]

_NUM_COLUMNS = 8
_QUALITY = 75
_MAX_ASPECT = 4
"""A picture is at most this many times as wide as it may be high: banners exist."""


def picture_size(width_px: int, height_px: int, *, max_height_px: int) -> tuple[int, int]:
    """Choose the width and height of a small picture: the same shape, never enlarged.

    Args:
        width_px: of the original.
        height_px: of the original.
        max_height_px: of the small one, which is at most four times as wide.
    """
    scale = min(1.0, max_height_px / height_px, _MAX_ASPECT * max_height_px / width_px)
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def resized(pixels_HWC: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring a picture to a width and height; the same shape is for the caller to see to.

    Args:
        pixels_HWC: ``(H, W, 3)`` uint8 RGB.
        size: width and height.
    """
    if (pixels_HWC.shape[1], pixels_HWC.shape[0]) == size:
        return pixels_HWC
    from PIL import Image

    picture = Image.fromarray(pixels_HWC).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(picture)


def write_sheet(
    path: Path, pictures: Sequence[NDArray[np.uint8]], *, times_s: Sequence[float]
) -> Sheet:
    """Write pictures into one file; it is made anew, with nothing of the original's bytes.

    Args:
        path: of the JPEG file.
        pictures: ``(H, W, 3)`` uint8 RGB each; at least one, and all as large as the first.
        times_s: when each was taken.

    Raises:
        SetupError: it cannot be written.
        ValueError: not as many times as pictures, none at all, or pictures of unequal size.
    """
    if len(pictures) != len(times_s) or len({picture.shape for picture in pictures}) != 1:
        raise ValueError(f"{path}: {len(pictures)} pictures and {len(times_s)} times, or no size")
    from PIL import Image

    height_px, width_px = pictures[0].shape[:2]
    num_columns = min(_NUM_COLUMNS, len(pictures))
    num_rows = -(-len(pictures) // num_columns)
    sheet = Image.new("RGB", (num_columns * width_px, num_rows * height_px))
    for place, picture in enumerate(pictures):
        row, column = divmod(place, num_columns)
        sheet.paste(Image.fromarray(picture), (column * width_px, row * height_px))
    try:
        sheet.save(path, format="JPEG", quality=_QUALITY)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    return Sheet(
        file=path.name,
        sha256=sha256,
        num_columns=num_columns,
        width_px=width_px,
        height_px=height_px,
        times_s=tuple(float(time_s) for time_s in times_s),
    )
