"""Collect what is wrong with a file: every kind of it, the first ten of a kind, and a count."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Violations"]

_MAX_SHOWN = 10


@dataclass(slots=True)
class Violations:
    """Violations by kind, in order of first sight.

    Attributes:
        told: kind -> sentences, ten at most.
        num_more: kind -> how many more there are.
    """

    told: dict[str, list[str]] = field(default_factory=dict)
    num_more: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, sentence: str) -> None:
        """Add one.

        Args:
            kind: what violations of its kind are called in the plural.
            sentence: what was wanted and what was found, and where.
        """
        told = self.told.setdefault(kind, [])
        if len(told) < _MAX_SHOWN:
            told.append(sentence)
        else:
            self.num_more[kind] = self.num_more.get(kind, 0) + 1

    def add_rows(self, kind: str, is_wrong: NDArray[np.bool_], say: Callable[[int], str]) -> None:
        """Add each row of a mask.

        Args:
            kind: as for `add`.
            is_wrong: ``(N,)`` bool.
            say: makes the sentence of a row.
        """
        rows = np.flatnonzero(is_wrong)
        for row in rows[:_MAX_SHOWN].tolist():
            self.add(kind, say(row))
        if len(rows) > _MAX_SHOWN:
            self.num_more[kind] = self.num_more.get(kind, 0) + len(rows) - _MAX_SHOWN

    def sentences(self) -> tuple[str, ...]:
        """List them, kind by kind; a kind with more than ten ends with their number."""
        listed = []
        for kind, told in self.told.items():
            listed.extend(told)
            if kind in self.num_more:
                listed.append(f"and {self.num_more[kind]} more {kind}")
        return tuple(listed)
