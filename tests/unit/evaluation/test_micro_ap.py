"""Golden values of the VSC2022 and ISC2021 scorers, and the laws of the metric."""

import itertools

import numpy as np
import pytest

from vcd.evaluation import ScoredPairs, accuracy_at_1, micro_ap, recall_at_precision

TRUE_TWO = [("Q1", "R10"), ("Q2", "R11")]
TIED = [
    (("Q1", "R1"), 0.9),
    (("Q1", "R9"), 0.9),
    (("Q2", "R2"), 0.5),
    (("Q2", "R8"), 0.5),
    (("Q3", "R9"), 0.4),
]
TRUE_THREE = [("Q1", "R1"), ("Q2", "R2"), ("Q3", "R3")]


def labelled(scored, truth):
    pairs, scores = [pair for pair, _ in scored], [score for _, score in scored]
    return ScoredPairs.from_pairs(pairs, scores, truth)


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        pytest.param([(("Q1", "R10"), 8), (("Q2", "R11"), 4), (("Q3", "R1"), 2)], 1, id="fp last"),
        pytest.param(
            [(("Q1", "R10"), 8), (("Q2", "R11"), 4), (("Q3", "R1"), 5)], 5 / 6, id="fp between"
        ),
        pytest.param(
            [(("Q1", "R10"), 3), (("Q2", "R10"), 2), (("Q3", "R1"), 1)], 0.5, id="one of two"
        ),
        pytest.param(
            [(("Q1", "R10"), 2), (("Q2", "R10"), 3), (("Q3", "R1"), 1)], 0.25, id="second of two"
        ),
        pytest.param([], 0.0, id="no prediction"),
        pytest.param([(("Q9", "R9"), 1)], 0.0, id="nothing true"),
        pytest.param([(("Q1", "R10"), -1), (("Q2", "R11"), -2)], 1.0, id="negative scores"),
    ],
)
def test_micro_ap_equals_the_reference_scorer(scored, expected):
    assert micro_ap(labelled(scored, TRUE_TWO)) == pytest.approx(expected)


def test_ties_enter_together_whatever_their_order():
    values = {
        round(micro_ap(labelled(order, TRUE_THREE)), 12) for order in itertools.permutations(TIED)
    }

    assert values == {round(1 / 3, 12)}


def test_tied_golden_case_has_no_precise_threshold_and_no_first_place():
    pairs, scores = [pair for pair, _ in TIED], [score for _, score in TIED]

    assert recall_at_precision(labelled(TIED, TRUE_THREE), 0.9) == (0.0, None)
    assert accuracy_at_1(pairs, scores, TRUE_THREE) == 0.0


def test_second_isc_golden_case():
    scored = [(("Q1", "R1"), 0.9), (("Q2", "R2"), 0.8), (("Q3", "R1"), 0.7), (("Q3", "R3"), 0.6)]
    pairs, scores = [pair for pair, _ in scored], [score for _, score in scored]

    assert micro_ap(labelled(scored, TRUE_THREE)) == pytest.approx(0.9166667, abs=1e-7)
    recall, threshold = recall_at_precision(labelled(scored, TRUE_THREE), 0.9)
    assert recall == pytest.approx(2 / 3)
    assert threshold == 0.8
    assert accuracy_at_1(pairs, scores, TRUE_THREE) == pytest.approx(2 / 3)


def test_increasing_maps_of_scores_change_nothing():
    rng = np.random.default_rng(0)
    scores, is_true = rng.normal(size=200), rng.random(200) < 0.2

    plain, mapped = (
        ScoredPairs(scores=values, is_true=is_true, num_true=60)
        for values in (scores, np.exp(scores) * 3 - 7)
    )

    assert micro_ap(plain) == pytest.approx(micro_ap(mapped))


def test_nothing_to_find_is_zero():
    assert micro_ap(labelled([(("Q1", "R1"), 1.0)], [])) == 0.0
    assert accuracy_at_1([], [], []) == 0.0


@pytest.mark.parametrize(
    ("pairs", "scores", "truth", "complaint"),
    [
        ([("Q1", "R1")] * 2, [1.0, 2.0], [], "given twice"),
        ([("Q1", "R1")], [1.0], [("Q1", "R1")] * 2, "given twice"),
        ([("Q1", "R1")], [float("nan")], [], "not finite"),
        ([("Q1", "R1")], [1.0, 2.0], [], r"\(2,\) scores for \(1,\) pairs"),
    ],
    ids=["pair twice", "truth twice", "nan", "lengths"],
)
def test_predictions_that_make_no_sense_are_refused(pairs, scores, truth, complaint):
    with pytest.raises(ValueError, match=complaint):
        ScoredPairs.from_pairs(pairs, scores, truth)
