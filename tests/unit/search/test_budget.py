"""A budget over rows keeps exactly the best, in one order, however the rows are cut."""

import numpy as np
import pytest

from vcd.core import InputError
from vcd.search import FramePairs, RowSimilarity, best_frame_pairs, nearest_rows
from vcd.search import best_cells as cells_room
from vcd.search import row_scores as rows_room

L2 = RowSimilarity.NEGATED_SQUARED_L2
IDENTITY = np.eye(4, dtype=np.float32)


def keys(pairs: FramePairs) -> list[tuple[int, int, float]]:
    columns = (pairs.query_row.tolist(), pairs.ref_row.tolist(), pairs.score.tolist())
    return list(zip(*columns, strict=True))


def all_pairs(query: np.ndarray, ref: np.ndarray) -> list[tuple[int, int, float]]:
    """Score all pairs one by one; best first, then by rows."""
    scored = [
        (q, r, float(query[q].astype(np.float64) @ ref[r].astype(np.float64)))
        for q in range(len(query))
        for r in range(len(ref))
    ]
    return sorted(scored, key=lambda pair: (-pair[2], pair[0], pair[1]))


@pytest.fixture
def small_blocks(monkeypatch):
    """Three rows a block, and cells are dropped all the time."""
    monkeypatch.setattr(rows_room, "_BLOCK_ROWS", 3)
    monkeypatch.setattr(cells_room, "_MIN_WAITING", 1)


@pytest.mark.parametrize(
    ("max_pairs", "num_kept"),
    [(0, 0), (4, 4), (8, 8), (12, 12), (24, 24), (30, 30), (200, 96)],
)
def test_ties_at_the_cut_off_fill_the_budget_exactly(max_pairs, num_kept):
    """One query and six references with the rows of I4; the published search finds 0 of 4 to 12."""
    refs = np.tile(IDENTITY, (6, 1))

    found = best_frame_pairs(IDENTITY, refs, max_pairs)

    wanted = all_pairs(IDENTITY, refs)[:max_pairs]
    assert len(found) == num_kept
    assert keys(found) == wanted


def test_equal_pairs_are_in_order_of_query_row_then_reference_row(small_blocks):
    rows = np.ones((5, 2), dtype=np.float32)

    found = best_frame_pairs(rows, rows, 8)

    assert [key[:2] for key in keys(found)] == [*((0, r) for r in range(5)), (1, 0), (1, 1), (1, 2)]


def test_the_worst_kept_is_the_kth_best_entry_of_the_product(rng):
    query = rng.standard_normal((40, 16)).astype(np.float32)
    ref = rng.standard_normal((70, 16)).astype(np.float32)

    found = best_frame_pairs(query, ref, 123)

    assert len(found) == 123
    assert found.score[-1] == pytest.approx(np.sort((query @ ref.T).ravel())[-123], rel=1e-6)
    assert (np.diff(found.score) <= 0).all()


@pytest.mark.parametrize("block_rows", [1, 7, 1024])
@pytest.mark.parametrize("min_waiting", [1, 40, 65_536])
@pytest.mark.parametrize("similarity", RowSimilarity)
def test_blocks_of_any_size_give_the_same_answer(
    monkeypatch, rng, block_rows, min_waiting, similarity
):
    query = rng.standard_normal((37, 24)).astype(np.float32)
    ref = rng.standard_normal((53, 24)).astype(np.float32)
    ref[::5] = ref[0]
    bias = rng.standard_normal(37).astype(np.float32)
    named = {"score_bias": bias, "similarity": similarity}
    whole = best_frame_pairs(query, ref, 300, **named)
    near = nearest_rows(query, ref, 6, **named)

    monkeypatch.setattr(rows_room, "_BLOCK_ROWS", block_rows)
    monkeypatch.setattr(cells_room, "_MIN_WAITING", min_waiting)

    assert keys(best_frame_pairs(query, ref, 300, **named)) == keys(whole)
    assert keys(nearest_rows(query, ref, 6, **named)) == keys(near)


def test_rows_in_another_order_and_place_are_the_same_pairs(rng):
    query = rng.standard_normal((30, 300)).astype(np.float32)
    ref = rng.standard_normal((50, 300)).astype(np.float32)
    order = rng.permutation(50)

    found = best_frame_pairs(query, ref, 200)
    moved = best_frame_pairs(query, ref[order], 200)

    assert keys(found) == [(q, int(order[r]), score) for q, r, score in keys(moved)]


