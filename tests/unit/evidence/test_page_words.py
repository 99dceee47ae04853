from dataclasses import replace

import pytest

from tests.evidence_records import make_explained_match
from tests.factories import make_match, make_report
from vcd.core import (
    FramePair,
    Hint,
    Interval,
    Match,
    MatchEvidence,
    MatchReport,
    Rejection,
    Skipped,
)
from vcd.evidence.page_words import (
    hint_name,
    hint_words,
    match_reasons,
    match_sentence,
    rejection_sentence,
    skip_name,
    skip_words,
    verdict_sentence,
)


def _matching(*stretches: tuple[float, float, str], **changes: object) -> MatchReport:
    matches = tuple(
        replace(make_match("upload", ref_id), query=Interval(start_s, end_s))
        for start_s, end_s, ref_id in stretches
    )
    parts: dict[str, object] = {"examined": (Interval(0.0, 60.0),), "skipped": (), **changes}
    return make_report(matches=matches, **parts)


def _evidence(match: Match, **changes: object) -> MatchEvidence:
    assert match.evidence is not None
    return replace(match.evidence, **changes)  # type: ignore[arg-type]  # a table of mixed kinds


def _seconds(*similarities: float | None) -> tuple[FramePair, ...]:
    return tuple(
        FramePair(query_s=float(i), ref_s=float(i), similarity=value)
        for i, value in enumerate(similarities)
    )


def test_a_verdict_counts_what_two_matches_share_once():
    report = _matching((0.0, 20.0, "tower"), (10.0, 30.0, "harbour"))

    (said,) = verdict_sentence(report, 60.0)

    assert isinstance(said, str)
    assert said.startswith("2 stretches of its 1 min match 2 references: 30.0 s (50 %) in all")


def test_a_verdict_says_no_match_only_of_what_was_looked_at():
    skipped = (Skipped(interval=Interval(20.0, 60.0), reason="undecodable"),)
    report = _matching(examined=(Interval(0.0, 20.0),), skipped=skipped)

    (said,) = verdict_sentence(report, 60.0)

    assert (
        said == f"No match in the 20.0 s that were looked at, among {report.num_refs} references."
    )


def test_a_report_that_lost_stretches_is_not_said_to_be_looked_at_in_full():
    report = _matching(examined=(Interval(0.0, 20.0),), num_stretches_left_out=1)

    (said,) = verdict_sentence(report, 60.0)

    assert "the 20.0 s that were looked at" in said


def test_a_refused_upload_says_why_and_nothing_of_copies():
    report = make_report(
        matches=(), rejected=(), examined=(), skipped=(), refused="empty file", decoder=None
    )

    assert verdict_sentence(report, None) == [
        "Nothing of it could be looked at: ",
        ["empty file"],
    ]


def test_a_picture_has_no_length_to_tell_of():
    (said,) = verdict_sentence(_matching((0.0, 0.5, "tower")), 0.0)

    assert isinstance(said, str)
    assert said.startswith("The picture matches 1 reference; the best score is")


def test_the_name_of_a_reference_stands_apart_from_the_words_around_it():
    match = replace(
        make_match("upload", "<b>"), query=Interval(12.4, 31.0), ref=Interval(80.1, 99.0)
    )

    assert match_sentence(match) == [
        "12.4 s to 31.0 s of the upload match 80.1 s to 99.0 s of ",
        ["<b>"],
    ]


def test_a_match_of_a_picture_has_no_times_of_the_upload():
    match = replace(make_match("upload", "tower"), ref=Interval(80.1, 99.0))

    assert match_sentence(match, is_picture=True)[0] == "The picture matches 80.1 s to 99.0 s of "


def test_of_an_upload_that_is_black_from_end_to_end_nothing_is_claimed():
    skipped = (Skipped(interval=Interval(0.0, 60.0), reason="uninformative"),)

    (said,) = verdict_sentence(_matching(examined=(), skipped=skipped), 60.0)

    assert said == "Nothing of it could be looked at: nobody knows whether it is a copy."


@pytest.mark.parametrize(
    ("num_independent", "said"),
    [(7.4, "about 7 pictures unlike each other"), (0.8, "count as one")],
)
def test_reasons_say_how_many_pictures_of_the_match_differ(num_independent, said):
    match = make_explained_match()

    reasons = match_reasons(match, _evidence(match, num_independent=num_independent), None)

    assert any(said in reason for reason in reasons)


