"""Decisions as bytes: what the page exports; anybody's file, believed nothing.

    {"format": "vcd decisions", "version": 1, "decisions": [{"verdict": "copy", ...}]}

The form is published as ``docs/schemas/decisions.schema.json``.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast, get_args

from vcd.core import DescriptorSpace, InputError, Interval
from vcd.core.finding_documents import interval_to_document, json_number, text_of
from vcd.evidence.decisions import CommonKind, Decision, Decisions, DecisionTerms, Verdict
from vcd.evidence.record_values import count_of, digest_of, list_of, number_of, object_of

__all__ = [
    "decision_from_document",
    "decision_to_document",
    "decode_decisions",
    "encode_decisions",
]

_FORMAT = "vcd decisions"
_VERSION = 1
_MAX_DECISIONS = 100_000
_MAX_BYTES = 256 * 2**20
_MAX_NAME = 4096
_MAX_NOTE = 10_000
_MAX_REVIEWER = 1000
_MAX_DIM = 100_000


def encode_decisions(decisions: Decisions) -> bytes:
    """Write decisions as the page does; equal ones are equal bytes."""
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "made_at": _moment_text(decisions.made_at),
        "reviewer": decisions.reviewer,
        "decisions": [decision_to_document(each) for each in decisions.decisions],
    }
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def decode_decisions(data: bytes, *, origin: str = "decisions") -> Decisions:
    """Read an exported file; keys that it does not know are ignored.

    Args:
        data: the whole file.
        origin: its name, for the message of an error.

    Raises:
        InputError: not decisions, a version that this code does not know, or an entry that is not
            what the schema says; names the entry, counted from 1.
    """
    document = _parsed(data, origin)
    if document.get("format") != _FORMAT:
        raise InputError(f"{origin}: wanted decisions as the page of `vcd review` exports them")
    version = document.get("version")
    if isinstance(version, bool) or version != _VERSION:
        raise InputError(
            f"{origin}: wanted decisions of version {_VERSION}, got {version!r}"[:300],
            reason="unknown_version",
        )
    place = origin
    try:
        entries = _entries_of(document["decisions"])
        made_at = _moment_of(document["made_at"])
        reviewer = _bounded(document["reviewer"], _MAX_REVIEWER)
        decisions = []
        for number, entry in enumerate(entries, start=1):
            place = f"{origin}, decision {number}"
            decisions.append(decision_from_document(object_of(entry)))
    except KeyError as error:
        raise InputError(f"{place}: it lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{place}: {error}"[:500]) from error
    return Decisions(made_at=made_at, reviewer=reviewer, decisions=tuple(decisions))


def decision_to_document(decision: Decision) -> dict[str, Any]:
    """Turn a decision into what `json.dumps` takes, strictly standard JSON."""
    terms = decision.terms
    return {
        "verdict": decision.verdict,
        "kind": decision.kind,
        "note": decision.note,
        "decided_at": _moment_text(decision.decided_at),
        "evidence_digest": decision.evidence_digest,
        "query_id": decision.query_id,
        "query_sha256": decision.query_sha256,
        "ref_id": decision.ref_id,
        "ref_descriptor_digest": decision.ref_digest,
        "query": interval_to_document(decision.query),
        "ref": interval_to_document(decision.ref),
        "score": float(decision.score),
        "index_version": decision.index_version,
        "space": asdict(decision.space),
        "terms": {**asdict(terms), "min_score": json_number(terms.min_score)},
    }


def decision_from_document(document: Mapping[str, Any]) -> Decision:
    """Build what `decision_to_document` wrote.

    Raises:
        KeyError: a key is missing.
        OverflowError: a number is larger than any.
        TypeError: a value is not of its kind.
        ValueError: a value is out of its range.
    """
    verdict = _one_of(document["verdict"], get_args(Verdict))
    kind = document["kind"]
    if kind is not None and verdict != "common_material":
        raise ValueError(f"wanted a kind with common_material alone, got one with {verdict}")
    return Decision(
        verdict=cast(Verdict, verdict),
        kind=None if kind is None else cast(CommonKind, _one_of(kind, get_args(CommonKind))),
        note=_bounded(document["note"], _MAX_NOTE),
        decided_at=_moment_of(document["decided_at"]),
        evidence_digest=digest_of(document["evidence_digest"]),
        query_id=_name_of(document["query_id"]),
        query_sha256=digest_of(document["query_sha256"]),
        ref_id=_name_of(document["ref_id"]),
        ref_digest=digest_of(document["ref_descriptor_digest"]),
        query=_stretch_of(document["query"]),
        ref=_stretch_of(document["ref"]),
        score=number_of(document["score"]),
        index_version=_name_of(document["index_version"]),
        space=_space_of(object_of(document["space"])),
        terms=_terms_of(object_of(document["terms"])),
    )


def _parsed(data: bytes, origin: str) -> dict[str, Any]:
    if len(data) > _MAX_BYTES:
        raise InputError(f"{origin}: wanted at most {_MAX_BYTES} bytes, got {len(data)}")
    try:
        document = json.loads(data, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except RecursionError:
        raise InputError(f"{origin}: nested too deeply to be read") from None
    except ValueError as error:
        raise InputError(f"{origin}: wanted decisions as JSON in UTF-8: {error}"[:300]) from error
    if not isinstance(document, dict):
        raise InputError(f"{origin}: wanted decisions as one JSON object")
    return document


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; of two keys with one name, which one counts would depend on the reader."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key is there twice in one object")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _terms_of(document: Mapping[str, Any]) -> DecisionTerms:
    fit_digest, min_score = document["fit_digest"], document["min_score"]
    rate_hz = number_of(document["rate_hz"])
    if rate_hz <= 0.0:
        raise ValueError(f"wanted a rate above 0, got {rate_hz}")
    return DecisionTerms(
        rate_hz=rate_hz,
        threshold_digest=_name_of(document["threshold_digest"]),
        fit_digest=None if fit_digest is None else _name_of(fit_digest),
        min_score=float("-inf") if min_score == "-inf" else number_of(min_score),
    )


def _space_of(document: Mapping[str, Any]) -> DescriptorSpace:
    return DescriptorSpace(
        name=_name_of(document["name"]),
        dim=count_of(document["dim"], most=_MAX_DIM),
        fingerprint=_name_of(document["fingerprint"]),
    )


def _stretch_of(value: object) -> Interval:
    document = object_of(value)
    return Interval(number_of(document["start_s"]), number_of(document["end_s"]))


def _entries_of(value: object) -> list[Any]:
    entries = list_of(value)
    if len(entries) > _MAX_DECISIONS:
        raise ValueError(f"wanted at most {_MAX_DECISIONS} decisions, got {len(entries)}")
    return entries


def _name_of(value: object) -> str:
    name = _bounded(value, _MAX_NAME)
    if not name:
        raise ValueError("wanted a name, got an empty text")
    return name


def _bounded(value: object, most: int) -> str:
    text = text_of(value)
    if len(text) > most:
        raise ValueError(f"wanted at most {most} characters, got {len(text)}")
    return text


def _one_of(value: object, words: tuple[str, ...]) -> str:
    if value not in words:
        raise ValueError(f"wanted {', '.join(words)}, got {value!r}"[:200])
    return text_of(value)


def _moment_of(value: object) -> datetime:
    text = text_of(value)
    if not text.endswith("Z") or len(text) > 27 or "T" not in text:
        raise ValueError(f"wanted a time in UTC like 2026-11-21T21:00:00Z, got {text!r}"[:200])
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
