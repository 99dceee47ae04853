"""The index over the rows of a file finds what the exact index finds."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, plant_copy
from vcd.core import Descriptors, DescriptorSpace, FrameHits, InputError, SetupError
from vcd.search import ExactIndex, RowIndex, row_index


def _row_index(refs, *, dtype=np.float32):
    features = np.concatenate([np.empty((0, SPACE.dim)), *(ref.features for ref in refs)])
    stops = np.cumsum([0, *(len(ref) for ref in refs)]).tolist()
    return RowIndex(
        features.astype(dtype),
        list(itertools.pairwise(stops)),
        refs.__getitem__,
        ref_ids=[ref.video_id for ref in refs],
        space=SPACE,
    )


def _found(chunks: list[FrameHits]):
    return sorted(
        (chunk.ref_ids[ref], query_row, ref_row, round(score, 5))
        for chunk in chunks
        for query_row, ref, ref_row, score in zip(
            chunk.query_row.tolist(),
            chunk.ref_ordinal.tolist(),
            chunk.ref_row.tolist(),
            chunk.score.tolist(),
            strict=True,
        )
    )


def _refs(rng):
    return [make_descriptors(name, num, rng) for name, num in (("c", 9), ("a", 30), ("b", 1))]


def _silenced(descriptors, row):
    features = descriptors.features.copy()
    features[row] = 0.0
    return replace(descriptors, features=features)


@pytest.mark.parametrize("cells", [1, 60, 4_000_000], ids=["row by row", "blocks", "one block"])
def test_every_hit_of_the_exact_index_is_found(cells, rng, monkeypatch):
    monkeypatch.setattr(row_index, "_MAX_BLOCK_CELLS", cells)
    refs = _refs(rng)
    query = plant_copy(
        make_descriptors("q", 12, rng), refs[1], query_frames=(2, 9), ref_frames=(8, 15), rng=rng
    )

    found = list(_row_index(refs).hits(query, min_score=0.1))

    expected = list(ExactIndex(refs).hits(query, min_score=0.1))
    assert _found(found) == _found(expected)
    assert len(_found(found)) > 7


def test_a_score_bias_moves_the_scores_of_its_row(rng):
    refs = _refs(rng)
    query = make_descriptors("q", 2, rng)
    moved = replace(query, score_bias=np.array([-9.0, 0.25], dtype=np.float32))

    found = _found(list(_row_index(refs).hits(moved, min_score=0.0)))

    assert found == _found(list(ExactIndex(refs).hits(moved, min_score=0.0)))
    assert {row for _, row, _, _ in found} == {1}


def test_rows_without_evidence_are_no_hits_whatever_the_floor(rng):
    refs = [_silenced(make_descriptors("a", 3, rng), 1)]
    query = _silenced(make_descriptors("q", 2, rng), 0)

    found = _found(list(_row_index(refs).hits(query, min_score=-1.0)))

    assert [(query_row, ref_row) for _, query_row, ref_row, _ in found] == [(1, 0), (1, 2)]


def test_half_precision_rows_are_found_too(rng):
    refs = _refs(rng)
    query = Descriptors.from_frames("q", refs[0].timeline, refs[0].features, SPACE)

    (chunk,) = _row_index(refs, dtype=np.float16).hits(query, min_score=0.9)

    assert len(chunk) == 9
    assert chunk.score == pytest.approx(np.ones(9), abs=2e-3)


def test_a_reference_is_read_by_its_id(rng):
    refs = _refs(rng)
    index = _row_index(refs)

    assert index.ref_ids == ("a", "b", "c")
    assert index.descriptors("a") is refs[1]


def test_nothing_is_found_where_there_is_nothing(rng):
    query = make_descriptors("q", 3, rng)

    assert list(_row_index([]).hits(query, min_score=-1.0)) == []
    assert list(_row_index(_refs(rng)).hits(Descriptors.empty("q", SPACE), min_score=-1.0)) == []


def test_an_unknown_reference_is_named(rng):
    with pytest.raises(InputError, match="nobody: there is no reference"):
        _row_index(_refs(rng)).descriptors("nobody")


def test_a_query_of_another_space_is_refused(rng):
    other = DescriptorSpace(name="other", dim=SPACE.dim, fingerprint="e")
    query = make_descriptors("q", 3, rng, space=other)

    with pytest.raises(SetupError, match="the references are of"):
        list(_row_index(_refs(rng)).hits(query, min_score=0.5))


def test_an_id_that_stands_there_twice_is_refused(rng):
    refs = [make_descriptors("a", 3, rng), make_descriptors("a", 3, rng)]

    with pytest.raises(ValueError, match="2 references of 1 distinct ids"):
        _row_index(refs)
