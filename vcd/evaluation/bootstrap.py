"""How far a metric would move had other queries been drawn.

A resample draws as many queries as there are, with replacement; a query drawn twice counts twice,
with all its predictions and all its truth, for the pairs of one query stand or fall together. The
interval covers the choice of queries alone: not that of the references, nor of the training, nor
of a threshold that was chosen on the same queries.

Reference: Efron and Tibshirani, An Introduction to the Bootstrap, the percentile interval.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.running_sums import MAX_CELLS

__all__ = ["Metric", "confidence_interval", "ratio_of"]

Metric = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From how often each query counts in each of S resamples, ``(Q, S)``, to the S values.

Counts are whole numbers in float64, for they only enter products.
"""


def confidence_interval(
    metric: Metric,
    num_queries: int,
    *,
    coverage: float = 0.95,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Give the percentile interval of a metric over resampled queries.

        confidence_interval(resampled_micro_ap(pairs), pairs.num_queries)

    The same seed draws the same queries for every metric of the same data, so intervals of two
    metrics or of two systems can be held against each other.

    Args:
        metric: of the resamples, some at a time.
        num_queries: Q, how many queries there are.
        coverage: share of the resamples inside, in (0, 1).
        num_resamples: how many to draw; the ends wander less with more.
        seed: decides the draws.

    Returns:
        Low and high. Without queries both are what the metric says of nothing.

    Raises:
        ValueError: the coverage is not in (0, 1), or nothing is to be drawn.
    """
    if not 0.0 < coverage < 1.0 or num_resamples < 1:
        raise ValueError(f"no interval of coverage {coverage} from {num_resamples} resamples")
    rng = np.random.default_rng(seed)
    at_once = max(1, min(num_resamples, MAX_CELLS // max(1, num_queries)))
    values = []
    for first in range(0, num_resamples, at_once):
        drawn = [_draw(num_queries, rng) for _ in range(first, min(first + at_once, num_resamples))]
        values.append(metric(np.stack(drawn, axis=1, dtype=np.float64)))
    low, high = np.quantile(np.concatenate(values), [(1.0 - coverage) / 2, (1.0 + coverage) / 2])
    return float(low), float(high)


def ratio_of(
    part: NDArray[np.integer | np.floating], whole: NDArray[np.integer | np.floating]
) -> Metric:
    """Make a metric of two amounts by query, such as what was found and what there is.

    Args:
        part: ``(Q,)``.
        whole: ``(Q,)``.

    Returns:
        The sum of the parts over the sum of the wholes, 0 when there is no whole.
    """

    def ratio(num_drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        total = whole @ num_drawn
        return np.divide(part @ num_drawn, total, out=np.zeros(len(total)), where=total != 0)

    return ratio


def _draw(num_queries: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Say how often each query is drawn."""
    drawn = rng.integers(0, num_queries, num_queries)
    return np.bincount(drawn, minlength=num_queries)
