"""The worker: uploads in, verdicts out, and an upload is done only when its verdict is durable.

    poll -> hold -> begin -> stage -> publish -> durable -> watermark -> commit

It knows a `Log` and a `Stage` and nothing of either's inside. docs/design/worker.md
says what becomes of an upload under every failure, and why.
"""

import logging
import time
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from vcd.core import SetupError
from vcd.stream.log import Log, Partition, Reader, Writer
from vcd.stream.metrics import StreamMetrics
from vcd.stream.settings import StreamSettings
from vcd.stream.stage import Stage
from vcd.stream.topics import BACKFILL, DEAD_LETTERS, REPORTS, UPLOADS
from vcd.stream.worker.flights import Desk, Flights
from vcd.stream.worker.loop import Loop
from vcd.stream.worker.ownership import Ownership
from vcd.stream.worker.retry import RetryPolicy
from vcd.stream.worker.watchdog import Watchdog, Watched

__all__ = ["Worker"]

_RESERVE_SHARE = 0.4
_MAX_RESERVE_S = 10.0
"""Of the grace: for the last answers, the last commit and the goodbyes."""

_MAX_SILENT_SENDS = 4
"""In units of ``max_silence_s``, before a sending without any answer means a wedged client."""

_logger = logging.getLogger(__name__)


class Worker:
    """Takes uploads from a log, has a stage look at them, writes what it says.

    The log and the stage are closed by whoever made them.

    Args:
        log: where uploads come from and verdicts go to.
        stage: looks at uploads.
        settings: how much, how often, how long.
        metrics: counts what happens.
        name: of this worker, written beside its verdicts.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        log: Log,
        stage: Stage,
        settings: StreamSettings,
        *,
        metrics: StreamMetrics,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._stage = stage
        self._settings = settings
        self._metrics = metrics
        self._name = name
        self._clock = clock
        self._num_stops = 0
        self._checks: list[Callable[[], None]] = []
        self._made_s = clock()
        self._ownership = Ownership(metrics, max_crashes=settings.max_crashes)
        self._loop: Loop | None = None

    def run(self) -> None:
        """Work until `stop`, then finish what can be finished; returns when all is said.

        Raises:
            SetupError: nothing can succeed until somebody changes the set-up; what was not done
                is not committed.
            TransientError: the log cannot be opened now.
        """
        self._check_topics()
        writer = self._log.writer()
        try:
            topics = (UPLOADS, BACKFILL)
            reader = self._log.reader(self._settings.group, topics, self._ownership)
        except BaseException:
            writer.close(0.0)
            raise
        shift = _Shift(reader, writer, Flights(self._desk(writer)), self._ownership, self._clock)
        self._loop = Loop(
            reader, self._ownership, shift.flights, self._metrics, self._settings, self._clock
        )
        try:
            with self._watchdog(shift.flights, self._loop):
                self._work(self._loop, shift)
        except BaseException as error:
            if not isinstance(error, SetupError):
                self._ownership.forsake()
            raise
        finally:
            shift.close()

    def also_needs(self, check: Callable[[], None]) -> None:
        """Call this at each turn, before `run`: its `SetupError` ends the work, uploads or not.

        Args:
            check: raises when nothing can be looked at any more; short.
        """
        self._checks.append(check)

    def stop(self) -> None:
        """Ask for the end; a second time: for the end now. Safe in a signal handler."""
        self._num_stops += 1

    @property
    def last_tick_s(self) -> float:
        """When the loop turned last, on the worker's clock."""
        return self._made_s if self._loop is None else self._loop.last_turn_s

    @property
    def owned(self) -> frozenset[Partition]:
        """Which partitions this worker reads."""
        return self._ownership.partitions

    @property
    def blocked(self) -> Mapping[Partition, str]:
        """Which partitions have a next record that cannot be read, each with a sentence."""
        return {} if self._loop is None else self._loop.blocked

    @property
    def is_leaving(self) -> bool:
        """Whether it was asked to stop."""
        return self._num_stops > 0

    def _work(self, loop: Loop, shift: "_Shift") -> None:
        _logger.info("worker %s takes part in group %s", self._name, self._settings.group)
        try:
            while not self._num_stops:
                for check in self._checks:
                    check()
                loop.turn()
        except SetupError as error:
            _logger.critical("worker %s stops: %s", self._name, error)
            shift.leave(loop, self._clock() + self._reserve_s, is_hasty=lambda: self._num_stops > 0)
            raise
        end_s = self._clock() + self._settings.grace_s
        loop.wind_down()
        _logger.info("worker %s finishes %d uploads", self._name, len(shift.flights))
        while (
            len(shift.flights) and self._num_stops < 2 and self._clock() < end_s - self._reserve_s
        ):
            loop.turn()
        num_left = len(shift.flights)
        shift.leave(loop, end_s, is_hasty=lambda: self._num_stops > 1)
        _logger.info("worker %s left; %d uploads are left to others", self._name, num_left)

    @property
    def _reserve_s(self) -> float:
        return min(_MAX_RESERVE_S, _RESERVE_SHARE * self._settings.grace_s)

    def _desk(self, writer: Writer) -> Desk:
        rng = np.random.default_rng(zlib.crc32(self._name.encode()))
        return Desk(
            stage=self._stage,
            writer=writer,
            ownership=self._ownership,
            metrics=self._metrics,
            settings=self._settings,
            retries=RetryPolicy(self._settings, rng),
            name=self._name,
            clock=self._clock,
        )

    def _watchdog(self, flights: Flights, loop: Loop) -> Watchdog:
        silence_s = self._settings.max_silence_s
        return Watchdog(
            [
                Watched("the main loop did not turn", lambda: loop.num_beats, silence_s),
                Watched(
                    "the log answered nothing to a record that was sent",
                    lambda: flights.oldest_send,
                    _MAX_SILENT_SENDS * silence_s,
                ),
            ]
        )

    def _check_topics(self) -> None:
        there = self._log.topics()
        missing = [
            topic for topic in (UPLOADS, BACKFILL, REPORTS, DEAD_LETTERS) if topic not in there
        ]
        if missing:
            raise SetupError(
                f"{self._log.address} has no topic {', '.join(missing)}; "
                f"`vcd log create --log {self._log.address}` makes them"
            )


class _Shift:
    """What has to be closed at the end, in order, each in a part of the time that is left."""

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        flights: Flights,
        ownership: Ownership,
        clock: Callable[[], float],
    ) -> None:
        self.flights = flights
        self._reader = reader
        self._writer = writer
        self._ownership = ownership
        self._clock = clock
        self._end_s = clock()

    def leave(self, loop: Loop, end_s: float, *, is_hasty: Callable[[], bool]) -> None:
        """Leave in good order: the last answers, then the last commit, as often as it takes."""
        self._end_s = end_s
        self.flights.wind_down()
        self.flights.abandon_all()
        if not is_hasty():
            self._writer.flush(self._left_s() / 3)
        self.flights.collect_rest()
        commits = self._ownership.leave()
        while not loop.commit(commits):
            if is_hasty() or self._left_s() <= 0:
                _logger.warning("the last commit was not kept; what it covers is done again")
                return
            self._reader.poll(0.05, limit=0)
            self.flights.collect_rest()
            commits = self._ownership.leave()

    def close(self) -> None:
        try:
            self._reader.close(max(1.0, self._left_s() / 2))
        finally:
            self._writer.close(max(1.0, self._left_s()))

    def _left_s(self) -> float:
        return max(0.0, self._end_s - self._clock())
