"""Uploads that died, and a log full of them."""

from tests.memory_log import MemoryLog
from vcd.core import InputError, TransientError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.topics import DEAD_LETTERS, UPLOADS, topic_specs

ERROR = InputError("rabbit.mp4: empty file", reason="empty_file")
VALUE = b'{"schema_version":1,"trace_id":"t-1"}'


def uploaded(
    value: bytes | None = VALUE,
    *,
    offset: int = 17,
    key: bytes | None = b"rabbit",
    headers: tuple[tuple[str, bytes], ...] = (("producer", b"cms"),),
) -> Record:
    place = Place(Partition(UPLOADS, 3), offset)
    return Record(place=place, key=key, value=value, headers=headers)


def buried(record: Record, error: InputError | TransientError = ERROR) -> Record:
    key, value, headers = dead_letter_of(
        record, error, attempts=4, worker="w-1", now_s=1_750_000_000.5
    )
    place = Place(Partition(DEAD_LETTERS, 0), 5)
    return Record(place=place, key=key, value=value, headers=headers)


def log_of_dead(*records: Record) -> MemoryLog:
    """A log with these records dead, in order."""
    log = MemoryLog()
    log.create_topics(topic_specs(4))
    writer = log.writer()
    for record in records:
        dead = buried(record)
        writer.send(DEAD_LETTERS, key=dead.key, value=dead.value, headers=dead.headers)
    writer.close(1.0)
    return log
