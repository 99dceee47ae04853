"""Seconds since the first shown frame, from whatever a container says."""

import pytest

from vcd.media.clock import PresentationClock


def _times(stamps_s, *, max_jump_s=None, first_pts_s=None):
    clock = PresentationClock(nominal_frame_s=0.1, first_pts_s=first_pts_s, max_jump_s=max_jump_s)
    return [round(clock.time_s(stamp_s), 6) for stamp_s in stamps_s]


@pytest.mark.parametrize(
    ("stamps_s", "expected_s"),
    [
        pytest.param([1.4, 1.5, 1.9], [0.0, 0.1, 0.5], id="start offset is taken off"),
        pytest.param([None, None, None], [0.0, 0.1, 0.2], id="no times: frames are counted"),
        pytest.param([0.0, None, 0.2], [0.0, 0.1, 0.2], id="one time missing"),
        pytest.param([0.0, 0.1, 0.1, 0.3], [0.0, 0.1, 0.2, 0.3], id="a repeated time"),
        pytest.param([0.0, 0.3, 0.2, 0.5], [0.0, 0.3, 0.4, 0.5], id="a little out of order"),
        pytest.param([5.0, 5.1, 0.0, 0.1], [0.0, 0.1, 0.2, 0.3], id="a second recording"),
        pytest.param([0.0, 60.0, 60.1], [0.0, 60.0, 60.1], id="a long pause is trusted"),
    ],
)
def test_times_since_the_first_frame(stamps_s, expected_s):
    assert _times(stamps_s) == expected_s


def test_a_jump_ahead_in_a_transport_stream_is_a_cut():
    assert _times([0.0, 0.1, 3600.0, 3600.1], max_jump_s=10.0) == [0.0, 0.1, 0.2, 0.3]


def test_a_clock_may_begin_before_its_first_decodable_frame():
    assert _times([2.0, 2.1], first_pts_s=1.5) == [0.5, 0.6]
