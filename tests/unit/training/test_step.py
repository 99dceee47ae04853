"""The gradients of one step: the same in one pass or many; of two processes in ``test_gather``."""

from dataclasses import replace

import pytest
import torch
from torch import distributed, nn

from tests.plain_loss import plain_entropy, plain_info_nce, plain_labels
from tests.tiny_training import (
    NAMES,
    NUM_PHOTOS,
    PLAIN,
    WHOLE_RECIPE,
    BreaksDown,
    assert_same_outcome,
    batches,
    taken_steps,
    tiny_batch,
    tiny_network,
    tiny_settings,
)
from vcd.core.errors import InputError
from vcd.training.bank import Bank
from vcd.training.chunks import chunk_rows
from vcd.training.loss import entropy_rows, info_nce_rows, pair_masks
from vcd.training.settings import LossSettings
from vcd.training.step import compute_gradients, standardize_pixels


class Recorded(nn.Module):
    """A network that keeps what it gave, pass by pass."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.given = []

    def forward(self, pixels):
        rows = self.network(pixels)
        self.given.append(rows.detach())
        return rows


@pytest.fixture
def gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def test_the_loss_is_that_of_a_naive_loop_over_the_batch_and_the_bank():
    settings = replace(
        PLAIN,
        augment=replace(PLAIN.augment, mixup_probability=0.4),
        loss=LossSettings(temperature=0.2, start_entropy=1.0, end_entropy=3.0, ramp_steps=4),
    )
    network, batch = Recorded(tiny_network()), tiny_batch(1, is_mixed=True)
    kept = nn.functional.normalize(torch.tensor([[1.0, 2.0, 0.0, 1.0], [3.0, 1.0, -2.0, 0.0]]))
    bank = Bank(kept, torch.tensor([[2, 5], [9, 9]]))

    metrics = compute_gradients(network, batch, settings, step=1, bank=bank, names=NAMES)

    rows = network.given[0]
    similarity = (rows @ torch.cat([rows, kept]).T).tolist()
    columns = (batch.photo_V, batch.mixed_photo_V, batch.share_V)
    labels = [*plain_labels(*(each.tolist() for each in columns)), {2: 0.5, 5: 0.5}, {9: 1.0}]
    contrast = plain_info_nce(similarity, labels, temperature=0.2, is_mixed=True)
    entropy = plain_entropy(similarity, labels)
    assert metrics.info_nce == pytest.approx(contrast, rel=1e-5)
    assert metrics.entropy == pytest.approx(entropy, rel=1e-5)
    assert metrics.loss == pytest.approx(contrast + 1.5 * entropy, rel=1e-5)
    assert metrics.mean_descriptor_length == pytest.approx(rows.mean(dim=0).norm().item(), rel=1e-5)


def test_the_gradients_are_what_torch_derives_from_the_loss():
    network, batch = tiny_network(), tiny_batch(1)
    taken = taken_steps(tiny_network(), PLAIN, [batch])

    rows = network(standardize_pixels(torch.from_numpy(batch.views_VHWC)))
    masks = pair_masks(torch.from_numpy(batch.photo_V)[:, None], torch.zeros(0, 1))
    contrast = info_nce_rows(rows @ rows.T, *masks, temperature=0.2, is_mixed=False).mean()
    entropy = entropy_rows(rows @ rows.T, masks[1]).mean()
    (contrast + PLAIN.loss.start_entropy * entropy).backward()

    for name, parameter in network.named_parameters():
        torch.testing.assert_close(taken.gradients[name], parameter.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("chunk_views", [1, 3, 4, 7, 15, 16])
@pytest.mark.parametrize("settings", [PLAIN, WHOLE_RECIPE], ids=["plain", "mixed, with a bank"])
def test_gradients_chunk_by_chunk_are_those_of_the_whole_batch(settings, chunk_views):
    whole = taken_steps(tiny_network(), settings, batches(settings))
    cached = taken_steps(
        tiny_network(), replace(settings, chunk_views=chunk_views), batches(settings)
    )

    assert_same_outcome(whole, cached)


def test_gradients_chunk_by_chunk_are_those_of_the_whole_batch_in_float32():
    whole, cached = (
        taken_steps(
            tiny_network(dtype=torch.float32),
            replace(PLAIN, chunk_views=chunk_views),
            batches(PLAIN),
        )
        for chunk_views in (None, 4)
    )

    assert_same_outcome(whole, cached, tolerance=1e-5)


def test_gradients_chunk_by_chunk_are_exact_with_frozen_batch_normalization():
    whole, cached = (
        taken_steps(
            tiny_network(nn.BatchNorm2d(6)).eval(),
            replace(PLAIN, chunk_views=chunk_views),
            batches(PLAIN),
        )
        for chunk_views in (None, 4)
    )

    assert_same_outcome(whole, cached)


def test_both_passes_of_a_chunk_drop_the_same_and_another_chunk_does_not():
    network = Recorded(tiny_network(dropout=0.5))
    batch = tiny_batch(1)
    alike = replace(batch, views_VHWC=batch.views_VHWC[:1].repeat(len(batch.photo_V), axis=0))

    taken_steps(network, replace(PLAIN, chunk_views=8), [alike])

    first, second, first_again, second_again = network.given
    assert torch.equal(first, first_again)
    assert torch.equal(second, second_again)
    assert not torch.equal(first, second)


def test_running_statistics_move_once_a_chunk():
    cached, plain = (nn.BatchNorm2d(6, momentum=0.5) for _ in range(2))
    batch = tiny_batch(1)
    taken_steps(tiny_network(cached), replace(PLAIN, chunk_views=4), [batch])

    network = tiny_network(plain)
    for rows in chunk_rows(2 * NUM_PHOTOS, 4):
        network(standardize_pixels(torch.from_numpy(batch.views_VHWC[rows])))

    assert cached.num_batches_tracked == 4
    for moved, wanted in zip(cached.buffers(), plain.buffers(), strict=True):
        assert torch.equal(moved, wanted)


def test_a_bank_gets_the_descriptors_of_every_batch_and_keeps_the_last():
    settings = tiny_settings(bank_rows=20)
    network = Recorded(tiny_network())

    outcome = taken_steps(network, settings, batches(settings))

    assert torch.equal(outcome.bank.features_BD, torch.cat(network.given)[-20:])
    assert outcome.bank.photo_B2[:, 0].tolist() == ([*range(8)] * 4)[-20:]


def test_a_bank_adds_strangers_from_its_first_step_on():
    settings = tiny_settings(bank_rows=64)
    settings = replace(settings, loss=replace(settings.loss, bank_from_step=1))
    with_bank = taken_steps(tiny_network(), settings, [tiny_batch(seed) for seed in (1, 2, 3)])
    without = taken_steps(tiny_network(), PLAIN, [tiny_batch(seed) for seed in (1, 2, 3)])

    more = [
        ours.info_nce > theirs.info_nce
        for ours, theirs in zip(with_bank.metrics, without.metrics, strict=True)
    ]

    assert more == [False, False, True]
    assert len(with_bank.bank.photo_B2) == 32


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_no_number_names_the_step_and_the_files(what):
    everything = ", ".join(NAMES)

    with pytest.raises(InputError, match=f"the {what} of step 0 is no number.*: {everything}$"):
        taken_steps(BreaksDown(what), PLAIN, [tiny_batch(1)])


def test_a_process_alone_talks_to_nobody(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("there is nobody to talk to")

    for name in ("all_gather", "all_reduce", "get_rank", "get_world_size"):
        monkeypatch.setattr(distributed, name, refuse)

    taken_steps(tiny_network(), replace(WHOLE_RECIPE, chunk_views=4), batches(WHOLE_RECIPE))


def test_bfloat16_stays_within_its_rounding():
    exact, coarse = (
        taken_steps(tiny_network(dtype=torch.float32), replace(PLAIN, bf16=bf16), [tiny_batch(1)])
        for bf16 in (False, True)
    )

    assert coarse.metrics[0].loss != exact.metrics[0].loss
    assert coarse.metrics[0].loss == pytest.approx(exact.metrics[0].loss, rel=0.02)
    assert all(each.dtype == torch.float32 for each in coarse.gradients.values())


@pytest.mark.gpu
@pytest.mark.parametrize("chunk_views", [None, 4])
def test_a_gpu_gives_the_gradients_of_the_cpu(gpu, chunk_views):
    settings = replace(WHOLE_RECIPE, chunk_views=chunk_views)
    wanted = taken_steps(tiny_network(), settings, batches(settings))

    given = taken_steps(tiny_network().cuda(), settings, batches(settings))

    for name, gradient in wanted.gradients.items():
        torch.testing.assert_close(given.gradients[name].cpu(), gradient, rtol=1e-6, atol=1e-6)


@pytest.mark.gpu
def test_both_passes_of_a_chunk_drop_the_same_on_a_gpu(gpu):
    network = Recorded(tiny_network(dropout=0.5)).cuda()

    taken_steps(network, replace(PLAIN, chunk_views=8), [tiny_batch(1)])

    assert torch.equal(network.given[0], network.given[2])
    assert torch.equal(network.given[1], network.given[3])


def test_pixels_are_standardized_with_the_mean_of_imagenet():
    white = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)

    standardized = standardize_pixels(white)

    assert standardized.shape == (1, 3, 2, 2)
    assert standardized[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)
