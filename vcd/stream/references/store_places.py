"""Where descriptor files can lie: a folder, or what fsspec reaches; the only door to fsspec here.

A place knows names and bytes. What the bytes are, and whether they are the
right ones, is for `descriptor_store.py`.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from vcd.core import SetupError, TransientError

__all__ = ["FolderPlace", "RemotePlace", "StorePlace", "place_for"]


class StorePlace(Protocol):
    """A flat set of named files; safe to use from any thread."""

    def full_name(self, name: str) -> str:
        """Say where a file is, for messages."""
        ...

    def chunks(self, name: str, num_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a file, so many at a time.

        Raises:
            TransientError: there is no such file (``descriptor_file_missing``), or the place
                cannot be reached (``descriptor_store_unreachable``).
        """
        ...

    def make(self) -> None:
        """Make the place if it is not there.

        Raises:
            TransientError: it did not work now.
        """
        ...

    def put(self, path: Path, name: str) -> None:
        """Copy a local file to the place, where it appears whole or not at all.

        Raises:
            TransientError: it did not work now; nothing has appeared.
        """
        ...


def place_for(location: str) -> StorePlace:
    """Choose by the address: a path or ``file:`` is a folder, anything else is fsspec's.

    Raises:
        SetupError: fsspec does not know such an address, or what it needs is not installed.
    """
    if location.startswith("file:"):
        return FolderPlace(Path(unquote(urlsplit(location).path)))
    if "://" in location or "::" in location:
        return RemotePlace(location)
    return FolderPlace(Path(location).expanduser())


class FolderPlace:
    """A folder of this machine, or one that several machines mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def full_name(self, name: str) -> str:
        return str(self._folder / name)

    def chunks(self, name: str, num_bytes: int) -> Iterator[bytes]:
        there = _as_transient(self.full_name(name), is_there=self._folder.is_dir)
        with there, (self._folder / name).open("rb") as file:
            while chunk := file.read(num_bytes):
                yield chunk

    def make(self) -> None:
        with _as_transient(str(self._folder), is_there=self._folder.is_dir):
            self._folder.mkdir(parents=True, exist_ok=True)

    def put(self, path: Path, name: str) -> None:
        beside = self._folder / f".writing-{secrets.token_hex(8)}"
        with _as_transient(self.full_name(name), is_there=self._folder.is_dir):
            try:
                with path.open("rb") as source, beside.open("wb") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
                    target.flush()
                    os.fsync(target.fileno())
                beside.replace(self._folder / name)
            finally:
                beside.unlink(missing_ok=True)
            _flush_folder(self._folder)


class RemotePlace:
    """What fsspec reaches: ``s3://bucket/folder`` and the like."""

    def __init__(self, location: str) -> None:
        from fsspec.core import url_to_fs

        self._location = location.rstrip("/")
        try:
            self._files, root = url_to_fs(self._location)
        except (ImportError, ValueError, OSError) as error:
            raise SetupError(f"{location}: no place for descriptor files: {error}") from error
        self._root = str(root).rstrip("/")

    def full_name(self, name: str) -> str:
        return f"{self._location}/{name}"

    def chunks(self, name: str, num_bytes: int) -> Iterator[bytes]:
        there = _as_transient(self.full_name(name), is_there=lambda: True)
        with there, self._files.open(f"{self._root}/{name}", "rb") as file:
            while chunk := file.read(num_bytes):
                yield chunk

    def make(self) -> None:
        with _as_transient(self._location, is_there=lambda: True):
            self._files.makedirs(self._root, exist_ok=True)

    def put(self, path: Path, name: str) -> None:
        """Object stores show a file only when all of it is there."""
        with _as_transient(self.full_name(name), is_there=lambda: True):
            self._files.put_file(str(path), f"{self._root}/{name}")


@contextmanager
def _as_transient(name: str, *, is_there: Callable[[], bool]) -> Iterator[None]:
    """Tell a file that is missing from a place that cannot be reached."""
    try:
        yield
    except FileNotFoundError as error:
        if is_there():
            raise TransientError(
                f"{name}: wanted a descriptor file, found none of this name",
                reason="descriptor_file_missing",
            ) from error
        raise TransientError(
            f"{name}: the descriptor store is not there", reason="descriptor_store_unreachable"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise TransientError(
            f"{name}: the descriptor store cannot be reached: {error}",
            reason="descriptor_store_unreachable",
        ) from error


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
