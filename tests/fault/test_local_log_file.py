"""The file under a local log: missing, foreign, locked, full, replaced."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.log_member import (
    MANY,
    Ears,
    Member,
    make_topic,
    partitions_of,
    poll_until,
    read_all,
    send_all,
    until,
)
from vcd.core import SetupError, TransientError
from vcd.stream.address import open_log
from vcd.stream.local_log import schema as local_schema
from vcd.stream.log import Commit, Log, TopicSpec
from vcd.stream.settings import KafkaSettings, StreamSettings

_PATIENCE_S = 30.0


def _open(path: Path) -> Log:
    stream = StreamSettings(session_timeout_s=1.0)
    return open_log(f"sqlite:{path}", stream=stream, kafka=KafkaSettings())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.log"


@pytest.fixture
def log(path):
    log = _open(path)
    log.create_topics([])
    yield log
    log.close()


@pytest.fixture
def impatient(monkeypatch):
    """Who waits for another's write gives up soon."""
    monkeypatch.setattr(local_schema, "_BUSY_TIMEOUT_S", 0.1)


def _missing(path: Path) -> None:
    """Leave nothing there."""


def _text(path: Path) -> None:
    path.write_text("no database at all\n" * 1000)


def _empty(path: Path) -> None:
    path.touch()


def _folder(path: Path) -> None:
    path.mkdir()


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table holidays (day text)")


def _newer(path: Path) -> None:
    _open(path).create_topics([])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma user_version = 1000")


def _cut_off(path: Path) -> None:
    specs = [TopicSpec(name=f"topic-{number}", num_partitions=8) for number in range(200)]
    _open(path).create_topics(specs)
    with path.open("r+b") as file:
        file.truncate(6000)


