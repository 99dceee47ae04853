"""Messages that cannot be used and whose dead letters are not durable yet."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from vcd.core import InputError
from vcd.stream.log import Place, Record

__all__ = ["Refusals", "Refuse"]

Refuse = Callable[[Record, InputError], "Future[Place]"]
"""Sends a dead letter; never raises and never blocks, the future says whether it is durable."""

_RETRY_S = 1.0
_logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Refusal:
    record: Record
    error: InputError
    sent: "Future[Place]"
    retry_s: float | None = None


class Refusals:
    """Sends dead letters, again and again until each is durable.

    Args:
        refuse: sends one.
    """

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._waiting: list[_Refusal] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, record: Record, error: InputError) -> None:
        _logger.warning(
            "a reference is refused: %s",
            error,
            extra={"place": str(record.place), "reason": error.reason},
        )
        refusal = _Refusal(record=record, error=error, sent=self._refuse(record, error))
        self._waiting.append(refusal)

    def settle(self, now_s: float) -> None:
        """Forget those that are durable; send those again that are not and will not be."""
        self._waiting = [each for each in self._waiting if not self._is_settled(each, now_s)]

    def first_offset(self) -> int | None:
        """Name the offset of the oldest message whose dead letter is not durable."""
        return min((each.record.place.offset for each in self._waiting), default=None)

    def _is_settled(self, refusal: _Refusal, now_s: float) -> bool:
        if not refusal.sent.done():
            return False
        trouble = None if refusal.sent.cancelled() else refusal.sent.exception()
        if trouble is None and not refusal.sent.cancelled():
            return True
        if isinstance(trouble, InputError):
            place = str(refusal.record.place)
            _logger.error("%s: no dead letter of it: %s", place, trouble, extra={"place": place})
            return True
        if refusal.retry_s is None:
            refusal.retry_s = now_s + _RETRY_S
        elif now_s >= refusal.retry_s:
            refusal.sent, refusal.retry_s = self._refuse(refusal.record, refusal.error), None
        return False
