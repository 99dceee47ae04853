import numpy as np
import pytest

from tests.factories import make_timeline
from vcd.core import Interval, Timeline, merge_intervals, total_length_s


@pytest.mark.parametrize(
    ("start_s", "end_s", "sentence"),
    [
        pytest.param(1.0, 1.0, "start_s < end_s", id="empty"),
        pytest.param(2.0, 1.0, "start_s < end_s", id="backward"),
        pytest.param(float("nan"), 1.0, "finite", id="nan"),
        pytest.param(0.0, float("inf"), "finite", id="endless"),
    ],
)
def test_an_interval_that_is_none_cannot_exist(start_s, end_s, sentence):
    with pytest.raises(ValueError, match=sentence):
        Interval(start_s, end_s)


def test_touching_intervals_do_not_overlap():
    assert Interval(0.0, 1.0).overlap_s(Interval(1.0, 2.0)) == 0.0


def test_overlap_is_the_length_of_what_both_cover():
    assert Interval(0.0, 3.0).overlap_s(Interval(1.0, 9.0)) == 2.0


def test_a_span_ends_where_its_last_frame_ends():
    assert make_timeline(4).span(1, 3) == Interval(0.5, 1.5)


@pytest.mark.parametrize(("first", "stop"), [(0, 0), (2, 1), (-1, 2), (0, 5)])
def test_a_span_outside_the_timeline_is_refused(first, stop):
    with pytest.raises(IndexError, match="not in a timeline of 4"):
        make_timeline(4).span(first, stop)


@pytest.mark.parametrize(
    ("interval", "frames"),
    [
        pytest.param(Interval(0.5, 1.5), (1, 3), id="on the grid"),
        pytest.param(Interval(0.6, 0.7), (1, 2), id="inside one frame"),
        pytest.param(Interval(1.9, 9.0), (3, 4), id="beyond the end"),
        pytest.param(Interval(7.0, 9.0), (4, 4), id="after the end"),
    ],
)
def test_frames_in_an_interval_are_those_on_screen_in_it(interval, frames):
    assert make_timeline(4).frames_in(interval) == frames


def test_frames_in_a_gap_are_none():
    gappy = Timeline(start_s=np.array([0.0, 5.0]), end_s=np.array([1.0, 6.0]))

    assert gappy.frames_in(Interval(2.0, 3.0)) == (1, 1)


@pytest.mark.parametrize(
    ("start_s", "end_s", "sentence"),
    [
        pytest.param([0.0, 1.0], [1.0], "two equal vectors", id="unequal"),
        pytest.param([0.0, 0.0], [1.0, 1.0], "ordered and disjoint", id="one on the other"),
        pytest.param([0.0, 1.0], [2.0, 3.0], "ordered and disjoint", id="overlap"),
        pytest.param([0.0], [0.0], "end after it starts", id="no length"),
        pytest.param([np.nan], [1.0], "finite", id="nan"),
    ],
)
def test_a_timeline_out_of_order_cannot_exist(start_s, end_s, sentence):
    with pytest.raises(ValueError, match=sentence):
        Timeline(start_s=np.array(start_s), end_s=np.array(end_s))


def test_a_timeline_of_no_frames_is_legal():
    assert len(Timeline.empty()) == 0
    assert Timeline.from_starts(np.empty(0), end_s=5.0) == Timeline.empty()
    assert Timeline.concatenate([]) == Timeline.empty()


def test_chunks_join_to_the_timeline_they_were_cut_from():
    chunks = [make_timeline(3), make_timeline(2, start_s=1.5)]

    assert Timeline.concatenate(chunks) == make_timeline(5)


def test_nobody_can_write_into_a_timeline():
    starts = np.array([0.0, 1.0])
    timeline = Timeline.from_starts(starts, end_s=2.0)

    starts[0] = 0.5

    assert timeline.start_s[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        timeline.start_s[0] = 0.5


@pytest.mark.parametrize(
    ("intervals", "merged"),
    [
        pytest.param([], (), id="none"),
        pytest.param([(0, 1), (1, 2)], ((0, 2),), id="touching"),
        pytest.param([(3, 4), (0, 2), (1, 2)], ((0, 2), (3, 4)), id="out of order"),
        pytest.param([(0, 9), (1, 2)], ((0, 9),), id="one inside the other"),
    ],
)
def test_intervals_that_meet_become_one(intervals, merged):
    given = [Interval(float(a), float(b)) for a, b in intervals]

    assert merge_intervals(given) == tuple(Interval(float(a), float(b)) for a, b in merged)


def test_a_small_gap_is_bridged_when_asked():
    pieces = [Interval(0.0, 1.0), Interval(1.4, 2.0), Interval(3.0, 4.0)]

    assert merge_intervals(pieces, max_gap_s=0.5) == (Interval(0.0, 2.0), Interval(3.0, 4.0))


def test_what_is_covered_twice_counts_once():
    assert total_length_s([Interval(0.0, 2.0), Interval(1.0, 3.0)]) == 3.0
