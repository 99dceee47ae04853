"""The local log keeps the contract, and a few promises of its own."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.fault.log_contract import LogContract
from tests.fault.log_member import Member, make_topic, partitions_of, poll_until, send_all
from vcd.stream.address import open_log
from vcd.stream.local_log.reader import LocalReader
from vcd.stream.log import Commit, Log
from vcd.stream.settings import KafkaSettings, StreamSettings

_SESSION_TIMEOUT_S = 1.0


def _open(path: Path, session_timeout_s: float = _SESSION_TIMEOUT_S) -> Log:
    stream = StreamSettings(session_timeout_s=session_timeout_s)
    return open_log(f"sqlite:{path}", stream=stream, kafka=KafkaSettings())


@pytest.fixture
def log(tmp_path):
    log = _open(tmp_path / "bus.log")
    log.create_topics([])
    yield log
    log.close()


@pytest.fixture
def other_log(tmp_path, log):
    other = _open(tmp_path / "bus.log")
    yield other
    other.close()


class TestLocalLog(LogContract):
    """Every promise of `vcd.stream.log`."""


@pytest.fixture
def patient_log(tmp_path, log):
    """Nobody is heard of, or buried, as long as the test lasts."""
    patient = _open(tmp_path / "bus.log", session_timeout_s=10_000.0)
    yield patient
    patient.close()


def test_records_without_a_key_go_round(log):
    topic = make_topic(log, 4)

    places = send_all(log, topic, [(None, b"v")] * 20)

    assert Counter(place.partition for place in places) == dict.fromkeys(partitions_of(topic, 4), 5)


def _name(member: Member) -> str:
    """What decides between members that own the same."""
    assert isinstance(member.reader, LocalReader)
    return str(member.reader._membership._member)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_shares_settle_whoever_takes_first(patient_log, is_reversed):
    topic = make_topic(patient_log, 8)
    owner = Member(patient_log, "group", [topic])
    poll_until(lambda: len(owner.owned) == 8, owner)
    joining = [Member(patient_log, "group", [topic]) for _ in range(2)]
    for member in joining:
        member.poll()
    owner.poll()

    joining.sort(key=_name, reverse=is_reversed)
    poll_until(lambda: sum(len(m.owned) for m in (owner, *joining)) == 8, *joining, owner)

    assert sorted(len(member.owned) for member in (owner, *joining)) == [2, 3, 3]
    for member in (owner, *joining):
        member.close()


def test_closing_hands_over_without_waiting_for_anything(patient_log):
    topic = make_topic(patient_log, 4)
    first, second = (Member(patient_log, "group", [topic]) for _ in range(2))
    poll_until(lambda: len(first.owned) == len(second.owned) == 2, first, second)

    first.close()
    for _ in range(2):
        second.poll()

    assert second.owned == partitions_of(topic, 4)
    second.close()


def test_an_equal_share_is_one_of_every_topic(patient_log):
    topics = [make_topic(patient_log, 4, stem=stem) for stem in ("uploads", "backfill")]
    first, second = (Member(patient_log, "group", topics) for _ in range(2))

    poll_until(lambda: len(first.owned) == len(second.owned) == 4, first, second)

    for member in (first, second):
        assert Counter(p.topic for p in member.owned) == dict.fromkeys(topics, 2)
        member.close()


def test_a_note_that_kafka_would_refuse_is_refused(log):
    topic = make_topic(log, 1)
    member = Member(log, "group", [topic])
    poll_until(lambda: member.owned, member)
    (partition,) = member.owned

    with pytest.raises(ValueError, match="4,096 bytes"):
        member.reader.commit({partition: Commit(offset=1, note="\u00e9" * 2049)})

    member.close()


def test_closing_the_log_closes_what_it_opened(log, tmp_path):
    topic = make_topic(log, 2)
    writer, tail, member = log.writer(), log.tail(topic), Member(log, "group", [topic])
    poll_until(lambda: len(member.owned) == 2, member)
    sent = writer.send(topic, key=b"k", value=b"v")

    log.close()

    assert sent.done()
    assert member.ears.all_of("released") == partitions_of(topic, 2)
    assert [t for t in threading.enumerate() if t.name == "local-log-writer"] == []
    assert [file.name for file in tmp_path.iterdir()] == ["bus.log"], "the last one out tidies up"
    tail.close()
