"""Metrics of scored pairs in many resamples of the queries at once.

A query that counts k times is k queries with equal scores. Recall rises only with a group of equal
score that holds a true pair, so only the sums after such groups are looked at: micro-AP has no
other summands, and from one of them to the next precision can only fall, recall staying the same.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.bootstrap import Metric
from vcd.evaluation.micro_ap import RankedTruth, ScoredPairs
from vcd.evaluation.running_sums import RunningSums, running_sums

__all__ = [
    "resampled_isc_micro_ap",
    "resampled_mean",
    "resampled_micro_ap",
    "resampled_recall_at_precision",
]


def resampled_micro_ap(pairs: ScoredPairs) -> Metric:
    """Score resamples by `micro_ap`."""
    sums = _true_and_untrue(pairs)

    def aps(num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.zeros(num_drawn.shape[1])
        for num_true, num_untrue in sums.along(num_drawn):
            values += (_precision(num_true, num_untrue)[1:] * np.diff(num_true, axis=0)).sum(axis=0)
        return values / _num_to_find(pairs, num_drawn)

    return aps


def resampled_isc_micro_ap(pairs: ScoredPairs) -> Metric:
    """Score resamples by `isc_micro_ap`."""
    return resampled_mean(pairs, RankedTruth.precision)


def resampled_mean(
    pairs: ScoredPairs, value: Callable[[RankedTruth], NDArray[np.float64]]
) -> Metric:
    """Average a value of each true pair over all that are to be found in resamples.

    Args:
        pairs: the ranking.
        value: ``(F,)`` float64, of the true pairs that are found; 0 is what others have.
    """
    sums = _true_and_untrue(pairs)

    def means(num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.zeros(num_drawn.shape[1])
        for amounts in sums.along(num_drawn):
            by_resample = np.moveaxis(amounts, 2, 0).astype(np.int64, order="C")
            for resample, (num_true, num_untrue) in enumerate(by_resample):
                ranked = RankedTruth(
                    num_true_before=np.arange(num_true[0], num_true[-1]),
                    num_untrue_before=np.repeat(num_untrue[1:], np.diff(num_true)),
                )
                values[resample] += value(ranked).sum()
        return values / _num_to_find(pairs, num_drawn)

    return means


def resampled_recall_at_precision(pairs: ScoredPairs, precision: float) -> Metric:
    """Score resamples by the recall of `recall_at_precision`."""
    sums = _true_and_untrue(pairs)

    def recalls(num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.zeros(num_drawn.shape[1])
        for num_true, num_untrue in sums.along(num_drawn):
            is_good = _precision(num_true, num_untrue) >= precision
            values = np.maximum(values, (num_true * is_good).max(axis=0))
        return values / _num_to_find(pairs, num_drawn)

    return recalls


def _true_and_untrue(pairs: ScoredPairs) -> RunningSums:
    """Count both after each group of equal score that holds a true pair."""
    return running_sums(
        pairs.group,
        pairs.query,
        np.stack([pairs.is_true, ~pairs.is_true], axis=1),
        stops=np.unique(pairs.group[pairs.is_true]),
        num_queries=pairs.num_queries,
    )


def _precision(
    num_true: NDArray[np.float64], num_untrue: NDArray[np.float64]
) -> NDArray[np.float64]:
    return num_true / np.maximum(1, num_true + num_untrue)


def _num_to_find(pairs: ScoredPairs, num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1, pairs.num_true @ num_drawn)
