"""Write records as text and read them back; one format for files and for topics.

A report is one line of JSON: sorted keys, no blanks, numbers in their shortest
exact form, so that equal reports are equal bytes and nothing is lost by a
round trip. The form is published as ``docs/schemas/match_report.schema.json``.
A reader ignores keys it does not know and refuses a version it does not know.

    MatchReport <-> {"schema_version": 1, ...}
    Match       <-> query_id,ref_id,query_start,query_end,ref_start,ref_end,score
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from vcd.core.errors import InputError
from vcd.core.finding_documents import (
    interval_from_document,
    interval_to_document,
    json_number,
    match_from_document,
    match_to_document,
    rejection_from_document,
    rejection_to_document,
    text_of,
)
from vcd.core.findings import Match, MatchReport
from vcd.core.records import DescriptorSpace, Skipped
from vcd.core.timeline import Interval

__all__ = [
    "MATCH_COLUMNS",
    "REPORT_SCHEMA_VERSION",
    "csv_name",
    "decode_matches",
    "decode_report",
    "encode_matches",
    "encode_report",
    "json_number",
    "report_from_document",
    "report_to_document",
]

MATCH_COLUMNS = (
    "query_id",
    "ref_id",
    "query_start",
    "query_end",
    "ref_start",
    "ref_end",
    "score",
)
"""Header of a matches CSV, in the order of the VSC2022 matching protocol; seconds."""

REPORT_SCHEMA_VERSION = 1


def encode_report(report: MatchReport, *, with_elapsed: bool = True) -> str:
    """Write a report as one line of JSON, without a line end.

    Args:
        report: what to write.
        with_elapsed: leave it out to compare two reports of equal identity byte by byte.
    """
    document = report_to_document(report)
    if not with_elapsed:
        del document["elapsed_s"]
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def decode_report(text: str | bytes, *, origin: str = "report") -> MatchReport:
    """Read a report that `encode_report` wrote.

    Args:
        text: one JSON object.
        origin: file and line, or topic and offset, for the message of an error.

    Raises:
        InputError: not JSON, not a report, or one of a version that this code does not know.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin}: wanted a report as one JSON object: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{origin}: wanted a report as a JSON object, got {_kind(document)}")
    return report_from_document(document, origin=origin)


def report_to_document(report: MatchReport) -> dict[str, Any]:
    """Turn a report into what `json.dumps` takes, strictly standard JSON."""
    return {
        "schema_version": report.schema_version,
        "query_id": report.query_id,
        "query_sha256": report.query_sha256,
        "matches": [match_to_document(match) for match in report.matches],
        "rejected": [rejection_to_document(rejection) for rejection in report.rejected],
        "examined": [interval_to_document(interval) for interval in report.examined],
        "skipped": [
            {**interval_to_document(skipped.interval), "reason": skipped.reason}
            for skipped in report.skipped
        ],
        "refused": report.refused,
        "decoder": report.decoder,
        "num_refs": report.num_refs,
        "index_version": report.index_version,
        "space": {
            "name": report.space.name,
            "dim": report.space.dim,
            "fingerprint": report.space.fingerprint,
        },
        "settings_digest": report.settings_digest,
        "num_pairs_over_cap": report.num_pairs_over_cap,
        "elapsed_s": {stage: float(spent) for stage, spent in report.elapsed_s.items()},
        **_left_out(report),
    }


def report_from_document(document: Mapping[str, Any], *, origin: str = "report") -> MatchReport:
    """Build the report that `report_to_document` wrote.

    Raises:
        InputError: a key is missing, a value is not of its kind, or the version is unknown.
    """
    version = document.get("schema_version")
    if version != REPORT_SCHEMA_VERSION:
        raise InputError(
            f"{origin}: wanted a report of schema version {REPORT_SCHEMA_VERSION}, got {version!r}"
        )
    try:
        return _report_from(document)
    except KeyError as error:
        raise InputError(f"{origin}: the report lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{origin}: not a valid report: {error}") from error


def encode_matches(matches: Iterable[Match]) -> str:
    """Write matches as CSV with a header; times in seconds, numbers in their shortest form."""
    lines = [",".join(MATCH_COLUMNS)]
    for match in matches:
        bounds = (match.query.start_s, match.query.end_s, match.ref.start_s, match.ref.end_s)
        numbers = (repr(float(value)) for value in (*bounds, match.score))
        lines.append(",".join((csv_name(match.query_id), csv_name(match.ref_id), *numbers)))
    return "\n".join(lines) + "\n"


def decode_matches(text: str, *, origin: str = "matches") -> tuple[Match, ...]:
    """Read a matches CSV; columns may come in any order and others are ignored.

    Raises:
        InputError: a column is missing or a line is not a match; names the line.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in MATCH_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"{origin}: wanted the columns {','.join(MATCH_COLUMNS)}; lacks {', '.join(missing)}"
        )
    matches = []
    for row in reader:
        try:
            matches.append(_match_from_row(row))
        except (TypeError, ValueError) as error:
            raise InputError(f"{origin}, line {reader.line_num}: not a match: {error}") from error
    return tuple(matches)


def _report_from(document: Mapping[str, Any]) -> MatchReport:
    space = document["space"]
    return MatchReport(
        schema_version=REPORT_SCHEMA_VERSION,
        query_id=text_of(document["query_id"]),
        query_sha256=_text_or_none(document["query_sha256"]),
        matches=tuple(map(match_from_document, document["matches"])),
        rejected=tuple(map(rejection_from_document, document["rejected"])),
        examined=tuple(map(interval_from_document, document["examined"])),
        skipped=tuple(map(_skipped_from_document, document["skipped"])),
        refused=_text_or_none(document["refused"]),
        decoder=_text_or_none(document["decoder"]),
        num_refs=int(document["num_refs"]),
        index_version=text_of(document["index_version"]),
        space=DescriptorSpace(
            name=text_of(space["name"]),
            dim=int(space["dim"]),
            fingerprint=text_of(space["fingerprint"]),
        ),
        settings_digest=text_of(document["settings_digest"]),
        num_pairs_over_cap=int(document["num_pairs_over_cap"]),
        num_matches_left_out=int(document.get("num_matches_left_out", 0)),
        num_stretches_left_out=int(document.get("num_stretches_left_out", 0)),
        num_evidence_left_out=int(document.get("num_evidence_left_out", 0)),
        elapsed_s={
            text_of(stage): float(spent) for stage, spent in document.get("elapsed_s", {}).items()
        },
    )


def _left_out(report: MatchReport) -> dict[str, int]:
    """Count what a message had no room for; only there when it is so, as in older reports."""
    counts = {
        "num_matches_left_out": report.num_matches_left_out,
        "num_stretches_left_out": report.num_stretches_left_out,
        "num_evidence_left_out": report.num_evidence_left_out,
    }
    return {name: count for name, count in counts.items() if count}


def _match_from_row(row: Mapping[str, str]) -> Match:
    return Match(
        query_id=row["query_id"],
        ref_id=row["ref_id"],
        query=Interval(float(row["query_start"]), float(row["query_end"])),
        ref=Interval(float(row["ref_start"]), float(row["ref_end"])),
        score=float(row["score"]),
    )


def _skipped_from_document(document: Mapping[str, Any]) -> Skipped:
    return Skipped(interval=interval_from_document(document), reason=text_of(document["reason"]))


def csv_name(name: str) -> str:
    """Quote a name where CSV needs it; `csv.writer` would leave a lone carriage return bare."""
    if not any(special in name for special in ',"\r\n'):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _text_or_none(value: object) -> str | None:
    return None if value is None else text_of(value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r}"[:80]
