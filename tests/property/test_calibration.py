"""The laws of choosing a threshold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vcd.core import InputError
from vcd.evaluation.calibration import (
    PrecisionCurve,
    choose_threshold,
    found_scores,
    precision_curve,
)
from vcd.evaluation.tables import Segments

Row = tuple[int, int, int, int, float]

_WISHES = [0.1, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99, 1.0]


def _rows(*, min_size: int = 0) -> st.SearchStrategy[list[Row]]:
    """Draw rows of query, reference, two starts and a score that often repeats."""
    starts = st.integers(0, 12)
    row = st.tuples(
        st.integers(0, 30),
        st.integers(0, 1),
        starts,
        starts,
        st.integers(0, 12).map(lambda n: n / 8),
    )
    return st.lists(row, min_size=min_size, max_size=80)


def _segments(rows: list[Row]) -> Segments:
    starts = np.array([row[2:4] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Segments(
        query_ids=np.array([f"q{row[0]}" for row in rows], dtype=np.str_),
        ref_ids=np.array([f"r{row[1]}" for row in rows], dtype=np.str_),
        query_s=np.column_stack([starts[:, 0], starts[:, 0] + 5]),
        ref_s=np.column_stack([starts[:, 1], starts[:, 1] + 5]),
        score=np.array([row[4] for row in rows], dtype=np.float64),
    )


_TRUTH = _segments([(number, 0, 4, 4, 1.0) for number in range(25)])


def _threshold(curve: PrecisionCurve, precision: float) -> float:
    """Give what is chosen; nothing chosen is above every score."""
    try:
        return float(curve.min_score[choose_threshold(curve, precision=precision).row])
    except InputError:
        return np.inf


@given(_rows())
def test_a_higher_wish_never_gives_a_lower_threshold(rows):
    curve = precision_curve(_segments(rows), _TRUTH)

    thresholds = [_threshold(curve, precision) for precision in _WISHES]

    assert thresholds == sorted(thresholds)


@given(st.integers(20, 60), st.lists(st.booleans(), max_size=40))
def test_the_law_of_wishes_holds_where_much_is_shown(num_right, tail):
    """Many right matches, then right and wrong ones by turns: wishes are shown, or measured."""
    kinds = [True] * num_right + tail
    rows = [(i % 31, 0 if right else 1, 4, 4, -i / 8) for i, right in enumerate(kinds)]
    truth = _segments([(number, 0, 4, 4, 1.0) for number in range(31)])
    curve = precision_curve(_segments(rows), truth)

    thresholds = [_threshold(curve, precision) for precision in _WISHES]

    assert thresholds == sorted(thresholds)
    assert np.isfinite(thresholds[0])


@given(_rows(min_size=1), st.randoms(use_true_random=False))
def test_the_order_of_the_matches_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))

    one, other = (precision_curve(_segments(each), _TRUTH) for each in (rows, shuffled))

    for name in ("min_score", "precision", "low", "high", "recall", "num_matches"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()


@given(_rows())
def test_a_curve_is_what_counting_at_each_threshold_gives(rows):
    matches = _segments(rows)
    is_right, best = found_scores(matches, _TRUTH)

    curve = precision_curve(matches, _TRUTH)

    assert curve.min_score.tolist() == sorted(set(matches.score.tolist()))
    for at, min_score in enumerate(curve.min_score.tolist()):
        kept = matches.score >= min_score
        assert curve.num_matches[at] == kept.sum()
        assert curve.precision[at] == is_right[kept].mean()
        assert curve.recall[at] == (best >= min_score).mean()
        assert 0 <= curve.low[at] <= curve.precision[at] <= curve.high[at] <= 1


@given(_rows(min_size=1))
def test_what_is_said_to_be_shown_is_shown_and_what_is_chosen_reaches_the_wish(rows):
    curve = precision_curve(_segments(rows), _TRUTH)
    for precision in _WISHES:
        try:
            chosen = choose_threshold(curve, precision=precision)
        except InputError:
            continue

        assert chosen.is_shown == (curve.low[chosen.row] >= precision)
        assert curve.precision[chosen.row] >= precision
