"""Hits of one query as columns, in half the space, and the total order among them.

The order: falling score, then reference, query row and reference row. "The best
so many of each query row of each pair" and "the best so many of all" keep the
first in this one order, so they can be taken part by part: what is dropped from
a part would be dropped from the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import FrameHits

__all__ = ["HitTable"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HitTable:
    """K hits in columns.

    Attributes:
        ref_ordinal: ``(K,)`` int32.
        query_row: ``(K,)`` int32.
        ref_row: ``(K,)`` int32.
        score: ``(K,)`` float32.
    """

    ref_ordinal: NDArray[np.int32]
    query_row: NDArray[np.int32]
    ref_row: NDArray[np.int32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> "HitTable":
        return HitTable(
            ref_ordinal=self.ref_ordinal[rows],
            query_row=self.query_row[rows],
            ref_row=self.ref_row[rows],
            score=self.score[rows],
        )

    @classmethod
    def from_chunk(cls, chunk: FrameHits) -> "HitTable":
        return cls(
            ref_ordinal=chunk.ref_ordinal.astype(np.int32),
            query_row=chunk.query_row.astype(np.int32),
            ref_row=chunk.ref_row.astype(np.int32),
            score=chunk.score,
        )

    @classmethod
    def joined(cls, tables: Sequence["HitTable"]) -> "HitTable":
        nothing = np.empty(0, dtype=np.int32)
        return cls(
            ref_ordinal=np.concatenate([nothing, *(each.ref_ordinal for each in tables)]),
            query_row=np.concatenate([nothing, *(each.query_row for each in tables)]),
            ref_row=np.concatenate([nothing, *(each.ref_row for each in tables)]),
            score=np.concatenate([nothing.astype(np.float32), *(each.score for each in tables)]),
        )

    def in_order(self) -> "HitTable":
        """Sort by the total order."""
        return self[np.lexsort((self.ref_row, self.query_row, self.ref_ordinal, -self.score))]

    def best_of_rows(self, num_hits: int) -> "HitTable":
        """Keep the first so many of each query row of each reference, sorted by those two."""
        if len(self) == 0:
            return self
        order = np.lexsort((self.ref_row, -self.score, self.query_row, self.ref_ordinal))
        ref_ordinal, query_row = self.ref_ordinal[order], self.query_row[order]
        is_new = (np.diff(ref_ordinal) != 0) | (np.diff(query_row) != 0)
        first = np.concatenate([[0], np.flatnonzero(is_new) + 1])
        length = np.diff(np.append(first, len(order)))
        rank = np.arange(len(order)) - np.repeat(first, length)
        return self[order[rank < num_hits]]

    def before_last_of(self, ordered: "HitTable") -> "HitTable":
        """Keep what comes before the last hit of an ordered table."""
        last = ordered[-1:]
        is_before = self.score > last.score
        tied = np.flatnonzero(self.score == last.score)
        key = self.ref_ordinal[tied], self.query_row[tied], self.ref_row[tied]
        limit = last.ref_ordinal, last.query_row, last.ref_row
        is_tied_before = np.zeros(len(tied), dtype=np.bool_)
        for value, bound in zip(reversed(key), reversed(limit), strict=True):
            is_tied_before = (value < bound) | ((value == bound) & is_tied_before)
        is_before[tied] = is_tied_before
        return self[is_before]

    def in_order_of_refs(self) -> "HitTable":
        """Bring the hits of each reference together; among them the order stays."""
        return self[np.argsort(self.ref_ordinal, kind="stable")]

    def of_ref(self, ref_ordinal: int) -> "HitTable":
        """Cut out the hits of one reference; the table must be in order of references."""
        first = int(np.searchsorted(self.ref_ordinal, ref_ordinal, side="left"))
        stop = int(np.searchsorted(self.ref_ordinal, ref_ordinal, side="right"))
        return self[first:stop]
