"""However an index was filled, its files are few, bounded and mostly alive."""

from dataclasses import replace

import pytest

from tests.factories import make_descriptors, make_video
from tests.unit.search.test_directory import (
    add_all,
    assert_same,
    open_writer,
    scores_with,
    shard_files,
)
from vcd.search import SearchSettings, compaction, directory, open_index, read_info


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"r{i}", 3 + i, rng) for i in range(6)]


def test_one_reference_at_a_time_leaves_few_files(tmp_path, rng, monkeypatch):
    refs = [make_descriptors(f"r{i:03d}", int(rng.integers(1, 20)), rng) for i in range(40)]

    with open_writer(tmp_path) as writer:
        for ref in refs:
            writer.add(make_video(ref.video_id), ref)
            writer.publish()
    index = open_index(tmp_path, SearchSettings())

    assert len(shard_files(tmp_path)) <= 6
    for ref in refs:
        assert_same(index.descriptors(ref.video_id), ref)


def test_dead_rows_are_given_back(tmp_path, refs):
    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
    full = read_info(tmp_path).num_bytes

    with open_writer(tmp_path) as writer:
        for ref in refs[1:]:
            writer.remove(ref.video_id)

    assert read_info(tmp_path).num_bytes < full / 2
    assert_same(open_index(tmp_path, SearchSettings()).descriptors("r0"), refs[0])


def test_much_waits_on_disk_and_not_in_memory(tmp_path, refs, monkeypatch):
    monkeypatch.setattr(directory, "MAX_WAITING_BYTES", 1)
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 2000)

    with open_writer(tmp_path) as writer:
        add_all(writer, refs)
        waiting_files = len(shard_files(tmp_path))
        assert read_info(tmp_path).refs == ()
    index = open_index(tmp_path, SearchSettings())

    assert waiting_files == 6
    for ref in refs:
        assert_same(index.descriptors(ref.video_id), ref)
        assert len(scores_with(index, ref, ref.video_id)) == len(ref)


def test_two_ids_with_the_same_contents_are_two_references(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 1)  # else they would share a file
    one = make_descriptors("one", 4, rng)
    two = replace(one, video_id="two")

    for ref in (one, two):
        with open_writer(tmp_path) as writer:
            writer.add(make_video(ref.video_id), ref)
    index = open_index(tmp_path, SearchSettings())

    assert len(scores_with(index, one, "one")) == 4
    assert len(scores_with(index, one, "two")) == 4
