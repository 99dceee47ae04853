"""What cannot be used is kept as it came, and can be tried again."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from tests.unit.stream.buried import VALUE, buried, log_of_dead, uploaded
from vcd.core import InputError, TransientError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import (
    DeadLetter,
    decode_dead_letter,
    list_dead_letters,
)
from vcd.stream.topics import DEAD_LETTERS, UPLOADS

_SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/schemas/dead_letter.schema.json").read_text()
)


def test_a_dead_letter_says_all_that_is_known():
    letter = decode_dead_letter(buried(uploaded()))

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
        value=VALUE,
        headers=(("producer", b"cms"),),
    )


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(uploaded(), id="an upload"),
        pytest.param(uploaded(b"\x00\xff"), id="garbage"),
        pytest.param(uploaded(None), id="no value"),
        pytest.param(uploaded(key=None), id="no key"),
        pytest.param(uploaded(key=b""), id="empty key"),
    ],
)
def test_key_and_bytes_are_kept_as_they_came(record):
    letter = decode_dead_letter(buried(record))

    assert (letter.key, letter.value, letter.headers) == (
        record.key,
        record.value,
        record.headers,
    )
    assert letter.num_bytes_left_out == 0


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(uploaded(headers=()), id="an upload"),
        pytest.param(uploaded(b"x" * 1_000_000, headers=()), id="too large"),
    ],
)
def test_the_headers_are_those_that_are_published(record):
    headers = {name: value.decode() for name, value in buried(record).headers}

    jsonschema.validate(headers, _SCHEMA)
    assert set(headers) <= set(_SCHEMA["properties"])


def test_an_error_without_a_class_is_counted_as_unnamed():
    letter = decode_dead_letter(buried(uploaded(), TransientError("the store is away")))

    assert (letter.reason, letter.error) == ("unnamed", "the store is away")


def test_a_message_that_the_log_would_not_take_again_is_cut_and_says_so():
    letter = decode_dead_letter(buried(uploaded(b"x" * 10_000_000)))

    assert letter.value == b"x" * 65_536
    assert letter.num_bytes_left_out == 10_000_000 - 65_536
    assert letter.headers == (("producer", b"cms"),)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(uploaded(headers=(("h", b"x" * 950_000),)), id="headers"),
        pytest.param(uploaded(key=b"k" * 950_000), id="key"),
    ],
)
def test_a_dead_letter_is_small_whatever_was_large(record):
    dead = buried(record)

    size = len(dead.key or b"") + len(dead.value or b"")
    size += sum(len(name) + len(value) for name, value in dead.headers)
    assert size < 200_000
    assert decode_dead_letter(dead).num_bytes_left_out > 800_000


def test_a_long_sentence_is_cut():
    letter = decode_dead_letter(buried(uploaded(), InputError("x" * 5000, reason="not_json")))

    assert letter.error == "x" * 2000


def test_a_producer_cannot_forge_our_headers():
    forged = (("vcd-reason", b"fine"), ("vcd-bytes-left-out", b"1"), ("mine", b"1"))

    letter = decode_dead_letter(buried(uploaded(headers=forged)))

    assert (letter.reason, letter.num_bytes_left_out) == ("empty_file", 0)
    assert letter.headers == (("mine", b"1"),)


def _without(name: str) -> Record:
    dead = buried(uploaded())
    kept = tuple(header for header in dead.headers if header[0] != name)
    return dataclasses.replace(dead, headers=kept)


def _changed(name: str, value: bytes) -> Record:
    dead = _without(name)
    return dataclasses.replace(dead, headers=(*dead.headers, (name, value)))


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(uploaded(), id="an upload"),
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
    log = log_of_dead(uploaded(offset=4), uploaded(offset=2))

    assert [letter.source.offset for letter in list_dead_letters(log)] == [4, 2]
    log.close()


def test_one_that_was_written_twice_is_listed_once():
    log = log_of_dead(uploaded(offset=4), uploaded(offset=5), uploaded(offset=4))

    assert [letter.source.offset for letter in list_dead_letters(log)] == [4, 5]


def test_what_is_no_dead_letter_is_passed_over_with_a_warning(caplog):
    log = log_of_dead(uploaded(offset=4))
    log.writer().send(DEAD_LETTERS, key=b"x", value=b"x")

    assert len(list(list_dead_letters(log))) == 1
    assert "wanted the headers of a dead letter" in caplog.text
