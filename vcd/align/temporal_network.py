"""Find copied stretches as longest paths through a network of similar frames.

Every cell of the matrix at or above ``min_similarity`` is a node. An edge leads
from a cell to a later one, at most ``max_step_frames`` rows down, if the step's
slope lies in the range, give or take one cell for rounding:

    min_slope * dq - 1  <=  dr  <=  max_slope * dq + 1,    dr >= 0

The longest path is found row by row; all nodes of a row are relaxed at once.
Follows Tan et al., "Scalable detection of partial near-duplicate videos by
visual-temporal consistency" (2009), but a path begins at a matching cell and
may repeat a ref column, as a slowed-down copy does. N nodes, E kinds of edge,
Q query rows, R ref columns.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcd.align.nodes import Nodes
from vcd.align.paths import contains, straight_pieces
from vcd.align.settings import AlignSettings
from vcd.core.protocols import ScoredBox

__all__ = ["TemporalNetwork"]

_MAX_EDGES_AT_ONCE = 1_000_000
"""Predecessor cells looked up before the rows of a block are gone through."""

_CROWD = 200_000
"""Nodes from which a matrix is crowded by still shots."""

_CROWDED_STEP = 2
"""Longest step in a crowd: there are no gaps to bridge, and eight times fewer edges to look at."""

_STILL_DIAGONAL = 0.93
"""Part of a path's evidence for which a still shot is given its diagonal instead."""

_MAX_SOLUTIONS = 12
"""Times that the network of one matrix is solved again after nodes were taken out."""


class TemporalNetwork:
    """The default aligner; speed changes, gaps, several segments in any order."""

    def __init__(self, settings: AlignSettings | None = None) -> None:
        self._settings = settings or AlignSettings()
        self._edge_dq, self._edge_dr = _edges(self._settings)
        skew = np.abs(self._edge_dr - self._edge_dq)
        penalty = self._settings.gap_penalty * (self._edge_dq - 1)
        self._penalty = (penalty + self._settings.skew_penalty * skew).astype(np.float32)

    def align(self, similarity_QR: NDArray[np.float32]) -> list[ScoredBox]:
        """Find the copied stretches of one matrix; best first, ties by position."""
        nodes = Nodes(similarity_QR, self._settings)
        if len(nodes) < self._settings.min_frames:
            return []
        found: list[ScoredBox] = []
        for _ in range(_MAX_SOLUTIONS):
            value, parent = self._solve(nodes)
            if self._extract(nodes, similarity_QR, (value, parent), found):
                break
        found.sort(key=lambda box: (-box.score, box.box.q_first, box.box.r_first))
        return found

    def _solve(self, nodes: Nodes) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Find the longest path that ends at each living node.

        Returns:
            ``(N,)`` length of that path, and ``(N,)`` the node before; -1 at its first.
        """
        living = np.flatnonzero(nodes.alive)
        value = np.zeros(len(nodes), dtype=np.float32)
        parent = np.full(len(nodes), -1, dtype=np.int64)
        if len(living) == 0:
            return value, parent
        rows, cols = nodes.rows[living], nodes.cols[living]
        margin = int(self._edge_dr.max())
        stride = int(cols.max()) + 1 + margin
        place = (rows - rows[0] + self._settings.max_step_frames) * stride + cols + margin
        steps, penalty = self._edge_dq * stride + self._edge_dr, self._penalty
        if len(living) > _CROWD:
            # The edges are in order of rising dq.
            num_kept = int(np.searchsorted(self._edge_dq, _CROWDED_STEP, side="right"))
            steps, penalty = steps[:num_kept], penalty[:num_kept]
        grid = np.zeros(int(place[-1]) + 1, dtype=np.float32)
        edge, gain = _relax(grid, place, rows, nodes.weights[living], (steps, penalty))
        value[living] = grid[place]
        linked = gain > 0
        before = np.searchsorted(place, place[linked] - steps[edge[linked]])
        parent[living[linked]] = living[before]
        return value, parent

    def _extract(
        self,
        nodes: Nodes,
        similarity_QR: NDArray[np.float32],
        solution: tuple[NDArray[np.float32], NDArray[np.int64]],
        found: list[ScoredBox],
    ) -> bool:
        """Take paths off the network, longest first, while the solution still holds.

        Returns:
            Whether nothing is left to find; else the network must be solved again.
        """
        value, parent = solution
        while len(found) < self._settings.max_segments:
            value[~nodes.alive] = 0.0
            end = int(value.argmax())
            if value[end] < self._settings.min_evidence:
                return True
            traced = _trace(end, parent)
            if not nodes.alive[traced].all():
                return False
            for piece in _best_pieces(nodes, traced, similarity_QR, self._settings):
                outer = contains(found, piece.box)
                if outer is None:
                    found.append(piece)
                else:
                    nodes.remove_box(outer)
            nodes.remove_around(traced)
        return True


def _edges(settings: AlignSettings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the steps (dq, dr) of a path, the most likely first: ties go to it."""
    steps = []
    for dq in range(1, settings.max_step_frames + 1):
        first = max(0, int(np.ceil(settings.min_slope * dq - 1)))
        last = int(np.floor(settings.max_slope * dq + 1))
        steps += [(dq, dr) for dr in range(first, last + 1)]
    steps.sort(key=lambda step: (step[0], abs(step[1] - step[0]), step[1]))
    dq_dr = np.array(steps, dtype=np.int64)
    return dq_dr[:, 0], dq_dr[:, 1]


