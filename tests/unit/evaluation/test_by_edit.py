"""Each edit is measured among its own queries and all that copy nothing."""

import numpy as np
import pytest

from tests.plain_metrics import as_table
from vcd.evaluation.by_edit import scores_by_edit

CROPPED = ("c", "r", 0, 10, 0, 10, 0.5)
MIRRORED = ("m", "r", 0, 10, 20, 30, 0.8)
EDITS = {"c": "crop", "m": "mirror"}


def by_edit(found, truth=(CROPPED, MIRRORED), edits=EDITS):
    return scores_by_edit(as_table(list(found)), as_table(list(truth)), edits)


def test_each_edit_is_measured_alone_in_the_order_of_names():
    table = by_edit([MIRRORED])

    assert list(table) == ["crop", "mirror"]
    assert [each.segment_ap for each in table.values()] == [0.0, 1.0]
    assert [each.ever_found for each in table.values()] == [0.0, 1.0]


def test_a_wrong_match_in_a_query_of_another_edit_does_not_count():
    table = by_edit([CROPPED, ("m", "r", 0, 10, 50, 60, 0.9)])

    assert table["crop"].segment_ap == 1.0


def test_a_wrong_match_in_a_query_that_copies_nothing_counts_for_every_edit():
    table = by_edit([CROPPED, MIRRORED, ("stranger", "r", 0, 30, 50, 80, 0.7)])

    assert table["mirror"].segment_ap == 1.0  # better than the wrong one
    assert table["crop"].segment_ap == pytest.approx(10 / 40)


def test_the_share_found_counts_true_segments_and_not_queries():
    truth = [("c", "r", at, at + 5, at, at + 5, 1) for at in (0, 10, 20)]
    found = [("c", "r", 0, 2, 0, 2, 0.3), ("c", "r", 11, 12, 11, 12, 0.6)]

    table = by_edit([*found, *found], truth)

    assert table["crop"].num_true == 3
    assert table["crop"].ever_found == pytest.approx(2 / 3)
    assert table["crop"].best_score.tolist() == [0.3, 0.6, -np.inf]


def test_recall_counts_matches_of_the_threshold_and_above():
    truth = [("c", "r", at, at + 5, at, at + 5, 1) for at in (0, 10, 20, 30)]
    found = [(*row[:6], score) for row, score in zip(truth, (0.9, 0.5, 0.4), strict=False)]

    crop = by_edit(found, truth)["crop"]

    assert [crop.recall(at) for at in (0.4, 0.5, 0.6, np.inf)] == [0.75, 0.5, 0.25, 0.0]


def test_queries_of_one_edit_are_measured_together():
    other = ("d", "r", 0, 10, 40, 50, 0.9)

    crop = by_edit([CROPPED], (CROPPED, MIRRORED, other), {**EDITS, "d": "crop"})["crop"]

    assert (crop.num_true, crop.ever_found) == (2, 0.5)
    assert crop.segment_ap == 0.5


def test_without_matches_nothing_is_found_and_without_truth_there_is_no_edit():
    nothing = by_edit([])

    assert [(each.num_true, each.ever_found) for each in nothing.values()] == [(1, 0.0), (1, 0.0)]
    assert by_edit([CROPPED], ()) == {}


def test_a_copy_without_an_edit_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError, match="m"):
        by_edit([], edits={"c": "crop"})
