"""What cannot be used is kept as it came, with the reason beside it, and can be tried again.

    uploads/3@17 cannot be used   -> dead letter: its key, its bytes, our headers
    redrive                       -> its bytes to uploads once more; when they are durable,
                                     a marker to the dead letters: uploads/3@17 is taken care of

The identity of a dead letter is the place that its message came from. A worker
that dies may write one twice, and a redrive that dies may send one twice; neither
loses one (`redrive.py`). The headers are published as docs/schemas/dead_letter.schema.json.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from vcd import __version__
from vcd.core import InputError, VcdError
from vcd.stream.log import Headers, Log, Partition, Place, Record
from vcd.stream.messages.envelope import MAX_TIME_S, trace_id_of
from vcd.stream.messages.readback import ends_of, records_until
from vcd.stream.topics import DEAD_LETTERS

__all__ = [
    "DeadLetter",
    "dead_letter_of",
    "decode_dead_letter",
    "list_dead_letters",
    "message_again",
    "redriven_marker",
]

_log = logging.getLogger(__name__)

_TOPIC = "vcd-source-topic"
_PARTITION = "vcd-source-partition"
_OFFSET = "vcd-source-offset"
_REASON = "vcd-reason"
_ERROR = "vcd-error"
_ATTEMPTS = "vcd-attempts"
_WORKER = "vcd-worker"
_TIME = "vcd-time-s"
_VERSION = "vcd-version"
_TRACE_ID = "vcd-trace-id"
_LEFT_OUT = "vcd-bytes-left-out"
_OURS = frozenset(
    {
        *(_TOPIC, _PARTITION, _OFFSET, _REASON, _ERROR, _ATTEMPTS),
        *(_WORKER, _TIME, _VERSION, _TRACE_ID, _LEFT_OUT),
    }
)
_REDRIVEN = "vcd-redriven"
_REDRIVES = "vcd-redrives"

_MAX_WHOLE_BYTES = 900_000
"""Of key, value and headers together: with ours, it stays below the 1 MiB that a log takes."""
_MAX_PART_BYTES = 65_536
_MAX_SENTENCE_CHARS = 2000
_MAX_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that could not be used.

    Attributes:
        source: where it came from: its identity.
        reason: class of what went wrong, a word of docs/glossary.md.
        error: what went wrong, as a sentence.
        attempts: how often it was tried.
        worker: who gave it up.
        dead_at_s: when, seconds since 1970.
        version: of the code that gave it up.
        trace_id: ties the lines of all logs about it together; "" when it had none.
        key: as it came, usually a video id.
        value: as it came; only its first 64 KiB when ``num_bytes_left_out`` is not 0.
        headers: as they came.
        num_bytes_left_out: of key, value and headers, where they were too large to be kept.
    """

    source: Place
    reason: str
    error: str
    attempts: int
    worker: str
    dead_at_s: float
    version: str
    trace_id: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    num_bytes_left_out: int = 0

    @property
    def num_redrives(self) -> int:
        """How often it had been sent again when it died."""
        return _num_redrives(self.headers)


def dead_letter_of(
    record: Record,
    error: VcdError,
    *,
    attempts: int,
    worker: str,
    now_s: float,
    max_bytes: int = _MAX_WHOLE_BYTES,
) -> tuple[bytes | None, bytes | None, Headers]:
    """Write the dead letter of a message: key, value and headers to be sent to `DEAD_LETTERS`.

    Args:
        record: as it came.
        error: why it cannot be used.
        attempts: how often it was tried, this time included.
        worker: who gives it up.
        now_s: seconds since 1970.
        max_bytes: of the original; of a larger one only the beginnings are kept.
    """
    original = tuple((name, value) for name, value in record.headers if name not in _OURS)
    key, value, kept = record.key, record.value, original
    num_bytes = _size(key, value, original)
    if num_bytes > max_bytes:
        max_part_bytes = min(max_bytes, _MAX_PART_BYTES)
        key = key and key[:max_part_bytes]
        value = value and value[:max_part_bytes]
        kept = original if _size(None, None, original) <= max_part_bytes else ()
    num_left_out = num_bytes - _size(key, value, kept)
    ours = {
        _TOPIC: record.place.partition.topic,
        _PARTITION: str(record.place.partition.index),
        _OFFSET: str(record.place.offset),
        _REASON: error.reason or "unnamed",
        _ERROR: str(error)[:_MAX_SENTENCE_CHARS],
        _ATTEMPTS: str(attempts),
        _WORKER: worker,
        _TIME: f"{now_s:.3f}",
        _VERSION: __version__,
        _TRACE_ID: trace_id_of(record),
    }
    if num_left_out:
        ours[_LEFT_OUT] = str(num_left_out)
    written = tuple((name, text.encode(errors="replace")) for name, text in ours.items())
    return key, value, (*kept, *written)


