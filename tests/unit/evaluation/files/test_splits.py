"""Whether predictions and ground truth can be of one data set."""

import numpy as np
import pytest

from vcd.core import InputError
from vcd.evaluation.files.splits import IdsOf, check_same_split


def _ids(origin: str, queries: str, refs: str) -> IdsOf:
    return IdsOf(
        origin=origin,
        query_ids=np.array(queries.split(), dtype=np.str_),
        ref_ids=np.array(refs.split(), dtype=np.str_),
    )


def test_files_of_one_split_need_no_word():
    predicted = _ids("m.csv", "Q100001 Q100002", "R100001 R100009")

    assert check_same_split(predicted, _ids("gt.csv", "Q100001", "R100007")) == ()


def test_a_ground_truth_of_another_split_is_refused():
    predicted = _ids("m.csv", "Q200001 Q200002", "R200001")
    truth = _ids("gt.csv", "Q100001", "R100007")

    with pytest.raises(
        InputError,
        match=r"gt.csv: ground truth of another split: its queries are Q100001\.\.\., "
        r"those of m.csv are Q200001\.\.\.",
    ):
        check_same_split(predicted, truth)


def test_the_third_split_searches_the_references_of_the_second():
    predicted = _ids("m.csv", "Q300001", "R200001")

    assert check_same_split(predicted, _ids("gt.csv", "Q300001", "R200007")) == ()


def test_references_of_another_split_are_refused():
    predicted = _ids("m.csv", "Q300001", "R100001")

    with pytest.raises(InputError, match=r"its references are R200001\.\.\., those of m.csv are"):
        check_same_split(predicted, _ids("gt.csv", "Q300001", "R200007"))


def test_several_splits_in_one_file_go_with_each_of_them():
    predicted = _ids("m.csv", "Q100001 Q200001", "R100001 R200001")

    assert check_same_split(predicted, _ids("gt.csv", "Q200001", "R200007")) == ()


def test_other_ids_tell_no_split_so_a_total_mismatch_is_a_note():
    predicted = _ids("m.csv", "holiday Q200001", "film")
    truth = _ids("gt.csv", "Q100001", "R100007")

    assert check_same_split(predicted, truth) == (
        "no id of gt.csv is in m.csv: are they of one data set?",
    )


def test_queries_without_a_prediction_are_counted_and_the_first_three_are_named():
    predicted = _ids("q.npz and r.npz", "a", "r")
    truth = _ids("gt.csv", "e d c b b a", "r r r r r r")

    assert check_same_split(predicted, truth) == (
        "4 of the 5 queries of gt.csv are not in q.npz and r.npz: b, c, d, ...",
    )


def test_queries_in_common_are_enough_when_no_reference_is():
    assert check_same_split(_ids("m.csv", "a", "x"), _ids("gt.csv", "a", "r")) == ()


def test_references_in_common_are_enough_to_name_the_missing_queries():
    assert check_same_split(_ids("m.csv", "x", "r"), _ids("gt.csv", "a", "r")) == (
        "1 of the 1 queries of gt.csv are not in m.csv: a",
    )


def test_references_that_should_all_be_there_are_counted_too():
    predicted = _ids("q.npz and r.npz", "a b", "r")
    truth = _ids("gt.csv", "a b c", "s r t")

    assert check_same_split(predicted, truth, lists_all_refs=True) == (
        "1 of the 3 queries of gt.csv are not in q.npz and r.npz: c",
        "2 of the 3 references of gt.csv are not in q.npz and r.npz: s, t",
    )


@pytest.mark.parametrize(
    ("predicted", "truth", "note"),
    [
        (("", ""), ("Q100001", "R100001"), "m.csv: nothing in it, so nothing is found"),
        (
            ("Q200001", "R200001"),
            ("", ""),
            "gt.csv: no true segment in it, so there is nothing to find",
        ),
    ],
)
def test_an_empty_file_is_no_other_split(predicted, truth, note):
    assert check_same_split(_ids("m.csv", *predicted), _ids("gt.csv", *truth)) == (note,)
