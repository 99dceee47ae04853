"""Laws of the alignment."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vcd.align import AlignSettings, TemporalNetwork, align_pair, make_aligner
from vcd.core import Descriptors, DescriptorSpace, PairCandidate, PairTally, Timeline

SPACE = DescriptorSpace(name="made", dim=32, fingerprint="f" * 64)
NAMES = ["temporal_network", "hough", "dynamic_programming"]
seeds = st.integers(0, 2**32 - 1)


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _rows(rng, num):
    return _unit(rng.normal(size=(num, SPACE.dim)))


def _descriptors(video_id, features, *, first_s=0.0, rate_hz=2.0):
    starts_s = first_s + np.arange(len(features)) / rate_hz
    timeline = Timeline.from_starts(starts_s, end_s=first_s + len(features) / rate_hz)
    return Descriptors.from_frames(video_id, timeline, features, SPACE)


def _tally(query, ref):
    similarity = query.features @ ref.features.T
    rows, cols = np.nonzero(similarity >= 0.5)
    order = np.lexsort((cols, rows, -similarity[rows, cols]))
    candidate = PairCandidate(query_id="q", ref_id="r", score=1.0, num_hits=len(order))
    return PairTally(
        candidate=candidate,
        query_row=rows[order],
        ref_row=cols[order],
        score=similarity[rows[order], cols[order]].astype(np.float32),
    )


def _align(query, ref, **changes):
    chosen = AlignSettings(**{"min_similarity": 0.7, **changes})
    return align_pair(query, ref, _tally(query, ref), chosen).accepted


@given(
    seed=seeds,
    length=st.integers(3, 30),
    slope=st.floats(0.58, 1.75),
    q_first=st.integers(0, 15),
    r_first=st.integers(0, 20),
)
@settings(max_examples=150, deadline=None)
def test_a_planted_copy_is_found_within_a_frame(seed, length, slope, q_first, r_first):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 0.05, (50, 80)).astype(np.float32)
    along = np.arange(length)
    cols = r_first + np.round(along * slope).astype(int)
    matrix[q_first + along, cols] = rng.uniform(0.6, 0.95, length)

    found = TemporalNetwork().align(matrix)

    assert len(found) == 1
    box = found[0].box
    truth = (q_first, q_first + length, r_first, int(cols[-1]) + 1)
    assert np.abs(np.subtract((box.q_first, box.q_stop, box.r_first, box.r_stop), truth)).max() <= 1


@given(seed=seeds, name=st.sampled_from(NAMES), level=st.floats(0.0, 0.9))
@settings(max_examples=60, deadline=None)
def test_whatever_the_matrix_boxes_lie_in_it_and_paths_in_their_boxes(seed, name, level):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    matrix = np.clip(rng.normal(level, 0.2, shape), -1, 1).astype(np.float32)
    before = matrix.copy()

    found = make_aligner(AlignSettings(aligner=name)).align(matrix)

    assert np.array_equal(matrix, before)
    assert [b.score for b in found] == sorted((b.score for b in found), reverse=True)
    for scored in found:
        box = scored.box
        assert box.q_stop <= shape[0]
        assert box.r_stop <= shape[1]
        assert scored.path[0].tolist() == [box.q_first, box.r_first]
        assert scored.path[-1].tolist() == [box.q_stop - 1, box.r_stop - 1]
        assert (np.diff(scored.path, axis=0) >= [1, 0]).all()


@given(seed=seeds, shift=st.integers(0, 40), first_s=st.sampled_from([0.0, 0.25, 3.5]))
@settings(max_examples=25, deadline=None)
def test_shifting_a_reference_shifts_its_matches(seed, shift, first_s):
    rng = np.random.default_rng(seed)
    body, more = _rows(rng, 60), _rows(rng, 100)
    query = _descriptors("q", np.concatenate([more[:8], body[20:45], more[8:16]]))
    plain = _descriptors("r", np.concatenate([more[40:45], body, more[45:]]))
    moved = _descriptors(
        "r", np.concatenate([more[40:45], _rows(rng, shift), body, more[45:]]), first_s=first_s
    )

    one, other = _align(query, plain), _align(query, moved)

    by_s = shift / 2 + first_s
    assert [m.query for m in one] == pytest.approx([m.query for m in other])
    assert [m.ref.start_s + by_s for m in one] == pytest.approx([m.ref.start_s for m in other])
    assert [m.score for m in one] == pytest.approx([m.score for m in other], abs=1e-4)


@given(seed=seeds, name=st.sampled_from(NAMES), bias=st.floats(-0.4, 0.2))
@settings(max_examples=60, deadline=None)
def test_a_bias_of_all_rows_finds_what_the_floor_moved_by_it_does(seed, name, bias):
    rng = np.random.default_rng(seed)
    ref = _descriptors("r", _rows(rng, 50))
    copied = _unit(ref.features[15:35] + 0.1 * _rows(rng, 20))
    query = _descriptors("q", np.concatenate([_rows(rng, 9), copied, _rows(rng, 9)]))
    moved = replace(query, score_bias=np.full(len(query), bias, np.float32))

    plain = _align(query, ref, aligner=name, min_score=-np.inf)
    biased = _align(moved, ref, aligner=name, min_score=-np.inf, min_similarity=0.7 + bias)

    assert len(plain) == len(biased) == 1
    for side in ("query", "ref"):
        one, other = getattr(plain[0], side), getattr(biased[0], side)
        assert (one.start_s, one.end_s) == pytest.approx((other.start_s, other.end_s), abs=1e-6)


@given(seed=seeds)
@example(seed=80757)  # a higher bias lets a frame before the copy match, and weighs another stretch
@settings(max_examples=30, deadline=None)
def test_a_lower_bias_makes_a_match_less_sure(seed):
    rng = np.random.default_rng(seed)
    ref = _descriptors("r", _rows(rng, 40))
    copied = _unit(ref.features[10:30] + 0.3 * _rows(rng, 20))
    query = _descriptors("q", np.concatenate([_rows(rng, 5), copied]))

    found = []
    for bias in (0.05, 0.0, -0.05, -0.15):
        moved = replace(query, score_bias=np.full(len(query), bias, np.float32))
        found += _align(moved, ref, min_similarity=0.5, min_score=-np.inf)

    assert len(found) == 4
    alike = [(one, other) for one, other in pairwise(found) if one.query == other.query]
    assert len(alike) >= 2
    assert all(one.score > other.score for one, other in alike)


@given(seed=seeds, rate_hz=st.sampled_from([1.0, 2.0, 3.0]))
@example(seed=58, rate_hz=1.0)
@settings(max_examples=25, deadline=None)
def test_doubling_the_sampling_rate_keeps_matches_within_an_old_step(seed, rate_hz):
    rng = np.random.default_rng(seed)
    footage = _rows(rng, 30)  # a shot for every two seconds
    other = _rows(rng, 30)
    start_s, end_s = float(rng.uniform(2, 9)), float(rng.uniform(20, 30))

    def ref_at(times_s):
        return footage[(times_s // 2).astype(int)]

    def query_at(times_s):
        inside = (times_s >= start_s) & (times_s < end_s)
        return np.where(inside[:, None], ref_at(times_s + 10), other[(times_s // 2).astype(int)])

    def found(rate):
        times_s = (np.arange(int(40 * rate)) + 0.5) / rate
        query = _descriptors("q", query_at(times_s), rate_hz=rate)
        return _align(query, _descriptors("r", ref_at(times_s), rate_hz=rate))

    coarse, fine = found(rate_hz), found(2 * rate_hz)

    assert len(coarse) == len(fine) == 1
    for end in ("start_s", "end_s"):
        difference_s = getattr(coarse[0].query, end) - getattr(fine[0].query, end)
        assert abs(difference_s) <= 1 / rate_hz + 1e-9


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_inputs_are_identical_afterwards_and_so_is_a_second_answer(seed):
    rng = np.random.default_rng(seed)
    body = _rows(rng, 50)
    query = _descriptors("q", np.concatenate([body[30:45], _rows(rng, 5), body[5:20]]))
    ref = _descriptors("r", body)
    tally = _tally(query, ref)
    arrays = (query.features, ref.features, tally.query_row, tally.ref_row, tally.score)
    before = [array.copy() for array in arrays]

    answers = [align_pair(query, ref, tally, AlignSettings(min_similarity=0.7)) for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(answers[0].accepted) == 2
    assert all(np.array_equal(x, y) for x, y in zip(arrays, before, strict=True))


@given(seed=seeds, max_cells=st.sampled_from([10_000, 20_000, 4_000_000]))
@settings(max_examples=20, deadline=None)
def test_the_size_of_a_tile_changes_nothing(seed, max_cells):
    rng = np.random.default_rng(seed)
    body = _rows(rng, 300)
    first = int(rng.integers(0, 100))
    length = int(rng.integers(8, 190))
    query_rows = np.concatenate([_rows(rng, 60), body[first : first + length], _rows(rng, 40)])
    query, ref = _descriptors("q", query_rows), _descriptors("r", body)

    assert _align(query, ref, max_cells=max_cells) == _align(query, ref)
