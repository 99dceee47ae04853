"""The laws of sampling: a regular grid over true time, whatever the container's frames are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.core import Interval, total_length_s
from vcd.media.clock import PresentationClock
from vcd.media.sampling import (
    BOUNDARY_TOLERANCE_S,
    cell_interval,
    cells_shown,
    frames_on_screen,
    num_cells,
    output_size,
    uncovered,
)

rates_hz = st.floats(0.2, 60.0)
durations_s = st.floats(0.001, 5000.0)
frame_lengths_s = st.lists(st.floats(0.004, 3.0), min_size=1, max_size=60)


@st.composite
def presentations(draw):
    """Presentation times of a video, evenly spaced or not, and when it ends."""
    lengths = np.asarray(draw(frame_lengths_s))
    ends = np.cumsum(lengths)
    return np.concatenate([[0.0], ends[:-1]]), float(ends[-1])


@given(durations_s, rates_hz)
def test_samples_cover_the_video_in_order_and_lie_inside_it(duration_s, rate_hz):
    num = num_cells(duration_s, rate_hz)
    cells = [
        cell_interval(cell, rate_hz=rate_hz, duration_s=duration_s)
        for cell in {0, 1, num // 2, num - 2, num - 1}
        if 0 <= cell < num
    ]

    assert num >= 1
    assert num == max(1, round(duration_s * rate_hz)) or abs(num - duration_s * rate_hz) < 0.6
    assert cell_interval(0, rate_hz=rate_hz)[0] == 0.0
    assert cell_interval(num - 1, rate_hz=rate_hz, duration_s=duration_s)[1] == duration_s
    for start_s, end_s in cells:
        assert 0.0 <= start_s < end_s <= duration_s
        assert start_s + 0.5 / rate_hz < duration_s + BOUNDARY_TOLERANCE_S or num == 1


@given(presentations(), rates_hz)
def test_each_sample_is_the_frame_on_screen_in_the_middle_of_its_cell(presentation, rate_hz):
    start_s, end_s = presentation

    chosen = frames_on_screen(start_s, end_s=end_s, rate_hz=rate_hz)

    for cell, frame in enumerate(chosen.tolist()):
        instant_s = (cell + 0.5) / rate_hz
        assert start_s[frame] <= instant_s + BOUNDARY_TOLERANCE_S
        if frame + 1 < len(start_s):
            assert start_s[frame + 1] > instant_s
    assert len(chosen) == num_cells(end_s, rate_hz)
    assert (np.diff(chosen) >= 0).all()


@given(presentations(), rates_hz)
def test_frame_by_frame_and_all_at_once_agree(presentation, rate_hz):
    start_s, end_s = presentation
    stops_s = [*start_s[1:].tolist(), end_s]

    one_by_one = [
        (cell, frame)
        for frame, (shown_s, until_s) in enumerate(zip(start_s.tolist(), stops_s, strict=True))
        for cell in cells_shown(shown_s, until_s, rate_hz)
    ]

    at_once = list(enumerate(frames_on_screen(start_s, end_s=end_s, rate_hz=rate_hz).tolist()))
    assert one_by_one == at_once or (one_by_one == [] and len(at_once) == 1)


@given(presentations(), rates_hz, st.integers(2, 6))
def test_a_frame_shown_in_pieces_changes_nothing(presentation, rate_hz, num_pieces):
    """A container that repeats frames to have a higher nominal rate gives the same samples."""
    start_s, end_s = presentation
    ends_s = np.append(start_s[1:], end_s)
    parts = np.arange(num_pieces) / num_pieces
    repeated_s = (start_s[:, None] + (ends_s - start_s)[:, None] * parts).ravel()

    fine = frames_on_screen(repeated_s, end_s=end_s, rate_hz=rate_hz) // num_pieces

    assert fine.tolist() == frames_on_screen(start_s, end_s=end_s, rate_hz=rate_hz).tolist()


@given(
    st.lists(st.tuples(st.floats(0.0, 90.0), st.floats(0.1, 20.0)), max_size=8),
    st.floats(1.0, 100.0),
)
def test_what_is_not_covered_is_the_rest(parts, length_s):
    whole = Interval(0.0, length_s)
    covered = [Interval(start_s, start_s + span_s) for start_s, span_s in parts]

    gaps = uncovered(covered, until=whole)

    inside = [
        Interval(part.start_s, min(part.end_s, length_s))
        for part in covered
        if part.start_s < length_s
    ]
    assert abs(total_length_s(gaps) + total_length_s(inside) - length_s) < 1e-6
    assert all(gap.overlap_s(part) == 0.0 for gap in gaps for part in covered)
    assert all(0.0 <= gap.start_s < gap.end_s <= length_s for gap in gaps)


@given(st.integers(1, 8192), st.integers(1, 8192), st.integers(16, 1024))
def test_frames_are_never_enlarged_and_keep_their_shape(width_px, height_px, max_short_edge_px):
    width, height = output_size(
        width_px, height_px, max_short_edge_px=max_short_edge_px, max_pixels=10_000_000
    )

    assert 1 <= width <= width_px
    assert 1 <= height <= height_px
    assert min(width, height) <= max_short_edge_px
    if min(width_px, height_px) <= max_short_edge_px and width_px * height_px <= 10_000_000:
        assert (width, height) == (width_px, height_px)
    assert abs(width - width_px * height / height_px) <= 0.51 * (1 + width_px / height_px)


@given(
    st.lists(st.none() | st.floats(-1e5, 1e5), min_size=1, max_size=60),
    st.none() | st.floats(5.0, 20.0),
)
def test_a_clock_starts_at_zero_and_never_stands_still(stamps_s, max_jump_s):
    clock = PresentationClock(nominal_frame_s=0.04, first_pts_s=None, max_jump_s=max_jump_s)

    times = np.asarray([clock.time_s(stamp_s) for stamp_s in stamps_s])

    assert times[0] == 0.0
    assert (np.diff(times) > 0.0).all()
    if max_jump_s is not None:
        assert (np.diff(times) <= max_jump_s + 1e-6).all()
