"""What the processes of a run tell each other about a batch, and nothing where there is but one.

Tensors travel by the backend of the device they are on, gloo or nccl. Every process must call these
functions in the same order: one that does not leaves the others waiting.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from vcd.core.errors import SetupError
from vcd.training.processes import num_processes, rank

__all__ = ["gather_rows", "own_rows", "sum_over_processes", "summed_gradients"]


def own_rows(num_rows: int) -> slice:
    """Say where the rows of this process are among those of all, if each has ``num_rows``."""
    return slice(rank() * num_rows, (rank() + 1) * num_rows)


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows of all processes, in the order of their ranks, without a graph.

    Args:
        rows: ``(V, ...)``, the same V in every process.

    Raises:
        SetupError: the processes have different numbers of rows; raised in all of them.
    """
    if num_processes() == 1:
        return rows
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.empty_like(count) for _ in range(num_processes())]
    distributed.all_gather(counts, count)
    sizes = [int(each) for each in counts]
    if len(set(sizes)) > 1:
        raise SetupError(
            f"the processes have {sizes} views; all need as many, so the number of processes must "
            "divide the number of photographs in a batch"
        )
    parts = [torch.empty_like(rows) for _ in sizes]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def sum_over_processes(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes, the same bits in each; ``values`` changes."""
    if num_processes() > 1:
        distributed.all_reduce(values)
    return values


@contextmanager
def summed_gradients(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Sum over all processes the gradients that are made inside, then add what was there before.

    A parameter that got none counts as 0: all processes must sum the same parameters.
    """
    if num_processes() == 1:
        yield
        return
    trained = [each for each in parameters if each.requires_grad]
    earlier = [each.grad for each in trained]
    for each in trained:
        each.grad = None
    yield
    fresh = [torch.zeros_like(each) if each.grad is None else each.grad for each in trained]
    sums = sum_over_processes(torch.cat([each.flatten() for each in fresh]))
    parts = torch.split(sums, [each.numel() for each in fresh])
    for each, gradient, part, before in zip(trained, fresh, parts, earlier, strict=True):
        gradient.copy_(part.view_as(gradient))
        each.grad = gradient if before is None else before.add_(gradient)
