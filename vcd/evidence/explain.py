"""Say why one match is one, from the descriptors it was found with: no picture is needed.

    per_second   query  |    *    |    *    |  *  |      one frame for each second, held against
                 ref       |  *      |   *     |  *      the frame of the reference that is nearest
                                                         to the line
    best         the most similar cells of the path
    hints        from the views that matched and the slope of the line

Similarities are raw inner products, without the bias of a score normalization: how alike two
frames look, whatever else looks like them. Numbers are rounded, times to the millisecond, so that
evidence made again is the same evidence (docs/design/evidence.md). P cells, S seconds.
"""

import math

import numpy as np
from numpy.typing import NDArray

from vcd.align import MatchTrace
from vcd.align.frames import FrameView
from vcd.core import (
    Descriptors,
    FramePair,
    Hint,
    Interval,
    Match,
    MatchEvidence,
    TimeLine,
)
from vcd.descriptors import View

__all__ = ["explain_match"]

_MAX_INSTANTS = 3_600
"""Entries of ``per_second``: an hour of them is 200 kB of JSON."""

_NUM_BEST = 5
_MIN_APART_S = 1.0
"""Between two of the best pairs: the neighbours of a good one are as good and show nothing new."""

_TIME_DIGITS = 3
_SIMILARITY_DIGITS = 4
_SLOPE_DIGITS = 6
"""Five milliseconds in an hour and a half."""

_KINDS: dict[int, str] = {
    View.INNER: "padded",
    View.LEFT: "stacked",
    View.RIGHT: "stacked",
    View.TOP: "stacked",
    View.BOTTOM: "stacked",
    View.BESIDE: "stacked",
    View.INSET: "inset",
}


def explain_match(
    query: Descriptors, ref: Descriptors, match: Match, trace: MatchTrace
) -> MatchEvidence:
    """Make the evidence of one match.

    Args:
        query: as it was aligned: prepared, if there is a fit.
        ref: the same of the reference; its features may be memory-mapped.
        match: with its final bounds.
        trace: how it was found.
    """
    frames = _Frames(query, ref, trace)
    line = trace.line and _rounded(trace.line)
    return MatchEvidence(
        query_view=trace.query_view,
        ref_view=trace.ref_view,
        line=line,
        strength=round(trace.strength, _SIMILARITY_DIGITS),
        num_independent=round(trace.num_independent, _SIMILARITY_DIGITS),
        per_second=_per_second(frames, match.query, trace),
        best=_best(frames, trace),
        hints=(*_view_hints(query, trace), *_speed_hints(line)),
    )


