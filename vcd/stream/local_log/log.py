"""A durable message bus in one SQLite file, for one machine and no server.

Any number of processes of one host may open the file; not over a network file
system, whose locks cannot be relied on. `schema.py` has the tables,
`writer.py` appends, `reader.py` reads, `group.py` shares
partitions among readers.
"""

import sqlite3
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from vcd.core import SetupError, TransientError
from vcd.stream.local_log.group import committed
from vcd.stream.local_log.reader import LocalReader, LocalTail
from vcd.stream.local_log.records import ends, partitions_of_topic
from vcd.stream.local_log.schema import connect, create, trouble
from vcd.stream.local_log.writer import LocalWriter
from vcd.stream.log import Listener, Offsets, TopicSpec
from vcd.stream.settings import StreamSettings

__all__ = ["LocalLog"]

_Part = TypeVar("_Part", LocalReader, LocalTail, LocalWriter)

_CLOSING_S = 10.0
"""How long closing the log waits for what is still open: far above one commit."""


class LocalLog:
    """Keeps the protocol `vcd.stream.log.Log`.

    Holds no connection of its own: each question opens one, each reader, tail and writer has one.
    """

    def __init__(self, address: str, path: Path, stream: StreamSettings) -> None:
        """Remember where the file is; nothing is opened, nothing is made.

        Args:
            address: as given.
            path: of the file.
            stream: the session timeout is taken from here.
        """
        self._address = address
        self._path = path.expanduser().absolute()
        self._timeout_s = stream.session_timeout_s
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[LocalReader | LocalTail | LocalWriter] = weakref.WeakSet()

    @property
    def address(self) -> str:
        return self._address

    def identity(self) -> str:
        ((identity,),) = self._ask("select id from identity")
        return str(identity)

    def create_topics(self, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
        """Make the file, when it is missing, and the topics that are."""
        return create(self._path, tuple(specs))

    def topics(self) -> Mapping[str, int]:
        return dict(self._ask("select topic, count(*) from partition group by topic"))

    def offsets(self, group: str, topic: str) -> Offsets:
        try:
            with closing(connect(self._path)) as connection:
                partitions = partitions_of_topic(connection, topic)
                heads = ends(connection, partitions)
                commits = {row: committed(connection, group, row) for row in partitions}
        except sqlite3.Error as error:
            raise trouble(error, self._path) from error
        return Offsets(
            committed={partitions[row].index: c.offset for row, c in commits.items() if c},
            ends={partitions[row].index: offset for row, offset in heads.items()},
        )

    def reader(self, group: str, topics: Sequence[str], listener: Listener) -> LocalReader:
        return self._opened(LocalReader(self._path, group, topics, listener, self._timeout_s))

    def tail(self, topic: str, *, start: Mapping[int, int] | None = None) -> LocalTail:
        return self._opened(LocalTail(self._path, topic, start))

    def writer(self) -> LocalWriter:
        return self._opened(LocalWriter(self._path))

    def close(self) -> None:
        """Close what was opened through this log and is still open."""
        with self._lock:
            open_ones = list(self._open)
            self._open.clear()
        for part in open_ones:
            if isinstance(part, LocalTail):
                part.close()
            else:
                part.close(_CLOSING_S)

    def _opened(self, part: _Part) -> _Part:
        with self._lock:
            self._open.add(part)
        return part

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        try:
            with closing(connect(self._path)) as connection:
                return connection.execute(question).fetchall()
        except (sqlite3.Error, TransientError) as error:
            raise SetupError(f"the log {self._path} cannot be read: {error}") from error
