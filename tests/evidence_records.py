"""Evidence records made to order; what is true of them stands in the call."""

from dataclasses import replace

import numpy as np

from tests.factories import make_match, make_report, make_video
from vcd.core import FramePair, Hint, Interval, Match, MatchEvidence, TimeLine
from vcd.evidence import (
    EvidenceRecord,
    HeatMap,
    MatchRecord,
    PairSheets,
    Preview,
    RefRecord,
    Sheet,
    Terms,
)


def make_sheet(file: str = "query.jpg", *, times_s: tuple[float, ...] = (0.5, 1.5)) -> Sheet:
    return Sheet(
        file=file, sha256="b" * 64, num_columns=2, width_px=240, height_px=180, times_s=times_s
    )


def make_preview(file: str, interval: tuple[float, float]) -> Preview:
    return Preview(
        file=file, sha256="c" * 64, interval=Interval(*interval), width_px=480, height_px=360
    )


def make_explained_match(query_id: str = "upload", ref_id: str = "tower") -> Match:
    """A match 12.4-31.0 s at normal speed, with three seconds and one best pair."""
    evidence = MatchEvidence(
        query_view=0,
        ref_view=0,
        line=TimeLine(slope=1.0, intercept_s=67.7, residual_s=0.05),
        strength=0.8,
        num_independent=12.0,
        per_second=tuple(
            FramePair(query_s=13.0 + i, ref_s=80.7 + i, similarity=value)
            for i, value in enumerate((0.9, None, 0.75))
        ),
        best=(FramePair(query_s=13.0, ref_s=80.7, similarity=0.9),),
        hints=(Hint(kind="speed", value=1.25),),
    )
    return replace(make_match(query_id, ref_id), evidence=evidence)


def make_match_record(**changes: object) -> MatchRecord:
    parts: dict[str, object] = {
        "hints": (Hint(kind="mirrored"), Hint(kind="speed", value=1.25)),
        "map": HeatMap(
            query=Interval(7.0, 36.0),
            ref=Interval(75.0, 104.0),
            similarity_QR=np.array([[0, 128], [255, 7], [1, 2]], dtype=np.uint8),
        ),
        "sheets": PairSheets(
            query=make_sheet("match_0_query.jpg"), ref=make_sheet("match_0_ref.jpg")
        ),
        "query_preview": make_preview("match_0_query.webm", (12.4, 31.0)),
        "ref_preview": make_preview("match_0_ref.webm", (80.1, 99.0)),
        "missing": (),
    }
    return MatchRecord(**{**parts, **changes})  # type: ignore[arg-type]  # a table of mixed kinds


def make_evidence(**changes: object) -> EvidenceRecord:
    """The evidence of one upload with one match; name what should differ."""
    parts: dict[str, object] = {
        "report": make_report(matches=(make_explained_match(),), elapsed_s={}),
        "query": make_video("upload", duration_s=60.0),
        "query_strip": make_sheet("query_strip.jpg"),
        "refs": (
            RefRecord(
                video=make_video("tower", duration_s=120.0),
                descriptor_digest="d" * 64,
                excluded=(Interval(0.0, 10.0),),
                strip=make_sheet("ref_0_strip.jpg"),
            ),
        ),
        "matches": (make_match_record(),),
        "terms": Terms(
            rate_hz=2.0,
            threshold_digest="00ff",
            fit_digest=None,
            factory="Flat",
            weights="bundled",
            settings={"align.min_score": 0.45, "align.aligner": "temporal_network"},
        ),
        "software": "vcd 0.1.0",
    }
    return EvidenceRecord(**{**parts, **changes})  # type: ignore[arg-type]  # a table of mixed kinds


def make_refused_evidence() -> EvidenceRecord:
    """The evidence of an upload of which nothing could be looked at."""
    report = make_report(
        query_sha256=None,
        matches=(),
        rejected=(),
        examined=(),
        skipped=(),
        refused="upload.mp4: empty file",
        decoder=None,
        elapsed_s={},
    )
    return make_evidence(report=report, query=None, query_strip=None, refs=(), matches=())
