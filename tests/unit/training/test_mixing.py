import numpy as np
import pytest

from vcd.training.mixing import mix, plan_mixing

NO_BOX = np.zeros(4, dtype=np.int64)


def plan(num_views=20_000, *, probability=1.0, seed=0, size_px=64):
    rng = np.random.default_rng(seed)
    return plan_mixing(num_views, size_px, probability=probability, rng=rng)


def is_boxed(mixing):
    return mixing.box_V4.any(axis=1)


def test_a_sum_weighs_both_and_rounds_to_the_nearest_level():
    view, other = np.full((2, 2, 3), 100, np.uint8), np.full((2, 2, 3), 201, np.uint8)

    assert (mix(view, other, share=0.25, box=NO_BOX) == 176).all()


def test_a_sum_is_within_half_a_level_of_one_of_real_numbers(rng):
    view, other = rng.integers(0, 256, size=(2, 32, 32, 3), dtype=np.uint8)
    exact = 0.37 * view.astype(float) + 0.63 * other

    mixed = mix(view, other, share=0.37, box=NO_BOX)

    assert np.abs(mixed - exact).max() <= 0.5 + 1e-4


def test_a_box_shows_the_other_view_and_nothing_of_this_one():
    view, other = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 9, np.uint8)

    mixed = mix(view, other, share=0.5, box=np.array([1, 3, 0, 2]))

    assert mixed[..., 0].tolist() == [[0] * 4, [9, 9, 0, 0], [9, 9, 0, 0], [0] * 4]
    assert not view.any()


def test_about_one_view_in_twenty_is_mixed_at_the_published_probability():
    assert (plan(probability=0.05).share_V < 1.0).mean() == pytest.approx(0.05, abs=0.006)


def test_half_of_the_mixed_views_are_boxes():
    assert is_boxed(plan()).mean() == pytest.approx(0.5, abs=0.02)


def test_the_shares_of_sums_are_beta_two_two():
    mixing = plan()
    shares = mixing.share_V[~is_boxed(mixing)]

    assert shares.mean() == pytest.approx(0.5, abs=0.01)
    assert shares.var() == pytest.approx(0.05, abs=0.003)


def test_the_share_of_a_box_is_the_area_that_is_left():
    mixing = plan()
    top, bottom, left, right = mixing.box_V4[is_boxed(mixing)].T

    area = (bottom - top) * (right - left) / 64**2

    assert mixing.share_V[is_boxed(mixing)] == pytest.approx(1.0 - area)
    assert ((top >= 0) & (bottom <= 64) & (left >= 0) & (right <= 64)).all()


def test_boxes_are_square_but_where_the_edge_cuts_them():
    mixing = plan()
    top, bottom, left, right = mixing.box_V4[is_boxed(mixing)].T
    is_whole = (top > 0) & (bottom < 64) & (left > 0) & (right < 64)

    assert ((bottom - top) == (right - left))[is_whole].all()
    assert 0.1 < is_whole.mean() < 0.9


def test_the_partner_is_as_far_from_the_other_end():
    assert plan(6).partner_V.tolist() == [5, 4, 3, 2, 1, 0]


def test_a_view_that_is_not_mixed_is_its_own_partner():
    mixing = plan(6, probability=0.0)

    assert mixing.partner_V.tolist() == [0, 1, 2, 3, 4, 5]
    assert mixing.share_V.tolist() == [1.0] * 6
    assert not mixing.box_V4.any()


def test_an_empty_box_mixes_nothing():
    mixing = plan(size_px=2)
    is_empty = mixing.share_V == 1.0

    assert is_empty.any()
    assert (mixing.partner_V == np.arange(20_000))[is_empty].all()
