"""How well scored pairs find the true ones: micro-AP, recall at a precision, accuracy at 1.

All pairs of all queries are ranked together, so one threshold must serve every query. No metric
here depends on the order of its input: pairs of equal score enter as one group (VSC2022), or,
where the name says so, the untrue ones of them first (ISC2021, the worst case). The functions know
pairs of labels only; what a query or a reference is does not matter.

Their values in resamples of the queries: `vcd.evaluation.resampled_pairs`.

References: Douze et al., The 2021 Image Similarity Dataset and Challenge; VSC2022's descriptor
track, whose canonical micro-AP this equals. Definitions: ``docs/design/evaluation.md``.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core.records import read_only
from vcd.evaluation.tables import Candidates, ordinals

__all__ = [
    "RankedTruth",
    "ScoredPairs",
    "accuracy_at_1",
    "found_within_rank",
    "isc_micro_ap",
    "micro_ap",
    "micro_curve",
    "rank_truth",
    "recall_at_precision",
]

Pair = tuple[Hashable, Hashable]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredPairs:
    """Predicted pairs against the truth; kept best first, whatever order they are given in.

    Attributes:
        scores: ``(P,)`` float64, finite, higher is better.
        is_true: ``(P,)`` bool, whether each predicted pair is a true one.
        query: ``(P,)`` integers in ``[0, Q)``, the query of each predicted pair.
        num_true: ``(Q,)`` integers, how many true pairs each query has, found or not.

    Raises:
        ValueError: a column has another length, a score is not finite, a query is none of the Q,
            or more true pairs are found than there are.
    """

    scores: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    query: NDArray[np.integer]
    num_true: NDArray[np.integer]

    def __post_init__(self) -> None:
        if not self.scores.shape == self.is_true.shape == self.query.shape == (len(self.scores),):
            raise ValueError(f"{self.scores.shape} scores for {self.is_true.shape} pairs")
        if not np.isfinite(self.scores).all():
            raise ValueError("a score is not finite")
        if len(self.query) and not 0 <= self.query.min() <= self.query.max() < len(self.num_true):
            raise ValueError(f"a pair is of a query that is none of the {len(self.num_true)}")
        found = np.bincount(self.query[self.is_true], minlength=len(self.num_true))
        for query in np.flatnonzero(found > self.num_true)[:1]:
            raise ValueError(
                f"query {query}: {found[query]} pairs found of {self.num_true[query]} true ones"
            )
        order = np.argsort(-self.scores, kind="stable")
        for name in ("scores", "is_true", "query"):
            object.__setattr__(self, name, read_only(getattr(self, name)[order]))

    @property
    def num_queries(self) -> int:
        return len(self.num_true)

    @property
    def group(self) -> Counts:
        """How many distinct scores are higher than each pair's, ``(P,)`` int64."""
        is_end = _ends_group(self.scores)
        return np.cumsum(is_end) - is_end

    @classmethod
    def from_candidates(cls, predictions: Candidates, truth: Candidates) -> "ScoredPairs":
        """Label predicted pairs; the scores of the truth do not matter.

        The queries are those of the predictions and of the truth.
        """
        names, (query, true_query) = ordinals(predictions.query_ids, truth.query_ids)
        refs, (ref, true_ref) = ordinals(predictions.ref_ids, truth.ref_ids)
        num_refs = max(1, len(refs))
        return cls(
            scores=predictions.score,
            is_true=np.isin(query * num_refs + ref, true_query * num_refs + true_ref),
            query=query,
            num_true=np.bincount(true_query, minlength=len(names)),
        )

    @classmethod
    def from_pairs(
        cls, pairs: Sequence[Pair], scores: Sequence[float], truth: Collection[Pair]
    ) -> "ScoredPairs":
        """Label predicted (query, reference) pairs.

        Raises:
            ValueError: a pair is predicted twice, a true pair is given twice, or a score is not
                finite.
        """
        true_pairs = set(truth)
        if len(true_pairs) != len(truth) or len(set(pairs)) != len(pairs):
            raise ValueError("a pair is given twice")
        queries = dict.fromkeys(query for query, _ in (*pairs, *true_pairs))
        numbers = {query: i for i, query in enumerate(queries)}
        true_query = np.array([numbers[query] for query, _ in true_pairs], dtype=np.int64)
        return cls(
            scores=np.asarray(scores, dtype=np.float64).reshape(-1),
            is_true=np.array([pair in true_pairs for pair in pairs], dtype=bool),
            query=np.array([numbers[query] for query, _ in pairs], dtype=np.int64),
            num_true=np.bincount(true_query, minlength=len(numbers)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedTruth:
    """True pairs that are found, in the order in which a ranking with worst ties meets them.

    Attributes:
        num_true_before: ``(F,)`` int64, how many true pairs come before each: 0, 1, 2, ...
        num_untrue_before: ``(F,)`` int64, how many untrue pairs do, those of equal score included.
    """

    num_true_before: Counts
    num_untrue_before: Counts

    def precision(self) -> NDArray[np.float64]:
        """Give precision at each true pair, ``(F,)``."""
        num_met = self.num_true_before + 1.0
        return num_met / (num_met + self.num_untrue_before)


def micro_ap(pairs: ScoredPairs) -> float:
    """Area under the precision-recall curve over all pairs pooled (muAP, uAP).

        AP = sum over distinct scores t, descending, of  P(t) * (R(t) - R(previous t))

    Returns:
        A number in [0, 1]; 0 when nothing true is found or there is nothing to find.
    """
    precision, recall, _ = micro_curve(pairs)
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def isc_micro_ap(pairs: ScoredPairs) -> float:
    """Micro-AP as ISC2021 scores it: of pairs of equal score, the untrue ones come first.

    Equals `micro_ap` when no true pair ties with another pair, and is never above it.
    """
    return float(rank_truth(pairs).precision().sum() / max(1, pairs.num_true.sum()))


def rank_truth(pairs: ScoredPairs) -> RankedTruth:
    """Say what comes before each true pair when ties are broken for the worst."""
    num_untrue = np.cumsum(~pairs.is_true, dtype=np.int64)[_ends_group(pairs.scores)]
    return RankedTruth(
        num_true_before=np.arange(np.count_nonzero(pairs.is_true)),
        num_untrue_before=num_untrue[pairs.group[pairs.is_true]],
    )


def recall_at_precision(pairs: ScoredPairs, precision: float) -> tuple[float, float | None]:
    """Give the highest recall at which precision is still ``precision``, and its threshold.

    Whether ties enter together or one by one does not matter: within a group of equal score both
    precision and recall are highest at its end.

    Returns:
        Recall, and the lowest score to accept; 0 and None when no threshold is that precise.
    """
    precisions, recalls, thresholds = micro_curve(pairs)
    good = np.flatnonzero(precisions >= precision)
    if len(good) == 0:
        return 0.0, None
    best = good[recalls[good].argmax()]
    return float(recalls[best]), float(thresholds[best])


def found_within_rank(pairs: ScoredPairs, rank: int) -> Counts:
    """Count for each query the true pairs among its best ``rank``, ties broken for the worst.

    A true pair's rank is the number of other pairs of its query that score as high or higher.

    Returns:
        ``(Q,)`` int64.
    """
    order = np.argsort(pairs.query, kind="stable")
    query, scores = pairs.query[order], pairs.scores[order]
    is_end = np.append((np.diff(query) != 0) | (np.diff(scores) != 0), True)[: len(query)]
    group: Counts = np.cumsum(is_end) - is_end
    place_in_query = np.arange(len(query)) - np.searchsorted(query, query)
    is_found = pairs.is_true[order] & (place_in_query[is_end][group] < rank)
    return np.bincount(query[is_found], minlength=pairs.num_queries)


def accuracy_at_1(pairs: ScoredPairs) -> float:
    """Share of the true pairs that score higher than every other pair of the same query.

    A true pair that ties with another pair of its query does not count.

    Returns:
        A number in [0, 1]; 0 when there is nothing to find.
    """
    return float(found_within_rank(pairs, 1).sum() / max(1, pairs.num_true.sum()))


def micro_curve(
    pairs: ScoredPairs,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give precision, recall and score at the end of each group of equal scores, best first.

    Returns:
        Three ``(G,)`` float64, one entry for each distinct score. Recall is 0 where there is
        nothing to find.
    """
    is_end = _ends_group(pairs.scores)
    num_found = np.cumsum(pairs.is_true)[is_end]
    precision = num_found / (np.flatnonzero(is_end) + 1)
    return precision, num_found / max(1, pairs.num_true.sum()), pairs.scores[is_end]


def _ends_group(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the last of each run of equal scores."""
    is_end: NDArray[np.bool_] = np.append(np.diff(scores) != 0, True)[: len(scores)]
    return is_end
