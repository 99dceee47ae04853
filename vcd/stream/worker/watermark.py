"""Know from where on a partition is not done, however out of order its records finish.

    delivered   4  5  7  8  9          6 was compacted away
    done        x  x     x
    head              ^ = 6            where the next owner goes on; 8 is done above it

Counted by order of delivery: which offsets exist is for the log to say. Each
record costs the same, however many are in flight.
"""

from collections import deque
from collections.abc import Iterable

__all__ = ["Watermark"]


class Watermark:
    """What was delivered and what is done of one partition, during one assignment.

    Args:
        head: the committed offset: everything before it is done.
        known: offsets from the head on that an earlier owner has done already.
    """

    def __init__(self, head: int, known: Iterable[int] = ()) -> None:
        self._head = head
        self._highest: int | None = None
        self._pending: deque[int] = deque()
        self._done = {offset for offset in known if offset >= head}

    @property
    def head(self) -> int:
        """The offset to commit: behind the last of the records that are done without a hole."""
        return self._head

    @property
    def highest(self) -> int | None:
        """The last offset that was delivered; None before the first."""
        return self._highest

    @property
    def is_idle(self) -> bool:
        """Whether all that was delivered is done."""
        return not self._pending

    @property
    def span(self) -> int:
        """How far, in offsets, deliveries run ahead of the head."""
        return 0 if self.is_idle or self._highest is None else self._highest + 1 - self._head

    def is_done(self, offset: int) -> bool:
        """Tell whether this offset needs no work any more."""
        return offset < self._head or offset in self._done

    def deliver(self, offset: int) -> None:
        """Take note of the next record of the partition; of one that is done, too."""
        if self._highest is not None and offset <= self._highest:
            raise ValueError(f"offset {offset} after {self._highest}: a log delivers in order")
        self._highest = offset
        self._pending.append(offset)
        self._advance()

    def finish(self, offset: int) -> None:
        """Take note that the outcome of a delivered record is durable."""
        self._done.add(offset)
        self._advance()

    def done_above(self) -> frozenset[int]:
        """List the offsets from the head on that are done, delivered or known."""
        self._done = {offset for offset in self._done if offset >= self._head}
        return frozenset(self._done)

    def _advance(self) -> None:
        while self._pending and self._pending[0] in self._done:
            offset = self._pending.popleft()
            self._done.discard(offset)
            self._head = offset + 1
