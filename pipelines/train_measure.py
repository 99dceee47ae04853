"""How good a network is while it trains: micro-AP on edited copies of held-out photographs."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.descriptors import Preprocessing
from vcd.evaluation.synthesis.disc_like import DiscLikeSet, make_disc_like, score_disc_like

if TYPE_CHECKING:
    from torch import nn

    from vcd.training.data import PackedPhotos
    from vcd.training.loop import Measure

__all__ = ["described", "disc_measure", "pdq_similarity", "squashed"]

_MEASURED_REFS = 500
_MEASURED_SEED = 1
"""Of the set that picks the best epoch; the model card is measured with another seed."""

_PICTURES_AT_ONCE = 64


def disc_measure(
    held_out: "PackedPhotos", *, input_px: int, tell: Callable[[str], None]
) -> "Measure":
    """Make what measures a network on the held-out photographs, with PDQ beside it.

    Args:
        held_out: photographs that training does not see, at least two.
        input_px: side of the square that they are squashed to.
        tell: is given a line of JSON with every measurement.
    """
    num_refs = min(_MEASURED_REFS, len(held_out) // 2)
    disc = make_disc_like(
        [held_out[photo] for photo in range(len(held_out))],
        num_refs=num_refs,
        num_queries=3 * num_refs,
        seed=_MEASURED_SEED,
    )
    refs, queries = squashed(disc.refs, input_px), squashed(disc.queries, input_px)
    pdq = pdq_similarity(disc)
    beside = {} if pdq is None else {"pdq_micro_ap": score_disc_like(disc, pdq)["micro_ap"]}

    def measure(network: "nn.Module") -> Mapping[str, float]:
        similarity = described(network, queries) @ described(network, refs).T
        metrics = score_disc_like(disc, similarity) | beside
        tell(json.dumps(metrics))
        return metrics

    return measure


def squashed(pictures: Sequence[NDArray[np.uint8]], size_px: int) -> NDArray[np.uint8]:
    """Bring pictures to ``(N, size_px, size_px, 3)`` as the detector does with ``skew_N``."""
    preprocessing = Preprocessing.from_name(f"skew_{size_px}")
    return np.stack([preprocessing.resize(picture) for picture in pictures])


def described(network: "nn.Module", pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe ``(N, S, S, 3)`` uint8 pictures with a network in evaluation mode, where it is."""
    import torch

    from vcd.training.step import standardize_pixels

    device = next(network.parameters()).device
    parts = []
    with torch.no_grad():
        for first in range(0, len(pixels), _PICTURES_AT_ONCE):
            part = torch.from_numpy(pixels[first : first + _PICTURES_AT_ONCE]).to(device)
            parts.append(network(standardize_pixels(part)).float().cpu().numpy())
    return np.concatenate(parts)


def pdq_similarity(disc: DiscLikeSet) -> NDArray[np.float32] | None:
    """Compare all pictures by the 256-bit hash PDQ; None where ``pdqhash`` is not installed."""
    try:
        import pdqhash
    except ImportError:
        return None
    queries, refs = (
        np.stack([pdqhash.compute(np.ascontiguousarray(picture))[0] for picture in pictures])
        for pictures in (disc.queries, disc.refs)
    )
    signs_QB, signs_RB = (2.0 * bits.astype(np.float32) - 1.0 for bits in (queries, refs))
    similarity: NDArray[np.float32] = signs_QB @ signs_RB.T
    return similarity
