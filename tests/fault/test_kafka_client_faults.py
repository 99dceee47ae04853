"""What a broker or the Kafka client does wrong, but not on demand: played by stubs at the seam."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fault.log_member import Ears, until
from vcd.core import InputError, SetupError, TransientError
from vcd.stream.kafka_log.client import KafkaClients
from vcd.stream.kafka_log.reader import KafkaReader
from vcd.stream.kafka_log.writer import KafkaWriter
from vcd.stream.log import Commit, Partition, Place
from vcd.stream.settings import KafkaSettings, StreamSettings

PARTITION, OTHER = Partition("uploads", 0), Partition("uploads", 1)


class StubConsumer:
    """A client's face; the test deals partitions and decides what each call does."""

    def __init__(self, group: str | None) -> None:
        from kafka import TopicPartition

        self.group = group
        self.place = TopicPartition
        self.member = "member-1"
        self.dealt: set[Any] = set()
        self.committed_offsets: list[dict[Any, Any]] = []
        self.on_poll: Callable[[], dict[Any, Any]] = dict
        self.on_commit: Callable[[], None] = lambda: None
        self.seeks: list[tuple[int, int]] = []
        self.is_closed = False
        self._coordinator = SimpleNamespace(_join_task=None)
        self._fetcher = SimpleNamespace(_next_partition_records=None)

    def subscribe(self, *, topics: list[str], listener: Any) -> None:
        self.listener = listener

    def assign(self, places: list[Any]) -> None:
        self.dealt = set(places)

    def deal(self, *partitions: Partition) -> None:
        places = {self.place(one.topic, one.index) for one in partitions}
        self.dealt |= places
        self.listener.on_partitions_assigned(places)

    def revoke(self, *partitions: Partition) -> None:
        places = {self.place(one.topic, one.index) for one in partitions}
        self.dealt -= places
        self.listener.on_partitions_revoked(places)

    def record(self, partition: Partition, offset: int) -> dict[Any, list[Any]]:
        message = SimpleNamespace(offset=offset, key=b"k", value=b"v", headers=[], timestamp=1000)
        return {self.place(partition.topic, partition.index): [message]}

    def group_metadata(self) -> Any:
        return SimpleNamespace(member_id=self.member, state="<stable>")

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1}

    def assignment(self) -> set[Any]:
        return self.dealt

    def paused(self) -> set[Any]:
        return set()

    def pause(self, *places: Any) -> None: ...

    def resume(self, *places: Any) -> None: ...

    def seek(self, place: Any, offset: int) -> None:
        if place not in self.dealt:
            raise ValueError("Unassigned partition")
        self.seeks.append((place.partition, offset))

    def position(self, place: Any, timeout_ms: int) -> int:
        return 5

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        return self.on_poll()

    def commit(self, offsets: dict[Any, Any], timeout_ms: int) -> None:
        self.on_commit()
        self.committed_offsets.append(offsets)

    def commit_async(self, offsets: dict[Any, Any]) -> Any:
        self.committed_offsets.append(offsets)
        return SimpleNamespace(add_errback=lambda tell: None)

    def close(self, autocommit: bool, timeout_ms: int) -> None:
        self.is_closed = True


class StubProducer:
    """Takes records; the test decides what becomes of them."""

    def __init__(self, fate: Callable[[Any], None]) -> None:
        self.fate = fate

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[Any]) -> Any:
        from kafka.future import Future as ClientFuture

        sent = SimpleNamespace(topic=topic, future=ClientFuture())
        self.fate(sent)
        return sent.future

    def close(self, timeout: float) -> None: ...


class StubClients(KafkaClients):
    """Hands out stubs, and keeps them."""

    def __init__(self, fate: Callable[[Any], None] | None = None) -> None:
        super().__init__(
            "kafka:127.0.0.1:9", StreamSettings(), KafkaSettings(delivery_timeout_s=1.0)
        )
        self.consumers: list[StubConsumer] = []
        self.fates = [fate] if fate else []
        self.on_probe: Callable[[], dict[Any, Any]] = dict

    def consumer(self, group: str | None) -> StubConsumer:
        self.consumers.append(StubConsumer(group))
        if group is None:
            self.consumers[-1].on_poll = self.on_probe
        return self.consumers[-1]

    def producer(self) -> StubProducer:
        return StubProducer(self.fates.pop(0) if self.fates else _durable)


def _durable(sent: Any) -> None:
    sent.future.success(SimpleNamespace(topic=sent.topic, partition=0, offset=7))


