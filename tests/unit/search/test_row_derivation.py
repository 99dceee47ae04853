"""Searched rows are derived from stored ones, kept, and made again when they are lost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, make_video
from tests.unit.search.test_index import hits_of
from vcd.core import Descriptors, SetupError
from vcd.search import IndexWriter, RowDerivation, SearchSettings, compaction, index, open_index

SMALL = replace(SPACE, name="first two", dim=2, fingerprint="2" * 16)
SETTINGS = SearchSettings(num_probes=3)


def first_two(features: np.ndarray) -> np.ndarray:
    rows = features[:, :2].copy()
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(length == 0.0, 1.0, length)).astype(np.float32)


DERIVATION = RowDerivation(space=SMALL, derive=first_two)


def never(_: np.ndarray) -> np.ndarray:
    raise AssertionError("derived again")


KEPT = replace(DERIVATION, derive=never)


def video_of(video_id: str, *rows: tuple[float, ...]) -> Descriptors:
    features = np.zeros((len(rows), SPACE.dim), dtype=np.float32)
    for row, values in enumerate(rows):
        features[row, : len(values)] = values
    return Descriptors.from_frames(video_id, make_timeline(len(rows)), features, SPACE)


def query_of(*rows: tuple[float, float]) -> Descriptors:
    features = np.array(rows, dtype=np.float32)
    return Descriptors.from_frames("q", make_timeline(len(rows)), features, SMALL)


def add(path: Path, *refs: Descriptors, factory: str = "Flat") -> None:
    with IndexWriter.open(
        path, space=SPACE, rate_hz=2.0, weights="test", factory=factory
    ) as writer:
        for ref in refs:
            writer.add(make_video(ref.video_id), ref)


def kept(path: Path, kind: str = "projected") -> list[Path]:
    return sorted((path / "derived").glob(f"{kind}-*"))


A = video_of("a", (0.6, 0.0, 0.8), (0.0, 0.0, 0.0), (0.0, 0.6, 0.8))
B = video_of("b", (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


def test_hits_are_those_of_the_derived_rows(tmp_path):
    add(tmp_path, A)

    found = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), 0.5)

    assert found == {(0, "a", 0): 1.0}  # in the stored space it would be 0.6


def test_the_space_is_that_of_the_derived_rows_and_the_version_that_of_the_stored_ones(tmp_path):
    add(tmp_path, A)

    derived, stored = open_index(tmp_path, SETTINGS, DERIVATION), open_index(tmp_path, SETTINGS)

    assert (derived.space, stored.space) == (SMALL, SPACE)
    assert derived.version == stored.version


def test_a_reference_can_be_read_as_derived_and_as_stored(tmp_path):
    add(tmp_path, A)
    opened = open_index(tmp_path, SETTINGS, DERIVATION)

    derived, stored = opened.descriptors("a"), opened.stored_descriptors("a")

    assert derived.space == SMALL
    assert derived.features.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    assert derived.timeline == stored.timeline == A.timeline
    assert stored.space == SPACE
    assert np.array_equal(stored.features, A.features)


def test_a_query_of_the_stored_space_is_refused(tmp_path):
    add(tmp_path, A)

    with pytest.raises(SetupError, match=r"q: the index holds descriptors of .*first two"):
        open_index(tmp_path, SETTINGS, DERIVATION).hits(replace(A, video_id="q"), min_score=0.5)


def test_a_row_that_becomes_zero_is_similar_to_nothing(tmp_path):
    add(tmp_path, A, B)

    found = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), -1.0)

    assert set(found) == {(0, "a", 0), (0, "a", 2), (0, "b", 1)}


def test_an_index_without_rows_can_be_derived(tmp_path):
    add(tmp_path / "none")
    add(tmp_path / "empty", video_of("e"))

    for name in ("none", "empty"):
        opened = open_index(tmp_path / name, SETTINGS, DERIVATION)
        assert hits_of(opened, query_of((1.0, 0.0)), -1.0) == {}


def test_derived_rows_are_kept_and_mapped_by_the_next_reader(tmp_path):
    add(tmp_path, A, B)
    first = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), 0.5)

    again = hits_of(open_index(tmp_path, SETTINGS, KEPT), query_of((1.0, 0.0)), 0.5)

    assert len(kept(tmp_path)) == 1
    assert again == first


def test_each_space_has_rows_of_its_own(tmp_path):
    add(tmp_path, A)
    other = RowDerivation(
        space=replace(SMALL, fingerprint="other"), derive=lambda rows: first_two(rows[:, 1:])
    )
    open_index(tmp_path, SETTINGS, DERIVATION)

    assert open_index(tmp_path, SETTINGS, other).descriptors("a").features[0].tolist() == [0.0, 1.0]
    assert open_index(tmp_path, SETTINGS, KEPT).descriptors("a").features[0].tolist() == [1.0, 0.0]
    assert len(kept(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["empty", "short", "one bit of a row", "one bit of the digest"])
def test_damaged_rows_are_noticed_and_made_again(tmp_path, damage, caplog):
    add(tmp_path, A, B)
    first = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), 0.5)
    (file,) = kept(tmp_path)
    data = file.read_bytes()
    flipped = {"one bit of a row": 45, "one bit of the digest": 3}.get(damage, 0)
    cut = {"empty": 0, "short": len(data) - 1}.get(damage, len(data))
    wrong = bytearray(data)
    wrong[flipped] ^= 1
    file.write_bytes(bytes(wrong[:cut]))

    again = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), 0.5)

    assert "damaged, made again" in caplog.text
    assert again == first
    assert file.read_bytes() == data


def test_only_what_is_new_is_derived(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 1)  # each reference in a shard of its own
    add(tmp_path, A)
    open_index(tmp_path, SETTINGS, DERIVATION)
    add(tmp_path, B)
    derived_rows = []

    def noting(rows: np.ndarray) -> np.ndarray:
        derived_rows.append(len(rows))
        return first_two(rows)

    open_index(tmp_path, SETTINGS, replace(DERIVATION, derive=noting))

    assert derived_rows == [2]


def test_rows_of_removed_references_are_removed_by_the_next_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(compaction, "MAX_SHARD_BYTES", 1)
    add(tmp_path, A, B)
    open_index(tmp_path, SETTINGS, DERIVATION)
    before = kept(tmp_path)

    with IndexWriter.open(tmp_path, space=SPACE, rate_hz=2.0, weights="test") as writer:
        writer.remove("a")

    assert len(before) == 2
    assert len(kept(tmp_path)) == 1
    open_index(tmp_path, SETTINGS, KEPT)


def test_each_video_is_derived_by_itself_and_long_ones_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("vcd.search.row_derivation._BLOCK_ROWS", 2)
    add(tmp_path, A, B)
    blocks = []

    def noting(rows: np.ndarray) -> np.ndarray:
        blocks.append(rows[:, :3].tolist())
        return first_two(rows)

    open_index(tmp_path, SETTINGS, replace(DERIVATION, derive=noting))

    assert blocks == [
        A.features[:2, :3].tolist(),
        A.features[2:, :3].tolist(),
        B.features[:, :3].tolist(),
    ]


def test_a_reader_that_may_not_write_searches_all_the_same(tmp_path, monkeypatch, caplog):
    add(tmp_path, A, B)
    monkeypatch.setattr("vcd.search.derived.publish_file", _refuse)

    found = hits_of(open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0)), 0.5)

    assert found == {(0, "a", 0): 1.0, (0, "b", 1): 1.0}
    assert kept(tmp_path) == []
    assert "not kept: Permission denied" in caplog.text


def test_two_readers_of_one_process_number_write_files_of_their_own(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("os.getpid", lambda: 1)
    add(tmp_path, A, B)
    inner: list[bool] = []

    def derive(rows: np.ndarray) -> np.ndarray:
        """Have another reader come while this one is at work."""
        if not inner:
            inner.append(True)
            open_index(tmp_path, SETTINGS, DERIVATION)
        return first_two(rows)

    opened = open_index(tmp_path, SETTINGS, replace(DERIVATION, derive=derive))

    assert hits_of(opened, query_of((1.0, 0.0)), 0.5) == {(0, "a", 0): 1.0, (0, "b", 1): 1.0}
    assert list((tmp_path / "derived").iterdir()) == kept(tmp_path)
    assert "not kept" not in caplog.text
    open_index(tmp_path, SETTINGS, KEPT)


def test_where_there_is_no_room_at_all_a_sentence_says_so(tmp_path, monkeypatch):
    add(tmp_path, A)
    monkeypatch.setattr("vcd.search.derived.publish_file", _refuse)
    monkeypatch.setattr("vcd.search.derived.tempfile.TemporaryFile", _refuse)

    with pytest.raises(
        SetupError, match="can be kept neither there nor in a temporary file: Permission denied"
    ):
        open_index(tmp_path, SETTINGS, DERIVATION)


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("derive", "sentence"),
    [
        (lambda rows: rows, r"first two: wanted \(3, 2\) float32 rows, got \(3, 64\) float32"),
        (lambda rows: rows[:, :2].astype(np.float64), r"got \(3, 2\) float64"),
        (lambda rows: rows[:, :2].copy(), "a derived row is neither of length 1"),
        (lambda rows: rows[:, :2] * np.float32(np.nan), "a derived row is neither of length 1"),
    ],
    ids=["too long", "float64", "not unit", "no numbers"],
)
def test_a_derivation_that_gives_something_else_is_found_out(tmp_path, derive, sentence):
    add(tmp_path, A)

    with pytest.raises(ValueError, match=sentence):
        open_index(tmp_path, SETTINGS, RowDerivation(space=SMALL, derive=derive))

    assert kept(tmp_path) == []


def test_faiss_rows_and_training_belong_to_the_derived_space(tmp_path, monkeypatch, rng):
    monkeypatch.setattr(index, "_MIN_TRAINING_ROWS", 100)
    refs = [make_descriptors(f"r{i}", 60, rng) for i in range(5)]
    add(tmp_path, *refs, factory="IVF2,Flat")
    query = make_descriptors("q", 5, rng)
    stored = hits_of(open_index(tmp_path, SETTINGS), query, 0.2)

    derived = hits_of(
        open_index(tmp_path, SETTINGS, DERIVATION), query_of((1.0, 0.0), (0.0, 1.0)), 0.9
    )

    assert len(kept(tmp_path, "rows")) == len(kept(tmp_path, "trained")) == 2
    assert derived
    assert hits_of(open_index(tmp_path, SETTINGS), query, 0.2) == stored
