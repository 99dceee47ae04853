"""Give each hit a score that depends on its two rows, and the bias of one, alone.

A matrix product rounds a cell differently from one block shape to the next, so
whether a cell reaches the floor could depend on which other references lie
beside it. Here every engine only proposes cells, a little below the floor, and
one loop in a fixed order scores them. Why, and what it costs:
``docs/design/search.md``.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from vcd.core import FrameHits

__all__ = ["HitCollector", "HitColumns", "rounding_margin", "row_floors", "score_cells"]

_ROWS_PER_STEP = 2048
"""Rows gathered at a time: 2 x 2 MB at 256 dimensions stay in the cache."""

HitColumns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""``query_row``, ``ref_ordinal``, ``ref_row``, ``score``; equally long, in any order."""


def rounding_margin(dim: int) -> float:
    """Bound the difference of two float32 inner products of the same unit rows.

    Each is within ``dim * 2**-24`` of the true value, in whatever order it was summed.
    """
    return dim * 2.0**-23


def row_floors(min_score: np.float32, bias: NDArray[np.float32]) -> NDArray[np.float64]:
    """Bound from below the inner products with which each row's cells can reach the floor.

    Adding a bias rounds the sum once more, by at most ``(1 + |bias|) * 2**-24``.

    Args:
        min_score: floor of the scores.
        bias: ``(Q,)`` what is added to the inner products of each row.

    Returns:
        ``(Q,)`` float64.
    """
    exact = bias.astype(np.float64)
    rounding = np.where(exact == 0.0, 0.0, (1.0 + np.abs(exact)) * 2.0**-23)
    floors: NDArray[np.float64] = float(min_score) - exact - rounding
    return floors


def score_cells(
    query: NDArray[np.float32],
    bias: NDArray[np.float32],
    query_row: NDArray[np.int64],
    position: NDArray[np.int64],
    features_at: Callable[[NDArray[np.int64]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Score pairs of rows, each by itself: products added in one order, the bias at last.

    Args:
        query: ``(Q, D)`` float32.
        bias: ``(Q,)`` float32, added to every score of a row.
        query_row: ``(K,)`` rows of the query.
        position: ``(K,)`` of the reference rows.
        features_at: gives the reference rows ``(k, D)`` of some positions.
    """
    score = np.empty(len(query_row), dtype=np.float32)
    for first in range(0, len(query_row), _ROWS_PER_STEP):
        part = slice(first, first + _ROWS_PER_STEP)
        np.einsum("kd,kd->k", query[query_row[part]], features_at(position[part]), out=score[part])
    score += bias[query_row]
    return score


class HitCollector:
    """Gather scored hits into sorted chunks of bounded size."""

    def __init__(self, query_id: str, ref_ids: tuple[str, ...], *, max_chunk_hits: int) -> None:
        self._query_id = query_id
        self._ref_ids = ref_ids
        self._max_chunk_hits = max_chunk_hits

    def chunks(self, parts: Iterable[HitColumns]) -> Iterator[FrameHits]:
        """Yield the hits in chunks.

        Args:
            parts: of any length.
        """
        waiting: list[HitColumns] = []
        num_waiting = 0
        for part in self._bounded(parts):
            if waiting and num_waiting + len(part[0]) > self._max_chunk_hits:
                yield self._sorted_chunk(waiting)
                waiting, num_waiting = [], 0
            waiting.append(part)
            num_waiting += len(part[0])
        if waiting:
            yield self._sorted_chunk(waiting)

    def _bounded(self, parts: Iterable[HitColumns]) -> Iterator[HitColumns]:
        step = self._max_chunk_hits
        for query_row, ref_ordinal, ref_row, score in parts:
            for first in range(0, len(score), step):
                span = slice(first, first + step)
                yield query_row[span], ref_ordinal[span], ref_row[span], score[span]

    def _sorted_chunk(self, parts: list[HitColumns]) -> FrameHits:
        query_row, ref_ordinal, ref_row = (
            np.concatenate([part[column] for part in parts]).astype(np.int64, copy=False)
            for column in range(3)
        )
        score = np.concatenate([part[3] for part in parts])
        order = np.lexsort((ref_row, ref_ordinal, query_row, -score))
        return FrameHits(
            query_id=self._query_id,
            ref_ids=self._ref_ids,
            query_row=query_row[order],
            ref_ordinal=ref_ordinal[order],
            ref_row=ref_row[order],
            score=score[order],
        )
