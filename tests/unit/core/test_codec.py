import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.evidence_records import make_explained_match
from tests.factories import make_match, make_report
from vcd.core import (
    InputError,
    Interval,
    Rejection,
    decode_matches,
    decode_report,
    encode_matches,
    encode_report,
    report_to_document,
)

_ROOT = Path(__file__).parents[3]
_GOLDEN = _ROOT / "tests/golden/report/report_schema_1.json"
_SCHEMA = json.loads((_ROOT / "docs/schemas/match_report.schema.json").read_text())


def _refused() -> Any:
    return make_report(
        query_sha256=None,
        matches=(),
        rejected=(),
        examined=(),
        skipped=(),
        refused="upload.mp4: empty file",
        decoder=None,
        elapsed_s={},
    )


@pytest.mark.parametrize("report", [make_report(), _refused()], ids=["matched", "refused"])
def test_a_report_is_read_back_as_it_was_written(report):
    assert decode_report(encode_report(report)) == report


def test_a_report_is_one_line_of_sorted_keys():
    line = encode_report(make_report(query_id="two\nlines"))

    assert "\n" not in line
    assert list(json.loads(line)) == sorted(json.loads(line))


def test_a_report_of_schema_1_is_written_as_it_always_was():
    assert encode_report(make_report()) + "\n" == _GOLDEN.read_text()


def test_the_golden_report_can_still_be_read():
    assert decode_report(_GOLDEN.read_bytes()) == make_report()


def test_what_was_left_out_is_written_only_where_something_was():
    report = make_report(num_matches_left_out=3, num_stretches_left_out=2, num_evidence_left_out=5)

    assert decode_report(encode_report(report)) == report
    assert '"num_matches_left_out":3' in encode_report(report)
    assert '"num_evidence_left_out":5' in encode_report(report)
    assert "left_out" not in encode_report(make_report())


def test_two_reports_of_one_identity_are_the_same_bytes_but_for_elapsed_time():
    slow, fast = make_report(elapsed_s={"search": 9.0}), make_report(elapsed_s={"search": 1.0})

    assert encode_report(slow) != encode_report(fast)
    assert encode_report(slow, with_elapsed=False) == encode_report(fast, with_elapsed=False)


@pytest.mark.parametrize("report", [make_report(), _refused()], ids=["matched", "refused"])
def test_a_report_keeps_to_its_published_schema(report):
    jsonschema.validate(report_to_document(report), _SCHEMA)


def test_the_published_schema_lists_every_key_that_is_written():
    counts = ("num_matches_left_out", "num_stretches_left_out", "num_evidence_left_out")
    (rejection,) = make_report().rejected
    rejection = replace(rejection, query=Interval(0.0, 1.0), ref=Interval(2.0, 3.0))
    report = make_report(
        matches=(make_explained_match(),), rejected=(rejection,), **dict.fromkeys(counts, 1)
    )
    document = report_to_document(report)

    jsonschema.validate(document, _SCHEMA)
    assert set(document) == set(_SCHEMA["properties"])
    for key, kind in (("matches", "match"), ("rejected", "rejection"), ("skipped", "skipped")):
        assert set(document[key][0]) == set(_SCHEMA["$defs"][kind]["properties"])


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        pytest.param(
            "skipped",
            [{"start_s": 0, "end_s": 1, "reason": "dull"}],
            "'dull' is not one of",
            id="reason",
        ),
        pytest.param("schema_version", 2, "1 was expected", id="version"),
        pytest.param("query_sha256", "short", "'short' does not match", id="digest"),
        pytest.param("num_refs", -1, "-1 is less than", id="count"),
    ],
)
def test_the_published_schema_refuses_what_is_not_a_report(key, value, complaint):
    document = report_to_document(make_report()) | {key: value}

    with pytest.raises(jsonschema.ValidationError, match=re.escape(complaint)):
        jsonschema.validate(document, _SCHEMA)


def test_an_infinite_limit_survives_in_standard_json():
    rejection = Rejection(
        query_id="q", ref_id="r", score=0.5, rule="min_score", value=0.5, limit=float("inf")
    )
    report = make_report(rejected=(rejection,))

    line = encode_report(report)

    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    jsonschema.validate(json.loads(line), _SCHEMA)
    assert decode_report(line) == report


def test_keys_of_a_later_writer_are_ignored():
    document = report_to_document(make_report()) | {"evidence": "somewhere"}

    assert decode_report(json.dumps(document)) == make_report()


def _without(key: str) -> str:
    document = report_to_document(make_report())
    del document[key]
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{", "x:7: wanted a report as one JSON object", id="torn line"),
        pytest.param("[" * 100_000, "x:7: wanted a report as one JSON object", id="deep"),
        pytest.param("[1]", "x:7: wanted a report as a JSON object, got list", id="a list"),
        pytest.param("{}", "x:7: wanted a report of schema version 1, got None", id="no version"),
        pytest.param('{"schema_version": 2}', "schema version 1, got 2", id="later version"),
        pytest.param(_without("matches"), "x:7: the report lacks 'matches'", id="no matches"),
        pytest.param(
            json.dumps(report_to_document(make_report()) | {"query_id": 5}),
            "x:7: not a valid report: wanted text, got int 5",
            id="number for a name",
        ),
        pytest.param(
            json.dumps(report_to_document(make_report())).replace(
                '"num_refs": 2', '"num_refs": 1e999'
            ),
            "x:7: not a valid report: cannot convert float infinity",
            id="endless count",
        ),
        pytest.param(
            json.dumps(report_to_document(make_report()) | {"examined": [{"start_s": 2}]}),
            "x:7: the report lacks 'end_s'",
            id="half a stretch",
        ),
        pytest.param(
            json.dumps(
                report_to_document(make_report()) | {"examined": [{"start_s": 2, "end_s": 1}]}
            ),
            "x:7: not a valid report: an interval needs start_s < end_s",
            id="backward stretch",
        ),
    ],
)
def test_what_is_not_a_report_is_refused_with_its_place(text, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_report(text, origin="x:7")


def test_matches_are_written_in_the_order_of_the_protocol():
    assert encode_matches([make_match()]) == (
        "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"
        "q,r,12.4,31.0,80.1,99.0,0.91\n"
    )


def test_no_matches_are_a_header():
    assert decode_matches(encode_matches([])) == ()


def test_matches_are_read_back_as_they_were_written():
    matches = (make_match('a,"b"', "c\nd"), make_match(score=-1.5, query=(0.1, 0.1 + 0.2)))

    assert decode_matches(encode_matches(matches)) == matches


def test_columns_are_found_by_name():
    text = "score,note,ref_end,ref_start,query_end,query_start,ref_id,query_id\n"
    text += "0.91,x,99.0,80.1,31.0,12.4,r,q\n"

    assert decode_matches(text) == (make_match(),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "m.csv: wanted the columns .* lacks query_id", id="empty file"),
        pytest.param("query_id,score\n", "lacks ref_id, query_start", id="other columns"),
        pytest.param(
            encode_matches([make_match()]) + "q,r,3,2,0,1,0.5\n",
            "m.csv, line 3: not a match: an interval needs start_s < end_s",
            id="backward stretch",
        ),
        pytest.param(
            encode_matches([]) + "q,r,soon,2,0,1,0.5\n", "line 2: not a match", id="no number"
        ),
        pytest.param(encode_matches([]) + "q,r,1\n", "line 2: not a match", id="short line"),
    ],
)
def test_what_is_not_a_match_is_refused_with_its_line(text, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_matches(text, origin="m.csv")
