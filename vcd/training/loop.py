"""The training loop: steps, epochs, and a run that goes on where it was killed.

Everything that decides the next step is in the checkpoint (weights, their average, optimizer, bank)
or a function of the step number (batch, size, strength, rates, chance), so a run that is killed
anywhere and resumed ends with the same weights, bit for bit on a CPU with the same number of
threads and processes.

How a network is measured is the caller's business, and so is who is told: `Watch`. With several
processes each trains on its share of every batch, and process 0 alone measures and writes.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from vcd.core.errors import SetupError
from vcd.training.batches import Batch, load_batches, size_at
from vcd.training.checkpoint import load_checkpoint, photos_text, save_checkpoint
from vcd.training.data import PackedPhotos
from vcd.training.metrics import append_metrics, keep_metrics_until
from vcd.training.optimizer import average_into, learning_rate_at
from vcd.training.processes import any_process, first_does, num_processes, rank
from vcd.training.run import Run, begin_run, checkpoint_of, restore_run
from vcd.training.settings import TrainingSettings
from vcd.training.step import compute_gradients

__all__ = ["Ending", "Measure", "Watch", "train"]

logger = logging.getLogger(__name__)

Measure = Callable[[nn.Module], Mapping[str, float]]
"""Takes the averaged network in evaluation mode; ``micro_ap`` among the results picks the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is asked and told while a run goes on.

    Attributes:
        measure: called by process 0 after each epoch.
        advance: called after each step with a note of a few words.
        wants_stop: asked after each step; True saves and ends the run, in all processes when any
            of them says so.
        commit: of the code, noted in every checkpoint; None where nobody knows.
    """

    measure: Measure
    advance: Callable[[str], object]
    wants_stop: Callable[[], bool]
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended.

    Attributes:
        best: the best checkpoint; None where no epoch was measured.
        step: how many steps are done.
        cause: all steps done, no better micro-AP for long enough, or `Watch.wants_stop`.
    """

    best: Path | None
    step: int
    cause: Literal["complete", "no_better", "asked"]


@dataclass(slots=True)
class _Clock:
    """How long this epoch has taken, as far as this process has seen it."""

    began_s: float = field(default_factory=time.monotonic)
    waited_s: float = 0.0
    num_images: int = 0

    def next_of(self, batches: Iterator[Batch]) -> Batch:
        asked_s = time.monotonic()
        batch = next(batches)
        self.waited_s += time.monotonic() - asked_s
        self.num_images += len(batch.photo_V)
        return batch

    def rates(self) -> dict[str, float]:
        elapsed_s = time.monotonic() - self.began_s
        images_per_s = num_processes() * self.num_images / elapsed_s
        return {"images_per_s": images_per_s, "waiting_share": self.waited_s / elapsed_s}


def train(
    build: Callable[[], nn.Module],
    photos: PackedPhotos,
    settings: TrainingSettings,
    *,
    folder: Path,
    watch: Watch,
    resume: bool = False,
) -> Ending:
    """Train a network; `vcd.training.processes.joined` makes it one of several processes.

    Writes ``last.pt``, ``best.pt`` (the epoch with the highest ``micro_ap``), ``metrics.jsonl`` and
    an event file for TensorBoard into ``folder``. ``last.pt`` is there from the beginning, after
    each epoch, and when the run is asked to stop.

    Args:
        build: makes the network on the device that it is to run on; called once, after the seed
            is set.
        photos: what to train on, the same in all processes.
        settings: the recipe.
        folder: where checkpoints go; made when missing.
        watch: who is asked and told.
        resume: go on from ``last.pt``; without it a run that has done a step is an error.

    Raises:
        InputError: loss or gradient is no number; the step and the photographs are named.
        SetupError: fewer than two photographs, a batch that the processes cannot share, a run is
            already there, the one to resume was made with other settings or photographs, or
            nothing can be written.
    """
    if len(photos) < 2:
        raise SetupError(f"training compares photographs and needs at least 2, got {len(photos)}")
    _refuse_uneven_shares(len(photos), settings)
    run = begin_run(build, settings)
    run.photos, run.commit = photos_text(photos.names), watch.commit
    last = folder / "last.pt"
    if resume:
        restore_run(run, load_checkpoint(last), last)
    first_does(lambda: _open_folder(run, folder, resume=resume))
    with _threads(settings.num_threads):
        cause = _run_steps(run, photos, folder, watch)
    best = folder / "best.pt"
    return Ending(best=best if best.exists() else None, step=run.step, cause=cause)


