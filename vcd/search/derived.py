"""Files that can be made again from the descriptors: kept when right, ignored when not.

Each is the SHA-256 of its contents (32 bytes), then the contents.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vcd.search.layout import as_setup_error
from vcd.search.publication import publish_file
from vcd.search.shards import check_digest

__all__ = ["map_or_make", "read_derived", "write_derived"]

_DIGEST_BYTES = 32
_logger = logging.getLogger(__name__)


def read_derived(file: Path) -> bytes | None:
    """Read what was kept; None when there is nothing, or it is damaged."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    digest, contents = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(contents).digest() != digest:
        _logger.warning("%s: damaged, made again", file)
        return None
    return contents


def write_derived(file: Path, contents: bytes | memoryview) -> None:
    """Keep it for the next reader; a directory that cannot be written is no reason to stop."""
    digest = hashlib.sha256(contents).digest()
    try:
        publish_file(
            file.parent,
            lambda sink: (sink.write(digest), sink.write(contents)),
            lambda _: file.name,
        )
    except OSError as error:
        _logger.warning("%s: not kept: %s", file, error.strerror)


def map_or_make(
    file: Path, num_bytes: int, parts: Callable[[], Iterable[NDArray[Any]]]
) -> NDArray[np.uint8]:
    """Map the contents of a file, which is made first where it is missing or damaged.

    Its digest is looked at once in a process. Where it cannot be kept, the contents lie in a
    temporary file that goes with the mapping.

    Args:
        file: where it is kept.
        num_bytes: of the contents.
        parts: makes the contents, part by part.

    Returns:
        ``(num_bytes,)`` uint8, mapped.

    Raises:
        SetupError: there is no room for it, neither there nor in the temporary folder.
    """
    kept = _kept(file, num_bytes)
    if kept is not None:
        return kept

    def write(sink: BinaryIO) -> None:
        _write_parts(sink, parts())

    try:
        publish_file(file.parent, write, lambda _: file.name)
        with file.open("rb") as made:
            return _mapped(made)
    except OSError as error:
        _logger.warning("%s: not kept: %s", file, error.strerror)
    trouble = f"{file}: can be kept neither there nor in a temporary file"
    with as_setup_error(trouble), tempfile.TemporaryFile() as passing:
        write(passing)
        passing.flush()
        return _mapped(passing)


def _kept(file: Path, num_bytes: int) -> NDArray[np.uint8] | None:
    try:
        with file.open("rb") as opened:
            digest = opened.read(_DIGEST_BYTES)
            contents = _mapped(opened)
            check_digest(
                os.fstat(opened.fileno()), contents, digest=digest.hex(), num_bytes=num_bytes
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _logger.warning("%s: damaged, made again: %s", file, error)
        return None
    return contents


def _mapped(file: BinaryIO) -> NDArray[np.uint8]:
    return np.asarray(np.memmap(file, mode="r", dtype=np.uint8))[_DIGEST_BYTES:]


def _write_parts(sink: BinaryIO, parts: Iterable[NDArray[Any]]) -> None:
    """Write the contents, then their digest in front of them."""
    digest = hashlib.sha256()
    sink.write(bytes(_DIGEST_BYTES))
    for part in parts:
        if part.size:
            data = part.data.cast("B")
            sink.write(data)
            digest.update(data)
    sink.seek(0)
    sink.write(digest.digest())
