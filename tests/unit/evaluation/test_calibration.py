"""Which score to report from: how often matches are right, how sure that is, and when to say no."""

import numpy as np
import pytest

from vcd.core import InputError
from vcd.evaluation.calibration import (
    PrecisionCurve,
    choose_threshold,
    found_scores,
    num_needed,
    precision_curve,
)
from vcd.evaluation.tables import Segments

Row = tuple[str, str, float, float, float, float, float]


def segments(*rows: Row) -> Segments:
    """Make a table of rows ``(query, ref, query start, end, ref start, end, score)``."""
    return Segments(
        query_ids=np.array([row[0] for row in rows], dtype=np.str_),
        ref_ids=np.array([row[1] for row in rows], dtype=np.str_),
        query_s=np.array([row[2:4] for row in rows], dtype=np.float64).reshape(-1, 2),
        ref_s=np.array([row[4:6] for row in rows], dtype=np.float64).reshape(-1, 2),
        score=np.array([row[6] for row in rows], dtype=np.float64),
    )


def claims(*scores: float, is_right: bool = True, query: str | None = None) -> list[Row]:
    """Make a match for each score: right where the reference is its query's own."""
    return [
        (name, f"ref of {name}" if is_right else "another", 0, 5, 0, 5, score)
        for score in scores
        for name in [query or f"{score:.9f} {is_right}"]
    ]


def truth_of(rows: list[Row]) -> Segments:
    """Say that each query of these rows copies ten seconds of a reference of its own."""
    return segments(
        *((name, f"ref of {name}", 0, 10, 0, 10, 1) for name in {r[0]: 0 for r in rows})
    )


def curve_of(*rows: list[Row]) -> PrecisionCurve:
    matches = [row for part in rows for row in part]
    return precision_curve(segments(*matches), truth_of(matches))


@pytest.mark.parametrize(
    ("match", "is_right"),
    [
        pytest.param(("q", "r", 10, 20, 30, 40, 1), True, id="the very segment"),
        pytest.param(("q", "r", 19, 29, 39, 49, 1), True, id="its end"),
        pytest.param(("q", "r", 0, 99, 0, 99, 1), True, id="far too long"),
        pytest.param(("q", "r", 20, 30, 35, 45, 1), False, id="touching on the query's axis"),
        pytest.param(("q", "r", 15, 25, 40, 50, 1), False, id="touching on the reference's axis"),
        pytest.param(("q", "r", 10, 20, 60, 70, 1), False, id="from elsewhere in the reference"),
        pytest.param(("q", "s", 10, 20, 30, 40, 1), False, id="another reference"),
        pytest.param(("p", "r", 10, 20, 30, 40, 1), False, id="another query"),
    ],
)
def test_a_match_is_right_when_it_lies_on_a_true_segment_of_its_pair(match, is_right):
    truth = segments(("q", "s", 90, 95, 90, 95, 1), ("q", "r", 10, 20, 30, 40, 1))

    right, best = found_scores(segments(match), truth)

    assert right.tolist() == [is_right]
    assert best.tolist() == [-np.inf, 1.0 if is_right else -np.inf]


def test_a_match_that_overlaps_two_segments_one_on_each_axis_is_wrong():
    truth = segments(("q", "r", 0, 5, 50, 55, 1), ("q", "r", 50, 55, 0, 5, 1))

    right, _ = found_scores(segments(("q", "r", 0, 5, 0, 5, 1)), truth)

    assert right.tolist() == [False]


def test_an_instant_is_found_by_the_match_that_holds_it():
    truth = segments(("q", "r", 5, 5, 7, 7, 1))

    right, _ = found_scores(segments(("q", "r", 5, 6, 7, 8, 1), ("q", "r", 4, 5, 7, 8, 1)), truth)

    assert right.tolist() == [True, False]