def _refuse_uneven_shares(num_photos: int, settings: TrainingSettings) -> None:
    size = min(settings.batch_photos, num_photos)
    if size % num_processes():
        raise SetupError(
            f"a batch of {size} photographs does not divide by {num_processes()} processes"
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _open_folder(run: Run, folder: Path, *, resume: bool) -> None:
    """Refuse to overwrite a run, and find out now whether a checkpoint can be written."""
    last, best = folder / "last.pt", folder / "best.pt"
    if not resume and (load_checkpoint(last)["step"] > 0 if last.exists() else best.exists()):
        raise SetupError(f"there is a run in {folder} already; resume it or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{folder}: no folder can be made there ({error.strerror})") from error
    if not resume:
        best.unlink(missing_ok=True)
        save_checkpoint(checkpoint_of(run), last)
    keep_metrics_until(folder, run.step)


def _run_steps(
    run: Run, photos: PackedPhotos, folder: Path, watch: Watch
) -> Literal["complete", "no_better", "asked"]:
    batches = load_batches(
        photos, run.settings, run.step, process=rank(), num_processes=num_processes()
    )
    clock = _Clock()
    while run.step < run.settings.steps and not run.is_stale():
        taken = _train_step(run, batches, photos.names, clock)
        for name, value in (taken | {"num_steps": 1.0}).items():
            run.sums[name] = run.sums.get(name, 0.0) + value
        run.step += 1
        watch.advance(f"loss {taken['loss']:.3f}")
        is_asked = any_process(claim=watch.wants_stop())
        if run.is_at_epoch_end():
            _close_epoch(run, clock, folder, watch.measure)
            clock = _Clock()
        elif is_asked:
            first_does(lambda: save_checkpoint(checkpoint_of(run), folder / "last.pt"))
        if is_asked and run.step < run.settings.steps:
            return "asked"
    return "no_better" if run.step < run.settings.steps else "complete"


def _train_step(
    run: Run, batches: Iterator[Batch], names: tuple[str, ...], clock: _Clock
) -> dict[str, float]:
    """Take one step; its metrics are means over the batches whose gradients it averages."""
    settings = run.settings
    rate = learning_rate_at(settings.optimizer, step=run.step, steps=settings.steps)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.network.train()
    torch.manual_seed(_chance_of_step(settings.seed, run.step))
    run.optimizer.zero_grad(set_to_none=True)
    num_batches = settings.accumulate_batches
    metrics: dict[str, float] = {}
    for _ in range(num_batches):
        taken = compute_gradients(
            run.network,
            clock.next_of(batches),
            settings,
            step=run.step,
            bank=run.bank,
            names=names,
        )
        for name, value in asdict(taken).items():
            metrics[name] = metrics.get(name, 0.0) + value / num_batches
    metrics["gradient_length"] = _finish_gradients(run)
    run.optimizer.step()
    decay = settings.optimizer.ema_decay
    average_into(run.average, run.network, decay=decay, step=run.step)
    return metrics


def _finish_gradients(run: Run) -> float:
    """Average the gradients over the batches of a step, shorten them; say how long they were."""
    parameters = [each for each in run.network.parameters() if each.grad is not None]
    for each in parameters:
        if each.grad is not None and run.settings.accumulate_batches > 1:
            each.grad.div_(run.settings.accumulate_batches)
    limit = run.settings.optimizer.max_gradient_norm
    return nn.utils.clip_grad_norm_(parameters, limit).item()


def _chance_of_step(seed: int, step: int) -> int:
    """What dropout and its like draw from; other processes, with other views, draw otherwise."""
    return int(np.random.SeedSequence([seed, 3, step, rank()]).generate_state(1, np.uint64)[0])


def _close_epoch(run: Run, clock: _Clock, folder: Path, measure: Measure) -> None:
    """Measure the average, write it down and, if it is the best so far, keep it as such."""
    num_steps = run.sums.pop("num_steps")
    metrics = {name: value / num_steps for name, value in run.sums.items()} | clock.rates()
    metrics |= first_does(lambda: _measured(run, measure))
    is_best = metrics["micro_ap"] > run.best_micro_ap
    run.best_micro_ap = max(run.best_micro_ap, metrics["micro_ap"])
    run.num_epochs_without_better = 0 if is_best else run.num_epochs_without_better + 1
    run.sums, run.metrics = {}, metrics
    first_does(lambda: _write_epoch(run, folder, is_best=is_best))
    logger.info("step %s of %s: micro-AP %.3f", run.step, run.settings.steps, metrics["micro_ap"])


def _measured(run: Run, measure: Measure) -> dict[str, float]:
    current = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.network.load_state_dict(run.average)
    run.network.eval()
    with torch.no_grad():
        measured = dict(measure(run.network))
    run.network.load_state_dict(current)
    return measured


def _write_epoch(run: Run, folder: Path, *, is_best: bool) -> None:
    """Write the line first and ``last.pt`` last: what a kill undoes is then done again."""
    settings = run.settings
    rate = learning_rate_at(settings.optimizer, step=run.step - 1, steps=settings.steps)
    where = {"step": run.step, "time_s": time.time(), "size_px": size_at(settings, run.step - 1)}
    append_metrics(folder, where | {"learning_rate": rate} | run.metrics)
    checkpoint = checkpoint_of(run)
    if is_best:
        save_checkpoint(checkpoint, folder / "best.pt")
    save_checkpoint(checkpoint, folder / "last.pt")
