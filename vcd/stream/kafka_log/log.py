"""Kafka as a log: the durable, shared one.

Topics and offsets are asked for with a client of their own each time: that is
seldom, and nothing has to be healed after a broker went away.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from vcd.core import SetupError, TransientError
from vcd.stream.kafka_log.client import (
    MAX_RECORD_BYTES,
    KafkaClients,
    NoAnswerError,
    passing_errors,
    refusals,
)
from vcd.stream.kafka_log.reader import KafkaReader
from vcd.stream.kafka_log.tail import KafkaTail
from vcd.stream.kafka_log.writer import KafkaWriter
from vcd.stream.log import Listener, Offsets, TopicSpec
from vcd.stream.settings import KafkaSettings, StreamSettings

__all__ = ["KafkaLog"]

_logger = logging.getLogger(__name__)

_BATCH_OVERHEAD_BYTES = 4096
"""What a record may grow by when it is wrapped into a batch."""


class KafkaLog:
    """The topics of one Kafka cluster.

    Args:
        address: ``kafka:HOST:PORT[,HOST:PORT...]``.
        stream: how patient the members of a group are.
        kafka: how brokers are reached.
    """

    def __init__(self, address: str, stream: StreamSettings, kafka: KafkaSettings) -> None:
        self._clients = KafkaClients(address, stream, kafka)

    @property
    def address(self) -> str:
        return self._clients.address

    def identity(self) -> str:
        with self._admin() as admin:
            return f"kafka:{admin.describe_cluster()['cluster_id']}"

    def create_topics(self, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
        there = self.topics()
        for spec in specs:
            if there.get(spec.name, spec.num_partitions) != spec.num_partitions:
                _logger.warning(
                    "topic %s stays as it is: it has %d partitions, %d were asked for",
                    spec.name,
                    there[spec.name],
                    spec.num_partitions,
                )
        missing = {spec.name: self._creation(spec) for spec in specs if spec.name not in there}
        if not missing:
            return ()
        with self._admin() as admin:
            made = _created(admin.create_topics(missing, raise_errors=False))
            admin.wait_for_topics(list(missing))
        return made

    def _creation(self, spec: TopicSpec) -> dict[str, Any]:
        policies = ["compact"] if spec.is_compacted else []
        if spec.retention_s is not None or not spec.is_compacted:
            policies.append("delete")
        retention_ms = -1 if spec.retention_s is None else round(spec.retention_s * 1000)
        configs = {
            "cleanup.policy": ",".join(policies),
            "retention.ms": str(retention_ms),
            "max.message.bytes": str(MAX_RECORD_BYTES + _BATCH_OVERHEAD_BYTES),
        }
        if spec.is_compacted:
            # Only closed segments are compacted, and a tombstone must outlive every restart.
            configs |= {
                "segment.bytes": str(16 * 2**20),
                "segment.ms": str(3_600_000),
                "min.cleanable.dirty.ratio": "0.1",
                "delete.retention.ms": str(7 * 86_400_000),
            }
        creation = {"num_partitions": spec.num_partitions, "configs": configs}
        if self._clients.kafka.replication_factor is not None:
            creation["replication_factor"] = self._clients.kafka.replication_factor
        return creation

    def topics(self) -> Mapping[str, int]:
        with self._admin() as admin:
            return {
                topic["name"]: len(topic["partitions"])
                for topic in admin.describe_topics()
                if topic["error_code"] == 0 and not topic["is_internal"]
            }

    def offsets(self, group: str, topic: str) -> Offsets:
        from kafka import TopicPartition
        from kafka.admin import OffsetSpec

        try:
            partitions = [TopicPartition(topic, n) for n in range(self._num_partitions(topic))]
            with self._admin() as admin:
                ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
                committed = admin.list_group_offsets({group: partitions})[group]
        except NoAnswerError as error:
            raise TransientError(str(error)) from error
        return Offsets(
            committed={tp.partition: at.offset for tp, at in committed.items() if at.offset >= 0},
            ends={tp.partition: at.offset for tp, at in ends.items()},
        )

    def reader(self, group: str, topics: Sequence[str], listener: Listener) -> KafkaReader:
        for topic in topics:
            self._num_partitions(topic)
        return KafkaReader(self._clients, group, topics, listener)

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> KafkaTail:
        return KafkaTail(self._clients, topic, self._num_partitions(topic), start or {})

    def writer(self) -> KafkaWriter:
        return KafkaWriter(self._clients, self._is_missing)

    def close(self) -> None:
        """Do nothing: readers, tails and writers are closed by whoever asked for them."""

    def _num_partitions(self, topic: str) -> int:
        num_partitions = self.topics().get(topic)
        if num_partitions is None:
            raise self._clients.missing(topic)
        return num_partitions

    def _is_missing(self, topic: str) -> bool:
        """Whether a broker says that there is no such topic; no answer is no."""
        try:
            return topic not in self.topics()
        except SetupError:
            return False

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = self._clients.admin()
        try:
            yield admin
        except refusals() as error:
            raise self._clients.refusal(error) from error
        except passing_errors() as error:
            raise NoAnswerError(f"{self.address} does not answer: {error!r}") from error
        finally:
            admin.close()


def _created(answer: dict[str, Any]) -> tuple[str, ...]:
    """Read what became of each topic; one that somebody else made meanwhile is not ours."""
    from kafka.errors import NoError, TopicAlreadyExistsError, for_code

    made = []
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        if error is NoError:
            made.append(topic["name"])
        elif error is not TopicAlreadyExistsError:
            said = f"{error.__name__}: {topic.get('error_message')}"
            raise SetupError(f"topic {topic['name']} could not be made: {said}")
    return tuple(made)
