"""The evidence of a match as a record and as JSON, and what is no such thing."""

import json
import math
import re
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.evidence_records import make_explained_match
from tests.factories import make_report
from tests.house.house import ROOT
from vcd.core import (
    FramePair,
    Hint,
    InputError,
    MatchEvidence,
    MatchReport,
    TimeLine,
    decode_report,
    encode_report,
    report_to_document,
)
from vcd.core.evidence import match_evidence_from_document, match_evidence_to_document

_SCHEMA = json.loads((ROOT / "docs/schemas/match_report.schema.json").read_text())


def _evidence() -> MatchEvidence:
    evidence = make_explained_match().evidence
    assert evidence is not None
    return evidence


def _of_an_image() -> MatchEvidence:
    return replace(_evidence(), line=None, per_second=(), best=(), hints=(Hint(kind="mirrored"),))


def _report(evidence: MatchEvidence) -> MatchReport:
    return make_report(matches=(replace(make_explained_match(), evidence=evidence),))


@pytest.mark.parametrize("evidence", [_evidence(), _of_an_image()], ids=["video", "image"])
def test_evidence_travels_in_a_report_and_is_read_back_as_it_was(evidence):
    report = _report(evidence)

    assert decode_report(encode_report(report)) == report
    assert match_evidence_from_document(match_evidence_to_document(evidence)) == evidence


@pytest.mark.parametrize("evidence", [_evidence(), _of_an_image()], ids=["video", "image"])
def test_a_report_with_evidence_keeps_to_its_published_schema(evidence):
    jsonschema.validate(report_to_document(_report(evidence)), _SCHEMA)


def test_the_published_schema_lists_every_key_of_evidence():
    document = match_evidence_to_document(_evidence())
    kinds = _SCHEMA["$defs"]
    line = kinds["evidence"]["properties"]["line"]["oneOf"][0]

    assert set(document) == set(kinds["evidence"]["properties"])
    assert set(document) == set(kinds["evidence"]["required"])
    assert set(document["line"]) == set(line["properties"])
    assert set(document["best"][0]) == set(kinds["frame_pair"]["properties"])
    assert set(document["hints"][0]) == set(kinds["hint"]["properties"])


def test_a_reader_that_knows_no_evidence_sees_the_same_match():
    plain = make_report()
    document = report_to_document(_report(_evidence()))

    # What schema 1 had before: a reader takes the keys that it knows.
    known = {"query_id", "ref_id", "query", "ref", "score"}
    document["matches"] = [
        {key: value for key, value in match.items() if key in known}
        for match in document["matches"]
    ]

    assert decode_report(json.dumps(document)) == plain


def test_a_reader_passes_over_what_a_later_writer_says_of_evidence():
    document = report_to_document(_report(_evidence()))
    document["matches"][0]["evidence"]["sound"] = {"line": None}
    document["matches"][0]["evidence"]["hints"][0]["since"] = 2

    assert decode_report(json.dumps(document)) == _report(_evidence())


def test_evidence_is_no_part_of_the_identity_of_a_report():
    assert _report(_evidence()).identity == make_report().identity


