"""`KafkaLog` outlives its broker, finds what cannot be read, and says who is at fault."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fault.log_member import (
    Member,
    gather,
    make_group,
    make_topic,
    poll_until,
    send_all,
    until,
)
from tests.kafka.broker import Broker, free_port
from vcd.core import InputError, SetupError, TransientError
from vcd.stream.kafka_log.log import KafkaLog
from vcd.stream.log import Commit, Partition, Place, TopicSpec
from vcd.stream.settings import KafkaSettings, StreamSettings

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

STREAM = StreamSettings(session_timeout_s=6.0)
KAFKA = KafkaSettings(max_poll_interval_s=30.0, delivery_timeout_s=4.0, connect_timeout_s=5.0)


@pytest.fixture
def broker(kafka_broker: Broker, tmp_path: Path) -> Iterator[Broker]:
    """A broker of one's own, to be killed; `kafka_broker` has found out that there can be one."""
    with Broker(tmp_path / "broker") as broker:
        yield broker


def _send_until_durable(log: KafkaLog, topic: str, values: list[bytes], kill: Callable[[], None]):
    """Send each value as often as it fails for now, and kill something on the way."""
    writer = log.writer()
    failures = 0
    places: dict[bytes, Place] = {}
    for number, value in enumerate(values):
        if number == len(values) // 2:
            kill()
        while value not in places:
            try:
                sent = writer.send(topic, key=value, value=value)
                places[value] = sent.result(timeout=60.0)
            except TransientError:
                failures += 1
    writer.close(10.0)
    return places, failures


def test_a_broker_that_is_killed_and_comes_back_costs_time_and_no_record(broker: Broker):
    log = KafkaLog(broker.address, STREAM, KAFKA)
    topic, group = make_topic(log, 2), make_group()
    member = Member(log, group, [topic])
    poll_until(lambda: len(member.owned) == 2, member)
    values = [f"{number}".encode() for number in range(40)]

    def kill() -> None:
        broker.kill()
        for _ in range(3):
            assert member.poll() == [] or member.records
        assert member.reader.commit({Partition(topic, 0): Commit(offset=0)}) is False
        broker.start()

    places, _ = _send_until_durable(log, topic, values, kill)
    poll_until(lambda: set(values) <= set(member.values()), member)

    partition = places[values[-1]].partition
    done = Commit(offset=places[values[-1]].offset + 1, note="after the crash")
    poll_until(lambda: member.reader.commit({partition: done}), member)
    assert member.reader.committed(partition) == done
    member.close()


def test_a_record_sent_into_an_outage_fails_in_time_and_the_writer_recovers(broker: Broker):
    log = KafkaLog(broker.address, STREAM, KAFKA)
    topic = make_topic(log, 1)
    writer = log.writer()
    writer.send(topic, key=b"k", value=b"before").result(timeout=30.0)
    broker.kill()

    lost = writer.send(topic, key=b"k", value=b"during")
    with pytest.raises(TransientError, match=r"key b'k'"):
        lost.result(timeout=4 * KAFKA.delivery_timeout_s)
    broker.start()

    def arrives() -> bool:
        sent = writer.send(topic, key=b"k", value=b"after")
        return sent.exception(timeout=30.0) is None

    until(arrives)
    writer.close(10.0)


def test_nothing_is_known_of_a_log_whose_broker_is_away(broker: Broker):
    log = KafkaLog(broker.address, STREAM, replace(KAFKA, connect_timeout_s=1.0))
    topic = make_topic(log, 1)
    member, tail = Member(log, make_group(), [topic]), log.tail(topic)
    poll_until(lambda: member.owned, member)
    broker.kill()

    with pytest.raises(TransientError, match="not known now"):
        member.reader.committed(Partition(topic, 0))
    with pytest.raises(TransientError, match="not known now"):
        tail.ends()
    with pytest.raises(TransientError, match="no broker answers"):
        log.offsets("group", topic)
    assert tail.poll(0.1, limit=5) == []
    member.close()
    tail.close()


