"""The turns of a worker: collect, send again, take, begin, commit, look around.

One thread turns, and it alone talks to the reader. Nothing here waits for an
upload: a turn takes 20 ms while something is in flight and 0.2 s when nothing is.
"""

import logging
from collections.abc import Callable, Mapping

from vcd.core import TransientError
from vcd.stream.log import Commit, Partition, Reader, Record
from vcd.stream.metrics import StreamMetrics
from vcd.stream.settings import StreamSettings
from vcd.stream.topics import BACKFILL, LANES
from vcd.stream.worker.assignment import Assignment, lane_of
from vcd.stream.worker.flights import Flights
from vcd.stream.worker.ownership import Ownership

__all__ = ["Loop"]

_BUSY_S = 0.02
_IDLE_S = 0.2
_TRY_AGAIN_S = 0.25
"""Between two questions, or two notes, that the log did not answer."""

_CAREFUL_S = 5.0
"""How long a partition whose records are tried alone may keep the others waiting for the next."""

_LOOK_EVERY_S = 5.0

_logger = logging.getLogger(__name__)


class Loop:
    """What the poll thread does, turn by turn.

    Attributes:
        num_beats: turns and commits so far; a watchdog looks at it.
        last_turn_s: when the last one ended, on the worker's clock.
        blocked: partitions whose next record cannot be read, each with a sentence.
    """

    def __init__(
        self,
        reader: Reader,
        ownership: Ownership,
        flights: Flights,
        metrics: StreamMetrics,
        settings: StreamSettings,
        clock: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._ownership = ownership
        self._flights = flights
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self.num_beats = 0
        self.last_turn_s = clock()
        self.blocked: Mapping[Partition, str] = {}
        self._is_live_short = True
        self._is_ending = False
        self._next_commit_s = clock() + settings.commit_every_s
        self._next_look_s = clock()
        self._next_note_s = clock()
        self._num_silences = 0
        self._careful_s = clock()

    def turn(self) -> None:
        """Do one round.

        Raises:
            SetupError: nothing can succeed until somebody changes the set-up.
        """
        self._flights.collect(0.0)
        self._flights.wake()
        for record in self._poll():
            self._deliver(record)
        self._flights.abandon_lost()
        if not self._is_ending:
            self._begin()
        self._commit_when_due()
        self._look_around()
        self.num_beats += 1
        self.last_turn_s = self._clock()

    def wind_down(self) -> None:
        """Begin nothing any more; turns from now on only finish what is in flight."""
        self._is_ending = True
        self._flights.wind_down()

    def commit(self, commits: Mapping[Partition, Commit]) -> bool:
        """Have these kept; False when that did not work now."""
        self.num_beats += 1
        if not commits:
            return True
        are_kept = self._reader.commit(commits)
        self._ownership.commits_kept(commits, are_kept=are_kept)
        self._metrics.committed(ok=are_kept)
        if not are_kept:
            _logger.info("a commit of %d partitions was not kept, it is tried again", len(commits))
        return are_kept

    def _poll(self) -> list[Record]:
        """Take as many records as there is room for, fresh uploads first."""
        assignments = self._ownership.assignments()
        careful = self._careful(assignments)
        if careful is not None and not self._is_ending:
            return self._poll_alone(careful, assignments)
        num_held = sum(len(one.held) for one in assignments)
        room = self._settings.window - len(self._flights) - num_held
        if self._is_ending or room <= 0:
            records = self._reader.poll(0.0, limit=0)
            self._flights.collect(_BUSY_S)
            return records
        paused = {one.partition for one in assignments if one.span >= self._settings.max_span}
        backfill_room = min(room, self._backfill_room(assignments))
        has_backfill = self._is_live_short and backfill_room > 0
        if not has_backfill:
            paused |= {one.partition for one in assignments if one.partition.topic == BACKFILL}
        limit = backfill_room if has_backfill else room
        is_idle = not len(self._flights) and not num_held
        wait_s = _IDLE_S if is_idle else _BUSY_S
        if not self._is_live_short:
            wait_s = 0.0  # only asks whether fresh uploads are left
        records = self._reader.poll(wait_s, limit=limit, paused=frozenset(paused))
        self._is_live_short = len(records) < limit
        return records

    def _poll_alone(self, careful: Assignment, assignments: list[Assignment]) -> list[Record]:
        """Take a single record of a partition whose records are tried alone."""
        others = frozenset(one.partition for one in assignments if one is not careful)
        limit = 1 if careful.is_idle and not len(self._flights) else 0
        if not limit:
            self._flights.collect(_BUSY_S)
        return self._reader.poll(_BUSY_S if limit else 0.0, limit=limit, paused=others)

    def _backfill_room(self, assignments: list[Assignment]) -> int:
        most = max(1, int(self._settings.window * self._settings.backfill_share))
        held = sum(len(one.held) for one in assignments if one.partition.topic == BACKFILL)
        return most - held - self._flights.num_in("backfill")

    def _careful(self, assignments: list[Assignment]) -> Assignment | None:
        """Choose the partition that has this worker to itself now, if any."""
        careful = [one for one in assignments if one.is_careful]
        if not careful:
            self._careful_s = self._clock()
            return None
        busy = [one for one in careful if not one.is_idle]
        if busy:
            self._careful_s = self._clock()
            return busy[0]
        return careful[0] if self._clock() - self._careful_s < _CAREFUL_S else None

    def _deliver(self, record: Record) -> None:
        if self._ownership.deliver(record):
            self._known(record)

    def _known(self, record: Record) -> None:
        _logger.info("%s was done already", record.place, extra={"place": str(record.place)})
        self._metrics.upload_done(lane_of(record.place.partition), "known", 0.0)

    def _begin(self) -> None:
        """Begin what is held, once the notes that must come first are kept."""
        held = [one for one in self._ownership.assignments() if one.held]
        is_time = self._clock() >= self._next_note_s
        if is_time:
            self._open(held)
        assignments = self._ownership.assignments()
        careful = self._careful(assignments)
        if careful is not None:
            held = [careful] if careful.held and not len(self._flights) else []
        accusing = [one for one in assignments if one.is_accusing] if held else []
        if is_time and not self.commit(self._ownership.announcements({*held, *accusing})):
            self._next_note_s = self._clock() + _TRY_AGAIN_S
        if any(one.is_accusing for one in accusing):
            return
        for assignment in held:
            for record in self._ownership.take(assignment):
                self._flights.begin(assignment, record)

    def _open(self, assignments: list[Assignment]) -> None:
        """Read where the last owners left off; of a silent log, ask one question a turn."""
        new_ones = [one for one in assignments if not one.is_open]
        first = self._num_silences % max(1, len(new_ones))
        for assignment in new_ones[first:] + new_ones[:first]:
            try:
                committed = self._reader.committed(assignment.partition)
            except TransientError as error:
                _logger.info("%s waits for its last commit: %s", assignment.partition, error)
                self._next_note_s = self._clock() + _TRY_AGAIN_S
                self._num_silences += 1  # the next time another is asked first
                return
            for record in self._ownership.open(assignment, committed):
                self._known(record)

    def _commit_when_due(self) -> None:
        """Commit at intervals; at once where each outcome decides about a suspicion."""
        now_s = self._clock()
        is_urgent = now_s >= self._next_note_s and any(
            one.is_careful or one.is_accusing for one in self._ownership.assignments()
        )
        if now_s < self._next_commit_s and not is_urgent:
            return
        self._next_commit_s = now_s + self._settings.commit_every_s
        if not self.commit(self._ownership.due_commits()):
            self._next_note_s = now_s + _TRY_AGAIN_S

    def _look_around(self) -> None:
        """Tell whoever watches how things are."""
        for lane in LANES:
            self._metrics.in_flight(lane, self._flights.num_in(lane))
        now_s = self._clock()
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _LOOK_EVERY_S
        for partition, num_records in self._reader.lag().items():
            self._metrics.lag(partition, num_records)
        blocked = dict(self._reader.blocked())
        for partition in blocked.keys() - self.blocked.keys():
            _logger.error("%s is blocked: %s", partition, blocked[partition])
        self.blocked = blocked
        self._metrics.blocked(len(blocked))
