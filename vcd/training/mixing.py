"""Mix some views of a batch with another one: a weighted sum of both, or a box of one in the other.

What SSCD publishes as "advanced+mixup" (mixup and cutmix, view by view, as in timm). The partner of
view i is view V - 1 - i, so the first view of one photograph is mixed with the second view of
another. Which labels a mixed view has is the loss's business.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mixing", "mix", "plan_mixing"]

Pixels = NDArray[np.uint8]
Generator = np.random.Generator

ALPHA = 2.0
"""Of the Beta distribution of the shares, for sums and boxes alike; published."""

BOX_PROBABILITY = 0.5
"""How often a mixed view is a box in the other one rather than a sum; published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """What is mixed into each of V views.

    Attributes:
        partner_V: ``(V,)`` int64, the view that is mixed into each; its own number where none is.
        share_V: ``(V,)`` float32, how much of each view is its own; 1.0 where nothing is mixed. For
            a box: the share of the area that is really left.
        box_V4: ``(V, 4)`` int64, top, bottom, left and right of the partner's box, half-open;
            zeros where the two are summed or nothing is mixed.
    """

    partner_V: NDArray[np.int64]
    share_V: NDArray[np.float32]
    box_V4: NDArray[np.int64]


def plan_mixing(num_views: int, size_px: int, *, probability: float, rng: Generator) -> Mixing:
    """Draw which views are mixed, and how.

    Args:
        num_views: V, views of the whole batch.
        size_px: side of the square views.
        probability: of each view to be mixed, 0 to 1; SSCD publishes 0.05.
        rng: the only source of chance.
    """
    views = np.arange(num_views)
    is_mixed_V = rng.random(num_views) < probability
    is_boxed_V = is_mixed_V & (rng.random(num_views) < BOX_PROBABILITY)
    share_V = np.where(is_mixed_V, rng.beta(ALPHA, ALPHA, size=num_views), 1.0)
    half_V1 = (size_px * np.sqrt(1.0 - share_V)).astype(np.int64)[:, None] // 2
    middle_V2 = rng.integers(0, size_px, size=(num_views, 2))
    first_V2 = np.clip(middle_V2 - half_V1, 0, size_px)
    stop_V2 = np.clip(middle_V2 + half_V1, 0, size_px)
    left_over_V = 1.0 - (stop_V2 - first_V2).prod(axis=1) / size_px**2
    share_V = np.where(is_boxed_V, left_over_V, share_V).astype(np.float32)
    box_V4 = np.stack([first_V2[:, 0], stop_V2[:, 0], first_V2[:, 1], stop_V2[:, 1]], axis=1)
    return Mixing(
        partner_V=np.where(share_V < 1.0, num_views - 1 - views, views),
        share_V=share_V,
        box_V4=np.where(is_boxed_V[:, None], box_V4, 0),
    )


def mix(view: Pixels, other: Pixels, *, share: float, box: NDArray[np.int64]) -> Pixels:
    """Lay a box of another view over this one or, where the box is empty, add both up.

    Sums are rounded to whole levels, so they are within half a level of sums of real numbers.

    Args:
        view: ``(S, S, 3)`` uint8; not changed.
        other: its partner, as it was before anything was mixed into it; the same shape.
        share: of this view in a sum, 0 to 1.
        box: ``(4,)`` top, bottom, left and right, half-open.
    """
    top, bottom, left, right = box.tolist()
    if bottom > top and right > left:
        mixed = view.copy()
        mixed[top:bottom, left:right] = other[top:bottom, left:right]
        return mixed
    levels = share * view.astype(np.float32) + (1.0 - share) * other.astype(np.float32)
    return np.rint(levels).astype(np.uint8)
