"""Bring the bounds of a match below the sampling grid.

    1. the line that the copy follows (lines.py), which is handed in;
    2. each end lies between the last frame that matches and the first that does
       not, so half-way;
    3. where the query can be sampled again more densely around a bound, at the
       change of that profile;
    4. both axes on the line, inside both videos.

An end within one frame of the end of its video is that end. P cells, T frames,
K densely sampled frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView, score_cells
from vcd.align.paths import Line
from vcd.align.settings import AlignSettings
from vcd.core.errors import InputError
from vcd.core.protocols import Denser
from vcd.core.timeline import Interval

__all__ = ["refine_bounds"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ends:
    """A path on both clocks."""

    query: FrameView
    ref: FrameView
    path: NDArray[np.int64]
    line: Line
    settings: AlignSettings


def refine_bounds(
    query: FrameView,
    ref: FrameView,
    path: NDArray[np.int64],
    line: Line,
    settings: AlignSettings,
    *,
    denser: Denser | None = None,
) -> tuple[Interval, Interval]:
    """Estimate where a copied stretch starts and ends on both clocks.

    Args:
        query: frames of the video asked about.
        ref: frames of the reference.
        path: ``(P, 2)`` matching cells in order, ``P >= 2``.
        line: fitted through them, by `fit_time_line`.
        settings: how densely to sample again, and when in its cell a frame was taken.
        denser: describes a stretch of the query at a higher rate.
    """
    ends = _Ends(query=query, ref=ref, path=path, line=line, settings=settings)
    start_s, start_is_edge = _coarse_bound(ends, forward=False)
    end_s, end_is_edge = _coarse_bound(ends, forward=True)
    if denser is not None and not start_is_edge:
        start_s = _dense_bound(ends, start_s, denser, forward=False)
    if denser is not None and not end_is_edge:
        end_s = _dense_bound(ends, end_s, denser, forward=True)
    return _on_both_clocks(ends, start_s, end_s)


def _coarse_bound(ends: _Ends, *, forward: bool) -> tuple[float, bool]:
    """Place a bound half-way between the last matching frame and its neighbour outside.

    Returns:
        The bound on the query's clock, and whether it is the end of a video.
    """
    query, ref = ends.query, ends.ref
    cell = ends.path[-1 if forward else 0]
    outside = int(cell[0]) + (1 if forward else -1)
    last = len(query) - 1
    if (forward and outside >= last) or (not forward and outside <= 0):
        return (query.whole.end_s if forward else query.whole.start_s), True
    instants_s = query.instants_s(ends.settings.frame_instant)
    inside_s = float(instants_s[cell[0]])
    half_s = min(abs(float(instants_s[outside]) - inside_s), query.period_s) / 2
    bound_s = inside_s + half_s if forward else inside_s - half_s
    near_ref_edge = int(cell[1]) >= len(ref) - 2 if forward else int(cell[1]) <= 1
    if near_ref_edge:
        # Nothing can match beyond the reference; but what the frames say stays true.
        edge_s = ends.line.query_at(ref.whole.end_s if forward else ref.whole.start_s)
        bound_s = min(max(edge_s, bound_s - half_s), bound_s + half_s)
    return bound_s, False


def _dense_bound(ends: _Ends, bound_s: float, denser: Denser, *, forward: bool) -> float:
    """Sample the query densely around a bound, and find where it stops matching.

    A stretch that cannot be sampled again keeps the bound that it has.
    """
    reach_s = 2 * ends.query.period_s
    whole = ends.query.whole
    first_s, last_s = max(whole.start_s, bound_s - reach_s), min(whole.end_s, bound_s + reach_s)
    if first_s >= last_s:
        return bound_s
    try:
        dense = denser(Interval(first_s, last_s), ends.settings.refine_rate_hz, ends.query.view)
    except InputError:
        return bound_s
    if not (dense.view == ends.query.view).any():
        return bound_s
    view = FrameView.of(dense, ends.query.view)
    instants_s = view.instants_s(ends.settings.frame_instant)
    profile = _profile(ends, view, instants_s)
    return _change(profile, instants_s, bound_s, ends, forward=forward)


def _profile(ends: _Ends, view: FrameView, instants_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(K,)`` how similar each dense frame is to the ref around where the line leads."""
    ref_s = ends.ref.instants_s(ends.settings.frame_instant)
    nearest = np.searchsorted(ref_s, ends.line.ref_at(instants_s))
    around = nearest[:, None] + np.array([-2, -1, 0, 1])
    exists = (around >= 0) & (around < len(ends.ref))
    columns = np.clip(around, 0, len(ends.ref) - 1)
    score = score_cells(view, ends.ref, np.arange(len(view)), columns)
    best: NDArray[np.float64] = np.where(exists, score, -1.0).max(axis=1).astype(np.float64)
    return best


