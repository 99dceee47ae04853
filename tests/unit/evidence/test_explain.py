"""Why a match is one, by hand: frames are angles, so that similarities are cosines."""

import dataclasses

import numpy as np
import pytest

from tests.factories import make_match
from vcd.align import AlignSettings, MatchTrace, align_pair
from vcd.core import (
    Descriptors,
    DescriptorSpace,
    FramePair,
    Hint,
    PairCandidate,
    PairTally,
    TimeLine,
    Timeline,
)
from vcd.descriptors import View
from vcd.evidence import explain_match

SPACE = DescriptorSpace(name="plane", dim=2, fingerprint="f" * 16)
BLACK = None


def _video(video_id, degrees, *, rate_hz=1.0, **more):
    """A video whose frames point in these directions; None is a black one."""
    features = np.array(
        [
            (0.0, 0.0) if each is BLACK else (np.cos(np.radians(each)), np.sin(np.radians(each)))
            for each in degrees
        ],
        dtype=np.float32,
    )
    num = len(degrees)
    parts = {
        "timeline": Timeline.from_starts(np.arange(num) / rate_hz, end_s=num / rate_hz),
        "features": features,
        "frame": np.arange(num, dtype=np.int32),
        "view": np.zeros(num, dtype=np.int16),
    }
    return Descriptors(video_id=video_id, space=SPACE, **{**parts, **more})


def _in_views(video_id, views, areas=None):
    """A video of one direction, each frame described in each of these views."""
    num_frames, num_views = 4, len(views)
    rows = num_frames * num_views
    area = np.empty((0, 4)) if areas is None else np.tile(areas, (num_frames, 1))
    return Descriptors(
        video_id=video_id,
        timeline=Timeline.from_starts(np.arange(float(num_frames)), end_s=float(num_frames)),
        features=np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (rows, 1)),
        frame=np.repeat(np.arange(num_frames), num_views).astype(np.int32),
        view=np.tile(views, num_frames).astype(np.int16),
        space=SPACE,
        area=area.astype(np.float32),
    )


def _line(slope=1.0, intercept_s=0.0, residual_s=0.0):
    return TimeLine(slope=slope, intercept_s=intercept_s, residual_s=residual_s)


def _trace(path=((0, 0),), line=None, **changes):
    parts = {"query_view": 0, "ref_view": 0, "strength": 0.5, "num_independent": 2.0}
    return MatchTrace(path=np.array(path, dtype=np.int64), line=line, **{**parts, **changes})


def _times(pairs):
    return [(pair.query_s, pair.ref_s) for pair in pairs]


def _explained(query, ref, stretch_s, trace):
    return explain_match(query, ref, make_match(query=stretch_s, ref=(0.0, 1.0)), trace)


def test_each_second_has_the_frame_nearest_to_its_middle_and_that_nearest_to_the_line():
    query = _video("q", [0] * 20, rate_hz=5.0)  # taken at 0.1, 0.3, 0.5, ...
    ref = _video("r", [0] * 40, rate_hz=2.5)  # taken at 0.2, 0.6, 1.0, ...

    found = _explained(query, ref, (1.0, 3.6), _trace(line=_line(2.0, 3.05)))

    # Seconds [1, 2), [2, 3) and [3, 3.6): their middles are 1.5, 2.5 and 3.3.
    assert _times(found.per_second) == [(1.5, 6.2), (2.5, 8.2), (3.3, 9.8)]


def test_a_similarity_is_the_inner_product_without_any_bias():
    bias = np.full(4, -0.3, dtype=np.float32)
    query, ref = _video("q", [0, 60, 90, 0], score_bias=bias), _video("r", [0, 0, 0, 180])

    found = _explained(query, ref, (0.0, 4.0), _trace([(0, 0)], _line()))

    assert [pair.similarity for pair in found.per_second] == [1.0, 0.5, 0.0, -1.0]
    assert found.best == (FramePair(query_s=0.5, ref_s=0.5, similarity=1.0),)


@pytest.mark.parametrize("side", ["query", "ref"])
def test_a_frame_without_evidence_has_no_similarity(side):
    dark, bright = _video("d", [0, BLACK, 0]), _video("b", [0, 0, 0])
    pair = (dark, bright) if side == "query" else (bright, dark)

    found = _explained(*pair, (0.0, 3.0), _trace([(0, 0), (1, 1)], _line()))

    assert [pair.similarity for pair in found.per_second] == [1.0, None, 1.0]
    assert [pair.similarity for pair in found.best] == [1.0]


