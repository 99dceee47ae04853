"""Lay registered pictures over each other, say where they agree, and sharpen the registration.

Pictures are compared by what is around each pixel, without its brightness and contrast, so that
a copy in grey or darker still agrees. P pairs; H, W the part of the query's picture in which the
reference's lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcd.evidence.registration import Picture, Registration

__all__ = ["LaidOver", "agreement", "lay_over", "sharpened"]

_SIDES_PX = (80, 80, 120, 160)
"""Longer side of the pictures in each round of sharpening: from coarse to fine."""

_WINDOW = 9
_MIN_SPREAD = 2.0
"""Pixels around one that it is compared by, and the levels by which they differ at least: less
is nothing to compare by."""

_MIN_SHARE = 0.04
"""Least share of the query's picture that is compared."""

_MAX_STEP = 0.1
"""Largest change of scale, and of the shift in shares of the part, that one round may make."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaidOver:
    """The part of the query's pictures in which the reference's lie, and what lies there.

    Attributes:
        left: first column of the part.
        top: first row of the part.
        width_px: of the query's whole pictures.
        height_px: of the query's whole pictures.
        query_PHWC: ``(P, H, W, 3)`` uint8, the part; not mirrored back.
        ref_PHWC: ``(P, H, W, 3)`` uint8, the reference's pictures brought there.
    """

    left: int
    top: int
    width_px: int
    height_px: int
    query_PHWC: NDArray[np.uint8]
    ref_PHWC: NDArray[np.uint8]


def lay_over(
    pairs: Sequence[tuple[Picture, Picture]], registration: Registration, *, side_px: int
) -> LaidOver | None:
    """Bring the references' pictures to where they lie in the queries'.

    Args:
        pairs: as of `register`.
        registration: where they lie.
        side_px: longer side of the query's pictures, which are brought to it first.

    Returns:
        None where almost nothing of them lies there.
    """
    height, width = pairs[0][0].shape[:2]
    share = side_px / max(height, width)
    size = max(8, round(width * share)), max(8, round(height * share))
    left, right, *box_x = _part(registration.scale[0], registration.shift[0], size[0])
    top, bottom, *box_y = _part(registration.scale[1], registration.shift[1], size[1])
    if right - left < 4 or bottom - top < 4:
        return None
    if (right - left) * (bottom - top) < _MIN_SHARE * size[0] * size[1]:
        return None
    queries = [_query(query, size, registration)[top:bottom, left:right] for query, _ in pairs]
    box = (box_x[0], box_y[0], box_x[1], box_y[1])
    refs = [_cut_out(ref, box, (right - left, bottom - top)) for _, ref in pairs]
    return LaidOver(
        left=left,
        top=top,
        width_px=size[0],
        height_px=size[1],
        query_PHWC=np.stack(queries),
        ref_PHWC=np.stack(refs),
    )


def _part(scale: float, shift: float, length_px: int) -> tuple[int, int, float, float]:
    """Say which pixels of an axis the reference covers, and which shares of it these show."""
    first = int(np.ceil(max(0.0, shift) * length_px - 1e-6))
    stop = int(np.floor(min(1.0, scale + shift) * length_px + 1e-6))
    ends = (np.array([first, stop]) / length_px - shift) / scale
    start, end = np.clip(ends, 0.0, 1.0).tolist()
    return first, stop, start, end


def _query(picture_HWC: Picture, size: tuple[int, int], registration: Registration) -> Picture:
    from PIL import Image

    small = np.asarray(Image.fromarray(picture_HWC).resize(size, Image.Resampling.BILINEAR))
    return small[:, ::-1] if registration.is_mirrored else small


def _cut_out(
    picture_HWC: Picture, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Picture:
    """Bring a part of a picture, in shares of its sides, to a size."""
    from PIL import Image

    height, width = picture_HWC.shape[:2]
    left, top, right, bottom = box
    pixels = (left * width, top * height, right * width, bottom * height)
    whole = Image.fromarray(picture_HWC)
    return np.asarray(whole.resize(size, Image.Resampling.BILINEAR, box=pixels))


def agreement(
    laid: LaidOver, *, window: int = _WINDOW, by_ref: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Say how alike the surroundings of each pixel are, and how much there is to go by.

    Returns:
        ``(P, H, W)`` float32 correlation, -1 to 1, and ``(P, H, W)`` float32 weight: the levels
        by which the surroundings differ in the picture that has less, 0 where that is nothing.
    """
    query, ref = (_grey(each) for each in (laid.query_PHWC, laid.ref_PHWC))
    mean_query, mean_ref = _around(query, window), _around(ref, window)
    spread_query = np.sqrt(np.maximum(_around(query**2, window) - mean_query**2, 0.0))
    spread_ref = np.sqrt(np.maximum(_around(ref**2, window) - mean_ref**2, 0.0))
    both = _around(query * ref, window) - mean_query * mean_ref
    less = spread_ref if by_ref else np.minimum(spread_query, spread_ref)
    alike = both / np.maximum(spread_query * spread_ref, _MIN_SPREAD**2)
    weight = np.where(less >= _MIN_SPREAD, np.minimum(less, 8 * _MIN_SPREAD), 0.0)
    return np.clip(alike, -1.0, 1.0), weight.astype(np.float32)


