"""The fast reader says what the careful one says, or nothing."""

import numpy as np
import pytest

from vcd.evaluation.files.plain_csv import read_plain


def _read(data: bytes):
    return read_plain(data, texts=("id",), numbers=("x",))


def test_numbers_are_the_very_ones_that_were_written():
    rng = np.random.default_rng(5)
    values = [*rng.normal(size=500).tolist(), *(10.0 ** rng.uniform(-300, 300, 500)).tolist(), -0.0]
    data = "id,x\n" + "".join(f"v,{value!r}\n" for value in values)

    read = _read(data.encode())

    assert read is not None
    assert read[1]["x"].tolist() == values


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"id,x\na,1\nb,2\n", ["a", "b"]),
        (b"\xef\xbb\xbfx,other,id\r\n1,z,a\r\n", ["a"]),
        (b"id,x\nnull,1\nNA,2\n 3 ,3\n", ["null", "NA", " 3 "]),
        ("id,x\n\u00e4\u6f22,1\n".encode(), ["\u00e4\u6f22"]),
    ],
)
def test_ids_are_text_whatever_they_look_like(data, ids):
    read = _read(data)

    assert read is not None
    assert read[0]["id"].tolist() == ids


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'id,x\n"a",1\n', id="quotes"),
        pytest.param(b"id,x\n\na,1\n", id="blank line"),
        pytest.param(b"id,x\r\n\r\na,1\r\n", id="blank line, CRLF"),
        pytest.param(b"\nid,x\na,1\n", id="blank first line"),
        pytest.param(b"id,x\ra,1\r", id="lone carriage returns"),
        pytest.param(b"id,x\na\0,1\n", id="NUL"),
        pytest.param(b"id,y\na,1\n", id="no such column"),
        pytest.param(b"id,x,x\na,1,2\n", id="a column twice"),
        pytest.param(b"id,x\na\n", id="ragged"),
        pytest.param(b"id,x\na,\n", id="empty number"),
        pytest.param(b"id,x\n,1\n", id="empty id"),
        pytest.param(b"id,x\na,nan\n", id="NaN"),
        pytest.param(b"id,x\na,NULL\n", id="what stands for nothing"),
        pytest.param(b"id,x\na,inf\n", id="infinity"),
        pytest.param(b"id,x\na,1_000\n", id="digits grouped"),
        pytest.param(b"id,x\na,0x10\n", id="hexadecimal"),
        pytest.param(b"id,x\n\xff,1\n", id="not UTF-8"),
    ],
)
def test_what_could_be_read_otherwise_is_left_to_the_careful_reader(data):
    assert _read(data) is None
