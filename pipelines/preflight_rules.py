"""Match two videos as a check does, the one as if it were uploaded and the other a reference."""

from dataclasses import dataclass, replace

import numpy as np

from vcd.align import AlignSettings, align_pair
from vcd.core import Descriptors, Match
from vcd.descriptors import Fit
from vcd.search import PreflightSettings, SearchSettings, best_pairs, pair_hits

__all__ = ["Rules", "as_upload", "matches_between"]

_STEP_ROWS = 8192
_SAME_ROW = 0.9999
"""Similarity from which on a background row is taken to be the query's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides whether two videos match, and what is proposed then.

    Attributes:
        search: which frames are similar.
        align: which stretches are matches.
        fit: applied before descriptors are compared; None compares raw ones.
        preflight: what is proposed.
    """

    search: SearchSettings
    align: AlignSettings
    fit: Fit | None
    preflight: PreflightSettings


def matches_between(query: Descriptors, ref: Descriptors, rules: Rules) -> tuple[Match, ...]:
    """Find the stretches of a reference that a video matches, whatever else there is.

    Args:
        query: prepared, as by `as_upload`.
        ref: projected by the same fit.
        rules: from which similarity and score on.

    Raises:
        SetupError: the two are of different spaces.
    """
    hits = pair_hits(query, ref, min_score=rules.search.min_score)
    return tuple(
        match
        for tally in best_pairs(hits, rules.search).accepted
        for match in align_pair(query, ref, tally, rules.align).accepted
    )


def as_upload(video: Descriptors, fit: Fit | None) -> Descriptors:
    """Prepare a video as a query that is not in the background of the fit.

    An index is often calibrated with the very background that is at hand here. To its own rows
    every frame of it is as near as can be, and so nothing of it would match.
    """
    if fit is None or fit.score_norm is None:
        return video if fit is None else fit.prepare_query(video)
    norm = fit.score_norm
    is_own = np.zeros(len(norm.background), dtype=np.bool_)
    features = fit.project(video.features)
    for first in range(0, len(is_own), _STEP_ROWS):
        block = norm.background[first : first + _STEP_ROWS]
        is_own[first : first + _STEP_ROWS] = (block @ features.T >= _SAME_ROW).any(axis=1)
    rest = norm.background[~is_own]
    if is_own.any() and len(rest) >= norm.stop_neighbour:
        fit = replace(fit, score_norm=replace(norm, background=rest))
    return fit.prepare_query(video)
