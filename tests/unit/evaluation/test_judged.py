"""Precision of matches that people judged, of whom each saw only what was reported."""

import numpy as np
import pytest

from vcd.core import InputError
from vcd.evaluation.calibration import choose_threshold
from vcd.evaluation.judged import JudgedMatches, judged_curve, judged_from

EVERY = -np.inf


def judged(*rows: tuple[str, float, bool, float]) -> JudgedMatches:
    """Rows of query, score, whether it is right, and from which score on matches were shown."""
    queries, scores, rights, shown = zip(*rows, strict=True) if rows else ((), (), (), ())
    return JudgedMatches(
        query_ids=np.array(queries, dtype=np.str_),
        score=np.array(scores, dtype=np.float64),
        is_right=np.array(rights, dtype=np.bool_),
        shown_from=np.array(shown, dtype=np.float64),
    )


def test_precision_is_measured_at_every_judged_score():
    curve = judged_curve(
        judged(("a", 0.9, True, 0.4), ("b", 0.7, False, 0.4), ("c", 0.5, True, 0.4))
    )

    assert curve.min_score.tolist() == [0.5, 0.7, 0.9]
    assert curve.precision.tolist() == pytest.approx([2 / 3, 1 / 2, 1.0])
    assert curve.recall.tolist() == [1.0, 0.5, 0.5]
    assert curve.num_matches.tolist() == [3, 2, 1]
    assert curve.num_true == 2


def test_matches_of_one_query_count_as_one():
    alone = judged_from(judged(("a", 0.9, True, 0.4)), 0.4)
    five = judged_from(judged(*[("a", 0.9, True, 0.4)] * 5), 0.4)

    assert five.low.tolist() == pytest.approx(alone.low.tolist())
    assert five.num_matches.tolist() == [5]


def test_a_right_and_a_wrong_match_of_one_pair_stay_what_they_are():
    curve = judged_from(judged(("a", 0.8, True, 0.4), ("a", 0.8, False, 0.4)), 0.4)

    assert curve.precision.tolist() == [0.5]


def test_matches_that_were_not_shown_from_there_on_do_not_count_below_their_threshold():
    strong = [(f"s{i}", 0.9, True, 0.6) for i in range(8)]
    weak = [("w0", 0.4, False, 0.3), ("w1", 0.8, True, 0.3)]

    curve = judged_curve(judged(*strong, *weak))

    assert curve.min_score.tolist() == [0.4, 0.8, 0.9]
    assert curve.num_matches.tolist() == [2, 9, 8]
    assert curve.precision.tolist() == [0.5, 1.0, 1.0]


def test_below_a_threshold_that_others_were_shown_from_only_the_rest_counts():
    rows = [("s", 0.9, False, 0.6), ("w0", 0.4, True, 0.3), ("w1", 0.5, True, 0.3)]

    curve = judged_curve(judged(*rows))

    assert curve.min_score.tolist() == [0.4, 0.5, 0.9]
    assert curve.precision.tolist() == [1.0, 1.0, 0.0]


def test_no_threshold_is_below_the_lowest_judged_score():
    rows = [(f"q{i}", 0.5 + i / 1000, True, EVERY) for i in range(100)]

    curve = judged_curve(judged(*rows))
    chosen = choose_threshold(curve, precision=0.9)

    assert curve.min_score[chosen.row] == 0.5
    assert chosen.is_shown


def test_a_score_below_what_was_shown_makes_no_threshold():
    curve = judged_curve(judged(("a", 0.2, True, 0.5), ("b", 0.7, True, 0.5)))

    assert curve.min_score.tolist() == [0.7]


def test_from_one_score_on_what_is_weaker_and_what_was_not_shown_is_left_out():
    rows = [("a", 0.44, False, 0.3), ("b", 0.45, True, 0.3), ("c", 0.9, False, 0.5)]

    curve = judged_from(judged(*rows), 0.45)

    assert curve.num_matches[0] == 1
    assert curve.precision[0] == 1.0


@pytest.mark.parametrize("matches", [judged(), judged(("a", 0.7, False, 0.5))])
def test_where_nothing_is_right_nothing_is_chosen(matches):
    with pytest.raises(InputError, match="nothing to choose a threshold by"):
        choose_threshold(judged_curve(matches), precision=0.5)


def test_columns_are_of_one_length():
    with pytest.raises(ValueError, match=r"unequal lengths \[0, 1\]"):
        JudgedMatches(
            query_ids=np.array(["a"]),
            score=np.array([0.5]),
            is_right=np.array([], dtype=np.bool_),
            shown_from=np.array([0.4]),
        )