def _reader() -> tuple[KafkaReader, StubClients, Ears]:
    clients, ears = StubClients(), Ears()
    return KafkaReader(clients, "group", ["uploads"], ears), clients, ears


def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    "name",
    [
        "CommitFailedError",
        "RebalanceInProgressError",
        "KafkaConnectionError",
        "IllegalGenerationError",
        "NotCoordinatorError",
        "KafkaTimeoutError",
    ],
)
def test_a_commit_that_fails_is_false_and_works_the_next_time(name):
    reader, clients, _ = _reader()
    consumer = clients.consumers[0]
    consumer.deal(PARTITION)
    from kafka import errors

    consumer.on_commit = lambda: _raise(getattr(errors, name)("now"))

    assert reader.commit({PARTITION: Commit(offset=3)}) is False

    consumer.on_commit = lambda: None
    assert reader.commit({PARTITION: Commit(offset=3, note="n")}) is True
    ((offset,),) = [list(offsets.values()) for offsets in consumer.committed_offsets]
    assert (offset.offset, offset.metadata) == (3, "n")
    reader.close(1.0)


def test_what_is_released_is_committed_and_later_commits_for_it_are_dropped():
    reader, clients, ears = _reader()
    consumer = clients.consumers[0]
    consumer.deal(PARTITION, OTHER)
    ears.to_commit[PARTITION] = Commit(offset=9)

    consumer.revoke(PARTITION)
    assert reader.commit({PARTITION: Commit(offset=10)}) is True

    ((place, offset),) = [item for made in consumer.committed_offsets for item in made.items()]
    assert ((place.topic, place.partition), offset.offset) == (("uploads", 0), 9)
    assert ears.owned == {OTHER}
    reader.close(1.0)


def test_what_a_dead_member_held_is_lost_even_when_the_client_calls_it_revoked():
    reader, clients, ears = _reader()
    consumer = clients.consumers[0]
    consumer.deal(PARTITION)
    ears.to_commit[PARTITION] = Commit(offset=9)

    consumer.member = "member-2"
    assert reader.commit({PARTITION: Commit(offset=8)}) is False
    consumer.revoke(PARTITION)

    assert consumer.committed_offsets == []
    assert ears.all_of("lost") == {PARTITION}
    assert ears.all_of("released") == frozenset()
    reader.close(1.0)


def test_records_of_a_partition_that_was_lost_meanwhile_are_dropped():
    reader, clients, _ = _reader()
    consumer = clients.consumers[0]
    consumer.deal(PARTITION, OTHER)

    def revoked_while_polling() -> dict[Any, Any]:
        consumer.revoke(PARTITION)
        return consumer.record(PARTITION, 1) | consumer.record(OTHER, 2)

    consumer.on_poll = revoked_while_polling

    assert [record.place for record in reader.poll(0.01, limit=5)] == [Place(OTHER, 2)]
    reader.close(1.0)


def test_what_is_polled_before_the_listener_knows_the_partition_is_polled_again():
    handed_out: list[Any] = []

    class PolledMeanwhile(Ears):
        def gained(self, partitions: frozenset[Partition]) -> None:
            handed_out.extend(reader.poll(0.01, limit=5))
            super().gained(partitions)

    clients = StubClients()
    reader = KafkaReader(clients, "group", ["uploads"], PolledMeanwhile())
    consumer = clients.consumers[0]
    consumer.on_poll = lambda: consumer.record(PARTITION, 1)

    consumer.deal(PARTITION)

    assert handed_out == []
    assert consumer.seeks == [(0, 1)], "from where it was taken"
    assert [record.place for record in reader.poll(0.01, limit=5)] == [Place(PARTITION, 1)]
    reader.close(1.0)


def test_passing_trouble_is_an_empty_poll_that_takes_its_time():
    reader, clients, _ = _reader()
    from kafka.errors import KafkaConnectionError

    clients.consumers[0].on_poll = lambda: _raise(KafkaConnectionError("away"))
    began_s = time.monotonic()

    assert reader.poll(0.2, limit=5) == []

    assert time.monotonic() - began_s >= 0.2
    assert len(clients.consumers) == 1
    reader.close(1.0)


def test_credentials_that_are_refused_later_stop_the_reader():
    reader, clients, _ = _reader()
    from kafka.errors import SaslAuthenticationFailedError

    clients.consumers[0].on_poll = lambda: _raise(SaslAuthenticationFailedError("no"))

    with pytest.raises(SetupError, match=r"kafka:127\.0\.0\.1:9 refuses us"):
        reader.poll(0.01, limit=5)
    reader.close(1.0)


