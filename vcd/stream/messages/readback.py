"""Read a topic from its beginning to where it ends now, in as much memory as its keys need."""

import time
from collections.abc import Iterator, Mapping

from vcd.core import TransientError
from vcd.stream.log import Log, Place, Record

__all__ = ["ends_of", "newest_of_each_key", "records_until"]

_BATCH = 500
_POLL_S = 0.5
_PATIENCE_S = 30.0
"""A log that gives nothing for so long, although there is something, has gone away."""


def ends_of(log: Log, topic: str) -> Mapping[int, int]:
    """Ask where a topic ends now: partition -> offset behind its last record.

    Raises:
        TransientError: the log does not answer.
    """
    tail = log.tail(topic)
    try:
        return dict(tail.ends())
    finally:
        tail.close()


def records_until(
    log: Log, topic: str, ends: Mapping[int, int], *, patience_s: float = _PATIENCE_S
) -> Iterator[Record]:
    """Yield every record before these offsets; what comes later is left for the next reader.

    Args:
        log: where the topic is.
        topic: which one.
        ends: as `ends_of` told.
        patience_s: how long the log may give nothing before this gives up.

    Raises:
        TransientError: the log stopped giving.
    """
    tail = log.tail(topic)
    try:
        heard_s = time.monotonic()
        while _is_behind(tail.positions(), ends):
            before = dict(tail.positions())
            records = tail.poll(_POLL_S, limit=_BATCH)
            yield from (r for r in records if r.place.offset < ends.get(r.place.partition.index, 0))
            if records or tail.positions() != before:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > patience_s:
                raise TransientError(
                    f"{log.address}: {topic} gave nothing for {patience_s:g} s, "
                    "although it holds more"
                )
    finally:
        tail.close()


def newest_of_each_key(log: Log, topic: str, ends: Mapping[int, int]) -> Iterator[Record]:
    """Yield the last record of each key before these offsets; a removed key is left out.

    Reads the topic twice: only keys and places are remembered.
    """
    newest: dict[bytes | None, Place] = {}
    for record in records_until(log, topic, ends):
        newest[record.key] = record.place
    for record in records_until(log, topic, ends):
        if newest[record.key] == record.place and record.value is not None:
            yield record


def _is_behind(positions: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return any(positions.get(index, 0) < end for index, end in ends.items())
