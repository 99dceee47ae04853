"""Decide from the hits which pairs are worth aligning.

Chunk after chunk is folded into two things: for every reference its number of
hits and its best score, and, of all hits, the best of each pair and query row.
Each step keeps the first so many in one total order (falling score, reference,
query row, reference row), so neither the cut into chunks nor their order
matters. Why it may forget what it forgets: ``docs/design/search.md``.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import FrameHits, PairCandidate, PairTally, Rejection
from vcd.search.hit_table import HitTable
from vcd.search.settings import SearchSettings

__all__ = ["PairSelection", "best_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSelection:
    """The pairs of one query.

    Attributes:
        accepted: worth aligning, best first.
        rejected: the best of those that are not, best first, with the rule.
        num_over_cap: pairs worth aligning that a safety cap left out.
        hits_cut_below: hits of accepted pairs below this score may be missing, because there
            were more than memory should hold; None when all were kept.
    """

    accepted: tuple[PairTally, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    num_over_cap: int = 0
    hits_cut_below: float | None = None


def best_pairs(
    hits: Iterable[FrameHits],
    settings: SearchSettings,
    *,
    image_ids: Collection[str] = frozenset(),
) -> PairSelection:
    """Choose the pairs of one query that are worth aligning.

    What is said of a pair depends on its own hits alone, unless a safety cap bites,
    and then the selection says so.

    Args:
        hits: of one query, in chunks of any size and order, all with the same references.
        settings: the rules.
        image_ids: videos of one frame, references or the query; a pair with one of them
            needs a single hit.

    Raises:
        ValueError: the chunks are of several queries or sets of references.
    """
    tally = None
    for chunk in hits:
        if tally is None:
            tally = _Tally(chunk.query_id, chunk.ref_ids, settings)
        tally.fold(chunk)
    return PairSelection() if tally is None else tally.selection(image_ids)


class _Tally:
    """What is remembered of the hits of one query."""

    def __init__(self, query_id: str, ref_ids: tuple[str, ...], settings: SearchSettings) -> None:
        self._query_id = query_id
        self._ref_ids = ref_ids
        self._settings = settings
        self._num_hits = np.zeros(len(ref_ids), dtype=np.int64)
        self._best_score = np.full(len(ref_ids), -np.inf, dtype=np.float32)
        self._kept = HitTable.joined([])
        self._waiting: list[HitTable] = []
        self._num_waiting = 0
        self._is_cut = False

    def fold(self, chunk: FrameHits) -> None:
        if chunk.query_id != self._query_id:
            raise ValueError(f"hits of {self._query_id} and of {chunk.query_id}")
        if chunk.ref_ids is not self._ref_ids and chunk.ref_ids != self._ref_ids:
            raise ValueError(f"{self._query_id}: hits of several sets of references")
        self._num_hits += np.bincount(chunk.ref_ordinal, minlength=len(self._ref_ids))
        np.maximum.at(self._best_score, chunk.ref_ordinal, chunk.score)
        new = HitTable.from_chunk(chunk)
        if self._is_cut:
            new = new.before_last_of(self._kept)
        self._waiting.append(new.best_of_rows(self._settings.max_hits_per_query_row))
        self._num_waiting += len(self._waiting[-1])
        if self._num_waiting > self._settings.max_kept_hits:
            self._merge()

    def _merge(self) -> None:
        """Keep the best of what was kept and what waits, in the total order."""
        hits = HitTable.joined([self._kept, *self._waiting])
        hits = hits.best_of_rows(self._settings.max_hits_per_query_row).in_order()
        if len(hits) > self._settings.max_kept_hits:
            hits = hits[: self._settings.max_kept_hits]
            self._is_cut = True
        self._kept, self._waiting, self._num_waiting = hits, [], 0

    def selection(self, image_ids: Collection[str]) -> PairSelection:
        self._merge()
        found = np.flatnonzero(self._num_hits)
        found = found[np.lexsort((found, -self._best_score[found]))]
        min_hits = self._min_hits(found, image_ids)
        is_similar = self._best_score[found] >= np.float32(self._settings.min_pair_score)
        is_accepted = is_similar & (self._num_hits[found] >= min_hits)
        kept = self._kept.in_order_of_refs()
        accepted = [
            PairTally(
                candidate=self._candidate(ref_ordinal),
                query_row=hits.query_row.astype(np.int64),
                ref_row=hits.ref_row.astype(np.int64),
                score=hits.score,
            )
            for ref_ordinal in found[is_accepted][: self._settings.max_pairs].tolist()
            if len(hits := kept.of_ref(ref_ordinal))
        ]
        return PairSelection(
            accepted=tuple(accepted),
            rejected=self._rejections(found[~is_accepted], min_hits[~is_accepted]),
            num_over_cap=int(is_accepted.sum()) - len(accepted),
            hits_cut_below=float(self._kept.score[-1]) if self._is_cut else None,
        )

    def _min_hits(
        self, ref_ordinal: NDArray[np.int64], image_ids: Collection[str]
    ) -> NDArray[np.int64]:
        min_hits = np.full(len(ref_ordinal), self._settings.min_pair_hits, dtype=np.int64)
        if self._query_id in image_ids:
            min_hits[:] = 1
        elif image_ids:
            is_image = [self._ref_ids[ordinal] in image_ids for ordinal in ref_ordinal.tolist()]
            min_hits[is_image] = 1
        return min_hits

    def _candidate(self, ref_ordinal: int) -> PairCandidate:
        return PairCandidate(
            query_id=self._query_id,
            ref_id=self._ref_ids[ref_ordinal],
            score=float(self._best_score[ref_ordinal]),
            num_hits=int(self._num_hits[ref_ordinal]),
        )

    def _rejections(
        self, ref_ordinal: NDArray[np.int64], min_hits: NDArray[np.int64]
    ) -> tuple[Rejection, ...]:
        most = self._settings.max_rejected
        return tuple(
            self._rejection(self._candidate(ordinal), limit)
            for ordinal, limit in zip(
                ref_ordinal[:most].tolist(), min_hits[:most].tolist(), strict=True
            )
        )

    def _rejection(self, candidate: PairCandidate, min_hits: int) -> Rejection:
        rule, value, limit = "min_pair_hits", float(candidate.num_hits), float(min_hits)
        if candidate.score < np.float32(self._settings.min_pair_score):
            rule, value, limit = "min_pair_score", candidate.score, self._settings.min_pair_score
        return Rejection(
            query_id=candidate.query_id,
            ref_id=candidate.ref_id,
            score=candidate.score,
            rule=rule,
            value=value,
            limit=limit,
        )
