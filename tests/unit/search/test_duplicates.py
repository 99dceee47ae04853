"""Links and clusters of vectors that can be drawn on paper."""

import numpy as np
import pytest

from vcd.search import duplicates
from vcd.search.duplicates import all_links, exact_links, least_similarity, probed_links
from vcd.search.inverted_lists import InvertedLists
from vcd.search.link_forest import Links, clusters_of, strongest_forest


def _at_degrees(*angles):
    """Unit vectors in the plane: their similarity is the cosine of the angle between them."""
    radians = np.deg2rad(np.array(angles, dtype=np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def _pairs(links):
    return set(zip(links.first.tolist(), links.second.tolist(), strict=True))


def _clusters(features, threshold):
    forest, _ = strongest_forest(all_links(features, threshold).links, len(features))
    return [rows.tolist() for rows in clusters_of(forest, len(features))]


def test_rows_from_the_threshold_on_are_linked_and_others_are_not():
    features = _at_degrees(0, 30, 61, 180)

    found = Links.joined(all_links(features, 0.86).links)

    assert _pairs(found) == {(0, 1)}
    assert found.similarity[0] == pytest.approx(np.cos(np.deg2rad(30)), abs=1e-6)


def test_links_connect_rows_that_are_not_near_each_other_themselves():
    features = _at_degrees(0, 25, 50, 180)

    clusters = _clusters(features, 0.9)

    assert clusters == [[0, 1, 2]]
    assert least_similarity(features, np.array([0, 1, 2])) == pytest.approx(
        np.cos(np.deg2rad(50)), abs=1e-6
    )


def test_clusters_come_by_their_first_row_and_no_row_alone_is_one():
    features = _at_degrees(0, 90, 180, 91, 1)

    assert _clusters(features, 0.99) == [[0, 4], [1, 3]]


def test_rows_that_are_the_same_to_the_bit_are_near_even_at_a_threshold_of_one():
    features = _at_degrees(17, 40, 17, 17)

    forest, num_links = strongest_forest(all_links(features, 1.0).links, 4)

    assert [rows.tolist() for rows in clusters_of(forest, 4)] == [[0, 2, 3]]
    assert forest.similarity.tolist() == [1.0, 1.0]
    assert num_links == 2


def test_rows_without_evidence_are_linked_to_nothing_not_even_to_each_other():
    features = np.vstack([np.zeros((2, 2), dtype=np.float32), _at_degrees(0, 0)])

    assert _clusters(features, 0.1) == [[2, 3]]


@pytest.mark.parametrize("num_rows", [0, 1])
def test_too_few_rows_for_a_pair_have_no_clusters(num_rows):
    assert _clusters(_at_degrees(*range(num_rows)), 0.5) == []


def test_many_rows_all_alike_leave_a_forest_and_not_every_pair():
    features = np.repeat(_at_degrees(10), 3000, axis=0)

    forest, num_links = strongest_forest(all_links(features, 0.9).links, 3000)

    assert len(forest) == num_links == 2999


def test_a_pair_is_found_once_when_either_row_probes_the_list_of_the_other():
    features = _at_degrees(0, 1, 2)
    lists = InvertedLists(
        rows=np.arange(3),
        probed=np.array([[0, 1], [1, 0], [1, 2]], dtype=np.int32),
        num_lists=3,
    )

    found = Links.joined(probed_links(features, lists, 0.99))

    assert sorted(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]


def test_a_pair_of_which_neither_row_probes_the_list_of_the_other_is_missed():
    features = _at_degrees(0, 1)
    lists = InvertedLists(
        rows=np.arange(2), probed=np.array([[0], [1]], dtype=np.int32), num_lists=2
    )

    assert len(Links.joined(probed_links(features, lists, 0.99))) == 0


def test_equal_rows_count_once_among_those_that_are_compared_exactly(monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_EXACT_ROWS", 2)
    two_kinds = _at_degrees(0, 90, 0, 90, 0)

    assert all_links(two_kinds, 0.9).is_exact
    assert not all_links(_at_degrees(0, 45, 90), 0.9).is_exact


def test_more_rows_than_are_compared_exactly_are_looked_for_in_lists(monkeypatch):
    features = _at_degrees(*range(0, 360, 3), 1)
    monkeypatch.setattr(duplicates, "MAX_EXACT_ROWS", 10)
    asked = []

    def remember(features, rows):
        asked.append(len(rows))
        return InvertedLists(
            rows=rows, probed=np.zeros((len(rows), 1), dtype=np.int32), num_lists=1
        )

    monkeypatch.setattr(InvertedLists, "of", remember)

    found = Links.joined(all_links(features, 0.9998).links)

    assert asked == [121]
    assert _pairs(found) == {(0, 120)}


def test_only_the_chosen_rows_are_compared():
    features = _at_degrees(0, 0, 0)

    assert _pairs(Links.joined(exact_links(features, np.array([0, 2]), 0.9))) == {(0, 2)}


@pytest.mark.parametrize("max_exact_rows", [10_000, 10], ids=["exact", "lists"])
def test_progress_rises_to_one(max_exact_rows, monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_EXACT_ROWS", max_exact_rows)
    monkeypatch.setattr(duplicates, "_BLOCK_ROWS", 32)
    told: list[float] = []

    list(all_links(_at_degrees(*range(0, 360, 3)), 0.99, told.append).links)

    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == pytest.approx(1.0)
