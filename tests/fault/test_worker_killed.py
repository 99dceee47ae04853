"""Fault cases 1 to 4, 7, 9, 16 and 20, with real processes on a local log."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.log_member import send_all
from tests.fault.worker_fakes import BRISK, until, upload_bytes
from tests.house.house import ROOT
from vcd.stream.local_log.log import LocalLog
from vcd.stream.log import Record
from vcd.stream.messages.dead_letters import list_dead_letters
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.topics import REPORTS, UPLOADS, topic_specs

_NUM_PARTITIONS = 4


class Fleet:
    """Workers on one log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = LocalLog(f"sqlite:{path}", path, BRISK)
        self.log.create_topics(topic_specs(_NUM_PARTITIONS))
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, kind: str = "plain", **settings: object) -> "subprocess.Popen[str]":
        values = {"session_timeout_s": 1.0, **settings}
        command = [sys.executable, "-m", "tests.fault.worker_process", str(self.path), kind]
        command += [f"{name}={value!r}" for name, value in values.items()]
        worker = subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.communicate()
        self.log.close()

    def upload(self, *video_ids: str) -> None:
        send_all(self.log, UPLOADS, [(name.encode(), upload_bytes(name)) for name in video_ids])

    def reports(self) -> list[Record]:
        return list(records_until(self.log, REPORTS, ends_of(self.log, REPORTS)))

    def committed(self) -> Mapping[int, int]:
        return self.log.offsets(BRISK.group, UPLOADS).committed

    def is_done(self) -> bool:
        offsets = self.log.offsets(BRISK.group, UPLOADS)
        return all(offsets.committed.get(p, 0) == end for p, end in offsets.ends.items())

    def freeze(self, worker: "subprocess.Popen[str]") -> None:
        """Stop a worker, but not inside a write: that would stop everybody (stream_logs.md)."""
        while True:
            worker.send_signal(signal.SIGSTOP)
            with closing(sqlite3.connect(self.path, timeout=0.5)) as connection:
                try:
                    connection.execute("begin immediate")
                except sqlite3.OperationalError:
                    worker.send_signal(signal.SIGCONT)
                else:
                    return

    def lost(self) -> set[str]:
        """Name the places that are committed and have no outcome."""
        said = {(record.header("source") or b"").decode() for record in self.reports()}
        said |= {str(letter.source) for letter in list_dead_letters(self.log)}
        return {
            f"{UPLOADS}/{index}@{offset}"
            for index, end in self.committed().items()
            for offset in range(end)
        } - said


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "log.db")
    yield fleet
    fleet.close()


def _names(count: int, stem: str = "v") -> list[str]:
    return [f"{stem}{number}" for number in range(count)]


def _values_by_key(records: list[Record]) -> dict[bytes, set[bytes]]:
    values: dict[bytes, set[bytes]] = defaultdict(set)
    for record in records:
        values[record.key or b""].add(record.value or b"")
    return values


def test_a_killed_worker_loses_nothing_and_little_is_done_twice(fleet):
    fleet.upload(*_names(120))
    worker = fleet.start()
    until(lambda: len(fleet.reports()) > 20)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert fleet.lost() == set()
    fleet.start()
    until(fleet.is_done)

    counts = Counter(record.key for record in fleet.reports())
    assert set(counts) == {name.encode() for name in _names(120)}
    assert sum(counts.values()) - 120 <= 2 * BRISK.window
    assert fleet.lost() == set()


def test_a_worker_killed_between_acknowledgement_and_commit_says_the_same_twice(fleet):
    fleet.upload(*_names(6))
    worker = fleet.start(commit_every_s=3600.0)
    until(lambda: len(fleet.reports()) == 6)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert set(fleet.committed().values()) <= {0}
    fleet.start()
    until(fleet.is_done)

    assert len(fleet.reports()) == 12
    assert [len(values) for values in _values_by_key(fleet.reports()).values()] == [1] * 6


