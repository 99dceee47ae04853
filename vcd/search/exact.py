"""Search without FAISS, files or cleverness: what every other index is tested against."""

from collections.abc import Iterable, Iterator

import numpy as np

from vcd.core import Descriptors, DescriptorSpace, FrameHits, Index, InputError, SetupError
from vcd.search.manifest import descriptor_digest, index_version

__all__ = ["ExactIndex"]


class ExactIndex(Index):
    """References in memory, compared one by one; one chunk for each that has hits."""

    def __init__(
        self, refs: Iterable[Descriptors], *, space: DescriptorSpace | None = None
    ) -> None:
        """Hold some references.

        Args:
            refs: their descriptors, in any order.
            space: theirs; needed only when there are none.

        Raises:
            SetupError: they are of several spaces.
            ValueError: two have the same id, or there are none and no space is given.
        """
        ordered = sorted(refs, key=lambda ref: ref.video_id)
        self._refs = {ref.video_id: ref for ref in ordered}
        if len(self._refs) != len(ordered):
            raise ValueError("two references have the same id")
        spaces = {ref.space for ref in self._refs.values()} | ({space} if space else set())
        if len(spaces) > 1:
            raise SetupError(f"wanted references of one space, got {sorted(map(str, spaces))}")
        if not spaces:
            raise ValueError("an index without references needs a space")
        self._space = spaces.pop()

    @property
    def space(self) -> DescriptorSpace:
        return self._space

    @property
    def version(self) -> str:
        return index_version(
            self._space,
            ((ref_id, descriptor_digest(ref), ()) for ref_id, ref in self._refs.items()),
        )

    @property
    def ref_ids(self) -> tuple[str, ...]:
        return tuple(self._refs)

    def __len__(self) -> int:
        return len(self._refs)

    def descriptors(self, ref_id: str) -> Descriptors:
        if ref_id not in self._refs:
            raise InputError(f"{ref_id}: the index has no reference of this id")
        return self._refs[ref_id]

    def hits(self, query: Descriptors, *, min_score: float) -> Iterator[FrameHits]:
        if query.space != self._space:
            raise SetupError(
                f"{query.video_id}: the index holds descriptors of {self._space}, "
                f"the query is of {query.space}"
            )
        for ordinal, ref in enumerate(self._refs.values()):
            score_QR = query.features @ ref.features.T + query.score_bias[:, np.newaxis]
            has_evidence_QR = query.is_informative[:, np.newaxis] & ref.is_informative
            query_row, ref_row = np.nonzero((score_QR >= min_score) & has_evidence_QR)
            if len(query_row) == 0:
                continue
            score = score_QR[query_row, ref_row]
            order = np.lexsort((ref_row, query_row, -score))
            yield FrameHits(
                query_id=query.video_id,
                ref_ids=self.ref_ids,
                query_row=query_row[order],
                ref_ordinal=np.full(len(order), ordinal, dtype=np.int64),
                ref_row=ref_row[order],
                score=score[order],
            )