def _change(
    profile: NDArray[np.float64],
    instants_s: NDArray[np.float64],
    bound_s: float,
    ends: _Ends,
    *,
    forward: bool,
) -> float:
    """Find the instant that best parts matching frames from others.

    The level between them is half-way from the noise floor to what the matching side shows.
    """
    inside = instants_s <= bound_s if forward else instants_s >= bound_s
    if not inside.any() or len(profile) < 2:
        return bound_s
    floor = ends.settings.min_similarity
    level = (max(float(np.median(profile[inside])), floor) + floor) / 2
    above = profile - level
    ordered = above if forward else above[::-1]
    times_s = instants_s if forward else instants_s[::-1]
    total = np.cumsum(ordered)
    last = int(total.argmax())
    if total[last] <= 0 or last == len(total) - 1:
        return bound_s
    return float(times_s[last] + times_s[last + 1]) / 2


def _on_both_clocks(ends: _Ends, start_s: float, end_s: float) -> tuple[Interval, Interval]:
    """Put both bounds on the line and inside both videos, where the ref's frames speak."""
    query, ref = ends.query.whole, ends.ref.whole
    line = ends.line
    ref_start_s = line.slope * start_s + line.intercept
    ref_end_s = line.slope * end_s + line.intercept
    if ref_start_s < ref.start_s or (
        int(ends.path[0, 1]) <= 1 and ref_start_s - ref.start_s <= ends.ref.period_s
    ):
        ref_start_s = ref.start_s
    if ref_end_s > ref.end_s or (
        int(ends.path[-1, 1]) >= len(ends.ref) - 2 and ref.end_s - ref_end_s <= ends.ref.period_s
    ):
        ref_end_s = ref.end_s
    kept_start_s = _before_silence(ends, ref_start_s, forward=False)
    kept_end_s = _before_silence(ends, ref_end_s, forward=True)
    if kept_start_s > ref_start_s:
        ref_start_s, start_s = kept_start_s, line.query_at(kept_start_s)
    if kept_end_s < ref_end_s:
        ref_end_s, end_s = kept_end_s, line.query_at(kept_end_s)
    start_s, end_s = max(start_s, query.start_s), min(end_s, query.end_s)
    if start_s >= end_s or ref_start_s >= ref_end_s:
        return _on_the_grid(ends)
    return Interval(start_s, end_s), Interval(ref_start_s, ref_end_s)


def _before_silence(ends: _Ends, ref_s: float, *, forward: bool) -> float:
    """Keep a bound of the ref from going past the instant of a frame without evidence.

    In slow footage frames match their neighbours, so that a path, and with it the line, reaches
    on where the frame itself says nothing. Nothing there can have matched.

        frames   |yes|yes|no |no |
                       ^   ^   ^ the line leads here, the bound is one back
                       | end of the path
    """
    instants_s = ends.ref.instants_s(ends.settings.frame_instant)
    if forward:
        between = np.arange(int(ends.path[-1, 1]) + 1, np.searchsorted(instants_s, ref_s))
    else:
        stop = int(np.searchsorted(instants_s, ref_s, side="right"))
        between = np.arange(int(ends.path[0, 1]) - 1, stop - 1, -1)
    silent = between[~np.any(ends.ref.features_TD[between], axis=1)]
    if len(silent) == 0 or _both_fade(ends, int(silent[0]), forward=forward):
        return ref_s
    return float(instants_s[silent[0]])


def _both_fade(ends: _Ends, column: int, *, forward: bool) -> bool:
    """Tell whether a silent frame is the ref's first or last, and the query's is silent there too.

    Then it is as with any end that lies one frame off: a copied fade from black, most likely.
    """
    row = int(ends.path[-1, 0]) + 1 if forward else int(ends.path[0, 0]) - 1
    if column != (len(ends.ref) - 1 if forward else 0) or not 0 <= row < len(ends.query):
        return False
    return not ends.query.features_TD[row].any()


def _on_the_grid(ends: _Ends) -> tuple[Interval, Interval]:
    """Take the bounds of the frames of the path: its line leads elsewhere."""
    first, last = ends.path[0].tolist(), ends.path[-1].tolist()
    return (
        ends.query.descriptors.timeline.span(first[0], last[0] + 1),
        ends.ref.descriptors.timeline.span(first[1], last[1] + 1),
    )