def test_more_equal_cells_than_memory_may_hold_are_settled_exactly(small_blocks):
    query, ref = np.ones((20, 3), dtype=np.float32), np.ones((90, 3), dtype=np.float32)

    found = best_frame_pairs(query, ref, 100)

    assert keys(found) == all_pairs(query, ref)[:100]


def test_the_bias_of_a_query_row_moves_all_of_its_scores(small_blocks):
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    ref = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)

    found = best_frame_pairs(query, ref, 4, score_bias=np.array([0.0, -1.5], dtype=np.float32))

    assert keys(found) == [(0, 0, 1.0), (0, 2, 1.0), (0, 1, 0.0), (1, 1, -0.5)]


def test_minus_the_squared_l2_distance_can_be_the_score():
    query = np.array([[0, 0], [3, 4]], dtype=np.float32)
    ref = np.array([[3, 4], [6, 8], [1, 0]], dtype=np.float32)

    found = best_frame_pairs(query, ref, 4, similarity=L2)

    assert keys(found) == [(1, 0, 0.0), (0, 2, -1.0), (1, 2, -20.0), (0, 0, -25.0)]


def test_equal_long_rows_are_at_distance_zero_exactly(rng):
    rows = (1000 * rng.standard_normal((20, 64))).astype(np.float32)

    found = nearest_rows(rows, rows, 1, similarity=L2)

    assert keys(found) == [(i, i, 0.0) for i in range(20)]


def test_half_precision_rows_score_as_their_values_say(rng, small_blocks):
    query = rng.standard_normal((10, 8)).astype(np.float16)
    ref = rng.standard_normal((11, 8)).astype(np.float16)

    found = best_frame_pairs(query, ref, 40)

    assert found.score.dtype == np.float32
    assert keys(found) == keys(
        best_frame_pairs(query.astype(np.float32), ref.astype(np.float32), 40)
    )


def test_rows_of_very_unequal_length_lose_none_of_the_best(rng, small_blocks):
    query = rng.standard_normal((12, 8)).astype(np.float32)
    ref = rng.standard_normal((30, 8)).astype(np.float32)
    ref[::4] *= 1e6

    found = best_frame_pairs(query, ref, 250)

    assert [key[:2] for key in keys(found)] == [key[:2] for key in all_pairs(query, ref)[:250]]


@pytest.mark.parametrize("long_side", ["query", "reference"])
def test_scores_that_differ_by_rounding_alone_are_ranked_as_exactly_scored(
    rng, small_blocks, long_side
):
    """The same entries in other orders: a product in blocks rounds them differently."""
    query, ref = np.ones((7, 300), np.float32), np.empty((60, 300), np.float32)
    ref[:] = rng.permuted(np.tile(rng.standard_normal(300), (60, 1)), axis=1)
    (query if long_side == "query" else ref)[1:] *= 1e4
    every = np.indices((7, 60), dtype=np.int32).reshape(2, -1)
    scorer = rows_room.RowScorer(query, ref, None, RowSimilarity.INNER_PRODUCT)
    exact = scorer.scores(*every)
    order = np.lexsort((every[1], every[0], -exact))[:150]

    found = best_frame_pairs(query, ref, 150)

    assert [key[:2] for key in keys(found)] == list(map(tuple, every[:, order].T.tolist()))


def test_a_large_bias_rounds_scores_as_exactly_scored(rng, small_blocks):
    """Beside a million, single precision has steps of 1/16; all products lie half way."""
    entries = rng.standard_normal(300)
    entries += 1 / 32 / 300 - entries.mean()
    query, bias = np.ones((7, 300), np.float32), np.full(7, 1e6, np.float32)
    ref = rng.permuted(np.tile(entries, (60, 1)), axis=1).astype(np.float32)
    every = np.indices((7, 60), dtype=np.int32).reshape(2, -1)
    exact = rows_room.RowScorer(query, ref, bias, RowSimilarity.INNER_PRODUCT).scores(*every)
    order = np.lexsort((every[1], every[0], -exact))[:150]

    found = best_frame_pairs(query, ref, 150, score_bias=bias)

    assert len(set(exact.tolist())) == 2
    assert [key[:2] for key in keys(found)] == list(map(tuple, every[:, order].T.tolist()))


