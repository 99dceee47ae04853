"""Fit a report into a message: what does not go in is counted, never just gone.

    evidence of matches     before anything else, that of the weakest first, as much as must
    matches                 the weakest go first, and only as many as must
    examined, skipped       only where they fill half of a message: the shortest go first
    rejected                only where they fill a tenth of a message: the weakest go first
    a sentence of refusal   cut at 4,096 characters

Less is then said than was found, but nothing that is not so: a stretch that is
not listed is not claimed to have been examined, and the counts say how many are
missing. The same report under the same limit is always cut in the same way.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from vcd.core import MatchReport, SetupError, encode_report, report_to_document
from vcd.core.finding_documents import match_to_document
from vcd.stream.messages.fields import document_bytes

__all__ = ["encode_report_message"]

_MAX_SENTENCE_CHARS = 4096
_STRETCHES_SHARE = 0.5
_REJECTED_SHARE = 0.1
"""Of a message, so that at least four tenths are for what was found."""


def encode_report_message(report: MatchReport, *, max_bytes: int) -> bytes:
    """Write a report as one line of JSON that is no longer than the log takes.

    Raises:
        SetupError: not even a report without matches fits.
    """
    data = _written(report)
    if len(data) <= max_bytes:
        return data
    bare = _without_evidence(report, 0)
    room = max_bytes - len(_written(bare))
    if room >= 0:
        return _written(_without_evidence(report, room))
    data = _written(_without_weakest(_with_short_lists(bare, max_bytes), max_bytes))
    if len(data) > max_bytes:
        raise SetupError(
            f"stream.max_report_bytes: wanted room for a report on {report.query_id!a} "
            f"({len(data)} bytes without matches), got {max_bytes}"
        )
    return data


def _without_evidence(report: MatchReport, max_bytes: int) -> MatchReport:
    """Keep the evidence of the best matches, as much of it as goes into so many bytes."""
    documents = [match_to_document(match) for match in report.matches]
    written = [{"evidence": each["evidence"]} for each in documents if "evidence" in each]
    num_kept = _num_that_fit(written, max_bytes)
    num_seen = 0
    matches = []
    for match in report.matches:
        num_seen += match.evidence is not None
        is_kept = num_seen <= num_kept
        matches.append(match if is_kept else dataclasses.replace(match, evidence=None))
    num_gone = len(written) - num_kept
    return dataclasses.replace(
        report,
        matches=tuple(matches),
        num_evidence_left_out=report.num_evidence_left_out + num_gone,
    )


def _with_short_lists(report: MatchReport, max_bytes: int) -> MatchReport:
    """Hold everything but the matches to its share."""
    document = report_to_document(report)
    stretches = [
        (interval.length_s, "examined", ordinal) for ordinal, interval in enumerate(report.examined)
    ] + [
        (skipped.interval.length_s, "skipped", ordinal)
        for ordinal, skipped in enumerate(report.skipped)
    ]
    stretches.sort(key=lambda stretch: (-stretch[0], *stretch[1:]))
    written = (document[name][ordinal] for _, name, ordinal in stretches)
    num_stretches = _num_that_fit(written, max_bytes * _STRETCHES_SHARE)
    kept = {(name, ordinal) for _, name, ordinal in stretches[:num_stretches]}
    num_rejected = _num_that_fit(document["rejected"], max_bytes * _REJECTED_SHARE)
    return dataclasses.replace(
        report,
        rejected=report.rejected[:num_rejected],
        examined=tuple(
            interval for at, interval in enumerate(report.examined) if ("examined", at) in kept
        ),
        skipped=tuple(
            skipped for at, skipped in enumerate(report.skipped) if ("skipped", at) in kept
        ),
        refused=_cut(report.refused),
        num_stretches_left_out=report.num_stretches_left_out + len(stretches) - num_stretches,
    )


def _without_weakest(report: MatchReport, max_bytes: int) -> MatchReport:
    """Keep the best matches that fit beside the rest; they are in order of falling score."""
    num_all = report.num_matches_left_out + len(report.matches)
    bare = dataclasses.replace(report, matches=(), num_matches_left_out=num_all)
    room = max_bytes - len(_written(bare))
    num_kept = _num_that_fit(report_to_document(report)["matches"], room)
    return dataclasses.replace(
        report, matches=report.matches[:num_kept], num_matches_left_out=num_all - num_kept
    )


def _written(report: MatchReport) -> bytes:
    """Write it whatever a file name in a sentence holds: half a character becomes ``?``."""
    return encode_report(report).encode(errors="replace")


def _num_that_fit(entries: Iterable[Mapping[str, Any]], max_bytes: float) -> int:
    """Count the first entries of a list that, with a comma each, need no more than that."""
    num_bytes = 0
    num_kept = 0
    for entry in entries:
        num_bytes += len(document_bytes(entry)) + 1
        if num_bytes > max_bytes:
            break
        num_kept += 1
    return num_kept


def _cut(sentence: str | None) -> str | None:
    if sentence is None or len(sentence) <= _MAX_SENTENCE_CHARS:
        return sentence
    return sentence[:_MAX_SENTENCE_CHARS] + "..."
