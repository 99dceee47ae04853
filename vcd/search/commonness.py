"""Say how common each frame of a reference is, and which stretches of it to leave out.

    other videos   |====intro====|         each: where it matches the reference
                   |====intro====|   |==|
    num_matching    2 2 2 2 2 2 2 0  1 1
    limit 2        [###########)           common, half a second more on either side

Pure: whether and where another video matches is for the caller to find out; a single
similar frame is chance, a stretch that matches in several videos is not. T sampled
frames, N rows, D dimensions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import (
    Descriptors,
    FrameHits,
    Interval,
    Timeline,
    blocked_similarity,
    merge_intervals,
)
from vcd.search.settings import PreflightSettings

__all__ = [
    "Proposal",
    "best_scores",
    "common_stretches",
    "held_frames",
    "informative_frames",
    "informative_share",
    "pair_hits",
    "silent_stretches",
    "still_stretches",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A stretch of a reference that need not be searched.

    Attributes:
        interval: the stretch.
        reason: one word of ``docs/glossary.md``: ``uninformative``, ``still`` or ``common``.
    """

    interval: Interval
    reason: str


def best_scores(ref: Descriptors, other: Descriptors) -> NDArray[np.float32]:
    """Find how well each frame of a reference scores with the most similar one of another video.

    Args:
        ref: the reference.
        other: the other video, prepared as a query: its score bias counts.

    Returns:
        ``(T,)`` float32; ``-inf`` where either side carries no evidence.

    Raises:
        ValueError: the two are of different spaces.
    """
    if ref.space != other.space:
        raise ValueError(f"{ref.video_id} is of {ref.space}, {other.video_id} of {other.space}")
    best = np.full(len(ref.timeline), -np.inf, dtype=np.float32)
    ref_row = np.flatnonzero(ref.is_informative)
    other_row = np.flatnonzero(other.is_informative)
    bias = other.score_bias[other_row]
    blocks = blocked_similarity(other.features[other_row], ref.features[ref_row])
    for other_first, ref_first, similarity in blocks:
        score = similarity + bias[other_first : other_first + len(similarity), np.newaxis]
        frame = ref.frame[ref_row[ref_first : ref_first + similarity.shape[1]]]
        np.maximum.at(best, frame, score.max(axis=0))
    return best


def pair_hits(query: Descriptors, ref: Descriptors, *, min_score: float) -> Iterator[FrameHits]:
    """Find every pair of frames of two videos with at least this score, in bounded chunks.

    As an index that holds this one reference does, however long the two are.
    """
    query_row = np.flatnonzero(query.is_informative)
    ref_row = np.flatnonzero(ref.is_informative)
    bias = query.score_bias[query_row]
    blocks = blocked_similarity(query.features[query_row], ref.features[ref_row])
    for query_first, ref_first, similarity in blocks:
        score_QR = similarity + bias[query_first : query_first + len(similarity), np.newaxis]
        row, column = np.nonzero(score_QR >= np.float32(min_score))
        score = score_QR[row, column]
        order = np.lexsort((column, row, -score))
        yield FrameHits(
            query_id=query.video_id,
            ref_ids=(ref.video_id,),
            query_row=query_row[row[order] + query_first],
            ref_ordinal=np.zeros(len(order), dtype=np.int64),
            ref_row=ref_row[column[order] + ref_first],
            score=score[order],
        )


def held_frames(timeline: Timeline, intervals: Sequence[Interval]) -> NDArray[np.bool_]:
    """Tell of each frame, ``(T,)``, whether its middle lies in one of the intervals."""
    middle_s = (timeline.start_s + timeline.end_s) / 2
    held = np.zeros(len(timeline), dtype=np.bool_)
    for interval in intervals:
        held |= (middle_s >= interval.start_s) & (middle_s < interval.end_s)
    return held


def informative_frames(video: Descriptors) -> NDArray[np.bool_]:
    """Tell of each frame, ``(T,)``, whether any row of it carries evidence."""
    speaks = np.zeros(len(video.timeline), dtype=np.bool_)
    speaks[video.frame[video.is_informative]] = True
    return speaks


