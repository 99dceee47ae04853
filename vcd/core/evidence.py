"""Why one match is one: its line through time, how similar it is where, what was done to it.

    Match.evidence <-> {"line": {...}, "per_second": [...], "best": [...], "hints": [...]}

These records are small enough to travel in a report; pictures and everything else that a reviewer
looks at are in `vcd.evidence`, which also makes them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "FramePair",
    "Hint",
    "MatchEvidence",
    "TimeLine",
    "match_evidence_from_document",
    "match_evidence_to_document",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLine:
    """The line that a copy follows: ``ref_s = slope * query_s + intercept_s``.

    Attributes:
        slope: reference seconds that pass in a second of the query; above 0.
        intercept_s: reference time at query time 0.
        residual_s: median distance of the matching frames from the line, on the reference's
            clock.
    """

    slope: float
    intercept_s: float
    residual_s: float

    def __post_init__(self) -> None:
        if not (self.slope > 0.0 and math.isfinite(self.slope) and self.residual_s >= 0.0):
            raise ValueError(f"wanted a finite slope above 0 and a residual of 0 or more: {self}")
        if not math.isfinite(self.intercept_s + self.residual_s):
            raise ValueError(f"a line needs finite numbers, got {self}")

    def ref_at(self, query_s: float) -> float:
        """Say which reference time lies on the line at a query time."""
        return self.slope * query_s + self.intercept_s


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePair:
    """A frame of the query beside the frame of the reference that it was held against.

    Attributes:
        query_s: when the one was taken, on the query's clock.
        ref_s: when the other was taken, on the reference's clock.
        similarity: their inner product; None where either carries no evidence.
    """

    query_s: float
    ref_s: float
    similarity: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing that seems to have been done to the copy.

    Attributes:
        kind: a word of ``docs/glossary.md``: ``mirrored``, ``cropped``, ``padded``, ``inset``,
            ``stacked``, ``speed``, ``overlaid``, ``colour``.
        value: how much, in the unit that the glossary gives for the kind; None where there is
            nothing to measure.
    """

    kind: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchEvidence:
    """Why one match is one.

    Attributes:
        query_view: which view of the query's frames matched; 0 = the whole frame.
        ref_view: the same of the reference.
        line: fitted through the matching frames; None where one of the two has a single frame.
        strength: mean evidence of a query frame of the stretch, 0 to 1.
        num_independent: how many of its frames say something of their own; 1 or more.
        per_second: one pair on the line for each second of the query's stretch, in time order:
            the sampled frame nearest to the middle of the second. A last second may be shorter; a
            match of more than an hour has 3,600 pairs, evenly spread.
        best: the most similar pairs of the path, best first, no two within a second.
        hints: what seems to have been done to the copy.
    """

    query_view: int
    ref_view: int
    line: TimeLine | None
    strength: float
    num_independent: float
    per_second: tuple[FramePair, ...]
    best: tuple[FramePair, ...]
    hints: tuple[Hint, ...]


def match_evidence_to_document(evidence: MatchEvidence) -> dict[str, Any]:
    """Turn it into what `json.dumps` takes, strictly standard JSON."""
    line = evidence.line
    return {
        "query_view": int(evidence.query_view),
        "ref_view": int(evidence.ref_view),
        "line": line
        and {
            "slope": float(line.slope),
            "intercept_s": float(line.intercept_s),
            "residual_s": float(line.residual_s),
        },
        "strength": float(evidence.strength),
        "num_independent": float(evidence.num_independent),
        "per_second": [_pair_to_document(pair) for pair in evidence.per_second],
        "best": [_pair_to_document(pair) for pair in evidence.best],
        "hints": [{"kind": hint.kind, "value": hint.value} for hint in evidence.hints],
    }


def match_evidence_from_document(document: Mapping[str, Any]) -> MatchEvidence:
    """Build what `match_evidence_to_document` wrote.

    Raises:
        KeyError: a key is missing.
        TypeError: a value is not of its kind.
        ValueError: a value is out of its range.
    """
    line = document["line"]
    return MatchEvidence(
        query_view=_view(document["query_view"]),
        ref_view=_view(document["ref_view"]),
        line=None if line is None else _line_from_document(line),
        strength=_number(document["strength"]),
        num_independent=_number(document["num_independent"]),
        per_second=tuple(map(_pair_from_document, _list(document["per_second"]))),
        best=tuple(map(_pair_from_document, _list(document["best"]))),
        hints=tuple(map(_hint_from_document, _list(document["hints"]))),
    )


def _line_from_document(document: Mapping[str, Any]) -> TimeLine:
    return TimeLine(
        slope=_number(document["slope"]),
        intercept_s=_number(document["intercept_s"]),
        residual_s=_number(document["residual_s"]),
    )


def _pair_to_document(pair: FramePair) -> dict[str, Any]:
    similarity = pair.similarity
    return {
        "query_s": float(pair.query_s),
        "ref_s": float(pair.ref_s),
        "similarity": None if similarity is None else float(similarity),
    }


def _pair_from_document(document: Mapping[str, Any]) -> FramePair:
    similarity = document["similarity"]
    return FramePair(
        query_s=_number(document["query_s"]),
        ref_s=_number(document["ref_s"]),
        similarity=None if similarity is None else _number(similarity),
    )


def _hint_from_document(document: Mapping[str, Any]) -> Hint:
    kind, value = document["kind"], document["value"]
    if not isinstance(kind, str):
        raise TypeError(f"wanted the kind of a hint as text, got {kind!r}"[:80])
    return Hint(kind=kind, value=None if value is None else _number(value))


def _view(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"wanted the number of a view, got {value!r}"[:80])
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"wanted a list, got {type(value).__name__} {value!r}"[:80])
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"wanted a finite number, got {value!r}"[:80])
    return float(value)
