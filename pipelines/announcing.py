"""Announce changes of references on a log, and count those that are durable."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType

from pipelines import console
from vcd.core import DescriptorSpace, InputError, SetupError, VcdError
from vcd.stream.log import Log, Place
from vcd.stream.messages.envelope import encode_reference
from vcd.stream.messages.records import ReferenceChange
from vcd.stream.references.announced import Announced, announced_references
from vcd.stream.topics import REFERENCES

__all__ = ["Announcing", "refuse_other_terms"]

_MAX_UNDER_WAY = 1000
"""Messages that are sent and not durable yet."""


class Announcing:
    """Sends changes of references and counts those that are durable; a context manager.

    Leaving it waits for what is under way, also when an exception ends it.

    Args:
        log: that they are announced on.
        patience_s: how long to wait for a message to be durable.

    Attributes:
        announced: what the log said before.
        outcome: counts for the closing line.
        places: where the messages are that are durable, by the id of their reference.
    """

    def __init__(self, log: Log, *, patience_s: float) -> None:
        self.announced = announced_references(log)
        self.outcome = console.Outcome()
        self.places: dict[str, Place] = {}
        self._patience_s = patience_s
        self._writer = log.writer()
        self._under_way: dict[str, Future[Place]] = {}

    def __enter__(self) -> "Announcing":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._settle(list(self._under_way))
        finally:
            self._writer.close(self._patience_s)

    def send(self, change: ReferenceChange) -> None:
        """Announce a reference, unless just this is announced already."""
        before = self.announced.changes.get(change.video.id)
        if before is not None and replace(before, trace_id=change.trace_id) == change:
            self.outcome.num_unchanged += 1
            return
        try:
            value = encode_reference(change)
        except InputError as error:
            self.outcome.refuse(change.video.id, str(error))
            return
        self._send(change.video.id, value)

    def remove(self, ref_id: str) -> None:
        """Announce that there is no such reference any more; refuse an id that nobody announced."""
        if ref_id in self.announced.changes or ref_id in self.announced.unusable:
            self._send(ref_id, None)
        else:
            self.outcome.refuse(ref_id, f"{ref_id}: the log has announced no reference of this id")

    def _send(self, ref_id: str, value: bytes | None) -> None:
        self._under_way[ref_id] = self._writer.send(REFERENCES, key=ref_id.encode(), value=value)
        if len(self._under_way) >= _MAX_UNDER_WAY:
            self._settle(list(self._under_way))

    def _settle(self, ref_ids: Sequence[str]) -> None:
        """Wait until these are durable, or refused by the log, or time is out."""
        stop_s = time.monotonic() + self._patience_s
        for ref_id in ref_ids:
            sent = self._under_way.pop(ref_id)
            try:
                self.places[ref_id] = sent.result(max(0.0, stop_s - time.monotonic()))
                self.outcome.num_done += 1
            except VcdError as error:
                self.outcome.refuse(ref_id, f"{ref_id}: {error}")
            except TimeoutError:
                self.outcome.refuse(ref_id, f"{ref_id}: the log did not say that it is durable")


def refuse_other_terms(announced: Announced, space: DescriptorSpace, rate_hz: float) -> None:
    """Stop before anything is described that no worker of this log could compare.

    Raises:
        SetupError: the log has references of another space, or sampled at another rate.
    """
    for ref_id, change in announced.changes.items():
        if change.space != space or change.rate_hz != rate_hz:
            raise SetupError(
                f"the log has references such as {ref_id}, of {change.space} at "
                f"{change.rate_hz:g} frames a second; these would be of {space} at {rate_hz:g}: "
                "use the weights and the rate of the others, or remove the others first"
            )
