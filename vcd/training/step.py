"""One step's gradients: the views through the network, the loss over all of them, and back.

The loss is a function of all descriptors of the batch, whichever process made them, and of nothing
else. So it is taken first, together with its gradient with respect to the descriptors; what is left
is to bring that gradient through the network, for all views at once or chunk by chunk (`chunks`).

Shape letters: V views of this process, C of one chunk, G of all processes, D dimensions, K
everything that a view is compared with.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vcd.core.errors import InputError
from vcd.training.bank import Bank
from vcd.training.batches import Batch, ramped
from vcd.training.chunks import chunk_rows, describe_again, describe_without_graph
from vcd.training.gather import gather_rows, own_rows, sum_over_processes, summed_gradients
from vcd.training.loss import entropy_rows, info_nce_rows, pair_masks, photos_of_views
from vcd.training.settings import TrainingSettings

__all__ = ["StepMetrics", "compute_gradients", "standardize_pixels"]

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """The loss of one step and what it is made of, over the views of all processes.

    Attributes:
        loss: what was minimized.
        info_nce: its first term.
        entropy: its second term, before its weight.
        positive_similarity: mean cosine of the positives.
        nearest_stranger_similarity: mean cosine of a view and its nearest stranger.
        mean_descriptor_length: length of the mean of all descriptors; near 0 where they are spread
            over the sphere, 1 where all are the same.
    """

    loss: float
    info_nce: float
    entropy: float
    positive_similarity: float
    nearest_stranger_similarity: float
    mean_descriptor_length: float


def standardize_pixels(pixels_BHWC: Tensor) -> Tensor:
    """Turn uint8 RGB ``(B, H, W, 3)`` into standardized float32 ``(B, 3, H, W)``, channels last."""
    levels = pixels_BHWC.permute(0, 3, 1, 2).float() / 255.0
    mean = torch.tensor(MEAN, device=levels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=levels.device).view(1, 3, 1, 1)
    return ((levels - mean) / std).contiguous(memory_format=torch.channels_last)


def compute_gradients(
    network: nn.Module,
    batch: Batch,
    settings: TrainingSettings,
    *,
    step: int,
    bank: Bank,
    names: tuple[str, ...],
) -> StepMetrics:
    """Add the gradients of the loss of a batch to ``.grad`` of the network's parameters.

    Nothing is zeroed before, so the gradients of several batches add up, and the network stays in
    the mode (training or evaluation) that it is in. With several processes the batch is what all
    of them bring together, and each is left with the same gradients: the network must not be
    wrapped in ``DistributedDataParallel``, which would average them once more.

    With ``chunk_views`` the views go through the network twice, once without and once with a
    graph, both times with the same dropout. Memory is then bounded by a chunk, and the gradients
    are those of the whole batch as long as the network treats every view by itself. Batch
    normalization does not: its statistics are those of a chunk, and its running statistics move
    once a chunk (in the first pass; the second leaves all buffers as the first did).

    Args:
        network: takes standardized pixels and gives unit rows, on whatever device it is.
        batch: the views of this process; as many as every other has.
        settings: the recipe.
        step: number of the step; decides the weights of the loss.
        bank: earlier descriptors; gets those of this batch as the recipe says.
        names: file name of every photograph by its number, for the error.

    Raises:
        InputError: the loss or its gradient is no number; the step and the photographs of this
            process are named. Raised in all processes if in any.
        SetupError: the processes have different numbers of views.
    """
    chunks = chunk_rows(len(batch.photo_V), settings.chunk_views)
    describe = partial(_describe, network, batch, bf16=settings.bf16)
    with_graph: Iterable[Tensor]
    if len(chunks) == 1:
        features_VD = describe(chunks[0])
        with_graph = [features_VD]
    else:
        states, features_VD = describe_without_graph(describe, chunks, network)
        with_graph = describe_again(describe, chunks, states, network)
    photo_V2 = _photos_of(batch, np.concatenate(chunks)).to(features_VD.device)
    metrics, gradient_VD = _compare(features_VD, photo_V2, settings, step=step, bank=bank)
    refuse = partial(_refuse_unless_finite, step=step, batch=batch, names=names)
    refuse("loss", metrics.loss)
    with summed_gradients(network.parameters()):
        sizes = [len(rows) for rows in chunks]
        gradients = torch.split(gradient_VD.to(features_VD.dtype), sizes)
        for features_CD, gradient_CD in zip(with_graph, gradients, strict=True):
            torch.autograd.backward(features_CD, gradient_CD)
    given = [each.grad for each in network.parameters() if each.grad is not None]
    refuse("gradient", nn.utils.get_total_norm(given).item())
    return metrics


def _describe(network: nn.Module, batch: Batch, rows: NDArray[np.int64], *, bf16: bool) -> Tensor:
    device = next(network.parameters()).device
    pixels = standardize_pixels(torch.from_numpy(batch.views_VHWC[rows]).to(device))
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
        features_CD: Tensor = network(pixels)
    return features_CD


def _photos_of(batch: Batch, rows: NDArray[np.int64]) -> Tensor:
    columns = (batch.photo_V, batch.mixed_photo_V, batch.share_V)
    return photos_of_views(*(torch.from_numpy(column[rows]) for column in columns))


def _compare(
    features_VD: Tensor, photo_V2: Tensor, settings: TrainingSettings, *, step: int, bank: Bank
) -> tuple[StepMetrics, Tensor]:
    """Compare the views with those of all processes and of the bank, then put them into the bank.

    Each process has the rows of its own views. The gradient of a view comes from all rows, so it is
    summed over the processes.

    Returns:
        The loss, and its ``(V, D)`` gradient with respect to the descriptors of this process.
    """
    recipe, own = settings.loss, own_rows(len(features_VD))
    bank.move_to(features_VD.device)
    precision = torch.promote_types(features_VD.dtype, torch.float32)
    all_GD = gather_rows(features_VD.detach().to(precision)).requires_grad_()
    photo_G2 = gather_rows(photo_V2)
    masks = pair_masks(photo_G2, bank.photo_B2, rows=own)
    similarity_VK = all_GD[own] @ torch.cat([all_GD, bank.features_BD]).T
    contrast_V = info_nce_rows(
        similarity_VK,
        *masks,
        temperature=recipe.temperature,
        is_mixed=settings.augment.mixup_probability > 0.0,
    )
    entropy_V = entropy_rows(similarity_VK, masks[1])
    weight = ramped(
        recipe.start_entropy,
        recipe.end_entropy,
        step=step,
        ramp_steps=recipe.ramp_steps,
    )
    (gradient_GD,) = torch.autograd.grad((contrast_V + weight * entropy_V).sum(), all_GD)
    gradient_VD = sum_over_processes(gradient_GD)[own] / len(all_GD)
    sums = torch.stack(
        [contrast_V.sum(), entropy_V.sum(), *_similarity_sums(similarity_VK, *masks)]
    )
    contrast, entropy, positive, num_positives, nearest = sum_over_processes(sums.detach()).tolist()
    if recipe.bank_rows and step >= recipe.bank_from_step:
        bank.add(all_GD, photo_G2, max_rows=recipe.bank_rows)
    metrics = StepMetrics(
        loss=(contrast + weight * entropy) / len(all_GD),
        info_nce=contrast / len(all_GD),
        entropy=entropy / len(all_GD),
        positive_similarity=positive / max(num_positives, 1.0),
        nearest_stranger_similarity=nearest / len(all_GD),
        mean_descriptor_length=all_GD.detach().mean(dim=0).norm().item(),
    )
    return metrics, gradient_VD


def _similarity_sums(
    similarity_VK: Tensor, positive_VK: Tensor, negative_VK: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum the similarities of the positives, count them, and sum those of nearest strangers."""
    nearest_V = similarity_VK.detach().masked_fill(~negative_VK, -1.0).amax(dim=1)
    return similarity_VK.detach()[positive_VK].sum(), positive_VK.sum(), nearest_V.sum()


def _refuse_unless_finite(
    what: str, value: float, *, step: int, batch: Batch, names: tuple[str, ...]
) -> None:
    if math.isfinite(value):
        return
    files = ", ".join(names[photo] for photo in dict.fromkeys(batch.photo_V.tolist()))
    raise InputError(f"the {what} of step {step} is no number; its photographs: {files}")
