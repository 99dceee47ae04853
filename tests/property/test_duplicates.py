"""Laws of near-duplicates: exact is brute force, order does not matter, all lists are exact."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vcd.search.duplicates import all_links, exact_links, probed_links
from vcd.search.inverted_lists import InvertedLists
from vcd.search.link_forest import Links, clusters_of, strongest_forest

_seeds = st.integers(0, 2**32 - 1)
_thresholds = st.floats(0.3, 0.99)


def _rows(seed):
    """Clouds of unit rows; some of them twice, one zero."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((rng.integers(1, 9), 6))
    rows = centres[rng.integers(0, len(centres), rng.integers(2, 80))]
    rows = rows + rng.uniform(0, 1) * rng.standard_normal(rows.shape)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    rows[rng.integers(len(rows))] = rows[0]
    rows[rng.integers(1, len(rows))] = 0.0
    return rows.astype(np.float32)


def _found(links):
    joined = Links.joined(links)
    columns = (joined.first, joined.second, joined.similarity)
    pairs = list(zip(*(column.tolist() for column in columns), strict=True))
    assert len({pair[:2] for pair in pairs}) == len(pairs), "a pair came twice"
    return sorted(pairs)


def _clusters(features, threshold):
    forest, _ = strongest_forest(all_links(features, threshold).links, len(features))
    return {frozenset(rows.tolist()) for rows in clusters_of(forest, len(features))}


@settings(max_examples=30, deadline=None)
@given(_seeds, _thresholds)
def test_exact_links_are_those_of_brute_force(seed, threshold):
    features = _rows(seed)
    rows = np.flatnonzero(features.any(axis=1))

    found = _found(exact_links(features, rows, threshold))

    near = {
        (one, two): float(np.einsum("d,d->", features[one], features[two]))
        for one in rows.tolist()
        for two in rows.tolist()
        if one < two
    }
    sure = {pair for pair, similarity in near.items() if similarity >= threshold + 1e-6}
    possible = {pair for pair, similarity in near.items() if similarity >= threshold - 1e-6}
    pairs = {(one, two) for one, two, _ in found}
    assert sure <= pairs <= possible
    assert all(abs(near[one, two] - similarity) < 1e-6 for one, two, similarity in found)


@settings(max_examples=30, deadline=None)
@given(_seeds, _thresholds)
def test_with_all_lists_probed_lists_find_what_exact_comparison_finds(seed, threshold):
    features = _rows(seed)
    rows = np.flatnonzero(features.any(axis=1))
    lists = InvertedLists.of(features, rows, num_lists=5, num_probes=5)

    assert _found(probed_links(features, lists, threshold)) == _found(
        exact_links(features, rows, threshold)
    )


@settings(max_examples=30, deadline=None)
@given(_seeds, _thresholds)
def test_lists_never_find_what_exact_comparison_does_not(seed, threshold):
    features = _rows(seed)
    rows = np.flatnonzero(features.any(axis=1))
    lists = InvertedLists.of(features, rows, num_lists=7, num_probes=2)

    assert set(_found(probed_links(features, lists, threshold))) <= set(
        _found(exact_links(features, rows, threshold))
    )


@settings(max_examples=30, deadline=None)
@given(_seeds, _thresholds)
def test_the_order_of_the_rows_does_not_change_the_clusters(seed, threshold):
    features = _rows(seed)
    order = np.random.default_rng(seed).permutation(len(features))

    shuffled = _clusters(features[order], threshold)

    assert {frozenset(order[list(rows)].tolist()) for rows in shuffled} == _clusters(
        features, threshold
    )


@settings(max_examples=30, deadline=None)
@given(_seeds, _thresholds, _thresholds)
def test_a_forest_has_the_clusters_of_every_higher_threshold(seed, one, two):
    features = _rows(seed)
    low, high = sorted((one, two))
    forest, _ = strongest_forest(all_links(features, low).links, len(features))
    is_strong = forest.similarity >= np.float32(high)

    cut = Links(
        first=forest.first[is_strong],
        second=forest.second[is_strong],
        similarity=forest.similarity[is_strong],
    )

    clusters = {frozenset(rows.tolist()) for rows in clusters_of(cut, len(features))}
    assert clusters == _clusters(features, high)
