"""Links fold into a forest that knows every cluster."""

import numpy as np
import pytest

from vcd.search import link_forest
from vcd.search.link_forest import Links, clusters_of, strongest_forest


def _links(*triples):
    first, second, similarity = zip(*triples, strict=True)
    return Links(
        first=np.array(first, dtype=np.int64),
        second=np.array(second, dtype=np.int64),
        similarity=np.array(similarity, dtype=np.float32),
    )


def _pairs(links):
    return set(zip(links.first.tolist(), links.second.tolist(), strict=True))


def test_a_forest_keeps_the_strongest_way_from_row_to_row():
    triangle = _links((0, 1, 0.9), (0, 2, 0.7), (1, 2, 0.8))

    forest, num_links = strongest_forest([triangle], 3)

    assert _pairs(forest) == {(0, 1), (1, 2)}
    assert forest.similarity.tolist() == pytest.approx([0.9, 0.8])
    assert num_links == 3


def test_folding_early_changes_neither_the_forest_nor_the_count(monkeypatch):
    rng = np.random.default_rng(3)
    pairs = [(i, j) for i in range(12) for j in range(i + 1, 12)]
    parts = [_links((i, j, rng.uniform(0.5, 1.0))) for i, j in pairs]
    at_once, num_at_once = strongest_forest(parts, 12)
    monkeypatch.setattr(link_forest, "_MAX_WAITING_LINKS", 3)

    early, num_early = strongest_forest(parts, 12)

    assert _pairs(early) == _pairs(at_once)
    assert early.similarity.tolist() == pytest.approx(at_once.similarity.tolist())
    assert num_early == num_at_once == 66


def test_a_link_names_its_lower_row_first():
    with pytest.raises(ValueError, match="lower"):
        _links((2, 1, 0.9))


def test_links_have_as_many_rows_on_both_sides():
    nothing = np.empty(0, dtype=np.int64)

    with pytest.raises(ValueError, match="0 and 1"):
        Links(first=nothing, second=np.array([1]), similarity=np.empty(0, dtype=np.float32))


def test_links_fall_apart_into_clusters_by_their_first_rows():
    links = _links((3, 5, 0.9), (0, 4, 0.9), (4, 6, 0.9))

    assert [rows.tolist() for rows in clusters_of(links, 8)] == [[0, 4, 6], [3, 5]]
