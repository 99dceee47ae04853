"""A budget over all queries keeps exactly the best."""

import numpy as np
import pytest

from tests.unit.search.test_candidates import chunk_of
from vcd.core import Descriptors, DescriptorSpace, Timeline
from vcd.search import ExactIndex, within_budget

SPACE = DescriptorSpace(name="identity", dim=4, fingerprint="i")


def keys(chunks) -> list[tuple[str, int, int, int, float]]:
    return [
        (chunk.query_id, query_row, ref_ordinal, ref_row, score)
        for chunk in chunks
        for query_row, ref_ordinal, ref_row, score in zip(
            chunk.query_row.tolist(),
            chunk.ref_ordinal.tolist(),
            chunk.ref_row.tolist(),
            chunk.score.tolist(),
            strict=True,
        )
    ]


def identity_video(video_id: str) -> Descriptors:
    timeline = Timeline.from_starts(np.arange(4.0), end_s=4.0)
    return Descriptors.from_frames(video_id, timeline, np.eye(4, dtype=np.float32), SPACE)


@pytest.mark.parametrize("max_hits", [0, 4, 8, 12, 24, 30, 200])
def test_ties_at_the_cut_off_fill_the_budget_exactly(max_hits):
    """The published search gives 0, 0, 0, 24, 24 and 96 for the last six."""
    index = ExactIndex([identity_video(f"r{i}") for i in range(6)])

    chunks = within_budget(index.hits(identity_video("q"), min_score=-1.0), max_hits=max_hits)

    assert sum(len(chunk) for chunk in chunks) == min(max_hits, 96)


def test_ties_go_by_query_reference_query_row_and_reference_row():
    rows = [(ref_id, query_row, 0, 0.5) for ref_id in "ab" for query_row in range(2)]
    chunks = [chunk_of(rows, query_id="q2"), chunk_of(rows, query_id="q1")]

    found = keys(within_budget(chunks, max_hits=5))

    assert [key[:4] for key in found] == [
        ("q1", 0, 0, 0),
        ("q1", 0, 1, 0),
        ("q1", 1, 0, 0),
        ("q1", 1, 1, 0),
        ("q2", 0, 0, 0),
    ]


def test_the_worst_kept_is_the_kth_best_of_all(rng):
    rows = [("a", int(i), 0, float(score)) for i, score in enumerate(rng.uniform(0, 1, 500))]
    chunks = [chunk_of(rows[i::7], query_id=f"q{i}") for i in range(7)]

    found = keys(within_budget(chunks, max_hits=123))

    assert len(found) == 123
    assert min(key[4] for key in found) == pytest.approx(sorted(row[3] for row in rows)[-123])


def test_no_hits_are_no_chunks():
    assert within_budget([], max_hits=10) == ()
    assert within_budget([chunk_of([])], max_hits=10) == ()


def test_a_negative_budget_is_refused():
    with pytest.raises(ValueError, match="cannot be negative, got -1"):
        within_budget([], max_hits=-1)
