import numpy as np
import pytest

from tests.unit.descriptors.conftest import events_of, interleaved
from tests.unit.descriptors.moving_pictures import footage, with_inset
from vcd.core import Examination, TransientError
from vcd.descriptors import Area, Cut, Describer, DescribeSettings, View, ViewSettings

INSET_PX = (60, 50, 200, 150)
VIEWS = ViewSettings(max_similarity=2.0)
"""No view is left out for saying what the frame says: to a tiny network all frames look alike."""


def describer_of(tiny_onnx, *, batch_size=8):
    return Describer(
        DescribeSettings(
            weights=str(tiny_onnx),
            device="cpu",
            num_threads=1,
            batch_size=batch_size,
            preprocessing="skew_32",
        )
    )


@pytest.fixture
def describer(tiny_onnx):
    return describer_of(tiny_onnx)


def described(describer, events, views=VIEWS):
    return {each.video_id: found for each, found in describer.describe(events, views=views)}


def rows_of(descriptors, view):
    return np.flatnonzero(descriptors.view == view)


@pytest.fixture
def seeing(describer, monkeypatch):
    """A network that sees nothing but the mean of three columns: which part it was shown."""

    def describe(pixels_BHWC):
        features = np.zeros((len(pixels_BHWC), describer.space.dim), dtype=np.float32)
        left, right = pixels_BHWC[:, :, :8], pixels_BHWC[:, :, 24:]
        features[:, 0] = left.mean(axis=(1, 2, 3)) - 100.0
        features[:, 1] = right.mean(axis=(1, 2, 3)) - 100.0
        features[:, 2] = 1.0
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    monkeypatch.setattr(describer._runtime, "describe", describe, raising=False)
    return describer


def test_every_row_says_which_part_of_its_frame_it_describes(describer):
    frames = with_inset(6, INSET_PX)

    found = described(describer, events_of("a", frames))["a"]

    assert rows_of(found, View.WHOLE).size == 6
    inset = rows_of(found, View.INSET)
    assert found.frame[inset].tolist() == list(range(6))
    truth = np.array(INSET_PX) / (320, 240, 320, 240)
    np.testing.assert_allclose(found.area[inset], np.tile(truth, (6, 1)), atol=0.015)
    assert found.area[rows_of(found, View.WHOLE)].tolist() == [[0.0, 0.0, 1.0, 1.0]] * 6
    places = list(zip(found.frame.tolist(), found.view.tolist(), strict=True))
    assert places == sorted(places)


def test_the_inset_is_described_like_the_picture_itself(describer):
    frames = with_inset(4, INSET_PX)
    whole = described(describer, events_of("a", frames))["a"]
    area = whole.area[rows_of(whole, View.INSET)[0]]
    first, last = np.round(area[[0, 2]] * 320).astype(int), np.round(area[[1, 3]] * 240).astype(int)
    alone = np.ascontiguousarray(frames[:, last[0] : last[1], first[0] : first[1]])

    copied = described(describer, events_of("b", alone))["b"]

    np.testing.assert_allclose(
        whole.features[rows_of(whole, View.INSET)],
        copied.features[rows_of(copied, View.WHOLE)],
        atol=1e-5,
    )


def test_without_views_there_is_one_row_a_frame(describer):
    frames = with_inset(6, INSET_PX)

    ((_, plain),) = describer.describe(events_of("a", frames))

    assert plain.view.tolist() == [0] * 6
    with_views = described(describer, events_of("a", frames))["a"]
    whole = rows_of(with_views, View.WHOLE)
    np.testing.assert_allclose(with_views.features[whole], plain.features, atol=1e-6)


@pytest.mark.parametrize(("batch_size", "chunk"), [(1, 1), (3, 7), (64, 3)])
def test_neither_batches_nor_neighbours_nor_chunks_change_what_is_seen(
    tiny_onnx, batch_size, chunk
):
    videos = {"a": with_inset(22, INSET_PX), "b": footage(9, 3), "c": with_inset(5, (0, 0, 90, 90))}
    alone = [
        described(describer_of(tiny_onnx), events_of(each, frames))[each]
        for each, frames in videos.items()
    ]

    together = described(
        describer_of(tiny_onnx, batch_size=batch_size),
        interleaved(*(events_of(each, frames, chunk=chunk) for each, frames in videos.items())),
    )

    for one in alone:
        other = together[one.video_id]
        np.testing.assert_array_equal(other.frame, one.frame)
        np.testing.assert_array_equal(other.view, one.view)
        np.testing.assert_array_equal(other.area, one.area)
        np.testing.assert_allclose(other.features, one.features, atol=1e-5)


def test_views_that_say_the_same_as_the_frame_are_left_out(describer, monkeypatch):
    constant = np.zeros(describer.space.dim, dtype=np.float32)
    constant[0] = 1.0
    monkeypatch.setattr(
        describer._runtime, "describe", lambda pixels: np.tile(constant, (len(pixels), 1))
    )

    found = described(describer, events_of("a", with_inset(8, INSET_PX)), ViewSettings())["a"]

    assert set(found.view.tolist()) == {0}


