"""The broker of the tests never outlives who started it."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fault.log_member import until
from tests.house.house import ROOT
from tests.kafka.broker import Broker

_START = """
import sys, time
from pathlib import Path
from tests.kafka.broker import Broker
broker = Broker(Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_dies_with_the_process_that_started_it(kafka_broker: Broker, tmp_path: Path):
    starter = subprocess.Popen(
        [sys.executable, "-c", _START, str(tmp_path / "broker")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert _is_running(pid)

    starter.send_signal(signal.SIGKILL)

    until(lambda: not _is_running(pid))
    starter.communicate()


def _is_running(pid: int) -> bool:
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False
