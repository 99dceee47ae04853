"""Sample one video with whichever decoder is right on it; the only door to decord and PyAV.

The door has four leaves: this file routes, `decode_decord.py`, `decode_pyav.py`
and `decode_image.py` read. All of it runs inside a child process (`sandbox.py`).
"""

import contextlib
import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.core import Examination, InputError, Video
from vcd.media.collector import SampleCollector, SampleSink
from vcd.media.decode_decord import DecordReader
from vcd.media.decode_image import ImageReader
from vcd.media.decode_pyav import PyavReader, Shown
from vcd.media.probe import Container, StreamFacts, best_decoder, read_container, read_head
from vcd.media.request import DecodeRequest
from vcd.media.sampling import cells_shown, frames_on_screen, num_cells, output_size
from vcd.media.settings import MediaSettings

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["load_decoders", "sample_file"]

_log = logging.getLogger(__name__)
_Samples = Generator[tuple[int, NDArray[np.uint8]], None, "_Ending"]
_STILL_CONTAINERS = ("gif", "apng")
_MIN_MISSING_S = 1.0
"""A container may claim this much more than the picture lasts without anything being lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a pass over a video ended.

    Attributes:
        decoded_s: up to where frames came out.
        num_frames: how many came out.
        limit_s: from where on a limit forbids to look; None when none was met.
        is_whole: whether the end of the video was reached.
    """

    decoded_s: float
    num_frames: int
    limit_s: float | None = None
    is_whole: bool = True


def load_decoders() -> None:
    """Import the decoders, before rights are given up and memory is counted."""
    import av  # noqa: F401  # the door to PyAV
    import PIL.Image  # only in a child

    PIL.Image.init()
    with contextlib.suppress(ImportError):  # there is no decord but for x86-64
        import decord  # noqa: F401  # the door to decord


def sample_file(
    request: DecodeRequest,
    settings: MediaSettings,
    sink: SampleSink,
    *,
    first_cell: int = 0,
    may_use_decord: bool = True,
) -> Examination:
    """Decode one file and hand its samples on, in order.

    Args:
        request: what to sample.
        settings: limits and the choice of decoder.
        sink: takes the samples.
        first_cell: samples before this one were handed on already, by a decoder that died.
        may_use_decord: False after decord died on this file.

    Raises:
        InputError: nothing of it can be used, with the reason.
        MemoryError: the memory limit does not suffice.
    """
    container = read_container(request.path)
    collector = SampleCollector(
        request, sink, first_cell=first_cell, max_duration_s=settings.max_duration_s
    )
    if first_cell > 0:
        collector.begin("decord")
    if container.demuxer is None:
        return _sample_image(request, container, settings, collector)
    reader = PyavReader(
        request.path,
        container,
        max_side_px=settings.max_side_px,
        num_threads=settings.threads_per_child,
    )
    try:
        ending = None
        if may_use_decord and _is_for_decord(request, container, reader.facts, settings):
            ending = _try_decord(request, reader.facts, settings, collector)
        if ending is None:
            collector.begin("pyav")
            ending = collector.take(_pyav_samples(reader, request, settings, collector))
    finally:
        reader.close()
    return _examination(request, container, reader.facts, ending, collector)


def _is_for_decord(
    request: DecodeRequest, container: Container, facts: StreamFacts, settings: MediaSettings
) -> bool:
    """Only whole videos: for a stretch PyAV can seek and decord is not trusted to."""
    if settings.decoder != "auto" or request.interval is not None:
        return False
    return best_decoder(container, facts, head=read_head(request.path)) == "decord"


def _try_decord(
    request: DecodeRequest,
    facts: StreamFacts,
    settings: MediaSettings,
    collector: SampleCollector,
) -> _Ending | None:
    """Sample with decord as far as it gets; None when PyAV has to go on."""
    try:
        size = _target_size(facts.shown_size(), request, settings)
        reader = DecordReader(request.path, facts, size=size)
        num_frames = len(reader.start_s)
        if reader.end_s > settings.max_duration_s or num_frames > settings.max_source_frames:
            return None
        collector.begin("decord")
        return collector.take(_decord_samples(reader, request, collector))
    except Exception as error:  # noqa: BLE001  # whatever decord dies of, PyAV takes over
        _log.debug("%s: decord gave up: %s", request.path, error)
        return None


def _decord_samples(
    reader: DecordReader, request: DecodeRequest, collector: SampleCollector
) -> _Samples:
    frames = frames_on_screen(reader.start_s, end_s=reader.end_s, rate_hz=request.rate_hz)
    first = collector.next_cell
    pictures = reader.read(frames[first:], collector.progress)
    yield from enumerate(pictures, start=first)
    return _Ending(decoded_s=reader.end_s, num_frames=len(reader.start_s))


