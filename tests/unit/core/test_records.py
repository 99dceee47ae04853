import dataclasses

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_match, make_timeline, make_video
from vcd.core import (
    Box,
    Descriptors,
    DescriptorSpace,
    Examination,
    FrameBatch,
    FrameHits,
    Interval,
    PairCandidate,
    PairTally,
    Timeline,
)
from vcd.core.records import read_only


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"id": ""}, "needs an id", id="no name"),
        pytest.param({"duration_s": float("nan")}, "q: duration_s", id="no length"),
        pytest.param({"width_px": 0}, "q: not a picture size: 0x240", id="no picture"),
    ],
)
def test_a_video_that_is_none_cannot_exist(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(make_video(), **changes)


def test_frames_must_have_as_many_times():
    with pytest.raises(ValueError, match="q: 3 frames, 2 times"):
        FrameBatch(
            video_id="q",
            first_frame=0,
            timeline=make_timeline(2),
            pixels_THWC=np.zeros((3, 4, 4, 3), np.uint8),
        )


def test_frames_must_be_bytes_of_three_colours():
    with pytest.raises(ValueError, match=r"q: frames must be \(T, H, W, 3\) uint8"):
        FrameBatch(
            video_id="q",
            first_frame=0,
            timeline=make_timeline(1),
            pixels_THWC=np.zeros((1, 4, 4, 3), np.float32),
        )


def test_nobody_can_paint_over_frames():
    batch = FrameBatch(
        video_id="q",
        first_frame=0,
        timeline=make_timeline(1),
        pixels_THWC=np.zeros((1, 4, 4, 3), np.uint8),
    )

    with pytest.raises(ValueError, match="read-only"):
        batch.pixels_THWC[0, 0, 0, 0] = 1


def test_a_video_is_refused_or_known():
    with pytest.raises(ValueError, match="q: a video that is not refused must be known"):
        Examination(video_id="q", video=None)


@pytest.mark.parametrize(
    ("refused", "reason"), [("an empty file", None), (None, "not_a_video")], ids=str
)
def test_a_refusal_has_a_reason_and_nothing_else_has(refused, reason):
    with pytest.raises(ValueError, match="q: wanted a reason with a refusal and only then"):
        Examination(video_id="q", video=make_video("q"), refused=refused, reason=reason)


def test_a_space_needs_a_dimension():
    with pytest.raises(ValueError, match="dim must be positive, got 0"):
        DescriptorSpace(name="x", dim=0, fingerprint="")


def _rows(values: list[list[float]]) -> np.ndarray:
    rows = np.zeros((len(values), SPACE.dim), np.float32)
    rows[:, :2] = np.reshape(values, (-1, 2))
    return rows


def test_a_frame_without_evidence_is_a_row_of_zeros():
    described = Descriptors.from_frames("q", make_timeline(2), _rows([[1, 0], [0, 0]]), SPACE)

    assert described.is_informative.tolist() == [True, False]


def test_a_video_of_no_frames_has_descriptors_all_the_same():
    described = Descriptors.from_frames("q", Timeline.empty(), _rows([]), SPACE)

    assert len(described) == 0
    assert described.is_informative.tolist() == []


@pytest.mark.parametrize(
    ("values", "frame", "sentence"),
    [
        pytest.param([[2, 0], [1, 0]], [0, 1], "neither of length 1 nor zero", id="long row"),
        pytest.param([[1, 0], [1, 0]], [1, 0], "not in time order", id="backward"),
        pytest.param([[1, 0], [1, 0]], [0, 2], "outside the timeline", id="beyond the end"),
        pytest.param([[np.nan, 0], [1, 0]], [0, 1], "neither of length 1 nor zero", id="nan"),
    ],
)
def test_descriptors_that_are_none_cannot_exist(values, frame, sentence):
    with pytest.raises(ValueError, match=f"q: .*{sentence}"):
        Descriptors(
            video_id="q",
            timeline=make_timeline(2),
            features=_rows(values),
            frame=np.array(frame, np.int32),
            view=np.zeros(2, np.int16),
            space=SPACE,
        )


def test_without_a_score_bias_every_row_has_none():
    described = Descriptors.from_frames("q", make_timeline(2), _rows([[1, 0], [0, 1]]), SPACE)

    assert described.score_bias.tolist() == [0, 0]
    assert described.score_bias.dtype == np.float32


def test_a_score_bias_is_kept_and_cannot_be_written_to(rng):
    bias = np.array([-0.2, 0.1], np.float32)

    described = dataclasses.replace(make_descriptors("q", 2, rng), score_bias=bias)

    assert described.score_bias is not bias
    np.testing.assert_array_equal(described.score_bias, bias)
    with pytest.raises(ValueError, match="read-only"):
        described.score_bias[0] = 0


@pytest.mark.parametrize(
    ("bias", "sentence"),
    [
        pytest.param(np.zeros(3, np.float32), r"q: \(3,\) float32 score_bias", id="too many"),
        pytest.param(np.zeros((2, 1), np.float32), r"q: \(2, 1\) float32", id="two axes"),
        pytest.param(np.zeros(2), r"q: \(2,\) float64 score_bias", id="double"),
        pytest.param(np.array([0, np.nan], np.float32), "q: a score_bias is not fin", id="nan"),
        pytest.param(np.array([0, np.inf], np.float32), "q: a score_bias is not fin", id="inf"),
    ],
)
def test_a_score_bias_is_one_finite_number_for_each_row(bias, sentence, rng):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(make_descriptors("q", 2, rng), score_bias=bias)


def test_descriptors_of_another_dimension_are_refused():
    other = DescriptorSpace(name="other", dim=3, fingerprint="")

    with pytest.raises(ValueError, match=r"q: wanted \(1, 3\) features, got \(1, 64\)"):
        Descriptors.from_frames("q", make_timeline(1), _rows([[1, 0]]), other)


def test_a_view_of_a_writable_array_cannot_be_written_through(rng):
    described = make_descriptors("q", 2, rng)

    with pytest.raises(ValueError, match="read-only"):
        described.features[0, 0] = 0
    assert read_only(described.features) is described.features


def _hits(score: list[float]) -> FrameHits:
    num_hits = len(score)
    return FrameHits(
        query_id="q",
        ref_ids=("r",),
        query_row=np.arange(num_hits),
        ref_ordinal=np.zeros(num_hits, np.int64),
        ref_row=np.arange(num_hits),
        score=np.array(score, np.float32),
    )


@pytest.mark.parametrize("score", [[0.5, 0.9], [np.nan]], ids=["rising", "nan"])
def test_hits_are_in_order_of_falling_score(score):
    with pytest.raises(ValueError, match="q: hits are not in order"):
        _hits(score)


def test_no_hits_and_equal_scores_are_legal():
    assert len(_hits([])) == 0
    assert len(_hits([0.5, 0.5])) == 2


def test_a_tally_without_hits_cannot_exist():
    with pytest.raises(ValueError, match="a tally needs hits"):
        PairTally(
            candidate=PairCandidate(query_id="q", ref_id="r", score=0.5, num_hits=0),
            query_row=np.empty(0, np.int64),
            ref_row=np.empty(0, np.int64),
            score=np.empty(0, np.float32),
        )


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_match_has_a_finite_score(score):
    with pytest.raises(ValueError, match="q / r: score is"):
        make_match(score=score)


def test_a_box_is_half_open_and_never_empty():
    with pytest.raises(ValueError, match="first < stop"):
        Box(q_first=2, q_stop=2, r_first=0, r_stop=1)


def test_records_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="query"):
        make_match().query = Interval(0.0, 1.0)  # type: ignore[misc]  # what the test is about
