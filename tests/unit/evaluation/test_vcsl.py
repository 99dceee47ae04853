"""VCSL's precision, recall and F."""

from dataclasses import astuple

import numpy as np
import pytest

from tests.plain_metrics import as_table
from vcd.evaluation import Candidates, vcsl_scores

TRUE = ("q", "r", 0, 10, 0, 10, 1)


def of_one_pair(predictions, truth):
    scores = vcsl_scores(as_table(predictions), as_table(truth))
    return scores.precision[0], scores.recall[0]


def test_shares_of_both_axes_are_multiplied_without_a_root():
    found = of_one_pair([("q", "r", 0, 5, 0, 10, 1)], [TRUE])

    assert found == pytest.approx((1.0, 0.5), abs=1e-6)
    assert found[0] == 5 / (5 + 1e-6) * (10 / (10 + 1e-6))


def test_predictions_are_weighed_by_the_sum_of_their_lengths():
    half, all_of_it = ("q", "r", 20, 25, 20, 25, 1), TRUE

    assert of_one_pair([half, all_of_it], [TRUE]) == pytest.approx(((10 / 15) ** 2, 1), abs=1e-6)


def test_true_boxes_that_overlap_are_found_once():
    truth = [("q", "r", 0, 6, 0, 6, 1), ("q", "r", 4, 10, 4, 10, 1)]

    assert of_one_pair([TRUE], truth) == pytest.approx((1.0, 1.0), abs=1e-6)


def test_a_true_box_without_shared_area_gives_nothing():
    assert of_one_pair([("q", "r", 0, 10, 10, 20, 1)], [TRUE]) == (0.0, 0.0)


def test_sentinels_stand_where_a_side_is_empty():
    judged = Candidates(
        query_ids=np.array(["q", "n"]), ref_ids=np.array(["r", "n"]), score=np.zeros(2)
    )

    scores = vcsl_scores(as_table([("f", "f", 0, 1, 0, 1, 1)]), as_table([TRUE]), judged)

    assert dict(zip(scores.query_ids.tolist(), zip(scores.precision, scores.recall, strict=True),
                    strict=True)) == {"f": (0, 1), "q": (1, 0), "n": (1, 1)}  # fmt: skip


def test_micro_leaves_sentinels_out_and_counts_them_as_rates():
    missed, false = ("m", "r", 0, 10, 0, 10, 1), ("f", "r", 0, 10, 0, 10, 1)
    judged = Candidates(query_ids=np.array(["n"]), ref_ids=np.array(["r"]), score=np.zeros(1))

    summary = vcsl_scores(as_table([TRUE, false]), as_table([TRUE, missed]), judged).micro()

    assert astuple(summary) == pytest.approx((0.5, 0.5, 0.5, 1 / 2, 1 / 2), abs=1e-6)


def test_a_pair_with_boxes_on_both_sides_is_neither_missed_nor_invented():
    """Nothing right was said of it, which is not the same."""
    elsewhere = ("q", "r", 20, 30, 20, 30, 1)

    scores = vcsl_scores(as_table([elsewhere]), as_table([TRUE]))

    assert (scores.precision.tolist(), scores.recall.tolist()) == ([0.0], [0.0])
    assert astuple(scores.micro()) == (0.0, 0.0, 0.0, 0.0, 0.0)


def test_macro_averages_sets_sentinels_included():
    missed, false = ("m", "r", 0, 10, 0, 10, 1), ("f", "r", 0, 10, 0, 10, 1)
    scores = vcsl_scores(as_table([TRUE, false]), as_table([TRUE, missed]))

    summary = scores.macro({("q", "r"): "one", ("f", "r"): "one", ("m", "r"): "two"})

    assert summary.precision == pytest.approx((0.5 + 1.0) / 2, abs=1e-6)
    assert summary.recall == pytest.approx((1.0 + 0.0) / 2, abs=1e-6)
    assert summary.f_score == pytest.approx(2 * 0.75 * 0.5 / 1.25, abs=1e-6)


def test_every_number_of_the_micro_average_can_be_resampled():
    long, missed, false = (
        (query, "r", 0, end, 0, 10, 1) for query, end in (("h", 20), ("m", 10), ("f", 10))
    )
    truth = as_table([TRUE, ("h", "r", 0, 10, 0, 10, 1), missed])
    scores = vcsl_scores(as_table([TRUE, long, false]), truth)
    of_query = {"q": [1, 0, 1], "h": [1, 2, 0], "m": [1, 1, 0], "f": [0, 1, 1]}
    num_drawn = np.zeros((4, 3))
    num_drawn[scores.query] = [of_query[name] for name in scores.query_ids.tolist()]

    found = {name: metric(num_drawn).tolist() for name, metric in scores.resampled_micro().items()}

    assert found == {
        "precision": pytest.approx([(1 + 1 / 2) / 2, (1 / 2 + 1 / 2 + 0) / 3, 1 / 2], abs=1e-6),
        "recall": pytest.approx([2 / 3, 2 / 3, 1.0], abs=1e-6),
        "f_score": pytest.approx([12 / 17, 4 / 9, 2 / 3], abs=1e-6),
        "false_rejection_rate": pytest.approx([1 / 1.5, 1 / 2, 0 / 1]),
        "false_alarm_rate": pytest.approx([0 / 1.5, 1 / 2, 1 / 1]),
    }


def test_a_pair_without_a_query_set_is_named():
    scores = vcsl_scores(as_table([TRUE]), as_table([]))

    with pytest.raises(ValueError, match="the pair q, r belongs to no query set"):
        scores.macro({})


@pytest.mark.parametrize("truth", [[], [TRUE]], ids=["nothing", "no predictions"])
def test_averages_of_nothing_are_zero(truth):
    scores = vcsl_scores(as_table([]), as_table(truth))

    assert scores.micro().precision == scores.micro().f_score == 0.0
    assert scores.macro({("q", "r"): "one"}).f_score == 0.0


def test_a_prediction_of_length_zero_is_wrong_not_a_failure():
    assert of_one_pair([("q", "r", 5, 5, 5, 5, 1)], [TRUE]) == (0.0, 0.0)
