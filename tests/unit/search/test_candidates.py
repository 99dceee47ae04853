"""The hits of a query become pairs that are worth aligning."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from vcd.core import FrameHits
from vcd.search import PairSelection, SearchSettings, best_pairs

REF_IDS = ("a", "b", "c", "d")
Row = tuple[str, int, int, float]


def chunk_of(rows: list[Row], *, query_id: str = "q", ref_ids: tuple[str, ...] = REF_IDS):
    """One chunk of (reference, query row, reference row, score) in any order."""
    ordered = sorted(rows, key=lambda row: (-row[3], row[1], row[0], row[2]))
    return FrameHits(
        query_id=query_id,
        ref_ids=ref_ids,
        query_row=np.array([row[1] for row in ordered], dtype=np.int64),
        ref_ordinal=np.array([ref_ids.index(row[0]) for row in ordered], dtype=np.int64),
        ref_row=np.array([row[2] for row in ordered], dtype=np.int64),
        score=np.array([row[3] for row in ordered], dtype=np.float32),
    )


def kept(selection: PairSelection) -> dict[str, list[tuple[int, int, float]]]:
    return {
        tally.candidate.ref_id: [
            (query_row, ref_row, round(score, 4))
            for query_row, ref_row, score in zip(
                tally.query_row.tolist(), tally.ref_row.tolist(), tally.score.tolist(), strict=True
            )
        ]
        for tally in selection.accepted
    }


def counts(selection: PairSelection) -> list[tuple[str, float, int]]:
    return [
        (tally.candidate.ref_id, round(tally.candidate.score, 4), tally.candidate.num_hits)
        for tally in selection.accepted
    ]


def test_no_hits_are_no_pairs():
    assert best_pairs([], SearchSettings()) == PairSelection()
    assert best_pairs([chunk_of([])], SearchSettings()) == PairSelection()


def test_pairs_are_counted_and_come_best_first_ties_by_reference():
    chunks = [
        chunk_of([("b", 0, 0, 0.5), ("c", 0, 1, 0.75)]),
        chunk_of([("b", 1, 1, 0.6), ("c", 5, 2, 0.4), ("d", 3, 3, 0.75)]),
    ]

    selection = best_pairs(chunks, SearchSettings())

    assert counts(selection) == [("c", 0.75, 2), ("d", 0.75, 1), ("b", 0.6, 2)]
    assert kept(selection)["b"] == [(1, 1, 0.6), (0, 0, 0.5)]
    assert selection.num_over_cap == 0
    assert selection.hits_cut_below is None


def test_every_hit_counts_but_each_query_row_keeps_its_best():
    rows = [("a", 7, ref_row, 0.5 + ref_row / 100) for ref_row in range(10)]
    settings = SearchSettings(max_hits_per_query_row=3)

    selection = best_pairs([chunk_of([*rows, ("a", 8, 0, 0.4)])], settings)

    assert counts(selection) == [("a", 0.59, 11)]
    assert kept(selection)["a"] == [(7, 9, 0.59), (7, 8, 0.58), (7, 7, 0.57), (8, 0, 0.4)]


def test_a_long_static_pair_keeps_hits_over_its_whole_length():
    rows = [("a", query_row, ref_row, 0.9) for query_row in range(300) for ref_row in range(30)]

    selection = best_pairs([chunk_of(rows)], SearchSettings(max_hits_per_query_row=2))

    assert [hit[:2] for hit in kept(selection)["a"]] == [(i // 2, i % 2) for i in range(600)]


def test_a_pair_below_the_score_is_rejected_by_name():
    chunk = chunk_of([("a", 0, 0, 0.5), ("a", 1, 1, 0.5), ("b", 0, 0, 0.7)])

    selection = best_pairs([chunk], SearchSettings(min_pair_score=0.6))
    (rejection,) = selection.rejected

    assert list(kept(selection)) == ["b"]
    assert (rejection.ref_id, rejection.rule) == ("a", "min_pair_score")
    assert (rejection.score, rejection.value, rejection.limit) == (0.5, 0.5, 0.6)


def test_a_pair_of_too_few_hits_is_rejected_by_name():
    chunk = chunk_of([("a", 0, 0, 0.9), ("b", 0, 0, 0.5), ("b", 0, 1, 0.5)])

    selection = best_pairs([chunk], SearchSettings(min_pair_hits=2))
    (rejection,) = selection.rejected

    assert list(kept(selection)) == ["b"]
    assert (rejection.ref_id, rejection.rule) == ("a", "min_pair_hits")
    assert (rejection.value, rejection.limit) == (1.0, 2.0)


@pytest.mark.parametrize("image_id", ["a", "q"])
def test_a_pair_with_an_image_needs_one_hit(image_id):
    chunk = chunk_of([("a", 0, 0, 0.9)])

    selection = best_pairs([chunk], SearchSettings(min_pair_hits=2), image_ids={image_id})

    assert list(kept(selection)) == ["a"]


def test_only_the_best_rejections_are_kept():
    chunk = chunk_of([(ref_id, 0, 0, 0.3 + i / 100) for i, ref_id in enumerate(REF_IDS)])

    selection = best_pairs([chunk], SearchSettings(min_pair_score=0.9, max_rejected=2))

    assert [rejection.ref_id for rejection in selection.rejected] == ["d", "c"]


def test_the_safety_cap_keeps_the_best_pairs_and_counts_the_others():
    chunk = chunk_of([("a", 0, 0, 0.5), ("b", 0, 0, 0.7), ("c", 0, 0, 0.6), ("d", 0, 0, 0.1)])

    selection = best_pairs([chunk], SearchSettings(max_pairs=2, min_pair_score=0.3))

    assert list(kept(selection)) == ["b", "c"]
    assert selection.num_over_cap == 1
    assert len(selection.rejected) == 1


def test_when_hits_do_not_fit_the_best_stay_and_the_selection_says_so():
    rows = [("a", i, i, 0.9 - i / 100) for i in range(10)]
    rows += [("b", i, i, 0.87 - i / 100) for i in range(10)]
    rows += [("c", 0, 0, 0.4)]

    selection = best_pairs([chunk_of(rows)], SearchSettings(max_kept_hits=6))

    assert [len(tally.score) for tally in selection.accepted] == [5, 1]
    assert counts(selection) == [("a", 0.9, 10), ("b", 0.87, 10)]  # counted all the same
    assert selection.num_over_cap == 1
    assert selection.hits_cut_below == pytest.approx(0.86)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        pytest.param({"query_id": "other"}, "hits of q and of other", id="query"),
        pytest.param({"ref_ids": ("a", "z")}, "several sets of references", id="references"),
    ],
)
def test_chunks_of_different_searches_cannot_be_mixed(second, message):
    chunks = [chunk_of([("a", 0, 0, 0.5)]), chunk_of([("a", 0, 0, 0.5)], **second)]

    with pytest.raises(ValueError, match=message):
        best_pairs(chunks, SearchSettings())


def flood(num_query_rows: int, num_refs: int, rows_per_ref: int) -> Iterator[FrameHits]:
    """Every query row equal to every row of every reference, a row of the query a chunk."""
    ref_ids = tuple(f"r{i:07d}" for i in range(num_refs))
    ref_ordinal = np.repeat(np.arange(num_refs), rows_per_ref)
    ref_row = np.tile(np.arange(rows_per_ref), num_refs)
    score = np.ones(len(ref_row), dtype=np.float32)
    for query_row in range(num_query_rows):
        yield FrameHits(
            query_id="q",
            ref_ids=ref_ids,
            query_row=np.full(len(ref_row), query_row),
            ref_ordinal=ref_ordinal,
            ref_row=ref_row,
            score=score,
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_query_rows", "num_refs", "rows_per_ref"),
    [
        pytest.param(1_000, 400, 50, id="videos"),
        pytest.param(200, 100_000, 1, id="images"),
        pytest.param(20, 1_000_000, 1, id="a million"),
    ],
)
def test_identical_frames_by_the_thousand_stay_in_bounds(num_query_rows, num_refs, rows_per_ref):
    tracemalloc.start()

    chunks = flood(num_query_rows, num_refs, rows_per_ref)
    selection = best_pairs(chunks, SearchSettings(max_kept_hits=250_000, max_pairs=100))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # 20 million hits are 560 MB as they come. A chunk of the flood is 28 bytes a row, and the
    # ids of a million references are 60 MB; what is kept is at most 300 bytes a hit.
    assert peak_bytes < 75e6 + num_refs * (60 + 28 * 6)
    assert len(selection.accepted) + selection.num_over_cap == num_refs
    assert selection.accepted[0].candidate.num_hits == num_query_rows * rows_per_ref
    assert len(selection.accepted[0].score) == num_query_rows * min(5, rows_per_ref)
    assert selection.hits_cut_below == 1.0
