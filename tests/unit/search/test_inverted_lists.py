"""Lists of rows near a centroid."""

import numpy as np

from vcd.search.inverted_lists import InvertedLists


def _around_axes(num_per_axis, rng):
    """Rows close to each of four axes, in turns."""
    rows = np.tile(np.eye(4), (num_per_axis, 1)) + rng.normal(0, 0.01, (4 * num_per_axis, 4))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_rows_around_one_direction_have_one_home(rng):
    features = _around_axes(25, rng)

    lists = InvertedLists.of(features, np.arange(100), num_lists=4, num_probes=1)

    homes = lists.probed[:, 0].reshape(25, 4)
    assert (homes == homes[0]).all()
    assert sorted(homes[0].tolist()) == [0, 1, 2, 3]


def test_every_row_is_a_member_of_one_list_and_visits_as_many_as_it_probes(rng):
    features = _around_axes(25, rng)

    lists = InvertedLists.of(features, np.arange(100), num_lists=4, num_probes=3)

    pairs = list(lists.pairs_of_rows())
    assert sorted(np.concatenate([members for members, _ in pairs])) == list(range(100))
    assert sum(len(visitors) for _, visitors in pairs) == 300


def test_a_row_visits_its_own_home(rng):
    lists = InvertedLists.of(_around_axes(5, rng), np.arange(20), num_lists=4, num_probes=2)

    for members, visitors in lists.pairs_of_rows():
        assert np.isin(members, visitors).all()


def test_fewer_rows_than_lists_make_fewer_lists(rng):
    lists = InvertedLists.of(_around_axes(1, rng), np.arange(3), num_lists=50, num_probes=50)

    assert lists.num_lists == 3
    assert lists.probed.shape == (3, 3)


def test_the_same_rows_give_the_same_lists(rng):
    features = _around_axes(25, rng)

    one, two = (InvertedLists.of(features, np.arange(100), num_lists=4) for _ in range(2))

    assert np.array_equal(one.probed, two.probed)


def test_a_large_list_comes_a_bounded_number_of_members_at_a_time(monkeypatch):
    monkeypatch.setattr("vcd.search.inverted_lists._MAX_MEMBERS", 2)
    lists = InvertedLists(rows=np.arange(5), probed=np.zeros((5, 1), dtype=np.int32), num_lists=1)

    parts = [(members.tolist(), len(visitors)) for members, visitors in lists.pairs_of_rows()]

    assert parts == [([0, 1], 5), ([2, 3], 5), ([4], 5)]
