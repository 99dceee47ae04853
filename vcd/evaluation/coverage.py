"""Which stretch covers what first: unions of intervals for many pairs at once.

The ends of all stretches of an owner (a pair, say) cut its axis into elementary cells. A cell is
in the union of the first n stretches exactly if the best-ranked stretch over it is among the n, so
one rank a cell says everything about all unions that grow stretch by stretch, in any order.

    ranks 0 and 1:   0000000            cells    |  |    |   |
                        11111111        earliest  0   0    1
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "Stretches", "cut_cells", "overlapping"]

_MAX_BLOCK = 1 << 21
"""Couples of stretches that are held against each other at once: 100 MB of working memory."""

Ordinals = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The elementary cells of one axis.

    Attributes:
        length_s: ``(M,)`` float64; means nothing after the last end of an owner, which none covers.
        owner: ``(M,)`` int64, ascending.
        first: ``(N,)`` int64, the first cell of each stretch.
        stop: ``(N,)`` int64, the cell after its last; equal to ``first`` where its length is zero.
    """

    length_s: NDArray[np.float64]
    owner: Ordinals
    first: Ordinals
    stop: Ordinals

    def earliest(self, chosen: slice, ranks: Ordinals, never: int) -> Ordinals:
        """Find the least rank among the chosen stretches over each cell.

        Every stretch is the union of two that overlap and have a power of two for their number of
        cells; from the longest down, each passes its rank to its halves. Time is
        O((M + N) log M), whatever covers what.

        Args:
            chosen: which of the N stretches count.
            ranks: ``(n,)`` int64, one for each of them, below ``never``.
            never: what a cell gets that none of them covers.

        Returns:
            ``(M,)`` int64.
        """
        first, stop = self.first[chosen], self.stop[chosen]
        level = np.frexp((stop - first).astype(np.float64))[1] - 1  # of length zero: -1
        best = np.full(len(self.length_s), never, dtype=np.int64)
        for k in range(int(level.max(initial=-1)), -1, -1):
            width = 1 << k
            halves = best.copy()
            np.minimum(halves[width:], best[:-width], out=halves[width:])
            best = halves
            here = level == k
            np.minimum.at(best, first[here], ranks[here])
            np.minimum.at(best, stop[here] - width, ranks[here])
        return best

    def union_s(self, num_owners: int) -> NDArray[np.float64]:
        """Measure the union of all stretches of each owner, ``(num_owners,)`` float64 seconds."""
        everything = slice(None)
        is_open = self.earliest(everything, np.zeros(len(self.first), dtype=np.int64), 1)
        length_s = np.where(is_open, 0.0, self.length_s)
        union_s = np.bincount(self.owner, weights=length_s, minlength=num_owners)
        return union_s.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """Boxes: stretches of both videos of numbered pairs.

    Attributes:
        pair: ``(N,)`` int64.
        query_s: ``(N, 2)`` float64, ``[start, end)``.
        ref_s: ``(N, 2)`` float64, ``[start, end)``.
    """

    pair: Ordinals
    query_s: NDArray[np.float64]
    ref_s: NDArray[np.float64]

    def take(self, rows: Ordinals) -> "Stretches":
        return Stretches(pair=self.pair[rows], query_s=self.query_s[rows], ref_s=self.ref_s[rows])


def cut_cells(owner: Ordinals, bounds_s: NDArray[np.float64]) -> Cells:
    """Cut the axis of each owner at every end of its stretches.

    Args:
        owner: ``(N,)`` int64, whose each stretch is.
        bounds_s: ``(N, 2)`` float64, ``[start, end)`` with ``start <= end``.
    """
    ends_s, owners = bounds_s.ravel(), np.repeat(owner, 2)
    order = np.lexsort((ends_s, owners))
    ends_s, owners = ends_s[order], owners[order]
    is_new = np.append(True, (np.diff(ends_s) != 0) | (np.diff(owners) != 0))[: len(order)]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(is_new) - 1
    knots_s, owners = ends_s[is_new], owners[is_new]
    length_s = np.zeros(len(knots_s))
    length_s[:-1] = np.diff(knots_s)
    return Cells(length_s=length_s, owner=owners, first=place[0::2], stop=place[1::2])


def overlapping(one: Stretches, other: Stretches) -> Iterator[tuple[Ordinals, Ordinals]]:
    """Find the boxes of one side and the other that share some area, in the same pair.

    Time and results grow with the product of the numbers of boxes in a pair; memory does not.

    Yields:
        Rows of ``one`` and rows of ``other``, ``(n,)`` int64 each. All couples of a row of ``one``
        come in the same block.
    """
    order = np.argsort(other.pair, kind="stable")
    pair = other.pair[order]
    start = np.searchsorted(pair, one.pair, side="left")
    count = np.searchsorted(pair, one.pair, side="right") - start
    rows = np.flatnonzero(count)
    block = np.cumsum(count[rows]) // _MAX_BLOCK
    for chosen in np.split(rows, np.flatnonzero(np.diff(block)) + 1):
        ones = np.repeat(chosen, count[chosen])
        skipped = np.repeat(np.cumsum(count[chosen]) - count[chosen], count[chosen])
        others = order[start[ones] + np.arange(len(ones)) - skipped]
        shares = _share_time(one.query_s[ones], other.query_s[others])
        shares &= _share_time(one.ref_s[ones], other.ref_s[others])
        yield ones[shares], others[shares]


def _share_time(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    shares: NDArray[np.bool_] = np.minimum(one[:, 1], other[:, 1]) > np.maximum(
        one[:, 0], other[:, 0]
    )
    return shares
