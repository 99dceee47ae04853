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
"""One in a hundred cells may stand out between flat bars, as a station's logo does."""

_MAX_BORDER_CELLS = 12
"""How far flat bars may reach in from each edge, as around an upright video in a wide frame."""


_MAX_SHARE_OF_ONE_COLOUR = 0.9
"""Words on a flat ground (title cards, credits) leave 93 to 97 % of the cells alike, and cards of
one design are one picture to a descriptor. None of 1,500 photographs has more than 86 %."""


def is_uninformative(pixels_HWC: NDArray[np.uint8]) -> bool:
    """Tell whether a frame is nearly one colour, flat bars at its edges apart.

        ########        ........        ########
        ........        ..TEXT..        ####....
        ........        ........        ####....
        ########        ........        ########
        uninformative   uninformative   informative

    Args:
        pixels_HWC: ``(H, W, 3)`` uint8, of any size.
    """
    from PIL import Image

    grid = (_GRID_CELLS, _GRID_CELLS)
    shrunk = Image.fromarray(pixels_HWC).resize(grid, Image.Resampling.BOX)
    cells_HWC = np.asarray(shrunk).astype(np.int16)
    if _share_of_main_colour(cells_HWC.reshape(-1, 3)) >= _MAX_SHARE_OF_ONE_COLOUR:
        return True
    inner_HWC = _without_flat_bars(cells_HWC)
    return _spread(inner_HWC.reshape(-1, 3)) <= _MAX_SPREAD


def l2_normalize(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row of ``(B, D)`` to length 1; a zero row stays zero."""
    length_B1 = np.sqrt(np.einsum("bd,bd->b", features, features))[:, None]
    length_B1[length_B1 == 0.0] = 1.0
    unit_BD: NDArray[np.float32] = np.divide(features, length_B1, dtype=np.float32)
    return unit_BD


def _share_of_main_colour(colours: NDArray[np.int16]) -> float:
    """Share of the cells that are alike to the median colour in every channel."""
    away = np.abs(colours - np.median(colours, axis=0)).max(axis=1)
    return float((away <= _MAX_SPREAD / 2).mean())


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
