"""The descriptor track of VSC2022: from two descriptor files to the pairs that it ranks.

    1,200 pairs of frames a query, best of all queries together  ->  best of each pair of videos
    ->  25 pairs of videos a query, best of all queries together ->  micro-AP

Rows count as they are: of any length, compared by inner product. A query is a video of the query
file, whether anything of it was copied or not. With a background set, score normalization as in
the published baseline: without the dimension of lowest variance, rows of length 1, minus 1.2 times
the similarity of the nearest background row. Reference: facebookresearch/vsc2022 (Pizzi et al.,
The 2023 Video Similarity Dataset and Challenge). Ties: ``docs/design/tracks.md``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vcd.descriptors import DescriptorRows, FitSettings, Projection
from vcd.evaluation.derived_rows import (
    Learner,
    ScoreNormRule,
    SearchRows,
    check_same_space,
    derived,
)
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.evaluation.tables import Candidates
from vcd.evaluation.video_pairs import best_of_videos, check_vsc_names
from vcd.search import best_frame_pairs

__all__ = ["descriptor_track", "raw_rows", "score_normalized_rows"]

_FRAME_PAIRS_PER_QUERY = 1200
_VIDEO_PAIRS_PER_QUERY = 25


def raw_rows(query: DescriptorRows, ref: DescriptorRows) -> SearchRows:
    """Compare the rows of two files as they are.

    Raises:
        InputError: they are of different spaces, or one has a video under two ids.
    """
    check_same_space(ref, query)
    check_vsc_names(query, ref)
    return SearchRows(query=query, ref=ref)


def score_normalized_rows(
    query: DescriptorRows,
    ref: DescriptorRows,
    background: DescriptorRows,
    settings: FitSettings,
    folder: Path,
) -> SearchRows:
    """Compare the rows of two files with score normalization.

    Args:
        query: the queries.
        ref: the references.
        background: footage that is no copy of any reference.
        settings: the defaults are the published baseline's. An ``offset`` of None is none here:
            it would move all scores alike.
        folder: for projected rows, as long as they are used.

    Raises:
        InputError: the files are of different spaces, one has a video under two ids, or the
            background is too small or holds a reference.
        SetupError: the folder cannot be written.
    """
    check_vsc_names(query, ref)
    rule = ScoreNormRule(
        weight=settings.weight,
        first=settings.first_neighbour,
        stop=settings.stop_neighbour,
        offset=settings.offset or 0.0,
    )
    rows = SearchRows(query=query, ref=ref)
    return derived(rows, background, _learner(settings), rule, folder)


def descriptor_track(
    rows: SearchRows, on_progress: Callable[[float], None] | None = None
) -> Candidates:
    """Find the pairs of videos that the track ranks, best first.

    Integer ids get their letter, as in the files of pairs (`vcd.evaluation.files.vsc_files`).

    Args:
        rows: what is compared.
        on_progress: told the share of the work that is done, in (0, 1].
    """
    num_queries = len(rows.query.runs)
    pairs = best_frame_pairs(
        rows.query.features,
        rows.ref.features,
        _FRAME_PAIRS_PER_QUERY * num_queries,
        score_bias=rows.score_bias,
        on_progress=on_progress,
    )
    max_videos = _VIDEO_PAIRS_PER_QUERY * num_queries
    best = best_of_videos(pairs, rows.query, rows.ref, max_videos=max_videos)
    query_ids, ref_ids = vsc_ids(best.query_ids, "Q"), vsc_ids(best.ref_ids, "R")
    return Candidates(query_ids=query_ids, ref_ids=ref_ids, score=best.score)


def _learner(settings: FitSettings) -> Learner | None:
    if settings.whitening_dim is not None:
        return partial(Projection.whitening, dim=settings.whitening_dim)
    return Projection.dropping_lowest_variance if settings.drop_lowest_variance else None