@pytest.mark.parametrize(
    ("start_s", "said"),
    [(599.9, "599.9 s"), (600.0, "10:00.0"), (659.97, "11:00.0"), (3723.4, "1:02:03.4")],
)
def test_late_moments_are_told_as_players_do(start_s, said):
    match = replace(make_match("upload", "tower"), query=Interval(start_s, 4000.0))

    assert str(match_sentence(match)[0]).startswith(f"{said} to 1:06:40.0 of the upload")


@pytest.mark.parametrize(
    ("similarities", "said"),
    [
        ((0.95, 0.85, 0.8, 0.1), "3 of 4 seconds at a similarity of 0.8 or more"),
        ((0.9, 0.9, 0.2), "2 of 3 seconds at a similarity of 0.9 or more"),
        ((0.3, None, 0.1), "0 of 3 seconds at a similarity of 0.5 or more"),
        ((0.6, None), "1 of 2 seconds at a similarity of 0.6 or more"),
    ],
    ids=["most", "half of them at the highest", "none", "a second without anything to compare"],
)
def test_similarity_is_told_by_the_highest_level_that_half_of_the_seconds_reach(similarities, said):
    match = make_explained_match()

    assert said in match_reasons(match, _evidence(match, per_second=_seconds(*similarities)), None)


def test_reasons_name_the_threshold_where_it_is_known():
    match = replace(make_explained_match(), score=0.62)

    with_it = match_reasons(match, _evidence(match), 0.45)
    without = match_reasons(match, _evidence(match), None)

    assert with_it[0] == "a score of 0.62, where 0.45 is the threshold"
    assert without[0] == "a score of 0.62"


def test_reasons_say_in_which_part_of_a_picture_the_copy_was_found():
    match = make_explained_match()

    reasons = match_reasons(match, _evidence(match, query_view=1, ref_view=99), None)

    assert "found in the mirrored picture of the upload" in reasons
    assert "found in view 99 of the reference" in reasons


def test_without_a_line_none_is_told_of():
    match = make_explained_match()

    assert not [
        each for each in match_reasons(match, _evidence(match, line=None), None) if "step" in each
    ]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("mirrored", None, "mirrored"),
        ("speed", 1.25, "sped up to 1.25x"),
        ("speed", 0.8, "slowed down to 0.8x"),
        ("cropped", 0.6, "cropped, about 60 % of the picture is left"),
        ("inset", None, "inset"),
        ("shaken_twice", 3.0, "shaken twice (3)"),
    ],
)
def test_hints_are_words(kind, value, said):
    assert hint_words(Hint(kind=kind, value=value)) == said


def test_lists_of_many_uploads_have_short_words():
    assert hint_name(Hint(kind="padded", value=0.5)) == "borders"
    assert hint_name(Hint(kind="new_kind", value=0.5)) == "new kind"
    assert (skip_name("over_limit"), skip_name("new_reason")) == ("too long", "new_reason")


def test_an_unknown_reason_is_told_by_its_name():
    assert skip_words("undecodable") == "could not be decoded"
    assert skip_words("new_reason") == "new_reason"


@pytest.mark.parametrize(
    ("rule", "value", "limit", "said"),
    [
        ("min_score", 0.31, 0.45, "score 0.31 is below 0.45"),
        ("min_score", 0.4461, 0.45, "score 0.446 is below 0.450"),
        ("min_score", 0.44996, 0.45, "score 0.44996 is below 0.45000"),
        ("min_length", 1.5, 2.0, "1.5 s long; 2.0 s are needed"),
        ("min_frames", 1.0, 3.0, "1 frame on a common path; 3 are needed"),
        ("min_pair_hits", 1.0, 3.0, "1 similar pair of frames; 3 are needed"),
        ("min_pair_score", 0.3, 0.4, "the best pair of frames has 0.30; 0.40 is needed"),
        ("max_overlap", 0.9, 0.5, "a better match covers 90 % of it already; up to 50 % may be"),
        ("min_pair_hits", 1.0, float("inf"), "1 similar pair of frames; inf are needed"),
        ("new_rule", 1.0, 2.0, "rule new_rule: 1, the limit is 2"),
    ],
)
def test_what_stopped_a_candidate_is_told_with_its_value_and_its_limit(rule, value, limit, said):
    rejection = Rejection(
        query_id="upload", ref_id="tower", score=0.3, rule=rule, value=value, limit=limit
    )

    assert rejection_sentence(rejection) == said


@pytest.mark.parametrize("say", [skip_name, skip_words, lambda word: hint_name(Hint(kind=word))])
def test_a_word_that_is_not_ours_cannot_turn_its_line_around(say):
    assert say("a\u202eb\u2066<i>") == "a\u27e8U+202E\u27e9b\u27e8U+2066\u27e9<i>"
