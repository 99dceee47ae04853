"""Read any video with PyAV: frames in order of presentation, with their times, past damage.

Part of the door to the decoders (`decode.py`). It runs inside a child process.
"""

import heapq
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.media.clock import PresentationClock
from vcd.media.edit_list import has_effective_edit_list
from vcd.media.probe import Container, StreamFacts

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

__all__ = ["Picture", "PyavReader", "Shown"]

_log = logging.getLogger(__name__)
_MAX_DEMUX_ERRORS = 100
_MAX_CLAIM_S = 10 * 24 * 3600.0
_MAX_TS_JUMP_S = 10.0
"""ffmpeg's own limit for a discontinuity of a transport stream."""
_MAX_PIXEL_ASPECT = 4.0
_DEFAULT_FRAME_S = 1.0 / 25.0


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame and the time from which it is on screen.

    Attributes:
        time_s: since the first shown frame.
        duration_s: how long it is shown if no other follows.
        frame: as decoded, not yet converted.
        hole_from_s: frames before this one were lost since then; None when none were.
    """

    time_s: float
    duration_s: float
    frame: "VideoFrame"
    hole_from_s: float | None


class PyavReader:
    """One open file and its best video stream."""

    def __init__(
        self, path: Path, container: Container, *, max_side_px: int, num_threads: int
    ) -> None:
        """Open a file as what its first bytes said it is.

        Raises:
            InputError: it cannot be read as that, or has no video, or too large a picture.
        """
        self._path = path
        self._kind = container
        self._max_side_px = max_side_px
        self._input = _open(path, container, max_side_px)
        self._stream = _best_stream(self._input, path)
        self._stream.thread_count = num_threads
        self._check_side(self._stream.width, self._stream.height)
        self.facts = self._look()

    def close(self) -> None:
        self._input.close()

    def shown(self, *, from_s: float = 0.0) -> Iterator[Shown]:
        """Decode frames in order of presentation, going on after damage where that is possible.

        Args:
            from_s: frames before this time may be left out, and are where that saves work.

        Raises:
            InputError: a frame is larger than the limit.
        """
        self._rewind(from_s)
        clock = self._clock()
        nominal_s = self.facts.nominal_frame_s
        last: tuple[float, float] | None = None
        damage = _Damage()
        for frame, pts_s in self._frames(damage):
            self._check_side(frame.width, frame.height)
            time_s = clock.time_s(pts_s)
            hole_s = damage.hole_from_s(last, time_s, nominal_s)
            if frame.key_frame:
                damage.is_recent = False
            duration_s = _seconds(frame.duration or None, self._stream) or nominal_s
            yield Shown(time_s, duration_s, frame, hole_s)
            last = (time_s, duration_s)

    @property
    def is_damaged_at_end(self) -> bool:
        return self._is_damaged_at_end

    def _clock(self) -> PresentationClock:
        return PresentationClock(
            nominal_frame_s=self.facts.nominal_frame_s,
            first_pts_s=self.facts.first_pts_s,
            max_jump_s=_MAX_TS_JUMP_S if self._kind.name in ("mpegts", "mpeg") else None,
        )
