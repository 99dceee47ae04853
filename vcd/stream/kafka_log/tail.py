"""Everything in one Kafka topic, read for oneself, without a group."""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from vcd.core import SetupError, TransientError
from vcd.stream.kafka_log.client import passing_errors, refusals, unreadable_errors
from vcd.stream.kafka_log.records import KafkaObject, partition_of, record_of, topic_partition
from vcd.stream.log import Partition, Record

__all__ = ["KafkaTail"]

_logger = logging.getLogger(__name__)

_ANSWER_S = 5.0
"""How long a question about offsets may take."""


class _Consumers(Protocol):
    def consumer(self, group: str | None) -> KafkaObject: ...

    def refusal(self, error: Exception) -> SetupError: ...


class KafkaTail:
    """Reads all partitions of a topic.

    An offset that is no longer there is answered with the first one that is.

    Args:
        clients: what makes the client, also the next one when one must be thrown away.
        topic: that is read.
        num_partitions: of the topic.
        start: partition -> offset to start from; the others start at their beginning.
    """

    def __init__(
        self, clients: _Consumers, topic: str, num_partitions: int, start: Mapping[int, int]
    ) -> None:
        self._clients = clients
        self._topic = topic
        self._partitions = [Partition(topic, index) for index in range(num_partitions)]
        self._next = dict(start)
        self._consumer: KafkaObject = self._assigned()

    def _assigned(self) -> KafkaObject:
        consumer = self._clients.consumer(None)
        consumer.assign([topic_partition(partition) for partition in self._partitions])
        for index, offset in self._next.items():
            consumer.seek(topic_partition(Partition(self._topic, index)), offset)
        return consumer

    def poll(self, timeout_s: float, *, limit: int) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        if limit <= 0:
            return []
        try:
            return self._poll(timeout_s, limit)
        except refusals() as error:
            raise self._clients.refusal(error) from error
        except unreadable_errors():
            self._drop_consumer()
            _logger.exception("topic %s: cannot be read behind %s", self._topic, self._next)
        except passing_errors() as error:
            _logger.warning("topic %s: nothing can be read now: %r", self._topic, error)
        except SetupError:
            raise
        except Exception:
            # After any other error the client would spin in its next poll.
            self._drop_consumer()
            _logger.exception("topic %s: cannot be read behind %s", self._topic, self._next)
        time.sleep(max(0.0, deadline - time.monotonic()))
        return []

    def _poll(self, timeout_s: float, limit: int) -> list[Record]:
        if self._consumer is None:
            self._consumer = self._assigned()
        batches = self._consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=limit)
        records = []
        for at, raw in batches.items():
            records += [record_of(partition_of(at), message) for message in raw]
            self._next[at.partition] = raw[-1].offset + 1
        return records

    def positions(self) -> Mapping[int, int]:
        if self._consumer is not None:
            with suppress(*passing_errors()):
                for partition in self._partitions:
                    at = topic_partition(partition)
                    position = self._consumer.position(at, timeout_ms=round(_ANSWER_S * 1000))
                    if position is not None:
                        self._next[partition.index] = position
        return {p.index: self._next.get(p.index, 0) for p in self._partitions}

    def ends(self) -> Mapping[int, int]:
        places = [topic_partition(partition) for partition in self._partitions]
        try:
            if self._consumer is None:
                self._consumer = self._assigned()
            ends = self._consumer.end_offsets(places, timeout_ms=round(_ANSWER_S * 1000))
        except passing_errors() as error:
            raise TransientError(f"topic {self._topic}: its end is not known now") from error
        return {at.partition: offset for at, offset in ends.items()}

    def close(self) -> None:
        self._drop_consumer()

    def _drop_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(*passing_errors()):
                consumer.close(autocommit=False, timeout_ms=1000)
