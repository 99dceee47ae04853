"""AdamW, its learning rate over the steps, and the running average of the weights."""

import math

import torch
from torch import Tensor, nn

from vcd.training.settings import OptimizerSettings

__all__ = ["average_into", "build_optimizer", "learning_rate_at"]


def build_optimizer(network: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """Build AdamW over two groups: kernels and matrices decay, everything one-dimensional not."""
    parameters = list(network.parameters())
    groups = [
        {
            "params": [each for each in parameters if each.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0)


def learning_rate_at(settings: OptimizerSettings, *, step: int, steps: int) -> float:
    r"""Rise linearly over the warm-up, stay, then fall on a half cosine to 0 after the last step.

    rate  1 |  ____________
            | /            \
              0 |/______________\___ step
             warm-up      decay
    """
    rising = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    left = min(1.0, (steps - step) / max(1, settings.decay_steps))
    falling = 0.5 * (1.0 - math.cos(math.pi * left))
    return settings.learning_rate * rising * falling


@torch.no_grad()
def average_into(
    average: dict[str, Tensor], network: nn.Module, *, decay: float, step: int
) -> None:
    """Move the running average towards the weights, in place; batch statistics included.

    Early steps count more (``decay`` is at most ``(1 + step) / (10 + step)``), so that the random
    start is soon forgotten.
    """
    kept = min(decay, (1.0 + step) / (10.0 + step))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - kept)
        else:
            average[name].copy_(value)
