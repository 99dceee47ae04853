"""Average precision by the trapezoid rule."""

import numpy as np
import pytest

from vcd.evaluation import (
    ScoredPairs,
    query_trapezoid_aps,
    resampled_trapezoid_micro_ap,
    trapezoid_mean_ap,
    trapezoid_micro_ap,
)


def ranking(*rows, truth):
    return ScoredPairs.from_pairs([row[:2] for row in rows], [row[2] for row in rows], truth)


def test_a_true_pair_at_second_place_counts_half_of_precision_before_and_at_it():
    pairs = ranking(("a", "x", 2), ("a", "r", 1), truth=[("a", "r")])

    assert trapezoid_micro_ap(pairs) == (0 / 1 + 1 / 2) / 2


def test_later_true_pairs_start_from_the_precision_before_them():
    pairs = ranking(("a", "r", 3), ("a", "x", 2), ("a", "s", 1), truth=[("a", "r"), ("a", "s")])

    assert trapezoid_micro_ap(pairs) == pytest.approx(((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2)


def test_ties_are_broken_for_the_worst():
    pairs = ranking(("a", "r", 1), ("a", "x", 1), truth=[("a", "r")])

    assert trapezoid_micro_ap(pairs) == 0.25


def test_mean_ap_ranks_each_query_for_itself():
    pairs = ranking(
        ("a", "x", 9), ("a", "r", 8), ("b", "s", 1), ("z", "x", 7),
        truth=[("a", "r"), ("b", "s"), ("c", "t")],
    )  # fmt: skip

    assert sorted(query_trapezoid_aps(pairs).tolist()) == [0.0, 0.0, 0.25, 1.0]
    assert trapezoid_mean_ap(pairs) == pytest.approx((0.25 + 1.0 + 0.0) / 3)


def test_mean_ap_weighs_queries_alike_and_counts_what_is_not_found():
    """One query has two true pairs, of which one is found."""
    pairs = ranking(("a", "r", 2), ("b", "t", 1), truth=[("a", "r"), ("a", "s"), ("b", "t")])

    assert query_trapezoid_aps(pairs).tolist() == [0.5, 1.0]
    assert trapezoid_mean_ap(pairs) == 0.75


def test_nothing_to_find_is_zero():
    empty = ranking(truth=[])

    assert trapezoid_mean_ap(empty) == trapezoid_micro_ap(empty) == 0.0
    assert trapezoid_mean_ap(ranking(("a", "x", 1), truth=[])) == 0.0


def test_a_query_may_count_twice():
    pairs = ranking(("a", "x", 2), ("b", "r", 1), truth=[("b", "r")])

    once, twice = resampled_trapezoid_micro_ap(pairs)(np.array([[1.0, 1.0], [1.0, 2.0]]))

    assert once == trapezoid_micro_ap(pairs) == 0.25
    assert twice == pytest.approx(((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2)
