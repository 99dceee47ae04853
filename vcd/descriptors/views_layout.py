"""Find out how a frame is put together: its borders, its seam, the picture inside it.

What people lay around, beside or over footage has straight edges that stand still while both
sides of them change. A few frames are looked at as small grey pictures; an edge is counted in
each of them and in each cell along it, so a line that is there all the time stands out from the
edges of things, which end, bend and move.

    ##########     ..........     aaaaaaaaaa
    ##......##     ..........     aaaaaabbba
    ##......##     ----------     aaaaaabbba
    ##########     ::::::::::     aaaaaaaaaa
    borders        seam           inset

It knows nothing of descriptors. docs/design/views.md has the numbers. T frames, G cells a side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vcd.descriptors.views_edges import GRID_CELLS, MIN_STEP, StillEdges, steps_across

__all__ = ["Cells", "Layout", "find_layout"]

_MAX_FLAT_SPREAD = 12
"""Levels over which a line of a flat border may spread, noise of compression included."""

_MIN_SIDE_CELLS = 24
"""A picture inside the frame is at least this long and high, a fifth: less has nothing to see."""

_MIN_BORDER_CELLS = 3
"""Thinner borders change no descriptor."""

_MIN_SEAM = 0.5
_MIN_CENTRAL_SEAM = 0.35
_CENTRAL_CELLS = 2
"""Share of the cells along a seam that show it; a stack of two equal parts is believed sooner."""

_MIN_SIDE = 0.35
_MIN_GAIN_CELLS = 16.0
"""What each side of an inset must show, and what all of them must have above half, in cells."""

_MAX_LINES = 12
"""Lines of each direction that are combined into rectangles; 12 make 6,084 of them."""

_MAX_BLUR = 0.5
"""A blurred frame has at most this part of the steps that the picture inside it has."""


@dataclass(frozen=True, slots=True, order=True)
class Cells:
    """A rectangle of the grid, half-open: columns ``[left, right)``, rows ``[top, bottom)``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def wide(self) -> int:
        return self.right - self.left

    @property
    def high(self) -> int:
        return self.bottom - self.top


