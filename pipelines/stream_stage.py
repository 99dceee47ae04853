"""Look at the uploads of a stream, many at once: fetch, decode and describe, match.

    submit -> fetch threads -> ONE describe thread -> match threads -> future
              a file each      decode children        one index each, taken
                               feed shared batches    once per upload

Between them go tickets. A ticket that fails takes nobody with it; the file is gone before the
future is done. Why it is built so: docs/design/stage.md.
"""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue

from pipelines.detection import denser_for
from pipelines.stage_describing import Describing
from pipelines.stage_ticket import Outcome, Ticket, unforeseen
from vcd.config import Settings
from vcd.core import (
    Descriptors,
    Examination,
    Index,
    MatchReport,
    SetupError,
    VcdError,
)
from vcd.detector import Detector
from vcd.evidence import explain_match
from vcd.media import DecodePool, Fetcher
from vcd.stream.messages.records import Upload
from vcd.stream.stage import Stage

__all__ = ["DetectorStage", "StagePlan", "open_stage"]

_CLOSE_S = 10.0
"""A batch of a large network on a processor takes seconds; no thread is waited for longer."""

_NUM_MATCHERS = 2
"""Threads that search and align, each with a decoding child of its own."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """How the work is shared out.

    Attributes:
        rate_hz: frames sampled a second: the index's.
        num_fetchers: threads that fetch; as many as uploads can be in flight, so that slow servers
            stop nobody. One that waits costs nothing.
    """

    rate_hz: float
    num_fetchers: int


class DetectorStage(Stage):
    """Runs a detector on uploads as they come; `open_stage` puts it together.

    Args:
        detector: describes and matches; its pool belongs to this stage from now on.
        fetcher: brings uploads here; somebody else closes it.
        current_index: the references as they are now; asked once for each upload, so that no
            verdict mixes two versions.
        open_dense_pool: makes the pool of one match thread.
        plan: how the work is shared out.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        fetcher: Fetcher,
        current_index: Callable[[], Index],
        open_dense_pool: Callable[[], DecodePool],
        plan: StagePlan,
    ) -> None:
        self.detector = detector
        self._fetcher = fetcher
        self._current_index = current_index
        self._keys = itertools.count()
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._trouble: SetupError | None = None
        self._is_closed = False
        self._to_fetch: SimpleQueue[Ticket | None] = SimpleQueue()
        self._to_match: SimpleQueue[tuple[Ticket, Examination, Descriptors] | None] = SimpleQueue()
        self._describing = Describing(
            detector, rate_hz=plan.rate_hz, hand_on=self._hand_on, settle=self._settle
        )
        self._dense_pools = [open_dense_pool() for _ in range(_NUM_MATCHERS)]
        self._threads = [
            *(_started("fetch", self._fetch_uploads) for _ in range(plan.num_fetchers)),
            _started("describe", self._describe_uploads),
            *(_started("match", self._match_uploads, pool) for pool in self._dense_pools),
        ]

    def submit(self, upload: Upload) -> "Future[MatchReport]":
        ticket = Ticket(key=str(next(self._keys)), upload=upload)
        with self._lock:
            is_closed, trouble = self._is_closed, self._trouble
            if not is_closed and trouble is None:
                self._tickets[ticket.key] = ticket
        if is_closed:
            ticket.future.cancel()
        elif trouble is not None:
            ticket.settle(_again(trouble))
        else:
            ticket.future.add_done_callback(self._hear_of_cancel)
            self._to_fetch.put(ticket)
        return ticket.future

    def check(self) -> None:
        """Say whether uploads can be looked at; cheap, from any thread.

        Raises:
            SetupError: none ever can.
        """
        trouble = self._trouble
        if trouble is not None:
            raise _again(trouble)

    def close(self) -> None:
        """Abandon everything, end all threads and children; at once, more than once."""
        with self._lock:
            self._is_closed = True
            tickets, self._tickets = list(self._tickets.values()), {}
        for ticket in tickets:
            ticket.future.cancel()
        self._describing.stop()
        for pool in self._dense_pools:
            pool.stop()
        for _ in self._threads:
            self._to_fetch.put(None)
            self._to_match.put(None)
        until_s = time.monotonic() + _CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        for ticket in tickets:
            ticket.drop()

    def _fetch_uploads(self) -> None:
        for ticket in iter(self._to_fetch.get, None):
            self._attempt(ticket, self._fetch)

    def _fetch(self, ticket: Ticket) -> None:
        ticket.fetch(self._fetcher)
        self._describing.put(ticket)

    def _describe_uploads(self) -> None:
        trouble = SetupError("the thread that describes uploads has ended", reason="internal")
        try:
            self._describing.run()
        except SetupError as error:
            trouble = error
        finally:
            with self._lock:
                self._trouble = trouble
                tickets, self._tickets = list(self._tickets.values()), {}
            for ticket in tickets:
                ticket.settle(_again(trouble))

    def _hand_on(self, ticket: Ticket, examination: Examination, descriptors: Descriptors) -> None:
        self._to_match.put((ticket, examination, descriptors))

    def _match_uploads(self, dense_pool: DecodePool) -> None:
        with dense_pool:
            for ticket, examination, descriptors in iter(self._to_match.get, None):
                self._attempt(ticket, partial(self._match, examination, descriptors, dense_pool))

    def _match(
        self,
        examination: Examination,
        descriptors: Descriptors,
        dense_pool: DecodePool,
        ticket: Ticket,
    ) -> MatchReport:
        denser = denser_for(self.detector, dense_pool, examination, descriptors)
        index = self._current_index()
        report = self.detector.match(examination, descriptors, index, denser=denser)
        return replace(report, elapsed_s={**ticket.elapsed_s, **report.elapsed_s})

    def _attempt(self, ticket: Ticket, deed: Callable[[Ticket], MatchReport | None]) -> None:
        """Do a part of the work on one ticket; whatever goes wrong is the trouble of that ticket.

        Args:
            ticket: not touched any more when nobody waits for it.
            deed: gives the last word, or nothing when another thread has the ticket now.
        """
        outcome: Outcome | None = None
        try:
            if ticket.is_wanted:
                outcome = deed(ticket)
        except VcdError as error:
            outcome = error
        except Exception as error:
            _logger.exception("an upload met an error of ours", extra=ticket.log_fields)
            outcome = unforeseen(ticket, error)
        if outcome is not None:
            self._settle(ticket, outcome)
        elif not ticket.is_wanted:
            ticket.drop()

    def _settle(self, ticket: Ticket, outcome: Outcome) -> None:
        with self._lock:
            is_ours = self._tickets.pop(ticket.key, None) is not None
        if is_ours:
            ticket.settle(outcome)
        else:
            ticket.drop()

    def _hear_of_cancel(self, future: "Future[MatchReport]") -> None:
        """Have its child ended; the thread that has the ticket lets go of the file."""
        if future.cancelled():
            self._describing.look_again()