def sharpened(pairs: Sequence[tuple[Picture, Picture]], registration: Registration) -> Registration:
    """Move and scale the reference's picture by the little that makes it agree best."""
    for side_px in _SIDES_PX:
        laid = lay_over(pairs, registration, side_px=side_px)
        if laid is None:
            return registration
        moved = _moved(registration, laid)
        if moved is None:
            return registration
        registration = moved
    return registration


def _moved(registration: Registration, laid: LaidOver) -> Registration | None:
    """Take one step of Gauss and Newton; None where it would lead too far."""
    query, ref = (_standardized(_grey(each)) for each in (laid.query_PHWC, laid.ref_PHWC))
    height, width = ref.shape[1:]
    down, right = np.gradient(ref, axis=(1, 2))
    x = (np.arange(width) - (width - 1) / 2) / width
    y = ((np.arange(height) - (height - 1) / 2) / height)[:, None]
    columns = np.stack([right, right * x, down, down * y], axis=-1).reshape(-1, 4)
    off = (query - ref).reshape(-1)
    weight = 1.0 / (1.0 + (off / 0.5) ** 2)
    normal = columns.T @ (columns * weight[:, None])
    if np.linalg.cond(normal) > 1e8:
        return None
    step = np.linalg.solve(normal, columns.T @ (off * weight))
    shares = step / np.array([width, width, height, height])
    if np.abs(shares).max() > _MAX_STEP:
        return None
    part = ((laid.left, width, laid.width_px), (laid.top, height, laid.height_px))
    scales, shifts = [], []
    for axis, (first, length, whole) in enumerate(part):
        move, grow = float(shares[2 * axis]), float(shares[2 * axis + 1])
        middle = (first + length / 2) / whole
        shift = registration.shift[axis] - move * length / whole + grow * middle
        scales.append(registration.scale[axis] / (1.0 + grow))
        shifts.append(shift / (1.0 + grow))
    return replace(registration, scale=(scales[0], scales[1]), shift=(shifts[0], shifts[1]))


def _grey(pixels_PHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grey: NDArray[np.float32] = pixels_PHWC.astype(np.float32) @ weights
    return grey


def _around(grey_PHW: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    from scipy import ndimage

    mean: NDArray[np.float32] = ndimage.uniform_filter(grey_PHW, (1, window, window))
    return mean


def _standardized(grey_PHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take brightness and contrast of the surroundings out of smoothed pictures."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(grey_PHW, (0, 1.0, 1.0))
    mean = ndimage.uniform_filter(smooth, (1, 15, 15))
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(smooth**2, (1, 15, 15)) - mean**2, 0.0))
    standardized: NDArray[np.float32] = (smooth - mean) / np.maximum(spread, 4 * _MIN_SPREAD)
    return standardized
