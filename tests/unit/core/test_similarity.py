import numpy as np
import pytest

from tests.factories import unit_rows
from vcd.core import blocked_similarity, max_similarity


def test_blocks_cover_the_matrix_once_and_in_order(rng):
    query, ref = unit_rows(2100, rng, 8), unit_rows(5000, rng, 8)
    whole = np.full((len(query), len(ref)), np.nan, np.float32)
    corners = []

    for query_first, ref_first, block_QR in blocked_similarity(query, ref):
        assert block_QR.size <= 4_000_000
        corners.append((query_first, ref_first))
        target = whole[
            query_first : query_first + block_QR.shape[0], ref_first : ref_first + block_QR.shape[1]
        ]
        assert np.isnan(target).all()
        target[:] = block_QR

    assert corners == sorted(corners)
    np.testing.assert_allclose(whole, query @ ref.T, atol=1e-6)


@pytest.mark.parametrize(("num_query", "num_ref"), [(0, 5), (5, 0), (0, 0)])
def test_nothing_has_no_blocks(rng, num_query, num_ref):
    assert list(blocked_similarity(unit_rows(num_query, rng), unit_rows(num_ref, rng))) == []


def test_the_nearest_reference_row_decides():
    query = np.eye(2, dtype=np.float32)
    ref = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)

    np.testing.assert_allclose(max_similarity(query, ref), [1.0, 0.8])


def test_without_references_everything_is_infinitely_far(rng):
    assert max_similarity(unit_rows(2, rng), unit_rows(0, rng)).tolist() == [-np.inf, -np.inf]


def test_inputs_are_not_changed(rng):
    query, ref = unit_rows(3, rng), unit_rows(4, rng)
    before = query.copy(), ref.copy()

    max_similarity(query, ref)

    assert (query == before[0]).all()
    assert (ref == before[1]).all()
