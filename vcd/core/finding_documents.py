"""Matches and rejections as JSON objects, and what both are made of."""

import math
from collections.abc import Mapping
from typing import Any

from vcd.core.evidence import match_evidence_from_document, match_evidence_to_document
from vcd.core.findings import Match, Rejection
from vcd.core.timeline import Interval

__all__ = [
    "interval_from_document",
    "interval_to_document",
    "json_number",
    "match_from_document",
    "match_to_document",
    "rejection_from_document",
    "rejection_to_document",
    "text_of",
]


def match_to_document(match: Match) -> dict[str, Any]:
    """Turn a match into what `json.dumps` takes; its evidence is only there when it was made."""
    document: dict[str, Any] = {
        "query_id": match.query_id,
        "ref_id": match.ref_id,
        "query": interval_to_document(match.query),
        "ref": interval_to_document(match.ref),
        "score": float(match.score),
    }
    if match.evidence is not None:
        document["evidence"] = match_evidence_to_document(match.evidence)
    return document


def match_from_document(document: Mapping[str, Any]) -> Match:
    """Build the match that `match_to_document` wrote.

    Raises:
        KeyError: a key is missing.
        TypeError: a value is not of its kind.
        ValueError: a value is out of its range.
    """
    evidence = document.get("evidence")
    return Match(
        query_id=text_of(document["query_id"]),
        ref_id=text_of(document["ref_id"]),
        query=interval_from_document(document["query"]),
        ref=interval_from_document(document["ref"]),
        score=float(document["score"]),
        evidence=None if evidence is None else match_evidence_from_document(evidence),
    )


def rejection_to_document(rejection: Rejection) -> dict[str, Any]:
    """Turn a rejection into what `json.dumps` takes; stretches are only there when known."""
    document: dict[str, Any] = {
        "query_id": rejection.query_id,
        "ref_id": rejection.ref_id,
        "rule": rejection.rule,
        "score": json_number(rejection.score),
        "value": json_number(rejection.value),
        "limit": json_number(rejection.limit),
    }
    if rejection.query is not None and rejection.ref is not None:
        document["query"] = interval_to_document(rejection.query)
        document["ref"] = interval_to_document(rejection.ref)
    return document


def rejection_from_document(document: Mapping[str, Any]) -> Rejection:
    """Build the rejection that `rejection_to_document` wrote.

    Raises:
        KeyError: a key is missing.
        TypeError: a value is not of its kind.
        ValueError: a value is out of its range.
    """
    query, ref = document.get("query"), document.get("ref")
    return Rejection(
        query_id=text_of(document["query_id"]),
        ref_id=text_of(document["ref_id"]),
        rule=text_of(document["rule"]),
        score=float(document["score"]),
        value=float(document["value"]),
        limit=float(document["limit"]),
        query=None if query is None else interval_from_document(query),
        ref=None if ref is None else interval_from_document(ref),
    )


def interval_to_document(interval: Interval) -> dict[str, float]:
    """``[1, 2)`` -> ``{"start_s": 1.0, "end_s": 2.0}``."""
    return {"start_s": float(interval.start_s), "end_s": float(interval.end_s)}


def interval_from_document(document: Mapping[str, Any]) -> Interval:
    """Build the interval that `interval_to_document` wrote; raises as `match_from_document`."""
    return Interval(float(document["start_s"]), float(document["end_s"]))


def json_number(value: float) -> float | str:
    """A limit may be infinite, and JSON has no infinity: it is written as ``"inf"``."""
    return float(value) if math.isfinite(value) else str(float(value))


def text_of(value: object) -> str:
    """Take a value that must be text.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"wanted text, got {type(value).__name__} {value!r}"[:90])
    return value