@pytest.mark.parametrize("scores", [(0.3, 0.7), (0.7, 0.3)])
def test_of_two_matches_on_a_segment_the_better_one_found_it(scores):
    truth = segments(("q", "r", 0, 10, 0, 10, 1))
    one, other = scores

    _, best = found_scores(
        segments(("q", "r", 0, 4, 0, 4, one), ("q", "r", 5, 9, 5, 9, other)), truth
    )

    assert best.tolist() == [0.7]


def test_a_match_may_lie_on_two_segments_and_finds_both():
    truth = segments(("q", "r", 0, 4, 0, 4, 1), ("q", "r", 6, 9, 6, 9, 1))

    right, best = found_scores(segments(("q", "r", 1, 8, 1, 8, 0.5)), truth)

    assert (right.tolist(), best.tolist()) == ([True], [0.5, 0.5])


def test_every_score_is_a_threshold_and_equal_scores_are_one():
    matches = [
        *claims(0.9, 0.8, 0.5),
        *claims(0.5, is_right=False),
        *claims(-0.1, is_right=False),
    ]

    curve = curve_of(matches)

    assert curve.min_score.tolist() == [-0.1, 0.5, 0.8, 0.9]
    assert curve.num_matches.tolist() == [5, 4, 2, 1]
    assert curve.precision.tolist() == [3 / 5, 3 / 4, 1.0, 1.0]
    assert curve.recall.tolist() == [3 / 5, 3 / 5, 2 / 5, 1 / 5]
    assert curve.num_true == 5


def test_the_interval_is_that_of_clopper_and_pearson():
    """Nine of ten: 0.5550 to 0.9975, as their tables have it; ten of ten: the root of 0.025."""
    scores = np.linspace(0.9, 0.8, 9)

    curve = curve_of(claims(*scores), claims(0.1, is_right=False))

    assert curve.precision[0] == 0.9
    assert (curve.low[0], curve.high[0]) == pytest.approx((0.5550, 0.9975), abs=5e-5)
    assert curve.low[1] == pytest.approx(0.025 ** (1 / 9))
    assert curve.high[1] == 1.0


def test_matches_of_one_query_are_counted_as_fewer():
    """One query with a match, one with three: worth 4^2 / (1 + 9) = 1.6."""
    curve = curve_of(claims(0.9, 0.8, 0.7, query="a"), claims(0.5, query="b"))

    assert curve.low[0] == pytest.approx(0.025 ** (1 / 1.6))
    assert curve.low[1:].tolist() == pytest.approx([0.025] * 3)


def test_with_nothing_right_the_low_end_is_nothing():
    curve = curve_of(claims(0.9, 0.8, is_right=False))

    assert (curve.precision.tolist(), curve.low.tolist()) == ([0, 0], [0, 0])
    assert curve.high[0] == pytest.approx(1 - 0.025 ** (1 / 2))


def test_without_matches_there_is_a_curve_without_thresholds():
    curve = precision_curve(segments(), segments(("q", "r", 0, 1, 0, 1, 1)))

    assert (len(curve), curve.num_true, curve.points(9)) == (0, 1, ())


def test_without_true_segments_recall_is_zero():
    curve = precision_curve(segments(("q", "r", 0, 1, 0, 1, 1)), segments())

    assert (curve.recall.tolist(), curve.precision.tolist()) == ([0.0], [0.0])


def test_the_points_are_spread_over_the_thresholds_with_both_ends():
    curve = curve_of(claims(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))

    assert [point[0] for point in curve.points(3)] == [0.1, 0.4, 0.7]
    assert [point[0] for point in curve.points(99)] == curve.min_score.tolist()
    assert curve.points(3)[1] == (0.4, 1.0, 4 / 7)


def many(num: int, *, top: float, bottom: float, is_right: bool = True) -> list[Row]:
    return claims(*np.linspace(top, bottom, num).tolist(), is_right=is_right)


