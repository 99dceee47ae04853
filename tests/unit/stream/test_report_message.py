"""A report fits into a message, and says what did not."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.factories import make_match, make_report
from vcd.core import Interval, Rejection, SetupError, Skipped, decode_report, encode_report
from vcd.stream.messages.report_message import encode_report_message

_SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/match_report.schema.json").read_text()
)


def _matches(num_matches):
    return tuple(
        make_match("upload", f"reference-{n:06d}", score=1.0 - n / num_matches)
        for n in range(num_matches)
    )


def _stretches(num_stretches):
    """Stretches in time order whose lengths repeat from 0.1 to 0.9 s."""
    return tuple(Interval(float(n), n + (n % 9 + 1) / 10) for n in range(num_stretches))


def test_a_report_that_fits_is_sent_as_it_is():
    report = make_report()

    assert encode_report_message(report, max_bytes=900_000) == encode_report(report).encode()


def test_a_report_of_exactly_the_limit_fits():
    data = encode_report(make_report()).encode()

    assert encode_report_message(make_report(), max_bytes=len(data)) == data


def test_the_weakest_matches_are_left_out_and_counted():
    report = make_report(matches=_matches(10_000))

    data = encode_report_message(report, max_bytes=900_000)

    sent = decode_report(data)
    assert len(data) <= 900_000
    assert sent.matches == report.matches[: len(sent.matches)]
    assert sent.num_matches_left_out == 10_000 - len(sent.matches)
    assert (sent.examined, sent.skipped, sent.rejected) == (
        report.examined,
        report.skipped,
        report.rejected,
    )


def test_no_more_matches_are_left_out_than_must_be():
    report = make_report(matches=_matches(10_000))

    data = encode_report_message(report, max_bytes=900_000)

    one_more_bytes = len(data) // len(decode_report(data).matches)
    assert len(data) + 2 * one_more_bytes > 900_000


def test_a_report_cut_to_size_keeps_to_its_published_schema():
    report = make_report(matches=_matches(100), examined=_stretches(100))

    data = encode_report_message(report, max_bytes=4000)

    document = json.loads(data)
    jsonschema.validate(document, _SCHEMA)
    assert document["num_matches_left_out"] > 0
    assert document["num_stretches_left_out"] > 0


def test_many_stretches_do_not_push_out_what_was_found():
    examined = _stretches(50_000)
    report = make_report(matches=_matches(500), examined=examined, skipped=())

    data = encode_report_message(report, max_bytes=900_000)

    sent = decode_report(data)
    assert len(data) <= 900_000
    assert sent.matches == report.matches
    assert sent.num_stretches_left_out == 50_000 - len(sent.examined) > 0


def test_the_shortest_stretches_go_first_and_the_others_stay_in_order():
    examined = _stretches(100)
    skipped = (Skipped(interval=Interval(200.0, 300.0), reason="undecodable"),)
    report = make_report(matches=(), rejected=(), examined=examined, skipped=skipped)

    sent = decode_report(encode_report_message(report, max_bytes=3000))

    gone = set(examined) - set(sent.examined)
    assert sent.skipped == skipped
    assert list(sent.examined) == sorted(sent.examined)
    assert max(s.length_s for s in gone) <= min(s.length_s for s in sent.examined) + 1e-9


def test_rejected_pairs_with_endless_names_do_not_push_out_what_was_found():
    rejected = tuple(
        Rejection(
            query_id="upload", ref_id="r" * 20_000, score=0.1, rule="min_score", value=0, limit=1
        )
        for _ in range(10)
    )

    sent = decode_report(encode_report_message(make_report(rejected=rejected), max_bytes=50_000))

    assert sent.rejected == ()
    assert sent.matches == make_report().matches


def test_an_endless_sentence_of_refusal_is_cut():
    report = make_report(matches=(), examined=(), refused="x" * 2_000_000)

    sent = decode_report(encode_report_message(report, max_bytes=900_000))

    assert sent.refused == "x" * 4096 + "..."


def test_a_report_is_cut_the_same_way_every_time():
    report = make_report(matches=_matches(100))

    assert encode_report_message(report, max_bytes=3000) == encode_report_message(
        report, max_bytes=3000
    )


def test_what_was_left_out_before_stays_counted():
    report = make_report(matches=_matches(50), num_matches_left_out=7)

    sent = decode_report(encode_report_message(report, max_bytes=3000))

    assert len(sent.matches) + sent.num_matches_left_out == 57


def test_half_a_character_in_a_sentence_does_not_keep_a_report_from_being_sent():
    report = make_report(matches=(), examined=(), refused="clip\udce9.mp4: empty file")

    sent = decode_report(encode_report_message(report, max_bytes=900_000))

    assert sent.refused == "clip?.mp4: empty file"


def test_a_limit_that_no_report_fits_is_a_wrong_setting():
    with pytest.raises(SetupError, match=r"stream\.max_report_bytes: wanted room for a report"):
        encode_report_message(make_report(), max_bytes=100)
