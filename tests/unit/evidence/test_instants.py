from dataclasses import replace

import pytest

from tests.evidence_records import make_explained_match
from tests.factories import make_match
from vcd.core import FramePair, Interval, Match, MatchEvidence, TimeLine
from vcd.evidence import pair_instants_s, strip_instants_s


def _explained() -> tuple[Match, MatchEvidence, TimeLine]:
    match = make_explained_match()
    assert match.evidence is not None
    assert match.evidence.line is not None
    return match, match.evidence, match.evidence.line


def _image_match(*, is_image_alone=False):
    """Five seconds of a video that all show one picture: there is no line."""
    match, evidence, _ = _explained()
    seconds = tuple(FramePair(query_s=i + 0.5, ref_s=0.25, similarity=0.9) for i in range(5))
    shown = seconds[2:3] if is_image_alone else seconds
    evidence = replace(evidence, line=None, per_second=shown, best=seconds[2:3])
    return replace(match, query=Interval(0.0, 5.0), ref=Interval(0.0, 0.5), evidence=evidence)


def test_pictures_along_a_video_are_the_middles_of_its_parts():
    assert strip_instants_s(24.0, max_pictures=4) == (3.0, 9.0, 15.0, 21.0)


def test_a_short_video_has_no_more_pictures_than_there_are_to_tell_apart():
    assert strip_instants_s(1.2, max_pictures=24) == pytest.approx((0.2, 0.6, 1.0))


def test_an_image_has_one_picture():
    assert strip_instants_s(0.0, max_pictures=24) == (0.0,)


def test_the_reference_is_shown_where_the_line_leads():
    pairs = pair_instants_s(make_explained_match(), max_pairs=48)

    assert len(pairs) == 39
    assert (13.0, 80.7) in pairs
    assert list(pairs) == sorted(pairs)
    assert all(ref_s == pytest.approx(query_s + 67.7) for query_s, ref_s in pairs)
    assert 12.4 <= pairs[0][0] < pairs[-1][0] < 31.0


@pytest.mark.parametrize("max_pairs", [2, 3, 10])
def test_there_are_no_more_pairs_than_asked_for_and_the_best_is_among_them(max_pairs):
    pairs = pair_instants_s(make_explained_match(), max_pairs=max_pairs)

    assert len(pairs) == max_pairs
    assert (13.0, 80.7) in pairs


def test_a_line_that_begins_before_the_reference_does_stays_in_it():
    match, evidence, line = _explained()
    line = replace(line, intercept_s=-12.9)
    early = replace(match, ref=Interval(0.0, 18.1), evidence=replace(evidence, line=line))

    assert min(ref_s for _, ref_s in pair_instants_s(early, max_pairs=48)) == 0.0


def test_the_one_picture_of_an_image_is_held_against_each_second():
    assert pair_instants_s(_image_match(), max_pairs=48) == tuple((i + 0.5, 0.25) for i in range(5))
    assert pair_instants_s(_image_match(), max_pairs=2) == ((0.5, 0.25), (2.5, 0.25))


def test_two_images_are_one_pair():
    match = _image_match(is_image_alone=True)

    assert pair_instants_s(match, max_pairs=48) == ((2.5, 0.25),)


def test_a_match_without_evidence_has_no_pictures():
    with pytest.raises(ValueError, match="without its evidence"):
        pair_instants_s(make_match(), max_pairs=48)