def test_a_frame_beyond_the_stretch_says_nothing_of_it():
    query, ref = _video("q", [0] * 6, rate_hz=2.0), _video("r", [0] * 6, rate_hz=2.0)

    found = _explained(query, ref, (0.0, 1.1), _trace(line=_line()))

    # The middle of [1, 1.1) is nearer to the frame at 1.25, which is not in the stretch.
    assert _times(found.per_second) == [(0.25, 0.25), (0.75, 0.75)]


def test_a_stretch_between_two_frames_has_the_nearer_one():
    query, ref = _video("q", [0] * 4), _video("r", [0] * 4)

    found = _explained(query, ref, (1.6, 2.2), _trace(line=_line()))

    assert _times(found.per_second) == [(1.5, 1.5)]


def test_a_second_without_frames_has_the_one_next_to_it():
    starts_s = np.array([0.0, 1.0, 5.0])
    timeline = Timeline(start_s=starts_s, end_s=starts_s + 1.0)
    query, ref = _video("q", [0, 0, 0], timeline=timeline), _video("r", [0] * 9)

    found = _explained(query, ref, (0.0, 6.0), _trace(line=_line()))

    assert [pair.query_s for pair in found.per_second] == [0.5, 1.5, 1.5, 1.5, 5.5, 5.5]


def test_the_line_may_lead_out_of_the_reference():
    query, ref = _video("q", [0] * 5), _video("r", [0] * 2)

    found = _explained(query, ref, (0.0, 5.0), _trace(line=_line(1.0, -2.0)))

    assert [pair.ref_s for pair in found.per_second] == [0.5, 0.5, 0.5, 1.5, 1.5]


@pytest.mark.parametrize(
    ("length_s", "num_pairs"),
    [
        (2.0000000001, 2),
        (3599.0, 3599),
        (3599.4, 3600),
        (3600.0, 3600),
        (3600.5, 3600),
        (7200.0, 3600),
    ],
)
def test_an_hour_and_more_has_as_many_pairs_as_an_hour(length_s, num_pairs):
    video = _video("v", [0] * 7200)

    found = _explained(video, video, (0.0, length_s), _trace(line=_line()))

    assert len(found.per_second) == num_pairs
    assert length_s - found.per_second[-1].query_s <= 2.0


def test_the_pairs_of_more_than_an_hour_are_spread_evenly():
    video = _video("v", [0] * 7200)

    found = _explained(video, video, (0.0, 7200.0), _trace(line=_line()))

    # Each stands for two seconds; their middle is as far from both frames: the earlier.
    assert [pair.query_s for pair in found.per_second[:3]] == [0.5, 2.5, 4.5]
    assert found.per_second[-1].query_s == 7198.5


def test_the_frame_of_an_image_is_held_against_each_second_of_the_query():
    query, image = _video("q", [0, 60, 0]), _video("i", [0], rate_hz=10.0)

    found = _explained(query, image, (0.0, 3.0), _trace([(2, 0)]))

    assert found.line is None
    assert [(pair.ref_s, pair.similarity) for pair in found.per_second] == [
        (0.05, 1.0),
        (0.05, 0.5),
        (0.05, 1.0),
    ]


def test_an_image_asked_about_is_held_against_its_best_hit():
    image, ref = _video("i", [60], rate_hz=10.0), _video("r", [0, 60, 0])

    found = _explained(image, ref, (0.0, 0.1), _trace([(0, 1)]))

    assert found.per_second == (FramePair(query_s=0.05, ref_s=1.5, similarity=1.0),)
    assert found.best == found.per_second


def test_the_best_pairs_are_five_and_none_within_a_second_of_another():
    rng = np.random.default_rng(7)
    degrees = rng.uniform(0, 90, size=40)
    query, ref = _video("q", degrees, rate_hz=4.0), _video("r", [0] * 40, rate_hz=4.0)
    path = [(i, i) for i in range(40)]

    best = _explained(query, ref, (0.0, 10.0), _trace(path, _line())).best

    similarities = [pair.similarity for pair in best]
    gaps_s = np.diff(sorted(pair.query_s for pair in best))
    assert len(best) == 5
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] == pytest.approx(np.cos(np.radians(degrees.min())), abs=1e-4)
    assert gaps_s.min() >= 1.0


