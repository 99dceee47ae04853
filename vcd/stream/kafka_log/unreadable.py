"""Finds out which record of a partition cannot be read, with clients that are thrown away.

The client says that some bytes are no records, but not where; and after that it
can only be closed.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from vcd.stream.kafka_log.client import passing_errors, unreadable_errors
from vcd.stream.kafka_log.records import KafkaObject, topic_partition
from vcd.stream.log import Partition

__all__ = ["Unreadable", "find_unreadable", "near_unreadable"]

_logger = logging.getLogger(__name__)

_BUDGET_S = 20.0
"""For all partitions together: a member that is away for longer loses its place in the group."""


class _Consumers(Protocol):
    def consumer(self, group: str | None) -> KafkaObject: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Where a partition stands still.

    Attributes:
        offset: of the first record that cannot be read.
        reason: a sentence that names place and cause.
    """

    offset: int
    reason: str


def find_unreadable(
    clients: _Consumers, positions: Mapping[Partition, int | None]
) -> dict[Partition, Unreadable]:
    """Look at each partition alone, from where it was read last.

    Returns:
        Those whose next records a fresh client cannot read either.
    """
    deadline = time.monotonic() + _BUDGET_S
    found = {}
    for partition, position in positions.items():
        if position is None or time.monotonic() > deadline:
            continue
        if _first_failure(clients, partition, position, max_records=100_000) is None:
            continue
        failure = _first_failure(clients, partition, position, max_records=1)
        if failure is not None:
            found[partition] = failure
    return found


def near_unreadable(
    consumer: KafkaObject, unreadable: dict[Partition, Unreadable], owned: frozenset[Partition]
) -> tuple[frozenset[Partition], bool]:
    """Name the partitions whose next record cannot be read; the known ones behind us are dropped.

    Returns:
        These, and whether in another partition such a record is still ahead: then records must be
        taken one by one, or the client throws the good ones away together with the bad one.
    """
    held, is_near = set(), False
    for partition in unreadable.keys() & owned:
        position = consumer.position(topic_partition(partition), timeout_ms=1000)
        if position is None or position == unreadable[partition].offset:
            held.add(partition)
        elif position < unreadable[partition].offset:
            is_near = True
        else:
            del unreadable[partition]  # somebody has moved the group past it
    return frozenset(held), is_near


def _first_failure(
    clients: _Consumers, partition: Partition, start: int, *, max_records: int
) -> Unreadable | None:
    """Read on until it fails; with one record at a time, the place is exact."""
    at = topic_partition(partition)
    consumer = None
    offset = start
    try:
        consumer = clients.consumer(None)
        consumer.assign([at])
        consumer.seek(at, start)
        while records := consumer.poll(timeout_ms=1000, max_records=max_records):
            offset = records[at][-1].offset + 1
            if max_records > 1:
                return None
    except unreadable_errors() as error:
        return _sentence(partition, offset, error)
    except passing_errors() as error:
        _logger.info("%s: not looked at, no broker answers: %r", partition, error)
    except Exception as error:
        _logger.debug("%s: unreadable", partition, exc_info=True)
        return _sentence(partition, offset, error)
    finally:
        if consumer is not None:
            with suppress(*passing_errors()):
                consumer.close(autocommit=False, timeout_ms=1000)
    return None


def _sentence(partition: Partition, offset: int, error: Exception) -> Unreadable:
    why = f"{type(error).__name__}: {error}"
    reason = f"the record at {partition}@{offset} cannot be read, it is held, not skipped: {why}"
    return Unreadable(offset=offset, reason=reason)