def test_the_lowest_threshold_that_is_shown_to_be_good_enough_is_chosen():
    """40 right matches, then two wrong: from the 36th on 0.9 is shown, behind the wrong no more."""
    curve = curve_of(many(40, top=0.9, bottom=0.5), claims(0.4, 0.39, is_right=False))

    chosen = choose_threshold(curve, precision=0.9)

    assert chosen.is_shown
    assert curve.min_score[chosen.row] == 0.5


def test_wrong_matches_that_are_outweighed_do_not_raise_the_threshold():
    rows = [many(100, top=0.9, bottom=0.5), claims(0.6, is_right=False)]

    curve = curve_of(*rows)
    chosen = choose_threshold(curve, precision=0.9)

    assert (chosen.is_shown, curve.min_score[chosen.row]) == (True, 0.5)


def test_where_too_few_can_show_it_the_measured_precision_decides_and_it_says_so():
    curve = curve_of(many(40, top=0.9, bottom=0.5), claims(0.4, is_right=False))

    chosen = choose_threshold(curve, precision=0.99)

    assert not chosen.is_shown
    assert curve.min_score[chosen.row] == 0.5


def test_what_is_measured_never_leads_below_where_most_is_shown():
    """Of 43 from 0.3 on 41 are right: 0.953; yet 0.912 is shown from 0.5 on alone."""
    curve = curve_of(many(40, top=0.9, bottom=0.5), claims(0.4, 0.39, is_right=False), claims(0.3))
    assert curve.precision[0] > 0.95

    chosen = choose_threshold(curve, precision=0.95)

    assert (chosen.is_shown, curve.min_score[chosen.row]) == (False, 0.5)


@pytest.mark.parametrize(
    ("rows", "precision", "sentence"),
    [
        pytest.param([], 0.9, "no match lies on a true segment", id="no match"),
        pytest.param(
            claims(0.9, 0.8, is_right=False), 0.9, "no match lies on a true segment", id="all wrong"
        ),
        pytest.param(
            claims(0.9, 0.8, 0.7),
            0.9,
            "too few right matches .* a precision of 0.292 at best, wanted 0.5",
            id="three",
        ),
        pytest.param(
            claims(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, query="q"),
            0.9,
            "too few right matches .* a precision of 0.025 at best",
            id="all of one query",
        ),
        pytest.param(
            [*many(40, top=0.8, bottom=0.5), *claims(0.9, is_right=False)],
            0.99,
            "no threshold reaches a precision of 0.99: the best that was measured is 0.975",
            id="the surest is wrong",
        ),
        pytest.param(many(40, top=0.8, bottom=0.5), 0.0, "above 0 and at most 1, got 0", id="0"),
        pytest.param(many(40, top=0.8, bottom=0.5), 99.0, "at most 1, got 99", id="per cent"),
        pytest.param(many(40, top=0.8, bottom=0.5), np.nan, "at most 1, got nan", id="nan"),
    ],
)
def test_without_evidence_no_threshold_is_chosen(rows, precision, sentence):
    with pytest.raises(InputError, match=sentence):
        choose_threshold(curve_of(rows), precision=precision)


@pytest.mark.parametrize(("precision", "num"), [(0.9, 36), (0.95, 72), (0.99, 368)])
def test_it_takes_so_many_queries_to_show_a_precision(precision, num):
    assert num_needed(precision) == num
    assert choose_threshold(curve_of(many(num, top=0.9, bottom=0.5)), precision=precision).is_shown
    assert not choose_threshold(
        curve_of(many(num - 1, top=0.9, bottom=0.5)), precision=precision
    ).is_shown


def test_no_number_of_queries_shows_perfection():
    assert num_needed(1.0) is None
    assert not choose_threshold(curve_of(many(500, top=0.9, bottom=0.5)), precision=1.0).is_shown


def test_the_curve_cannot_be_changed():
    curve = curve_of(claims(0.5))

    with pytest.raises(ValueError, match="read-only"):
        curve.precision[0] = 1.0
