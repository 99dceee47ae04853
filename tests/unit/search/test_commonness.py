"""Which frames of a reference others have, and which stretches are proposed to be excluded."""

from dataclasses import replace

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, plant_copy, unit_rows
from vcd.core import Descriptors, DescriptorSpace, Interval
from vcd.search import (
    ExactIndex,
    PreflightSettings,
    best_scores,
    common_stretches,
    held_frames,
    informative_frames,
    informative_share,
    pair_hits,
    silenced,
    silent_stretches,
    still_stretches,
)

PLANE = DescriptorSpace(name="plane", dim=2, fingerprint="p" * 16)
EAST, NORTH, DIAGONAL, NOTHING = (1.0, 0.0), (0.0, 1.0), (0.8, 0.6), (0.0, 0.0)


def video(*rows, id_="r"):
    """One frame of half a second for each row."""
    features = np.array(rows, dtype=np.float32)
    return Descriptors.from_frames(id_, make_timeline(len(rows)), features, PLANE)


def spans(intervals):
    return [(each.start_s, each.end_s) for each in intervals]


def table(hits):
    """Every hit as query row, reference row and score."""
    return [
        (query_row, ref_row, round(score, 5))
        for chunk in hits
        for query_row, ref_row, score in zip(
            chunk.query_row.tolist(), chunk.ref_row.tolist(), chunk.score.tolist(), strict=True
        )
    ]


def test_a_frame_scores_as_the_most_similar_frame_of_the_other_video():
    best = best_scores(video(EAST, DIAGONAL, NORTH), video(EAST, DIAGONAL, id_="q"))

    assert best == pytest.approx([1.0, 1.0, 0.6])


def test_a_frame_without_evidence_scores_nothing_on_either_side():
    best = best_scores(video(EAST, NOTHING), video(NOTHING, NORTH, id_="q"))

    assert best == pytest.approx([0.0, -np.inf])
    assert best_scores(video(EAST), video(NOTHING, id_="q")) == pytest.approx([-np.inf])


def test_the_bias_of_the_other_videos_row_counts():
    other = replace(
        video(EAST, DIAGONAL, id_="q"), score_bias=np.array([-0.5, 0.0], dtype=np.float32)
    )

    assert best_scores(video(EAST), other) == pytest.approx([0.8])


def test_two_spaces_are_never_compared():
    with pytest.raises(ValueError, match="q of"):
        best_scores(video(EAST), make_descriptors("q", 3, np.random.default_rng(0)))


def test_pairs_of_frames_are_those_that_an_index_of_this_one_reference_finds(rng):
    ref = make_descriptors("r", 30, rng)
    query = plant_copy(
        make_descriptors("q", 20, rng), ref, query_frames=(3, 13), ref_frames=(8, 18), rng=rng
    )
    query = replace(query, score_bias=np.linspace(-0.2, 0.1, 20).astype(np.float32))
    ref, query = silenced(ref, [Interval(5.0, 6.0)]), silenced(query, [Interval(2.0, 3.0)])

    found = table(pair_hits(query, ref, min_score=0.3))

    assert found == table(ExactIndex([ref]).hits(query, min_score=0.3))
    assert {(7, 12), (12, 17)} <= {pair[:2] for pair in found}


def test_a_frame_is_held_when_its_middle_is():
    held = held_frames(make_timeline(4), [Interval(0.25, 1.25), Interval(1.3, 1.9)])

    assert held.tolist() == [True, True, False, True]


def test_the_share_is_of_the_frames_that_carry_evidence():
    ref = video(NOTHING, NOTHING, EAST, NORTH)

    assert informative_frames(ref).tolist() == [False, False, True, True]
    assert informative_share(ref, [Interval(0.0, 1.5)]) == 0.5
    assert informative_share(video(NOTHING), [Interval(0.0, 1.0)]) == 0.0


def test_what_matches_in_two_others_is_common_with_half_a_second_on_either_side():
    count = np.array([0, 1, 2, 2, 3, 1, 0, 0, 0, 0])

    stretches = common_stretches(make_timeline(10), count, PreflightSettings())

    assert spans(stretches) == [(0.5, 3.0)]


