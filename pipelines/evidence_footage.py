"""Take pictures and clips out of a video for people to look at, in the decoding sandbox.

All pictures of a video are taken on one grid of time, whoever asks for them: cell i is what is on
screen at ``(i + 0.5) / rate_hz``. Nothing is held but what was asked for, however long the video.
"""

import contextlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from vcd.core import Examination, FrameBatch, InputError, Interval, Video
from vcd.evidence import EvidenceSettings, Preview, picture_size, resized, write_preview
from vcd.media import DecodePool, DecodeRequest, digest_file, shown_uri
from vcd.media.probe import read_container

__all__ = ["Footage", "Picture", "Pixels", "path_of", "why_unseen"]

_MAX_GAP_S = 8.0
"""Wanted pictures that are farther apart are sought one by one: to decode what lies between them
takes longer than to find a keyframe."""

_FILE_URI = "file://"
_SEEKABLE = ("mp4", "matroska")
"""Containers in which a place is found without reading all that is before it."""

Pixels = NDArray[np.uint8]
"""A picture: ``(H, W, 3)`` uint8 RGB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A small picture and when it was taken.

    Attributes:
        time_s: on the video's own clock.
        pixels_HWC: ``(H, W, 3)`` uint8 RGB.
    """

    time_s: float
    pixels_HWC: Pixels


@dataclass(kw_only=True)
class Footage:
    """One video whose pictures can be had.

    Attributes:
        pool: decodes; of one child, and nobody else's while this is used.
        video: what is known of it.
        path: where it is.
        settings: how large pictures and clips are.
    """

    pool: DecodePool
    video: Video
    path: Path
    settings: EvidenceSettings
    _taken: dict[int, Picture] = field(default_factory=dict)

    def pictures(self, times_s: Sequence[float]) -> list[Picture]:
        """Take a picture at each time, or as near to it as there is one.

        Raises:
            InputError: there is none at all.
        """
        wanted = [self._cell(time_s) for time_s in times_s]
        failure = InputError(f"{self.video.id}: no picture could be decoded")
        for run in self._runs(sorted(set(wanted) - self._taken.keys())):
            try:
                for _ in self._watched(run, max_height_px=self.settings.frame_height_px):
                    pass
            except InputError as error:  # a damaged place; there are others
                failure = error
        if not self._taken:
            raise failure
        return [self._nearest(cell) for cell in wanted]

    def clip(self, path: Path, stretch: Interval, *, times_s: Sequence[float] = ()) -> Preview:
        """Write a stretch as a clip, and take the pictures on the way that will be asked for.

        Args:
            path: of the clip.
            stretch: which part; an image has no clip.
            times_s: of pictures; those beside the stretch are passed over.

        Raises:
            InputError: nothing of the stretch could be decoded.
            SetupError: the clip cannot be written.
        """
        rate_hz = self.settings.preview_rate_hz
        cells = range(round(stretch.start_s * rate_hz), max(1, round(stretch.end_s * rate_hz)))
        wanted = sorted({self._cell(time_s) for time_s in times_s} & set(cells))
        height_px = max(self.settings.preview_height_px, self.settings.frame_height_px)
        with contextlib.closing(self._watched(wanted, cells, max_height_px=height_px)) as frames:
            return write_preview(
                path, frames, rate_hz=rate_hz, max_height_px=self.settings.preview_height_px
            )

    def forget(self) -> None:
        """Let go of all pictures that were taken."""
        self._taken.clear()

    def _cell(self, time_s: float) -> int:
        """Number the cell of a time; behind the end it is the last one."""
        rate_hz = self.settings.preview_rate_hz
        last = math.ceil(self.video.duration_s * rate_hz - 0.5) - 1
        return max(0, min(int(time_s * rate_hz + 1e-6), last))

    def _nearest(self, cell: int) -> Picture:
        return self._taken[min(self._taken, key=lambda taken: (abs(taken - cell), taken))]

    def _runs(self, cells: list[int]) -> Iterator[list[int]]:
        """Put together what is decoded at one go."""
        run: list[int] = []
        max_gap = _MAX_GAP_S * self.settings.preview_rate_hz
        if cells and not self._is_seekable():
            max_gap = float("inf")
        for cell in cells:
            if run and cell - run[-1] > max_gap:
                yield run
                run = []
            run.append(cell)
        if run:
            yield run

    def _is_seekable(self) -> bool:
        return read_container(self.path).name in _SEEKABLE

    def _watched(
        self, wanted: Sequence[int], cells: range | None = None, *, max_height_px: int
    ) -> Generator[tuple[int, Pixels], None, None]:
        """Decode a run of cells; of the wanted ones the nearest picture is kept."""
        if cells is None:
            cells = range(wanted[0], wanted[-1] + 1)
        waiting = list(wanted)
        last: tuple[int, Pixels] | None = None
        for cell, pixels_HWC in self._frames(cells, max_height_px=max_height_px):
            while waiting and waiting[0] <= cell:
                if last is not None and waiting[0] - last[0] < cell - waiting[0]:
                    self._take(waiting.pop(0), *last)
                else:
                    self._take(waiting.pop(0), cell, pixels_HWC)
            last = (cell, pixels_HWC)
            yield last
        if last is not None:
            for cell in waiting:
                self._take(cell, *last)

    def _take(self, wanted: int, cell: int, pixels_HWC: Pixels) -> None:
        size = picture_size(
            self.video.width_px, self.video.height_px, max_height_px=self.settings.frame_height_px
        )
        time_s = min((cell + 0.5) / self.settings.preview_rate_hz, self.video.duration_s)
        self._taken[wanted] = Picture(time_s=time_s, pixels_HWC=resized(pixels_HWC, size).copy())

    def _frames(self, cells: range, *, max_height_px: int) -> Iterator[tuple[int, Pixels]]:
        video, rate_hz = self.video, self.settings.preview_rate_hz
        width_px, height_px = picture_size(
            video.width_px, video.height_px, max_height_px=max_height_px
        )
        request = DecodeRequest(
            video_id=video.id,
            path=self.path,
            sha256=video.sha256,
            rate_hz=rate_hz,
            max_short_edge_px=min(width_px, height_px),
            interval=Interval(cells[0] / rate_hz, (cells[-1] + 1) / rate_hz),
        )
        with contextlib.closing(self.pool.decode([request])) as events:
            for event in events:
                if isinstance(event, Examination):
                    if event.refused is not None:
                        raise InputError(event.refused, reason=event.reason or "")
                    continue
                yield from _numbered(event, rate_hz)


def _numbered(batch: FrameBatch, rate_hz: float) -> Iterator[tuple[int, Pixels]]:
    for start_s, pixels_HWC in zip(batch.timeline.start_s, batch.pixels_THWC, strict=True):
        yield round(float(start_s) * rate_hz), pixels_HWC


def why_unseen(video: Video) -> str | None:
    """Say why a reference cannot be looked at, its file moved or replaced; None where it can."""
    path = path_of(video.uri)
    where = f"{video.id}: the file that it was described from"
    if "://" in video.uri and not video.uri.startswith(_FILE_URI):
        return f"{where} is at {shown_uri(video.uri)}, which is not fetched: no pictures of it"
    try:
        is_same = digest_file(path) == video.sha256
    except InputError:
        return f"{where} cannot be read any more ({path}): no pictures of it"
    return None if is_same else f"{where} is another one by now ({path}): no pictures of it"


def path_of(uri: str) -> Path:
    """Turn where a video was read from into a path; what came over a bus has a uri."""
    return Path(unquote(uri.removeprefix(_FILE_URI))) if uri.startswith(_FILE_URI) else Path(uri)
