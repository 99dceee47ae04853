"""From the hits of a pair to matches in seconds."""

import dataclasses

import numpy as np
import pytest

from vcd.align import AlignSettings, align_pair
from vcd.core import Descriptors, DescriptorSpace, Interval, SetupError, Timeline

GRID = AlignSettings(refine=False)


def _rows(rng, num, made):
    return made.unit(rng.normal(size=(num, 64)))


def _pair(made, query, ref, settings=GRID, **more):
    return align_pair(query, ref, made.tally(query, ref), settings, **more)


def test_frames_become_seconds_by_the_timeline(made, rng):
    ref_rows = _rows(rng, 60, made)
    query = made.from_features("q", np.concatenate([_rows(rng, 10, made), ref_rows[20:40]]))
    ref = made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref)

    assert [(m.query, m.ref) for m in alignment.accepted] == [
        (Interval(5.0, 15.0), Interval(10.0, 20.0))
    ]
    assert (alignment.accepted[0].query_id, alignment.accepted[0].ref_id) == ("q", "r")
    assert alignment.rejected == ()


def test_matches_come_best_first(made, rng):
    ref_rows = _rows(rng, 100, made)
    query_rows = np.concatenate([ref_rows[70:76], _rows(rng, 10, made), ref_rows[10:50]])
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    accepted = _pair(made, query, ref).accepted

    assert [m.query for m in accepted] == [Interval(8.0, 28.0), Interval(0.0, 3.0)]
    assert accepted[0].score > accepted[1].score


def test_a_three_second_excerpt_is_found_and_one_of_one_second_is_too_short(made, rng):
    ref_rows = _rows(rng, 100, made)
    query_rows = _rows(rng, 60, made)
    query_rows[10:16], query_rows[30:33] = ref_rows[50:56], ref_rows[80:83]
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref)

    assert [m.query for m in alignment.accepted] == [Interval(5.0, 8.0)]
    assert [(no.rule, no.value, no.limit) for no in alignment.rejected] == [
        ("min_length", 1.5, 2.0)
    ]


def test_a_weak_match_is_rejected_with_its_score(made, rng):
    ref_rows = _rows(rng, 40, made)
    query, ref = made.from_features("q", ref_rows[5:25]), made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref, dataclasses.replace(GRID, min_score=0.99))

    assert alignment.accepted == ()
    assert [no.rule for no in alignment.rejected] == ["min_score"]
    assert alignment.rejected[0].value == alignment.rejected[0].score > 0.9
    assert alignment.rejected[0].limit == 0.99


def test_any_score_is_accepted_when_there_is_no_threshold(made, rng):
    ref_rows = _rows(rng, 40, made)
    query, ref = made.from_features("q", ref_rows[5:25]), made.from_features("r", ref_rows)

    assert _pair(made, query, ref, dataclasses.replace(GRID, min_score=-np.inf)).accepted


def test_hits_without_a_path_are_named(made, rng):
    query_rows, ref_rows = _rows(rng, 30, made), _rows(rng, 30, made)
    query_rows[7] = ref_rows[20]
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref, dataclasses.replace(GRID, min_similarity=0.6))

    assert alignment.accepted == ()
    assert [no.rule for no in alignment.rejected] == ["min_frames"]


def test_a_whole_short_video_is_a_match_although_it_is_below_the_least_length(made, rng):
    rows = _rows(rng, 2, made)
    other = np.concatenate([_rows(rng, 20, made), rows, _rows(rng, 20, made)])
    query, ref = made.from_features("q", rows), made.from_features("r", other)

    accepted = _pair(made, query, ref).accepted

    assert [(m.query, m.ref) for m in accepted] == [(Interval(0.0, 1.0), Interval(10.0, 11.0))]


@pytest.mark.parametrize("side", ["query", "ref"])
def test_an_image_is_decided_by_its_best_hit(made, rng, side):
    rows = _rows(rng, 40, made)
    image, video = made.from_features("i", rows[22:23]), made.from_features("v", rows)

    if side == "query":
        match = _pair(made, image, video).accepted[0]
        inside_image, inside_video = match.query, match.ref
    else:
        match = _pair(made, video, image).accepted[0]
        inside_image, inside_video = match.ref, match.query

    assert (inside_image, inside_video) == (Interval(0.0, 0.5), Interval(11.0, 11.5))


def test_an_image_matches_the_whole_still_shot_that_shows_it(made, rng):
    rows = _rows(rng, 40, made)
    rows[10:20] = rows[10]
    image, video = made.from_features("i", rows[12:13]), made.from_features("v", rows)

    match = _pair(made, image, video).accepted[0]

    assert match.ref == Interval(5.0, 10.0)


def test_an_unlike_image_is_rejected(made, rng):
    rows = _rows(rng, 5, made)
    image = made.unit(0.5 * rows[2:3] + 0.9 * _rows(rng, 1, made))
    query, ref = made.from_features("i", image), made.from_features("v", rows)

    alignment = _pair(made, query, ref)

    assert alignment.accepted == ()
    assert [no.rule for no in alignment.rejected] == ["min_score"]


def test_rows_of_different_views_never_share_a_path(made, rng):
    ref_rows = _rows(rng, 40, made)
    features = np.zeros((40, 64), dtype=np.float32)
    features[0::2] = _rows(rng, 20, made)
    features[1::2] = _rows(rng, 20, made)
    # Frame by frame, the copy is now in one view, now in the other: two frames in a row never.
    for frame in range(20):
        features[2 * frame + frame % 2] = ref_rows[10 + frame]
    query = Descriptors(
        video_id="q",
        timeline=Timeline.from_starts(np.arange(20) / 2, end_s=10.0),
        features=features,
        frame=np.repeat(np.arange(20), 2).astype(np.int32),
        view=np.tile([0, 1], 20).astype(np.int16),
        space=made.SPACE,
    )
    ref = made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref, dataclasses.replace(GRID, max_step_frames=1))

    assert alignment.accepted == ()


