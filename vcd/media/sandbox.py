"""Decode many videos side by side in processes that may die, hang or lie.

A child gets one video at a time. What it sends back is checked like a file from
outside; a child that says nothing for too long is killed, one that dies is
replaced, and the video it was on is refused with the reason.
"""

import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Self

import numpy as np

from vcd.core import Examination, FrameBatch, Interval, Skipped, Timeline, Video
from vcd.media.request import DecodeRequest
from vcd.media.sandbox_process import DecodingProcess
from vcd.media.settings import MediaSettings

__all__ = ["DecodePool"]

_MAX_CHILDREN = 8
_TURN_S = 0.5
_MAX_START_S = 120.0
"""Imports take a third of a second; this is for a machine that is swapping."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """One video on its way through one child."""

    request: DecodeRequest
    process: DecodingProcess
    num_samples: int = 0
    decoder: str | None = None
    may_use_decord: bool = True
    waited_s: float = 0.0
    stalled_s: float = 0.0
    position_s: float = 0.0
    examined: list[Interval] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def start(self) -> None:
        interval = self.request.interval
        self.process.num_videos += 1
        self.process.send(
            "decode",
            video_id=self.request.video_id,
            path=str(self.request.path),
            rate_hz=self.request.rate_hz,
            max_short_edge_px=self.request.max_short_edge_px,
            interval=None if interval is None else [interval.start_s, interval.end_s],
            first_cell=self.num_samples,
            may_use_decord=self.may_use_decord,
        )


class DecodePool:
    """Decoding processes for as many videos as come, in bounded memory.

    A pool belongs to the thread that uses it: the kernel ends a child when the
    thread that started it ends. A second `decode` may run while the first is
    suspended; it gets children of its own.
    """

    def __init__(
        self, settings: MediaSettings, *, child_module: str = "vcd.media.sandbox_child"
    ) -> None:
        """Make a pool; its processes start when they are first needed.

        Args:
            settings: limits and number of children.
            child_module: what a child runs; a test puts a villain here.
        """
        self._settings = settings
        self._child_module = child_module
        self._num_children = settings.num_children or min(
            _MAX_CHILDREN, len(os.sched_getaffinity(0))
        )
        self._idle: list[DecodingProcess] = []
        self._all: set[DecodingProcess] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all children at once."""
        with self._lock:
            processes, self._all, self._idle = self._all, set(), []
        for process in processes:
            process.close()

    def decode(
        self, requests: Iterable[DecodeRequest]
    ) -> Generator[FrameBatch | Examination, None, None]:
        """Decode videos side by side; results of different videos come interleaved.

        Requests are drawn when a child is free for them. Of each video come its
        batches in order, then exactly one `Examination`, also when it is refused:
        frames of a video that is refused in the end may have come before. Closing
        the generator ends the children at work.

        Raises:
            SetupError: no child can be started.
        """
        pending = iter(requests)
        jobs: list[_Job] = []
        has_more = True
        try:
            while True:
                while has_more and len(jobs) < self._num_children:
                    request = next(pending, None)
                    if request is None:
                        has_more = False
                    else:
                        jobs.append(_Job(request=request, process=self._lease()))
                        jobs[-1].start()
                if not jobs:
                    return
                for job in self._heard(jobs):
                    yield from self._turn(job, jobs)
        finally:
            for job in jobs:
                self._discard(job.process)

    def _heard(self, jobs: list[_Job]) -> list[_Job]:
        """Wait until a child has something to say or its time is up; only this wait counts."""
        began_s = time.monotonic()
        ready = wait([job.process.connection for job in jobs], timeout=_TURN_S)
        waited_s = time.monotonic() - began_s
        for job in jobs:
            job.waited_s += waited_s
            job.stalled_s += waited_s
        return [job for job in jobs if job.process.connection in ready or self._is_overdue(job)]

    def _is_overdue(self, job: _Job) -> bool:
        if not job.process.is_ready:
            return job.stalled_s > _MAX_START_S
        settings = self._settings
        allowed_s = settings.max_wall_s + settings.max_wall_factor * job.position_s
        return job.stalled_s > settings.max_stall_s or job.waited_s > allowed_s

    def _turn(self, job: _Job, jobs: list[_Job]) -> Iterator[FrameBatch | Examination]:
        """Take one message of one child."""
        try:
            message = job.process.receive()
            if message is None:
                job.process.check_started()
                yield from self._lost(job, jobs, f"died ({job.process.ending()})")
                return
            found = self._understood(job, message)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            yield from self._lost(job, jobs, f"spoke nonsense ({error})"[:500])
            return
        if found is not None:
            yield found
        if isinstance(found, Examination):
            jobs.remove(job)
            self._give_back(job.process)
        elif self._is_overdue(job):
            job.process.check_started()
            yield from self._lost(job, jobs, f"hung for {job.stalled_s:.0f} s")

    def _understood(self, job: _Job, message: dict[str, Any]) -> FrameBatch | Examination | None:
        kind = message["kind"]
        if kind != "nothing":
            job.stalled_s = 0.0
        if kind == "ready":
            job.process.is_ready = True
            job.waited_s = 0.0
        elif kind == "decoder":
            job.decoder = str(message["name"])
        elif kind == "progress":
            job.position_s = max(
                job.position_s, min(_seconds(message), self._settings.max_duration_s)
            )
        elif kind == "account":
            _note(job, message)
        elif kind == "batch":
            return _batch(job, message)
        elif kind == "done":
            return _examination(job, message)
        return None

    def _lost(self, job: _Job, jobs: list[_Job], how: str) -> Iterator[Examination]:
        """Replace a child; decord's victim has a second chance with PyAV, which then goes on."""
        self._discard(job.process)
        jobs.remove(job)
        request = job.request
        if job.decoder == "decord" and job.may_use_decord:
            retry = _Job(
                request=request,
                process=self._lease(),
                num_samples=job.num_samples,
                may_use_decord=False,
            )
            jobs.append(retry)
            retry.start()
            return
        yield Examination(
            video_id=request.video_id,
            video=None,
            refused=f"{request.path}: wanted a video, but its decoder {how}",
        )

    def _lease(self) -> DecodingProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        process = DecodingProcess(self._settings, child_module=self._child_module)
        with self._lock:
            self._all.add(process)
        return process

    def _give_back(self, process: DecodingProcess) -> None:
        with self._lock:
            is_fresh = process.num_videos < self._settings.videos_per_child
            if process in self._all and is_fresh and len(self._idle) < self._num_children:
                self._idle.append(process)
                return
        self._discard(process)

    def _discard(self, process: DecodingProcess) -> None:
        with self._lock:
            is_ours = process in self._all
            self._all.discard(process)
        if is_ours:
            process.close()


