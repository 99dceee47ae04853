"""The temporal network as VCSL publishes it, to compare with published numbers; not to be used.

Nodes are the ``top_k`` best cells of each query frame, in the order of their making. An edge leads
forward on both axes by less than ``max_step`` frames to a cell of at least ``min_sim``, unless a
cell that the same query frame is already linked to lies strictly between on the reference's axis.
The longest path is taken ``max_path + 1`` times, each time with the edges of the last one worth
nothing. Three quirks are part of the published results and kept: the first node of a path needs
no similarity, so that a path starts up to ``max_step - 1`` frames early; the very last node belongs
to no path; among equally long paths the order of nodes decides.

Written anew from its description, as dynamic programming row by row; a longest path in a graph
of networkx gives the same boxes (tests/unit/align). What `temporal_network` does otherwise is in
``docs/design/align.md``. N nodes, E edges, Q query rows, R ref columns, K best cells of a row.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcd.align.paths import box_of_path
from vcd.align.settings import PublishedNetworkSettings
from vcd.core.protocols import Box, ScoredBox

__all__ = ["PublishedNetwork"]


class PublishedNetwork:
    """The published aligner; its settings are those of its publication."""

    def __init__(self, settings: PublishedNetworkSettings | None = None) -> None:
        self._settings = settings or PublishedNetworkSettings()

    def align(self, similarity_QR: NDArray[np.float32]) -> list[ScoredBox]:
        """Find the copied stretches of one matrix, in the order in which they are found.

        The score of a box is the similarity of its path's cells over the mean of its sides.
        """
        if 0 in similarity_QR.shape:
            return []
        network = _Network.of(similarity_QR, self._settings)
        weight = network.weight.copy()
        found: list[ScoredBox] = []
        for _ in range(self._settings.max_path + 1):
            nodes, edges = network.longest_path(weight)
            if len(edges) == 0:
                break
            weight[edges] = 0.0
            scored = self._box(network, nodes)
            if scored is not None and all(self._is_apart(scored.box, old.box) for old in found):
                found.append(scored)
        return found

    def _box(self, network: "_Network", nodes: NDArray[np.int64]) -> ScoredBox | None:
        path = np.stack([network.row[nodes], network.col[nodes]], axis=1)
        sides = path[-1] - path[0]
        # One addition after the other in single precision, as the published sum.
        total = float(np.add.accumulate(network.similarity[nodes])[-1])
        if sides.min() <= self._settings.min_length:
            return None
        score = total / float(sides.mean())
        if score <= self._settings.min_sim:
            return None
        return ScoredBox(box=box_of_path(path), score=score, path=path)

    def _is_apart(self, box: Box, other: Box) -> bool:
        q_common = min(box.q_stop, other.q_stop) - max(box.q_first, other.q_first)
        r_common = min(box.r_stop, other.r_stop) - max(box.r_first, other.r_first)
        common = max(0, q_common) * max(0, r_common)
        areas = sum((b.q_stop - b.q_first) * (b.r_stop - b.r_first) for b in (box, other))
        return common / (areas - common) < self._settings.max_iou


@dataclass(frozen=True, kw_only=True, eq=False)
class _Network:
    """Nodes in the order of their making.

    Attributes:
        row: ``(N,)`` query row.
        col: ``(N,)`` ref column.
        similarity: ``(N,)`` float32.
        start: ``(E,)`` the node that an edge leaves, grouped by `stop`, in order of insertion.
        stop: ``(E,)`` the node that it reaches, rising.
        weight: ``(E,)`` float32.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    similarity: NDArray[np.float32]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    weight: NDArray[np.float32]

    @classmethod
    def of(
        cls, similarity_QR: NDArray[np.float32], settings: PublishedNetworkSettings
    ) -> "_Network":
        best_QK = np.argsort(-similarity_QR, axis=1, kind="stable")[:, : settings.top_k]
        similarity_QK = np.take_along_axis(similarity_QR, best_QK, axis=1)
        start, stop = _links(best_QK, similarity_QK, settings)
        # Edges into the last node are worth nothing: no path that goes there is the longest.
        goes_on = stop < best_QK.size - 1
        similarity = similarity_QK.ravel()
        return cls(
            row=np.repeat(np.arange(len(best_QK)), best_QK.shape[1]),
            col=best_QK.ravel(),
            similarity=similarity,
            start=start[goes_on],
            stop=stop[goes_on],
            weight=similarity[stop[goes_on]],
        )

    def longest_path(
        self, weight: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the nodes of the longest path, and its edges.

        A node takes the first of its best edges even where that brings nothing; of several ends
        the first in topological order is taken. There are no edges where no path is worth anything.
        """
        length = np.zeros(len(self.row), dtype=np.float32)
        arrival = np.full(len(self.row), -1, dtype=np.int64)
        for first, stop, groups in self._rows:
            reached = length[self.start[first:stop]] + weight[first:stop]
            best = np.maximum.reduceat(reached, groups)
            sizes = np.diff(np.append(groups, stop - first))
            is_best = np.flatnonzero(reached == np.repeat(best, sizes))
            nodes = self.stop[first + groups]
            length[nodes] = best
            arrival[nodes] = first + is_best[np.searchsorted(is_best, groups)]
        longest = length.max()
        ends = np.flatnonzero(length == longest)
        node = int(ends[0])
        if len(ends) > 1 and longest > 0.0:
            node = min(ends.tolist(), key=self._order.__getitem__)
        passed, edges = [node], []
        while arrival[node] >= 0:
            edges.append(arrival.item(node))
            node = self.start.item(edges[-1])
            passed.append(node)
        return np.array(passed[::-1], dtype=np.int64), np.array(edges, dtype=np.int64)

    @cached_property
    def _rows(self) -> list[tuple[int, int, NDArray[np.int64]]]:
        """The edges into each query row, and where among them those into each node begin."""
        row = self.row[self.stop]
        cuts = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
        rows = []
        for first, stop in pairwise(cuts):
            if first < stop:
                groups = np.flatnonzero(np.diff(self.stop[first:stop], prepend=-1))
                rows.append((first, stop, groups))
        return rows

    @cached_property
    def _order(self) -> dict[int, int]:
        """The place of each node in the order in which their last predecessors are passed."""
        waits_for = np.bincount(self.stop, minlength=len(self.row)).tolist()
        leads_to: list[list[int]] = [[] for _ in waits_for]
        for start, stop in zip(self.start.tolist(), self.stop.tolist(), strict=True):
            leads_to[start].append(stop)
        free = deque(node for node, number in enumerate(waits_for) if number == 0)
        order: dict[int, int] = {}
        while free:
            node = free.popleft()
            order[node] = len(order)
            for after in leads_to[node]:
                waits_for[after] -= 1
                if waits_for[after] == 0:
                    free.append(after)
        return order


def _links(
    best_QK: NDArray[np.int64],
    similarity_QK: NDArray[np.float32],
    settings: PublishedNetworkSettings,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the edges between cells as node numbers, by the node reached, then the node left."""
    num_rows, top_k = best_QK.shape
    # The nearest ref beyond each node that its query frame is linked to so far.
    nearest_QK = np.full((num_rows, top_k), np.iinfo(np.int64).max)
    starts, stops = [], []
    for dq in range(1, min(settings.max_step, num_rows)):
        left, reached = best_QK[:-dq, :, None], best_QK[dq:, None, :]
        dr = reached - left
        linked: NDArray[np.bool_] = (dr > 0) & (dr < settings.max_step)
        linked &= nearest_QK[:-dq, :, None] >= reached
        linked &= similarity_QK[dq:, None, :] >= settings.min_sim
        row, before, after = np.nonzero(linked)
        starts.append(row * top_k + before)
        stops.append((row + dq) * top_k + after)
        # What another node of the frame is linked to, and lies between, this node is linked to too.
        new = np.where(linked, reached, np.iinfo(np.int64).max).min(axis=2)
        nearest_QK[:-dq] = np.minimum(nearest_QK[:-dq], new)
    start = np.concatenate([np.empty(0, dtype=np.int64), *starts])
    stop = np.concatenate([np.empty(0, dtype=np.int64), *stops])
    order = np.lexsort((start, stop))
    return start[order], stop[order]
