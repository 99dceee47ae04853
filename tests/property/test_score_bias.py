"""The laws of a query whose rows carry a score bias, and of rows that are derived."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.factories import SPACE, make_descriptors, make_timeline, make_video
from vcd.core import Descriptors
from vcd.search import (
    ExactIndex,
    FaissIndex,
    IndexWriter,
    RowDerivation,
    SearchSettings,
    open_index,
)
from vcd.search.finders import BlockedFinder, Finder, NearestFinder, RangeFinder
from vcd.search.index import load_faiss
from vcd.search.references import MappedReferences

Hits = dict[tuple[int, str, int], float]
SMALL = replace(SPACE, name="derived", dim=48, fingerprint="d" * 16)


def dropped(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of `SMALL`: the first 48 dimensions, brought to length 1."""
    rows = features[:, : SMALL.dim].astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (rows / np.where(length == 0.0, 1.0, length)).astype(np.float32)
    return unit


DERIVATION = RowDerivation(space=SMALL, derive=dropped)


def derived(descriptors: Descriptors) -> Descriptors:
    return replace(descriptors, features=dropped(descriptors.features), space=SMALL)


def collection(rng: np.random.Generator, lengths: Sequence[int]) -> list[Descriptors]:
    """References that repeat frames of each other, some without evidence."""
    frames = make_descriptors("pool", 40, rng).features
    refs = []
    for i, length in enumerate(lengths):
        rows = frames[rng.integers(0, len(frames), length)].copy()
        rows[rng.random(length) < 0.1] = 0.0
        refs.append(Descriptors.from_frames(f"r{i:02d}", make_timeline(length), rows, SPACE))
    return refs


def biased(rng: np.random.Generator, refs: Sequence[Descriptors], spread: float) -> Descriptors:
    """A query that shares frames with the references, its rows biased each by itself."""
    pool = np.concatenate([make_descriptors("p", 6, rng).features, *(ref.features for ref in refs)])
    rows = pool[rng.integers(0, len(pool), 14)]
    query = Descriptors.from_frames("q", make_timeline(14), rows, SPACE)
    bias = rng.uniform(-spread, spread, 14).astype(np.float32)
    bias[rng.random(14) < 0.2] = 0.0
    return replace(query, score_bias=bias)


def indexed(refs: Sequence[Descriptors], derivation: RowDerivation | None = None) -> FaissIndex:
    """An index on disk; mapped files outlive their directory."""
    with tempfile.TemporaryDirectory() as directory:
        return written(Path(directory), refs, derivation)


def written(
    directory: Path, refs: Sequence[Descriptors], derivation: RowDerivation | None = None
) -> FaissIndex:
    with IndexWriter.open(directory, space=SPACE, rate_hz=2.0, weights="test") as writer:
        for ref in refs:
            writer.add(make_video(ref.video_id), ref)
    return open_index(directory, SearchSettings(max_chunk_hits=50), derivation)


def all_hits(chunks) -> Hits:
    return {
        (int(query_row), chunk.ref_ids[ordinal], int(ref_row)): float(score)
        for chunk in chunks
        for query_row, ordinal, ref_row, score in zip(
            chunk.query_row, chunk.ref_ordinal, chunk.ref_row, chunk.score, strict=True
        )
    }


def assert_equal_up_to_rounding(found: Hits, wanted: Hits, min_score: float) -> None:
    """Compare with what comparing one by one gives for a floor that lies a little lower."""
    assert {hit for hit, score in wanted.items() if score >= min_score + 1e-5} <= found.keys()
    assert found.keys() <= wanted.keys()
    for hit, score in found.items():
        assert score >= np.float32(min_score)
        assert score == pytest.approx(wanted[hit], abs=1e-5)


