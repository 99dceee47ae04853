"""Fold links between rows into a forest, and read the clusters off it.

A cluster is a connected component: each of its rows is linked to another of it, not to all. Links
are folded as they come into the strongest spanning forest, which has the same components at this
and every higher threshold, so that memory is bounded by the number of rows however many of them
are alike. N rows, E links.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.core.records import read_only

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Links", "clusters_of", "strongest_forest"]

_MAX_WAITING_LINKS = 4_000_000
"""Links held before they are folded: 80 MB."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """E pairs of near-duplicate rows.

    Attributes:
        first: ``(E,)`` int64, the lower row of each pair.
        second: ``(E,)`` int64, the higher row.
        similarity: ``(E,)`` float32.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.second) == len(self.similarity):
            raise ValueError(f"links of {len(self.first)} and {len(self.second)} rows")
        if (self.first >= self.second).any():
            raise ValueError("the first row of a link must be the lower one")
        for name in ("first", "second", "similarity"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def joined(cls, parts: Iterable["Links"]) -> "Links":
        """Put parts together in their order."""
        held = [cls.none(), *parts]
        return cls(
            first=np.concatenate([part.first for part in held]),
            second=np.concatenate([part.second for part in held]),
            similarity=np.concatenate([part.similarity for part in held]),
        )

    @classmethod
    def none(cls) -> "Links":
        nothing = np.empty(0, dtype=np.int64)
        return cls(first=nothing, second=nothing, similarity=nothing.astype(np.float32))


def strongest_forest(links: Iterable[Links], num_rows: int) -> tuple[Links, int]:
    """Fold links into a spanning forest of the greatest similarity.

    Two rows are connected by links of at least some similarity if and only if they are connected
    by such links of the forest, and then by the path whose weakest link is strongest.

    Args:
        links: in parts; each pair once.
        num_rows: N.

    Returns:
        At most ``N - 1`` links, and how many there were.
    """
    kept, waiting, num_waiting, num_links = Links.none(), list[Links](), 0, 0
    for part in links:
        waiting.append(part)
        num_waiting += len(part)
        num_links += len(part)
        if num_waiting >= _MAX_WAITING_LINKS:
            kept, waiting, num_waiting = _forest(Links.joined([kept, *waiting]), num_rows), [], 0
    return _forest(Links.joined([kept, *waiting]), num_rows), num_links


def clusters_of(links: Links, num_rows: int) -> list[NDArray[np.int64]]:
    """List the connected components of two rows or more: rising rows, by their first row."""
    from scipy.sparse.csgraph import connected_components

    if len(links) == 0:
        return []
    _, label = connected_components(_graph(links, num_rows), directed=False)
    linked = np.unique(np.concatenate([links.first, links.second]))
    order = linked[np.argsort(label[linked], kind="stable")]
    starts = np.flatnonzero(np.diff(label[order])) + 1
    return sorted(np.split(order, starts), key=lambda rows: int(rows[0]))


def _forest(links: Links, num_rows: int) -> Links:
    from scipy.sparse.csgraph import minimum_spanning_tree

    if len(links) == 0:
        return links
    graph = _graph(links, num_rows)
    graph.data = 2.0 - graph.data  # A weight of 0 would be no edge.
    tree = minimum_spanning_tree(graph).tocoo()
    one, two = tree.row.astype(np.int64), tree.col.astype(np.int64)
    order = np.lexsort((np.maximum(one, two), np.minimum(one, two)))
    return Links(
        first=np.minimum(one, two)[order],
        second=np.maximum(one, two)[order],
        similarity=(2.0 - tree.data[order]).astype(np.float32),
    )


def _graph(links: Links, num_rows: int) -> "csr_array":
    from scipy.sparse import coo_array

    weight = links.similarity.astype(np.float64)
    cells = (links.first.astype(np.int32), links.second.astype(np.int32))
    return coo_array((weight, cells), shape=(num_rows, num_rows)).tocsr()
