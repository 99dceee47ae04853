"""The CSV files of VSC2022, read and written."""

from pathlib import Path

import numpy as np
import pytest

from vcd.core import InputError, SetupError
from vcd.evaluation.files.vsc_files import (
    read_candidates,
    read_ground_truth,
    read_segments,
    vsc_ids,
    write_candidates,
    write_matches,
)
from vcd.evaluation.tables import Candidates, Segments

_HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(text)
    return path


def test_matches_are_read_in_any_order_of_columns(tmp_path):
    path = _file(
        tmp_path,
        "score,ref_end,ref_start,query_end,query_start,ref_id,query_id\n-0.5,4,3,2,1,R1,Q1\n",
    )

    matches = read_segments(path)

    assert (matches.query_ids.tolist(), matches.ref_ids.tolist()) == (["Q1"], ["R1"])
    assert (matches.query_s.tolist(), matches.ref_s.tolist()) == ([[1.0, 2.0]], [[3.0, 4.0]])
    assert matches.score.tolist() == [-0.5]


def test_negative_times_and_stretches_of_no_length_are_read(tmp_path):
    matches = read_segments(_file(tmp_path, _HEADER + "q,r,-2,-1,5,5,1\n"))

    assert (matches.query_s.tolist(), matches.ref_s.tolist()) == ([[-2.0, -1.0]], [[5.0, 5.0]])


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("q,r,2,1,0,1,1", "line 3: query_end 1 is before query_start 2"),
        ("q,r,0,1,2,1.5,1", r"line 3: ref_end 1\.5 is before ref_start 2"),
        ("q,r,0,1,0,1,nan", "line 3: score must be a finite number, found 'nan'"),
        (",r,0,1,0,1,1", "line 3: query_id is empty"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(tmp_path, row, sentence):
    path = _file(tmp_path, f"{_HEADER}q,r,0,1,0,1,1\n{row}\n")

    with pytest.raises(InputError, match=sentence):
        read_segments(path)


def test_matches_without_a_score_are_refused(tmp_path):
    path = _file(tmp_path, "query_id,ref_id,query_start,query_end,ref_start,ref_end\n")

    with pytest.raises(InputError, match="wanted one column score, found none"):
        read_segments(path)


@pytest.mark.parametrize("score", ["0.1", "nan", "none"])
def test_the_score_of_the_ground_truth_does_not_matter(tmp_path, score):
    truth = read_ground_truth(_file(tmp_path, f"{_HEADER}q,r,0,1,0,1,{score}\n"))

    assert truth.score.tolist() == [1.0]


def test_the_ground_truth_needs_no_score(tmp_path):
    path = _file(tmp_path, "query_id,ref_id,query_start,query_end,ref_start,ref_end\nq,r,0,1,0,1\n")

    assert read_ground_truth(path).score.tolist() == [1.0]


def test_candidates_are_read_and_a_pair_twice_names_both_lines(tmp_path):
    path = _file(tmp_path, "query_id,ref_id,score\nq,r,1\n\nq,s,-2\nq,r,3\n")

    with pytest.raises(InputError, match="line 5: the pair of q and r stands in line 2 already"):
        read_candidates(path)

    path.write_text("query_id,ref_id,score\nq,r,1\nq,s,-2\n")
    assert read_candidates(path).score.tolist() == [1.0, -2.0]


@pytest.mark.parametrize("read", [read_segments, read_ground_truth, read_candidates])
def test_a_header_alone_is_an_empty_table(tmp_path, read):
    table = read(_file(tmp_path, _HEADER))

    assert (len(table.query_ids), table.score.dtype) == (0, np.float64)


def test_integers_of_six_digits_get_their_letter_and_nothing_else_does(tmp_path):
    given = ["100001", "Q100001", "300999", "400001", "99999", "1000010", "007", "12a"]
    rows = "".join(f"{each},{each},0,1,0,1,1\n" for each in given)

    matches = read_segments(_file(tmp_path, _HEADER + rows))

    kept = given[3:]
    assert matches.query_ids.tolist() == ["Q100001", "Q100001", "Q300999", *kept]
    assert matches.ref_ids.tolist() == ["R100001", "Q100001", "R300999", *kept]
    assert vsc_ids(np.array(given), "Q").tolist() == matches.query_ids.tolist()
    for read in (read_segments, read_ground_truth):
        assert read(tmp_path / "t.csv", keeps_ids=True).query_ids.tolist() == given
        assert read(tmp_path / "t.csv", keeps_ids=True).ref_ids.tolist() == given


def _segments() -> Segments:
    return Segments(
        query_ids=np.array(["Q100001", 'a, "b"\r\nc']),
        ref_ids=np.array(["R100001", "\u00e4"]),
        query_s=np.array([[0.1, 1 / 3], [-1e-9, 2.0]]),
        ref_s=np.array([[1.0, 1e17], [0.0, 0.0]]),
        score=np.array([-0.7, 1e-300]),
    )


def test_written_matches_are_in_the_challenges_order_and_read_back_the_same(tmp_path):
    path = tmp_path / "m.csv"

    write_matches(path, _segments())

    assert path.read_bytes().startswith(
        b"query_id,ref_id,query_start,query_end,ref_start,ref_end,score\nQ100001,R100001,0.1,"
    )
    back = read_segments(path)
    for name in ("query_ids", "ref_ids", "query_s", "ref_s", "score"):
        assert getattr(back, name).tolist() == getattr(_segments(), name).tolist()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.csv"]


def test_written_candidates_read_back_the_same(tmp_path):
    path = tmp_path / "c.csv"
    candidates = Candidates(
        query_ids=np.array(["q", "q"]), ref_ids=np.array(["r", "s"]), score=np.array([1.5, -2.0])
    )

    write_candidates(path, candidates)

    assert path.read_bytes() == b"query_id,ref_id,score\nq,r,1.5\nq,s,-2.0\n"
    assert read_candidates(path).score.tolist() == [1.5, -2.0]


@pytest.mark.parametrize("name", ["no/such/folder.csv", "folder"])
def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing_behind(tmp_path, name):
    (tmp_path / "folder").mkdir()

    with pytest.raises(SetupError, match=f"{name}: cannot be written: "):
        write_matches(tmp_path / name, _segments())

    assert [each.name for each in tmp_path.rglob("*")] == ["folder"]
