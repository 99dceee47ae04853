"""`vcd eval`: the published metrics of files, and every file that is not what it should be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Run, one_sentence

pytestmark = pytest.mark.slow

_TRUE_COLUMNS = "query_id,ref_id,query_start,query_end,ref_start,ref_end"
_MATCH_COLUMNS = f"{_TRUE_COLUMNS},score"
_TRUTH = f"{_TRUE_COLUMNS}\nQ100001,R100002,4,14,10,18\n"
_CALIBRATED = (
    f"{_MATCH_COLUMNS}\n"
    "Q100001,R100002,4,8,10,14,1\n"
    "Q100001,R100002,8,14,16,18,2\n"
    "Q100001,R100002,0,30,5,25,0\n"
)
"""The case of the published tests in which a good order of scores pays off."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Hold matches, their truth, and descriptors of two queries and two references."""
    (tmp_path / "m.csv").write_text(_CALIBRATED)
    (tmp_path / "gt.csv").write_text(_TRUTH)
    _write_descriptors(tmp_path / "q.npz", ["Q100001", "Q100001", "Q100002"])
    _write_descriptors(tmp_path / "r.npz", ["R100001", "R100002", "R100002"])
    return tmp_path


def _write_descriptors(path: Path, video_ids: list[str], **changes: np.ndarray) -> None:
    arrays: dict[str, Any] = {
        "video_ids": np.array(video_ids, dtype=np.str_),
        "features": np.eye(len(video_ids), 4, dtype=np.float32),
        "timestamps": np.arange(float(len(video_ids))),
    }
    np.savez(path, **(arrays | changes))


def _matching(vcd: Run, folder: Path, *more: object):
    files = ("--matches", folder / "m.csv", "--ground-truth", folder / "gt.csv")
    return vcd("eval", "vsc-matching", *files, *more)


def _descriptor(vcd: Run, folder: Path, *more: object):
    files = ("--queries", folder / "q.npz", "--refs", folder / "r.npz")
    return vcd("eval", "vsc-descriptor", *files, "--ground-truth", folder / "gt.csv", *more)


def test_vsc_matching_says_the_published_numbers_and_where_they_come_from(files, vcd: Run):
    result = _matching(vcd, files, "--json")

    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert document["segment_ap"] == pytest.approx(0.9149460094377114, abs=1e-12)
    assert document["micro_ap"] == 1.0
    assert document["confidence_intervals"]["segment_ap"] == [document["segment_ap"]] * 2
    assert document["counts"]["matches"] == 3
    assert set(document["provenance"]["inputs"]) == {"matches", "ground_truth"}
    assert _matching(vcd, files, "--json").stdout == result.stdout


def test_without_json_a_table_is_printed_and_a_picture_is_drawn(files, vcd: Run):
    result = _matching(vcd, files, "--picture", files / "curves.png")

    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["metric", "value", "95", "%", "interval"]
    assert lines[1].split() == ["segment_ap", "0.9149", "0.9149", "-", "0.9149"]
    with Image.open(files / "curves.png") as picture:
        assert picture.width == 800


def test_integer_ids_are_those_with_a_letter(files, vcd: Run):
    (files / "m.csv").write_text(_CALIBRATED.replace("Q1", "1").replace("R1", "1"))

    result = _matching(vcd, files, "--json")

    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["segment_ap"] == pytest.approx(0.9149460094377114, abs=1e-12)


def test_no_matches_score_zero_with_a_note(files, vcd: Run):
    (files / "m.csv").write_text(f"{_MATCH_COLUMNS}\n")

    result = _matching(vcd, files, "--json")

    assert result.returncode == 0
    assert (json.loads(result.stdout)["segment_ap"], json.loads(result.stdout)["micro_ap"]) == (
        0,
        0,
    )
    assert result.stderr == f"{files}/m.csv: nothing in it, so nothing is found\n"


