"""Delete what the topics of a local log need no more, a portion at a time.

Retention goes by the age of a record alone, as Kafka's does: what a group has not
read by then is gone for it. Compaction keeps the last record of every key; a
tombstone stays like any other last record, so that a reader sees the removal
however long it was away. Offsets never change: gaps appear.
"""

import sqlite3
from collections.abc import Iterator

from vcd.stream.local_log.schema import MAX_OFFSETS, first_id, transaction

__all__ = ["clean"]

_PORTION = 500
"""Records of one transaction: others wait some milliseconds for it."""

_MIN_DIRTY = 1_000
"""Fewer new records than this, or than what was kept last time, are not worth a compaction."""

_COMPACTION_LAG_S = 3_600.0
"""A younger record stays although a later one has its key: who follows a topic sees it."""


def clean(connection: sqlite3.Connection, now_s: float) -> Iterator[None]:
    """Trim and compact all topics; yields after each portion, and may be left off at any.

    Args:
        connection: to a local log, outside of a transaction.
        now_s: seconds since 1970, the clock of the records.
    """
    topics = connection.execute("select name, is_compacted, retention_s from topic").fetchall()
    for topic, is_compacted, retention_s in topics:
        rows = connection.execute("select id from partition where topic = ?", (topic,)).fetchall()
        for (partition,) in rows:
            if retention_s is not None:
                yield from _trim(connection, partition, now_s - retention_s)
            if is_compacted:
                yield from _compact(connection, partition, now_s - _COMPACTION_LAG_S)


def _trim(connection: sqlite3.Connection, partition: int, before_s: float) -> Iterator[None]:
    """Delete the old beginning of a partition."""
    first, stop = first_id(partition), first_id(partition + 1)
    kept = connection.execute(
        "select id from record where id >= ? and id < ? and time_s >= ? order by id limit 1",
        (first, stop, before_s),
    ).fetchone()
    doomed = connection.execute(
        "select id from record where id >= ? and id < ? order by id",
        (first, kept[0] if kept else stop),
    ).fetchall()
    yield from _delete(connection, [row_id for (row_id,) in doomed])


def _compact(connection: sqlite3.Connection, partition: int, before_s: float) -> Iterator[None]:
    """Delete the records that a later one of the same key has made void."""
    cleaned, num_clean, head = connection.execute(
        "select cleaned_offset, num_clean, next_offset from partition where id = ?", (partition,)
    ).fetchone()
    if head - cleaned < max(_MIN_DIRTY, num_clean):
        return
    first, stop = first_id(partition), first_id(partition, head)
    old = connection.execute(
        "select id from record where id >= ? and id < ? and time_s < ? order by id desc limit 1",
        (first, stop, before_s),
    ).fetchone()
    if old is None or old[0] % MAX_OFFSETS < cleaned:
        return
    doomed = connection.execute(
        "select id from (select id, row_number() over (partition by key order by id desc) as place"
        " from record where id >= ? and id < ? and key is not null) where place > 1 and id <= ?",
        (first, stop, old[0]),
    ).fetchall()
    yield from _delete(connection, [row_id for (row_id,) in doomed])
    with transaction(connection):
        connection.execute(
            "update partition set cleaned_offset = ?, num_clean ="
            " (select count(*) from record where id >= ? and id <= ?) where id = ?",
            (old[0] % MAX_OFFSETS + 1, first, old[0], partition),
        )


def _delete(connection: sqlite3.Connection, doomed: list[int]) -> Iterator[None]:
    for start in range(0, len(doomed), _PORTION):
        portion = [(row_id,) for row_id in doomed[start : start + _PORTION]]
        with transaction(connection):
            connection.executemany("delete from record where id = ?", portion)
        yield
