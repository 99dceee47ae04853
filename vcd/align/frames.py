"""See one view of a video frame by frame, so that paths count in frames and not in rows.

A video may have several rows for a frame (views) or none; rows of different
views never share a path. What a cell scores is said here and nowhere else. T frames, D
dimensions, Q query rows, R ref columns, P cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core.findings import PairTally
from vcd.core.records import Descriptors
from vcd.core.timeline import Interval

__all__ = ["FrameView", "hit_views", "score_block", "score_cells"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameView:
    """One view of one video.

    Attributes:
        descriptors: of the video.
        view: which of its views.
        features_TD: ``(T, D)``, zero where a frame has no row of this view.
        bias_T: ``(T,)`` float32, the score bias of each frame; zero where it has no row.
    """

    descriptors: Descriptors
    view: int
    features_TD: NDArray[np.float32]
    bias_T: NDArray[np.float32]

    @classmethod
    def of(cls, descriptors: Descriptors, view: int) -> "FrameView":
        num_frames = len(descriptors.timeline)
        rows = np.flatnonzero(descriptors.view == view)
        frames = descriptors.frame[rows]
        if len(rows) == len(descriptors) == num_frames and (np.diff(frames) > 0).all():
            return cls(
                descriptors=descriptors,
                view=view,
                features_TD=descriptors.features,
                bias_T=descriptors.score_bias,
            )
        features_TD = np.zeros((num_frames, descriptors.space.dim), dtype=np.float32)
        features_TD[frames] = descriptors.features[rows]
        bias_T = np.zeros(num_frames, dtype=np.float32)
        bias_T[frames] = descriptors.score_bias[rows]
        return cls(descriptors=descriptors, view=view, features_TD=features_TD, bias_T=bias_T)

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


def score_block(
    query: FrameView, ref: FrameView, q_rows: slice, r_cols: slice
) -> NDArray[np.float32]:
    """Score every frame of one stretch against every frame of another.

    Returns:
        ``(Q, R)`` inner products plus the bias of the query's row; 0 where either frame has no
        evidence.
    """
    query_QD, ref_RD, bias_Q = (
        query.features_TD[q_rows],
        ref.features_TD[r_cols],
        query.bias_T[q_rows],
    )
    score_QR: NDArray[np.float32] = query_QD @ ref_RD.T
    if bias_Q.any():
        score_QR += bias_Q[:, None]
        score_QR[~np.any(query_QD, axis=1)] = 0.0
        score_QR[:, ~np.any(ref_RD, axis=1)] = 0.0
    return score_QR


def score_cells(
    query: FrameView, ref: FrameView, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Score some cells, each by itself.

    Args:
        query: frames of the video asked about.
        ref: frames of the reference.
        rows: ``(P,)`` query frames.
        cols: ``(P, K)`` ref frames of each.

    Returns:
        ``(P, K)``, as `score_block` has it.
    """
    query_PD, ref_PKD, bias_P = query.features_TD[rows], ref.features_TD[cols], query.bias_T[rows]
    score_PK: NDArray[np.float32] = np.einsum("pd,pkd->pk", query_PD, ref_PKD)
    if not bias_P.any():
        return score_PK
    speaks_PK = np.any(query_PD, axis=1)[:, None] & np.any(ref_PKD, axis=2)
    return np.where(speaks_PK, score_PK + bias_P[:, None], np.float32(0.0))


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
