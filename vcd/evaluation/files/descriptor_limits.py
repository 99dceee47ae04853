"""What the VSC2022 challenge asks of a descriptor file."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.evaluation.files.splits import VSC_ID
from vcd.evaluation.files.violations import Violations

__all__ = ["check_descriptors"]

_MEMBERS = ("video_ids", "features", "timestamps")
_MAX_DIM = 512
_CHECKED_ROWS = 65_536
"""Rows of features looked at in one go: 128 MB at 512 dimensions."""


def check_descriptors(
    arrays: Mapping[str, NDArray[Any]], durations_s: Mapping[str, float] | None, found: Violations
) -> int:
    """Hold the arrays of a descriptor file against the limits of the challenge.

    Args:
        arrays: name -> array, as `vcd.descriptors.open_arrays` gives them; others than
            ``video_ids``, ``features`` and ``timestamps`` are passed over.
        durations_s: video id -> seconds, of all videos of the split; None leaves out the limit on
            their number and the question whether they exist.
        found: where violations go.

    Returns:
        How many descriptors there are.
    """
    missing = [name for name in _MEMBERS if name not in arrays]
    if missing:
        found.add("members", f"wanted {', '.join(_MEMBERS)}; lacks {', '.join(missing)}")
        return 0
    video_ids, features, timestamps = (arrays[name] for name in _MEMBERS)
    lengths = [array.shape[0] if array.ndim else 0 for array in (video_ids, features, timestamps)]
    if len(set(lengths)) > 1:
        found.add("lengths", "{} video_ids, {} features, {} timestamps".format(*lengths))
    _check_features(features, found)
    _check_timestamps(timestamps, found)
    if video_ids.ndim != 1 or video_ids.dtype.kind != "U":
        found.add("ids", f"video_ids must be (N,) text, found {video_ids.shape} {video_ids.dtype}")
    else:
        found.add_rows(
            "empty ids",
            np.strings.str_len(video_ids) == 0,
            lambda row: f"the id in row {row} is empty",
        )
        _check_order(video_ids, found)
        if durations_s is not None:
            _check_budget(video_ids, durations_s, found)
    return lengths[1]


def _check_features(features: NDArray[Any], found: Violations) -> None:
    if features.dtype != np.float32:
        found.add("dtype", f"features must be float32, found {features.dtype}")
    if features.ndim != 2:
        found.add("shape", f"features must be (N, D), found {features.shape}")
        return
    if features.shape[1] > _MAX_DIM:
        found.add("dim", f"at most {_MAX_DIM} dimensions, found {features.shape[1]}")
    if features.dtype.kind != "f":
        return
    is_finite = np.ones(len(features), dtype=bool)
    for first in range(0, len(features), _CHECKED_ROWS):
        block = slice(first, first + _CHECKED_ROWS)
        is_finite[block] = np.isfinite(features[block]).all(axis=1)
    found.add_rows(
        "rows of features that are not finite",
        ~is_finite,
        lambda row: f"row {row} of features is not finite",
    )


def _check_timestamps(timestamps: NDArray[Any], found: Violations) -> None:
    is_shaped = timestamps.ndim == 1 or (timestamps.ndim == 2 and timestamps.shape[1] == 2)
    if not is_shaped or timestamps.dtype.kind not in "fiu":
        found.add(
            "timestamps",
            "timestamps must be (N,) or (N, 2) seconds, found "
            f"{timestamps.shape} {timestamps.dtype}",
        )
        return
    spans = timestamps if timestamps.ndim == 2 else timestamps[:, None]
    found.add_rows(
        "timestamps that are not finite",
        ~np.isfinite(spans).all(axis=1),
        lambda row: f"the timestamp of row {row} is not finite",
    )
    found.add_rows(
        "timestamps that end before they start",
        spans[:, -1] < spans[:, 0],
        lambda row: f"the timestamp of row {row} ends before it starts: {spans[row].tolist()}",
    )


def _check_order(video_ids: NDArray[np.str_], found: Violations) -> None:
    found.add_rows(
        "ids out of order",
        np.r_[np.False_, video_ids[1:] < video_ids[:-1]],
        lambda row: (
            f"video_ids must be sorted: {video_ids[row]} in row {row} comes after "
            f"{video_ids[row - 1]}"
        ),
    )
    starts = np.flatnonzero(np.r_[np.True_, video_ids[1:] != video_ids[:-1]][: len(video_ids)])
    names, counts = np.unique(video_ids[starts], return_counts=True)
    found.add_rows(
        "ids whose rows are apart",
        counts > 1,
        lambda i: f"the rows of {names[i]} must stand together, found {counts[i]} groups",
    )


def _check_budget(
    video_ids: NDArray[np.str_], durations_s: Mapping[str, float], found: Violations
) -> None:
    known = sorted(set(video_ids.tolist()))
    for video_id in known:
        if video_id not in durations_s:
            found.add("ids without metadata", f"{video_id} is not in the metadata")
    letters = {each[0] for each in known} if all(map(VSC_ID.fullmatch, known)) else None
    budget = sum(
        math.ceil(duration_s)
        for video_id, duration_s in durations_s.items()
        if letters is None or video_id[0] in letters
    )
    if len(video_ids) > budget:
        found.add(
            "budget",
            f"at most one descriptor for each second begun, {budget} for this split; "
            f"found {len(video_ids)}",
        )
