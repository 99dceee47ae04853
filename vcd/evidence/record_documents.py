"""An evidence record as JSON objects; what is read may be anybody's file and is believed nothing.

The form is published as ``docs/schemas/evidence.schema.json``. Names of files are plain names,
counts and sizes are bounded and numbers are finite, or the record cannot be read.
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from vcd.core import Hint, Video, report_from_document, report_to_document
from vcd.core.finding_documents import interval_from_document, interval_to_document, text_of
from vcd.evidence.record import (
    EvidenceRecord,
    HeatMap,
    MatchRecord,
    PairSheets,
    Preview,
    RefRecord,
    Sheet,
    Terms,
)
from vcd.evidence.record_values import (
    CLIP_NAME,
    PICTURE_NAME,
    check_sizes,
    count_of,
    digest_of,
    file_name_of,
    list_of,
    number_of,
    object_of,
)

__all__ = ["record_from_document", "record_to_document"]

_MAX_SIDE_PX = 65_500
"""What a JPEG can have."""

_MAX_MAP_CELLS = 4096
_MAX_PICTURES = 10_000


def record_to_document(record: EvidenceRecord) -> dict[str, Any]:
    """Turn a record into what `json.dumps` takes, but for what says which file it is.

    The seconds that each stage took are left out, so that equal evidence is equal bytes.
    """
    report = report_to_document(record.report)
    del report["elapsed_s"]
    return {
        "software": record.software,
        "report": report,
        "query": record.query and _video_to_document(record.query),
        "query_strip": record.query_strip and _sheet_to_document(record.query_strip),
        "refs": [_ref_to_document(ref) for ref in record.refs],
        "terms": _terms_to_document(record.terms),
        "matches": [_match_to_document(match) for match in record.matches],
    }


def record_from_document(
    document: Mapping[str, Any], *, origin: str, digest: str | None = None
) -> EvidenceRecord:
    """Build the record that `record_to_document` wrote; keys that it does not know are ignored.

    Args:
        document: of one upload.
        origin: file, for the message of an error in the report.
        digest: of the file that it was read from.

    Raises:
        InputError: the report in it is none.
        KeyError: a key is missing.
        TypeError: a value is not of its kind.
        ValueError: a value is out of its range.
    """
    check_sizes(dict(document))
    return EvidenceRecord(
        report=report_from_document(object_of(document["report"]), origin=origin),
        query=_video_or_none(document["query"]),
        query_strip=_sheet_or_none(document["query_strip"]),
        refs=tuple(_ref_from_document(object_of(ref)) for ref in list_of(document["refs"])),
        terms=_terms_from_document(object_of(document["terms"])),
        matches=tuple(
            _match_from_document(object_of(match)) for match in list_of(document["matches"])
        ),
        software=text_of(document["software"]),
        digest=digest,
    )


def _video_to_document(video: Video) -> dict[str, Any]:
    return {
        "id": video.id,
        "uri": video.uri,
        "sha256": video.sha256,
        "duration_s": float(video.duration_s),
        "width_px": int(video.width_px),
        "height_px": int(video.height_px),
    }


def _video_or_none(document: object) -> Video | None:
    return None if document is None else _video_from_document(object_of(document))


def _video_from_document(document: Mapping[str, Any]) -> Video:
    return Video(
        id=text_of(document["id"]),
        uri=text_of(document["uri"]),
        sha256=digest_of(document["sha256"]),
        duration_s=number_of(document["duration_s"]),
        width_px=count_of(document["width_px"], most=10**6),
        height_px=count_of(document["height_px"], most=10**6),
    )


def _ref_to_document(ref: RefRecord) -> dict[str, Any]:
    return {
        **_video_to_document(ref.video),
        "descriptor_digest": ref.descriptor_digest,
        "excluded": [interval_to_document(interval) for interval in ref.excluded],
        "strip": ref.strip and _sheet_to_document(ref.strip),
    }


def _ref_from_document(document: Mapping[str, Any]) -> RefRecord:
    return RefRecord(
        video=_video_from_document(document),
        descriptor_digest=digest_of(document["descriptor_digest"]),
        excluded=tuple(map(interval_from_document, list_of(document["excluded"]))),
        strip=_sheet_or_none(document["strip"]),
    )


def _terms_to_document(terms: Terms) -> dict[str, Any]:
    return {
        "rate_hz": float(terms.rate_hz),
        "threshold_digest": terms.threshold_digest,
        "fit_digest": terms.fit_digest,
        "factory": terms.factory,
        "weights": terms.weights,
        "settings": {key: _json_value(value) for key, value in terms.settings.items()},
    }


def _terms_from_document(document: Mapping[str, Any]) -> Terms:
    fit_digest = document["fit_digest"]
    return Terms(
        rate_hz=number_of(document["rate_hz"]),
        threshold_digest=text_of(document["threshold_digest"]),
        fit_digest=None if fit_digest is None else text_of(fit_digest),
        factory=text_of(document["factory"]),
        weights=text_of(document["weights"]),
        settings=object_of(document["settings"]),
    )


def _match_to_document(match: MatchRecord) -> dict[str, Any]:
    sheets = match.sheets
    return {
        "hints": [{"kind": hint.kind, "value": hint.value} for hint in match.hints],
        "map": _map_to_document(match.map),
        "sheets": sheets
        and {"query": _sheet_to_document(sheets.query), "ref": _sheet_to_document(sheets.ref)},
        "query_preview": match.query_preview and _preview_to_document(match.query_preview),
        "ref_preview": match.ref_preview and _preview_to_document(match.ref_preview),
        "missing": list(match.missing),
    }


def _match_from_document(document: Mapping[str, Any]) -> MatchRecord:
    return MatchRecord(
        hints=tuple(_hint_from_document(object_of(hint)) for hint in list_of(document["hints"])),
        map=_map_from_document(object_of(document["map"])),
        sheets=_sheets_or_none(document["sheets"]),
        query_preview=_preview_or_none(document["query_preview"]),
        ref_preview=_preview_or_none(document["ref_preview"]),
        missing=tuple(map(text_of, list_of(document["missing"]))),
    )


def _sheets_or_none(document: object) -> PairSheets | None:
    if document is None:
        return None
    sheets = object_of(document)
    return PairSheets(
        query=_sheet_from_document(object_of(sheets["query"])),
        ref=_sheet_from_document(object_of(sheets["ref"])),
    )


def _hint_from_document(document: Mapping[str, Any]) -> Hint:
    value = document["value"]
    return Hint(kind=text_of(document["kind"]), value=None if value is None else number_of(value))


def _map_to_document(heat_map: HeatMap) -> dict[str, Any]:
    num_rows, num_columns = heat_map.similarity_QR.shape
    return {
        "query": interval_to_document(heat_map.query),
        "ref": interval_to_document(heat_map.ref),
        "num_rows": num_rows,
        "num_columns": num_columns,
        "cells": base64.b64encode(heat_map.similarity_QR.tobytes()).decode("ascii"),
    }


def _map_from_document(document: Mapping[str, Any]) -> HeatMap:
    shape = tuple(
        count_of(document[key], most=_MAX_MAP_CELLS) for key in ("num_rows", "num_columns")
    )
    cells = base64.b64decode(text_of(document["cells"]), validate=True)
    return HeatMap(
        query=interval_from_document(document["query"]),
        ref=interval_from_document(document["ref"]),
        similarity_QR=np.frombuffer(cells, dtype=np.uint8).reshape(shape),
    )


def _sheet_to_document(sheet: Sheet) -> dict[str, Any]:
    return {
        "file": sheet.file,
        "sha256": sheet.sha256,
        "num_columns": int(sheet.num_columns),
        "width_px": int(sheet.width_px),
        "height_px": int(sheet.height_px),
        "times_s": [float(time_s) for time_s in sheet.times_s],
    }


def _sheet_or_none(document: object) -> Sheet | None:
    return None if document is None else _sheet_from_document(object_of(document))


def _sheet_from_document(document: Mapping[str, Any]) -> Sheet:
    times_s = tuple(map(number_of, list_of(document["times_s"])))
    num_columns = count_of(document["num_columns"], most=_MAX_PICTURES)
    width_px = count_of(document["width_px"], most=_MAX_SIDE_PX)
    height_px = count_of(document["height_px"], most=_MAX_SIDE_PX)
    num_rows = math.ceil(len(times_s) / num_columns)
    if max(num_columns * width_px, num_rows * height_px) > _MAX_SIDE_PX or not times_s:
        raise ValueError(f"{len(times_s)} pictures of {width_px} x {height_px} px are no sheet")
    return Sheet(
        file=file_name_of(document["file"], PICTURE_NAME),
        sha256=digest_of(document["sha256"]),
        num_columns=num_columns,
        width_px=width_px,
        height_px=height_px,
        times_s=times_s,
    )


def _preview_to_document(preview: Preview) -> dict[str, Any]:
    return {
        "file": preview.file,
        "sha256": preview.sha256,
        "interval": interval_to_document(preview.interval),
        "width_px": int(preview.width_px),
        "height_px": int(preview.height_px),
    }


def _preview_or_none(document: object) -> Preview | None:
    if document is None:
        return None
    clip = object_of(document)
    return Preview(
        file=file_name_of(clip["file"], CLIP_NAME),
        sha256=digest_of(clip["sha256"]),
        interval=interval_from_document(object_of(clip["interval"])),
        width_px=count_of(clip["width_px"], most=_MAX_SIDE_PX),
        height_px=count_of(clip["height_px"], most=_MAX_SIDE_PX),
    )


def _json_value(value: object) -> object:
    """JSON has no infinity, no tuple and no path: ``"-inf"``, a list, text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
