"""Draw how similar the surroundings of a match are, in few cells.

             ref time ->
    query  . . . . . .      a cell is the largest similarity of the frames that fall into it;
    time   . # . . . .      a copy is a line, what merely resembles everything is a bar
      |    . . # . . .
      v    . . . . . .

Rows and columns are even in time; where a video was not examined they are dark. Q query frames, R
ref frames, D dimensions.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView
from vcd.core import Descriptors, Interval, Match
from vcd.evidence.record import HeatMap

__all__ = ["heat_map"]

_MARGIN_SHARE = 0.25
_MIN_MARGIN_S = 5.0
_MAX_BLOCK_CELLS = 4_000_000
"""16 MB of float32, however long the match."""


def heat_map(
    query: Descriptors,
    ref: Descriptors,
    match: Match,
    *,
    query_view: int,
    ref_view: int,
    max_cells: int,
) -> HeatMap:
    """Draw the similarity of a match and of a quarter of its length around it, 5 s at least.

    Args:
        query: of the upload, as they were compared.
        ref: of the reference, in the same space; may be memory-mapped.
        match: which stretches.
        query_view: the view of the query that matched.
        ref_view: the view of the reference that matched.
        max_cells: rows and columns at most.
    """
    query_side = _Side(query, match.query, query_view, max_cells)
    ref_side = _Side(ref, match.ref, ref_view, max_cells)
    similarity_QR = np.zeros((query_side.num_cells, ref_side.num_cells), dtype=np.uint8)
    columns, firsts = np.unique(ref_side.cell, return_index=True)
    for row in range(query_side.num_cells):
        features_QD = query_side.features_TD[query_side.cell == row]
        best_R = _best(features_QD, ref_side.features_TD)
        in_columns = np.maximum.reduceat(best_R, firsts)
        similarity_QR[row, columns] = np.round(255 * np.clip(in_columns, 0.0, 1.0))
    return HeatMap(query=query_side.interval, ref=ref_side.interval, similarity_QR=similarity_QR)


class _Side:
    """The frames of one video around its stretch, and which cell each falls into."""

    def __init__(
        self, descriptors: Descriptors, stretch: Interval, view: int, max_cells: int
    ) -> None:
        timeline = descriptors.timeline
        margin_s = max(_MARGIN_SHARE * stretch.length_s, _MIN_MARGIN_S)
        around = Interval(stretch.start_s - margin_s, stretch.end_s + margin_s)
        first, stop = timeline.frames_in(around)
        frames = FrameView.of(descriptors, view)
        self.interval = timeline.span(first, stop)
        self.features_TD: NDArray[np.float32] = frames.features_TD[first:stop]
        num_periods = int(self.interval.length_s / frames.period_s + 1e-6)
        self.num_cells = max(1, min(max_cells, num_periods))
        middle_s = (timeline.start_s[first:stop] + timeline.end_s[first:stop]) / 2
        share = (middle_s - self.interval.start_s) / self.interval.length_s
        self.cell = np.minimum((share * self.num_cells).astype(np.int64), self.num_cells - 1)


def _best(features_QD: NDArray[np.float32], ref_RD: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(R,)`` similarity of each ref frame to the query frame that is most like it, 0 or more."""
    best_R = np.zeros(len(ref_RD), dtype=np.float32)
    step = max(1, _MAX_BLOCK_CELLS // len(ref_RD))
    for first in range(0, len(features_QD), step):
        block_QR = features_QD[first : first + step] @ ref_RD.T
        np.maximum(best_R, block_QR.max(axis=0), out=best_R)
    return best_R
