"""Hold found stretches against true ones: what was found, how exactly, and what was made up."""

from collections.abc import Sequence
from dataclasses import dataclass

from vcd.core import Interval, Match

__all__ = ["Comparison", "Judged", "TrueCopy", "compare", "interval_iou"]

MIN_IOU = 0.5
"""From here on a stretch counts as found, as is usual for temporal detection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueCopy:
    """A stretch that is known to be copied.

    Attributes:
        query_id: the video it was put into.
        ref_id: the video it was taken from.
        query: where it lies in the query.
        ref: where it lies in the reference.
    """

    query_id: str
    ref_id: str
    query: Interval
    ref: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A true stretch and the match that comes nearest to it.

    Attributes:
        true: what is there.
        found: of the same pair, the match of greatest ``iou``; None when none overlaps.
        iou: overlap over union, of the worse of the two sides; 0.0 without a match.
    """

    true: TrueCopy
    found: Match | None
    iou: float

    @property
    def is_found(self) -> bool:
        return self.iou >= MIN_IOU


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All true stretches judged, and the matches that lie on none of them.

    Attributes:
        judged: in the order of the true stretches.
        wrong: matches that overlap no true stretch of their pair on both sides.
    """

    judged: tuple[Judged, ...]
    wrong: tuple[Match, ...]

    @property
    def num_found(self) -> int:
        return sum(one.is_found for one in self.judged)

    @property
    def median_iou(self) -> float | None:
        """Of the stretches that were found; None when none was."""
        found = sorted(one.iou for one in self.judged if one.is_found)
        if not found:
            return None
        return (found[(len(found) - 1) // 2] + found[len(found) // 2]) / 2


def compare(matches: Sequence[Match], true_copies: Sequence[TrueCopy]) -> Comparison:
    """Judge matches against the truth."""
    judged = tuple(_judge(true, matches) for true in true_copies)
    wrong = tuple(
        match for match in matches if not any(_overlap_iou(match, true) for true in true_copies)
    )
    return Comparison(judged=judged, wrong=wrong)


def interval_iou(one: Interval, other: Interval) -> float:
    """Length of what both cover over the length of what either covers, 0 to 1."""
    shared_s = one.overlap_s(other)
    return shared_s / (one.length_s + other.length_s - shared_s)


def _judge(true: TrueCopy, matches: Sequence[Match]) -> Judged:
    best = max(matches, key=lambda match: _overlap_iou(match, true), default=None)
    iou = 0.0 if best is None else _overlap_iou(best, true)
    return Judged(true=true, found=best if iou else None, iou=iou)


def _overlap_iou(match: Match, true: TrueCopy) -> float:
    if (match.query_id, match.ref_id) != (true.query_id, true.ref_id):
        return 0.0
    return min(interval_iou(match.query, true.query), interval_iou(match.ref, true.ref))
