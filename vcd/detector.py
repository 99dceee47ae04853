"""The whole detector as two sentences: describe the videos, match their descriptors.

It knows the order of the stages and nothing of how each works. It reads no
clock, writes nothing and retries nothing: that is for pipelines.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vcd.align import AlignSettings, MatchTrace, PairAlignment, align_pair
from vcd.core import (
    Denser,
    Descriptors,
    Examination,
    Index,
    Interval,
    Match,
    MatchEvidence,
    MatchReport,
    PairTally,
    Rejection,
    Skipped,
    merge_intervals,
)
from vcd.descriptors import WHOLE_CUT, Cut, Describer, Fit, ViewSettings
from vcd.media import DecodePool, DecodeRequest
from vcd.search import PairSelection, SearchSettings, best_pairs

__all__ = ["Detector", "Explain", "uninformative_stretches"]

Explain = Callable[[Descriptors, Descriptors, Match, MatchTrace], MatchEvidence]
"""Say why one match is one: ``explain(query, ref, match, trace)``, with the descriptors that were
aligned: with a fit, the prepared ones."""

_MAX_REJECTED = 10
"""How many rejected candidates a report holds: enough to see why, few enough to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """Describe videos, and say what of them was copied from the references of an index.

    Attributes:
        pool: decodes in child processes.
        describer: turns frames into vectors.
        search: which pairs go on.
        align: which stretches are matches.
        settings_digest: of every setting that can change a match.
        clock: seconds from an arbitrary start; handed in, so that a test can stop it.
        fit: what was learnt of background footage; None searches for raw descriptors.
        views: how the frames that it describes are cut.
        explain: makes the evidence of each match; None makes none. It cannot change a match.
    """

    pool: DecodePool
    describer: Describer
    search: SearchSettings
    align: AlignSettings
    settings_digest: str
    clock: Callable[[], float]
    fit: Fit | None = None
    views: ViewSettings | Cut = WHOLE_CUT
    explain: Explain | None = None

    def describe(
        self, requests: Iterable[DecodeRequest]
    ) -> Iterator[tuple[Examination, Descriptors]]:
        """Sample the frames of each video and describe them; order is that of completion."""
        return self.describer.describe(self.pool.decode(requests), views=self.views)

    def match(
        self,
        examination: Examination,
        descriptors: Descriptors,
        index: Index,
        *,
        denser: Denser | None = None,
    ) -> MatchReport:
        """Search the index, align each promising pair, and report.

        Args:
            examination: what the decoder said of the query.
            descriptors: of the query, raw; none when it was refused.
            index: the references, in the same space; with a fit, in its fitted space.
            denser: describes a stretch of the query at a higher rate, for finer bounds.

        Raises:
            SetupError: query, fit and index are not of one space.
        """
        started_s = self.clock()
        query = descriptors
        if self.fit is not None:
            query = self.fit.prepare_query(descriptors)
            denser = denser and _prepared(denser, self.fit)
        hits = index.hits(query, min_score=self.search.min_score)
        selection = best_pairs(hits, self.search)
        searched_s = self.clock()
        alignments = [
            self._align(query, index.descriptors(tally.candidate.ref_id), tally, denser)
            for tally in selection.accepted
        ]
        report = self._report(examination, descriptors, index, selection, alignments)
        elapsed_s = {"search": searched_s - started_s, "align": self.clock() - searched_s}
        return replace(report, elapsed_s=elapsed_s)

    def _align(
        self, query: Descriptors, ref: Descriptors, tally: PairTally, denser: Denser | None
    ) -> PairAlignment:
        """Align one pair, and say of each match why, when that is asked for."""
        alignment = align_pair(query, ref, tally, self.align, denser=denser)
        if self.explain is None:
            return alignment
        explained = [
            replace(match, evidence=self.explain(query, ref, match, trace))
            for match, trace in zip(alignment.accepted, alignment.traces, strict=True)
        ]
        return replace(alignment, accepted=tuple(explained))

    def _report(
        self,
        examination: Examination,
        descriptors: Descriptors,
        index: Index,
        selection: PairSelection,
        alignments: list[PairAlignment],
    ) -> MatchReport:
        matches = [match for alignment in alignments for match in alignment.accepted]
        rejected = list(selection.rejected)
        rejected += [no for alignment in alignments for no in alignment.rejected]
        silent = uninformative_stretches(descriptors)
        return MatchReport(
            query_id=examination.video_id,
            query_sha256=examination.video.sha256 if examination.video else None,
            matches=tuple(sorted(matches, key=lambda m: (-m.score, m.ref_id, m.query, m.ref))),
            rejected=_best_rejected(rejected),
            examined=_without(examination.examined, [skip.interval for skip in silent]),
            skipped=tuple(sorted((*examination.skipped, *silent), key=lambda skip: skip.interval)),
            refused=examination.refused,
            decoder=examination.decoder,
            num_refs=len(index.ref_ids),
            index_version=index.version,
            space=index.space,
            settings_digest=self.settings_digest,
            num_pairs_over_cap=selection.num_over_cap,
        )


def _prepared(denser: Denser, fit: Fit) -> Denser:
    """Prepare what is sampled more densely as the query itself was."""

    def prepared(interval: Interval, rate_hz: float, view: int) -> Descriptors:
        return fit.prepare_query(denser(interval, rate_hz, view))

    return prepared


def uninformative_stretches(descriptors: Descriptors) -> tuple[Skipped, ...]:
    """Find the stretches in which no frame carries evidence (black, flat colour)."""
    speaks = np.zeros(len(descriptors.timeline), dtype=np.bool_)
    speaks[descriptors.frame[descriptors.is_informative]] = True
    silent = [descriptors.timeline.span(i, i + 1) for i in np.flatnonzero(~speaks).tolist()]
    return tuple(
        Skipped(interval=interval, reason="uninformative") for interval in merge_intervals(silent)
    )


def _best_rejected(rejected: list[Rejection]) -> tuple[Rejection, ...]:
    ranked = sorted(rejected, key=lambda no: (-no.score, no.ref_id, no.rule))
    return tuple(ranked[:_MAX_REJECTED])


def _without(intervals: Iterable[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    """Cut the holes out of the intervals.

    intervals  [##########)
    holes         [##)         ->  [##)  [#####)
    """
    remaining = list(intervals)
    for hole in holes:
        remaining = [piece for whole in remaining for piece in _cut(whole, hole)]
    return merge_intervals(remaining)


def _cut(whole: Interval, hole: Interval) -> list[Interval]:
    pieces = []
    if whole.start_s < min(hole.start_s, whole.end_s):
        pieces.append(Interval(whole.start_s, min(hole.start_s, whole.end_s)))
    if max(hole.end_s, whole.start_s) < whole.end_s:
        pieces.append(Interval(max(hole.end_s, whole.start_s), whole.end_s))
    return pieces
