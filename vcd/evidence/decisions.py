"""What reviewers decided about matches, and which decision about a match counts.

How they are written down is in `decision_file.py`; what follows from them is not known here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from vcd.core import DescriptorSpace, Interval

__all__ = [
    "CommonKind",
    "Decision",
    "DecisionTerms",
    "Decisions",
    "MatchKey",
    "Verdict",
    "last_of_each",
]

Verdict: TypeAlias = Literal["copy", "not_a_copy", "common_material"]
CommonKind: TypeAlias = Literal["intro", "black", "logo", "other"]
MatchKey: TypeAlias = tuple[str, str, str, Interval, Interval]
"""Which match: digest of the query's file, id and descriptor digest of the reference, stretches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTerms:
    """Under which terms a judged match was scored and shown.

    Attributes:
        rate_hz: sampled frames a second.
        threshold_digest: of every setting that can change a match but ``align.min_score``.
        fit_digest: of the fit that was applied; None where there was none.
        min_score: weaker matches were not shown; ``-inf`` where every match was.
    """

    rate_hz: float
    threshold_digest: str
    fit_digest: str | None
    min_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one reviewer said of one match.

    Attributes:
        verdict: ``copy``: it is right; ``not_a_copy``: it is wrong; ``common_material``: both
            videos show what many show, and this stretch of the reference should never match again.
        kind: of common material, what it is; None with another verdict, or where nobody said.
        note: free text.
        decided_at: when; in UTC.
        evidence_digest: of the evidence that was looked at.
        query_id: the upload.
        query_sha256: digest of its bytes.
        ref_id: the reference.
        ref_digest: of its descriptors as stored in the index.
        query: the stretch of the upload.
        ref: the stretch of the reference.
        score: of the match.
        index_version: of the references that were searched.
        space: of the stored descriptors.
        terms: under which the match was scored.
    """

    verdict: Verdict
    kind: CommonKind | None
    note: str
    decided_at: datetime
    evidence_digest: str
    query_id: str
    query_sha256: str
    ref_id: str
    ref_digest: str
    query: Interval
    ref: Interval
    score: float
    index_version: str
    space: DescriptorSpace
    terms: DecisionTerms

    @property
    def key(self) -> MatchKey:
        """The match that it is about; the same file under another id is the same query."""
        return (self.query_sha256, self.ref_id, self.ref_digest, self.query, self.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """One exported file.

    Attributes:
        made_at: when it was exported; in UTC.
        reviewer: as they call themselves; may be empty.
        decisions: in the order of the file.
    """

    made_at: datetime
    reviewer: str
    decisions: tuple[Decision, ...]


def last_of_each(
    decisions: Iterable[Decision],
) -> tuple[tuple[Decision, ...], tuple[tuple[Decision, Decision], ...]]:
    """Keep of each match the decision that was made last; of two at one time the later listed.

    Returns:
        The decisions that count, in the order in which their matches came first; and those that
        do not although they say something else, each with the one that counts.
    """
    by_match: dict[MatchKey, list[Decision]] = {}
    for decision in decisions:
        by_match.setdefault(decision.key, []).append(decision)
    last = {key: max(reversed(each), key=lambda d: d.decided_at) for key, each in by_match.items()}
    overruled = tuple(
        (decision, last[key])
        for key, each in by_match.items()
        for decision in each
        if decision.verdict != last[key].verdict
    )
    return tuple(last.values()), overruled
