"""What a synthetic query shows when: stretches of footage, edited, one after the other.

The frames of a query come at a constant rate: frame k is on screen in ``[k, k + 1) / rate``. A
stretch of footage is cut into as many cells as it has query frames, and each query frame shows
what the footage showed in the middle of its cell:

    footage   |  cell 7  |  cell 8  |  cell 9  |        7 .. 9 of cells of speed / rate seconds
    instants        ^          ^          ^
    query         | k | k + 1 | k + 2 |                 frames of 1 / rate seconds

These are the very cells in which `vcd.media` samples, so the bounds of a copy are exact: query
``[k, k + 3) / rate`` is reference ``[7, 10) * speed / rate``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vcd.core import Interval
from vcd.evaluation.stretches import TrueCopy
from vcd.evaluation.synthesis.edits import Edit

__all__ = ["LOW_BITRATE_CRF", "Part", "QueryPlan", "Stretch"]

LOW_BITRATE_CRF = 38
"""From here on a query counts as badly compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece of footage, cut into cells.

    Attributes:
        source_id: the video it is from.
        first_cell: the first of them, counted from the start of the video.
        num_cells: how many; each becomes one frame.
        cell_rate_hz: cells a second of the footage's own clock.
    """

    source_id: str
    first_cell: int
    num_cells: int
    cell_rate_hz: float

    def __post_init__(self) -> None:
        if self.first_cell < 0 or self.num_cells < 1 or not 0.0 < self.cell_rate_hz <= 1000.0:
            raise ValueError(f"{self.source_id}: no such stretch: {self}")

    @property
    def interval(self) -> Interval:
        """When it is shown in the footage, in seconds."""
        stop = self.first_cell + self.num_cells
        return Interval(self.first_cell / self.cell_rate_hz, stop / self.cell_rate_hz)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch as it appears in a query.

    Attributes:
        shown: what is shown.
        edits: what is done to each of its pictures, in order.
        behind: what an inset lies in and a stack lies beside; as many cells as ``shown``. None
            when no edit needs it.
        surrounds: whether it is footage around a copy, or around what a negative has in its place.
    """

    shown: Stretch
    edits: tuple[Edit, ...] = ()
    behind: Stretch | None = None
    surrounds: bool = False

    def __post_init__(self) -> None:
        needs_other = any(edit.needs_other for edit in self.edits)
        if needs_other != (self.behind is not None):
            raise ValueError(f"{self.shown.source_id}: other footage is for insets and stacks")
        if self.behind is not None and self.behind.num_cells != self.shown.num_cells:
            raise ValueError(f"{self.shown.source_id}: the footage behind has another length")

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        return (self.shown,) if self.behind is None else (self.shown, self.behind)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """One query, before it is made.

    Attributes:
        id: ``Q`` and six digits.
        structure: ``clip`` (a copy and nothing else), ``insertion`` (a copy within other footage)
            or ``compilation`` (several copies, or several stretches of one).
        parts: one after the other.
        size: width and height in pixels, both even.
        rate_hz: frames a second.
        crf: of the encoder; larger is smaller and worse, 23 is usual.
        blurred_bars: whether a picture of another shape lies on a blurred copy of itself; else
            on black.
    """

    id: str
    structure: str
    parts: tuple[Part, ...]
    size: tuple[int, int]
    rate_hz: float
    crf: int
    blurred_bars: bool

    def __post_init__(self) -> None:
        if not self.parts or min(self.size) < 2 or any(side % 2 for side in self.size):
            raise ValueError(f"{self.id}: wanted parts and an even size: {self.size}")

    @property
    def num_frames(self) -> int:
        return sum(part.shown.num_cells for part in self.parts)

    @property
    def duration_s(self) -> float:
        return self.num_frames / self.rate_hz

    def placed(self) -> Iterator[tuple[Part, Interval]]:
        """Yield each part and when it is shown in the query."""
        first = 0
        for part in self.parts:
            stop = first + part.shown.num_cells
            yield part, Interval(first / self.rate_hz, stop / self.rate_hz)
            first = stop

    def speed(self, part: Part) -> float:
        """Seconds of footage that pass in a second of the query."""
        return self.rate_hz / part.shown.cell_rate_hz

    def edit_names(self, part: Part) -> tuple[str, ...]:
        """Name what was done to a part, in the order of doing; nothing is ``("none",)``."""
        names = [edit.name for edit in part.edits]
        if part.shown.cell_rate_hz != self.rate_hz:
            names.append("speed")
        if self.crf >= LOW_BITRATE_CRF:
            names.append("low_bitrate")
        return tuple(names) or ("none",)

    def true_copies(self, ref_ids: Mapping[str, str]) -> tuple[tuple[Part, TrueCopy], ...]:
        """Tell which parts are copied from a reference, and from where to where.

        Args:
            ref_ids: what the reference is called that a video became; no entry for the others.
        """
        return tuple(
            (
                part,
                TrueCopy(
                    query_id=self.id,
                    ref_id=ref_ids[part.shown.source_id],
                    query=query,
                    ref=part.shown.interval,
                ),
            )
            for part, query in self.placed()
            if part.shown.source_id in ref_ids
        )
