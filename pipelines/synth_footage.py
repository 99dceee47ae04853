"""What `vcd synth` knows of the user's videos: which can be used, and their pictures on demand."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines import console
from pipelines.items import Items
from vcd.core import Examination, FrameBatch, InputError, Video, merge_intervals
from vcd.evaluation.synthesis.footage_roles import Source, find_twins
from vcd.evaluation.synthesis.query_plan import Stretch
from vcd.media import DecodePool, DecodeRequest, MediaSettings, digest_file
from vcd.media.sampling import output_size

__all__ = ["Look", "UsableVideo", "find_usable", "footage_of", "open_pool"]

_LOOK_RATE_HZ = 8.0
"""Finds holes of an eighth of a second; copies are taken from between the holes."""

_FRAMES_PER_THUMBNAIL = 8
_THUMBNAIL_SHORT_EDGE_PX = 36
_THUMBNAIL_PX = 16
_MAX_THUMBNAILS = 120
"""Of one video, evenly spread: enough to see that two videos show the same footage."""

Pixels = NDArray[np.uint8]
LeaveOut = Callable[[str, str], None]
"""Told the path and the reason of a video that is sound but not used."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UsableVideo:
    """A video that a data set can be made from.

    Attributes:
        path: of the file.
        sha256: digest of its bytes.
        duration_s: how long it is.
        shown_size: width and height of its pictures as shown.
        source: what planning needs to know.
        thumbnails: ``(T, 256)`` uint8, grey, of frames all over it.
    """

    path: Path
    sha256: str
    duration_s: float
    shown_size: tuple[int, int]
    source: Source
    thumbnails: NDArray[np.uint8]


def open_pool(settings: MediaSettings) -> DecodePool:
    """Start decoding children: two, for what lies behind a picture is decoded beside it."""
    return DecodePool(replace(settings, num_children=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How sources are looked at.

    Attributes:
        short_edge_px: of the pictures that will be drawn.
        max_pixels: what a decoding child can hand over.
    """

    short_edge_px: int
    max_pixels: int


def find_usable(
    items: Items, pool: DecodePool, look: Look, *, outcome: console.Outcome, leave_out: LeaveOut
) -> list[UsableVideo]:
    """Decode every file once and choose those that a data set can be made from.

    What cannot be decoded is refused; a still image, and what shows the footage of a longer video,
    is left out, each with a sentence.

    Returns:
        The usable videos, by id.
    """
    videos = []
    for video in _looked_at(items, pool, look, outcome):
        if video.duration_s > 0.0:
            videos.append(video)
        else:
            leave_out(str(video.path), "wanted a video, found a still image")
    videos.sort(key=lambda video: (-video.source.usable.length_s, video.source.id))
    twins = find_twins({video.source.id: video.thumbnails for video in videos})
    paths = {video.source.id: video.path for video in videos}
    for id_, other in twins.items():
        leave_out(str(paths[id_]), f"shows footage of {paths[other].name}, which is used")
    used = [video for video in videos if video.source.id not in twins]
    return sorted(used, key=lambda video: video.source.id)


def footage_of(
    videos: Sequence[UsableVideo], pool: DecodePool, *, short_edge_px: int
) -> Callable[[Stretch], contextlib.AbstractContextManager[Iterator[Pixels]]]:
    """Make what opens a stretch of these videos for drawing."""
    by_id = {video.source.id: video for video in videos}

    @contextlib.contextmanager
    def footage(stretch: Stretch) -> Iterator[Iterator[Pixels]]:
        video = by_id[stretch.source_id]
        request = DecodeRequest(
            video_id=stretch.source_id,
            path=video.path,
            sha256=video.sha256,
            rate_hz=stretch.cell_rate_hz,
            max_short_edge_px=short_edge_px,
            interval=stretch.interval,
        )
        with contextlib.closing(pool.decode([request])) as events:
            yield _pictures(events, stretch, video.path)

    return footage


def _pictures(
    events: Iterator[FrameBatch | Examination], stretch: Stretch, path: Path
) -> Iterator[Pixels]:
    """Yield the picture of each cell.

    Raises:
        InputError: a cell has none, so that what is copied from it could not be told exactly.
    """
    num_shown = 0
    for event in events:
        if isinstance(event, Examination):
            if event.refused is not None:
                raise InputError(event.refused, reason=event.reason or "")
            continue
        cells = np.rint(event.timeline.start_s * stretch.cell_rate_hz).astype(int)
        for cell, pixels in zip(cells - stretch.first_cell, event.pixels_THWC, strict=True):
            if cell != num_shown:
                break
            yield pixels
            num_shown += 1
    if num_shown < stretch.num_cells:
        at_s = (stretch.first_cell + num_shown) / stretch.cell_rate_hz
        raise InputError(f"{path}: wanted the picture at {at_s:.3f} s, found none")


def _looked_at(
    items: Items, pool: DecodePool, look: Look, outcome: console.Outcome
) -> Iterator[UsableVideo]:
    thumbnails: dict[str, list[NDArray[np.uint8]]] = {}
    paths = {item.id: item.path for item in items}
    with (
        console.progress("looking", total=len(items)) as progress,
        contextlib.closing(pool.decode(_requests(items, outcome))) as events,
    ):
        for event in events:
            if isinstance(event, FrameBatch):
                seen = thumbnails.setdefault(event.video_id, [])
                skipped = -event.first_frame % _FRAMES_PER_THUMBNAIL
                chosen = event.pixels_THWC[skipped::_FRAMES_PER_THUMBNAIL]
                seen.extend(_thumbnail(pixels) for pixels in chosen)
                continue
            progress.advance(event.video_id)
            path = paths[event.video_id]
            if event.refused is not None or event.video is None or not event.examined:
                outcome.refuse(str(path), event.refused or "no frame of it could be decoded")
                continue
            yield _usable(event, event.video, thumbnails.pop(event.video_id), look)


def _requests(items: Items, outcome: console.Outcome) -> Iterator[DecodeRequest]:
    for item in items:
        try:
            sha256 = digest_file(item.path)
        except InputError as error:
            outcome.refuse(str(item.path), str(error))
            continue
        yield DecodeRequest(
            video_id=item.id,
            path=item.path,
            sha256=sha256,
            rate_hz=_LOOK_RATE_HZ,
            max_short_edge_px=_THUMBNAIL_SHORT_EDGE_PX,
        )


def _usable(
    found: Examination, video: Video, thumbnails: list[NDArray[np.uint8]], look: Look
) -> UsableVideo:
    longest = max(merge_intervals(found.examined), key=lambda interval: interval.length_s)
    size = output_size(
        video.width_px,
        video.height_px,
        max_short_edge_px=look.short_edge_px,
        max_pixels=look.max_pixels,
    )
    spread = np.linspace(0, len(thumbnails) - 1, min(len(thumbnails), _MAX_THUMBNAILS))
    return UsableVideo(
        path=Path(video.uri),
        sha256=video.sha256,
        duration_s=video.duration_s,
        shown_size=(video.width_px, video.height_px),
        source=Source(id=video.id, usable=longest, size=size),
        thumbnails=np.stack(thumbnails)[spread.astype(int)],
    )


def _thumbnail(pixels: Pixels) -> NDArray[np.uint8]:
    grey = Image.fromarray(pixels).convert("L")
    small = grey.resize((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).reshape(-1)