_WHOLE = Cells(0, 0, GRID_CELLS, GRID_CELLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a stretch of frames is put together.

    Attributes:
        inner: what the borders leave; the whole grid where there are none.
        seam: the parts left and right of a seam inside ``inner``, or above and below it.
        inset: a rectangle inside ``inner`` with other footage around it.
    """

    inner: Cells = _WHOLE
    seam: tuple[Cells, Cells] | None = None
    inset: Cells | None = None

    @property
    def has_borders(self) -> bool:
        return self.inner != _WHOLE


def find_layout(grey_TGG: NDArray[np.int16]) -> Layout:
    """Look for borders, a seam and an inset that are there in most of the frames.

    Args:
        grey_TGG: ``(T, G, G)`` of `grey_grid`, ``T >= 1``; one frame has only its edges to say
            so, several also that these stand still.
    """
    steps_TGG = steps_across(grey_TGG)
    across_TGG = steps_across(grey_TGG.transpose(0, 2, 1))
    lines = StillEdges.of(steps_TGG, across_TGG)
    inner = _inside_blur(steps_TGG, lines, _inside_flat(grey_TGG))
    return Layout(inner=inner, seam=_seam(lines, inner), inset=_inset(lines, inner))


def _inside_flat(grey_TGG: NDArray[np.int16]) -> Cells:
    """Cut off what is of one colour in every frame: above and below, then at the sides."""
    rows = _not_flat(np.ptp(grey_TGG, axis=2).max(axis=0))
    columns = _not_flat(np.ptp(grey_TGG[:, rows], axis=1).max(axis=0))
    return Cells(columns.start, rows.start, columns.stop, rows.stop)


def _not_flat(spread: NDArray[np.int16]) -> slice:
    """Leave out the flat lines at both ends; all stay where too little would."""
    speaks = np.flatnonzero(spread > _MAX_FLAT_SPREAD)
    if len(speaks) == 0 or speaks[-1] + 1 - speaks[0] < _MIN_SIDE_CELLS:
        return slice(0, len(spread))
    first, stop = int(speaks[0]), int(speaks[-1]) + 1
    return slice(
        first if first >= _MIN_BORDER_CELLS else 0,
        stop if len(spread) - stop >= _MIN_BORDER_CELLS else len(spread),
    )


def _inside_blur(steps_TGG: NDArray[np.int16], lines: StillEdges, inner: Cells) -> Cells:
    """Cut off a blurred copy of the picture beside it: two long edges with little around them."""
    texture_GG = np.minimum(steps_TGG, 4 * MIN_STEP).mean(axis=0)
    columns = _long_edges(lines.upright(inner.top, inner.bottom), inner.left, inner.right)
    for left, right in _wide_pairs(columns):
        if _is_sharper(texture_GG[inner.top : inner.bottom], left, right, inner.left, inner.right):
            return Cells(left + 1, inner.top, right, inner.bottom)
    rows = _long_edges(lines.level(inner.left, inner.right), inner.top, inner.bottom)
    for top, bottom in _wide_pairs(rows):
        part = texture_GG[:, inner.left : inner.right].T
        if _is_sharper(part, top, bottom, inner.top, inner.bottom):
            return Cells(inner.left, top + 1, inner.right, bottom)
    return inner


def _is_sharper(
    texture: NDArray[np.float64], first: int, stop: int, outer_first: int, outer_stop: int
) -> bool:
    inside = texture[:, first + 3 : stop - 3].mean()
    strips = (texture[:, outer_first : first - 2], texture[:, stop + 3 : outer_stop])
    return all(strip.size and strip.mean() <= _MAX_BLUR * inside for strip in strips)


def _long_edges(share: NDArray[np.float64], first: int, stop: int) -> list[int]:
    """Find the lines that are an edge all along, one of those that lie side by side."""
    return _peaks(np.where(share >= _MIN_SEAM, share, 0.0), first, stop)


def _wide_pairs(places: list[int]) -> Iterator[tuple[int, int]]:
    pairs = [(a, b) for a, b in combinations(places, 2) if b - a >= _MIN_SIDE_CELLS]
    yield from sorted(pairs, key=lambda pair: (pair[0] - pair[1], pair))


def _peaks(height: NDArray[np.float64], first: int, stop: int) -> list[int]:
    """Take the highest places, no two within two cells of each other, none at an end."""
    left = height.copy()
    left[: first + _MIN_BORDER_CELLS] = 0.0
    left[stop - _MIN_BORDER_CELLS :] = 0.0
    places: list[int] = []
    while len(places) < _MAX_LINES and left.max() > 0.0:
        place = int(left.argmax())
        places.append(place)
        left[place - 2 : place + 3] = 0.0
    return sorted(places)


def _seam(lines: StillEdges, inner: Cells) -> tuple[Cells, Cells] | None:
    """Cut in two at the clearest edge from side to side."""
    best: tuple[float, tuple[Cells, Cells]] | None = None
    share = lines.upright(inner.top, inner.bottom)
    for place in _seam_places(share, inner.left, inner.right):
        parts = (
            Cells(inner.left, inner.top, place, inner.bottom),
            Cells(place + 1, inner.top, inner.right, inner.bottom),
        )
        best = max(best or (0.0, parts), (float(share[place]), parts))
    share = lines.level(inner.left, inner.right)
    for place in _seam_places(share, inner.top, inner.bottom):
        parts = (
            Cells(inner.left, inner.top, inner.right, place),
            Cells(inner.left, place + 1, inner.right, inner.bottom),
        )
        best = max(best or (0.0, parts), (float(share[place]), parts))
    return None if best is None else best[1]


def _seam_places(share: NDArray[np.float64], first: int, stop: int) -> list[int]:
    """Say where a seam may lie; the middle is the likeliest place by far."""
    clear = share.copy()
    middle = (first + stop) // 2
    centre = slice(middle - _CENTRAL_CELLS, middle + _CENTRAL_CELLS + 1)
    limit = np.full(len(share), _MIN_SEAM)
    limit[centre] = _MIN_CENTRAL_SEAM
    clear[share < limit] = 0.0
    return _peaks(clear, first, stop)


def _inset(lines: StillEdges, inner: Cells) -> Cells | None:
    """Find the rectangle whose sides are the clearest edges; two may lie on the border."""
    columns = _peaks(
        _best_runs(lines.upright_sum, inner.top, inner.bottom), inner.left, inner.right
    )
    rows = _peaks(_best_runs(lines.level_sum, inner.left, inner.right), inner.top, inner.bottom)
    spans_X2 = _spans([inner.left, *columns, inner.right])
    spans_Y2 = _spans([inner.top, *rows, inner.bottom])
    gain_XY = _gains(lines, inner, spans_X2, spans_Y2)
    if gain_XY.size == 0 or gain_XY.max() < _MIN_GAIN_CELLS:
        return None
    x, y = divmod(int(gain_XY.argmax()), len(spans_Y2))
    (left, right), (top, bottom) = spans_X2[x].tolist(), spans_Y2[y].tolist()
    return Cells(left + (left > inner.left), top + (top > inner.top), right, bottom)


def _spans(places: list[int]) -> NDArray[np.int64]:
    """``(S, 2)`` every pair of places that are far enough apart."""
    pairs = [(a, b) for a, b in combinations(places, 2) if b - a >= _MIN_SIDE_CELLS]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _best_runs(line_sum: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
    """``(G,)`` of each line, the best stretch: its edge cells less half of all its cells."""
    total = line_sum[first : stop + 1] - 0.5 * np.arange(stop + 1 - first)[:, None]
    lowest = np.minimum.accumulate(total, axis=0)
    best: NDArray[np.float64] = (total - lowest).max(axis=0)
    return np.where(best >= _MIN_GAIN_CELLS / 4, best, 0.0)


def _gains(
    lines: StillEdges, inner: Cells, spans_X2: NDArray[np.int64], spans_Y2: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``(X, Y)`` of each rectangle, the cells of its sides that are edges less those that are not.

    Sides on the border say nothing. 0 where a side shows too little, or fewer than two say
    something.
    """
    shape = (len(spans_X2), len(spans_Y2))
    (left, right), (top, bottom) = spans_X2.T[:, :, None], spans_Y2.T[:, None, :]
    upright, level = lines.upright_sum, lines.level_sum
    last = GRID_CELLS - 1  # a side on the border is looked up somewhere, and not counted
    sides = (
        (upright[bottom, left % last] - upright[top, left % last], bottom - top, left > inner.left),
        (
            upright[bottom, right % last] - upright[top, right % last],
            bottom - top,
            right < inner.right,
        ),
        (level[right, top % last] - level[left, top % last], right - left, top > inner.top),
        (
            level[right, bottom % last] - level[left, bottom % last],
            right - left,
            bottom < inner.bottom,
        ),
    )
    gain_XY, num_XY, is_clear_XY = np.zeros(shape), np.zeros(shape), np.ones(shape, dtype=np.bool_)
    for edges, length, is_inside in sides:
        gain_XY += np.where(is_inside, 2.0 * edges - length, 0.0)
        num_XY += is_inside
        is_clear_XY &= ~is_inside | (edges >= _MIN_SIDE * length)
    return np.where(is_clear_XY & (num_XY >= 2), gain_XY, 0.0)
