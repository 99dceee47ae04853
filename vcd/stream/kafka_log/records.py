"""Turns what the Kafka client hands out into our records, and our commits into its."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from vcd.stream.log import Commit, Partition, Place, Record

__all__ = [
    "KafkaObject",
    "client_offsets",
    "partition_of",
    "rebalance_listener",
    "record_of",
    "topic_partition",
]

KafkaObject: TypeAlias = Any
"""Something of kafka-python, which has no types."""

_MAX_NOTE_BYTES = 4096
"""What brokers take, unless they were told otherwise."""


def topic_partition(partition: Partition) -> KafkaObject:
    """Name a partition as the client does."""
    from kafka import TopicPartition

    return TopicPartition(partition.topic, partition.index)


def partition_of(at: KafkaObject) -> Partition:
    """Name a partition as we do."""
    return Partition(at.topic, at.partition)


def record_of(partition: Partition, message: KafkaObject) -> Record:
    """Copy what the client read."""
    return Record(
        place=Place(partition, message.offset),
        key=message.key,
        value=message.value,
        headers=tuple((name, value or b"") for name, value in message.headers),
        time_s=message.timestamp / 1000.0,
    )


def client_offsets(commits: Mapping[Partition, Commit]) -> dict[Any, Any]:
    """Write commits as the client takes them.

    Raises:
        ValueError: a note is longer than the brokers take.
    """
    from kafka.structs import OffsetAndMetadata

    for partition, commit in commits.items():
        if len(commit.note.encode()) > _MAX_NOTE_BYTES:
            raise ValueError(f"the note for {partition} is longer than {_MAX_NOTE_BYTES} bytes")
    return {
        topic_partition(partition): OffsetAndMetadata(commit.offset, commit.note, -1)
        for partition, commit in commits.items()
    }


def rebalance_listener(
    gained: Callable[[frozenset[Partition]], None],
    released: Callable[[frozenset[Partition]], None],
    lost: Callable[[frozenset[Partition]], None],
) -> KafkaObject:
    """Make what the client calls, on a thread of its own, when partitions come and go."""
    from kafka import ConsumerRebalanceListener

    def told(tell: Callable[[frozenset[Partition]], None]) -> KafkaObject:
        return lambda _, partitions: tell(frozenset(map(partition_of, partitions)))

    methods = {
        "on_partitions_assigned": told(gained),
        "on_partitions_revoked": told(released),
        "on_partitions_lost": told(lost),
    }
    return type("Ears", (ConsumerRebalanceListener,), methods)()
