"""Blocks may be wrong by their slack; the best cells are the best all the same."""

from collections.abc import Callable

import numpy as np
import pytest

from vcd.search import best_cells
from vcd.search.best_cells import BestCells
from vcd.search.row_scores import Cells

SLACK = 0.9


def known(exact: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Score from a table."""
    return lambda query_row, ref_row: exact[query_row, ref_row]


def roughly(exact: np.ndarray, bias: np.ndarray, rng: np.random.Generator) -> list[Cells]:
    """Blocks of three query rows by four references, each cell off by almost the slack."""
    off = rng.choice([-0.99, 0.99], exact.shape) * SLACK
    rough = (exact - bias[:, None] + off).astype(np.float32)
    return [
        Cells(
            query=slice(q, min(q + 3, len(exact))),
            ref=slice(r, min(r + 4, exact.shape[1])),
            score_QR=rough[q : q + 3, r : r + 4],
            slack=SLACK,
        )
        for q in range(0, len(exact), 3)
        for r in range(0, exact.shape[1], 4)
    ]


def ranked(exact: np.ndarray, rows: range) -> list[tuple[float, int, int]]:
    return sorted((-float(exact[q, r]), q, r) for q in rows for r in range(exact.shape[1]))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("min_waiting", [1, 20, 1000])
def test_cells_within_the_slack_of_the_last_place_are_settled_by_their_exact_score(
    monkeypatch, seed, min_waiting
):
    monkeypatch.setattr(best_cells, "_MIN_WAITING", min_waiting)
    rng = np.random.default_rng(seed)
    spread = 1 + seed % 4
    exact = rng.integers(-spread, spread, (8, 13)).astype(np.float32)
    bias = rng.integers(-2, 3, 8).astype(np.float32)
    blocks = roughly(exact, bias, rng)
    num_best = int(rng.integers(1, 30))
    overall = BestCells(bias, known(exact), num_best)
    of_rows = {
        first: BestCells(bias, known(exact), 2, each_of=slice(first, min(first + 3, 8)))
        for first in (0, 3, 6)
    }

    for cells in blocks:
        overall.add(cells)
        of_rows[cells.query.start].add(cells)

    query, ref, score = overall.best()
    assert sorted(zip(-score, query, ref, strict=True)) == ranked(exact, range(8))[:num_best]
    for row in range(8):
        query, ref, score = of_rows[row - row % 3].best()
        own = query == row
        found = sorted(zip(-score[own], query[own], ref[own], strict=True))
        assert found == ranked(exact, range(row, row + 1))[:2]


def test_what_waits_is_dropped_before_it_fills_the_memory(monkeypatch, rng):
    """All cells equal: bounds decide nothing, and still no more than twice the budget is held."""
    monkeypatch.setattr(best_cells, "_MIN_WAITING", 1)
    exact, bias = np.ones((30, 40), np.float32), np.zeros(30, np.float32)
    pool = BestCells(bias, known(exact), 10)
    held: list[int] = []

    for cells in roughly(exact, bias, rng):
        pool.add(cells)
        held.append(sum(len(part) for part in pool._held))

    assert max(held) <= 2 * 10 + 12
