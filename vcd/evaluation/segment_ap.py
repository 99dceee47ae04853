"""Segment AP: how much of the copied time is found, how exactly, and at which confidence.

The metric of VSC2022's matching track. Predictions of equal score enter together, best first.
After each group, with sums over all pairs and lengths of unions on one axis (query or reference):

    total   length of what is predicted
    inter   length of what is predicted and true, of those true boxes only that share some area
            with a predicted box of their pair: time that is right on both axes for different
            reasons earns nothing
    P = sqrt(inter_q / total_q * inter_r / total_r)
    R = sqrt(inter_q / true_q  * inter_r / true_r)         segment AP = sum of P * (R - R before)

A cell of an axis enters ``total`` with the first prediction over it, and ``inter`` with the later
of that one and the first that shares area with a true box over it. So all that a group changes is
known beforehand, query by query, and another weighting of the queries is a sum, not a new run.

Reference: Pizzi et al., The 2023 Video Similarity Dataset and Challenge. Definitions and edge
cases: ``docs/design/evaluation.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.bootstrap import Metric
from vcd.evaluation.coverage import Stretches, cut_cells, overlapping
from vcd.evaluation.running_sums import running_sums
from vcd.evaluation.tables import Segments, number_pairs, ordinals

__all__ = ["SegmentCurve", "segment_ap", "segment_curve"]

_FIRST_TURN = 1 << 14
"""How many of the best predictions are held against all true boxes of their pairs."""

Lengths = NDArray[np.float64]
Ordinals = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentCurve:
    """What each group of predictions of equal score adds, by query.

    Attributes:
        query_ids: ``(Q,)`` str, of the predictions and of the truth.
        scores: ``(G,)`` float64, the distinct scores, best first.
        stop: ``(G,)`` int64, the additions of the first g groups are the rows before ``stop[g]``.
        query: ``(E,)`` int64, whose each addition is.
        added_s: ``(E, 4)`` float64 seconds, what is added to inter and total: of the query axis,
            then of the reference axis.
        true_s: ``(Q, 2)`` float64 seconds, what there is to find on both axes.
    """

    query_ids: NDArray[np.str_]
    scores: NDArray[np.float64]
    stop: Ordinals
    query: Ordinals
    added_s: Lengths
    true_s: Lengths

    @property
    def num_queries(self) -> int:
        return len(self.query_ids)

    def precision_recall(self) -> tuple[Lengths, Lengths]:
        """Give precision and recall after each group.

        Returns:
            ``(G,)`` float64 each, in [0, 1]; 0 where nothing was predicted or is to be found.
        """
        sums_s = np.vstack([np.zeros((1, 4)), np.cumsum(self.added_s, axis=0)])[self.stop].T
        return _precision_recall(sums_s, self.true_s.sum(axis=0))

    def ap(self) -> float:
        """Give segment AP, in [0, 1]."""
        precision, recall = self.precision_recall()
        return min(1.0, float((precision * np.diff(recall, prepend=0.0)).sum()))

    def resampled_ap(self) -> Metric:
        """Give segment AP of resamples; only groups that add to inter can raise recall."""
        group = np.repeat(np.arange(len(self.scores)), np.diff(self.stop, prepend=0))
        sums = running_sums(
            group,
            self.query,
            self.added_s,
            stops=np.unique(group[(self.added_s[:, 0::2] > 0).any(axis=1)]),
            num_queries=self.num_queries,
        )

        def aps(num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
            values = np.zeros(num_drawn.shape[1])
            true_s = self.true_s.T @ num_drawn
            for sums_s in sums.along(num_drawn):
                precision, recall = _precision_recall(sums_s, true_s)
                values += (precision[1:] * np.diff(recall, axis=0)).sum(axis=0)
            return np.minimum(1.0, values)

        return aps


def segment_ap(predictions: Segments, truth: Segments) -> float:
    """Score predicted stretches by segment AP; the score column of the truth does not matter.

    Returns:
        A number in [0, 1]; 0 without predictions and without truth.
    """
    return segment_curve(predictions, truth).ap()


def segment_curve(predictions: Segments, truth: Segments) -> SegmentCurve:
    """Say what each group of equal score adds; time is O(n log n) but for the area test.

    That test holds every prediction against the true boxes of its pair.
    """
    query_ids, queries = ordinals(predictions.query_ids, truth.query_ids)
    _, refs = ordinals(predictions.ref_ids, truth.ref_ids)
    query_of_pair, _, pairs = number_pairs(queries, refs)
    scores, group = np.unique(-predictions.score, return_inverse=True)
    gate = _first_touch(_stretches(predictions, pairs[0]), _stretches(truth, pairs[1]), group)
    owner = np.concatenate(pairs)
    of_truth = slice(len(predictions), None)
    keys, lengths_s, true_s = [], [], []
    for name in ("query_s", "ref_s"):
        cells = cut_cells(owner, np.concatenate([getattr(predictions, name), getattr(truth, name)]))
        query = query_of_pair[cells.owner]
        predicted = cells.earliest(slice(len(predictions)), group, len(scores))
        gated = cells.earliest(of_truth, gate, len(scores))
        is_true = cells.earliest(of_truth, np.zeros_like(gate), 1) == 0
        true_s.append(np.bincount(query, cells.length_s * is_true, minlength=len(query_ids)))
        for entered in (np.maximum(predicted, gated), predicted):
            counts = entered < len(scores)
            keys.append(entered[counts] * len(query_ids) + query[counts])
            lengths_s.append(cells.length_s[counts])
    rows, added_s = _sum_by_key(keys, lengths_s)
    row_group, row_query = np.divmod(rows, max(1, len(query_ids)))
    return SegmentCurve(
        query_ids=query_ids,
        scores=-scores,
        stop=np.searchsorted(row_group, np.arange(len(scores)), side="right"),
        query=row_query,
        added_s=added_s,
        true_s=np.stack(true_s, axis=1),
    )


def _stretches(table: Segments, pair: Ordinals) -> Stretches:
    return Stretches(pair=pair, query_s=table.query_s, ref_s=table.ref_s)


def _first_touch(predicted: Stretches, true: Stretches, group: Ordinals) -> Ordinals:
    """Find the first group with a box that shares area with each true box; else the last and 1.

    A true box that good predictions touch needs no look at the worse ones, so they come in turns,
    each twice as many as before, and meet only the true boxes that are left.
    """
    never = group.max(initial=-1) + 1
    gate = np.full(len(true.pair), never, dtype=np.int64)
    best_first = np.argsort(group, kind="stable")
    start, stop = 0, _FIRST_TURN
    while start < len(best_first):
        turn, left = best_first[start:stop], np.flatnonzero(gate == never)
        for rows, true_rows in overlapping(predicted.take(turn), true.take(left)):
            np.minimum.at(gate, left[true_rows], group[turn[rows]])
        start, stop = stop, 2 * stop
    return gate


def _sum_by_key(keys: list[Ordinals], lengths_s: list[Lengths]) -> tuple[Ordinals, Lengths]:
    """Add up four columns by key: the ``(E,)`` keys, ascending, and ``(E, 4)`` sums."""
    rows, row = np.unique(np.concatenate(keys), return_inverse=True)
    ends = np.cumsum([len(column) for column in keys])[:-1]
    sums = [
        np.bincount(of_column, column, minlength=len(rows))
        for of_column, column in zip(np.split(row, ends), lengths_s, strict=True)
    ]
    return rows, np.stack(sums, axis=1)


def _precision_recall(sums_s: Lengths, true_s: Lengths) -> tuple[Lengths, Lengths]:
    """Give both from the four sums, ``(4, ...)``, and what is true of both axes, ``(2, ...)``."""
    inter_s, total_s = sums_s[0::2], sums_s[1::2]
    return _mean_share(inter_s, total_s), _mean_share(inter_s, true_s[:, None])


def _mean_share(part_s: Lengths, whole_s: Lengths) -> Lengths:
    """Give the geometric mean over both axes of part over whole; 0 where there is no whole."""
    whole_s = np.broadcast_to(whole_s, part_s.shape)
    share = np.divide(part_s, whole_s, out=np.zeros_like(part_s), where=whole_s > 0)
    mean: Lengths = np.minimum(1.0, np.sqrt(share[0] * share[1]))
    return mean
