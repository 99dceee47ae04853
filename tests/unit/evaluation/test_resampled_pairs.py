"""Metrics of scored pairs in many resamples of the queries at once."""

import importlib
from functools import partial
from typing import Any

import numpy as np
import pytest

from vcd.evaluation import (
    ScoredPairs,
    isc_micro_ap,
    micro_ap,
    recall_at_precision,
    resampled_isc_micro_ap,
    resampled_micro_ap,
    resampled_recall_at_precision,
    resampled_trapezoid_micro_ap,
    trapezoid_micro_ap,
)


def plain_recall(pairs, precision):
    return recall_at_precision(pairs, precision)[0]


METRICS: dict[str, Any] = {
    "micro-AP": (resampled_micro_ap, micro_ap),
    "ISC": (resampled_isc_micro_ap, isc_micro_ap),
    "trapezoid": (resampled_trapezoid_micro_ap, trapezoid_micro_ap),
    **{
        f"recall at {precision}": (
            partial(resampled_recall_at_precision, precision=precision),
            partial(plain_recall, precision=precision),
        )
        for precision in (0.0, 0.2, 0.5, 0.9)
    },
}


def drawn_pairs(num_scores):
    """Pairs of 20 queries, the true ones better; some true ones are never predicted."""
    rng = np.random.default_rng(num_scores)
    is_true, query = rng.random(300) < 0.2, rng.integers(0, 20, 300)
    scores = rng.integers(0, num_scores, 300) + 0.5 * num_scores * is_true
    found = np.bincount(query[is_true], minlength=20)
    return ScoredPairs(
        scores=np.floor(scores),
        is_true=is_true,
        query=query,
        num_true=found + rng.integers(0, 2, 20),
    )


def repeated(pairs, num_drawn):
    """The pairs of a resample, each as often as its query is drawn."""
    rows = np.repeat(np.arange(len(pairs.query)), num_drawn[pairs.query])
    return ScoredPairs(
        scores=pairs.scores[rows],
        is_true=pairs.is_true[rows],
        query=pairs.query[rows],
        num_true=pairs.num_true * num_drawn,
    )


@pytest.mark.parametrize("cells", [1 << 20, 200], ids=["at once", "in parts"])
@pytest.mark.parametrize("num_scores", [1, 4, 100_000], ids=["one tie", "many ties", "few ties"])
@pytest.mark.parametrize("name", METRICS)
def test_resamples_equal_the_plain_metric_of_repeated_queries(monkeypatch, name, num_scores, cells):
    monkeypatch.setattr(importlib.import_module("vcd.evaluation.running_sums"), "MAX_CELLS", cells)
    resampled, plain = METRICS[name]
    pairs = drawn_pairs(num_scores)
    resamples = np.random.default_rng(1).multinomial(20, np.full(20, 1 / 20), size=25).T

    found = resampled(pairs)(resamples.astype(np.float64))

    expected = [plain(repeated(pairs, num_drawn)) for num_drawn in resamples.T]
    assert found == pytest.approx(expected, abs=1e-12)
    assert len(set(expected)) > 1 or num_scores == 1


def test_a_worked_example():
    """A wrong pair of query 0 above a true one of query 1."""
    pairs = ScoredPairs.from_pairs([("a", "x"), ("b", "y")], [2.0, 1.0], [("b", "y")])
    resamples = np.array([[0.0, 3.0, 2.0, 0.0], [1.0, 1.0, 0.0, 2.0]])

    assert resampled_micro_ap(pairs)(resamples).tolist() == [1.0, 0.25, 0.0, 1.0]
    assert resampled_isc_micro_ap(pairs)(resamples).tolist() == [1.0, 0.25, 0.0, 1.0]
    recalls = resampled_recall_at_precision(pairs, 0.9)(resamples)
    assert recalls.tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("scores", [[], [1.0]], ids=["nothing", "nothing true"])
def test_nothing_to_find_is_zero(name, scores):
    pairs = ScoredPairs.from_pairs([("a", "x")][: len(scores)], scores, [])

    found = METRICS[name][0](pairs)(np.ones((len(scores), 2)))

    assert found.tolist() == [0.0, 0.0]
