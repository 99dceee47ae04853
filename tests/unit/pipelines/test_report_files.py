"""The files of `vcd check`: what a killed run leaves, and what the next one makes of it."""

import contextlib
import dataclasses
import json

import pytest

from pipelines.report_files import ReportLog, reports_document, write_matches
from vcd.core import DescriptorSpace, Interval, Match, MatchReport, SetupError

REPORT = MatchReport(
    query_id="q",
    query_sha256="0" * 64,
    matches=(Match(query_id="q", ref_id="r", query=Interval(0, 4), ref=Interval(2, 6), score=0.9),),
    rejected=(),
    examined=(Interval(0.0, 5.0),),
    skipped=(),
    refused=None,
    decoder="pyav",
    num_refs=1,
    index_version="v",
    space=DescriptorSpace(name="s", dim=4, fingerprint="f"),
    settings_digest="d",
)


def _append(path, *reports):
    with contextlib.closing(ReportLog(path)) as log:
        for report in reports:
            log.append(report)


def _known(path, query_id):
    with contextlib.closing(ReportLog(path)) as log:
        return log.known(query_id)


def test_what_was_appended_is_known_to_the_next_run(tmp_path):
    path = tmp_path / "m.csv.reports.jsonl"

    _append(path, REPORT)

    assert _known(path, "q") == REPORT
    assert _known(path, "other") is None


def test_a_torn_last_line_is_passed_over_and_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "m.csv.reports.jsonl"
    _append(path, REPORT)
    whole = path.read_text()
    path.write_text(whole + whole[:50])

    _append(path, dataclasses.replace(REPORT, query_id="p", matches=()))

    assert _known(path, "q") == REPORT
    assert _known(path, "p") is not None


def test_the_last_report_of_a_query_counts(tmp_path):
    path = tmp_path / "m.csv.reports.jsonl"

    _append(path, REPORT, dataclasses.replace(REPORT, index_version="w"))

    assert _known(path, "q").index_version == "w"


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path):
    path = tmp_path / "m.csv"
    path.mkdir()
    (path / "kept").write_text("before")

    with pytest.raises(SetupError, match=r"m\.csv: cannot be written"):
        write_matches(path, [REPORT], {})

    assert (path / "kept").read_text() == "before"
    assert not path.with_name("m.csv.part").exists()


def test_refused_reports_are_listed_apart(tmp_path):
    refused = dataclasses.replace(
        REPORT, query_id="bad", matches=(), examined=(), refused="bad.mp4: an empty file"
    )

    document = reports_document([REPORT, refused], {"n": 2})

    assert [report["query_id"] for report in document["reports"]] == ["q"]
    assert document["refused"] == [{"query_id": "bad", "reason": "bad.mp4: an empty file"}]
    assert json.loads(json.dumps(document)) == document