def test_a_record_that_only_the_broker_finds_too_large_is_refused_alone(kafka_address: str):
    from kafka import KafkaAdminClient

    log = KafkaLog(kafka_address, STREAM, KAFKA)
    topic = f"small.{make_group()}"
    admin = KafkaAdminClient(bootstrap_servers=kafka_address.removeprefix("kafka:"))
    admin.create_topics({topic: {"num_partitions": 1, "configs": {"max.message.bytes": "60000"}}})
    admin.close()
    until(lambda: topic in log.topics())
    writer = log.writer()

    # bytes that do not compress: it is the compressed batch that the broker measures
    refused = writer.send(topic, key=b"large", value=_noise(200_000))
    taken = writer.send(topic, key=b"small", value=b"v")

    with pytest.raises(InputError, match="large"):
        refused.result(timeout=30.0)
    assert taken.result(timeout=30.0).partition.topic == topic
    writer.close(10.0)


def _noise(num_bytes: int) -> bytes:
    import numpy as np

    return np.random.default_rng(7).bytes(num_bytes)


def test_bytes_that_are_no_record_are_held_and_named_and_the_others_go_on(broker: Broker):
    log = KafkaLog(broker.address, STREAM, KAFKA)
    topic, group = make_topic(log, 2), make_group()
    places = []
    for number in range(6):  # a batch each
        places += send_all(log, topic, [(b"a", b"a-%d" % number), (b"b", b"b-%d" % number)])
    broken = next(place for place in places if place.partition.index == 0 and place.offset >= 2)
    segment = broker.folder / "data" / f"{topic}-0" / f"{0:020}.log"
    content = segment.read_bytes()
    value = dict(zip(places, _values(), strict=True))[broken]
    broker.stop()
    at = content.index(value)
    segment.write_bytes(content[:at] + b"?" + content[at + 1 :])
    broker.start()
    member = Member(log, group, [topic])

    poll_until(member.reader.blocked, member)

    assert set(member.reader.blocked()) == {broken.partition}
    assert str(broken) in member.reader.blocked()[broken.partition]
    rest = [place for place in places if place.partition != broken.partition]
    readable = [p for p in places if p.partition == broken.partition and p.offset < broken.offset]
    poll_until(lambda: {r.place for r in member.records} >= {*rest, *readable}, member)
    for _ in range(10):
        member.poll()
    assert broken not in {record.place for record in member.records}
    assert max(r.place.offset for r in member.records if r.place.partition == broken.partition) == (
        broken.offset - 1
    )
    member.close()


def _values() -> list[bytes]:
    return [value for number in range(6) for value in (b"a-%d" % number, b"b-%d" % number)]


def test_a_tail_whose_offset_is_gone_starts_at_what_is_there(kafka_address: str):
    from kafka import KafkaAdminClient, TopicPartition

    log = KafkaLog(kafka_address, STREAM, KAFKA)
    topic = make_topic(log, 1)
    send_all(log, topic, [(b"k", b"%d" % number) for number in range(6)])
    admin = KafkaAdminClient(bootstrap_servers=kafka_address.removeprefix("kafka:"))
    admin.delete_records({TopicPartition(topic, 0): 3})
    admin.close()

    tail = log.tail(topic, start={0: 1})

    assert [record.value for record in gather(tail, 3)] == [b"3", b"4", b"5"]
    tail.close()


def test_a_topic_keeps_what_it_was_made_to_keep(kafka_address: str):
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType

    log = KafkaLog(kafka_address, STREAM, KAFKA)
    name = f"reports.{make_group()}"

    log.create_topics([TopicSpec(name=name, num_partitions=1, is_compacted=True, retention_s=60.0)])

    admin = KafkaAdminClient(bootstrap_servers=kafka_address.removeprefix("kafka:"))
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    admin.close()
    text = str(found)
    assert "compact,delete" in text
    assert "'60000'" in text


@pytest.mark.parametrize("listens", [True, False], ids=["silent server", "nobody"])
def test_an_address_without_a_broker_is_a_sentence_in_time(kafka_address: str, listens: bool):
    server = socket.create_server(("127.0.0.1", 0 if listens else free_port()))
    port = server.getsockname()[1]
    if not listens:
        server.close()
    log = KafkaLog(f"kafka:127.0.0.1:{port}", STREAM, replace(KAFKA, connect_timeout_s=1.5))
    began_s = time.monotonic()

    with pytest.raises(SetupError, match=rf"kafka:127\.0\.0\.1:{port}.*answer"):
        log.topics()

    assert time.monotonic() - began_s < 15.0
    server.close()
