"""Of several decisions about one match, the one that was made last counts."""

import pytest

from tests.unit.evidence.decisions_made import make_decision
from vcd.core import Interval
from vcd.evidence import last_of_each


def test_the_decision_that_was_made_last_counts_wherever_it_stands():
    late, early = make_decision("copy", minute=5), make_decision("not_a_copy", minute=1)

    counting, overruled = last_of_each([late, early])

    assert counting == (late,)
    assert overruled == ((early, late),)


def test_of_two_decisions_of_one_moment_the_later_listed_counts():
    first, second = make_decision("copy"), make_decision("not_a_copy")

    counting, overruled = last_of_each([first, second])

    assert counting == (second,)
    assert overruled == ((first, second),)


def test_a_decision_that_says_the_same_again_is_no_conflict():
    first, again = make_decision("copy"), make_decision("copy", minute=5)

    counting, overruled = last_of_each([first, again])

    assert counting == (again,)
    assert overruled == ()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"query_sha256": "bb" * 32}, id="another file"),
        pytest.param({"ref_id": "s"}, id="another reference"),
        pytest.param({"ref_digest": "cc" * 32}, id="the reference as it was replaced"),
        pytest.param({"query": Interval(0.0, 10.5)}, id="another stretch of the query"),
        pytest.param({"ref": Interval(2.0, 12.5)}, id="another stretch of the reference"),
    ],
)
def test_decisions_about_other_matches_stand_beside_each_other(changes):
    one, other = make_decision("copy"), make_decision("not_a_copy", minute=5, **changes)

    counting, overruled = last_of_each([one, other])

    assert counting == (one, other)
    assert overruled == ()


def test_the_same_file_under_another_id_is_the_same_query():
    one, other = make_decision("copy"), make_decision("not_a_copy", minute=5, query_id="again")

    counting, _ = last_of_each([one, other])

    assert counting == (other,)
