"""Laws of the published aligner: it says what a graph library says, whatever the matrix."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plain_network import plain_published_boxes
from vcd.align import PublishedNetwork, PublishedNetworkSettings

seeds = st.integers(0, 2**32 - 1)
choices = st.builds(
    PublishedNetworkSettings,
    max_step=st.integers(2, 10),
    top_k=st.integers(1, 6),
    max_path=st.integers(0, 12),
    min_sim=st.sampled_from([0.0, 0.1, 0.2, 0.5]),
    min_length=st.integers(0, 5),
    max_iou=st.sampled_from([0.1, 0.3, 1.0, 2.0]),
)


def _boxes(matrix, chosen):
    boxes = [scored.box for scored in PublishedNetwork(chosen).align(matrix)]
    return [(b.q_first, b.r_first, b.q_stop - 1, b.r_stop - 1) for b in boxes]


@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    num_levels=st.sampled_from([2, 4, 1000]),
    chosen=choices,
)
@settings(max_examples=150, deadline=None)
def test_any_matrix_gives_the_boxes_of_the_graph_library(seed, shape, num_levels, chosen):
    rng = np.random.default_rng(seed)
    matrix = (rng.integers(0, num_levels, shape) / num_levels - 0.2).astype(np.float32)

    assert _boxes(matrix, chosen) == plain_published_boxes(matrix, chosen)


@given(
    seed=seeds,
    q_first=st.integers(0, 12),
    r_first=st.integers(0, 12),
    length=st.integers(8, 18),
    slope=st.sampled_from([1.0, 1.5]),
    max_step=st.sampled_from([5, 10]),
)
@settings(max_examples=100, deadline=None)
def test_a_planted_copy_is_covered_and_starts_early_by_less_than_a_step(
    seed, q_first, r_first, length, slope, max_step
):
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(0.0, 0.05, (31, 42)).astype(np.float32)
    along = np.arange(length)
    cols = r_first + np.round(along * slope).astype(int)
    matrix[q_first + along, cols] = 0.9

    chosen = PublishedNetworkSettings(max_step=max_step, min_length=4)
    found = _boxes(matrix, chosen)

    assert len(found) == 1
    q_min, r_min, q_max, r_max = found[0]
    assert q_first - max_step < q_min <= q_first
    # The first cell of a path needs no similarity: any before the second planted one will do.
    assert r_first - max_step < r_min < cols[1]
    assert (q_max, r_max) == (q_first + length - 1, int(cols[-1]))


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_matrix_is_not_changed(seed):
    matrix = np.random.default_rng(seed).uniform(0, 1, (12, 12)).astype(np.float32)
    before = matrix.copy()

    PublishedNetwork().align(matrix)

    assert np.array_equal(matrix, before)
