"""DISC2021's pairs and VCSL's boxes."""

import json
from pathlib import Path

import pytest

from vcd.core import InputError
from vcd.evaluation.files.truth_files import read_pairs, read_vcsl_boxes
from vcd.evaluation.files.vsc_files import read_ground_truth, read_segments


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t"
    path.write_text(text)
    return path


@pytest.mark.parametrize("header", ["", "query_id,reference_id\n", "query_id,ref_id\n"])
def test_pairs_need_no_header_and_an_empty_reference_is_no_pair(tmp_path, header):
    pairs = read_pairs(_file(tmp_path, f"{header}Q00001,R000007\nQ00002,\nQ00003,R000001\n"))

    assert pairs.query_ids.tolist() == ["Q00001", "Q00003"]
    assert pairs.ref_ids.tolist() == ["R000007", "R000001"]
    assert pairs.score.tolist() == [1.0, 1.0]


def test_the_pairs_of_a_query_without_a_copy_in_the_first_line(tmp_path):
    pairs = read_pairs(_file(tmp_path, "Q00001,\nQ00002,R000001\n"))

    assert pairs.query_ids.tolist() == ["Q00002"]


def test_a_list_in_which_nothing_is_copied_is_empty(tmp_path):
    assert len(read_pairs(_file(tmp_path, "query_id,reference_id\nQ00001,\n"))) == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "found an empty file"),
        ("Q00001\n", "wanted two columns, query and reference, found one"),
        ("a,b\nc,d\na,b\n", "line 3: the pair of a and b stands in line 1 already"),
        ("a,b\n,d\n", "line 2: the query's id is empty"),
        ("a,b\nc,d,e\n", "line 2: wanted 2 cells"),
        ("a,b\nc,d\0\n", "line 2: .*an id holds a NUL"),
    ],
)
def test_wrong_pairs_are_refused(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_pairs(_file(tmp_path, text))


def test_vcsl_boxes_have_query_and_reference_bounds_by_turns(tmp_path):
    path = _file(tmp_path, json.dumps({"q1-r1": [[1, 10, 4, 13], [5, 20, 6, 21]], "q2-r9": []}))

    segments, pairs = read_vcsl_boxes(path, read_ground_truth)

    assert segments.query_ids.tolist() == ["q1", "q1"]
    assert segments.ref_ids.tolist() == ["r1", "r1"]
    assert segments.query_s.tolist() == [[1.0, 4.0], [5.0, 6.0]]
    assert segments.ref_s.tolist() == [[10.0, 13.0], [20.0, 21.0]]
    assert pairs.query_ids.tolist() == ["q1", "q2"]
    assert pairs.ref_ids.tolist() == ["r1", "r9"]


def test_ids_with_dashes_are_split_in_the_middle(tmp_path):
    uuids = "0a-1b-2c", "3d-4e-5f"

    segments, _ = read_vcsl_boxes(
        _file(tmp_path, json.dumps({"-".join(uuids): [[0, 0, 1, 1]]})), read_ground_truth
    )

    assert (segments.query_ids[0], segments.ref_ids[0]) == uuids


def test_without_any_pair_it_is_empty(tmp_path):
    segments, pairs = read_vcsl_boxes(_file(tmp_path, " {}"), read_ground_truth)

    assert (len(segments), len(pairs)) == (0, 0)


@pytest.mark.parametrize(
    ("read_csv", "header"),
    [
        (read_ground_truth, "query_id,ref_id,query_start,query_end,ref_start,ref_end"),
        (read_segments, "score,query_id,ref_id,query_start,query_end,ref_start,ref_end"),
    ],
)
def test_csv_is_read_as_the_caller_says(tmp_path, read_csv, header):
    row = "1," * header.startswith("score") + "q,r,0,1,2,3"
    segments, pairs = read_vcsl_boxes(_file(tmp_path, f"{header}\n{row}\n"), read_csv)

    assert segments.ref_s.tolist() == [[2.0, 3.0]]
    assert pairs.query_ids.tolist() == ["q"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"q-r": [[0, 0, 1, 1]', "not VCSL's JSON"),
        ('{"q-r": [], "q-r": []}', "'q-r' stands there twice"),
        ('{"qr": []}', "wanted names of pairs as query-ref, found 'qr'"),
        ('{"a-b-c": []}', "wanted names of pairs as query-ref, found 'a-b-c'"),
        ('{"-r": []}', "wanted names of pairs as query-ref, found '-r'"),
        ('{"q\\u0000-r": []}', "wanted names of pairs as query-ref"),
        ('{"q-r": {}}', "q-r: wanted a list of boxes, found dict"),
        ('{"q-r": [[0, 0, 1]]}', "q-r, box 1: wanted query start, ref start"),
        ('{"q-r": [[0, 0, 1, 1], [0, 0, 1, "1"]]}', "q-r, box 2: wanted query start"),
        ('{"q-r": [[0, 0, 1, true]]}', "q-r, box 1: wanted query start"),
        ('{"q-r": [[0, 0, 1, NaN]]}', "q-r, box 1: a bound is not finite"),
        ('{"q-r": [[0, 0, 1, 1e999]]}', "q-r, box 1: a bound is not finite"),
        ('{"q-r": [[2, 0, 1, 1]]}', "q-r, box 1: it ends before it starts"),
        ('{"q-r": [[0, 2, 1, 1]]}', "q-r, box 1: it ends before it starts"),
    ],
)
def test_wrong_json_is_refused_by_pair_and_box(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_vcsl_boxes(_file(tmp_path, text), read_ground_truth)


def test_numbers_too_large_for_a_float_are_not_finite(tmp_path):
    text = f'{{"q-r": [[0, 0, 1, 1{"0" * 400}]]}}'

    with pytest.raises(InputError, match="a bound is not finite"):
        read_vcsl_boxes(_file(tmp_path, text), read_ground_truth)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="none: cannot be read: No such file"):
        read_vcsl_boxes(tmp_path / "none", read_ground_truth)
