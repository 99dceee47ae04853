"""How weights follow gradients: three optimizers, the learning rate over the steps, the average.

`Lars` and the schedule with ``starts_at_zero`` are those that SSCD is published with; why the
defaults are others is in docs/design/training.md.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn

from vcd.training.settings import OptimizerSettings

__all__ = ["Lars", "average_into", "build_optimizer", "learning_rate_at"]

TRUST = 0.001
"""How long a step of LARS is, in lengths of the parameter; as published."""

LARS_EPSILON = 1e-8


class Lars(torch.optim.Optimizer):
    r"""Momentum over gradients that are scaled to the length of their parameter (You et al., 2017).

        g' = 0.001 |p| / (|g| + w |p| + 1e-8) * (g + w p)     where w, |p| and |g| are not 0
        g' = g                                                elsewhere
        v  = momentum * v + g'
        p  = p - rate * v

    This is the rule that SSCD is published with (lightning-bolts). Its second line matters: what
    is zero at the start (last gammas, biases) takes raw gradients at the full rate until it is not.

    Args:
        params: parameters, or groups of them with a ``weight_decay`` (w) each.
        lr: the rate.
        momentum: share of v that is kept.
    """

    def __init__(
        self, params: Iterable[Tensor] | Iterable[dict[str, Any]], *, lr: float, momentum: float
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient; with a closure, evaluate it first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        adapted = _adapted(parameter, gradient, weight_decay=group["weight_decay"])
        state = self.state[parameter]
        if "velocity" in state:
            state["velocity"].mul_(group["momentum"]).add_(adapted)
        else:
            state["velocity"] = adapted.clone()
        parameter.sub_(state["velocity"], alpha=group["lr"])


def _adapted(parameter: Tensor, gradient: Tensor, *, weight_decay: float) -> Tensor:
    """The g' of `Lars`; no branch waits for the device."""
    if weight_decay == 0.0:
        return gradient
    length, slope = torch.linalg.vector_norm(parameter), torch.linalg.vector_norm(gradient)
    scale = TRUST * length / (slope + weight_decay * length + LARS_EPSILON)
    scaled = scale * gradient.add(parameter, alpha=weight_decay)
    return torch.where((length > 0) & (slope > 0), scaled, gradient)


def build_optimizer(network: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Build the optimizer that the settings name, at the rate 0.

    There are two groups, in the order in which the network names its parameters: kernels and
    matrices decay, everything one-dimensional not, unless ``decays_all`` asks for it.
    """
    parameters = list(network.parameters())
    decay = settings.weight_decay
    groups = [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": decay},
        {
            "params": [each for each in parameters if each.ndim <= 1],
            "weight_decay": decay if settings.decays_all else 0.0,
        },
    ]
    if settings.name == "lars":
        return Lars(groups, lr=0.0, momentum=settings.momentum)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=settings.momentum)
    return torch.optim.AdamW(groups, lr=0.0)


def learning_rate_at(settings: OptimizerSettings, *, step: int, steps: int) -> float:
    r"""Rise linearly over the warm-up, stay, then fall on a half cosine to 0 after the last step.

    rate  1 |  ____________
            | /            \
              0 |/______________\___ step
             warm-up      decay

    With ``starts_at_zero`` and ``decay_steps = steps - warmup_steps`` this is the published
    schedule: step 0 has the rate 0, step ``warmup_steps - 1`` the whole, and nothing stays.
    """
    num_done = step if settings.starts_at_zero else step + 1
    num_rising = settings.warmup_steps - (1 if settings.starts_at_zero else 0)
    rising = min(1.0, num_done / num_rising) if num_rising > 0 else 1.0
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
