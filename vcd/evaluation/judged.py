"""Measure precision on matches that people judged, of whom each saw only what was reported.

A match below the threshold of its check was never shown. So precision from a score on is measured
on the matches of those checks that showed everything from there on, and on no others:

    shown from   0.3         [0.3 ........... 0.6 ........ 1)   counts at every threshold
                 0.6                         [0.6 ........ 1)   counts from 0.6 on

Otherwise weak matches of a few uploads would be pooled with the strong ones of many. Which uploads
people chose to judge, and what no check found, nothing here can know.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core.records import read_only
from vcd.evaluation.calibration import PrecisionCurve, curve_of_scores

__all__ = ["JudgedMatches", "judged_curve", "judged_from"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedMatches:
    """Matches of which somebody said whether they are right; N of them.

    Attributes:
        query_ids: ``(N,)`` str, whose match each is.
        score: ``(N,)`` float64, finite.
        is_right: ``(N,)`` bool.
        shown_from: ``(N,)`` float64, from which score on its check showed matches; may be ``-inf``.
    """

    query_ids: NDArray[np.str_]
    score: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    shown_from: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = {len(self.query_ids), len(self.is_right), len(self.shown_from)}
        if lengths != {len(self.score)}:
            raise ValueError(f"judged matches of unequal lengths {sorted(lengths)}")
        for name in ("query_ids", "score", "is_right", "shown_from"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.score)


def judged_curve(matches: JudgedMatches) -> PrecisionCurve:
    """Measure precision at every judged score; recall is of the right matches among these.

    No threshold is below the lowest judged score, nor below what its matches were shown from.
    """
    if len(matches) == 0:
        return judged_from(matches, -np.inf)
    floors = np.unique(matches.shown_from).tolist()
    pieces = []
    for floor, following in pairwise([*floors, np.inf]):
        curve = _curve(matches, matches.shown_from <= floor)
        is_here = (curve.min_score >= floor) & (curve.min_score < following)
        pieces.append((curve, is_here))
    return PrecisionCurve(
        min_score=_joined(pieces, "min_score"),
        precision=_joined(pieces, "precision"),
        low=_joined(pieces, "low"),
        high=_joined(pieces, "high"),
        recall=_joined(pieces, "recall"),
        num_matches=_joined(pieces, "num_matches"),
        num_true=int(matches.is_right.sum()),
    )


def judged_from(matches: JudgedMatches, min_score: float) -> PrecisionCurve:
    """Measure precision from one score on, as the first row of a curve; empty where nothing is.

    Args:
        matches: judged ones.
        min_score: the threshold.
    """
    return _curve(matches, (matches.shown_from <= min_score) & (matches.score >= min_score))


def _curve(matches: JudgedMatches, is_in: NDArray[np.bool_]) -> PrecisionCurve:
    score, is_right = matches.score[is_in], matches.is_right[is_in]
    return curve_of_scores(
        matches.query_ids[is_in],
        score,
        is_right,
        found_score=score[is_right],
        num_true=int(is_right.sum()),
    )


def _joined(pieces: list[tuple[PrecisionCurve, NDArray[np.bool_]]], name: str) -> NDArray[Any]:
    joined: NDArray[Any] = np.concatenate([getattr(curve, name)[here] for curve, here in pieces])
    return joined
