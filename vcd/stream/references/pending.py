"""Changes of references that were read and are not in the index yet, each waiting for its file.

Bookkeeping alone: no thread, no file, no clock. Of each reference only the
last change is kept, so a later one puts an end to waiting for a lost file.
"""

import heapq
from dataclasses import dataclass

from vcd.core import TransientError
from vcd.stream.log import Record
from vcd.stream.messages.records import ReferenceChange

__all__ = ["Pending", "PendingChange"]

_FIRST_RETRY_S = 0.25
_MAX_RETRY_S = 10.0
"""A store that answers again is noticed within this time."""
_LOST_AFTER_TRIES = 6
"""Some eight seconds of trying."""


@dataclass(slots=True, kw_only=True, eq=False)
class PendingChange:
    """One change that waits.

    Attributes:
        record: that announced it.
        change: what it says.
        num_tries: how often its file was asked for in vain.
        trouble: what came of the last try.
    """

    record: Record
    change: ReferenceChange
    num_tries: int = 0
    trouble: TransientError | None = None

    @property
    def offset(self) -> int:
        return self.record.place.offset

    @property
    def is_lost(self) -> bool:
        """Whether the store answers and its file is not there, and was not for a while."""
        return (
            self.num_tries >= _LOST_AFTER_TRIES
            and self.trouble is not None
            and self.trouble.reason == "descriptor_file_missing"
        )


class Pending:
    """The changes that wait, by the id of their reference."""

    def __init__(self) -> None:
        self._changes: dict[str, PendingChange] = {}
        self._queue: list[tuple[float, int, PendingChange]] = []

    def __len__(self) -> int:
        return len(self._changes)

    def put(self, change: PendingChange) -> None:
        """Let it wait, in place of an earlier one of the same reference."""
        self._changes[change.change.video.id] = change
        heapq.heappush(self._queue, (0.0, change.offset, change))

    def drop(self, ref_id: str) -> None:
        """Wait no more for what this reference was going to be."""
        self._changes.pop(ref_id, None)

    def holds(self, change: PendingChange) -> bool:
        """Tell whether it still counts: no later change has come."""
        return self._changes.get(change.change.video.id) is change

    def has_due(self, now_s: float) -> bool:
        """Tell whether one should be tried now."""
        return bool(self._queue) and self._queue[0][0] <= now_s

    def take_due(self, now_s: float, limit: int) -> list[PendingChange]:
        """Take the next ones to be tried, the oldest first; each must come back or be dropped."""
        due: list[PendingChange] = []
        while self._queue and len(due) < limit and self._queue[0][0] <= now_s:
            _, _, change = heapq.heappop(self._queue)
            if self.holds(change):
                due.append(change)
        return due

    def retry(self, change: PendingChange, trouble: TransientError, now_s: float) -> None:
        """Let one wait longer, each time for twice as long."""
        change.trouble = trouble
        wait_s = min(_MAX_RETRY_S, _FIRST_RETRY_S * 2.0**change.num_tries)
        change.num_tries += 1
        heapq.heappush(self._queue, (now_s + wait_s, change.offset, change))

    def first_offset(self) -> int | None:
        """Name the offset of the oldest change that waits."""
        return min((change.offset for change in self._changes.values()), default=None)

    def waiting(self) -> list[PendingChange]:
        """List what waits, the oldest first."""
        return sorted(self._changes.values(), key=lambda change: change.offset)
