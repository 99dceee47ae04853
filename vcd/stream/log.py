"""The seam to the message bus: what the stream needs of a log, and nothing of any one log.

A log keeps records in topics, a topic has partitions, and in a partition every
record has an offset. Records are bytes: what they mean is for `messages/`.
Two implementations keep the same contract (`tests/fault/log_contract.py`):
`LocalLog` (one SQLite file) and `KafkaLog`.

    Writer.send   -> future of where it is, once it is durable
    Reader.poll   -> records of the partitions that this member of a group owns
    Reader.commit -> "everything of this partition before this offset is done"
    Tail.poll     -> all records of one topic, for oneself, without a group
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "Commit",
    "Headers",
    "Listener",
    "Log",
    "Offsets",
    "Partition",
    "Place",
    "Reader",
    "Record",
    "Tail",
    "TopicSpec",
    "Writer",
]

Headers = tuple[tuple[str, bytes], ...]
"""Names and values; a name may occur more than once."""


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """One partition of one topic."""

    topic: str
    index: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.index}"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record is, for ever: the identity of a message."""

    partition: Partition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message as the log keeps it.

    Attributes:
        place: topic, partition and offset.
        key: what compaction and the choice of the partition go by; None is allowed.
        value: None is a tombstone.
        headers: in the order in which they were sent.
        time_s: when it was sent, seconds since 1970.
    """

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    time_s: float = 0.0

    def header(self, name: str) -> bytes | None:
        """Return the last header of that name; None when there is none."""
        return dict(self.headers).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """How far a group has come in a partition.

    Attributes:
        offset: of the first record that is not done: where the next owner goes on.
        note: what the next owner should know, at most 4,096 bytes of UTF-8.
    """

    offset: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """What a topic is made with.

    Attributes:
        name: of the topic.
        num_partitions: how many members of a group can share it.
        is_compacted: of each key only the last record must be kept; a tombstone removes the key.
        retention_s: how long records are kept; None keeps them for ever.
    """

    name: str
    num_partitions: int
    is_compacted: bool = False
    retention_s: float | None = None


class Listener(Protocol):
    """Told which partitions a reader owns; short, never blocking, from any thread."""

    def gained(self, partitions: frozenset[Partition]) -> None:
        """These are ours from now on; records come from their committed offsets."""
        ...

    def released(self, partitions: frozenset[Partition]) -> Mapping[Partition, Commit]:
        """These go to somebody else now; returns what to commit for them before they do."""
        ...

    def lost(self, partitions: frozenset[Partition]) -> None:
        """These are somebody else's already; nothing can be committed for them."""
        ...


class Reader(Protocol):
    """A member of a group; used by one thread only, which must go on polling."""

    def poll(
        self, timeout_s: float, *, limit: int, paused: frozenset[Partition] = frozenset()
    ) -> list[Record]:
        """Take the next records of the partitions that are ours, in order in each partition.

        Also what keeps the membership alive: call it all the time, with ``limit=0`` when there
        is no room. Trouble of the log's that may pass gives an empty list, after the timeout.

        Args:
            timeout_s: how long to wait for a first record.
            limit: most records to return; 0 takes none.
            paused: partitions to take nothing from; their records stay for later.

        Raises:
            SetupError: the log will never serve us: credentials, a missing topic.
        """
        ...

    def commit(self, commits: Mapping[Partition, Commit]) -> bool:
        """Keep these; False when it did not work now and should be tried again.

        Those of partitions that are no longer ours are dropped without a word.
        """
        ...

    def committed(self, partition: Partition) -> Commit | None:
        """Read what the group committed last; None when it never did.

        Raises:
            TransientError: the log does not answer now.
        """
        ...

    def lag(self) -> Mapping[Partition, int]:
        """Count, for the partitions that are ours, the records behind the committed offset."""
        ...

    def blocked(self) -> Mapping[Partition, str]:
        """Name the partitions whose next record cannot be read, with a sentence; never skipped."""
        ...

    def close(self, timeout_s: float) -> None:
        """Leave the group; the listener hears ``released`` for what is still ours."""
        ...


class Tail(Protocol):
    """Everything in one topic, read for oneself."""

    def poll(self, timeout_s: float, *, limit: int) -> list[Record]:
        """Take the next records; an empty list when there is none yet, or none can be had now."""
        ...

    def positions(self) -> Mapping[int, int]:
        """Name the next offset to be read of each partition."""
        ...

    def ends(self) -> Mapping[int, int]:
        """Ask for the offset behind the last record of each partition.

        Raises:
            TransientError: the log does not answer now.
        """
        ...

    def close(self) -> None: ...


class Writer(Protocol):
    """Sends records; may be used from any thread."""

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        """Send a record; the future says where it is once it is durable.

        It never raises by itself. The future fails with `InputError` when the log will never
        take this record (too large), with `SetupError` when it takes none of us there (no such
        topic, no permission) and with `TransientError` when it may later; in any case the next
        record is not affected.
        """
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait for all that was sent; False when time ran out."""
        ...

    def close(self, timeout_s: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """Where a group stands in one topic.

    Attributes:
        committed: partition -> committed offset; partitions without a commit are missing.
        ends: partition -> offset behind the last record.
    """

    committed: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)


class Log(Protocol):
    """A message bus; made by `open_log`, used by any thread but for its readers and tails."""

    @property
    def address(self) -> str:
        """As given: ``sqlite:FILE`` or ``kafka:HOST:PORT[,...]``; holds no secret."""
        ...

    def identity(self) -> str:
        """Name this very log, however it is addressed (a cluster id): two logs never share it."""
        ...

    def create_topics(self, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
        """Make the topics that are missing; returns the names of those made.

        Raises:
            SetupError: the log cannot be reached or does not permit it.
        """
        ...

    def topics(self) -> Mapping[str, int]:
        """Name the topics, with their numbers of partitions.

        Raises:
            SetupError: the log cannot be reached, or refuses us; within a bounded time.
        """
        ...

    def offsets(self, group: str, topic: str) -> Offsets:
        """Ask where a group stands, without joining it."""
        ...

    def reader(self, group: str, topics: Sequence[str], listener: Listener) -> Reader:
        """Join a group."""
        ...

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> Tail:
        """Read a whole topic, from these offsets on; None starts at its beginning."""
        ...

    def writer(self) -> Writer: ...

    def close(self) -> None: ...
