"""Counts how many records a member of a Kafka group is behind, without asking at every turn."""

import threading
import time
from collections.abc import Iterable, Mapping

from vcd.stream.kafka_log.client import passing_errors
from vcd.stream.kafka_log.records import KafkaObject, partition_of, topic_partition
from vcd.stream.log import Partition

__all__ = ["KafkaLag"]

_ENDS_AGE_S = 2.0
"""How old the ends of the partitions may be that the lag is counted from."""


class KafkaLag:
    """Remembers where the partitions of one member begin and end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begins: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._due_s = 0.0

    def started(self, partition: Partition, offset: int) -> None:
        """The first record that was taken since the partition is ours is behind the commit."""
        with self._lock:
            self._begins.setdefault(partition, offset)

    def committed(self, partition: Partition, offset: int) -> None:
        """All before this offset is done."""
        with self._lock:
            self._begins[partition] = offset

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are not ours any more."""
        with self._lock:
            for partition in partitions:
                self._begins.pop(partition, None)
                self._ends.pop(partition, None)
        self._due_s = 0.0

    def of(self, owned: frozenset[Partition], consumer: KafkaObject) -> Mapping[Partition, int]:
        """Count for these partitions; those of which nothing is known yet are missing."""
        if time.monotonic() >= self._due_s:
            self._ask(owned, consumer)
        with self._lock:
            known = owned & self._ends.keys() & self._begins.keys()
            return {one: max(0, self._ends[one] - self._begins[one]) for one in known}

    def _ask(self, owned: frozenset[Partition], consumer: KafkaObject) -> None:
        if not owned:
            return
        self._due_s = time.monotonic() + _ENDS_AGE_S
        try:
            places = [topic_partition(partition) for partition in owned]
            ends = consumer.end_offsets(places, timeout_ms=1000)
            for partition in owned - self._begins.keys():
                position = consumer.position(topic_partition(partition), timeout_ms=500)
                if position is not None:
                    self.started(partition, position)
        except passing_errors():
            self._due_s = time.monotonic() + 5 * _ENDS_AGE_S
            return
        with self._lock:
            self._ends = {partition_of(at): offset for at, offset in ends.items()}
