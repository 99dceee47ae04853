"""Decide which frames stand for which stretch of time, from presentation times alone.

Time is cut into cells of ``1 / rate_hz`` from the first shown frame on, and each
cell is represented by the frame that is on screen in its middle:

    cells    |    0    |    1    |    2    |  rest  |
    instants      ^         ^         ^
    samples  [### 0 ###)[## 1 ###)[##### 2 ########)

The last sample also stands for a rest shorter than half a cell, so that cells
are regular, every instant lies in ``[0, duration_s)`` and the samples together
cover the video. The nominal frame rate of a container plays no part.
docs/design/media.md says why the middle and not the start.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vcd.core import Interval, merge_intervals

__all__ = [
    "BOUNDARY_TOLERANCE_S",
    "cell_interval",
    "cells_shown",
    "frames_on_screen",
    "num_cells",
    "output_size",
    "uncovered",
]

BOUNDARY_TOLERANCE_S = 1e-3
"""Matroska and FLV round times to a millisecond: an instant this close to a cut is after it."""


def num_cells(duration_s: float, rate_hz: float) -> int:
    """Count the samples of a video: the instants before its end, and at least one.

    A video shorter than half a cell has one sample, which is its last frame.
    """
    if duration_s <= 0.0:
        return 0
    return max(1, _first_cell_from(duration_s, rate_hz))


def cells_shown(start_s: float, end_s: float, rate_hz: float) -> range:
    """Find the cells whose instant falls while a frame is on screen, ``[start_s, end_s)``.

    Consecutive frames share no cell, and together they leave none out.
    """
    first = max(0, _first_cell_from(start_s, rate_hz))
    return range(first, max(first, _first_cell_from(end_s, rate_hz)))


def cell_interval(
    cell: int, *, rate_hz: float, duration_s: float | None = None
) -> tuple[float, float]:
    """Say which stretch of time the sample of a cell stands for, as (start, end).

    Args:
        cell: position on the grid.
        rate_hz: samples a second.
        duration_s: of the video, when the cell may be its last one.
    """
    start_s = cell / rate_hz
    if duration_s is not None and cell >= num_cells(duration_s, rate_hz) - 1:
        return start_s, max(duration_s, math.nextafter(start_s, math.inf))
    return start_s, (cell + 1) / rate_hz


def frames_on_screen(
    start_s: NDArray[np.float64], *, end_s: float, rate_hz: float
) -> NDArray[np.int64]:
    """Choose the frame of each cell when all presentation times are known beforehand.

    Args:
        start_s: ``(F,)`` never decreasing, the first is 0.
        end_s: when the last frame ends.
        rate_hz: samples a second.

    Returns:
        ``(T,)`` int64 indices into ``start_s``, one for each cell.
    """
    instants = (np.arange(num_cells(end_s, rate_hz)) + 0.5) / rate_hz
    shown = np.searchsorted(start_s, instants + BOUNDARY_TOLERANCE_S, side="right") - 1
    return shown.astype(np.int64)


def uncovered(covered: Sequence[Interval], *, until: Interval) -> tuple[Interval, ...]:
    """Find the stretches of ``until`` that no interval covers.

    covered   [##)   [####)
    until    [#############)  ->  [)  [#)    [##)
    """
    gaps = []
    reached_s = until.start_s
    for interval in merge_intervals(covered):
        if interval.start_s > reached_s:
            gaps.append(Interval(reached_s, min(interval.start_s, until.end_s)))
        reached_s = max(reached_s, interval.end_s)
        if reached_s >= until.end_s:
            return tuple(gaps)
    return (*gaps, Interval(reached_s, until.end_s))


def output_size(
    width_px: int, height_px: int, *, max_short_edge_px: int, max_pixels: int
) -> tuple[int, int]:
    """Choose the size to hand frames over in: the same shape, smaller or equal, never larger.

    Args:
        width_px: of the picture as shown.
        height_px: of the picture as shown.
        max_short_edge_px: limit of the shorter edge.
        max_pixels: limit of width times height; only extreme shapes meet it.
    """
    scale = min(
        1.0,
        max_short_edge_px / min(width_px, height_px),
        math.sqrt(max_pixels / (width_px * height_px)),
    )
    return max(1, int(width_px * scale + 0.5)), max(1, int(height_px * scale + 0.5))


def _first_cell_from(time_s: float, rate_hz: float) -> int:
    """Return the first cell whose instant is not before a time."""
    return math.ceil((time_s - BOUNDARY_TOLERANCE_S) * rate_hz - 0.5)
