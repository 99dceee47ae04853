"""Decisions made to order; what differs stands in the call."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import SPACE
from vcd.core import Interval
from vcd.evidence import Decision, Decisions, DecisionTerms

TERMS = DecisionTerms(rate_hz=2.0, threshold_digest="00ff", fit_digest=None, min_score=0.45)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def make_decision(verdict: str = "copy", *, minute: int = 0, **changes: Any) -> Decision:
    """Judge a match of the upload ``q`` and the reference ``r``, some minutes after noon."""
    parts: dict[str, Any] = {
        "verdict": verdict,
        "kind": None,
        "note": "",
        "decided_at": NOON + timedelta(minutes=minute),
        "evidence_digest": "ee" * 32,
        "query_id": "q",
        "query_sha256": "aa" * 32,
        "ref_id": "r",
        "ref_digest": "dd" * 32,
        "query": Interval(0.0, 10.0),
        "ref": Interval(2.0, 12.0),
        "score": 0.75,
        "index_version": "5e" * 32,
        "space": SPACE,
        "terms": TERMS,
    }
    return Decision(**{**parts, **changes})


def make_decisions(*decisions: Decision) -> Decisions:
    return Decisions(made_at=NOON, reviewer="Ann", decisions=decisions)
