"""Sends records to Kafka from a thread of its own, so that no caller waits for a broker.

The client's producer may wait for seconds until it knows a topic, and a producer
that has gone wrong is replaced: both happen here, behind a queue.
"""

import logging
import operator
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from vcd.core import InputError, SetupError, TransientError, VcdError
from vcd.stream.kafka_log.client import MAX_RECORD_BYTES, passing_errors, refusals
from vcd.stream.kafka_log.records import KafkaObject
from vcd.stream.log import Headers, Partition, Place
from vcd.stream.settings import KafkaSettings

__all__ = ["KafkaWriter"]

_logger = logging.getLogger(__name__)

_TICK_S = 0.5
"""How often the age of what is under way is looked at."""

_MEMORY_S = 2.0
"""How long a topic that could not be had is not asked for again: asking holds up the others."""


class _Producers(Protocol):
    @property
    def kafka(self) -> KafkaSettings: ...

    def producer(self) -> KafkaObject: ...

    def missing(self, topic: str) -> SetupError: ...


@dataclass(slots=True, eq=False)
class _Letter:
    """A record on its way."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    future: Future[Place] = field(default_factory=Future)
    handed_in_s: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return f"{self.topic}, key {self.key!r}"

    def fail(self, error: VcdError) -> None:
        with suppress(InvalidStateError):  # the client's thread was faster
            self.future.set_exception(error)


class KafkaWriter:
    """Writes records, all at once and each on its own.

    Args:
        clients: what makes the producer, also the next one when one must be thrown away.
        is_missing: asks a broker whether it has no such topic; False when none answers.
    """

    def __init__(self, clients: _Producers, is_missing: Callable[[str], bool]) -> None:
        self._clients = clients
        self._is_missing = is_missing
        self._patience_s = clients.kafka.delivery_timeout_s
        self._letters: queue.SimpleQueue[_Letter | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._under_way: set[_Letter] = set()
        self._refused: dict[str, tuple[float, VcdError]] = {}
        self._is_closed = False
        self._producer: KafkaObject = None
        self._thread = threading.Thread(target=self._deliver, name="kafka-writer", daemon=True)
        self._thread.start()

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        letter = _Letter(topic, key, value, headers)
        letter.future.set_running_or_notify_cancel()
        size = len(key or b"") + len(value or b"") + sum(len(n) + len(v) for n, v in headers)
        if size > MAX_RECORD_BYTES - 1024:
            letter.fail(_too_large(letter, size))
            return letter.future
        with self._lock:
            if self._is_closed:
                letter.fail(TransientError(f"{letter.name}: not sent, the writer is closed"))
                return letter.future
            self._under_way.add(letter)
            letter.future.add_done_callback(lambda _: self._arrived(letter))
            self._letters.put(letter)
        return letter.future

    def _arrived(self, letter: _Letter) -> None:
        with self._lock:
            self._under_way.discard(letter)

    def flush(self, timeout_s: float) -> bool:
        with self._lock:
            futures = [letter.future for letter in self._under_way]
        return not wait(futures, timeout_s).not_done

    def close(self, timeout_s: float) -> None:
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        if was_closed:
            return
        self.flush(timeout_s)
        self._letters.put(None)
        self._thread.join(timeout_s + _TICK_S)
        self._give_up(TransientError("the writer was closed before this record was durable"))

    # On the writer's own thread -----------------------------------------------------------------

    def _deliver(self) -> None:
        while True:
            try:
                letter = self._letters.get(timeout=_TICK_S)
            except queue.Empty:
                self._check_age()
                continue
            if letter is None:
                break
            self._hand_over(letter)
            self._check_age()
        self._drop_producer()

    def _hand_over(self, letter: _Letter) -> None:
        since_s, refusal = self._refused.get(letter.topic, (0.0, None))
        if refusal is not None and time.monotonic() < since_s + _MEMORY_S:
            letter.fail(type(refusal)(str(refusal)))
            return
        if self._is_late(letter, self._patience_s):
            letter.fail(TransientError(f"{letter.name}: not sent in time, no broker answers"))
            return
        try:
            if self._producer is None:
                self._producer = self._clients.producer()
            sent = self._producer.send(
                letter.topic, key=letter.key, value=letter.value, headers=list(letter.headers)
            )
        except Exception as error:
            _logger.debug("%s: not sent", letter.name, exc_info=True)
            self._tell_why(letter, error)
            return
        sent.add_callback(lambda at: _deliver_place(letter, at))
        sent.add_errback(lambda error: letter.fail(_classified(letter, error)))

    def _tell_why(self, letter: _Letter, error: Exception) -> None:
        """The client did not even take the record."""
        from kafka.errors import IllegalStateError, KafkaTimeoutError

        failure = _classified(letter, error)
        if isinstance(error, KafkaTimeoutError | SetupError) and self._is_missing(letter.topic):
            failure = self._clients.missing(letter.topic)
        if isinstance(error, KafkaTimeoutError | SetupError):
            self._refused[letter.topic] = (time.monotonic(), failure)
        if isinstance(error, IllegalStateError | RuntimeError):
            self._drop_producer()
        letter.fail(failure)

    def _is_late(self, letter: _Letter, patience_s: float) -> bool:
        return time.monotonic() - letter.handed_in_s > patience_s

    def _check_age(self) -> None:
        with self._lock:
            is_wedged = any(self._is_late(one, 2 * self._patience_s) for one in self._under_way)
        if is_wedged:
            _logger.error("the Kafka producer has stopped sending: it is replaced")
            self._drop_producer()
            self._give_up(TransientError("not durable in time: the producer was replaced"))

    def _give_up(self, error: TransientError) -> None:
        with self._lock:
            letters = list(self._under_way)
        for letter in letters:
            letter.fail(TransientError(f"{letter.name}: {error}"))

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with suppress(*passing_errors()):
            producer.close(timeout=1.0)
            return
        # Its own close gave up half way, because something is still unsent.
        with suppress(*passing_errors(), AttributeError):
            operator.attrgetter("_sender.force_close")(producer)()


def _deliver_place(letter: _Letter, at: KafkaObject) -> None:
    with suppress(InvalidStateError):  # it was given up a moment ago
        letter.future.set_result(Place(Partition(at.topic, at.partition), at.offset))


def _too_large(letter: _Letter, size: int) -> InputError:
    return InputError(f"{letter.name}: {size:,} bytes are too large, {MAX_RECORD_BYTES:,} fit")


def _classified(letter: _Letter, error: Exception) -> VcdError:
    """Say whether this record will never be taken, or only not now, or nothing ever is."""
    from kafka import errors

    if isinstance(error, refusals()):
        return SetupError(f"{letter.name}: we may not write it: {type(error).__name__}: {error}")
    size = len(letter.key or b"") + len(letter.value or b"")
    if isinstance(error, errors.MessageSizeTooLargeError | errors.RecordListTooLargeError):
        return InputError(f"{letter.name}: the broker finds {size:,} bytes too large")
    for_good = errors.InvalidRecordError | errors.InvalidTopicError | errors.InvalidTimestampError
    if isinstance(error, for_good | TypeError | ValueError | AssertionError):
        return InputError(f"{letter.name}: refused for good: {type(error).__name__}: {error}")
    return TransientError(f"{letter.name}: not durable now: {type(error).__name__}: {error}")
