"""Decode many videos side by side in processes that may die, hang or lie.

A child gets one video at a time. What it sends back is checked like a file from
outside; a child that says nothing for too long is killed, one that dies is
replaced, and the video it was on is refused with the reason.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import wait
from typing import Self

from vcd.core import Examination, FrameBatch, TransientError
from vcd.media.request import DecodeRequest
from vcd.media.sandbox_job import Job
from vcd.media.sandbox_process import DecodingProcess
from vcd.media.settings import MediaSettings

__all__ = ["DecodePool"]

_MAX_CHILDREN = 8
_TURN_S = 0.5
_MAX_START_S = 120.0
"""Imports take a third of a second; this is for a machine that is swapping."""


class DecodePool:
    """Decoding processes for as many videos as come, in bounded memory.

    A pool belongs to the thread that uses it: the kernel ends a child when the
    thread that started it ends. Other threads may `ring` and `stop`. A second
    `decode` may run while the first is suspended; it gets children of its own.
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
        self._bell = _Bell()
        self._is_stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ring(self) -> None:
        """Have the requests, and which of them are wanted, looked at again now; any thread may."""
        self._bell.ring()

    def stop(self) -> None:
        """Have whoever is decoding end at once with a `TransientError`; any thread may."""
        self._is_stopped = True
        self._bell.ring()

    def close(self) -> None:
        """End all children at once."""
        with self._lock:
            processes, self._all, self._idle = self._all, set(), []
        for process in processes:
            process.close()
        self._bell.close()

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
            TransientError: the pool was stopped.
        """
        with contextlib.closing(self._decode(requests, _every, num_spare=0)) as events:
            for event in events:
                if event is not None:
                    yield event

    def decode_live(
        self, requests: Iterable[DecodeRequest | None], *, is_wanted: Callable[[str], bool]
    ) -> Generator[FrameBatch | Examination | None, None, None]:
        """Decode a stream of videos that comes when it comes; None means: nothing now.

        A source that has nothing now gives None and is asked again after a `ring`, or half a
        second later. When no child has anything to say this gives None, once before each wait.

        Nobody waits for a slow video: a child that has been silent for a quarter of a second, or
        has worked on one video for half a minute, does not count as one, up to as many again.

        Args:
            requests: where videos come from; it blocks nobody.
            is_wanted: asked at each turn of each video in work; one that is not wanted any more
                is refused as ``abandoned``, and its child ended.

        Raises:
            SetupError: no child can be started.
            TransientError: the pool was stopped.
        """
        return self._decode(requests, is_wanted, num_spare=self._num_children)

    def _decode(
        self,
        requests: Iterable[DecodeRequest | None],
        is_wanted: Callable[[str], bool],
        *,
        num_spare: int,
    ) -> Generator[FrameBatch | Examination | None, None, None]:
        source = iter(requests)
        jobs: list[Job] = []
        try:
            while True:
                self._check_not_stopped()
                yield from self._abandoned(jobs, is_wanted)
                may_have_more = self._draw(source, jobs, num_spare=num_spare)
                if not jobs and not may_have_more:
                    return
                heard = self._heard(jobs, timeout_s=0.0)
                if not heard:
                    yield None
                    heard = self._heard(jobs, timeout_s=_TURN_S)
                for job in heard:
                    yield from self._turn(job, jobs)
        finally:
            for job in jobs:
                self._discard(job.process)

    def _check_not_stopped(self) -> None:
        if self._is_stopped:
            raise TransientError("wanted to decode, but the decoding processes were stopped")

    def _abandoned(
        self, jobs: list[Job], is_wanted: Callable[[str], bool]
    ) -> Iterator[Examination]:
        for job in [job for job in jobs if not is_wanted(job.request.video_id)]:
            self._discard(job.process)
            jobs.remove(job)
            yield job.refusal(f"{job.request.path}: nobody wants it any more", "abandoned")

    def _draw(
        self, source: Iterator[DecodeRequest | None], jobs: list[Job], *, num_spare: int
    ) -> bool:
        """Begin videos while there is room; False when there will never be another."""
        most = self._num_children + num_spare
        while len(jobs) < most and sum(not job.is_slow for job in jobs) < self._num_children:
            try:
                request = next(source)
            except StopIteration:
                return False
            if request is None:
                return True
            jobs.append(Job(request=request, process=self._lease()))
            jobs[-1].start()
        return True

    def _heard(self, jobs: list[Job], *, timeout_s: float) -> list[Job]:
        """Wait until a child has something to say, its time is up, or the bell rings."""
        since_s = time.monotonic()
        connections = [job.process.connection for job in jobs]
        ready = wait([self._bell.number, *connections], timeout=timeout_s)
        now_s = time.monotonic()
        if self._bell.number in ready:
            self._bell.silence()
        for job in jobs:
            job.look(now_s, since_s=since_s, has_spoken=job.process.connection in ready)
        return [job for job in jobs if job.process.connection in ready or self._is_overdue(job)]

    def _is_overdue(self, job: Job) -> bool:
        if not job.process.is_ready:
            return job.stalled_s > _MAX_START_S
        settings = self._settings
        allowed_s = settings.max_wall_s + settings.max_wall_factor * job.position_s
        return job.stalled_s > settings.max_stall_s or job.waited_s > allowed_s

    def _turn(self, job: Job, jobs: list[Job]) -> Iterator[FrameBatch | Examination]:
        """Take one message of one child."""
        try:
            message = job.process.receive()
            if message is None:
                job.process.check_started()
                ending = job.process.ending()
                reason = "decoder_hung" if ending == "SIGXCPU" else "decoder_died"
                yield from self._lost(job, jobs, f"died ({ending})", reason)
                return
            found = job.understand(message, max_duration_s=self._settings.max_duration_s)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            nonsense = f"spoke nonsense ({error})"[:500]
            yield from self._lost(job, jobs, nonsense, "decoder_confused")
            return
        if found is not None:
            yield found
        if isinstance(found, Examination):
            jobs.remove(job)
            self._give_back(job.process)
        elif self._is_overdue(job):
            job.process.check_started()
            yield from self._lost(job, jobs, f"hung for {job.stalled_s:.0f} s", "decoder_hung")

    def _lost(self, job: Job, jobs: list[Job], how: str, reason: str) -> Iterator[Examination]:
        """Replace a child; decord's victim has a second chance with PyAV, which then goes on."""
        self._discard(job.process)
        jobs.remove(job)
        if job.decoder == "decord" and job.may_use_decord:
            retry = Job(
                request=job.request,
                process=self._lease(),
                num_samples=job.num_samples,
                may_use_decord=False,
            )
            jobs.append(retry)
            retry.start()
            return
        yield job.refusal(f"{job.request.path}: wanted a video, but its decoder {how}", reason)

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


def _every(_video_id: str) -> bool:
    return True


class _Bell:
    """Wakes a thread that waits for its children."""

    def __init__(self) -> None:
        self.number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_open = True
        self._lock = threading.Lock()

    def ring(self) -> None:
        with self._lock:
            if self._is_open:
                os.eventfd_write(self.number, 1)

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.number)

    def close(self) -> None:
        with self._lock:
            if self._is_open:
                os.close(self.number)
            self._is_open = False