_NO_LOGS = {
    _missing: "there is no log .*vcd log create",
    _text: "not a database",
    _empty: "is no log.*vcd log create",
    _folder: "a log is a file",
    _foreign: "is no log.*vcd log create",
    _newer: "version 1000",
    _cut_off: "malformed",
}


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda log: log.topics(), id="topics"),
        pytest.param(lambda log: log.identity(), id="identity"),
        pytest.param(lambda log: log.offsets("group", "topic"), id="offsets"),
        pytest.param(lambda log: log.reader("group", ["topic"], Ears()), id="reader"),
        pytest.param(lambda log: log.tail("topic"), id="tail"),
        pytest.param(lambda log: log.writer(), id="writer"),
    ],
)
@pytest.mark.parametrize("damage", _NO_LOGS, ids=lambda damage: damage.__name__[1:])
def test_what_is_no_log_is_refused_with_a_sentence_and_left_alone(path, damage, use):
    damage(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(SetupError, match=_NO_LOGS[damage]):
        use(_open(path))

    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.parametrize(
    "damage", [d for d in _NO_LOGS if d is not _missing], ids=lambda damage: damage.__name__[1:]
)
def test_no_topic_is_made_in_a_file_that_is_no_log(path, damage):
    damage(path)
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(SetupError, match=_NO_LOGS[damage]):
        _open(path).create_topics([TopicSpec(name="topic", num_partitions=1)])

    assert before == (path.read_bytes() if path.is_file() else None)


def test_a_log_cannot_be_made_in_a_folder_that_is_missing(tmp_path):
    with pytest.raises(SetupError, match="there is no folder"):
        _open(tmp_path / "no" / "bus.log").create_topics([])


def test_several_makers_make_one_log(path):
    specs = [TopicSpec(name=f"topic-{number}", num_partitions=2) for number in range(10)]
    made: list[tuple[str, ...]] = []
    makers = [
        threading.Thread(target=lambda: made.append(_open(path).create_topics(specs)))
        for _ in range(6)
    ]

    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()

    assert sorted(map(len, made)) == [0, 0, 0, 0, 0, 10]
    assert [file.name for file in path.parent.iterdir()] == ["bus.log"]


def test_a_transaction_that_fails_in_the_middle_leaves_nothing_and_no_lock(log, path):
    with closing(local_schema.connect(path)) as connection:
        halves = [("half", 1), ("half", 2)]
        with pytest.raises(sqlite3.Error, match="UNIQUE"), local_schema.transaction(connection):
            connection.executemany("insert into grp values (?, ?)", halves)

        assert connection.execute("select * from grp").fetchall() == []
        send_all(log, make_topic(log, 1), MANY[:1])


def test_a_locked_file_fails_the_record_and_takes_the_next(log, path, impatient):
    topic = make_topic(log, 1)
    writer = log.writer()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(TransientError, match=r"bus\.log.*locked"):
            writer.send(topic, key=b"early", value=b"v").result(timeout=_PATIENCE_S)
        other.execute("rollback")

    writer.send(topic, key=b"late", value=b"v").result(timeout=_PATIENCE_S)

    assert [record.key for record in read_all(log, topic, 1)] == [b"late"]
    writer.close(10.0)


def test_a_locked_file_costs_a_reader_time_and_nothing_else(log, path, impatient, caplog):
    topic = make_topic(log, 2)
    one, two = Member(log, "group", [topic]), Member(log, "group", [topic])
    poll_until(lambda: len(one.owned) == len(two.owned) == 1, one, two)
    send_all(log, topic, MANY)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")  # as one that was frozen in the middle of a commit
        frozen_until = time.monotonic() + 2.5  # session timeouts
        while time.monotonic() < frozen_until:
            one.poll()
            two.poll()
            assert not one.reader.commit(dict.fromkeys(one.owned, Commit(offset=1)))
        other.execute("rollback")
    poll_until(lambda: len(one.records) + len(two.records) == len(MANY), one, two)
    poll_until(lambda: one.reader.commit(dict.fromkeys(one.owned, Commit(offset=1))), one, two)

    assert one.ears.all_of("lost") == two.ears.all_of("lost") == frozenset()
    assert one.owned | two.owned == partitions_of(topic, 2)
    assert caplog.text.count("nothing can be read") <= 4, "one line for each trouble, not more"
    one.close()
    two.close()


def test_what_was_released_while_the_file_was_locked_is_committed_when_it_is_not(
    log, path, impatient
):
    topic = make_topic(log, 2)
    send_all(log, topic, MANY)
    first = Member(log, "group", [topic])
    poll_until(lambda: len(first.owned) == 2, first)
    first.ears.to_commit = dict.fromkeys(first.owned, Commit(offset=7, note="seven"))
    locker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    first.ears.before_release = lambda: locker.execute("begin immediate")
    second = Member(log, "group", [topic])
    until(lambda: second.poll() == [] and (first.poll() or locker.in_transaction))
    assert len(first.owned) == 1
    assert second.owned == frozenset()

    locker.execute("rollback")
    first.ears.before_release = lambda: None
    poll_until(lambda: second.records, first, second)

    (moved,) = second.owned
    assert second.reader.committed(moved) == Commit(offset=7, note="seven")
    assert second.records[0].place.offset == 7
    assert first.ears.all_of("released") == {moved}
    locker.close()
    first.close()
    second.close()


@pytest.mark.parametrize("other", [None, "another log"])
def test_a_file_that_was_taken_away_is_an_error_and_not_a_quiet_loss(log, path, other):
    topic = make_topic(log, 1)
    writer, tail, member = log.writer(), log.tail(topic), Member(log, "group", [topic])
    poll_until(lambda: member.owned, member)

    for file in path.parent.iterdir():
        file.unlink()
    if other:
        _open(path).create_topics([TopicSpec(name=topic, num_partitions=1)])

    with pytest.raises(TransientError, match=r"there is no log|another file"):
        writer.send(topic, key=b"k", value=b"v").result(timeout=_PATIENCE_S)
    with pytest.raises(SetupError, match=r"there is no log|another file"):
        tail.poll(0.0, limit=1)
    with pytest.raises(SetupError, match=r"there is no log|another file"):
        member.poll()
