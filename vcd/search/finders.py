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

__all__ = ["BlockedFinder", "Cells", "Finder", "NearestFinder", "RangeFinder"]

Cells = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Query rows and positions, equally many."""
_CELLS_PER_STEP = 262_144
_RANGE_CELLS = 4_000_000
"""Cells of one range search; all of them may be results."""

Nearest = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""``nearest(query, k)``: scores and positions ``(Q, k)``, best first, -1 where there are fewer."""

RangeSearch = Callable[
    [NDArray[np.float32], float],
    tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]],
]
"""``search(query, floor)``: where the results of each row begin, ``(Q + 1,)``; scores; ordinals."""


class Finder(Protocol):
    """An engine of the search."""

    def find(self, query: NDArray[np.float32], floor: NDArray[np.float64]) -> Iterator[Cells]:
        """Propose cells, in parts of bounded size.

        Args:
            query: ``(Q, D)`` float32, contiguous, unit rows.
            floor: ``(Q,)`` of the true inner products of each row.
        """
        ...


class BlockedFinder:
    """Exact: products of blocks of the mapped rows, without a copy of them."""

    def __init__(self, references: MappedReferences) -> None:
        self._references = references

    def find(self, query: NDArray[np.float32], floor: NDArray[np.float64]) -> Iterator[Cells]:
        floor_Q1 = (floor - rounding_margin(query.shape[1])).astype(np.float32)[:, np.newaxis]
        for position_first, features in self._references.blocks():
            for query_first, ref_first, similarity_QR in blocked_similarity(query, features):
                here = slice(query_first, query_first + len(similarity_QR))
                cells = np.flatnonzero(similarity_QR >= floor_Q1[here])
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

    def find(self, query: NDArray[np.float32], floor: NDArray[np.float64]) -> Iterator[Cells]:
        step = max(1, _CELLS_PER_STEP // (self._k * max(1, len(self._parts))))
        for first in range(0, len(query), step):
            here = slice(first, first + step)
            for query_row, position in self._find_in_step(query[here], floor[here]):
                yield query_row + first, position

    def _find_in_step(
        self, query: NDArray[np.float32], floor: NDArray[np.float64]
    ) -> Iterator[Cells]:
        low_Q1 = (floor - self._slack).astype(np.float32)[:, np.newaxis]
        is_full = np.zeros(len(query), dtype=np.bool_)
        found = []
        for nearest in self._parts:
            score, position = nearest(query, self._k)
            is_found = (score >= low_Q1) & (position >= 0)
            is_full |= is_found.all(axis=1)
            found.append((is_found, position))
        for is_found, position in found:
            query_row, column = np.nonzero(is_found & ~is_full[:, np.newaxis])
            yield query_row, position[query_row, column]
        full_row = np.flatnonzero(is_full)
        if len(full_row):
            rows = np.ascontiguousarray(query[full_row])
            for again_row, position in self._blocked.find(rows, floor[full_row]):
                yield full_row[again_row], position


class RangeFinder:
    """Approximate: what a FAISS index finds near the floor.

    One search has one floor, the lowest of its rows; what it finds below a row's own is dropped,
    so that no row sees what others ask for.
    """

    def __init__(
        self, range_search: RangeSearch, positions: NDArray[np.int64], *, slack: float
    ) -> None:
        """Search this engine.

        Args:
            range_search: of the engine.
            positions: the position of each of its ordinals.
            slack: how far below the true score its own may lie.
        """
        self._range_search = range_search
        self._positions = positions
        self._slack = slack

    def find(self, query: NDArray[np.float32], floor: NDArray[np.float64]) -> Iterator[Cells]:
        step = max(1, _RANGE_CELLS // max(1, len(self._positions)))
        low = np.maximum(floor - self._slack, np.finfo(np.float32).min).astype(np.float32)
        for first in range(0, len(query), step):
            lows = low[first : first + step]
            limits, score, ordinal = self._range_search(
                query[first : first + step], float(lows.min())
            )
            ends = limits.astype(np.int64)
            query_row = np.repeat(np.arange(len(lows)), ends[1:] - ends[:-1])
            is_near = score >= lows[query_row]
            yield query_row[is_near] + first, self._positions[ordinal[is_near]]
