"""The detector as a whole, on made descriptors: no decoder, no network."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vcd.align import AlignSettings
from vcd.core import (
    Descriptors,
    DescriptorSpace,
    Examination,
    Interval,
    SetupError,
    Skipped,
    Timeline,
    Video,
)
from vcd.descriptors import Fit, FitSettings, fit_background
from vcd.detector import Detector, uninformative_stretches
from vcd.search import ExactIndex, SearchSettings

SPACE = DescriptorSpace(name="made", dim=64, fingerprint="f" * 64)


def _unit(rng, num):
    rows = rng.normal(size=(num, SPACE.dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _descriptors(video_id, features):
    timeline = Timeline.from_starts(np.arange(len(features)) / 2.0, end_s=len(features) / 2.0)
    return Descriptors.from_frames(video_id, timeline, features, SPACE)


def _examination(video_id, length_s, **changes):
    video = Video(
        id=video_id, uri=video_id, sha256="0" * 64, duration_s=length_s, width_px=64, height_px=64
    )
    fields: dict[str, Any] = {
        "video_id": video_id,
        "video": video,
        "decoder": "pyav",
        "examined": (Interval(0.0, length_s),),
    }
    return Examination(**{**fields, **changes})


@pytest.fixture
def detector():
    ticks = iter(range(100))
    return Detector(
        pool=cast("Any", None),
        describer=cast("Any", SimpleNamespace()),
        search=SearchSettings(min_score=0.4),
        align=AlignSettings(refine=False),
        settings_digest="d",
        clock=lambda: float(next(ticks)),
    )


@pytest.fixture
def refs(rng):
    return {f"r{number}": _unit(rng, 40) for number in range(3)}


def test_a_copied_stretch_is_reported_on_both_timelines(detector, refs, rng):
    query = _unit(rng, 30)
    query[8:20] = refs["r1"][15:27]
    index = ExactIndex(_descriptors(name, rows) for name, rows in refs.items())

    report = detector.match(_examination("q", 15.0), _descriptors("q", query), index)

    (match,) = report.matches
    assert (match.ref_id, match.query, match.ref) == (
        "r1",
        Interval(4.0, 10.0),
        Interval(7.5, 13.5),
    )
    assert report.num_refs == 3
    assert report.index_version == index.version
    assert dict(report.elapsed_s) == {"search": 1.0, "align": 1.0}


def test_another_reference_does_not_change_a_match(detector, refs, rng):
    query = _unit(rng, 30)
    query[8:20] = refs["r1"][15:27]
    alone = ExactIndex([_descriptors("r1", refs["r1"])])
    among = ExactIndex(_descriptors(name, rows) for name, rows in refs.items())

    reports = [
        detector.match(_examination("q", 15.0), _descriptors("q", query), index)
        for index in (alone, among)
    ]

    assert reports[0].matches == reports[1].matches


def _background(rng, num):
    return [_descriptors(f"b{number}", _unit(rng, 1)) for number in range(num)]


def test_a_fit_prepares_the_query_for_search_and_alignment(detector, refs, rng):
    query = _descriptors("q", np.concatenate([_unit(rng, 8), refs["r1"][15:27]]))
    fit = fit_background(_background(rng, 80), FitSettings())
    prepared = ExactIndex(fit.prepare_ref(_descriptors(*ref)) for ref in refs.items())

    report = replace(detector, fit=fit).match(_examination("q", 10.0), query, prepared)

    (match,) = report.matches
    assert (match.ref_id, match.query) == ("r1", Interval(4.0, 10.0))
    assert report.space == fit.fitted_space


def test_frames_like_the_background_are_no_hits_with_a_fit(detector, rng):
    common, background = _unit(rng, 1), _background(rng, 80)
    query, ref = _unit(rng, 20), _unit(rng, 20)
    query[5:15] = ref[5:15] = common
    index = ExactIndex([_descriptors("r", ref)])
    seen = [*background, _descriptors("common", common)]
    settings = FitSettings(drop_lowest_variance=False)

    def found(fit):
        made = replace(detector, align=replace(detector.align, min_score=0.2), fit=fit)
        return made.match(_examination("q", 10.0), _descriptors("q", query), index)

    assert found(fit_background(background, settings)).matches
    report = found(fit_background(seen, settings))
    assert (report.matches, report.rejected) == ((), ())


def test_what_is_sampled_more_densely_is_prepared_too(detector, refs, rng):
    fit = fit_background(_background(rng, 80), FitSettings(drop_lowest_variance=False, offset=0.1))
    index = ExactIndex([_descriptors("r1", refs["r1"])])
    rows = _unit(rng, 30)
    rows[8:20] = refs["r1"][15:27]
    asked, views = [], []

    class Watched(Fit):
        def prepare_query(self, query):
            asked.append(query.video_id)
            return super().prepare_query(query)

    def denser(interval, rate_hz, view):
        num = round(interval.length_s * rate_hz)
        starts_s = interval.start_s + np.arange(num) / rate_hz
        timeline = Timeline.from_starts(starts_s, end_s=interval.end_s)
        views.append(view)
        return Descriptors.from_frames("dense", timeline, _unit(rng, num), SPACE)

    watched = Watched(space=fit.space, score_norm=fit.score_norm)
    finer = replace(detector, align=AlignSettings(), fit=watched)
    finer.match(_examination("q", 15.0), _descriptors("q", rows), index, denser=denser)

    assert asked == ["q", "dense", "dense"]
    assert views == [0, 0]


def test_an_index_that_was_not_prepared_by_the_fit_is_refused(detector, refs, rng):
    fit = fit_background(_background(rng, 80), FitSettings())
    raw = ExactIndex([_descriptors("r1", refs["r1"])])

    with pytest.raises(SetupError, match="q: the index holds descriptors of"):
        replace(detector, fit=fit).match(
            _examination("q", 5.0), _descriptors("q", _unit(rng, 10)), raw
        )


def test_a_refused_query_says_so_and_searches_nothing(detector, refs):
    index = ExactIndex(_descriptors(name, rows) for name, rows in refs.items())
    examination = Examination(
        video_id="q", video=None, refused="q.mp4: an empty file", reason="not_a_video"
    )

    report = detector.match(examination, Descriptors.empty("q", SPACE), index)

    assert report.refused == "q.mp4: an empty file"
    assert (report.matches, report.examined, report.query_sha256) == ((), (), None)


def test_uninformative_frames_are_skipped_and_not_examined(detector, refs, rng):
    query = _unit(rng, 10)
    query[2:5] = 0.0
    index = ExactIndex(_descriptors(name, rows) for name, rows in refs.items())
    undecodable = Skipped(interval=Interval(5.0, 6.0), reason="undecodable")

    report = detector.match(
        _examination("q", 5.0, skipped=(undecodable,)), _descriptors("q", query), index
    )

    black = Skipped(interval=Interval(1.0, 2.5), reason="uninformative")
    assert report.skipped == (black, undecodable)
    assert report.examined == (Interval(0.0, 1.0), Interval(2.5, 5.0))


def test_a_report_holds_the_ten_best_rejected(detector, rng):
    query = _unit(rng, 12)
    refs = []
    for number in range(15):
        rows = _unit(rng, 12)
        rows[3] = query[3]
        refs.append(_descriptors(f"r{number:02}", rows))

    report = detector.match(_examination("q", 6.0), _descriptors("q", query), ExactIndex(refs))

    assert report.matches == ()
    assert len(report.rejected) == 10
    scores = [rejection.score for rejection in report.rejected]
    assert scores == sorted(scores, reverse=True)


def test_a_video_without_frames_has_no_uninformative_stretch():
    assert uninformative_stretches(Descriptors.empty("q", SPACE)) == ()
