"""The cells of a similarity matrix that may belong to a path, and which are still to be used.

N nodes, Q query rows, R ref columns.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.paths import cell_weights
from vcd.align.settings import AlignSettings
from vcd.core.protocols import ScoredBox

__all__ = ["Nodes"]

_STILL_RUN = 12
"""A path that crosses so many times its own number of cells runs through a still shot."""


_STILL_FILL = 0.75
"""Part of a box that is similar when it is one still shot; a shot that moves fills less."""


class Nodes:
    """The cells at or above ``min_similarity``, in row-major order.

    Attributes:
        rows: ``(N,)`` query row.
        cols: ``(N,)`` ref column.
        weights: ``(N,)`` evidence, above 0.
        alive: ``(N,)`` whether a node is still to be used.
    """

    def __init__(self, similarity_QR: NDArray[np.float32], settings: AlignSettings) -> None:
        self.rows, self.cols = np.nonzero(similarity_QR >= settings.min_similarity)
        # A node at the very floor still belongs to its path.
        self.weights = cell_weights(
            similarity_QR[self.rows, self.cols], settings.min_similarity
        ) + np.float32(1e-3)
        self.alive = np.ones(len(self.rows), dtype=np.bool_)
        self._run: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def path(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ``(P, 2)`` cells of these nodes."""
        return np.stack([self.rows[nodes], self.cols[nodes]], axis=1)

    def remove_around(self, nodes: NDArray[np.int64]) -> None:
        """Take out a path and all that is `around` it."""
        self.alive &= ~self.around(nodes)

    def is_still(self, nodes: NDArray[np.int64]) -> bool:
        """Whether a path runs through one still shot: what is around it fills its own box."""
        around = self.around(nodes)
        num_around = int(np.count_nonzero(around))
        if num_around <= _STILL_RUN * len(nodes):
            return False
        rows, cols = self.rows[around], self.cols[around]
        area = int(rows.max() - rows.min() + 1) * int(cols.max() - cols.min() + 1)
        return num_around >= _STILL_FILL * area

    def around(self, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Find the unbroken runs of similar cells that a path crosses, ``(N,)``.

        In a lively video these are the neighbours of the diagonal; in a still shot they
        are the whole shot, which must not be found again beside itself.
        """
        if self._run is None:
            breaks = (self.rows[1:] != self.rows[:-1]) | (self.cols[1:] != self.cols[:-1] + 1)
            self._run = np.concatenate([[0], np.cumsum(breaks)])
        is_used = np.zeros(int(self._run[-1]) + 1, dtype=np.bool_)
        is_used[self._run[nodes]] = True
        crossed: NDArray[np.bool_] = is_used[self._run]
        if np.count_nonzero(crossed) > _STILL_RUN * len(nodes):
            crossed |= self._column_runs(nodes)
        return crossed

    def remove_box(self, found: ScoredBox) -> None:
        """Take out all nodes in a box, and one frame around it."""
        box = found.box
        inside = (self.rows >= box.q_first - 1) & (self.rows <= box.q_stop)
        inside &= (self.cols >= box.r_first - 1) & (self.cols <= box.r_stop)
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
