"""Find the same places in two pictures: corners, and what the picture looks like around them.

Corners are looked for at several sizes of the picture, so that a place is known again where it is
shown larger or smaller; what surrounds it is compared without its brightness and contrast. It
knows nothing of what was done to a copy. K corners, M matching ones, L lags.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Corners", "find_corners", "matching_corners", "mirrored_corners"]

_STEP = 1.25
_NUM_SIZES = 6
"""A picture is looked at whole and down to a third of its sides."""

_MIN_SIDE_PX = 24
_MAX_CORNERS = 90
"""Of one size of a picture, the strongest; more take longer and match no better."""

_PATCH = 8
_SPACING_PX = 2
"""What surrounds a corner is read at 8 x 8 places, 2 pixels apart."""

_MARGIN_PX = _PATCH * _SPACING_PX // 2
_MIN_CONTRAST = 3.0
"""Levels, standard deviation: less is noise of compression."""

_MIN_ALIKE = 0.8
_MIN_LEAD = 0.04
"""How alike the surroundings of one place are at least, and how much less those of any other
place of the picture."""

_OTHER_PLACE = 0.1
"""Shares of a picture's sides: corners nearer to each other may be one place."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corners:
    """Places of one picture that can be known again.

    Attributes:
        place: ``(K, 2)`` float64, x and y in shares of the picture's sides.
        size: ``(K,)`` float64, of the picture in which each was found: 1 is the whole size.
        patch: ``(K, 8, 8)`` float32, what surrounds it: mean 0, length 1.
    """

    place: NDArray[np.float64]
    size: NDArray[np.float64]
    patch: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.size)


def find_corners(grey_HW: NDArray[np.float32]) -> Corners:
    """Find what stands out in a picture, at several sizes of it.

    Args:
        grey_HW: ``(H, W)`` float32 levels, 0 to 255.
    """
    from PIL import Image

    height, width = grey_HW.shape
    picture = Image.fromarray(grey_HW)
    found = []
    for step in range(_NUM_SIZES):
        size = _STEP**-step
        side = (round(width * size), round(height * size))
        if min(side) < _MIN_SIDE_PX:
            break
        level = picture.resize(side, Image.Resampling.BILINEAR) if step else picture
        found.append(_corners_of(np.asarray(level, dtype=np.float32), size))
    return Corners(
        place=np.concatenate([np.empty((0, 2)), *(each.place for each in found)]),
        size=np.concatenate([np.empty(0), *(each.size for each in found)]),
        patch=np.concatenate(
            [np.empty((0, _PATCH, _PATCH), dtype=np.float32), *(each.patch for each in found)]
        ),
    )


def mirrored_corners(corners: Corners) -> Corners:
    """Say what the corners of a picture are once its left and right are exchanged."""
    return Corners(
        place=np.column_stack([1.0 - corners.place[:, 0], corners.place[:, 1]]),
        size=corners.size,
        patch=corners.patch[:, :, ::-1],
    )


def matching_corners(first: Corners, second: Corners) -> NDArray[np.int64]:
    """Pair the corners that look most alike, each the other's best, no other place as good.

    Returns:
        ``(M, 2)`` int64, a corner of the first and one of the second.
    """
    if len(first) == 0 or len(second) == 0:
        return np.empty((0, 2), dtype=np.int64)
    alike = first.patch.reshape(len(first), -1) @ second.patch.reshape(len(second), -1).T
    best = alike.argmax(axis=1)
    own = np.arange(len(first))
    found = alike[own, best]
    apart = np.abs(second.place[:, None] - second.place[None]).max(axis=2)
    is_elsewhere: NDArray[np.bool_] = apart > _OTHER_PLACE
    other = np.where(is_elsewhere[best], alike, -1.0).max(axis=1)
    is_sure = (alike.argmax(axis=0)[best] == own) & (found >= _MIN_ALIKE)
    is_sure &= found - other >= _MIN_LEAD
    return np.column_stack([own[is_sure], best[is_sure]])


def _corners_of(level_HW: NDArray[np.float32], size: float) -> Corners:
    """Find the corners of a picture at one size: where it changes in both directions (Harris)."""
    from scipy import ndimage

    smooth_HW = ndimage.gaussian_filter(level_HW, 1.0)
    down, right = np.gradient(smooth_HW)
    xx, yy, xy = (ndimage.gaussian_filter(each, 1.5) for each in (right**2, down**2, right * down))
    strength = xx * yy - xy**2 - 0.05 * (xx + yy) ** 2
    is_peak = (strength == ndimage.maximum_filter(strength, 5)) & (strength > 1.0)
    is_peak[:_MARGIN_PX], is_peak[-_MARGIN_PX:] = False, False
    is_peak[:, :_MARGIN_PX], is_peak[:, -_MARGIN_PX:] = False, False
    y, x = np.nonzero(is_peak)
    strongest = np.argsort(-strength[y, x], kind="stable")[:_MAX_CORNERS]
    y, x = y[strongest], x[strongest]
    reach = (np.arange(_PATCH) - (_PATCH - 1) / 2) * _SPACING_PX
    offset = np.round(reach).astype(np.int64)
    patch = smooth_HW[y[:, None, None] + offset[:, None], x[:, None, None] + offset]
    patch = patch - patch.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt((patch**2).sum(axis=(1, 2)))
    is_seen = length >= _MIN_CONTRAST * _PATCH
    height, width = level_HW.shape
    place = np.column_stack([(x + 0.5) / width, (y + 0.5) / height])
    return Corners(
        place=place[is_seen],
        size=np.full(int(is_seen.sum()), size),
        patch=(patch / np.maximum(length, 1e-6)[:, None, None])[is_seen].astype(np.float32),
    )