def _relax(
    grid: NDArray[np.float32],
    place: NDArray[np.int64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float32],
    edges: tuple[NDArray[np.int64], NDArray[np.float32]],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Fill the grid with path lengths, row by row.

    Returns:
        For each node the kind of edge that its best path arrives by, and what it brings.
    """
    steps, penalty = edges
    edge = np.empty(len(place), dtype=np.int64)
    gain = np.empty(len(place), dtype=np.float32)
    cuts = [0, *(np.flatnonzero(rows[1:] != rows[:-1]) + 1).tolist(), len(place)]
    for block in _blocks(cuts, _MAX_EDGES_AT_ONCE // len(steps)):
        origin, end = block[0], block[-1]
        before = place[origin:end, None] - steps
        for first, stop in pairwise(block):
            arriving = grid[before[first - origin : stop - origin]]
            arriving -= penalty
            best = np.maximum.reduce(arriving, axis=1, initial=0.0)
            grid[place[first:stop]] = weights[first:stop] + best
        # What the rows saw on their way is still there: no edge leads into an earlier row.
        arriving = grid[before] - penalty
        edge[origin:end] = arriving.argmax(axis=1)
        gain[origin:end] = np.maximum.reduce(arriving, axis=1)
    return edge, gain


def _blocks(cuts: list[int], max_nodes: int) -> Iterator[list[int]]:
    """Group the rows, given by where each begins and ends, into blocks of so many nodes."""
    block = cuts[:1]
    for cut in cuts[1:]:
        if len(block) > 1 and cut - block[0] > max_nodes:
            yield block
            block = block[-1:]
        block.append(cut)
    yield block


def _trace(end: int, parent: NDArray[np.int64]) -> NDArray[np.int64]:
    traced = []
    node = end
    while node >= 0:
        traced.append(node)
        node = parent.item(node)
    return np.array(traced[::-1], dtype=np.int64)


def _best_pieces(
    nodes: Nodes,
    traced: NDArray[np.int64],
    similarity_QR: NDArray[np.float32],
    settings: AlignSettings,
) -> list[ScoredBox]:
    """Cut the path into straight pieces; or, through a still shot, draw a straight line.

    Where all cells are alike the longest path is the one with most rows, however crooked.
    """
    path = nodes.path(traced)
    pieces = straight_pieces(path, similarity_QR, settings)
    if nodes.is_still(traced):
        on_diagonal = nodes.path(_nodes_on_diagonal(nodes, traced))
        straight = straight_pieces(on_diagonal, similarity_QR, settings)
        if _best_score(straight) >= _STILL_DIAGONAL * _best_score(pieces):
            return straight
    return pieces


def _best_score(boxes: list[ScoredBox]) -> float:
    return max((box.score for box in boxes), default=0.0)


def _nodes_on_diagonal(nodes: Nodes, traced: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the nodes on the diagonal with most evidence among those around a path."""
    around = np.flatnonzero(nodes.alive & nodes.around(traced))
    offset = nodes.cols[around] - nodes.rows[around]
    lowest = int(offset.min())
    evidence = np.bincount(offset - lowest, weights=nodes.weights[around])
    best: NDArray[np.int64] = around[offset == lowest + int(evidence.argmax())]
    return best
