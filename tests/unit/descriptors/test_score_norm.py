"""Score normalization, against what can be added up by hand."""

import numpy as np
import pytest

from tests.factories import unit_rows
from vcd.core import InputError
from vcd.descriptors import ScoreNorm, score_normalize
from vcd.descriptors.score_norm import nearest_similarities

EYE = np.eye(4, dtype=np.float32)
QUERY = np.array([[0.8, 0.6, 0, 0], [0, 0, 0, 1]], dtype=np.float32)
"""Similarities to ``EYE[:3]``: 0.8, 0.6, 0 and 0, 0, 0."""


def _plain(query, background, weight, first, stop):
    """One row at a time, as the formula says."""
    return np.array(
        [-weight * np.mean(np.sort(background @ row)[::-1][first:stop]) for row in query]
    )


@pytest.mark.parametrize(
    ("weight", "first", "stop", "wanted"),
    [
        pytest.param(1.2, 0, 1, [-0.96, 0.0], id="VSC2022"),
        pytest.param(1.0, 0, 3, [-1.4 / 3, 0.0], id="SSCD"),
        pytest.param(1.0, 1, 2, [-0.6, 0.0], id="second"),
        pytest.param(0.0, 0, 1, [0.0, 0.0], id="no weight"),
    ],
)
def test_the_nearest_background_rows_are_taken_from_a_score(weight, first, stop, wanted):
    norm = ScoreNorm(background=EYE[:3], weight=weight, first_neighbour=first, stop_neighbour=stop)

    np.testing.assert_allclose(norm.bias(QUERY), wanted, atol=1e-6)


def test_the_offset_is_added_to_every_row_with_evidence():
    norm = ScoreNorm(background=EYE[:3], weight=1.0, offset=0.5)
    rows = np.concatenate([QUERY, np.zeros((1, 4), np.float32)])

    assert norm.bias(rows).tolist() == pytest.approx([-0.3, 0.5, 0.0], abs=1e-6)
    assert norm.bias(rows).dtype == np.float32


def test_no_rows_have_no_bias():
    assert ScoreNorm(background=EYE, weight=1.0).bias(EYE[:0]).shape == (0,)


def test_a_background_of_many_blocks_gives_what_one_block_would(rng, monkeypatch):
    monkeypatch.setattr("vcd.core.similarity._MAX_BLOCK_CELLS", 300)
    query, background = unit_rows(30, rng), unit_rows(200, rng)

    found = ScoreNorm(background=background, weight=1.1, first_neighbour=1, stop_neighbour=15)

    wanted = _plain(query, background, 1.1, 1, 15)
    np.testing.assert_allclose(found.bias(query), wanted, atol=1e-6)


def test_the_nearest_come_in_falling_order_and_end_where_rows_do():
    found = nearest_similarities(QUERY[:1], EYE[:3], 5)

    np.testing.assert_allclose(found, [[0.8, 0.6, 0.0, -np.inf, -np.inf]], atol=1e-6)


def test_rows_of_the_own_video_do_not_count(monkeypatch, rng):
    monkeypatch.setattr("vcd.core.similarity._MAX_BLOCK_CELLS", 40)
    # A walk: of the rows that count, those next to the own video are the nearest.
    walk = np.cumsum(unit_rows(60, rng), axis=0) + 5 * unit_rows(1, rng)
    background = walk / np.linalg.norm(walk, axis=1, keepdims=True)
    own_run = np.repeat(np.arange(0, 60, 3), 3)[:, None] + np.array([0, 3])

    found = nearest_similarities(background, background, 2, own_run=own_run)

    similarity = background @ background.T
    similarity[np.arange(60)[:, None] // 3 == np.arange(60) // 3] = -np.inf
    np.testing.assert_allclose(found, -np.sort(-similarity, axis=1)[:, :2], atol=1e-6)


def test_what_is_folded_into_a_dimension_is_the_score(rng):
    query, ref, background = unit_rows(5, rng), unit_rows(7, rng), unit_rows(9, rng)

    wide_query, wide_ref = score_normalize(query, ref, background, weight=1.2)

    wanted = query @ ref.T + _plain(query, background, 1.2, 0, 1)[:, None]
    np.testing.assert_allclose(wide_query @ wide_ref.T, wanted, atol=1e-6)
    assert wide_query.dtype == wide_ref.dtype == np.float32


def test_sscds_variant_can_be_folded_in_too(rng):
    query, ref, background = unit_rows(5, rng), unit_rows(7, rng), unit_rows(9, rng)

    wide_query, wide_ref = score_normalize(query, ref, background, weight=1.0, stop_neighbour=3)

    wanted = query @ ref.T + _plain(query, background, 1.0, 0, 3)[:, None]
    np.testing.assert_allclose(wide_query @ wide_ref.T, wanted, atol=1e-6)


@pytest.mark.parametrize("num_rows", [0, 2])
def test_a_background_with_fewer_rows_than_neighbours_is_refused(num_rows):
    with pytest.raises(InputError, match=f"3 neighbours want as many rows .*, got {num_rows}"):
        score_normalize(QUERY, EYE, EYE[:num_rows], weight=1.0, stop_neighbour=3)


def test_a_background_row_that_is_not_finite_is_refused():
    background = EYE.copy()
    background[2, 1] = np.nan

    with pytest.raises(InputError, match="background: row 2 is not finite"):
        ScoreNorm(background=background, weight=1.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"background": EYE[0]}, r"background must be \(B, D\)", id="one row"),
        pytest.param({"background": EYE.astype(np.float64)}, "float32", id="double"),
        pytest.param({"weight": -0.1}, "no score normalization", id="negative"),
        pytest.param({"weight": float("nan")}, "no score normalization", id="nan"),
        pytest.param({"offset": float("inf")}, "no score normalization", id="offset"),
        pytest.param({"first_neighbour": 1, "stop_neighbour": 1}, "not ranks", id="ranks"),
        pytest.param({"first_neighbour": -1}, "not ranks", id="negative rank"),
    ],
)
def test_a_score_normalization_that_is_none_cannot_exist(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        ScoreNorm(**{"background": EYE, "weight": 1.0, **changes})
