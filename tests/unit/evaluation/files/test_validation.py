"""What the challenge would refuse a file for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcd.core import InputError
from vcd.evaluation.files.validation import read_durations, validate_file

_HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end,score\n"


def _file(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def _descriptors(tmp_path: Path, **changes: Any) -> Path:
    """A file without fault: two videos of two rows, but for what is changed."""
    arrays = {
        "video_ids": np.array(["Q100001", "Q100001", "Q100002", "Q100002"]),
        "features": np.ones((4, 8), dtype=np.float32),
        "timestamps": np.array([[0.0, 1.0], [1.0, 2.0], [0.0, 1.0], [1.0, 2.0]]),
    }
    path = tmp_path / "d.npz"
    np.savez(
        path, **{name: value for name, value in (arrays | changes).items() if value is not None}
    )
    return path


def test_a_file_within_every_limit_has_no_violation(tmp_path):
    durations_s = {"Q100001": 1.5, "Q100002": 2.0}

    validation = validate_file(_descriptors(tmp_path), durations_s)

    assert (validation.kind, validation.num_rows, validation.violations) == ("descriptors", 4, ())


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        pytest.param(
            {"features": np.ones((4, 8))},
            ["features must be float32, found float64"],
            id="double precision",
        ),
        pytest.param(
            {"features": np.ones((4, 8), dtype=np.float16)},
            ["features must be float32, found float16"],
            id="half precision",
        ),
        pytest.param(
            {"features": np.ones((4, 513), dtype=np.float32)},
            ["at most 512 dimensions, found 513"],
            id="dimensions",
        ),
        pytest.param(
            {"features": np.ones(4, dtype=np.float32)},
            ["features must be (N, D), found (4,)"],
            id="shape",
        ),
        pytest.param(
            {"features": np.ones((3, 8), dtype=np.float32)},
            ["4 video_ids, 3 features, 4 timestamps"],
            id="lengths",
        ),
        pytest.param(
            {"features": np.array([[1], [np.nan], [1], [np.inf]], dtype=np.float32)},
            ["row 1 of features is not finite", "row 3 of features is not finite"],
            id="not finite",
        ),
        pytest.param(
            {"video_ids": np.array(["Q100002", "Q100002", "Q100001", "Q100001"])},
            ["video_ids must be sorted: Q100001 in row 2 comes after Q100002"],
            id="unsorted",
        ),
        pytest.param(
            {"video_ids": np.array(["Q100001", "Q100002", "Q100001", "Q100002"])},
            [
                "video_ids must be sorted: Q100001 in row 2 comes after Q100002",
                "the rows of Q100001 must stand together, found 2 groups",
                "the rows of Q100002 must stand together, found 2 groups",
            ],
            id="apart",
        ),
        pytest.param(
            {"video_ids": np.array(["", "Q1", "Q1", "Q2"])},
            ["the id in row 0 is empty"],
            id="no id",
        ),
        pytest.param(
            {"video_ids": np.array([1, 1, 2, 2])},
            ["video_ids must be (N,) text, found (4,) int64"],
            id="integer ids",
        ),
        pytest.param(
            {"timestamps": np.zeros((4, 3))},
            ["timestamps must be (N,) or (N, 2) seconds, found (4, 3) float64"],
            id="timestamps",
        ),
        pytest.param(
            {"timestamps": np.array([[0, 1], [3, 2], [0, np.nan], [1, 2]])},
            [
                "the timestamp of row 2 is not finite",
                "the timestamp of row 1 ends before it starts: [3.0, 2.0]",
            ],
            id="times",
        ),
        pytest.param({"timestamps": np.arange(4.0)}, [], id="instants"),
        pytest.param({"view": np.zeros(4, dtype=np.int16)}, [], id="members of our own"),
        pytest.param(
            {"timestamps": None},
            ["wanted video_ids, features, timestamps; lacks timestamps"],
            id="a member missing",
        ),
    ],
)
def test_each_limit_of_a_descriptor_file_is_held(tmp_path, changes, sentences):
    assert list(validate_file(_descriptors(tmp_path, **changes)).violations) == sentences


def test_an_empty_descriptor_file_is_within_the_limits(tmp_path):
    path = _descriptors(
        tmp_path,
        video_ids=np.empty(0, dtype="<U7"),
        features=np.empty((0, 8), dtype=np.float32),
        timestamps=np.empty((0, 2)),
    )

    assert validate_file(path, {}).violations == ()


def test_objects_are_never_loaded(tmp_path):
    path = _descriptors(tmp_path, video_ids=np.array(["Q1", "Q1", "Q2", "Q2"], dtype=object))

    (sentence,) = validate_file(path).violations

    assert "holds Python objects, which are never loaded" in sentence


def test_descriptors_are_counted_over_all_videos_against_seconds_begun(tmp_path):
    path = _descriptors(tmp_path)

    assert validate_file(path, {"Q100001": 0.1, "Q100002": 2.1}).violations == ()
    assert validate_file(path, {"Q100001": 0.1, "Q100002": 2.0}).violations == (
        "at most one descriptor for each second begun, 3 for this split; found 4",
    )


def test_a_video_without_descriptors_lends_its_seconds_but_one_of_the_other_side_does_not(tmp_path):
    path = _descriptors(tmp_path)
    scarce = {"Q100001": 1.0, "Q100002": 1.0}

    assert validate_file(path, scarce | {"Q100003": 2.0}).violations == ()
    assert len(validate_file(path, scarce | {"R100003": 2.0}).violations) == 1


def test_an_id_beside_the_metadata_is_a_violation(tmp_path):
    assert validate_file(_descriptors(tmp_path), {"Q100001": 60.0}).violations == (
        "Q100002 is not in the metadata",
    )


def test_matches_within_every_limit(tmp_path):
    validation = validate_file(_file(tmp_path, _HEADER + "Q1,R1,0,1,2,2,-0.5\n"))

    assert (validation.kind, validation.num_rows, validation.violations) == ("matches", 1, ())


def test_all_violations_of_matches_are_told_kind_by_kind(tmp_path):
    rows = [
        *("Q1,R1,0,1,0,1,1", "Q1,R1,-1,1,0,1,1", "Q1,R1,2,1,3,0,1", ",R1,0,1,0,1,1"),
        *("Q1,R1,0,1,0,1,nan", "Q1,R1,0,1,0,x,1", "Q1,R1,0,1", "Q1,,0,1,-0.5,1,1"),
    ]

    validation = validate_file(_file(tmp_path, _HEADER + "\n".join(rows) + "\n"))

    assert validation.num_rows == 8
    assert list(validation.violations) == [
        "line 3: query_start is -1, below 0",
        "line 9: ref_start is -0.5, below 0",
        "line 4: query_end 1 is before query_start 2",
        "line 4: ref_end 0 is before ref_start 3",
        "line 5: query_id is empty",
        "line 9: ref_id is empty",
        "line 6: score must be a finite number, found 'nan'",
        "line 7: ref_end must be a finite number, found 'x'",
        "line 8: 4 cells",
    ]


def test_columns_in_another_order_are_a_violation_and_the_rows_are_looked_at(tmp_path):
    header = "query_id,ref_id,score,query_start,query_end,ref_start,ref_end\n"

    violations = validate_file(_file(tmp_path, header + "q,r,1,-1,1,0,1\n")).violations

    assert violations == (
        f"wanted the columns {_HEADER.strip()} in this order; found {header.strip()}",
        "line 2: query_start is -1, below 0",
    )


@pytest.mark.parametrize(
    "header", ["query_id,ref_id,query_start,query_end,ref_start,ref_end", f"{_HEADER.strip()},note"]
)
def test_columns_missing_or_too_many_are_one_violation(tmp_path, header):
    cells = ",".join(["1"] * (header.count(",") + 1))

    (sentence,) = validate_file(_file(tmp_path, f"{header}\n{cells}\n")).violations

    assert sentence.startswith("wanted the columns")


def test_of_many_violations_of_a_kind_ten_are_told_and_the_rest_counted(tmp_path):
    path = _file(tmp_path, _HEADER + "q,r,-1,1,0,1,1\n" * 25)

    violations = validate_file(path).violations

    assert len(violations) == 11
    assert violations[9:] == ("line 11: query_start is -1, below 0", "and 15 more times below 0")


def test_of_many_wrong_rows_of_a_descriptor_file_ten_are_told(tmp_path):
    path = _descriptors(
        tmp_path,
        video_ids=np.array(["Q100001"] * 12),
        features=np.full((12, 2), np.nan, dtype=np.float32),
        timestamps=np.arange(12.0),
    )

    violations = validate_file(path).violations

    assert len(violations) == 11
    assert violations[10] == "and 2 more rows of features that are not finite"


def test_candidates_may_hold_a_pair_once(tmp_path):
    path = _file(tmp_path, "query_id,ref_id,score\nq,r,1\nq,s,1\nq,r,nan\n")

    validation = validate_file(path)

    assert (validation.kind, validation.num_rows) == ("candidates", 3)
    assert validation.violations == (
        "line 4: score must be a finite number, found 'nan'",
        "line 4: the pair stands in line 2 already",
    )


def test_ids_beside_the_metadata_are_named_with_their_line(tmp_path):
    path = _file(tmp_path, "query_id,ref_id,score\nq,r,1\n")

    assert validate_file(path, {"q": 1.0}).violations == ("line 2: r is not in the metadata",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "wanted a CSV file with a header, found an empty file"),
        (b"a,b\n1,2\n", "neither matches nor candidates: the header is 'a,b'"),
        (b"query_id,ref_id,score\n\xff,b,1\n", "line 2: not UTF-8 text"),
        (b"PK\x03\x04 and no more", "not a descriptor file (.npz), or damaged"),
    ],
)
def test_a_file_of_no_known_kind_is_one_violation(tmp_path, content, sentence):
    path = tmp_path / "t"
    path.write_bytes(content)

    (found,) = validate_file(path).violations

    assert found.startswith(sentence)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="none: cannot be read: No such file"):
        validate_file(tmp_path / "none")


def test_durations_come_from_several_files(tmp_path):
    one = _file(tmp_path, "video_id,width,duration_sec\nQ1,3,1.5\n", "one.csv")
    two = _file(tmp_path, "duration_sec,video_id\n2,R1\n", "two.csv")

    assert read_durations([one, two]) == {"Q1": 1.5, "R1": 2.0}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("Q1,1\nQ1,2\n", "line 3: there is a duration of Q1 already"),
        ("Q1,-1\n", "line 2: duration_sec of Q1 is -1"),
        ("Q1,long\n", "line 2: duration_sec must be a finite number, found 'long'"),
    ],
)
def test_wrong_durations_are_refused(tmp_path, rows, sentence):
    with pytest.raises(InputError, match=sentence):
        read_durations([_file(tmp_path, f"video_id,duration_sec\n{rows}")])
