"""One video on its way through one decoding process: what is asked, what was said, how long ago.

Everything that a child says is checked here; what does not fit is an error of
the child's, and the pool knows what to do about it.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcd.core import Examination, FrameBatch, Interval, Skipped, Timeline, Video
from vcd.media.request import DecodeRequest
from vcd.media.sandbox_process import DecodingProcess

__all__ = ["Job"]

_MAX_LOOK_S = 2.0
"""A parent that was stopped for minutes, or computed for long, must not blame its children."""

_SILENT_S = 0.25
_LONG_S = 30.0

_REASONS = frozenset({"not_a_video", "over_limit", "undecodable", "unreadable"})
"""What a child may call a refusal; it could be taken over, so it does not invent words."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """What is known of a video while it is decoded."""

    request: DecodeRequest
    process: DecodingProcess
    num_samples: int = 0
    decoder: str | None = None
    may_use_decord: bool = True
    waited_s: float = 0.0
    stalled_s: float = 0.0
    position_s: float = 0.0
    looked_s: float = field(default_factory=time.monotonic)
    examined: list[Interval] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def start(self) -> None:
        interval = self.request.interval
        self.process.num_videos += 1
        self.process.send(
            "decode",
            video_id=self.request.video_id,
            path=str(self.request.path),
            rate_hz=self.request.rate_hz,
            max_short_edge_px=self.request.max_short_edge_px,
            interval=None if interval is None else [interval.start_s, interval.end_s],
            first_cell=self.num_samples,
            may_use_decord=self.may_use_decord,
        )

    @property
    def is_slow(self) -> bool:
        """Whether others should not wait for its child: it is silent, or has a long video."""
        is_at_work = self.process.is_ready
        return is_at_work and (self.stalled_s > _SILENT_S or self.waited_s > _LONG_S)

    def look(self, now_s: float, *, since_s: float, has_spoken: bool) -> None:
        """Count the time in which its child let us wait.

        A child without a message has not been waiting for us either, for then its last batch would
        lie there unread; so all the time since the last look is its own. Of one that has spoken,
        only what we waited just now is sure to be.

        Args:
            now_s: on the monotonic clock.
            since_s: when we began to wait.
            has_spoken: whether there is a message of it.
        """
        silent_s = now_s - (since_s if has_spoken else self.looked_s)
        self.waited_s += min(silent_s, _MAX_LOOK_S)
        self.stalled_s += min(silent_s, _MAX_LOOK_S)
        self.looked_s = now_s

    def understand(
        self, message: dict[str, Any], *, max_duration_s: float
    ) -> FrameBatch | Examination | None:
        """Take a message in.

        Raises:
            ValueError, KeyError, TypeError, IndexError, OverflowError: it is nonsense.
        """
        kind = message["kind"]
        if kind != "nothing":
            self.stalled_s = 0.0
        if kind == "ready":
            self.process.is_ready = True
            self.waited_s = 0.0
        elif kind == "decoder":
            self.decoder = str(message["name"])
        elif kind == "progress":
            position_s = float(message["position_s"])
            self.position_s = max(self.position_s, min(position_s, max_duration_s))
        elif kind == "account":
            self._note(message)
        elif kind == "batch":
            return self._batch(message)
        elif kind == "done":
            return self._examination(message)
        return None

    def refusal(self, sentence: str, reason: str) -> Examination:
        """Say why nothing of the video can be used."""
        return Examination(
            video_id=self.request.video_id, video=None, refused=sentence, reason=reason
        )

    def _batch(self, message: dict[str, Any]) -> FrameBatch:
        num_frames, height, width, channels = (int(length) for length in message["shape"])
        timeline = Timeline(
            start_s=np.asarray(message["start_s"], dtype=np.float64),
            end_s=np.asarray(message["end_s"], dtype=np.float64),
        )
        pixels_THWC = self.process.copy_slot(message["slot"], (num_frames, height, width, channels))
        batch = FrameBatch(
            video_id=self.request.video_id,
            first_frame=self.num_samples,
            timeline=timeline,
            pixels_THWC=pixels_THWC,
        )
        self.num_samples += len(batch)
        return batch

    def _note(self, message: dict[str, Any]) -> None:
        self.examined += [
            Interval(float(start_s), float(end_s)) for start_s, end_s in message["examined"]
        ]
        self.skipped += [
            Skipped(interval=Interval(float(start_s), float(end_s)), reason=str(reason))
            for start_s, end_s, reason in message["skipped"]
        ]

    def _examination(self, message: dict[str, Any]) -> Examination:
        request = self.request
        if message["refused"] is not None:
            reason = str(message["reason"])
            return self.refusal(
                str(message["refused"]), reason if reason in _REASONS else "undecodable"
            )
        width_px, height_px = (int(side) for side in message["size"])
        video = Video(
            id=request.video_id,
            uri=str(request.path),
            sha256=request.sha256,
            duration_s=float(message["duration_s"]),
            width_px=width_px,
            height_px=height_px,
        )
        return Examination(
            video_id=request.video_id,
            video=video,
            decoder=str(message["decoder"]),
            examined=tuple(self.examined),
            skipped=tuple(self.skipped),
        )
