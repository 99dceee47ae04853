"""Find the score from which matches are right as often as wished, and say how sure that is.

A match is right when it lies on a true segment of its pair: when it overlaps one on the query's
axis and on the reference's. How exact its bounds are is what segment AP measures; here the claim
counts that this video copies from that one, about there.

Precision is the share of right matches among those from a threshold on. The matches of one query
stand or fall together, so they are counted as fewer: n matches with c_i in query i are worth
``n^2 / sum(c_i^2)`` independent ones (Kish), at most as many as there are queries with a match.
The interval is the exact one of Clopper and Pearson on that number; unlike resampled queries it
does not shrink to nothing when no match is wrong. docs/design/thresholds.md says how the choice is
made, and how often it holds.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.core.records import read_only
from vcd.evaluation.tables import Segments

__all__ = [
    "PrecisionCurve",
    "Threshold",
    "choose_threshold",
    "curve_of_scores",
    "found_scores",
    "num_needed",
    "precision_curve",
]

_TAIL = 0.025
"""Of the 95 % interval, on either side."""

_MIN_SHOWN = 0.5
"""Where not even more right than wrong matches can be shown there is no evidence to choose by."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrecisionCurve:
    """What each threshold would report; T thresholds, the scores of matches, lowest first.

    Attributes:
        min_score: ``(T,)`` float64, rising.
        precision: ``(T,)`` float64, share of right ones among the matches from there on.
        low: ``(T,)`` float64, lower end of the 95 % interval of the precision.
        high: ``(T,)`` float64, its upper end.
        recall: ``(T,)`` float64, share of the true segments that such a match lies on.
        num_matches: ``(T,)`` int64, how many matches have that score or more.
        num_true: how many true segments there are.
    """

    min_score: NDArray[np.float64]
    precision: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    recall: NDArray[np.float64]
    num_matches: NDArray[np.int64]
    num_true: int

    def __post_init__(self) -> None:
        for name in ("min_score", "precision", "low", "high", "recall", "num_matches"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.min_score)

    def points(self, max_points: int) -> tuple[tuple[float, float, float], ...]:
        """Give ``(min_score, precision, recall)`` of evenly spread thresholds, ends included."""
        spread = np.linspace(0, len(self) - 1, min(max_points, len(self)))
        rows = np.unique(np.round(spread).astype(np.int64))
        columns = (self.min_score[rows], self.precision[rows], self.recall[rows])
        return tuple(zip(*(column.tolist() for column in columns), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The row of a `PrecisionCurve` that was chosen for a wished precision.

    Attributes:
        row: which one.
        is_shown: whether the low end of the interval reaches what was wished. Else there are too
            few matches to show it, and what was measured reaches it.
    """

    row: int
    is_shown: bool


def found_scores(
    matches: Segments, truth: Segments
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Hold matches against the truth.

    A true segment of length zero, as VSC2022 allows, counts as the instant that it is.

    Returns:
        ``(N,)`` bool, which matches lie on a true segment; ``(M,)`` float64, the best score of the
        matches on each true segment, ``-inf`` where there is none.
    """
    rows_of = defaultdict(list)
    for row, pair in enumerate(zip(truth.query_ids.tolist(), truth.ref_ids.tolist(), strict=True)):
        rows_of[pair].append(row)
    is_right = np.zeros(len(matches), dtype=np.bool_)
    best = np.full(len(truth), -np.inf)
    pairs = zip(matches.query_ids.tolist(), matches.ref_ids.tolist(), strict=True)
    for row, pair in enumerate(pairs):
        true_rows = np.array(rows_of.get(pair, ()), dtype=np.int64)
        shares_query = _overlap(matches.query_s[row], truth.query_s[true_rows])
        shares_ref = _overlap(matches.ref_s[row], truth.ref_s[true_rows])
        hit = true_rows[shares_query & shares_ref]
        is_right[row] = len(hit) > 0
        best[hit] = np.maximum(best[hit], matches.score[row])
    return is_right, best


def precision_curve(matches: Segments, truth: Segments) -> PrecisionCurve:
    """Measure precision and recall at every score that a match has.

    Args:
        matches: of queries that were looked at, weak ones included.
        truth: the true segments of these queries.
    """
    is_right, best = found_scores(matches, truth)
    return curve_of_scores(
        matches.query_ids,
        matches.score,
        is_right,
        found_score=best[np.isfinite(best)],
        num_true=len(truth),
    )


def curve_of_scores(
    query_ids: NDArray[np.str_],
    score: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    *,
    found_score: NDArray[np.float64],
    num_true: int,
) -> PrecisionCurve:
    """Measure precision and recall at every score where it is known which matches are right.

    Args:
        query_ids: ``(N,)`` whose match each is: those of one query stand or fall together.
        score: ``(N,)`` of each match.
        is_right: ``(N,)`` whether each is right.
        found_score: ``(F,)`` of each true segment that was found, its best score; in any order.
        num_true: how many true segments there are, ``>= F``.
    """
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))[::-1]
    num_matches = last + 1
    num_right = np.cumsum(is_right[order])[last]
    num_alone = num_matches**2 / np.cumsum(2 * _earlier(query_ids[order]) + 1)[last]
    precision = num_right / num_matches
    low, high = _interval(precision, num_alone)
    num_found = len(found_score) - np.searchsorted(np.sort(found_score), score[last])
    return PrecisionCurve(
        min_score=score[last],
        precision=precision,
        low=low,
        high=high,
        recall=num_found / max(1, num_true),
        num_matches=num_matches,
        num_true=num_true,
    )


