"""Read sampled frames with decord, strictly in sequence and never seeking.

Part of the door to the decoders (`decode.py`); runs inside a child process.
decord's own seeking returns wrong frames without an error where groups of
pictures are open, and can spin for ever; so frames are skipped, never sought.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.media.probe import StreamFacts

__all__ = ["DecordReader", "DecordUnfitError"]

_MIN_SIDE_PX = 96
"""decord returns 4 or 6 channels at some widths below this, and fails at others."""

_MAX_S = 2 * 3600.0
"""decord's times are single precision: half a millisecond coarse after 4,096 s."""


class DecordUnfitError(Exception):
    """What decord says of this file does not fit what the container says."""


class DecordReader:
    """One open file; frames come out resized and as shown.

    Attributes:
        start_s: ``(F,)`` when each frame comes on screen, from 0.
        end_s: when the last one ends.
    """

    def __init__(self, path: Path, facts: StreamFacts, *, size: tuple[int, int]) -> None:
        """Open a file and check its times against the container's.

        Raises:
            DecordUnfitError: they do not fit; PyAV has to read this file.
        """
        if min(size) < _MIN_SIDE_PX:
            raise DecordUnfitError(f"decord is not trusted with pictures of {size}")
        import decord  # the door to decord

        decord.logging.set_level(decord.logging.QUIET)
        width_px, height_px = size
        self._shape = (height_px, width_px, 3)
        self._reader: Any = decord.VideoReader(
            str(path.absolute()),
            ctx=decord.cpu(0),
            width=width_px,
            height=height_px,
            num_threads=1,
        )
        times = np.asarray(self._reader.get_frame_timestamp(range(len(self._reader))), np.float64)
        self.start_s: NDArray[np.float64] = times[:, 0] - times[0, 0]
        self.end_s = float(times[-1, 1] - times[0, 0])
        if self.end_s <= self.start_s[-1]:
            self.end_s = float(self.start_s[-1]) + facts.nominal_frame_s
        self._next_frame = 0
        self._keyframes = [int(frame) for frame in self._reader.get_key_indices()]
        self._check(float(times[0, 0]), facts)

    def read(
        self, frames: NDArray[np.int64], on_progress: Callable[[float], None]
    ) -> Iterator[NDArray[np.uint8]]:
        """Decode the wanted frames, which never go back; a repeated one is decoded once.

        Yields:
            ``(H, W, 3)`` uint8 RGB, one for each wanted frame.
        """
        picture: NDArray[np.uint8] | None = None
        for frame in frames.tolist():
            if frame >= self._next_frame:
                self._skip_to(frame)
                picture = self._next()
                on_progress(float(self.start_s[frame]))
            if picture is None:
                raise DecordUnfitError(f"frame {frame} was asked for out of order")
            yield picture

    def _skip_to(self, frame: int) -> None:
        """Pass over frames; ``skip_frames`` would seek to cross a keyframe, ``next`` never does."""
        while self._next_frame < frame:
            key = bisect_right(self._keyframes, self._next_frame)
            limit = self._keyframes[key] - 1 if key < len(self._keyframes) else frame
            num_skipped = min(frame, limit) - self._next_frame
            if num_skipped > 0:
                self._reader.skip_frames(num_skipped)
                self._next_frame += num_skipped
            else:
                self._next()

    def _next(self) -> NDArray[np.uint8]:
        try:
            picture: NDArray[np.uint8] = self._reader.next().asnumpy()
        except StopIteration as error:
            raise DecordUnfitError(f"decord ended before frame {self._next_frame}") from error
        if picture.shape != self._shape:
            raise DecordUnfitError(f"decord gave {picture.shape}, not {self._shape}")
        self._next_frame += 1
        return picture

    def _check(self, first_s: float, facts: StreamFacts) -> None:
        if self.end_s > _MAX_S:
            raise DecordUnfitError("decord's times are too coarse for so long a video")
        slack_s = 0.1 + 2 * facts.nominal_frame_s
        claim_s = facts.claimed_duration_s
        if not (np.diff(self.start_s) >= 0.0).all():
            raise DecordUnfitError("decord's times go back")
        if abs(first_s - (facts.first_pts_s or 0.0)) > slack_s:
            raise DecordUnfitError(f"decord begins at {first_s} s, not {facts.first_pts_s} s")
        if claim_s is not None and abs(claim_s - self.end_s) > slack_s:
            raise DecordUnfitError(f"decord ends at {self.end_s} s, not {claim_s} s")
