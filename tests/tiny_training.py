"""A network and batches that are small enough to compare one process with two of them."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, distributed, nn

from vcd.core.errors import VcdError
from vcd.training.bank import Bank
from vcd.training.batches import Batch
from vcd.training.settings import AugmentSettings, LossSettings, TrainingSettings
from vcd.training.step import StepMetrics, compute_gradients

NUM_PHOTOS = 8
NAMES = tuple(f"photo{number}.jpg" for number in range(NUM_PHOTOS))
DIM = 4


class _As(nn.Module):
    """Pixels in the precision of the network."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.dtype)


class _UnitLength(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return nn.functional.normalize(rows, dim=1)


def tiny_network(
    normalization: nn.Module | None = None,
    *,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> nn.Module:
    """The same weights each time; without a normalization of one's own, one that mixes no views.

    In float64, so that what is the same in theory is the same to many more digits than what is not.
    """
    torch.manual_seed(0)
    return nn.Sequential(
        _As(dtype),
        nn.Conv2d(3, 6, 3, stride=2),
        normalization or nn.GroupNorm(2, 6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(6, DIM),
        _UnitLength(),
    ).to(dtype)


class BreaksDown(nn.Module):
    """A network whose rows are no numbers, or fine rows with gradients that are none."""

    def __init__(self, what: Literal["loss", "gradient"]) -> None:
        super().__init__()
        self.network = tiny_network()
        self.what = what

    def forward(self, pixels: Tensor) -> Tensor:
        rows: Tensor = self.network(pixels)
        if self.what == "loss":
            return rows * torch.nan
        return rows + (rows - rows.detach()).abs().sqrt()  # 0, of infinite slope


def tiny_settings(*, bank_rows: int = 0, mixup: float = 0.0, **others: Any) -> TrainingSettings:
    return TrainingSettings(
        dim=DIM,
        bf16=False,
        loss=LossSettings(temperature=0.2, bank_rows=bank_rows, bank_from_step=0),
        augment=AugmentSettings(mixup_probability=mixup),
        **others,
    )


PLAIN = tiny_settings()
WHOLE_RECIPE = tiny_settings(mixup=0.4, bank_rows=64)


def tiny_batch(seed: int, *, is_mixed: bool = False, part: int = 0, parts: int = 1) -> Batch:
    """Both views of all eight photographs, or of one part of them, as the batches are shared."""
    rng = np.random.default_rng(seed)
    photo_V = np.tile(np.arange(NUM_PHOTOS), 2)
    blocks = rng.integers(0, 256, size=(NUM_PHOTOS, 3, 3, 3)).repeat(4, axis=1).repeat(4, axis=2)
    noise = rng.integers(-60, 61, size=(2, *blocks.shape))
    views = (blocks + noise).clip(0, 255).astype(np.uint8).reshape(-1, *blocks.shape[1:])
    mixed_V = rng.random(2 * NUM_PHOTOS) < 0.4 * is_mixed
    rows = np.arange(2 * NUM_PHOTOS).reshape(2, parts, -1)[:, part].reshape(-1)
    return Batch(
        step=0,
        views_VHWC=views[rows],
        photo_V=photo_V[rows],
        mixed_photo_V=np.where(mixed_V, photo_V[::-1], photo_V)[rows],
        share_V=np.where(mixed_V, 0.6, 1.0).astype(np.float32)[rows],
    )


def batches(settings: TrainingSettings, **part: int) -> list[Batch]:
    """Two batches, mixed if the recipe says so."""
    is_mixed = settings.augment.mixup_probability > 0.0
    return [tiny_batch(seed, is_mixed=is_mixed, **part) for seed in (1, 2)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some batches: the loss of each, the sum of their gradients, and the bank."""

    metrics: list[StepMetrics]
    gradients: dict[str, Tensor]
    bank: Bank


def taken_steps(
    network: nn.Module, settings: TrainingSettings, batches: Sequence[Batch]
) -> Outcome:
    """Sum the gradients of the batches, one after the other."""
    bank = Bank.empty(DIM)
    metrics = [
        compute_gradients(network, batch, settings, step=step, bank=bank, names=NAMES)
        for step, batch in enumerate(batches)
    ]
    named = network.named_parameters()
    gradients = {name: each.grad for name, each in named if each.grad is not None}
    return Outcome(metrics, gradients, bank)


def assert_same_outcome(one: Outcome, other: Outcome, *, tolerance: float = 1e-9) -> None:
    """Gradients are compared by their share of the largest of their parameter."""
    assert one.gradients.keys() == other.gradients.keys()
    for name, gradient in one.gradients.items():
        limit = tolerance * gradient.abs().max().item()
        torch.testing.assert_close(other.gradients[name], gradient, rtol=0.0, atol=limit)
    for ours, theirs in zip(one.metrics, other.metrics, strict=True):
        assert asdict(theirs) == pytest.approx(asdict(ours), rel=1e-6)
    assert sorted(one.bank.photo_B2.tolist()) == sorted(other.bank.photo_B2.tolist())


def in_processes(count: int, work: Callable[[int], object], folder: Path) -> list[Any]:
    """Let so many processes, joined by gloo over the loopback, do something, each by its rank.

    Returns:
        What each gave back, in the order of the ranks, or the sentence of the error that it met.
    """
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_joined, args=(rank, count, work, folder)) for rank in range(count)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
        worker.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


def _joined(rank: int, count: int, work: Callable[[int], object], folder: Path) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    try:
        done = work(rank)
    except VcdError as error:
        done = str(error)
    torch.save(done, folder / f"{rank}.pt")
    distributed.destroy_process_group()
