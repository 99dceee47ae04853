"""The loss against a naive loop over the published formulas, and at the ends of its range."""

import math

import pytest
import torch

from vcd.training.loss import entropy_loss, info_nce, pair_masks


def unit_rows(rows, dim, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(rows, dim, generator=generator), dim=1)


def naive_info_nce(similarity, photo_v, photo_k, temperature):
    losses = []
    for row, photo in enumerate(photo_v):
        strangers = sum(
            math.exp(similarity[row][column] / temperature)
            for column, other in enumerate(photo_k)
            if other != photo
        )
        for column in range(len(photo_v)):
            if column != row and photo_k[column] == photo:
                own = math.exp(similarity[row][column] / temperature)
                losses.append(-math.log(own / (own + strangers)))
    return sum(losses) / len(losses)


def naive_entropy(similarity, photo_v, photo_k):
    total = 0.0
    for row, photo in enumerate(photo_v):
        nearest = max(similarity[row][k] for k, other in enumerate(photo_k) if other != photo)
        total += -math.log(math.sqrt(max(2 - 2 * nearest, 1e-6)))
    return total / len(photo_v)


@pytest.mark.parametrize(
    ("photo_v", "bank"),
    [
        pytest.param([0, 1, 2, 0, 1, 2], [], id="two views a photograph"),
        pytest.param([0, 1, 0, 1, 0], [], id="several positives"),
        pytest.param([0, 1, 2, 0, 1, 2], [5, 0, 6], id="a bank that holds one of the photographs"),
    ],
)
def test_both_terms_equal_a_naive_loop(photo_v, bank):
    photo_k = photo_v + bank
    views = unit_rows(len(photo_v), 8)
    similarity = views @ torch.cat([views, unit_rows(len(bank), 8, seed=1)]).T
    positive, negative = pair_masks(torch.tensor(photo_v), torch.tensor(photo_k))

    contrast = info_nce(similarity, positive, negative, temperature=0.2)
    entropy = entropy_loss(similarity, negative)

    plain = similarity.tolist()
    assert contrast.item() == pytest.approx(naive_info_nce(plain, photo_v, photo_k, 0.2), rel=1e-5)
    assert entropy.item() == pytest.approx(naive_entropy(plain, photo_v, photo_k), rel=1e-5)


def test_other_positives_stay_out_of_the_denominator():
    photo = torch.tensor([0, 0, 0, 1])
    positive, negative = pair_masks(photo, photo)
    far = torch.tensor([[1.0, 0.2, -0.9, 0.1]]).expand(4, 4)
    near = torch.tensor([[1.0, 0.2, 0.9, 0.1]]).expand(4, 4)

    only = torch.zeros(4, 4, dtype=torch.bool)
    only[0, 1] = positive[0, 1]

    assert info_nce(far, only, negative, temperature=0.05) == info_nce(
        near, only, negative, temperature=0.05
    )


def test_an_earlier_descriptor_of_the_same_photograph_is_neither_positive_nor_negative():
    positive, negative = pair_masks(torch.tensor([7, 8]), torch.tensor([7, 8, 7]))

    assert not positive[:, 2].any()
    assert negative[:, 2].tolist() == [False, True]


@pytest.mark.parametrize("cosine", [-1.0, 1.0], ids=["opposite", "identical"])
def test_extreme_logits_give_finite_losses_and_gradients(cosine):
    similarity = torch.full((4, 4), cosine, requires_grad=True)
    photo = torch.tensor([0, 1, 0, 1])
    positive, negative = pair_masks(photo, photo)

    loss = info_nce(similarity, positive, negative, temperature=1e-4)
    loss = loss + entropy_loss(similarity, negative)
    loss.backward()

    assert torch.isfinite(loss)
    assert similarity.grad is not None
    assert torch.isfinite(similarity.grad).all()


def test_bfloat16_similarities_are_summed_in_float32():
    views = unit_rows(64, 16)
    photo = torch.arange(32).repeat(2)
    positive, negative = pair_masks(photo, photo)
    exact = views @ views.T

    coarse = info_nce(exact.bfloat16(), positive, negative, temperature=0.05)

    assert coarse.dtype == torch.float32
    assert coarse.item() == pytest.approx(
        info_nce(exact, positive, negative, temperature=0.05).item(), rel=0.02
    )


def test_a_batch_of_one_photograph_has_no_strangers_and_costs_nothing_in_entropy():
    photo = torch.tensor([3, 3])
    _, negative = pair_masks(photo, photo)

    assert entropy_loss(torch.ones(2, 2), negative).item() == 0.0


def test_no_positive_costs_nothing():
    photo = torch.tensor([0, 1])
    positive, negative = pair_masks(photo, photo)

    assert info_nce(torch.eye(2), positive, negative, temperature=0.05).item() == 0.0
