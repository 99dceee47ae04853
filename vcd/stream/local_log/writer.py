"""Send records to a local log: one thread commits together what was sent meanwhile."""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from vcd.core import InputError, SetupError, TransientError, VcdError
from vcd.stream.local_log.cleaning import clean
from vcd.stream.local_log.partitioner import key_partition
from vcd.stream.local_log.records import Draft, append, headers_text, partitions_of_topic
from vcd.stream.local_log.schema import check_mark, connect, file_mark, transaction, trouble
from vcd.stream.log import Headers, Partition, Place

__all__ = ["LocalWriter"]

_MAX_RECORD_BYTES = 1_048_576
"""Kafka's default, so that what fits into one log fits into the other."""

_MAX_BATCH = 500
"""Records of one commit: 60 kB each, that is a tenth of a second in which others cannot write."""

_CLEANING_EVERY_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    topic: str
    draft: Draft
    future: Future[Place] = field(default_factory=Future)


class LocalWriter:
    """Keeps the protocol `vcd.stream.log.Writer`."""

    def __init__(self, path: Path) -> None:
        """Open the file and start the thread.

        Raises:
            SetupError: there is no such log.
            TransientError: it cannot be opened now.
        """
        self._path = path
        self._mark = file_mark(path)
        self._connection = connect(path)
        self._queue: queue.SimpleQueue[_Sending | None] = queue.SimpleQueue()
        self._state = threading.Condition()
        self._is_closed = False
        self._num_sent = 0
        self._num_settled = 0
        self._partitions: dict[str, list[tuple[int, Partition]]] = {}
        self._next_keyless = 0
        self._cleaning: Iterator[None] = iter(())
        self._cleaned_s = time.monotonic()
        self._thread = threading.Thread(target=self._write, name="local-log-writer", daemon=True)
        self._thread.start()

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        draft = Draft(key=key, value=value, headers=headers_text(headers), time_s=time.time())
        sending = _Sending(topic=topic, draft=draft)
        sending.future.set_running_or_notify_cancel()  # what is sent cannot be called back
        num_bytes = _num_bytes(draft)
        if num_bytes > _MAX_RECORD_BYTES:
            limit = f"{num_bytes} bytes, the log takes {_MAX_RECORD_BYTES}"
            error = InputError(f"the record {_name(draft)} for {topic} is too large: {limit}")
            sending.future.set_exception(error)
            return sending.future
        with self._state:
            if not self._is_closed:
                self._num_sent += 1
                self._queue.put(sending)
                return sending.future
        sending.future.set_exception(
            TransientError(f"the record {_name(draft)} for {topic} came after the writer closed")
        )
        return sending.future

    def flush(self, timeout_s: float) -> bool:
        with self._state:
            num_sent = self._num_sent
            return self._state.wait_for(lambda: self._num_settled >= num_sent, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what was handed in; what takes longer than the timeout goes on by itself."""
        with self._state:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join(timeout_s)

    def _write(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            if batch:
                self._commit(batch)
            self._clean_a_little()
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Sending], bool]:
        """Wait for a record and take those behind it; False when the writer is closed."""
        batch: list[_Sending] = []
        while len(batch) < _MAX_BATCH:
            try:
                sending = self._queue.get(block=not batch)
            except queue.Empty:
                return batch, True
            if sending is None:
                return batch, False
            batch.append(sending)
        return batch, True

    def _commit(self, batch: Sequence[_Sending]) -> None:
        outcomes: list[tuple[_Sending, Place | VcdError]] = []
        try:
            check_mark(self._path, self._mark)
            with transaction(self._connection):
                outcomes = self._appended(batch)
        except sqlite3.Error as error:
            failure = TransientError(str(trouble(error, self._path)))
            outcomes = [(sending, failure) for sending in batch]
        except SetupError as error:
            outcomes = [(sending, TransientError(str(error))) for sending in batch]
        for sending, outcome in outcomes:
            if isinstance(outcome, Place):
                sending.future.set_result(outcome)
            else:
                sending.future.set_exception(outcome)
        with self._state:
            self._num_settled += len(batch)
            self._state.notify_all()

    def _appended(self, batch: Sequence[_Sending]) -> list[tuple[_Sending, Place | VcdError]]:
        outcomes: list[tuple[_Sending, Place | VcdError]] = []
        chosen: list[tuple[_Sending, int, Partition]] = []
        for sending in batch:
            try:
                chosen.append((sending, *self._choose(sending)))
            except SetupError as error:
                what = f"the record {_name(sending.draft)} has nowhere to go: {error}"
                outcomes.append((sending, SetupError(what)))
        drafts = [(partition, sending.draft) for sending, partition, _ in chosen]
        offsets = append(self._connection, drafts)
        for (sending, _, partition), offset in zip(chosen, offsets, strict=True):
            outcomes.append((sending, Place(partition, offset)))
        return outcomes

    def _choose(self, sending: _Sending) -> tuple[int, Partition]:
        """Choose the partition: by the key, or, without one, the next in turn."""
        partitions = self._partitions.get(sending.topic)
        if partitions is None:
            partitions = list(partitions_of_topic(self._connection, sending.topic).items())
            self._partitions[sending.topic] = partitions
        if sending.draft.key is not None:
            return partitions[key_partition(sending.draft.key, len(partitions))]
        self._next_keyless += 1
        return partitions[self._next_keyless % len(partitions)]

    def _clean_a_little(self) -> None:
        """Delete a portion of what the topics need no more: seldom, and never for long."""
        now_s = time.monotonic()
        if now_s - self._cleaned_s >= _CLEANING_EVERY_S:
            self._cleaned_s = now_s
            self._cleaning = clean(self._connection, time.time())
        try:
            next(self._cleaning, None)
        except sqlite3.Error as error:
            _log.warning("old records stay for now: %s", trouble(error, self._path))
            self._cleaning = iter(())


def _num_bytes(draft: Draft) -> int:
    return len(draft.key or b"") + len(draft.value or b"") + len(draft.headers or "")


def _name(draft: Draft) -> str:
    return "without a key" if draft.key is None else repr(draft.key[:80])[1:]
