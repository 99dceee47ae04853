"""The account of one video: what was sampled, what was not, and why."""

from pathlib import Path

import numpy as np
import pytest

from vcd.core import Interval, Skipped, Video
from vcd.media import DecodeRequest
from vcd.media.collector import SampleCollector


class _Sink:
    def __init__(self):
        self.times = []

    def put(self, start_s, end_s, pixels_HWC):
        self.times.append((start_s, end_s))

    def finish(self, end_s):
        if end_s is not None:
            self.times[-1] = (self.times[-1][0], end_s)

    def begin(self, decoder):
        pass

    def progress(self, position_s):
        pass


def _account(cells, *, duration_s, interval=None, limit_s=None, first_cell=0, max_s=100.0):
    request = DecodeRequest(
        video_id="a",
        path=Path("a.mp4"),
        sha256="0" * 64,
        rate_hz=2.0,
        max_short_edge_px=64,
        interval=interval,
    )
    sink = _Sink()
    collector = SampleCollector(request, sink, first_cell=first_cell, max_duration_s=max_s)
    collector.begin("pyav")
    for cell in collector.wanted(cells) if isinstance(cells, range) else cells:
        collector.put(cell, np.zeros((2, 2, 3), np.uint8))
    video = Video(
        id="a", uri="a.mp4", sha256="0" * 64, duration_s=duration_s, width_px=2, height_px=2
    )
    return collector.examination(video, limit_s=limit_s), sink.times


@pytest.mark.parametrize(
    ("duration_s", "last_end_s"),
    [
        pytest.param(2.0, 2.0, id="whole cells"),
        pytest.param(2.2, 2.2, id="a short rest joins the last cell"),
        pytest.param(1.8, 1.8, id="a last cell cut short"),
    ],
)
def test_the_last_sample_ends_with_the_video(duration_s, last_end_s):
    found, times = _account(range(4), duration_s=duration_s)

    assert times == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, last_end_s)]
    assert found.examined == (Interval(0.0, duration_s),)
    assert found.skipped == ()


def test_cells_without_a_sample_are_undecodable():
    found, _ = _account([0, 1, 5], duration_s=4.0)

    assert found.examined == (Interval(0.0, 1.0), Interval(2.5, 3.0))
    assert found.skipped == (
        Skipped(interval=Interval(1.0, 2.5), reason="undecodable"),
        Skipped(interval=Interval(3.0, 4.0), reason="undecodable"),
    )


def test_what_a_limit_forbids_is_not_called_undecodable():
    found, times = _account(range(50), duration_s=9.0, limit_s=3.0, max_s=3.0)

    assert len(times) == 6
    assert found.skipped == (Skipped(interval=Interval(3.0, 9.0), reason="over_limit"),)


def test_only_the_cells_of_a_stretch_are_wanted():
    found, times = _account(range(50), duration_s=9.0, interval=Interval(1.1, 2.3))

    assert times == [(1.0, 1.5), (1.5, 2.0), (2.0, 2.5)]
    assert found.examined == (Interval(1.0, 2.5),)
    assert found.skipped == ()


def test_no_samples_at_all_is_legal():
    found, times = _account([], duration_s=0.0)

    assert (times, found.examined, found.skipped) == ([], (), ())


def test_what_another_decoder_sampled_before_counts_as_examined():
    found, times = _account(range(4), duration_s=2.0, first_cell=2)

    assert times == [(1.0, 1.5), (1.5, 2.0)]
    assert found.examined == (Interval(0.0, 2.0),)
