"""A small set in the manner of DISC2021: references, edited queries, and queries of strangers.

Two thirds of the queries match nothing, so a score must mean the same for every query. Photographs
of strangers are edited exactly as copies are, or the edit itself would give them away. The set is a
function of the photographs, the counts and the seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.micro_ap import ScoredPairs, micro_ap, recall_at_precision
from vcd.evaluation.synthesis.edits import IMAGE_EDITS, plan_edit

__all__ = [
    "DiscLikeSet",
    "make_disc_like",
    "score_by_edit",
    "score_disc_like",
    "stranger_quantiles",
]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscLikeSet:
    """References and queries, and which query copies which reference.

    Attributes:
        refs: R pictures, ``(H, W, 3)`` uint8, unedited.
        queries: Q pictures, edited.
        edits: the name of each query's edit.
        truth: ``(Q,)`` int64, the reference that each query copies, or ``R`` for none.
    """

    refs: tuple[Pixels, ...]
    queries: tuple[Pixels, ...]
    edits: tuple[str, ...]
    truth: NDArray[np.int64]


def make_disc_like(
    photos: Sequence[Pixels], *, num_refs: int, num_queries: int, seed: int
) -> DiscLikeSet:
    """Draw the references among the photographs; all others are strangers.

    Args:
        photos: ``(H, W, 3)`` uint8 each, no two of one scene.
        num_refs: number of references; leaves at least one stranger.
        num_queries: one third of them copies a reference, each edit equally often.
        seed: decides roles, edits and their parameters.

    Raises:
        ValueError: there are not more photographs than references.
    """
    if len(photos) <= num_refs:
        raise ValueError(f"{num_refs} references need more than {len(photos)} photographs")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(photos))
    strangers = order[num_refs:]
    num_copies = num_queries // 3
    copied = np.resize(rng.permutation(num_refs), num_copies)
    uncopied = np.resize(rng.permutation(strangers), num_queries - num_copies)
    shown = np.concatenate([order[copied], uncopied])
    names = list(IMAGE_EDITS)
    edits = tuple(names[query % len(names)] for query in range(num_queries))
    around = rng.choice(strangers, size=num_queries)
    queries = tuple(
        plan_edit(edit, rng).apply(photos[int(photo)], photos[int(other)])
        for edit, photo, other in zip(edits, shown, around, strict=True)
    )
    return DiscLikeSet(
        refs=tuple(photos[int(photo)] for photo in order[:num_refs]),
        queries=queries,
        edits=edits,
        truth=np.concatenate([copied, np.full(num_queries - num_copies, num_refs)]),
    )


def score_disc_like(disc: DiscLikeSet, similarity: NDArray[np.float32]) -> dict[str, float]:
    """Measure a ``(Q, R)`` similarity, higher is better: all pairs of all queries compete."""
    is_true = disc.truth[:, None] == np.arange(len(disc.refs))[None, :]
    pairs = ScoredPairs(
        scores=similarity.astype(np.float64).ravel(),
        is_true=is_true.ravel(),
        query=np.repeat(np.arange(len(disc.truth)), len(disc.refs)),
        num_true=is_true.sum(axis=1),
    )
    recall, threshold = recall_at_precision(pairs, 0.9)
    return {
        "micro_ap": micro_ap(pairs),
        "recall_at_p90": recall,
        "threshold_at_p90": np.nan if threshold is None else threshold,
        "accuracy_at_1": float(_is_first(disc, similarity)[disc.truth < len(disc.refs)].mean()),
    }


def score_by_edit(
    disc: DiscLikeSet, similarity: NDArray[np.float32]
) -> Mapping[str, Mapping[str, float]]:
    """Recall by edit at the threshold that gives 90 % precision over the whole set, and at 1."""
    threshold = score_disc_like(disc, similarity)["threshold_at_p90"]
    is_first = _is_first(disc, similarity)
    table = {}
    for name in IMAGE_EDITS:
        chosen = np.flatnonzero([edit == name for edit in disc.edits])
        chosen = chosen[disc.truth[chosen] < len(disc.refs)]
        own = similarity[chosen, disc.truth[chosen]]
        table[name] = {
            "copies": float(len(chosen)),
            "recall_at_p90": float((own >= threshold).mean()) if len(chosen) else np.nan,
            "accuracy_at_1": float(is_first[chosen].mean()) if len(chosen) else np.nan,
        }
    return table


def stranger_quantiles(
    disc: DiscLikeSet, similarity: NDArray[np.float32], shares: Sequence[float]
) -> list[float]:
    """Give the similarities below which these shares of all pairs of strangers lie."""
    is_stranger = disc.truth[:, None] != np.arange(len(disc.refs))[None, :]
    quantiles: list[float] = np.quantile(similarity[is_stranger], shares).tolist()
    return quantiles


def _is_first(disc: DiscLikeSet, similarity: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say for each query whether its true reference beats all others; False for strangers."""
    clipped = np.minimum(disc.truth, len(disc.refs) - 1)
    own = similarity[np.arange(len(clipped)), clipped]
    num_as_good = (similarity >= own[:, None]).sum(axis=1)
    is_first: NDArray[np.bool_] = (num_as_good == 1) & (disc.truth < len(disc.refs))
    return is_first