def test_each_query_row_gets_its_nearest_references(small_blocks):
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    ref = np.array([[0, 1], [0.5, 0], [1, 0], [0.5, 0], [0, 1]], dtype=np.float32)

    found = nearest_rows(query, ref, 2)

    assert keys(found) == [(0, 2, 1.0), (1, 0, 1.0), (1, 4, 1.0), (0, 1, 0.5)]


def test_nearest_rows_equal_a_search_one_by_one(rng, small_blocks):
    query = rng.integers(-2, 3, (10, 3)).astype(np.float32)
    ref = rng.integers(-2, 3, (25, 3)).astype(np.float32)
    wanted = [
        pair
        for row in range(10)
        for pair in [each for each in all_pairs(query, ref) if each[0] == row][:4]
    ]

    found = nearest_rows(query, ref, 4)

    assert sorted(keys(found)) == sorted(wanted)
    assert keys(found) == sorted(wanted, key=lambda pair: (-pair[2], pair[0], pair[1]))


@pytest.mark.parametrize("search", [best_frame_pairs, nearest_rows])
@pytest.mark.parametrize(("num_query", "num_ref"), [(0, 0), (0, 3), (3, 0)])
def test_where_there_are_no_rows_there_are_no_pairs(search, num_query, num_ref):
    query, ref = np.ones((num_query, 2), np.float32), np.ones((num_ref, 2), np.float32)

    assert keys(search(query, ref, 5)) == []


@pytest.mark.parametrize("search", [best_frame_pairs, nearest_rows])
def test_fewer_rows_than_wanted_give_all_pairs_and_none_wanted_gives_none(search):
    assert len(search(IDENTITY, IDENTITY, 100)) == 16
    assert len(search(IDENTITY, IDENTITY, 0)) == 0


@pytest.mark.parametrize("search", [best_frame_pairs, nearest_rows])
def test_progress_ends_at_one(search, small_blocks):
    shares: list[float] = []

    search(IDENTITY, IDENTITY, 5, on_progress=shares.append)

    assert shares == [0.75, 1.0]


def test_the_inputs_stay_as_they_are(rng):
    query, ref = rng.standard_normal((2, 9, 4)).astype(np.float32)
    before = query.tobytes(), ref.tobytes()

    nearest_rows(query, ref, 3, similarity=L2)

    assert (query.tobytes(), ref.tobytes()) == before


@pytest.mark.parametrize("search", [best_frame_pairs, nearest_rows])
def test_a_negative_budget_is_refused(search):
    with pytest.raises(ValueError, match=r"got -1"):
        search(IDENTITY, IDENTITY, -1)


def test_arrays_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match="rows of 4 and of 2 dimensions"):
        best_frame_pairs(IDENTITY, IDENTITY[:, :2], 1)
    with pytest.raises(ValueError, match=r"\(3,\) biases for 4 query rows"):
        best_frame_pairs(IDENTITY, IDENTITY, 1, score_bias=np.zeros(3, np.float32))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30], ids=["nan", "inf", "overflows"])
def test_rows_that_single_precision_cannot_compare_are_refused(wrong):
    rows = IDENTITY.copy()
    rows[2, 1] = wrong

    with pytest.raises(InputError, match="row 2"):
        best_frame_pairs(rows, IDENTITY, 1)


def test_long_rows_whose_products_overflow_are_refused():
    with pytest.raises(InputError, match=r"query row 0.*reference row 0"):
        best_frame_pairs(IDENTITY * np.float32(1e19), IDENTITY * np.float32(1e19), 1)


def test_double_precision_that_single_cannot_hold_is_refused_without_a_warning():
    rows = IDENTITY.astype(np.float64)
    rows[2, 1] = 1e300

    with pytest.raises(InputError, match="query row 2 is not finite, or too long"):
        best_frame_pairs(rows, IDENTITY, 1)


def test_a_bias_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="query row 1: bias not finite"):
        best_frame_pairs(IDENTITY, IDENTITY, 1, score_bias=np.array([0, np.nan, 0, 0], np.float32))