@pytest.mark.parametrize("error", [RuntimeError("codec"), AssertionError("bug")], ids=repr)
def test_a_client_that_breaks_is_replaced_before_it_can_spin(error):
    reader, clients, ears = _reader()
    clients.consumers[0].deal(PARTITION)
    clients.consumers[0].on_poll = lambda: _raise(error)

    assert reader.poll(0.01, limit=5) == []
    assert clients.consumers[0].is_closed
    assert reader.poll(0.01, limit=5) == []

    assert [consumer.group for consumer in clients.consumers] == ["group", None, "group"]
    assert ears.owned == frozenset()
    assert dict(reader.blocked()) == {}, "a fresh client could read on"
    reader.close(1.0)


def test_what_a_fresh_client_cannot_read_either_is_held_with_its_place():
    reader, clients, _ = _reader()
    from kafka.errors import UnsupportedCodecError

    clients.on_probe = lambda: _raise(UnsupportedCodecError("brotli"))
    clients.consumers[0].deal(PARTITION)
    clients.consumers[0].on_poll = clients.on_probe

    assert reader.poll(0.01, limit=5) == []
    assert reader.poll(0.01, limit=5) == []
    clients.consumers[-1].deal(PARTITION)

    assert list(reader.blocked()) == [PARTITION]
    assert "uploads/0@5" in reader.blocked()[PARTITION]
    assert "brotli" in reader.blocked()[PARTITION]
    reader.close(1.0)


def _writer(
    fate: Callable[[Any], None], *, missing: frozenset[str] = frozenset()
) -> tuple[KafkaWriter, StubClients]:
    clients = StubClients(fate)
    return KafkaWriter(clients, lambda topic: topic in missing), clients


def test_a_producer_that_never_answers_is_replaced_and_the_next_record_arrives():
    writer, _ = _writer(lambda sent: None)
    wedged = writer.send("reports", key=b"k", value=b"v")

    with pytest.raises(TransientError, match="producer was replaced"):
        wedged.result(timeout=20.0)

    after = writer.send("reports", key=b"k", value=b"v")
    assert after.result(timeout=20.0) == Place(Partition("reports", 0), 7)
    writer.close(1.0)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("MessageSizeTooLargeError", InputError),
        ("InvalidRecordError", InputError),
        ("NotEnoughReplicasError", TransientError),
        ("KafkaTimeoutError", TransientError),
        ("TopicAuthorizationFailedError", SetupError),
    ],
)
def test_what_the_broker_says_of_a_record_is_said_of_this_record_alone(name, outcome):
    from_broker: list[str] = [name]

    def fate(sent: Any) -> None:
        from kafka import errors

        if from_broker:
            sent.future.failure(getattr(errors, from_broker.pop())("said the broker"))
        else:
            _durable(sent)

    writer, _ = _writer(fate)

    refused = writer.send("reports", key=b"k", value=b"v")
    taken = writer.send("reports", key=b"k", value=b"v")

    with pytest.raises(outcome, match="reports"):
        refused.result(timeout=20.0)
    assert taken.result(timeout=20.0).offset == 7
    writer.close(1.0)


def test_a_topic_that_cannot_be_had_now_holds_up_no_other_and_comes_back():
    def fate(sent: Any) -> None:
        from kafka.errors import KafkaTimeoutError

        if sent.topic == "vcd.dead-letters" and not is_there:
            raise KafkaTimeoutError("no metadata")
        _durable(sent)

    is_there: list[bool] = []
    writer, _ = _writer(fate)

    dead: list[Future[Place]] = [
        writer.send("vcd.dead-letters", key=b"k", value=b"v") for _ in range(3)
    ]
    report = writer.send("vcd.reports", key=b"k", value=b"v")

    assert report.result(timeout=20.0).offset == 7
    assert all(isinstance(one.exception(timeout=20.0), TransientError) for one in dead)
    is_there.append(True)
    until(lambda: writer.send("vcd.dead-letters", key=b"k", value=b"v").exception(20.0) is None)
    writer.close(1.0)


def test_a_writer_that_closes_leaves_no_future_without_an_outcome():
    writer, _ = _writer(lambda sent: None)
    sent = writer.send("reports", key=b"k", value=b"v")

    writer.close(0.1)

    with pytest.raises(TransientError, match="closed"):
        sent.result(timeout=5.0)
