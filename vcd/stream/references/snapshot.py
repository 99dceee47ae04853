"""What an index directory says of the log that it follows: which one, and how far.

    DIR/log.json    replaced as a whole, always after the index that it speaks of

A process that dies between the two leaves an index that is ahead of what this
file says; the changes in between are then applied once more, which changes
nothing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vcd.core import SetupError
from vcd.search import is_index, read_info
from vcd.search.owner import OWNER_NAME
from vcd.search.publication import publish_file
from vcd.stream.log import Record

__all__ = ["Snapshot", "read_snapshot", "record_digest", "write_snapshot"]

_FORMAT = "vcd reference view"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How far an index reflects a log.

    Attributes:
        log: identity of the log.
        address: of the log, as given; for people.
        topic: whose changes the index reflects.
        offset: everything before it is in the index.
        complete_at_s: when the topic was last known to be read to its end, seconds since 1970.
        last_offset: the last record read, None before the first.
        last_digest: of its key and value, to recognize a topic that was made anew.
    """

    log: str
    address: str
    topic: str
    offset: int
    complete_at_s: float
    last_offset: int | None = None
    last_digest: str = ""

    @property
    def first_offset(self) -> int:
        """Where to read on: also the last record once more, to see that it is the same."""
        return self.offset if self.last_offset is None else min(self.offset, self.last_offset)

    @property
    def end_offset(self) -> int:
        """Where the topic ended, or farther."""
        return self.offset if self.last_offset is None else max(self.offset, self.last_offset + 1)


def record_digest(record: Record) -> str:
    """Digest what a record says."""
    text = repr((record.key, record.value))
    return hashlib.sha256(text.encode()).hexdigest()


def read_snapshot(directory: Path) -> Snapshot | None:
    """Read how far an index reflects its log; None for a new one.

    Raises:
        SetupError: the index has references and follows no log, or the file makes no sense.
    """
    path = directory / OWNER_NAME
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        _refuse_other_index(directory)
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
        raise _damaged(path, "it is something else")
    version = document.pop("format_version", None)
    if version != _FORMAT_VERSION:
        raise _damaged(path, f"it has format {version}, this version of vcd reads 1")
    return _snapshot_from(path, document)


def write_snapshot(directory: Path, snapshot: Snapshot) -> None:
    """Put this in the place of the one before.

    Raises:
        SetupError: it could not be written; the one before still counts.
    """
    document = {"format": _FORMAT, "format_version": _FORMAT_VERSION, **asdict(snapshot)}
    data = json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
    try:
        publish_file(directory, lambda file: file.write(data), lambda _: OWNER_NAME)
    except OSError as error:
        raise SetupError(
            f"{directory / OWNER_NAME}: could not be written: {error.strerror}"
        ) from error


def _snapshot_from(path: Path, document: dict[str, Any]) -> Snapshot:
    try:
        snapshot = Snapshot(**document)
        is_valid = snapshot.offset >= 0 and snapshot.complete_at_s >= 0
    except TypeError as error:
        raise _damaged(path, str(error)) from error
    if not is_valid:
        raise _damaged(path, f"offset {snapshot.offset}, {snapshot.complete_at_s} s")
    return snapshot


def _refuse_other_index(directory: Path) -> None:
    if is_index(directory) and (num_refs := len(read_info(directory).refs)):
        raise SetupError(
            f"{directory}: wanted the index directory of a worker or an empty one, found an index "
            f"of {num_refs} references of its own: give the worker another --index, and announce "
            f"these with `vcd references add --from-index {directory}`"
        )


def _damaged(path: Path, what: str) -> SetupError:
    return SetupError(
        f"{path}: does not say which log the index follows ({what}): remove the directory "
        f"{path.parent}, the worker makes it again from its log"
    )
