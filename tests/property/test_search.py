"""The laws of the search."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import SPACE, make_descriptors, make_video
from vcd.core import Descriptors, FrameHits
from vcd.search import (
    ExactIndex,
    FaissIndex,
    IndexWriter,
    PairSelection,
    SearchSettings,
    best_pairs,
    open_index,
)

Hits = dict[tuple[int, str, int], float]


def collection(seed: int, lengths: Sequence[int]) -> list[Descriptors]:
    """References that repeat frames of each other, so that ties and near-ties are common."""
    rng = np.random.default_rng(seed)
    frames = make_descriptors("pool", 40, rng).features
    refs = []
    for i, length in enumerate(lengths):
        rows = frames[rng.integers(0, len(frames), length)].copy()
        rows[rng.random(length) < 0.1] = 0.0
        timeline = make_descriptors("t", length, rng).timeline
        refs.append(Descriptors.from_frames(f"r{i:02d}", timeline, rows, SPACE))
    return refs


def indexed(refs: Sequence[Descriptors], publish_after: Sequence[bool] = ()) -> FaissIndex:
    """An index on disk; mapped files outlive their directory."""
    with tempfile.TemporaryDirectory() as directory:
        with IndexWriter.open(Path(directory), space=SPACE, rate_hz=2.0, weights="test") as writer:
            for i, ref in enumerate(refs):
                writer.add(make_video(ref.video_id), ref)
                if i < len(publish_after) and publish_after[i]:
                    writer.publish()
        return open_index(Path(directory), SearchSettings(max_chunk_hits=50))


def all_hits(chunks) -> Hits:
    return {
        (int(query_row), chunk.ref_ids[ordinal], int(ref_row)): float(score)
        for chunk in chunks
        for query_row, ordinal, ref_row, score in zip(
            chunk.query_row, chunk.ref_ordinal, chunk.ref_row, chunk.score, strict=True
        )
    }


LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31), lengths=LENGTHS, min_score=st.sampled_from([-1.0, 0.0, 0.2, 0.9])
)
def test_the_index_equals_comparing_one_by_one_up_to_rounding(seed, lengths, min_score):
    refs = collection(seed, lengths)
    query = collection(seed, [12])[0]

    found = all_hits(indexed(refs).hits(query, min_score=min_score))
    wanted = all_hits(ExactIndex(refs).hits(query, min_score=min_score - 1e-5))

    assert {hit for hit, score in wanted.items() if score >= min_score + 1e-5} <= found.keys()
    assert found.keys() <= wanted.keys()
    for hit, score in found.items():
        assert score == pytest.approx(wanted[hit], abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), lengths=LENGTHS, num_alone=st.integers(1, 3))
def test_more_references_never_change_the_hits_of_another_pair(seed, lengths, num_alone):
    refs = collection(seed, lengths)
    query = collection(seed, [12])[0]
    few = refs[:num_alone]

    alone = all_hits(indexed(few).hits(query, min_score=0.1))
    among = all_hits(indexed(refs).hits(query, min_score=0.1))

    ids = {ref.video_id for ref in few}
    assert {hit: score for hit, score in among.items() if hit[1] in ids} == alone  # every bit


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    lengths=LENGTHS,
    publish_after=st.lists(st.booleans(), max_size=8),
    data=st.data(),
)
def test_the_way_an_index_was_filled_cannot_be_seen(seed, lengths, publish_after, data):
    refs = collection(seed, lengths)
    query = collection(seed, [12])[0]
    order = data.draw(st.permutations(refs))

    one, other = indexed(refs), indexed(order, publish_after)

    assert one.version == other.version == ExactIndex(refs).version
    assert all_hits(one.hits(query, min_score=0.1)) == all_hits(other.hits(query, min_score=0.1))


def random_hits(rng: np.random.Generator, num_hits: int, query_id: str = "q") -> FrameHits:
    cells = rng.choice(10 * 4 * 10, num_hits, replace=False)
    query_row, ref_ordinal, ref_row = np.unravel_index(cells, (10, 4, 10))
    score = rng.choice(np.linspace(0.3, 0.9, 7), num_hits).astype(np.float32)
    return in_order(query_id, query_row, ref_ordinal, ref_row, score)


def in_order(query_id, query_row, ref_ordinal, ref_row, score) -> FrameHits:
    order = np.lexsort((ref_row, ref_ordinal, query_row, -score))
    return FrameHits(
        query_id=query_id,
        ref_ids=("a", "b", "c", "d"),
        query_row=query_row[order],
        ref_ordinal=ref_ordinal[order],
        ref_row=ref_row[order],
        score=score[order],
    )


def in_chunks(hits: FrameHits, chunk_of_hit: np.ndarray) -> list[FrameHits]:
    return [
        in_order(
            hits.query_id,
            hits.query_row[here],
            hits.ref_ordinal[here],
            hits.ref_row[here],
            hits.score[here],
        )
        for here in (chunk_of_hit == chunk for chunk in range(int(chunk_of_hit.max()) + 1))
    ]


def said_of(selection: PairSelection) -> list[Any]:
    accepted = [
        (
            tally.candidate,
            tally.query_row.tolist(),
            tally.ref_row.tolist(),
            tally.score.tolist(),
        )
        for tally in selection.accepted
    ]
    return [accepted, selection.rejected, selection.num_over_cap, selection.hits_cut_below]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    num_hits=st.integers(1, 300),
    num_chunks=st.integers(1, 12),
    max_kept_hits=st.sampled_from([1, 5, 20, 60, 1000]),
    max_hits_per_query_row=st.integers(1, 4),
    max_pairs=st.integers(1, 4),
    min_pair_hits=st.sampled_from([1, 5, 40]),
)
def test_neither_the_cut_into_chunks_nor_their_order_matters(seed, num_hits, num_chunks, **changes):
    rng = np.random.default_rng(seed)
    hits = random_hits(rng, num_hits)
    search = SearchSettings(min_pair_score=0.4, **changes)

    whole = best_pairs([hits], search)
    cut = best_pairs(in_chunks(hits, rng.integers(0, num_chunks, num_hits)), search)

    assert said_of(cut) == said_of(whole)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), num_hits=st.integers(1, 300))
def test_what_is_said_of_a_pair_does_not_depend_on_the_others(seed, num_hits):
    hits = random_hits(np.random.default_rng(seed), num_hits)
    search = SearchSettings(min_pair_score=0.4, min_pair_hits=3)
    whole = best_pairs([hits], search)

    for ref_ordinal, ref_id in enumerate(hits.ref_ids):
        here = hits.ref_ordinal == ref_ordinal
        if not here.any():
            continue
        (only,) = in_chunks(hits, np.where(here, 0, -1))
        alone = best_pairs([only], search)
        accepted = [one for one in said_of(whole)[0] if one[0].ref_id == ref_id]
        assert accepted == said_of(alone)[0]
        assert [one for one in whole.rejected if one.ref_id == ref_id] == list(alone.rejected)
