"""Running sums along a ranking, of many resamples of the queries at once.

A resample weighs what each query adds to a ranking. Sums matter only where a metric looks at them,
its stops; what a query adds between two stops is one number, known beforehand. The sums of many
resamples are then a sparse product, (stops x queries) @ (queries x resamples), and its running sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_CELLS", "RunningSums", "running_sums"]

MAX_CELLS = 1 << 20
"""How many float64 are held at once, of the resamples or of their sums: 8 MiB, for caches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunningSums:
    """What each query adds from stop to stop.

    Attributes:
        added: of each of K amounts a sparse ``(stops, Q)`` float64 matrix.
    """

    added: tuple[Any, ...]

    def along(self, num_drawn: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Walk along the stops, some at a time.

        Args:
            num_drawn: ``(Q, S)`` how often each query counts in each resample.

        Yields:
            ``(K, n + 1, S)`` float64: the amounts at the stop before, or 0, and at n stops.
        """
        num_resamples, num_stops = num_drawn.shape[1], self.added[0].shape[0]
        step = max(1, MAX_CELLS // (len(self.added) * num_resamples))
        before = np.zeros((len(self.added), num_resamples))
        for first in range(0, num_stops, step):
            steps = [before[:, None]]
            steps.append(
                np.stack([amount[first : first + step] @ num_drawn for amount in self.added])
            )
            sums = np.concatenate(steps, axis=1)
            np.cumsum(sums, axis=1, out=sums)
            before = sums[:, -1]
            yield sums


def running_sums(
    place: NDArray[np.int64],
    query: NDArray[np.integer],
    added: NDArray[np.float64 | np.bool_],
    *,
    stops: NDArray[np.int64],
    num_queries: int,
) -> RunningSums:
    """Sum up beforehand what queries add from stop to stop.

    Args:
        place: ``(E,)`` where in the ranking something is added.
        query: ``(E,)`` by which query, in ``[0, num_queries)``.
        added: ``(E, K)`` how much of each amount.
        stops: ``(n,)`` the places after which sums are looked at, ascending.
        num_queries: Q.
    """
    from scipy.sparse import csr_array

    row = np.searchsorted(stops, place)
    matters = (row < len(stops))[:, None] & (added != 0)
    shape = len(stops), num_queries
    return RunningSums(
        added=tuple(
            csr_array((column[of].astype(np.float64), (row[of], query[of])), shape=shape)
            for column, of in zip(added.T, matters.T, strict=True)
        )
    )
