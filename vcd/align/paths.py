"""Turn the raw path of an aligner into straight pieces with honest ends.

A path is an ordered ``(P, 2)`` array of (query row, ref column) cells. Knows
nothing of time, and not how the path was found. P cells, Q query rows, R ref
columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcd.align.settings import AlignSettings
from vcd.core.protocols import Box, ScoredBox

__all__ = ["Line", "box_of_path", "cell_weights", "contains", "fit_line", "straight_pieces"]

_MAX_RESIDUAL = 2.0
"""Cells that a path may leave its line, times its slope above 1: rounding is half a cell, a
smooth video adds one or two frames."""

_GAP_STEP = 3
"""A step of this many rows is a place where two segments may have been joined by chance."""

_GAP_RESIDUAL = 0.45
"""Root mean square that one line may show across a gap; rounding alone gives 0.29."""

_BEND_GAIN = 0.4
"""Two lines must leave less than this part of the squared error that one leaves."""

_MIN_BEND_GAIN = 2.5
"""Squared cells that two lines must explain; a few cells always fit two lines better."""

_ONE_LINE = 0.8
"""Part of a path's evidence that a single line must collect for its bends to be wandering."""

_NEAR_LINE = 1.0
"""Cells this near to a first fit decide the second one."""

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
    risen: NDArray[np.float32] = (similarity - np.float32(min_similarity)) * scale
    np.maximum(risen, 0.0, out=risen)
    return np.minimum(risen, 1.0, out=risen)


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
    path: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> list[ScoredBox]:
    """Cut a path where it bends and trim what does not belong to its pieces.

    Args:
        path: ``(P, 2)`` cells in order, all at or above ``min_similarity``.
        similarity_QR: the matrix that they are cells of.
        settings: range of speeds, and what a piece needs.

    Returns:
        Boxes that begin and end at a matching frame; none shorter than ``min_frames`` or
        below ``min_evidence``.
    """
    ranges = _straight_ranges(path, similarity_QR, settings)
    boxes = []
    for first, stop in ranges:
        piece = path[first:stop]
        if len(ranges) > 1:
            piece = _redrawn(piece, similarity_QR, settings)
        box = _box(_trimmed(piece, similarity_QR, settings), similarity_QR, settings)
        if box is not None:
            boxes.append(box)
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


