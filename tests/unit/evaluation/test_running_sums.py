"""Running sums along a ranking, of many resamples at once."""

import importlib

import numpy as np
import pytest

from vcd.evaluation.running_sums import running_sums


def walked(sums, num_drawn):
    return [each.tolist() for each in sums.along(np.array(num_drawn, dtype=np.float64))]


def test_what_is_added_between_two_stops_counts_at_the_later_one():
    place, query = np.array([0, 1, 1, 2, 3]), np.array([0, 0, 1, 1, 0])
    added = np.array([[1.0], [2.0], [10.0], [20.0], [4.0]])

    sums = running_sums(place, query, added, stops=np.array([1, 2]), num_queries=2)

    assert walked(sums, [[1, 0], [1, 3]]) == [[[[0, 0], [13, 30], [33, 90]]]]


def test_amounts_are_summed_each_for_itself():
    sums = running_sums(
        np.array([0, 0]),
        np.array([0, 0]),
        np.array([[1.0, 5.0], [1.0, 0.0]]),
        stops=np.array([0]),
        num_queries=1,
    )

    assert walked(sums, [[2]]) == [[[[0], [4]], [[0], [10]]]]


def test_the_walk_goes_on_where_the_part_before_it_ended(monkeypatch):
    module = importlib.import_module("vcd.evaluation.running_sums")
    rng = np.random.default_rng(0)
    place, query = np.arange(50) // 2, rng.integers(0, 4, 50)
    sums = running_sums(place, query, rng.random((50, 2)), stops=np.arange(0, 25, 3), num_queries=4)
    num_drawn = rng.integers(0, 3, (4, 5)).astype(np.float64)
    (whole,) = sums.along(num_drawn)

    monkeypatch.setattr(module, "MAX_CELLS", 2 * 5 * 4)
    parts = list(sums.along(num_drawn))

    assert [part.shape for part in parts] == [(2, 5, 5), (2, 5, 5), (2, 2, 5)]
    assert parts[1][:, 0] == pytest.approx(parts[0][:, -1])
    joined = np.concatenate([parts[0][:, :1], *(part[:, 1:] for part in parts)], axis=1)
    assert joined == pytest.approx(whole)


@pytest.mark.parametrize("num_queries", [0, 2])
def test_a_ranking_without_stops_has_no_sums(num_queries):
    nothing = np.zeros(0, dtype=np.int64)

    sums = running_sums(nothing, nothing, np.zeros((0, 2)), stops=nothing, num_queries=num_queries)

    assert list(sums.along(np.ones((num_queries, 3)))) == []
