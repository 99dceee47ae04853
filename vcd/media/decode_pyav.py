"""Read any video with PyAV: frames in order of presentation, with their times, past damage.

Part of the door to the decoders (`decode.py`); runs inside a child process.
"""

import heapq
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vcd.core import InputError
from vcd.media.clock import PresentationClock
from vcd.media.edit_list import has_effective_edit_list
from vcd.media.orientation import Orientation
from vcd.media.probe import Container, StreamFacts, is_cut_short

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["PyavReader", "Shown"]

_log = logging.getLogger(__name__)
_MAX_DEMUX_ERRORS = 100
_MAX_CLAIM_S = 10 * 24 * 3600.0
_MAX_TS_JUMP_S = 10.0
"""ffmpeg's own limit for a discontinuity of a transport stream."""
_MAX_PIXEL_ASPECT = 4
_PICTURE_CODECS = ("mjpeg", "png", "bmp", "tiff", "webp")
_DEFAULT_FRAME_S = 1.0 / 25.0
_SEEKABLE = ("mp4", "matroska")
_SEEK_MARGIN_S = 1.0
"""A keyframe is stored up to sixteen frames before it is shown."""


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
        """Open a file as what its first bytes said it is, and decode its first frame.

        Raises:
            InputError: it cannot be read as that, or has no video, or too large a picture.
        """
        self._path = path
        self._kind = container
        self._max_side_px = max_side_px
        self._num_threads = num_threads
        self._is_damaged = False
        """Whether something could not be decoded since the last good keyframe."""
        self._input, self._stream = self._open()
        first = next(self._frames(), None)
        if first is None:
            raise InputError(
                f"{path}: wanted a video, found none of its frames decodable", reason="undecodable"
            )
        self.facts = self._facts(*first)

    def close(self) -> None:
        self._input.close()

    def shown(self, *, from_s: float = 0.0) -> Iterator[Shown]:
        """Decode frames in order of presentation, going on after damage where that is possible.

        Args:
            from_s: frames before this time may be left out, and are where that saves work.

        Raises:
            InputError: a frame is larger than the limit.
        """
        if from_s > _SEEK_MARGIN_S and self._kind.name in _SEEKABLE:
            found = self._shown_after_seek(from_s)
            first = next(found, None)
            if first is not None and first.time_s <= from_s:
                yield first
                yield from found
                return
        self._reopen()
        yield from self._timed(self._frames())

    def _shown_after_seek(self, from_s: float) -> Iterator[Shown]:
        import av  # the door to PyAV

        origin_s = self.facts.first_pts_s or 0.0
        target_s = from_s + origin_s - _SEEK_MARGIN_S
        try:
            self._reopen()
            offset = int(target_s / (self._stream.time_base or 1))
            self._input.seek(offset, stream=self._stream, backward=True)
        except av.FFmpegError as error:
            _log.debug("%s: cannot seek: %s", self._path, error)
            return
        yield from self._timed(self._frames(from_keyframe=True))

    def _timed(self, frames: "Iterator[tuple[VideoFrame, float | None]]") -> Iterator[Shown]:
        is_cut = self._kind.name in ("mpegts", "mpeg")
        nominal_s = self.facts.nominal_frame_s
        clock = PresentationClock(
            nominal_frame_s=nominal_s,
            first_pts_s=self.facts.first_pts_s,
            max_jump_s=_MAX_TS_JUMP_S if is_cut else None,
        )
        last: Shown | None = None
        for frame, pts_s in frames:
            self._check_side(frame.width, frame.height)
            time_s = clock.time_s(pts_s)
            hole_s = self._hole_from_s(last, time_s)
            duration_s = self._seconds(frame.duration or None) or nominal_s
            last = Shown(time_s, duration_s, frame, hole_s)
            self._is_damaged = self._is_damaged and not frame.key_frame
            yield last

    def _hole_from_s(self, last: Shown | None, time_s: float) -> float | None:
        """Tell frames lost to damage from a frame that is merely shown for long."""
        if last is None or not self._is_damaged:
            return None
        expected_s = last.time_s + max(last.duration_s, self.facts.nominal_frame_s)
        return expected_s if time_s > expected_s + 0.5 * self.facts.nominal_frame_s else None

    def _frames(
        self, *, from_keyframe: bool = False
    ) -> "Iterator[tuple[VideoFrame, float | None]]":
        """Decode packet by packet, so that a damaged one costs no more than itself."""
        import av  # the door to PyAV

        stored: list[int] = []
        for packet in self._packets():
            stamp = packet.dts if packet.dts is not None else packet.pts
            if packet.size and stamp is not None:
                heapq.heappush(stored, stamp)
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                _give_up_on_memory(error)
                self._is_damaged = True
                continue
            for frame in frames:
                counted = heapq.heappop(stored) if stored else None
                if from_keyframe and not frame.key_frame:
                    continue
                from_keyframe = False
                yield frame, self._seconds(frame.pts if self._kind.has_true_times else counted)

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        """Read packets, going on behind a damaged place; the last one is the empty flush packet."""
        import av  # the door to PyAV

        for _ in range(_MAX_DEMUX_ERRORS):
            try:
                yield from self._input.demux(self._stream)
            except av.FFmpegError as error:
                _give_up_on_memory(error)
                _log.debug("%s: %s", self._path, error)
                self._is_damaged = True
            else:
                return

    def _open(self) -> "tuple[InputContainer, VideoStream]":
        import av  # the door to PyAV

        demuxer = self._kind.demuxer
        options = {"protocol_whitelist": "file", "format_whitelist": _whitelist(self._kind)}
        try:
            container = av.open(
                f"file:{self._path.absolute()}",
                format=demuxer,
                metadata_errors="replace",
                options=options | {"max_pixels": str(self._max_side_px**2)},
            )
        except av.FFmpegError as error:
            _give_up_on_memory(error)
            raise InputError(
                f"{self._path}: wanted a readable {self._kind.name} file, got: {error.strerror}",
                reason="undecodable",
            ) from error
        stream = _best_stream(container, self._path)
        self._check_side(stream.width, stream.height)
        stream.thread_count = self._num_threads
        stream.codec_context.options = {"max_pixels": str(self._max_side_px**2)}
        return container, stream

    def _reopen(self) -> None:
        self._input.close()
        self._is_damaged = False
        self._input, self._stream = self._open()

    def _facts(self, frame: "VideoFrame", pts_s: float | None) -> StreamFacts:
        stream = self._stream
        orientation = Orientation.of_frame(frame)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        if not Fraction(1, _MAX_PIXEL_ASPECT) <= aspect <= _MAX_PIXEL_ASPECT:
            aspect = Fraction(1)
        start_s = self._seconds(stream.start_time)
        if self._is_damaged and self._kind.name in _SEEKABLE and start_s is not None:
            pts_s = start_s
        is_edited = self._kind.name == "mp4" and has_effective_edit_list(self._path)
        return StreamFacts(
            codec=stream.codec_context.codec.canonical_name,
            pixel_aspect=aspect,
            coded_size=(frame.width, frame.height),
            orientation=orientation,
            nominal_frame_s=_nominal_frame_s(stream),
            claimed_duration_s=None if is_edited else self._claimed_duration_s(),
            rough_duration_s=None if self._input.duration is None else self._input.duration / 1e6,
            first_pts_s=pts_s,
            has_edit_list=is_edited,
        )

    def _claimed_duration_s(self) -> float | None:
        """Read how long the container says the picture lasts; None for what is a mere estimate."""
        claim_s = self._seconds(self._stream.duration)
        is_alone = len(self._input.streams) == 1
        is_sole = is_alone or is_cut_short(self._path, self._kind)
        if claim_s is None and is_sole and self._input.duration is not None:
            claim_s = self._input.duration / 1e6
        if self._kind.name in ("mpegts", "mpeg") or claim_s is None:
            return None
        return claim_s if 0.0 < claim_s <= _MAX_CLAIM_S else None

    def _seconds(self, ticks: int | None) -> float | None:
        return None if ticks is None else float(ticks * (self._stream.time_base or 0))

    def _check_side(self, width_px: int, height_px: int) -> None:
        if max(width_px, height_px) > self._max_side_px:
            raise InputError(
                f"{self._path}: wanted a picture of at most {self._max_side_px} px a side, "
                f"found {width_px} x {height_px} px",
                reason="over_limit",
            )


