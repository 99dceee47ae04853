"""Matching files says what a check says; under a budget, what the budget lets through."""

from dataclasses import replace

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, plant_copy
from vcd.align import AlignSettings, align_pair
from vcd.core import InputError, Match
from vcd.descriptors import (
    Fit,
    FitSettings,
    fit_background,
    read_descriptor_rows,
    write_descriptors,
)
from vcd.evaluation.matching import MatchRules, checked_rows, match_as_checked
from vcd.evaluation.settings import MatchSettings
from vcd.search import ExactIndex, SearchSettings, best_pairs

SEARCH = SearchSettings(min_score=0.5, min_pair_score=0.5)
ALIGN = AlignSettings(min_score=0.1)
BY_FLOOR = MatchRules(match=MatchSettings(), search=SEARCH, align=ALIGN)


def _by_budget(frame_pairs, *, candidates=25, aligned=5):
    budget = MatchSettings(
        max_frame_pairs_per_query=frame_pairs,
        max_candidates_per_query=candidates,
        max_aligned_per_query=aligned,
    )
    return replace(BY_FLOOR, match=budget)


@pytest.fixture
def refs(rng):
    return [make_descriptors(f"R{i}", 40, rng) for i in range(4)]


@pytest.fixture
def queries(refs, rng):
    """Q0 copies R1 and, weaker, R3; Q1 copies nothing; Q2 copies R0."""
    names = ("Q0", "Q1", "Q2")
    zero, one, two = (make_descriptors(name, 30, rng) for name in names)
    zero = plant_copy(zero, refs[1], query_frames=(2, 12), ref_frames=(5, 15), rng=rng)
    zero = plant_copy(
        zero, refs[3], query_frames=(15, 25), ref_frames=(20, 30), rng=rng, similarity=0.65
    )
    two = plant_copy(two, refs[0], query_frames=(0, 30), ref_frames=(10, 40), rng=rng)
    return [zero, one, two]


def _rows(folder, name, videos):
    path = folder / f"{name}.npz"
    write_descriptors(path, videos, space=videos[0].space if videos else SPACE)
    return read_descriptor_rows(path)


def _searched(folder, queries, refs, fit=None):
    inside = folder / "derived"
    inside.mkdir()
    return checked_rows(_rows(folder, "q", queries), _rows(folder, "r", refs), fit, inside)


def _table(matching):
    found = matching.matches
    return [
        (str(query), str(ref), *np.round(bounds, 6).tolist(), round(float(score), 5))
        for query, ref, bounds, score in zip(
            found.query_ids,
            found.ref_ids,
            np.hstack([found.query_s, found.ref_s]),
            found.score,
            strict=True,
        )
    ]


def _as_a_check_does(queries, refs, fit=None):
    """The two sentences of the detector, on records."""
    found: list[Match] = []
    if fit is not None:
        refs = [fit.prepare_ref(ref) for ref in refs]
        queries = [fit.prepare_query(query) for query in queries]
    index = ExactIndex(refs)
    for query in queries:
        for tally in best_pairs(index.hits(query, min_score=SEARCH.min_score), SEARCH).accepted:
            ref = index.descriptors(tally.candidate.ref_id)
            found += align_pair(query, ref, tally, ALIGN).accepted
    return sorted(
        (
            m.query_id,
            m.ref_id,
            *np.round([m.query.start_s, m.query.end_s, m.ref.start_s, m.ref.end_s], 6).tolist(),
            round(m.score, 5),
        )
        for m in found
    )


def test_files_are_matched_as_a_check_matches_records(queries, refs, tmp_path):
    matching = match_as_checked(_searched(tmp_path, queries, refs), BY_FLOOR)

    assert sorted(_table(matching)) == _as_a_check_does(queries, refs)
    assert [row[:2] for row in _table(matching)] == [("Q0", "R1"), ("Q0", "R3"), ("Q2", "R0")]


def test_a_fit_is_applied_as_a_check_applies_it(queries, refs, tmp_path, rng):
    background = [make_descriptors(f"B{i}", 5, rng) for i in range(20)]
    fit = fit_background(background, FitSettings())

    matching = match_as_checked(_searched(tmp_path, queries, refs, fit), BY_FLOOR)

    assert sorted(_table(matching)) == _as_a_check_does(queries, refs, fit)
    assert len(matching.matches) >= 2


def test_a_fit_that_only_moves_scores_is_applied_too(queries, refs, tmp_path, rng):
    background = [make_descriptors(f"B{i}", 5, rng) for i in range(20)]
    fit = fit_background(background, FitSettings(drop_lowest_variance=False, offset=-9.0))
    assert isinstance(fit, Fit)

    matching = match_as_checked(_searched(tmp_path, queries, refs, fit), BY_FLOOR)

    assert len(matching.matches) == len(matching.candidates) == 0


def test_rows_of_any_length_are_brought_to_length_one(queries, refs, tmp_path):
    files = []
    for name, videos, factor in (("q", queries, 7.0), ("r", refs, 0.25)):
        rows = _rows(tmp_path, name, videos)
        files.append(replace(rows, features=rows.features * np.float32(factor)))
    (tmp_path / "derived").mkdir()

    rows = checked_rows(files[0], files[1], None, tmp_path / "derived")

    lengths = np.linalg.norm(np.concatenate([rows.query.features, rows.ref.features]), axis=1)
    assert lengths == pytest.approx(np.ones(len(lengths)), abs=1e-6)
    assert [row[:6] for row in _table(match_as_checked(rows, BY_FLOOR))] == [
        row[:6] for row in sorted(_as_a_check_does(queries, refs))
    ]


