"""See one view of a video frame by frame, so that paths count in frames and not in rows.

A video may have several rows for a frame (views) or none; rows of different
views never share a path. T frames, D dimensions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core.findings import PairTally
from vcd.core.records import Descriptors
from vcd.core.timeline import Interval

__all__ = ["FrameView", "hit_views"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameView:
    """One view of one video.

    Attributes:
        descriptors: of the video.
        view: which of its views.
        features_TD: ``(T, D)``, zero where a frame has no row of this view.
    """

    descriptors: Descriptors
    view: int
    features_TD: NDArray[np.float32]

    @classmethod
    def of(cls, descriptors: Descriptors, view: int) -> "FrameView":
        num_frames = len(descriptors.timeline)
        rows = np.flatnonzero(descriptors.view == view)
        frames = descriptors.frame[rows]
        if len(rows) == len(descriptors) == num_frames and (np.diff(frames) > 0).all():
            return cls(descriptors=descriptors, view=view, features_TD=descriptors.features)
        features_TD = np.zeros((num_frames, descriptors.space.dim), dtype=np.float32)
        features_TD[frames] = descriptors.features[rows]
        return cls(descriptors=descriptors, view=view, features_TD=features_TD)

    def __len__(self) -> int:
        return len(self.features_TD)

    @property
    def period_s(self) -> float:
        """Usual distance of two sampled frames."""
        timeline = self.descriptors.timeline
        if len(self) < 2:
            return float(timeline.end_s[0] - timeline.start_s[0])
        return float(np.median(np.diff(timeline.start_s)))

    def instants_s(self, frame_instant: float) -> NDArray[np.float64]:
        """``(T,)`` when each frame was taken; the last may stand for more than one cell."""
        timeline = self.descriptors.timeline
        cell_s = np.minimum(timeline.end_s - timeline.start_s, self.period_s)
        instants: NDArray[np.float64] = timeline.start_s + frame_instant * cell_s
        return instants

    @property
    def whole(self) -> Interval:
        return self.descriptors.timeline.span(0, len(self))


def hit_views(
    query: Descriptors, ref: Descriptors, tally: PairTally
) -> Iterator[tuple[FrameView, FrameView, NDArray[np.int64]]]:
    """Group the hits by the views that they join.

    Yields:
        The query's view, the ref's view, and the ``(K, 2)`` frames of their hits, best first.
    """
    hits = np.stack([query.frame[tally.query_row], ref.frame[tally.ref_row]], axis=1)
    query_view, ref_view = query.view[tally.query_row], ref.view[tally.ref_row]
    pairs = sorted(set(zip(query_view.tolist(), ref_view.tolist(), strict=True)))
    queries = {view: FrameView.of(query, view) for view in sorted({pair[0] for pair in pairs})}
    refs = {view: FrameView.of(ref, view) for view in sorted({pair[1] for pair in pairs})}
    for pair in pairs:
        joined = (query_view == pair[0]) & (ref_view == pair[1])
        yield queries[pair[0]], refs[pair[1]], hits[joined].astype(np.int64)
