"""Describe the frames of many videos at once, and hand on each video as it finishes.

The interleaved stream of the decoders goes in. The module knows neither decoders nor files
of descriptors. A frame's descriptor depends on its pixels and the weights alone, not on the
batch size or on the frames beside it.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vcd.core import (
    Descriptors,
    DescriptorSpace,
    Examination,
    FrameBatch,
    SetupError,
    Timeline,
    TransientError,
)
from vcd.descriptors.batches import FrameQueue
from vcd.descriptors.loading import open_weights
from vcd.descriptors.postprocess import is_uninformative
from vcd.descriptors.runtimes import usable_cores
from vcd.descriptors.settings import DescribeSettings

__all__ = ["Describer"]

_BATCH_SIZE_CPU = 8
_BATCH_SIZE_GPU = 128
"""Where a larger batch stops paying: docs/design/descriptors.md."""

_MAX_RESIZERS = 8
"""Threads that resize frames; more than the memory of a machine can feed is of no use."""


@dataclass(slots=True, eq=False)
class _Track:
    """One video on its way: which of its frames have come, and which are described."""

    video_id: str
    timelines: list[Timeline] = field(default_factory=list)
    rows: list[NDArray[np.float32] | None] = field(default_factory=list)
    num_missing: int = 0
    examination: Examination | None = None
    failure: TransientError | None = None
    newest: "_Delivery | None" = None

    def expect(self, batch: FrameBatch) -> int:
        """Make room for the rows of a batch; return where they begin."""
        first = len(self.rows)
        if batch.first_frame != first:
            raise ValueError(
                f"{self.video_id}: wanted frame {first} next, got frame {batch.first_frame}"
            )
        self.timelines.append(batch.timeline)
        self.rows.extend([None] * len(batch))
        self.num_missing += len(batch)
        return first

    def deliver(self, frame: int, feature: NDArray[np.float32]) -> None:
        self.rows[frame] = feature
        self.num_missing -= 1

    def give_up(self, error: TransientError) -> None:
        """One frame of it cannot be described: a video with an unseen hole is worth nothing."""
        self.failure = error
        self.num_missing -= 1


class Describer:
    """Loaded weights, ready to describe; the calls of ``describe`` do not disturb each other.

    Attributes:
        space: what its descriptors may be compared with.
        profile: what a similarity means in that space.
        max_short_edge_px: how far the decoder may shrink a frame beforehand: twice what the
            network sees, so that the antialiased resize still decides.
    """

    def __init__(self, settings: DescribeSettings) -> None:
        weights = open_weights(settings)
        default_batch_size = _BATCH_SIZE_GPU if weights.uses_gpu else _BATCH_SIZE_CPU
        self._runtime = weights.runtime
        self._preprocessing = weights.preprocessing
        self._batch_size = settings.batch_size or default_batch_size
        self._num_resizers = min(settings.num_threads or usable_cores(), _MAX_RESIZERS)
        self.space = weights.space
        self.profile = weights.profile
        self.max_short_edge_px = 2 * weights.preprocessing.short_edge_px

    def describe(
        self, events: Iterable[FrameBatch | Examination | None]
    ) -> Generator[tuple[Examination, Descriptors], None, None]:
        """Describe the videos of a stream, each as soon as its last frame is described.

        Args:
            events: of any number of videos interleaved; of each its frames in order, then one
                `Examination`. Pulled one at a time; a few batches of pixels are held at most.
                None says that nothing is there now: a video that has ended then waits no longer
                for others to fill its last batch.

        Yields:
            Each video once, in the order in which they finish; no frames for a refused one. One
            that cannot be described is refused as ``undescribable``.

        Raises:
            ValueError: a video's frames are out of order, or its `Examination` never came.
            SetupError: the device is lost, or the weights give no numbers.
        """
        queue = FrameQueue(self._runtime, self._preprocessing, batch_size=self._batch_size)
        open_tracks: dict[str, _Track] = {}
        ended: deque[_Track] = deque()
        with ThreadPoolExecutor(self._num_resizers, thread_name_prefix="resize") as threads:
            for event in events:
                if event is None:
                    if ended:
                        queue.describe_all()
                elif isinstance(event, FrameBatch):
                    track = open_tracks.setdefault(event.video_id, _Track(event.video_id))
                    self._add(event, track, queue, threads)
                else:
                    track = open_tracks.pop(event.video_id, _Track(event.video_id))
                    track.examination = event
                    ended.append(track)
                    queue.tick()
                yield from self._take_finished(ended)
            queue.describe_all()
        yield from self._take_finished(ended)
        if open_tracks:
            raise ValueError(f"the frames ended before the videos did: {sorted(open_tracks)}")

    def _add(
        self, batch: FrameBatch, track: _Track, queue: FrameQueue, threads: ThreadPoolExecutor
    ) -> None:
        first = track.expect(batch)
        for ordinal, pixels_HWC in enumerate(threads.map(self._prepared, batch.pixels_THWC)):
            frame = first + ordinal
            if pixels_HWC is None:
                track.deliver(frame, np.zeros(self.space.dim, dtype=np.float32))
            elif track.newest is not None and track.newest.is_of(pixels_HWC):
                track.newest.repeat(frame)
                queue.tick()
            else:
                track.newest = _Delivery(track, pixels_HWC, [frame])
                queue.add(pixels_HWC, track.newest, track.newest.give_up)

    def _prepared(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Resize a frame; None when it carries no evidence."""
        resized_HWC = self._preprocessing.resize(pixels_HWC)
        return None if is_uninformative(resized_HWC) else resized_HWC

    def _take_finished(self, ended: deque[_Track]) -> Iterator[tuple[Examination, Descriptors]]:
        for _ in range(len(ended)):
            track = ended.popleft()
            examination = track.examination
            if examination is None or (track.num_missing and examination.refused is None):
                ended.append(track)
            else:
                examination = _with_failure(examination, track.failure)
                yield examination, _descriptors(track, examination, self.space)


