"""Read a local file where it lies, and notice when it is not the same file any more."""

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from vcd.core import InputError, TransientError, VcdError
from vcd.media.intake import Intake

__all__ = ["check_unchanged", "digest_file", "read_local"]

_CHUNK_BYTES = 1 << 20
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: opening a pipe would wait for its writer before anything can be checked."""

_TRANSIENT = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EAGAIN}
)


def digest_file(path: Path) -> str:
    """Compute the SHA-256 of a file's bytes.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: it is missing, is no regular file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: wanted a file, found {_kind(path)}")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: wanted a file, found nothing at that path") from None
    except PermissionError:
        raise InputError(
            f"{path}: wanted a readable file, but reading it is not permitted"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: wanted a readable file, got: {error.strerror}") from error
    except ValueError:  # a NUL, or half a surrogate pair, in somebody else's record
        raise InputError(f"{str(path)!a}: wanted a file, and no file has such a path") from None


def read_local(path: Path, intake: Intake) -> os.stat_result:
    """Digest a file whose links are resolved.

    Args:
        path: without links: one that appears between the check of its place and this is refused.
        intake: takes the bytes.

    Returns:
        What the file was when it was read.

    Raises:
        InputError: there is no regular file, it may not be read, or it is too large.
        TransientError: the disk fails, or it was swapped meanwhile.
    """
    with _said_of(intake), io.FileIO(os.open(path, _OPEN_FLAGS)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{intake.shown}: wanted a file, found {_kind(path)}", reason="unreadable"
            )
        if os.path.realpath(path) != str(path):
            raise _changed(intake)
        intake.expect(found.st_size)
        while chunk := file.read(_CHUNK_BYTES):
            intake.take(chunk)
        read = os.fstat(file.fileno())
        if _mark(read) != _mark(found):
            raise _changed(intake)
    check_unchanged(path, found, intake)
    return found


def check_unchanged(path: Path, found: os.stat_result, intake: Intake) -> None:
    """Compare a file with what it was when it was digested.

    Raises:
        TransientError: it is another one, or gone: what was decoded may not be what was digested.
    """
    try:
        now = path.lstat()
    except OSError:
        raise _changed(intake) from None
    if _mark(now) != _mark(found):
        raise _changed(intake)


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _changed(intake: Intake) -> TransientError:
    return TransientError(
        f"{intake.shown}: wanted a file that stays as it is, it changed while it was looked at",
        reason="fetch_failed",
    )


@contextlib.contextmanager
def _said_of(intake: Intake) -> Iterator[None]:
    try:
        yield
    except VcdError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{intake.shown}: wanted a file, found nothing at that path", reason="not_found"
        ) from None
    except PermissionError:
        raise InputError(
            f"{intake.shown}: wanted a readable file, but reading it is not permitted",
            reason="forbidden",
        ) from None
    except OSError as error:
        if error.errno in _TRANSIENT:
            raise TransientError(
                f"{intake.shown}: could not be read: {error.strerror}", reason="fetch_failed"
            ) from error
        raise InputError(
            f"{intake.shown}: wanted a readable file, got: {error.strerror}", reason="unreadable"
        ) from error


def _kind(path: Path) -> str:
    return "a directory" if path.is_dir() else "a device, pipe or socket"
