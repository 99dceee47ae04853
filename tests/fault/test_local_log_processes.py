"""Several processes on one file: started late, killed, frozen, thawed."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fault.log_member import (
    Member,
    make_topic,
    partitions_of,
    poll_until,
    read_all,
    send_all,
    until,
)
from vcd.stream.address import open_log
from vcd.stream.log import Record
from vcd.stream.settings import KafkaSettings, StreamSettings

_ROOT = Path(__file__).parents[2]
_SOME = [(f"{number}".encode(), f"{number}".encode()) for number in range(40)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.log"


@pytest.fixture
def log(path):
    stream = StreamSettings(session_timeout_s=1.0)
    log = open_log(f"sqlite:{path}", stream=stream, kafka=KafkaSettings())
    log.create_topics([])
    yield log
    log.close()


def _text(record: Record) -> str:
    assert record.value is not None
    return record.value.decode()


class _Process:
    """A process on the log, and what it has said so far."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "tests.fault.local_log_process", *map(str, words)]
        self.process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        self.said: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the last words of a killed process
                self.said.append(json.loads(line))

    def all_of(self, word: str) -> list[Any]:
        return [saying[word] for saying in list(self.said) if word in saying]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(timeout=60)
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture
def start():
    started: list[_Process] = []

    def start(*words: object) -> _Process:
        started.append(_Process(*words))
        return started[-1]

    yield start
    for process in started:
        process.process.kill()
        process.wait()


@pytest.mark.slow
def test_several_processes_send_at_once_and_every_record_is_there(log, path, start):
    topic = make_topic(log, 4)

    senders = [start("send", path, topic, name, 200) for name in ("a", "b", "c")]

    assert [sender.wait() for sender in senders] == [0, 0, 0]
    sent = {saying["sent"]: saying["place"] for s in senders for saying in s.said}
    records = read_all(log, topic, 600)
    assert {_text(record): str(record.place) for record in records} == sent
    assert len(sent) == 600


@pytest.mark.slow
def test_what_a_killed_sender_was_told_is_durable_is_there(log, path, start):
    topic = make_topic(log, 4)
    sender = start("send", path, topic, "a", 200_000)
    until(lambda: len(sender.said) > 500)

    sender.signal(signal.SIGKILL)

    assert sender.wait() == -signal.SIGKILL
    told = {saying["sent"]: saying["place"] for saying in sender.said}
    num_records = sum(log.offsets("nobody", topic).ends.values())
    there = {_text(r): str(r.place) for r in read_all(log, topic, num_records)}
    assert told.items() <= there.items()
    send_all(log, topic, [(b"next", b"next")])


@pytest.mark.slow
def test_what_a_killed_reader_owned_is_read_by_another(log, path, start):
    topic = make_topic(log, 4)
    send_all(log, topic, _SOME)
    reader = start("read", path, "group", topic)
    until(lambda: len(reader.all_of("value")) >= len(_SOME) // 2)

    reader.signal(signal.SIGKILL)
    reader.wait()
    send_all(log, topic, [(b"late", b"late")])
    heir = Member(log, "group", [topic])
    poll_until(lambda: heir.owned == partitions_of(topic, 4) and b"late" in heir.values(), heir)

    seen = Counter(reader.all_of("value")) + Counter(map(_text, heir.records))
    assert set(seen) == {value.decode() for _, value in _SOME} | {"late"}
    assert sum(seen.values()) <= len(_SOME) + 1 + 5, "more was read again than one portion"
    heir.close()


@pytest.mark.slow
def test_a_reader_that_ends_hands_over_without_a_session_timeout(log, path, start):
    topic = make_topic(log, 4)
    reader = start("read", path, "group", topic)
    until(lambda: reader.all_of("gained"))
    heir = Member(log, "group", [topic])
    poll_until(lambda: len(heir.owned) == 2, heir)

    reader.signal(signal.SIGTERM)
    poll_until(lambda: heir.owned == partitions_of(topic, 4), heir)

    assert reader.wait() == 0
    assert reader.all_of("closed") == [True]
    assert reader.all_of("lost") == []
    heir.close()


@pytest.mark.slow
def test_a_frozen_reader_hears_on_waking_that_its_partitions_are_lost(log, path, start):
    topic = make_topic(log, 4)
    reader = start("read", path, "group", topic)
    until(lambda: reader.all_of("gained"))
    heir = Member(log, "group", [topic])
    poll_until(lambda: len(heir.owned) == 2, heir)

    reader.signal(signal.SIGSTOP)
    poll_until(lambda: heir.owned == partitions_of(topic, 4), heir)
    reader.signal(signal.SIGCONT)
    poll_until(lambda: reader.all_of("lost") and len(heir.owned) == 2, heir)
    send_all(log, topic, _SOME)
    poll_until(lambda: len(reader.all_of("value")) + len(heir.records) >= len(_SOME), heir)

    kept = sorted(str(partition) for partition in partitions_of(topic, 4) - heir.owned)
    until(lambda: reader.all_of("gained")[-1] == kept)
    seen = Counter(reader.all_of("value")) + Counter(map(_text, heir.records))
    assert seen == Counter(value.decode() for _, value in _SOME)
    heir.close()


@pytest.mark.slow
def test_a_frozen_reader_that_nobody_replaced_goes_on(log, path, start):
    topic = make_topic(log, 4)
    reader = start("read", path, "group", topic)
    until(lambda: reader.all_of("gained"))

    reader.signal(signal.SIGSTOP)
    with pytest.raises(AssertionError, match="in vain"):  # nothing happens, for two timeouts
        until(lambda: reader.all_of("lost"), timeout_s=2.0)
    reader.signal(signal.SIGCONT)
    send_all(log, topic, _SOME)

    until(lambda: len(reader.all_of("value")) == len(_SOME))
    assert reader.all_of("lost") == []


@pytest.mark.slow
def test_three_readers_share_evenly_and_all_is_read_once(log, path, start):
    topic = make_topic(log, 8)
    readers = [start("read", path, "group", topic) for _ in range(3)]

    def owned(reader: _Process) -> set[str]:
        result: set[str] = set()
        for saying in list(reader.said):
            result |= set(saying.get("gained", ()))
            result -= set(saying.get("released", ()))
        return result

    until(lambda: sorted(len(owned(reader)) for reader in readers) == [2, 3, 3])
    send_all(log, topic, _SOME)
    until(lambda: sum(len(reader.all_of("value")) for reader in readers) >= len(_SOME))

    assert set().union(*map(owned, readers)) == {str(p) for p in partitions_of(topic, 8)}
    for reader in readers:
        reader.signal(signal.SIGTERM)
    assert [reader.wait() for reader in readers] == [0, 0, 0]
    seen = Counter(value for reader in readers for value in reader.all_of("value"))
    assert seen == Counter(value.decode() for _, value in _SOME)
