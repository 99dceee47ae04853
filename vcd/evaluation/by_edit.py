"""Say of each edit how well its copies are found.

The queries of one edit are measured together with all queries that copy nothing: a match in one of
those is as wrong for every edit. Queries of other edits are left out, with all that was found in
them. So the values of the edits do not average to the value of the whole set.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core.records import read_only
from vcd.evaluation.calibration import found_scores
from vcd.evaluation.segment_ap import segment_ap
from vcd.evaluation.tables import Segments

__all__ = ["EditScores", "scores_by_edit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EditScores:
    """What was measured of one edit.

    Attributes:
        segment_ap: in [0, 1], among its queries and those that copy nothing.
        best_score: ``(M,)`` float64, of each of its true segments the best score of the matches
            that lie on it, ``-inf`` where there is none; ``M >= 1``.
    """

    segment_ap: float
    best_score: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "best_score", read_only(self.best_score))

    @property
    def num_true(self) -> int:
        return len(self.best_score)

    @property
    def ever_found(self) -> float:
        """Share of the true segments that a match lies on, however weak."""
        return float(np.isfinite(self.best_score).mean())

    def recall(self, min_score: float) -> float:
        """Give the share of the true segments that a match of this score or more lies on."""
        return float((self.best_score >= min_score).mean())


def scores_by_edit(
    matches: Segments, truth: Segments, edits: Mapping[str, str]
) -> dict[str, EditScores]:
    """Measure each edit.

    Args:
        matches: what was found, in queries that copy nothing too.
        truth: the true segments.
        edits: id of a query that copies -> its edit.

    Returns:
        Edit -> what was measured, in the order of their names.

    Raises:
        KeyError: a query of the truth has no edit.
    """
    edit_of_true = np.array([edits[each] for each in truth.query_ids.tolist()], dtype=np.str_)
    scores = {}
    for edit in np.unique(edit_of_true).tolist():
        is_here = edit_of_true == edit
        elsewhere = truth.query_ids[~is_here]
        here = matches.take(~np.isin(matches.query_ids, elsewhere))
        true = truth.take(is_here)
        _, best_score = found_scores(here, true)
        scores[edit] = EditScores(segment_ap=segment_ap(here, true), best_score=best_score)
    return scores
