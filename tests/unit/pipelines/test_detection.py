"""What the pieces of a detector are handed: which views, and where they are cut again."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipelines import detection
from pipelines.detection import denser_for
from tests.factories import SPACE, make_timeline, make_video
from vcd.config import load_settings
from vcd.core import Descriptors, Examination, InputError, Interval
from vcd.descriptors import WHOLE_CUT, Area, Cut, View, ViewSettings

HALF = (0.0, 0.0, 0.5, 1.0)
CORNER = (0.5, 0.25, 0.75, 0.5)
OTHER_CORNER = (0.0, 0.0, 0.25, 0.25)


def query(*, area):
    """Three frames of half a second: whole and left, whole and inset, whole and inset."""
    frame = np.array([0, 0, 1, 1, 2, 2])
    view = np.array([0, View.LEFT, 0, View.INSET, 0, View.INSET])
    return Descriptors(
        video_id="q",
        timeline=make_timeline(3),
        features=np.zeros((6, SPACE.dim), dtype=np.float32),
        frame=frame.astype(np.int32),
        view=view.astype(np.int16),
        space=SPACE,
        area=area,
    )


AREAS = np.array(
    [(0, 0, 1, 1), HALF, (0, 0, 1, 1), CORNER, (0, 0, 1, 1), OTHER_CORNER], dtype=np.float32
)


class Recording:
    """Stands for a describer and a pool: keeps what was asked of it."""

    max_short_edge_px = 64

    def __init__(self):
        self.requests, self.views = [], []

    def decode(self, requests):
        self.requests += requests
        return iter(())

    def describe(self, events, *, views):
        self.views.append(views)
        yield Examination(video_id="q", video=make_video("q")), Descriptors.empty("q", SPACE)


def asked(descriptors, interval, view):
    recording = Recording()
    detector = cast("Any", SimpleNamespace(describer=recording))
    examination = Examination(video_id="q", video=make_video("q"))
    denser = denser_for(detector, cast("Any", recording), examination, descriptors)
    denser(interval, 8.0, view)
    (request,), (cut,) = recording.requests, recording.views
    assert (request.interval, request.rate_hz) == (interval, 8.0)
    return cut


@pytest.mark.parametrize(
    ("interval", "view", "sides"),
    [
        (Interval(0.0, 0.5), View.LEFT, HALF),
        (Interval(0.25, 1.0), View.INSET, CORNER),
        (Interval(1.0, 1.5), View.INSET, OTHER_CORNER),
        (Interval(0.0, 0.1), View.INSET, CORNER),
    ],
)
def test_a_stretch_is_described_again_in_the_view_of_its_match_where_it_was_cut(
    interval, view, sides
):
    left, top, right, bottom = sides

    assert asked(query(area=AREAS), interval, view) == Cut(
        view=view, area=Area(left=left, top=top, right=right, bottom=bottom)
    )


@pytest.mark.parametrize("view", [View.WHOLE, View.RIGHT])
def test_whole_frames_are_described_again_where_there_is_no_such_view(view):
    assert asked(query(area=AREAS), Interval(0.0, 1.0), view) == WHOLE_CUT


def test_whole_frames_are_described_again_where_nobody_knows_the_areas():
    unknown = query(area=np.empty((0, 4), dtype=np.float32))

    assert asked(unknown, Interval(0.0, 1.0), View.INSET) == WHOLE_CUT


def test_nothing_of_a_refused_query_can_be_described_again():
    refused = Examination(video_id="q", video=None, refused="no video", reason="not_a_video")

    nothing = cast("Any", None)

    with pytest.raises(InputError, match="q: nothing to sample from a refused video"):
        denser_for(nothing, nothing, refused, query(area=AREAS))


@pytest.fixture
def opened(monkeypatch):
    """Detectors without weights and children."""
    describer = SimpleNamespace(
        profile=SimpleNamespace(hit_floor=0.4, min_similarity=0.3, min_score=0.4)
    )
    monkeypatch.setattr(detection, "Describer", lambda _: describer)
    return describer


@pytest.mark.parametrize(
    ("overrides", "views"),
    [({}, WHOLE_CUT), ({"views.mode": "off"}, WHOLE_CUT), ({"views.mode": "auto"}, ViewSettings())],
)
def test_a_detector_that_only_describes_has_views_when_it_is_told_so(opened, overrides, views):
    with detection.open_detector(None, overrides) as detector:
        assert detector.views == views


def test_views_of_a_settings_file_are_not_for_references(opened, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text('[views]\nmode = "auto"\n')

    with detection.open_detector(config, {}) as detector:
        assert detector.views == WHOLE_CUT


def test_queries_are_described_in_views_unless_somebody_says_otherwise(opened):
    for mode, views in (("auto", ViewSettings()), ("off", WHOLE_CUT)):
        settings = load_settings(None, {"views.mode": mode})
        with detection.start_detector(settings, opened, "digest") as detector:
            assert detector.views == views
    assert load_settings(None, {}).views.mode == "auto"
