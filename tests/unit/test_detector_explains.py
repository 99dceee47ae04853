"""The detector hands each match to whoever can say why it is one."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video, plant_copy
from vcd.align import AlignSettings
from vcd.core import Examination, Interval, MatchEvidence, encode_report
from vcd.descriptors import FitSettings, fit_background
from vcd.detector import Detector
from vcd.search import ExactIndex, SearchSettings


class Witness:
    """Remembers what it was asked about."""

    def __init__(self):
        self.asked = []

    def __call__(self, query, ref, match, trace):
        self.asked.append((query, ref, match, trace))
        return MatchEvidence(
            query_view=trace.query_view,
            ref_view=trace.ref_view,
            line=trace.line,
            strength=trace.strength,
            num_independent=float(len(self.asked)),
            per_second=(),
            best=(),
            hints=(),
        )


def _detector(**changes: Any) -> Detector:
    parts: dict[str, Any] = {
        "pool": cast("Any", None),
        "describer": cast("Any", SimpleNamespace()),
        "search": SearchSettings(min_score=0.4),
        "align": AlignSettings(refine=False),
        "settings_digest": "d",
        "clock": lambda: 0.0,
    }
    return Detector(**{**parts, **changes})


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"r{number}", 40, rng) for number in range(3)]


@pytest.fixture
def query(refs, rng):
    """Holds a stretch of r1 and another one, a weaker copy, of r2."""
    bare = make_descriptors("q", 40, rng)
    more = {"rng": rng, "similarity": 0.95}
    once = plant_copy(bare, refs[1], query_frames=(2, 12), ref_frames=(10, 20), **more)
    return plant_copy(
        once, refs[2], query_frames=(20, 30), ref_frames=(20, 30), rng=rng, similarity=0.7
    )


def _report(detector, query, index):
    examination = Examination(
        video_id="q", video=make_video("q"), decoder="pyav", examined=(Interval(0.0, 20.0),)
    )
    return detector.match(examination, query, index)


def test_each_match_carries_what_was_said_of_it(query, refs):
    witness = Witness()

    report = _report(_detector(explain=witness), query, ExactIndex(refs))

    assert [match.ref_id for match in report.matches] == ["r1", "r2"]
    asked = {match.ref_id: (ref.video_id, trace) for _, ref, match, trace in witness.asked}
    for match in report.matches:
        ref_id, trace = asked[match.ref_id]
        assert ref_id == match.ref_id
        assert match.evidence.line == trace.line
    intercepts_s = [match.evidence.line.intercept_s for match in report.matches]
    assert intercepts_s == pytest.approx([4.0, 0.0], abs=0.05)
    assert all(match.evidence is None for _, _, match, _ in witness.asked)


def test_nothing_but_the_evidence_depends_on_its_being_asked_for(query, refs):
    plain = _report(_detector(), query, ExactIndex(refs))
    explained = _report(_detector(explain=Witness()), query, ExactIndex(refs))

    bare = tuple(replace(match, evidence=None) for match in explained.matches)

    assert len(bare) == 2
    assert encode_report(replace(explained, matches=bare)) == encode_report(plain)
    assert "evidence" not in encode_report(plain)


@pytest.mark.parametrize("projects", [False, True], ids=["bias alone", "projected"])
def test_with_a_fit_the_descriptors_are_those_that_were_aligned(query, refs, rng, projects):
    background = [make_descriptors(f"b{number}", 1, rng) for number in range(80)]
    fit = fit_background(background, FitSettings(drop_lowest_variance=projects, offset=0.1))
    witness = Witness()
    index = ExactIndex(fit.prepare_ref(ref) for ref in refs)

    _report(_detector(fit=fit, explain=witness), query, index)

    prepared = fit.prepare_query(query)
    assert (prepared.space == SPACE) is not projects
    assert len(witness.asked) == 2
    for asked, ref, match, _ in witness.asked:
        assert np.array_equal(asked.features, prepared.features)
        assert np.array_equal(asked.score_bias, prepared.score_bias)
        assert np.array_equal(ref.features, index.descriptors(match.ref_id).features)


def test_a_report_without_matches_asks_nobody(rng, refs):
    witness = Witness()

    report = _report(_detector(explain=witness), make_descriptors("q", 40, rng), ExactIndex(refs))

    assert (report.matches, witness.asked) == ((), [])
