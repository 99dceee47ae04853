"""One member of a Kafka group: records in, offsets out, whatever the brokers do meanwhile.

The client calls its rebalance listener on a thread of its own, also between two
polls; what is ours is therefore kept here, under a lock.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from vcd.core import SetupError, TransientError
from vcd.stream.kafka_log.client import passing_errors, refusals, unreadable_errors
from vcd.stream.kafka_log.lag import KafkaLag
from vcd.stream.kafka_log.membership import (
    is_settled,
    keep_join,
    leave,
    put_back,
    release_parked,
    rewind,
)
from vcd.stream.kafka_log.records import (
    KafkaObject,
    client_offsets,
    partition_of,
    rebalance_listener,
    record_of,
    topic_partition,
)
from vcd.stream.kafka_log.unreadable import Unreadable, find_unreadable, near_unreadable
from vcd.stream.log import Commit, Listener, Partition, Record

__all__ = ["Consumers", "KafkaReader"]

_logger = logging.getLogger(__name__)

_ANSWER_S = 5.0
"""How long a commit, or the question for one, may take; the caller's loop must go on."""


class Consumers(Protocol):
    """What makes clients that read (`KafkaClients`); the seam at which tests break them."""

    def consumer(self, group: str | None) -> KafkaObject: ...

    def refusal(self, error: Exception) -> SetupError: ...


