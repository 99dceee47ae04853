"""Descriptor files in a place that all workers reach, each named by the digest of its bytes.

    STORE/3f0c...9a.npz     one video in the form of `vcd.descriptors.store`; never changes

A message names a file by that name alone, and the place is the worker's own
setting: whatever a message says, nothing outside the store is ever read.
"""

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vcd.core import Descriptors, InputError, SetupError, TransientError
from vcd.descriptors import read_descriptor_rows, read_descriptors, write_descriptors
from vcd.stream.messages.records import DescriptorFile
from vcd.stream.references.store_places import place_for

__all__ = ["MAX_FILE_BYTES", "DescriptorStore", "descriptor_file_of", "store_location"]

MAX_FILE_BYTES = 1 << 30
"""Six hours at 8 Hz and 512 dimensions are 354 MB."""
_CHUNK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SQLITE = "sqlite:"


class DescriptorStore:
    """A folder, or anything that fsspec reaches, full of descriptor files.

    Safe to use from any thread.

    Args:
        location: a path, ``file://`` or an address of fsspec such as ``s3://bucket/folder``.
        max_file_bytes: larger files are refused unread.

    Raises:
        SetupError: fsspec does not know such an address, or what it needs is not installed.
    """

    def __init__(self, location: str, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self.location = location
        self._max_file_bytes = max_file_bytes
        self._place = place_for(location)

    def put(self, descriptors: Descriptors) -> DescriptorFile:
        """Store the descriptors of one video; equal descriptors are one file.

        A file that is there already, whole, is kept as it is.

        Raises:
            InputError: they are larger than the store takes (``descriptor_file_too_large``).
            TransientError: the store cannot be written now.
            SetupError: there is no room for temporary files.
        """
        with _written(descriptors) as path:
            file = _file_at(path)
            self._check_size(file, descriptors.video_id)
            self._place.make()
            if not self.holds(file):
                self._place.put(path, file.uri)
        return file

    def holds(self, file: DescriptorFile) -> bool:
        """Tell whether the file is there, with the right bytes.

        Raises:
            InputError: the name lies outside the store (``outside_store``).
            TransientError: the store cannot be reached.
        """
        _check_name(file)
        try:
            for _ in self._checked_chunks(file):
                pass
        except InputError:
            return False
        except TransientError as error:
            if error.reason == "descriptor_file_missing":
                return False
            raise
        return True

    def fetch(self, file: DescriptorFile, *, video_id: str) -> Descriptors:
        """Read the descriptors of one video.

        Raises:
            InputError: the name lies outside the store (``outside_store``), the file is too large
                (``descriptor_file_too_large``), it is not what its name says, or does not hold
                the descriptors of this video alone (``descriptor_file_damaged``).
            TransientError: the store cannot be reached (``descriptor_store_unreachable``), or has
                no such file yet (``descriptor_file_missing``).
        """
        _check_name(file)
        self._check_size(file, video_id)
        try:
            with tempfile.TemporaryDirectory(prefix="vcd-descriptors-") as folder:
                copy = Path(folder, "copy.npz")
                with copy.open("wb") as target:
                    for chunk in self._checked_chunks(file):
                        target.write(chunk)
                return _read(copy, self._place.full_name(file.uri), video_id)
        except OSError as error:
            raise TransientError(
                f"{video_id}: no room to read its descriptor file: {error}",
                reason="descriptor_store_unreachable",
            ) from error

    def _check_size(self, file: DescriptorFile, video_id: str) -> None:
        if file.num_bytes > self._max_file_bytes:
            raise InputError(
                f"{video_id}: its descriptor file has {file.num_bytes} bytes, the store takes at "
                f"most {self._max_file_bytes}",
                reason="descriptor_file_too_large",
            )

    def _checked_chunks(self, file: DescriptorFile) -> Iterator[bytes]:
        """Yield the bytes, never more than there should be; raise in the end if they are wrong."""
        digest, num_bytes = hashlib.sha256(), 0
        for chunk in self._place.chunks(file.uri, _CHUNK_BYTES):
            num_bytes += len(chunk)
            digest.update(chunk)
            if num_bytes > file.num_bytes:
                break
            yield chunk
        if num_bytes != file.num_bytes or digest.hexdigest() != file.sha256:
            raise _damaged(self._place.full_name(file.uri), "its bytes are not those announced")


def store_location(setting: str | None, address: str) -> str:
    """Say where the descriptor files of a log are: as set, or beside the file of a SQLite log.

    Args:
        setting: ``stream.descriptor_store``, or a flag.
        address: of the log.

    Raises:
        SetupError: nothing is set, and the log has no folder of its own.
    """
    if setting is not None:
        return setting
    if address.startswith(_SQLITE):
        return f"{address.removeprefix(_SQLITE)}.descriptors"
    raise SetupError(
        f"{address}: say where descriptor files are, in a place that all workers reach: "
        "--store, stream.descriptor_store or VCD_STREAM__DESCRIPTOR_STORE"
    )


def descriptor_file_of(descriptors: Descriptors) -> DescriptorFile:
    """Say which file these descriptors are, without storing it anywhere."""
    with _written(descriptors) as path:
        return _file_at(path)


@contextmanager
def _written(descriptors: Descriptors) -> Iterator[Path]:
    """Write the file that stands for these descriptors: always the same bytes."""
    try:
        with tempfile.TemporaryDirectory(prefix="vcd-descriptors-") as folder:
            path = Path(folder, "made.npz")
            videos = [descriptors] if len(descriptors) else []
            write_descriptors(path, videos, space=descriptors.space)
            yield path
    except OSError as error:
        raise SetupError(
            f"{descriptors.video_id}: no room to write its descriptor file: {error}"
        ) from error


def _file_at(path: Path) -> DescriptorFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return DescriptorFile(uri=f"{sha256}.npz", sha256=sha256, num_bytes=path.stat().st_size)


def _check_name(file: DescriptorFile) -> None:
    """Refuse every address but the one that the digest gives."""
    if not _SHA256.fullmatch(file.sha256) or file.uri != f"{file.sha256}.npz":
        raise InputError(
            f"wanted the name of a file in the descriptor store, its digest and .npz, got "
            f"{file.uri!r} with digest {file.sha256!r}: nothing else is read",
            reason="outside_store",
        )


def _read(path: Path, name: str, video_id: str) -> Descriptors:
    """Read the one video in a file; no video at all is one without a frame."""
    try:
        _refuse_compressed(path)
        videos = list(read_descriptors(path))
        space = read_descriptor_rows(path).space
    except InputError as error:
        raise _damaged(name, str(error).removeprefix(f"{path}: ")) from error
    if not videos:
        return Descriptors.empty(video_id, space)
    if [each.video_id for each in videos] != [video_id]:
        found = ", ".join(each.video_id for each in videos[:3])
        raise _damaged(name, f"wanted the descriptors of {video_id}, found {found}")
    return videos[0]


def _refuse_compressed(path: Path) -> None:
    """Refuse what would become larger than its file in memory; the store writes no such file."""
    try:
        with zipfile.ZipFile(path) as archive:
            is_stored = [info.compress_type == zipfile.ZIP_STORED for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"not a descriptor file: {error}") from error
    if not all(is_stored):
        raise InputError("its arrays are compressed")


def _damaged(name: str, what: str) -> InputError:
    return InputError(f"{name}: damaged: {what}", reason="descriptor_file_damaged")
