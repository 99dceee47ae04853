"""Say how sure a match is, on one scale for short and long, still and lively ones.

    independent = (sum w)^2 / (w' K w)          frames that say something of their own
    evidence    = mean w over the stretch * independent
    score       = evidence / (evidence + score_scale)

w is what each matching cell has above the noise floor, K how alike the matched
frames are among themselves, on whichever side they are more alike: by their raw similarity,
which no score normalization moves. Two still
shots that look alike are one observation, however long they last. Everything
depends on this pair alone. docs/design/align.md has the reasons and numbers.
P cells, D dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.align.paths import cell_weights
from vcd.align.settings import AlignSettings

__all__ = ["Evidence", "weigh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What speaks for a match.

    Attributes:
        strength: mean evidence of a query frame of the stretch, 0 to 1; frames that do not
            match count as 0.
        num_independent: how many frames of the stretch say something of their own; 1 or more.
        score: in [0, 1), rises with both.
    """

    strength: float
    num_independent: float
    score: float


def weigh(
    query_PD: NDArray[np.float32],
    ref_PD: NDArray[np.float32],
    score_P: NDArray[np.float32],
    num_rows: int,
    settings: AlignSettings,
) -> Evidence:
    """Weigh the matching cells of one path.

    Args:
        query_PD: ``(P, D)`` query descriptors of the cells, ``P >= 1``.
        ref_PD: ``(P, D)`` ref descriptors of the cells.
        score_P: ``(P,)`` what each cell scores: its inner product and the bias of its query frame.
        num_rows: query frames from the first to the last cell, matching or not.
        settings: the noise floor, and the scale of the score.
    """
    weights = cell_weights(score_P, settings.min_similarity).astype(np.float64)
    strength = float(weights.sum()) / max(num_rows, len(weights))
    if len(weights) > settings.max_score_frames:
        kept = np.linspace(0, len(weights) - 1, settings.max_score_frames).round().astype(np.int64)
        query_PD, ref_PD, weights = query_PD[kept], ref_PD[kept], weights[kept]
    alike = np.maximum(query_PD @ query_PD.T, ref_PD @ ref_PD.T)
    alike = cell_weights(alike, settings.min_similarity)
    joint = float(weights @ alike @ weights)
    independent = float(weights.sum()) ** 2 / joint if joint > 0 else 1.0
    independent = max(1.0, independent)
    evidence = strength * independent
    score = evidence / (evidence + settings.score_scale)
    return Evidence(strength=strength, num_independent=independent, score=score)