def test_nothing_to_find_scores_zero_with_a_note(files, vcd: Run):
    (files / "gt.csv").write_text(f"{_TRUE_COLUMNS}\n")

    result = _matching(vcd, files)

    assert result.returncode == 0
    assert result.stderr == f"{files}/gt.csv: no true segment in it, so there is nothing to find\n"


def test_unknown_ids_are_said_and_what_is_known_is_scored(files, vcd: Run):
    (files / "gt.csv").write_text(f"{_TRUE_COLUMNS}\nholiday,film,0,1,0,1\n")

    result = _matching(vcd, files, "--json")

    assert (result.returncode, json.loads(result.stdout)["segment_ap"]) == (0, 0.0)
    one_sentence(result.stderr, "no id of", "are they of one data set?")


_Spoil = Callable[[Path], object]


def _matches(row: str) -> _Spoil:
    return lambda folder: (folder / "m.csv").write_text(f"{_CALIBRATED}{row}\n")


def _text(name: str, text: str) -> _Spoil:
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(
            _matches("Q100001,R100002,0,1,0,1,nan"), ["m.csv, line 5: score", "'nan'"], id="NaN"
        ),
        pytest.param(
            _matches("Q100001,R100002,2,1,0,1,1"),
            ["m.csv, line 5: query_end 1 is before query_start 2"],
            id="end before start",
        ),
        pytest.param(_text("m.csv", ""), ["m.csv: ", "an empty file"], id="empty file"),
        pytest.param(_text("gt.csv", ""), ["gt.csv: ", "an empty file"], id="empty truth"),
        pytest.param(
            _text("m.csv", _TRUTH), ["m.csv: wanted one column score, found none"], id="no score"
        ),
        pytest.param(
            _text("gt.csv", _TRUTH.replace("Q1", "Q2").replace("R1", "R2")),
            ["gt.csv: ground truth of another split: its queries are Q200001..."],
            id="another split",
        ),
    ],
)
def test_wrong_matches_or_truth_are_one_sentence(files, vcd: Run, spoil, words):
    spoil(files)

    result = _matching(vcd, files, "--json")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("vcd: ")
    assert result.stderr.count("\n") == 1
    one_sentence(result.stderr, *words)


def test_columns_may_stand_in_any_order_for_scoring_and_not_for_the_challenge(files, vcd: Run):
    header, *rows = _CALIBRATED.splitlines()
    swapped = [",".join(reversed(line.split(","))) for line in (header, *rows)]
    (files / "m.csv").write_text("\n".join(swapped) + "\n")

    scored = _matching(vcd, files, "--json")
    validated = vcd("eval", "validate", files / "m.csv")

    assert json.loads(scored.stdout)["segment_ap"] == pytest.approx(0.9149460094377114, abs=1e-12)
    assert validated.returncode == 1
    assert validated.stdout.startswith(f"wanted the columns {_MATCH_COLUMNS} in this order; found ")


def test_descriptors_of_another_split_than_the_truth_are_refused(files, vcd: Run):
    (files / "gt.csv").write_text(_TRUTH.replace("Q1", "Q3").replace("R1", "R2"))

    result = _descriptor(vcd, files)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "gt.csv: ground truth of another split")


def test_descriptors_whose_rows_are_apart_are_refused(files, vcd: Run):
    _write_descriptors(files / "q.npz", ["Q100001", "Q100002", "Q100001"])

    result = _descriptor(vcd, files)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "q.npz", "the rows of video Q100001 do not stand together")


def test_descriptors_of_two_spaces_are_refused(files, vcd: Run):
    space = json.dumps({"name": "other", "dim": 4, "fingerprint": "0" * 16})
    _write_descriptors(files / "q.npz", ["Q100001"], space=np.array(space))

    result = _descriptor(vcd, files)

    assert (result.returncode, result.stdout) == (1, "")
    one_sentence(result.stderr, "q.npz", "space other", "r.npz")


