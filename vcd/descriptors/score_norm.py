"""Make one threshold mean the same for every query frame.

    score(q, r) = <q, r> + bias(q)
    bias(q)     = offset - weight * mean of the k-th largest <q, b>, k in [first, stop)

over background rows b. A frame of a crowd or of a common logo is close to everything, so its
scores are lowered by how close it is to footage that is known to be no copy. VSC2022 takes the
nearest row 1.2 times, SSCD the mean of the nearest three once. Q query, R ref and B background
rows, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError, blocked_similarity
from vcd.core.records import read_only

__all__ = ["ScoreNorm", "bias_of_nearest", "nearest_similarities", "score_normalize"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreNorm:
    """A score normalization, ready to give each query row its bias.

    Attributes:
        background: ``(B, D)`` float32, in the space and of the length (1) of the rows that are
            compared.
        weight: how much of the background similarity is taken away, at least 0.
        first_neighbour: rank of the first background row that counts, 0 for the nearest.
        stop_neighbour: rank after the last one.
        offset: what every score is moved by.

    Raises:
        InputError: there are fewer background rows than neighbours, or one is not finite.
        ValueError: a value is out of its range.
    """

    background: NDArray[np.float32]
    weight: float
    first_neighbour: int = 0
    stop_neighbour: int = 1
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.background.ndim != 2 or self.background.dtype != np.float32:
            raise ValueError(
                f"background must be (B, D) float32, got {self.background.shape} "
                f"{self.background.dtype}"
            )
        if not (np.isfinite(self.weight) and self.weight >= 0 and np.isfinite(self.offset)):
            raise ValueError(f"no score normalization: {self.weight=} {self.offset=}")
        if not 0 <= self.first_neighbour < self.stop_neighbour:
            raise ValueError(f"not ranks: {self.first_neighbour=} {self.stop_neighbour=}")
        if len(self.background) < self.stop_neighbour:
            raise InputError(
                f"background: {self.stop_neighbour} neighbours want as many rows that carry "
                f"evidence, got {len(self.background)}"
            )
        is_finite = np.isfinite(self.background).all(axis=1)
        if not is_finite.all():
            raise InputError(f"background: row {int(is_finite.argmin())} is not finite")
        object.__setattr__(self, "background", read_only(self.background))

    def bias(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Say how far the scores of each query row are moved.

        Args:
            features: ``(Q, D)`` float32 of length 1 or 0.

        Returns:
            ``(Q,)`` float32; 0 for rows of zero.
        """
        nearest = nearest_similarities(features, self.background, self.stop_neighbour)
        bias = np.where(np.any(features, axis=1), self.bias_of(nearest), 0.0)
        return bias.astype(np.float32)

    def bias_of(self, nearest: NDArray[np.float32]) -> NDArray[np.float64]:
        """Turn the ``(Q, stop_neighbour)`` similarities of the nearest rows into biases."""
        counted = nearest[:, self.first_neighbour :]
        return bias_of_nearest(counted, weight=self.weight, offset=self.offset)


def bias_of_nearest(
    nearest: NDArray[np.floating], *, weight: float, offset: float
) -> NDArray[np.float64]:
    """Turn the similarities of the background rows that count into biases.

    Args:
        nearest: ``(Q, K)``, ``K >= 1``.
        weight: how much of their mean is taken away.
        offset: what every score is moved by.

    Returns:
        ``(Q,)`` float64.
    """
    bias: NDArray[np.float64] = offset - weight * nearest.mean(axis=1, dtype=np.float64)
    return bias


def nearest_similarities(
    query: NDArray[np.float32],
    background: NDArray[np.float32],
    count: int,
    *,
    own_run: NDArray[np.int64] | None = None,
) -> NDArray[np.float32]:
    """Find how similar the nearest background rows are to each query row.

    Args:
        query: ``(Q, D)`` float32.
        background: ``(B, D)`` float32; may be memory-mapped.
        count: how many, at least 1.
        own_run: ``(Q, 2)`` for each query row a run ``[first, stop)`` of background rows that do
            not count: those of its own video.

    Returns:
        ``(Q, count)`` float32, falling; ``-inf`` where there are no more rows.
    """
    nearest = np.full((len(query), count), -np.inf, dtype=np.float32)
    for query_first, first, similarity_QB in blocked_similarity(query, background):
        rows = slice(query_first, query_first + len(similarity_QB))
        if own_run is not None:
            column = first + np.arange(similarity_QB.shape[1])
            is_own = (column >= own_run[rows, :1]) & (column < own_run[rows, 1:])
            similarity_QB[is_own] = -np.inf
        # In place: the block is nobody else's, and a copy would double the memory.
        np.negative(similarity_QB, out=similarity_QB)
        if similarity_QB.shape[1] > count:
            similarity_QB.partition(count - 1, axis=1)
        both = np.concatenate([-nearest[rows], similarity_QB[:, :count]], axis=1)
        nearest[rows] = -np.sort(both, axis=1)[:, :count]
    return nearest


def score_normalize(
    query: NDArray[np.float32],
    ref: NDArray[np.float32],
    background: NDArray[np.float32],
    *,
    weight: float,
    first_neighbour: int = 0,
    stop_neighbour: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold score normalization into one extra dimension of the descriptors.

    For files that other programs search by inner product; here a query carries its bias beside
    its rows. With the nearest row and ``weight`` 1.2 it is VSC2022's, with the nearest three and
    1.0 SSCD's ``1.0[0,2]``:

        <q', r'> = <q, r> - weight * mean of the k-th largest <q, b>, k in [first, stop)

    Args:
        query: ``(Q, D)`` float32, unit rows. A zero row (no evidence) scores 0, which is more than
            most others do: leave such rows out.
        ref: ``(R, D)`` float32, unit rows.
        background: ``(B, D)`` float32, unit rows. Must share no video with ``ref``: the caller
            knows the ids and checks them.
        weight: how much of the background similarity to take away; 0 leaves every score as it was.
        first_neighbour: rank of the first background row that counts.
        stop_neighbour: rank after the last one.

    Returns:
        ``(Q, D + 1)`` and ``(R, D + 1)`` float32. The rows are no longer unit and must not be
        normalized again.

    Raises:
        InputError: there are fewer background rows than neighbours, or one is not finite.
        ValueError: a value is out of its range.
    """
    norm = ScoreNorm(
        background=background,
        weight=weight,
        first_neighbour=first_neighbour,
        stop_neighbour=stop_neighbour,
    )
    bias = norm.bias(query)[:, None]
    ones = np.ones((len(ref), 1), dtype=np.float32)
    return np.hstack([query, bias]), np.hstack([ref, ones])
