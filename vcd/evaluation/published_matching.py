"""Match two descriptor files as the published baseline of VSC2022 does, constants and all.

    without a background   search raw rows, align cosine similarity, score = the candidate's
    with one               search, align and score what is score-normalized; 0.5 is added for the
                           alignment only, and the last row and column of a box do not count

A box of frames becomes a match from the start of its first frame to the end of its last one. The
candidates are those of the descriptor track. Reference: facebookresearch/vsc2022 (Pizzi et al.,
The 2023 Video Similarity Dataset and Challenge); what ours does instead:
``docs/design/match.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.align import make_aligner
from vcd.core import Aligner, Box, InputError
from vcd.descriptors import DescriptorRows, FitSettings, l2_normalize
from vcd.evaluation.derived_rows import SearchRows
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.evaluation.matching import Matching, MatchRules
from vcd.evaluation.tables import Candidates, Segments
from vcd.evaluation.video_pairs import best_of_videos
from vcd.evaluation.vsc2022 import raw_rows, score_normalized_rows
from vcd.search import best_frame_pairs

__all__ = ["match_as_published", "published_rows"]

_SEARCH_SHARE = 0.5
"""Of the work, for whoever watches: about as long as aligning at VSC2022's size."""


def published_rows(
    query: DescriptorRows,
    ref: DescriptorRows,
    background: DescriptorRows | None,
    fit: FitSettings,
    folder: Path,
) -> SearchRows:
    """Derive from two files the rows that the baseline compares.

    Args:
        query: the queries.
        ref: the references.
        background: no reference is in it; None compares raw rows.
        fit: how scores are normalized; the defaults are the baseline's.
        folder: for derived rows, as long as they are used.

    Raises:
        InputError: the files are of different spaces, the times of a video are not in order, or
            the background is empty or holds a reference.
        SetupError: the folder cannot be written.
    """
    for rows in (query, ref):
        _check_times(rows)
    if background is None:
        return raw_rows(query, ref)
    return score_normalized_rows(query, ref, background, fit, folder)


def match_as_published(
    rows: SearchRows, rules: MatchRules, on_progress: Callable[[float], None] | None = None
) -> Matching:
    """Choose pairs within the budgets, align the best of them, and score their boxes.

    Args:
        rows: as `published_rows` gives them.
        rules: the budgets, the aligner, and from which score on a match is told.
        on_progress: told the share of the work that is done, in (0, 1].

    Raises:
        ValueError: there is no budget of pairs of frames.
    """
    if rules.match.max_frame_pairs_per_query is None:
        raise ValueError("the published protocol has a budget of pairs of frames, got none")
    num_queries = len(rows.query.runs)
    pairs = best_frame_pairs(
        rows.query.features,
        rows.ref.features,
        num_queries * rules.match.max_frame_pairs_per_query,
        score_bias=rows.score_bias,
        on_progress=_part(on_progress, 0.0, _SEARCH_SHARE),
    )
    max_videos = num_queries * rules.match.max_candidates_per_query
    candidates = best_of_videos(pairs, rows.query, rows.ref, max_videos=max_videos)
    localization = _Localization(
        rows=rows,
        query_runs=_runs_by_id(rows.query),
        ref_runs=_runs_by_id(rows.ref),
        aligner=make_aligner(rules.align),
        offset=rules.match.alignment_offset,
        min_score=rules.align.min_score,
    )
    tell = _part(on_progress, _SEARCH_SHARE, 1.0)
    num_aligned = min(len(candidates), num_queries * rules.match.max_aligned_per_query)
    found: list[_Row] = []
    for place in range(num_aligned):
        found += localization.matches(candidates, place)
        if tell is not None:
            tell((place + 1) / num_aligned)
    named = Candidates(
        query_ids=vsc_ids(candidates.query_ids, "Q"),
        ref_ids=vsc_ids(candidates.ref_ids, "R"),
        score=candidates.score,
    )
    return Matching(candidates=named, matches=_segments(found))


