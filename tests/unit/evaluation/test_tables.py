"""Tables of stretches and pairs are valid from birth."""

import numpy as np
import pytest

from vcd.evaluation import Candidates, Segments
from vcd.evaluation.tables import number_pairs, ordinals


def segments(**changes):
    columns = {
        "query_ids": np.array(["b", "a", "b"]),
        "ref_ids": np.array(["x", "x", "x"]),
        "query_s": np.array([[0.0, 1.0], [2.0, 2.0], [5.0, 7.0]]),
        "ref_s": np.array([[0.0, 1.0], [2.0, 3.0], [5.0, 7.0]]),
        "score": np.array([-3.0, 0.5, -1.0]),
    }
    return Segments(**(columns | changes))


def test_pairs_have_their_best_score_in_order_of_first_sight_and_stay_negative():
    pairs = segments().pairs()

    assert pairs.query_ids.tolist() == ["b", "a"]
    assert pairs.ref_ids.tolist() == ["x", "x"]
    assert pairs.score.tolist() == [-1.0, 0.5]


def test_taken_rows_keep_their_order_and_all_their_columns():
    taken = segments().take(np.array([True, False, True]))

    assert (taken.query_ids.tolist(), taken.ref_ids.tolist()) == (["b", "b"], ["x", "x"])
    assert taken.query_s.tolist() == taken.ref_s.tolist() == [[0.0, 1.0], [5.0, 7.0]]
    assert taken.score.tolist() == [-3.0, -1.0]


def test_a_later_pair_of_an_earlier_query_keeps_its_place():
    table = segments(query_ids=np.array(["b", "a", "b"]), ref_ids=np.array(["x", "x", "y"]))

    pairs = table.pairs()

    assert pairs.query_ids.tolist() == ["b", "a", "b"]
    assert pairs.ref_ids.tolist() == ["x", "x", "y"]
    assert pairs.score.tolist() == [-3.0, 0.5, -1.0]


def test_a_table_without_rows_is_legal():
    names, bounds = np.array([], dtype=np.str_), np.zeros((0, 2))

    empty = Segments(
        query_ids=names, ref_ids=names, query_s=bounds, ref_s=bounds, score=np.zeros(0)
    )

    assert len(empty) == len(empty.pairs()) == 0


def test_nobody_can_change_a_table_behind_its_back():
    score = np.array([1.0, 2.0, 3.0])
    table = segments(score=score)

    score[0] = 9.0

    assert table.score[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        table.query_s[0, 0] = 9.0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"query_ids": np.array(["a", "", "b"])}, "row 1: query_ids has an empty id"),
        ({"ref_ids": np.array(["a", "b"])}, r"ref_ids must be \(3,\) str, got \(2,\)"),
        ({"ref_ids": np.array([1, 2, 3])}, "ref_ids must be .* got .* int64"),
        ({"score": np.array([0.0, 1.0, np.nan])}, "row 2: the score is not finite"),
        ({"score": np.zeros((3, 1))}, "one column"),
        ({"query_s": np.array([[0, 1], [2, 1], [0, 1]])}, "row 1: query_s ends before it starts"),
        ({"ref_s": np.array([[0, 1], [2, 3], [np.inf, np.inf]])}, "row 2: a bound in ref_s"),
        ({"ref_s": np.zeros((3, 3))}, r"ref_s must be \(3, 2\), got \(3, 3\)"),
    ],
)
def test_a_wrong_row_is_named(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        segments(**changes)


def test_a_pair_that_stands_twice_among_candidates_is_named_with_both_rows():
    with pytest.raises(ValueError, match="row 2: the pair a, x stands in row 0 already"):
        Candidates(
            query_ids=np.array(["a", "b", "a"]),
            ref_ids=np.array(["x", "x", "x"]),
            score=np.zeros(3),
        )


def test_names_of_several_columns_are_numbered_together():
    names, (first, second) = ordinals(np.array(["b", "a", "b"]), np.array(["c", "a"]))

    assert names.tolist() == ["b", "a", "c"]
    assert first.tolist() == [0, 1, 0]
    assert second.tolist() == [2, 1]


def test_equal_pairs_of_several_tables_get_one_number():
    query, ref, (first, second) = number_pairs(
        [np.array([1, 0]), np.array([1])], [np.array([0, 2]), np.array([0])]
    )

    assert list(zip(query.tolist(), ref.tolist(), strict=True)) == [(0, 2), (1, 0)]
    assert first.tolist() == [1, 0]
    assert second.tolist() == [1]
