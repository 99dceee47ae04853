"""Stages without media, metrics that remember and uploads made to order, for the worker."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.factories import make_report
from vcd.core import MatchReport
from vcd.stream.log import Log, Partition
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.metrics import StreamMetrics
from vcd.stream.settings import StreamSettings
from vcd.stream.topics import UPLOADS
from vcd.stream.worker.assignment import lane_of
from vcd.stream.worker.worker import Worker

__all__ = [
    "BRISK",
    "HandStage",
    "InstantStage",
    "RecordingMetrics",
    "lane_of",
    "put_uploads",
    "report_on",
    "running",
    "until",
    "upload_bytes",
]

BRISK = StreamSettings(
    window=8,
    commit_every_s=0.01,
    first_retry_s=0.005,
    max_retry_s=30.0,
    grace_s=5.0,
    session_timeout_s=2.0,
)
"""The ordinary settings, but in a hurry."""


def until(condition: Callable[[], Any], *, timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain, last seen: {seen!r}"
        time.sleep(0.002)
    return seen


def upload_bytes(video_id: str) -> bytes:
    return encode_upload(
        Upload(
            video_id=video_id, uri=f"{video_id}.mp4", submitted_at_s=1.0, trace_id=f"t-{video_id}"
        )
    )


def put_uploads(store: Any, *video_ids: str, index: int = 0, topic: str = UPLOADS) -> None:
    for video_id in video_ids:
        store.put(topic, index, upload_bytes(video_id), key=video_id.encode())


def report_on(upload: Upload) -> MatchReport:
    report: MatchReport = make_report(query_id=upload.video_id, matches=(), rejected=())
    return report


class InstantStage:
    """Answers at once: a report, or what `errors` has left for that video."""

    def __init__(self, errors: dict[str, list[Exception]] | None = None) -> None:
        self.errors = errors or {}
        self.seen: list[str] = []

    def submit(self, upload: Upload) -> Future[MatchReport]:
        self.seen.append(upload.video_id)
        future: Future[MatchReport] = Future()
        errors = self.errors.get(upload.video_id)
        if errors:
            future.set_exception(errors.pop(0))
        else:
            future.set_result(report_on(upload))
        return future

    def close(self) -> None:
        return None


class HandStage:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.works: list[tuple[str, Future[MatchReport]]] = []

    @property
    def seen(self) -> list[str]:
        return [video_id for video_id, _ in self.works]

    @property
    def num_open(self) -> int:
        return sum(not future.done() for _, future in self.works)

    def has_seen(self, video_id: str) -> bool:
        return video_id in self.seen

    def submit(self, upload: Upload) -> Future[MatchReport]:
        future: Future[MatchReport] = Future()
        self.works.append((upload.video_id, future))
        return future

    def futures(self, video_id: str) -> list[Future[MatchReport]]:
        return [future for seen, future in self.works if seen == video_id]

    def finish_all(self, *, but: str = "") -> None:
        """Finish whatever is open, but one."""
        self.finish(*(seen for seen, future in self.works if not future.done() and seen != but))

    def finish(self, *video_ids: str) -> None:
        for video_id in video_ids:
            future = self.futures(video_id)[-1]
            future.set_result(make_report(query_id=video_id, matches=(), rejected=()))

    def fail(self, video_id: str, error: Exception) -> None:
        self.futures(video_id)[-1].set_exception(error)

    def close(self) -> None:
        return None


class RecordingMetrics(StreamMetrics):
    """Remembers what was counted."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.retries: list[str] = []
        self.commits: list[bool] = []
        self.most_in_flight = 0

    def upload_done(self, lane: str, outcome: str, elapsed_s: float) -> None:
        super().upload_done(lane, outcome, elapsed_s)
        self.outcomes.append((lane, outcome))

    def dead_letter(self, reason: str) -> None:
        super().dead_letter(reason)
        self.reasons.append(reason)

    def retried(self, reason: str) -> None:
        super().retried(reason)
        self.retries.append(reason)

    def in_flight(self, lane: str, count: int) -> None:
        super().in_flight(lane, count)
        self.most_in_flight = max(self.most_in_flight, count)

    def committed(self, *, ok: bool) -> None:
        super().committed(ok=ok)
        self.commits.append(ok)


class Running:
    """A worker in a thread, and what came of it."""

    def __init__(self, worker: Worker, metrics: RecordingMetrics) -> None:
        self.worker = worker
        self.metrics = metrics
        self._thread = ThreadPoolExecutor(1)
        self._done = self._thread.submit(worker.run)

    @property
    def is_alive(self) -> bool:
        return not self._done.done()

    def join(self) -> None:
        """Wait until it came back; raises what it raised."""
        try:
            self._done.result(timeout=30.0)
        finally:
            self._thread.shutdown(wait=False)


@contextmanager
def running(log: Log, stage: Any, settings: StreamSettings = BRISK, *, name: str = "w"):
    """Run a worker for a while; at the end it is stopped, and must not have failed."""
    metrics = RecordingMetrics()
    worker = Worker(log, stage, settings, metrics=metrics, name=name)
    run = Running(worker, metrics)
    try:
        yield run
    finally:
        worker.stop()
        if run.is_alive:
            time.sleep(0.05)
            worker.stop()
        run.join()


def partition(index: int = 0, topic: str = UPLOADS) -> Partition:
    return Partition(topic, index)
