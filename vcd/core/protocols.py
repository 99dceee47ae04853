"""The seams of the detector on one page: what may be swapped for what.

Each protocol has at least two implementations; a stage sees only these.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcd.core.findings import FrameHits
from vcd.core.records import Descriptors, DescriptorSpace
from vcd.core.timeline import Interval

__all__ = ["Aligner", "Box", "Denser", "Index", "ScoredBox"]

Denser = Callable[[Interval, float, int], Descriptors]
"""Describe a stretch of the query again, in one view: ``denser(interval, rate_hz, view)``."""


class Index(Protocol):
    """References that can be searched: `ExactIndex` (the oracle) and `FaissIndex`."""

    @property
    def space(self) -> DescriptorSpace: ...

    @property
    def version(self) -> str:
        """Digest of the contents; equal contents have equal versions."""
        ...

    @property
    def ref_ids(self) -> Sequence[str]:
        """Ids of the references, sorted."""
        ...

    def hits(self, query: Descriptors, *, min_score: float) -> Iterator[FrameHits]:
        """Find every pair of frames that scores at least this much, in bounded chunks.

        The score of a pair is the inner product of its rows plus the query row's ``score_bias``.
        """
        ...

    def descriptors(self, ref_id: str) -> Descriptors:
        """Read one reference's descriptors without loading the others."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A stretch of a similarity matrix in half-open frame indices.

    query rows    [q_first, q_stop)
    ref columns   [r_first, r_stop)
    """

    q_first: int
    q_stop: int
    r_first: int
    r_stop: int

    def __post_init__(self) -> None:
        if not (0 <= self.q_first < self.q_stop and 0 <= self.r_first < self.r_stop):
            raise ValueError(f"a box needs first < stop on both axes, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredBox:
    """A box with the path through it that says why.

    Attributes:
        box: smallest box around the path.
        score: how sure the aligner is; its own scale, higher is surer.
        path: ``(P, 2)`` int64, the matching (query row, ref column) cells in order.
    """

    box: Box
    score: float
    path: NDArray[np.int64]


class Aligner(Protocol):
    """Turn a similarity matrix into boxes, best first."""

    def align(self, similarity_QR: NDArray[np.float32]) -> list[ScoredBox]:
        """Find the copied stretches of one matrix; never changes it.

        Args:
            similarity_QR: ``(Q, R)`` float32 inner products, plus the score bias of the query's
                row; 0 where a frame has no evidence.
        """
        ...
