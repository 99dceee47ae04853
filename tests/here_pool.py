"""A pool that decodes where it is: only for files that a test made itself."""

from collections.abc import Iterable, Iterator

import numpy as np

from tests.clips import ListSink
from vcd.core import Examination, FrameBatch, InputError, Timeline
from vcd.media import DecodeRequest, MediaSettings
from vcd.media.decode import sample_file


class HerePool:
    """Decodes in this process, what a test made itself; notes what was asked for."""

    def __init__(self) -> None:
        self.requests: list[DecodeRequest] = []

    def decode(self, requests: Iterable[DecodeRequest]) -> Iterator[FrameBatch | Examination]:
        for request in requests:
            self.requests.append(request)
            sink = ListSink()
            try:
                examination = sample_file(request, MediaSettings(), sink)
            except InputError as error:
                yield Examination(
                    video_id=request.video_id, video=None, refused=str(error), reason=error.reason
                )
                continue
            for first, (times, pixels) in enumerate(zip(sink.times, sink.pictures, strict=True)):
                yield FrameBatch(
                    video_id=request.video_id,
                    first_frame=first,
                    timeline=Timeline(start_s=np.array([times[0]]), end_s=np.array([times[1]])),
                    pixels_THWC=pixels[None],
                )
            yield examination