def test_rows_of_length_one_are_used_where_they_are(queries, refs, tmp_path):
    rows = _searched(tmp_path, queries, refs)

    assert list((tmp_path / "derived").iterdir()) == []
    assert rows.score_bias is None


def test_the_order_of_the_files_does_not_matter(queries, refs, tmp_path):
    (tmp_path / "other").mkdir()

    one = match_as_checked(_searched(tmp_path, queries, refs), BY_FLOOR)
    other = match_as_checked(_searched(tmp_path / "other", queries[::-1], refs[::-1]), BY_FLOOR)

    assert _table(one) == _table(other)


def test_candidates_are_told_best_first(queries, refs, tmp_path):
    found = match_as_checked(_searched(tmp_path, queries, refs), BY_FLOOR).candidates

    assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)
    assert set(zip(found.query_ids.tolist(), found.ref_ids.tolist(), strict=True)) == {
        ("Q0", "R1"),
        ("Q0", "R3"),
        ("Q2", "R0"),
    }


def test_a_large_budget_finds_what_the_floor_finds(queries, refs, tmp_path):
    rows = _searched(tmp_path, queries, refs)

    by_budget = match_as_checked(rows, _by_budget(100_000))

    assert _table(by_budget) == _table(match_as_checked(rows, BY_FLOOR))
    assert len(by_budget.candidates) == 12


def test_a_budget_of_frame_pairs_is_over_all_queries(queries, refs, tmp_path):
    rows = _searched(tmp_path, queries, refs)

    matching = match_as_checked(rows, _by_budget(13))

    # 39 pairs of frames: 40 are 0.8 similar, and the ten at 0.65 come after them.
    assert [row[:2] for row in _table(matching)] == [("Q0", "R1"), ("Q2", "R0")]


def test_a_budget_counts_for_each_query(queries, refs, tmp_path):
    rows = _searched(tmp_path, queries, refs)

    # 51 pairs of frames: the 40 that are 0.8 similar, the ten at 0.65, and one more.
    assert len(match_as_checked(rows, _by_budget(17)).matches) == 3


def test_only_the_best_candidates_are_told_and_fewer_aligned(queries, refs, tmp_path):
    rows = _searched(tmp_path, queries[:1], refs)

    matching = match_as_checked(rows, _by_budget(100_000, candidates=2, aligned=1))

    assert matching.candidates.ref_ids.tolist() == ["R1", "R3"]
    assert [row[:2] for row in _table(matching)] == [("Q0", "R1")]


def test_frames_without_evidence_fill_no_budget_pair(queries, refs, tmp_path):
    silent = replace(queries[1], features=np.zeros_like(queries[1].features))

    matching = match_as_checked(_searched(tmp_path, [silent], refs), _by_budget(100_000))

    assert len(matching.candidates) == 0


def test_progress_is_told_to_its_end(queries, refs, tmp_path):
    told: list[float] = []

    match_as_checked(_searched(tmp_path, queries, refs), BY_FLOOR, told.append)

    assert told == pytest.approx([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize("rules", [BY_FLOOR, _by_budget(5)], ids=["floor", "budget"])
def test_no_queries_give_nothing(rules, refs, tmp_path):
    matching = match_as_checked(_searched(tmp_path, [], refs), rules)

    assert len(matching.matches) == len(matching.candidates) == 0


def test_no_references_give_nothing(queries, tmp_path):
    matching = match_as_checked(_searched(tmp_path, queries, []), BY_FLOOR)

    assert len(matching.matches) == 0


def test_integer_ids_get_their_letter(queries, refs, tmp_path):
    queries = [replace(queries[2], video_id="200001")]
    refs = [replace(refs[0], video_id="200002")]

    matching = match_as_checked(_searched(tmp_path, queries, refs), BY_FLOOR)

    assert [row[:2] for row in _table(matching)] == [("Q200001", "R200002")]
    assert matching.candidates.query_ids.tolist() == ["Q200001"]


def test_files_of_two_spaces_are_refused(queries, refs, tmp_path):
    other = replace(SPACE, fingerprint="e" * 16)

    with pytest.raises(InputError, match="cannot be compared"):
        _searched(tmp_path, queries, [replace(refs[0], space=other)])


@pytest.mark.parametrize("fit", [None, Fit(space=SPACE)], ids=["no fit", "a fit"])
def test_a_row_that_is_too_long_to_compare_is_named(fit, queries, refs, tmp_path):
    (tmp_path / "derived").mkdir()
    rows = _rows(tmp_path, "q", queries)
    features = rows.features.astype(np.float64)
    features[40] *= 1e300

    with pytest.raises(InputError, match=r"q\.npz: row 40 \(video Q1\) is too long"):
        checked_rows(
            replace(rows, features=features),
            _rows(tmp_path, "r", refs),
            fit,
            tmp_path / "derived",
        )


def test_two_spellings_of_one_video_in_a_file_are_refused(queries, refs, tmp_path):
    names = ("100001", "Q100001")
    twice = [replace(each, video_id=name) for each, name in zip(queries[:2], names, strict=True)]

    with pytest.raises(InputError, match="100001 and Q100001 are one video of VSC2022"):
        _searched(tmp_path, twice, refs)
