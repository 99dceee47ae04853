"""Plan the queries of a synthetic data set: what is copied, how it is edited, what lies around it.

Negatives are planned like the others, from strangers instead of references: nothing but the
footage tells them apart. Lengths and numbers of copies follow VSC2022's ground truth.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.edit_choice import MAX_SPEED, Deck, EditChooser, Treatment
from vcd.evaluation.synthesis.footage_roles import Role, Source
from vcd.evaluation.synthesis.query_frames import edited_size
from vcd.evaluation.synthesis.query_plan import Part, QueryPlan, Stretch

__all__ = ["min_source_s", "plan_queries"]

Generator = np.random.Generator

_FIRST_QUERY = 100_001
_STRUCTURES = (*["clip"] * 6, *["insertion"] * 10, *["compilation"] * 4)
"""VSC2022: a fifth of the copying queries copies from two or three references."""

_MEDIAN_SEGMENT_S = 10.0
_MEDIAN_AROUND_S = 8.0
_LENGTH_SPREAD = 0.6
"""Of the logarithm: puts a twentieth of all segments below 4 s and another above 27 s."""

_AROUND_RANGE_S = (2.0, 30.0)
_WHOLE_SHARE = 0.3
"""Part of the clips that shows all of a video, as far as a segment may be long."""

_SIDES = ("both", "both", "both", "before", "after")
_SAME_AGAIN_SHARE = 0.2
_BETWEEN_SHARE = 0.5
_MIN_SHORT_EDGE_PX = 144
_MAX_ASPECT = 16 / 9
_MAX_CELL_RATE_HZ = 900.0


def min_source_s(settings: SynthSettings) -> float:
    """Tell how long a video must be to be used: the shortest segment fits in at any speed."""
    return settings.min_segment_s * MAX_SPEED + 1.0 / settings.rate_hz


def plan_queries(
    sources: Sequence[Source], roles: Mapping[str, Role], settings: SynthSettings
) -> tuple[QueryPlan, ...]:
    """Plan every query; the same sources, roles and settings give the same plans.

    Args:
        sources: videos of at least `min_source_s`, each with a role.
        roles: by id of the source.
        settings: how many, how hard, how long.
    """
    ordered = sorted(sources, key=lambda source: source.id)
    rng = np.random.default_rng(settings.seed)
    num_negatives = round(settings.num_queries * settings.negative_share)
    is_negative = rng.permutation(settings.num_queries) < num_negatives
    strangers = [source for source in ordered if roles[source.id] is Role.STRANGER]
    copied = [source for source in ordered if roles[source.id] is Role.COPIED]
    positives = _Planner(copied, strangers, settings, rng)
    negatives = _Planner(strangers, strangers, settings, rng)
    return tuple(
        (negatives if negative else positives).plan(f"Q{_FIRST_QUERY + number:06d}")
        for number, negative in enumerate(is_negative)
    )


class _Planner:
    """Plans queries whose main footage comes from one set of videos."""

    def __init__(
        self,
        mains: Sequence[Source],
        strangers: Sequence[Source],
        settings: SynthSettings,
        rng: Generator,
    ) -> None:
        self._settings = settings
        self._rng = rng
        self._mains = Deck(mains, rng)
        self._strangers = Deck(strangers, rng)
        self._structures = Deck(_STRUCTURES, rng)
        self._sizes = {source.id: source.size for source in strangers}
        self._chooser = EditChooser(settings, rng)
        shortest_s = min(source.usable.length_s for source in strangers)
        self._max_cells = int(_MAX_CELL_RATE_HZ * shortest_s)

    def plan(self, query_id: str) -> QueryPlan:
        structure = self._structures.draw()
        sources = self._copied_sources(structure)
        treatments = [self._chooser.choose() for _ in sources]
        mains = [
            self._main(source, treatment, structure)
            for source, treatment in zip(sources, treatments, strict=True)
        ]
        return QueryPlan(
            id=query_id,
            structure=structure,
            parts=tuple(self._surrounded(mains, structure)),
            size=self._size(mains[0], sources[0]),
            rate_hz=self._settings.rate_hz,
            crf=max(treatment.crf for treatment in treatments),
            blurred_bars=bool(self._rng.random() < 0.4),
        )

    def _copied_sources(self, structure: str) -> list[Source]:
        if structure != "compilation":
            return [self._mains.draw()]
        sources = [self._mains.draw()]
        for _ in range(int(self._rng.integers(1, 2, endpoint=True))):
            again = self._rng.random() < _SAME_AGAIN_SHARE
            sources.append(sources[-1] if again else self._mains.draw())
        return sources

    def _main(self, source: Source, treatment: Treatment, structure: str) -> Part:
        settings = self._settings
        length_s = self._length_s(
            _MEDIAN_SEGMENT_S, (settings.min_segment_s, settings.max_segment_s)
        )
        if structure == "clip" and self._rng.random() < _WHOLE_SHARE:
            length_s = settings.max_segment_s
        shown = self._stretch(source, length_s, settings.rate_hz / treatment.speed)
        behind = None
        if any(edit.needs_other for edit in treatment.edits):
            behind = self._behind(self._stranger(source.id), shown.num_cells)
        return Part(shown=shown, edits=treatment.edits, behind=behind)

    def _surrounded(self, mains: Sequence[Part], structure: str) -> list[Part]:
        """Put footage of strangers before, after and between copies."""
        sides = "none" if structure != "insertion" else str(self._rng.choice(_SIDES))
        parts = [self._around(mains[0])] if sides in ("both", "before") else []
        for place, main in enumerate(mains):
            if place and self._rng.random() < _BETWEEN_SHARE:
                parts.append(self._around(main))
            parts.append(main)
        return [*parts, self._around(mains[-1])] if sides in ("both", "after") else parts

    def _around(self, main: Part) -> Part:
        length_s = self._length_s(_MEDIAN_AROUND_S, _AROUND_RANGE_S)
        source = self._stranger(main.shown.source_id)
        return Part(shown=self._stretch(source, length_s, self._settings.rate_hz), surrounds=True)

    def _stranger(self, other_than: str) -> Source:
        """Draw a stranger; there are two at least, so that another one comes soon."""
        while True:
            source = self._strangers.draw()
            if source.id != other_than:
                return source

    def _length_s(self, median_s: float, limits_s: tuple[float, float]) -> float:
        length_s = median_s * math.exp(self._rng.normal(0.0, _LENGTH_SPREAD))
        return min(max(length_s, limits_s[0]), limits_s[1])

    def _stretch(self, source: Source, length_s: float, cell_rate_hz: float) -> Stretch:
        """Take a stretch of about this length on the query's clock, from anywhere in the video."""
        wanted = min(round(length_s * self._settings.rate_hz), self._max_cells)
        return self._cut(source, max(1, wanted), cell_rate_hz)

    def _behind(self, source: Source, num_cells: int) -> Stretch:
        """Take as many cells, in slow motion where the video is too short for them."""
        slow_hz = (num_cells + 2) / source.usable.length_s
        return self._cut(source, num_cells, max(self._settings.rate_hz, slow_hz))

    def _cut(self, source: Source, num_cells: int, cell_rate_hz: float) -> Stretch:
        first = math.ceil(source.usable.start_s * cell_rate_hz)
        stop = math.floor(source.usable.end_s * cell_rate_hz)
        num_cells = min(num_cells, stop - first)
        return Stretch(
            source_id=source.id,
            first_cell=int(self._rng.integers(first, stop - num_cells, endpoint=True)),
            num_cells=num_cells,
            cell_rate_hz=cell_rate_hz,
        )

    def _size(self, main: Part, source: Source) -> tuple[int, int]:
        """Choose a canvas of the shape that the first copy has after its edits."""
        behind = self._sizes[main.behind.source_id] if main.behind is not None else source.size
        width, height = edited_size(main, source.size, behind)
        usual_area = self._settings.short_edge_px**2 * _MAX_ASPECT
        scale = min(1.0, math.sqrt(usual_area / (width * height)))
        scale = max(scale, _MIN_SHORT_EDGE_PX / min(width, height))
        return _even(width * scale), _even(height * scale)


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))
