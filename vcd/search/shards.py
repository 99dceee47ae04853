"""Immutable files of descriptors, named by the digest of their bytes.

A shard is four .npy arrays one after another, each at a multiple of 64 bytes:

    contents   JSON as bytes: id, number of rows and of frames of each video
    features   (N, D) float32, all rows of all its videos
    rows       (N,) of frame, view, is_informative
    frames     (T,) of start_s, end_s

It is written once, from parts that may themselves be memory-mapped, and read
through one memory map. Which video's rows still count is the manifest's matter.
"""

import hashlib
import io
import json
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, SetupError, Timeline
from vcd.search.manifest import RefEntry, ShardEntry

__all__ = ["Shard", "ShardPart", "check_digest", "map_shard", "shard_path", "write_shard"]

_SHARD_FOLDER = "shards"
_ALIGNMENT_BYTES = 64
_MAX_NAMES = 20
"""References named when their file is damaged."""
_ROW_DTYPE = np.dtype(
    [("frame", "<i4"), ("view", "<i2"), ("is_informative", "?"), ("unused", "u1")]
)
_FRAME_DTYPE = np.dtype([("start_s", "<f8"), ("end_s", "<f8")])

_MAX_VERIFIED = 10_000
"""A worker that follows a log opens a new shard with every change, for months."""

_verified: OrderedDict[tuple[str, int, int, int], None] = OrderedDict()
"""Files whose digest was found right by this process, the oldest first; a shard never changes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardPart:
    """The descriptors of one video in the form in which they are stored."""

    video_id: str
    features: NDArray[np.float32]
    rows: NDArray[np.void]
    frames: NDArray[np.void]

    @classmethod
    def from_descriptors(cls, descriptors: Descriptors) -> "ShardPart":
        rows = np.zeros(len(descriptors), dtype=_ROW_DTYPE)
        rows["frame"] = descriptors.frame
        rows["view"] = descriptors.view
        rows["is_informative"] = descriptors.is_informative
        frames = np.empty(len(descriptors.timeline), dtype=_FRAME_DTYPE)
        frames["start_s"] = descriptors.timeline.start_s
        frames["end_s"] = descriptors.timeline.end_s
        return cls(
            video_id=descriptors.video_id, features=descriptors.features, rows=rows, frames=frames
        )

    @property
    def num_bytes(self) -> int:
        return self.features.nbytes + self.rows.nbytes + self.frames.nbytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """A mapped shard; nothing of it is in memory until it is touched."""

    contents: NDArray[np.uint8]
    features: NDArray[np.float32]
    rows: NDArray[np.void]
    frames: NDArray[np.void]

    def part(self, ref: RefEntry) -> ShardPart:
        """Point at the stored descriptors of one of its videos."""
        rows = slice(ref.row_first, ref.row_first + ref.num_rows)
        frames = slice(ref.frame_first, ref.frame_first + ref.num_frames)
        return ShardPart(
            video_id=ref.video.id,
            features=self.features[rows],
            rows=self.rows[rows],
            frames=self.frames[frames],
        )

    def timeline(self, ref: RefEntry) -> Timeline:
        frames = self.part(ref).frames
        return Timeline(start_s=frames["start_s"], end_s=frames["end_s"])

    def descriptors(self, ref: RefEntry, space: DescriptorSpace) -> Descriptors:
        """Read the descriptors of one of its videos; the features stay mapped."""
        part = self.part(ref)
        return Descriptors(
            video_id=ref.video.id,
            timeline=self.timeline(ref),
            features=part.features,
            frame=np.ascontiguousarray(part.rows["frame"]),
            view=np.ascontiguousarray(part.rows["view"]),
            space=space,
        )


class _DigestingFile:
    """A file that digests what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.num_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
        self.num_bytes += memoryview(data).nbytes

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def shard_path(directory: Path, digest: str) -> Path:
    """Say where the shard of this digest lies in an index."""
    return directory / _SHARD_FOLDER / f"{digest[:40]}.shard"


