"""Read a local log: as a member of a group, or a whole topic for oneself."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vcd.core import SetupError
from vcd.stream.local_log.group import Membership, committed
from vcd.stream.local_log.records import Cursors, ends, partitions_of_topic
from vcd.stream.local_log.schema import check_mark, connect, file_mark, first_id, trouble
from vcd.stream.log import Commit, Listener, Partition, Record

__all__ = ["LocalReader", "LocalTail"]

_LOOK_EVERY_S = 0.02
"""How soon a waiting reader sees a new record; a look costs some 50 microseconds."""

_log = logging.getLogger(__name__)


class _Watch:
    """Waits for records without ever being loud about trouble that may pass."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = file_mark(path)
        self._complaint = ""

    def poll(self, timeout_s: float, look: Callable[[], list[Record]]) -> list[Record]:
        """Look again and again until there is a record or time is up."""
        deadline = time.monotonic() + timeout_s
        while True:
            records = self._look(look)
            remaining_s = deadline - time.monotonic()
            if records or remaining_s <= 0:
                return records
            time.sleep(min(_LOOK_EVERY_S, remaining_s))

    def _look(self, look: Callable[[], list[Record]]) -> list[Record]:
        check_mark(self._path, self._mark)
        try:
            records = look()
        except sqlite3.Error as error:
            self._complain(error)
            return []
        self._complaint = ""
        return records

    def _complain(self, error: sqlite3.Error) -> None:
        failure = trouble(error, self._path)
        if isinstance(failure, SetupError):
            raise failure from error
        if str(failure) != self._complaint:
            self._complaint = str(failure)
            _log.warning("nothing can be read: %s", failure)


class LocalReader:
    """Keeps the protocol `vcd.stream.log.Reader`."""

    def __init__(
        self,
        path: Path,
        group: str,
        topics: Sequence[str],
        listener: Listener,
        timeout_s: float,
    ) -> None:
        """Open the file; the first poll joins the group.

        Raises:
            SetupError: there is no such log, or no such topic.
            TransientError: it cannot be opened now.
        """
        self._path = path
        self._watch = _Watch(path)
        self._group = group
        self._listener = listener
        self._connection = connect(path)
        self._partitions: dict[int, Partition] = {}
        try:
            for topic in topics:
                self._partitions |= partitions_of_topic(self._connection, topic)
        except sqlite3.Error as error:
            self._connection.close()
            raise trouble(error, path) from error
        except SetupError:
            self._connection.close()
            raise
        self._rows = {partition: row for row, partition in self._partitions.items()}
        self._cursors = Cursors(self._connection, self._partitions)
        self._membership = Membership(self._connection, group, self._partitions, timeout_s)
        self._leaving: dict[int, Commit | None] = {}
        self._is_closed = False

    def poll(
        self, timeout_s: float, *, limit: int, paused: frozenset[Partition] = frozenset()
    ) -> list[Record]:
        def look() -> list[Record]:
            self._keep_membership()
            return self._cursors.take(limit, paused)

        return self._watch.poll(timeout_s, look)

    def commit(self, commits: Mapping[Partition, Commit]) -> bool:
        ours = {
            self._rows[partition]: _checked(partition, commit)
            for partition, commit in commits.items()
            if self._rows.get(partition) in self._cursors.positions
        }
        try:
            if ours:
                self._membership.commit(ours)
        except sqlite3.Error as error:
            _log.warning("nothing can be committed: %s", trouble(error, self._path))
            return False
        return True

    def committed(self, partition: Partition) -> Commit | None:
        try:
            return committed(self._connection, self._group, self._rows[partition])
        except sqlite3.Error as error:
            raise trouble(error, self._path) from error

    def lag(self) -> Mapping[Partition, int]:
        """Count what is behind the commits; empty while the file cannot be read."""
        try:
            heads = ends(self._connection, self._cursors.positions)
            return {
                self._partitions[row]: head - self._done_before(row, head)
                for row, head in heads.items()
            }
        except sqlite3.Error as error:
            _log.warning("the lag is not known: %s", trouble(error, self._path))
            return {}

    def blocked(self) -> Mapping[Partition, str]:
        """Name none: what is in the file can be read, or the file as a whole cannot."""
        return {}

    def close(self, timeout_s: float) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        commits = self._release(frozenset(self._cursors.positions)) | self._leaving
        deadline = time.monotonic() + timeout_s
        while not self._has_left(commits) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
        self._connection.close()

    def _has_left(self, commits: Mapping[int, Commit | None]) -> bool:
        try:
            self._membership.leave({row: c for row, c in commits.items() if c is not None})
        except sqlite3.Error as error:
            failure = trouble(error, self._path)
            _log.warning("the group %s cannot be left: %s", self._group, failure)
            return isinstance(failure, SetupError)
        return True

    def _keep_membership(self) -> None:
        """Be heard of, give back what others wait for, take what is free."""
        if self._leaving:
            self._membership.free(self._leaving)
            self._leaving = {}
        if not self._membership.is_due():
            return
        settlement = self._membership.settle()
        if settlement is None:
            self._lose()
            return
        if settlement.gained:
            for row, commit in settlement.gained.items():
                self._cursors.positions[row] = commit.offset if commit else 0
            self._listener.gained(frozenset(self._partitions[row] for row in settlement.gained))
        if settlement.surplus:
            self._leaving = self._release(settlement.surplus)
            self._membership.free(self._leaving)
            self._leaving = {}

    def _release(self, rows: frozenset[int]) -> dict[int, Commit | None]:
        """Hear from the listener how far it came; from here on the partitions are not ours."""
        if not rows:
            return {}
        commits = self._listener.released(frozenset(self._partitions[row] for row in rows))
        for row in rows:
            del self._cursors.positions[row]
        return {row: commits.get(self._partitions[row]) for row in rows}

    def _lose(self) -> None:
        lost = frozenset(self._partitions[row] for row in self._cursors.positions)
        self._cursors.positions.clear()
        _log.warning("declared dead by the group %s: lost %s", self._group, len(lost))
        if lost:
            self._listener.lost(lost)

    def _done_before(self, row: int, head: int) -> int:
        commit = committed(self._connection, self._group, row)
        if commit is not None:
            return commit.offset
        (first,) = self._connection.execute(
            "select min(id) from record where id >= ? and id < ?",
            (first_id(row), first_id(row, head)),
        ).fetchone()
        return head if first is None else int(first) - first_id(row)


