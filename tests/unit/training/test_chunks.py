"""How the views of a batch are shared out over chunks."""

import numpy as np
import pytest

from vcd.training.chunks import chunk_rows


@pytest.mark.parametrize("num_photos", [2, 3, 4, 7, 16, 33])
@pytest.mark.parametrize("chunk_views", [2, 3, 4, 5, 8, 64])
def test_every_view_is_in_one_chunk_and_no_photograph_twice_in_any(num_photos, chunk_views):
    chunks = chunk_rows(2 * num_photos, chunk_views)

    assert sorted(np.concatenate(chunks).tolist()) == list(range(2 * num_photos))
    if chunk_views < 2 * num_photos:
        for rows in chunks:
            assert len(rows) <= chunk_views
            assert len(set((rows % num_photos).tolist())) == len(rows)
            assert abs((rows < num_photos).sum() - (rows >= num_photos).sum()) <= 1


@pytest.mark.parametrize("chunk_views", [None, 6, 7], ids=["no limit", "just enough", "more"])
def test_a_batch_that_fits_is_one_chunk_in_its_own_order(chunk_views):
    (rows,) = chunk_rows(6, chunk_views)

    assert rows.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_chunk_may_be_one_view_and_a_batch_of_odd_length():
    assert sorted(rows.item() for rows in chunk_rows(5, 1)) == [0, 1, 2, 3, 4]
