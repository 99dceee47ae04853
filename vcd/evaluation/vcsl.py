"""VCSL's segment precision, recall and F: how well the boxes of each pair fit the true ones.

Of one pair, for each predicted box and axis, the length of the union of what it shares with true
boxes (those that share some area with it); summed over the boxes, over the sum of their lengths:

    p = prod over both axes of  shared / (predicted + 1e-6)            r with the roles exchanged

No square root, no confidence: unlike segment AP, this scores one operating point. Lengths are
float64 here; the published code adds them up in float32. Sentinels stand where a side is empty: no
predictions p = 1, no truth r = 1.

Reference: He et al., A Large-scale Comprehensive Dataset and Copy-overlap Aware Evaluation Protocol
for Segment-level Video Copy Detection. Definitions and edge cases: ``docs/design/evaluation.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.bootstrap import Metric, ratio_of
from vcd.evaluation.coverage import Stretches, cut_cells, overlapping
from vcd.evaluation.tables import Candidates, Segments, number_pairs, ordinals

__all__ = ["VcslScores", "VcslSummary", "vcsl_scores"]

_EPSILON_S = 1e-6
"""Added to every sum of lengths by the published metric: only sentinels are exactly 1."""

Shares = NDArray[np.float64]
Ordinals = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class VcslSummary:
    """VCSL's numbers over all pairs, each in [0, 1] but for the rates, which reach 2.

    Attributes:
        precision: mean over the pairs that are no sentinel there; 0 when there is none.
        recall: likewise.
        f_score: harmonic mean of the two; 0 when both are.
        false_rejection_rate: pairs with truth and no prediction, over half of all pairs.
        false_alarm_rate: pairs with predictions and no truth, over half of all pairs.
    """

    precision: float
    recall: float
    f_score: float
    false_rejection_rate: float
    false_alarm_rate: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VcslScores:
    """Precision and recall of each pair.

    Attributes:
        query_ids: ``(P,)`` str.
        ref_ids: ``(P,)`` str.
        query: ``(P,)`` int64, the query of each pair, in ``[0, Q)``.
        num_queries: Q.
        precision: ``(P,)`` float64.
        recall: ``(P,)`` float64.
    """

    query_ids: NDArray[np.str_]
    ref_ids: NDArray[np.str_]
    query: Ordinals
    num_queries: int
    precision: Shares
    recall: Shares

    def micro(self) -> VcslSummary:
        """Average over pairs, sentinels left out: the published overall table.

        The rates take as many positive as negative pairs for granted, as the published test set
        has them.
        """
        once_each = np.ones((self.num_queries, 1))
        metrics = self.resampled_micro()
        return VcslSummary(**{name: float(of(once_each)[0]) for name, of in metrics.items()})

    def resampled_micro(self) -> dict[str, Metric]:
        """Give each number of `micro` for resamples, under the name of its field."""
        missed = (self.precision == 1) & (self.recall == 0)
        invented = (self.precision == 0) & (self.recall == 1)
        by_query = partial(np.bincount, self.query, minlength=self.num_queries)
        half = by_query() / 2
        precision, recall = (
            ratio_of(by_query(weights=values * (values != 1)), by_query(weights=values != 1))
            for values in (self.precision, self.recall)
        )
        return {
            "precision": precision,
            "recall": recall,
            "f_score": lambda num_drawn: _f_score(precision(num_drawn), recall(num_drawn)),
            "false_rejection_rate": ratio_of(by_query(weights=missed), half),
            "false_alarm_rate": ratio_of(by_query(weights=invented), half),
        }

    def macro(self, sets: Mapping[tuple[str, str], str]) -> VcslSummary:
        """Average over pairs within each query set, sentinels included, then over query sets.

        Args:
            sets: of every pair of (query id, reference id) the name of its query set.

        Raises:
            ValueError: a pair belongs to no set.
        """
        names = []
        for pair in zip(self.query_ids.tolist(), self.ref_ids.tolist(), strict=True):
            if pair not in sets:
                raise ValueError(f"the pair {pair[0]}, {pair[1]} belongs to no query set")
            names.append(sets[pair])
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        of_set = np.array([numbers[name] for name in names], dtype=np.int64)
        size = np.maximum(1, np.bincount(of_set, minlength=1))
        precision, recall = (
            np.array(np.mean(np.bincount(of_set, values, minlength=1) / size))
            for values in (self.precision, self.recall)
        )
        return replace(
            self.micro(),
            precision=float(precision),
            recall=float(recall),
            f_score=float(_f_score(precision, recall)),
        )


def vcsl_scores(
    predictions: Segments, truth: Segments, judged: Candidates | None = None
) -> VcslScores:
    """Score every pair that is predicted, true, or named as judged.

    Args:
        predictions: scores do not matter.
        truth: scores do not matter.
        judged: further pairs that were looked at, such as negative ones of which nothing was
            predicted; they matter to the rates and to the macro average.
    """
    tables = (predictions, truth, *(() if judged is None else (judged,)))
    query_names, queries = ordinals(*(table.query_ids for table in tables))
    ref_names, refs = ordinals(*(table.ref_ids for table in tables))
    query, ref, pairs = number_pairs(queries, refs)
    found, true = (
        Stretches(pair=pair, query_s=table.query_s, ref_s=table.ref_s)
        for table, pair in zip((predictions, truth), pairs, strict=False)
    )
    return VcslScores(
        query_ids=query_names[query],
        ref_ids=ref_names[ref],
        query=query,
        num_queries=len(query_names),
        precision=_shares(found, true, len(query)),
        recall=_shares(true, found, len(query)),
    )


def _shares(boxes: Stretches, others: Stretches, num_pairs: int) -> Shares:
    """Give the share of the boxes that lies in others, of each pair; 1 where it has no boxes."""
    sides = [(boxes.query_s, others.query_s), (boxes.ref_s, others.ref_s)]
    shared_s = np.zeros((2, num_pairs))
    for rows, other_rows in overlapping(boxes, others):
        for axis, (own_s, other_s) in enumerate(sides):
            one, other = own_s[rows], other_s[other_rows]
            parts_s = np.stack(
                [np.maximum(one[:, 0], other[:, 0]), np.minimum(one[:, 1], other[:, 1])], axis=1
            )
            union_s = cut_cells(rows, parts_s).union_s(len(own_s))
            shared_s[axis] += np.bincount(boxes.pair, union_s, minlength=num_pairs)
    product = np.ones(num_pairs)
    for axis, (own_s, _) in enumerate(sides):
        lengths_s = own_s[:, 1] - own_s[:, 0]
        whole_s = np.bincount(boxes.pair, lengths_s, minlength=num_pairs)
        product *= shared_s[axis] / (whole_s + _EPSILON_S)
    has_boxes = np.bincount(boxes.pair, minlength=num_pairs) > 0
    return np.where(has_boxes, product, 1.0)


def _f_score(precision: Shares, recall: Shares) -> Shares:
    """Give the harmonic mean; 0 where both are."""
    both = precision + recall
    return np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