def test_what_one_other_matches_is_not_common_unless_one_is_enough():
    count, timeline = np.array([0, 1, 1, 1, 0, 0]), make_timeline(6)

    assert common_stretches(timeline, count, PreflightSettings()) == ()
    one = common_stretches(timeline, count, PreflightSettings(min_videos=1, margin_s=0.0))
    assert spans(one) == [(0.5, 2.0)]


def test_near_stretches_are_one_and_far_ones_two():
    count = np.array([2, 2, 0, 0, 2, 2, 0, 0, 0, 2, 2, 0])
    settings = PreflightSettings(margin_s=0.0)

    assert spans(common_stretches(make_timeline(12), count, settings)) == [(0.0, 3.0), (4.5, 5.5)]


def test_a_stretch_ends_where_only_a_few_of_its_videos_go_on():
    count = np.array([18, 20, 20, 9, 2, 2, 0, 0, 0, 3, 3])
    settings = PreflightSettings(margin_s=0.0, max_gap_s=0.0)

    assert spans(common_stretches(make_timeline(11), count, settings)) == [(0.0, 1.5), (4.5, 5.5)]


def test_the_margin_ends_at_the_ends_of_the_video():
    count = np.array([2, 2, 2])

    assert spans(common_stretches(make_timeline(3), count, PreflightSettings())) == [(0.0, 1.5)]
    nothing = np.empty(0, dtype=np.int64)
    assert common_stretches(make_timeline(0), nothing, PreflightSettings()) == ()


def test_black_is_silent_from_a_second_on():
    ref = video(EAST, NOTHING, EAST, NOTHING, NOTHING, NORTH)

    assert spans(silent_stretches(ref, PreflightSettings())) == [(1.5, 2.5)]


def moving(num_frames, rng):
    return unit_rows(num_frames, rng, SPACE.dim)


def shots(*features):
    rows = np.concatenate(features)
    return Descriptors.from_frames("r", make_timeline(len(rows)), rows, SPACE)


def test_a_picture_that_stands_for_eight_seconds_is_still(rng):
    still = np.repeat(moving(1, rng), 16, axis=0)

    ref = shots(moving(20, rng), still, moving(20, rng))

    assert spans(still_stretches(ref, PreflightSettings())) == [(10.0, 18.0)]


def test_a_picture_that_stands_for_less_is_not(rng):
    still = np.repeat(moving(1, rng), 15, axis=0)

    assert still_stretches(shots(moving(20, rng), still), PreflightSettings()) == ()


def test_what_changes_slowly_is_not_still_for_each_frame_is_held_against_the_first():
    angle = np.linspace(0.0, np.pi / 2, 40)
    rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    settings = PreflightSettings(max_excluded_share=1.0)

    assert still_stretches(video(*rows), settings) == ()


def test_two_stills_with_black_between_them_are_two(rng):
    still = np.repeat(moving(1, rng), 16, axis=0)
    black = np.zeros((2, SPACE.dim), dtype=np.float32)

    ref = shots(still, black, still, moving(40, rng))

    assert spans(still_stretches(ref, PreflightSettings())) == [(0.0, 8.0), (9.0, 17.0)]


def test_the_stills_of_a_slide_show_are_its_content(rng):
    slides = [np.repeat(moving(1, rng), 20, axis=0) for _ in range(3)]

    assert still_stretches(shots(*slides), PreflightSettings()) == ()
    assert len(still_stretches(shots(*slides), PreflightSettings(max_excluded_share=1.0))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"min_videos": 0},
        {"duplicate_share": 0.0},
        {"max_excluded_share": 1.5},
        {"still_similarity": float("nan")},
        {"margin_s": -0.5},
        {"min_still_s": float("inf")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_setting_out_of_its_range_is_refused(changes):
    with pytest.raises(ValueError, match=f"preflight.{next(iter(changes))} must be"):
        PreflightSettings(**changes)
