"""Compare two values and say in a sentence how they differ: what was recorded, what was found."""

import math
from collections.abc import Iterator, Sequence

from vcd.core import Interval

__all__ = ["TIME_S", "apart", "are_near", "is_near", "listed", "stretch", "told", "unequal"]

TIME_S = 2e-3
"""Times are recorded to the millisecond: one in the last place may be another by rounding."""


def are_near(some: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """Tell whether there are as many intervals, each where the other is."""
    return len(some) == len(others) and all(map(is_near, some, others))


def is_near(one: Interval, other: Interval) -> bool:
    """Tell whether both bounds are the same but for rounding."""
    off_s = max(abs(one.start_s - other.start_s), abs(one.end_s - other.end_s))
    return off_s <= TIME_S


def apart(name: str, recorded: float, found: float, tolerance: float) -> Iterator[str]:
    """Say that two numbers differ by more than a tolerance, when they do."""
    if not math.isclose(recorded, found, rel_tol=0.0, abs_tol=tolerance):
        yield told(name, f"{recorded:.6g}", f"{found:.6g}")


def unequal(name: str, recorded: object, found: object) -> Iterator[str]:
    """Say that two values are not the same, when they are not."""
    if recorded != found:
        yield told(name, recorded, found)


def told(name: str, recorded: object, found: object) -> str:
    """``score: 0.81 recorded, 0.79 found``."""
    return f"{name}: {recorded} recorded, {found} found"


def stretch(interval: Interval) -> str:
    """``12.500-31.000 s``."""
    return f"{interval.start_s:.3f}-{interval.end_s:.3f} s"


def listed(intervals: Sequence[Interval]) -> str:
    """Name stretches of time, or say that there are none."""
    return ", ".join(map(stretch, intervals)) or "nothing"
