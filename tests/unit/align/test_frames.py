"""What a cell scores: the inner product, and the bias of the query's frame."""

from dataclasses import replace

import numpy as np
import pytest

from vcd.align.frames import FrameView, score_block, score_cells

EVERY = slice(None)


def _views(made, rng, bias, *, black_query=(), black_ref=()):
    query, ref = (made.unit(rng.normal(size=(num, 64))) for num in (len(bias), 7))
    query[list(black_query)] = 0.0
    ref[list(black_ref)] = 0.0
    biased = replace(made.from_features("q", query), score_bias=np.asarray(bias, dtype=np.float32))
    return FrameView.of(biased, 0), FrameView.of(made.from_features("r", ref), 0)


def test_a_cell_scores_its_inner_product_and_the_bias_of_its_row(made, rng):
    query, ref = _views(made, rng, [0.1, -0.3, 0.0])

    found = score_block(query, ref, EVERY, EVERY)

    wanted = query.features_TD @ ref.features_TD.T + np.array([[0.1], [-0.3], [0.0]])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found.dtype == np.float32


def test_a_cell_without_evidence_scores_0_whatever_the_bias(made, rng):
    query, ref = _views(made, rng, [0.4, 0.4, 0.4], black_query=[1], black_ref=[0, 5])

    found = score_block(query, ref, EVERY, EVERY)

    assert (found[1] == 0.0).all()
    assert (found[:, [0, 5]] == 0.0).all()
    assert (found[[0, 2]][:, 1:5] != 0.0).all()


def test_a_stretch_scores_as_it_does_within_the_whole(made, rng):
    query, ref = _views(made, rng, [0.1, -0.3, 0.2, 0.5], black_query=[2], black_ref=[3])

    whole = score_block(query, ref, EVERY, EVERY)

    np.testing.assert_allclose(
        score_block(query, ref, slice(1, 4), slice(2, 6)), whole[1:4, 2:6], atol=1e-6
    )


@pytest.mark.parametrize("bias", [[0.1, -0.3, 0.2, 0.5], [0, 0, 0, 0]], ids=["biased", "raw"])
def test_cells_one_by_one_score_as_in_the_block(made, rng, bias):
    query, ref = _views(made, rng, bias, black_query=[2], black_ref=[3])
    rows, cols = np.array([0, 2, 3, 1]), np.array([[0, 3], [1, 2], [3, 6], [5, 5]])

    found = score_cells(query, ref, rows, cols)

    whole = score_block(query, ref, EVERY, EVERY)
    np.testing.assert_allclose(found, whole[rows[:, None], cols], atol=1e-6)
    assert found.dtype == np.float32


def test_without_a_bias_a_block_is_the_plain_product_to_the_bit(made, rng):
    query, ref = _views(made, rng, [0, 0, 0], black_query=[1])

    np.testing.assert_array_equal(
        score_block(query, ref, EVERY, EVERY), query.features_TD @ ref.features_TD.T
    )


def test_each_view_has_the_bias_of_its_own_rows(made, rng):
    rows = made.unit(rng.normal(size=(5, 64)))
    frames = replace(
        made.from_features("q", rows[:3]),
        features=rows,
        frame=np.array([0, 0, 1, 2, 2], dtype=np.int32),
        view=np.array([0, 1, 0, 0, 1], dtype=np.int16),
        score_bias=np.array([0.1, 0.2, 0.3, 0.4, 0.5], dtype=np.float32),
    )

    assert FrameView.of(frames, 0).bias_T.tolist() == pytest.approx([0.1, 0.3, 0.4])
    assert FrameView.of(frames, 1).bias_T.tolist() == pytest.approx([0.2, 0.0, 0.5])
