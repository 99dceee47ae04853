"""Messages to bytes and back: what is written here is published as docs/schemas/*.schema.json.

    Upload          <-> {"schema_version": 1, "video_id": ..., "uri": ..., ...}
    ReferenceChange <-> {"schema_version": 1, "video": {...}, "descriptors": {...}, ...}

Nothing is written that would not be read back: both ways go through the same
checks. Reports are in `report_message.py`, dead letters in `dead_letters.py`.
"""

import math
from typing import Any

from vcd.core import DescriptorSpace, InputError, Interval, Video
from vcd.stream.log import Record
from vcd.stream.messages.fields import Fields, document_bytes, document_fields
from vcd.stream.messages.records import DescriptorFile, ReferenceChange, Upload

__all__ = [
    "MAX_ID_CHARS",
    "MAX_REFERENCE_BYTES",
    "MAX_TIME_S",
    "MESSAGE_SCHEMA_VERSION",
    "decode_reference",
    "decode_upload",
    "encode_reference",
    "encode_upload",
    "trace_id_of",
]

MESSAGE_SCHEMA_VERSION = 1
"""Of uploads and of changes of references."""

MAX_ID_CHARS = 512
"""Of a video id: it is the key of its messages, and a label of what is counted."""

MAX_REFERENCE_BYTES = 900_000
"""Of a change of a reference; its descriptors lie in a file, so that only stretches can be many."""

MAX_TIME_S = 1e11
"""The year 5138: a time in milliseconds is refused instead of believed."""

_MAX_URI_CHARS = 8192
"""Signed addresses reach some thousands."""
_MAX_LABEL_CHARS = 256
_MAX_STRETCHES = 10_000
_MAX_LENGTH_S = 1e9
_MAX_SIDE_PX = 1_000_000
_MAX_DIM = 1_000_000
_MAX_RATE_HZ = 1000.0
_MAX_FILE_BYTES = 2**53


def encode_upload(upload: Upload) -> bytes:
    """Write an upload.

    Raises:
        InputError: ``wrong_message``: a worker would refuse it, as an id with a line end in it.
    """
    document = {
        "schema_version": MESSAGE_SCHEMA_VERSION,
        "video_id": upload.video_id,
        "uri": upload.uri,
        "collection": upload.collection,
        "submitted_at_s": float(upload.submitted_at_s),
        "trace_id": upload.trace_id,
    }
    _upload_from(Fields(document, f"upload {upload.video_id!a}"))
    return document_bytes(document)


def decode_upload(record: Record, *, max_bytes: int) -> Upload:
    """Read an upload.

    Args:
        record: as it came.
        max_bytes: a larger one is refused, unread.

    Raises:
        InputError: with the reason ``no_key``, ``no_value``, ``message_too_large``, ``not_json``,
            ``unknown_version``, ``wrong_message`` or ``wrong_key``.
    """
    upload = _upload_from(_fields_of(record, max_bytes))
    _check_key(record, upload.video_id)
    return upload


def encode_reference(change: ReferenceChange) -> bytes:
    """Write a reference that was added or replaced.

    Raises:
        InputError: ``wrong_message`` or ``message_too_large``: a worker would refuse it.
    """
    origin = f"reference {change.video.id!a}"
    document = _reference_document(change)
    _reference_from(Fields(document, origin))
    data = document_bytes(document)
    if len(data) > MAX_REFERENCE_BYTES:
        raise _too_large(origin, len(data), MAX_REFERENCE_BYTES)
    return data


def decode_reference(record: Record) -> ReferenceChange:
    """Read a reference that was added or replaced.

    A removal has no content: who reads a topic asks for ``record.value is None`` first.

    Raises:
        InputError: with the same reasons as `decode_upload`.
    """
    change = _reference_from(_fields_of(record, MAX_REFERENCE_BYTES))
    _check_key(record, change.video.id)
    return change


def trace_id_of(record: Record, *, max_bytes: int = 65_536) -> str:
    """Find the trace id of a message that may be anything; "" when it has none."""
    if record.value is None or len(record.value) > max_bytes:
        return ""
    try:
        fields = document_fields(record.value, version=MESSAGE_SCHEMA_VERSION, origin="")
        return fields.text("trace_id", max_chars=_MAX_LABEL_CHARS, default="")
    except InputError:
        return ""


def _fields_of(record: Record, max_bytes: int) -> Fields:
    origin = str(record.place)
    if not record.key:
        raise InputError(f"{origin}: wanted the video id as the key, got none", reason="no_key")
    if record.value is None:
        raise InputError(f"{origin}: wanted a message, got no value", reason="no_value")
    if len(record.value) > max_bytes:
        raise _too_large(origin, len(record.value), max_bytes)
    return document_fields(record.value, version=MESSAGE_SCHEMA_VERSION, origin=origin)


