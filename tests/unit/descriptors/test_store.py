import zipfile
from typing import Any

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, unit_rows
from vcd.core import Descriptors, DescriptorSpace, InputError, SetupError, Timeline
from vcd.descriptors import (
    DescriptorWriter,
    read_descriptor_rows,
    read_descriptors,
    write_descriptors,
)


def same(left, right):
    assert left.video_id == right.video_id
    assert left.timeline == right.timeline
    assert left.space == right.space
    np.testing.assert_array_equal(left.features, right.features)
    np.testing.assert_array_equal(left.frame, right.frame)
    np.testing.assert_array_equal(left.view, right.view)


def foreign(path, num_rows=6, **changes):
    """Write a file as another program would: two videos of three frames, nothing of ours."""
    arrays: dict[str, Any] = {
        "video_ids": np.array(["Q100001"] * 3 + ["Q100002"] * (num_rows - 3)),
        "features": unit_rows(num_rows, np.random.default_rng(1), 8),
        "timestamps": np.array([[i % 3, i % 3 + 1] for i in range(num_rows)], dtype=np.float64),
    }
    arrays |= changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d.npz"


def test_what_is_written_is_read_again(path):
    rng = np.random.default_rng(0)
    videos = [make_descriptors("a", 5, rng), make_descriptors("ünïcode", 1, rng)]

    write_descriptors(path, iter(videos), space=SPACE)

    for found, wanted in zip(read_descriptors(path), videos, strict=True):
        same(found, wanted)


def test_views_and_rows_without_evidence_survive(path):
    features = unit_rows(4, np.random.default_rng(0))
    features[1] = 0.0
    wanted = Descriptors(
        video_id="a",
        timeline=make_timeline(2),
        features=features,
        frame=np.array([0, 0, 1, 1], dtype=np.int32),
        view=np.array([0, 4, 0, 2], dtype=np.int16),
        space=SPACE,
    )

    write_descriptors(path, [wanted], space=SPACE)

    same(next(read_descriptors(path)), wanted)


def test_numpy_reads_the_file_as_a_vsc2022_descriptor_file(path):
    videos = [make_descriptors(name, 3, np.random.default_rng(0)) for name in ("a", "long name")]

    write_descriptors(path, videos, space=SPACE)

    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["video_ids"].tolist() == ["a"] * 3 + ["long name"] * 3
        assert arrays["features"].shape == (6, SPACE.dim)
        assert arrays["features"].dtype == np.float32
        assert arrays["timestamps"].tolist()[:2] == [[0.0, 0.5], [0.5, 1.0]]
        assert arrays["view"].tolist() == [0] * 6
        assert SPACE.fingerprint in str(arrays["space"])


@pytest.mark.parametrize("num_empty", [0, 1])
def test_no_rows_at_all_is_a_file_too(path, num_empty):
    empty = Descriptors.from_frames(
        "a", Timeline.empty(), np.empty((0, SPACE.dim), dtype=np.float32), SPACE
    )

    write_descriptors(path, [empty] * num_empty, space=SPACE)

    assert list(read_descriptors(path)) == []
    assert read_descriptor_rows(path).features.shape == (0, SPACE.dim)


def test_equal_videos_make_equal_bytes(tmp_path):
    contents = set()
    for name in ("one.npz", "two.npz"):
        write_descriptors(
            tmp_path / name, [make_descriptors("a", 5, np.random.default_rng(0))], space=SPACE
        )
        contents.add((tmp_path / name).read_bytes())

    assert len(contents) == 1


def test_a_failure_leaves_the_old_file_and_nothing_else(path):
    path.write_text("old")

    def failing():
        yield make_descriptors("a", 5, np.random.default_rng(0))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_descriptors(path, failing(), space=SPACE)

    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_file_appears_only_when_it_is_whole(path):
    with DescriptorWriter(path, SPACE) as writer:
        writer.add(make_descriptors("a", 5, np.random.default_rng(0)))

        assert not path.exists()

    assert path.exists()


def test_two_videos_of_one_id_are_refused(path):
    video = make_descriptors("twin", 2, np.random.default_rng(0))

    with pytest.raises(InputError, match="twin: there already is a video of this id"):
        write_descriptors(path, [video, video], space=SPACE)


def test_a_video_of_another_space_is_refused(path):
    other = DescriptorSpace(name="other", dim=SPACE.dim, fingerprint="0" * 16)

    with pytest.raises(SetupError, match=r"a: described in space other .* the file is for test"):
        write_descriptors(
            path, [make_descriptors("a", 2, np.random.default_rng(0), space=other)], space=SPACE
        )


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"nowhere.d\.npz: cannot be written"):
        write_descriptors(tmp_path / "nowhere" / "d.npz", [], space=SPACE)


def test_a_file_of_another_program_has_an_unknown_space(path):
    first, second = read_descriptors(foreign(path))

    assert (
        first.space == second.space == DescriptorSpace(name="unknown", dim=8, fingerprint="unknown")
    )
    assert first.timeline.end_s.tolist() == [1.0, 2.0, 3.0]
    assert first.view.tolist() == [0, 0, 0]


