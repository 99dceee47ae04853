import pytest
import torch
from torch import nn

from vcd.descriptors.pooling import ClassToken, GeM, MeanOfCells, MeanOfPatches


def test_gem_is_the_cubic_mean_of_positive_cells():
    cells = torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]])

    assert GeM()(cells).item() == pytest.approx(((1 + 8 + 27) / 4) ** (1 / 3), rel=1e-5)


def test_gem_of_large_halves_does_not_overflow():
    cells = torch.full((1, 1, 2, 2), 1000.0, dtype=torch.float16)

    assert GeM()(cells).item() == pytest.approx(1000.0, rel=1e-3)


def test_the_mean_of_cells_keeps_what_is_negative():
    cells = torch.tensor([[[[1.0, -5.0]], [[2.0, 4.0]]]])

    assert MeanOfCells()(cells).tolist() == [[-2.0, 3.0]]


def test_the_mean_of_cells_is_normalized_after_it_is_taken():
    cells = torch.tensor([[[[1.0, 3.0]], [[6.0, 2.0]]]])

    pooled = MeanOfCells(nn.LayerNorm(2))(cells)

    assert pooled.tolist() == [pytest.approx([-1.0, 1.0], abs=1e-4)]


def test_tokens_are_pooled_to_the_first_one_or_to_the_mean_of_the_others():
    tokens = torch.tensor([[[9.0, 9.0], [1.0, 2.0], [3.0, -2.0]]])

    assert ClassToken()(tokens).tolist() == [[9.0, 9.0]]
    assert MeanOfPatches()(tokens).tolist() == [[2.0, 0.0]]