def _pyav_samples(
    reader: PyavReader,
    request: DecodeRequest,
    settings: MediaSettings,
    collector: SampleCollector,
) -> _Samples:
    rate_hz = request.rate_hz
    convert = _Converter(reader.facts, request, settings)
    from_s = (collector.next_cell + 0.5) / rate_hz
    until_s = collector.until_s
    last: Shown | None = None
    num_frames = 0
    for shown in reader.shown(from_s=from_s):
        if last is not None:
            shown_until_s = shown.time_s if shown.hole_from_s is None else shown.hole_from_s
            for cell in collector.wanted(cells_shown(last.time_s, shown_until_s, rate_hz)):
                yield cell, convert(last.frame)
        collector.progress(shown.time_s)
        if num_frames >= settings.max_source_frames or shown.time_s >= settings.max_duration_s:
            limit_s = min(shown.time_s, settings.max_duration_s)
            return _Ending(decoded_s=shown.time_s, num_frames=num_frames, limit_s=limit_s)
        if until_s is not None and shown.time_s > until_s:
            return _Ending(decoded_s=shown.time_s, num_frames=num_frames, is_whole=False)
        last, num_frames = shown, num_frames + 1
    if last is None:
        return _Ending(decoded_s=0.0, num_frames=0)
    end_s = last.time_s + last.duration_s
    for cell in collector.wanted(_last_cells(last.time_s, end_s, rate_hz)):
        yield cell, convert(last.frame)
    over_s = settings.max_duration_s if end_s > settings.max_duration_s else None
    return _Ending(decoded_s=end_s, num_frames=num_frames, limit_s=over_s)


def _last_cells(start_s: float, end_s: float, rate_hz: float) -> range:
    """Give a video that ends before the first instant its one sample all the same."""
    cells = cells_shown(start_s, end_s, rate_hz)
    return range(1) if num_cells(end_s, rate_hz) == 1 and cells.stop == 0 else cells


class _Converter:
    """Turn decoded frames into RGB of the size asked for, as shown."""

    def __init__(self, facts: StreamFacts, request: DecodeRequest, settings: MediaSettings) -> None:
        from av.video.reformatter import VideoReformatter  # the door to PyAV

        self._facts = facts
        self._request = request
        self._settings = settings
        self._reformatter = VideoReformatter()
        self._last: tuple[VideoFrame, NDArray[np.uint8]] | None = None

    def __call__(self, frame: "VideoFrame") -> NDArray[np.uint8]:
        if self._last is not None and self._last[0] is frame:
            return self._last[1]
        shown = self._facts.shown_size((frame.width, frame.height))
        size = _target_size(shown, self._request, self._settings)
        width_px, height_px = self._facts.orientation.size(*size)
        rgb = self._reformatter.reformat(
            frame, width_px, height_px, "rgb24", interpolation="BILINEAR", threads=1
        )
        pixels = self._facts.orientation.apply(np.asarray(rgb.to_ndarray(), np.uint8))
        self._last = (frame, pixels)
        return pixels


def _sample_image(
    request: DecodeRequest,
    container: Container,
    settings: MediaSettings,
    collector: SampleCollector,
) -> Examination:
    """Sample a picture: one that does not move is a video of one frame and of no length."""
    reader = ImageReader(request.path, container, max_side_px=settings.max_side_px)
    size = _target_size(reader.size, request, settings)
    collector.begin("pillow")
    end_s, num_frames = 0.0, 0
    last = np.empty((0, 0, 3), np.uint8)
    for start_s, stop_s, pixels in reader.shown(size):
        for cell in collector.wanted(cells_shown(start_s, stop_s, request.rate_hz)):
            collector.put(cell, pixels)
        last, end_s, num_frames = pixels, stop_s, num_frames + 1
    if collector.num_samples == 0:
        for cell in collector.wanted(range(1)):
            collector.put(cell, last)
    duration_s = end_s if num_frames > 1 else 0.0
    return collector.examination(_video(request, duration_s, reader.size), limit_s=None)


def _examination(
    request: DecodeRequest,
    container: Container,
    facts: StreamFacts,
    ending: _Ending,
    collector: SampleCollector,
) -> Examination:
    if ending.num_frames == 0 and collector.num_samples == 0 and ending.is_whole:
        raise InputError(
            f"{request.path}: wanted a video, found none of its frames decodable",
            reason="undecodable",
        )
    duration_s = round(ending.decoded_s, 6)
    claim_s = facts.claimed_duration_s or 0.0
    if not ending.is_whole:
        duration_s = max(duration_s, claim_s or facts.rough_duration_s or 0.0)
    elif claim_s > duration_s + max(_MIN_MISSING_S, 2 * facts.nominal_frame_s):
        duration_s = claim_s
    if container.name in _STILL_CONTAINERS and ending.num_frames == 1 and ending.is_whole:
        duration_s = 0.0
    video = _video(request, duration_s, facts.shown_size())
    return collector.examination(video, limit_s=ending.limit_s, is_whole=ending.is_whole)


def _video(request: DecodeRequest, duration_s: float, size: tuple[int, int]) -> Video:
    return Video(
        id=request.video_id,
        uri=str(request.path),
        sha256=request.sha256,
        duration_s=duration_s,
        width_px=size[0],
        height_px=size[1],
    )


def _target_size(
    size: tuple[int, int], request: DecodeRequest, settings: MediaSettings
) -> tuple[int, int]:
    return output_size(
        *size,
        max_short_edge_px=request.max_short_edge_px,
        max_pixels=settings.slot_bytes // 3,
    )