def choose_threshold(curve: PrecisionCurve, *, precision: float) -> Threshold:
    """Choose the lowest threshold of the wished precision.

    By the low end of the interval where the data can show so much: then more than the wish is to
    be expected. Else by what was measured, and never below the threshold at which most is shown.
    So a higher wish never gives a lower threshold.

    Args:
        curve: what was measured.
        precision: wished share of right matches, in (0, 1].

    Raises:
        InputError: nothing to choose by; the sentence says what is missing.
    """
    if not 0.0 < precision <= 1.0:
        raise InputError(f"wanted a precision above 0 and at most 1, got {precision:g}")
    if len(curve) == 0 or not curve.precision.any():
        raise InputError("no match lies on a true segment: nothing to choose a threshold by")
    best_low = float(curve.low.max())
    if best_low >= precision:
        return Threshold(row=int(np.argmax(curve.low >= precision)), is_shown=True)
    if best_low < _MIN_SHOWN:
        raise InputError(
            "too few right matches to choose a threshold by: they show a precision of "
            f"{_down(best_low)} at best, wanted {_MIN_SHOWN:g} at the least; more queries show more"
        )
    first = int(np.argmax(curve.low == best_low))
    reaches = np.flatnonzero(curve.precision[first:] >= precision)
    if len(reaches) == 0:
        highest = float(curve.precision[first:].max())
        raise InputError(
            f"no threshold reaches a precision of {precision:g}: the best that was measured is "
            f"{_down(highest)}"
        )
    return Threshold(row=first + int(reaches[0]), is_shown=False)


def num_needed(precision: float) -> int | None:
    """Say how many queries with matches, all right, it takes to show a precision below 1.

    None for a precision of 1, which no number of them shows.
    """
    if precision == 1.0:
        return None
    return math.ceil(math.log(_TAIL) / math.log(precision))


def _overlap(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which of ``(M, 2)`` stretches share time with one; an instant is seen as one, too."""
    ends = np.maximum(others[:, 1], np.nextafter(others[:, 0], np.inf))
    shares: NDArray[np.bool_] = (one[0] < ends) & (others[:, 0] < one[1])
    return shares


def _earlier(query_ids: NDArray[np.str_]) -> NDArray[np.int64]:
    """Count for each row the rows of the same query before it."""
    _, query = np.unique(query_ids, return_inverse=True)
    order = np.argsort(query, kind="stable")
    first = np.searchsorted(query[order], query[order])
    earlier = np.empty(len(query), dtype=np.int64)
    earlier[order] = np.arange(len(query)) - first
    return earlier


def _interval(
    precision: NDArray[np.float64], num_alone: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the bounds of Clopper and Pearson for shares of any number of independent matches."""
    from scipy.special import betaincinv

    num_right = precision * num_alone
    num_wrong = num_alone - num_right
    low = np.where(num_right > 0, betaincinv(num_right, num_wrong + 1, _TAIL), 0.0)
    high = np.where(num_wrong > 0, betaincinv(num_right + 1, num_wrong, 1 - _TAIL), 1.0)
    return np.minimum(low, precision), np.maximum(high, precision)


def _down(share: float) -> str:
    """Write a share with three digits, rounded down: it must not promise more."""
    return f"{math.floor(share * 1000) / 1000:.3f}"
