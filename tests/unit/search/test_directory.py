"""References go into and out of an index on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video, unit_rows
from vcd.core import Descriptors, InputError, Interval, SetupError, Skipped, Timeline
from vcd.search import (
    ExactIndex,
    IndexWriter,
    SearchSettings,
    is_index,
    open_index,
    read_info,
)


def open_writer(path: Path, **changes: Any) -> IndexWriter:
    settings: dict[str, Any] = {
        "space": SPACE,
        "rate_hz": 2.0,
        "weights": "test-weights",
        **changes,
    }
    return IndexWriter.open(path, **settings)


def add_all(writer: IndexWriter, refs: list[Descriptors]) -> None:
    for ref in refs:
        writer.add(make_video(ref.video_id), ref)


def assert_same(found: Descriptors, wanted: Descriptors) -> None:
    assert found.video_id == wanted.video_id
    assert found.space == wanted.space
    assert found.timeline == wanted.timeline
    np.testing.assert_array_equal(found.features, wanted.features)
    np.testing.assert_array_equal(found.frame, wanted.frame)
    np.testing.assert_array_equal(found.view, wanted.view)


def shard_files(path: Path) -> list[Path]:
    return sorted((path / "shards").glob("*"))


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"r{i}", 3 + i, rng) for i in range(6)]


def test_every_reference_is_read_back_as_it_was_added(tmp_path, refs):
    with open_writer(tmp_path / "index") as writer:
        add_all(writer, refs)

    index = open_index(tmp_path / "index", SearchSettings())

    assert index.ref_ids == tuple(f"r{i}" for i in range(6))
    assert len(index) == 6
    for ref in refs:
        assert_same(index.descriptors(ref.video_id), ref)


def test_several_views_of_a_frame_and_frames_without_a_row_are_kept(tmp_path, rng):
    ref = Descriptors(
        video_id="views",
        timeline=Timeline.from_starts(np.array([0.0, 0.5, 1.25]), end_s=2.0),
        features=unit_rows(4, rng),
        frame=np.array([0, 0, 2, 2], dtype=np.int32),
        view=np.array([0, 3, 0, 1], dtype=np.int16),
        space=SPACE,
    )

    with open_writer(tmp_path) as writer:
        writer.add(make_video("views"), ref)

    assert_same(open_index(tmp_path, SearchSettings()).descriptors("views"), ref)


def test_a_reference_without_frames_is_legal(tmp_path, rng, refs):
    nothing = make_descriptors("nothing", 0, rng)

    with open_writer(tmp_path) as writer:
        add_all(writer, [nothing])
    alone = open_index(tmp_path, SearchSettings())
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
    among = open_index(tmp_path, SearchSettings())

    assert list(alone.hits(refs[0], min_score=-1.0)) == []
    assert_same(alone.descriptors("nothing"), nothing)
    assert_same(among.descriptors("nothing"), nothing)


def test_an_empty_index_can_be_opened_and_finds_nothing(tmp_path, refs):
    with open_writer(tmp_path):
        pass

    index = open_index(tmp_path, SearchSettings())

    assert list(index.hits(refs[0], min_score=-1.0)) == []
    assert index.version == ExactIndex([], space=SPACE).version


def test_what_is_known_of_the_video_and_of_its_gaps_is_kept(tmp_path, rng):
    video = replace(make_video("film"), uri="/films/\udcff.mp4", duration_s=12.5, width_px=640)
    skipped = (Skipped(interval=Interval(1.0, 2.5), reason="undecodable"),)

    with open_writer(tmp_path, factory="Flat") as writer:
        writer.add(video, make_descriptors("film", 5, rng), skipped=skipped)
    info = read_info(tmp_path)

    assert info.refs == (video,)
    assert info.by_id["film"].skipped == skipped
    assert info.by_id["film"].num_vectors == info.num_vectors == 5
    assert (info.weights, info.rate_hz, info.factory) == ("test-weights", 2.0, "Flat")
    assert info.num_bytes == sum(file.stat().st_size for file in shard_files(tmp_path))
    assert info.version == open_index(tmp_path, SearchSettings()).info.version


def test_images_are_told_from_videos(tmp_path, rng):
    with open_writer(tmp_path) as writer:
        add_all(writer, [make_descriptors("photo", 1, rng), make_descriptors("film", 2, rng)])

    assert read_info(tmp_path).image_ids == {"photo"}


def test_equal_contents_have_equal_versions_whatever_the_way_there(tmp_path, refs):
    with open_writer(tmp_path / "a") as writer:
        add_all(writer, refs)
    with open_writer(tmp_path / "b") as writer:
        add_all(writer, [*reversed(refs), make_descriptors("gone", 4, np.random.default_rng(1))])
        writer.publish()
        writer.remove("gone")

    versions = {read_info(tmp_path / name).version for name in "ab"}

    assert versions == {ExactIndex(refs).version}


def test_other_contents_have_another_version(tmp_path, refs):
    versions = []
    with open_writer(tmp_path) as writer:
        add_all(writer, refs[:2])
        versions.append(writer.info.version)
        writer.add(make_video("r1"), replace(refs[2], video_id="r1"))
        versions.append(writer.info.version)
        writer.exclude("r0", [Interval(0.0, 1.0)])
        versions.append(writer.info.version)
        writer.remove("r0")
        versions.append(writer.info.version)

    assert len(set(versions)) == 4
    assert read_info(tmp_path).version == versions[-1]


def test_adding_an_id_again_replaces_it(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
    changed = replace(refs[5], video_id="r0")

    with open_writer(tmp_path) as writer:
        writer.add(make_video("r0", duration_s=99.0), changed)
    index = open_index(tmp_path, SearchSettings())

    assert_same(index.descriptors("r0"), changed)
    assert index.info.by_id["r0"].video.duration_s == 99.0
    assert len(index) == 6
    np.testing.assert_allclose(scores_with(index, refs[0], "r0"), [])


def scores_with(index, query: Descriptors, ref_id: str) -> list[float]:
    ordinal = index.ref_ids.index(ref_id)
    return [
        float(score)
        for chunk in index.hits(query, min_score=0.9)
        for score, ref_ordinal in zip(chunk.score, chunk.ref_ordinal, strict=True)
        if ref_ordinal == ordinal
    ]


def test_a_removed_reference_is_neither_listed_nor_found(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
    with open_writer(tmp_path) as writer:
        writer.remove("r3")
        assert "r3" not in writer

    index = open_index(tmp_path, SearchSettings())

    assert "r3" not in index.ref_ids
    assert list(index.hits(refs[3], min_score=0.9)) == []
    with pytest.raises(InputError, match="r3: the index has no reference"):
        index.descriptors("r3")


def test_removing_an_unknown_id_names_it_and_changes_nothing(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
        with pytest.raises(InputError, match=r"nobody: the index .* has no reference"):
            writer.remove("nobody")

    assert len(read_info(tmp_path).refs) == 6


def test_an_excluded_stretch_is_stored_but_not_searched(tmp_path, rng):
    ref = make_descriptors("r", 10, rng)  # frames of half a second

    with open_writer(tmp_path) as writer:
        writer.add(make_video("r"), ref)
        writer.publish()
        writer.exclude("r", [Interval(1.0, 2.25)])  # frames 2, 3 and 4
    index = open_index(tmp_path, SearchSettings())
    found = {int(row) for chunk in index.hits(ref, min_score=0.9) for row in chunk.ref_row}

    assert found == {0, 1, 5, 6, 7, 8, 9}
    assert_same(index.stored_descriptors("r"), ref)
    assert index.info.by_id["r"].excluded == (Interval(1.0, 2.25),)


def test_nothing_counts_before_it_is_published(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs[:2])
        writer.publish()
        add_all(writer, refs[2:])

        assert [video.id for video in read_info(tmp_path).refs] == ["r0", "r1"]
        assert len(writer.info.refs) == 6


def test_an_interrupted_run_keeps_what_was_added(tmp_path, refs):
    def add_two_and_be_interrupted() -> None:
        with open_writer(tmp_path) as writer:
            add_all(writer, refs[:2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_two_and_be_interrupted()

    assert len(read_info(tmp_path).refs) == 2


def test_a_reader_keeps_its_version_while_the_index_changes(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
    index = open_index(tmp_path, SearchSettings())
    before = index.version

    with open_writer(tmp_path) as writer:
        for ref in refs:
            writer.remove(ref.video_id)
    assert shard_files(tmp_path) == []

    assert index.version == before
    assert_same(index.descriptors("r2"), refs[2])
    assert len(list(index.hits(refs[2], min_score=0.9))) == 1


def test_only_one_writer_at_a_time_and_the_other_is_named(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs[:1])
        with pytest.raises(SetupError, match=r"being written by process \d+ on "):
            open_writer(tmp_path)

    with open_writer(tmp_path) as writer:
        assert "r0" in writer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"space": replace(SPACE, fingerprint="other")}, "holds descriptors of", id="space"
        ),
        pytest.param({"rate_hz": 4.0}, r"sampled at 2.0 Hz, .* 4.0 Hz", id="rate"),
        pytest.param(
            {"factory": "Nonsense"}, "FAISS cannot make an index 'Nonsense'", id="factory"
        ),
        pytest.param({"factory": "NSG16"}, "range search not implemented", id="no floor"),
    ],
)
def test_a_writer_for_something_else_is_refused(tmp_path, refs, changes, message):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)

    with pytest.raises(SetupError, match=message):
        open_writer(tmp_path, **changes)

    with open_writer(tmp_path):
        assert len(read_info(tmp_path).refs) == 6


def test_descriptors_of_another_space_are_refused_by_name(tmp_path, rng):
    other = make_descriptors("odd", 3, rng, space=replace(SPACE, fingerprint="other"))

    with (
        open_writer(tmp_path) as writer,
        pytest.raises(SetupError, match="odd: the index holds descriptors of"),
    ):
        writer.add(make_video("odd"), other)


def test_the_factory_can_change_and_stays_when_not_named(tmp_path, refs):
    with open_writer(tmp_path, factory="Flat") as writer:
        add_all(writer, refs)
    with open_writer(tmp_path, factory="SQ8"):
        pass
    with open_writer(tmp_path):
        pass

    assert read_info(tmp_path).factory == "SQ8"


def test_an_index_is_told_from_other_places(tmp_path, refs):
    with open_writer(tmp_path / "index"):
        pass

    assert is_index(tmp_path / "index")
    assert not is_index(tmp_path)
    assert not is_index(tmp_path / "missing")
