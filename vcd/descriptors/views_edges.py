"""See the straight edges of a few frames that stand still, on a small grey grid.

An edge is counted in each frame and in each cell along it. A line that is there all the time, from
end to end, then stands out from the edges of things, which end, bend and move. T frames, G cells
a side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID_CELLS", "MIN_STEP", "StillEdges", "grey_grid", "steps_across"]

GRID_CELLS = 128
"""Cells a side: of a frame of 320 pixels a cell is two and a half, an edge is placed within two."""

MIN_STEP = 8
"""Levels of 255 from which a step between two cells is an edge; compression noise stays below."""

_MIN_RIDGE = 1.25
"""How much steeper than what lies beside it a step must be: texture is steep everywhere."""


def grey_grid(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Shrink a frame of any size to ``(G, G)`` mean grey levels, its shape not kept."""
    from PIL import Image

    grey = Image.fromarray(pixels_HWC).convert("L")
    small = grey.resize((GRID_CELLS, GRID_CELLS), Image.Resampling.BOX)
    return np.asarray(small).astype(np.int16)


def steps_across(grey_TGG: NDArray[np.int16]) -> NDArray[np.int16]:
    """``(T, G, G)`` step of grey across each cell, from the cell left of it to the one right."""
    steps_TGG = np.zeros_like(grey_TGG)
    np.abs(grey_TGG[:, :, 2:] - grey_TGG[:, :, :-2], out=steps_TGG[:, :, 1:-1])
    return steps_TGG


def _ridges(steps_TGG: NDArray[np.int16]) -> NDArray[np.float32]:
    """``(G, G)`` share of the frames in which a cell is steep, and steeper than those near it."""
    beside_TGG = np.zeros_like(steps_TGG)
    for shift in (2, 3):
        np.maximum(beside_TGG[:, :, shift:], steps_TGG[:, :, :-shift], out=beside_TGG[:, :, shift:])
        np.maximum(
            beside_TGG[:, :, :-shift], steps_TGG[:, :, shift:], out=beside_TGG[:, :, :-shift]
        )
    is_ridge = (steps_TGG >= MIN_STEP) & (steps_TGG >= _MIN_RIDGE * beside_TGG)
    share: NDArray[np.float32] = is_ridge.mean(axis=0, dtype=np.float32)
    return share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StillEdges:
    """How clearly each stretch of each line of the grid is an edge.

    Attributes:
        upright_sum: ``(G + 1, G)``; ``[y, x]`` adds up column x above row y, each cell counting
            as the share of the frames in which it is an edge.
        level_sum: ``(G + 1, G)``; ``[x, y]`` adds up row y left of column x.
    """

    upright_sum: NDArray[np.float64]
    level_sum: NDArray[np.float64]

    @classmethod
    def of(cls, upright_TGG: NDArray[np.int16], level_TGG: NDArray[np.int16]) -> "StillEdges":
        """Find them.

        Args:
            upright_TGG: `steps_across` of the frames.
            level_TGG: `steps_across` of the frames, rows and columns exchanged.
        """
        upright, level = (
            np.concatenate([np.zeros((1, GRID_CELLS)), np.cumsum(share, axis=0, dtype=np.float64)])
            for share in map(_ridges, (upright_TGG, level_TGG))
        )
        return cls(upright_sum=upright, level_sum=level)

    def upright(self, top: int, bottom: int) -> NDArray[np.float64]:
        """``(G,)`` share of the rows in which each column is an edge."""
        share: NDArray[np.float64] = (self.upright_sum[bottom] - self.upright_sum[top]) / (
            bottom - top
        )
        return share

    def level(self, left: int, right: int) -> NDArray[np.float64]:
        """``(G,)`` share of the columns in which each row is an edge."""
        share: NDArray[np.float64] = (self.level_sum[right] - self.level_sum[left]) / (right - left)
        return share