def _straight_ranges(
    path: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> list[tuple[int, int]]:
    """Cut [0, P) at bends and at too long steps: ``[####/####)`` -> ``[####) [####)``."""
    too_long = path[1:, 0] - path[:-1, 0] > settings.max_step_frames
    cuts = [0, *(np.flatnonzero(too_long) + 1).tolist(), len(path)]
    pending, done = list(pairwise(cuts)), []
    while pending:
        first, stop = pending.pop()
        cut = _bend(path[first:stop], similarity_QR, settings)
        if cut is None:
            done.append((first, stop))
        else:
            pending += [(first, first + cut), (first + cut, stop)]
    return sorted(done)


def _bend(
    cells: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> int | None:
    """Find where two lines explain the path much better than one does."""
    if len(cells) < 6:
        return None
    path = cells.astype(np.float64)
    residual, total = _residual(path)
    steps = path[1:, 0] - path[:-1, 0]
    at_gap = bool((steps >= _GAP_STEP).any()) and total > _GAP_RESIDUAL**2 * len(path)
    slope = max(1.0, (path[-1, 1] - path[0, 1]) / (path[-1, 0] - path[0, 0]))
    off_line = bool(np.abs(residual).max() > _MAX_RESIDUAL * slope)
    if not (off_line or at_gap):
        return None
    split = _split_errors(path)
    if not off_line:
        split[steps[2:-2] < _GAP_STEP] = np.inf
    best = int(split.argmin())
    if split[best] >= _BEND_GAIN * total or total - split[best] <= _MIN_BEND_GAIN:
        return None
    wanders = off_line and steps[best + 2] < _GAP_STEP
    if wanders and _fits_one_line(cells, residual, similarity_QR, settings):
        return None
    return best + 3


def _fits_one_line(
    cells: NDArray[np.int64],
    residual: NDArray[np.float64],
    similarity_QR: NDArray[np.float32],
    settings: AlignSettings,
) -> bool:
    """Whether one line collects nearly the evidence that a wandering path does."""
    rows, cols = cells[:, 0], cells[:, 1]
    centre = np.round(cols - residual).astype(np.int64)
    around = np.clip(centre[:, None] + np.array([-1, 0, 1]), 0, similarity_QR.shape[1] - 1)
    on_line = similarity_QR[rows[:, None], around].max(axis=1)
    gained = cell_weights(on_line, settings.min_similarity).sum()
    on_path = cell_weights(similarity_QR[rows, cols], settings.min_similarity).sum()
    return bool(gained >= _ONE_LINE * on_path)


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
    errors: NDArray[np.float64] = np.maximum(spread_y - joint * joint / spread_x, 0.0)
    return errors


def _redrawn(
    piece: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> NDArray[np.int64]:
    """Draw a piece of a bent path again along its own line, and a little beyond.

    Near a bend the cells lie where they let the path reach the next piece, not where
    the frames match best.
    """
    if len(piece) < settings.min_frames:
        return piece
    query, ref = piece.astype(np.float64).T
    slopes = {"min_slope": settings.min_slope, "max_slope": settings.max_slope}
    line = fit_line(query, ref, **slopes)
    near = np.abs(ref - line.ref_at(query)) <= _NEAR_LINE
    if np.count_nonzero(near) >= settings.min_frames:
        line = fit_line(query[near], ref[near], **slopes)
    num_rows, num_cols = similarity_QR.shape
    first = max(0, int(query[0]) - settings.max_step_frames)
    rows = np.arange(first, min(num_rows, int(query[-1]) + settings.max_step_frames + 1))
    centre = np.round(line.ref_at(rows.astype(np.float64))).astype(np.int64)
    cols = centre[:, None] + np.array([0, -1, 1])
    values = similarity_QR[rows[:, None], np.clip(cols, 0, num_cols - 1)]
    values = np.where((cols >= 0) & (cols < num_cols), values, -1.0)
    choice = values.argmax(axis=1)
    best, cols = values.max(axis=1), cols[np.arange(len(rows)), choice]
    level = settings.min_similarity
    level += _WEAK_END * (_median(similarity_QR[piece[:, 0], piece[:, 1]]) - level)
    is_inside = (rows >= query[0]) & (rows <= query[-1]) & (best >= settings.min_similarity)
    kept = is_inside | _grown(is_inside, best >= level)
    return np.stack([rows[kept], np.maximum.accumulate(cols[kept])], axis=1)


def _grown(inside: NDArray[np.bool_], holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the unbroken runs that hold, next to the first and the last inside.

    inside  ....##.##....      holds  ..####.####..      ->  ..##.....##..
    """
    places = np.flatnonzero(inside)
    grown = np.zeros_like(inside)
    if len(places) == 0:
        return grown
    before, after = holds[: places[0]][::-1], holds[places[-1] + 1 :]
    num_before = int(np.argmin(np.append(before, False)))
    num_after = int(np.argmin(np.append(after, False)))
    grown[places[0] - num_before : places[0]] = True
    grown[places[-1] + 1 : places[-1] + 1 + num_after] = True
    return grown


def _trimmed(
    piece: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> NDArray[np.int64]:
    """Drop end cells that are weak or off the line; the inside stays as it is."""
    if len(piece) == 0:
        return piece
    similarity = similarity_QR[piece[:, 0], piece[:, 1]]
    rise = _median(similarity) - settings.min_similarity
    good = similarity >= settings.min_similarity + _WEAK_END * rise
    query, ref = piece.astype(np.float64).T
    line = fit_line(query, ref, min_slope=settings.min_slope, max_slope=settings.max_slope)
    good &= np.abs(ref - line.ref_at(query)) <= _MAX_RESIDUAL * max(1.0, line.slope)
    kept = np.flatnonzero(good)
    if len(kept) == 0:
        return piece[:0]
    return piece[kept[0] : kept[-1] + 1]


def _median(values: NDArray[np.float32]) -> float:
    """Return the (upper) median; `numpy.median` takes ten times as long for a few values."""
    return float(np.sort(values)[len(values) // 2])


def _box(
    piece: NDArray[np.int64], similarity_QR: NDArray[np.float32], settings: AlignSettings
) -> ScoredBox | None:
    if len(piece) < settings.min_frames:
        return None
    num_skipped = int(piece[-1, 0] - piece[0, 0]) + 1 - len(piece)
    weights = cell_weights(similarity_QR[piece[:, 0], piece[:, 1]], settings.min_similarity)
    score = float(weights.sum()) - settings.gap_penalty * num_skipped
    if score < settings.min_evidence:
        return None
    return ScoredBox(box=box_of_path(piece), score=score, path=piece)
