"""Videos that know which frame they show: its number is drawn into every picture.

+----+----+----+----+----+----+----+----+
| b0 | b1 | b2 | b3 | b4 | b5 | b6 | b7 |     white = 1
+----+----+----+----+----+----+----+----+
|           the same, inverted          |
+---------------------------------------+
|   something that moves, for the codec |
+---------------------------------------+
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vcd.core import Examination, FrameBatch
from vcd.media.decode import sample_file
from vcd.media.request import DecodeRequest
from vcd.media.settings import MediaSettings

__all__ = [
    "Clip",
    "ListSink",
    "collected",
    "moving",
    "number_in",
    "numbered",
    "request_for",
    "sampled",
    "write_clip",
    "write_with_edit_list",
]

NUM_BITS = 8


def numbered(number: int, *, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """Draw a frame that shows its number."""
    picture = moving(number, width=width, height=height)
    bits = [(number >> bit) & 1 for bit in range(NUM_BITS)]
    rows = [(0, height // 3, bits), (height // 3, 2 * height // 3, [1 - bit for bit in bits])]
    for top, bottom, values in rows:
        for bit, value in enumerate(values):
            left, right = bit * width // NUM_BITS, (bit + 1) * width // NUM_BITS
            picture[top:bottom, left:right] = 235 if value else 20
    return picture


def moving(number: int, *, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """Draw a frame of a textured plane that slides to the left."""
    x, y = np.meshgrid(np.arange(width) + 3 * number, np.arange(height))
    waves = 127 + 60 * np.sin(x / 9.0) + 60 * np.sin(y / 13.0 + x / 31.0)
    return np.stack([waves, waves[::-1], 255 - waves], axis=-1).clip(0, 255).astype(np.uint8)


def number_in(pixels_HWC: NDArray[np.uint8]) -> int:
    """Read the number back; a picture that does not show one whole number is an error."""
    height, width = pixels_HWC.shape[:2]
    grey = pixels_HWC.astype(np.float64).mean(axis=-1)
    rows = []
    for top in (0, height // 3):
        middle = grey[top + height // 9 : top + 2 * height // 9]
        cells = [
            middle[:, int((bit + 0.3) * width / NUM_BITS) : int((bit + 0.7) * width / NUM_BITS) + 1]
            for bit in range(NUM_BITS)
        ]
        rows.append([float(cell.mean()) for cell in cells])
    bits = [int(upper > lower) for upper, lower in zip(*rows, strict=True)]
    contrast = min(abs(upper - lower) for upper, lower in zip(*rows, strict=True))
    if contrast < 60:
        raise AssertionError(f"no number can be read, two frames may be mixed: contrast {contrast}")
    return sum(bit << position for position, bit in enumerate(bits))


@dataclass(frozen=True, kw_only=True)
class Clip:
    """How to make a file, and when each of its frames is shown.

    ``times_s`` may be uneven; ``encoder`` and ``muxer`` are ffmpeg's options.
    """

    suffix: str
    codec: str
    pixel_format: str = "yuv420p"
    num_frames: int = 75
    rate_hz: int = 25
    width: int = 320
    height: int = 240
    times_s: Sequence[float] | None = None
    encoder: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    rotation: tuple[float, bool] | None = None
    pixel_aspect: Fraction | None = None
    has_sound: bool = False

    @property
    def shown_s(self) -> NDArray[np.float64]:
        """When each frame comes on screen, from the first one on."""
        if self.times_s is not None:
            return np.asarray(self.times_s) - self.times_s[0]
        return np.arange(self.num_frames) / self.rate_hz


def write_clip(path: Path, clip: Clip, pictures: Iterable[NDArray[np.uint8]] | None = None) -> None:
    """Write the numbered frames of a clip."""
    with av.open(str(path), "w", options=clip.muxer) as container:
        stream: Any = container.add_stream(clip.codec, rate=clip.rate_hz, options=clip.encoder)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pixel_format
        if clip.pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = clip.pixel_aspect
        if clip.rotation is not None:
            stream.set_display_rotation(clip.rotation[0], hflip=clip.rotation[1])
        ticks = Fraction(1, 1000) if clip.times_s is not None else Fraction(1, clip.rate_hz)
        stream.codec_context.time_base = ticks
        sound = container.add_stream("aac", rate=48000) if clip.has_sound else None
        if sound is not None:
            _write_sound(container, sound, clip.num_frames / clip.rate_hz)
        if pictures is None:
            pictures = _pictures(clip)
        for ordinal, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = ordinal if clip.times_s is None else round(clip.times_s[ordinal] * 1000)
            frame.time_base = ticks
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_with_edit_list(source: Path, target: Path, *, skipped_s: float) -> None:
    """Copy an mp4 without encoding, with an edit list that starts it late."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as container, av.open(str(target), "w", options=options) as copy:
        stream = container.streams.video[0]
        copied = copy.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(skipped_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copied
            copy.mux(packet)


class ListSink:
    """Keep samples in memory."""

    def __init__(self) -> None:
        self.times: list[list[float]] = []
        self.pictures: list[NDArray[np.uint8]] = []

    def put(self, start_s: float, end_s: float, pixels_HWC: NDArray[np.uint8]) -> None:
        self.times.append([start_s, end_s])
        self.pictures.append(pixels_HWC.copy())

    def finish(self, end_s: float | None) -> None:
        if end_s is not None:
            self.times[-1][1] = end_s

    def begin(self, decoder: str) -> None:
        pass

    def progress(self, position_s: float) -> None:
        pass


def request_for(path: Path, **changes) -> DecodeRequest:
    values: dict[str, Any] = {
        "video_id": path.name,
        "path": path,
        "sha256": "0" * 64,
        "rate_hz": 7.3,
        "max_short_edge_px": 160,
    }
    return DecodeRequest(**(values | changes))


def sampled(path: Path, settings: MediaSettings | None = None, **changes):
    """Sample a file in this process: only for files that a test made itself."""
    sink = ListSink()
    found = sample_file(request_for(path, **changes), settings or MediaSettings(), sink)
    return found, sink


def collected(
    results: Iterable[FrameBatch | Examination],
) -> tuple[dict[str, list[FrameBatch]], dict[str, Any]]:
    """Sort what a pool yields: batches and examinations by video."""
    batches: dict[str, list[FrameBatch]] = {}
    examinations: dict[str, Any] = {}
    for result in results:
        if isinstance(result, FrameBatch):
            batches.setdefault(result.video_id, []).append(result)
        else:
            assert result.video_id not in examinations, "one examination a video"
            examinations[result.video_id] = result
    return batches, examinations


def _pictures(clip: Clip) -> Iterator[NDArray[np.uint8]]:
    for number in range(clip.num_frames):
        yield numbered(number, width=clip.width, height=clip.height)


def _write_sound(container, stream, duration_s: float) -> None:
    stream.layout = "mono"
    for first in range(0, int(duration_s * 48000), 1024):
        wave = np.sin(np.arange(first, first + 1024) / 30.0).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
