import base64
import json
from dataclasses import replace

from tests.evidence_records import make_evidence
from vcd.core import Interval, Rejection
from vcd.evidence.page_details import upload_details


def _details(**changes):
    return upload_details(make_evidence(**changes), lambda shown: f"media/{shown.file}")


def test_details_are_strictly_standard_json():
    report = replace(
        make_evidence().report,
        rejected=(
            Rejection(
                query_id="upload",
                ref_id="harbour",
                score=float("-inf"),
                rule="min_pair_hits",
                value=1.0,
                limit=float("inf"),
            ),
        ),
    )

    document = _details(report=report)

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["rejected"][0]["score"] == "-inf"
    assert document["rejected"][0]["query_s"] is None


def test_a_match_points_at_its_reference_and_carries_its_curve_and_map():
    document = _details()

    (match,) = document["matches"]
    assert document["refs"][match["ref"]]["id"] == "tower"
    assert match["line"] == [1.0, 67.7]
    assert match["per_second"] == [[13.0, 80.7, 0.9], [14.0, 81.7, None], [15.0, 82.7, 0.75]]
    assert match["hints"] == ["mirrored", "sped up to 1.25x"]
    assert match["map"]["shape"] == [3, 2]
    assert base64.b64decode(match["map"]["cells"]) == bytes([0, 128, 255, 7, 1, 2])


def test_pictures_and_clips_lie_where_the_report_put_them():
    document = _details()

    (match,) = document["matches"]
    assert document["strip"]["file"] == "media/query_strip.jpg"
    assert document["refs"][0]["strip"]["file"] == "media/ref_0_strip.jpg"
    assert [sheet["file"] for sheet in match["sheets"]] == [
        "media/match_0_query.jpg",
        "media/match_0_ref.jpg",
    ]
    assert [clip["at"] for clip in match["clips"]] == [[12.4, 31.0], [80.1, 99.0]]


def test_what_could_not_be_placed_is_not_there():
    document = upload_details(make_evidence(), lambda _: None)

    (match,) = document["matches"]
    assert (document["strip"], match["sheets"], match["clips"]) == (
        None,
        [None, None],
        [None, None],
    )


def test_excluded_stretches_of_a_reference_are_there_to_be_drawn():
    assert _details()["refs"][0]["excluded"] == [[0.0, 10.0]]


def test_the_floor_is_told_where_the_settings_have_it():
    terms = make_evidence().terms

    assert _details()["floor"] is None
    known = replace(terms, settings={"align.min_similarity": 0.3})
    assert _details(terms=known)["floor"] == 0.3


def test_a_threshold_that_lets_every_match_pass_is_not_told_as_one():
    terms = replace(make_evidence().terms, settings={"align.min_score": -float("inf")})

    (match,) = _details(terms=terms)["matches"]

    assert "threshold" not in match["reasons"][0]


def test_every_version_and_setting_is_named_and_what_is_unknown_is_left_out():
    record = make_evidence(digest="e" * 64)

    versions = dict(upload_details(record, lambda _: None)["versions"])

    assert versions["digest of the evidence"] == "e" * 64
    assert versions["index version"] == record.report.index_version
    assert versions["fit digest"] == "no fit"
    assert versions["align.aligner"] == "temporal_network"
    assert "digest of the evidence" not in dict(_details()["versions"])


def test_stretches_keep_their_bounds_and_say_why_in_words():
    report = make_evidence().report

    document = _details()

    assert document["examined"] == [[each.start_s, each.end_s] for each in report.examined]
    assert [each[2] for each in document["skipped"]] == [
        "nearly uniform pictures, which could match anything" for _ in report.skipped
    ]
    assert Interval(*document["matches"][0]["query_s"]) == report.matches[0].query
