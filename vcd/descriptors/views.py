"""Say in which views a frame is described: what each number means, and what is cut out for it.

    frame --+-- 0 whole                    borders cut off, parts of a stack, an inset:
            +-- 7 inset    [  [##]    ]    each described by itself, so that a copy that fills
            +-- 8 beside   [##    ]        a corner of the frame looks like what it copies

A few frames at a time are looked at together (`vcd.descriptors.views_layout`), so memory does not
grow with a video, and what is chosen depends on its own frames alone. docs/design/views.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vcd.descriptors.settings import ViewSettings
from vcd.descriptors.views_edges import GRID_CELLS
from vcd.descriptors.views_layout import Cells, Layout, find_layout

__all__ = ["BLOCK_FRAMES", "WHOLE_CUT", "Area", "Cut", "View", "ViewChooser"]

BLOCK_FRAMES = 4
"""Frames that are looked at together: 2 s at 2 Hz, so that things move; a copy of 3 s fills one."""

_FREE_VIEWS = 8
"""Views that a video has beside its budget, so that an image has all that it asks for."""

_MIN_SIDE = 0.15
"""Least share of the frame's width and height that is described; less has nothing to see."""


class View(IntEnum):
    """What a descriptor describes of its frame; the numbers are in files and never change."""

    WHOLE = 0
    MIRRORED = 1
    """The whole frame, left and right exchanged."""

    INNER = 2
    """What borders leave, be they of one colour or blurred."""

    LEFT = 3
    RIGHT = 4
    TOP = 5
    BOTTOM = 6
    """Two parts of a stack, left and right of its seam or above and below it."""

    INSET = 7
    """A picture that lies on other footage."""

    BESIDE = 8
    """The largest rectangle beside the inset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A rectangle of a frame, in shares of its width and height; 0, 0 is the top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.left < self.right <= 1.0 and 0.0 <= self.top < self.bottom <= 1.0):
            raise ValueError(f"not a rectangle of a frame: {self}")

    @property
    def shorter(self) -> float:
        """The smaller of its width and height, as shares of the frame's."""
        return min(self.right - self.left, self.bottom - self.top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One view of a frame: which, and where it lies."""

    view: View
    area: Area

    def of(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut it out of a frame; at least one pixel wide and high."""
        height_px, width_px = pixels_HWC.shape[:2]
        top, bottom = _pixels(self.area.top, self.area.bottom, height_px)
        left, right = _pixels(self.area.left, self.area.right, width_px)
        part_HWC = pixels_HWC[top:bottom, left:right]
        if self.view is View.MIRRORED:
            part_HWC = part_HWC[:, ::-1]
        return np.ascontiguousarray(part_HWC)


_WHOLE_AREA = Area(left=0.0, top=0.0, right=1.0, bottom=1.0)
WHOLE_CUT = Cut(view=View.WHOLE, area=_WHOLE_AREA)


def _pixels(first: float, stop: float, length_px: int) -> tuple[int, int]:
    first_px = min(round(first * length_px), length_px - 1)
    return first_px, max(first_px + 1, round(stop * length_px))


class ViewChooser:
    """Chooses the views of one video's frames, a block of frames at a time.

    Args:
        settings: the budget.
    """

    def __init__(self, settings: ViewSettings) -> None:
        self._per_frame = settings.max_per_frame
        self._left = float(_FREE_VIEWS)
        self._greys: list[NDArray[np.int16]] = []
        self._is_mirrored = True

    def choose(self, grey_GG: NDArray[np.int16]) -> tuple[Cut, ...] | None:
        """Look at the next frame.

        Args:
            grey_GG: of `grey_grid`.

        Returns:
            The views of all frames since the last answer; None while more must be seen.
        """
        self._greys.append(grey_GG)
        return self.finish() if len(self._greys) == BLOCK_FRAMES else None

    def finish(self) -> tuple[Cut, ...]:
        """Say the views of the frames since the last answer, no more of which come."""
        if not self._greys:
            return ()
        layout = find_layout(np.stack(self._greys))
        num_frames = len(self._greys)
        self._greys.clear()
        self._left += num_frames * self._per_frame
        cuts = []
        for cut in self._wanted(layout):
            if cut.area.shorter >= _MIN_SIDE and num_frames <= self._left:
                self._left -= num_frames
                cuts.append(cut)
        return tuple(cuts)

    def skip_mirrored(self) -> None:
        """Choose the mirrored frame no more."""
        self._is_mirrored = False

    def _wanted(self, layout: Layout) -> Iterator[Cut]:
        """Say what a layout asks for, what is likeliest to hold a copy first."""
        if layout.has_borders:
            yield Cut(view=View.INNER, area=_area(layout.inner))
        if layout.seam is not None:
            first, second = layout.seam
            is_beside = first.right < second.left
            names = (View.LEFT, View.RIGHT) if is_beside else (View.TOP, View.BOTTOM)
            for view, part in zip(names, layout.seam, strict=True):
                yield Cut(view=view, area=_area(part))
        if layout.inset is not None:
            yield Cut(view=View.INSET, area=_area(layout.inset))
            yield Cut(view=View.BESIDE, area=_area(_beside(layout.inset, layout.inner)))
        if self._is_mirrored:
            yield Cut(view=View.MIRRORED, area=_WHOLE_AREA)


def _area(cells: Cells) -> Area:
    left, top, right, bottom = (
        place / GRID_CELLS for place in (cells.left, cells.top, cells.right, cells.bottom)
    )
    return Area(left=left, top=top, right=right, bottom=bottom)


def _beside(inset: Cells, inner: Cells) -> Cells:
    strips: Sequence[tuple[int, int, int, int]] = (
        (inner.left, inner.top, inset.left, inner.bottom),
        (inset.right, inner.top, inner.right, inner.bottom),
        (inner.left, inner.top, inner.right, inset.top),
        (inner.left, inset.bottom, inner.right, inner.bottom),
    )
    return max((Cells(*strip) for strip in strips), key=lambda each: each.wide * each.high)
