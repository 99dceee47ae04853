"""Evidence as bytes and as a folder: canonical JSON that carries a digest of itself.

    DIR/<slug>-<10 digits>/evidence.json     written last, and at once

Whoever opens somebody else's evidence gets what was written, to the byte, or an `InputError`.
A digest proves that nothing changed by accident; it is no signature.
"""

import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from vcd.core import InputError, SetupError
from vcd.evidence.record import EvidenceRecord, Preview, Sheet
from vcd.evidence.record_documents import record_from_document, record_to_document

__all__ = [
    "EVIDENCE_CHANGED",
    "NOT_EVIDENCE",
    "RECORD_NAME",
    "decode_record",
    "encode_record",
    "files_of",
    "folder_name",
    "read_record",
    "write_record",
]

EVIDENCE_CHANGED = "evidence_changed"
"""Reason of the error when a record is not the bytes that were written."""

NOT_EVIDENCE = "not_evidence"
"""Reason of the error when a file is something else."""

RECORD_NAME = "evidence.json"
"""The file of a folder that says what everything else in it is."""

_FORMAT = "vcd evidence"
_VERSION = 1
_MAX_BYTES = 256 * 2**20
"""Evidence of a whole day of matches is smaller."""

_MAX_SLUG = 60
_NUM_DIGITS = 10


def encode_record(record: EvidenceRecord) -> bytes:
    """Write a record as canonical JSON: sorted keys, no blanks, UTF-8, one line end at the end.

    The digest in it is the SHA-256 of the same bytes without the key ``digest``.
    """
    document = {"format": _FORMAT, "version": _VERSION, **record_to_document(record)}
    return _canonical({**document, "digest": hashlib.sha256(_canonical(document)).hexdigest()})


def decode_record(data: bytes, *, origin: str = "evidence") -> EvidenceRecord:
    """Read a record that `encode_record` wrote; keys that it does not know are ignored.

    Args:
        data: the whole file.
        origin: its name, for the message of an error.

    Raises:
        InputError: with reason ``evidence_changed`` when these are not the bytes that were
            written, ``not_evidence`` when they are something else, ``unknown_version`` when they
            are of a version that this code does not know.
    """
    document = _parsed(data, origin)
    digest = document.pop("digest", None)
    if digest is None and document.get("format") != _FORMAT:
        raise InputError(f"{origin}: wanted evidence of vcd, got other JSON", reason=NOT_EVIDENCE)
    found = hashlib.sha256(_canonical(document)).hexdigest()
    if digest != found:
        raise _changed(origin, f"its digest is {found[:12]}, it says {str(digest)[:12]!r}")
    if document.get("format") != _FORMAT:
        raise InputError(f"{origin}: wanted evidence of vcd, got other JSON", reason=NOT_EVIDENCE)
    version = document.get("version")
    if version != _VERSION:
        raise InputError(
            f"{origin}: wanted evidence of version {_VERSION}, got {version!r}"[:200],
            reason="unknown_version",
        )
    try:
        return record_from_document(document, origin=origin, digest=found)
    except KeyError as error:
        raise _not_evidence(origin, f"it lacks {error.args[0]!r}") from error
    except (TypeError, ValueError, AttributeError, OverflowError, InputError) as error:
        raise _not_evidence(origin, str(error)) from error


def files_of(record: EvidenceRecord) -> dict[str, str]:
    """Name every picture and clip of a record, each with the SHA-256 of its bytes."""
    named: list[Sheet | Preview | None] = [record.query_strip]
    named += [ref.strip for ref in record.refs]
    for match in record.matches:
        if match.sheets is not None:
            named += [match.sheets.query, match.sheets.ref]
        named += [match.query_preview, match.ref_preview]
    return {each.file: each.sha256 for each in named if each is not None}


def folder_name(query_id: str) -> str:
    """Name the folder of an upload: its id's harmless characters and ten digits of its digest.

    ``clips/a b.mp4`` -> ``clips_a_b_mp4-3f1c...``. No id escapes from the folder that it is
    below, and no two ids share one.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "_", query_id).strip("_")[:_MAX_SLUG] or "upload"
    digits = hashlib.sha256(query_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{slug}-{digits[:_NUM_DIGITS]}"


def write_record(folder: Path, record: EvidenceRecord) -> None:
    """Put a record into its folder, whole or not at all; the folder exists.

    Raises:
        SetupError: the disk does not take it.
    """
    path = folder / RECORD_NAME
    part = folder / f".{RECORD_NAME}.part"
    try:
        with part.open("wb") as stream:
            stream.write(encode_record(record))
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_record(folder: Path) -> EvidenceRecord:
    """Read the record of a folder.

    Raises:
        InputError: there is none, or `decode_record` refuses it.
    """
    path = folder / RECORD_NAME
    try:
        if not path.is_file():
            raise InputError(
                f"{folder}: wanted a folder with {RECORD_NAME} in it", reason=NOT_EVIDENCE
            )
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                f"{path}: wanted at most {_MAX_BYTES} bytes of evidence, got {path.stat().st_size}",
                reason=NOT_EVIDENCE,
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}", reason="unreadable"
        ) from error
    return decode_record(data, origin=str(path))


def _parsed(data: bytes, origin: str) -> dict[str, Any]:
    """Parse JSON that must be canonical: then no byte of it can be another unnoticed."""
    try:
        document = json.loads(data)
        is_canonical = _canonical(document) == data
    except (ValueError, RecursionError) as error:
        raise _changed(origin, f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(
            f"{origin}: wanted evidence as one JSON object, got {type(document).__name__}",
            reason=NOT_EVIDENCE,
        )
    if not is_canonical:
        raise _changed(origin, "its JSON is not written as it was")
    return document


def _canonical(document: object) -> bytes:
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    # What UTF-8 cannot say, half a surrogate pair in a file name, becomes JSON's own escape.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _changed(origin: str, how: str) -> InputError:
    return InputError(
        f"{origin}: wanted evidence as it was written, but {how}"[:500], reason=EVIDENCE_CHANGED
    )


def _not_evidence(origin: str, what: str) -> InputError:
    return InputError(f"{origin}: not valid evidence: {what}"[:500], reason=NOT_EVIDENCE)
