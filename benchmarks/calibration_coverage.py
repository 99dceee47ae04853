"""How often a threshold that is chosen for a wished precision keeps its word.

    python -m benchmarks.calibration_coverage [--sets 400]

Sets of queries are drawn from a population whose true precision at every score is known. A third of
the queries copy one to four stretches, whose scores resemble each other; half of the others are
accused one to six times. Beside the choice of `vcd eval calibrate` stands the one that counts
every match as independent.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.evaluation.calibration import choose_threshold, precision_curve
from vcd.evaluation.tables import Segments

_CASES = ((100, 0.8), (100, 0.99), (400, 0.9), (400, 0.95), (400, 0.99), (2000, 0.95), (2000, 0.99))
_POPULATION = 400_000
_REF = {True: "copied", False: "other"}


@dataclass(frozen=True)
class _Drawn:
    """Matches of some queries: which query, which score, whether right."""

    query: NDArray[np.int64]
    score: NDArray[np.float64]
    is_right: NDArray[np.bool_]

    def matches(self, *, one_by_one: bool) -> Segments:
        """Make a table; each match of a query of its own where they count one by one."""
        count = len(self.query)
        query = np.arange(count) if one_by_one else self.query
        bounds_s = np.tile([0.0, 5.0], (count, 1))
        return Segments(
            query_ids=query.astype(np.str_),
            ref_ids=np.array([_REF[right] for right in self.is_right.tolist()], dtype=np.str_),
            query_s=bounds_s,
            ref_s=bounds_s,
            score=self.score,
        )


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400, help="drawn for each case")
    arguments = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    true_precision = _true_precision(_draw(_POPULATION, rng))
    for num_queries, wish in _CASES:
        sets = [_draw(num_queries, rng) for _ in range(arguments.sets)]
        row: dict[str, object] = {"queries": num_queries, "wish": wish}
        for name, one_by_one in (("by_query", False), ("by_match", True)):
            row[name] = _kept(sets, wish, true_precision, one_by_one=one_by_one)
        print(json.dumps(row), flush=True)
    return 0


def _draw(num_queries: int, rng: np.random.Generator) -> _Drawn:
    rows: list[tuple[int, float, bool]] = []
    for query in range(num_queries):
        if rng.random() < 0.33:
            likeness = rng.normal(0.62, 0.12)
            spread = rng.normal(0.0, 0.06, rng.integers(1, 5))
            rows += [(query, likeness + each, True) for each in spread]
            if rng.random() < 0.2:
                rows.append((query, rng.normal(0.25, 0.1), False))
        elif rng.random() < 0.5:
            likeness = rng.normal(0.25, 0.1)
            spread = rng.normal(0.0, 0.03, rng.integers(1, 7))
            rows += [(query, likeness + each, False) for each in spread]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return _Drawn(columns[0], columns[1], columns[2])


def _true_precision(population: _Drawn) -> Callable[[float], float]:
    order = np.argsort(population.score)
    score = population.score[order]
    num_right = np.append(np.cumsum(population.is_right[order][::-1])[::-1], 0)

    def at(min_score: float) -> float:
        first = int(np.searchsorted(score, min_score))
        return float(num_right[first] / (len(score) - first))

    return at


def _kept(
    sets: Sequence[_Drawn],
    wish: float,
    true_precision: Callable[[float], float],
    *,
    one_by_one: bool,
) -> dict[str, float | None]:
    shown: list[bool] = []
    measured: list[bool] = []
    covered: list[bool] = []
    for drawn in sets:
        matches = drawn.matches(one_by_one=one_by_one)
        curve = precision_curve(matches, _truth(np.unique(matches.query_ids)))
        try:
            chosen = choose_threshold(curve, precision=wish)
        except InputError:
            continue
        precision = true_precision(float(curve.min_score[chosen.row]))
        (shown if chosen.is_shown else measured).append(precision < wish)
        covered.append(bool(curve.low[chosen.row] <= precision <= curve.high[chosen.row]))
    return {
        "shown": len(shown) / len(sets),
        "short_when_shown": _mean(shown),
        "short_when_measured": _mean(measured),
        "interval_holds": _mean(covered),
    }


def _truth(query_ids: NDArray[np.str_]) -> Segments:
    bounds_s = np.tile([0.0, 5.0], (len(query_ids), 1))
    return Segments(
        query_ids=query_ids,
        ref_ids=np.full(len(query_ids), _REF[True]),
        query_s=bounds_s,
        ref_s=bounds_s,
        score=np.ones(len(query_ids)),
    )


def _mean(claims: Sequence[bool]) -> float | None:
    return round(float(np.mean(claims)), 4) if claims else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
