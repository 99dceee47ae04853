"""Keep the best hits over all queries: the global budget of the VSC2022 protocol."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vcd.core import FrameHits

__all__ = ["within_budget"]


def within_budget(hits: Iterable[FrameHits], *, max_hits: int) -> tuple[FrameHits, ...]:
    """Keep exactly the best hits of all queries together, or all when there are fewer.

    Ties at the cut-off are broken by query id, reference id, query row and reference
    row, so the result is the same in whatever chunks and order the hits come. (The
    published search keeps none of them: 24 equal hits within a budget of 12 become 0.)

    Args:
        hits: of any number of queries against one index, in chunks.
        max_hits: how many to keep; VSC2022 takes 1,200 times the number of queries.

    Returns:
        For each query that has any, in order of id, its hits in one chunk.

    Raises:
        ValueError: the chunks are of several sets of references, or the budget is negative.
    """
    if max_hits < 0:
        raise ValueError(f"a budget cannot be negative, got {max_hits}")
    pool = _Pool(max_hits)
    for chunk in hits:
        pool.add(chunk)
    return pool.chunks()


class _Pool:
    """The best hits so far, at most twice the budget of them.

    The columns are query ordinal, reference ordinal, query row, reference row.
    """

    def __init__(self, max_hits: int) -> None:
        self._max_hits = max_hits
        self._query_ordinal: dict[str, int] = {}
        self._ref_ids: tuple[str, ...] | None = None
        self._rows = np.empty((0, 4), dtype=np.int64)
        self._score = np.empty(0, dtype=np.float32)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
        self._num_waiting = 0

    def add(self, chunk: FrameHits) -> None:
        if self._ref_ids is None:
            self._ref_ids = chunk.ref_ids
        if chunk.ref_ids is not self._ref_ids and chunk.ref_ids != self._ref_ids:
            raise ValueError(f"{chunk.query_id}: hits of several sets of references")
        ordinal = self._query_ordinal.setdefault(chunk.query_id, len(self._query_ordinal))
        query = np.full(len(chunk), ordinal, dtype=np.int64)
        columns = (query, chunk.ref_ordinal, chunk.query_row, chunk.ref_row)
        self._waiting.append((np.stack(columns, axis=1), chunk.score))
        self._num_waiting += len(chunk)
        if self._num_waiting > self._max_hits:
            self._merge()

    def _merge(self) -> None:
        rows = np.concatenate([self._rows, *(each for each, _ in self._waiting)])
        score = np.concatenate([self._score, *(each for _, each in self._waiting)])
        rank = np.argsort(np.argsort(np.array(list(self._query_ordinal), dtype=object)))
        query_rank = rank[rows[:, 0]] if len(rows) else rows[:, 0]
        order = np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], query_rank, -score))
        order = order[: self._max_hits]
        self._rows, self._score = rows[order], score[order]
        self._waiting, self._num_waiting = [], 0

    def chunks(self) -> tuple[FrameHits, ...]:
        self._merge()
        chunks = []
        for query_id, ordinal in sorted(self._query_ordinal.items()):
            here = np.flatnonzero(self._rows[:, 0] == ordinal)
            if len(here) == 0:
                continue
            _, ref_ordinal, query_row, ref_row = self._rows[here].T
            order = np.lexsort((ref_row, ref_ordinal, query_row, -self._score[here]))
            chunks.append(
                FrameHits(
                    query_id=query_id,
                    ref_ids=self._ref_ids or (),
                    query_row=query_row[order],
                    ref_ordinal=ref_ordinal[order],
                    ref_row=ref_row[order],
                    score=self._score[here][order],
                )
            )
        return tuple(chunks)
