"""Fit the line that a copy follows through time, in seconds and between the frames.

Robust least squares through the path first; then the line that collects most
similarity, for in a slow shot the cells of a path wander, and only the sharp
places (cuts, movement) say where the line runs. P cells, C candidate lines,
W columns on either side of the line.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.frames import FrameView
from vcd.align.paths import Line
from vcd.align.settings import AlignSettings

__all__ = ["fit_time_line"]

_ROUNDS = 8
"""Re-weightings of the robust fit; it has settled after four or five."""

_MIN_RESIDUAL_FRAMES = 0.1
"""Scale below which residuals are taken for rounding, not for outliers."""

POWER = 1.0
FLOOR = 0.01
_SHARP = 0.5
_SHIFTS = ((4.0, 1.0), (1.0, 0.25))
"""How far, and in which steps, either end of the line is moved, in ref frames."""

_SHARPNESS = 20.0
"""Lines are averaged by exp(20 * similarity collected): a twentieth of a cell parts them."""


def fit_time_line(
    query: FrameView, ref: FrameView, path: NDArray[np.int64], settings: AlignSettings
) -> Line:
    """Fit ``ref_s = slope * query_s + intercept`` through the cells of a path, ``P >= 2``."""
    query_s = query.instants_s(settings.frame_instant)[path[:, 0]]
    ref_s, sharpness = _ref_peaks_s(query, ref, path, settings)
    return _robust_line(query_s, ref_s, sharpness, ref.period_s, settings)


def _robust_line(
    query_s: NDArray[np.float64],
    ref_s: NDArray[np.float64],
    sharpness: NDArray[np.float64],
    period_s: float,
    settings: AlignSettings,
) -> Line:
    """Fit by least squares; outliers lose their weight step by step (Tukey's biweight)."""
    slopes = (settings.min_slope, settings.max_slope)
    line = _weighted_line(query_s, ref_s, sharpness, slopes)
    for _ in range(_ROUNDS):
        residual = np.abs(ref_s - line.ref_at(query_s))
        scale = max(_weighted_median(residual, sharpness) / 0.6745, _MIN_RESIDUAL_FRAMES * period_s)
        weights = np.maximum(1.0 - (residual / (4.685 * scale)) ** 2, 0.0) ** 2 * sharpness + 1e-6
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


def _ref_peaks_s(
    query: FrameView, ref: FrameView, path: NDArray[np.int64], settings: AlignSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read each cell's ref time between the columns: a parabola through three similarities."""
    instants_s = ref.instants_s(settings.frame_instant)
    rows, cols = path[:, 0], path[:, 1]
    inner = (cols > 0) & (cols < len(ref) - 1)
    around = np.clip(cols[:, None] + np.array([-1, 0, 1]), 0, len(ref) - 1)
    profile = np.einsum("pd,pkd->pk", query.features_TD[rows], ref.features_TD[around])
    left, middle, right = profile.T.astype(np.float64)
    curve = left - 2 * middle + right
    is_peak = inner & (middle >= left) & (middle >= right) & (curve < -1e-6)
    shift = np.where(is_peak, 0.5 * (left - right) / np.where(is_peak, curve, 1.0), 0.0)
    sharpness = np.where(is_peak, np.minimum(-curve, _SHARP), 0.0) ** POWER + FLOOR
    return instants_s[cols] + shift * ref.period_s, sharpness


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])
