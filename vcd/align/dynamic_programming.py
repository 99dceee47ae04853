"""Find copied stretches by local alignment on the full lattice of frames.

    best[i, j] = max(0, cell[i, j] + max over dr of best[i - 1, j - dr] - skew)

A cell at or above ``min_similarity`` adds its evidence, any other costs
``gap_penalty``; a step goes one row down and 0 to ``ceil(max_slope)`` columns
on. After Chou et al., "Pattern-based near-duplicate video retrieval and
localization" (2015). Against the temporal network: dense, so that its time does
not depend on how many cells are similar; but it blanks the whole box of a
segment once found, and misses another inside it. Q query rows, R ref columns.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.nodes import Nodes
from vcd.align.paths import contains, straight_pieces
from vcd.align.settings import AlignSettings
from vcd.core.protocols import ScoredBox

__all__ = ["DynamicProgramming"]


class DynamicProgramming:
    """Local alignment, one row at a time."""

    def __init__(self, settings: AlignSettings | None = None) -> None:
        self._settings = settings or AlignSettings()

    def align(self, similarity_QR: NDArray[np.float32]) -> list[ScoredBox]:
        """Find the copied stretches of one matrix; best first, ties by position."""
        settings = self._settings
        nodes = Nodes(similarity_QR, settings)
        if len(nodes) < settings.min_frames:
            return []
        place = np.ravel_multi_index((nodes.rows, nodes.cols), similarity_QR.shape)
        found: list[ScoredBox] = []
        for _ in range(2 * settings.max_segments):
            cells = np.full(similarity_QR.shape, -settings.gap_penalty, dtype=np.float32)
            cells[nodes.rows[nodes.alive], nodes.cols[nodes.alive]] = nodes.weights[nodes.alive]
            path = _best_path(cells, settings)
            if path is None or len(found) >= settings.max_segments:
                break
            path = path[cells[path[:, 0], path[:, 1]] > 0]
            pieces = straight_pieces(path, similarity_QR, settings)
            found += [piece for piece in pieces if contains(found, piece.box) is None]
            flat = np.ravel_multi_index((path[:, 0], path[:, 1]), similarity_QR.shape)
            nodes.remove_around(np.searchsorted(place, flat))
            for piece in pieces:
                nodes.remove_box(piece)
        found.sort(key=lambda box: (-box.score, box.box.q_first, box.box.r_first))
        return found


def _best_path(cells: NDArray[np.float32], settings: AlignSettings) -> NDArray[np.int64] | None:
    """Find the path with most evidence; None when it has too little."""
    num_rows, num_cols = cells.shape
    moves = np.array(sorted(range(int(np.ceil(settings.max_slope)) + 1), key=_off_diagonal))
    margin = int(moves.max())
    came_by = np.full(cells.shape, -1, dtype=np.int8)
    row = np.zeros(margin + num_cols, dtype=np.float32)
    arriving = np.empty((len(moves), num_cols), dtype=np.float32)
    best, end = 0.0, (0, 0)
    for i in range(num_rows):
        for ordinal, dr in enumerate(moves.tolist()):
            skew = np.float32(settings.skew_penalty * _off_diagonal(dr))
            np.subtract(row[margin - dr : margin - dr + num_cols], skew, out=arriving[ordinal])
        gain = arriving.max(axis=0)
        came_by[i] = np.where(gain > 0, arriving.argmax(axis=0), -1)
        row[margin:] = np.maximum(cells[i] + np.maximum(gain, 0.0), 0.0)
        top = int(row.argmax())
        if row[top] > best:
            best, end = float(row[top]), (i, top - margin)
    if best < settings.min_evidence:
        return None
    return _trace(came_by, moves, end)


def _off_diagonal(dr: int) -> int:
    return abs(dr - 1)


def _trace(
    came_by: NDArray[np.int8], moves: NDArray[np.int64], end: tuple[int, int]
) -> NDArray[np.int64]:
    i, j = end
    path = [(i, j)]
    while came_by[i, j] >= 0:
        i, j = i - 1, j - int(moves[came_by[i, j]])
        path.append((i, j))
    return np.array(path[::-1], dtype=np.int64)
