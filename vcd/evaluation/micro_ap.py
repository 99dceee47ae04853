"""How well scored pairs find the true ones: micro-AP, recall at a precision, accuracy at 1.

All pairs of all queries are ranked together, so one threshold must serve every query. Pairs of
equal score form one group that enters at once: no metric here depends on the order of its input.
The functions know pairs of labels only; what a query or a reference is does not matter.

References: Douze et al., The 2021 Image Similarity Dataset and Challenge; VSC2022's descriptor
track, whose canonical micro-AP this equals.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ScoredPairs", "accuracy_at_1", "micro_ap", "recall_at_precision"]

Pair = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPairs:
    """Predicted pairs against the truth.

    Attributes:
        scores: ``(P,)`` float64, finite, higher is better.
        is_true: ``(P,)`` bool, whether each predicted pair is a true one.
        num_true: how many true pairs there are, found or not.
    """

    scores: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    num_true: int

    def __post_init__(self) -> None:
        if self.scores.shape != self.is_true.shape or self.scores.ndim != 1:
            raise ValueError(f"{self.scores.shape} scores for {self.is_true.shape} pairs")
        if not np.isfinite(self.scores).all():
            raise ValueError("a score is not finite")
        if self.num_true < int(self.is_true.sum()):
            raise ValueError(f"{int(self.is_true.sum())} pairs found of {self.num_true} true ones")

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
        return cls(
            scores=np.asarray(scores, dtype=np.float64).reshape(-1),
            is_true=np.array([pair in true_pairs for pair in pairs], dtype=bool),
            num_true=len(true_pairs),
        )


def micro_ap(pairs: ScoredPairs) -> float:
    """Area under the precision-recall curve over all pairs pooled (muAP, uAP).

        AP = sum over distinct scores t, descending, of  P(t) * (R(t) - R(previous t))

    Returns:
        A number in [0, 1]; 0 when nothing true is found or there is nothing to find.
    """
    precision, recall, _ = _curve(pairs)
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def recall_at_precision(pairs: ScoredPairs, precision: float) -> tuple[float, float | None]:
    """Give the highest recall at which precision is still ``precision``, and its threshold.

    Returns:
        Recall, and the lowest score to accept; 0 and None when no threshold is that precise.
    """
    precisions, recalls, thresholds = _curve(pairs)
    good = np.flatnonzero(precisions >= precision)
    if len(good) == 0:
        return 0.0, None
    best = good[recalls[good].argmax()]
    return float(recalls[best]), float(thresholds[best])


def accuracy_at_1(pairs: Sequence[Pair], scores: Sequence[float], truth: Collection[Pair]) -> float:
    """Share of the true pairs that score higher than every other pair of the same query.

    A true pair that ties with another pair of its query does not count.
    """
    if not truth:
        return 0.0
    best: dict[Hashable, float] = {}
    first: dict[Hashable, Hashable | None] = {}
    for (query, ref), score in zip(pairs, scores, strict=True):
        if query not in best or score > best[query]:
            best[query], first[query] = score, ref
        elif score == best[query]:
            first[query] = None
    won = sum(query in first and first[query] == ref for query, ref in truth)
    return won / len(truth)


def _curve(
    pairs: ScoredPairs,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give precision, recall and score at the end of each group of equal scores, best first."""
    order = np.argsort(-pairs.scores, kind="stable")
    scores = pairs.scores[order]
    num_found = np.cumsum(pairs.is_true[order])
    ends = np.flatnonzero(np.append(np.diff(scores) != 0, True)[: len(scores)])
    precision = num_found[ends] / (ends + 1.0)
    recall = num_found[ends] / max(1, pairs.num_true)
    return precision, recall, scores[ends]