SEEDS = st.integers(0, 2**31)
LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=8)
FLOORS = st.sampled_from([-1.0, 0.0, 0.2, 0.9, 1.3])
SPREADS = st.sampled_from([0.001, 0.4, 3.0])


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, lengths=LENGTHS, min_score=FLOORS, spread=SPREADS)
def test_with_a_bias_the_index_equals_comparing_one_by_one(seed, lengths, min_score, spread):
    rng = np.random.default_rng(seed)
    refs = collection(rng, lengths)
    query = biased(rng, refs, spread)

    found = all_hits(indexed(refs).hits(query, min_score=min_score))
    wanted = all_hits(ExactIndex(refs).hits(query, min_score=min_score - 1e-5))

    assert_equal_up_to_rounding(found, wanted, min_score)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, min_score=FLOORS, spread=SPREADS, k=st.sampled_from([1, 3, 1000]))
def test_every_engine_gives_the_same_hits_to_the_bit(seed, min_score, spread, k):
    rng = np.random.default_rng(seed)
    refs = collection(rng, [10, 1, 25])
    query = biased(rng, refs, spread)
    with tempfile.TemporaryDirectory() as directory:
        blocked = written(Path(directory), refs)
        references = MappedReferences.open(Path(directory))
    faiss, positions = load_faiss(), references.searched_positions()
    flat = faiss.IndexFlatIP(SPACE.dim)
    flat.add(references.features_at(positions))

    def nearest(rows, wanted):
        score, ordinal = flat.search(rows, wanted)
        return score, np.where(ordinal >= 0, positions[ordinal], -1)

    finders: list[Finder] = [
        RangeFinder(flat.range_search, positions, slack=1e-3),
        NearestFinder([nearest], k=k, slack=1e-3, blocked=BlockedFinder(references)),
    ]

    wanted = all_hits(blocked.hits(query, min_score=min_score))
    for finder in finders:
        index = FaissIndex(references, finder, SearchSettings())
        assert all_hits(index.hits(query, min_score=min_score)) == wanted


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, lengths=LENGTHS, num_alone=st.integers(1, 3), derives=st.booleans())
def test_more_references_never_change_the_biased_hits_of_another_pair(
    seed, lengths, num_alone, derives
):
    rng = np.random.default_rng(seed)
    refs = collection(rng, lengths)
    query = biased(rng, refs, 0.4)
    query = derived(query) if derives else query
    derivation = DERIVATION if derives else None
    few = refs[:num_alone]

    alone = all_hits(indexed(few, derivation).hits(query, min_score=0.1))
    among = all_hits(indexed(refs, derivation).hits(query, min_score=0.1))

    ids = {ref.video_id for ref in few}
    assert {hit: score for hit, score in among.items() if hit[1] in ids} == alone  # every bit


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, lengths=LENGTHS, min_score=FLOORS)
def test_a_bias_that_all_rows_share_moves_scores_and_floor_alike(seed, lengths, min_score):
    rng = np.random.default_rng(seed)
    refs = collection(rng, lengths)
    plain = replace(biased(rng, refs, 0.4), score_bias=np.zeros(14, dtype=np.float32))
    moved = replace(plain, score_bias=np.full(14, 0.25, dtype=np.float32))
    index = indexed(refs)

    found = all_hits(index.hits(moved, min_score=min_score + 0.25))
    wanted = all_hits(index.hits(plain, min_score=min_score - 1e-5))

    unbiased = {hit: score - 0.25 for hit, score in found.items()}
    assert {hit for hit, score in wanted.items() if score >= min_score + 1e-5} <= unbiased.keys()
    assert all(score == pytest.approx(wanted[hit], abs=1e-6) for hit, score in unbiased.items())


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, lengths=LENGTHS, min_score=FLOORS)
def test_derived_rows_are_searched_as_if_they_had_been_stored(seed, lengths, min_score):
    rng = np.random.default_rng(seed)
    refs = collection(rng, lengths)
    query = derived(biased(rng, refs, 0.4))
    index = indexed(refs, DERIVATION)

    found = all_hits(index.hits(query, min_score=min_score))
    wanted = ExactIndex(map(derived, refs)).hits(query, min_score=min_score - 1e-5)

    assert_equal_up_to_rounding(found, all_hits(wanted), min_score)
    assert index.version == indexed(refs).version