def test_pairs_a_second_apart_are_not_within_one_and_equal_ones_come_in_time_order():
    video = _video("v", [0] * 8, rate_hz=2.0)
    path = [(i, i) for i in range(7, -1, -1)]

    best = _explained(video, video, (0.0, 4.0), _trace(path, _line())).best

    assert [pair.query_s for pair in best] == [0.25, 1.25, 2.25, 3.25]


HALF = (0.0, 0.0, 0.5, 1.0)
WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("view", "area", "hints"),
    [
        pytest.param(View.WHOLE, WHOLE, (), id="whole"),
        pytest.param(View.MIRRORED, WHOLE, (Hint(kind="mirrored"),), id="mirrored"),
        pytest.param(
            View.INNER, (0.125, 0.0, 0.875, 1.0), (Hint(kind="padded", value=0.25),), id="borders"
        ),
        pytest.param(View.LEFT, HALF, (Hint(kind="stacked", value=0.5),), id="left"),
        pytest.param(View.RIGHT, HALF, (Hint(kind="stacked", value=0.5),), id="right"),
        pytest.param(View.TOP, HALF, (Hint(kind="stacked", value=0.5),), id="top"),
        pytest.param(View.BOTTOM, HALF, (Hint(kind="stacked", value=0.5),), id="bottom"),
        pytest.param(View.BESIDE, HALF, (Hint(kind="stacked", value=0.5),), id="beside"),
        pytest.param(
            View.INSET, (0.5, 0.5, 0.75, 0.75), (Hint(kind="inset", value=0.0625),), id="inset"
        ),
    ],
)
def test_the_view_that_matched_is_a_hint(view, area, hints):
    query, ref = _in_views("q", [view], [area]), _in_views("r", [0])

    found = _explained(query, ref, (0.0, 4.0), _trace([(1, 1)], _line(), query_view=int(view)))

    assert found.hints == hints
    assert (found.query_view, found.ref_view) == (view, 0)


def test_a_view_whose_place_nobody_knows_is_a_hint_without_a_value():
    query, ref = _in_views("q", [View.INNER]), _in_views("r", [0])

    found = _explained(query, ref, (0.0, 4.0), _trace([(1, 1)], _line(), query_view=2))

    assert found.hints == (Hint(kind="padded"),)


def test_only_the_frames_of_the_path_say_how_large_a_view_is():
    areas = np.array([(0, 0, 1, 1), (0, 0, 1.0, 0.5), (0, 0, 1, 0.25), (0, 0, 1, 1)])
    query = _video("q", [0] * 4, view=np.full(4, 7, dtype=np.int16), area=areas.astype(np.float32))

    trace = _trace([(1, 1), (2, 2)], _line(), query_view=7)

    found = _explained(query, _video("r", [0] * 4), (0.0, 4.0), trace)
    assert found.hints == (Hint(kind="inset", value=0.375),)


def test_only_the_view_that_matched_says_how_large_it_is():
    query = _in_views("q", [0, 7], [WHOLE, HALF])

    trace = _trace([(1, 1)], _line(), query_view=7)

    found = _explained(query, _in_views("r", [0]), (0.0, 4.0), trace)
    assert found.hints == (Hint(kind="inset", value=0.5),)


def test_a_view_that_no_frame_of_the_path_has_is_a_hint_without_a_value():
    query = _in_views("q", [0], [WHOLE])

    found = _explained(query, query, (0.0, 4.0), _trace([(1, 1)], _line(), query_view=7))

    assert found.hints == (Hint(kind="inset"),)
    assert found.best == ()


def test_similarities_are_those_of_the_views_that_matched():
    query = dataclasses.replace(
        _in_views("q", [0, 7]), features=np.tile(np.eye(2, dtype=np.float32), (4, 1))
    )
    ref = dataclasses.replace(
        _in_views("r", [0, 3]), features=np.tile(np.eye(2, dtype=np.float32)[::-1], (4, 1))
    )

    similarities = {
        (query_view, ref_view): _explained(
            query,
            ref,
            (0.0, 4.0),
            _trace([(1, 1)], _line(), query_view=query_view, ref_view=ref_view),
        )
        .best[0]
        .similarity
        for query_view in (0, 7)
        for ref_view in (0, 3)
    }

    assert similarities == {(0, 0): 0.0, (0, 3): 1.0, (7, 0): 1.0, (7, 3): 0.0}


