"""A report fits into a message, and says what did not."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from tests.evidence_records import make_explained_match
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


def _explained(num_matches, num_seconds=10):
    """Matches with so many seconds of evidence each: 15 bytes a second of it."""
    evidence = make_explained_match().evidence
    assert evidence is not None
    seconds = evidence.per_second[:1] * num_seconds
    return tuple(
        dataclasses.replace(match, evidence=dataclasses.replace(evidence, per_second=seconds))
        for match in _matches(num_matches)
    )


def _bare(matches):
    return tuple(dataclasses.replace(match, evidence=None) for match in matches)


def test_the_evidence_of_the_weakest_matches_goes_before_any_match_does():
    report = make_report(matches=_explained(100), examined=_stretches(200))
    max_bytes = len(encode_report(report).encode()) - 3000

    data = encode_report_message(report, max_bytes=max_bytes)

    sent = decode_report(data)
    num_kept = 100 - sent.num_evidence_left_out
    assert len(data) <= max_bytes
    assert _bare(sent.matches) == _bare(report.matches)
    assert sent.matches[:num_kept] == report.matches[:num_kept]
    assert sent.matches[num_kept:] == _bare(report.matches[num_kept:])
    assert 0 < sent.num_evidence_left_out < 10
    assert (sent.num_matches_left_out, sent.num_stretches_left_out) == (0, 0)


def test_no_more_evidence_is_left_out_than_must_be():
    report = make_report(matches=_explained(100))
    max_bytes = len(encode_report(report).encode()) // 2

    data = encode_report_message(report, max_bytes=max_bytes)

    one = len(encode_report(make_report(matches=_explained(1))))
    one -= len(encode_report(make_report(matches=_matches(1))))
    assert max_bytes - len(data) < 100 * 2 + 2 * one


def test_matches_are_left_out_only_where_all_evidence_is_gone():
    report = make_report(matches=_explained(100))
    bare = make_report(matches=_matches(100))
    max_bytes = len(encode_report(bare).encode()) - 1000

    data = encode_report_message(report, max_bytes=max_bytes)

    sent = decode_report(data)
    assert len(data) <= max_bytes
    assert all(match.evidence is None for match in sent.matches)
    assert sent.num_evidence_left_out == 100
    assert len(sent.matches) == 100 - sent.num_matches_left_out
    assert 50 < len(sent.matches) < 100


def test_a_report_that_lost_evidence_keeps_to_its_published_schema():
    report = make_report(matches=_explained(20))

    data = encode_report_message(report, max_bytes=len(encode_report(report)) - 1)

    document = json.loads(data)
    jsonschema.validate(document, _SCHEMA)
    assert document["num_evidence_left_out"] == 1
    assert ["evidence" in match for match in document["matches"]] == [True] * 19 + [False]


def test_evidence_that_was_left_out_before_stays_counted():
    report = make_report(matches=_explained(20), num_evidence_left_out=4)

    sent = decode_report(encode_report_message(report, max_bytes=10_000))

    assert sum(match.evidence is None for match in sent.matches) + 4 == sent.num_evidence_left_out


def test_a_match_without_evidence_among_others_is_not_counted():
    some = tuple(
        match if place % 2 else dataclasses.replace(match, evidence=None)
        for place, match in enumerate(_explained(20))
    )

    report = make_report(matches=some)
    bare = make_report(matches=_bare(some))
    max_bytes = (len(encode_report(report)) + len(encode_report(bare))) // 2

    sent = decode_report(encode_report_message(report, max_bytes=max_bytes))

    kept = [place for place, match in enumerate(sent.matches) if match.evidence is not None]
    assert kept == [1, 3, 5, 7]
    assert sent.num_evidence_left_out == 6
    assert _bare(sent.matches) == _bare(some)


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
