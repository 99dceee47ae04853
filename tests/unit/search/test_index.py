"""The search finds every pair of similar frames, whatever engine proposes them."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_timeline, make_video, unit_rows
from vcd.core import Descriptors, SetupError
from vcd.search import (
    ExactIndex,
    FaissIndex,
    IndexWriter,
    SearchSettings,
    best_pairs,
    open_index,
)
from vcd.search.finders import BlockedFinder, Finder, NearestFinder, RangeFinder
from vcd.search.index import load_faiss
from vcd.search.references import MappedReferences

Hit = tuple[int, str, int]


def make_index(path: Path, refs: list[Descriptors], *, factory: str = "Flat", **settings: Any):
    with IndexWriter.open(
        path, space=refs[0].space, rate_hz=2.0, weights="test", factory=factory
    ) as writer:
        for ref in refs:
            writer.add(make_video(ref.video_id), ref)
    return open_index(path, SearchSettings(**settings))


def hits_of(index, query: Descriptors, min_score: float) -> dict[Hit, float]:
    return {
        (int(query_row), chunk.ref_ids[ref_ordinal], int(ref_row)): float(score)
        for chunk in index.hits(query, min_score=min_score)
        for query_row, ref_ordinal, ref_row, score in zip(
            chunk.query_row, chunk.ref_ordinal, chunk.ref_row, chunk.score, strict=True
        )
    }


def assert_close(found: dict[Hit, float], wanted: dict[Hit, float]) -> None:
    assert found.keys() == wanted.keys()
    for hit, score in wanted.items():
        assert found[hit] == pytest.approx(score, abs=1e-5)


def flat_rows(angles: list[float]) -> np.ndarray:
    rows = np.zeros((len(angles), SPACE.dim), dtype=np.float32)
    rows[:, 0], rows[:, 1] = np.cos(np.radians(angles)), np.sin(np.radians(angles))
    return rows


def flat_video(video_id: str, angles: list[float]) -> Descriptors:
    """A video whose frames are directions in a plane, so that scores are cosines."""
    return Descriptors.from_frames(video_id, make_timeline(len(angles)), flat_rows(angles), SPACE)


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"r{i:02d}", int(rng.integers(1, 40)), rng) for i in range(30)]


@pytest.fixture
def query(rng):
    return make_descriptors("q", 25, rng)


def test_scores_are_cosines_and_the_floor_belongs_to_the_hits(tmp_path):
    index = make_index(tmp_path, [flat_video("r", [0.0, 60.0, 90.0])])

    found = hits_of(index, flat_video("q", [0.0]), 0.4999)

    assert_close(found, {(0, "r", 0): 1.0, (0, "r", 1): 0.5})


def test_hits_fall_in_score_and_ties_go_by_query_row_reference_and_row(tmp_path):
    refs = [flat_video("b", [0.0, 0.0]), flat_video("a", [0.0, 30.0])]
    index = make_index(tmp_path, refs)

    (chunk,) = index.hits(flat_video("q", [0.0, 0.0]), min_score=0.5)
    rows = np.stack([chunk.query_row, chunk.ref_ordinal, chunk.ref_row], axis=1).tolist()

    assert chunk.ref_ids == ("a", "b")
    assert rows == [
        [0, 0, 0],
        [0, 1, 0],
        [0, 1, 1],
        [1, 0, 0],
        [1, 1, 0],
        [1, 1, 1],
        [0, 0, 1],
        [1, 0, 1],
    ]
    assert len(set(chunk.score[:6].tolist())) == 1


def test_it_finds_what_comparing_one_by_one_finds(tmp_path, refs, query):
    assert_close(
        hits_of(make_index(tmp_path, refs), query, 0.2), hits_of(ExactIndex(refs), query, 0.2)
    )


def test_a_floor_of_minus_infinity_finds_every_pair_of_rows_with_evidence(tmp_path, refs, query):
    index = make_index(tmp_path, refs)

    found = hits_of(index, query, -np.inf)

    assert len(found) == len(query) * sum(len(ref) for ref in refs)


def test_frames_without_evidence_are_similar_to_nothing(tmp_path):
    rows = flat_rows([0.0, 0.0, 0.0])
    rows[1] = 0.0
    black = Descriptors.from_frames("black", make_timeline(3), rows, SPACE)
    index = make_index(tmp_path, [replace(black, video_id="r")])

    found = hits_of(index, black, -1.0)

    assert set(found) == {(0, "r", 0), (0, "r", 2), (2, "r", 0), (2, "r", 2)}
    assert len(index.descriptors("r")) == 3


@pytest.mark.parametrize("num_frames", [0, 1])
def test_a_query_of_hardly_any_frames_is_legal(tmp_path, refs, rng, num_frames):
    query = make_descriptors("q", num_frames, rng)

    found = hits_of(make_index(tmp_path, refs), query, 0.1)

    assert_close(found, hits_of(ExactIndex(refs), query, 0.1))


@pytest.mark.parametrize("max_chunk_hits", [1, 7, 100])
def test_no_chunk_is_longer_than_allowed_and_together_they_are_the_same(
    tmp_path, refs, query, max_chunk_hits
):
    index = make_index(tmp_path, refs, max_chunk_hits=max_chunk_hits)
    whole = open_index(tmp_path, SearchSettings())

    lengths = [len(chunk) for chunk in index.hits(query, min_score=0.1)]

    assert len(lengths) > 1
    assert 0 < min(lengths) <= max(lengths) <= max_chunk_hits
    assert hits_of(index, query, 0.1) == hits_of(whole, query, 0.1)


def test_a_score_does_not_depend_on_what_lies_beside_it(tmp_path, refs, query):
    alone = make_index(tmp_path / "alone", refs[7:8])
    among = make_index(tmp_path / "among", refs)

    found = {hit: score for hit, score in hits_of(among, query, 0.0).items() if hit[1] == "r07"}

    assert found == hits_of(alone, query, 0.0)  # to the last bit


def with_bias(query: Descriptors, *bias: float) -> Descriptors:
    return replace(query, score_bias=np.array(bias, dtype=np.float32))


def test_the_bias_of_a_row_is_part_of_its_scores_and_the_floor_is_asked_of_the_sum(tmp_path):
    index = make_index(tmp_path, [flat_video("r", [0.0, 60.0, 90.0])])
    query = with_bias(flat_video("q", [0.0, 0.0, 0.0]), -0.25, 0.0, 0.25)

    found = hits_of(index, query, 0.7)

    assert_close(found, {(0, "r", 0): 0.75, (1, "r", 0): 1.0, (2, "r", 0): 1.25, (2, "r", 1): 0.75})


def test_the_bias_of_a_frame_without_evidence_makes_no_hit(tmp_path):
    rows = flat_rows([0.0, 0.0])
    rows[0] = 0.0
    query = with_bias(Descriptors.from_frames("q", make_timeline(2), rows, SPACE), 5.0, 0.0)

    found = hits_of(make_index(tmp_path, [flat_video("r", [0.0])]), query, 0.5)

    assert found == {(1, "r", 0): 1.0}


@pytest.mark.parametrize("engine", ["blocked", "nearest", "range"])
def test_each_row_of_a_long_query_keeps_its_own_bias(tmp_path, monkeypatch, engine):
    monkeypatch.setattr("vcd.search.finders._CELLS_PER_STEP", 2000)
    monkeypatch.setattr("vcd.search.finders._RANGE_CELLS", 2000)
    make_index(tmp_path, [flat_video("r", [0.0, 45.0])])
    references = MappedReferences.open(tmp_path)
    faiss, positions = load_faiss(), references.searched_positions()
    flat = faiss.IndexFlatIP(SPACE.dim)
    flat.add(references.features_at(positions))
    blocked = BlockedFinder(references)
    finders: dict[str, Finder] = {
        "blocked": blocked,
        "nearest": NearestFinder([nearest_of(references, 0, 2)], k=1, slack=0.1, blocked=blocked),
        "range": RangeFinder(flat.range_search, positions, slack=0.1),
    }
    bias = np.full(3000, -0.5, dtype=np.float32)
    bias[[0, 1100, 2999]] = 0.0
    query = with_bias(flat_video("q", [0.0] * 3000), *bias)

    found = hits_of(FaissIndex(references, finders[engine], SearchSettings()), query, 0.6)

    assert {row for row, _, _ in found} == {0, 1100, 2999}
    assert len(found) == 6


def test_a_search_with_one_floor_for_many_rows_proposes_to_each_what_its_own_bias_allows():
    asked = []

    def everything(query, floor):
        asked.append(floor)
        score = np.tile(np.array([0.3, 0.6, 0.9], dtype=np.float32), len(query))
        return np.arange(len(query) + 1, dtype=np.uint64) * 3, score, np.tile(np.arange(3), 2)

    finder = RangeFinder(everything, np.array([10, 20, 30]), slack=0.1)

    ((query_row, position),) = finder.find(flat_rows([0.0, 0.0]), np.array([0.9, 0.5]))

    assert asked == [pytest.approx(0.4)]
    assert list(zip(query_row, position, strict=True)) == [(0, 30), (1, 20), (1, 30)]


@pytest.mark.parametrize("min_score", [-np.inf, np.inf])
def test_an_infinite_floor_means_the_same_with_a_bias(tmp_path, min_score):
    index = make_index(tmp_path, [flat_video("r", [0.0, 60.0])])

    found = hits_of(index, with_bias(flat_video("q", [0.0]), -0.5), min_score)

    assert len(found) == (2 if min_score < 0 else 0)


def test_a_query_of_another_space_is_refused_before_the_first_hit(tmp_path, refs, rng):
    other = make_descriptors("q", 3, rng, space=replace(SPACE, fingerprint="other"))

    with pytest.raises(SetupError, match="q: the index holds descriptors of"):
        make_index(tmp_path, refs).hits(other, min_score=0.3)


def test_a_floor_that_is_no_number_is_refused(tmp_path, refs, query):
    with pytest.raises(ValueError, match="q: min_score is not a number"):
        make_index(tmp_path, refs).hits(query, min_score=float("nan"))


def test_a_row_that_is_no_number_cannot_reach_the_search(rng):
    rows = unit_rows(3, rng)
    rows[1, 5] = np.nan

    with pytest.raises(ValueError, match="neither of length 1 nor zero"):
        Descriptors.from_frames("q", make_timeline(3), rows, SPACE)


def test_faiss_multiplies_matrices_also_for_few_queries():
    faiss = load_faiss()

    assert faiss.cvar.distance_compute_blas_threshold == 1


def test_the_exact_search_on_a_cpu_does_not_load_faiss(tmp_path, refs):
    make_index(tmp_path, refs)
    code = (
        "import sys; from pathlib import Path; from vcd.search import *;"
        f"open_index(Path({str(tmp_path)!r}), SearchSettings(use_gpu=False));"
        "sys.exit('faiss' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def nearest_of(references: MappedReferences, first: int, stop: int):
    """FAISS k nearest of some positions, as the GPU gives them, computed on the CPU."""
    faiss = load_faiss()
    positions = np.arange(first, stop)
    rows = references.features_at(positions)

    def nearest(query, k):
        score, ordinal = faiss.knn(query, rows, k, metric=faiss.METRIC_INNER_PRODUCT)
        return score, np.where(ordinal >= 0, ordinal + first, -1)

    return nearest


@pytest.mark.parametrize("k", [1, 3, 1000])
def test_k_nearest_rows_in_parts_find_the_same_as_blocks(tmp_path, refs, query, k):
    exact = make_index(tmp_path, refs)
    references = MappedReferences.open(tmp_path)
    half = len(references.is_searched) // 2
    parts = [nearest_of(references, 0, half), nearest_of(references, half, 2 * half + 1)]
    parts[1] = nearest_of(references, half, len(references.is_searched))
    finder = NearestFinder(parts, k=k, slack=1e-3, blocked=BlockedFinder(references))

    index = FaissIndex(references, finder, SearchSettings())

    assert hits_of(index, query, 0.2) == hits_of(exact, query, 0.2)


@pytest.mark.parametrize("factory", ["HNSW16", "SQ8", "IVF4,Flat"])
def test_few_rows_or_good_ones_are_found_by_any_factory(tmp_path, refs, query, factory):
    planted = replace(refs[3], video_id="q")
    index = make_index(tmp_path, refs, factory=factory)

    found = hits_of(index, planted, 0.9)

    assert found == {(row, "r03", row): pytest.approx(1.0) for row in range(len(planted))}
    assert index.info.factory == factory


@pytest.mark.slow
def test_identical_frames_are_searched_within_bounds(tmp_path):
    refs = [flat_video(f"r{i}", [0.0] * 500) for i in range(20)]
    index = make_index(tmp_path, refs, max_chunk_hits=50_000)
    search = SearchSettings(max_kept_hits=50_000)
    tracemalloc.start()

    selection = best_pairs(index.hits(flat_video("q", [0.0] * 300), min_score=0.3), search)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # The 3 million hits would be 84 MB. A block of products and the places of its cells are 56.
    assert peak_bytes < 80e6
    assert selection.accepted[0].candidate.num_hits == 300 * 500
    assert len(selection.accepted) == 20