class KafkaReader:
    """Reads topics as a member of a group.

    Args:
        clients: what makes the client, also the next one when one must be thrown away.
        group: whose member this is.
        topics: that are read.
        listener: is told which partitions are ours.
    """

    def __init__(
        self, clients: Consumers, group: str, topics: Sequence[str], listener: Listener
    ) -> None:
        self._clients = clients
        self._group = group
        self._topics = tuple(topics)
        self._listener = listener
        self._lock = threading.Lock()
        self._owned: frozenset[Partition] = frozenset()
        self._lag = KafkaLag()
        self._unreadable: dict[Partition, Unreadable] = {}
        self._member = ""
        self._claims: frozenset[Partition] = frozenset()
        self._is_closed = self._is_in_trouble = False
        self._consumer: KafkaObject = self._joined()

    def _joined(self) -> KafkaObject:
        consumer = self._clients.consumer(self._group)
        ears = rebalance_listener(
            partial(self._on_gained, consumer), partial(self._on_released, consumer), self._on_lost
        )
        consumer.subscribe(topics=list(self._topics), listener=ears)
        for topic in self._topics:
            # A leader that joins before it knows the topics deals out nothing, and may stay so.
            consumer.partitions_for_topic(topic)
        return consumer

    def poll(
        self, timeout_s: float, *, limit: int, paused: frozenset[Partition] = frozenset()
    ) -> list[Record]:
        deadline = time.monotonic() + timeout_s
        try:
            return self._poll(timeout_s, limit, paused)
        except refusals() as error:
            raise self._clients.refusal(error) from error
        except unreadable_errors() as error:
            self._recover(error)
        except passing_errors() as error:
            if not self._is_in_trouble:
                _logger.warning("group %s: nothing can be read now: %r", self._group, error)
            self._is_in_trouble = True
        except SetupError:
            raise
        except Exception as error:
            # A codec that is not installed, or a bug of the client's: both leave it unable to poll.
            _logger.exception("group %s: the Kafka client broke", self._group)
            self._recover(error)
        time.sleep(max(0.0, deadline - time.monotonic()))
        return []

    def _poll(self, timeout_s: float, limit: int, paused: frozenset[Partition]) -> list[Record]:
        if self._consumer is None:
            self._consumer = self._joined()
        self._give_up(self._consumer)
        self._take_again(self._consumer)
        held, is_near = near_unreadable(self._consumer, self._unreadable, self._owned)
        num_records = 1 if is_near else max(1, limit)
        silent = self._owned if limit <= 0 else paused | held
        self._pause(silent)
        keep_join(self._consumer)
        release_parked(self._consumer)
        batches = self._consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=num_records)
        self._is_in_trouble = False
        self._give_up(self._consumer)
        records = []
        for at, raw in batches.items():
            partition = partition_of(at)
            if partition not in self._owned or limit <= 0 or partition in silent:
                put_back(self._consumer, at, raw[0].offset)  # it came or went during this poll
                continue
            self._lag.started(partition, raw[0].offset)
            records += [record_of(partition, message) for message in raw]
        return records

    def _is_expelled(self, consumer: KafkaObject) -> bool:
        """Whether what we hold was dealt to a member that the group has buried since.

        The client notices it when it joins again, but may go on as a new member with the old
        partitions, and call them revoked later: a commit for them would throw their owner back.
        """
        return bool(self._owned) and consumer.group_metadata().member_id != self._member

    def _give_up(self, consumer: KafkaObject) -> None:
        """Give up what was dealt to a member that is dead."""
        if self._is_expelled(consumer):
            _logger.warning("group %s: it went on without us, we join again", self._group)
            owned = self._owned
            self._on_lost(owned)
            self._claims = owned

    def _take_again(self, consumer: KafkaObject) -> None:
        """Begin at the commit with what was given up and is dealt to us once more.

        The client says nothing of it: it would read on from where the dead member was.
        """
        if self._claims and is_settled(consumer):
            again = self._claims & {partition_of(at) for at in consumer.assignment()}
            rewind(consumer, again)
            self._claims = frozenset()
            self._on_gained(consumer, again)

    def _pause(self, silent: frozenset[Partition]) -> None:
        assigned = self._consumer.assignment()
        paused = self._consumer.paused()
        wanted = {at for at in assigned if partition_of(at) in silent}
        for change, partitions in (
            (self._consumer.pause, wanted - paused),
            (self._consumer.resume, (paused - wanted) & assigned),
        ):
            for at in partitions:
                try:
                    change(at)
                except KeyError:  # it has just been taken from us
                    _logger.debug("group %s: %s is gone", self._group, at)

    def _recover(self, error: Exception) -> None:
        """Find out what cannot be read, and begin anew with it held.

        After such an error the client would spin inside its next poll, for ever.
        """
        positions = {}
        owned = self._owned if self._consumer is not None else frozenset()
        for partition in owned - self._unreadable.keys():
            try:
                at = topic_partition(partition)
                positions[partition] = self._consumer.position(at, timeout_ms=1000)
            except passing_errors():
                continue
        self._drop_consumer()
        found = find_unreadable(self._clients, positions)
        for partition, unreadable in found.items():
            _logger.error("group %s: %s: %s", self._group, partition, unreadable.reason)
        if not found:
            _logger.warning("group %s: joined again after an error: %r", self._group, error)
        self._unreadable |= found

    def commit(self, commits: Mapping[Partition, Commit]) -> bool:
        ours = {partition: commits[partition] for partition in commits.keys() & self._owned}
        if not ours:
            return True
        if self._consumer is None or self._is_expelled(self._consumer):
            return False
        offsets = client_offsets(ours)
        try:
            self._consumer.commit(offsets, timeout_ms=round(_ANSWER_S * 1000))
        except passing_errors() as error:
            _logger.info("group %s: not committed now: %r", self._group, error)
            return False
        for partition, commit in ours.items():
            self._lag.committed(partition, commit.offset)
        return True

    def committed(self, partition: Partition) -> Commit | None:
        if self._consumer is None:
            raise TransientError(f"{partition}: no broker answers now")
        try:
            found = self._consumer.committed(
                topic_partition(partition), metadata=True, timeout_ms=round(_ANSWER_S * 1000)
            )
        except passing_errors() as error:
            raise TransientError(f"{partition}: what was committed is not known now") from error
        if found is None or found.offset < 0:
            return None
        return Commit(offset=found.offset, note=found.metadata or "")

    def lag(self) -> Mapping[Partition, int]:
        if self._consumer is None:
            return {}
        return self._lag.of(self._owned, self._consumer)

    def blocked(self) -> Mapping[Partition, str]:
        owned = self._owned
        return {p: found.reason for p, found in self._unreadable.items() if p in owned}

    def close(self, timeout_s: float) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._drop_consumer(timeout_s)

    def _drop_consumer(self, timeout_s: float = _ANSWER_S) -> None:
        """Leave the group; the client itself would leave before its listener has committed."""
        if self._consumer is not None and self._is_expelled(self._consumer):
            self._on_lost(self._owned)
        consumer, self._consumer = self._consumer, None
        owned = self._owned
        self._forget(owned)
        commits = self._listener.released(owned) if owned else {}
        if consumer is None:
            return
        leave(consumer, self._member, commits, timeout_s)

    # What the client's own thread calls -------------------------------------------------------

    def _on_gained(self, consumer: KafkaObject, partitions: frozenset[Partition]) -> None:
        """Take partitions over; those with a known unreadable record wait for the next poll."""
        if consumer is not self._consumer:
            return  # it is being left
        for partition in partitions & self._unreadable.keys():
            consumer.pause(topic_partition(partition))
        with self._lock:
            if not self._owned:
                self._member = consumer.group_metadata().member_id
        if partitions:
            self._listener.gained(partitions)  # first: what is handed out must be known there
        with self._lock:
            self._owned |= partitions
            self._claims -= partitions

    def _on_released(self, consumer: KafkaObject, partitions: frozenset[Partition]) -> None:
        """Hand partitions over; nothing here may wait, the client's heart beats on this thread."""
        if self._is_expelled(consumer):
            self._on_lost(partitions)
            return
        ours = partitions & self._owned
        self._forget(partitions)
        commits = self._listener.released(ours) if ours else {}
        if commits:
            future = consumer.commit_async(client_offsets(commits))
            future.add_errback(_tell_of_failed_commit)

    def _on_lost(self, partitions: frozenset[Partition]) -> None:
        """Forget partitions that are somebody else's already."""
        ours = partitions & self._owned
        self._forget(partitions)
        if ours:
            self._listener.lost(ours)

    def _forget(self, partitions: frozenset[Partition]) -> None:
        with self._lock:
            self._owned -= partitions
            self._claims -= partitions
        self._lag.forget(partitions)


def _tell_of_failed_commit(error: Exception) -> None:
    _logger.info("what was released could not be committed: it will be done again: %r", error)
