"""The training loop: steps, checkpoints that a killed run goes on from, and one line an epoch.

Everything that decides the next step is in the checkpoint (weights, their average, optimizer, bank)
or a function of the step number (batch, size, strength, rates), so a run that is killed anywhere
and resumed ends with the same weights, bit for bit on a CPU with the same number of threads.

How a network is measured is the caller's business: `train` is handed a callable.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor, nn

from vcd.core.errors import InputError, SetupError
from vcd.training.data import Batch, PackedPhotos, load_batches, ramped, size_at
from vcd.training.loss import entropy_loss, info_nce, pair_masks
from vcd.training.optimizer import average_into, build_optimizer, learning_rate_at
from vcd.training.settings import TrainingSettings

__all__ = ["Checkpoint", "Measure", "load_checkpoint", "standardize_pixels", "train"]

logger = logging.getLogger(__name__)

Measure = Callable[[nn.Module], Mapping[str, float]]
"""Takes the averaged network in evaluation mode; ``micro_ap`` among the results picks the best."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Checkpoint(TypedDict):
    """What a run goes on from; plain tensors and numbers, loadable with ``weights_only=True``."""

    step: int
    settings: str
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, object]
    bank: Tensor
    bank_photo: Tensor
    best_micro_ap: float
    metrics: dict[str, float]


def standardize_pixels(pixels_BHWC: Tensor) -> Tensor:
    """Turn uint8 RGB ``(B, H, W, 3)`` into standardized float32 ``(B, 3, H, W)``, channels last."""
    levels = pixels_BHWC.permute(0, 3, 1, 2).float() / 255.0
    mean = torch.tensor(MEAN, device=levels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=levels.device).view(1, 3, 1, 1)
    return ((levels - mean) / std).contiguous(memory_format=torch.channels_last)


@dataclass(slots=True)
class _Run:
    """The moving parts of a run."""

    settings: TrainingSettings
    network: nn.Module
    average: dict[str, Tensor]
    optimizer: torch.optim.AdamW
    bank: Tensor
    bank_photo: Tensor
    step: int = 0
    best_micro_ap: float = -1.0


