"""Matches and rejections as JSON objects; the report around them is in test_codec.py."""

import json
import math

import jsonschema
import pytest

from tests.evidence_records import make_explained_match
from tests.factories import make_match, make_report
from tests.house.house import ROOT
from vcd.core import InputError, Interval, Rejection, decode_report, report_to_document
from vcd.core.finding_documents import (
    interval_from_document,
    json_number,
    match_from_document,
    match_to_document,
    rejection_from_document,
    rejection_to_document,
    text_of,
)

_SCHEMA = json.loads((ROOT / "docs/schemas/match_report.schema.json").read_text())


def _rejection(**changes):
    parts = {
        "query_id": "q",
        "ref_id": "r",
        "score": 0.3,
        "rule": "min_score",
        "value": 0.3,
        "limit": 0.45,
    }
    return Rejection(**{**parts, **changes})


_STRETCH = {"query": Interval(1.0, 2.0), "ref": Interval(30.0, 31.5)}


def test_a_match_without_evidence_has_no_key_for_it():
    assert match_to_document(make_match()) == {
        "query_id": "q",
        "ref_id": "r",
        "query": {"start_s": 12.4, "end_s": 31.0},
        "ref": {"start_s": 80.1, "end_s": 99.0},
        "score": 0.91,
    }


@pytest.mark.parametrize("match", [make_match(), make_explained_match()], ids=["bare", "explained"])
def test_a_match_is_read_back_as_it_was_written(match):
    assert match_from_document(match_to_document(match)) == match


def test_a_pair_that_was_stopped_before_alignment_has_no_keys_for_stretches():
    assert rejection_to_document(_rejection()) == {
        "query_id": "q",
        "ref_id": "r",
        "rule": "min_score",
        "score": 0.3,
        "value": 0.3,
        "limit": 0.45,
    }


@pytest.mark.parametrize("rejection", [_rejection(), _rejection(**_STRETCH)], ids=["pair", "where"])
def test_a_rejection_is_read_back_as_it_was_written(rejection):
    document = rejection_to_document(rejection)

    jsonschema.validate(document, _SCHEMA["$defs"]["rejection"] | {"$defs": _SCHEMA["$defs"]})
    assert rejection_from_document(document) == rejection


def test_the_published_schema_lists_every_key_of_a_rejection():
    assert set(rejection_to_document(_rejection(**_STRETCH))) == set(
        _SCHEMA["$defs"]["rejection"]["properties"]
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"query": {"start_s": 0, "end_s": 1}}, "a stretch of one video", id="one"),
        pytest.param(
            {"query": {"start_s": 2, "end_s": 1}, "ref": {"start_s": 0, "end_s": 1}},
            "an interval needs start_s < end_s",
            id="backward",
        ),
        pytest.param({"query": {"start_s": 0}, "ref": {}}, "lacks 'end_s'", id="half"),
        pytest.param({"query": 5, "ref": 5}, "not a valid report", id="a number"),
        pytest.param({"query": [0, 1], "ref": [0, 1]}, "not a valid report", id="a list"),
        pytest.param(
            {"query": {"start_s": 0, "end_s": "1e999"}, "ref": {"start_s": 0, "end_s": 1}},
            "needs finite bounds",
            id="endless",
        ),
        pytest.param({"rule": None}, "wanted text, got NoneType", id="no rule"),
        pytest.param({"score": "much"}, "could not convert", id="words"),
    ],
)
def test_a_report_with_what_is_no_rejection_is_refused(changes, sentence):
    document = report_to_document(make_report(rejected=(_rejection(),)))
    document["rejected"][0] |= changes

    with pytest.raises(InputError, match=f"x:7: .*{sentence}"):
        decode_report(json.dumps(document), origin="x:7")


@pytest.mark.parametrize(
    ("value", "written"), [(0.5, 0.5), (math.inf, "inf"), (-math.inf, "-inf"), (2, 2.0)]
)
def test_a_number_that_json_does_not_have_is_text(value, written):
    assert json_number(value) == written


def test_an_interval_needs_both_ends():
    with pytest.raises(KeyError, match="end_s"):
        interval_from_document({"start_s": 1.0})


def test_a_name_is_text():
    assert text_of("tower") == "tower"
    with pytest.raises(TypeError, match="wanted text, got list"):
        text_of(["tower"] * 1000)