_Row = tuple[str, str, float, float, float, float, float]
"""As a line of a matches file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Localization:
    rows: SearchRows
    query_runs: dict[str, tuple[int, int]]
    ref_runs: dict[str, tuple[int, int]]
    aligner: Aligner
    offset: float
    min_score: float

    def matches(self, candidates: Candidates, place: int) -> list[_Row]:
        """Align one candidate."""
        query_id, ref_id = str(candidates.query_ids[place]), str(candidates.ref_ids[place])
        query, ref = self.query_runs[query_id], self.ref_runs[ref_id]
        similarity_QR = self._similarity(query, ref)
        found = []
        for scored in self.aligner.align(similarity_QR):
            score = self._score(similarity_QR, scored.box, float(candidates.score[place]))
            if score >= self.min_score:
                box = scored.box
                query_s = _seconds(self.rows.query, query[0] + box.q_first, query[0] + box.q_stop)
                ref_s = _seconds(self.rows.ref, ref[0] + box.r_first, ref[0] + box.r_stop)
                found.append((query_id, ref_id, *query_s, *ref_s, score))
        return found

    def _similarity(self, query: tuple[int, int], ref: tuple[int, int]) -> NDArray[np.float32]:
        query_rows, ref_rows = (
            np.asarray(side.features[slice(*run)], dtype=np.float32)
            for side, run in ((self.rows.query, query), (self.rows.ref, ref))
        )
        bias = self.rows.score_bias
        if bias is None:
            return l2_normalize(query_rows) @ l2_normalize(ref_rows).T
        moved = bias[slice(*query), np.newaxis] + np.float32(self.offset)
        similarity_QR: NDArray[np.float32] = query_rows @ ref_rows.T + moved
        return similarity_QR

    def _score(self, similarity_QR: NDArray[np.float32], box: Box, candidate: float) -> float:
        if self.rows.score_bias is None:
            return candidate
        # The published code takes the last indices of a box for stops.
        inside = similarity_QR[box.q_first : box.q_stop - 1, box.r_first : box.r_stop - 1]
        return float(inside.max(initial=-np.inf)) - self.offset


def _check_times(rows: DescriptorRows) -> None:
    """Refuse a file in which a video runs backwards: its boxes would end before they start."""
    for first, stop in rows.runs:
        bounds = np.asarray(rows.timestamps[first:stop], dtype=np.float64)
        start_s, end_s = bounds.reshape(stop - first, -1)[:, [0, -1]].T
        if (np.diff(start_s) < 0).any() or (np.diff(end_s) < 0).any() or (end_s < start_s).any():
            raise InputError(
                f"{rows.path}: video {rows.video_ids[first]}: wanted times that rise, got some "
                "that fall"
            )


def _seconds(rows: DescriptorRows, first: int, stop: int) -> tuple[float, float]:
    """From the start of the first row to the end of the last; an instant is both."""
    start_s = np.asarray(rows.timestamps[first], dtype=np.float64).ravel()[0]
    end_s = np.asarray(rows.timestamps[stop - 1], dtype=np.float64).ravel()[-1]
    return float(start_s), float(end_s)


def _runs_by_id(rows: DescriptorRows) -> dict[str, tuple[int, int]]:
    return {str(rows.video_ids[first]): (first, stop) for first, stop in rows.runs}


def _segments(found: list[_Row]) -> Segments:
    """Query by query in the order of their ids, best first; equal scores by reference and time."""
    found.sort(key=lambda row: (row[0], -row[6], *row[1:6]))
    numbers = np.array([row[2:] for row in found], dtype=np.float64).reshape(-1, 5)
    return Segments(
        query_ids=vsc_ids(np.array([row[0] for row in found], dtype=np.str_), "Q"),
        ref_ids=vsc_ids(np.array([row[1] for row in found], dtype=np.str_), "R"),
        query_s=numbers[:, :2],
        ref_s=numbers[:, 2:4],
        score=numbers[:, 4],
    )


def _part(
    on_progress: Callable[[float], None] | None, first: float, last: float
) -> Callable[[float], None] | None:
    if on_progress is None:
        return None
    return lambda share: on_progress(first + (last - first) * share)
