"""The rows of the report's overview, with what many uploads share said once.

    record -> OverviewRows.add -> rows, references, words, terms

Rows carry what decisions on the page are exported with, so that no details need be loaded for it.
"""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from vcd.core import Interval, MatchReport, total_length_s
from vcd.core.finding_documents import json_number
from vcd.evidence.page_words import hint_name, skip_name
from vcd.evidence.record import EvidenceRecord

__all__ = ["OverviewRows"]

_Key = TypeVar("_Key")
_Space = tuple[str, int, str]
_Terms = tuple[float, str, str | None, float | str]
_TERM_NAMES = ("rate_hz", "threshold_digest", "fit_digest", "min_score")


@dataclass(kw_only=True)
class OverviewRows:
    """The rows of the overview, and the tables that they point into by number.

    Attributes:
        rows: for each upload its id, verdict (``match``, ``none``, or ``refused``: nothing of it
            was looked at), length, seconds matched, matches (reference, bounds in both, score),
            hints, stretches not looked at (reason, seconds), whether more is unknown, digests of
            evidence and file, terms.
        refs: id and descriptor digest of each reference that a match names.
        words: hints and reasons.
        contexts: index version, space and terms that scores were made under.
    """

    rows: list[list[Any]] = field(default_factory=list)
    refs: dict[tuple[str, str], int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    contexts: dict[tuple[str, _Space, _Terms], int] = field(default_factory=dict)

    def add(self, record: EvidenceRecord) -> int:
        """Add the row of an upload and return its number."""
        report, query = record.report, record.query
        hints = {hint_name(hint) for match in record.matches for hint in match.hints}
        is_seen = report.refused is None and bool(report.examined or not report.skipped)
        verdict = "none" if is_seen else "refused"
        self.rows.append(
            [
                report.query_id,
                "match" if report.matches else verdict,
                None if query is None else query.duration_s,
                total_length_s([match.query for match in report.matches]),
                self._matches(record),
                [_number(self.words, hint) for hint in sorted(hints)],
                self._unseen(report),
                int(report.num_stretches_left_out > 0),
                record.digest,
                report.query_sha256,
                self._context(record),
            ]
        )
        return len(self.rows) - 1

    def document(self) -> dict[str, Any]:
        """Turn all rows and tables into what `json.dumps` takes."""
        return {
            "rows": self.rows,
            "refs": [list(ref) for ref in self.refs],
            "words": list(self.words),
            "contexts": [_context(*context) for context in self.contexts],
        }

    def _matches(self, record: EvidenceRecord) -> list[list[Any]]:
        digests = {ref.video.id: ref.descriptor_digest for ref in record.refs}
        return [
            [
                _number(self.refs, (match.ref_id, digests[match.ref_id])),
                *_bounds(match.query),
                *_bounds(match.ref),
                match.score,
            ]
            for match in record.report.matches
        ]

    def _unseen(self, report: MatchReport) -> list[list[float]]:
        unseen_s: dict[str, float] = {}
        for skipped in report.skipped:
            before_s = unseen_s.get(skipped.reason, 0.0)
            unseen_s[skipped.reason] = before_s + skipped.interval.length_s
        return [
            [_number(self.words, skip_name(reason)), round(length_s, 3)]
            for reason, length_s in sorted(unseen_s.items())
        ]

    def _context(self, record: EvidenceRecord) -> int:
        space, terms = record.report.space, record.terms
        return _number(
            self.contexts,
            (
                record.report.index_version,
                (space.name, space.dim, space.fingerprint),
                (terms.rate_hz, terms.threshold_digest, terms.fit_digest, _shown_from(record)),
            ),
        )


def _context(index_version: str, space: _Space, terms: _Terms) -> dict[str, Any]:
    return {
        "index_version": index_version,
        "space": dict(zip(("name", "dim", "fingerprint"), space, strict=True)),
        "terms": dict(zip(_TERM_NAMES, terms, strict=True)),
    }


def _shown_from(record: EvidenceRecord) -> float | str:
    """Say from which score on matches were told; where nobody says, from the weakest one on."""
    named = record.terms.settings.get("align.min_score")
    if isinstance(named, int | float):
        return json_number(named)
    weakest = min((match.score for match in record.report.matches), default=0.0)
    return "-inf" if named == "-inf" else weakest


def _bounds(interval: Interval) -> list[float]:
    return [interval.start_s, interval.end_s]


def _number(table: dict[_Key, int], key: _Key) -> int:
    return table.setdefault(key, len(table))
