"""What a local log deletes by itself, and what it never does."""

import sqlite3
import time
from contextlib import closing

import pytest

from tests.fault.log_member import Member, poll_until, read_all, send_all
from vcd.stream.address import open_log
from vcd.stream.local_log import cleaning as local_cleaning
from vcd.stream.local_log import writer as local_writer
from vcd.stream.local_log.schema import connect
from vcd.stream.log import Commit, Partition, TopicSpec
from vcd.stream.settings import KafkaSettings, StreamSettings

_DAY_S = 86_400.0
_SPECS = [
    TopicSpec(name="uploads", num_partitions=1, retention_s=14 * _DAY_S),
    TopicSpec(name="references", num_partitions=1, is_compacted=True),
    TopicSpec(name="reports", num_partitions=1, is_compacted=True, retention_s=90 * _DAY_S),
    TopicSpec(name="plain", num_partitions=1),
]


@pytest.fixture
def log(tmp_path):
    address = f"sqlite:{tmp_path}/bus.log"
    log = open_log(address, stream=StreamSettings(), kafka=KafkaSettings())
    log.create_topics(_SPECS)
    yield log
    log.close()


@pytest.fixture
def always_dirty(monkeypatch):
    monkeypatch.setattr(local_cleaning, "_MIN_DIRTY", 1)


def _clean(tmp_path, *, after_s):
    with closing(connect(tmp_path / "bus.log")) as connection:
        for _ in local_cleaning.clean(connection, time.time() + after_s):
            pass


def _num_records(tmp_path):
    with closing(sqlite3.connect(tmp_path / "bus.log")) as connection:
        return connection.execute("select count(*) from record").fetchone()[0]


def _items(num_records, num_keys):
    return [(f"key-{n % num_keys}".encode(), f"{n}".encode()) for n in range(num_records)]


def test_a_record_stays_for_its_retention_and_not_longer(log, tmp_path):
    for spec in _SPECS:
        send_all(log, spec.name, _items(5, 5))

    _clean(tmp_path, after_s=13 * _DAY_S)
    before = _num_records(tmp_path)
    _clean(tmp_path, after_s=15 * _DAY_S)

    assert (before, _num_records(tmp_path)) == (20, 15)
    assert dict(log.offsets("group", "uploads").ends) == {0: 5}


def test_who_comes_back_after_retention_goes_on_with_what_is_left(log, tmp_path):
    places = send_all(log, "uploads", _items(5, 5))
    member = Member(log, "group", ["uploads"])
    poll_until(lambda: len(member.records) >= 5, member)
    member.reader.commit({Partition("uploads", 0): Commit(offset=2)})
    member.close()

    _clean(tmp_path, after_s=15 * _DAY_S)
    (late,) = send_all(log, "uploads", [(b"late", b"late")])
    heir = Member(log, "group", ["uploads"])
    poll_until(lambda: heir.records, heir)

    assert [record.place for record in heir.records] == [late]
    assert late.offset == places[-1].offset + 1
    heir.close()


def test_compaction_keeps_the_last_record_of_each_key_where_it_was(log, tmp_path, always_dirty):
    places = send_all(
        log, "references", [*_items(50, 5), (b"key-0", None), (None, b"1"), (None, b"2")]
    )

    _clean(tmp_path, after_s=2 * 3600.0)

    kept = read_all(log, "references", 7)
    assert [record.place for record in kept] == places[46:]
    assert [(r.key, r.value) for r in kept[-3:]] == [(b"key-0", None), (None, b"1"), (None, b"2")]
    assert send_all(log, "references", [(b"key-1", b"new")])[0].offset == len(places)


def test_a_young_record_is_not_compacted_so_that_followers_see_it(log, tmp_path, always_dirty):
    send_all(log, "references", _items(50, 5))

    _clean(tmp_path, after_s=60.0)

    assert _num_records(tmp_path) == 50


def test_compaction_waits_until_it_is_worth_it(log, tmp_path):
    send_all(log, "references", _items(999, 5))
    _clean(tmp_path, after_s=2 * 3600.0)
    before = _num_records(tmp_path)

    send_all(log, "references", _items(1, 5))
    _clean(tmp_path, after_s=2 * 3600.0)

    assert (before, _num_records(tmp_path)) == (999, 5)


def test_a_member_passes_the_gaps_of_a_compacted_topic(log, tmp_path, always_dirty):
    places = send_all(log, "reports", _items(50, 5))
    _clean(tmp_path, after_s=2 * 3600.0)
    member = Member(log, "group", ["reports"])

    poll_until(lambda: len(member.records) >= 5, member)

    assert [record.place for record in member.records] == places[45:]
    member.close()


def test_a_topic_without_either_keeps_everything(log, tmp_path, always_dirty):
    send_all(log, "plain", _items(50, 5))

    _clean(tmp_path, after_s=3650 * _DAY_S)

    assert _num_records(tmp_path) == 50


def test_a_writer_cleans_by_itself_a_portion_at_a_time(log, tmp_path, always_dirty, monkeypatch):
    monkeypatch.setattr(local_writer, "_CLEANING_EVERY_S", 0.0)
    monkeypatch.setattr(local_cleaning, "_COMPACTION_LAG_S", -60.0)
    monkeypatch.setattr(local_cleaning, "_PORTION", 20)
    send_all(log, "references", _items(500, 5))
    writer = log.writer()

    for _ in range(100):
        writer.send("references", key=b"key-0", value=b"again").result(timeout=30.0)
    writer.close(10.0)

    assert _num_records(tmp_path) < 30
    last = {record.key: record.value for record in read_all(log, "references", 5)}
    assert last == {
        b"key-0": b"again",
        b"key-1": b"496",
        b"key-2": b"497",
        b"key-3": b"498",
        b"key-4": b"499",
    }
