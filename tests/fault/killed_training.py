"""Kill a training run before ever later steps of the disk and of the training, and resume it.

    python -m tests.fault.killed_training FOLDER

Prints a line of JSON for every kill: where it was, and whether the resumed run ended with the
weights, the average, the best checkpoint and the metrics of the run that nobody killed. A program
of its own, because it forks, which wants a process that has not run torch before.
"""

import itertools
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.fault.disk_steps import Countdown, before_each_step, kill_self
from vcd.training.checkpoint import load_checkpoint
from vcd.training.data import PackedPhotos
from vcd.training.loop import Watch, train
from vcd.training.settings import LossSettings, OptimizerSettings, TrainingSettings

SETTINGS = TrainingSettings(
    dim=4,
    steps=6,
    steps_per_epoch=2,
    batch_photos=4,
    accumulate_batches=2,
    sizes_px=(16,),
    size_steps=(0,),
    bf16=False,
    num_loaders=0,
    loss=LossSettings(bank_rows=12, bank_from_step=1),
    optimizer=OptimizerSettings(learning_rate=1e-2, warmup_steps=2, decay_steps=3),
)

SCORES = (0.3, 0.6, 0.5)
"""Of the three epochs: the second is the best."""

STRIDE = 90
"""Between two kills, in steps of the disk: one kill costs some tenths of a second."""

TIMED = ("time_s", "images_per_s", "waiting_share")


class _UnitLength(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(rows, dim=1)


def _network() -> nn.Module:
    shrink = nn.Conv2d(3, 6, 3, stride=2)
    pool = [nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(shrink, *pool, nn.Linear(6, 4), _UnitLength())


def _photos() -> PackedPhotos:
    rng = np.random.default_rng(0)
    return PackedPhotos(
        names=tuple(f"photo{number}.jpg" for number in range(9)),
        levels=rng.integers(0, 256, size=9 * 24 * 24 * 3, dtype=np.uint8),
        first=np.arange(10) * 24 * 24 * 3,
        sizes=np.full((9, 2), 24),
    )


def _train(folder: Path, advance: Callable[[str], object] = len) -> None:
    """Train, or go on where there is something to go on from."""

    def measure(network: nn.Module) -> dict[str, float]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return {"micro_ap": SCORES[len(lines)]}

    train(
        _network,
        _photos(),
        SETTINGS,
        folder=folder,
        watch=Watch(measure=measure, advance=advance, wants_stop=lambda: False),
        resume=(folder / "last.pt").exists(),
    )


def _in_child(work: Callable[[], None]) -> int:
    """Do something in a child; returns its wait status."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _killed_at_disk_step(folder: Path, k: int) -> None:
    with before_each_step(Countdown(k, kill_self)):
        _train(folder)


def _killed_in_step(folder: Path, step: int) -> None:
    taken = itertools.count()
    _train(folder, lambda note: kill_self() if next(taken) == step else None)


def _all_of(folder: Path) -> list[Any]:
    """What a run leaves behind, but for times."""
    made: list[Any] = []
    for name in ("last.pt", "best.pt"):
        checkpoint = load_checkpoint(folder / name)
        tensors = checkpoint["network"] | checkpoint["average"] | {"bank": checkpoint["bank"]}
        made += [checkpoint["step"], {key: value.tolist() for key, value in tensors.items()}]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    made.append([{key: e[key] for key in e.keys() - set(TIMED)} for e in entries])
    return made


def main(out: Path) -> None:
    """Kill until a run gets through unharmed."""
    torch.optim.SGD([torch.zeros(1)]).zero_grad()  # loads what each child would load again
    assert _in_child(lambda: _train(out / "whole")) == 0
    whole = _all_of(out / "whole")
    in_steps = [(_killed_in_step, step) for step in range(SETTINGS.steps)]
    on_disk = ((_killed_at_disk_step, k) for k in itertools.count(0, STRIDE))
    for killed, place in itertools.chain(in_steps, on_disk):
        folder = out / f"{killed.__name__}{place}"
        status = _in_child(partial(killed, folder, place))
        if status == 0:
            return
        resumed = _in_child(partial(_train, folder))
        same = resumed == 0 and _all_of(folder) == whole
        sys.stdout.write(
            json.dumps({"at": folder.name, "signal": os.WTERMSIG(status), "same": same}) + "\n"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
