"""Columns of CSV files: what is read, and which line a refusal names."""

from pathlib import Path

import numpy as np
import pytest

from vcd.core import InputError
from vcd.evaluation.files import csv_columns
from vcd.evaluation.files.csv_columns import is_finite_number, open_csv, read_columns


def _file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _read(path: Path):
    return read_columns(path, texts=("id",), numbers=("x", "y"))


def test_columns_are_found_wherever_they_stand_and_others_are_passed_over(tmp_path):
    columns = _read(_file(tmp_path, "note,y,id,x\nhello,2,a,1\n,4.5,b,-3e-1\n"))

    assert columns.texts["id"].tolist() == ["a", "b"]
    assert columns.numbers["x"].tolist() == [1.0, -0.3]
    assert columns.numbers["y"].tolist() == [2.0, 4.5]
    assert columns.line.tolist() == [2, 3]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbfid,x,y\na,1,2\n", id="byte order mark"),
        pytest.param(b"id,x,y\r\na,1,2\r\n", id="CRLF"),
        pytest.param(b"id,x,y\ra,1,2\r", id="CR"),
        pytest.param(b"id,x,y\na,1,2", id="no last newline"),
        pytest.param(b"id, x ,y\na, 1 ,2\n", id="blanks around names and numbers"),
        pytest.param(b'"id","x","y"\n"a","1","2"\n', id="quoted"),
        pytest.param(b"\nid,x,y\n\na,1,2\n\n", id="blank lines"),
    ],
)
def test_forms_that_other_programs_write_are_read(tmp_path, content):
    columns = _read(_file(tmp_path, content))

    assert columns.texts["id"].tolist() == ["a"]
    assert (columns.numbers["x"].tolist(), columns.numbers["y"].tolist()) == ([1.0], [2.0])


def test_a_header_without_rows_is_an_empty_table(tmp_path):
    columns = _read(_file(tmp_path, "id,x,y\n"))

    assert (len(columns.line), columns.numbers["x"].dtype) == (0, np.float64)
    assert columns.texts["id"].dtype.kind == "U"


def test_an_id_keeps_its_comma_its_newline_and_its_blanks(tmp_path):
    columns = _read(_file(tmp_path, 'id,x,y\n"a, ""b""\nc",1,2\n d ,3,4\n'))

    assert columns.texts["id"].tolist() == ['a, "b"\nc', " d "]
    assert columns.line.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "wanted a CSV file with a header, found an empty file"),
        ("\n\n", "wanted a header line, found no line that is not blank"),
        ("id,x\na,1\n", "wanted one column y, found none in the header 'id,x'"),
        ("id,x,y,x\na,1,2,3\n", "wanted one column x, found 2 in the header"),
        ("id;x;y\na;1;2\n", "wanted one column id, found none in the header 'id;x;y'"),
        ("id,x,y\na,1,2\nb,1\n", ", line 3: wanted 3 cells as in the header, found 2"),
        ("id,x,y\na,1,2\n\nb,1,2,3\n", ", line 4: wanted 3 cells as in the header, found 4"),
        ("id,x,y\na,1,2\n,1,2\n", ", line 3: id is empty"),
        ("id,x,y\na\0,1,2\n", r", line 2: id 'a\\x00' holds a NUL"),
        ("id,x,y\na,1,2\nb,,2\n", ", line 3: x must be a finite number, found ''"),
        ("id,x,y\na,1,2\nb,1,NaN\n", ", line 3: y must be a finite number, found 'NaN'"),
        ("id,x,y\na,-inf,2\n", ", line 2: x must be a finite number, found '-inf'"),
        ("id,x,y\na,1e999,2\n", ", line 2: x must be a finite number, found '1e999'"),
        ("id,x,y\na,1_000,2\n", ", line 2: x must be a finite number, found '1_000'"),
        ("id,x,y\na,\u0661,2\n", ", line 2: x must be a finite number"),
        ("id,x,y\na,0x10,2\n", ", line 2: x must be a finite number, found '0x10'"),
        ('id,x,y\n"a"b,1,2\n', ", line 2: not CSV: "),
        ('id,x,y\na,1,2\n"b,1,2\n', "not CSV: "),
        (b"id,x,y\na,1,2\n\xff\xfe,1,2\n", ", line 3: not UTF-8 text: "),
        ("id,x,y\na,1,2\n".encode("utf-16"), ", line 1: not UTF-8 text: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, content, sentence):
    path = _file(tmp_path, content)

    with pytest.raises(InputError, match=sentence.replace("(", r"\(")) as refusal:
        _read(path)

    assert str(refusal.value).startswith(str(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        _read(tmp_path / "none.csv")


def test_a_long_cell_is_cut_in_the_sentence(tmp_path):
    with pytest.raises(InputError) as refusal:
        _read(_file(tmp_path, f"id,x,y\na,{'z' * 5000},2\n"))

    assert len(str(refusal.value)) < 300 + len(str(tmp_path))


def test_the_error_of_a_row_names_the_line_behind_blank_lines_and_long_cells(tmp_path):
    columns = _read(_file(tmp_path, 'id,x,y\n"a\na",1,2\n\nb,1,2\n'))

    assert str(columns.refuse(1, "no")) == f"{tmp_path}/t.csv, line 5: no"


def test_the_last_block_of_rows_is_not_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_columns, "_BLOCK_ROWS", 3)
    rows = "".join(f"v{i},{i},0\n" for i in range(7))

    columns = _read(_file(tmp_path, "id,x,y\n" + rows))

    assert columns.numbers["x"].tolist() == list(range(7))
    assert columns.line.tolist() == list(range(2, 9))
    assert columns.texts["id"].tolist() == [f"v{i}" for i in range(7)]


@pytest.mark.parametrize("tail", ["v0,0,0\n", 'v0,0,0\n\n"v1",1,1\n', "v0,0,0\nv1,bad,0\n"])
def test_a_large_file_is_read_as_a_small_one_is(tmp_path, monkeypatch, tail):
    path = _file(tmp_path, "id,x,y\n" + "a,0.1,2\nb,-3e-7,1e300\n" * 3 + tail)

    def outcome():
        try:
            columns = _read(path)
        except InputError as error:
            return str(error)
        return [
            columns.line.tolist(),
            columns.texts["id"].tolist(),
            *(values.tolist() for values in columns.numbers.values()),
        ]

    small = outcome()
    monkeypatch.setattr(csv_columns, "_LARGE_BYTES", 0)

    assert outcome() == small


def test_rows_can_be_looked_at_as_they_stand(tmp_path):
    opened = open_csv(_file(tmp_path, "a, b\n1\n2,3,4\n"))

    assert opened.header == ("a", " b")
    assert list(opened.rows) == [(2, ["1"]), (3, ["2", "3", "4"])]


def test_what_only_python_takes_for_a_number_is_none():
    assert [cell for cell in ("1", " -2.5e3 ", "+0", ".5") if not is_finite_number(cell)] == []
    assert [
        cell for cell in ("", "1_0", "nan", "inf", "\u0661", "a") if is_finite_number(cell)
    ] == []
