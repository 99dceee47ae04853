"""Describe a batch twice, chunk by chunk: first without a graph, then again with one.

What gradient caching needs (Gao et al. 2021, "Scaling deep contrastive learning batch size under
memory limited setup"): memory for one chunk only, and a second pass that repeats the first exactly.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import get_device_states, set_device_states

__all__ = ["Describe", "RandomState", "chunk_rows", "describe_again", "describe_without_graph"]

Describe = Callable[[NDArray[np.int64]], Tensor]
"""Takes C rows of a batch, gives their ``(C, D)`` descriptors."""

RandomState = tuple[Tensor, list[int], list[Tensor]]
"""Of torch's generators: the CPU's, and those of the accelerators that are in use, by number."""


def chunk_rows(num_views: int, chunk_views: int | None) -> list[NDArray[np.int64]]:
    """Share the views of a batch out over chunks of at most so many.

    The first half of a batch are first views, the second half the second views of the same
    photographs. Each chunk gets as many of either, so that batch normalization meets no chunk of
    strongly edited views only, and never both views of one photograph, which it would mark as
    belonging together by the statistics that they share.

    Args:
        num_views: V.
        chunk_views: None for one chunk of all views, in their order.

    Returns:
        Rows of the batch, each once.
    """
    if chunk_views is None or chunk_views >= num_views:
        return [np.arange(num_views)]
    half = num_views // 2
    place_V = np.arange(num_views, dtype=np.float64)
    place_V[half:] = (place_V[half:] + half // 2) % half + 0.5
    return np.array_split(np.argsort(place_V), math.ceil(num_views / chunk_views))


@torch.no_grad()
def describe_without_graph(
    describe: Describe, chunks: list[NDArray[np.int64]], network: nn.Module
) -> tuple[list[RandomState], Tensor]:
    """Describe chunk by chunk.

    Returns:
        The state of torch's generators before each chunk, and the ``(V, D)`` descriptors, chunk
        after chunk.
    """
    states, parts = [], []
    for rows in chunks:
        states.append((torch.get_rng_state(), *get_device_states(*network.parameters())))
        parts.append(describe(rows))
    return states, torch.cat(parts)


def describe_again(
    describe: Describe,
    chunks: list[NDArray[np.int64]],
    states: list[RandomState],
    network: nn.Module,
) -> Iterator[Tensor]:
    """Describe chunk by chunk with a graph, as before: same dropout, and no buffer changes.

    Running statistics, which are buffers, have moved in the first pass already.
    """
    before = [buffer.clone() for buffer in network.buffers()]
    for rows, (state, devices, device_states) in zip(chunks, states, strict=True):
        torch.set_rng_state(state)
        kind = next(network.parameters()).device.type
        set_device_states(devices, device_states, device_type=kind)
        yield describe(rows)
    for buffer, value in zip(network.buffers(), before, strict=True):
        buffer.copy_(value)
