"""Decisions as bytes: what comes back, what the schema says, what is refused."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.evidence.decisions_made import TERMS, make_decision, make_decisions
from vcd.core import DescriptorSpace, InputError, Interval
from vcd.evidence import decode_decisions, encode_decisions

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/decisions.schema.json").read_text())
EVERYTHING = make_decisions(
    make_decision("copy", note="\u202eodd <b>note</b>", score=0.1 + 0.2),
    make_decision("not_a_copy", minute=1, query_id="a\x1b[2J.mp4", ref_id="r\udcff"),
    make_decision("common_material", minute=2, kind="intro", ref=Interval(0.1, 7 / 3)),
    make_decision("common_material", terms=replace(TERMS, fit_digest="f1", min_score=-math.inf)),
)


def document() -> Any:
    return json.loads(encode_decisions(EVERYTHING))


def changed(path: str, value: object) -> bytes:
    """Write the document with one value changed; `...` takes the key away."""
    whole = document()
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    inner = whole
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(whole).encode()


def is_valid(data: bytes) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(data)))


def test_what_is_written_is_read_back():
    assert decode_decisions(encode_decisions(EVERYTHING)) == EVERYTHING


def test_what_is_written_is_what_the_schema_says():
    jsonschema.validate(document(), SCHEMA)


def test_a_time_as_a_browser_writes_it_is_read():
    data = changed("decisions.0.decided_at", "2026-11-21T12:00:00.000Z")

    assert decode_decisions(data) == EVERYTHING
    assert is_valid(data)


def test_unknown_keys_are_passed_over():
    assert decode_decisions(changed("decisions.0.colour", "red")) == EVERYTHING


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "wanted decisions as JSON in UTF-8", id="empty"),
        pytest.param(b"\xff\xfe", "wanted decisions as JSON in UTF-8", id="no UTF-8"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"[]", "wanted decisions as one JSON object", id="a list"),
        pytest.param(b'{"format": "vcd evidence"}', "wanted decisions as the page", id="other"),
        pytest.param(b'{"format": NaN}', ".*: NaN is no number", id="no JSON constant"),
        pytest.param(b'{"a": 1, "a": 2}', ".*: a key is there twice", id="two keys of one name"),
        pytest.param(b'{"a": ' + b"9" * 9999 + b"}", "wanted decisions as JSON", id="long number"),
    ],
)
def test_something_else_is_refused(data, reason):
    with pytest.raises(InputError, match=rf"^mine\.json: {reason}"):
        decode_decisions(data, origin="mine.json")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("version", 2, "wanted decisions of version 1, got 2"),
        ("version", True, "wanted decisions of version 1, got True"),
        ("made_at", "yesterday", "wanted a time in UTC"),
        ("reviewer", 7, "wanted text"),
        ("decisions", {}, "wanted a list"),
        ("decisions", ..., "it lacks 'decisions'"),
        ("decisions.0", "copy", "decision 1: wanted an object"),
        ("decisions.1.verdict", "maybe", "decision 2: wanted copy, not_a_copy, common_material"),
        ("decisions.1.verdict", ["copy"], "decision 2: wanted copy, not_a_copy"),
        ("decisions.0.kind", "intro", "decision 1: wanted a kind with common_material alone"),
        ("decisions.2.kind", "outro", "decision 3: wanted intro, black, logo, other"),
        ("decisions.0.note", "x" * 10_001, "decision 1: wanted at most 10000 characters"),
        ("decisions.0.decided_at", "2026-11-21T12:00:00", "decision 1: wanted a time in UTC"),
        ("decisions.0.decided_at", "2026-13-21T12:00:00Z", "decision 1: "),
        ("decisions.0.query_sha256", "AA" * 32, "decision 1: wanted 64 hexadecimal digits"),
        ("decisions.0.ref_descriptor_digest", "../..", "decision 1: wanted 64 hexadecimal"),
        ("decisions.0.evidence_digest", None, "decision 1: wanted text"),
        ("decisions.0.query_id", "", "decision 1: wanted a name, got an empty text"),
        ("decisions.0.ref_id", "r" * 4097, "decision 1: wanted at most 4096 characters"),
        ("decisions.0.ref.start_s", "0", "decision 1: wanted a finite number"),
        ("decisions.0.ref.end_s", 1.0, "decision 1: an interval needs start_s < end_s"),
        ("decisions.0.ref.end_s", 10**400, "decision 1: "),
        ("decisions.0.score", True, "decision 1: wanted a finite number"),
        ("decisions.0.score", ..., "decision 1: it lacks 'score'"),
        ("decisions.0.space.dim", 0, "decision 1: wanted a whole number from 1"),
        ("decisions.0.terms.rate_hz", 0, "decision 1: wanted a rate above 0"),
        ("decisions.0.terms.min_score", ..., "decision 1: it lacks 'min_score'"),
        ("decisions.0.terms.min_score", "inf", "decision 1: wanted a finite number"),
    ],
)
def test_a_wrong_value_is_refused_and_its_decision_named(path, value, reason):
    with pytest.raises(InputError, match=rf"^mine\.json(: |, ){reason}") as refused:
        decode_decisions(changed(path, value), origin="mine.json")

    assert len(str(refused.value)) <= 500


def test_there_are_at_most_as_many_decisions_as_the_schema_allows():
    whole = document()
    whole["decisions"] = [{}] * 100_001

    with pytest.raises(InputError, match="wanted at most 100000 decisions, got 100001"):
        decode_decisions(json.dumps(whole).encode())


def test_a_space_is_read_as_it_is():
    decision = make_decision(space=DescriptorSpace(name="other", dim=8, fingerprint="0"))

    (found,) = decode_decisions(encode_decisions(make_decisions(decision))).decisions

    assert found == decision