def _check_key(record: Record, video_id: str) -> None:
    if record.key != video_id.encode():
        raise InputError(
            f"{record.place}: wanted the video id {video_id!a} as the key, "
            f"got {ascii(record.key)[1:80]}",
            reason="wrong_key",
        )


def _too_large(origin: str, num_bytes: int, max_bytes: int) -> InputError:
    return InputError(
        f"{origin}: wanted a message of at most {max_bytes} bytes, got {num_bytes}",
        reason="message_too_large",
    )


def _upload_from(fields: Fields) -> Upload:
    return Upload(
        video_id=fields.text("video_id", max_chars=MAX_ID_CHARS),
        uri=fields.text("uri", max_chars=_MAX_URI_CHARS),
        collection=fields.text("collection", max_chars=_MAX_LABEL_CHARS, default=""),
        submitted_at_s=fields.number("submitted_at_s", low=0.0, high=MAX_TIME_S),
        trace_id=fields.text("trace_id", max_chars=_MAX_LABEL_CHARS, default=""),
    )


def _reference_document(change: ReferenceChange) -> dict[str, Any]:
    return {
        "schema_version": MESSAGE_SCHEMA_VERSION,
        "video": {
            "id": change.video.id,
            "uri": change.video.uri,
            "sha256": change.video.sha256,
            "duration_s": float(change.video.duration_s),
            "width_px": change.video.width_px,
            "height_px": change.video.height_px,
        },
        "descriptors": {
            "uri": change.descriptors.uri,
            "sha256": change.descriptors.sha256,
            "num_bytes": change.descriptors.num_bytes,
        },
        "space": {
            "name": change.space.name,
            "dim": change.space.dim,
            "fingerprint": change.space.fingerprint,
        },
        "rate_hz": float(change.rate_hz),
        "excluded": [
            {"start_s": float(interval.start_s), "end_s": float(interval.end_s)}
            for interval in change.excluded
        ],
        "collection": change.collection,
        "trace_id": change.trace_id,
    }


def _reference_from(fields: Fields) -> ReferenceChange:
    stretches = fields.inners("excluded", max_items=_MAX_STRETCHES)
    return ReferenceChange(
        video=_video_from(fields.inner("video")),
        descriptors=_file_from(fields.inner("descriptors")),
        space=_space_from(fields.inner("space")),
        rate_hz=fields.number("rate_hz", low=math.ulp(0.0), high=_MAX_RATE_HZ),
        excluded=tuple(map(_interval_from, stretches)),
        collection=fields.text("collection", max_chars=_MAX_LABEL_CHARS, default=""),
        trace_id=fields.text("trace_id", max_chars=_MAX_LABEL_CHARS, default=""),
    )


def _video_from(fields: Fields) -> Video:
    return Video(
        id=fields.text("id", max_chars=MAX_ID_CHARS),
        uri=fields.text("uri", max_chars=_MAX_URI_CHARS, default=""),
        sha256=fields.digest("sha256"),
        duration_s=fields.number("duration_s", low=0.0, high=_MAX_LENGTH_S),
        width_px=fields.whole("width_px", low=1, high=_MAX_SIDE_PX),
        height_px=fields.whole("height_px", low=1, high=_MAX_SIDE_PX),
    )


def _file_from(fields: Fields) -> DescriptorFile:
    return DescriptorFile(
        uri=fields.text("uri", max_chars=_MAX_URI_CHARS),
        sha256=fields.digest("sha256"),
        num_bytes=fields.whole("num_bytes", low=0, high=_MAX_FILE_BYTES),
    )


def _space_from(fields: Fields) -> DescriptorSpace:
    return DescriptorSpace(
        name=fields.text("name", max_chars=_MAX_LABEL_CHARS),
        dim=fields.whole("dim", low=1, high=_MAX_DIM),
        fingerprint=fields.text("fingerprint", max_chars=_MAX_LABEL_CHARS),
    )


def _interval_from(fields: Fields) -> Interval:
    start_s = fields.number("start_s", low=-_MAX_LENGTH_S, high=_MAX_LENGTH_S)
    end_s = fields.number("end_s", low=-_MAX_LENGTH_S, high=_MAX_LENGTH_S)
    if not start_s < end_s:
        fields.refuse("end_s", f"more than start_s ({start_s:g})", end_s)
    return Interval(start_s, end_s)
