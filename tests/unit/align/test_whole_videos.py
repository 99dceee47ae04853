"""How much two whole videos are the same, frame by frame."""

import numpy as np
import pytest

from tests.factories import make_timeline
from vcd.align.frames import FrameView
from vcd.align.whole_videos import whole_similarity
from vcd.core import Descriptors, DescriptorSpace, Interval, Match

_SPACE = DescriptorSpace(name="test", dim=16, fingerprint="f")


def _view(axes, *, rate_hz=2.0):
    """One frame for each axis; None is a frame without evidence."""
    features = np.zeros((len(axes), 16), dtype=np.float32)
    for frame, axis in enumerate(axes):
        if axis is not None:
            features[frame, axis] = 1.0
    timeline = make_timeline(len(axes), rate_hz=rate_hz)
    return FrameView.of(Descriptors.from_frames("v", timeline, features, _SPACE), 0)


def _match(query_s, ref_s):
    return Match(
        query_id="q", ref_id="r", query=Interval(*query_s), ref=Interval(*ref_s), score=0.9
    )


def test_a_video_matched_whole_with_itself_is_wholly_the_same():
    video = _view([0, 1, 2, 3])

    assert whole_similarity(video, video, [_match((0, 2), (0, 2))]) == 1.0


def test_without_matches_nothing_is_the_same():
    video = _view([0, 1, 2, 3])

    assert whole_similarity(video, video, []) == 0.0


def test_what_is_matched_counts_with_its_share_of_the_longer_side():
    short = _view([0, 1, 2, 3])
    long = _view([0, 1, 2, 3, 4, 5, 6, 7])

    similarity = whole_similarity(short, long, [_match((0, 2), (0, 2))])

    assert similarity == pytest.approx(0.5)
    assert similarity == whole_similarity(long, short, [_match((0, 2), (0, 2))])


def test_films_that_share_an_intro_are_hardly_the_same():
    one = _view([0, 1, *range(2, 9)])
    other = _view([0, 1, *range(9, 16)])

    assert whole_similarity(one, other, [_match((0, 1), (0, 1))]) == pytest.approx(2 / 9)


def test_frames_without_evidence_are_left_out():
    one = _view([None, None, 0, 1])
    other = _view([0, 1])

    assert whole_similarity(one, other, [_match((1, 2), (0, 1))]) == 1.0


def test_a_video_without_any_evidence_is_like_nothing():
    black = _view([None, None])

    assert whole_similarity(black, black, [_match((0, 1), (0, 1))]) == 0.0


def test_a_faster_copy_is_compared_with_the_frames_that_it_shows():
    original = _view([0, 0, 1, 1, 2, 2, 3, 3])
    faster = _view([0, 1, 2, 3])

    assert whole_similarity(faster, original, [_match((0, 2), (0, 4))]) == 1.0


def test_a_matched_stretch_of_other_footage_is_compared_by_its_looks():
    one = _view([0, 1, 2, 3])
    other = _view([8, 9, 10, 11])

    assert whole_similarity(one, other, [_match((0, 2), (0, 2))]) == 0.0


def test_two_matches_of_different_parts_add_up():
    one = _view([0, 1, 2, 3, 4, 5, 6, 7])
    swapped = _view([4, 5, 6, 7, 0, 1, 2, 3])
    matches = [_match((0, 2), (2, 4)), _match((2, 4), (0, 2))]

    assert whole_similarity(one, swapped, matches) == 1.0


def test_an_image_is_like_a_video_as_far_as_the_video_shows_it():
    image = _view([0], rate_hz=1.0)
    film = _view([0, 1, 2, 3])

    assert whole_similarity(image, film, [_match((0, 1), (0, 0.5))]) == pytest.approx(0.25)


def test_samples_half_a_step_apart_are_the_same_film():
    one = _view([0, 1, 2, 3, 4])
    late = _view([1, 2, 3, 4, 5])

    assert whole_similarity(one, late, [_match((0.25, 2.5), (0.0, 2.25))]) == pytest.approx(0.8)
