"""Decide which frames carry evidence, and bring descriptors to unit length.

A frame of black or of one flat colour is alike in every video that has one. It
keeps its time, but its descriptor is zero and so is similar to nothing. The one
rule and the pictures its numbers were chosen on: docs/design/descriptors.md.

Shape letters: H and W pixels (or cells), C channels, B frames, D dimensions.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_uninformative", "l2_normalize"]

_GRID_CELLS = 32
"""The frame is looked at as 32 x 32 mean colours: grain and compression noise average out."""

_MAX_SPREAD = 6
"""Of 255. Black with strong grain or compression noise spreads over 0 to 2, a thin line drawn on
white over 22, the flattest real frame seen over 40."""

_MAX_STRAY_CELLS = 10
"""One in a hundred cells may stand out: a station's logo on black is no evidence, a line of
text (19 cells, 5 % of the frame high) is."""

_MAX_BORDER_CELLS = 12
"""How far flat bars may reach in from each edge, as around an upright video in a wide frame."""


def is_uninformative(pixels_HWC: NDArray[np.uint8]) -> bool:
    """Tell whether a frame is nearly one colour, flat bars at its edges apart.

        ########        ########        ########
        ........        ..TEXT..        ####....
        ........        ........        ####....
        ########        ########        ########
        uninformative   informative     informative

    Args:
        pixels_HWC: ``(H, W, 3)`` uint8, of any size.
    """
    from PIL import Image

    grid = (_GRID_CELLS, _GRID_CELLS)
    shrunk = Image.fromarray(pixels_HWC).resize(grid, Image.Resampling.BOX)
    inner_HWC = _without_flat_bars(np.asarray(shrunk).astype(np.int16))
    return _spread(inner_HWC.reshape(-1, 3)) <= _MAX_SPREAD


def l2_normalize(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of ``(B, D)`` to length 1; a zero row stays zero."""
    length_B1 = np.sqrt(np.einsum("bd,bd->b", features, features))[:, None]
    length_B1[length_B1 == 0.0] = 1.0
    unit_BD: NDArray[np.float32] = np.divide(features, length_B1, dtype=np.float32)
    return unit_BD


def _without_flat_bars(cells_HWC: NDArray[np.int16]) -> NDArray[np.int16]:
    rows = _inner_range(_spread_of_lines(cells_HWC, axis=1))
    inner_HWC = cells_HWC[rows]
    return inner_HWC[:, _inner_range(_spread_of_lines(inner_HWC, axis=0))]


def _spread_of_lines(cells_HWC: NDArray[np.int16], *, axis: int) -> NDArray[np.int16]:
    spread: NDArray[np.int16] = np.ptp(cells_HWC, axis=axis).max(axis=1)
    return spread


def _inner_range(spread: NDArray[np.int16]) -> slice:
    """Leave out the flat lines at both ends, up to the widest bar believed."""
    is_flat = spread <= _MAX_SPREAD
    num_first, num_last = (
        _MAX_BORDER_CELLS if bar.all() else int(np.argmin(bar))
        for bar in (is_flat[:_MAX_BORDER_CELLS], is_flat[::-1][:_MAX_BORDER_CELLS])
    )
    return slice(num_first, len(spread) - num_last)


def _spread(colours: NDArray[np.int16]) -> int:
    """Measure the narrowest range that holds all cells but the stray ones, in every channel."""
    ordered = np.sort(colours, axis=0)
    num_kept = len(ordered) - _MAX_STRAY_CELLS
    widths = ordered[num_kept - 1 :] - ordered[: _MAX_STRAY_CELLS + 1]
    return int(widths.min(axis=0).max())