def _batch(job: _Job, message: dict[str, Any]) -> FrameBatch:
    num_frames, height, width, channels = (int(length) for length in message["shape"])
    timeline = Timeline(
        start_s=np.asarray(message["start_s"], dtype=np.float64),
        end_s=np.asarray(message["end_s"], dtype=np.float64),
    )
    batch = FrameBatch(
        video_id=job.request.video_id,
        first_frame=job.num_samples,
        timeline=timeline,
        pixels_THWC=job.process.copy_slot(message["slot"], (num_frames, height, width, channels)),
    )
    job.num_samples += len(batch)
    return batch


def _note(job: _Job, message: dict[str, Any]) -> None:
    job.examined += [
        Interval(float(start_s), float(end_s)) for start_s, end_s in message["examined"]
    ]
    job.skipped += [
        Skipped(interval=Interval(float(start_s), float(end_s)), reason=str(reason))
        for start_s, end_s, reason in message["skipped"]
    ]


def _examination(job: _Job, message: dict[str, Any]) -> Examination:
    request = job.request
    if message["refused"] is not None:
        return Examination(video_id=request.video_id, video=None, refused=str(message["refused"]))
    width_px, height_px = (int(side) for side in message["size"])
    video = Video(
        id=request.video_id,
        uri=str(request.path),
        sha256=request.sha256,
        duration_s=float(message["duration_s"]),
        width_px=width_px,
        height_px=height_px,
    )
    return Examination(
        video_id=request.video_id,
        video=video,
        decoder=str(message["decoder"]),
        examined=tuple(job.examined),
        skipped=tuple(job.skipped),
    )


def _seconds(message: dict[str, Any]) -> float:
    return float(message["position_s"])
