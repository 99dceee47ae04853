from dataclasses import replace
from itertools import pairwise
from math import cos, inf, pi

import pytest
import torch

from vcd.training.optimizer import Lars, average_into, build_optimizer, learning_rate_at
from vcd.training.settings import OptimizerSettings

SETTINGS = OptimizerSettings(learning_rate=1.0, warmup_steps=10, decay_steps=50)

PUBLISHED = OptimizerSettings(
    name="lars",
    learning_rate=4.8,
    weight_decay=1e-6,
    decays_all=True,
    warmup_steps=1220,
    starts_at_zero=True,
    decay_steps=23180,
    max_gradient_norm=inf,
    ema_decay=0.0,
)


def parameter(*values, slope):
    made = torch.nn.Parameter(torch.tensor(values, dtype=torch.float64))
    made.grad = torch.tensor(slope, dtype=torch.float64)
    return made


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [learning_rate_at(SETTINGS, step=step, steps=100) for step in range(101)]

    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == pytest.approx([1.0] * 42)
    assert rates[75] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0),
        (1, 4.8 / 1219),
        (610, 4.8 * 610 / 1219),
        (1219, 4.8),
        (1220, 4.8),
        (1220 + 11590, 2.4),
        (1220 + 5795, 4.8 * 0.5 * (1.0 + cos(pi / 4))),
        (24399, 4.8 * 0.5 * (1.0 + cos(pi * 23179 / 23180))),
    ],
    ids=["first", "second", "warming", "warm", "falling", "half", "quarter", "last"],
)
def test_the_published_schedule_is_that_of_lightning_bolts(step, rate):
    assert learning_rate_at(PUBLISHED, step=step, steps=24400) == pytest.approx(rate, rel=1e-9)


def test_the_published_schedule_follows_its_recurrence():
    """Rates as LinearWarmupCosineAnnealingLR computes them, each of the one before."""
    settings = replace(PUBLISHED, learning_rate=2.0, warmup_steps=4, decay_steps=6)
    expected = [0.0]
    for epoch in range(1, 10):
        if epoch < 4:
            expected.append(expected[-1] + 2.0 / 3)
        elif epoch == 4:
            expected.append(2.0)
        else:
            above = 1 + cos(pi * (epoch - 4) / 6)
            expected.append(above / (1 + cos(pi * (epoch - 5) / 6)) * expected[-1])

    rates = [learning_rate_at(settings, step=step, steps=10) for step in range(10)]

    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("starts_at_zero", [True, False])
@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_a_warm_up_of_no_length_is_none(warmup_steps, starts_at_zero):
    settings = replace(SETTINGS, warmup_steps=warmup_steps, starts_at_zero=starts_at_zero)

    assert learning_rate_at(settings, step=0, steps=100) == 1.0


def test_a_step_of_lars_is_that_of_its_formula():
    """|p| = 5, |g| = 10, w = 0.1: g' = 0.001 * 5 / 10.5 * (g + 0.1 p)."""
    weights = parameter(3.0, 4.0, slope=[6.0, 8.0])
    optimizer = Lars([{"params": [weights], "weight_decay": 0.1}], lr=2.0, momentum=0.9)

    optimizer.step()

    trust = 0.001 * 5.0 / (10.0 + 0.1 * 5.0 + 1e-8)
    moved = [3.0 - 2.0 * trust * 6.3, 4.0 - 2.0 * trust * 8.4]
    assert weights.tolist() == pytest.approx(moved, rel=1e-12)


def test_lars_keeps_momentum_of_adapted_gradients():
    """The second step is 0.9 of the first and its own, both at the rate of the second."""
    weights = parameter(3.0, 4.0, slope=[6.0, 8.0])
    optimizer = Lars([{"params": [weights], "weight_decay": 0.1}], lr=0.0, momentum=0.9)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 1.0

    optimizer.step()

    trust = 0.001 * 5.0 / (10.0 + 0.1 * 5.0 + 1e-8)
    assert weights.tolist() == pytest.approx([3.0 - 1.9 * trust * 6.3, 4.0 - 1.9 * trust * 8.4])


@pytest.mark.parametrize(
    ("values", "weight_decay"),
    [((0.0, 0.0), 0.1), ((3.0, 4.0), 0.0)],
    ids=["zero parameter", "no decay"],
)
def test_lars_takes_raw_gradients_where_nothing_can_be_adapted(values, weight_decay):
    weights = parameter(*values, slope=[6.0, 8.0])
    groups = [{"params": [weights], "weight_decay": weight_decay}]

    Lars(groups, lr=0.5, momentum=0.9).step()

    assert weights.tolist() == pytest.approx([values[0] - 3.0, values[1] - 4.0])


def test_lars_does_not_decay_a_parameter_whose_gradient_is_zero():
    weights = parameter(3.0, 4.0, slope=[0.0, 0.0])

    Lars([{"params": [weights], "weight_decay": 0.1}], lr=0.5, momentum=0.9).step()

    assert weights.tolist() == [3.0, 4.0]


def test_lars_leaves_a_parameter_without_a_gradient_alone():
    weights = torch.nn.Parameter(torch.ones(2))

    Lars([{"params": [weights], "weight_decay": 0.1}], lr=0.5, momentum=0.9).step()

    assert weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("lars", Lars), ("sgd", torch.optim.SGD)]
)
def test_the_recipe_names_the_optimizer(name, kind):
    settings = replace(SETTINGS, name=name, momentum=0.7)

    optimizer = build_optimizer(torch.nn.Linear(2, 2), settings)

    assert type(optimizer) is kind
    assert all(group.get("momentum", 0.7) == 0.7 for group in optimizer.param_groups)


@pytest.mark.parametrize(("decays_all", "decay"), [(False, 0.0), (True, 0.05)])
def test_only_kernels_and_matrices_decay_unless_all_shall(decays_all, decay):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))

    optimizer = build_optimizer(network, replace(SETTINGS, decays_all=decays_all))

    decaying, others = optimizer.param_groups
    assert [each.ndim for each in decaying["params"]] == [4]
    assert [each.ndim for each in others["params"]] == [1, 1, 1]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.05, decay)


def test_the_average_moves_towards_the_weights():
    network = torch.nn.BatchNorm1d(1)
    average = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}

    average_into(average, network, decay=0.9, step=1000)

    assert average["weight"].item() == pytest.approx(0.1)
    assert average["running_var"].item() == pytest.approx(0.1)


def test_without_an_average_the_weights_themselves_count():
    network = torch.nn.Linear(1, 1)
    average = {name: value + 100.0 for name, value in network.state_dict().items()}

    average_into(average, network, decay=0.0, step=1000)

    assert average["weight"].item() == network.weight.item()


def test_the_random_start_is_soon_forgotten():
    network = torch.nn.Linear(1, 1)
    average = {name: value + 100.0 for name, value in network.state_dict().items()}

    for step in range(30):
        average_into(average, network, decay=0.999, step=step)

    assert abs(average["weight"].item() - network.weight.item()) < 0.01
