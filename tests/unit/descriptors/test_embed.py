import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.factories import make_timeline, make_video
from tests.unit.descriptors.conftest import TINY_DIM, events_of, interleaved, pictures
from vcd.core import Examination, FrameBatch, SetupError, TransientError
from vcd.descriptors import Describer, DescribeSettings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def describer(tiny_onnx):
    return Describer(settings(tiny_onnx))


def settings(tiny_onnx, *, batch_size=8, preprocessing="skew_32"):
    return DescribeSettings(
        weights=str(tiny_onnx),
        device="cpu",
        num_threads=1,
        batch_size=batch_size,
        preprocessing=preprocessing,
    )


def described(describer, events):
    return {
        examination.video_id: descriptors for examination, descriptors in describer.describe(events)
    }


def test_frames_of_different_videos_share_batches_and_each_video_comes_out_whole(describer):
    events = interleaved(
        events_of("a", pictures(13, seed=1)), events_of("b", pictures(3, seed=2), chunk=1)
    )

    found = described(describer, events)

    assert {video_id: len(each) for video_id, each in found.items()} == {"a": 13, "b": 3}
    assert found["a"].timeline == make_timeline(13)
    np.testing.assert_allclose(np.linalg.norm(found["a"].features, axis=1), 1.0, atol=1e-5)
    assert found["a"].space == describer.space


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("preprocessing", ["skew_32", "small_32"])
def test_neither_batch_size_nor_neighbours_change_a_descriptor(
    tiny_onnx, batch_size, preprocessing
):
    wide, upright = pictures(11, seed=1), pictures(7, seed=2, height_px=64, width_px=48)
    alone = Describer(settings(tiny_onnx, preprocessing=preprocessing))
    together = Describer(settings(tiny_onnx, batch_size=batch_size, preprocessing=preprocessing))

    mixed = described(
        together,
        interleaved(
            events_of("wide", wide, chunk=4),
            events_of("x", pictures(30, seed=9)),
            events_of("upright", upright, chunk=2),
        ),
    )

    for video_id, frames in (("wide", wide), ("upright", upright)):
        lone = described(alone, events_of(video_id, frames))[video_id]
        np.testing.assert_allclose(mixed[video_id].features, lone.features, atol=1e-5)


def test_rows_stay_with_their_frames_when_sizes_are_mixed(describer):
    frames = pictures(9, seed=4)
    found = described(describer, events_of("a", frames, chunk=2))["a"]

    for first in range(9):
        single = described(describer, events_of("s", frames[first : first + 1]))["s"]
        np.testing.assert_allclose(found.features[first], single.features[0], atol=1e-5)


def test_videos_come_out_as_they_finish(describer):
    events = interleaved(
        events_of("long", pictures(40, seed=1)), events_of("short", pictures(5, seed=2))
    )

    assert [each.video_id for each, _ in describer.describe(events)] == ["short", "long"]


def test_a_finished_video_does_not_wait_for_the_end_of_the_stream(tiny_onnx):
    """A size of its own never fills a batch; the video must come out all the same."""
    describer = Describer(settings(tiny_onnx, preprocessing="small_32"))
    num_pulled = 0

    def counted():
        nonlocal num_pulled
        others = events_of("endless", pictures(2000, seed=2), chunk=1)
        for event in (*events_of("upright", pictures(2, 1, height_px=64, width_px=48)), *others):
            num_pulled += 1
            yield event

    first, _ = next(describer.describe(counted()))

    assert first.video_id == "upright"
    assert num_pulled < 50


def test_pixels_do_not_pile_up_however_many_sizes_there_are(tiny_onnx, monkeypatch):
    describer = Describer(settings(tiny_onnx, batch_size=8, preprocessing="small_32"))
    from vcd.descriptors.batches import FrameQueue

    waiting = []
    original = FrameQueue.tick

    def watched(self):
        original(self)
        waiting.append(len(self))

    monkeypatch.setattr(FrameQueue, "tick", watched)
    streams = [
        events_of(f"v{n}", pictures(4, seed=n, height_px=120, width_px=120 + 8 * n), chunk=1)
        for n in range(30)
    ]

    assert len(described(describer, interleaved(*streams))) == 30
    assert max(waiting) <= 4 * 8 + 1


def test_a_refused_video_has_no_descriptors(describer):
    found = described(describer, events_of("bad", pictures(0, seed=0), refused="empty file"))

    assert len(found["bad"]) == 0
    assert found["bad"].features.shape == (0, TINY_DIM)


def test_frames_of_a_video_that_is_refused_later_are_dropped(describer):
    events = interleaved(
        events_of("bad", pictures(7, seed=1), refused="too long"),
        events_of("good", pictures(9, seed=2)),
    )

    found = described(describer, events)

    assert {video_id: len(each) for video_id, each in found.items()} == {"bad": 0, "good": 9}


def test_a_video_without_frames_is_described_by_nothing(describer):
    examination = Examination(video_id="a", video=make_video("a"))

    ((found, descriptors),) = describer.describe([examination])

    assert found is examination
    assert len(descriptors.timeline) == len(descriptors) == 0


def test_nothing_in_nothing_out(describer):
    assert list(describer.describe([])) == []


def test_a_black_frame_keeps_its_time_and_gets_a_zero_row(describer):
    frames = pictures(5, seed=1).copy()
    frames[2] = 3

    descriptors = described(describer, events_of("a", frames))["a"]

    assert descriptors.is_informative.tolist() == [True, True, False, True, True]
    assert len(descriptors.timeline) == 5


