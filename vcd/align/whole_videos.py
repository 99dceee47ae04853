"""Say how much two whole videos are the same: their matches, as one similarity.

    one     [####matched####|......)     each frame: similarity to the frame it is matched with,
    other   [..|####matched####)         0 where it is matched with none; the mean of all of them

The lower of the means of the two sides. So two films that share an intro are hardly similar, a
copy that lacks its last fifth loses a fifth, and of two images it is their similarity. T frames,
D dimensions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView
from vcd.core.findings import Match
from vcd.core.timeline import Interval

__all__ = ["whole_similarity"]

_NEIGHBOURS = (-1, 0, 1)
"""Frames around the matched instant: two samplings of one film are up to half a step apart, and
at a cut that is another shot."""


def whole_similarity(one: FrameView, other: FrameView, matches: Sequence[Match]) -> float:
    """Average over all frames of each video the similarity to what they are matched with.

    Frames without evidence (black, flat colour) are left out.

    Args:
        one: whole frames of the query of the matches.
        other: whole frames of their reference.
        matches: of this pair; where they overlap the better one counts.

    Returns:
        The lower mean, in [0, 1]; 0 when a video has no frame with evidence.
    """
    forth = [(match.query, match.ref) for match in matches]
    back = [(match.ref, match.query) for match in matches]
    return min(_mean_matched(one, other, forth), _mean_matched(other, one, back))


def _mean_matched(
    own: FrameView, other: FrameView, stretches: Sequence[tuple[Interval, Interval]]
) -> float:
    speaks_T = own.features_TD.any(axis=1)
    if not speaks_T.any():
        return 0.0
    best_T = np.zeros(len(own), dtype=np.float32)
    for own_stretch, other_stretch in stretches:
        first, stop = own.descriptors.timeline.frames_in(own_stretch)
        here = slice(first, stop)
        frames = _matched_frames(own, other, own_stretch, other_stretch)[here]
        for step in _NEIGHBOURS:
            beside = np.clip(frames + step, 0, len(other) - 1)
            features_TD = other.features_TD[beside]
            similarity_T = np.einsum("td,td->t", own.features_TD[here], features_TD)
            np.maximum(best_T[here], similarity_T, out=best_T[here])
    return min(1.0, float(best_T[speaks_T].mean()))


def _matched_frames(
    own: FrameView, other: FrameView, own_stretch: Interval, other_stretch: Interval
) -> NDArray[np.int64]:
    """``(T,)`` the frame of the other video that is on screen when each own frame is."""
    timeline = own.descriptors.timeline
    middle_s = (timeline.start_s + timeline.end_s) / 2
    share = np.clip((middle_s - own_stretch.start_s) / own_stretch.length_s, 0.0, 1.0)
    instant_s = other_stretch.start_s + share * other_stretch.length_s
    frames = np.searchsorted(other.descriptors.timeline.start_s, instant_s, side="right") - 1
    return np.clip(frames, 0, len(other) - 1)
