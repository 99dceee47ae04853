"""Put a detector together from the settings, and feed it with files."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.items import Item
from vcd.config import Settings, load_settings, settings_digest
from vcd.core import (
    Denser,
    Descriptors,
    DescriptorSpace,
    Examination,
    InputError,
    Interval,
    SetupError,
)
from vcd.descriptors import WHOLE_CUT, Area, Cut, Describer, Fit, SpaceProfile, View
from vcd.detector import Detector
from vcd.media import DecodePool, DecodeRequest, digest_file
from vcd.search import IndexInfo

__all__ = [
    "denser_for",
    "open_dense_pool",
    "open_detector",
    "profile_defaults",
    "refusal",
    "refuse_other_space",
    "requests_for",
    "start_detector",
    "unseen_seconds",
]


@contextmanager
def open_detector(config: Path | None, overrides: Mapping[str, object]) -> Iterator[Detector]:
    """Load the weights and start the decoding children, to describe; stop them on the way out.

    It describes whole frames alone unless ``views.mode`` is among the overrides: what a settings
    file says of views is for queries. It matches too, but without any fit:
    `pipelines.matching.open_matcher` is for that.

    Args:
        config: settings file.
        overrides: what flags and the index decide, by dotted key.
    """
    overrides = {"views.mode": "off", **overrides}
    describer = Describer(load_settings(config, overrides).describe)
    settings = load_settings(config, overrides, defaults=profile_defaults(describer.profile))
    with start_detector(settings, describer, settings_digest(settings)) as detector:
        yield detector


def profile_defaults(profile: SpaceProfile) -> dict[str, object]:
    """Say which settings give way to what was measured of a descriptor space.

    Thresholds belong to a space, so those that neither the file nor the environment nor a flag
    sets are the ones that the weights, and the fit, were measured with.
    """
    return {
        "search.min_score": profile.hit_floor,
        "search.min_pair_score": profile.hit_floor,
        "align.min_similarity": profile.min_similarity,
        "align.min_score": profile.min_score,
    }


@contextmanager
def start_detector(
    settings: Settings, describer: Describer, digest: str, *, fit: Fit | None = None
) -> Iterator[Detector]:
    """Start the decoding children of a detector; stop them on the way out.

    Args:
        settings: all of them.
        describer: made with the same settings.
        digest: of the settings and the fit.
        fit: applied before descriptors are compared.
    """
    with DecodePool(settings.media) as pool:
        is_whole = settings.views.mode == "off"
        yield Detector(
            pool=pool,
            describer=describer,
            search=settings.search,
            align=settings.align,
            settings_digest=digest,
            clock=time.perf_counter,
            fit=fit,
            views=WHOLE_CUT if is_whole else settings.views,
        )


def open_dense_pool(config: Path | None) -> DecodePool:
    """Start one more decoding child, for stretches that are looked at again more densely."""
    return DecodePool(replace(load_settings(config, {}).media, num_children=1))


def refuse_other_space(path: Path, info: IndexInfo, detector: Detector) -> None:
    """Stop before anything is decoded if the index was made with other weights.

    Raises:
        SetupError: the index and the weights belong to different descriptor spaces.
    """
    wanted, found = info.space, detector.describer.space
    if wanted != found:
        raise SetupError(
            f"{path}: the index holds descriptors of space {_named(wanted)} but the weights "
            f"{info.weights} now give {_named(found)}: use the weights it was made with, "
            "or make a new index"
        )


def _named(space: DescriptorSpace) -> str:
    return f"{space.name} ({space.dim}-d, {space.fingerprint[:12]})"


def requests_for(
    items: Iterable[Item],
    detector: Detector,
    *,
    rate_hz: float,
    is_wanted: Callable[[Item, str], bool],
    on_refused: Callable[[Examination], None],
) -> Iterator[DecodeRequest]:
    """Digest each file and ask for its frames, unless it is not wanted or not readable.

    Args:
        items: files with ids.
        detector: whose describer says how large a picture it needs.
        rate_hz: frames a second.
        is_wanted: told the item and the SHA-256 of its bytes; False passes it over.
        on_refused: told of each file that could not be read.
    """
    for item in items:
        try:
            sha256 = digest_file(item.path)
        except InputError as error:
            on_refused(refusal(item.id, error))
            continue
        if is_wanted(item, sha256):
            yield DecodeRequest(
                video_id=item.id,
                path=item.path,
                sha256=sha256,
                rate_hz=rate_hz,
                max_short_edge_px=detector.describer.max_short_edge_px,
            )


def refusal(video_id: str, error: InputError) -> Examination:
    """State that a video could not be looked at, and why."""
    reason = error.reason or "unreadable"
    return Examination(video_id=video_id, video=None, refused=str(error), reason=reason)


def denser_for(
    detector: Detector, pool: DecodePool, examination: Examination, descriptors: Descriptors
) -> Denser:
    """Describe a stretch of this query again at a higher rate, whenever asked.

    A view is cut where it was cut before, next to the middle of the stretch.

    Args:
        detector: describes.
        pool: a pool of its own: the detector's is busy with the videos that follow.
        examination: of the query.
        descriptors: of the query, as they were described.
    """
    video = examination.video
    if video is None:
        raise InputError(f"{examination.video_id}: nothing to sample from a refused video")

    def denser(interval: Interval, rate_hz: float, view: int) -> Descriptors:
        request = DecodeRequest(
            video_id=video.id,
            path=Path(video.uri),
            sha256=video.sha256,
            rate_hz=rate_hz,
            max_short_edge_px=detector.describer.max_short_edge_px,
            interval=interval,
        )
        cut = _cut_near(descriptors, interval, view)
        ((_, dense),) = detector.describer.describe(pool.decode([request]), views=cut)
        return dense

    return denser


def _cut_near(descriptors: Descriptors, interval: Interval, view: int) -> Cut:
    """Say how a view was cut next to the middle of a stretch."""
    rows = np.flatnonzero(descriptors.view == view)
    if view == View.WHOLE or len(rows) == 0 or len(descriptors.area) == 0:
        return WHOLE_CUT
    middle_s = (interval.start_s + interval.end_s) / 2
    start_s = descriptors.timeline.start_s[descriptors.frame[rows]]
    nearest = rows[int(np.abs(start_s - middle_s).argmin())]
    left, top, right, bottom = descriptors.area[nearest].tolist()
    return Cut(view=View(view), area=Area(left=left, top=top, right=right, bottom=bottom))


def unseen_seconds(examination: Examination) -> float:
    """Say how much of a video was left out, because it could not be decoded or is too much."""
    return sum(skip.interval.length_s for skip in examination.skipped)
