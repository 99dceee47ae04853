from dataclasses import replace

from tests.evidence_records import make_evidence, make_explained_match
from tests.factories import make_report
from vcd.core import Interval, Skipped
from vcd.evidence import EvidenceRecord
from vcd.evidence.page_rows import OverviewRows


def _named(record: EvidenceRecord, query_id: str) -> EvidenceRecord:
    return replace(record, report=replace(record.report, query_id=query_id), digest="1" * 64)


def test_what_uploads_share_is_said_once():
    rows = OverviewRows()

    numbers = [rows.add(_named(make_evidence(), query_id)) for query_id in ("a", "b")]

    document = rows.document()
    assert numbers == [0, 1]
    assert document["refs"] == [["tower", "d" * 64]]
    assert document["words"] == ["mirrored", "speed", "nearly uniform"]
    assert len(document["contexts"]) == 1
    assert document["rows"][0][1:] == document["rows"][1][1:]


def test_an_upload_of_which_nothing_was_looked_at_is_none_without_a_match():
    rows = OverviewRows()
    record = make_evidence()
    skipped = (Skipped(interval=Interval(0.0, 60.0), reason="uninformative"),)
    black = replace(record.report, matches=(), examined=(), skipped=skipped)

    rows.add(replace(record, report=black, refs=(), matches=()))

    assert rows.rows[0][1] == "refused"


def test_other_terms_are_another_context():
    rows = OverviewRows()
    record = make_evidence()
    other = replace(record, terms=replace(record.terms, settings={"align.min_score": 0.5}))

    for each in (record, other):
        rows.add(each)

    terms = [context["terms"] for context in rows.document()["contexts"]]
    assert [each["min_score"] for each in terms] == [0.45, 0.5]
    assert terms[0] == {
        "rate_hz": 2.0,
        "threshold_digest": "00ff",
        "fit_digest": None,
        "min_score": 0.45,
    }


def test_a_threshold_of_minus_infinity_is_told_as_json_can():
    rows = OverviewRows()
    record = make_evidence()

    rows.add(
        replace(record, terms=replace(record.terms, settings={"align.min_score": -float("inf")}))
    )

    assert rows.document()["contexts"][0]["terms"]["min_score"] == "-inf"


def test_a_row_names_its_matches_as_decisions_do():
    rows = OverviewRows()
    match = make_explained_match()

    rows.add(make_evidence())

    assert rows.rows[0][4] == [
        [0, match.query.start_s, match.query.end_s, match.ref.start_s, match.ref.end_s, match.score]
    ]


def test_a_row_sums_up_what_was_not_looked_at_by_reason():
    rows = OverviewRows()
    skipped = tuple(
        Skipped(interval=Interval(start_s, start_s + 2.0), reason=reason)
        for start_s, reason in (
            (0.0, "uninformative"),
            (10.0, "undecodable"),
            (20.0, "uninformative"),
        )
    )
    report = make_report(
        matches=(make_explained_match(),), skipped=skipped, num_stretches_left_out=3
    )

    rows.add(make_evidence(report=report))

    words = rows.document()["words"]
    assert [(words[word], length_s) for word, length_s in rows.rows[0][6]] == [
        ("undecodable", 2.0),
        ("nearly uniform", 4.0),
    ]
    assert rows.rows[0][7] == 1
