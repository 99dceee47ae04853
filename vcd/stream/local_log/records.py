"""Records in the file of a local log: appended behind the last, read in order."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vcd.core import SetupError
from vcd.stream.local_log.schema import MAX_OFFSETS, first_id
from vcd.stream.log import Headers, Partition, Place, Record

__all__ = ["Cursors", "Draft", "append", "ends", "headers_text", "partitions_of_topic"]

_MAX_PORTION_BYTES = 32 * 2**20
"""No more than this, and one record, is taken at once, however many were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record that has a partition and no offset yet."""

    key: bytes | None
    value: bytes | None
    headers: str | None
    time_s: float


def partitions_of_topic(connection: sqlite3.Connection, topic: str) -> dict[int, Partition]:
    """List the partitions of a topic by their row, in order.

    Raises:
        SetupError: there is no such topic.
    """
    rows = connection.execute(
        "select id, number from partition where topic = ? order by number", (topic,)
    ).fetchall()
    if not rows:
        raise SetupError(f"there is no topic {topic}; `vcd log create` makes the topics")
    return {partition: Partition(topic, number) for partition, number in rows}


def ends(connection: sqlite3.Connection, partitions: Iterable[int]) -> dict[int, int]:
    """Read the offset behind the last record of each partition."""
    wanted = set(partitions)
    rows = connection.execute("select id, next_offset from partition order by id")
    return {partition: offset for partition, offset in rows if partition in wanted}


def append(connection: sqlite3.Connection, drafts: Sequence[tuple[int, Draft]]) -> list[int]:
    """Append records to their partitions, inside a transaction; returns their offsets."""
    heads = ends(connection, {partition for partition, _ in drafts})
    offsets: list[int] = []
    for partition, _ in drafts:
        offsets.append(heads[partition])
        heads[partition] += 1
    connection.executemany(
        "insert into record (id, key, time_s, headers, value) values (?, ?, ?, ?, ?)",
        [
            (first_id(partition, offset), d.key, d.time_s, d.headers, d.value)
            for (partition, d), offset in zip(drafts, offsets, strict=True)
        ],
    )
    connection.executemany(
        "update partition set next_offset = ? where id = ?",
        [(offset, partition) for partition, offset in heads.items()],
    )
    return offsets


class Cursors:
    """Where one reader stands in each of its partitions."""

    def __init__(self, connection: sqlite3.Connection, partitions: Mapping[int, Partition]) -> None:
        """Stand nowhere yet; ``positions`` is set by the owner, partition row -> next offset."""
        self._connection = connection
        self._partitions = partitions
        self._turn = 0
        self.positions: dict[int, int] = {}

    def take(self, limit: int, paused: frozenset[Partition] = frozenset()) -> list[Record]:
        """Read on in the partitions, another one first each time; never more than asked for."""
        open_ones = [p for p in sorted(self.positions) if self._partitions[p] not in paused]
        if limit <= 0 or not open_ones:
            return []
        heads = ends(self._connection, open_ones)
        self._turn = (self._turn + 1) % len(open_ones)
        records: list[Record] = []
        behind: dict[int, int] = {}
        for partition in open_ones[self._turn :] + open_ones[: self._turn]:
            if len(records) < limit and self.positions[partition] < heads[partition]:
                found, next_offset = self._read(partition, heads[partition], limit - len(records))
                records += found
                behind[partition] = next_offset
        self.positions |= behind  # all or none: what a failure kept from the caller is still ahead
        return records

    def _read(self, partition: int, head: int, limit: int) -> tuple[list[Record], int]:
        rows = self._connection.execute(
            "select id, key, value, headers, time_s from record"
            " where id >= ? and id < ? order by id limit ?",
            (first_id(partition, self.positions[partition]), first_id(partition, head), limit),
        )
        records: list[Record] = []
        num_bytes = 0
        for row in rows:
            records.append(_record(self._partitions[partition], row))
            num_bytes += len(row[2] or b"")
            if num_bytes >= _MAX_PORTION_BYTES:
                break
        rows.close()
        is_read_up = len(records) < limit and num_bytes < _MAX_PORTION_BYTES
        return records, head if is_read_up else records[-1].place.offset + 1


def _record(
    partition: Partition, row: tuple[int, bytes | None, bytes | None, str | None, float]
) -> Record:
    row_id, key, value, headers, time_s = row
    return Record(
        place=Place(partition, row_id % MAX_OFFSETS),
        key=key,
        value=value,
        headers=_headers(headers),
        time_s=time_s,
    )


def headers_text(headers: Headers) -> str | None:
    """Write headers as the file keeps them."""
    if not headers:
        return None
    return json.dumps([[name, value.decode("latin-1")] for name, value in headers])


def _headers(text: str | None) -> Headers:
    if text is None:
        return ()
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(text))
