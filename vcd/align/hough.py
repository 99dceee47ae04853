"""Find copied stretches by voting for lines ``ref = slope * query + offset``.

Every cell at or above ``min_similarity`` votes, for each of a few speeds, for
the line through it; the line with most evidence is followed row by row, and cut
where more than ``max_step_frames`` rows in a row do not match. After Douze et
al., "An image-based approach to video copy detection" (2010), which knows one
speed and reports whole diagonals. Against the temporal network: indifferent to
what lies beside the line, and rows may be missing anywhere; but a segment whose
line collects fewer votes than chance cells do on a longer one is found late or
not at all, and bounds are less sure between two speeds. N cells, Q query rows,
R ref columns.
"""

import numpy as np
from numpy.typing import NDArray

from vcd.align.nodes import Nodes
from vcd.align.paths import contains, fit_line, straight_pieces
from vcd.align.settings import AlignSettings
from vcd.core.protocols import ScoredBox

__all__ = ["HoughVoting"]

_SPEED_STEP = 1.04
"""Neighbouring speeds part by one cell after 25 rows; the line is fitted anew afterwards."""

_REACH = 1.5
"""Cells on either side of the line that belong to it."""

_NUM_REFITS = 2
"""The second fit takes in the cells that the first one has brought within reach."""


class HoughVoting:
    """Votes for lines of several speeds."""

    def __init__(self, settings: AlignSettings | None = None) -> None:
        self._settings = settings or AlignSettings()
        slower = np.log(self._settings.min_slope) / np.log(_SPEED_STEP)
        faster = np.log(self._settings.max_slope) / np.log(_SPEED_STEP)
        powers = np.arange(np.floor(slower), np.ceil(faster) + 1)
        # Ties go to the speed nearest to 1.
        powers = powers[np.argsort(np.abs(powers), kind="stable")]
        self._speeds: list[float] = (_SPEED_STEP**powers).tolist()

    def align(self, similarity_QR: NDArray[np.float32]) -> list[ScoredBox]:
        """Find the copied stretches of one matrix; best first, ties by position."""
        settings = self._settings
        nodes = Nodes(similarity_QR, settings)
        found: list[ScoredBox] = []
        for _ in range(2 * settings.max_segments):
            living = np.flatnonzero(nodes.alive)
            if len(living) < settings.min_frames or len(found) >= settings.max_segments:
                break
            rows, cols, weights = nodes.rows[living], nodes.cols[living], nodes.weights[living]
            on_line, score = self._best_line(rows, cols, weights)
            if score < settings.min_evidence:
                break
            traced = living[_best_of_each_row(rows, weights, on_line)]
            path = nodes.path(traced)
            path[:, 1] = np.maximum.accumulate(path[:, 1])
            pieces = straight_pieces(path, similarity_QR, settings)
            found += [piece for piece in pieces if contains(found, piece.box) is None]
            nodes.remove_around(traced)
            for piece in pieces:
                nodes.remove_box(piece)
        found.sort(key=lambda box: (-box.score, box.box.q_first, box.box.r_first))
        return found

    def _best_line(
        self, rows: NDArray[np.int64], cols: NDArray[np.int64], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], float]:
        """Find the line with most votes.

        Returns:
            ``(N,)`` which cells lie on it, and the sum of their evidence.
        """
        best, best_score = np.zeros(len(rows), dtype=np.bool_), 0.0
        for speed in self._speeds:
            offset = cols - speed * rows
            lowest = float(offset.min())
            votes = np.bincount(np.round(offset - lowest).astype(np.int64), weights=weights)
            # A line is three bins wide: one for its cells, one on each side for rounding.
            wide = np.convolve(votes, [0.999, 1.0, 0.999], mode="same")
            peak = int(wide.argmax())
            if wide[peak] > best_score * 1.001:
                best_score = float(wide[peak])
                best = np.abs(offset - lowest - peak) <= _REACH
        return self._refitted(rows, cols, best), best_score

    def _refitted(
        self, rows: NDArray[np.int64], cols: NDArray[np.int64], on_line: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Take the line through the cells themselves, between the speeds that were tried."""
        query, ref = rows.astype(np.float64), cols.astype(np.float64)
        slopes = {"min_slope": self._settings.min_slope, "max_slope": self._settings.max_slope}
        for _ in range(_NUM_REFITS):
            line = fit_line(query[on_line], ref[on_line], **slopes)
            refitted = np.abs(ref - line.ref_at(query)) <= _REACH
            if np.count_nonzero(refitted) < np.count_nonzero(on_line):
                break
            on_line = refitted
        return on_line


def _best_of_each_row(
    rows: NDArray[np.int64], weights: NDArray[np.float32], on_line: NDArray[np.bool_]
) -> NDArray[np.int64]:
    nodes = np.flatnonzero(on_line)
    nodes = nodes[np.lexsort((-weights[nodes], rows[nodes]))]
    is_first = np.concatenate([[True], np.diff(rows[nodes]) != 0])
    best: NDArray[np.int64] = nodes[is_first]
    return best
