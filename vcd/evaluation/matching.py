"""Match two descriptor files as `vcd check` matches uploads with an index.

    rows of length 1 (projected, if there is a fit)  ->  pairs of similar rows  ->  align_pair

Which pairs of rows count is decided by the floor of the space, as in a check, or by a budget over
all queries, as in VSC2022. Bounds are refined from the similarity profile alone: there are no
videos to look at more densely. Memory holds a block of rows and what was found; derived rows are
mapped. Why: ``docs/design/match.md``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.align import AlignSettings, align_pair
from vcd.core import Descriptors, InputError, Match, PairCandidate, PairTally, SetupError
from vcd.descriptors import DescriptorRows, Fit, l2_normalize
from vcd.descriptors.store_format import descriptors_from
from vcd.evaluation.derived_rows import SearchRows, check_same_space
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.evaluation.pair_tallies import PairTallies
from vcd.evaluation.settings import MatchSettings
from vcd.evaluation.tables import Candidates, Segments
from vcd.evaluation.video_pairs import check_vsc_names
from vcd.search import RowIndex, SearchSettings, best_frame_pairs, best_pairs

__all__ = ["MatchRules", "Matching", "checked_rows", "match_as_checked"]

_UNIT_TOLERANCE = 2e-3
"""Of squared lengths, as `Descriptors` has it: half precision rounds to 1e-3."""

_CHECKED_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRules:
    """The settings that decide what is matched.

    Attributes:
        match: the protocol and its budgets.
        search: floors, where there is no budget.
        align: how a pair is aligned, and from which score on a match is told.
    """

    match: MatchSettings
    search: SearchSettings
    align: AlignSettings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matching:
    """What was found between two files.

    Attributes:
        candidates: the pairs of videos that were chosen, best first.
        matches: query by query in the order of their ids, the matches of each best first.
    """

    candidates: Candidates
    matches: Segments


def checked_rows(
    query: DescriptorRows, ref: DescriptorRows, fit: Fit | None, folder: Path
) -> SearchRows:
    """Derive from two files the rows that a check would compare.

    Args:
        query: the queries; rows of any length.
        ref: the references; rows of any length.
        fit: of their space; None applies none.
        folder: for derived rows, as long as they are used.

    Raises:
        InputError: the files are of different spaces, one has a video under two ids, or a row is
            too long for single precision.
    """
    check_same_space(ref, query)
    check_vsc_names(query, ref)
    query, ref = (_unit_rows(rows, fit, folder) for rows in (query, ref))
    if fit is None or fit.score_norm is None:
        return SearchRows(query=query, ref=ref)
    bias = fit.score_norm.bias(np.asarray(query.features, dtype=np.float32))
    return SearchRows(query=query, ref=ref, score_bias=bias)


def match_as_checked(
    rows: SearchRows, rules: MatchRules, on_progress: Callable[[float], None] | None = None
) -> Matching:
    """Find and align the pairs of two files as a check does.

    Args:
        rows: as `checked_rows` gives them.
        rules: floors or budgets, and how to align.
        on_progress: told the share of the work that is done, in (0, 1].

    Raises:
        InputError: the rows of a video are no descriptors; says which.
    """
    index = RowIndex(
        rows.ref.features,
        rows.ref.runs,
        lambda place: descriptors_from(rows.ref, *rows.ref.runs[place]),
        ref_ids=[str(rows.ref.video_ids[first]) for first, _ in rows.ref.runs],
        space=rows.ref.space,
    )
    chosen = _by_floor if rules.match.max_frame_pairs_per_query is None else _by_budget
    candidates: list[PairCandidate] = []
    matches: list[Match] = []
    for place, (query, tallies, num_aligned) in enumerate(chosen(rows, index, rules)):
        candidates += [tally.candidate for tally in tallies]
        found = [
            match
            for tally in tallies[:num_aligned]
            for match in align_pair(
                query, index.descriptors(tally.candidate.ref_id), tally, rules.align
            ).accepted
        ]
        matches += found
        if on_progress is not None:
            on_progress((place + 1) / len(rows.query.runs))
    return _matching(candidates, matches)


def _matching(candidates: list[PairCandidate], matches: list[Match]) -> Matching:
    candidates.sort(key=lambda each: (-each.score, each.query_id, each.ref_id))
    matches.sort(key=lambda m: (m.query_id, -m.score, m.ref_id, m.query, m.ref))
    bounds = np.array(
        [(m.query.start_s, m.query.end_s, m.ref.start_s, m.ref.end_s) for m in matches],
        dtype=np.float64,
    ).reshape(-1, 4)
    return Matching(
        candidates=Candidates(
            query_ids=_ids([each.query_id for each in candidates], "Q"),
            ref_ids=_ids([each.ref_id for each in candidates], "R"),
            score=np.array([each.score for each in candidates], dtype=np.float64),
        ),
        matches=Segments(
            query_ids=_ids([match.query_id for match in matches], "Q"),
            ref_ids=_ids([match.ref_id for match in matches], "R"),
            query_s=bounds[:, :2],
            ref_s=bounds[:, 2:],
            score=np.array([match.score for match in matches], dtype=np.float64),
        ),
    )


Chosen = Iterator[tuple[Descriptors, tuple[PairTally, ...], int]]
"""Of each query its descriptors, its candidates best first, and how many of them to align."""


def _by_floor(rows: SearchRows, index: RowIndex, rules: MatchRules) -> Chosen:
    for place in range(len(rows.query.runs)):
        query = _query(rows, place)
        hits = index.hits(query, min_score=rules.search.min_score)
        accepted = best_pairs(hits, rules.search).accepted
        yield query, accepted, len(accepted)


def _by_budget(rows: SearchRows, _index: RowIndex, rules: MatchRules) -> Chosen:
    num_queries = len(rows.query.runs)
    found = best_frame_pairs(
        rows.query.features,
        rows.ref.features,
        num_queries * (rules.match.max_frame_pairs_per_query or 0),
        score_bias=rows.score_bias,
    )
    pairs = PairTallies.of(found, rows)
    max_aligned = num_queries * rules.match.max_aligned_per_query
    by_query = pairs.ranks_by_query(num_queries * rules.match.max_candidates_per_query)
    for place in range(num_queries):
        ranks = by_query[place]
        tallies = tuple(pairs.tally(rank) for rank in ranks.tolist())
        yield _query(rows, place), tallies, int(np.count_nonzero(ranks < max_aligned))


def _query(rows: SearchRows, place: int) -> Descriptors:
    first, stop = rows.query.runs[place]
    query = descriptors_from(rows.query, first, stop)
    if rows.score_bias is None:
        return query
    return replace(query, score_bias=rows.score_bias[first:stop])


def _unit_rows(rows: DescriptorRows, fit: Fit | None, folder: Path) -> DescriptorRows:
    is_unit = _is_unit(rows)
    if fit is not None and fit.projection is not None:
        return replace(_derived(rows, fit.project, folder), space=fit.fitted_space)
    if is_unit:
        return rows
    return _derived(rows, l2_normalize, folder)


def _derived(
    rows: DescriptorRows,
    derive: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    folder: Path,
) -> DescriptorRows:
    """Write what becomes of all rows to a mapped file."""
    path = folder / f"{rows.path.name}-{len(list(folder.iterdir()))}.rows"
    dim = derive(np.zeros((1, rows.features.shape[1]), dtype=np.float32)).shape[1]
    try:
        with path.open("wb") as file:
            for first in range(0, len(rows.features), _CHECKED_ROWS):
                part = rows.features[first : first + _CHECKED_ROWS]
                file.write(derive(np.asarray(part, dtype=np.float32)).tobytes())
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    shape = (len(rows.features), dim)
    if shape[0] == 0:
        return replace(rows, features=np.empty(shape, dtype=np.float32))
    mapped = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    return replace(rows, features=np.asarray(mapped))


def _is_unit(rows: DescriptorRows) -> bool:
    """Whether all rows are of length 1 or 0; one whose length is no number is refused."""
    is_unit = True
    for first in range(0, len(rows.features), _CHECKED_ROWS):
        with np.errstate(over="ignore"):
            part = np.asarray(rows.features[first : first + _CHECKED_ROWS], dtype=np.float32)
            squared = np.einsum("nd,nd->n", part, part)
        if not np.isfinite(squared).all():
            row = first + int(np.argmin(np.isfinite(squared)))
            raise InputError(
                f"{rows.path}: row {row} (video {rows.video_ids[row]}) is too long for single "
                "precision"
            )
        is_unit &= bool(((np.abs(squared - 1.0) <= _UNIT_TOLERANCE) | (squared == 0.0)).all())
    return is_unit


def _ids(ids: list[str], letter: str) -> NDArray[np.str_]:
    return vsc_ids(np.array(ids, dtype=np.str_), letter)
