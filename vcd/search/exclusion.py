"""Which rows of a reference are excluded: those of every frame that an excluded stretch touches."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, Interval, Timeline

__all__ = ["excluded_rows", "silenced"]


def excluded_rows(
    timeline: Timeline, frame: NDArray[np.int32], excluded: Sequence[Interval]
) -> NDArray[np.bool_]:
    """Tell which rows are of frames that are on screen at some time of an excluded stretch.

    Args:
        timeline: of the reference's frames.
        frame: ``(N,)`` the frame of each row.
        excluded: stretches that must never match.

    Returns:
        ``(N,)``.
    """
    is_excluded = np.zeros(len(frame), dtype=np.bool_)
    for interval in excluded:
        first, stop = timeline.frames_in(interval)
        is_excluded |= (frame >= first) & (frame < stop)
    return is_excluded


def silenced(descriptors: Descriptors, excluded: Sequence[Interval]) -> Descriptors:
    """Take the evidence from the excluded rows; where there are none, nothing is copied."""
    if not excluded:
        return descriptors
    features = np.array(descriptors.features)
    features[excluded_rows(descriptors.timeline, descriptors.frame, excluded)] = 0.0
    return replace(descriptors, features=features)
