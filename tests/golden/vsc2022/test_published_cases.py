"""Small cases whose values come from executing the published scorers."""

import itertools

import numpy as np
import pytest

from tests.plain_metrics import as_table
from vcd.evaluation import (
    ScoredPairs,
    accuracy_at_1,
    found_within_rank,
    isc_micro_ap,
    micro_ap,
    recall_at_precision,
    segment_ap,
)
from vcd.evaluation.coverage import cut_cells

TRUE = ("Q1", "R2", 4, 14, 10, 18, 1)
FIGURE_4F = (TRUE, ("Q1", "R2", 20, 28, 21, 29, 1))
WIDE = (0, 30, 5, 25)
TIED = [
    (("Q1", "R1"), 0.9),
    (("Q1", "R9"), 0.9),
    (("Q2", "R2"), 0.5),
    (("Q2", "R8"), 0.5),
    (("Q3", "R9"), 0.4),
]
TRUE_THREE = [("Q1", "R1"), ("Q2", "R2"), ("Q3", "R3")]
SECOND = [(("Q1", "R1"), 0.9), (("Q2", "R2"), 0.8), (("Q3", "R1"), 0.7), (("Q3", "R3"), 0.6)]


def boxes(*rows):
    """Predictions on the true pair, but for rows that name their own."""
    return [row if isinstance(row[0], str) else ("Q1", "R2", *row) for row in rows]


def labelled(scored, truth):
    return ScoredPairs.from_pairs([pair for pair, _ in scored], [s for _, s in scored], truth)


@pytest.mark.parametrize(
    ("predictions", "truth", "expected"),
    [
        pytest.param([(4, 8, 10, 14, 1), (8, 14, 14, 18, 2)], [TRUE], 1.0, id="split"),
        pytest.param(
            [(4, 8, 10, 14, 1), (8, 14, 16, 18, 2), (*WIDE, 0)],
            [TRUE],
            0.9149460094377114,
            id="calibrated",
        ),
        pytest.param(
            [(4, 8, 10, 14, 1), (8, 14, 16, 18, 2), (*WIDE, 3)],
            [TRUE],
            0.3651483716701107,
            id="miscalibrated",
        ),
        pytest.param([(4, 14, 10, 18, 1), (4, 14, 10, 18, 0.5)], [TRUE], 1.0, id="duplicate box"),
        pytest.param([(4, 9, 10, 14, 1)], [TRUE], 0.5, id="half"),
        pytest.param([(14, 20, 10, 18, 1)], [TRUE], 0.0, id="touching only"),
        pytest.param(
            [(4, 14, 10, 18, 1), ("Q9", "R2", 4, 14, 10, 18, 1)],
            [TRUE],
            0.5,
            id="tie with a false pair",
        ),
        pytest.param(
            [
                ("Q8", "R2", 4, 14, 10, 18, 3),
                ("Q1", "R9", 4, 14, 10, 18, 2),
                (4, 14, 10, 18, 1),
            ],
            [TRUE],
            1 / 3,
            id="two wrong pairs first",
        ),
        pytest.param(
            [(4, 14, 21, 29, 1), (20, 28, 10, 18, 1)], FIGURE_4F, 0.0, id="swapped, figure 4f"
        ),
        pytest.param(
            [(4, 14, 10, 29, 1)], FIGURE_4F, 0.34199278402838473, id="one box over both references"
        ),
    ],
)
def test_segment_ap_equals_the_published_scorer(predictions, truth, expected):
    found = segment_ap(as_table(boxes(*predictions)), as_table(truth))

    assert found == pytest.approx(expected, rel=1e-14, abs=0.0)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [([(1, 3), (4, 7)], 2.0), ([(-1, 0), (3.5, 12)], 2.5)],
    ids=["two inside", "one over the end"],
)
def test_intersection_of_unions_equals_the_published_one(intervals, expected):
    own = [(2, 5), (7, 8)]

    own_s, other_s, both_s = (
        cut_cells(np.zeros(len(rows), dtype=np.int64), np.array(rows, dtype=float)).union_s(1)[0]
        for rows in (own, intervals, own + intervals)
    )

    assert own_s + other_s - both_s == expected


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        pytest.param([(("Q1", "R10"), 8), (("Q2", "R11"), 4), (("Q3", "R1"), 2)], 1.0, id="last"),
        pytest.param([(("Q1", "R10"), 8), (("Q2", "R11"), 4), (("Q3", "R1"), 5)], 5 / 6, id="mid"),
        pytest.param(
            [(("Q1", "R10"), 3), (("Q2", "R10"), 2), (("Q3", "R1"), 1)], 0.5, id="one found"
        ),
        pytest.param(
            [(("Q1", "R10"), 2), (("Q2", "R10"), 3), (("Q3", "R1"), 1)], 0.25, id="found second"
        ),
    ],
)
def test_micro_ap_equals_the_published_scorer(scored, expected):
    pairs = labelled(scored, [("Q1", "R10"), ("Q2", "R11")])

    assert micro_ap(pairs) == pytest.approx(expected, rel=1e-14)
    assert isc_micro_ap(pairs) == pytest.approx(expected, rel=1e-14)


def test_ties_score_as_published_in_every_order():
    for order in itertools.permutations(TIED):
        pairs = labelled(order, TRUE_THREE)

        assert micro_ap(pairs) == pytest.approx(1 / 3, rel=1e-14)
        assert isc_micro_ap(pairs) == pytest.approx(1 / 3, rel=1e-14)
        assert recall_at_precision(pairs, 0.9) == (0.0, None)
        assert accuracy_at_1(pairs) == 0.0
        assert found_within_rank(pairs, 10).sum() / 3 == pytest.approx(2 / 3)


def test_second_isc_case_equals_the_published_scorer():
    pairs = labelled(SECOND, TRUE_THREE)

    assert isc_micro_ap(pairs) == pytest.approx(0.9166667, abs=5e-8)
    assert micro_ap(pairs) == pytest.approx(0.9166667, abs=5e-8)
    recall, threshold = recall_at_precision(pairs, 0.9)
    assert recall == pytest.approx(2 / 3)
    assert threshold == 0.8
    assert accuracy_at_1(pairs) == pytest.approx(2 / 3)
