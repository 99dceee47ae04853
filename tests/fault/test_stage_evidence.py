"""The stage of the stream says why, when its settings ask for it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest

from pipelines.detection import open_detector
from pipelines.stream_stage import open_stage
from tests.fault.stage_world import RATE_HZ, CopyingFetcher, upload, write_film
from tests.house.house import ROOT
from vcd.config import load_settings
from vcd.core import MatchReport, report_to_document
from vcd.core.codec import encode_report
from vcd.media import DecodeRequest
from vcd.search import ExactIndex

pytestmark = pytest.mark.slow

_PATIENCE_S = 120.0
_SCHEMA = json.loads((ROOT / "docs/schemas/match_report.schema.json").read_text())


def _report(folder: Path, *, in_reports: bool) -> MatchReport:
    """Say of a copy that lies 3 s further on in its reference what a worker's stage does."""
    overrides = {"evidence.in_reports": in_reports}
    with open_detector(None, overrides) as detector:
        request = DecodeRequest(
            video_id="ref",
            path=folder / "ref.mp4",
            sha256="0" * 64,
            rate_hz=RATE_HZ,
            max_short_edge_px=detector.describer.max_short_edge_px,
        )
        index = ExactIndex(descriptors for _, descriptors in detector.describe([request]))
        with open_stage(
            detector,
            load_settings(None, overrides),
            current_index=lambda: index,
            fetcher=cast("Any", CopyingFetcher()),
        ) as stage:
            return stage.submit(upload(folder / "copy.mp4")).result(_PATIENCE_S)


def test_matches_are_explained_where_the_settings_say_so_and_are_the_same(tmp_path):
    write_film(tmp_path / "ref.mp4", 1)
    write_film(tmp_path / "copy.mp4", 1, first_s=3.0, length_s=7.0)

    plain, explained = (_report(tmp_path, in_reports=wanted) for wanted in (False, True))

    (match,) = explained.matches
    evidence = match.evidence
    assert evidence is not None
    assert evidence.line is not None
    assert evidence.line.ref_at(0.0) == pytest.approx(3.0, abs=0.3)
    assert len(evidence.per_second) == 7
    jsonschema.validate(report_to_document(explained), _SCHEMA)
    bare = replace(explained, matches=(replace(match, evidence=None),))
    assert encode_report(bare, with_elapsed=False) == encode_report(plain, with_elapsed=False)
