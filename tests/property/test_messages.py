"""Laws of what is said on the bus: what is written is read back, what is sent fits."""

import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from tests.property.test_core import intervals, reports
from vcd.core import DescriptorSpace, InputError, TransientError, Video, decode_report
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import dead_letter_of, decode_dead_letter
from vcd.stream.messages.envelope import (
    MAX_ID_CHARS,
    decode_reference,
    decode_upload,
    encode_reference,
    encode_upload,
)
from vcd.stream.messages.records import DescriptorFile, ReferenceChange, Upload
from vcd.stream.messages.report_message import encode_report_message

_SCHEMAS = Path(__file__).parents[2] / "docs/schemas"
_CLASSES = ("not_json", "unknown_version", "wrong_message", "wrong_key", "message_too_large")
_PLACE = Place(Partition("vcd.uploads", 0), 1)


def _schema(name: str) -> Any:
    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text())
    return jsonschema.Draft202012Validator(schema)


_UPLOAD, _REFERENCE = _schema("upload"), _schema("reference")
_DEAD_LETTER = _schema("dead_letter")

printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)
ids = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=MAX_ID_CHARS
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
sizes = st.integers(1, 10_000)

uploads = st.builds(
    Upload,
    video_id=ids,
    uri=ids,
    collection=printable,
    submitted_at_s=st.floats(0.0, 1e11),
    trace_id=printable,
)
changes = st.builds(
    ReferenceChange,
    video=st.builds(
        Video,
        id=ids,
        uri=printable,
        sha256=digests,
        duration_s=st.floats(0.0, 1e6),
        width_px=sizes,
        height_px=sizes,
    ),
    descriptors=st.builds(DescriptorFile, uri=ids, sha256=digests, num_bytes=sizes),
    space=st.builds(
        DescriptorSpace, name=ids.filter(lambda n: len(n) < 256), dim=sizes, fingerprint=digests
    ),
    rate_hz=st.floats(0.1, 100.0),
    excluded=st.lists(intervals(), max_size=4).map(tuple),
    collection=printable,
    trace_id=printable,
)
byte_strings = st.none() | st.binary(max_size=50)
records = st.builds(
    Record,
    place=st.builds(
        Place,
        st.builds(Partition, st.text("abc.-", min_size=1), st.integers(0, 99)),
        st.integers(0, 2**62),
    ),
    key=byte_strings,
    value=byte_strings,
    headers=st.lists(st.tuples(st.text("hx-", max_size=4), st.binary(max_size=9))).map(tuple),
)


@given(uploads)
def test_an_upload_survives_being_sent_and_is_as_published(upload):
    value = encode_upload(upload)

    record = Record(place=_PLACE, key=upload.video_id.encode(), value=value)
    assert decode_upload(record, max_bytes=65_536) == upload
    _UPLOAD.validate(json.loads(value))


@given(changes)
def test_a_change_of_a_reference_survives_being_sent_and_is_as_published(change):
    value = encode_reference(change)

    record = Record(place=_PLACE, key=change.video.id.encode(), value=value)
    assert decode_reference(record) == change
    _REFERENCE.validate(json.loads(value))


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=5))
def test_any_bytes_are_an_upload_or_a_classified_refusal(value, key):
    record = Record(place=_PLACE, key=key, value=value)

    try:
        decode_upload(record, max_bytes=100)
        reason = None
    except InputError as refusal:
        reason = refusal.reason

    assert reason in {None, *_CLASSES}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(uploads, st.sampled_from(["video_id", "uri", "submitted_at_s", "trace_id"]), json_values)
def test_what_is_read_as_an_upload_is_what_the_published_schema_allows(upload, name, value):
    document = {**json.loads(encode_upload(upload)), name: value}
    data = json.dumps(document).encode()
    key = document["video_id"]
    record = Record(place=_PLACE, key=str(key).encode(errors="replace") or b"-", value=data)

    try:
        decode_upload(record, max_bytes=65_536)
    except InputError as refusal:
        if refusal.reason == "wrong_message":
            assert not _UPLOAD.is_valid(document)
    else:
        assert _UPLOAD.is_valid(document)


@given(reports(), st.integers(2000, 6000))
def test_a_report_message_fits_and_counts_what_it_leaves_out(report, max_bytes):
    data = encode_report_message(report, max_bytes=max_bytes)

    sent = decode_report(data)
    num_stretches = len(sent.examined) + len(sent.skipped) + sent.num_stretches_left_out
    assert len(data) <= max_bytes
    assert sent.matches == report.matches[: len(sent.matches)]
    assert len(sent.matches) + sent.num_matches_left_out == len(report.matches)
    assert num_stretches == len(report.examined) + len(report.skipped)


@given(records, st.text(max_size=30), st.integers(1, 9), st.floats(0.0, 1e11))
def test_a_dead_letter_keeps_what_came_and_is_as_published(record, sentence, attempts, now_s):
    error = TransientError(sentence, reason="unnamed")

    key, value, headers = dead_letter_of(record, error, attempts=attempts, worker="w", now_s=now_s)

    letter = decode_dead_letter(Record(place=_PLACE, key=key, value=value, headers=headers))
    ours = {name: text.decode() for name, text in headers if name.startswith("vcd-")}
    assert (letter.source, letter.key, letter.value) == (record.place, record.key, record.value)
    assert letter.headers == record.headers
    _DEAD_LETTER.validate(ours)