def write_shard(file: BinaryIO, parts: Sequence[ShardPart], dim: int) -> ShardEntry:
    """Write the descriptors of several videos as one shard."""
    num_rows = sum(len(part.rows) for part in parts)
    num_frames = sum(len(part.frames) for part in parts)
    contents = json.dumps([[part.video_id, len(part.rows), len(part.frames)] for part in parts])
    names = np.frombuffer(contents.encode(), dtype=np.uint8)
    sink = _DigestingFile(file)
    for dtype, shape, arrays in (
        (names.dtype, names.shape, [names]),
        (np.dtype("<f4"), (num_rows, dim), [part.features for part in parts]),
        (_ROW_DTYPE, (num_rows,), [part.rows for part in parts]),
        (_FRAME_DTYPE, (num_frames,), [part.frames for part in parts]),
    ):
        _write_array(sink, dtype, shape, arrays)
    return ShardEntry(
        digest=sink.digest, num_bytes=sink.num_bytes, num_rows=num_rows, num_frames=num_frames
    )


def _write_array(
    sink: _DigestingFile,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    arrays: Sequence[NDArray[Any]],
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header,
        {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        },
    )
    sink.write(header.getvalue())
    for array in arrays:
        if array.size:
            sink.write(np.ascontiguousarray(array, dtype=dtype).data.cast("B"))
    sink.write(bytes(-sink.num_bytes % _ALIGNMENT_BYTES))


def map_shard(directory: Path, entry: ShardEntry, refs: Sequence[RefEntry]) -> Shard:
    """Map a shard, after its digest was found right once in this process.

    Args:
        directory: of the index.
        entry: the shard.
        refs: those that it holds, named when it is damaged.

    Raises:
        SetupError: it is missing, damaged or cannot be read.
    """
    path = shard_path(directory, entry.digest)
    try:
        with path.open("rb") as file:
            whole = np.memmap(file, mode="r", dtype=np.uint8)
            stat = os.fstat(file.fileno())
            check_digest(stat, whole, digest=entry.digest, num_bytes=entry.num_bytes)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SetupError(f"{path}: the index is damaged: {reason}. {_loss(refs)}") from error
    arrays, offset = [], 0
    for _ in range(4):
        array, offset = _array_at(whole, offset)
        arrays.append(array)
    contents, features, rows, frames = arrays
    return Shard(contents=contents, features=features, rows=rows, frames=frames)


def check_digest(
    stat: os.stat_result, contents: NDArray[np.uint8], *, digest: str, num_bytes: int
) -> None:
    """Make sure that a mapped file is whole, once in this process.

    Args:
        stat: of the file.
        contents: those of its bytes that are digested.
        digest: what their SHA-256 must be, in hexadecimal digits.
        num_bytes: how many there must be.

    Raises:
        ValueError: they are others.
    """
    key = (digest, stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if len(contents) != num_bytes:
        raise ValueError(f"wanted {num_bytes} bytes, found {len(contents)}")
    if key in _verified:
        return
    if hashlib.sha256(contents.data).hexdigest() != digest:
        raise ValueError("the digest of this file is wrong")
    _verified[key] = None
    while len(_verified) > _MAX_VERIFIED:
        _verified.popitem(last=False)


def _loss(refs: Sequence[RefEntry]) -> str:
    names = ", ".join(ref.video.id for ref in refs[:_MAX_NAMES])
    if len(refs) <= _MAX_NAMES:
        return f"The file holds {names}: remove them from the index and add them again"
    return f"The file holds {len(refs)} references ({names}, ...): make the index again"


def _array_at(whole: NDArray[np.uint8], offset: int) -> tuple[NDArray[Any], int]:
    header = io.BytesIO(whole[offset : offset + 4096].tobytes())
    np.lib.format.read_magic(header)
    shape, _, dtype = np.lib.format.read_array_header_1_0(header)
    first = offset + header.tell()
    array: NDArray[Any] = np.ndarray(shape, dtype=dtype, buffer=whole.data, offset=first)
    stop = first + array.nbytes
    return array, stop + (-stop % _ALIGNMENT_BYTES)