def test_validation_tells_all_that_is_wrong_with_descriptors(files, vcd: Run):
    (files / "meta.csv").write_text("video_id,duration_sec\nQ100001,1.5\nQ100002,0\n")
    _write_descriptors(
        files / "q.npz",
        ["Q100002", "Q100001", "Q100002"],
        features=np.eye(3, 513, dtype=np.float16),
    )

    result = vcd("eval", "validate", files / "q.npz", "--metadata", files / "meta.csv", "--json")

    assert result.returncode == 1
    document = json.loads(result.stdout)
    assert (document["kind"], document["valid"], document["num_rows"]) == ("descriptors", False, 3)
    assert document["violations"] == [
        "features must be float32, found float16",
        "at most 512 dimensions, found 513",
        "video_ids must be sorted: Q100001 in row 1 comes after Q100002",
        "the rows of Q100002 must stand together, found 2 groups",
        "at most one descriptor for each second begun, 2 for this split; found 3",
    ]


def test_validation_tells_of_a_pair_that_is_there_twice(files, vcd: Run):
    (files / "c.csv").write_text("query_id,ref_id,score\nq,r,1\nq,r,2\n")

    result = vcd("eval", "validate", files / "c.csv")

    assert (result.returncode, result.stdout) == (
        1,
        "line 3: the pair stands in line 2 already\n",
    )
    assert result.stderr == f"{files}/c.csv: 2 candidates, some limit is not kept\n"


def test_what_is_within_the_limits_is_said_to_be(files, vcd: Run):
    result = vcd("eval", "validate", files / "r.npz")

    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"{files}/r.npz: 3 descriptors, every limit is kept\n"


def test_vcsl_reads_its_own_json_and_counts_pairs_of_which_nothing_was_said(files, vcd: Run):
    (files / "gt.json").write_text(json.dumps({"q-r": [[0, 10, 4, 14]], "q-s": [], "p-r": []}))
    (files / "m.csv").write_text(f"{_MATCH_COLUMNS}\nq,r,0,2,10,12,1\nq,s,0,1,0,1,1\n")

    result = vcd(
        *("eval", "vcsl", "--matches", files / "m.csv", "--ground-truth", files / "gt.json"),
        "--json",
    )

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["recall"] == pytest.approx(0.25, abs=1e-5)
    assert document["precision"] == pytest.approx(0.5, abs=1e-5)
    assert document["false_alarm_rate"] == pytest.approx(2 / 3)
    assert document["counts"]["pairs"] == 3


def test_pairs_can_be_listed_beside_the_truth(files, vcd: Run):
    (files / "pairs.csv").write_text("query_id,reference_id\nQ100001,R100002\nQ100001,R100003\n")

    result = vcd(
        *("eval", "vcsl", "--matches", files / "m.csv", "--ground-truth", files / "gt.csv"),
        *("--pairs", files / "pairs.csv"),
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2].split() == ["pairs", "2"]


def test_without_the_pairs_that_are_no_copies_there_are_no_rates(files, vcd: Run):
    result = vcd(
        *("eval", "vcsl", "--matches", files / "m.csv", "--ground-truth", files / "gt.csv"),
        "--json",
    )

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["false_rejection_rate"] is document["false_alarm_rate"] is None
    assert sorted(document["confidence_intervals"]) == ["f_score", "precision", "recall"]
    assert "no rates: the pairs that were compared and are no copies" in result.stderr


def test_without_an_action_it_lists_them_and_an_unknown_one_is_misuse(vcd: Run):
    bare, wrong = vcd("eval"), vcd("eval", "everything")

    assert bare.returncode == 0
    assert "  vsc-matching    segment AP" in bare.stdout
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "invalid choice: 'everything'" in wrong.stderr


@pytest.mark.parametrize("action", ["vsc-matching", "vcsl"])
def test_settings_that_do_not_exist_are_refused_even_where_none_is_used(files, vcd: Run, action):
    (files / "mine.toml").write_text("[align]\nmin_fames = 3\n")

    result = vcd(
        *("eval", action, "--matches", files / "m.csv", "--ground-truth", files / "gt.csv"),
        *("--config", files / "mine.toml"),
    )

    assert result.returncode == 1
    one_sentence(result.stderr, "unknown setting align.min_fames")
