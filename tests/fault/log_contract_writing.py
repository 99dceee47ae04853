"""What every log promises of topics, writers and tails."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fault.log_member import (
    MANY,
    PATIENCE_S,
    Ears,
    make_group,
    make_topic,
    read_all,
    send_all,
    until,
)
from vcd.core import InputError, SetupError, VcdError
from vcd.stream.log import Log, TopicSpec

_KAFKAS_CHOICE = {
    # key: partition of 1,000 by Kafka's murmur2; the hashes are those of Kafka's own test
    b"21": (-973932308 & 0x7FFFFFFF) % 1000,
    b"foobar": (-790332482 & 0x7FFFFFFF) % 1000,
    b"a-little-bit-long-string": (-985981536 & 0x7FFFFFFF) % 1000,
    b"a-little-bit-longer-string": (-1486304829 & 0x7FFFFFFF) % 1000,
    b"abc": (479470107 & 0x7FFFFFFF) % 1000,
}


class TopicContract:
    """Topics: made once, known to all, missing ones named."""

    def test_a_topic_is_made_once_and_seen_by_everybody(self, log: Log, other_log: Log):
        topic = make_topic(log, 3)

        again = other_log.create_topics([TopicSpec(name=topic, num_partitions=7)])

        assert again == ()
        until(lambda: other_log.topics().get(topic) == 3)

    def test_the_same_log_has_one_identity(self, log: Log, other_log: Log):
        assert log.identity()
        assert log.identity() == other_log.identity()

    def test_a_reader_of_a_missing_topic_is_told_how_to_make_it(self, log: Log):
        with pytest.raises(SetupError, match=r"no\.such\.topic.*vcd log create"):
            log.reader(make_group(), ["no.such.topic"], Ears())

    def test_a_tail_of_a_missing_topic_is_told_how_to_make_it(self, log: Log):
        with pytest.raises(SetupError, match=r"no\.such\.topic.*vcd log create"):
            log.tail("no.such.topic")

    def test_a_record_for_a_missing_topic_is_refused_and_the_next_is_not(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()

        refused = writer.send("no.such.topic", key=b"k", value=b"v")
        taken = writer.send(topic, key=b"k", value=b"v")

        with pytest.raises(SetupError, match=r"no\.such\.topic.*vcd log create"):
            refused.result(timeout=PATIENCE_S)
        assert taken.result(timeout=PATIENCE_S).partition.topic == topic
        writer.close(10.0)

    def test_closing_twice_is_closing(self, log: Log, other_log: Log):
        topic = make_topic(log)
        reader, tail, writer = (
            other_log.reader(make_group(), [topic], Ears()),
            other_log.tail(topic),
            other_log.writer(),
        )
        assert reader.poll(0.05, limit=1) == []

        for _ in range(2):
            reader.close(10.0)
            tail.close()
            writer.close(10.0)
            other_log.close()


class WriterContract:
    """Sending: durable when the future says so, each record on its own."""

    def test_a_record_comes_back_as_it_was_sent(self, log: Log, other_log: Log):
        topic = make_topic(log)
        headers = (("trace", b"\x00\xff"), ("again", b"1"), ("again", b"2"), ("empty", b""))
        writer = log.writer()

        place = writer.send(topic, key=b"\xffkey", value=b"\x00value", headers=headers).result(
            timeout=PATIENCE_S
        )

        (record,) = read_all(other_log, topic, 1)
        assert record.place == place
        assert (record.key, record.value, record.headers) == (b"\xffkey", b"\x00value", headers)
        assert record.header("again") == b"2"
        assert abs(record.time_s - time.time()) < PATIENCE_S
        writer.close(10.0)

    def test_nothing_is_not_the_same_as_empty(self, log: Log):
        topic = make_topic(log, 1)

        send_all(log, topic, [(b"tombstone", None), (b"empty", b""), (None, b"no key"), (b"", b"")])

        records = read_all(log, topic, 4)
        assert sorted(((r.key, r.value) for r in records), key=repr) == sorted(
            [(b"tombstone", None), (b"empty", b""), (None, b"no key"), (b"", b"")], key=repr
        )

    def test_a_key_goes_where_kafka_would_put_it(self, log: Log):
        topic = make_topic(log, 10)

        places = send_all(log, topic, [(key, b"v") for key in _KAFKAS_CHOICE])

        assert [place.partition.index for place in places] == [
            choice % 10 for choice in _KAFKAS_CHOICE.values()
        ]

    def test_records_of_one_key_keep_their_order(self, log: Log):
        topic = make_topic(log)
        values = [f"{number}".encode() for number in range(200)]

        places = send_all(log, topic, [(b"one key", value) for value in values])

        assert len({place.partition for place in places}) == 1
        assert sorted(places) == places
        assert [record.value for record in read_all(log, topic, 200)] == values

    def test_many_threads_send_through_one_writer(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()

        with ThreadPoolExecutor(4) as threads:
            futures = list(
                threads.map(lambda item: writer.send(topic, key=item[0], value=item[1]), MANY)
            )

        assert len({future.result(timeout=PATIENCE_S) for future in futures}) == len(MANY)
        assert Counter((r.key, r.value) for r in read_all(log, topic, 60)) == Counter(MANY)
        writer.close(10.0)

    def test_a_flush_returns_when_all_is_durable(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()
        futures = [writer.send(topic, key=key, value=value) for key, value in MANY]

        assert writer.flush(PATIENCE_S)

        assert all(future.done() and future.exception() is None for future in futures)
        writer.close(10.0)

    def test_a_record_that_is_too_large_is_refused_and_the_next_is_not(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()

        refused = writer.send(topic, key=b"large", value=bytes(10_000_000))
        taken = writer.send(topic, key=b"small", value=b"v")

        with pytest.raises(InputError, match="large"):
            refused.result(timeout=PATIENCE_S)
        taken.result(timeout=PATIENCE_S)
        assert [record.key for record in read_all(log, topic, 1)] == [b"small"]
        writer.close(10.0)

    def test_a_report_of_900_kb_fits(self, log: Log):
        topic = make_topic(log)
        value = bytes(range(256)) * 3600

        send_all(log, topic, [(b"report", value)])

        assert [record.value for record in read_all(log, topic, 1)] == [value]

    def test_closing_sends_what_was_handed_in(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()
        futures = [writer.send(topic, key=key, value=value) for key, value in MANY]

        writer.close(PATIENCE_S)

        assert len({future.result(timeout=PATIENCE_S) for future in futures}) == len(MANY)

    def test_a_closed_writer_fails_the_future_and_never_raises(self, log: Log):
        topic = make_topic(log)
        writer = log.writer()
        writer.close(10.0)

        future = writer.send(topic, key=b"k", value=b"v")

        with pytest.raises(VcdError, match="closed"):
            future.result(timeout=PATIENCE_S)
