"""From the best pairs of rows of two files to the tallies of the pairs of videos they belong to.

What a search by floor says of one query at a time, said of a budget over all queries.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import PairCandidate, PairTally
from vcd.descriptors import DescriptorRows
from vcd.evaluation.derived_rows import SearchRows
from vcd.search import FramePairs

__all__ = ["PairTallies"]

_ROWS_PER_STEP = 65_536
"""Looked at in one go: 128 MB at 512 dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairTallies:
    """The pairs of videos, ranked by their best pairs of rows; each has a tally.

    Attributes:
        rows: the two files.
        pairs: the pairs of rows in their total order.
        members: the places in ``pairs``, those of a pair of videos together, best first.
        first: ``(P,)`` where in ``members`` the pair of a rank begins.
        stop: ``(P,)`` where it ends.
        query_video: ``(P,)`` place of its query among the queries.
        ref_video: ``(P,)`` place of its reference among the references.
    """

    rows: SearchRows
    pairs: FramePairs
    members: NDArray[np.int64]
    first: NDArray[np.int64]
    stop: NDArray[np.int64]
    query_video: NDArray[np.int64]
    ref_video: NDArray[np.int64]

    @classmethod
    def of(cls, pairs: FramePairs, rows: SearchRows) -> "PairTallies":
        """Group pairs of rows, in their total order, by the videos they belong to.

        Rows of zero are left out: they are similar to nothing, whatever their number says.
        """
        pairs = _with_evidence(pairs, rows)
        query_video = _video_of(rows.query, pairs.query_row)
        ref_video = _video_of(rows.ref, pairs.ref_row)
        key = query_video * max(1, len(rows.ref.runs)) + ref_video
        members = np.argsort(key, kind="stable")
        begins = np.flatnonzero(np.diff(key[members], prepend=-1))
        by_best = np.argsort(members[begins], kind="stable")
        return cls(
            rows=rows,
            pairs=pairs,
            members=members,
            first=begins[by_best],
            stop=np.append(begins[1:], len(key))[by_best],
            query_video=query_video[members[begins]][by_best],
            ref_video=ref_video[members[begins]][by_best],
        )

    def ranks_by_query(self, max_ranks: int) -> list[NDArray[np.int64]]:
        """List for each query the ranks of its pairs among the first ``max_ranks``, rising."""
        query_video = self.query_video[:max_ranks]
        order = np.argsort(query_video, kind="stable")
        cuts = np.searchsorted(query_video[order], np.arange(1, len(self.rows.query.runs)))
        return np.split(order, cuts)

    def tally(self, rank: int) -> PairTally:
        """Give the pairs of rows of one pair of videos, best first."""
        members = self.members[self.first[rank] : self.stop[rank]]
        query_row, ref_row = self.pairs.query_row[members], self.pairs.ref_row[members]
        query, ref = self.rows.query, self.rows.ref
        query_first = query.runs[self.query_video.item(rank)][0]
        ref_first = ref.runs[self.ref_video.item(rank)][0]
        score = self.pairs.score[members]
        return PairTally(
            candidate=PairCandidate(
                query_id=str(query.video_ids[query_first]),
                ref_id=str(ref.video_ids[ref_first]),
                score=float(score[0]),
                num_hits=len(members),
            ),
            query_row=query_row.astype(np.int64) - query_first,
            ref_row=ref_row.astype(np.int64) - ref_first,
            score=score,
        )


def _with_evidence(pairs: FramePairs, rows: SearchRows) -> FramePairs:
    query, ref = _speaks(rows.query, pairs.query_row), _speaks(rows.ref, pairs.ref_row)
    kept = query & ref
    return FramePairs(
        query_row=pairs.query_row[kept], ref_row=pairs.ref_row[kept], score=pairs.score[kept]
    )


def _speaks(rows: DescriptorRows, row: NDArray[np.int32]) -> NDArray[np.bool_]:
    distinct, place = np.unique(row, return_inverse=True)
    speaks = np.zeros(len(distinct), dtype=np.bool_)
    for first in range(0, len(distinct), _ROWS_PER_STEP):
        part = slice(first, first + _ROWS_PER_STEP)
        speaks[part] = np.any(rows.features[distinct[part]], axis=1)
    found: NDArray[np.bool_] = speaks[place]
    return found


def _video_of(rows: DescriptorRows, row: NDArray[np.int32]) -> NDArray[np.int64]:
    firsts = np.array([first for first, _ in rows.runs], dtype=np.int64)
    return np.searchsorted(firsts, row, side="right") - 1
