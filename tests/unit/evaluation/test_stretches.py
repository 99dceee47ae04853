import pytest

from tests.factories import make_match
from vcd.core import Interval
from vcd.evaluation.stretches import TrueCopy, compare, interval_iou


def _true(query: tuple[float, float], ref: tuple[float, float], ref_id: str = "r") -> TrueCopy:
    return TrueCopy(query_id="q", ref_id=ref_id, query=Interval(*query), ref=Interval(*ref))


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        pytest.param((0, 2), (0, 2), 1.0, id="equal"),
        pytest.param((0, 2), (1, 3), 1 / 3, id="half of each"),
        pytest.param((0, 2), (2, 3), 0.0, id="touching"),
        pytest.param((0, 4), (1, 2), 0.25, id="inside"),
    ],
)
def test_iou_is_what_both_cover_over_what_either_covers(one, other, iou):
    assert interval_iou(Interval(*map(float, one)), Interval(*map(float, other))) == iou


def test_the_worse_side_decides():
    true = _true((0.0, 10.0), (0.0, 10.0))

    (judged,) = compare([make_match(query=(0.0, 10.0), ref=(0.0, 5.0))], [true]).judged

    assert judged.iou == 0.5
    assert judged.is_found


def test_the_nearest_match_is_held_against_each_true_stretch():
    near, far = (
        make_match(query=(0.0, 9.0), ref=(0.0, 9.0)),
        make_match(query=(0.0, 4.0), ref=(0.0, 4.0), score=0.99),
    )

    comparison = compare([far, near], [_true((0.0, 10.0), (0.0, 10.0))])

    assert comparison.judged[0].found == near
    assert comparison.num_found == 1
    assert comparison.wrong == ()


@pytest.mark.parametrize(
    "match",
    [
        pytest.param(make_match(ref_id="other", query=(0.0, 9.0), ref=(0.0, 9.0)), id="reference"),
        pytest.param(make_match(query=(10.0, 19.0), ref=(0.0, 9.0)), id="elsewhere in the query"),
        pytest.param(make_match(query=(0.0, 9.0), ref=(50.0, 59.0)), id="elsewhere in it"),
    ],
)
def test_a_match_that_lies_on_no_true_stretch_is_wrong(match):
    comparison = compare([match], [_true((0.0, 10.0), (0.0, 10.0))])

    assert comparison.wrong == (match,)
    assert comparison.num_found == 0
    assert comparison.judged[0].found is None
    assert comparison.median_iou is None


def test_the_median_is_that_of_what_was_found():
    true = [_true((10.0 * i, 10.0 * i + 10), (0.0, 10.0), f"r{i}") for i in range(3)]
    matches = [
        make_match(ref_id="r0", query=(0.0, 10.0), ref=(0.0, 10.0)),
        make_match(ref_id="r1", query=(10.0, 16.0), ref=(0.0, 10.0)),
        make_match(ref_id="r2", query=(20.0, 21.0), ref=(0.0, 10.0)),
    ]

    comparison = compare(matches, true)

    assert comparison.num_found == 2
    assert comparison.median_iou == pytest.approx(0.8)