def test_a_copy_in_a_side_view_is_found_once_with_its_own_times(made, rng):
    ref_rows = _rows(rng, 40, made)
    num_frames, copied = 30, slice(10, 25)
    whole = _rows(rng, num_frames, made)
    side = _rows(rng, num_frames, made)
    side[copied] = ref_rows[5:20]
    whole[copied] = made.unit(0.8 * ref_rows[5:20] + 0.6 * whole[copied])
    query = Descriptors(
        video_id="q",
        timeline=Timeline.from_starts(np.arange(num_frames) / 2, end_s=15.0),
        features=np.stack([whole, side], axis=1).reshape(-1, 64),
        frame=np.repeat(np.arange(num_frames), 2).astype(np.int32),
        view=np.tile([0, 1], num_frames).astype(np.int16),
        space=made.SPACE,
    )
    ref = made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref)

    assert [(m.query, m.ref) for m in alignment.accepted] == [
        (Interval(5.0, 12.5), Interval(2.5, 10.0))
    ]
    assert [no.rule for no in alignment.rejected] == ["max_overlap"]
    assert alignment.accepted[0].score > alignment.rejected[0].score


def test_black_frames_carry_no_evidence(made, rng):
    query_rows, ref_rows = _rows(rng, 40, made), _rows(rng, 40, made)
    query_rows[:20], ref_rows[:20] = 0.0, 0.0
    query_rows[30], ref_rows[30] = ref_rows[35], ref_rows[35]
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    assert _pair(made, query, ref, dataclasses.replace(GRID, min_score=-np.inf)).accepted == ()


@pytest.mark.parametrize("rates", [(1.0, 2.0), (2.0, 1.0), (4.0, 1.0)])
def test_videos_sampled_at_different_rates_are_aligned(made, rates):
    footage = made.Footage(3, 60.0, shot_s=4.0)
    query = made.describe("q", lambda t: footage.at(10.0 + 1.5 * t), 0.0, 20.0, rates[0], seed=1)
    ref = made.describe("r", footage.at, 0.0, 60.0, rates[1])

    accepted = _pair(made, query, ref, AlignSettings()).accepted

    assert len(accepted) == 1
    found = accepted[0]
    assert (found.query.start_s, found.query.end_s) == (0.0, 20.0)
    assert (found.ref.start_s, found.ref.end_s) == pytest.approx((10.0, 40.0), abs=1.0)


def test_a_timeline_with_a_hole_keeps_its_times(made, rng):
    ref_rows = _rows(rng, 60, made)
    starts_s = np.concatenate([np.arange(10), np.arange(20, 40)]) / 2
    timeline = Timeline(start_s=starts_s, end_s=starts_s + 0.5)
    rows = np.concatenate([ref_rows[10:20], ref_rows[30:50]])
    query = Descriptors.from_frames("q", timeline, rows, made.SPACE)
    ref = made.from_features("r", ref_rows)

    spans = sorted((m.query, m.ref) for m in _pair(made, query, ref).accepted)

    assert spans == [
        (Interval(0.0, 5.0), Interval(5.0, 10.0)),
        (Interval(10.0, 20.0), Interval(15.0, 25.0)),
    ]


def test_two_spaces_never_compare(made, rng):
    rows = _rows(rng, 10, made)
    query = made.from_features("q", rows)
    elsewhere = DescriptorSpace(name="other", dim=64, fingerprint="0" * 64)
    ref = Descriptors.from_frames("r", query.timeline, rows, elsewhere)

    with pytest.raises(SetupError, match="q / r: wanted descriptors of one space"):
        _pair(made, query, ref)


def test_unrelated_videos_of_one_look_do_not_match(made, rng):
    """Two still shots of similarity 0.5, two minutes long: one weak observation."""
    base = made.unit(rng.normal(size=(1, 64)))
    sides = [made.unit(base + 0.125 * rng.normal(size=(1, 64))) for _ in range(2)]
    query, ref = (
        made.from_features(name, made.unit(np.repeat(side, 240, 0) + 0.01 * _rows(rng, 240, made)))
        for name, side in zip("qr", sides, strict=True)
    )

    alignment = _pair(made, query, ref)

    assert alignment.accepted == ()
    assert {no.rule for no in alignment.rejected} == {"min_score"}


def test_neighbours_that_merely_resemble_the_copy_are_cut_off(made, rng):
    look = rng.normal(size=64)
    ref_rows = made.unit(look + rng.normal(size=(40, 64)))
    query_rows = made.unit(look + rng.normal(size=(36, 64)))
    query_rows[12:24] = ref_rows[14:26]
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    (match,) = _pair(made, query, ref).accepted

    assert (query_rows @ ref_rows.T).mean() > GRID.min_similarity
    assert (match.query, match.ref) == (Interval(6.0, 12.0), Interval(7.0, 13.0))


def test_the_same_pair_says_the_same_twice(made):
    copy = made.edited_copy(5, length_s=12.0, slope=1.2)

    first, second = (
        align_pair(copy.query, copy.ref, copy.tally, AlignSettings(), denser=copy.denser)
        for _ in range(2)
    )

    assert first == second
