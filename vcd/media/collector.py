"""Keep account of what was sampled of one video, and of what was not and why."""

from collections.abc import Callable, Generator
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vcd.core import Examination, Interval, Skipped, Video
from vcd.media.request import DecodeRequest
from vcd.media.sampling import cell_interval, cells_shown, num_cells, uncovered

__all__ = ["SampleCollector", "SampleSink"]

_Ending = TypeVar("_Ending")


class SampleSink(Protocol):
    """Where samples go: into shared memory, or into a list in a test."""

    def put(self, start_s: float, end_s: float, pixels_HWC: NDArray[np.uint8]) -> None:
        """Take one sample; the sink may keep it back until the next one comes."""
        ...

    def finish(self, end_s: float | None) -> None:
        """Pass on what was kept back; the last sample ends at ``end_s`` unless that is None."""
        ...

    def begin(self, decoder: str) -> None:
        """Hear which decoder reads from here on."""
        ...

    def progress(self, position_s: float) -> None:
        """Hear that decoding has come so far."""
        ...


class SampleCollector:
    """The cells of one request: which are wanted, which were sampled, by which decoder."""

    def __init__(
        self, request: DecodeRequest, sink: SampleSink, *, first_cell: int, max_duration_s: float
    ) -> None:
        self._request = request
        self._sink = sink
        self._decoders: list[str] = []
        self._stop = cells_shown(0.0, max_duration_s, request.rate_hz).stop
        first = 0
        if request.interval is not None:
            cells = cells_shown(request.interval.start_s, request.interval.end_s, request.rate_hz)
            first, self._stop = cells.start, min(cells.stop, self._stop)
        self._first = first
        self._runs: list[list[int]] = [[first, max(first, first_cell)]]
        self.progress: Callable[[float], None] = sink.progress

    @property
    def next_cell(self) -> int:
        return self._runs[-1][1]

    @property
    def num_samples(self) -> int:
        return sum(stop - first for first, stop in self._runs)

    @property
    def until_s(self) -> float | None:
        """When the last wanted instant is past; None when the whole video is wanted."""
        return self._stop / self._request.rate_hz if self._request.interval is not None else None

    def begin(self, decoder: str) -> None:
        """Note who decodes from here on; one that gave no frame is not worth naming."""
        if self._decoders and self.num_samples == 0:
            self._decoders.clear()
        self._decoders.append(decoder)
        self._sink.begin(decoder)

    def wanted(self, cells: range) -> range:
        """Restrict cells to those that are asked for and were not sampled yet."""
        first = max(cells.start, self.next_cell)
        return range(first, max(first, min(cells.stop, self._stop)))

    def take(self, samples: Generator[tuple[int, NDArray[np.uint8]], None, _Ending]) -> _Ending:
        """Hand on all samples of a pass and return how it ended."""
        while True:
            try:
                cell, pixels_HWC = next(samples)
            except StopIteration as stop:
                ending: _Ending = stop.value
                return ending
            self.put(cell, pixels_HWC)

    def put(self, cell: int, pixels_HWC: NDArray[np.uint8]) -> None:
        """Hand on the sample of one cell."""
        start_s, end_s = cell_interval(cell, rate_hz=self._request.rate_hz)
        self._sink.put(start_s, end_s, pixels_HWC)
        if cell == self.next_cell:
            self._runs[-1][1] = cell + 1
        else:
            self._runs.append([cell, cell + 1])

    def examination(
        self, video: Video, *, limit_s: float | None, is_whole: bool = True
    ) -> Examination:
        """Close the account of a video.

        Args:
            video: with its true duration.
            limit_s: from where on a limit forbade to look; None when none did.
            is_whole: whether the end of the video was seen, so that its length is not a guess.
        """
        rate_hz = self._request.rate_hz
        num = num_cells(video.duration_s, rate_hz)
        has_last_cell = is_whole and self.next_cell == num > 0 and self.num_samples > 0
        self._sink.finish(video.duration_s if has_last_cell else None)
        runs = [(first, stop) for first, stop in self._runs if stop > first]
        examined = tuple(
            Interval(
                first / rate_hz,
                video.duration_s if has_last_cell and stop == num else stop / rate_hz,
            )
            for first, stop in runs
        )
        return Examination(
            video_id=video.id,
            video=video,
            decoder="+".join(self._decoders) or None,
            examined=examined,
            skipped=self._skipped(examined, video.duration_s, limit_s),
        )

    def _skipped(
        self, examined: tuple[Interval, ...], duration_s: float, limit_s: float | None
    ) -> tuple[Skipped, ...]:
        whole = self._whole(duration_s)
        if whole is None:
            return ()
        rate_hz = self._request.rate_hz
        limit_s = (
            duration_s if limit_s is None else cells_shown(0.0, limit_s, rate_hz).stop / rate_hz
        )
        skipped = []
        for gap in uncovered(examined, until=whole):
            if gap.start_s < limit_s:
                stop_s = min(gap.end_s, limit_s)
                skipped.append(
                    Skipped(interval=Interval(gap.start_s, stop_s), reason="undecodable")
                )
            if gap.end_s > limit_s:
                start_s = max(gap.start_s, limit_s)
                skipped.append(Skipped(interval=Interval(start_s, gap.end_s), reason="over_limit"))
        return tuple(skipped)

    def _whole(self, duration_s: float) -> Interval | None:
        """Return the part of the grid that was asked for, None when that is nothing."""
        rate_hz = self._request.rate_hz
        start_s, end_s = self._first / rate_hz, duration_s
        if self._request.interval is not None:
            end_s = min(end_s, self._stop / rate_hz)
        return Interval(start_s, end_s) if start_s < end_s else None
