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

import numpy as np
from numpy.typing import NDArray

from vcd.align.paths import cell_weights, contains, fit_line, straight_pieces
from vcd.align.settings import AlignSettings
from vcd.core.protocols import ScoredBox

__all__ = ["TemporalNetwork"]

_MAX_EDGES_AT_ONCE = 1_000_000
"""Predecessor cells looked up ahead of the row loop; more are looked up row by row."""

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
        rows, cols = np.nonzero(similarity_QR >= self._settings.min_similarity)
        if len(rows) < self._settings.min_frames:
            return []
        network = _Network(rows, cols, similarity_QR[rows, cols], self._settings)
        found: list[ScoredBox] = []
        for _ in range(_MAX_SOLUTIONS):
            value, parent = self._solve(network)
            if _extract(network, value, parent, found, self._settings):
                break
        found.sort(key=lambda box: (-box.score, box.box.q_first, box.box.r_first))
        return found

    def _solve(self, network: "_Network") -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Find the longest path that ends at each living node.

        Returns:
            ``(N,)`` length of that path, and ``(N,)`` the node before; -1 at its first.
        """
        living = np.flatnonzero(network.alive)
        rows, cols = network.rows[living], network.cols[living]
        weights = network.weights[living]
        margin = int(self._edge_dr.max())
        stride = int(cols.max(initial=0)) + 1 + margin
        place = (rows + self._settings.max_step_frames - rows[:1].sum()) * stride + cols + margin
        steps = self._edge_dq * stride + self._edge_dr
        grid = np.zeros(int(place[-1]) + 1 if len(place) else 1, dtype=np.float32)
        edge, gain = _relax(grid, place, rows, weights, (steps, self._penalty))

        value = np.zeros(len(network.rows), dtype=np.float32)
        value[living] = grid[place]
        parent = np.full(len(network.rows), -1, dtype=np.int64)
        linked = gain > 0
        before = np.searchsorted(place, place[linked] - steps[edge[linked]])
        parent[living[linked]] = living[before]
        return value, parent


class _Network:
    """The nodes of one matrix, in row-major order, and which of them are still to be used."""

    def __init__(
        self,
        rows: NDArray[np.int64],
        cols: NDArray[np.int64],
        similarity: NDArray[np.float32],
        settings: AlignSettings,
    ) -> None:
        self.rows, self.cols, self.similarity = rows, cols, similarity
        # A node at the very floor still belongs to its path.
        self.weights = cell_weights(similarity, settings.min_similarity) + np.float32(1e-3)
        self.alive = np.ones(len(rows), dtype=np.bool_)
        breaks = (np.diff(rows) != 0) | (np.diff(cols) != 1)
        self.run = np.concatenate([[0], np.cumsum(breaks)])

    def remove_around(self, nodes: NDArray[np.int64]) -> None:
        """Take out a path and the unbroken runs of similar cells that it crosses.

        In a lively video these are the neighbours of the diagonal; in a still shot they
        are the whole shot, which must not be found again beside itself.
        """
        is_used = np.zeros(int(self.run[-1]) + 1, dtype=np.bool_)
        is_used[self.run[nodes]] = True
        crossed = is_used[self.run]
        if np.count_nonzero(crossed) > 4 * len(nodes):
            crossed |= self._column_runs(nodes)
        self.alive &= ~crossed

    def remove_box(self, box: ScoredBox) -> None:
        b = box.box
        inside = (self.rows >= b.q_first - 1) & (self.rows <= b.q_stop)
        inside &= (self.cols >= b.r_first - 1) & (self.cols <= b.r_stop)
        self.alive &= ~inside

    def _column_runs(self, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
        order = np.lexsort((self.rows, self.cols))
        breaks = (np.diff(self.cols[order]) != 0) | (np.diff(self.rows[order]) != 1)
        run = np.empty(len(order), dtype=np.int64)
        run[order] = np.concatenate([[0], np.cumsum(breaks)])
        is_used = np.zeros(len(order), dtype=np.bool_)
        is_used[run[nodes]] = True
        crossed: NDArray[np.bool_] = is_used[run]
        return crossed


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
    edge = np.zeros(len(place), dtype=np.int64)
    gain = np.zeros(len(place), dtype=np.float32)
    ahead = len(place) * len(steps) <= _MAX_EDGES_AT_ONCE
    before = place[:, None] - steps if ahead else None
    cuts = [0, *(np.flatnonzero(np.diff(rows)) + 1).tolist(), len(place)]
    for first, stop in zip(cuts[:-1], cuts[1:], strict=True):
        here = place[first:stop]
        arriving = grid[before[first:stop] if before is not None else here[:, None] - steps]
        arriving -= penalty
        edge[first:stop] = arriving.argmax(axis=1)
        best = arriving.max(axis=1)
        gain[first:stop] = best
        grid[here] = weights[first:stop] + np.maximum(best, 0.0)
    return edge, gain


def _extract(
    network: _Network,
    value: NDArray[np.float32],
    parent: NDArray[np.int64],
    found: list[ScoredBox],
    settings: AlignSettings,
) -> bool:
    """Take paths off the network, longest first, while the solution still holds.

    Returns:
        Whether nothing is left to find; else the network must be solved again.
    """
    while len(found) < settings.max_segments:
        value[~network.alive] = 0.0
        end = int(value.argmax())
        if value[end] < settings.min_evidence:
            return True
        nodes = _trace(end, parent)
        if not network.alive[nodes].all():
            return False
        for piece in _best_pieces(network, nodes, settings):
            outer = contains(found, piece.box)
            if outer is None:
                found.append(piece)
            else:
                network.remove_box(outer)
        network.remove_around(nodes)
    return True


def _best_pieces(
    network: _Network, nodes: NDArray[np.int64], settings: AlignSettings
) -> list[ScoredBox]:
    """Cut the path into straight pieces; or, through a still shot, draw a straight line.

    Where all cells are alike the longest path is the one with most rows, however crooked.
    """
    path = np.stack([network.rows[nodes], network.cols[nodes]], axis=1)
    pieces = straight_pieces(path, network.similarity[nodes], settings)
    dq, dr = (path[-1] - path[0]).tolist()
    if settings.min_slope * dq - 2 <= dr <= settings.max_slope * dq + 2:
        return pieces
    on_line = _nodes_on_line(network, path, settings)
    line_path = np.stack([network.rows[on_line], network.cols[on_line]], axis=1)
    straight = straight_pieces(line_path, network.similarity[on_line], settings)
    return max(pieces, straight, key=lambda boxes: sum(box.score for box in boxes))


def _nodes_on_line(
    network: _Network, path: NDArray[np.int64], settings: AlignSettings
) -> NDArray[np.int64]:
    """Find the living nodes nearest to the line of allowed slope through a path, one a row."""
    query, ref = path.astype(np.float64).T
    line = fit_line(query, ref, min_slope=settings.min_slope, max_slope=settings.max_slope)
    wanted = np.round(line.ref_at(network.rows.astype(np.float64)))
    return np.flatnonzero(network.alive & (network.cols == wanted))


def _trace(end: int, parent: NDArray[np.int64]) -> NDArray[np.int64]:
    nodes = []
    node = end
    while node >= 0:
        nodes.append(node)
        node = int(parent[node])
    return np.array(nodes[::-1], dtype=np.int64)