@contextlib.contextmanager
def open_stage(
    detector: Detector,
    settings: Settings,
    *,
    current_index: Callable[[], Index],
    fetcher: Fetcher,
) -> Iterator[DetectorStage]:
    """Start the threads of a stage; end them, and all children, on the way out.

    The detector comes first (`pipelines.matching.open_matcher`), because the index needs to
    know its space, and this stage needs the index.

    Args:
        detector: its pool belongs to the stage from now on.
        settings: those that the detector was made with; ``media.rate_hz`` is the index's, and
            ``evidence.in_reports`` has each match explained.
        current_index: the references as they are now; asked once for each upload.
        fetcher: brings uploads here; closed by whoever made it, after this.
    """
    if settings.evidence.in_reports:
        detector = replace(detector, explain=explain_match)
    dense = replace(settings.media, num_children=1)
    stage = DetectorStage(
        detector,
        fetcher=fetcher,
        current_index=current_index,
        open_dense_pool=lambda: DecodePool(dense),
        plan=StagePlan(
            rate_hz=settings.media.rate_hz,
            num_fetchers=settings.stream.window,
        ),
    )
    try:
        yield stage
    finally:
        stage.close()


def _started(name: str, target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, name=f"vcd-{name}", daemon=True)
    thread.start()
    return thread


def _again(error: SetupError) -> SetupError:
    """Say it once more: an exception that is raised in two threads gathers their stacks."""
    return SetupError(str(error), reason=error.reason)
