"""Copydays: whose copy a query is stands in the names of files."""

import numpy as np
import pytest

from tests.plain_tracks import write_rows
from vcd.core import InputError
from vcd.descriptors import read_descriptor_rows
from vcd.evaluation.copydays import joined, true_originals


@pytest.fixture
def rows_of(tmp_path):
    def make(name, *ids, dim=2):
        videos = {each: np.full((2, dim), float(i)) for i, each in enumerate(ids)}
        return read_descriptor_rows(write_rows(tmp_path / f"{name}.npz", videos))

    return make


def test_a_query_is_a_copy_of_the_original_with_its_first_four_characters(rows_of):
    query = rows_of("q", "201301", "200001", "jpegqual/3/200000.jpg")

    truth = true_originals(query, rows_of("r", "200000", "201300"))

    assert truth.query_ids.tolist() == ["201301", "200001", "jpegqual/3/200000.jpg"]
    assert truth.ref_ids.tolist() == ["201300", "200000", "200000"]


def test_a_query_without_an_original_is_refused(rows_of):
    with pytest.raises(InputError, match=r"q\.npz: .*r\.npz begins with 2013, as query 201301"):
        true_originals(rows_of("q", "201301"), rows_of("r", "200000"))


def test_originals_that_cannot_be_told_apart_are_refused(rows_of):
    with pytest.raises(InputError, match=r"r\.npz: 200000 and 200001 both begin with 2000"):
        true_originals(rows_of("q", "200002"), rows_of("r", "200000", "200001"))


def test_two_files_become_one(rows_of):
    both = joined(rows_of("r", "a", "b"), rows_of("d", "c"))

    assert both.video_ids.tolist() == ["a", "a", "b", "b", "c", "c"]
    assert both.runs == ((0, 2), (2, 4), (4, 6))
    assert both.features[:, 0].tolist() == [0, 0, 1, 1, 0, 0]


def test_no_second_file_is_legal(rows_of):
    rows = rows_of("r", "a")

    assert joined(rows, None) is rows


def test_files_that_share_an_id_or_differ_in_space_are_not_joined(rows_of):
    with pytest.raises(InputError, match=r"d\.npz: video b is in .*r\.npz too"):
        joined(rows_of("r", "a", "b"), rows_of("d", "b"))
    with pytest.raises(InputError, match="rows of 3 dimensions"):
        joined(rows_of("r", "a"), rows_of("d", "b", dim=3))
