"""Average precision by the trapezoid rule, as Copydays is scored.

Between one true pair and the next the area counts precision before and at it, not at it alone:

    AP = sum over true pairs found of  (P just before + P at) / 2 / number of true pairs

Precision before anything is 1. Ties are broken for the worst: untrue pairs of equal score first.
Numbers of this rule and of `vcd.evaluation.micro_ap` must not stand in one column.

Reference: Douze et al., Evaluation of GIST descriptors for web-scale image search, section 5.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.bootstrap import Metric
from vcd.evaluation.micro_ap import RankedTruth, ScoredPairs, rank_truth
from vcd.evaluation.resampled_pairs import resampled_mean

__all__ = [
    "query_trapezoid_aps",
    "resampled_trapezoid_micro_ap",
    "trapezoid_mean_ap",
    "trapezoid_micro_ap",
]


def trapezoid_micro_ap(pairs: ScoredPairs) -> float:
    """Score all pairs of all queries in one ranking: Copydays' overall micro-AP.

    Args:
        pairs: the ranking; Copydays has one true pair a query.

    Returns:
        A number in [0, 1]; 0 when nothing true is found or there is nothing to find.
    """
    return float(_areas(rank_truth(pairs)).sum() / max(1, pairs.num_true.sum()))


def resampled_trapezoid_micro_ap(pairs: ScoredPairs) -> Metric:
    """Score resamples by `trapezoid_micro_ap`."""
    return resampled_mean(pairs, _areas)


def trapezoid_mean_ap(pairs: ScoredPairs) -> float:
    """Average the trapezoid AP of each query's own ranking: Copydays' strong mAP.

    Returns:
        A number in [0, 1], over the queries that have something to find; 0 when none has.
    """
    return float(query_trapezoid_aps(pairs).sum() / max(1, np.count_nonzero(pairs.num_true)))


def query_trapezoid_aps(pairs: ScoredPairs) -> NDArray[np.float64]:
    """Give the trapezoid AP of each query's own ranking, ``(Q,)``; 0 where nothing is to be found.

    The scores of different queries are not held against each other.
    """
    order = np.argsort(pairs.query, kind="stable")
    stops = np.cumsum(np.bincount(pairs.query, minlength=pairs.num_queries))
    aps = np.zeros(pairs.num_queries)
    for query, start in enumerate(np.append(0, stops)[:-1]):
        rows = order[start : stops[query]]
        own = ScoredPairs(
            scores=pairs.scores[rows],
            is_true=pairs.is_true[rows],
            query=np.zeros(len(rows), dtype=np.int64),
            num_true=pairs.num_true[query : query + 1],
        )
        aps[query] = trapezoid_micro_ap(own)
    return aps


def _areas(ranked: RankedTruth) -> NDArray[np.float64]:
    """Give the mean of precision before and at each true pair."""
    before = ranked.num_true_before + ranked.num_untrue_before
    at = (ranked.num_true_before + 1.0) / (before + 1.0)
    just_before = np.where(before == 0, 1.0, ranked.num_true_before / np.maximum(1, before))
    areas: NDArray[np.float64] = (at + just_before) / 2
    return areas
