"""Segment AP where its definition has corners."""

import importlib

import numpy as np
import pytest

from tests.plain_metrics import as_table
from vcd.evaluation import segment_ap, segment_curve

TRUE = ("q", "r", 0, 10, 0, 10, 1)


@pytest.mark.parametrize(
    ("predictions", "truth", "expected"),
    [
        pytest.param([], [TRUE], 0.0, id="no predictions"),
        pytest.param([TRUE], [], 0.0, id="no truth"),
        pytest.param([], [], 0.0, id="nothing at all"),
        pytest.param([TRUE], [("q", "r", 5, 5, 5, 5, 1)], 0.0, id="truth of length zero"),
        pytest.param(
            [("q", "r", 5, 5, 5, 5, 2), TRUE], [TRUE], 1.0, id="a point comes before the box"
        ),
        pytest.param([("q", "r", 0, 10, 5, 5, 1)], [TRUE], 0.0, id="a line opens no gate"),
        pytest.param([(*TRUE[:6], -7)], [TRUE], 1.0, id="negative score"),
        pytest.param([TRUE, (*TRUE[:6], 2)], [(*TRUE[:6], -5)], 1.0, id="score of the truth"),
    ],
)
def test_corners_have_an_answer(predictions, truth, expected):
    assert segment_ap(as_table(predictions), as_table(truth)) == expected


def test_a_line_of_no_area_counts_as_predicted_time_on_its_own_axis():
    line = ("q", "r", 20, 30, 5, 5, 2)

    found = segment_ap(as_table([line, TRUE]), as_table([TRUE]))

    assert found == pytest.approx(np.sqrt(10 / 20))


def test_time_that_was_predicted_before_its_gate_opened_counts_when_it_opens():
    """The first box is right on the query alone; the second opens the gate."""
    first = ("q", "r", 0, 10, 20, 30, 2)
    second = ("q", "r", 0, 1, 0, 10, 1)

    precision, recall = segment_curve(
        as_table([first, second]), as_table([TRUE])
    ).precision_recall()

    assert precision.tolist() == [0.0, pytest.approx(np.sqrt(10 / 10 * 10 / 20))]
    assert recall.tolist() == [0.0, 1.0]


def test_a_curve_has_one_point_for_each_score_best_first():
    curve = segment_curve(as_table([TRUE, (*TRUE[:6], 0.5), (*TRUE[:6], 3)]), as_table([TRUE]))

    precision, recall = curve.precision_recall()

    assert curve.scores.tolist() == [3.0, 1.0, 0.5]
    assert precision.tolist() == recall.tolist() == [1.0, 1.0, 1.0]


def test_queries_can_be_weighed():
    wrong = ("p", "r", 0, 10, 0, 10, 2)
    curve = segment_curve(as_table([wrong, TRUE]), as_table([TRUE]))

    assert curve.query_ids.tolist() == ["p", "q"]
    assert curve.ap() == 0.5
    resamples = np.array([[1.0, 0.0, 3.0, 2.0], [1.0, 1.0, 1.0, 0.0]])
    assert curve.resampled_ap()(resamples).tolist() == [0.5, 1.0, 0.25, 0.0]


@pytest.mark.parametrize("cells", [1 << 20, 1], ids=["at once", "in parts"])
def test_resamples_equal_segment_ap_of_repeated_queries(monkeypatch, cells):
    """On both axes time is found apart from the other, and queries have different much to find."""
    monkeypatch.setattr(importlib.import_module("vcd.evaluation.running_sums"), "MAX_CELLS", cells)
    truth = [TRUE, ("p", "r", 0, 40, 0, 20, 1), ("o", "r", 0, 5, 0, 5, 1)]
    rows = [
        ("q", "r", 0, 5, 0, 5, 9),
        ("q", "r", 5, 10, 0, 5, 8),
        ("q", "r", 0, 5, 5, 12, 7),
        ("p", "r", 30, 60, 0, 9, 6),
        ("o", "x", 0, 50, 0, 5, 6),
        ("p", "r", 0, 30, 0, 25, 5),
    ]
    curve = segment_curve(as_table(rows), as_table(truth))
    resamples = np.array([[1, 2, 0, 3], [1, 1, 3, 0], [1, 0, 0, 0]])

    found = curve.resampled_ap()(resamples.astype(np.float64))

    def repeated(table, counts):
        of_query = dict(zip(curve.query_ids.tolist(), counts.tolist(), strict=True))
        return as_table(
            [(f"{row[0]}{i}", *row[1:]) for row in table for i in range(of_query[row[0]])]
        )

    expected = [
        segment_ap(repeated(rows, counts), repeated(truth, counts)) for counts in resamples.T
    ]
    assert found == pytest.approx(expected, abs=1e-12)


def test_turns_do_not_change_when_a_true_box_is_first_touched(monkeypatch):
    module = importlib.import_module("vcd.evaluation.segment_ap")
    rows = [("q", "r", start, start + 3, start, start + 3, -start) for start in range(0, 90, 10)]
    truth = as_table([*rows, ("q", "r", 90, 91, 90, 91, 1)])
    rows += [(*row[:3], row[3] + 1, *row[4:6], row[6] - 200) for row in rows]
    expected = segment_curve(as_table(rows), truth).added_s

    monkeypatch.setattr(module, "_FIRST_TURN", 1)

    assert segment_curve(as_table(rows), truth).added_s.tolist() == expected.tolist()
