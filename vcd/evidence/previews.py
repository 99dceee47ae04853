"""Write a stretch of a video as a small clip that any browser plays: VP9 in WebM, no sound.

Encoded anew from pictures, so no byte of an upload is in it. Why these options:
docs/design/evidence.md.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError, Interval, SetupError
from vcd.evidence.record import Preview
from vcd.evidence.sheets import picture_size, resized
from vcd.media import write_video

__all__ = ["write_preview"]

_OPTIONS = {
    "deadline": "realtime",
    "cpu-used": "8",
    "crf": "36",
    "b": "0",
    "g": "50",
    "threads": "1",
}
"""A keyframe every fifty frames, so that a page can step about in it."""


def write_preview(
    path: Path,
    frames: Iterable[tuple[int, NDArray[np.uint8]]],
    *,
    rate_hz: float,
    max_height_px: int,
) -> Preview:
    """Write a clip; where pictures are missing the one before stays on screen.

    Args:
        path: of the WebM file.
        frames: number of the grid cell and ``(H, W, 3)`` uint8 RGB picture of each, in order;
            cell i covers ``[i / rate_hz, (i + 1) / rate_hz)`` of the video.
        rate_hz: cells a second.
        max_height_px: larger pictures are made smaller.

    Raises:
        InputError: there are no frames.
        SetupError: it cannot be written.
    """
    clip = _Clip(max_height_px)
    write_video(path, clip.even(frames), rate_hz=rate_hz, codec="libvpx-vp9", options=_OPTIONS)
    if clip.cells is None:
        raise InputError(f"{path.name}: wanted a stretch to show, found no frame of it")
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror or error}") from error
    return Preview(
        file=path.name,
        sha256=sha256,
        interval=Interval(clip.cells[0] / rate_hz, (clip.cells[1] + 1) / rate_hz),
        width_px=clip.size[0],
        height_px=clip.size[1],
    )


class _Clip:
    """Frames of one size on a grid without holes; what was seen of them is known afterwards."""

    def __init__(self, max_height_px: int) -> None:
        self._max_height_px = max_height_px
        self.size = (0, 0)
        self.cells: tuple[int, int] | None = None

    def even(self, frames: Iterable[tuple[int, NDArray[np.uint8]]]) -> Iterator[NDArray[np.uint8]]:
        """Yield a picture for each cell from the first to the last that there is."""
        shown: NDArray[np.uint8] | None = None
        for cell, pixels_HWC in frames:
            if self.cells is None:
                self.size = _even_size(pixels_HWC, self._max_height_px)
                self.cells = (cell, cell - 1)
            if shown is not None:
                yield from [shown] * (cell - self.cells[1] - 1)
            shown = resized(pixels_HWC, self.size)
            self.cells = (self.cells[0], cell)
            yield shown


def _even_size(pixels_HWC: NDArray[np.uint8], max_height_px: int) -> tuple[int, int]:
    """VP9 halves the colours: both sides are even, and at least 2."""
    height_px, width_px = pixels_HWC.shape[:2]
    width_px, height_px = picture_size(width_px, height_px, max_height_px=max_height_px)
    return max(2, width_px - width_px % 2), max(2, height_px - height_px % 2)