@pytest.mark.parametrize("batch_size", [3, 64])
def test_mirroring_stops_when_the_weights_do_not_care(tiny_onnx, monkeypatch, batch_size):
    describer = describer_of(tiny_onnx, batch_size=batch_size)
    shown = []
    original = describer._runtime.describe

    def counted(pixels):
        shown.append(len(pixels))
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", counted, raising=False)

    found = described(describer, events_of("a", footage(40, 1)))["a"]

    assert set(found.view.tolist()) == {0}
    assert sum(shown) == 40 + 8


def test_mirrored_frames_stay_where_the_weights_tell_them_apart(seeing):
    frames = footage(12, 1)
    frames[:, :, :160] = frames[:, :, :160] // 4
    frames[:, :, 160:] = 190 + frames[:, :, 160:] // 4

    found = described(seeing, events_of("a", frames))["a"]

    mirrored = rows_of(found, View.MIRRORED)
    assert found.frame[mirrored].tolist() == list(range(12))
    whole = found.features[rows_of(found, View.WHOLE)]
    np.testing.assert_allclose(found.features[mirrored][:, :2], whole[:, 1::-1], atol=0.02)


def test_a_part_without_evidence_has_no_row_and_the_frame_keeps_its_own(describer):
    frames = footage(4, 1)
    frames[:, :, 160:] = 77
    frames[:, 90:130, 220:260] = 200

    found = described(describer, events_of("a", frames))["a"]

    assert rows_of(found, View.WHOLE).size == rows_of(found, View.LEFT).size == 4
    assert rows_of(found, View.RIGHT).size == 0
    assert found.is_informative.all()


def test_a_picture_in_a_black_frame_speaks_for_a_frame_that_says_nothing(describer):
    frames = np.zeros((4, 240, 320, 3), dtype=np.uint8)
    frames[:, 100:165, 100:180] = footage(4, 1, height_px=65, width_px=80)

    found = described(describer, events_of("a", frames))["a"]

    assert not found.is_informative[rows_of(found, View.WHOLE)].any()
    assert found.is_informative[rows_of(found, View.INNER)].all()
    assert rows_of(found, View.INNER).size == 4


def test_a_still_picture_is_described_once_in_each_view(describer, monkeypatch):
    shown = []
    original = describer._runtime.describe

    def counted(pixels):
        shown.append(len(pixels))
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", counted, raising=False)
    still = np.repeat(with_inset(1, INSET_PX), 40, axis=0)

    found = described(describer, events_of("a", still))["a"]

    num_views = len(set(found.view.tolist()) | {int(View.MIRRORED)})
    assert sum(shown) == num_views
    assert rows_of(found, View.INSET).size == 40


@pytest.mark.parametrize("view", [View.WHOLE, View.INSET, View.MIRRORED])
def test_one_view_alone_can_be_asked_for(describer, view):
    area = Area(left=0.25, top=0.25, right=0.75, bottom=0.75)
    frames = footage(6, 1)

    found = described(describer, events_of("a", frames), Cut(view=view, area=area))["a"]

    assert found.view.tolist() == [view] * 6
    assert found.frame.tolist() == list(range(6))
    part = np.ascontiguousarray(frames[:, 60:180, 80:240])
    part = np.ascontiguousarray(part[:, :, ::-1]) if view is View.MIRRORED else part
    ((_, expected),) = describer.describe(events_of("b", part))
    np.testing.assert_allclose(found.features, expected.features, atol=1e-5)


def test_one_view_of_a_frame_without_evidence_is_a_zero_row(describer):
    frames = footage(3, 1)
    frames[1, 60:180, 80:240] = 9
    cut = Cut(view=View.INSET, area=Area(left=0.25, top=0.25, right=0.75, bottom=0.75))

    found = described(describer, events_of("a", frames), cut)["a"]

    assert found.is_informative.tolist() == [True, False, True]


def test_a_video_without_frames_and_a_refused_one_have_no_views(describer):
    events = interleaved(
        events_of("none", footage(1, 1)[:0]), events_of("bad", footage(6, 1), refused="too long")
    )

    found = described(describer, events)

    assert {each: len(rows) for each, rows in found.items()} == {"none": 0, "bad": 0}


def test_a_view_that_cannot_be_described_refuses_the_video(describer, monkeypatch):
    original = describer._runtime.describe
    calls = []

    def choking(pixels):
        calls.append(len(pixels))
        if len(calls) > 1:
            raise TransientError("out of memory")
        return original(pixels)

    monkeypatch.setattr(describer._runtime, "describe", choking, raising=False)

    ((examination, found),) = describer.describe(
        events_of("a", with_inset(8, INSET_PX)), views=VIEWS
    )

    assert isinstance(examination, Examination)
    assert examination.reason == "undescribable"
    assert len(found) == 0


def test_a_still_keeps_its_mirrored_rows_whatever_the_weights_see(describer):
    found = described(describer, events_of("a", footage(4, 1)))["a"]

    assert set(found.view.tolist()) == {0, 1}
