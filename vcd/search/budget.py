"""Keep exactly the best pairs of rows: of all queries together, or of each query row.

The budget of the VSC2022 descriptor track is over all queries; DISC2021 is mostly evaluated with
so many references a query. Either way the order is total (falling score, then query row, then
reference row), so ties at the cut-off fill the budget the same way on every machine. The rows may
be memory-mapped; memory holds what can still be among the best and one block of the product.
How, and what it costs: ``docs/design/tracks.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.search.best_cells import BestCells
from vcd.search.row_scores import RowScorer, RowSimilarity

__all__ = ["FramePairs", "best_frame_pairs", "nearest_rows"]

Rows = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FramePairs:
    """Scored pairs of rows, in order of falling score, then query row, then reference row.

    Attributes:
        query_row: ``(K,)`` int32, row of the query file.
        ref_row: ``(K,)`` int32, row of the reference file.
        score: ``(K,)`` float32.
    """

    query_row: NDArray[np.int32]
    ref_row: NDArray[np.int32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)


def best_frame_pairs(
    query_rows: Rows,
    ref_rows: Rows,
    max_pairs: int,
    *,
    score_bias: NDArray[np.float32] | None = None,
    similarity: RowSimilarity = RowSimilarity.INNER_PRODUCT,
    on_progress: Callable[[float], None] | None = None,
) -> FramePairs:
    """Find the best pairs of all queries together.

    Equal to the official search of VSC2022 on data without ties. (At ties the official search
    keeps none of those at its cut-offs: 24 equal pairs within a budget of 12 become 0.)

    Args:
        query_rows: ``(Q, D)`` float32 or float16, of any length.
        ref_rows: ``(R, D)`` float32 or float16, of any length.
        max_pairs: how many to keep; VSC2022 takes 1,200 times the number of query videos.
        score_bias: ``(Q,)`` float32, added to the scores of each query row; None adds nothing.
        similarity: what two rows score.
        on_progress: told the share of the work that is done, in (0, 1].

    Returns:
        Exactly ``max_pairs`` pairs, or all ``Q * R`` when there are fewer.

    Raises:
        ValueError: the budget is negative, or the arrays do not fit together.
        InputError: a row is not finite or too long for single precision.
    """
    if max_pairs < 0:
        raise ValueError(f"a budget cannot be negative, got {max_pairs}")
    scorer = RowScorer(query_rows, ref_rows, score_bias, similarity)
    pool = BestCells(scorer.bias, scorer.scores, max_pairs)
    for rows in scorer.query_blocks():
        for cells in scorer.cells(rows):
            pool.add(cells)
        _tell(on_progress, rows.stop / len(query_rows))
    return _in_order(*pool.best())


def nearest_rows(
    query_rows: Rows,
    ref_rows: Rows,
    num_nearest: int,
    *,
    score_bias: NDArray[np.float32] | None = None,
    similarity: RowSimilarity = RowSimilarity.INNER_PRODUCT,
    on_progress: Callable[[float], None] | None = None,
) -> FramePairs:
    """Find the best reference rows of each query row; arguments as `best_frame_pairs`.

    Returns:
        ``min(num_nearest, R)`` pairs of each query row, all in one order of falling score.

    Raises:
        ValueError: ``num_nearest`` is negative, or the arrays do not fit together.
        InputError: a row is not finite or too long for single precision.
    """
    if num_nearest < 0:
        raise ValueError(f"wanted a number of nearest rows, got {num_nearest}")
    scorer = RowScorer(query_rows, ref_rows, score_bias, similarity)
    bias = scorer.bias
    nothing = np.empty(0, dtype=np.int32)
    parts = [(nothing, nothing, np.empty(0, dtype=np.float32))]
    for rows in scorer.query_blocks():
        pool = BestCells(bias, scorer.scores, num_nearest, each_of=rows)
        for cells in scorer.cells(rows):
            pool.add(cells)
        parts.append(pool.best())
        _tell(on_progress, rows.stop / len(query_rows))
    query_row, ref_row, score = zip(*parts, strict=True)
    return _in_order(np.concatenate(query_row), np.concatenate(ref_row), np.concatenate(score))


def _in_order(
    query_row: NDArray[np.int32], ref_row: NDArray[np.int32], score: NDArray[np.float32]
) -> FramePairs:
    order = np.lexsort((ref_row, query_row, -score))
    return FramePairs(query_row=query_row[order], ref_row=ref_row[order], score=score[order])


def _tell(on_progress: Callable[[float], None] | None, share: float) -> None:
    if on_progress is not None:
        on_progress(share)
