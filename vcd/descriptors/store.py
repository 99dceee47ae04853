"""Keep the descriptors of many videos in one file: the VSC2022 form and two members more.

    video_ids    (N,) text          a video's rows stand together
    features     (N, D) float32
    timestamps   (N, 2) float64     seconds on the video's own clock; (N,) instants can be read
    view         (N,) int16         0 = the whole frame                        (ours)
    space        JSON text          name, dim, fingerprint                     (ours)

An uncompressed ``.npz``, readable with ``numpy.load``, and memory-mapped here: neither writing
nor reading holds more than one video. A video without frames has no row and so is not in it.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.descriptors.store_format import DescriptorRows, descriptors_from, open_rows

__all__ = [
    "DescriptorRows",
    "DescriptorWriter",
    "read_descriptor_rows",
    "read_descriptors",
    "write_descriptors",
]

_COPY_BYTES = 1 << 22


class DescriptorWriter:
    """Write a descriptor file video by video; the file appears when the last one is in.

        with DescriptorWriter(path, space) as writer:
            for descriptors in ...:
                writer.add(descriptors)

    Rows wait in temporary files beside the target, so the disk needs room for them twice.
    Leaving the block by an exception leaves whatever was at ``path`` untouched.

    Args:
        path: of the file; its folder must exist.
        space: of every video in it.
    """

    def __init__(self, path: Path, space: DescriptorSpace) -> None:
        self._path = path
        self._space = space
        self._seen: set[str] = set()
        self._ids: list[tuple[str, int]] = []
        self._num_rows = 0

    def __enter__(self) -> "DescriptorWriter":
        try:
            self._folder = tempfile.TemporaryDirectory(dir=self._path.parent, prefix=".vcd-")
        except OSError as error:
            raise SetupError(f"{self._path}: cannot be written: {error.strerror}") from error
        parts = ("features", "timestamps", "view")
        self._parts = {name: (Path(self._folder.name) / name).open("w+b") for name in parts}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._publish()
        except OSError as failure:
            raise SetupError(f"{self._path}: cannot be written: {failure.strerror}") from failure
        finally:
            for file in self._parts.values():
                file.close()
            self._folder.cleanup()

    def add(self, descriptors: Descriptors) -> None:
        """Append one video.

        Raises:
            InputError: a video of this id is in the file already.
            SetupError: it is of another descriptor space, or the disk is full.
        """
        if descriptors.space != self._space:
            raise SetupError(
                f"{descriptors.video_id}: described in space {descriptors.space.name} "
                f"({descriptors.space.fingerprint[:12]}), the file is for {self._space.name} "
                f"({self._space.fingerprint[:12]})"
            )
        if descriptors.video_id in self._seen:
            raise InputError(f"{descriptors.video_id}: there already is a video of this id")
        self._seen.add(descriptors.video_id)
        self._ids.append((descriptors.video_id, len(descriptors)))
        self._num_rows += len(descriptors)
        timeline, frame = descriptors.timeline, descriptors.frame
        timestamps = np.stack([timeline.start_s[frame], timeline.end_s[frame]], axis=1)
        rows: dict[str, NDArray[Any]] = {"features": descriptors.features, "view": descriptors.view}
        rows["timestamps"] = timestamps
        try:
            for name, values in rows.items():
                self._parts[name].write(_little_endian(values).tobytes())
        except OSError as error:
            raise SetupError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _publish(self) -> None:
        made = Path(self._folder.name) / "made.npz"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            self._write_ids(archive)
            shapes = {"features": (self._num_rows, self._space.dim), "view": (self._num_rows,)}
            shapes["timestamps"] = (self._num_rows, 2)
            dtypes = {"features": "<f4", "timestamps": "<f8", "view": "<i2"}
            for name, file in self._parts.items():
                with _open_member(archive, name, shapes[name], dtypes[name]) as member:
                    file.seek(0)
                    shutil.copyfileobj(file, member, _COPY_BYTES)
            text = np.array(json.dumps(asdict(self._space), sort_keys=True))
            with _open_member(archive, "space", (), text.dtype.str) as member:
                member.write(text.tobytes())
        with made.open("rb") as whole:
            os.fsync(whole.fileno())
        made.replace(self._path)

    def _write_ids(self, archive: zipfile.ZipFile) -> None:
        longest = max((len(video_id) for video_id, _ in self._ids), default=1)
        dtype = f"<U{longest}"
        with _open_member(archive, "video_ids", (self._num_rows,), dtype) as member:
            for video_id, num_rows in self._ids:
                member.write(np.array(video_id, dtype=dtype).tobytes() * num_rows)


def write_descriptors(
    path: Path, descriptors: Iterable[Descriptors], *, space: DescriptorSpace
) -> None:
    """Write a descriptor file whole, or leave what was there.

    Raises:
        InputError: two videos of one id.
        SetupError: a video of another space, or the file cannot be written.
    """
    with DescriptorWriter(path, space) as writer:
        for each in descriptors:
            writer.add(each)


def read_descriptors(path: Path) -> Iterator[Descriptors]:
    """Read the videos of a descriptor file, one at a time, in the file's order.

    The whole file is checked first: what is yielded before an error would be believed.

    Raises:
        InputError: the file is no descriptor file, or is damaged; says what and where.
    """
    rows = read_descriptor_rows(path)
    for first, stop in rows.runs:
        yield descriptors_from(rows, first, stop)


def read_descriptor_rows(path: Path) -> DescriptorRows:
    """Read a descriptor file as it is: vectors of any length, as other programs write them.

    Raises:
        InputError: the file is no descriptor file, or is damaged; says what and where.
    """
    return open_rows(path)


def _open_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: str
) -> IO[bytes]:
    """Begin one array of the file; its bytes follow."""
    member = archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    return member


def _little_endian(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("<"), copy=False)
