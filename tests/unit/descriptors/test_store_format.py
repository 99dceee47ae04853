"""Which ids a descriptor file may have."""

import numpy as np
import pytest

from tests.plain_tracks import write_rows
from vcd.core import InputError
from vcd.descriptors import read_descriptor_rows, read_descriptors

ROWS = {"a": np.eye(8, dtype=np.float32)[:6]}


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint32])
def test_integers_are_their_digits(tmp_path, kind):
    ids = np.array([100001] * 3 + [7] * 3, dtype=kind)
    times = np.array([0.0, 1, 2] * 2)
    path = write_rows(tmp_path / "d.npz", ROWS, video_ids=ids, timestamps=times)

    rows = read_descriptor_rows(path)

    assert rows.video_ids.tolist() == ["100001"] * 3 + ["7"] * 3
    assert rows.runs == ((0, 3), (3, 6))
    assert [each.video_id for each in read_descriptors(path)] == ["100001", "7"]


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        pytest.param(
            np.arange(6.0),
            r"video_ids must be \(N,\) text or integers, got \(6,\) float64",
            id="broken numbers",
        ),
        pytest.param(np.ones(6, dtype=np.bool_), r"got \(6,\) bool", id="truth values"),
        pytest.param(np.full(6, b"a"), r"got \(6,\) \|S1", id="bytes"),
        pytest.param(np.zeros((6, 1), dtype=np.int64), r"got \(6, 1\) int64", id="a column"),
        pytest.param(
            np.array(["a", "a", "b", "b", "", ""]),
            "row 4: wanted the id of a video, found ''",
            id="empty",
        ),
        pytest.param(
            np.array(["a", "a", "b", "b", "c", "c\0d"]),
            r"row 5: wanted the id of a video, found 'c\\x00d'",
            id="a NUL",
        ),
        pytest.param(
            np.array([1, 1, 2, 2, 1, 1]), "the rows of video 1 do not stand together", id="apart"
        ),
    ],
)
def test_what_names_no_videos_is_refused(tmp_path, ids, sentence):
    path = write_rows(tmp_path / "d.npz", ROWS, video_ids=ids)

    with pytest.raises(InputError, match=rf"d\.npz: .*{sentence}"):
        read_descriptor_rows(path)


@pytest.mark.parametrize("view", [-1, 32_768])
def test_a_view_that_no_record_can_hold_is_refused(tmp_path, view):
    path = write_rows(tmp_path / "d.npz", ROWS, view=np.array([0, 0, 0, 0, 0, view]))

    with pytest.raises(InputError, match="a view must be a number from 0 to 32767, got"):
        read_descriptor_rows(path)
