"""Laws of time, of similarity and of the written form."""

import itertools
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import SPACE, make_report
from vcd.core import (
    DescriptorSpace,
    Interval,
    Match,
    Rejection,
    Skipped,
    Timeline,
    decode_matches,
    decode_report,
    encode_matches,
    encode_report,
    max_similarity,
    merge_intervals,
    total_length_s,
)

times = st.floats(min_value=0.0, max_value=1e5, allow_nan=False)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@st.composite
def intervals(draw: Any) -> Interval:
    start_s, end_s = sorted(draw(st.lists(times, min_size=2, max_size=2, unique=True)))
    return Interval(start_s, end_s)


@st.composite
def timelines(draw: Any) -> Timeline:
    steps = draw(st.lists(st.floats(min_value=0.01, max_value=5.0), max_size=20))
    bounds = np.cumsum([draw(st.floats(min_value=0.0, max_value=9.0)), *steps])
    if len(bounds) < 2:
        return Timeline.empty()
    return Timeline.from_starts(bounds[:-1], end_s=float(bounds[-1]))


@st.composite
def matches(draw: Any) -> Match:
    return Match(
        query_id=draw(names),
        ref_id=draw(names),
        query=draw(intervals()),
        ref=draw(intervals()),
        score=draw(st.floats(allow_nan=False, allow_infinity=False)),
    )


rejections = st.builds(
    Rejection,
    query_id=names,
    ref_id=names,
    score=st.floats(allow_nan=False),
    rule=names,
    value=st.floats(allow_nan=False),
    limit=st.floats(allow_nan=False),
)


@st.composite
def reports(draw: Any) -> Any:
    found = draw(st.lists(matches(), max_size=4))
    return make_report(
        query_id=draw(names),
        matches=tuple(sorted(found, key=lambda match: -match.score)),
        rejected=tuple(draw(st.lists(rejections, max_size=3))),
        examined=tuple(draw(st.lists(intervals(), max_size=3))),
        skipped=tuple(
            Skipped(interval=interval, reason=reason)
            for interval, reason in draw(
                st.lists(st.tuples(intervals(), st.sampled_from(["undecodable", "excluded"])))
            )
        ),
        space=draw(st.sampled_from([SPACE, DescriptorSpace(name="ü", dim=1, fingerprint="")])),
        elapsed_s=draw(st.dictionaries(names, times, max_size=3)),
    )


@given(reports())
def test_a_report_survives_being_written(report):
    assert decode_report(encode_report(report)) == report


@given(reports())
def test_writing_what_was_read_gives_the_same_bytes(report):
    line = encode_report(report)

    assert encode_report(decode_report(line)) == line


@given(st.lists(matches(), max_size=5))
def test_matches_survive_being_written(found):
    assert decode_matches(encode_matches(found)) == tuple(found)


@given(intervals(), intervals())
def test_what_two_intervals_cover_is_their_sum_less_what_they_share(one, other):
    shared_s = one.overlap_s(other)

    np.testing.assert_allclose(
        total_length_s([one, other]), one.length_s + other.length_s - shared_s, atol=1e-6
    )
    assert shared_s == other.overlap_s(one)


@given(st.lists(intervals(), max_size=8))
def test_merged_intervals_are_apart_and_cover_the_same(given_intervals):
    merged = merge_intervals(given_intervals)

    assert all(one.end_s < other.start_s for one, other in itertools.pairwise(merged))
    assert all(
        any(whole.start_s <= part.start_s and part.end_s <= whole.end_s for whole in merged)
        for part in given_intervals
    )
    assert merge_intervals(merged) == merged
    assert merge_intervals(given_intervals[::-1]) == merged


@given(timelines(), st.data())
def test_a_span_holds_exactly_its_frames(timeline, data):
    if len(timeline) == 0:
        return
    first = data.draw(st.integers(0, len(timeline) - 1))
    stop = data.draw(st.integers(first + 1, len(timeline)))

    assert timeline.frames_in(timeline.span(first, stop)) == (first, stop)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_the_blocked_maximum_is_the_plain_maximum(num_query, num_ref, seed):
    generator = np.random.default_rng(seed)
    query = generator.normal(size=(num_query, 4)).astype(np.float32)
    ref = generator.normal(size=(num_ref, 4)).astype(np.float32)

    expected = (query @ ref.T).max(axis=1, initial=-np.inf)

    np.testing.assert_allclose(max_similarity(query, ref), expected, rtol=1e-5, atol=1e-5)
