"""Put files in place so that a reader sees the old one or the new one, never a part.

Write beside it, flush to the disk, rename, flush the directory. A process that
dies in between leaves a temporary file that the next writer removes. Its name is drawn: readers
in two containers may have one process number.
"""

import fcntl
import json
import logging
import os
import platform
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar

from vcd.core import SetupError

__all__ = ["LOCK_NAME", "TEMPORARY_SUFFIX", "WriterLock", "publish_file", "remove_files"]

LOCK_NAME = "lock"
TEMPORARY_SUFFIX = ".part"
_Result = TypeVar("_Result")
_logger = logging.getLogger(__name__)


def publish_file(
    folder: Path, write: Callable[[BinaryIO], _Result], name_of: Callable[[_Result], str]
) -> _Result:
    """Write a file and give it its name only when all of it is on the disk.

    Args:
        folder: where it goes; made when missing.
        write: writes the contents.
        name_of: says the file's name from what ``write`` returned.

    Raises:
        OSError: it could not be written; nothing of it is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"writing-{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    try:
        with temporary.open("wb") as file:
            result = write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name_of(result))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(folder)
    return result


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files that nothing names any more; one that resists is left for the next time."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("%s: could not be removed: %s", path, error.strerror)


class WriterLock:
    """The right to write in a directory; released when its holder ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            SetupError: another process holds it; the sentence names it.
        """
        path = directory / LOCK_NAME
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(directory, self._descriptor)
        except BaseException:
            self.release()
            raise

    def _take(self, directory: Path, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.pread(descriptor, 4096, 0))
            raise SetupError(
                f"{directory}: the index is being written by {holder}; "
                "wait until it is done, or stop it",
                reason="index_locked",
            ) from None
        os.ftruncate(descriptor, 0)
        note = {"process": os.getpid(), "host": platform.node()}
        os.pwrite(descriptor, json.dumps(note).encode(), 0)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _holder(note: bytes) -> str:
    try:
        holder = json.loads(note)
        return f"process {holder['process']} on {holder['host']}"
    except (KeyError, TypeError, ValueError):
        return "another process"
