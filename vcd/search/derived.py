"""Files that can be made again from the descriptors: kept when right, ignored when not."""

import hashlib
import logging
from pathlib import Path

from vcd.search.publication import publish_file

__all__ = ["read_derived", "write_derived"]

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