class LocalTail:
    """Keeps the protocol `vcd.stream.log.Tail`."""

    def __init__(self, path: Path, topic: str, start: Mapping[int, int] | None) -> None:
        """Open the file.

        Raises:
            SetupError: there is no such log, or no such topic.
            TransientError: it cannot be opened now.
        """
        self._path = path
        self._watch = _Watch(path)
        self._connection = connect(path)
        try:
            self._partitions = partitions_of_topic(self._connection, topic)
        except sqlite3.Error as error:
            self._connection.close()
            raise trouble(error, path) from error
        except SetupError:
            self._connection.close()
            raise
        self._cursors = Cursors(self._connection, self._partitions)
        for row, partition in self._partitions.items():
            self._cursors.positions[row] = (start or {}).get(partition.index, 0)

    def poll(self, timeout_s: float, *, limit: int) -> list[Record]:
        return self._watch.poll(timeout_s, lambda: self._cursors.take(limit))

    def positions(self) -> Mapping[int, int]:
        return self._by_index(self._cursors.positions)

    def ends(self) -> Mapping[int, int]:
        try:
            return self._by_index(ends(self._connection, self._partitions))
        except sqlite3.Error as error:
            raise trouble(error, self._path) from error

    def close(self) -> None:
        self._connection.close()

    def _by_index(self, offsets: Mapping[int, int]) -> dict[int, int]:
        return {self._partitions[row].index: offset for row, offset in offsets.items()}


def _checked(partition: Partition, commit: Commit) -> Commit:
    """Refuse what the other log would refuse."""
    if len(commit.note.encode()) > 4096:
        raise ValueError(f"{partition}: the note of a commit is longer than 4,096 bytes")
    return commit
