"""Everything to see of one upload, loaded by the page when the upload is opened.

Sentences, curves, heat maps, and where the pictures and clips lie, as one JSON object.
"""

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

from vcd.core import Interval, Match, MatchEvidence, Rejection, Video
from vcd.core.codec import json_number
from vcd.evidence.page_words import (
    hint_words,
    match_reasons,
    match_sentence,
    rejection_sentence,
    skip_words,
    verdict_sentence,
)
from vcd.evidence.record import EvidenceRecord, HeatMap, MatchRecord, Preview, RefRecord, Sheet

__all__ = ["Place", "upload_details"]

Place = Callable[[Sheet | Preview], str | None]
"""Says where a picture or clip lies in the report; None when it is not there."""


def upload_details(record: EvidenceRecord, place: Place) -> dict[str, Any]:
    """Collect what there is to see of one upload as what `json.dumps` takes.

    Args:
        record: the evidence.
        place: where each of its pictures and clips lies now.
    """
    report, query = record.report, record.query
    ref_ids = [ref.video.id for ref in record.refs]
    return {
        "verdict": verdict_sentence(report, None if query is None else query.duration_s),
        "query": query and _video(query),
        "strip": _sheet(record.query_strip, place),
        "examined": [_bounds(interval) for interval in report.examined],
        "skipped": [
            [*_bounds(skipped.interval), skip_words(skipped.reason)] for skipped in report.skipped
        ],
        "refs": [_ref(ref, place) for ref in record.refs],
        "matches": [
            _match(match, shown, ref_ids.index(match.ref_id), record, place)
            for match, shown in zip(report.matches, record.matches, strict=True)
        ],
        "rejected": [_not_reported(rejection) for rejection in report.rejected],
        "left_out": [
            report.num_matches_left_out,
            report.num_stretches_left_out,
            report.num_pairs_over_cap,
        ],
        "floor": _setting(record.terms.settings, "align.min_similarity"),
        "versions": _versions(record),
    }


def _match(
    match: Match,
    shown: MatchRecord,
    ref: int,
    record: EvidenceRecord,
    place: Place,
) -> dict[str, Any]:
    evidence, settings = match.evidence, record.terms.settings
    if evidence is None:
        raise ValueError(f"{match.query_id}: a match without its evidence")
    return {
        "ref": ref,
        "query_s": _bounds(match.query),
        "ref_s": _bounds(match.ref),
        "score": match.score,
        "sentence": match_sentence(
            match, is_picture=record.query is not None and not record.query.duration_s
        ),
        "reasons": match_reasons(match, evidence, _setting(settings, "align.min_score")),
        "hints": [hint_words(hint) for hint in shown.hints],
        **_curve(evidence),
        "map": _heat_map(shown.map),
        "sheets": shown.sheets
        and [_sheet(shown.sheets.query, place), _sheet(shown.sheets.ref, place)],
        "clips": [_clip(shown.query_preview, place), _clip(shown.ref_preview, place)],
        "missing": list(shown.missing),
    }


def _curve(evidence: MatchEvidence) -> dict[str, Any]:
    line = evidence.line
    return {
        "line": line and [line.slope, line.intercept_s],
        "per_second": [[p.query_s, p.ref_s, p.similarity] for p in evidence.per_second],
        "best": [[p.query_s, p.ref_s, p.similarity] for p in evidence.best],
    }


def _heat_map(heat_map: HeatMap) -> dict[str, Any]:
    cells_QR = heat_map.similarity_QR
    return {
        "query_s": _bounds(heat_map.query),
        "ref_s": _bounds(heat_map.ref),
        "shape": list(cells_QR.shape),
        "cells": base64.b64encode(cells_QR.tobytes()).decode("ascii"),
    }


def _ref(ref: RefRecord, place: Place) -> dict[str, Any]:
    return {
        **_video(ref.video),
        "descriptor_digest": ref.descriptor_digest,
        "excluded": [_bounds(interval) for interval in ref.excluded],
        "strip": _sheet(ref.strip, place),
    }


def _not_reported(rejection: Rejection) -> dict[str, Any]:
    return {
        "ref_id": rejection.ref_id,
        "rule": rejection.rule,
        "score": json_number(rejection.score),
        "sentence": rejection_sentence(rejection),
        "query_s": rejection.query and _bounds(rejection.query),
        "ref_s": rejection.ref and _bounds(rejection.ref),
    }


def _video(video: Video) -> dict[str, Any]:
    return {
        "id": video.id,
        "uri": video.uri,
        "sha256": video.sha256,
        "duration_s": video.duration_s,
        "size_px": [video.width_px, video.height_px],
    }


def _sheet(sheet: Sheet | None, place: Place) -> dict[str, Any] | None:
    file = None if sheet is None else place(sheet)
    if sheet is None or file is None:
        return None
    size_px = [sheet.width_px, sheet.height_px]
    return {"file": file, "columns": sheet.num_columns, "size": size_px, "t": list(sheet.times_s)}


def _clip(clip: Preview | None, place: Place) -> dict[str, Any] | None:
    file = None if clip is None else place(clip)
    if clip is None or file is None:
        return None
    return {"file": file, "at": _bounds(clip.interval), "size": [clip.width_px, clip.height_px]}


def _versions(record: EvidenceRecord) -> list[list[str]]:
    """Name every version and digest, in the order in which a reader wants them."""
    report, terms = record.report, record.terms
    named = {
        "software": record.software,
        "digest of the evidence": record.digest,
        "SHA-256 of the upload": report.query_sha256,
        "decoder": report.decoder,
        "references searched": f"{report.num_refs:,}",
        "index version": report.index_version,
        "kind of index": terms.factory,
        "weights": terms.weights,
        "descriptor space": f"{report.space.name}, {report.space.dim} dimensions",
        "fingerprint of the space": report.space.fingerprint,
        "settings digest": report.settings_digest,
        "threshold digest": terms.threshold_digest,
        "fit digest": terms.fit_digest or "no fit",
        "sampling": f"{terms.rate_hz:g} frames a second",
        **{f"{stage} took": f"{spent:.2f} s" for stage, spent in sorted(report.elapsed_s.items())},
        **{key: str(value) for key, value in sorted(terms.settings.items())},
    }
    return [[key, value] for key, value in named.items() if value is not None]


def _setting(settings: Mapping[str, object], key: str) -> float | None:
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _bounds(interval: Interval) -> list[float]:
    return [interval.start_s, interval.end_s]
