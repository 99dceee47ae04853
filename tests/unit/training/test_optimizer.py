from itertools import pairwise

import pytest
import torch

from vcd.training.optimizer import average_into, build_optimizer, learning_rate_at
from vcd.training.settings import OptimizerSettings

SETTINGS = OptimizerSettings(learning_rate=1.0, warmup_steps=10, decay_steps=50)


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [learning_rate_at(SETTINGS, step=step, steps=100) for step in range(101)]

    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == pytest.approx([1.0] * 42)
    assert rates[75] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))


def test_only_kernels_and_matrices_decay():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))

    decaying, others = build_optimizer(network, SETTINGS).param_groups

    assert [each.ndim for each in decaying["params"]] == [4]
    assert [each.ndim for each in others["params"]] == [1, 1, 1]
    assert others["weight_decay"] == 0.0


def test_the_average_moves_towards_the_weights():
    network = torch.nn.BatchNorm1d(1)
    average = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}

    average_into(average, network, decay=0.9, step=1000)

    assert average["weight"].item() == pytest.approx(0.1)
    assert average["running_var"].item() == pytest.approx(0.1)


def test_the_random_start_is_soon_forgotten():
    network = torch.nn.Linear(1, 1)
    average = {name: value + 100.0 for name, value in network.state_dict().items()}

    for step in range(30):
        average_into(average, network, decay=0.999, step=step)

    assert abs(average["weight"].item() - network.weight.item()) < 0.01
