"""The processes of one run, as torchrun starts them: who writes, and what all agree on.

Process 0 measures, writes and speaks. A process that was started alone is process 0 of 1, and
nothing here costs it anything. What all must agree on goes over the processor (gloo), whatever
the network runs on.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from vcd.core.errors import SetupError, VcdError

__all__ = [
    "any_process",
    "first_does",
    "first_here_does",
    "joined",
    "local_rank",
    "num_processes",
    "rank",
]

T = TypeVar("T")

_PATIENCE = timedelta(hours=24)
"""How long the others wait for one that decodes (a million photographs take hours), measures or
saves before they give up."""


@contextmanager
def joined(*, uses_gpu: bool) -> Iterator[None]:
    """Join the other processes that torchrun has started, for a while; alone, do nothing.

    Args:
        uses_gpu: whether the network runs on one GPU a process.

    Raises:
        SetupError: there are more processes on this machine than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if uses_gpu:
        if local_rank() >= torch.cuda.device_count():
            raise SetupError(
                f"one GPU a process is needed; this machine has {torch.cuda.device_count()} "
                f"and process {local_rank()} found none"
            )
        torch.cuda.set_device(local_rank())
    backend = "cpu:gloo,cuda:nccl" if uses_gpu else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process among all of the run."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def local_rank() -> int:
    """Number of this process among those on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def num_processes() -> int:
    """How many processes the run has."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def any_process(*, claim: bool) -> bool:
    """Say whether the claim is true in any process; the same answer in all."""
    if num_processes() == 1:
        return claim
    claims = torch.tensor([int(claim)])
    distributed.all_reduce(claims, op=distributed.ReduceOp.MAX)
    return bool(claims.item())


def first_does(deed: Callable[[], T]) -> T:
    """Let process 0 do something while the others wait, and give all of them its result.

    Raises:
        VcdError: what process 0 raised; in the others a SetupError that says so.
    """
    return _chosen_do(deed, is_chosen=rank() == 0, wanted=0)


def first_here_does(deed: Callable[[], T]) -> T:
    """Let the first process of each machine do something, and give those beside it its result.

    Raises:
        VcdError: what the first process raised; in the others a SetupError that says so.
    """
    return _chosen_do(deed, is_chosen=local_rank() == 0, wanted=rank() - local_rank())


def _chosen_do(deed: Callable[[], T], *, is_chosen: bool, wanted: int) -> T:
    """Let the chosen processes do something, and return what process ``wanted`` got.

    All learn of a failure in any of them, so that none waits for one that has stopped.
    """
    if num_processes() == 1:
        return deed()
    outcome: tuple[T | None, str | None] = (None, None)
    failure: VcdError | None = None
    if is_chosen:
        try:
            outcome = (deed(), None)
        except VcdError as error:
            failure, outcome = error, (None, str(error))
    told: list[Any] = [None] * num_processes()
    distributed.all_gather_object(told, outcome)
    if failure is not None:
        raise failure
    for process, (_, sentence) in enumerate(told):
        if sentence is not None:
            raise SetupError(f"process {process} stopped the run: {sentence}")
    result: T = told[wanted][0]
    return result
