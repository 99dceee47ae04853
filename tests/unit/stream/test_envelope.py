"""Messages are written as published and read with suspicion."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.factories import SPACE, make_video
from vcd.core import InputError, Interval
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.envelope import (
    MAX_REFERENCE_BYTES,
    decode_reference,
    decode_upload,
    encode_reference,
    encode_upload,
    trace_id_of,
)
from vcd.stream.messages.records import DescriptorFile, ReferenceChange, Upload

_SCHEMAS = Path(__file__).parents[3] / "docs/schemas"
_UPLOAD_SCHEMA = json.loads((_SCHEMAS / "upload.schema.json").read_text())
_REFERENCE_SCHEMA = json.loads((_SCHEMAS / "reference.schema.json").read_text())

_UPLOAD = Upload(
    video_id="rabbit",
    uri="https://cdn.example.com/rabbit.mp4",
    collection="films",
    submitted_at_s=1_750_000_000.25,
    trace_id="0123456789abcdef",
)
_CHANGE = ReferenceChange(
    video=make_video("tower"),
    descriptors=DescriptorFile(uri="file:///srv/d/aa.npz", sha256="b" * 64, num_bytes=4096),
    space=SPACE,
    rate_hz=2.0,
    excluded=(Interval(0.0, 2.5),),
    collection="films",
    trace_id="t",
)


def _record(value: bytes | None, key: bytes | None = b"rabbit") -> Record:
    place = Place(Partition("vcd.uploads", 3), 17)
    return Record(place=place, key=key, value=value)


def _document(**changes: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(encode_upload(_UPLOAD))
    return document | changes


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def _decoded(value: bytes | None, key: bytes | None = b"rabbit") -> Upload:
    return decode_upload(_record(value, key), max_bytes=65_536)


def test_an_upload_is_read_back_as_it_was_written():
    assert _decoded(encode_upload(_UPLOAD)) == _UPLOAD


def test_an_upload_is_written_as_published():
    document = json.loads(encode_upload(_UPLOAD))

    jsonschema.validate(document, _UPLOAD_SCHEMA)
    assert set(document) == set(_UPLOAD_SCHEMA["properties"])
    assert list(document) == sorted(document)


def test_an_upload_needs_no_more_than_the_schema_requires():
    document = {name: _document()[name] for name in _UPLOAD_SCHEMA["required"]}

    upload = _decoded(_bytes(document))

    assert (upload.collection, upload.trace_id) == ("", "")


def test_fields_of_a_later_writer_are_passed_over():
    assert _decoded(_bytes(_document(priority=[{"a": None}]))) == _UPLOAD


_DEEP = b'{"schema_version":1,"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", "not_json", id="nothing in it"),
        pytest.param(b"{", "not_json", id="torn"),
        pytest.param(b"\xff\xfe{\x00", "not_json", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", "not_json", id="byte order mark"),
        pytest.param(b'{"schema_version": 1, "submitted_at_s": NaN}', "not_json", id="NaN"),
        pytest.param(b'{"schema_version": 1} {}', "not_json", id="two objects"),
        pytest.param(b'{"schema_version": ' + b"9" * 5000 + b"}", "not_json", id="5000 digits"),
        pytest.param(_DEEP, "not_json", id="30,000 levels deep"),
        pytest.param(b"[1]", "wrong_message", id="a list"),
        pytest.param(b"null", "wrong_message", id="null"),
        pytest.param(_bytes({}), "unknown_version", id="no version"),
        pytest.param(_bytes(_document(schema_version=2)), "unknown_version", id="later version"),
        pytest.param(
            _bytes(_document(schema_version="1")), "unknown_version", id="version as text"
        ),
        pytest.param(_bytes(_document(schema_version=True)), "unknown_version", id="true version"),
        pytest.param(None, "no_value", id="tombstone"),
        pytest.param(b'{"x":"' + b"x" * 65_536 + b'"}', "message_too_large", id="too large"),
    ],
)
def test_what_is_no_upload_is_refused_with_its_class_and_its_place(value, reason):
    with pytest.raises(InputError, match=r"^vcd\.uploads/3@17: ") as refusal:
        _decoded(value)

    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        pytest.param("video_id", "", "video_id: wanted text that is not empty", id="empty id"),
        pytest.param("video_id", 7, "video_id: wanted text, got 7", id="number for an id"),
        pytest.param("video_id", None, "video_id: wanted text, got nothing", id="null id"),
        pytest.param("video_id", "x" * 513, "at most 512 characters", id="long id"),
        pytest.param("video_id", "a\nERROR b", "without control characters", id="forged log line"),
        pytest.param("video_id", "\ud800", "without control characters", id="half a character"),
        pytest.param("uri", "", "uri: wanted text that is not empty", id="empty uri"),
        pytest.param("uri", "x" * 8193, "at most 8192 characters", id="long uri"),
        pytest.param("uri", ["a"], "uri: wanted text", id="list of uris"),
        pytest.param("collection", None, "collection: wanted text", id="null collection"),
        pytest.param("trace_id", "x" * 257, "at most 256 characters", id="long trace id"),
        pytest.param("submitted_at_s", "now", "wanted a number", id="time as text"),
        pytest.param("submitted_at_s", True, "wanted a number", id="true as a time"),
        pytest.param("submitted_at_s", -1, "wanted a number from 0", id="before 1970"),
        pytest.param("submitted_at_s", 1.75e12, "a number from 0 to 1e\\+11", id="milliseconds"),
        pytest.param("submitted_at_s", 10**400, "a number from 0", id="no float at all"),
    ],
)
def test_a_wrong_field_is_refused_by_name_and_by_the_published_schema(field, value, sentence):
    document = _document(**{field: value})

    with pytest.raises(InputError, match=sentence) as refusal:
        _decoded(_bytes(document))

    assert refusal.value.reason == "wrong_message"
    assert not jsonschema.Draft202012Validator(_UPLOAD_SCHEMA).is_valid(document)


def test_a_field_that_is_there_twice_is_refused():
    value = encode_upload(_UPLOAD).replace(b"{", b'{"uri":"file:///etc/passwd",')

    with pytest.raises(InputError, match="wanted each field once, got 'uri' twice") as refusal:
        _decoded(value)

    assert refusal.value.reason == "wrong_message"


def test_an_infinite_time_is_refused_however_it_is_written():
    value = encode_upload(_UPLOAD).replace(b"1750000000.25", b"1e999")

    with pytest.raises(InputError, match="submitted_at_s: wanted a number from 0"):
        _decoded(value)


@pytest.mark.parametrize("key", [None, b""], ids=["none", "empty"])
def test_an_upload_without_a_key_is_refused(key):
    with pytest.raises(InputError, match="wanted the video id as the key") as refusal:
        _decoded(encode_upload(_UPLOAD), key)

    assert refusal.value.reason == "no_key"


@pytest.mark.parametrize("key", [b"hare", b"rabbit\n", b"\xff"])
def test_an_upload_under_another_key_is_refused(key):
    with pytest.raises(InputError, match="wanted the video id 'rabbit' as the key") as refusal:
        _decoded(encode_upload(_UPLOAD), key)

    assert refusal.value.reason == "wrong_key"


def test_an_upload_that_workers_would_refuse_is_not_written():
    with pytest.raises(InputError, match="video_id: wanted text without control characters"):
        encode_upload(dataclasses.replace(_UPLOAD, video_id="a\nb"))


def test_a_reference_is_read_back_as_it_was_written():
    record = _record(encode_reference(_CHANGE), b"tower")

    assert decode_reference(record) == _CHANGE


def test_a_reference_is_written_as_published():
    document = json.loads(encode_reference(_CHANGE))

    jsonschema.validate(document, _REFERENCE_SCHEMA)
    properties = _REFERENCE_SCHEMA["properties"]
    assert set(document) == set(properties)
    for name in ("video", "descriptors", "space"):
        assert set(document[name]) == set(properties[name]["properties"])


def _with(path: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(encode_reference(_CHANGE))
    *way, last = path.split(".")
    inner: Any = document
    for name in way:
        inner = inner[int(name) if name.isdigit() else name]
    inner[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        pytest.param("video", "tower", "video: wanted an object", id="video as text"),
        pytest.param("video.id", "", "video.id: wanted text that is not empty", id="no id"),
        pytest.param("video.sha256", "A" * 64, "64 hexadecimal digits in lower", id="upper case"),
        pytest.param("video.duration_s", -1, "video.duration_s: wanted a number", id="negative"),
        pytest.param("video.width_px", 0, "video.width_px: wanted a number from 1", id="no width"),
        pytest.param("video.width_px", 1.5, "video.width_px: wanted a whole", id="half a pixel"),
        pytest.param("descriptors.sha256", "b" * 63, "64 hexadecimal", id="short digest"),
        pytest.param("descriptors.num_bytes", "9", "num_bytes: wanted a number", id="text"),
        pytest.param("space.dim", 0, "space.dim: wanted a number from 1", id="no dimension"),
        pytest.param("rate_hz", 0, "rate_hz: wanted a number", id="no frames"),
        pytest.param("excluded", {}, "excluded: wanted a list", id="stretches as an object"),
        pytest.param("excluded", [3], "excluded: wanted a list of objects", id="a number"),
        pytest.param("excluded.0.end_s", None, "excluded.0.end_s: wanted a number", id="half"),
    ],
)
def test_a_wrong_field_of_a_reference_is_refused_by_name_and_schema(path, value, sentence):
    document = _with(path, value)

    with pytest.raises(InputError, match=sentence) as refusal:
        decode_reference(_record(_bytes(document), b"tower"))

    assert refusal.value.reason == "wrong_message"
    assert not jsonschema.Draft202012Validator(_REFERENCE_SCHEMA).is_valid(document)


def test_a_backward_stretch_of_a_reference_is_refused():
    value = _bytes(_with("excluded.0.end_s", -1))

    with pytest.raises(InputError, match=r"excluded\.0\.end_s: wanted more than start_s"):
        decode_reference(_record(value, b"tower"))


def test_a_whole_number_may_have_a_point():
    value = _bytes(_with("video.width_px", 320.0))

    assert decode_reference(_record(value, b"tower")) == _CHANGE


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        pytest.param(b"", encode_reference(_CHANGE), "no_key", id="no key"),
        pytest.param(b"bridge", encode_reference(_CHANGE), "wrong_key", id="another key"),
        pytest.param(b"tower", None, "no_value", id="tombstone"),
        pytest.param(b"tower", b" " * (MAX_REFERENCE_BYTES + 1), "message_too_large", id="large"),
    ],
)
def test_a_reference_that_cannot_be_told_is_refused_with_its_class(key, value, reason):
    with pytest.raises(InputError, match=r"^vcd\.uploads/3@17: ") as refusal:
        decode_reference(_record(value, key))

    assert refusal.value.reason == reason


def test_a_reference_with_too_many_stretches_is_not_written():
    stretches = tuple(Interval(float(n), n + 0.5) for n in range(10_001))

    with pytest.raises(InputError, match="excluded: wanted at most 10000 items, got 10001"):
        encode_reference(dataclasses.replace(_CHANGE, excluded=stretches))


@pytest.mark.parametrize(
    ("value", "trace_id"),
    [
        pytest.param(encode_upload(_UPLOAD), "0123456789abcdef", id="an upload"),
        pytest.param(_bytes({"schema_version": 1, "trace_id": "t"}), "t", id="half an upload"),
        pytest.param(b"{", "", id="torn"),
        pytest.param(None, "", id="no value"),
        pytest.param(_bytes({"schema_version": 1, "trace_id": 5}), "", id="a number"),
        pytest.param(_bytes({"schema_version": 1, "trace_id": "t" * 70_000}), "", id="too large"),
    ],
)
def test_the_trace_id_of_anything_is_found_or_empty(value, trace_id):
    assert trace_id_of(_record(value, None)) == trace_id
