"""Where a reader of a local log stands, also when the file fails in the middle of reading."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from vcd.stream.local_log.records import Cursors, Draft, append, partitions_of_topic
from vcd.stream.local_log.schema import connect, create
from vcd.stream.log import TopicSpec


class _FailingOnce:
    """A connection whose second portion of records cannot be read, once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._portions = 0

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if "from record" in statement:
            self._portions += 1
            if self._portions == 2:
                raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, values)


def test_a_read_that_fails_half_way_forgets_no_record(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    create(path, (TopicSpec(name="uploads", num_partitions=2),))
    with closing(connect(path)) as connection:
        partitions = partitions_of_topic(connection, "uploads")
        draft = Draft(key=b"k", value=b"v", headers=None, time_s=0.0)
        append(connection, [(row, draft) for row in partitions])
        cursors = Cursors(cast("sqlite3.Connection", _FailingOnce(connection)), partitions)
        cursors.positions = dict.fromkeys(partitions, 0)

        with pytest.raises(sqlite3.OperationalError):
            cursors.take(10)
        records = cursors.take(10)

    assert {record.place.partition for record in records} == set(partitions.values())
