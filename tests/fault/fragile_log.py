"""A log in memory whose every call can be made to fail, for the tests of the worker.

FragileLog keeps the protocols of `vcd.stream.log`; all of one `Store` are one log. Its readers own
every partition from their first poll on, until a test takes some away.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from vcd.core import TransientError
from vcd.stream.log import (
    Commit,
    Headers,
    Listener,
    Offsets,
    Partition,
    Place,
    Record,
    Tail,
    TopicSpec,
)
from vcd.stream.topics import BACKFILL, DEAD_LETTERS, REPORTS, UPLOADS


class Crash(BaseException):
    """The process is gone; whatever it would do next does not happen."""


class Fate:
    """Counts the calls of a process to its log, before and after each; kills it at one of them."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.crash_at = crash_at
        self.num_points = 0
        self.is_dead = False

    def point(self) -> None:
        if self.is_dead:
            raise Crash
        self.num_points += 1
        if self.num_points == self.crash_at:
            self.is_dead = True
            raise Crash


class Store:
    """What is durable."""

    def __init__(self, num_partitions: int = 2) -> None:
        self.num_partitions = dict.fromkeys((UPLOADS, BACKFILL, REPORTS), num_partitions)
        self.num_partitions[DEAD_LETTERS] = 1
        self.records: dict[Partition, list[Record]] = {
            Partition(topic, index): []
            for topic, count in self.num_partitions.items()
            for index in range(count)
        }
        self.commits: dict[Partition, Commit] = {}
        self.history: list[tuple[Partition, Commit]] = []

    def put(
        self,
        topic: str,
        index: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        offset: int | None = None,
        headers: Headers = (),
    ) -> Place:
        """Append a record; a given offset leaves a gap."""
        records = self.records[Partition(topic, index)]
        next_offset = records[-1].place.offset + 1 if records else 0
        place = Place(Partition(topic, index), next_offset if offset is None else offset)
        records.append(Record(place=place, key=key, value=value, headers=headers, time_s=1.0))
        return place

    def of(self, topic: str) -> list[Record]:
        return [
            record
            for partition, records in sorted(self.records.items())
            if partition.topic == topic
            for record in records
        ]

    def end(self, partition: Partition) -> int:
        records = self.records[partition]
        return records[-1].place.offset + 1 if records else 0

    def is_all_committed(self) -> bool:
        return all(
            partition in self.commits and self.commits[partition].offset == self.end(partition)
            for partition, records in self.records.items()
            if partition.topic in (UPLOADS, BACKFILL) and records
        )

    def keep(self, commits: Mapping[Partition, Commit]) -> None:
        self.commits.update(commits)
        self.history.extend(commits.items())