def informative_share(video: Descriptors, intervals: Sequence[Interval]) -> float:
    """Say which share of the frames that carry evidence lies in the intervals, 0 to 1."""
    speaks = informative_frames(video)
    if not speaks.any():
        return 0.0
    return float(held_frames(video.timeline, intervals)[speaks].mean())


def common_stretches(
    timeline: Timeline, num_matching: NDArray[np.int64], settings: PreflightSettings
) -> tuple[Interval, ...]:
    """Find the stretches that match in at least ``min_videos`` other videos.

    A stretch ends where fewer than ``agreeing_share`` of the videos go on that match it where
    most do.

    Args:
        timeline: of the reference.
        num_matching: ``(T,)`` how many other videos match at each frame.
        settings: the limit, and how near stretches join.
    """
    found = merge_intervals(
        _runs(timeline, _agreed(num_matching, settings)), max_gap_s=settings.max_gap_s
    )
    if not found:
        return ()
    start_s, end_s = float(timeline.start_s[0]), float(timeline.end_s[-1])
    return merge_intervals(
        [
            Interval(
                max(start_s, stretch.start_s - settings.margin_s),
                min(end_s, stretch.end_s + settings.margin_s),
            )
            for stretch in found
        ]
    )


def _agreed(num_matching: NDArray[np.int64], settings: PreflightSettings) -> NDArray[np.bool_]:
    """Tell of each frame whether enough videos match there, and enough of those of its run.

    A match often runs on where a video goes on like the reference by chance:

    num_matching   18 20 20 20  2  2  0  3  3       limit 2, half of the run's most
    agreed          #  #  #  #  .  .  .  #  #

    What is cut off so and matches by itself is found when the rest has been excluded.
    """
    is_common = num_matching >= settings.min_videos
    edges = np.flatnonzero(np.diff(is_common)) + 1
    agreed = np.zeros(len(num_matching), dtype=np.bool_)
    for run in np.split(np.arange(len(num_matching)), edges):
        if len(run) and is_common[run[0]]:
            agreed[run] = num_matching[run] >= settings.agreeing_share * num_matching[run].max()
    return agreed


def silent_stretches(video: Descriptors, settings: PreflightSettings) -> tuple[Interval, ...]:
    """Find the stretches of at least ``min_silent_s`` in which no frame carries evidence."""
    silent = _runs(video.timeline, ~informative_frames(video))
    return tuple(each for each in silent if each.length_s >= settings.min_silent_s)


def still_stretches(video: Descriptors, settings: PreflightSettings) -> tuple[Interval, ...]:
    """Find the stretches of at least ``min_still_s`` in which every frame is like the first.

    None at all where such stretches make more than ``max_excluded_share`` of what carries
    evidence: a slide show, or a camera that nobody moves, and its stills are what it has.
    """
    whole = np.flatnonzero((video.view == 0) & video.is_informative)
    features, frame = video.features[whole], video.frame[whole]
    found = []
    first = 0
    while first < len(whole):
        stop = _stop_of_still(features, frame, first, settings.still_similarity)
        still = video.timeline.span(int(frame[first]), int(frame[stop - 1]) + 1)
        if still.length_s >= settings.min_still_s:
            found.append(still)
            first = stop
        else:
            first += 1
    stretches = merge_intervals(found)
    if informative_share(video, stretches) > settings.max_excluded_share:
        return ()
    return stretches


def _stop_of_still(
    features: NDArray[np.float32], frame: NDArray[np.int32], first: int, min_similarity: float
) -> int:
    """Say where the run of neighbouring frames ends that are all like the first of it."""
    stays = (features[first:] @ features[first] >= min_similarity) & (
        frame[first:] - frame[first] == np.arange(len(frame) - first)
    )
    breaks = np.flatnonzero(~stays[1:])
    return first + 1 + (int(breaks[0]) if len(breaks) else len(stays) - 1)


def _runs(timeline: Timeline, holds: NDArray[np.bool_]) -> list[Interval]:
    """Turn each unbroken run of frames into the time that it covers.

    holds   . # # . #   ->   span(1, 3), span(4, 5)
    """
    edges = np.diff(np.concatenate([[0], holds.astype(np.int8), [0]]))
    firsts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [
        timeline.span(first, stop)
        for first, stop in zip(firsts.tolist(), stops.tolist(), strict=True)
    ]
