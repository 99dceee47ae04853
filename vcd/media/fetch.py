"""Bring what a user names within reach of a decoder; so far that is local files only."""

import hashlib
import stat
from pathlib import Path

from vcd.core import InputError

__all__ = ["digest_file"]


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


def _kind(path: Path) -> str:
    return "a directory" if path.is_dir() else "a device, pipe or socket"
