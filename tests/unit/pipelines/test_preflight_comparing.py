"""Which other videos match a reference, and what is proposed of it, without any video."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from pipelines.preflight_comparing import Candidate, Other, compare
from pipelines.preflight_rules import Rules, as_upload
from tests.factories import SPACE, make_descriptors, plant_copy
from vcd.align import AlignSettings
from vcd.core import Interval
from vcd.descriptors import Fit, ScoreNorm
from vcd.search import PreflightSettings, SearchSettings, silenced

INTRO = (0, 20)
"""Frames of ten seconds."""


def rules(**changes):
    """Thresholds of random directions in 64 dimensions: unrelated rows score below 0.5."""
    parts = {
        "search": SearchSettings(min_score=0.55, min_pair_score=0.55),
        "align": AlignSettings(min_similarity=0.5, min_score=0.4),
        "fit": None,
        "preflight": PreflightSettings(),
    }
    return Rules(**{**parts, **changes})


@pytest.fixture
def ref(rng):
    return make_descriptors("ref", 60, rng)


def sharing(ref, id_, frames, rng, *, at=10):
    """Another video of 40 s that shows these frames of the reference from a frame of its own on."""
    stop = at + frames[1] - frames[0]
    return plant_copy(
        make_descriptors(id_, 80, rng),
        ref,
        query_frames=(at, stop),
        ref_frames=frames,
        rng=rng,
        similarity=0.95,
    )


def others(*videos, origin="background"):
    return [
        Other(id=each.video_id, origin=origin, load=functools.partial(replace, each))
        for each in videos
    ]


def spans(comparison, reason="common"):
    return [
        (each.interval.start_s, each.interval.end_s)
        for each in comparison.proposals
        if each.reason == reason
    ]


def test_what_two_others_share_is_common_and_nothing_matches_once_it_is_excluded(ref, rng):
    background = [sharing(ref, f"b{i}", INTRO, rng) for i in range(3)]

    (found,) = compare([Candidate(descriptors=ref)], others(*background), rules())

    assert found.num_matching[:20].tolist() == [3] * 20
    assert found.num_matching[21:].tolist() == [0] * 39
    assert spans(found) == [(0.0, 10.5)]
    assert found.num_others == {"background": 3}
    assert (found.num_seen("background"), found.num_seen("background", is_left=True)) == (3, 0)
    assert found.excluded_share == 21 / 60


def test_what_one_other_shares_is_told_and_not_proposed(ref, rng):
    (found,) = compare([Candidate(descriptors=ref)], others(sharing(ref, "b", INTRO, rng)), rules())

    assert found.proposals == ()
    (sighting,) = found.sightings
    assert (sighting.id, sighting.is_duplicate, sighting.is_left) == ("b", False, True)
    assert sighting.share == pytest.approx(1 / 3)


def test_what_holds_all_of_it_is_a_duplicate_and_makes_nothing_common(ref, rng):
    whole = [sharing(ref, f"copy{i}", (0, 60), rng) for i in range(3)]

    (found,) = compare([Candidate(descriptors=ref)], others(*whole), rules())

    assert [each.is_duplicate for each in found.sightings] == [True] * 3
    assert found.proposals == ()
    assert found.num_matching.sum() == 0


def test_two_stretches_of_which_one_is_shared_by_fewer_are_both_found(ref, rng):
    """The second lies right behind the first, where most of its videos do not go on."""
    background = [sharing(ref, f"b{i}", INTRO, rng) for i in range(6)]
    background += [sharing(ref, f"c{i}", (20, 32), rng) for i in range(2)]

    (found,) = compare([Candidate(descriptors=ref)], others(*background), rules())

    (stretch,) = spans(found)
    assert stretch[0] == 0.0
    assert stretch[1] == pytest.approx(16.5, abs=0.51)
    assert found.num_seen("background", is_left=True) == 0


def test_equal_videos_count_once_and_the_reference_itself_not_at_all(ref, rng):
    shared = sharing(ref, "b", INTRO, rng)
    twice = [*others(shared), *others(replace(shared, video_id="again"), origin="index")]

    (found,) = compare(
        [Candidate(descriptors=ref)], [*twice, *others(ref, origin="index")], rules()
    )

    assert found.num_others == {"background": 1}
    assert found.proposals == ()


def test_a_background_video_of_the_references_own_name_is_another_video(ref, rng):
    named_alike = replace(sharing(ref, "x", INTRO, rng), video_id="ref")

    (found,) = compare([Candidate(descriptors=ref)], others(named_alike), rules())

    assert found.num_seen("background") == 1


def test_candidates_are_held_against_each_other(ref, rng):
    second, third = (sharing(ref, name, INTRO, rng, at=0) for name in ("second", "third"))
    candidates = [Candidate(descriptors=each) for each in (ref, second, third)]

    found = compare(candidates, others(ref, second, third, origin="beside"), rules())

    assert [each.num_others for each in found] == [{"beside": 2}] * 3
    assert all(spans(each) == [(0.0, 10.5)] for each in found)


def test_black_in_the_middle_of_an_intro_parts_nothing(ref, rng):
    background = [sharing(ref, f"b{i}", INTRO, rng) for i in range(2)]
    ref = silenced(ref, [Interval(4.0, 7.0)])
    background = [silenced(each, [Interval(9.0, 12.0)]) for each in background]

    (found,) = compare([Candidate(descriptors=ref)], others(*background), rules())

    assert spans(found, "uninformative") == [(4.0, 7.0)]
    assert [(each.start_s, each.end_s) for each in found.excluded] == [(0.0, 10.5)]


def test_what_is_excluded_already_stays_so_and_does_not_hide_what_is_common(ref, rng):
    background = [sharing(ref, f"b{i}", INTRO, rng) for i in range(2)]
    candidate = Candidate(descriptors=ref, excluded=(Interval(25.0, 30.0),))

    (found,) = compare([candidate], others(*background), rules())

    assert [(each.start_s, each.end_s) for each in found.excluded] == [(0.0, 10.5), (25.0, 30.0)]
    assert found.excluded_share_before == 10 / 60


def test_a_video_that_shares_only_what_is_excluded_already_is_not_left(ref, rng):
    candidate = Candidate(descriptors=ref, excluded=(Interval(0.0, 10.5),))

    (found,) = compare([candidate], others(sharing(ref, "b", INTRO, rng)), rules())

    assert [each.is_left for each in found.sightings] == [False]


def test_without_others_nothing_is_common_and_nothing_was_compared(ref):
    (found,) = compare([Candidate(descriptors=ref)], [], rules())

    assert (found.proposals, found.num_others) == ((), {})
    assert np.isneginf(found.best).all()


def test_a_video_of_the_fits_background_is_prepared_as_one_that_is_not_in_it(ref, rng):
    """Near to itself as it is, it would lose all its scores."""
    own, stranger = sharing(ref, "b", INTRO, rng), make_descriptors("s", 30, rng)
    norm = ScoreNorm(background=np.concatenate([own.features, stranger.features]), weight=1.0)
    alone = ScoreNorm(background=stranger.features, weight=1.0)

    prepared = as_upload(own, Fit(space=SPACE, score_norm=norm))

    assert prepared.score_bias == pytest.approx(alone.bias(own.features))
    assert as_upload(stranger, None) is stranger
    other = make_descriptors("o", 5, rng)
    assert as_upload(other, Fit(space=SPACE, score_norm=norm)).score_bias == pytest.approx(
        norm.bias(other.features)
    )


def test_an_index_calibrated_with_a_background_video_says_what_an_upload_like_it_would(ref, rng):
    """The other one is near to the first, whose rows are in the fit: an upload would not match."""
    background = [sharing(ref, f"b{i}", INTRO, rng) for i in range(2)]
    rows = np.concatenate([background[0].features, make_descriptors("s", 200, rng).features])
    fit = Fit(space=SPACE, score_norm=ScoreNorm(background=rows, weight=1.0, offset=0.4))

    (found,) = compare([Candidate(descriptors=ref)], others(*background), rules(fit=fit))

    assert [each.id for each in found.sightings] == ["b0"]
