"""Hold the cells of a product that can still be among the best, and settle which ones are.

A cell enters with a lower and an upper bound of its exact score. A floor rises with the bounds:
so many cells are certainly at least as good, so what is certainly worse is dropped, or never
enters. Only what is left at the end is scored exactly, in the total order: falling score, query
row, reference row. Where very many cells are equal the bounds cannot decide, and cells are scored
exactly on the way, so memory stays bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.search.row_scores import Cells

__all__ = ["BestCells"]

_MIN_WAITING = 65_536
"""Cells that wait before the worst are dropped: dropping costs more for few than for many."""


ExactScores = Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bounded:
    """Cells with bounds of their exact score; equal bounds are the score itself."""

    query_row: NDArray[np.int32]
    ref_row: NDArray[np.int32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.lower)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "_Bounded":
        return _Bounded(
            query_row=self.query_row[chosen],
            ref_row=self.ref_row[chosen],
            lower=self.lower[chosen],
            upper=self.upper[chosen],
        )


class BestCells:
    """The best cells of all that were added.

    Args:
        bias: ``(Q,)`` float32, added to the cells of each query row.
        exact_scores: scores pairs of query rows and reference rows, the bias included.
        num_best: how many to find.
        each_of: find so many of each of these query rows; None finds so many of all together.
    """

    def __init__(
        self,
        bias: NDArray[np.float32],
        exact_scores: ExactScores,
        num_best: int,
        *,
        each_of: slice | None = None,
    ) -> None:
        self._bias = bias
        self._exact_scores = exact_scores
        self._num_best = num_best
        self._each_of = each_of
        num_groups = 1 if each_of is None else each_of.stop - each_of.start
        self._floor = np.full(num_groups, -np.inf, dtype=np.float32)
        self._max_waiting = max(_MIN_WAITING, num_best * num_groups)
        self._held: list[_Bounded] = []
        self._num_waiting = 0

    def add(self, cells: Cells) -> None:
        """Take what may be among the best of one block of the product."""
        bias = self._bias[cells.query]
        self._start_floor(cells, bias)
        floor = self._floor[0] if self._each_of is None else self._floor
        limit = floor - np.float32(cells.slack) - bias
        chosen = np.flatnonzero(cells.score_QR >= limit[:, None])
        if len(chosen) == 0:
            return
        query, ref = np.divmod(chosen, cells.score_QR.shape[1])
        score = cells.score_QR.ravel()[chosen] + bias[query]
        entered = _Bounded(
            query_row=(query + cells.query.start).astype(np.int32),
            ref_row=(ref + cells.ref.start).astype(np.int32),
            lower=score - np.float32(cells.slack),
            upper=score + np.float32(cells.slack),
        )
        self._held.append(entered)
        self._num_waiting += len(entered)
        if self._num_waiting > self._max_waiting:
            self._drop()

    def _start_floor(self, cells: Cells, bias: NDArray[np.float32]) -> None:
        """Begin with the floors that the first block proves; else all of its cells would wait."""
        place = cells.score_QR.shape[1] - self._num_best
        if self._each_of is None or cells.ref.start > 0 or self._num_best == 0 or place < 0:
            return
        worst = np.partition(cells.score_QR, place, axis=1)[:, place]
        self._floor = worst + bias - np.float32(cells.slack)

    def best(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
        """Settle it: query rows, reference rows and exact scores of the best, in no order."""
        best = self._settled(self._possible(_joined(self._held)))
        return best.query_row, best.ref_row, best.lower

    def _drop(self) -> None:
        held = self._possible(_joined(self._held))
        if len(held) > 2 * self._max_waiting:
            held = self._possible(self._settled(held))
        self._held, self._num_waiting = [held], 0

    def _possible(self, held: _Bounded) -> _Bounded:
        """Raise the floor to what the bounds prove, and leave out what is certainly below."""
        group = self._group(held)
        if self._each_of is None:
            if len(held) >= self._num_best > 0:
                place = len(held) - self._num_best
                self._floor[0] = np.partition(held.lower, place)[place]
        else:
            order = np.lexsort((-held.lower, group))
            last = order[_ranks(group[order]) == self._num_best - 1]
            self._floor[group[last]] = held.lower[last]
        return held[held.upper >= self._floor[group]]

    def _settled(self, held: _Bounded) -> _Bounded:
        """Keep exactly the best of these, by their exact scores."""
        score = held.lower.copy()
        open_ = np.flatnonzero(held.lower < held.upper)
        score[open_] = self._exact_scores(held.query_row[open_], held.ref_row[open_])
        group = self._group(held)
        order = np.lexsort((held.ref_row, held.query_row, -score, group))
        order = order[_ranks(group[order]) < self._num_best]
        return _Bounded(
            query_row=held.query_row[order],
            ref_row=held.ref_row[order],
            lower=score[order],
            upper=score[order],
        )

    def _group(self, held: _Bounded) -> NDArray[np.int32]:
        """Say which budget each cell belongs to."""
        if self._each_of is None:
            return np.zeros(len(held), dtype=np.int32)
        return held.query_row - np.int32(self._each_of.start)


def _joined(parts: list[_Bounded]) -> _Bounded:
    rows, bounds = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    return _Bounded(
        query_row=np.concatenate([rows, *(part.query_row for part in parts)]),
        ref_row=np.concatenate([rows, *(part.ref_row for part in parts)]),
        lower=np.concatenate([bounds, *(part.lower for part in parts)]),
        upper=np.concatenate([bounds, *(part.upper for part in parts)]),
    )


def _ranks(group: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count 0, 1, 2, ... anew in each run of equal groups."""
    place = np.arange(len(group))
    is_first = np.append(True, group[1:] != group[:-1])[: len(group)]
    return place - np.maximum.accumulate(np.where(is_first, place, 0))
