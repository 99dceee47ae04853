"""Describe the frames of many videos at once, and hand on each video as it finishes.

The interleaved stream of the decoders goes in. The module knows neither decoders nor files
of descriptors. A frame's descriptors depend on its pixels, on its own video's other frames
where views are chosen, and on the weights; not on the batch size or on other videos.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, Examination, FrameBatch
from vcd.descriptors.batches import FrameQueue
from vcd.descriptors.loading import open_weights
from vcd.descriptors.postprocess import is_uninformative
from vcd.descriptors.runtimes import usable_cores
from vcd.descriptors.settings import DescribeSettings, ViewSettings
from vcd.descriptors.tracks import Delivery, Row, Track
from vcd.descriptors.views import WHOLE_CUT, Cut, View, ViewChooser
from vcd.descriptors.views_edges import grey_grid

__all__ = ["Describer"]

Pixels = NDArray[np.uint8]

_BATCH_SIZE_CPU = 8
_BATCH_SIZE_GPU = 128
"""Where a larger batch stops paying: docs/design/descriptors.md."""

_MAX_RESIZERS = 8
"""Threads that resize frames; more than the memory of a machine can feed is of no use."""

_NUM_MIRRORED_TRIED = 8
"""Different pictures of a video that are mirrored before it is decided whether that is of use."""


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
        self,
        events: Iterable[FrameBatch | Examination | None],
        *,
        views: ViewSettings | Cut = WHOLE_CUT,
    ) -> Generator[tuple[Examination, Descriptors], None, None]:
        """Describe the videos of a stream, each as soon as its last frame is described.

        Args:
            events: of any number of videos interleaved; of each its frames in order, then one
                `Examination`. Pulled one at a time; a few batches of pixels are held at most.
                None says that nothing is there now: a video that has ended then waits no longer
                for others to fill its last batch.
            views: the one view that every frame is described in, or how views are chosen beside
                that of the whole frame.

        Yields:
            Each video once, in the order in which they finish; no frames for a refused one. One
            that cannot be described is refused as ``undescribable``.

        Raises:
            ValueError: a video's frames are out of order, or its `Examination` never came.
            SetupError: the device is lost, or the weights give no numbers.
        """
        queue = FrameQueue(self._runtime, self._preprocessing, batch_size=self._batch_size)
        ended: deque[Track] = deque()
        with ThreadPoolExecutor(self._num_resizers, thread_name_prefix="resize") as threads:
            desk = _Desk(self, queue, threads, views)
            for event in events:
                if event is None:
                    if ended:
                        queue.describe_all()
                elif isinstance(event, FrameBatch):
                    desk.add(event)
                else:
                    ended.append(desk.end(event))
                yield from self._take_finished(ended, views)
            queue.describe_all()
        yield from self._take_finished(ended, views)
        if desk.tracks:
            raise ValueError(f"the frames ended before the videos did: {sorted(desk.tracks)}")

    def prepared(self, part: tuple[Row, Pixels]) -> Pixels | None:
        """Cut a row's picture out of its frame and resize it; None when it carries no evidence."""
        row, pixels_HWC = part
        resized_HWC = self._preprocessing.resize(row.cut.of(pixels_HWC))
        return None if is_uninformative(resized_HWC) else resized_HWC

    def _take_finished(
        self, ended: deque[Track], views: ViewSettings | Cut
    ) -> Iterator[tuple[Examination, Descriptors]]:
        max_similarity = views.max_similarity if isinstance(views, ViewSettings) else np.inf
        for _ in range(len(ended)):
            track = ended.popleft()
            if track.is_done:
                yield track.described(self.space, max_similarity=max_similarity)
            else:
                ended.append(track)


@dataclass(slots=True, eq=False)
class _Open:
    """A video whose frames are coming.

    Attributes:
        track: what has come of it.
        chooser: of its views; None where every frame has the same one.
        waiting: frames whose views are not chosen yet, fewer than a block.
        num_mirrored: different pictures that were mirrored.
        mirror_is_tried: whether it is known what mirroring is good for.
    """

    track: Track
    chooser: ViewChooser | None
    waiting: list[tuple[int, Pixels]] = field(default_factory=list)
    num_mirrored: int = 0
    mirror_is_tried: bool = False


