"""Propose pairs of rows that may be similar enough; exactness is decided elsewhere.

A finder may propose too much, never too little (an approximate one: seldom).
What it proposes is scored by `vcd.search.scores`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcd.core import blocked_similarity
from vcd.search.references import MappedReferences
from vcd.search.scores import rounding_margin

__all__ = ["BlockedFinder", "Cells", "Finder", "NearestFinder"]

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Query rows and positions, equally many."""
_CELLS_PER_STEP = 262_144

Nearest = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""``nearest(query, k)``: scores and positions ``(Q, k)``, best first, -1 where there are fewer."""


class Finder(Protocol):
    """An engine of the search."""

    def find(self, query: NDArray[np.float32], min_score: float) -> Iterator[Cells]:
        """Propose cells, in parts of bounded size.

        Args:
            query: ``(Q, D)`` float32, contiguous, unit rows.
            min_score: floor of the true score.
        """
        ...


class BlockedFinder:
    """Exact: products of blocks of the mapped rows, without a copy of them."""

    def __init__(self, references: MappedReferences) -> None:
        self._references = references

    def find(self, query: NDArray[np.float32], min_score: float) -> Iterator[Cells]:
        floor = np.float32(min_score - rounding_margin(query.shape[1]))
        for position_first, features in self._references.blocks():
            for query_first, ref_first, similarity_QR in blocked_similarity(query, features):
                cells = np.flatnonzero(similarity_QR >= floor)
                for first in range(0, len(cells), _CELLS_PER_STEP):
                    query_row, column = np.divmod(
                        cells[first : first + _CELLS_PER_STEP], similarity_QR.shape[1]
                    )
                    yield query_row + query_first, column + (position_first + ref_first)


class NearestFinder:
    """By k nearest rows, for engines that know no floor, such as a GPU.

    A query row whose k-th nearest in some part of the references is still above
    the floor may have more, so that row is searched again by blocks.
    """

    def __init__(
        self, parts: Sequence[Nearest], *, k: int, slack: float, blocked: BlockedFinder
    ) -> None:
        """Search these engines.

        Args:
            parts: one engine for each part of the references.
            k: how many nearest rows are asked of each.
            slack: how far below the true score theirs may lie.
            blocked: searches all references.
        """
        self._parts = parts
        self._k = k
        self._slack = slack
        self._blocked = blocked

    def find(self, query: NDArray[np.float32], min_score: float) -> Iterator[Cells]:
        floor = np.float32(min_score - self._slack)
        step = max(1, _CELLS_PER_STEP // (self._k * max(1, len(self._parts))))
        for first in range(0, len(query), step):
            rows = query[first : first + step]
            for query_row, position in self._find_in_step(rows, floor, min_score):
                yield query_row + first, position

    def _find_in_step(
        self, query: NDArray[np.float32], floor: np.float32, min_score: float
    ) -> Iterator[Cells]:
        is_full = np.zeros(len(query), dtype=np.bool_)
        found = []
        for nearest in self._parts:
            score, position = nearest(query, self._k)
            is_found = (score >= floor) & (position >= 0)
            is_full |= is_found.all(axis=1)
            found.append((is_found, position))
        for is_found, position in found:
            query_row, column = np.nonzero(is_found & ~is_full[:, np.newaxis])
            yield query_row, position[query_row, column]
        full_row = np.flatnonzero(is_full)
        if len(full_row):
            rows = np.ascontiguousarray(query[full_row])
            for again_row, position in self._blocked.find(rows, min_score):
                yield full_row[again_row], position
