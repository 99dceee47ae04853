"""Turn the hits of one pair into matches in seconds: align, weigh, sift, refine.

A pair with a one-frame video (an image) is decided by its best hit.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.aligners import make_aligner
from vcd.align.frames import FrameView, hit_views, score_block, score_cells
from vcd.align.lines import fit_time_line
from vcd.align.paths import box_of_path
from vcd.align.refine import refine_bounds
from vcd.align.score import Evidence, weigh
from vcd.align.settings import AlignSettings
from vcd.align.tiles import align_tiles
from vcd.align.trace import MatchTrace, time_line
from vcd.core.errors import SetupError
from vcd.core.findings import Match, PairTally, Rejection
from vcd.core.protocols import Box, Denser
from vcd.core.records import Descriptors
from vcd.core.timeline import Interval

__all__ = ["PairAlignment", "align_pair"]

_CORE_LEVEL = 0.4
"""Where between the noise floor and the best of a path its ends must lie on average to belong
to it. Higher cuts copies whose edit grows stronger; lower keeps strangers that look alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAlignment:
    """What became of one pair.

    Attributes:
        accepted: the copied stretches, best first.
        rejected: stretches that were found and not taken, best first, with the rule.
        traces: how each of `accepted` was found, in the same order.
    """

    accepted: tuple[Match, ...]
    rejected: tuple[Rejection, ...]
    traces: tuple[MatchTrace, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stretch:
    """A path through the frames of two views, weighed."""

    query: FrameView
    ref: FrameView
    path: NDArray[np.int64]
    box: Box
    evidence: Evidence

    @property
    def score(self) -> float:
        return self.evidence.score

    @property
    def spans(self) -> tuple[Interval, Interval]:
        """Its two sides, on the sampling grid."""
        query = self.query.descriptors.timeline.span(self.box.q_first, self.box.q_stop)
        ref = self.ref.descriptors.timeline.span(self.box.r_first, self.box.r_stop)
        return query, ref

    @property
    def length_s(self) -> float:
        """The shorter of its two sides."""
        return min(span.length_s for span in self.spans)


def align_pair(
    query: Descriptors,
    ref: Descriptors,
    tally: PairTally,
    settings: AlignSettings,
    *,
    denser: Denser | None = None,
) -> PairAlignment:
    """Find which stretches of the query are copies of which stretches of the reference.

    Args:
        query: of the video asked about.
        ref: of the reference; its features may be memory-mapped.
        tally: the pair's hits, which say where to look.
        settings: how to look.
        denser: describes a stretch of the query at a higher rate, to refine bounds.

    Raises:
        SetupError: the two belong to different descriptor spaces.
    """
    if query.space != ref.space:
        raise SetupError(
            f"{query.video_id} / {ref.video_id}: wanted descriptors of one space, "
            f"got {query.space.name} and {ref.space.name}"
        )
    if min(len(query.timeline), len(ref.timeline)) == 1:
        stretches = [_around_best_hit(query, ref, tally, settings)]
        min_length_s = 0.0
    else:
        stretches = _stretches(query, ref, tally, settings)
        lengths_s = [float(d.timeline.end_s[-1] - d.timeline.start_s[0]) for d in (query, ref)]
        # A whole video that is shorter than the limit can still be copied whole.
        min_length_s = min(settings.min_length_s, 0.9 * min(lengths_s))
    stretches.sort(key=lambda s: (-s.score, *dataclasses.astuple(s.box)))
    accepted, rejected = _sift(stretches, settings, min_length_s)
    if not stretches:
        rejected = [_no_path(query, ref, tally, settings)]
    found = [_match(stretch, settings, denser) for stretch in accepted]
    return PairAlignment(
        accepted=tuple(match for match, _ in found),
        rejected=tuple(rejected),
        traces=tuple(trace for _, trace in found),
    )


def _stretches(
    query: Descriptors, ref: Descriptors, tally: PairTally, settings: AlignSettings
) -> list[_Stretch]:
    stretches = []
    for query_view, ref_view, hits in hit_views(query, ref, tally):
        scaled = _in_frames(settings, query_view, ref_view)
        aligner = make_aligner(scaled)
        boxes = align_tiles(query_view, ref_view, hits, aligner, scaled)
        for box in boxes:
            core = _matching_core(query_view, ref_view, box.path, settings)
            stretches.append(_weighed(query_view, ref_view, core, settings))
    return stretches


def _in_frames(settings: AlignSettings, query: FrameView, ref: FrameView) -> AlignSettings:
    """Express the range of speeds in frames, for videos sampled at different rates."""
    ratio = query.period_s / ref.period_s
    return dataclasses.replace(
        settings,
        min_slope=settings.min_slope * ratio,
        max_slope=settings.max_slope * ratio,
        min_frames=max(2, min(settings.min_frames, len(query), len(ref))),
    )


def _matching_core(
    query: FrameView, ref: FrameView, path: NDArray[np.int64], settings: AlignSettings
) -> NDArray[np.int64]:
    """Cut off ends that match far worse than the rest: other footage that merely resembles it.

    similarity   .4 .5 .4 .9 .9 .8 .9 .5 .4      keeps the run with the largest sum
    core                  [#########)            above the level

    A weak stretch between two strong ones stays.
    """
    similarity = _scores(query, ref, path)
    floor = settings.min_similarity
    level = floor + _CORE_LEVEL * (float(np.quantile(similarity, 0.9)) - floor)
    total = np.concatenate([[0.0], np.cumsum(similarity - level, dtype=np.float64)])
    lowest = np.minimum.accumulate(total[:-1])
    stop = int((total[1:] - lowest).argmax()) + 1
    first = int(total[:stop].argmin())
    return path[first:stop] if stop - first >= settings.min_frames else path


def _scores(query: FrameView, ref: FrameView, path: NDArray[np.int64]) -> NDArray[np.float32]:
    """``(P,)`` what each cell of a path scores."""
    return score_cells(query, ref, path[:, 0], path[:, 1:])[:, 0]


def _weighed(
    query: FrameView, ref: FrameView, path: NDArray[np.int64], settings: AlignSettings
) -> _Stretch:
    box = box_of_path(path)
    evidence = weigh(
        query.features_TD[path[:, 0]],
        ref.features_TD[path[:, 1]],
        _scores(query, ref, path),
        box.q_stop - box.q_first,
        settings,
    )
    return _Stretch(query=query, ref=ref, path=path, box=box, evidence=evidence)


def _around_best_hit(
    query: Descriptors, ref: Descriptors, tally: PairTally, settings: AlignSettings
) -> _Stretch:
    """Take the best hit, and the frames around it that are nearly as similar."""
    query_frame = int(query.frame[tally.query_row[0]])
    ref_frame = int(ref.frame[tally.ref_row[0]])
    query_view = FrameView.of(query, int(query.view[tally.query_row[0]]))
    ref_view = FrameView.of(ref, int(ref.view[tally.ref_row[0]]))
    best = _weighed(query_view, ref_view, np.array([[query_frame, ref_frame]]), settings)
    at_query, at_ref = (slice(frame, frame + 1) for frame in (query_frame, ref_frame))
    along_query = score_block(query_view, ref_view, slice(None), at_ref)[:, 0]
    along_ref = score_block(query_view, ref_view, at_query, slice(None))[0]
    floor = (float(along_query[query_frame]) + settings.min_similarity) / 2
    q_first, q_stop = _run_around(along_query >= floor, query_frame)
    r_first, r_stop = _run_around(along_ref >= floor, ref_frame)
    box = Box(q_first=q_first, q_stop=q_stop, r_first=r_first, r_stop=r_stop)
    return dataclasses.replace(best, box=box)


def _run_around(holds: NDArray[np.bool_], place: int) -> tuple[int, int]:
    """Find the unbroken run that holds at ``place``; ``place`` itself always does."""
    breaks = np.flatnonzero(~holds)
    breaks = breaks[breaks != place]
    at = int(np.searchsorted(breaks, place))
    first = int(breaks[at - 1]) + 1 if at > 0 else 0
    stop = int(breaks[at]) if at < len(breaks) else len(holds)
    return first, stop


def _sift(
    stretches: list[_Stretch], settings: AlignSettings, min_length_s: float
) -> tuple[list[_Stretch], list[Rejection]]:
    accepted: list[_Stretch] = []
    rejected = []
    for stretch in stretches:
        overlap = max((_overlap(stretch.box, other.box) for other in accepted), default=0.0)
        if stretch.length_s < min_length_s:
            rejected.append(_rejection(stretch, "min_length", stretch.length_s, min_length_s))
        elif stretch.score < settings.min_score:
            rejected.append(_rejection(stretch, "min_score", stretch.score, settings.min_score))
        elif overlap > settings.max_overlap:
            rejected.append(_rejection(stretch, "max_overlap", overlap, settings.max_overlap))
        else:
            accepted.append(stretch)
    return accepted, rejected


def _overlap(one: Box, other: Box) -> float:
    """Part of the smaller box's area that both share."""
    q_common = min(one.q_stop, other.q_stop) - max(one.q_first, other.q_first)
    r_common = min(one.r_stop, other.r_stop) - max(one.r_first, other.r_first)
    areas = [(b.q_stop - b.q_first) * (b.r_stop - b.r_first) for b in (one, other)]
    return max(0, q_common) * max(0, r_common) / min(areas)


def _rejection(stretch: _Stretch, rule: str, value: float, limit: float) -> Rejection:
    query_span, ref_span = stretch.spans
    return Rejection(
        query_id=stretch.query.descriptors.video_id,
        ref_id=stretch.ref.descriptors.video_id,
        score=stretch.score,
        rule=rule,
        value=value,
        limit=limit,
        query=query_span,
        ref=ref_span,
    )


def _no_path(
    query: Descriptors, ref: Descriptors, tally: PairTally, settings: AlignSettings
) -> Rejection:
    """Say that the hits lie on no path; the best of them is what would have been told."""
    best = _around_best_hit(query, ref, tally, settings)
    return _rejection(best, "min_frames", 1.0, float(settings.min_frames))


def _match(
    stretch: _Stretch, settings: AlignSettings, denser: Denser | None
) -> tuple[Match, MatchTrace]:
    """Bound a stretch, and keep what it was bounded with."""
    query, ref, path = stretch.query, stretch.ref, stretch.path
    query_span, ref_span = stretch.spans
    fitted = fit_time_line(query, ref, path, settings) if len(path) > 1 else None
    if fitted is not None and settings.refine:
        query_span, ref_span = refine_bounds(query, ref, path, fitted, settings, denser=denser)
    match = Match(
        query_id=query.descriptors.video_id,
        ref_id=ref.descriptors.video_id,
        query=query_span,
        ref=ref_span,
        score=stretch.score,
    )
    line = None
    if fitted is not None:
        refined = match if settings.refine else None
        line = time_line(fitted, refined, query, ref, path, settings.frame_instant)
    trace = MatchTrace(
        query_view=query.view,
        ref_view=ref.view,
        path=path,
        line=line,
        strength=stretch.evidence.strength,
        num_independent=stretch.evidence.num_independent,
        frame_instant=settings.frame_instant,
    )
    return match, trace