def test_half_precision_and_compressed_files_are_read(path):
    features = unit_rows(6, np.random.default_rng(1), 8)
    foreign(path, features=features.astype(np.float16))
    with np.load(path) as arrays:
        np.savez_compressed(path.with_name("small.npz"), **arrays)

    for file in (path, path.with_name("small.npz")):
        first, _ = read_descriptors(file)
        assert first.features.dtype == np.float32
        np.testing.assert_allclose(first.features, features[:3], atol=1e-3)


@pytest.mark.parametrize("shape", [(6,), (6, 2)], ids=["(N,)", "(N, 2) of equal times"])
def test_instants_last_until_the_next_one(path, shape):
    instants = np.array([0.25, 0.75, 1.75, 0.5, 1.0, 1.5])
    timestamps = np.broadcast_to(instants.reshape(6, -1), (6, 2)) if len(shape) == 2 else instants

    first, _ = read_descriptors(foreign(path, timestamps=timestamps))

    assert first.timeline.start_s.tolist() == [0.25, 0.75, 1.75]
    assert first.timeline.end_s.tolist() == [0.75, 1.75, 2.5]


def test_rows_of_equal_times_are_views_of_one_frame(path):
    times = np.array([[0, 1], [0, 1], [1, 2], [0, 1], [1, 2], [2, 3]], dtype=np.float64)

    first, _ = read_descriptors(foreign(path, timestamps=times))

    assert first.frame.tolist() == [0, 0, 1]
    assert first.view.tolist() == [0, 1, 0]
    assert len(first.timeline) == 2


def test_reading_does_not_load_what_is_not_asked_for(path):
    write_descriptors(path, [make_descriptors("a", 50, np.random.default_rng(0))], space=SPACE)

    rows = read_descriptor_rows(path)

    assert isinstance(rows.features.base, np.memmap)
    assert rows.runs == ((0, 50),)


NAN_ROW = unit_rows(6, np.random.default_rng(1), 8)
NAN_ROW[4, 2] = np.nan


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"video_ids": np.array(list("aabbaa"))},
            "the rows of video a do not stand together",
            id="torn apart",
        ),
        pytest.param({"features": NAN_ROW}, r"row 4 \(video Q100002\) is not finite", id="NaN"),
        pytest.param({"features": np.ones((6,))}, r"features must be \(N, D\) floats", id="1-D"),
        pytest.param(
            {"features": np.ones((6, 2), dtype=np.int64)}, "floats, got .* int64", id="integers"
        ),
        pytest.param({"features": np.ones((5, 2))}, "5 features for 6 video_ids", id="lengths"),
        pytest.param(
            {"timestamps": np.ones((6, 3))}, r"timestamps must be \(6, 2\) or", id="three times"
        ),
        pytest.param(
            {"timestamps": np.full(6, np.inf)}, "a timestamp is not finite", id="infinite"
        ),
        pytest.param({"timestamps": None}, "needs timestamps", id="missing"),
        pytest.param({"view": np.zeros((6, 2))}, r"view must be \(6,\) integers", id="views"),
        pytest.param({"space": np.array("{}")}, "its space cannot be read", id="space"),
        pytest.param(
            {"space": np.array('{"name": "x", "dim": 9, "fingerprint": "y"}')},
            "space x has 9 dimensions, not 8",
            id="dimensions",
        ),
        pytest.param(
            {"timestamps": np.array([2.0, 1.0, 0.0] * 2)},
            "video Q100001: each frame of a timeline must end after it starts",
            id="backwards",
        ),
        pytest.param(
            {"timestamps": np.stack([np.arange(6.0) % 3 + 1, np.arange(6.0) % 3], axis=1)},
            "video Q100001: each frame of a timeline must end after it starts",
            id="ends before starts",
        ),
        pytest.param(
            {"space": np.array('{"name": 1, "dim": 8, "fingerprint": null}')},
            "its space cannot be read: wanted texts for name and fingerprint",
            id="space without names",
        ),
        pytest.param(
            {"features": 2 * np.eye(8, dtype=np.float32)[:6]},
            "video Q100001: a descriptor is neither of length 1 nor zero",
            id="not unit",
        ),
        pytest.param(
            {"video_ids": np.array(["a"] * 6, dtype=object)}, "Python objects", id="pickle"
        ),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_sentence(path, changes, sentence):
    foreign(path, **changes)

    with pytest.raises(InputError, match=sentence) as caught:
        list(read_descriptors(path))
    assert str(path) in str(caught.value)


def test_vectors_of_any_length_can_be_read_as_they_are(path):
    foreign(path, features=2 * np.eye(8, dtype=np.float32)[:6])

    np.testing.assert_array_equal(read_descriptor_rows(path).features, 2 * np.eye(8)[:6])


@pytest.mark.parametrize(
    "content", [b"", b"not a zip file", None], ids=["empty", "text", "missing"]
)
def test_what_is_no_archive_is_refused(path, content):
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"d\.npz: (not a descriptor file|cannot be read)"):
        read_descriptor_rows(path)


def test_a_truncated_file_is_refused(path):
    write_descriptors(path, [make_descriptors("a", 50, np.random.default_rng(0))], space=SPACE)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(InputError, match="damaged"):
        read_descriptor_rows(path)


def test_members_are_stored_so_that_they_can_be_mapped(path):
    write_descriptors(path, [make_descriptors("a", 5, np.random.default_rng(0))], space=SPACE)

    with zipfile.ZipFile(path) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None
