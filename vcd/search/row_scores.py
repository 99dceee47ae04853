"""Score rows of two descriptor files against each other: fast in blocks, exactly one by one.

A matrix product is fast, and rounds a cell differently from one block shape to the next. So a
block only bounds its cells; the score of a pair of rows is what one loop in a fixed order makes
of the two rows alone. Rows may have any length. Why: ``docs/design/tracks.md``.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError

__all__ = ["Cells", "RowScorer", "RowSimilarity"]

_BLOCK_ROWS = 1024
"""Rows of a block on both sides: its 4 MB of cells stay in the cache until they are compared."""

_EXACT_ROWS = 2048
"""Rows gathered at a time: 2 x 4 MB at 512 dimensions."""

_NORM_ROWS = 65_536

Rows = NDArray[np.floating]


class RowSimilarity(enum.Enum):
    """What the score of two rows is, before the bias of the query row."""

    INNER_PRODUCT = "inner_product"
    NEGATED_SQUARED_L2 = "negated_squared_l2"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """One block of the product, before the bias of its query rows.

    Attributes:
        query: rows ``[start, stop)`` of the queries.
        ref: rows ``[start, stop)`` of the references.
        score_QR: float32; valid until the next block is asked for.
        slack: the exact score is at most this far away, the bias included.
    """

    query: slice
    ref: slice
    score_QR: NDArray[np.float32]
    slack: float


class RowScorer:
    """Score any query row against any reference row.

    Args:
        query: ``(Q, D)`` float32 or float16; may be memory-mapped.
        ref: ``(R, D)`` float32 or float16; may be memory-mapped.
        score_bias: ``(Q,)`` float32, added to every score of a query row; None adds nothing.
        similarity: of two rows.

    Raises:
        ValueError: the dimensions differ, or there is not one bias for each query row.
        InputError: a row, or a bias, is not finite or too long for single precision.
    """

    def __init__(
        self,
        query: Rows,
        ref: Rows,
        score_bias: NDArray[np.float32] | None,
        similarity: RowSimilarity,
    ) -> None:
        if query.shape[1] != ref.shape[1]:
            raise ValueError(f"rows of {query.shape[1]} and of {ref.shape[1]} dimensions")
        if score_bias is not None and score_bias.shape != (len(query),):
            raise ValueError(f"{score_bias.shape} biases for {len(query)} query rows")
        self._query, self._ref, self._similarity = query, ref, similarity
        self._is_l2 = similarity is RowSimilarity.NEGATED_SQUARED_L2
        self._bias = np.zeros(len(query), dtype=np.float32) if score_bias is None else score_bias
        self._query_length = _lengths(query, "query")
        self._ref_length = _lengths(ref, "reference")
        self._check_range()
        self._cells = np.empty((_BLOCK_ROWS, _BLOCK_ROWS), dtype=np.float32)

    @property
    def bias(self) -> NDArray[np.float32]:
        """``(Q,)`` float32, added to the cells of each query row; also minus |q|^2 for L2."""
        return self._bias - self._query_length**2 if self._is_l2 else self._bias

    def query_blocks(self) -> Iterator[slice]:
        """Cut the queries into blocks, in order."""
        yield from _blocks(len(self._query))

    def cells(self, rows: slice) -> Iterator[Cells]:
        """Multiply one block of queries with all references, block by block, in order."""
        query = np.asarray(self._query[rows], dtype=np.float32)
        if self._is_l2:
            query = 2 * query
        for ref_rows in _blocks(len(self._ref)):
            ref = np.asarray(self._ref[ref_rows], dtype=np.float32)
            out = self._cells.ravel()[: len(query) * len(ref)].reshape(len(query), len(ref))
            np.matmul(query, ref.T, out=out)
            if self._is_l2:
                out -= self._ref_length[ref_rows] ** 2
            slack = self._slack(rows, ref_rows)
            yield Cells(query=rows, ref=ref_rows, score_QR=out, slack=slack)

    def scores(
        self, query_row: NDArray[np.int32], ref_row: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Score pairs of rows, each by itself and always in the same order of additions.

        Args:
            query_row: ``(K,)`` rows of the queries.
            ref_row: ``(K,)`` rows of the references.

        Returns:
            ``(K,)`` float32.
        """
        score = np.empty(len(query_row), dtype=np.float32)
        for first in range(0, len(score), _EXACT_ROWS):
            part = slice(first, first + _EXACT_ROWS)
            query = np.asarray(self._query[query_row[part]], dtype=np.float32)
            ref = np.asarray(self._ref[ref_row[part]], dtype=np.float32)
            if self._is_l2:
                query = ref = query - ref
            np.einsum("kd,kd->k", query, ref, out=score[part])
        return (-score if self._is_l2 else score) + self._bias[query_row]

    def _slack(self, query_rows: slice, ref_rows: slice) -> float:
        """Bound how far two float32 scores of the same rows are apart.

        A sum of D products is within ``D 2**-24 |q| |r|`` of the true value in whatever order it
        is summed; a few roundings more for what is added to it.
        """
        size = _size(
            self._query_length[query_rows], self._ref_length[ref_rows], is_l2=self._is_l2
        ) + float(np.abs(self._bias[query_rows]).max(initial=0.0))
        steps = self._query.shape[1] + 8
        return float(steps * (2.0**-23 * size + np.finfo(np.float32).tiny))

    def _check_range(self) -> None:
        size = _size(self._query_length, self._ref_length, is_l2=self._is_l2)
        if not np.isfinite(self._bias).all():
            raise InputError(
                f"query row {int(np.argmin(np.isfinite(self._bias)))}: bias not finite"
            )
        if size > np.finfo(np.float32).max / 4:
            row = int(np.argmax(self._query_length))
            raise InputError(
                f"wanted rows that can be compared in single precision, got lengths up to "
                f"{self._query_length[row]:.3g} (query row {row}) and "
                f"{self._ref_length.max():.3g} (reference row {int(self._ref_length.argmax())})"
            )


def _blocks(num_rows: int) -> Iterator[slice]:
    for first in range(0, num_rows, _BLOCK_ROWS):
        yield slice(first, min(first + _BLOCK_ROWS, num_rows))


def _size(query: NDArray[np.float32], ref: NDArray[np.float32], *, is_l2: bool) -> float:
    """Bound the terms of a score between rows of these lengths."""
    longest = float(query.max(initial=0.0)), float(ref.max(initial=0.0))
    return sum(longest) ** 2 if is_l2 else longest[0] * longest[1]


def _lengths(rows: Rows, side: str) -> NDArray[np.float32]:
    lengths = np.empty(len(rows), dtype=np.float32)
    for first in range(0, len(rows), _NORM_ROWS):
        with np.errstate(over="ignore"):  # refused below
            part = np.asarray(rows[first : first + _NORM_ROWS], dtype=np.float32)
            lengths[first : first + _NORM_ROWS] = np.sqrt(np.einsum("nd,nd->n", part, part))
    if not np.isfinite(lengths).all():
        row = int(np.argmin(np.isfinite(lengths)))
        raise InputError(f"{side} row {row} is not finite, or too long for single precision")
    return lengths