class _Frames:
    """The frames of the two views that matched, by their instants."""

    def __init__(self, query: Descriptors, ref: Descriptors, trace: MatchTrace) -> None:
        self._query = FrameView.of(query, trace.query_view)
        self._ref = FrameView.of(ref, trace.ref_view)
        self.query_s = self._query.instants_s(trace.frame_instant)
        self.ref_s = self._ref.instants_s(trace.frame_instant)

    def pairs(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> list[FramePair]:
        """Hold ``(P,)`` frames of the query against as many of the reference, one by one."""
        query_PD, ref_PD = self._query.features_TD[rows], self._ref.features_TD[cols]
        speaks_P = np.any(query_PD, axis=1) & np.any(ref_PD, axis=1)
        similarity_P = np.einsum("pd,pd->p", query_PD, ref_PD)
        return [
            FramePair(
                query_s=round(float(self.query_s[row]), _TIME_DIGITS),
                ref_s=round(float(self.ref_s[col]), _TIME_DIGITS),
                similarity=round(float(similarity), _SIMILARITY_DIGITS) if speaks else None,
            )
            for row, col, similarity, speaks in zip(rows, cols, similarity_P, speaks_P, strict=True)
        ]


def _per_second(frames: _Frames, stretch: Interval, trace: MatchTrace) -> tuple[FramePair, ...]:
    """One pair for each second of the query's stretch."""
    inside = (frames.query_s >= stretch.start_s) & (frames.query_s < stretch.end_s)
    eligible = np.flatnonzero(inside) if inside.any() else np.arange(len(frames.query_s))
    rows = eligible[_nearest(frames.query_s[eligible], _instants_s(stretch))]
    if trace.line is None:
        cols = np.full(len(rows), trace.path[0, 1])
    else:
        on_line_s = trace.line.slope * frames.query_s[rows] + trace.line.intercept_s
        cols = _nearest(frames.ref_s, on_line_s)
    return tuple(frames.pairs(rows, cols))


def _instants_s(stretch: Interval) -> NDArray[np.float64]:
    """``(S,)`` the middle of each second; the last may be shorter.

    stretch  [  *  |  *  |  *  | * )
    """
    num_seconds = math.ceil(round(stretch.length_s, 6))
    if num_seconds > _MAX_INSTANTS:
        edges_s = np.linspace(stretch.start_s, stretch.end_s, _MAX_INSTANTS + 1)
    else:
        edges_s = stretch.start_s + np.arange(max(num_seconds, 1) + 1.0)
        edges_s[-1] = stretch.end_s
    middles_s: NDArray[np.float64] = (edges_s[:-1] + edges_s[1:]) / 2
    return middles_s


def _nearest(instants_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """``(S,)`` the place of the instant nearest to each that is wanted; the earlier of two."""
    after = np.clip(np.searchsorted(instants_s, wanted_s), 0, len(instants_s) - 1)
    before = np.maximum(after - 1, 0)
    is_before = wanted_s - instants_s[before] <= np.abs(instants_s[after] - wanted_s)
    return np.where(is_before, before, after).astype(np.int64)


def _best(frames: _Frames, trace: MatchTrace) -> tuple[FramePair, ...]:
    pairs = frames.pairs(trace.path[:, 0], trace.path[:, 1])
    known = [(pair, pair.similarity) for pair in pairs if pair.similarity is not None]
    known.sort(key=lambda each: (-each[1], each[0].query_s, each[0].ref_s))
    best: list[FramePair] = []
    for pair, _ in known:
        if all(abs(pair.query_s - other.query_s) >= _MIN_APART_S for other in best):
            best.append(pair)
        if len(best) == _NUM_BEST:
            break
    return tuple(best)


def _view_hints(query: Descriptors, trace: MatchTrace) -> list[Hint]:
    """What the views that matched say; only the query's is a place in the upload's picture."""
    hints = []
    if (trace.query_view == View.MIRRORED) != (trace.ref_view == View.MIRRORED):
        hints.append(Hint(kind="mirrored"))
    kind = _KINDS.get(trace.query_view)
    if kind is not None:
        share = _share(query, trace)
        if share is not None and kind == "padded":
            share = 1.0 - share
        value = None if share is None else round(share, _SIMILARITY_DIGITS)
        hints.append(Hint(kind=kind, value=value))
    return hints


def _share(query: Descriptors, trace: MatchTrace) -> float | None:
    """Which part of the query's picture the view covers, on average; None where nobody knows."""
    is_there = (query.view == trace.query_view) & np.isin(query.frame, trace.path[:, 0])
    if len(query.area) == 0 or not is_there.any():
        return None
    left, top, right, bottom = query.area[is_there].astype(np.float64).T
    return float(((right - left) * (bottom - top)).mean())


def _speed_hints(line: TimeLine | None) -> list[Hint]:
    slope = 1.0 if line is None else round(line.slope, _SIMILARITY_DIGITS)
    return [] if slope == 1.0 else [Hint(kind="speed", value=slope)]


def _rounded(line: TimeLine) -> TimeLine:
    return TimeLine(
        slope=max(round(line.slope, _SLOPE_DIGITS), 10.0**-_SLOPE_DIGITS),
        intercept_s=round(line.intercept_s, _TIME_DIGITS),
        residual_s=round(line.residual_s, _TIME_DIGITS),
    )
