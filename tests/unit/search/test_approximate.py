"""FAISS indexes by factory string: trained once, kept, made again when lost."""

from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_video
from tests.unit.search.test_index import hits_of
from vcd.search import IndexWriter, SearchSettings, compaction, index, open_index

SETTINGS = SearchSettings(num_probes=3)


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"r{i:02d}", 60, rng) for i in range(30)]


@pytest.fixture(autouse=True)
def _small_training(monkeypatch):
    monkeypatch.setattr(index, "_MIN_TRAINING_ROWS", 1000)


def add(path: Path, refs, factory: str = "IVF16,Flat") -> None:
    with IndexWriter.open(
        path, space=SPACE, rate_hz=2.0, weights="test", factory=factory
    ) as writer:
        for ref in refs:
            writer.add(make_video(ref.video_id), ref)


def derived(path: Path, kind: str) -> list[Path]:
    return sorted((path / "derived").glob(f"{kind}-*"))


def test_an_inverted_file_finds_most_and_invents_nothing(tmp_path, refs, rng):
    query = make_descriptors("q", 50, rng)
    add(tmp_path / "exact", refs, "Flat")
    add(tmp_path / "ivf", refs)

    wanted = hits_of(open_index(tmp_path / "exact", SETTINGS), query, 0.3)
    found = hits_of(open_index(tmp_path / "ivf", SETTINGS), query, 0.3)

    assert found.items() <= wanted.items()  # the scores too, to the last bit
    assert 0.3 * len(wanted) < len(found) < len(wanted)


def test_coarse_codes_still_give_exact_scores(tmp_path, refs):
    add(tmp_path, refs, "PQ8x4")

    found = hits_of(open_index(tmp_path, SearchSettings(approximate_slack=1.0)), refs[0], 0.9)

    assert found == {(row, "r00", row): pytest.approx(1.0, abs=1e-6) for row in range(60)}


def test_the_rows_are_kept_and_used_again(tmp_path, refs, monkeypatch):
    add(tmp_path, refs)
    first = hits_of(open_index(tmp_path, SETTINGS), refs[0], 0.2)

    monkeypatch.setattr(index, "_train_index", None)  # would be called to make them again
    again = hits_of(open_index(tmp_path, SETTINGS), refs[0], 0.2)

    assert len(derived(tmp_path, "rows")) == 1
    assert again == first


def test_rows_kept_from_another_layout_still_point_at_the_right_references(
    tmp_path, refs, monkeypatch
):
    add(tmp_path / "a", refs)
    first = hits_of(open_index(tmp_path / "a", SETTINGS), refs[0], 0.2)
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 1)  # each reference in a shard of its own
    add(tmp_path / "b", refs)
    (tmp_path / "b" / "derived").mkdir()
    for file in (tmp_path / "a" / "derived").iterdir():
        (tmp_path / "b" / "derived" / file.name).write_bytes(file.read_bytes())

    assert hits_of(open_index(tmp_path / "b", SETTINGS), refs[0], 0.2) == first


@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "nonsense", "one bit"])
def test_damaged_rows_are_made_again(tmp_path, refs, damage):
    add(tmp_path, refs)
    first = hits_of(open_index(tmp_path, SETTINGS), refs[0], 0.2)
    (file,) = derived(tmp_path, "rows")
    data = file.read_bytes()
    file.write_bytes(damage if damage is not None else data[:99] + b"\x01" + data[100:])

    assert hits_of(open_index(tmp_path, SETTINGS), refs[0], 0.2) == first
    assert file.read_bytes() == data


def test_training_is_frozen_so_new_references_change_no_other_pair(tmp_path, refs, rng):
    query = make_descriptors("q", 50, rng)
    add(tmp_path, refs)
    before = hits_of(open_index(tmp_path, SETTINGS), query, 0.25)
    (trained,) = derived(tmp_path, "trained")
    stamp = trained.read_bytes()

    add(tmp_path, [make_descriptors(f"new{i}", 200, rng) for i in range(10)])
    after = hits_of(open_index(tmp_path, SETTINGS), query, 0.25)

    assert {hit: score for hit, score in after.items() if hit[1].startswith("r")} == before
    assert len(after) > len(before)
    assert trained.read_bytes() == stamp


def test_rows_of_an_old_version_are_removed_and_training_stays(tmp_path, refs):
    add(tmp_path, refs)
    open_index(tmp_path, SETTINGS)
    (old,) = derived(tmp_path, "rows")

    add(tmp_path, [make_descriptors("new", 5, np.random.default_rng(3))])
    open_index(tmp_path, SETTINGS)

    assert old not in derived(tmp_path, "rows")
    assert len(derived(tmp_path, "rows")) == len(derived(tmp_path, "trained")) == 1


def test_too_few_rows_to_train_are_searched_exactly(tmp_path, refs, rng):
    query = make_descriptors("q", 50, rng)
    add(tmp_path / "ivf", refs[:5])
    add(tmp_path / "exact", refs[:5], "Flat")

    found = hits_of(open_index(tmp_path / "ivf", SETTINGS), query, 0.2)

    assert found == hits_of(open_index(tmp_path / "exact", SETTINGS), query, 0.2)
    assert not (tmp_path / "ivf" / "derived").exists()


def test_a_directory_that_cannot_be_written_is_searched_all_the_same(tmp_path, refs, monkeypatch):
    add(tmp_path, refs)
    monkeypatch.setattr("vcd.search.derived.publish_file", _refuse)

    assert len(hits_of(open_index(tmp_path, SETTINGS), refs[0], 0.9)) == 60


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")