def train(
    build: Callable[[], nn.Module],
    photos: PackedPhotos,
    settings: TrainingSettings,
    *,
    folder: Path,
    measure: Measure,
    resume: bool = False,
) -> Path:
    """Train a network and return the path of its best checkpoint.

    Writes ``last.pt``, ``best.pt`` (the epoch with the highest ``micro_ap``) and ``metrics.jsonl``
    into ``folder``.

    Args:
        build: makes the network; called once, after the seed is set.
        photos: what to train on.
        settings: the recipe.
        folder: where checkpoints go; made when missing.
        measure: called with the averaged network after each epoch.
        resume: go on from ``last.pt``; without it an existing run is an error.

    Raises:
        InputError: the loss is no number; the step and the photographs of its batch are named.
        SetupError: fewer than two photographs, a run is already there, or the one to resume was
            made with other settings.
    """
    if len(photos) < 2:
        raise SetupError(f"training compares photographs and needs at least 2, got {len(photos)}")
    folder.mkdir(parents=True, exist_ok=True)
    run = _start(build, settings)
    if resume:
        _restore(run, folder / "last.pt")
    elif (folder / "last.pt").exists():
        raise SetupError(f"there is a run in {folder} already; resume it or choose another folder")
    with _threads(settings.num_threads):
        _run_steps(run, photos, folder, measure)
    return folder / "best.pt"


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def load_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        SetupError: there is none, or it cannot be read.
    """
    try:
        checkpoint: Checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise SetupError(f"{file}: no checkpoint to read ({error})") from error
    return checkpoint


def _start(build: Callable[[], nn.Module], settings: TrainingSettings) -> _Run:
    torch.manual_seed(settings.seed)
    network = build().to(memory_format=torch.channels_last)
    return _Run(
        settings=settings,
        network=network,
        average={name: value.clone() for name, value in network.state_dict().items()},
        optimizer=build_optimizer(network, settings.optimizer),
        bank=torch.zeros(0, settings.dim),
        bank_photo=torch.zeros(0, dtype=torch.int64),
    )


def _restore(run: _Run, file: Path) -> None:
    checkpoint = load_checkpoint(file)
    _refuse_other_recipe(checkpoint["settings"], run.settings, checkpoint["step"], file)
    run.network.load_state_dict(checkpoint["network"])
    run.average = checkpoint["average"]
    run.optimizer.load_state_dict(checkpoint["optimizer"])
    run.bank, run.bank_photo = checkpoint["bank"], checkpoint["bank_photo"]
    run.step, run.best_micro_ap = checkpoint["step"], checkpoint["best_micro_ap"]


def _fingerprint(settings: TrainingSettings) -> str:
    """All settings that decide the weights; where photographs lie and who loads them do not."""
    return json.dumps(asdict(replace(settings, photos="", num_loaders=0)), sort_keys=True)


def _refuse_other_recipe(made: str, settings: TrainingSettings, step: int, file: Path) -> None:
    """Let a run be resumed with the same recipe, or with more or fewer steps all at full rate."""
    before = json.loads(made)
    untouched = min(before["steps"], settings.steps) - settings.optimizer.decay_steps
    if step <= untouched:
        before["steps"] = settings.steps
    if json.dumps(before, sort_keys=True) != _fingerprint(settings):
        raise SetupError(f"{file} was made with other settings: {made}")


def _run_steps(run: _Run, photos: PackedPhotos, folder: Path, measure: Measure) -> None:
    settings = run.settings
    sums: dict[str, float] = {}
    waited_s, began_s = 0.0, time.monotonic()
    batches = load_batches(photos, settings, run.step)
    while run.step < settings.steps:
        asked_s = time.monotonic()
        batch = next(batches)
        waited_s += time.monotonic() - asked_s
        for name, value in _train_step(run, batch, photos.names).items():
            sums[name] = sums.get(name, 0.0) + value
        run.step += 1
        if run.step % settings.steps_per_epoch and run.step < settings.steps:
            continue
        num_steps = (run.step - 1) % settings.steps_per_epoch + 1
        elapsed_s = time.monotonic() - began_s
        metrics = {name: value / num_steps for name, value in sums.items()}
        metrics["pairs_per_s"] = num_steps * len(batch.photo_V) / 2 / elapsed_s
        metrics["waiting_share"] = waited_s / elapsed_s
        _close_epoch(run, metrics, folder, measure)
        sums, waited_s, began_s = {}, 0.0, time.monotonic()


def _train_step(run: _Run, batch: Batch, names: tuple[str, ...]) -> dict[str, float]:
    settings = run.settings
    rate = learning_rate_at(settings.optimizer, step=run.step, steps=settings.steps)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.network.train()
    pixels = standardize_pixels(torch.from_numpy(batch.views_VHWC))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.bf16):
        features_VD = run.network(pixels).float()
    loss, parts = _loss(run, features_VD, torch.from_numpy(batch.photo_V))
    if not torch.isfinite(loss):
        files = ", ".join(names[photo] for photo in dict.fromkeys(batch.photo_V.tolist()))
        raise InputError(f"the loss of step {run.step} is no number; its photographs: {files}")
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    limit = settings.optimizer.max_gradient_norm
    nn.utils.clip_grad_norm_(run.network.parameters(), limit)
    run.optimizer.step()
    decay = settings.optimizer.ema_decay
    average_into(run.average, run.network, decay=decay, step=run.step)
    return parts | {"loss": loss.item()}


def _loss(run: _Run, features_VD: Tensor, photo_V: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Compare the views with each other and with the bank, then put them into the bank."""
    recipe = run.settings.loss
    compared_KD = torch.cat([features_VD, run.bank])
    positive_VK, negative_VK = pair_masks(photo_V, torch.cat([photo_V, run.bank_photo]))
    similarity_VK = features_VD @ compared_KD.T
    contrast = info_nce(similarity_VK, positive_VK, negative_VK, temperature=recipe.temperature)
    entropy = entropy_loss(similarity_VK, negative_VK)
    weight = ramped(
        recipe.start_entropy,
        recipe.end_entropy,
        step=run.step,
        ramp_steps=recipe.ramp_steps,
    )
    if recipe.bank_rows and run.step >= recipe.bank_from_step:
        run.bank = torch.cat([run.bank, features_VD.detach()])[-recipe.bank_rows :]
        run.bank_photo = torch.cat([run.bank_photo, photo_V])[-recipe.bank_rows :]
    nearest = similarity_VK.detach().masked_fill(~negative_VK, -1.0).amax(dim=1).mean()
    parts = {
        "info_nce": contrast.item(),
        "entropy": entropy.item(),
        "positive_similarity": similarity_VK.detach()[positive_VK].mean().item(),
        "nearest_stranger_similarity": nearest.item(),
    }
    return contrast + weight * entropy, parts


def _close_epoch(run: _Run, metrics: dict[str, float], folder: Path, measure: Measure) -> None:
    """Measure the average, write the checkpoint and, if it is the best so far, keep it as such."""
    current = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.network.load_state_dict(run.average)
    run.network.eval()
    with torch.no_grad():
        metrics |= dict(measure(run.network))
    run.network.load_state_dict(current)
    is_best = metrics["micro_ap"] > run.best_micro_ap
    run.best_micro_ap = max(run.best_micro_ap, metrics["micro_ap"])
    checkpoint = Checkpoint(
        step=run.step,
        settings=_fingerprint(run.settings),
        network=current,
        average=run.average,
        optimizer=run.optimizer.state_dict(),
        bank=run.bank,
        bank_photo=run.bank_photo,
        best_micro_ap=run.best_micro_ap,
        metrics=metrics,
    )
    _save(checkpoint, folder / "last.pt")
    if is_best:
        _save(checkpoint, folder / "best.pt")
    line = {"step": run.step, "size_px": size_at(run.settings, run.step - 1)} | metrics
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    logger.info("step %s of %s: micro-AP %.3f", run.step, run.settings.steps, metrics["micro_ap"])


def _save(checkpoint: Checkpoint, file: Path) -> None:
    """Write beside and rename, so that a full disk or a kill leaves the last good one."""
    beside = file.with_suffix(".part")
    try:
        with beside.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SetupError(f"{file}: the checkpoint cannot be written ({error})") from error
