"""Hold a reference against other videos: which of them would match it, and by which stretches.

    other videos -> prepared as uploads are -> matched with the one reference -> sightings
    sightings    -> frames that several share -> excluded -> matched again, until nothing is left

It matches as a check does: same fit, same floors, same threshold.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.preflight_rules import Rules, as_upload, matches_between
from vcd.core import Descriptors, Interval, Match, merge_intervals
from vcd.search import (
    Proposal,
    best_scores,
    common_stretches,
    descriptor_digest,
    held_frames,
    informative_share,
    silenced,
    silent_stretches,
    still_stretches,
)

__all__ = ["Candidate", "Comparison", "Other", "Sighting", "compare"]

_MAX_ROUNDS = 8
"""How often what is left is matched again; mostly the first time finds nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A video to hold references against.

    Attributes:
        id: its name among those of its origin.
        origin: ``background``, ``index``, or ``beside``: given on the same command line.
        load: reads its raw descriptors, so that no more than one is in memory.
    """

    id: str
    origin: str
    load: Callable[[], Descriptors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A video that is or will be a reference.

    Attributes:
        descriptors: raw.
        excluded: stretches that never match already.
    """

    descriptors: Descriptors
    excluded: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Another video that would match the reference.

    Attributes:
        id: of the other video.
        origin: of the other video.
        matches: with it as the query, best first; nothing of the reference excluded.
        share: of the reference's frames with evidence, how much they cover.
        is_duplicate: whether that is (nearly) all of them.
        is_left: whether it would match with all proposals excluded, too.
    """

    id: str
    origin: str
    matches: tuple[Match, ...]
    share: float
    is_duplicate: bool
    is_left: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What was found of one reference. T frames.

    Attributes:
        candidate: the reference.
        num_others: how many videos it was held against, by origin.
        num_similar: ``(T,)`` int64, other videos that hold a frame as similar as a hit.
        num_matching: ``(T,)`` int64, other videos that match there, duplicates left out.
        best: ``(T,)`` float32, the best score with any frame of another video; ``-inf``: none.
        sightings: the videos that match, duplicates first, then those that match most of it.
        proposals: stretches to exclude, in order; those of different reasons may overlap.
    """

    candidate: Candidate
    num_others: Mapping[str, int]
    num_similar: NDArray[np.int64]
    num_matching: NDArray[np.int64]
    best: NDArray[np.float32]
    sightings: tuple[Sighting, ...]
    proposals: tuple[Proposal, ...]

    @property
    def excluded(self) -> tuple[Interval, ...]:
        """What never matches once the proposals are accepted, with what never did."""
        return merge_intervals(
            [*self.candidate.excluded, *(proposal.interval for proposal in self.proposals)]
        )

    @property
    def excluded_share(self) -> float:
        """Share of the frames with evidence that never match then, 0 to 1."""
        return informative_share(self.candidate.descriptors, self.excluded)

    @property
    def excluded_share_before(self) -> float:
        """Share of the frames with evidence that never match as it is, 0 to 1."""
        return informative_share(self.candidate.descriptors, self.candidate.excluded)

    def num_seen(self, origin: str, *, is_left: bool | None = None) -> int:
        """Count the videos of an origin that match; those that are left, where that is asked."""
        return sum(
            each.origin == origin and is_left in (None, each.is_left) for each in self.sightings
        )


def compare(
    candidates: Sequence[Candidate],
    others: Iterable[Other],
    rules: Rules,
    *,
    advance: Callable[[str], None] = lambda _id: None,
) -> list[Comparison]:
    """Hold each candidate against every other video, and against the other candidates' ones.

    Two videos of equal descriptors count once. A reference of a candidate's own id is itself.

    Args:
        candidates: the references to be.
        others: all videos to hold them against, each read once or twice.
        rules: as in a check.
        advance: told the id of each other video that is done.

    Raises:
        InputError: another video cannot be read.
        SetupError: videos of several descriptor spaces.
    """
    runs = [_Run.of(candidate, rules) for candidate in candidates]
    seen: set[str] = set()
    for other in others:
        video = other.load()
        digest = descriptor_digest(video)
        if digest not in seen:
            seen.add(digest)
            query = as_upload(video, rules.fit)
            for run in runs:
                run.look_at(other, query)
        advance(other.id)
    return [run.comparison() for run in runs]


