"""Turn the raw path of an aligner into straight pieces with honest ends.

A path is an ordered ``(P, 2)`` array of (query row, ref column) cells. Knows
nothing of time, and not how the path was found. P cells, Q query rows, R ref
columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.settings import AlignSettings
from vcd.core.protocols import Box, ScoredBox

__all__ = ["Line", "box_of_path", "cell_weights", "contains", "fit_line", "straight_pieces"]

_MAX_RESIDUAL = 2.0
"""Cells that a path may leave its line: rounding is half a cell, a smooth video adds one or two."""

_GAP_STEP = 3
"""A step of this many rows is a place where two segments may have been joined by chance."""

_GAP_RESIDUAL = 0.6
"""Root mean square that one line may show across a gap; rounding alone gives 0.29."""

_WEAK_END = 0.3
"""An end cell must rise above the floor by this part of what the path's median cell does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``ref = slope * query + intercept``."""

    slope: float
    intercept: float

    def ref_at(self, query: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.slope * query + self.intercept

    def query_at(self, ref: float) -> float:
        return (ref - self.intercept) / self.slope


def cell_weights(similarity: NDArray[np.float32], min_similarity: float) -> NDArray[np.float32]:
    """Map similarities to evidence: 0 at the floor and below, 1 for a perfect copy."""
    scale = np.float32(1.0 / (1.0 - min_similarity))
    return np.clip((similarity - np.float32(min_similarity)) * scale, 0.0, 1.0)


def fit_line(
    query: NDArray[np.float64], ref: NDArray[np.float64], *, min_slope: float, max_slope: float
) -> Line:
    """Fit a line by least squares, its slope held within the range."""
    query_mean = float(query.sum()) / len(query)
    ref_mean = float(ref.sum()) / len(ref)
    centred = query - query_mean
    spread = float(centred @ centred)
    slope = float(centred @ ref) / spread if spread > 0 else 1.0
    slope = min(max(slope, min_slope), max_slope)
    return Line(slope=slope, intercept=ref_mean - slope * query_mean)


def straight_pieces(
    path: NDArray[np.int64], similarity: NDArray[np.float32], settings: AlignSettings
) -> list[ScoredBox]:
    """Cut a path where it bends and trim what does not belong to its pieces.

    Args:
        path: ``(P, 2)`` cells in order.
        similarity: ``(P,)`` of the cells.

    Returns:
        Boxes that begin and end at a matching frame; none shorter than ``min_frames`` or
        below ``min_evidence``.
    """
    boxes = []
    for first, stop in _straight_ranges(path):
        kept = _trimmed(path[first:stop], similarity[first:stop], settings)
        piece, values = path[first:stop][kept], similarity[first:stop][kept]
        if len(piece) < settings.min_frames:
            continue
        skipped = int(piece[-1, 0] - piece[0, 0]) + 1 - len(piece)
        score = float(cell_weights(values, settings.min_similarity).sum())
        score -= settings.gap_penalty * max(0, skipped)
        if score >= settings.min_evidence:
            boxes.append(ScoredBox(box=box_of_path(piece), score=score, path=piece))
    return boxes


def box_of_path(path: NDArray[np.int64]) -> Box:
    """Find the smallest box around a path."""
    (q_first, r_first), (q_last, r_last) = path[0].tolist(), path[-1].tolist()
    return Box(q_first=q_first, q_stop=q_last + 1, r_first=r_first, r_stop=r_last + 1)


def contains(outer: Iterable[ScoredBox], box: Box) -> ScoredBox | None:
    """Find the first of these that holds the whole box, up to one frame on each side."""
    for other in outer:
        if (
            other.box.q_first - 1 <= box.q_first
            and box.q_stop <= other.box.q_stop + 1
            and other.box.r_first - 1 <= box.r_first
            and box.r_stop <= other.box.r_stop + 1
        ):
            return other
    return None


def _straight_ranges(path: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut [0, P) at bends: ``[####/####)`` -> ``[####) [####)``."""
    if len(path) == 0:
        return []
    whole = path.astype(np.float64)
    pending, done = [(0, len(path))], []
    while pending:
        first, stop = pending.pop()
        cut = _bend(whole[first:stop])
        if cut is None:
            done.append((first, stop))
        else:
            pending += [(first, first + cut), (first + cut, stop)]
    return sorted(done)


def _bend(path: NDArray[np.float64]) -> int | None:
    """Find where two lines explain the path much better than one does."""
    if len(path) < 6:
        return None
    residual, total = _residual(path)
    steps = np.diff(path[:, 0])
    at_gap = bool((steps >= _GAP_STEP).any()) and total > _GAP_RESIDUAL**2 * len(path)
    if np.abs(residual).max() <= _MAX_RESIDUAL and not at_gap:
        return None
    split = _split_errors(path)
    if np.abs(residual).max() <= _MAX_RESIDUAL:
        split[steps[2:-2] < _GAP_STEP] = np.inf
    best = int(split.argmin())
    return best + 3 if split[best] < 0.4 * total else None


def _residual(path: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    centred = path - path.sum(axis=0) / len(path)
    spread = float(centred[:, 0] @ centred[:, 0])
    slope = float(centred[:, 0] @ centred[:, 1]) / spread if spread > 0 else 1.0
    residual = centred[:, 1] - slope * centred[:, 0]
    return residual, float(residual @ residual)


def _split_errors(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared error of two lines for each cut 3..P-3, by prefix sums."""
    x, y = (path - path[0]).T
    sums = np.cumsum(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y]), axis=1)
    left = sums[:, 2:-3]
    right = sums[:, -1:] - left
    return _line_errors(left) + _line_errors(right)


def _line_errors(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    count, x, y, xx, xy, yy = sums
    spread_x = np.maximum(xx - x * x / count, 1e-9)
    spread_y = yy - y * y / count
    joint = xy - x * y / count
    return np.maximum(spread_y - joint * joint / spread_x, 0.0)


def _trimmed(
    path: NDArray[np.int64], similarity: NDArray[np.float32], settings: AlignSettings
) -> slice:
    """Drop end cells that are weak or off the line; the inside stays as it is."""
    rise = float(np.median(similarity)) - settings.min_similarity
    good = similarity >= settings.min_similarity + _WEAK_END * rise
    query, ref = path[:, 0].astype(np.float64), path[:, 1].astype(np.float64)
    line = fit_line(query, ref, min_slope=settings.min_slope, max_slope=settings.max_slope)
    good &= np.abs(ref - line.ref_at(query)) <= _MAX_RESIDUAL
    kept = np.flatnonzero(good)
    if len(kept) == 0:
        return slice(0, 0)
    return slice(int(kept[0]), int(kept[-1]) + 1)
