"""The SSCD loss: copies together (InfoNCE), strangers apart (differential entropy).

Pure functions of similarities and photograph numbers, in log-sum-exp form and never in less than
float32, so that no value of a logit overflows. Both terms are given row by row: what they are
summed over, here and in other processes, is the caller's business. They know nothing of networks,
batches or devices. ``docs/design/training.md`` says where they leave the published code, and why.

Shape letters: V rows of the batch that are looked at, G rows of the whole batch, K everything that
a row is compared with (the G rows of the batch, then those of a bank of earlier descriptors), P
positive pairs.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["entropy_rows", "info_nce_rows", "pair_masks", "photos_of_views"]

MIN_SQUARED_DISTANCE = 1e-6
"""Two strangers at the same place count as this far apart, as published."""


def photos_of_views(photo_V: Tensor, mixed_photo_V: Tensor, share_V: Tensor) -> Tensor:
    """Say which photographs are seen in each view, whatever their shares.

    Args:
        photo_V: ``(V,)`` int64, the photograph that each view was made of.
        mixed_photo_V: ``(V,)`` int64, the photograph that was mixed into it.
        share_V: ``(V,)`` how much is left of the first, 0 to 1.

    Returns:
        ``(V, 2)`` int64: both, or twice the one that has all of the view.
    """
    first_V = torch.where(share_V > 0.0, photo_V, mixed_photo_V)
    second_V = torch.where(share_V < 1.0, mixed_photo_V, photo_V)
    return torch.stack([first_V, second_V], dim=1)


def pair_masks(
    photo_G2: Tensor, bank_photo_B2: Tensor, *, rows: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """Say which entries of a ``(V, K)`` similarity are positives and which are negatives.

    Two views belong together when any photograph is in both. Such a view is a positive if it is in
    the batch and not the row itself; if it is in the bank it is neither positive nor negative, for
    other weights made it. All others are negatives. Photographs are numbered alike in all
    processes, so it does not matter whose row it is.

    Args:
        photo_G2: ``(G, 2)`` int64, the photographs in each view of the whole batch.
        bank_photo_B2: ``(B, 2)`` int64, those in each view of the bank; ``K = G + B``.
        rows: which V of the G rows are asked about.

    Returns:
        Two boolean ``(V, K)`` masks, positives and negatives.
    """
    photo_V2, photo_K2 = photo_G2[rows], torch.cat([photo_G2, bank_photo_B2])
    shared_VK = torch.zeros(len(photo_V2), len(photo_K2), dtype=torch.bool, device=photo_G2.device)
    for own_V in photo_V2.unbind(dim=1):
        for other_K in photo_K2.unbind(dim=1):
            shared_VK |= own_V[:, None] == other_K[None, :]
    positive_VK = shared_VK.clone()
    positive_VK[:, len(photo_G2) :] = False
    positive_VK[:, rows].fill_diagonal_(fill_value=False)
    return positive_VK, ~shared_VK


def info_nce_rows(
    similarity_VK: Tensor,
    positive_VK: Tensor,
    negative_VK: Tensor,
    *,
    temperature: float,
    is_mixed: bool,
) -> Tensor:
    """Cross-entropy of each positive against all negatives; other positives stay out of it.

        loss_ij = -log( e^{s_ij/t} / (e^{s_ij/t} + sum_k e^{s_ik/t}) ),    k over the negatives of i
                = softplus( logsumexp_k(s_ik/t) - s_ij/t )

    The published denominator has 1e-6 more, for the case that it is 0; here it cannot be.

    Args:
        similarity_VK: ``(V, K)`` cosines.
        positive_VK: mask of the positives j.
        negative_VK: mask of the negatives k.
        temperature: t above.
        is_mixed: a row is the mean over its positives, as published where views are mixed (a mixed
            view has twice as many, and is not twice as important); without, it is their sum.

    Returns:
        ``(V,)``, float32 or finer; 0 for a row without a positive.
    """
    logits_VK = _at_least_float32(similarity_VK) / temperature
    strangers_V = torch.logsumexp(logits_VK.masked_fill(~negative_VK, -torch.inf), dim=1)
    row_P, column_P = positive_VK.nonzero(as_tuple=True)
    loss_P = functional.softplus(strangers_V[row_P] - logits_VK[row_P, column_P])
    loss_V = torch.zeros_like(strangers_V).index_add(0, row_P, loss_P)
    return loss_V / positive_VK.sum(dim=1).clamp(min=1) if is_mixed else loss_V


def entropy_rows(similarity_VK: Tensor, negative_VK: Tensor) -> Tensor:
    """Push every view away from its nearest stranger (the Kozachenko-Leonenko estimator).

        loss_i = -log sqrt( max(2 - 2 * max_k s_ik, 1e-6) ),      k over the negatives of i

    Args:
        similarity_VK: ``(V, K)`` cosines of unit vectors.
        negative_VK: mask of the negatives k.

    Returns:
        ``(V,)``, float32 or finer; 0 for a row without a negative.
    """
    cosine_VK = _at_least_float32(similarity_VK)
    nearest_V = cosine_VK.masked_fill(~negative_VK, -torch.inf).amax(dim=1)
    squared_V = (2.0 - 2.0 * nearest_V).clamp(min=MIN_SQUARED_DISTANCE)
    return (-0.5 * squared_V.log()).masked_fill(~negative_VK.any(dim=1), 0.0)


def _at_least_float32(values: Tensor) -> Tensor:
    """Cast up what has fewer bits than float32: a logit of bfloat16 is off by up to 0.06."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
