"""Draw precision over recall: one line for each ranking, its average precision in the legend.

The area under a line is its average precision: at each step of recall the line stands at the
precision that the metric takes there. It knows numbers and names; what they measure is for the
caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.canvas import COLOURS, EDGE, FAINT, INK, Canvas
from vcd.core import SetupError

__all__ = ["Curve", "draw_curves", "save_curves"]

_WIDTH, _HEIGHT = 800, 640
"""Without the legend, which has a row for each curve."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 76, 92, 770, 572
"""The plot: recall 0 to 1 from left to right, precision 0 to 1 from bottom to top."""

_NUM_TICKS = 5
_ROW_HEIGHT = 26
_MAX_NAME = 64
"""Characters of a name that fit into the legend."""

_NUM_COLUMNS = 2 * (_RIGHT - _LEFT)
"""Steps of recall that can be told apart in the picture; no line has more corners by far."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One ranking.

    Attributes:
        name: what was ranked, for the legend.
        precision: ``(G,)`` float64 in [0, 1], after each group of equal scores, best first.
        recall: ``(G,)`` float64 in [0, 1], never falling.
        ap: its average precision.

    Raises:
        ValueError: the two are not of one length, leave [0, 1], or recall falls.
    """

    name: str
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    ap: float

    def __post_init__(self) -> None:
        is_curve = self.precision.shape == self.recall.shape == (len(self.recall),)
        if not is_curve or not all(
            ((each >= 0) & (each <= 1)).all() for each in (self.precision, self.recall)
        ):
            raise ValueError(f"{self.name}: precision and recall must be (G,) in [0, 1]")
        if (np.diff(self.recall) < 0).any():
            raise ValueError(f"{self.name}: recall falls")


def draw_curves(title: str, curves: Sequence[Curve]) -> Image.Image:
    """Draw all curves over one pair of axes, 800 pixels wide.

    Args:
        title: headline of the picture.
        curves: in the order of the legend; colours repeat after four.
    """
    canvas = Canvas(_WIDTH, _HEIGHT + _ROW_HEIGHT * len(curves))
    canvas.text((_LEFT, 44), title, 22)
    _draw_axes(canvas)
    for i, curve in reversed(list(enumerate(curves))):
        corners = _corners(curve)
        if len(corners) > 2:
            canvas.line(corners, COLOURS[i % len(COLOURS)], 3)
    _draw_legend(canvas, curves)
    return canvas.reduced()


def save_curves(path: Path, title: str, curves: Sequence[Curve]) -> None:
    """Write the picture as PNG, whatever the file is called.

    Raises:
        SetupError: the file cannot be written.
    """
    try:
        draw_curves(title, curves).save(path, format="PNG")
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def _draw_axes(canvas: Canvas) -> None:
    canvas.card((_LEFT, _TOP, _RIGHT, _BOTTOM))
    for i in range(_NUM_TICKS + 1):
        share = i / _NUM_TICKS
        x, y = _x(share), _y(share)
        if 0 < i < _NUM_TICKS:
            canvas.line((x, _TOP, x, _BOTTOM), EDGE, 1)
            canvas.line((_LEFT, y, _RIGHT, y), EDGE, 1)
        canvas.text((x, _BOTTOM + 20), f"{share:.1f}", 14, FAINT, anchor="ms")
        canvas.text((_LEFT - 10, y), f"{share:.1f}", 14, FAINT, anchor="rm")
    canvas.text((_LEFT - 40, _TOP - 16), "precision", 15)
    canvas.text((_RIGHT, _BOTTOM + 46), "recall", 15, anchor="rs")


def _draw_legend(canvas: Canvas, curves: Sequence[Curve]) -> None:
    """Name the curves below the plot, where none of them can be."""
    for i, curve in enumerate(curves):
        y = _HEIGHT + _ROW_HEIGHT * (i + 0.5) - 10
        canvas.line((_LEFT, y, _LEFT + 28, y), COLOURS[i % len(COLOURS)], 4)
        canvas.text((_LEFT + 40, y), f"AP {curve.ap:.4f}", 15, INK, anchor="lm")
        canvas.text((_LEFT + 132, y), curve.name[:_MAX_NAME], 15, INK, anchor="lm")


def _corners(curve: Curve) -> list[float]:
    """Lay the steps of a curve out as x, y, x, y, ...; of steps within one column the extremes."""
    rises = np.diff(curve.recall, prepend=0.0) > 0
    recall, precision = curve.recall[rises], curve.precision[rises]
    column = np.floor(recall * _NUM_COLUMNS)
    firsts = np.flatnonzero(np.diff(column, prepend=-1.0))
    lows, highs = (
        (np.minimum.reduceat(precision, firsts), np.maximum.reduceat(precision, firsts))
        if len(firsts)
        else (precision, precision)
    )
    lasts = np.append(firsts[1:], len(recall)) - 1 if len(firsts) else firsts
    before = 0.0
    corners: list[float] = []
    for first, last, low, high in zip(firsts, lasts, lows, highs, strict=True):
        corners += [_x(before), _y(precision[first])]
        for height in (low, high, precision[last]):
            corners += [_x(recall[last]), _y(height)]
        before = recall[last]
    return corners


def _x(recall: float) -> float:
    return _LEFT + float(recall) * (_RIGHT - _LEFT)


def _y(precision: float) -> float:
    return _BOTTOM - float(precision) * (_BOTTOM - _TOP)