class FragileLog:
    def __init__(self, store: Store, fate: Fate | None = None) -> None:
        self.store = store
        self.fate = fate or Fate()
        self.on_poll: Callable[[], None] = lambda: None
        self.commit_answers: deque[bool] = deque()
        self.committed_errors: deque[Exception] = deque()
        self.send_answer: Callable[[str, bytes | None], Exception | None] = lambda topic, value: (
            None
        )
        self.is_answering = True
        self.unanswered: list[Future[Place]] = []
        self.blocked: dict[Partition, str] = {}
        self._reader: FragileReader | None = None

    @property
    def last_reader(self) -> "FragileReader":
        """Of the worker that reads; there must be one."""
        assert self._reader is not None
        return self._reader

    @property
    def num_polls(self) -> int:
        return 0 if self._reader is None else len(self._reader.limits)

    @property
    def address(self) -> str:
        return "memory:"

    def identity(self) -> str:
        return "memory"

    def create_topics(self, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
        return ()

    def topics(self) -> Mapping[str, int]:
        self.fate.point()
        return dict(self.store.num_partitions)

    def offsets(self, group: str, topic: str) -> Offsets:
        raise NotImplementedError("a worker asks its reader for the lag, not the log")

    def reader(self, group: str, topics: Sequence[str], listener: Listener) -> "FragileReader":
        self.fate.point()
        owned = frozenset(one for one in self.store.records if one.topic in topics)
        self._reader = FragileReader(self, listener, owned)
        return self._reader

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> Tail:
        raise NotImplementedError("a worker of these tests follows no references")

    def writer(self) -> "FragileWriter":
        self.fate.point()
        return FragileWriter(self)

    def close(self) -> None:
        return None


class FragileReader:
    def __init__(self, log: FragileLog, listener: Listener, owned: frozenset[Partition]) -> None:
        self.log = log
        self.listener = listener
        self.to_gain: frozenset[Partition] = owned
        self.to_release: frozenset[Partition] = frozenset()
        self.to_lose: frozenset[Partition] = frozenset()
        self.positions: dict[Partition, int] = {}
        self.is_closed = False
        self.limits: list[int] = []
        self.paused: frozenset[Partition] = frozenset()

    def poll(
        self, timeout_s: float, *, limit: int, paused: frozenset[Partition] = frozenset()
    ) -> list[Record]:
        self.log.fate.point()
        self.limits.append(limit)
        self.paused = paused
        self._rebalance()
        self.log.on_poll()
        records = self._take(limit, paused)
        if not records and self.log.fate.crash_at is None:
            time.sleep(min(timeout_s, 0.002))
        self.log.fate.point()
        return records

    def _take(self, limit: int, paused: frozenset[Partition]) -> list[Record]:
        taken: list[Record] = []
        for partition in sorted(self.positions):
            if partition in paused:
                continue
            for record in self.log.store.records[partition]:
                if record.place.offset >= self.positions[partition] and len(taken) < limit:
                    taken.append(record)
                    self.positions[partition] = record.place.offset + 1
        return taken

    def _rebalance(self) -> None:
        gained, self.to_gain = self.to_gain, frozenset()
        released, self.to_release = self.to_release, frozenset()
        lost, self.to_lose = self.to_lose, frozenset()
        if gained:
            for partition in gained:
                commit = self.log.store.commits.get(partition)
                self.positions[partition] = 0 if commit is None else commit.offset
            self.listener.gained(gained)
        if released:
            self._release(released)
        if lost:
            for partition in lost:
                del self.positions[partition]
            self.listener.lost(lost)

    def _release(self, partitions: frozenset[Partition]) -> None:
        commits = self.listener.released(partitions)
        for partition in partitions:
            del self.positions[partition]
        self.log.store.keep(commits)

    def commit(self, commits: Mapping[Partition, Commit]) -> bool:
        self.log.fate.point()
        is_kept = self.log.commit_answers.popleft() if self.log.commit_answers else True
        if is_kept:
            self.log.store.keep({p: commit for p, commit in commits.items() if p in self.positions})
        self.log.fate.point()
        return is_kept

    def committed(self, partition: Partition) -> Commit | None:
        self.log.fate.point()
        if self.log.committed_errors:
            raise self.log.committed_errors.popleft()
        return self.log.store.commits.get(partition)

    def lag(self) -> Mapping[Partition, int]:
        return dict.fromkeys(self.positions, 0)

    def blocked(self) -> Mapping[Partition, str]:
        return self.log.blocked

    def close(self, timeout_s: float) -> None:
        self.log.fate.point()
        self.is_closed = True
        self._release(frozenset(self.positions))
        self.log.fate.point()


class FragileWriter:
    def __init__(self, log: FragileLog) -> None:
        self.log = log
        self.is_closed = False

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        self.log.fate.point()
        future: Future[Place] = Future()
        future.set_running_or_notify_cancel()
        if not self.log.is_answering:
            self.log.unanswered.append(future)
            return future
        error = self.log.send_answer(topic, value)
        if error is None:
            future.set_result(self.log.store.put(topic, 0, value, key=key, headers=headers))
        else:
            future.set_exception(error)
        self.log.fate.point()
        return future

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self, timeout_s: float) -> None:
        self.is_closed = True
        for future in self.log.unanswered:
            if not future.done():
                future.set_exception(TransientError("closed"))
