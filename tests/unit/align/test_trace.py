"""What an alignment hands on beside matches: paths, lines, views, and where nothing was taken."""

import dataclasses

import numpy as np
import pytest

from vcd.align import AlignSettings, MatchTrace, align_pair
from vcd.align.frames import FrameView
from vcd.align.paths import Line
from vcd.align.trace import time_line
from vcd.core import Descriptors, Interval, Match, TimeLine, Timeline

GRID = AlignSettings(refine=False)


def _rows(rng, num, made):
    return made.unit(rng.normal(size=(num, 64)))


def _pair(made, query, ref, settings=GRID):
    return align_pair(query, ref, made.tally(query, ref), settings)


def _trace(**changes):
    parts = {
        "query_view": 0,
        "ref_view": 0,
        "path": np.array([[3, 5], [4, 6]]),
        "line": None,
        "strength": 0.5,
        "num_independent": 2.0,
    }
    return MatchTrace(**{**parts, **changes})


def test_a_trace_has_the_cells_of_the_match_and_the_line_through_them(made):
    unlike = np.eye(64, dtype=np.float32)
    query = made.from_features("q", np.concatenate([unlike[50:60], unlike[20:40]]))
    ref = made.from_features("r", unlike[:50])

    (trace,) = _pair(made, query, ref).traces

    assert trace.path.tolist() == [[10 + i, 20 + i] for i in range(20)]
    assert trace.line is not None
    assert (trace.line.slope, trace.line.residual_s) == pytest.approx((1.0, 0.0))
    assert trace.line.intercept_s == pytest.approx(5.0)
    assert (trace.query_view, trace.ref_view, trace.frame_instant) == (0, 0, 0.5)


def test_a_trace_says_when_in_their_cells_frames_were_taken(made, rng):
    rows = _rows(rng, 20, made)
    query, ref = made.from_features("q", rows), made.from_features("r", rows)

    (trace,) = _pair(made, query, ref, dataclasses.replace(GRID, frame_instant=0.25)).traces

    assert trace.frame_instant == 0.25


def test_traces_are_in_the_order_of_the_matches(made, rng):
    ref_rows = _rows(rng, 100, made)
    query_rows = np.concatenate([ref_rows[70:76], _rows(rng, 10, made), ref_rows[10:50]])
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref)

    firsts = [query.timeline.start_s[trace.path[0, 0]] for trace in alignment.traces]
    assert firsts == [match.query.start_s for match in alignment.accepted] == [8.0, 0.0]


@pytest.mark.parametrize("is_dense", [False, True], ids=["on the grid", "sampled again"])
def test_the_line_is_the_one_that_the_bounds_lie_on(made, is_dense):
    copy = made.edited_copy(4, length_s=14.0, slope=1.3)
    denser = copy.denser if is_dense else None

    alignment = align_pair(copy.query, copy.ref, copy.tally, AlignSettings(), denser=denser)

    (match,), (trace,) = alignment.accepted, alignment.traces
    assert trace.line is not None
    assert 1.1 < trace.line.slope < 1.4
    assert match.ref.start_s == pytest.approx(trace.line.ref_at(match.query.start_s), abs=1e-9)
    assert match.ref.end_s == pytest.approx(trace.line.ref_at(match.query.end_s), abs=1e-9)


def test_there_is_a_line_where_bounds_stay_on_the_grid(made):
    copy = made.edited_copy(4, length_s=14.0, slope=1.3)

    (coarse,), (fine,) = (
        align_pair(copy.query, copy.ref, copy.tally, settings).traces
        for settings in (GRID, AlignSettings())
    )

    assert coarse.line is not None
    assert fine.line is not None
    assert coarse.line.slope == pytest.approx(fine.line.slope)
    assert coarse.line.intercept_s == pytest.approx(fine.line.intercept_s)


@pytest.mark.parametrize("side", ["query", "ref"])
def test_an_image_has_one_cell_and_no_line(made, rng, side):
    rows = _rows(rng, 40, made)
    image, video = made.from_features("i", rows[22:23]), made.from_features("v", rows)
    pair = (image, video) if side == "query" else (video, image)

    (trace,) = _pair(made, *pair).traces

    assert trace.path.tolist() == ([[0, 22]] if side == "query" else [[22, 0]])
    assert trace.line is None


def test_a_trace_says_which_views_matched(made, rng):
    ref_rows = _rows(rng, 40, made)
    copy = np.stack([_rows(rng, 20, made), ref_rows[5:25]], axis=1).reshape(-1, 64)
    query = Descriptors(
        video_id="q",
        timeline=Timeline.from_starts(np.arange(20) / 2, end_s=10.0),
        features=copy,
        frame=np.repeat(np.arange(20), 2).astype(np.int32),
        view=np.tile([0, 7], 20).astype(np.int16),
        space=made.SPACE,
    )

    (trace,) = _pair(made, query, made.from_features("r", ref_rows)).traces

    assert (trace.query_view, trace.ref_view) == (7, 0)


