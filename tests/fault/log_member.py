"""A member of a group as the contract of the logs sees it: what it heard, what it was given."""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vcd.stream.log import Commit, Log, Partition, Place, Record, Tail, TopicSpec

PATIENCE_S = 60.0
"""A rebalance of a real broker takes seconds; nothing here waits longer than it must."""


MANY = [(f"key-{number}".encode(), f"value-{number}".encode()) for number in range(60)]
"""Keys and values that fill every one of a few partitions."""


def until(condition: Callable[[], Any], *, timeout_s: float = PATIENCE_S) -> Any:
    """Wait for a condition to hold; its last value says what was seen instead."""
    deadline = time.monotonic() + timeout_s
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain, last seen: {seen!r}"
        time.sleep(0.01)
    return seen


def make_topic(
    log: Log, num_partitions: int = 4, *, is_compacted: bool = False, stem: str = "contract"
) -> str:
    """Make a topic that no other test has, so that the tests can share one broker."""
    name = f"{stem}.{uuid.uuid4().hex[:12]}"
    assert log.create_topics(
        [TopicSpec(name=name, num_partitions=num_partitions, is_compacted=is_compacted)]
    ) == (name,)
    until(lambda: log.topics().get(name) == num_partitions)
    return name


def make_group() -> str:
    return f"group.{uuid.uuid4().hex[:12]}"


def partitions_of(topic: str, num_partitions: int) -> frozenset[Partition]:
    return frozenset(Partition(topic, index) for index in range(num_partitions))


def send_all(
    log: Log, topic: str, items: Sequence[tuple[bytes | None, bytes | None]]
) -> list[Place]:
    """Send records and wait until each is durable."""
    writer = log.writer()
    try:
        sent = [writer.send(topic, key=key, value=value) for key, value in items]
        return [future.result(timeout=PATIENCE_S) for future in sent]
    finally:
        writer.close(10.0)


def gather(tail: Tail, num_records: int, *, limit: int = 100) -> list[Record]:
    """Poll a tail until so many records have come."""
    records: list[Record] = []

    def polled() -> bool:
        portion = tail.poll(0.2, limit=limit)
        assert len(portion) <= limit
        records.extend(portion)
        return len(records) >= num_records

    until(polled)
    return records


def read_all(log: Log, topic: str, num_records: int) -> list[Record]:
    """Read a topic from its beginning until so many records have come."""
    tail = log.tail(topic)
    try:
        return gather(tail, num_records)
    finally:
        tail.close()


class Ears:
    """A listener that remembers; its word is the only truth about what a member owns."""

    def __init__(self) -> None:
        self.owned: frozenset[Partition] = frozenset()
        self.heard: list[tuple[str, frozenset[Partition]]] = []
        self.to_commit: dict[Partition, Commit] = {}
        self.before_release: Callable[[], object] = lambda: None

    def gained(self, partitions: frozenset[Partition]) -> None:
        self.heard.append(("gained", partitions))
        self.owned |= partitions

    def released(self, partitions: frozenset[Partition]) -> Mapping[Partition, Commit]:
        self.before_release()
        self.heard.append(("released", partitions))
        self.owned -= partitions
        return {p: commit for p, commit in self.to_commit.items() if p in partitions}

    def lost(self, partitions: frozenset[Partition]) -> None:
        self.heard.append(("lost", partitions))
        self.owned -= partitions

    def all_of(self, word: str) -> frozenset[Partition]:
        return frozenset().union(*(partitions for said, partitions in self.heard if said == word))


class Member:
    """A reader with its listener; checks with every poll what a poll must never do."""

    def __init__(self, log: Log, group: str, topics: Sequence[str]) -> None:
        self.ears = Ears()
        self.reader = log.reader(group, topics, self.ears)
        self.records: list[Record] = []

    @property
    def owned(self) -> frozenset[Partition]:
        return self.ears.owned

    def poll(self, *, limit: int = 100, paused: frozenset[Partition] = frozenset()) -> list[Record]:
        records = self.reader.poll(0.05, limit=limit, paused=paused)
        assert len(records) <= limit
        places = {record.place.partition for record in records}
        assert places <= self.owned, "a record of a partition that is not ours"
        assert not places & paused, "a record of a paused partition"
        self.records += records
        return records

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def close(self) -> None:
        self.reader.close(10.0)


def poll_until(condition: Callable[[], Any], *members: Member) -> Any:
    """Poll members in turn until a condition holds."""

    def polled() -> Any:
        for member in members:
            member.poll()
        return condition()

    return until(polled)
