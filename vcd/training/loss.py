"""The SSCD loss: copies together (InfoNCE), strangers apart (differential entropy).

Pure functions of unit descriptors and photograph numbers, in log-sum-exp form, so that no value
of a logit overflows. They know nothing of networks, batches or devices.

Shape letters: V views in the batch, K views it is compared with (the batch itself and then, where
there is one, a bank of earlier descriptors), D dimensions.
"""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["entropy_loss", "info_nce", "pair_masks"]

MIN_SQUARED_DISTANCE = 1e-6
"""Two strangers at the same place count as this far apart, as published."""


def pair_masks(photo_V: Tensor, photo_K: Tensor) -> tuple[Tensor, Tensor]:
    """Say which entries of a ``(V, K)`` similarity are positives and which are negatives.

    The first V of the K columns are the batch itself. A positive is another view of the same
    photograph in the batch; a later column of the same photograph (an earlier descriptor of it,
    from the bank) is neither, for it was made by other weights.

    Args:
        photo_V: number of the photograph of each view.
        photo_K: the same for everything that it is compared with.

    Returns:
        Two boolean ``(V, K)`` masks, positives and negatives.
    """
    same_VK = photo_V[:, None] == photo_K[None, :]
    positive_VK = same_VK.clone()
    positive_VK[:, len(photo_V) :] = False
    positive_VK.fill_diagonal_(fill_value=False)
    return positive_VK, ~same_VK


def info_nce(
    similarity_VK: Tensor, positive_VK: Tensor, negative_VK: Tensor, *, temperature: float
) -> Tensor:
    """Cross-entropy of each positive against all negatives; other positives stay out of it.

        loss = mean over positives (i, j) of  -log( e^{s_ij/t} / (e^{s_ij/t} + sum_k e^{s_ik/t}) )
             = mean of  softplus( logsumexp_k(s_ik/t) - s_ij/t ),      k over the negatives of i

    Args:
        similarity_VK: ``(V, K)`` cosines.
        positive_VK: mask of the positives.
        negative_VK: mask of the negatives.
        temperature: t above.

    Returns:
        A scalar; 0 when there is no positive.
    """
    logits_VK = similarity_VK.float() / temperature
    strangers_V = torch.logsumexp(logits_VK.masked_fill(~negative_VK, -torch.inf), dim=1)
    row, column = positive_VK.nonzero(as_tuple=True)
    if len(row) == 0:
        return logits_VK.sum() * 0.0
    return functional.softplus(strangers_V[row] - logits_VK[row, column]).mean()


def entropy_loss(similarity_VK: Tensor, negative_VK: Tensor) -> Tensor:
    """Push every view away from its nearest stranger (the Kozachenko-Leonenko estimator).

        loss = mean_i  -log sqrt( max(2 - 2 * max_k s_ik, 1e-6) ),      k over the negatives of i

    Args:
        similarity_VK: ``(V, K)`` cosines of unit vectors.
        negative_VK: mask of the negatives.

    Returns:
        A scalar; rows without a negative do not count, and without any row it is 0.
    """
    with_stranger_V = negative_VK.any(dim=1)
    if not bool(with_stranger_V.any()):
        return similarity_VK.float().sum() * 0.0
    nearest_V = similarity_VK.float().masked_fill(~negative_VK, -torch.inf).amax(dim=1)
    squared_V = (2.0 - 2.0 * nearest_V[with_stranger_V]).clamp(min=MIN_SQUARED_DISTANCE)
    return -0.5 * squared_V.log().mean()
