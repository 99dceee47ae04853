"""What cannot be used is kept as it came, and can be tried again."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from tests.memory_log import MemoryLog
from vcd.core import InputError, TransientError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import (
    DeadLetter,
    dead_letter_of,
    decode_dead_letter,
    list_dead_letters,
)
from vcd.stream.topics import DEAD_LETTERS, UPLOADS, topic_specs

_SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/dead_letter.schema.json").read_text()
)
_ERROR = InputError("rabbit.mp4: empty file", reason="empty_file")
_VALUE = b'{"schema_version":1,"trace_id":"t-1"}'


def _record(
    value: bytes | None = _VALUE,
    *,
    offset: int = 17,
    key: bytes | None = b"rabbit",
    headers: tuple[tuple[str, bytes], ...] = (("producer", b"cms"),),
) -> Record:
    place = Place(Partition(UPLOADS, 3), offset)
    return Record(place=place, key=key, value=value, headers=headers)


def _buried(record: Record, error: InputError | TransientError = _ERROR) -> Record:
    key, value, headers = dead_letter_of(
        record, error, attempts=4, worker="w-1", now_s=1_750_000_000.5
    )
    place = Place(Partition(DEAD_LETTERS, 0), 5)
    return Record(place=place, key=key, value=value, headers=headers)


def _bus(*records: Record) -> MemoryLog:
    """A log with these records dead, in order."""
    log = MemoryLog()
    log.create_topics(topic_specs(4))
    writer = log.writer()
    for record in records:
        buried = _buried(record)
        writer.send(DEAD_LETTERS, key=buried.key, value=buried.value, headers=buried.headers)
    writer.close(1.0)
    return log


def test_a_dead_letter_says_all_that_is_known():
    letter = decode_dead_letter(_buried(_record()))

    assert letter == DeadLetter(
        source=Place(Partition(UPLOADS, 3), 17),
        reason="empty_file",
        error="rabbit.mp4: empty file",
        attempts=4,
        worker="w-1",
        dead_at_s=1_750_000_000.5,
        version=letter.version,
        trace_id="t-1",
        key=b"rabbit",
        value=_VALUE,
        headers=(("producer", b"cms"),),
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_record(), id="an upload"),
        pytest.param(_record(b"\x00\xff"), id="garbage"),
        pytest.param(_record(None), id="no value"),
        pytest.param(_record(key=None), id="no key"),
        pytest.param(_record(key=b""), id="empty key"),
    ],
)
def test_key_and_bytes_are_kept_as_they_came(record):
    letter = decode_dead_letter(_buried(record))

    assert (letter.key, letter.value, letter.headers) == (
        record.key,
        record.value,
        record.headers,
    )
    assert letter.num_bytes_left_out == 0


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_record(headers=()), id="an upload"),
        pytest.param(_record(b"x" * 1_000_000, headers=()), id="too large"),
    ],
)
def test_the_headers_are_those_that_are_published(record):
    headers = {name: value.decode() for name, value in _buried(record).headers}

    jsonschema.validate(headers, _SCHEMA)
    assert set(headers) <= set(_SCHEMA["properties"])


def test_an_error_without_a_class_is_counted_as_unnamed():
    letter = decode_dead_letter(_buried(_record(), TransientError("the store is away")))

    assert (letter.reason, letter.error) == ("unnamed", "the store is away")


def test_a_message_that_the_log_would_not_take_again_is_cut_and_says_so():
    letter = decode_dead_letter(_buried(_record(b"x" * 10_000_000)))

    assert letter.value == b"x" * 65_536
    assert letter.num_bytes_left_out == 10_000_000 - 65_536
    assert letter.headers == (("producer", b"cms"),)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_record(headers=(("h", b"x" * 950_000),)), id="headers"),
        pytest.param(_record(key=b"k" * 950_000), id="key"),
    ],
)
def test_a_dead_letter_is_small_whatever_was_large(record):
    buried = _buried(record)

    size = len(buried.key or b"") + len(buried.value or b"")
    size += sum(len(name) + len(value) for name, value in buried.headers)
    assert size < 200_000
    assert decode_dead_letter(buried).num_bytes_left_out > 800_000


def test_a_long_sentence_is_cut():
    letter = decode_dead_letter(_buried(_record(), InputError("x" * 5000, reason="not_json")))

    assert letter.error == "x" * 2000


def test_a_producer_cannot_forge_our_headers():
    forged = (("vcd-reason", b"fine"), ("vcd-bytes-left-out", b"1"), ("mine", b"1"))

    letter = decode_dead_letter(_buried(_record(headers=forged)))

    assert (letter.reason, letter.num_bytes_left_out) == ("empty_file", 0)
    assert letter.headers == (("mine", b"1"),)


def _without(name: str) -> Record:
    buried = _buried(_record())
    kept = tuple(header for header in buried.headers if header[0] != name)
    return dataclasses.replace(buried, headers=kept)


def _changed(name: str, value: bytes) -> Record:
    buried = _without(name)
    return dataclasses.replace(buried, headers=(*buried.headers, (name, value)))


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_record(), id="an upload"),
        pytest.param(_without("vcd-source-offset"), id="no offset"),
        pytest.param(_changed("vcd-attempts", b"many"), id="no number"),
        pytest.param(_changed("vcd-time-s", b"nan"), id="no time"),
        pytest.param(_changed("vcd-time-s", b"1e300"), id="the end of time"),
    ],
)
def test_what_is_no_dead_letter_is_refused(record):
    with pytest.raises(InputError, match="wanted the headers of a dead letter"):
        decode_dead_letter(record)


def test_dead_letters_are_listed_oldest_first():
    log = _bus(_record(offset=4), _record(offset=2))

    assert [letter.source.offset for letter in list_dead_letters(log)] == [4, 2]
    log.close()


def test_one_that_was_written_twice_is_listed_once():
    log = _bus(_record(offset=4), _record(offset=5), _record(offset=4))

    assert [letter.source.offset for letter in list_dead_letters(log)] == [4, 5]


def test_what_is_no_dead_letter_is_passed_over_with_a_warning(caplog):
    log = _bus(_record(offset=4))
    log.writer().send(DEAD_LETTERS, key=b"x", value=b"x")

    assert len(list(list_dead_letters(log))) == 1
    assert "wanted the headers of a dead letter" in caplog.text
