"""A calibration is written, read back and said in a sentence; a damaged one is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.factories import SPACE
from vcd.core import (
    Calibration,
    InputError,
    calibration_to_document,
    decode_calibration,
    encode_calibration,
)

CALIBRATION = Calibration(
    space=SPACE,
    rate_hz=2.0,
    settings_digest="00ffb3a4bcd3f389",
    fit_digest="ab" * 32,
    precision=0.99,
    min_score=0.47,
    expected_precision=(0.99, 0.981, 0.996),
    num_queries=412,
    num_true=300,
    curve=((0.3, 0.5, 1.0), (0.47, 0.99, 0.8)),
    made={"data": "synth", "command": ["vcd", "eval", "calibrate"]},
)


@pytest.mark.parametrize(
    "calibration",
    [CALIBRATION, replace(CALIBRATION, fit_digest=None, curve=(), made={})],
    ids=["with a fit", "without one"],
)
def test_a_calibration_is_read_back_as_it_was_written(calibration):
    assert decode_calibration(encode_calibration(calibration)) == calibration


def test_equal_calibrations_are_equal_bytes_and_end_in_a_line_end():
    other = replace(CALIBRATION, made=dict(reversed(list(CALIBRATION.made.items()))))

    assert encode_calibration(other) == encode_calibration(CALIBRATION)
    assert encode_calibration(CALIBRATION).endswith("}\n")


def test_keys_of_a_later_time_are_passed_over():
    document = {**calibration_to_document(CALIBRATION), "later": 1}

    assert decode_calibration(json.dumps(document)) == CALIBRATION


def test_it_says_what_to_expect_and_how_that_is_known():
    assert CALIBRATION.sentence == (
        "at 0.47: precision 0.990 (0.981-0.996) expected, measured on 412 queries of synth"
    )


def test_without_the_name_of_the_data_it_says_the_rest():
    assert replace(CALIBRATION, made={}).sentence.endswith("measured on 412 queries")


def changed(**changes: Any) -> str:
    return json.dumps({**calibration_to_document(CALIBRATION), **changes})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "c.json: wanted a calibration as one JSON object: Expecting value"),
        ("[" * 100_000, "c.json: wanted a calibration as one JSON object"),
        ("[]", "c.json: wanted a calibration as `vcd eval calibrate` writes it"),
        ("{}", "c.json: wanted a calibration as `vcd eval calibrate` writes it"),
        (changed(format="vcd fit"), "wanted a calibration as `vcd eval calibrate` writes it"),
        (changed(version=2), "c.json: wanted a calibration of version 1, got 2"),
        (changed(min_score="0.4"), "not a valid calibration: wanted a number, got '0.4'"),
        (changed(min_score=True), "not a valid calibration: wanted a number, got True"),
        (changed(min_score=float("nan")), "min_score must be a finite number, got nan"),
        (changed(precision=0.0), r"precision must be in \(0, 1\], got 0.0"),
        (changed(precision=1.5), r"precision must be in \(0, 1\], got 1.5"),
        (changed(expected_precision=[0.9, 0.95, 0.99]), "expected_precision must be a measured"),
        (changed(expected_precision=[0.9, 0.8, 1.01]), "expected_precision must be a measured"),
        (changed(expected_precision=[0.9, 0.8]), "not a valid calibration: not enough values"),
        (changed(num_queries=0), "at least one query .*num_queries=0"),
        (changed(num_queries=1.5), "wanted int, got 1.5"),
        (changed(num_queries=True), "wanted int, got True"),
        (changed(num_true=-1), "no negative count, .*num_true=-1"),
        (changed(rate_hz=float("inf")), "wanted a rate above 0, .*rate_hz=inf"),
        (changed(settings_digest=None), "wanted str, got None"),
        (changed(fit_digest=7), "wanted str, got 7"),
        (changed(space={"name": "x"}), "c.json: the calibration lacks 'dim'"),
        (changed(space="x"), "wanted dict, got 'x'"),
        (changed(curve=[[0.5, 0.9, 0.9], [0.4, 0.9, 0.9]]), "curve must be finite and in rising"),
        (changed(curve=[[0.5, 1.2, 0.9]]), "a point of the curve is out of range: precision=1.2"),
        (changed(curve=[[0.5, 0.9, -0.1]]), "a point of the curve is out of range: .*recall=-0.1"),
        (changed(made=[]), r"wanted dict, got \[\]"),
    ],
)
def test_what_is_no_calibration_is_refused_with_the_reason(text, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_calibration(text, origin="c.json")


def test_a_calibration_that_lacks_something_says_what():
    document = calibration_to_document(CALIBRATION)
    del document["num_true"]

    with pytest.raises(InputError, match=r"c\.json: the calibration lacks 'num_true'"):
        decode_calibration(json.dumps(document), origin="c.json")


def test_where_it_came_from_cannot_be_changed_afterwards():
    made = {"data": "synth"}
    calibration = replace(CALIBRATION, made=made)

    made["data"] = "other"

    assert calibration.made == {"data": "synth"}
    assert not hasattr(calibration.made, "__setitem__")
