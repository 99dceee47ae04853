"""Turn frame indices into time; the only place where that happens.

Times are seconds on the video's own clock: its first frame is shown at 0.0
unless the container says that it starts later. Ranges are half-open.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "Timeline", "merge_intervals", "total_length_s"]


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of time ``[start_s, end_s)`` in seconds; never empty.

    Raises:
        ValueError: the bounds are not finite or ``start_s >= end_s``.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.start_s) and np.isfinite(self.end_s)):
            raise ValueError(f"an interval needs finite bounds, got {self}")
        if self.start_s >= self.end_s:
            raise ValueError(f"an interval needs start_s < end_s, got {self}")

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: "Interval") -> float:
        """Length of what both cover, in seconds; 0.0 when they only touch."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """When each sampled frame is on screen: frame i covers ``[start_s[i], end_s[i])``.

    Frames are ordered and disjoint but need not touch: a gap is time that was
    not examined. No frames at all is a legal timeline.

    Attributes:
        start_s: ``(T,)`` float64, strictly increasing, read-only.
        end_s: ``(T,)`` float64, read-only.
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        start_s = _frozen_copy(self.start_s)
        end_s = _frozen_copy(self.end_s)
        if start_s.ndim != 1 or start_s.shape != end_s.shape:
            raise ValueError(
                f"a timeline needs two equal vectors, got {start_s.shape} and {end_s.shape}"
            )
        if not (np.isfinite(start_s).all() and np.isfinite(end_s).all()):
            raise ValueError("a timeline needs finite times")
        if not (start_s < end_s).all():
            raise ValueError("each frame of a timeline must end after it starts")
        if not (end_s[:-1] <= start_s[1:]).all():
            raise ValueError("the frames of a timeline must be ordered and disjoint")
        object.__setattr__(self, "start_s", start_s)
        object.__setattr__(self, "end_s", end_s)

    def __len__(self) -> int:
        return len(self.start_s)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timeline):
            return NotImplemented
        return np.array_equal(self.start_s, other.start_s) and np.array_equal(
            self.end_s, other.end_s
        )

    __hash__ = None  # type: ignore[assignment]  # compared by value, so not a key

    def span(self, first: int, stop: int) -> Interval:
        """Time covered by frames ``[first, stop)``, gaps inside included.

            frames   |0 |1 |2 |3 |      span(1, 3) -> [start_s[1], end_s[2])
                        [#####)

        Raises:
            IndexError: the range is empty or leaves the timeline.
        """
        if not 0 <= first < stop <= len(self):
            raise IndexError(f"frames [{first}, {stop}) are not in a timeline of {len(self)}")
        return Interval(float(self.start_s[first]), float(self.end_s[stop - 1]))

    def frames_in(self, interval: Interval) -> tuple[int, int]:
        """Frames ``[first, stop)`` that are on screen at some time of the interval."""
        first = int(np.searchsorted(self.end_s, interval.start_s, side="right"))
        stop = int(np.searchsorted(self.start_s, interval.end_s, side="left"))
        return first, max(first, stop)

    @classmethod
    def from_starts(cls, start_s: NDArray[np.float64], *, end_s: float) -> "Timeline":
        """Build a timeline without gaps: each frame lasts until the next one starts.

        Args:
            start_s: ``(T,)`` strictly increasing.
            end_s: when the last frame ends; ignored when there are no frames.
        """
        if len(start_s) == 0:
            return cls.empty()
        return cls(start_s=start_s, end_s=np.append(start_s[1:], end_s))

    @classmethod
    def empty(cls) -> "Timeline":
        nothing = np.empty(0, dtype=np.float64)
        return cls(start_s=nothing, end_s=nothing)

    @classmethod
    def concatenate(cls, timelines: Sequence["Timeline"]) -> "Timeline":
        """Join the timelines of consecutive chunks of one video."""
        if not timelines:
            return cls.empty()
        return cls(
            start_s=np.concatenate([timeline.start_s for timeline in timelines]),
            end_s=np.concatenate([timeline.end_s for timeline in timelines]),
        )


def merge_intervals(
    intervals: Sequence[Interval], *, max_gap_s: float = 0.0
) -> tuple[Interval, ...]:
    """Join intervals that overlap, touch, or lie at most ``max_gap_s`` apart.

    [##)[##)   [#)  ->  [####)   [#)
    """
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start_s <= merged[-1].end_s + max_gap_s:
            last = merged.pop()
            merged.append(Interval(last.start_s, max(last.end_s, interval.end_s)))
        else:
            merged.append(interval)
    return tuple(merged)


def total_length_s(intervals: Sequence[Interval]) -> float:
    """Length of the union of the intervals, in seconds; nothing is counted twice."""
    return sum(interval.length_s for interval in merge_intervals(intervals))


def _frozen_copy(values: NDArray[np.float64]) -> NDArray[np.float64]:
    copy = np.array(values, dtype=np.float64)
    copy.flags.writeable = False
    return copy
