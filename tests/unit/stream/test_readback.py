"""A topic is read up to where it ended, and no further."""

import pytest

from tests.memory_log import MemoryLog, MemoryTail
from vcd.core import TransientError
from vcd.stream.log import TopicSpec
from vcd.stream.messages.readback import ends_of, newest_of_each_key, records_until


def _log(*pairs, num_partitions=2):
    log = MemoryLog()
    log.create_topics([TopicSpec(name="t", num_partitions=num_partitions)])
    _send(log, *pairs)
    return log


def _send(log, *pairs):
    writer = log.writer()
    for key, value in pairs:
        writer.send("t", key=key, value=value)
    writer.close(1.0)


def test_what_comes_later_is_left_for_the_next_reader():
    log = _log((b"a", b"1"), (b"b", b"2"))
    ends = ends_of(log, "t")
    _send(log, (b"a", b"3"))

    values = sorted(record.value or b"" for record in records_until(log, "t", ends))

    assert values == [b"1", b"2"]
    log.close()


def test_an_empty_topic_has_nothing_and_waits_for_nothing():
    log = _log()

    assert list(records_until(log, "t", ends_of(log, "t"))) == []


def test_the_newest_of_each_key_is_left_and_removed_keys_are_not():
    log = _log((b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"4"), (b"c", None))

    newest = newest_of_each_key(log, "t", ends_of(log, "t"))

    assert sorted((record.key, record.value) for record in newest) == [(b"a", b"3"), (b"b", b"2")]
    log.close()


def test_a_reader_who_stops_early_leaves_nothing_open():
    log = _log((b"a", b"1"), (b"b", b"2"))
    records = records_until(log, "t", ends_of(log, "t"))

    next(records)
    del records

    log.close()


class _SilentTail(MemoryTail):
    def poll(self, timeout_s, *, limit):
        return []


class _Silent(MemoryLog):
    """Has records and gives none."""

    def tail(self, topic, *, start=None):
        self.num_open += 1
        return _SilentTail(self, topic, {})


def test_a_log_that_went_away_ends_the_reading_with_a_sentence():
    log = _Silent("kafka:broker:9092")
    log.create_topics([TopicSpec(name="t", num_partitions=1)])
    _send(log, (b"a", b"1"))

    with pytest.raises(TransientError, match=r"kafka:broker:9092: t gave nothing for 0\.01 s"):
        list(records_until(log, "t", {0: 1}, patience_s=0.01))

    log.close()


class _TrimmedTail(MemoryTail):
    def poll(self, timeout_s, *, limit):
        self._next = {0: max(3, self._next[0])}
        return super().poll(timeout_s, limit=limit)


class _Trimmed(MemoryLog):
    """Gave up its first records: the tail goes on behind them, as after retention."""

    def tail(self, topic, *, start=None):
        self.num_open += 1
        return _TrimmedTail(self, topic, {})


def test_records_that_retention_took_are_not_waited_for():
    log = _Trimmed()
    log.create_topics([TopicSpec(name="t", num_partitions=1)])
    _send(log, *[(b"a", f"{n}".encode()) for n in range(5)])

    values = [record.value for record in records_until(log, "t", {0: 5})]

    assert values == [b"3", b"4"]
