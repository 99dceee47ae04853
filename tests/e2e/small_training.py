"""`vcd train` with a trunk of some hundred parameters, as a program of its own, for torchrun too.

    torchrun --nproc-per-node 2 -m tests.e2e.small_training train --config ...

``SMALL_STOP=1:5`` sends SIGTERM to process 1 during its step 5.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from pipelines.cli import main
from vcd.descriptors import sscd
from vcd.descriptors.trunks import Trunk
from vcd.training import loop

NUM_PICTURES = 24

RECIPE = """
[training]
trunk = "small"
dim = 8
steps = 8
steps_per_epoch = 4
batch_photos = 8
accumulate_batches = 2
sizes_px = [24, 32]
size_steps = [0, 4]
input_px = 32
store_px = 48
holdout_every = 3
bf16 = false
device = "cpu"
num_loaders = 1

[training.augment]
mixup_probability = 0.2

[training.loss]
temperature = 0.2
start_entropy = 0.1
end_entropy = 0.1
bank_rows = 48
bank_from_step = 1

[training.optimizer]
name = "sgd"
learning_rate = 0.02
warmup_steps = 2
decay_steps = 4
"""


def _trunk() -> nn.Module:
    layers = [nn.Conv2d(3, 8, 5, stride=4), nn.GroupNorm(2, 8), nn.ReLU()]
    return nn.ModuleDict({"cells": nn.Sequential(*layers)})


TRUNKS = {"small": Trunk(build=_trunk, children=("cells",), num_channels=8)}


def draw_photos(folder: Path) -> Path:
    """Write soft random pictures, no two alike."""
    folder.mkdir()
    for number in range(NUM_PICTURES):
        rng = np.random.default_rng(number)
        ground = Image.fromarray(rng.integers(0, 256, size=(4, 5, 3), dtype=np.uint8))
        picture = ground.resize((64, 48), Image.Resampling.BICUBIC)
        picture.save(folder / f"picture{number:02d}.png")
    return folder


def terminate_in_step(step: int) -> None:
    """Let this process get one SIGTERM, during a step of its next run."""
    original = vars(loop)["average_into"]

    def average_into(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        if kwargs["step"] == step:
            vars(loop)["average_into"] = original
            os.kill(os.getpid(), signal.SIGTERM)

    vars(loop)["average_into"] = average_into


if __name__ == "__main__":
    vars(sscd)["TRUNKS"] = TRUNKS
    process, _, stop = os.environ.get("SMALL_STOP", "").partition(":")
    if stop and os.environ.get("RANK", "0") == process:
        terminate_in_step(int(stop))
    sys.exit(main())