def _best_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """Choose the movie among covers, thumbnails and previews."""
    from av.stream import Disposition  # the door to PyAV

    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    movies = [stream for stream in container.streams.video if not stream.disposition & still]
    streams = [movie for movie in movies if _has_decoder(movie)]
    if not streams:
        num_audio = len(container.streams.audio)
        found = "one of an unknown codec" if movies else f"{num_audio} audio and no video"
        container.close()
        raise InputError(f"{path}: wanted a video stream, found {found}", reason="not_a_video")
    return max(
        streams,
        key=lambda stream: (
            stream.frames != 1,
            stream.codec_context.name not in _PICTURE_CODECS,
            bool(stream.disposition & Disposition.default),
            stream.width * stream.height,
        ),
    )


def _has_decoder(stream: "VideoStream") -> bool:
    """Tell a codec that is not known; PyAV's types do not admit that there are such."""
    return getattr(stream, "codec_context", None) is not None


def _nominal_frame_s(stream: "VideoStream") -> float:
    rate = stream.average_rate or stream.guessed_rate
    return float(1 / rate) if rate and 1e-3 <= rate <= 1e4 else _DEFAULT_FRAME_S


def _whitelist(container: Container) -> str:
    return "mov,mp4,m4a,3gp,3g2,mj2" if container.demuxer == "mov" else str(container.demuxer)


def _give_up_on_memory(error: Exception) -> None:
    """Let an exhausted memory limit end the video: to go on would only meet it again."""
    if isinstance(error, MemoryError):
        raise error
