"""The files that `vcd check` leaves: reports as they come, matches when all are there.

FILE.reports.jsonl   one report a line, appended and flushed as each upload is done
FILE                 .csv, .json or .parquet, written whole and put in place at once
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vcd.core import InputError, Match, MatchReport, SetupError
from vcd.core.codec import (
    MATCH_COLUMNS,
    decode_report,
    encode_matches,
    encode_report,
    report_to_document,
)

__all__ = ["MATCH_WRITERS", "ReportLog", "reports_document", "write_matches"]


class ReportLog:
    """An append-only file of reports; what a second run of the same command resumes from.

    Args:
        path: of the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {report.query_id: report for report in _read(path)}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("a", encoding="utf-8")
        self._finish_torn_line()

    def known(self, query_id: str) -> MatchReport | None:
        """Return the last report of this query, if an earlier run wrote one."""
        return self._known.get(query_id)

    def append(self, report: MatchReport) -> None:
        """Write one report; it is on disk when this returns.

        Raises:
            SetupError: the disk does not take it.
        """
        try:
            self._stream.write(encode_report(report) + "\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise SetupError(f"{self._path}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        self._stream.close()

    def _finish_torn_line(self) -> None:
        """End the line that a killed run left half written, so that ours starts a new one."""
        with self._path.open("rb") as written:
            if written.seek(0, os.SEEK_END) == 0:
                return
            written.seek(-1, os.SEEK_END)
            is_torn = written.read(1) != b"\n"
        if is_torn:
            self._stream.write("\n")


def _read(path: Path) -> list[MatchReport]:
    """Read the whole lines; one that a killed run left half written is passed over."""
    if not path.exists():
        return []
    reports = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                reports.append(decode_report(line, origin=f"{path}, line {number}"))
            except InputError:
                continue
    return reports


def reports_document(reports: Sequence[MatchReport], summary: dict[str, Any]) -> dict[str, Any]:
    """Put reports into the form of ``--json``: reports, refused, summary."""
    return {
        "reports": [report_to_document(report) for report in reports if report.refused is None],
        "refused": [
            {"query_id": report.query_id, "reason": report.refused}
            for report in reports
            if report.refused is not None
        ],
        "summary": summary,
    }


def write_matches(path: Path, reports: Sequence[MatchReport], summary: dict[str, Any]) -> None:
    """Write the matches of all reports in the form that the file's ending names.

    Raises:
        SetupError: the ending is none of `MATCH_WRITERS`, or the disk does not take it.
    """
    part = path.with_name(path.name + ".part")
    try:
        MATCH_WRITERS[path.suffix](part, reports, summary)
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _all_matches(reports: Sequence[MatchReport]) -> list[Match]:
    return [match for report in reports for match in report.matches]


def _write_csv(path: Path, reports: Sequence[MatchReport], _summary: dict[str, Any]) -> None:
    path.write_text(encode_matches(_all_matches(reports)), encoding="utf-8")


def _write_json(path: Path, reports: Sequence[MatchReport], summary: dict[str, Any]) -> None:
    document = reports_document(reports, summary)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_parquet(path: Path, reports: Sequence[MatchReport], _summary: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (m.query_id, m.ref_id, m.query.start_s, m.query.end_s, m.ref.start_s, m.ref.end_s, m.score)
        for m in _all_matches(reports)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(MATCH_COLUMNS)
    kinds = [pa.string()] * 2 + [pa.float64()] * 5
    arrays = [pa.array(list(c), type=kind) for c, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(MATCH_COLUMNS, arrays, strict=True))), path)


MATCH_WRITERS: dict[str, Callable[[Path, Sequence[MatchReport], dict[str, Any]], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
