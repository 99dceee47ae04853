"""The records that flow from the search to the report.

    (records.py) Descriptors -> FrameHits -> PairTally -> Match -> MatchReport

Every record is frozen, keyword-only and valid from birth; its arrays are
read-only. K hits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vcd.core.evidence import MatchEvidence
from vcd.core.records import DescriptorSpace, Skipped, read_only
from vcd.core.timeline import Interval

__all__ = [
    "FrameHits",
    "Match",
    "MatchReport",
    "PairCandidate",
    "PairTally",
    "Rejection",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameHits:
    """One chunk of the search: similar rows of one query and of some references.

    Ordered by falling score, ties by the three indices.

    Attributes:
        query_id: whose frames were searched for.
        ref_ids: the references that ``ref_ordinal`` points into.
        query_row: ``(K,)`` int64, row of the query's features.
        ref_ordinal: ``(K,)`` int64, position in ``ref_ids``.
        ref_row: ``(K,)`` int64, row of that reference's features.
        score: ``(K,)`` float32 inner products, plus the score bias of the query's row.
    """

    query_id: str
    ref_ids: tuple[str, ...]
    query_row: NDArray[np.int64]
    ref_ordinal: NDArray[np.int64]
    ref_row: NDArray[np.int64]
    score: NDArray[np.float32]

    def __post_init__(self) -> None:
        lengths = {len(self.query_row), len(self.ref_ordinal), len(self.ref_row), len(self.score)}
        if len(lengths) != 1:
            raise ValueError(f"{self.query_id}: hits of unequal lengths {sorted(lengths)}")
        if np.isnan(self.score).any() or (np.diff(self.score) > 0).any():
            raise ValueError(f"{self.query_id}: hits are not in order of falling score")
        for name in ("query_row", "ref_ordinal", "ref_row", "score"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCandidate:
    """A (query, reference) pair worth aligning.

    Attributes:
        query_id: the video asked about.
        ref_id: the reference.
        score: best similarity of two of their frames.
        num_hits: how many pairs of frames reached the floor, kept or not.
    """

    query_id: str
    ref_id: str
    score: float
    num_hits: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairTally:
    """A candidate together with the best of its hits, which say where to align.

    Attributes:
        candidate: the pair.
        query_row: ``(K,)`` int64, row of the query's features.
        ref_row: ``(K,)`` int64, row of the reference's features.
        score: ``(K,)`` float32, falling.
    """

    candidate: PairCandidate
    query_row: NDArray[np.int64]
    ref_row: NDArray[np.int64]
    score: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not len(self.query_row) == len(self.ref_row) == len(self.score) > 0:
            raise ValueError(f"{self.candidate}: a tally needs hits, as many in each array")
        for name in ("query_row", "ref_row", "score"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A stretch of the query and the stretch of the reference that it copies.

    Attributes:
        query_id: the video asked about.
        ref_id: the reference.
        query: the stretch on the query's clock.
        ref: the stretch on the reference's clock.
        score: higher is surer; one threshold serves all pairs.
        evidence: why; None where nobody asked for it.
    """

    query_id: str
    ref_id: str
    query: Interval
    ref: Interval
    score: float
    evidence: MatchEvidence | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.score):
            raise ValueError(f"{self.query_id} / {self.ref_id}: score is {self.score}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A pair, or a stretch of one, that was not reported, and the rule that stopped it.

    Attributes:
        query_id: the video asked about.
        ref_id: the reference.
        score: what it would have been reported with.
        rule: name of the rule, as in ``docs/glossary.md``.
        value: what was found.
        limit: what the rule asks for.
        query: the stretch of the query; None where the rule stopped the pair before alignment.
        ref: the stretch of the reference, there when that of the query is.
    """

    query_id: str
    ref_id: str
    score: float
    rule: str
    value: float
    limit: float
    query: Interval | None = None
    ref: Interval | None = None

    def __post_init__(self) -> None:
        if (self.query is None) != (self.ref is None):
            raise ValueError(f"{self.query_id} / {self.ref_id}: a stretch of one video only")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReport:
    """What is said of one query.

    Two reports with equal ``identity`` are equal to the byte, but for ``elapsed_s`` and for the
    evidence of matches, which is there when it was asked for.

    Attributes:
        query_id: the video asked about.
        query_sha256: digest of its bytes; None when they could not be read.
        matches: best first.
        rejected: the best ten that were not reported, best first.
        examined: stretches of the query that were searched.
        skipped: stretches that were not, with reasons.
        refused: why nothing at all could be examined; None when something was.
        decoder: which one gave the frames.
        num_refs: how many references were searched.
        index_version: of the references searched.
        space: what the descriptors may be compared with.
        settings_digest: of every setting that can change a match.
        num_pairs_over_cap: candidates that the safety cap cut off; 0 when it did not bite.
        num_matches_left_out: weaker matches that did not fit into a message; 0 when all did.
        num_stretches_left_out: shorter stretches, examined and skipped, that did not fit either.
        num_evidence_left_out: matches whose evidence did not fit into a message; 0 when all did.
        elapsed_s: seconds spent in each stage.
        schema_version: of this record's written form.
    """

    query_id: str
    query_sha256: str | None
    matches: tuple[Match, ...]
    rejected: tuple[Rejection, ...]
    examined: tuple[Interval, ...]
    skipped: tuple[Skipped, ...]
    refused: str | None
    decoder: str | None
    num_refs: int
    index_version: str
    space: DescriptorSpace
    settings_digest: str
    num_pairs_over_cap: int = 0
    num_matches_left_out: int = 0
    num_stretches_left_out: int = 0
    num_evidence_left_out: int = 0
    elapsed_s: Mapping[str, float] = field(default_factory=dict)
    schema_version: int = 1

    def __post_init__(self) -> None:
        scores = [match.score for match in self.matches]
        if scores != sorted(scores, reverse=True):
            raise ValueError(f"{self.query_id}: matches are not best first")
        if self.refused is not None and (self.matches or self.examined):
            raise ValueError(f"{self.query_id}: refused, and yet something was examined")
        object.__setattr__(self, "elapsed_s", MappingProxyType(dict(self.elapsed_s)))

    @property
    def identity(self) -> tuple[str, str | None, str, str]:
        return (self.query_id, self.query_sha256, self.index_version, self.settings_digest)
