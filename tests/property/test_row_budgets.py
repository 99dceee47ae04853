"""The laws of a budget over rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.descriptors.score_norm import score_normalize
from vcd.search import RowSimilarity, best_cells, best_frame_pairs, nearest_rows, row_scores


def exactly_scored(
    query: np.ndarray, ref: np.ndarray, bias: np.ndarray, similarity: RowSimilarity
) -> list[tuple[float, int, int]]:
    """All pairs of small whole numbers, whose scores no order of additions rounds."""
    product = query @ ref.T
    if similarity is RowSimilarity.NEGATED_SQUARED_L2:
        product = -((query[:, None] - ref[None]) ** 2).sum(axis=2)
    scored = product + bias[:, None]
    return sorted((-float(scored[q, r]), q, r) for q, r in np.ndindex(scored.shape))


def of_row(ranked: list[tuple[float, int, int]], row: int) -> list[tuple[float, int, int]]:
    return [each for each in ranked if each[1] == row]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(0, 12), st.integers(0, 20), st.integers(1, 4)),
    budget=st.integers(0, 260),
    block_rows=st.integers(1, 9),
    min_waiting=st.integers(1, 60),
    similarity=st.sampled_from(RowSimilarity),
)
def test_a_budget_keeps_the_best_or_all_whatever_the_blocks_and_ties(
    seed, shape, budget, block_rows, min_waiting, similarity
):
    rng = np.random.default_rng(seed)
    num_query, num_ref, dim = shape
    query = rng.integers(-2, 3, (num_query, dim)).astype(np.float32)
    ref = rng.integers(-2, 3, (num_ref, dim)).astype(np.float32)
    bias = rng.integers(-3, 4, num_query).astype(np.float32)
    ranked = exactly_scored(query, ref, bias, similarity)
    num_nearest = budget % 25
    by_row = (each for row in range(num_query) for each in of_row(ranked, row)[:num_nearest])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_scores, "_BLOCK_ROWS", block_rows)
        patch.setattr(best_cells, "_MIN_WAITING", min_waiting)
        found = [
            best_frame_pairs(query, ref, budget, score_bias=bias, similarity=similarity),
            nearest_rows(query, ref, num_nearest, score_bias=bias, similarity=similarity),
        ]

    for pairs, wanted in zip(found, [ranked[:budget], sorted(by_row)], strict=True):
        columns = ((-pairs.score).tolist(), pairs.query_row.tolist(), pairs.ref_row.tolist())
        assert list(zip(*columns, strict=True)) == wanted


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), budget=st.integers(1, 200))
def test_adding_references_only_pushes_pairs_out(seed, budget):
    rng = np.random.default_rng(seed)
    query = rng.standard_normal((7, 5)).astype(np.float32)
    ref = rng.standard_normal((40, 5)).astype(np.float32)

    few, many = (best_frame_pairs(query, ref[:num], budget) for num in (25, 40))

    scores = dict(zip(zip(few.query_row, few.ref_row, strict=True), few.score, strict=True))
    old = [
        (q, r, s)
        for q, r, s in zip(many.query_row, many.ref_row, many.score, strict=True)
        if r < 25
    ]
    assert all(scores[q, r] == score for q, r, score in old)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), weight=st.floats(0.0, 2.0))
def test_a_bias_beside_the_rows_ranks_as_one_more_dimension_does(seed, weight):
    rng = np.random.default_rng(seed)
    query, ref, background = rng.integers(-3, 4, (3, 12, 4)).astype(np.float32)
    weight = round(weight * 8) / 8
    longer_query, longer_ref = score_normalize(query, ref, background, weight=weight)

    beside = best_frame_pairs(query, ref, 60, score_bias=longer_query[:, -1])
    inside = best_frame_pairs(longer_query, longer_ref, 60)

    np.testing.assert_array_equal(beside.query_row, inside.query_row)
    np.testing.assert_array_equal(beside.ref_row, inside.ref_row)
    wanted = query @ ref.T - weight * (query @ background.T).max(axis=1, keepdims=True)
    speaks = query.any(axis=1)
    wanted[~speaks] = 0.0
    np.testing.assert_array_equal(beside.score, wanted[beside.query_row, beside.ref_row])
