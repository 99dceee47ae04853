"""A worker in a process of its own, with a stage that needs no media.

    python -m tests.fault.worker_process FILE|kafka:HOST:PORT KIND [SETTING=VALUE ...]

What a video id begins with says what the stage does with it: ``kill`` ends the process by SIGKILL,
``hang`` never comes to an end, everything else takes 0.05 s.
"""

import ast
import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from tests.fault.worker_fakes import BRISK, RecordingMetrics, report_on
from vcd.core import MatchReport, TransientError
from vcd.stream.address import open_log
from vcd.stream.local_log.log import LocalLog
from vcd.stream.log import Headers, Log, Place
from vcd.stream.messages.records import Upload
from vcd.stream.settings import KafkaSettings, StreamSettings
from vcd.stream.worker.worker import Worker

IMPATIENT = KafkaSettings(delivery_timeout_s=2.0, connect_timeout_s=30.0)
"""An outage of some seconds is longer than it takes to give a record up."""


class TimerStage:
    def submit(self, upload: Upload) -> Future[MatchReport]:
        future: Future[MatchReport] = Future()
        if upload.video_id.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if upload.video_id.startswith("stall"):
            time.sleep(3600.0)
        if not upload.video_id.startswith("hang"):
            timer = threading.Timer(0.05, self._finish, (future, upload))
            timer.daemon = True
            timer.start()
        return future

    def _finish(self, future: Future[MatchReport], upload: Upload) -> None:
        if future.set_running_or_notify_cancel():
            future.set_result(report_on(upload))

    def close(self) -> None:
        return None


class MuteLog(LocalLog):
    """Its writer answers nothing, ever: a client that is wedged."""

    def writer(self):
        return MuteWriter()


class DownLog(LocalLog):
    """Its writer says no to everything: a broker that is down."""

    def writer(self):
        return DownWriter()


class MuteWriter:
    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        return Future()

    def flush(self, timeout_s: float) -> bool:
        return False

    def close(self, timeout_s: float) -> None:
        return None


class DownWriter(MuteWriter):
    def send(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> Future[Place]:
        future: Future[Place] = Future()
        future.set_exception(TransientError("no broker answers"))
        return future


def _open_log(path: str, kind: str, settings: StreamSettings) -> Log:
    if path.startswith("kafka:"):
        return open_log(path, stream=settings, kafka=IMPATIENT)
    log_class = {"plain": LocalLog, "mute": MuteLog, "down": DownLog}[kind]
    return log_class(f"sqlite:{path}", Path(path), settings)


def main() -> int:
    path, kind, *changes = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    values = {name: ast.literal_eval(value) for name, value in (c.split("=") for c in changes)}
    settings = replace(BRISK, **values)
    log = _open_log(path, kind, settings)
    worker = Worker(log, TimerStage(), settings, metrics=RecordingMetrics(), name=f"w{os.getpid()}")
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.stop())
    worker.run()
    log.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
