"""The descriptor track of VSC2022 object by object: slow, and plainly what its rules say.

Also how tests write the descriptor files of other programs.
"""

import heapq
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Video = tuple[str, np.ndarray]


def plain_descriptor_track(
    queries: Sequence[Video], refs: Sequence[Video]
) -> list[tuple[str, str, float]]:
    """Rank pairs of videos: 1,200 pairs of frames and 25 of videos for each query video."""
    best: list[tuple[float, int, int, str, str]] = []
    max_pairs = 1200 * len(queries)
    query_row = 0
    for query_id, query in queries:
        ref_row = 0
        for ref_id, ref in refs:
            for i, scores in enumerate((query @ ref.T).tolist()):
                for j, score in enumerate(scores):
                    if len(best) >= max_pairs and score < best[0][0]:
                        continue
                    found = (score, -(query_row + i), -(ref_row + j), query_id, ref_id)
                    if len(best) < max_pairs:
                        heapq.heappush(best, found)
                    else:
                        heapq.heappushpop(best, found)
            ref_row += len(ref)
        query_row += len(query)
    pairs: dict[tuple[str, str], float] = {}
    for score, _, _, query_id, ref_id in sorted(best, reverse=True):
        pairs.setdefault((query_id, ref_id), score)
    kept = list(pairs.items())[: 25 * len(queries)]
    return [(query_id, ref_id, score) for (query_id, ref_id), score in kept]


def write_rows(path: Path, videos: Mapping[str, Any], **members: Any) -> Path:
    """Write a descriptor file as other programs do: instants, and no space unless it is given."""
    rows = {name: np.asarray(features) for name, features in videos.items()}
    dim = max((each.shape[1] for each in rows.values()), default=1)
    timestamps = [np.arange(len(each), dtype=np.float64) for each in rows.values()]
    members = {
        "video_ids": np.repeat(
            np.array(list(rows), dtype=np.str_), [len(each) for each in rows.values()]
        ),
        "features": np.concatenate([np.empty((0, dim), np.float32), *rows.values()]),
        "timestamps": np.concatenate([np.empty(0), *timestamps]),
        **members,
    }
    with path.open("wb") as file:
        np.savez(file, **members)
    return path
