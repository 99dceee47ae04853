"""Compare descriptors by blocked inner products: the exact oracle of the search."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocked_similarity", "max_similarity"]

_MAX_BLOCK_CELLS = 4_000_000
"""16 MB of float32: large enough for BLAS to be at full speed, small enough for any machine."""


def blocked_similarity(
    query: NDArray[np.float32], ref: NDArray[np.float32]
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield the similarity matrix in blocks that fit in memory.

    Args:
        query: ``(Q, D)`` float32.
        ref: ``(R, D)`` float32; may be memory-mapped.

    Yields:
        ``(query_first, ref_first, similarity_QR)`` with at most 4 million cells, in order
        of rising ``query_first``, then rising ``ref_first``.
    """
    query_step = max(1, min(len(query), 1024))
    ref_step = max(1, _MAX_BLOCK_CELLS // query_step)
    for query_first in range(0, len(query), query_step):
        query_block = query[query_first : query_first + query_step]
        for ref_first in range(0, len(ref), ref_step):
            ref_block = ref[ref_first : ref_first + ref_step]
            yield query_first, ref_first, query_block @ ref_block.T


def max_similarity(query: NDArray[np.float32], ref: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find how similar each query row is to the reference row nearest to it.

    Returns:
        ``(Q,)`` float32; ``-inf`` where there are no reference rows.
    """
    best = np.full(len(query), -np.inf, dtype=np.float32)
    for query_first, _, similarity_QR in blocked_similarity(query, ref):
        block = best[query_first : query_first + len(similarity_QR)]
        np.maximum(block, similarity_QR.max(axis=1), out=block)
    return best
