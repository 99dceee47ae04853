"""From scored pairs of rows to scored pairs of videos: the best score of each."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.descriptors import DescriptorRows
from vcd.evaluation.files.vsc_files import vsc_ids
from vcd.evaluation.tables import Candidates
from vcd.search import FramePairs

__all__ = ["best_of_videos", "check_vsc_names"]


def best_of_videos(
    pairs: FramePairs, query: DescriptorRows, ref: DescriptorRows, *, max_videos: int | None = None
) -> Candidates:
    """Keep the best score of each pair of videos, best pairs first.

    Pairs of equal score are in the order of their best rows in the files: query row first, then
    reference row.

    Args:
        pairs: of rows of the two files, in their total order.
        query: the file of the queries.
        ref: the file of the references.
        max_videos: pairs of videos to keep; None keeps all.
    """
    query_video, ref_video = _ordinals(query)[pairs.query_row], _ordinals(ref)[pairs.ref_row]
    key = query_video * max(1, len(ref.runs)) + ref_video
    _, first_seen = np.unique(key, return_index=True)
    best = np.sort(first_seen)[:max_videos]
    return Candidates(
        query_ids=query.video_ids[pairs.query_row[best]],
        ref_ids=ref.video_ids[pairs.ref_row[best]],
        score=pairs.score[best].astype(np.float64),
    )


def check_vsc_names(query: DescriptorRows, ref: DescriptorRows) -> None:
    """Refuse a file with two spellings of one VSC2022 video: ``100001`` and ``Q100001``.

    Raises:
        InputError: there are such two; names them.
    """
    for rows, letter in ((query, "Q"), (ref, "R")):
        ids = np.array([rows.video_ids[first] for first, _ in rows.runs], dtype=np.str_)
        for name, count in Counter(vsc_ids(ids, letter).tolist()).most_common(1):
            if count > 1:
                raise InputError(
                    f"{rows.path}: videos {name.removeprefix(letter)} and {name} are one video of "
                    "VSC2022"
                )


def _ordinals(rows: DescriptorRows) -> NDArray[np.int64]:
    """Number the video of each row."""
    lengths = [stop - first for first, stop in rows.runs]
    return np.repeat(np.arange(len(rows.runs), dtype=np.int64), lengths)
