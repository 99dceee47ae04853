"""Choose what is done to a copied stretch: one edit or several, and how hard.

One edit is drawn from a deck, so that a set of any size has about as many stretches of each;
several come from different groups and are applied in the order in which people apply them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from vcd.evaluation.settings import SynthSettings
from vcd.evaluation.synthesis.edits import Edit, plan_edit
from vcd.evaluation.synthesis.query_plan import LOW_BITRATE_CRF

__all__ = ["MAX_SPEED", "MIN_SPEED", "Deck", "EditChooser", "Treatment"]

Generator = np.random.Generator
_Item = TypeVar("_Item")

MIN_SPEED, MAX_SPEED = 0.6, 1.5
"""Seconds of footage in a second of the query; the ground truth of VSC2022 has 0.58 to 1.50."""

_LEAST_SPEED_CHANGE = 0.05
_MOST_CRF = 44
_USUAL_CRF = (22, 30)

_GROUPS = {
    "shape": (
        ("crop70", 0.2),
        ("crop45", 0.6),
        ("flip", 0.1),
        ("rotate10", 0.4),
        ("rotate90", 0.8),
        ("anamorphic", 0.5),
        ("padding", 0.2),
    ),
    "colour": (("grey", 0.1), ("colour", 0.2), ("solarize", 0.8)),
    "overlay": (("text", 0.1), ("sticker", 0.2), ("caption", 0.2)),
    "quality": (("jpeg8", 0.3), ("blur", 0.3), ("shrink8", 0.5), ("low_bitrate", 0.2)),
    "composition": (("inset", 0.5), ("stack", 0.5)),
    "time": (("speed", 0.3),),
}
"""Edits by group, in the order of application, each with the strength from which on it is used."""

_COMPOSITION_WEIGHT = 0.35
"""Of a group among several at once, where others have 1. An inset that is also cropped and blurred
is the exception among uploads; in equal shares half of all strong edits would hold one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What is done to one stretch.

    Attributes:
        edits: of its pictures, in order.
        speed: seconds of footage that pass in a second of the query.
        crf: the quality that the encoder is held to; larger is worse.
    """

    edits: tuple[Edit, ...]
    speed: float
    crf: int


class Deck(Generic[_Item]):
    """Draw at random, but every item once before any comes again."""

    def __init__(self, items: Sequence[_Item], rng: Generator) -> None:
        self._items = items
        self._rng = rng
        self._left: list[_Item] = []

    def draw(self) -> _Item:
        if not self._left:
            self._left = [self._items[place] for place in self._rng.permutation(len(self._items))]
        return self._left.pop()


class EditChooser:
    """Draws treatments of the strength that the settings ask for."""

    def __init__(self, settings: SynthSettings, rng: Generator) -> None:
        self._rng = rng
        self._several_share = settings.several_share
        self._groups = {
            group: [name for name, strength in kinds if strength <= settings.strength]
            for group, kinds in _GROUPS.items()
        }
        self._groups = {group: names for group, names in self._groups.items() if names}
        single = [name for names in self._groups.values() for name in names]
        self._deck = Deck(["none", *single], rng)

    def choose(self) -> Treatment:
        """Draw what is done to the next stretch."""
        names = self._several() if self._rng.random() < self._several_share else [self._deck.draw()]
        edits = [plan_edit(name, self._rng) for name in names if name not in _NOT_OF_PICTURES]
        crf_range = (LOW_BITRATE_CRF, _MOST_CRF) if "low_bitrate" in names else _USUAL_CRF
        return Treatment(
            edits=tuple(edits),
            speed=self._speed() if "speed" in names else 1.0,
            crf=int(self._rng.integers(*crf_range, endpoint=True)),
        )

    def _several(self) -> list[str]:
        groups = list(self._groups)
        if not groups:
            return []
        wanted = min(len(groups), int(self._rng.integers(2, 4, endpoint=True)))
        weights = np.array([_COMPOSITION_WEIGHT if g == "composition" else 1.0 for g in groups])
        chosen = self._rng.choice(len(groups), wanted, replace=False, p=weights / weights.sum())
        return [str(self._rng.choice(self._groups[groups[place]])) for place in sorted(chosen)]

    def _speed(self) -> float:
        while True:
            speed = round(float(np.exp(self._rng.uniform(np.log(MIN_SPEED), np.log(MAX_SPEED)))), 2)
            if abs(speed - 1.0) >= _LEAST_SPEED_CHANGE:
                return speed


_NOT_OF_PICTURES = frozenset({"none", "speed", "low_bitrate"})
