"""Records made to order; what is true of them stands in the call.

plant_copy(query=make_descriptors("q", 40, rng), ref=make_descriptors("r", 60, rng),
           query_frames=(8, 23), ref_frames=(20, 35), rng=rng)
"""

import numpy as np
from numpy.typing import NDArray

from vcd.core import (
    Descriptors,
    DescriptorSpace,
    Interval,
    Match,
    MatchReport,
    Rejection,
    Skipped,
    Timeline,
    Video,
)

SPACE = DescriptorSpace(name="test", dim=64, fingerprint="f" * 16)


def make_timeline(num_frames: int, *, rate_hz: float = 2.0, start_s: float = 0.0) -> Timeline:
    starts = start_s + np.arange(num_frames) / rate_hz
    return Timeline.from_starts(starts, end_s=start_s + num_frames / rate_hz)


def unit_rows(num_rows: int, rng: np.random.Generator, dim: int = SPACE.dim) -> NDArray[np.float32]:
    """Unrelated directions: their inner products are near zero."""
    rows = rng.normal(size=(num_rows, dim))
    unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(
        np.float32
    )
    return unit


def make_descriptors(
    video_id: str,
    num_frames: int,
    rng: np.random.Generator,
    *,
    rate_hz: float = 2.0,
    space: DescriptorSpace = SPACE,
) -> Descriptors:
    """Describe a video whose every frame is unlike every other."""
    features = unit_rows(num_frames, rng, space.dim)
    return Descriptors.from_frames(
        video_id, make_timeline(num_frames, rate_hz=rate_hz), features, space
    )


def plant_copy(
    query: Descriptors,
    ref: Descriptors,
    *,
    query_frames: tuple[int, int],
    ref_frames: tuple[int, int],
    rng: np.random.Generator,
    similarity: float = 0.8,
) -> Descriptors:
    """Return the query with frames ``[first, stop)`` copied from the reference's.

    The two ranges may differ in length: the copy is then faster or slower.

    Args:
        query: what is copied into.
        ref: what is copied from.
        query_frames: first and stop in the query.
        ref_frames: first and stop in the reference.
        rng: for the noise that lowers the similarity.
        similarity: inner product of a copied frame and its original.
    """
    first, stop = query_frames
    step = (ref_frames[1] - ref_frames[0]) / (stop - first)
    originals = ref.features[ref_frames[0] + (np.arange(stop - first) * step).astype(int)]
    noise = unit_rows(stop - first, rng, ref.space.dim)
    noise -= np.sum(noise * originals, axis=1, keepdims=True) * originals
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    features = query.features.copy()
    features[first:stop] = similarity * originals + np.sqrt(1 - similarity**2) * noise
    return Descriptors.from_frames(query.video_id, query.timeline, features, query.space)


def make_video(id_: str = "q", *, duration_s: float = 20.0) -> Video:
    return Video(
        id=id_,
        uri=f"{id_}.mp4",
        sha256="a" * 64,
        duration_s=duration_s,
        width_px=320,
        height_px=240,
    )


def make_match(
    query_id: str = "q",
    ref_id: str = "r",
    *,
    query: tuple[float, float] = (12.4, 31.0),
    ref: tuple[float, float] = (80.1, 99.0),
    score: float = 0.91,
) -> Match:
    return Match(
        query_id=query_id,
        ref_id=ref_id,
        query=Interval(*query),
        ref=Interval(*ref),
        score=score,
    )


def make_report(**changes: object) -> MatchReport:
    """Report one match, one rejection and one skipped stretch; name what should differ."""
    parts: dict[str, object] = {
        "query_id": "upload",
        "query_sha256": "0123456789abcdef" * 4,
        "matches": (make_match("upload", "tower"),),
        "rejected": (
            Rejection(
                query_id="upload",
                ref_id="bridge",
                score=0.31,
                rule="min_score",
                value=0.31,
                limit=0.45,
            ),
        ),
        "examined": (Interval(0.0, 40.0), Interval(42.5, 60.0)),
        "skipped": (Skipped(interval=Interval(40.0, 42.5), reason="uninformative"),),
        "refused": None,
        "decoder": "decord",
        "num_refs": 2,
        "index_version": "5e" * 32,
        "space": SPACE,
        "settings_digest": "00ffb3a4bcd3f389",
        "elapsed_s": {"align": 0.0625, "search": 0.25},
    }
    return MatchReport(**{**parts, **changes})  # type: ignore[arg-type]  # a table of mixed kinds