@dataclass(slots=True, eq=False)
class _Delivery:
    """Where the descriptor of one picture goes: to its frame, and to those after it that repeat it.

    A still of hours has one picture; describing it once is what keeps it from costing hours.
    """

    track: _Track
    pixels_HWC: NDArray[np.uint8]
    frames: list[int]
    outcome: NDArray[np.float32] | TransientError | None = None

    def is_of(self, pixels_HWC: NDArray[np.uint8]) -> bool:
        return np.array_equal(self.pixels_HWC, pixels_HWC)

    def repeat(self, frame: int) -> None:
        """Let another frame have what the picture gets, or got already."""
        if self.outcome is None:
            self.frames.append(frame)
        elif isinstance(self.outcome, TransientError):
            self.track.give_up(self.outcome)
        else:
            self.track.deliver(frame, self.outcome)

    def __call__(self, feature: NDArray[np.float32]) -> None:
        self.outcome = feature
        for frame in self.frames:
            self.track.deliver(frame, feature)

    def give_up(self, error: TransientError) -> None:
        self.outcome = error
        for _ in self.frames:
            self.track.give_up(error)


def _with_failure(examination: Examination, failure: TransientError | None) -> Examination:
    if failure is None or examination.refused is not None:
        return examination
    sentence = f"{examination.video_id}: wanted all of its frames described: {failure}"
    return replace(examination, examined=(), skipped=(), refused=sentence, reason="undescribable")


def _descriptors(track: _Track, examination: Examination, space: DescriptorSpace) -> Descriptors:
    rows = [] if examination.refused is not None else [row for row in track.rows if row is not None]
    timelines = [] if examination.refused is not None else track.timelines
    features = np.array(rows, dtype=np.float32).reshape(len(rows), space.dim)
    if not np.isfinite(features).all():
        raise SetupError(f"{track.video_id}: the weights {space.name} give numbers not finite")
    return Descriptors.from_frames(track.video_id, Timeline.concatenate(timelines), features, space)
