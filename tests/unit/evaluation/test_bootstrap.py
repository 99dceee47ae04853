"""Intervals over resampled queries."""

import importlib

import numpy as np
import pytest

from vcd.evaluation import confidence_interval, ratio_of

MODULE = "vcd.evaluation.bootstrap"


def test_an_interval_of_a_share_is_about_two_standard_errors_wide():
    found = np.repeat([1, 0], 200)

    low, high = confidence_interval(ratio_of(found, np.ones(400, dtype=np.int64)), 400)

    error = np.sqrt(0.5 * 0.5 / 400)
    assert low == pytest.approx(0.5 - 1.96 * error, abs=0.008)
    assert high == pytest.approx(0.5 + 1.96 * error, abs=0.008)


def test_each_resample_draws_as_many_queries_as_there_are():
    sizes: list[tuple[int, int]] = []

    def metric(drawn):
        sizes.extend((len(drawn), int(num)) for num in drawn.sum(axis=0))
        return np.zeros(drawn.shape[1])

    confidence_interval(metric, 7, num_resamples=30)

    assert sizes == [(7, 7)] * 30


def test_memory_for_few_resamples_at_once_changes_nothing(monkeypatch):
    """The values of the plain bootstrap: one draw after another, one evaluation for each."""
    rng, weight, sizes = np.random.default_rng(3), np.arange(6) ** 2, []
    expected = np.quantile([weight[rng.integers(0, 6, 6)].sum() for _ in range(50)], [0.1, 0.9])

    def metric(drawn):
        sizes.append(drawn.shape[1])
        return weight @ drawn

    found = []
    for cells in (1000, 6 * 7, 1):
        monkeypatch.setattr(importlib.import_module(MODULE), "MAX_CELLS", cells)
        found.append(confidence_interval(metric, 6, coverage=0.8, num_resamples=50, seed=3))

    assert np.array(found) == pytest.approx(np.tile(expected, (3, 1)), abs=1e-12)
    assert sizes == [50] + [7] * 7 + [1] + [1] * 50


def test_the_seed_decides_the_draws():
    def metric(drawn):
        return np.arange(20.0) ** 2 @ drawn

    once, again, other = (confidence_interval(metric, 20, seed=seed) for seed in (1, 1, 2))

    assert once == again != other


def test_coverage_decides_the_ends():
    def metric(drawn):
        return drawn[:50].sum(axis=0)

    wide, narrow = (confidence_interval(metric, 100, coverage=share) for share in (0.95, 0.5))

    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_without_queries_both_ends_are_what_the_metric_says_of_nothing():
    empty = np.zeros(0, dtype=np.int64)

    assert confidence_interval(ratio_of(empty, empty), 0) == (0.0, 0.0)


@pytest.mark.parametrize(("coverage", "num_resamples"), [(0.0, 10), (1.0, 10), (0.9, 0)])
def test_an_interval_that_makes_no_sense_is_refused(coverage, num_resamples):
    with pytest.raises(ValueError, match="no interval of coverage"):
        confidence_interval(
            ratio_of(np.ones(3), np.ones(3)), 3, coverage=coverage, num_resamples=num_resamples
        )