class _Desk:
    """Takes frames apart into the rows that are wanted of them, and has these described.

    Args:
        describer: resizes.
        queue: describes.
        threads: in which pictures are cut and resized.
        views: which are wanted.

    Attributes:
        tracks: the videos that have not ended, by id.
    """

    def __init__(
        self,
        describer: "Describer",
        queue: FrameQueue,
        threads: ThreadPoolExecutor,
        views: ViewSettings | Cut,
    ) -> None:
        self._describer = describer
        self._queue = queue
        self._threads = threads
        self._settings = views if isinstance(views, ViewSettings) else None
        self._always = views if isinstance(views, Cut) else WHOLE_CUT
        self.tracks: dict[str, _Open] = {}

    def add(self, batch: FrameBatch) -> None:
        """Have the next frames of a video described."""
        video = self._open(batch.video_id)
        frames = list(zip(video.track.take(batch), batch.pixels_THWC, strict=True))
        self._put(video, [(Row(frame=frame, cut=self._always), pixels) for frame, pixels in frames])
        if video.chooser is None:
            return
        greys = self._threads.map(grey_grid, batch.pixels_THWC)
        for frame, grey_GG in zip(frames, greys, strict=True):
            video.waiting.append(frame)
            self._put_views(video, video.chooser.choose(grey_GG))
        video.waiting = [(frame, pixels.copy()) for frame, pixels in video.waiting]

    def end(self, examination: Examination) -> Track:
        """Have what waits of a video described; no more of it comes."""
        video = self._open(examination.video_id)
        if video.chooser is not None and examination.refused is None:
            self._put_views(video, video.chooser.finish())
        del self.tracks[examination.video_id]
        video.track.examination = examination
        self._queue.tick()
        return video.track

    def _open(self, video_id: str) -> _Open:
        if video_id not in self.tracks:
            chooser = None if self._settings is None else ViewChooser(self._settings)
            self.tracks[video_id] = _Open(track=Track(video_id), chooser=chooser)
        return self.tracks[video_id]

    def _put_views(self, video: _Open, cuts: tuple[Cut, ...] | None) -> None:
        """Have the frames that wait described in more views; None lets them wait."""
        if cuts is None:
            return
        self._put(
            video,
            [
                (Row(frame=frame, cut=cut), pixels)
                for cut in cuts
                for frame, pixels in video.waiting
            ],
        )
        video.waiting.clear()
        if video.num_mirrored >= _NUM_MIRRORED_TRIED and not video.mirror_is_tried:
            self._try_mirror(video)

    def _try_mirror(self, video: _Open) -> None:
        """Stop mirroring if it is of no use with these weights.

        What waits is described now: when that is decided must not depend on other videos.
        """
        video.mirror_is_tried = True
        self._queue.describe_all()
        if video.chooser is not None and not video.track.mirror_is_of_use:
            video.track.is_mirror_given_up = True
            video.chooser.skip_mirrored()

    def _put(self, video: _Open, parts: Sequence[tuple[Row, Pixels]]) -> None:
        pictures = self._threads.map(self._describer.prepared, parts)
        for (row, _), picture_HWC in zip(parts, pictures, strict=True):
            self._put_picture(video, row, picture_HWC)

    def _put_picture(self, video: _Open, row: Row, pixels_HWC: Pixels | None) -> None:
        """Have one row described; of a picture without evidence only the one that must be there."""
        track, view = video.track, row.cut.view
        newest = track.newest.get(view)
        if pixels_HWC is None:
            if view is self._always.view:
                track.expect_row()
                track.deliver(row, np.zeros(self._describer.space.dim, dtype=np.float32))
            return
        track.expect_row()
        if newest is not None and newest.is_of(pixels_HWC):
            newest.repeat(row)
            self._queue.tick()
            return
        video.num_mirrored += view is View.MIRRORED
        track.newest[view] = delivery = Delivery(track, pixels_HWC, [row])
        self._queue.add(pixels_HWC, delivery, delivery.give_up)
