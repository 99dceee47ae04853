"""Which partitions are ours now; the log tells it from whatever thread it likes."""

import logging
from collections.abc import Iterable, Mapping
from threading import Lock

from vcd.stream.log import Commit, Partition, Record
from vcd.stream.metrics import StreamMetrics
from vcd.stream.worker.assignment import Assignment

__all__ = ["Ownership"]

_logger = logging.getLogger(__name__)


class Ownership:
    """Keeps the protocol `vcd.stream.log.Listener`; every method is short and safe for threads.

    When a partition goes away, its watermark is returned to be committed and its
    `Assignment` is fenced, in one step: nothing that is finished later moves it.
    """

    def __init__(self, metrics: StreamMetrics, *, max_crashes: int) -> None:
        self._metrics = metrics
        self._max_crashes = max_crashes
        self._lock = Lock()
        self._assignments: dict[Partition, Assignment] = {}
        self._is_leaving = False
        self._is_broken = False

    def gained(self, partitions: frozenset[Partition]) -> None:
        with self._lock:
            for partition in partitions:
                self._fence(partition)
                self._assignments[partition] = Assignment(partition)
        self._tell("gained", partitions)

    def released(self, partitions: frozenset[Partition]) -> Mapping[Partition, Commit]:
        commits: dict[Partition, Commit] = {}
        with self._lock:
            for partition in partitions:
                assignment = self._fence(partition)
                if assignment is None or self._is_broken:
                    continue
                commit = assignment.commit(is_running=False)
                if commit is not None:
                    commits[partition] = commit
        self._tell("released", partitions)
        return commits

    def lost(self, partitions: frozenset[Partition]) -> None:
        with self._lock:
            for partition in partitions:
                self._fence(partition)
        self._tell("lost", partitions)

    @property
    def partitions(self) -> frozenset[Partition]:
        """What is ours now."""
        with self._lock:
            return frozenset(self._assignments)

    def assignments(self) -> list[Assignment]:
        """List what is ours now, in the order of the partitions."""
        with self._lock:
            return [self._assignments[partition] for partition in sorted(self._assignments)]

    def deliver(self, record: Record) -> bool:
        """Hold a record until it is begun; True when an earlier owner has done it."""
        with self._lock:
            assignment = self._assignments.get(record.place.partition)
            return assignment is not None and assignment.deliver(record)

    def open(self, assignment: Assignment, committed: Commit | None) -> list[Record]:
        """Go on where the last owner left off; returns the held records that are done already."""
        with self._lock:
            return assignment.open(committed, max_crashes=self._max_crashes)

    def take(self, assignment: Assignment) -> list[Record]:
        """Take the held records that may be begun now."""
        with self._lock:
            return assignment.take() if assignment.is_ours else []

    def finish(self, assignment: Assignment, offset: int) -> bool:
        """Count an outcome that is durable; False when its partition is not ours any more."""
        with self._lock:
            if assignment.is_ours:
                assignment.finish(offset)
            return assignment.is_ours

    def announcements(self, assignments: Iterable[Assignment]) -> dict[Partition, Commit]:
        """Write the notes that must be kept before what is held may be begun."""
        with self._lock:
            notes = {one.partition: one.announcement() for one in assignments if one.is_ours}
        return {partition: note for partition, note in notes.items() if note is not None}

    def due_commits(self) -> dict[Partition, Commit]:
        """Write what has changed since the last commit."""
        with self._lock:
            commits = {
                partition: one.commit(is_running=not self._is_leaving)
                for partition, one in self._assignments.items()
                if one.is_due
            }
        return {partition: commit for partition, commit in commits.items() if commit is not None}

    def commits_kept(self, partitions: Iterable[Partition], *, are_kept: bool) -> None:
        """Hear what became of the last commits."""
        with self._lock:
            for partition in partitions:
                assignment = self._assignments.get(partition)
                if assignment is not None and assignment.is_open:  # else it came back meanwhile
                    assignment.commit_kept(is_kept=are_kept)

    def leave(self) -> dict[Partition, Commit]:
        """Write the last commits: from now on no note says that somebody is at work."""
        with self._lock:
            self._is_leaving = True
            commits = {
                partition: one.commit(is_running=False)
                for partition, one in self._assignments.items()
            }
        return {partition: commit for partition, commit in commits.items() if commit is not None}

    def forsake(self) -> None:
        """Commit nothing any more: this worker is broken, and its notes shall say so."""
        with self._lock:
            self._is_broken = True

    def _fence(self, partition: Partition) -> Assignment | None:
        assignment = self._assignments.pop(partition, None)
        if assignment is not None:
            assignment.is_ours = False
        return assignment

    def _tell(self, kind: str, partitions: frozenset[Partition]) -> None:
        if not partitions:
            return
        self._metrics.rebalanced(kind, len(partitions))
        names = ", ".join(str(partition) for partition in sorted(partitions))
        _logger.log(logging.WARNING if kind == "lost" else logging.INFO, "%s: %s", kind, names)
