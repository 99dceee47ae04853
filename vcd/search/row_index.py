"""Search the rows of one large array exactly, block by block: references that are no index yet.

For descriptor files. The rows may be memory-mapped; one block of the product is in memory. Where
the file came from, and what became of its rows before, the caller knows. R rows, D dimensions.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, FrameHits, InputError, SetupError

__all__ = ["RowIndex"]

_MAX_BLOCK_CELLS = 262_144
"""1 MB of float32: the block stays in the cache while it is compared with the floor."""


class RowIndex:
    """References as runs of rows; finds what `ExactIndex` finds."""

    def __init__(
        self,
        features: NDArray[np.float32],
        runs: Sequence[tuple[int, int]],
        read: Callable[[int], Descriptors],
        *,
        ref_ids: Sequence[str],
        space: DescriptorSpace,
    ) -> None:
        """Hold references without copying their rows.

        Args:
            features: ``(R, D)`` float32 of length 1 or 0; may be memory-mapped.
            runs: rows ``[first, stop)`` of each reference, in the order of the rows.
            read: gives the descriptors of a reference by its place in ``runs``.
            ref_ids: of the references, in the same order; each once.
            space: of all of them.

        Raises:
            ValueError: there is not one id for each run, or an id stands there twice.
        """
        if len(runs) != len(ref_ids) or len(set(ref_ids)) != len(ref_ids):
            raise ValueError(f"{len(runs)} references of {len(set(ref_ids))} distinct ids")
        self._features = features
        self._read = read
        self._space = space
        # Hits name references by their place in sorted order, as those of every index do.
        self._place = {ref_ids[i]: i for i in sorted(range(len(ref_ids)), key=ref_ids.__getitem__)}
        self._ref_ids = tuple(self._place)
        ordinals = np.argsort(np.array(list(self._place.values()), dtype=np.int64))
        lengths = np.array([stop - first for first, stop in runs], dtype=np.int64)
        firsts = np.array([first for first, _ in runs], dtype=np.int64)
        self._ordinal = np.repeat(ordinals, lengths)
        self._first = np.repeat(firsts, lengths)

    @property
    def ref_ids(self) -> tuple[str, ...]:
        """Ids of the references, sorted."""
        return self._ref_ids

    def descriptors(self, ref_id: str) -> Descriptors:
        """Read one reference.

        Raises:
            InputError: there is none of that id.
        """
        if ref_id not in self._place:
            raise InputError(f"{ref_id}: there is no reference of this id")
        return self._read(self._place[ref_id])

    def hits(self, query: Descriptors, *, min_score: float) -> Iterator[FrameHits]:
        """Find every pair of rows of at least this score, a chunk for each block of references.

        Raises:
            SetupError: the query is of another space.
        """
        if query.space != self._space:
            raise SetupError(
                f"{query.video_id}: the references are of {self._space}, the query of {query.space}"
            )
        speaks = np.flatnonzero(query.is_informative)
        step = max(1, _MAX_BLOCK_CELLS // max(1, len(speaks)))
        features, bias = query.features[speaks], query.score_bias[speaks, np.newaxis]
        for first in range(0, len(self._features) if len(speaks) else 0, step):
            ref = np.asarray(self._features[first : first + step])
            score_QR = features @ ref.T
            score_QR += bias
            query_row, ref_row = np.nonzero(score_QR >= min_score)
            has_evidence = ref[ref_row].any(axis=1)
            query_row, ref_row = query_row[has_evidence], ref_row[has_evidence]
            if len(query_row):
                score = score_QR[query_row, ref_row]
                yield self._chunk(query.video_id, speaks[query_row], first + ref_row, score)

    def _chunk(
        self,
        query_id: str,
        query_row: NDArray[np.int64],
        row: NDArray[np.int64],
        score: NDArray[np.float32],
    ) -> FrameHits:
        ref_ordinal, ref_row = self._ordinal[row], row - self._first[row]
        order = np.lexsort((ref_row, ref_ordinal, query_row, -score))
        return FrameHits(
            query_id=query_id,
            ref_ids=self._ref_ids,
            query_row=query_row[order],
            ref_ordinal=ref_ordinal[order],
            ref_row=ref_row[order],
            score=score[order],
        )
