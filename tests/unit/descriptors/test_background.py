"""Which rows a fit is fitted on."""

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, unit_rows
from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError
from vcd.descriptors import read_descriptor_rows, write_descriptors
from vcd.descriptors.background import BackgroundRows


def _videos(rng):
    """Videos of 2, 3 and 1 frames; the second has a black frame."""
    features = unit_rows(3, rng)
    features[1] = 0.0
    black = Descriptors.from_frames("b", make_timeline(3), features, SPACE)
    return [make_descriptors("a", 2, rng), black, make_descriptors("c", 1, rng)]


def test_rows_without_evidence_stay_out_and_runs_are_of_what_is_left(rng):
    videos = _videos(rng)

    rows = BackgroundRows.of(videos)

    assert rows.own_run.tolist() == [[0, 2], [0, 2], [2, 4], [2, 4], [4, 5]]
    np.testing.assert_array_equal(rows.features[2:4], videos[1].features[[0, 2]])
    assert rows.space == SPACE


def test_a_descriptor_file_gives_the_same_rows(rng, tmp_path):
    videos = _videos(rng)
    write_descriptors(tmp_path / "b.npz", videos, space=SPACE)

    by_file = BackgroundRows.of(read_descriptor_rows(tmp_path / "b.npz"))
    by_video = BackgroundRows.of(videos)

    np.testing.assert_array_equal(by_file.features, by_video.features)
    np.testing.assert_array_equal(by_file.own_run, by_video.own_run)


@pytest.mark.parametrize(("most", "wanted"), [(3, [0, 2, 4]), (5, [0, 1, 2, 3, 4]), (9, range(5))])
def test_chosen_rows_are_evenly_spread(most, wanted, rng):
    rows = BackgroundRows.of([make_descriptors("a", 5, rng)])

    assert rows.spread(most).tolist() == list(wanted)


def test_a_background_without_evidence_is_refused(rng):
    black = Descriptors.from_frames("b", make_timeline(3), 0 * unit_rows(3, rng), SPACE)

    with pytest.raises(InputError, match="wanted rows that carry evidence, got none of 3"):
        BackgroundRows.of([black])


def test_a_background_without_videos_is_refused():
    with pytest.raises(InputError, match="wanted videos, got none"):
        BackgroundRows.of([])


def test_videos_of_two_spaces_are_no_background(rng):
    other = DescriptorSpace(name="other", dim=64, fingerprint="e" * 16)
    videos = [make_descriptors("a", 1, rng), make_descriptors("b", 1, rng, space=other)]

    with pytest.raises(SetupError, match=r"one space, got other \(e+\), test \(f+\)"):
        BackgroundRows.of(videos)
