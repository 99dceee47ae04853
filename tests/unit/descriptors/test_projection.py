"""Projections that a background set teaches."""

import numpy as np
import pytest

from tests.factories import unit_rows as made_rows
from vcd.core import InputError
from vcd.descriptors import Projection
from vcd.descriptors.projection import unit_rows
from vcd.search.index import load_faiss


def _correlated(num_rows, dim, rng):
    """Rows of any length, whose dimensions vary unequally and together."""
    mixed = rng.normal(size=(num_rows, dim)) @ rng.normal(size=(dim, dim))
    return (mixed * np.linspace(0.2, 2.0, dim) + rng.normal(size=dim)).astype(np.float32)


def test_the_dimension_that_varies_least_is_dropped_and_the_rest_is_of_length_1():
    background = np.array([[9, 5, 0], [0, 5, 1], [3, 5.1, 2]], dtype=np.float32)

    projection = Projection.dropping_lowest_variance(background)

    found = projection.apply(np.array([[3, 7, 4], [0, 0, -2]], dtype=np.float32))
    np.testing.assert_allclose(found, np.array([[0.6, 0.8], [0.0, -1.0]]), atol=1e-7)


def test_of_dimensions_that_vary_equally_little_the_first_is_dropped():
    background = np.array([[1, 2, 0], [1, 2, 1]], dtype=np.float32)

    projection = Projection.dropping_lowest_variance(background)

    assert projection.matrix.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_what_varies_least_is_found_beside_a_large_mean(rng):
    background = (1e4 + rng.normal(size=(500, 3)) * [1.0, 0.9, 1.1]).astype(np.float32)

    projection = Projection.dropping_lowest_variance(background)

    assert projection.matrix.tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("dim", [16, 5])
def test_whitening_is_that_of_faiss_up_to_the_sign_of_each_dimension(dim, rng):
    faiss = load_faiss()
    background, rows = _correlated(3_000, 16, rng), _correlated(50, 16, rng)
    pca = faiss.PCAMatrix(16, dim, -0.5, False)
    pca.train(background)
    theirs = pca.apply(rows)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)

    ours = Projection.whitening(background, dim).apply(rows)

    sign = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours, theirs * sign, atol=2e-3)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=2e-3)


def test_whitened_axes_vary_equally_and_independently(rng):
    background = _correlated(4_000, 8, rng)
    projection = Projection.whitening(background, 8)

    whitened = (background.astype(np.float64) - projection.mean) @ projection.matrix.T
    covariance = np.cov(whitened.T)

    np.testing.assert_allclose(covariance / covariance[0, 0], np.eye(8), atol=1e-3)


def test_the_largest_entry_of_a_whitening_axis_is_positive(rng):
    matrix = Projection.whitening(_correlated(500, 8, rng), 8).matrix

    assert (matrix[np.arange(8), np.abs(matrix).argmax(axis=1)] > 0).all()


def test_zero_rows_stay_zero_although_the_mean_is_not(rng):
    projection = Projection.whitening(_correlated(100, 4, rng), 3)

    found = projection.apply(np.zeros((2, 4), dtype=np.float32))

    assert found.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_row_of_which_nothing_is_left_is_zero():
    projection = Projection(mean=np.zeros(2, np.float32), matrix=np.eye(2, dtype=np.float32)[:1])

    assert projection.apply(np.array([[0, 3]], dtype=np.float32)).tolist() == [[0]]


def test_no_rows_are_projected_to_no_rows():
    projection = Projection(mean=np.zeros(3, np.float32), matrix=np.eye(3, dtype=np.float32)[:2])

    assert projection.apply(np.empty((0, 3), dtype=np.float32)).shape == (0, 2)


def test_a_row_does_not_depend_on_those_beside_it_or_on_its_block(rng, monkeypatch):
    monkeypatch.setattr("vcd.descriptors.projection._BLOCK_ROWS", 7)
    rows = _correlated(40, 16, rng)
    small = Projection.whitening(rows, 12)
    monkeypatch.undo()
    whole = Projection.whitening(rows, 12)

    found = whole.apply(rows)

    np.testing.assert_allclose(small.matrix, whole.matrix, rtol=1e-5, atol=1e-6)
    for row in (0, 17, 39):
        np.testing.assert_allclose(whole.apply(rows[row : row + 1])[0], found[row], atol=1e-7)


def test_half_precision_and_mapped_rows_can_be_projected(rng):
    rows = _correlated(20, 4, rng).astype(np.float16)

    found = Projection.dropping_lowest_variance(rows).apply(rows)

    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("num_rows", "dim", "sentence"),
    [
        pytest.param(4, 4, "wants more than 4 rows .*, got 4 of 8", id="rows"),
        pytest.param(100, 9, "to 9 dimensions wants .*, got 100 of 8", id="dimensions"),
    ],
)
def test_too_small_a_background_is_not_whitened(num_rows, dim, sentence, rng):
    with pytest.raises(InputError, match=sentence):
        Projection.whitening(_correlated(num_rows, 8, rng), dim)


def test_directions_that_do_not_vary_are_not_whitened(rng):
    flat = _correlated(100, 3, rng) @ rng.normal(size=(3, 8)).astype(np.float32)
    flat = flat.astype(np.float64)
    flat[:, 5:] = 0.0

    with pytest.raises(InputError, match="rows that vary along as many, got 3"):
        Projection.whitening(flat, 6)


@pytest.mark.parametrize("shape", [(0, 4), (5, 1)])
def test_there_must_be_something_to_drop(shape):
    with pytest.raises(InputError, match="at least one row of two dimensions or more"):
        Projection.dropping_lowest_variance(np.ones(shape, dtype=np.float32))


@pytest.mark.parametrize(
    ("mean", "matrix"),
    [
        pytest.param(np.zeros(3), np.eye(2), id="unequal"),
        pytest.param(np.zeros((2, 1)), np.eye(2), id="mean of two axes"),
        pytest.param(np.zeros(2), np.zeros((0, 2)), id="nothing left"),
        pytest.param(np.array([0, np.nan]), np.eye(2), id="nan"),
    ],
)
def test_a_projection_that_is_none_cannot_exist(mean, matrix):
    with pytest.raises(ValueError, match="projection"):
        Projection(mean=mean.astype(np.float32), matrix=matrix.astype(np.float32))


def test_rows_of_another_dimension_are_refused():
    projection = Projection(mean=np.zeros(2, np.float32), matrix=np.eye(2, dtype=np.float32))

    with pytest.raises(ValueError, match=r"wanted \(B, 2\) features, got \(1, 3\)"):
        projection.apply(np.ones((1, 3), dtype=np.float32))


def test_the_digest_is_of_both_arrays(rng):
    mean, matrix = rng.normal(size=4).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    digests = {
        Projection(mean=mean, matrix=matrix).digest,
        Projection(mean=mean.copy(), matrix=matrix.copy()).digest,
        Projection(mean=mean + 1, matrix=matrix).digest,
        Projection(mean=mean, matrix=matrix + 1).digest,
    }

    assert len(digests) == 3


def test_unit_rows_have_length_1_and_zero_rows_stay_zero(rng):
    rows = made_rows(3, rng) * np.array([[5.0], [0.0], [1e-20]], dtype=np.float32)

    found = unit_rows(rows)

    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-6)