def test_a_worker_that_is_terminated_under_load_leaves_in_good_order(fleet):
    fleet.upload(*_names(400))
    worker = fleet.start()
    until(lambda: len(fleet.reports()) > 20)

    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=BRISK.grace_s + 10.0)

    assert worker.returncode == 0, said
    reports = fleet.reports()
    assert len(reports) < 400
    assert sum(fleet.committed().values()) == len(reports), "nothing was in flight any more"
    assert "; 0 uploads are left to others" in said


def test_a_second_signal_ends_it_at_once_and_the_next_worker_takes_over(fleet):
    fleet.upload("hang1", *_names(5))
    worker = fleet.start(grace_s=3600.0)
    until(lambda: len(fleet.reports()) == 5)

    worker.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(timeout=1.0)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=20.0) == 0
    assert sum(fleet.committed().values()) < 6
    assert fleet.lost() == set()


def test_a_worker_that_joins_takes_over_and_nothing_is_lost_or_done_by_all(fleet):
    fleet.upload(*_names(300))
    fleet.start()
    until(lambda: len(fleet.reports()) > 20)

    fleet.start()
    until(fleet.is_done)

    by_worker = Counter(record.header("worker") for record in fleet.reports())
    counts = Counter(record.key for record in fleet.reports())
    assert len(by_worker) == 2
    assert set(counts) == {name.encode() for name in _names(300)}
    assert sum(counts.values()) - 300 <= BRISK.window


def test_a_frozen_worker_loses_its_partitions_and_comes_back_as_a_member(fleet):
    fleet.upload(*_names(100))
    frozen = fleet.start(max_silence_s=2.0)
    until(lambda: len(fleet.reports()) > 10)

    fleet.freeze(frozen)
    frozen_s = time.monotonic()
    fleet.start()
    until(lambda: fleet.is_done() and time.monotonic() > frozen_s + 2.5)
    frozen.send_signal(signal.SIGCONT)
    fleet.upload(*_names(200, "late"))
    until(fleet.is_done)

    late = [record for record in fleet.reports() if (record.key or b"").startswith(b"late")]
    workers = {record.header("worker") for record in late}
    assert frozen.poll() is None, "what was stopped from outside is not stuck"
    assert f"w{frozen.pid}".encode() in workers
    assert fleet.lost() == set()


def test_an_upload_that_kills_workers_ends_as_a_dead_letter(fleet):
    fleet.upload(*_names(20), "kill0")
    deaths = 0
    worker = fleet.start(session_timeout_s=0.5)
    while not fleet.is_done():
        if worker.poll() is not None:
            assert worker.returncode == -signal.SIGKILL
            deaths += 1
            assert deaths < 10
            worker = fleet.start(session_timeout_s=0.5)
        until(lambda: fleet.workers[-1].poll() is not None or fleet.is_done())

    (letter,) = list_dead_letters(fleet.log)
    assert (letter.reason, letter.key) == ("kills_worker", b"kill0")
    assert {record.key for record in fleet.reports()} == {name.encode() for name in _names(20)}
    assert BRISK.max_crashes < deaths <= BRISK.max_crashes + 3


def test_a_main_loop_that_is_stuck_ends_the_process_with_its_stacks(fleet):
    fleet.upload("stall0")

    worker = fleet.start(max_silence_s=0.5)
    _, said = worker.communicate(timeout=30.0)

    assert worker.returncode == 70, said
    assert "stuck: the main loop did not turn for" in said
    assert "in submit" in said
    assert "Thread" in said


def test_a_log_that_answers_nothing_at_all_ends_the_process(fleet):
    fleet.upload("a")

    worker = fleet.start("mute", max_silence_s=0.5)
    _, said = worker.communicate(timeout=30.0)

    assert worker.returncode == 70, said
    assert "stuck: the log answered nothing to a record that was sent for" in said


def test_a_log_that_is_merely_down_ends_nothing(fleet):
    fleet.upload("a")
    worker = fleet.start("down", max_silence_s=0.2, grace_s=1.0, first_retry_s=0.5)

    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(timeout=5.0)
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(timeout=20.0) == 0
    assert sum(fleet.committed().values()) == 0
