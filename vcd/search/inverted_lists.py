"""Lists of rows that lie near one centroid each, so that a row is compared with a few lists only.

An inverted file, as FAISS calls it, of places in an array that stays where it is: no row is
copied. Each row has a home, the list of its nearest centroid, and probes the lists of its few
nearest ones. M rows, P probes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.search.index import load_faiss

__all__ = ["InvertedLists"]

_DEFAULT_PROBES = 32
_TRAINING_ROWS_PER_LIST = 40
_TRAINING_ROUNDS = 8
_TRAINING_SEED = 20_220_922
_ROWS_PER_READ = 65_536
_MAX_MEMBERS = 65_536
"""Rows of one list that are read at once: 64 MB at 256 dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvertedLists:
    """M rows of a larger array, sorted into lists.

    Attributes:
        rows: ``(M,)`` int64, which rows.
        probed: ``(M, P)`` int32, the lists that each row probes, its home first.
        num_lists: how many there are.
    """

    rows: NDArray[np.int64]
    probed: NDArray[np.int32]
    num_lists: int

    @classmethod
    def of(
        cls,
        features: NDArray[np.float32],
        rows: NDArray[np.int64],
        *,
        num_lists: int | None = None,
        num_probes: int = _DEFAULT_PROBES,
    ) -> "InvertedLists":
        """Choose centroids on a sample of the rows, and assign all of them.

        Args:
            features: ``(N, D)`` float32; may be memory-mapped.
            rows: ``(M,)`` which of them, at least one.
            num_lists: None for twice the root of M, where assigning the rows and comparing them
                cost about the same.
            num_probes: lists that a row is compared with; more find more and cost as much more.

        Raises:
            SetupError: FAISS cannot be imported.
        """
        faiss = load_faiss()
        dim = features.shape[1]
        num_lists = min(len(rows), num_lists or max(1, round(2 * len(rows) ** 0.5)))
        rng = np.random.default_rng(_TRAINING_SEED)
        num_training = min(len(rows), _TRAINING_ROWS_PER_LIST * num_lists)
        sample = rows[np.sort(rng.choice(len(rows), num_training, replace=False))]
        training = faiss.Kmeans(
            dim,
            num_lists,
            niter=_TRAINING_ROUNDS,
            seed=_TRAINING_SEED % 2**31,
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=_TRAINING_ROWS_PER_LIST,
        )
        training.train(features[sample])
        nearest = faiss.IndexFlatIP(dim)
        nearest.add(training.centroids)
        probed = np.empty((len(rows), min(num_probes, num_lists)), dtype=np.int32)
        for first in range(0, len(rows), _ROWS_PER_READ):
            here = slice(first, first + _ROWS_PER_READ)
            _, probed[here] = nearest.search(features[rows[here]], probed.shape[1])
        return cls(rows=rows, probed=probed, num_lists=num_lists)

    def pairs_of_rows(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield list by list ``(members, visitors)``: places in ``rows``, both rising.

        Members have the list as their home and come a bounded number at a time, visitors probe it.
        """
        members = _Grouped.by(self.probed[:, 0], self.num_lists)
        visitors = _Grouped.by(self.probed.ravel(), self.num_lists)
        for number in range(self.num_lists):
            inside = members.group(number)
            outside = visitors.group(number) // self.probed.shape[1]
            for first in range(0, len(inside), _MAX_MEMBERS):
                yield inside[first : first + _MAX_MEMBERS], outside

    def probes_list_of(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``(K,)`` whether the row at each place of ``one`` probes the home of ``other``."""
        is_probed: NDArray[np.bool_] = (self.probed[one] == self.probed[other, :1]).any(axis=1)
        return is_probed


@dataclass(frozen=True, slots=True, eq=False)
class _Grouped:
    """Places in the order of what they hold."""

    order: NDArray[np.int64]
    limits: NDArray[np.int64]

    @classmethod
    def by(cls, values: NDArray[np.int32], num_values: int) -> "_Grouped":
        order = np.argsort(values, kind="stable")
        return cls(order, np.r_[0, np.cumsum(np.bincount(values, minlength=num_values))])

    def group(self, value: int) -> NDArray[np.int64]:
        return self.order[self.limits[value] : self.limits[value + 1]]
