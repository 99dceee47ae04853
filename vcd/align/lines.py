"""Fit the line that a copy follows through time, in seconds and between the frames.

Robust least squares through the cells of the path, their ref times read between
the columns; then again through the most similar cells next to the line, for in
a slow shot a path wanders. Most copies are not sped up or slowed down: where
speed 1 fits as well, it is taken. P cells.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView, score_cells
from vcd.align.paths import Line
from vcd.align.settings import AlignSettings

__all__ = ["at_normal_speed", "fit_time_line"]

_ROUNDS = 8
"""Re-weightings of the robust fit; it has settled after four or five."""

_NUM_REDRAWS = 2
"""Times that the cells are chosen anew beside the line; a third changes nothing."""

_MIN_RESIDUAL_FRAMES = 0.1
"""Scale below which residuals are taken for rounding, not for outliers."""

_NORMAL_SPEED_FRAMES = 0.6
"""Speed 1 is taken when it moves neither end by more ref frames than this; the experiment is in
docs/design/align.md."""


def fit_time_line(
    query: FrameView, ref: FrameView, path: NDArray[np.int64], settings: AlignSettings
) -> Line:
    """Fit ``ref_s = slope * query_s + intercept`` through the cells of a path, ``P >= 2``."""
    rows, cols = path[:, 0], path[:, 1]
    query_s = query.instants_s(settings.frame_instant)[rows]
    instants_s = ref.instants_s(settings.frame_instant)
    ref_s = _between_columns_s(instants_s, cols, _profile(query, ref, rows, cols), ref.period_s)
    line = _robust_line(query_s, ref_s, ref.period_s, settings)
    for _ in range(_NUM_REDRAWS):
        place = np.interp(line.ref_at(query_s), instants_s, np.arange(len(ref)))
        cols = np.round(place).astype(np.int64)
        best = _profile(query, ref, rows, cols).argmax(axis=1)
        cols = np.clip(cols + best - 1, 0, len(ref) - 1)
        ref_s = _between_columns_s(instants_s, cols, _profile(query, ref, rows, cols), ref.period_s)
        line = _robust_line(query_s, ref_s, ref.period_s, settings)
    return at_normal_speed(line, query_s, ref.period_s)


def _profile(
    query: FrameView, ref: FrameView, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``(P, 3)`` similarity of each row with its column and that column's neighbours."""
    around = np.clip(cols[:, None] + np.array([-1, 0, 1]), 0, len(ref) - 1)
    profile: NDArray[np.float64] = score_cells(query, ref, rows, around).astype(np.float64)
    return profile


def _between_columns_s(
    instants_s: NDArray[np.float64],
    cols: NDArray[np.int64],
    profile: NDArray[np.float64],
    period_s: float,
) -> NDArray[np.float64]:
    """Find when, beside each column, a parabola through the three similarities is highest."""
    left, middle, right = profile.T
    curve = left - 2 * middle + right
    is_peak = (middle >= left) & (middle >= right) & (curve < -1e-6)
    is_peak &= (cols > 0) & (cols < len(instants_s) - 1)
    shift = np.where(is_peak, 0.5 * (left - right) / np.where(is_peak, curve, 1.0), 0.0)
    between_s: NDArray[np.float64] = instants_s[cols] + shift * period_s
    return between_s


def _robust_line(
    query_s: NDArray[np.float64],
    ref_s: NDArray[np.float64],
    period_s: float,
    settings: AlignSettings,
) -> Line:
    """Fit by least squares; outliers lose their weight step by step (Tukey's biweight)."""
    slopes = (settings.min_slope, settings.max_slope)
    line = _weighted_line(query_s, ref_s, np.ones(len(query_s)), slopes)
    for _ in range(_ROUNDS):
        residual = np.abs(ref_s - line.ref_at(query_s))
        scale = max(float(np.median(residual)) / 0.6745, _MIN_RESIDUAL_FRAMES * period_s)
        weights = np.maximum(1.0 - (residual / (4.685 * scale)) ** 2, 0.0) ** 2 + 1e-6
        line = _weighted_line(query_s, ref_s, weights, slopes)
    return line


def _weighted_line(
    query_s: NDArray[np.float64],
    ref_s: NDArray[np.float64],
    weights: NDArray[np.float64],
    slopes: tuple[float, float],
) -> Line:
    total = weights.sum()
    query_mean, ref_mean = float(weights @ query_s / total), float(weights @ ref_s / total)
    centred = query_s - query_mean
    spread = float(weights @ (centred * centred))
    slope = float(weights @ (centred * ref_s)) / spread if spread > 0 else 1.0
    slope = min(max(slope, slopes[0]), slopes[1])
    return Line(slope=slope, intercept=ref_mean - slope * query_mean)


def at_normal_speed(line: Line, query_s: NDArray[np.float64], period_s: float) -> Line:
    """Turn the line to speed 1 about its middle, unless that moves its ends noticeably.

    Args:
        line: on both clocks.
        query_s: ``(P,)`` query times that it is fitted through, rising.
        period_s: sampling step of the reference.
    """
    moved_s = abs(line.slope - 1.0) * float(query_s[-1] - query_s[0]) / 2
    if moved_s > _NORMAL_SPEED_FRAMES * period_s:
        return line
    middle_s = float(query_s.mean())
    return Line(slope=1.0, intercept=line.slope * middle_s + line.intercept - middle_s)
