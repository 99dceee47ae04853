"""Steps of a member's life in a Kafka group that the client does not take, or takes wrongly."""

import logging
import operator
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from vcd.stream.kafka_log.client import passing_errors
from vcd.stream.kafka_log.records import KafkaObject, client_offsets, partition_of, topic_partition
from vcd.stream.log import Commit, Partition

__all__ = ["is_settled", "keep_join", "leave", "put_back", "release_parked", "rewind"]

_logger = logging.getLogger(__name__)

_MOMENT_S = 0.02
"""Long enough for a poll to begin, shorter than any poll."""

_JOIN_TASK = "_join_task"
_BATCH = "_next_partition_records"

_ANSWER_MS = 5000
"""How long the question for a committed offset may take."""


def is_settled(consumer: KafkaObject) -> bool:
    """Whether no rebalance is under way, as far as the client knows."""
    from kafka.structs import MemberState

    return bool(consumer.group_metadata().state == MemberState.STABLE)


def keep_join(consumer: KafkaObject) -> None:
    """Hand a join that was completed between two polls to the next one.

    3.0.12 throws such an assignment away and joins again, which makes all others join again:
    members that poll in turns, or seldom, might do so for ever. It takes what is still under
    way, so what is done is put under way for a moment.
    """
    coordinator = operator.attrgetter("_coordinator")(consumer)
    join = operator.attrgetter(_JOIN_TASK)(coordinator)
    if join is None or not join.is_done or not join.succeeded():
        return
    assignment, network = join.value, operator.attrgetter("_net")(coordinator)

    async def assigned() -> KafkaObject:
        await network.sleep(_MOMENT_S)
        return assignment

    later = operator.attrgetter("_manager")(coordinator).call_soon(assigned)
    setattr(coordinator, _JOIN_TASK, later)


def release_parked(consumer: KafkaObject) -> None:
    """Let the client go on with records that it put aside while their partition was paused.

    3.0.12 takes them up again only when it holds no other batch, and an empty one, which it never
    lets go, counts as one: a partition that was paused once might never be read again.
    """
    fetcher = operator.attrgetter("_fetcher")(consumer)
    if not operator.attrgetter(_BATCH)(fetcher):
        setattr(fetcher, _BATCH, None)


def put_back(consumer: KafkaObject, at: KafkaObject, offset: int) -> None:
    """Let the client read again, from this offset on, what nobody was given."""
    with suppress(ValueError, KeyError):  # it is somebody else's, who will read it
        consumer.seek(at, offset)


def rewind(consumer: KafkaObject, partitions: Iterable[Partition]) -> None:
    """Let the client read on from what was committed last."""
    for partition in partitions:
        at = topic_partition(partition)
        committed = consumer.committed(at, timeout_ms=_ANSWER_MS)
        if committed is None:
            consumer.seek_to_beginning(at)
        else:
            consumer.seek(at, committed)


def leave(
    consumer: KafkaObject, member: str, commits: Mapping[Partition, Commit], timeout_s: float
) -> None:
    """Commit a last time and close; the client alone would be gone before it has committed.

    Args:
        consumer: reads nothing any more, but may have to wait for the end of a rebalance.
        member: to whom the partitions were dealt.
        commits: what to commit of them.
        timeout_s: for all of it.
    """
    deadline = time.monotonic() + timeout_s
    try:
        while not _is_committed(consumer, member, commits) and time.monotonic() < deadline:
            consumer.pause(*consumer.assignment())
            keep_join(consumer)
            consumer.poll(timeout_ms=100, max_records=1)
    except passing_errors() as error:
        _logger.info("left without a last commit: %r", error)
    left_ms = max(500, round((deadline - time.monotonic()) * 1000))
    try:
        consumer.close(autocommit=False, timeout_ms=left_ms)
    except passing_errors() as error:
        _logger.info("left without a word: %r", error)


def _is_committed(consumer: KafkaObject, member: str, commits: Mapping[Partition, Commit]) -> bool:
    assigned = {partition_of(at) for at in consumer.assignment()}
    ours = {one: commit for one, commit in commits.items() if one in assigned}
    if not ours or consumer.group_metadata().member_id != member:
        return True
    try:
        consumer.commit(client_offsets(ours), timeout_ms=1000)
    except passing_errors() as error:
        _logger.info("not committed yet: %r", error)
        return False
    return True
