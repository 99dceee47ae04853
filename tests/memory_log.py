"""A message bus in a list, for tests of what is said on it; groups are not its business."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import NoReturn

from vcd.core import VcdError
from vcd.stream.log import Headers, Listener, Offsets, Partition, Place, Record, TopicSpec


class MemoryLog:
    """Keeps the part of `vcd.stream.log.Log` that needs no group.

    Attributes:
        address: as a verb was given it.
        records: topic -> partition -> what is in it.
        refused: topic -> what its futures fail with; a topic that is not here takes everything.
    """

    def __init__(self, address: str = "sqlite:memory") -> None:
        self.address = address
        self.records: dict[str, list[list[Record]]] = {}
        self.refused: dict[str, VcdError] = {}
        self.num_open = 0
        self.is_closed = False

    def identity(self) -> str:
        return "memory"

    def create_topics(self, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
        made = [spec for spec in specs if spec.name not in self.records]
        for spec in made:
            self.records[spec.name] = [[] for _ in range(spec.num_partitions)]
        return tuple(spec.name for spec in made)

    def topics(self) -> Mapping[str, int]:
        return {name: len(partitions) for name, partitions in self.records.items()}

    def offsets(self, group: str, topic: str) -> Offsets:
        ends = {index: len(records) for index, records in enumerate(self.records[topic])}
        return Offsets(committed={0: 1} if ends[0] else {}, ends=ends)

    def reader(self, group: str, topics: Sequence[str], listener: Listener) -> NoReturn:
        raise NotImplementedError("no test needs a group on this log")

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> "MemoryTail":
        self.num_open += 1
        return MemoryTail(self, topic, dict(start or {}))

    def writer(self) -> "MemoryWriter":
        self.num_open += 1
        return MemoryWriter(self)

    def close(self) -> None:
        assert self.num_open == 0, "a tail or a writer was left open"
        self.is_closed = True

    def all_of(self, topic: str) -> list[Record]:
        return [record for partition in self.records[topic] for record in partition]


class MemoryWriter:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> "Future[Place]":
        future: Future[Place] = Future()
        if topic in self._log.refused:
            future.set_exception(self._log.refused[topic])
            return future
        partitions = self._log.records[topic]
        index = sum(key or b"") % len(partitions)
        place = Place(Partition(topic, index), len(partitions[index]))
        partitions[index].append(
            Record(place=place, key=key, value=value, headers=headers, time_s=1.0)
        )
        future.set_result(place)
        return future

    def flush(self, timeout_s: float) -> bool:
        return True

    def close(self, timeout_s: float) -> None:
        self._log.num_open -= 1


class MemoryTail:
    def __init__(self, log: MemoryLog, topic: str, start: dict[int, int]) -> None:
        self._log = log
        self._topic = topic
        self._next = {index: start.get(index, 0) for index in range(len(log.records[topic]))}

    def poll(self, timeout_s: float, *, limit: int) -> list[Record]:
        taken: list[Record] = []
        for index, records in enumerate(self._log.records[self._topic]):
            room = limit - len(taken)
            taken += records[self._next[index] : self._next[index] + room]
            self._next[index] = min(len(records), self._next[index] + room)
        return taken

    def positions(self) -> Mapping[int, int]:
        return dict(self._next)

    def ends(self) -> Mapping[int, int]:
        return {index: len(records) for index, records in enumerate(self._log.records[self._topic])}

    def close(self) -> None:
        self._log.num_open -= 1
