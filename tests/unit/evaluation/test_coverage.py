"""Elementary cells know which stretch covers them first."""

import numpy as np

from vcd.evaluation import coverage
from vcd.evaluation.coverage import Stretches, cut_cells, overlapping


def owners(*values):
    return np.array(values, dtype=np.int64)


def test_each_cell_has_the_least_rank_over_it():
    cells = cut_cells(owners(0, 0, 0), np.array([[0.0, 10.0], [4.0, 6.0], [20.0, 30.0]]))

    ranks = cells.earliest(slice(None), owners(5, 2, 3), 9)

    assert cells.length_s.tolist() == [4.0, 2.0, 4.0, 10.0, 10.0, 0.0]
    assert ranks.tolist() == [5, 2, 5, 9, 3, 9]


def test_only_chosen_stretches_cover():
    cells = cut_cells(owners(0, 0), np.array([[0.0, 2.0], [1.0, 3.0]]))

    assert cells.earliest(slice(1, None), owners(0), 1).tolist() == [1, 0, 0, 1]


def test_owners_do_not_cover_for_each_other():
    cells = cut_cells(owners(1, 0, 1), np.array([[0.0, 4.0], [3.0, 5.0], [4.0, 6.0]]))

    assert cells.union_s(3).tolist() == [2.0, 6.0, 0.0]


def test_a_stretch_of_length_zero_covers_nothing():
    cells = cut_cells(owners(0, 0), np.array([[1.0, 1.0], [0.0, 2.0]]))

    assert cells.earliest(slice(0, 1), owners(0), 1).tolist() == [1, 1, 1]
    assert cells.union_s(1).tolist() == [2.0]


def test_no_stretches_have_no_cells():
    cells = cut_cells(owners(), np.zeros((0, 2)))

    assert len(cells.length_s) == 0
    assert cells.union_s(2).tolist() == [0.0, 0.0]


def couples(one, other):
    return sorted(
        (int(a), int(b))
        for rows, others in overlapping(one, other)
        for a, b in zip(rows, others, strict=True)
    )


def stretches(*rows):
    bounds = np.array([row[1:] for row in rows], dtype=float)
    pair = owners(*(row[0] for row in rows))
    return Stretches(pair=pair, query_s=bounds[:, :2], ref_s=bounds[:, 2:])


ONE = stretches((0, 0, 4, 0, 4), (1, 0, 4, 0, 4), (0, 4, 8, 4, 8), (2, 0, 9, 0, 9))
OTHER = stretches((0, 3, 5, 3, 5), (0, 0, 4, 4, 8), (1, 0, 4, 4, 8), (3, 0, 9, 0, 9))


def test_boxes_overlap_only_with_area_and_within_their_pair():
    assert couples(ONE, OTHER) == [(0, 0), (2, 0)]


def test_blocks_do_not_change_what_overlaps(monkeypatch):
    monkeypatch.setattr(coverage, "_MAX_BLOCK", 1)

    assert couples(ONE, OTHER) == [(0, 0), (2, 0)]
