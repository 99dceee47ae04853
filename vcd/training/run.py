"""The moving parts of a run, and how they go into a checkpoint and come back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from vcd.core.errors import SetupError
from vcd.training.bank import Bank
from vcd.training.checkpoint import Checkpoint, recipe_text, refuse_other_recipe
from vcd.training.optimizer import build_optimizer
from vcd.training.processes import num_processes
from vcd.training.settings import TrainingSettings

__all__ = ["Run", "begin_run", "checkpoint_of", "restore_run"]


@dataclass(slots=True)
class Run:
    """What changes from step to step.

    Attributes:
        settings: the recipe.
        network: on its device, in training mode but while it is measured.
        average: running average of the network's weights.
        optimizer: of the network.
        bank: earlier descriptors.
        step: how many steps are done.
        best_micro_ap: of the best epoch so far.
        num_epochs_without_better: since the best one.
        sums: metrics summed over the steps of the epoch that is not over yet, and ``num_steps``.
        metrics: of the last epoch; empty before the first.
        photos: what is trained on, from `vcd.training.checkpoint.photos_text`.
        commit: of the code, for the checkpoints; None where nobody knows.
    """

    settings: TrainingSettings
    network: nn.Module
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    bank: Bank
    step: int = 0
    best_micro_ap: float = -1.0
    num_epochs_without_better: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    photos: str = ""
    commit: str | None = None

    def is_at_epoch_end(self) -> bool:
        at_border = self.step % self.settings.steps_per_epoch == 0
        return at_border or self.step == self.settings.steps

    def is_stale(self) -> bool:
        """Say whether no epoch has been better for as long as the recipe is patient."""
        patience = self.settings.patience_epochs
        return patience is not None and self.num_epochs_without_better >= patience


def begin_run(build: Callable[[], nn.Module], settings: TrainingSettings) -> Run:
    """Make the network and all that belongs to it, at step 0.

    Over several GPUs batch normalization counts the views of all of them; on processors, where
    torch cannot do that, each process's own.
    """
    torch.manual_seed(settings.seed)
    network = build().to(memory_format=torch.channels_last)
    if num_processes() > 1 and next(network.parameters()).is_cuda:
        over_all: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        network = over_all(network)
    if settings.compile_network:
        network.compile()
    return Run(
        settings=settings,
        network=network,
        average={name: value.clone() for name, value in network.state_dict().items()},
        optimizer=build_optimizer(network, settings.optimizer),
        bank=Bank.empty(settings.dim),
    )


def restore_run(run: Run, checkpoint: Checkpoint, file: Path) -> None:
    """Put a run that has just begun where the checkpoint was written.

    Args:
        run: is changed.
        checkpoint: of a run of the same recipe.
        file: where it came from, for the error.

    Raises:
        SetupError: it is of another recipe, of other photographs, or of another network than
            `begin_run` has made.
    """
    refuse_other_recipe(checkpoint, run.settings, file)
    photos = checkpoint.get("photos", run.photos)
    if photos != run.photos:
        raise SetupError(f"{file} was made with {photos}, got {run.photos}")
    device = next(run.network.parameters()).device
    try:
        run.network.load_state_dict(checkpoint["network"])
        run.optimizer.load_state_dict(checkpoint["optimizer"])
        run.average = {name: value.to(device) for name, value in checkpoint["average"].items()}
        run.bank = Bank(checkpoint["bank"], checkpoint["bank_photo"])
        run.step, run.best_micro_ap = checkpoint["step"], checkpoint["best_micro_ap"]
        run.num_epochs_without_better = checkpoint["num_epochs_without_better"]
        run.sums, run.metrics = checkpoint["sums"], checkpoint["metrics"]
    except (KeyError, RuntimeError, ValueError) as error:
        raise SetupError(f"{file} was made by another network or version: {error}") from error


def checkpoint_of(run: Run) -> Checkpoint:
    """Collect what decides the next steps; tensors are those of the run, not copies."""
    checkpoint = Checkpoint(
        step=run.step,
        settings=recipe_text(run.settings),
        photos=run.photos,
        network=run.network.state_dict(),
        average=run.average,
        optimizer=run.optimizer.state_dict(),
        bank=run.bank.features_BD,
        bank_photo=run.bank.photo_B2,
        best_micro_ap=run.best_micro_ap,
        num_epochs_without_better=run.num_epochs_without_better,
        sums=run.sums,
        metrics=run.metrics,
    )
    if run.commit is not None:
        checkpoint["commit"] = run.commit
    return checkpoint
