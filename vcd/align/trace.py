"""What an alignment knows of a match beside its bounds: its cells, its line, what it weighs.

Nothing here is needed to report a match; it is for whoever wants to see why it is one. P cells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView, score_cells
from vcd.align.lines import at_normal_speed
from vcd.align.paths import Line
from vcd.core.evidence import TimeLine
from vcd.core.findings import Match
from vcd.core.records import read_only

__all__ = ["MatchTrace", "time_line"]

_AS_SIMILAR = 0.01
"""Mean similarity that one line may lose against another and still fit as well: what re-encoding
moves a frame by."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchTrace:
    """How one accepted match was found; two are equal when all that they hold is.

    Attributes:
        query_view: which view of the query's frames matched; 0 = the whole frame.
        ref_view: the same of the reference.
        path: ``(P, 2)`` int64, the matching cells in order: query frame, reference frame;
            ``P >= 1``, read-only.
        line: of `time_line`; None where the path is a single cell, as where one of the two has
            a single frame.
        strength: mean evidence of a query frame of the stretch, 0 to 1.
        num_independent: how many of its frames say something of their own; 1 or more.
        frame_instant: where in its grid cell a frame was taken, as in ``align.frame_instant``.
    """

    query_view: int
    ref_view: int
    path: NDArray[np.int64]
    line: TimeLine | None
    strength: float
    num_independent: float
    frame_instant: float = 0.5

    def __post_init__(self) -> None:
        if self.path.dtype != np.int64 or self.path.ndim != 2 or self.path.shape[1] != 2:
            raise ValueError(f"a path is (P, 2) int64, got {self.path.shape} {self.path.dtype}")
        if len(self.path) == 0:
            raise ValueError("a path needs at least one cell")
        object.__setattr__(self, "path", read_only(self.path))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MatchTrace):
            return NotImplemented
        return self._rest == other._rest and np.array_equal(self.path, other.path)

    def __hash__(self) -> int:
        return hash(self._rest)

    @property
    def _rest(self) -> tuple[object, ...]:
        """All but the path."""
        views = (self.query_view, self.ref_view)
        return (*views, self.line, self.strength, self.num_independent, self.frame_instant)


def time_line(
    fitted: Line,
    refined: Match | None,
    query: FrameView,
    ref: FrameView,
    path: NDArray[np.int64],
    frame_instant: float,
) -> TimeLine:
    """Choose the line that is told of a match, and say how far its cells lie from it.

    The line between the two ends of the match, as long as the frames on it are as similar as those
    on the fitted one: bounds are known more finely than the slope through a few still shots. The
    fitted one otherwise, as where the reference ends before the copy does.

    Args:
        fitted: through the cells, on both clocks.
        refined: the match, where its bounds were made with that line; None where they are those
            of the path, which say nothing new.
        query: frames of the video asked about.
        ref: frames of the reference.
        path: ``(P, 2)`` the cells.
        frame_instant: where in its grid cell a frame was taken.
    """
    query_s = query.instants_s(frame_instant)[path[:, 0]]
    ref_s = ref.instants_s(frame_instant)
    line = fitted
    if refined is not None:
        between = at_normal_speed(_between_the_ends(refined), query_s, ref.period_s)
        similarity = [
            score_cells(query, ref, path[:, 0], _nearest(ref_s, each.ref_at(query_s))[:, None])
            for each in (between, fitted)
        ]
        if similarity[0].mean() >= similarity[1].mean() - _AS_SIMILAR:
            line = between
    residual_s = float(np.median(np.abs(ref_s[path[:, 1]] - line.ref_at(query_s))))
    return TimeLine(slope=line.slope, intercept_s=line.intercept, residual_s=residual_s)


def _nearest(instants_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """``(P,)`` the frame taken nearest to each time."""
    after = np.searchsorted(instants_s, wanted_s).clip(1, len(instants_s) - 1)
    is_before = wanted_s - instants_s[after - 1] <= instants_s[after] - wanted_s
    nearest: NDArray[np.int64] = (after - is_before).astype(np.int64)
    return nearest


def _between_the_ends(match: Match) -> Line:
    slope = match.ref.length_s / match.query.length_s
    return Line(slope=slope, intercept=match.ref.start_s - slope * match.query.start_s)
