"""Fault cases 1, 2, 3, 7, 10 and 11 once more: worker processes on a real broker.

One broker and one group serve all tests, so each leaves nothing behind that is not committed.
"""

import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest

from tests.fault.log_member import send_all
from tests.fault.worker_fakes import BRISK, until, upload_bytes
from tests.fault.worker_process import IMPATIENT
from tests.house.house import ROOT
from tests.kafka.broker import Broker
from vcd.core import TransientError
from vcd.stream.kafka_log.log import KafkaLog
from vcd.stream.log import Record
from vcd.stream.messages.dead_letters import list_dead_letters
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.topics import REPORTS, UPLOADS, topic_specs

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

_PATIENCE_S = 60.0


class KafkaFleet:
    """Workers on one broker."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.log = KafkaLog(broker.address, BRISK, IMPATIENT)
        self.workers: list[subprocess.Popen[str]] = []

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.fault.worker_process", self.broker.address, "plain"]
        worker = subprocess.Popen(
            [*command, "session_timeout_s=2.0"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            _, said = worker.communicate()
            sys.stderr.write(said)  # shown when the test fails
        self.log.close()

    def upload(self, stem: str, count: int) -> set[str]:
        names = [f"{stem}{number}" for number in range(count)]
        send_all(self.log, UPLOADS, [(name.encode(), upload_bytes(name)) for name in names])
        return set(names)

    def reports(self, stem: str) -> list[Record]:
        records = records_until(self.log, REPORTS, ends_of(self.log, REPORTS))
        return [record for record in records if (record.key or b"").startswith(stem.encode())]

    def counts(self, stem: str) -> "Counter[str]":
        return Counter((record.key or b"").decode() for record in self.reports(stem))

    def is_done(self) -> bool:
        try:
            offsets = self.log.offsets(BRISK.group, UPLOADS)
        except TransientError:
            return False
        return all(offsets.committed.get(p, 0) == end for p, end in offsets.ends.items())

    def until_done(self) -> None:
        until(self.is_done, timeout_s=_PATIENCE_S)


@pytest.fixture(scope="module")
def broker(kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of one's own: topics have fixed names, and one test kills it."""
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        log = KafkaLog(broker.address, BRISK, IMPATIENT)
        log.create_topics(topic_specs(4))
        log.close()
        yield broker


@pytest.fixture
def fleet(broker: Broker) -> Iterator[KafkaFleet]:
    fleet = KafkaFleet(broker)
    yield fleet
    fleet.close()


def test_a_killed_worker_loses_nothing_and_what_is_said_twice_is_the_same(fleet):
    names = fleet.upload("struck", 300)
    worker = fleet.start()
    until(lambda: len(fleet.reports("struck")) > 20, timeout_s=_PATIENCE_S)

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    num_before = len(fleet.reports("struck"))
    fleet.start()
    fleet.until_done()

    said = defaultdict(set)
    for record in fleet.reports("struck"):
        said[(record.key or b"").decode()].add(record.value)
    assert num_before < 300, "it was killed in the middle"
    assert set(said) == names
    assert {len(values) for values in said.values()} == {1}
    assert sum(fleet.counts("struck").values()) - 300 <= 2 * BRISK.window


def test_a_worker_that_joins_takes_over_and_one_that_is_terminated_hands_over(fleet):
    names = fleet.upload("joined", 900)
    first = fleet.start()
    until(lambda: len(fleet.reports("joined")) > 20, timeout_s=_PATIENCE_S)
    fleet.start()
    until(lambda: _num_workers(fleet) == 2, timeout_s=_PATIENCE_S)

    first.send_signal(signal.SIGTERM)
    _, said = first.communicate(timeout=_PATIENCE_S)
    fleet.until_done()

    counts = fleet.counts("joined")
    assert first.returncode == 0, said
    assert "; 0 uploads are left to others" in said
    assert set(counts) == names
    assert sum(counts.values()) - 900 <= BRISK.window, "only what moved was done again"


def _num_workers(fleet: KafkaFleet) -> int:
    return len({record.header("worker") for record in fleet.reports("joined")})


def test_a_broker_that_is_away_for_longer_than_a_delivery_costs_time_and_nothing_else(fleet):
    names = fleet.upload("outage", 400)
    worker = fleet.start()
    until(lambda: len(fleet.reports("outage")) > 20, timeout_s=_PATIENCE_S)

    fleet.broker.kill()
    time.sleep(3 * IMPATIENT.delivery_timeout_s)  # nothing to look at: nobody answers
    assert worker.poll() is None, "it waits"
    fleet.broker.start()
    fleet.until_done()

    counts = fleet.counts("outage")
    assert worker.poll() is None, "the same worker went on"
    assert set(counts) == names
    assert list(list_dead_letters(fleet.log)) == []
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=_PATIENCE_S) == 0