def test_a_mirrored_frame_of_a_mirrored_reference_is_not_mirrored():
    query, ref = _in_views("q", [1]), _in_views("r", [1])

    both = _explained(query, ref, (0.0, 4.0), _trace([(1, 1)], query_view=1, ref_view=1))
    one = _explained(_in_views("q", [0]), ref, (0.0, 4.0), _trace([(1, 1)], ref_view=1))

    assert (both.hints, one.hints) == ((), (Hint(kind="mirrored"),))


@pytest.mark.parametrize(
    ("line", "hints"),
    [
        pytest.param(None, (), id="an image"),
        pytest.param(_line(1.0), (), id="as it was"),
        pytest.param(_line(1.00004), (), id="nothing that shows"),
        pytest.param(_line(1.25), (Hint(kind="speed", value=1.25),), id="faster"),
        pytest.param(_line(0.800049), (Hint(kind="speed", value=0.8),), id="slower"),
    ],
)
def test_another_speed_is_a_hint(line, hints):
    video = _video("v", [0] * 4)

    assert _explained(video, video, (0.0, 4.0), _trace([(1, 1)], line)).hints == hints


def test_what_the_pixels_of_views_and_the_times_say_comes_together():
    query, ref = _in_views("q", [7], [HALF]), _in_views("r", [0])

    found = _explained(query, ref, (0.0, 4.0), _trace([(1, 1)], _line(1.5), query_view=7))

    assert [hint.kind for hint in found.hints] == ["inset", "speed"]


def test_numbers_are_rounded_so_that_evidence_made_again_is_the_same():
    query = _video("q", [0] * 3, rate_hz=29.97)
    ref = _video("r", [1.0] * 3, rate_hz=29.97)
    line = _line(1.23456789, 0.0123456, 0.0004999)

    found = _explained(
        query, ref, (0.0, 0.1), _trace([(1, 1)], line, strength=0.123456, num_independent=7.654321)
    )

    assert found.line == _line(1.234568, 0.012, 0.0)
    assert (found.strength, found.num_independent) == (0.1235, 7.6543)
    assert found.best == (FramePair(query_s=0.05, ref_s=0.05, similarity=0.9998),)


def test_a_slope_is_never_rounded_to_nothing():
    video = _video("v", [0] * 4)

    found = _explained(video, video, (0.0, 4.0), _trace([(1, 1)], _line(1e-9)))

    assert found.line == _line(1e-6)


def test_frames_that_were_taken_at_the_start_of_their_cells_have_those_times():
    video = _video("v", [0] * 4)

    found = _explained(video, video, (0.0, 4.0), _trace([(1, 1)], _line(), frame_instant=0.0))

    assert _times(found.best) == [(1.0, 1.0)]
    assert _times(found.per_second)[0] == (0.0, 0.0)


def test_what_an_alignment_finds_can_be_explained():
    rng = np.random.default_rng(3)
    degrees = rng.permutation(40) * 9.0
    ref = _video("r", degrees, rate_hz=2.0)
    query = _video("q", degrees[5:25], rate_hz=2.0)
    candidate = PairCandidate(query_id="q", ref_id="r", score=1.0, num_hits=20)
    rows = np.arange(20)
    tally = PairTally(
        candidate=candidate, query_row=rows, ref_row=rows + 5, score=np.ones(20, dtype=np.float32)
    )
    settings = dataclasses.replace(AlignSettings(), min_similarity=0.9, min_score=0.0)

    alignment = align_pair(query, ref, tally, settings)
    found = explain_match(query, ref, alignment.accepted[0], alignment.traces[0])

    assert found.line is not None
    assert (found.line.slope, found.line.intercept_s) == pytest.approx((1.0, 2.5), abs=0.05)
    assert {pair.similarity for pair in found.per_second} == {1.0}
    assert len(found.per_second) == 10
    assert len(found.best) == 5
    assert found.hints == ()
