"""Micro-AP and its kin beside the published cases, which are golden values."""

import numpy as np
import pytest

from vcd.evaluation import (
    Candidates,
    ScoredPairs,
    accuracy_at_1,
    found_within_rank,
    isc_micro_ap,
    micro_ap,
    recall_at_precision,
)

TRUE_TWO = [("Q1", "R10"), ("Q2", "R11")]
TRUE_THREE = [("Q1", "R1"), ("Q2", "R2"), ("Q3", "R3")]


def labelled(scored, truth):
    pairs, scores = [pair for pair, _ in scored], [score for _, score in scored]
    return ScoredPairs.from_pairs(pairs, scores, truth)


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        pytest.param([], 0.0, id="no prediction"),
        pytest.param([(("Q9", "R9"), 1)], 0.0, id="nothing true"),
        pytest.param([(("Q1", "R10"), -1), (("Q2", "R11"), -2)], 1.0, id="negative scores"),
    ],
)
def test_micro_ap_of_what_the_published_cases_leave_out(scored, expected):
    assert micro_ap(labelled(scored, TRUE_TWO)) == pytest.approx(expected)


def test_increasing_maps_of_scores_change_nothing():
    rng = np.random.default_rng(0)
    scores, is_true = rng.normal(size=200), rng.random(200) < 0.2
    query = np.repeat(np.arange(20), 10)

    plain, mapped = (
        ScoredPairs(scores=values, is_true=is_true, query=query, num_true=np.full(20, 10))
        for values in (scores, np.exp(scores) * 3 - 7)
    )

    assert micro_ap(plain) == pytest.approx(micro_ap(mapped))


def test_nothing_to_find_is_zero():
    assert micro_ap(labelled([(("Q1", "R1"), 1.0)], [])) == 0.0
    assert accuracy_at_1(labelled([], [])) == 0.0


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


def test_isc_takes_the_untrue_pairs_of_a_tie_first():
    tied = labelled([(("Q1", "R1"), 1.0), (("Q2", "R9"), 1.0), (("Q2", "R2"), 1.0)], TRUE_THREE)

    assert isc_micro_ap(tied) == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert micro_ap(tied) == pytest.approx(2 / 3 * 2 / 3)


def test_the_threshold_takes_in_no_untrue_pair_for_nothing():
    scored = [((f"Q{i}", "R1"), 20.0 - i) for i in range(9)] + [(("Q9", "R9"), 1.0)]
    pairs = labelled(scored, [pair for pair, _ in scored[:9]])

    assert recall_at_precision(pairs, 0.9) == (1.0, 12.0)


def test_ranks_are_those_of_each_query_and_of_each_score():
    scored = [(("a", "x"), 2.0), (("a", "y"), 1.0), (("b", "y"), 1.0), (("b", "z"), 0.5)]
    pairs = labelled(scored, [("a", "x"), ("a", "y"), ("b", "y"), ("c", "z")])

    assert found_within_rank(pairs, 1).tolist() == [1, 1, 0]
    assert accuracy_at_1(pairs) == pytest.approx(2 / 4)


def test_candidates_of_other_queries_and_references_are_not_mixed_up():
    """With numbers for ids, no two pairs may share a key: (0, 1), (1, 0) and (0, 2)."""
    names = [("a", "x"), ("b", "x"), ("a", "y"), ("c", "x"), ("a", "z")]
    query_ids, ref_ids = np.array(names).T
    predicted = Candidates(query_ids=query_ids, ref_ids=ref_ids, score=np.arange(5.0, 0, -1))
    truth = Candidates(query_ids=query_ids[1:2], ref_ids=ref_ids[1:2], score=np.ones(1))

    pairs = ScoredPairs.from_candidates(predicted, truth)

    assert pairs.is_true.tolist() == [False, True, False, False, False]
    assert not pairs.is_true.flags.writeable


def test_rank_counts_ties_against_the_true_pair():
    scored = [(("Q1", "R1"), 1.0), (("Q1", "R5"), 1.0), (("Q1", "R6"), 2.0), (("Q2", "R2"), 0.1)]
    pairs = labelled(scored, TRUE_THREE)

    assert [int(found_within_rank(pairs, rank).sum()) for rank in (1, 2, 3)] == [1, 1, 2]


def test_candidates_are_labelled_by_their_pair():
    predicted = Candidates(
        query_ids=np.array(["a", "b", "b"]),
        ref_ids=np.array(["x", "x", "y"]),
        score=np.array([0.1, 0.3, 0.2]),
    )
    truth = Candidates(
        query_ids=np.array(["b", "c"]), ref_ids=np.array(["y", "y"]), score=np.ones(2)
    )

    pairs = ScoredPairs.from_candidates(predicted, truth)

    assert pairs.scores.tolist() == [0.3, 0.2, 0.1]
    assert pairs.is_true.tolist() == [False, True, False]
    assert pairs.query.tolist() == [1, 1, 0]
    assert pairs.num_true.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"query": np.array([0, 2])}, "none of the 2"),
        ({"query": np.array([0])}, "2"),
        ({"scores": np.array([0.0, np.inf])}, "not finite"),
        ({"query": np.array([0, -1])}, "none of the 2"),
        ({"num_true": np.array([0, 1])}, "query 0: 1 pairs found of 0 true ones"),
    ],
    ids=[
        "no such query",
        "queries of another length",
        "an infinite score",
        "before the first",
        "more found than there are",
    ],
)
def test_queries_that_make_no_sense_are_refused(changes, complaint):
    columns = {
        "scores": np.zeros(2),
        "is_true": np.array([True, False]),
        "query": np.array([0, 1]),
        "num_true": np.array([1, 0]),
    }

    with pytest.raises(ValueError, match=complaint):
        ScoredPairs(**(columns | changes))
