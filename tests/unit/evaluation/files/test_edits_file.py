"""The edits.csv of a synthetic set, held against its ground truth."""

import pytest

from tests.plain_metrics import as_table
from vcd.core import InputError
from vcd.evaluation.files.edits_file import read_edits

TRUTH = as_table(
    [("Q1", "R1", 0, 5, 0, 5, 1), ("Q1", "R2", 5, 9, 0, 4, 1), ("Q2", "R1", 0, 5, 0, 5, 1)]
)


def read(tmp_path, text):
    path = tmp_path / "edits.csv"
    path.write_text(text)
    return read_edits(path, TRUTH)


def test_each_query_that_copies_has_its_edit_wherever_the_columns_stand(tmp_path):
    rows = "crop,0,Q1,R1\ncrop,0,Q1,R2\nmirror,0,Q2,R1\ngrey,0,Q3,\n"

    assert read(tmp_path, f"edit,seeds,query_id,ref_id\n{rows}") == {"Q1": "crop", "Q2": "mirror"}


def test_a_query_whose_copies_differ_has_several(tmp_path):
    rows = "Q1,R1,crop\nQ1,R2,mirror\nQ2,R1,crop\n"

    assert read(tmp_path, f"query_id,ref_id,edit\n{rows}") == {"Q1": "several", "Q2": "crop"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"edits\.csv: wanted a CSV file with a header, found an empty file"),
        ("query_id,ref_id\nQ1,R1\n", r"edits\.csv: wanted one column edit, found none in the head"),
        ("query_id,edit\nQ1,crop\n", "wanted one column ref_id, found none"),
        ("query_id,ref_id,edit,edit\n", "wanted one column edit, found 2"),
        ("query_id,ref_id,edit\nQ1,R1\n", "line 2: wanted 3 cells as in the header, found 2"),
        ("query_id,ref_id,edit\nQ1,R1,\n", "line 2: edit is empty"),
        ("query_id,ref_id,edit\nQ1,R1,crop\n,R1,crop\n", "line 3: query_id is empty"),
        (
            "query_id,ref_id,edit\nQ1,R1,crop\nQ9,R1,crop\n",
            "line 3: the query Q9 copies nothing by the ground truth: are they of one data set",
        ),
        (
            "query_id,ref_id,edit\nQ1,R1,crop\nQ2,,crop\n",
            r"a line for every query .*, found none for Q2 \(1 of 2 lack one\)",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, text)
