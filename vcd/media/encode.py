"""Write videos with PyAV: for the demonstration, for synthetic data sets and for tests.

Part of the door to PyAV. What it writes is our own, so it needs no sandbox.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["write_video"]

_REPRODUCIBLE = {"fflags": "+bitexact"}
"""Equal pictures are equal files: no time of day, and no random number as Matroska has them."""


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    rate_hz: float,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> int:
    """Encode pictures into a video file; the suffix of the path names the container.

    Args:
        path: is overwritten.
        frames: ``(H, W, 3)`` uint8 RGB, all of one size; drawn one by one. An odd last row or
            column is cut off where the pixel format cannot have it.
        rate_hz: frames a second.
        codec: an encoder of libavcodec.
        pixel_format: what the encoder is fed.
        options: of the encoder, as ffmpeg has them: ``{"crf": "40"}``.

    Returns:
        How many frames were written.

    Raises:
        SetupError: there is no such encoder or container, or the disk is full.
    """
    import av  # the door to PyAV

    rate = Fraction(rate_hz).limit_denominator(1001)
    num_frames = 0
    stream: VideoStream | None = None
    try:
        with _kept_scheduling(), av.open(str(path), "w", options=_REPRODUCIBLE) as container:
            for pixels_HWC in frames:
                if stream is None:
                    stream = cast(
                        "VideoStream",
                        container.add_stream(codec, rate=rate, options=dict(options or {})),
                    )
                    _shape(stream, pixels_HWC, pixel_format)
                    stream.codec_context.time_base = 1 / rate
                frame = _frame(pixels_HWC, stream)
                frame.pts = num_frames
                container.mux(stream.encode(frame))
                num_frames += 1
            if stream is not None:
                container.mux(stream.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise SetupError(f"{path}: wanted to write it with {codec}, got: {error}") from error
    return num_frames


@contextmanager
def _kept_scheduling() -> Iterator[None]:
    """Give back the scheduling class that SVT-AV1 takes from the thread that opens it.

    As root it makes its caller a real-time thread, which then starves whatever waits
    for it, in this process and in all that it starts.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _shape(stream: "VideoStream", pixels_HWC: NDArray[np.uint8], pixel_format: str) -> None:
    import av  # the door to PyAV

    height, width = pixels_HWC.shape[:2]
    components = av.VideoFormat(pixel_format, width, height).components
    chroma = components[1] if len(components) > 1 else components[0]
    is_halved_x, is_halved_y = chroma.width < width, chroma.height < height
    stream.width = width - width % 2 if is_halved_x else width
    stream.height = height - height % 2 if is_halved_y else height
    stream.pix_fmt = pixel_format


def _frame(pixels_HWC: NDArray[np.uint8], stream: "VideoStream") -> "VideoFrame":
    import av  # the door to PyAV

    cut = np.ascontiguousarray(pixels_HWC[: stream.height, : stream.width])
    frame = av.VideoFrame.from_ndarray(cut, format="rgb24")
    frame.time_base = stream.codec_context.time_base
    return frame
