"""The loss against a naive loop over the published formulas, and at the ends of its range."""

import math
from typing import NamedTuple

import pytest
import torch

from tests.plain_loss import plain_entropy, plain_info_nce, plain_labels
from vcd.training.loss import entropy_rows, info_nce_rows, pair_masks, photos_of_views

NO_BANK = torch.zeros(0, 2, dtype=torch.int64)


class Seen(NamedTuple):
    """What is in some views: their photographs, those mixed in, and the shares of the first."""

    photos: list[int]
    mixed_photos: list[int]
    shares: list[float]

    @property
    def tensor(self):
        return photos_of_views(
            torch.tensor(self.photos, dtype=torch.int64),
            torch.tensor(self.mixed_photos, dtype=torch.int64),
            torch.tensor(self.shares),
        )


def unmixed(*photos):
    return Seen(list(photos), list(photos), [1.0] * len(photos))


def unit_rows(rows, dim, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(rows, dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(values, dim=1)


def at_angles(*degrees):
    """Unit vectors of the plane and their similarities."""
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    rows = torch.stack([radians.cos(), radians.sin()], dim=1)
    return rows @ rows.T


def pairs_of(*photos):
    return pair_masks(unmixed(*photos).tensor, NO_BANK)


SIX_VIEWS = [
    pytest.param(unmixed(0, 1, 2, 0, 1, 2), unmixed(), id="two views a photograph"),
    pytest.param(unmixed(0, 1, 0, 1, 0, 2), unmixed(), id="three positives, and a row with none"),
    pytest.param(
        Seen([0, 1, 2, 0, 1, 2], [2, 1, 2, 0, 1, 0], [0.3, 1.0, 1.0, 1.0, 1.0, 0.9]),
        unmixed(),
        id="mixed views",
    ),
    pytest.param(
        Seen([0, 1, 2, 0, 1, 2], [2, 1, 0, 0, 1, 2], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        unmixed(),
        id="a view of which nothing is left, and a partner without a share",
    ),
    pytest.param(
        Seen([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 1, 2], [1.0, 1.0, 1.0, 0.5, 1.0, 1.0]),
        Seen([5, 0, 6], [5, 0, 1], [1.0, 1.0, 0.4]),
        id="a bank that holds two of the photographs",
    ),
]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("is_mixed", [False, True], ids=["sums", "means"])
@pytest.mark.parametrize(("batch", "bank"), SIX_VIEWS)
def test_both_terms_equal_a_naive_loop_over_the_same_similarities(batch, bank, is_mixed, dtype):
    views = unit_rows(6, 8)
    compared = torch.cat([views, unit_rows(len(bank.photos), 8, seed=1)])
    similarity = (views @ compared.T).to(dtype)
    positive, negative = pair_masks(batch.tensor, bank.tensor)

    contrast = info_nce_rows(similarity, positive, negative, temperature=0.05, is_mixed=is_mixed)
    entropy = entropy_rows(similarity, negative)

    plain = similarity.double().tolist()
    labels = plain_labels(*batch) + plain_labels(*bank)
    wanted = plain_info_nce(plain, labels, temperature=0.05, is_mixed=is_mixed)
    assert contrast.mean().item() == pytest.approx(wanted, rel=1e-5)
    assert entropy.mean().item() == pytest.approx(plain_entropy(plain, labels), rel=1e-5)


def test_a_plane_computed_by_hand():
    similarity = at_angles(0.0, 90.0, 60.0, 150.0)  # the views of photograph 0, 1, 0, 1
    positive, negative = pairs_of(0, 1, 0, 1)

    contrast = info_nce_rows(similarity, positive, negative, temperature=1.0, is_mixed=False)
    entropy = entropy_rows(similarity, negative)

    of_first = math.log(1.0 + (1.0 + math.exp(-math.sqrt(3) / 2)) / math.exp(0.5))
    assert contrast[0].item() == pytest.approx(of_first)
    assert entropy[0].item() == pytest.approx(-math.log(math.sqrt(2.0)))  # the stranger at 90
    assert entropy[1].item() == pytest.approx(-math.log(2 * math.sin(math.radians(15))))  # at 60


@pytest.mark.parametrize(("is_mixed", "times"), [(False, 2.0), (True, 1.0)], ids=["sum", "mean"])
def test_a_row_of_two_positives_counts_twice_or_once(is_mixed, times):
    similarity = torch.zeros(4, 4)
    positive, negative = pairs_of(0, 0, 0, 1)

    contrast = info_nce_rows(similarity, positive, negative, temperature=1.0, is_mixed=is_mixed)

    assert contrast.tolist() == pytest.approx([times * math.log(2.0)] * 3 + [0.0])


def test_other_positives_stay_out_of_the_denominator():
    positive, negative = pairs_of(0, 0, 0, 1)
    positive[0, 2] = False
    far = torch.tensor([[1.0, 0.2, -0.9, 0.1]]).expand(4, 4)
    near = torch.tensor([[1.0, 0.2, 0.9, 0.1]]).expand(4, 4)

    losses = [
        info_nce_rows(each, positive, negative, temperature=0.05, is_mixed=False)[0]
        for each in (far, near)
    ]

    assert losses[0] == losses[1]


def test_a_mixed_view_belongs_to_both_of_its_photographs():
    batch = Seen([0, 1, 0, 1], [1, 1, 0, 1], [0.7, 1.0, 1.0, 1.0])

    positive, negative = pair_masks(batch.tensor, NO_BANK)

    assert positive.tolist() == [
        [False, True, True, True],
        [True, False, False, True],
        [True, False, False, False],
        [True, True, False, False],
    ]
    assert (negative == ~(positive | torch.eye(4, dtype=torch.bool))).all()


def test_an_earlier_descriptor_of_the_same_photograph_is_neither_positive_nor_negative():
    positive, negative = pair_masks(unmixed(7, 8).tensor, unmixed(7).tensor)

    assert not positive[:, 2].any()
    assert negative[:, 2].tolist() == [False, True]


def test_the_rows_of_one_process_are_rows_of_the_whole():
    batch = Seen([0, 1, 2, 0, 1, 2], [2, 1, 2, 0, 1, 0], [0.3, 1.0, 1.0, 1.0, 1.0, 0.9])
    bank = unmixed(1, 9)

    whole = pair_masks(batch.tensor, bank.tensor)
    parts = [pair_masks(batch.tensor, bank.tensor, rows=slice(at, at + 2)) for at in (0, 2, 4)]

    for kind in (0, 1):
        assert torch.equal(torch.cat([part[kind] for part in parts]), whole[kind])


@pytest.mark.parametrize("cosine", [-1.0, 1.0], ids=["opposite", "identical"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_give_finite_losses_and_gradients(cosine, dtype):
    similarity = torch.full((4, 4), cosine, dtype=dtype, requires_grad=True)
    positive, negative = pairs_of(0, 1, 0, 1)

    loss = info_nce_rows(similarity, positive, negative, temperature=1e-4, is_mixed=False)
    loss = (loss + entropy_rows(similarity, negative)).sum()
    (gradient,) = torch.autograd.grad(loss, similarity)

    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_a_batch_without_strangers_costs_nothing_and_pulls_nowhere():
    similarity = torch.full((2, 2), 0.5, requires_grad=True)
    positive, negative = pairs_of(3, 3)

    contrast = info_nce_rows(similarity, positive, negative, temperature=0.05, is_mixed=False)
    entropy = entropy_rows(similarity, negative)
    (gradient,) = torch.autograd.grad((contrast + entropy).sum(), similarity)

    assert contrast.tolist() == entropy.tolist() == [0.0, 0.0]
    assert gradient.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_no_positive_costs_nothing():
    positive, negative = pairs_of(0, 1)

    for is_mixed in (False, True):
        rows = info_nce_rows(torch.eye(2), positive, negative, temperature=0.05, is_mixed=is_mixed)
        assert rows.tolist() == [0.0, 0.0]


def test_strangers_at_the_same_place_count_as_a_thousandth_apart():
    _, negative = pairs_of(0, 1)

    assert entropy_rows(torch.ones(2, 2), negative).tolist() == pytest.approx([math.log(1e3)] * 2)


def test_what_is_left_out_of_the_published_denominator_makes_no_difference():
    views = unit_rows(32, 16)
    similarity, photos = views @ views.T, list(range(16)) * 2
    positive, negative = pairs_of(*photos)

    ours = info_nce_rows(similarity, positive, negative, temperature=0.05, is_mixed=False).mean()

    labels = plain_labels(photos, photos, [1.0] * 32)
    published = plain_info_nce(
        similarity.tolist(), labels, temperature=0.05, is_mixed=False, added=1e-6
    )
    assert ours.item() == pytest.approx(published, rel=1e-6)
