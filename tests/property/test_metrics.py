"""The laws of the metrics, and that the fast versions equal the plain ones."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import plain_metrics
from tests.plain_metrics import as_table
from vcd.evaluation import (
    ScoredPairs,
    accuracy_at_1,
    confidence_interval,
    isc_micro_ap,
    micro_ap,
    recall_at_precision,
    resampled_isc_micro_ap,
    resampled_micro_ap,
    resampled_recall_at_precision,
    resampled_trapezoid_micro_ap,
    segment_ap,
    segment_curve,
    trapezoid_mean_ap,
    trapezoid_micro_ap,
    vcsl_scores,
)
from vcd.evaluation.coverage import cut_cells

pytestmark = pytest.mark.slow

CLOSE = 1e-9
laws = settings(max_examples=40, deadline=None)

times = st.one_of(st.integers(0, 12).map(float), st.floats(0, 12, width=32))
sides = st.tuples(times, times).map(sorted)
scores = st.integers(-4, 4).map(float)
drawn_counts = st.tuples(*[st.integers(0, 3)] * 3)


@st.composite
def boxes(draw, *, queries="ABC", refs="xy", one_score=False):
    query, ref = draw(st.sampled_from(queries)), draw(st.sampled_from(refs))
    return (query, ref, *draw(sides), *draw(sides), 1.0 if one_score else draw(scores))


predictions = st.lists(boxes(), max_size=14)
truths = st.lists(boxes(one_score=True), max_size=7)


@st.composite
def rankings(draw):
    """Scored pairs with many ties, and the truth, of which some is never predicted."""
    pairs = [(query, ref) for query in "ABC" for ref in "vwxyz"]
    predicted = draw(st.lists(st.sampled_from(pairs), unique=True))
    found = draw(st.lists(scores, min_size=len(predicted), max_size=len(predicted)))
    return predicted, found, draw(st.lists(st.sampled_from(pairs), unique=True))


def all_of_pairs(predicted, found, truth):
    pairs = ScoredPairs.from_pairs(predicted, found, truth)
    return [
        micro_ap(pairs),
        isc_micro_ap(pairs),
        recall_at_precision(pairs, 0.9)[0],
        accuracy_at_1(pairs),
        trapezoid_micro_ap(pairs),
        trapezoid_mean_ap(pairs),
    ]


def with_scores(rows, change):
    return [(*row[:6], change(row[6])) for row in rows]


@laws
@given(predictions, truths)
def test_segment_ap_equals_the_plain_version(rows, truth):
    found = segment_ap(as_table(rows), as_table(truth))

    assert found == pytest.approx(plain_metrics.segment_ap(rows, truth), abs=CLOSE)
    assert 0.0 <= found <= 1.0


@laws
@given(predictions, truths)
def test_pair_micro_ap_equals_the_plain_version(rows, truth):
    pairs = ScoredPairs.from_candidates(as_table(rows).pairs(), as_table(truth).pairs())

    expected = plain_metrics.pair_micro_ap(rows, truth)

    assert micro_ap(pairs) == pytest.approx(expected, abs=CLOSE)


@laws
@given(predictions, truths)
def test_vcsl_equals_the_plain_version(rows, truth):
    expected = plain_metrics.vcsl_pairs(rows, truth)

    found = vcsl_scores(as_table(rows), as_table(truth))

    names = list(zip(found.query_ids.tolist(), found.ref_ids.tolist(), strict=True))
    assert sorted(names) == sorted(expected)
    for name, precision, recall in zip(names, found.precision, found.recall, strict=True):
        assert (precision, recall) == pytest.approx(expected[name], abs=1e-8)


@laws
@given(predictions, truths, st.randoms(use_true_random=False))
def test_segment_ap_knows_no_order(rows, truth, random):
    expected = segment_ap(as_table(rows), as_table(truth))
    random.shuffle(rows)
    random.shuffle(truth)

    assert segment_ap(as_table(rows), as_table(truth)) == pytest.approx(expected, abs=CLOSE)


@laws
@given(predictions, truths)
def test_segment_ap_knows_only_the_order_of_scores(rows, truth):
    mapped = with_scores(rows, lambda score: np.exp(3 * score) - 50)

    found = segment_ap(as_table(mapped), as_table(truth))

    assert found == segment_ap(as_table(rows), as_table(truth))


@laws
@given(predictions, truths, boxes(refs="z"))
def test_a_false_stretch_below_all_others_changes_nothing(rows, truth, false):
    expected = segment_ap(as_table(rows), as_table(truth))

    found = segment_ap(as_table([*rows, (*false[:6], -9.0)]), as_table(truth))

    assert found == pytest.approx(expected, abs=CLOSE)


@laws
@given(predictions, truths)
def test_a_prediction_given_twice_counts_once(rows, truth):
    expected = segment_ap(as_table(rows), as_table(truth))

    again = rows + with_scores(rows, lambda score: score - 0.5)

    assert segment_ap(as_table(again), as_table(truth)) == pytest.approx(expected, abs=CLOSE)


@laws
@given(predictions, truths, st.integers(0, 13), st.integers(1, 7))
def test_splitting_a_box_inside_its_true_box_changes_nothing(rows, truth, at, eighths):
    """The true box takes the predicted one in, so both parts share area with it."""
    assume(rows)
    row = rows[at % len(rows)]
    query, ref, q_start, q_end, r_start, r_end, score = row
    truth = [*truth, (query, ref, q_start - 1, q_end + 1, r_start - 1, r_end + 1, 1.0)]
    assume(not any(true[:2] == row[:2] for true in truth[:-1]))
    assume(q_start < q_end and r_start < r_end)
    q_cut, r_cut = (
        start + (end - start) * eighths / 8 for start, end in ((q_start, q_end), (r_start, r_end))
    )
    assume(q_start < q_cut < q_end and r_start < r_cut < r_end)
    rest = [other for i, other in enumerate(rows) if i != at % len(rows)]
    parts = [
        (query, ref, q_start, q_cut, r_start, r_cut, score),
        (query, ref, q_cut, q_end, r_cut, r_end, score),
    ]

    expected = segment_ap(as_table([*rest, row]), as_table(truth))

    assert segment_ap(as_table(rest + parts), as_table(truth)) == pytest.approx(expected, abs=CLOSE)


@laws
@given(rankings(), st.randoms(use_true_random=False))
def test_metrics_of_pairs_know_no_order(ranking, random):
    predicted, found, truth = ranking
    expected = all_of_pairs(*ranking)
    order = list(range(len(predicted)))
    random.shuffle(order)

    shuffled = all_of_pairs([predicted[i] for i in order], [found[i] for i in order], truth)

    assert shuffled == pytest.approx(expected, abs=CLOSE)


@laws
@given(rankings())
def test_metrics_of_pairs_know_only_the_order_of_scores(ranking):
    predicted, found, truth = ranking

    mapped = all_of_pairs(predicted, [np.exp(score) for score in found], truth)

    assert mapped == all_of_pairs(*ranking)


@laws
@given(rankings())
def test_a_false_pair_of_another_query_below_all_changes_nothing(ranking):
    predicted, found, truth = ranking

    more = all_of_pairs([*predicted, ("Z", "z")], [*found, -9.0], truth)

    assert more == pytest.approx(all_of_pairs(*ranking), abs=CLOSE)


@laws
@given(rankings())
def test_metrics_of_pairs_lie_between_0_and_1_and_worst_ties_are_no_better(ranking):
    values = all_of_pairs(*ranking)

    assert all(0.0 <= value <= 1.0 for value in values)
    assert values[1] <= values[0] + CLOSE


@laws
@given(st.lists(sides, max_size=8), st.lists(sides, max_size=8))
def test_union_is_the_sum_less_the_intersection(one, other):
    def union_s(rows):
        bounds = np.array(rows, dtype=float).reshape(-1, 2)
        return cut_cells(np.zeros(len(bounds), dtype=np.int64), bounds).union_s(1)[0]

    shared = [plain_metrics.overlap(a, b) for a in one for b in other]
    shared = [(start, end) for start, end in shared if start < end]

    assert union_s(one + other) == pytest.approx(union_s(one) + union_s(other) - union_s(shared))


@laws
@given(predictions, truths, st.lists(drawn_counts, min_size=1, max_size=4))
def test_a_query_that_counts_k_times_is_k_queries(rows, truth, resamples):
    curve = segment_curve(as_table(rows), as_table(truth))
    pairs = ScoredPairs.from_candidates(as_table(rows).pairs(), as_table(truth).pairs())
    vcsl = vcsl_scores(as_table(rows), as_table(truth))
    resampled = {
        "segment_ap": curve.resampled_ap(),
        "micro_ap": resampled_micro_ap(pairs),
        "isc_micro_ap": resampled_isc_micro_ap(pairs),
        "recall_at_p50": resampled_recall_at_precision(pairs, 0.5),
        "trapezoid_micro_ap": resampled_trapezoid_micro_ap(pairs),
        **vcsl.resampled_micro(),
    }

    of_query = [["ABC".index(name) for name in curve.query_ids.tolist()]]
    num_drawn = np.array(resamples, dtype=np.float64).T[tuple(of_query)]
    found = {name: metric(num_drawn).tolist() for name, metric in resampled.items()}

    plain = [plain_values(repeated(rows, counts), repeated(truth, counts)) for counts in resamples]
    for name, values in found.items():
        assert values == pytest.approx([each[name] for each in plain], abs=1e-12), name


def repeated(table, counts):
    return [
        (f"{row[0]}{copy}", *row[1:])
        for row in table
        for copy in range(counts["ABC".index(row[0])])
    ]


def plain_values(rows, truth):
    pairs = ScoredPairs.from_candidates(as_table(rows).pairs(), as_table(truth).pairs())
    return {
        "segment_ap": segment_ap(as_table(rows), as_table(truth)),
        "micro_ap": micro_ap(pairs),
        "isc_micro_ap": isc_micro_ap(pairs),
        "recall_at_p50": recall_at_precision(pairs, 0.5)[0],
        "trapezoid_micro_ap": trapezoid_micro_ap(pairs),
        **asdict(vcsl_scores(as_table(rows), as_table(truth)).micro()),
    }


@laws
@given(predictions, truths)
def test_an_interval_holds_its_ends_in_order_and_within_the_metric(rows, truth):
    curve = segment_curve(as_table(rows), as_table(truth))

    low, high = confidence_interval(curve.resampled_ap(), curve.num_queries, num_resamples=10)

    assert 0.0 <= low <= high <= 1.0
