"""What is asked of a decoder: one video, a sampling rate, a size, and maybe a stretch of it."""

from dataclasses import dataclass
from pathlib import Path

from vcd.core import Interval

__all__ = ["DecodeRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeRequest:
    """One video to sample.

    Attributes:
        video_id: what the user calls it.
        path: a local file.
        sha256: digest of its bytes, for the `Video` record.
        rate_hz: samples a second.
        max_short_edge_px: frames come back no larger than this on their short edge; never enlarged.
        interval: take only the samples of this stretch; None takes the whole video. The grid of
            samples is the same either way.
    """

    video_id: str
    path: Path
    sha256: str
    rate_hz: float
    max_short_edge_px: int
    interval: Interval | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.rate_hz <= 1000.0:
            raise ValueError(f"{self.video_id}: rate_hz must be in (0, 1000], got {self.rate_hz}")
        if self.max_short_edge_px < 1:
            raise ValueError(f"{self.video_id}: max_short_edge_px is {self.max_short_edge_px}")