def test_the_score_is_made_of_what_a_trace_says_of_its_strength(made):
    copy = made.edited_copy(6, length_s=12.0)

    alignment = align_pair(copy.query, copy.ref, copy.tally, AlignSettings())

    (match,), (trace,) = alignment.accepted, alignment.traces
    evidence = trace.strength * trace.num_independent
    assert 0.0 < trace.strength < 1.0 < trace.num_independent
    assert match.score == evidence / (evidence + AlignSettings().score_scale)


def _diagonal(made, rng):
    """Two videos at 2 frames a second, and the cells of the one copied from the other's 5 s on."""
    rows = _rows(rng, 40, made)
    query = FrameView.of(made.from_features("q", rows[10:30], 2.0), 0)
    ref = FrameView.of(made.from_features("r", rows, 2.0), 0)
    return query, ref, np.stack([np.arange(20), np.arange(20) + 10], axis=1)


def _bounded(query, ref):
    return Match(query_id="q", ref_id="r", query=Interval(*query), ref=Interval(*ref), score=0.5)


def test_a_line_says_how_far_from_it_the_cells_lie_on_the_refs_clock(made, rng):
    query, ref, path = _diagonal(made, rng)
    path[::2, 1] += 1  # half a second late

    line = time_line(Line(slope=1.0, intercept=5.25), None, query, ref, path, 0.5)

    assert line == TimeLine(slope=1.0, intercept_s=5.25, residual_s=0.25)


def test_the_ends_of_a_match_say_its_speed_where_a_fit_is_askew(made, rng):
    query, ref, path = _diagonal(made, rng)
    askew = Line(slope=1.06, intercept=4.7)

    line = time_line(askew, _bounded((0.0, 10.0), (5.0, 15.0)), query, ref, path, 0.5)

    assert line == TimeLine(slope=1.0, intercept_s=5.0, residual_s=0.0)


def test_the_fitted_line_is_told_where_the_frames_between_the_ends_are_not_alike(made, rng):
    query, ref, path = _diagonal(made, rng)
    fitted = Line(slope=1.0, intercept=5.0)

    line = time_line(fitted, _bounded((0.0, 10.0), (2.0, 12.0)), query, ref, path, 0.5)

    assert line == TimeLine(slope=1.0, intercept_s=5.0, residual_s=0.0)


def _short(made, rng):
    ref_rows = _rows(rng, 100, made)
    query_rows = _rows(rng, 60, made)
    query_rows[30:33] = ref_rows[80:83]
    return query_rows, ref_rows, GRID, "min_length"


def _weak(made, rng):
    ref_rows = _rows(rng, 100, made)
    query_rows = _rows(rng, 60, made)
    query_rows[30:40] = ref_rows[80:90]
    return query_rows, ref_rows, dataclasses.replace(GRID, min_score=0.99), "min_score"


def _single(made, rng):
    query_rows, ref_rows = _rows(rng, 60, made), _rows(rng, 100, made)
    query_rows[30] = ref_rows[80]
    return query_rows, ref_rows, dataclasses.replace(GRID, min_similarity=0.6), "min_frames"


@pytest.mark.parametrize(
    ("make", "length_s"),
    [(_short, 1.5), (_weak, 5.0), (_single, 0.5)],
    ids=["short", "weak", "single"],
)
def test_a_rejected_stretch_says_where_it_was(made, rng, make, length_s):
    query_rows, ref_rows, settings, rule = make(made, rng)
    query, ref = made.from_features("q", query_rows), made.from_features("r", ref_rows)

    alignment = _pair(made, query, ref, settings)

    (rejection,) = alignment.rejected
    assert (rejection.rule, alignment.traces) == (rule, ())
    assert rejection.query == Interval(15.0, 15.0 + length_s)
    assert rejection.ref == Interval(40.0, 40.0 + length_s)


def test_nobody_can_change_the_path_of_a_trace(made, rng):
    path = np.array([[3, 5], [4, 6]])

    trace = _trace(path=path)

    with pytest.raises(ValueError, match="read-only"):
        trace.path[0, 0] = 7


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        pytest.param(np.empty((0, 2), dtype=np.int64), "at least one cell", id="empty"),
        pytest.param(np.array([3, 5]), r"a path is \(P, 2\) int64, got \(2,\)", id="one axis"),
        pytest.param(np.array([[3.0, 5.0]]), r"got \(1, 2\) float64", id="no frames"),
    ],
)
def test_what_is_no_path_is_refused(path, sentence):
    with pytest.raises(ValueError, match=sentence):
        _trace(path=path)


def test_traces_are_equal_when_all_that_they_hold_is():
    same = _trace(path=np.array([[3, 5], [4, 6]]))
    others = [_trace(path=np.array([[3, 5], [4, 7]])), _trace(strength=0.6), _trace(ref_view=1)]

    assert _trace() == same
    assert hash(_trace()) == hash(same)
    assert all(_trace() != other for other in others)
    assert _trace() != "a trace"