_PAIR = {"query_s": 1.0, "ref_s": 2.0, "similarity": 0.5}
_LINE = {"slope": 1.0, "intercept_s": 0.0, "residual_s": 0.0}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"line": {}}, "the report lacks 'slope'", id="an empty line"),
        pytest.param({"line": []}, "not a valid report", id="a list for a line"),
        pytest.param({"line": False}, "not a valid report", id="no for a line"),
        pytest.param({"line": _LINE | {"slope": 0}}, "a finite slope above 0", id="standing still"),
        pytest.param({"line": _LINE | {"slope": -1.0}}, "a finite slope above 0", id="backward"),
        pytest.param({"line": _LINE | {"residual_s": -1}}, "a residual of 0 or more", id="nearer"),
        pytest.param(
            {"line": _LINE | {"intercept_s": "0"}}, "wanted a finite number, got '0'", id="text"
        ),
        pytest.param({"line": _LINE | {"slope": True}}, "number, got True", id="a truth"),
        pytest.param({"line": _LINE | {"slope": 10**400}}, "not a valid report", id="digits"),
        pytest.param({"line": _LINE | {"slope": math.inf}}, "number, got inf", id="endless"),
        pytest.param({"query_view": 1.5}, "wanted the number of a view, got 1.5", id="half a view"),
        pytest.param({"query_view": "1"}, "wanted the number of a view, got '1'", id="text view"),
        pytest.param({"ref_view": True}, "wanted the number of a view, got True", id="true view"),
        pytest.param({"ref_view": -1}, "wanted the number of a view, got -1", id="view below 0"),
        pytest.param({"strength": None}, "wanted a finite number, got None", id="no strength"),
        pytest.param({"strength": math.nan}, "wanted a finite number, got nan", id="no number"),
        pytest.param({"num_independent": []}, r"finite number, got \[\]", id="a list"),
        pytest.param({"per_second": {}}, r"wanted a list, got dict \{\}", id="no seconds"),
        pytest.param({"per_second": ""}, "wanted a list, got str", id="text for seconds"),
        pytest.param({"per_second": None}, "wanted a list, got NoneType", id="null for seconds"),
        pytest.param({"per_second": [5]}, "not a valid report", id="a number for a pair"),
        pytest.param(
            {"best": [_PAIR | {"similarity": "high"}]}, "number, got 'high'", id="in words"
        ),
        pytest.param({"best": [{"query_s": 1, "similarity": 1}]}, "lacks 'ref_s'", id="half"),
        pytest.param({"hints": [{"kind": "mirrored"}]}, "lacks 'value'", id="no value"),
        pytest.param(
            {"hints": [{"kind": 5, "value": None}]}, "the kind of a hint as text, got 5", id="kind"
        ),
        pytest.param({"hints": [{"kind": "speed", "value": "2x"}]}, "number, got '2x'", id="2x"),
        pytest.param({"hints": "mirrored"}, "wanted a list, got str", id="a word"),
    ],
)
def test_a_report_with_what_is_no_evidence_is_refused(changes: dict[str, Any], sentence):
    document = report_to_document(_report(_evidence()))
    document["matches"][0]["evidence"] |= changes

    with pytest.raises(InputError, match=f"reports/0@3: .*{sentence}") as refused:
        decode_report(json.dumps(document), origin="reports/0@3")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("key", sorted(match_evidence_to_document(_evidence())))
def test_evidence_that_lacks_something_is_refused(key):
    document = report_to_document(_report(_evidence()))
    del document["matches"][0]["evidence"][key]

    with pytest.raises(InputError, match=f"the report lacks '{key}'"):
        decode_report(json.dumps(document))


@pytest.mark.parametrize("evidence", [5, "much", [], True, False, ""], ids=repr)
def test_what_is_no_object_is_no_evidence(evidence):
    document = report_to_document(make_report())
    document["matches"][0]["evidence"] = evidence

    with pytest.raises(InputError, match="not a valid report"):
        decode_report(json.dumps(document))


def test_evidence_that_is_null_is_none():
    document = report_to_document(make_report())
    document["matches"][0]["evidence"] = None

    assert decode_report(json.dumps(document)) == make_report()


def test_a_line_says_where_on_the_reference_a_query_time_lies():
    line = TimeLine(slope=1.5, intercept_s=10.0, residual_s=0.0)

    assert line.ref_at(4.0) == 16.0


@pytest.mark.parametrize(
    "changes",
    [
        {"slope": 0.0},
        {"slope": math.nan},
        {"slope": math.inf},
        {"residual_s": -0.1},
        {"residual_s": math.nan},
        {"residual_s": math.inf},
        {"intercept_s": math.inf},
        {"intercept_s": math.nan},
    ],
    ids=str,
)
def test_what_is_no_line_cannot_be_made(changes):
    with pytest.raises(ValueError, match=re.escape("TimeLine(")):
        TimeLine(**({"slope": 1.0, "intercept_s": 0.0, "residual_s": 0.0} | changes))


def test_a_pair_and_a_hint_may_have_nothing_to_measure():
    evidence = replace(
        _evidence(),
        per_second=(FramePair(query_s=0.5, ref_s=1.5, similarity=None),),
        hints=(Hint(kind="padded"),),
    )

    document = match_evidence_to_document(evidence)

    assert document["per_second"] == [{"query_s": 0.5, "ref_s": 1.5, "similarity": None}]
    assert document["hints"] == [{"kind": "padded", "value": None}]