def decode_dead_letter(record: Record) -> DeadLetter:
    """Read a dead letter.

    Raises:
        InputError: ``wrong_message``: its headers are not those of a dead letter.
    """
    texts = {
        name: value.decode(errors="replace") for name, value in record.headers if name in _OURS
    }
    try:
        partition = Partition(texts[_TOPIC], int(texts[_PARTITION]))
        return DeadLetter(
            source=Place(partition, int(texts[_OFFSET])),
            reason=texts[_REASON],
            error=texts[_ERROR],
            attempts=int(texts[_ATTEMPTS]),
            worker=texts[_WORKER],
            dead_at_s=_time_from(texts[_TIME]),
            version=texts[_VERSION],
            trace_id=texts.get(_TRACE_ID, ""),
            key=record.key,
            value=record.value,
            headers=tuple(header for header in record.headers if header[0] not in _OURS),
            num_bytes_left_out=int(texts.get(_LEFT_OUT, "0")),
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{record.place}: wanted the headers of a dead letter: {error}", reason="wrong_message"
        ) from error


def list_dead_letters(log: Log) -> Iterator[DeadLetter]:
    """Yield the dead letters that nobody has sent again yet, each identity once, oldest first.

    The topic is read twice, so that only identities are remembered, never messages. One that
    cannot be read is passed over with a warning.

    Raises:
        TransientError: the log does not answer.
    """
    ends = ends_of(log, DEAD_LETTERS)
    done = {
        marker.decode(errors="replace")
        for record in records_until(log, DEAD_LETTERS, ends)
        if (marker := record.header(_REDRIVEN)) is not None
    }
    for record in records_until(log, DEAD_LETTERS, ends):
        if record.header(_REDRIVEN) is not None:
            continue
        try:
            letter = decode_dead_letter(record)
        except InputError as error:
            _log.warning("%s", error, extra={"place": str(record.place)})
            continue
        if str(letter.source) not in done:
            done.add(str(letter.source))
            yield letter


def message_again(letter: DeadLetter) -> tuple[str, Headers]:
    """Say where a dead letter's message goes to be tried again, and with which headers."""
    headers = [header for header in letter.headers if header[0] != _REDRIVES]
    headers.append((_REDRIVES, str(letter.num_redrives + 1).encode()))
    return letter.source.partition.topic, tuple(headers)


def redriven_marker(letter: DeadLetter) -> Headers:
    """Write the headers that, in the dead-letter topic, say that this one is taken care of."""
    return ((_REDRIVEN, str(letter.source).encode()),)


def _time_from(text: str) -> float:
    time_s = float(text)
    if not 0.0 <= time_s <= MAX_TIME_S:
        raise ValueError(f"{_TIME} is {text}")
    return time_s


def _num_redrives(headers: Headers) -> int:
    text = dict(headers).get(_REDRIVES, b"0")
    return int(text) if text.isdigit() and len(text) < _MAX_DIGITS else 0


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    inside = sum(len(name.encode()) + len(content) for name, content in headers)
    return len(key or b"") + len(value or b"") + inside
