"""What a descriptor file must look like, and how its rows become videos.

Files of other programs are welcome: half precision, instants instead of stretches, integers for
ids, no ``view`` and no ``space``. What cannot be understood without guessing is refused with a
sentence.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, InputError, Timeline

__all__ = ["UNKNOWN_SPACE", "DescriptorRows", "descriptors_from", "open_arrays", "open_rows"]

UNKNOWN_SPACE = "unknown"
"""Name and fingerprint of the space of a file that does not say what made it."""

_LOCAL_HEADER_BYTES = 30
"""Of a member of a zip file, before its name: PKWARE's appnote, 4.3.7."""

_MAX_VIEW = int(np.iinfo(np.int16).max)
"""What a record of descriptors can hold."""

_CHECKED_ROWS = 65_536
"""Rows looked at in one go: 128 MB at 512 dimensions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DescriptorRows:
    """A descriptor file, its arrays memory-mapped where the file is not compressed.

    Attributes:
        path: of the file.
        video_ids: ``(N,)`` text, each id in one run; integers are their digits, ``100001``.
        features: ``(N, D)`` float32 or float16, finite.
        timestamps: ``(N, 2)`` float64 seconds, or ``(N,)`` instants.
        view: ``(N,)`` integers, or None when the file does not say.
        space: as stated, else named `UNKNOWN_SPACE`.
        runs: rows ``[first, stop)`` of each video, in order.
    """

    path: Path
    video_ids: NDArray[np.str_]
    features: NDArray[np.floating]
    timestamps: NDArray[np.floating]
    view: NDArray[np.integer] | None
    space: DescriptorSpace
    runs: tuple[tuple[int, int], ...]


def open_rows(path: Path) -> DescriptorRows:
    """Open a descriptor file and check all of it.

    Raises:
        InputError: it is no descriptor file, or is damaged; says what was wanted and found.
    """
    arrays = open_arrays(path)
    missing = {"video_ids", "features", "timestamps"} - set(arrays)
    if missing:
        raise InputError(f"{path}: a descriptor file needs {', '.join(sorted(missing))}")
    video_ids, features = _ids(path, arrays["video_ids"]), arrays["features"]
    _check_features(path, video_ids, features)
    _check_per_row(path, arrays)
    return DescriptorRows(
        path=path,
        video_ids=video_ids,
        features=features,
        timestamps=arrays["timestamps"],
        view=arrays.get("view"),
        space=_space(path, arrays.get("space"), features.shape[1]),
        runs=_runs(path, video_ids),
    )


def descriptors_from(rows: DescriptorRows, first: int, stop: int) -> Descriptors:
    """Take one video, rows ``[first, stop)``, out of the file.

    Rows of equal times are views of one frame. Instants last until the next one.

    Raises:
        InputError: its times are not in order, or its vectors are not of length 1.
    """
    video_id = str(rows.video_ids[first])
    timestamps = np.asarray(rows.timestamps[first:stop], dtype=np.float64)
    start_s, end_s = timestamps.T if timestamps.ndim == 2 else (timestamps, timestamps)
    is_new = np.r_[True, (np.diff(start_s) != 0) | (np.diff(end_s) != 0)]
    frame = np.cumsum(is_new) - 1
    views = np.arange(stop - first) - np.flatnonzero(is_new)[frame]
    if rows.view is not None:
        views = np.asarray(rows.view[first:stop])
    try:
        return Descriptors(
            video_id=video_id,
            timeline=_timeline(start_s[is_new], end_s[is_new]),
            features=np.array(rows.features[first:stop], dtype=np.float32),
            frame=frame.astype(np.int32),
            view=views.astype(np.int16),
            space=rows.space,
        )
    except ValueError as error:
        reason = str(error).removeprefix(f"{video_id}: ")
        raise InputError(f"{rows.path}: video {video_id}: {reason}") from error


def _timeline(start_s: NDArray[np.float64], end_s: NDArray[np.float64]) -> Timeline:
    if (start_s != end_s).any():
        return Timeline(start_s=start_s, end_s=end_s)
    step_s = float(np.median(np.diff(start_s))) if len(start_s) > 1 else 1.0
    return Timeline.from_starts(start_s, end_s=float(start_s[-1]) + step_s)


def open_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Open the arrays of a ``.npz``, whatever they are: for who must look at a file as it stands.

    Returns:
        Name -> array, read-only, memory-mapped where the file is not compressed.

    Raises:
        InputError: it is no ``.npz``, is damaged, or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename.removesuffix(".npy"): _array(path, archive, info)
                for info in archive.infolist()
            }
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(f"{path}: not a descriptor file (.npz), or damaged: {error}") from error


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Map one member of an uncompressed archive, or read one of a compressed archive."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"{info.filename} is of npy version {version}")
        shape, fortran_order, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError(f"{info.filename} holds Python objects, which are never loaded")
        is_mappable = info.compress_type == zipfile.ZIP_STORED and 0 not in shape and shape != ()
        if not is_mappable:
            values = np.frombuffer(member.read(), dtype=dtype)
            return values.reshape(shape, order="F" if fortran_order else "C")
        header_bytes = member.tell()
    mapped = np.memmap(
        path,
        dtype=dtype,
        mode="r",
        offset=_data_offset(path, info) + header_bytes,
        shape=shape,
        order="F" if fortran_order else "C",
    )
    return np.asarray(mapped)


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
    num_name_bytes = int.from_bytes(header[26:28], "little")
    num_extra_bytes = int.from_bytes(header[28:30], "little")
    return info.header_offset + _LOCAL_HEADER_BYTES + num_name_bytes + num_extra_bytes


def _ids(path: Path, video_ids: NDArray[Any]) -> NDArray[np.str_]:
    if video_ids.ndim != 1 or video_ids.dtype.kind not in "Uiu":
        raise InputError(
            f"{path}: video_ids must be (N,) text or integers, "
            f"got {video_ids.shape} {video_ids.dtype}"
        )
    return video_ids if video_ids.dtype.kind == "U" else video_ids.astype(np.str_)


def _check_features(
    path: Path, video_ids: NDArray[np.str_], features: NDArray[np.floating]
) -> None:
    if features.ndim != 2 or features.shape[1] == 0 or features.dtype.kind != "f":
        raise InputError(
            f"{path}: features must be (N, D) floats, got {features.shape} {features.dtype}"
        )
    if len(features) != len(video_ids):
        raise InputError(f"{path}: {len(features)} features for {len(video_ids)} video_ids")
    for first in range(0, len(features), _CHECKED_ROWS):
        is_finite = np.isfinite(features[first : first + _CHECKED_ROWS]).all(axis=1)
        if not is_finite.all():
            row = first + int(np.argmin(is_finite))
            raise InputError(f"{path}: row {row} (video {video_ids[row]}) is not finite")


def _check_per_row(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    num_rows, timestamps, view = len(arrays["features"]), arrays["timestamps"], arrays.get("view")
    if timestamps.shape not in ((num_rows,), (num_rows, 2)) or timestamps.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: timestamps must be ({num_rows}, 2) or ({num_rows},) seconds, "
            f"got {timestamps.shape} {timestamps.dtype}"
        )
    if not np.isfinite(timestamps).all():
        raise InputError(f"{path}: a timestamp is not finite")
    if view is not None and (view.shape != (num_rows,) or view.dtype.kind not in "iu"):
        raise InputError(
            f"{path}: view must be ({num_rows},) integers, got {view.shape} {view.dtype}"
        )
    if view is not None and len(view) and not 0 <= view.min() <= view.max() <= _MAX_VIEW:
        raise InputError(
            f"{path}: a view must be a number from 0 to {_MAX_VIEW}, "
            f"got {view.min()} to {view.max()}"
        )


def _runs(path: Path, video_ids: NDArray[np.str_]) -> tuple[tuple[int, int], ...]:
    if len(video_ids) == 0:
        return ()
    starts = np.flatnonzero(np.r_[True, video_ids[1:] != video_ids[:-1]])
    for row, name in zip(starts.tolist(), video_ids[starts].tolist(), strict=True):
        if not name or "\0" in name:
            raise InputError(f"{path}: row {row}: wanted the id of a video, found {name!r}")
    names, counts = np.unique(video_ids[starts], return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"{path}: the rows of video {names[np.argmax(counts)]} do not stand together"
        )
    stops = np.r_[starts[1:], len(video_ids)]
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))


def _space(path: Path, stated: NDArray[Any] | None, dim: int) -> DescriptorSpace:
    if stated is None:
        return DescriptorSpace(name=UNKNOWN_SPACE, dim=dim, fingerprint=UNKNOWN_SPACE)
    try:
        space = DescriptorSpace(**json.loads(str(stated)))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: its space cannot be read: {error}") from error
    if not all(isinstance(text, str) for text in (space.name, space.fingerprint)):
        raise InputError(f"{path}: its space cannot be read: wanted texts for name and fingerprint")
    if space.dim != dim:
        raise InputError(f"{path}: space {space.name} has {space.dim} dimensions, not {dim}")
    return space