@dataclass(kw_only=True)
class _Run:
    """What has been found of one candidate so far."""

    candidate: Candidate
    rules: Rules
    ref: Descriptors
    num_similar: NDArray[np.int64]
    best: NDArray[np.float32]
    num_others: Counter[str] = field(default_factory=Counter)
    matched: list[tuple[Other, tuple[Match, ...]]] = field(default_factory=list)

    @classmethod
    def of(cls, candidate: Candidate, rules: Rules) -> "_Run":
        raw = candidate.descriptors
        return cls(
            candidate=candidate,
            rules=rules,
            ref=raw if rules.fit is None else rules.fit.prepare_ref(raw),
            num_similar=np.zeros(len(raw.timeline), dtype=np.int64),
            best=np.full(len(raw.timeline), -np.inf, dtype=np.float32),
        )

    def look_at(self, other: Other, query: Descriptors) -> None:
        if other.origin != "background" and other.id == self.ref.video_id:
            return
        self.num_others[other.origin] += 1
        best = best_scores(self.ref, query)
        is_similar = best >= np.float32(self.rules.search.min_score)
        self.num_similar += is_similar
        np.maximum(self.best, best, out=self.best)
        if is_similar.any():
            matches = matches_between(query, self.ref, self.rules)
            if matches:
                self.matched.append((other, matches))

    def comparison(self) -> Comparison:
        seen = [self._sighting(other, matches) for other, matches in self.matched]
        raw, settings = self.candidate.descriptors, self.rules.preflight
        num_matching = self._num_matching(seen)
        fixed = [
            *(Proposal(interval=each, reason="uninformative") for each in self._silent()),
            *(Proposal(interval=each, reason="still") for each in still_stretches(raw, settings)),
        ]
        common = common_stretches(raw.timeline, num_matching, settings)
        left = seen
        for _ in range(_MAX_ROUNDS):
            left = self._left(seen, [*(proposal.interval for proposal in fixed), *common])
            more = common_stretches(raw.timeline, self._num_matching(left), settings)
            if not more:
                break
            common = merge_intervals([*common, *more])
        still_there = {(each.origin, each.id) for each in left}
        seen = [replace(each, is_left=(each.origin, each.id) in still_there) for each in seen]
        seen.sort(key=lambda each: (not each.is_duplicate, -each.share, each.origin, each.id))
        proposals = [*fixed, *(Proposal(interval=each, reason="common") for each in common)]
        return Comparison(
            candidate=self.candidate,
            num_others=dict(self.num_others),
            num_similar=self.num_similar,
            num_matching=num_matching,
            best=self.best,
            sightings=tuple(seen),
            proposals=tuple(sorted(proposals, key=lambda each: (each.interval, each.reason))),
        )

    def _silent(self) -> tuple[Interval, ...]:
        return silent_stretches(self.candidate.descriptors, self.rules.preflight)

    def _sighting(self, other: Other, matches: tuple[Match, ...]) -> Sighting:
        share = informative_share(self.candidate.descriptors, [match.ref for match in matches])
        return Sighting(
            id=other.id,
            origin=other.origin,
            matches=matches,
            share=share,
            is_duplicate=share >= self.rules.preflight.duplicate_share,
            is_left=False,
        )

    def _num_matching(self, seen: Iterable[Sighting]) -> NDArray[np.int64]:
        """``(T,)`` how many videos match at each frame, duplicates left out."""
        timeline = self.ref.timeline
        count = np.zeros(len(timeline), dtype=np.int64)
        for each in seen:
            if not each.is_duplicate:
                count += held_frames(timeline, [match.ref for match in each.matches])
        return count

    def _left(self, seen: Sequence[Sighting], excluded: Sequence[Interval]) -> list[Sighting]:
        """Match all that matched once more, with stretches excluded."""
        ref = silenced(self.ref, [*self.candidate.excluded, *excluded])
        left = []
        for (other, _), before in zip(self.matched, seen, strict=True):
            matches = matches_between(as_upload(other.load(), self.rules.fit), ref, self.rules)
            if matches:
                left.append(replace(before, matches=matches))
        return left
