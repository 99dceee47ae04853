"""The laws of excluded stretches."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import SPACE, make_descriptors, make_timeline, make_video, unit_rows
from vcd.align import AlignSettings, MatchTrace, PairAlignment, align_pair
from vcd.core import Descriptors, Interval, Match
from vcd.search import FaissIndex, IndexWriter, SearchSettings, best_pairs, open_index

STEP_S = 0.5
SEARCH = SearchSettings(min_score=0.5, min_pair_score=0.5)
ALIGN = AlignSettings(min_length_s=1.0, min_score=0.1)

stretches = st.lists(
    st.tuples(st.floats(0.0, 19.0), st.floats(0.1, 8.0)).map(lambda s: Interval(s[0], s[0] + s[1])),
    max_size=3,
)


def slow_footage(video_id: str, num_frames: int, rng: np.random.Generator) -> Descriptors:
    """Frames that resemble their neighbours, so that paths and lines wander."""
    walk = np.cumsum(unit_rows(num_frames, rng), axis=0)
    rows = walk + unit_rows(1, rng) * 2
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Descriptors.from_frames(video_id, make_timeline(num_frames), unit, SPACE)


def world(seed: int) -> tuple[Descriptors, list[Descriptors]]:
    """A query that copies, in turn, the middle of three references."""
    rng = np.random.default_rng(seed)
    make = slow_footage if seed % 2 else make_descriptors
    refs = [make(f"r{i}", 40, rng) for i in range(3)]
    copied = np.concatenate([ref.features[8:32] for ref in refs])
    noise = unit_rows(len(copied), rng) * np.float32(0.3)
    rows = copied + noise
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Descriptors.from_frames("q", make_timeline(len(unit)), unit, SPACE), refs


def indexed(refs: Sequence[Descriptors], excluded: Sequence[Interval]) -> FaissIndex:
    """Exclude stretches of the first; mapped files outlive their directory."""
    with tempfile.TemporaryDirectory() as directory:
        with IndexWriter.open(Path(directory), space=SPACE, rate_hz=2.0, weights="t") as writer:
            for ref in refs:
                writer.add(make_video(ref.video_id), ref)
            writer.exclude(refs[0].video_id, excluded)
        return open_index(Path(directory), SEARCH)


def aligned(query: Descriptors, index: FaissIndex) -> dict[str, PairAlignment]:
    selection = best_pairs(index.hits(query, min_score=SEARCH.min_score), SEARCH)
    return {
        tally.candidate.ref_id: align_pair(
            query, index.descriptors(tally.candidate.ref_id), tally, ALIGN
        )
        for tally in selection.accepted
    }


def reach_s(match: Match, excluded: Sequence[Interval]) -> float:
    """Say how far the ends of a match lie inside excluded stretches."""
    ends = [
        (match.ref.start_s, each.end_s - match.ref.start_s)
        for each in excluded
        if each.start_s <= match.ref.start_s < each.end_s
    ]
    ends += [
        (match.ref.end_s, match.ref.end_s - each.start_s)
        for each in excluded
        if each.start_s < match.ref.end_s <= each.end_s
    ]
    return max((reach for _, reach in ends), default=0.0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), excluded=stretches)
def test_no_evidence_comes_from_an_excluded_row_and_no_bound_reaches_far_into_one(seed, excluded):
    query, refs = world(seed)
    index = indexed(refs, excluded)
    timeline = refs[0].timeline
    silent = {frame for each in excluded for frame in range(*timeline.frames_in(each))}

    alignment = aligned(query, index).get("r0")

    for match, trace in zip(*_found(alignment), strict=True):
        assert silent.isdisjoint(trace.path[:, 1].tolist())
        assert reach_s(match, excluded) <= STEP_S / 2 + 1e-9


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), excluded=stretches)
def test_excluding_changes_no_match_of_another_reference(seed, excluded):
    query, refs = world(seed)

    before, after = aligned(query, indexed(refs, [])), aligned(query, indexed(refs, excluded))

    for ref_id in ("r1", "r2"):
        assert after[ref_id].accepted == before[ref_id].accepted
        assert after[ref_id].rejected == before[ref_id].rejected


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_reference_that_is_excluded_as_a_whole_never_matches(seed):
    query, refs = world(seed)

    found = aligned(query, indexed(refs, [Interval(0.0, 20.0)]))

    assert "r0" not in found
    assert {"r1", "r2"} <= set(found)


def _found(
    alignment: PairAlignment | None,
) -> tuple[tuple[Match, ...], tuple[MatchTrace, ...]]:
    return ((), ()) if alignment is None else (alignment.accepted, alignment.traces)