def test_frames_out_of_order_are_an_error(describer):
    events = list(events_of("a", pictures(10, seed=1)))

    with pytest.raises(ValueError, match="wanted frame 0 next, got frame 5"):
        list(describer.describe([events[1], events[0], events[2]]))


def test_a_stream_that_ends_inside_a_video_is_an_error(describer):
    with pytest.raises(ValueError, match=r"ended before the videos did: \['a'\]"):
        list(describer.describe(list(events_of("a", pictures(3, seed=1)))[:-1]))


def test_describing_inside_describing_disturbs_neither(describer):
    """Refinement asks for denser frames of one video while the others are under way."""
    frames = pictures(12, seed=1)
    inner = []
    outer = {}
    for examination, descriptors in describer.describe(
        interleaved(events_of("a", frames), events_of("b", pictures(30, seed=2)))
    ):
        outer[examination.video_id] = descriptors
        inner.append(described(describer, events_of("a", frames))["a"])

    np.testing.assert_allclose(inner[0].features, outer["a"].features, atol=1e-5)


def test_the_decoder_may_shrink_to_twice_what_the_network_sees(describer):
    assert describer.max_short_edge_px == 64


def test_weights_that_give_no_numbers_are_named(describer, monkeypatch):
    monkeypatch.setattr(
        describer._runtime,
        "describe",
        lambda pixels: np.full((len(pixels), TINY_DIM), np.nan, dtype=np.float32),
        raising=False,
    )

    with pytest.raises(SetupError, match="a: the weights tiny give numbers not finite"):
        described(describer, events_of("a", pictures(3, seed=1)))


def test_an_ended_video_is_described_when_nothing_else_is_there(describer):
    source = iter([*events_of("a", pictures(3, seed=1)), None, *events_of("b", pictures(3, 2))])
    pulled = []

    def events():
        for event in source:
            pulled.append(event)
            yield event

    examination, descriptors = next(describer.describe(events()))

    assert examination.video_id == "a"
    assert len(descriptors) == 3
    assert pulled[-1] is None


def test_frames_of_a_video_that_goes_on_wait_for_a_full_batch(describer, monkeypatch):
    batches = []
    original = describer._runtime.describe

    def counted(pixels):
        batches.append(len(pixels))
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", counted, raising=False)
    events = list(events_of("a", pictures(9, seed=1), chunk=3))

    described(describer, [event for each in events for event in (each, None)])

    assert batches == [8, 1]


def test_a_video_that_cannot_be_described_is_refused_and_its_neighbours_are_not(
    describer, monkeypatch
):
    original = describer._runtime.describe

    def choking(pixels):
        if (pixels == 77).all(axis=(1, 2, 3)).any():
            raise TransientError("out of memory")
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", choking, raising=False)
    monkeypatch.setattr("vcd.descriptors.embed.is_uninformative", lambda pixels: False)
    bad = pictures(5, seed=1).copy()
    bad[3] = 77

    found = {
        examination.video_id: (examination, descriptors)
        for examination, descriptors in describer.describe(
            interleaved(
                events_of("bad", bad, chunk=1), events_of("good", pictures(9, seed=2), chunk=1)
            )
        )
    }

    examination, descriptors = found["bad"]
    assert examination.reason == "undescribable"
    assert "out of memory" in examination.refused
    assert len(descriptors) == 0
    assert found["good"][0].refused is None
    assert len(found["good"][1]) == 9


def test_a_picture_that_stands_still_is_described_once(describer, monkeypatch):
    num_described = []
    original = describer._runtime.describe

    def counted(pixels):
        num_described.append(len(pixels))
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", counted, raising=False)
    still = np.repeat(pictures(2, seed=1), [300, 1], axis=0)

    found = described(describer, events_of("still", still, chunk=7))["still"]

    assert sum(num_described) == 2
    assert len(found) == 301
    assert (found.features[:300] == found.features[0]).all()
    assert not np.allclose(found.features[300], found.features[0])


def test_a_still_picture_that_cannot_be_described_refuses_its_video_however_often_it_is_shown(
    describer, monkeypatch
):
    def choking(pixels):
        raise TransientError("out of memory")

    monkeypatch.setattr(describer._runtime, "describe", choking, raising=False)
    still = np.repeat(pictures(2, seed=1), [9, 9], axis=0)

    ((examination, descriptors),) = describer.describe(
        event
        for batch in events_of("still", still, chunk=1)
        for event in (batch, *[None] * isinstance(batch, Examination))
    )

    assert examination.reason == "undescribable"
    assert len(descriptors) == 0


def test_inputs_are_unchanged(describer):
    frames = pictures(6, seed=1)
    before = frames.copy()
    batch = FrameBatch(video_id="a", first_frame=0, timeline=make_timeline(6), pixels_THWC=frames)

    described(describer, [batch, Examination(video_id="a", video=make_video("a"))])

    np.testing.assert_array_equal(frames, before)


@pytest.mark.slow
def test_the_bundled_weights_describe_on_a_processor_without_importing_torch():
    program = """
import json, sys
import numpy as np
from tests.unit.descriptors.conftest import events_of, pictures
from vcd.descriptors import Describer, DescribeSettings

describer = Describer(DescribeSettings(device="cpu"))
((_, descriptors),) = describer.describe(events_of("a", pictures(3, seed=1)))
print(json.dumps([descriptors.features.shape, "torch" in sys.modules]))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )

    (num_rows, _), has_torch = json.loads(result.stdout)
    assert num_rows == 3
    assert not has_torch
