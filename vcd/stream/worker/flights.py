r"""What is in flight: begun, waiting for another try, or waiting to be durable.

    begin -> stage -> report ------> published -> durable -> finished in the watermark
               |  \-> refused -> dead letter ^  |
               +--<- later --+                  +--<- later, for ever

Nothing leaves this table but with a durable outcome, or because its partition
went away or the worker does, and then the next owner does it again.
"""

import heapq
import logging
import queue
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from itertools import count
from typing import Any

from vcd.core import InputError, MatchReport, SetupError, VcdError
from vcd.stream.log import Record, Writer
from vcd.stream.messages.envelope import decode_upload
from vcd.stream.metrics import StreamMetrics
from vcd.stream.settings import StreamSettings
from vcd.stream.stage import Stage
from vcd.stream.worker.assignment import Assignment, lane_of
from vcd.stream.worker.ownership import Ownership
from vcd.stream.worker.publication import Flight, Publication, count_outcome
from vcd.stream.worker.retry import RetryPolicy, failure_of

__all__ = ["Desk", "Flights"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Whom the flights deal with.

    Attributes:
        stage: looks at uploads.
        writer: takes reports and dead letters.
        ownership: hears what is durable.
        metrics: counts.
        settings: how often, how large.
        retries: when to try again.
        name: of this worker, for whoever reads what it wrote.
        clock: seconds that never go back.
    """

    stage: Stage
    writer: Writer
    ownership: Ownership
    metrics: StreamMetrics
    settings: StreamSettings
    retries: RetryPolicy
    name: str
    clock: Callable[[], float]


class Flights:
    """The table; used by the poll thread only, woken by futures from any thread."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._flights: set[Flight] = set()
        self._settled: queue.SimpleQueue[tuple[Flight, Future[Any]]] = queue.SimpleQueue()
        self._waiting: list[tuple[float, int, Flight]] = []
        self._numbers = count()
        self._unacknowledged: dict[int, Flight] = {}
        self._is_ending = False

    def __len__(self) -> int:
        return len(self._flights)

    def num_in(self, lane: str) -> int:
        """Count those of a lane."""
        return sum(lane_of(flight.assignment.partition) == lane for flight in self._flights)

    @property
    def oldest_send(self) -> int | None:
        """Name the oldest sending that the log has not answered; None when it owes no answer."""
        sends = list(self._unacknowledged)  # at once: a watchdog asks from its own thread
        return sends[0] if sends else None

    def begin(self, assignment: Assignment, record: Record) -> None:
        """Start with a record: to the stage, or to the dead letters when it cannot be one."""
        flight = Flight(record=record, assignment=assignment, begun_s=self._desk.clock())
        self._flights.add(flight)
        if assignment.is_convicted(record.place.offset):
            what = f"{record.place}: it was the only one in work when a worker ended without a word"
            flight.num_tries = assignment.num_crashes
            self._bury(flight, InputError(what, reason="kills_worker"))
            return
        self._submit(flight)

    def collect(self, wait_s: float) -> None:
        """Go on with everything whose future is there, after waiting so long for a first one.

        Raises:
            SetupError: nothing can succeed until somebody changes the set-up.
        """
        try:
            settled = (
                self._settled.get(timeout=wait_s) if wait_s > 0 else self._settled.get_nowait()
            )
            while True:
                self._settle(*settled)
                settled = self._settled.get_nowait()
        except queue.Empty:
            return

    def collect_rest(self) -> None:
        """Go on with what is there, whatever it says of the set-up: this worker ends anyway."""
        while True:
            try:
                self.collect(0.0)
            except SetupError as error:
                _logger.warning("while ending: %s", error)
                continue
            return

    def wake(self) -> None:
        """Go on with those that have waited long enough."""
        now_s = self._desk.clock()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, flight = heapq.heappop(self._waiting)
            if not flight.assignment.is_ours:
                self._flights.discard(flight)
            elif flight.publication is None:
                self._submit(flight)
            else:
                self._send(flight)

    def abandon_lost(self) -> None:
        """Cancel what belongs to partitions that are not ours any more."""
        for flight in [one for one in self._flights if not one.assignment.is_ours]:
            self._abandon(flight)

    def wind_down(self) -> None:
        """From now on try nothing again; what waits for that is left to the next owner."""
        self._is_ending = True
        for _, _, flight in self._waiting:
            if flight.publication is None:
                self._flights.discard(flight)
        self._waiting = [one for one in self._waiting if one[2].publication is not None]
        heapq.heapify(self._waiting)

    def abandon_all(self) -> None:
        """Cancel what the stage has not finished."""
        for flight in list(self._flights):
            if flight.publication is None:
                self._abandon(flight)

    def _abandon(self, flight: Flight) -> None:
        """A slot is free again when the stage has let go of what is in it."""
        work, flight.work = flight.work, None
        if work is not None:
            work.cancel()

    def _submit(self, flight: Flight) -> None:
        flight.num_tries += 1
        try:
            if flight.upload is None:
                max_bytes = self._desk.settings.max_message_bytes
                flight.upload = decode_upload(flight.record, max_bytes=max_bytes)
            flight.work = self._desk.stage.submit(flight.upload)
        except VcdError as error:
            flight.work = _failed(error)
        except Exception as error:
            _logger.exception("%s cannot be begun", flight.record.place, extra=flight.extra)
            flight.work = _failed(error)
        flight.work.add_done_callback(lambda future: self._settled.put((flight, future)))

    def _settle(self, flight: Flight, future: Future[Any]) -> None:
        self._unacknowledged.pop(flight.send_number, None)
        if not flight.assignment.is_ours:
            _logger.info("%s is somebody else's now", flight.record.place, extra=flight.extra)
            self._flights.discard(flight)
            return
        error = CancelledError() if future.cancelled() else future.exception()
        if isinstance(error, SetupError):
            raise error
        if flight.publication is not None:
            self._sent(flight, error)
        elif error is None:
            self._report(flight, future.result())
        else:
            self._failed(flight, error)

    def _report(self, flight: Flight, report: MatchReport) -> None:
        max_bytes = self._desk.settings.max_report_bytes
        try:
            flight.publication = Publication.of_report(
                flight, report, worker=self._desk.name, max_bytes=max_bytes
            )
        except SetupError:
            raise
        except Exception as error:
            _logger.exception("%s has no report", flight.record.place, extra=flight.extra)
            self._failed(flight, error)
            return
        self._send(flight)

    def _failed(self, flight: Flight, error: BaseException) -> None:
        """Bury an upload that is at fault; let one that the world failed wait."""
        flight.work = None
        if isinstance(error, InputError):
            self._bury(flight, error)
            return
        if self._is_ending:
            self._flights.discard(flight)
            return
        failure = failure_of(error)
        now_s = self._desk.clock()
        delay_s = self._desk.retries.delay_s(flight.num_tries, now_s - flight.begun_s)
        if delay_s is None:
            self._bury(flight, failure)
            return
        self._desk.metrics.retried(failure.reason)
        _logger.warning(
            "%s: try %d failed, the next in %.1f s: %s",
            flight.record.place,
            flight.num_tries,
            delay_s,
            failure,
            exc_info=None if isinstance(error, VcdError | CancelledError) else error,
            extra=flight.extra,
        )
        heapq.heappush(self._waiting, (now_s + delay_s, next(self._numbers), flight))

    def _bury(self, flight: Flight, error: VcdError) -> None:
        _logger.warning("%s: %s", flight.record.place, error, extra=flight.extra)
        flight.publication = Publication.of_dead_letter(flight, error, worker=self._desk.name)
        self._send(flight)

    def _send(self, flight: Flight) -> None:
        publication = flight.publication
        if publication is None:
            raise ValueError(f"{flight.record.place}: there is nothing to send yet")
        flight.num_sends += 1
        flight.send_number = next(self._numbers)
        self._unacknowledged[flight.send_number] = flight
        sent = self._desk.writer.send(
            publication.topic,
            key=publication.key,
            value=publication.value,
            headers=publication.headers,
        )
        sent.add_done_callback(lambda future: self._settled.put((flight, future)))

    def _sent(self, flight: Flight, error: BaseException | None) -> None:
        """Count an outcome that is durable; send again what is not."""
        if error is None:
            self._finish(flight)
        elif isinstance(error, InputError):
            self._refused(flight, error)
        else:
            delay_s = self._desk.retries.resend_delay_s(flight.num_sends)
            _logger.log(
                logging.WARNING if flight.num_sends == 1 else logging.DEBUG,
                "%s: its outcome is not durable yet, sent again in %.1f s: %s",
                flight.record.place,
                delay_s,
                error,
                extra=flight.extra,
            )
            due_s = self._desk.clock() + delay_s
            heapq.heappush(self._waiting, (due_s, next(self._numbers), flight))

    def _refused(self, flight: Flight, error: InputError) -> None:
        """Say less: a dead letter instead of a report, then one with few of its bytes."""
        publication = flight.publication
        if publication is None or publication.is_cut:
            raise SetupError(f"{flight.record.place}: the log takes no dead letter: {error}")
        flight.num_sends = 0
        if publication.error is None:
            self._bury(flight, InputError(str(error), reason="report_too_large"))
            return
        flight.publication = Publication.of_dead_letter(
            flight, publication.error, worker=self._desk.name, is_cut=True
        )
        self._send(flight)

    def _finish(self, flight: Flight) -> None:
        self._flights.discard(flight)
        if self._desk.ownership.finish(flight.assignment, flight.record.place.offset):
            count_outcome(flight, self._desk.metrics)


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
