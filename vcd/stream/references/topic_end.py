"""How far a tail is from the end of its topic, and when it was last known to be there.

While records flow, a tail is never at the end of the moment. So the end is
asked for now and then, and what was asked at 12:00 is answered when everything
that was there at 12:00 has been read: then the reader knew all of 12:00.
"""

import logging
import time
from dataclasses import dataclass

from vcd.core import SetupError, TransientError
from vcd.stream.log import Tail

__all__ = ["TopicEnd"]

_ASK_EVERY_S = 0.5
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    end: int
    asked_s: float
    """Monotonic."""
    asked_at_s: float
    """Seconds since 1970."""


class TopicEnd:
    """Asks for the end of a topic of one partition; used by the thread that reads it.

    Args:
        complete_at_s: when the reader was there last, before it began.

    Attributes:
        barrier: the end as first heard of; None before that.
        complete_at_s: everything sent before it, seconds since 1970, has been read.
        fresh_s: everything sent before it, on the monotonic clock, is in effect; None before the
            first time.
    """

    def __init__(self, complete_at_s: float) -> None:
        self.barrier: int | None = None
        self.complete_at_s = complete_at_s
        self.fresh_s: float | None = None
        self._next_s = 0.0
        self._unread: _Question | None = None
        self._unreflected: _Question | None = None

    def ask(self, tail: Tail, *, known: int) -> None:
        """Ask the log, if it is time to; a log that does not answer is asked again later.

        Args:
            tail: of the topic.
            known: there were records up to this offset, by all we know.

        Raises:
            SetupError: the topic ends before what was read of it: it is not the same topic.
        """
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _ASK_EVERY_S
        try:
            end = tail.ends()[0]
        except TransientError as error:
            _logger.warning("the end of the references is not known now: %s", error)
            return
        if known > end:
            raise SetupError(
                f"the topic of the references ends at offset {end}, and was read up to {known} "
                "before: it was made anew, so remove the index directory; the worker makes it "
                "again from the log"
            )
        question = _Question(end=end, asked_s=now_s, asked_at_s=time.time())
        self.barrier = end if self.barrier is None else self.barrier
        self._unread = self._unread or question
        self._unreflected = self._unreflected or question

    def note_read(self, position: int) -> None:
        """Everything before this offset has been read."""
        if self._unread is not None and position >= self._unread.end:
            self.complete_at_s, self._unread = self._unread.asked_at_s, None

    def note_reflected(self, offset: int) -> None:
        """Everything before this offset is in effect."""
        if self._unreflected is not None and offset >= self._unreflected.end:
            self.fresh_s, self._unreflected = self._unreflected.asked_s, None
