"""The published baseline of the matching track, quirk by quirk, against a plain version of it."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from tests.plain_network import plain_published_boxes
from vcd.align import AlignSettings, PublishedNetworkSettings
from vcd.core import InputError
from vcd.descriptors import FitSettings, read_descriptor_rows
from vcd.evaluation.matching import MatchRules
from vcd.evaluation.published_matching import match_as_published, published_rows
from vcd.evaluation.settings import MatchSettings
from vcd.search import SearchSettings

NETWORK = PublishedNetworkSettings(max_step=5, min_length=4)
RULES = MatchRules(
    match=MatchSettings(protocol="vsc2022", max_frame_pairs_per_query=1200),
    search=SearchSettings(),
    align=AlignSettings(aligner="vcsl_temporal_network", min_score=-inf, published_network=NETWORK),
)
DIM = 16


@pytest.fixture
def videos(rng):
    """Two queries, of which the first copies frames 3 to 15 of R1 from its sixth on."""

    def video(num):
        return rng.normal(size=(num, DIM)).astype(np.float32)

    refs = {f"R{i}": video(20) for i in range(3)}
    queries = {"Q0": video(25), "Q1": video(12)}
    queries["Q0"][6:18] = 2 * refs["R1"][3:15] + rng.normal(0, 0.3, (12, DIM))
    background = {f"B{i}": video(30) for i in range(4)}
    return queries, refs, background


def _seconds(videos):
    return np.concatenate(
        [np.stack([np.arange(len(v)), np.arange(len(v)) + 1.0], axis=1) for v in videos.values()]
    )


def _file(folder, name, videos, *, instants=False):
    timestamps = _seconds(videos)
    if instants:
        timestamps = timestamps[:, 0]
    path = folder / f"{name}.npz"
    np.savez(
        path,
        video_ids=np.repeat(list(videos), [len(v) for v in videos.values()]),
        features=np.concatenate(list(videos.values())).astype(np.float32),
        timestamps=timestamps,
    )
    return read_descriptor_rows(path)


def _matched(folder, videos, rules=RULES, *, with_background=False, instants=False):
    queries, refs, background = videos
    rows = published_rows(
        _file(folder, "q", queries, instants=instants),
        _file(folder, "r", refs, instants=instants),
        _file(folder, "b", background) if with_background else None,
        FitSettings(),
        folder,
    )
    return match_as_published(rows, rules)


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _table(matching):
    found = matching.matches
    return sorted(
        (query, ref, *bounds, round(score, 4))
        for query, ref, bounds, score in zip(
            found.query_ids.tolist(),
            found.ref_ids.tolist(),
            np.hstack([found.query_s, found.ref_s]).tolist(),
            found.score.tolist(),
            strict=True,
        )
    )


def _plain_raw(videos):
    """Search by inner product, align cosine, score as the candidate."""
    queries, refs, _ = videos
    rows = []
    for query_id, query in queries.items():
        for ref_id, ref in refs.items():
            cosine = (_unit(query) @ _unit(ref).T).astype(np.float32)
            score = float((query @ ref.T).max())
            for q_min, r_min, q_max, r_max in plain_published_boxes(cosine, NETWORK):
                rows.append((query_id, ref_id, q_min, q_max + 1.0, r_min, r_max + 1.0, score))
    return sorted((*row[:6], round(row[6], 4)) for row in rows)


def _plain_normalized(videos):
    """Drop a dimension, normalize, take 1.2 times the nearest background; align 0.5 higher."""
    queries, refs, background = videos
    noise = np.concatenate(list(background.values()))
    kept = np.delete(np.arange(DIM), noise.var(axis=0).argmin())
    noise = _unit(noise[:, kept])
    rows = []
    for query_id, query in queries.items():
        unit = _unit(query[:, kept])
        bias = -1.2 * (unit @ noise.T).max(axis=1, keepdims=True)
        for ref_id, ref in refs.items():
            similarity = (unit @ _unit(ref[:, kept]).T + bias + 0.5).astype(np.float32)
            for q_min, r_min, q_max, r_max in plain_published_boxes(similarity, NETWORK):
                score = float(similarity[q_min:q_max, r_min:r_max].max()) - 0.5
                rows.append((query_id, ref_id, q_min, q_max + 1.0, r_min, r_max + 1.0, score))
    return sorted((*row[:6], round(row[6], 4)) for row in rows)


def test_without_a_background_cosine_is_aligned_and_the_candidate_scores(videos, tmp_path):
    found = _table(_matched(tmp_path, videos))

    assert found == _plain_raw(videos)
    assert any(row[:2] == ("Q0", "R1") for row in found)


def test_with_a_background_normalized_scores_are_searched_aligned_and_told(videos, tmp_path):
    found = _table(_matched(tmp_path, videos, with_background=True))

    assert found == _plain_normalized(videos)
    assert any(row[:2] == ("Q0", "R1") for row in found)


def test_the_last_row_and_column_of_a_box_do_not_count_for_its_score(tmp_path):
    # One copy of eight frames; the last of them is the most similar one.
    similarity = [0.5] * 7 + [0.9]
    query = np.zeros((9, 10), dtype=np.float32)
    ref = np.zeros((9, 10), dtype=np.float32)
    for frame, value in enumerate(similarity):
        ref[frame, frame] = 1.0
        query[frame, frame], query[frame, 9] = value, np.sqrt(1 - value**2)
    ref[8, 8], query[8, 9] = 1.0, 1.0
    noise = np.zeros((3, 10), dtype=np.float32)
    noise[:, 8] = [1.0, -1.0, 0.5]

    rows = published_rows(
        _file(tmp_path, "q", {"Q0": query}),
        _file(tmp_path, "r", {"R0": ref}),
        _file(tmp_path, "b", {"B0": noise}),
        FitSettings(drop_lowest_variance=False),
        tmp_path,
    )
    settings = replace(RULES.match, alignment_offset=0.0)
    (found,) = match_as_published(rows, replace(RULES, match=settings)).matches.score.tolist()

    assert found == pytest.approx(0.5, abs=1e-6)


def test_instants_end_at_the_instant_of_the_last_frame(videos, tmp_path):
    stretches, instants = (tmp_path / name for name in ("stretches", "instants"))
    stretches.mkdir()
    instants.mkdir()

    one = _matched(stretches, videos).matches
    other = _matched(instants, videos, instants=True).matches

    assert len(one) > 0
    assert other.query_s.tolist() == (one.query_s - [0.0, 1.0]).tolist()
    assert other.ref_s.tolist() == (one.ref_s - [0.0, 1.0]).tolist()


def test_only_the_best_candidates_are_aligned(videos, tmp_path):
    queries, refs, background = videos
    few = replace(RULES.match, max_candidates_per_query=2, max_aligned_per_query=1)

    matching = _matched(
        tmp_path, ({"Q0": queries["Q0"]}, refs, background), replace(RULES, match=few)
    )

    assert len(matching.candidates) == 2
    assert {row[:2] for row in _table(matching)} == {("Q0", "R1")}


def test_matches_below_the_threshold_are_not_told(videos, tmp_path):
    everything = _matched(tmp_path, videos).matches.score
    middle = float(np.median(everything))
    strict = replace(RULES, align=replace(RULES.align, min_score=middle))

    found = _matched(tmp_path, videos, strict).matches.score

    assert sorted(found) == sorted(everything[everything >= middle])
    assert 0 < len(found) < len(everything)


def test_matches_stand_by_query_and_best_first(videos, tmp_path):
    queries, refs, background = videos
    swapped = {"Q1": queries["Q0"], "Q0": queries["Q1"]}

    found = _matched(tmp_path, (swapped, refs, background)).matches

    keys = list(zip(found.query_ids.tolist(), (-found.score).tolist(), strict=True))
    assert keys == sorted(keys)


def test_progress_goes_from_the_search_to_the_alignment(videos, tmp_path):
    queries, refs, _ = videos
    rows = published_rows(
        _file(tmp_path, "q", queries), _file(tmp_path, "r", refs), None, FitSettings(), tmp_path
    )
    told: list[float] = []

    match_as_published(rows, RULES, told.append)

    assert told[0] == 0.5
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_background_that_holds_a_reference_is_refused(videos, tmp_path):
    queries, refs, background = videos

    with pytest.raises(InputError, match="R1"):
        _matched(tmp_path, (queries, refs, {**background, "R1": refs["R1"]}), with_background=True)


def test_integer_ids_get_their_letter(tmp_path, videos):
    queries, refs, background = videos
    named = ({"100001": queries["Q0"]}, {"100002": refs["R1"]}, background)

    matching = _matched(tmp_path, named)

    assert {row[:2] for row in _table(matching)} == {("Q100001", "R100002")}
    assert matching.candidates.ref_ids.tolist() == ["R100002"]


def test_no_queries_give_nothing(tmp_path, videos):
    _, refs, _ = videos
    queries = _file(tmp_path, "r", refs)
    empty = replace(
        queries,
        video_ids=queries.video_ids[:0],
        features=queries.features[:0],
        timestamps=queries.timestamps[:0],
        runs=(),
    )

    matching = match_as_published(
        published_rows(empty, queries, None, FitSettings(), tmp_path), RULES
    )

    assert len(matching.matches) == len(matching.candidates) == 0


def test_the_protocol_needs_a_budget(tmp_path, videos):
    queries, refs, _ = videos
    rows = published_rows(
        _file(tmp_path, "q", queries), _file(tmp_path, "r", refs), None, FitSettings(), tmp_path
    )

    with pytest.raises(ValueError, match="vsc2022 needs"):
        replace(RULES.match, max_frame_pairs_per_query=None)
    with pytest.raises(ValueError, match="has a budget"):
        match_as_published(rows, replace(RULES, match=MatchSettings()))


@pytest.mark.parametrize(
    "changes",
    [
        {"max_frame_pairs_per_query": 0},
        {"max_candidates_per_query": 0},
        {"max_aligned_per_query": -1},
    ],
)
def test_a_budget_of_nothing_is_refused(changes):
    with pytest.raises(ValueError, match="a budget must be at least 1"):
        MatchSettings(**changes)


@pytest.mark.parametrize("offset", [float("nan"), 11.0])
def test_an_offset_that_no_score_needs_is_refused(offset):
    with pytest.raises(ValueError, match="alignment_offset must be in"):
        MatchSettings(alignment_offset=offset)


@pytest.mark.parametrize("side", ["q", "r"])
def test_a_video_that_runs_backwards_is_named(side, tmp_path, videos):
    queries, refs, _ = videos
    files = {"q": _file(tmp_path, "q", queries), "r": _file(tmp_path, "r", refs)}
    files[side] = replace(files[side], timestamps=files[side].timestamps[::-1])

    with pytest.raises(InputError, match=rf"{side}\.npz: video .0: wanted times that rise"):
        published_rows(files["q"], files["r"], None, FitSettings(), tmp_path)
