"""`vcd eval vsc-descriptor` on files small enough to see through."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines.eval_vsc_descriptor import main
from tests.plain_tracks import write_rows
from vcd.core import InputError

TRUTH = """query_id,ref_id,query_start,query_end,ref_start,ref_end
Q100001,R100001,0,1,0,1
Q100002,R100003,0,1,0,1
Q100002,R100003,4,5,7,9
"""


@pytest.fixture
def files(tmp_path):
    """Q100001 copies R100001 and scores highest; Q100002's copy comes after a wrong pair."""
    write_rows(tmp_path / "q.npz", {"Q100001": [[2.0, 0, 0]], "Q100002": [[0.0, 1, 0]]})
    refs = {"R100001": [[3.0, 0, 0]], "R100002": [[0.0, 2, 0]], "R100003": [[0.0, 1, 0]]}
    write_rows(tmp_path / "r.npz", refs)
    (tmp_path / "gt.csv").write_text(TRUTH)
    return tmp_path


def arguments(folder, *more: str) -> list[str]:
    named = {"queries": "q.npz", "refs": "r.npz", "ground-truth": "gt.csv"}
    given = [word for flag, name in named.items() for word in (f"--{flag}", str(folder / name))]
    return [*given, *more]


def test_micro_ap_and_what_it_was_measured_with_are_printed_as_json(files, capsys):
    assert main(arguments(files, "--json")) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["micro_ap"] == pytest.approx((1 + 2 / 3) / 2)
    low, high = document["confidence_intervals"]["micro_ap"]
    assert 0.0 <= low <= document["micro_ap"] <= high <= 1.0
    assert document["counts"] == {
        "queries": 2,
        "references": 3,
        "ranked_pairs": 6,
        "true_pairs": 2,
        "true_pairs_ranked": 2,
    }
    origin = document["provenance"]
    assert set(origin["inputs"]) == {"queries", "references", "ground_truth"}
    assert origin["spaces"]["queries"]["name"] == "unknown"
    assert origin["settings"] == {}


def test_without_json_people_get_a_table(files, capsys):
    main(arguments(files))

    told = capsys.readouterr().out
    assert "micro_ap" in told
    assert "0.8333" in told


def test_a_background_normalizes_scores_and_settings_say_how(files, capsys):
    """The third dimension never varies; Q100002 is all background."""
    write_rows(files / "b.npz", {"R200001": [[0.0, 1, 0], [1, 3, 0]]})
    (files / "c.toml").write_text("[fit]\nweight = 1.5\n")
    flags = ["--background", str(files / "b.npz"), "--config", str(files / "c.toml"), "--json"]

    main(arguments(files, *flags, "--candidates-out", str(files / "c.csv")))

    document = json.loads(capsys.readouterr().out)
    assert document["provenance"]["settings"]["fit.weight"] == 1.5
    assert set(document["provenance"]["inputs"]) >= {"background"}
    lines = (files / "c.csv").read_text().splitlines()
    assert lines[0] == "query_id,ref_id,score"
    score = {tuple(line.split(",")[:2]): float(line.split(",")[2]) for line in lines[1:]}
    assert score["Q100001", "R100001"] == pytest.approx(1.0 - 1.5 * np.sqrt(0.1), abs=1e-6)
    assert score["Q100002", "R100003"] == pytest.approx(1.0 - 1.5, abs=1e-6)


def test_the_picture_and_the_ranked_pairs_are_written(files):
    main(arguments(files, "--picture", str(files / "p"), "--candidates-out", str(files / "c.csv")))

    with Image.open(files / "p") as picture:
        assert picture.format == "PNG"
    assert (files / "c.csv").read_text().splitlines()[1] == "Q100001,R100001,6.0"


def test_true_queries_that_are_not_in_the_file_are_named(files, capsys):
    write_rows(files / "q.npz", {"Q100001": [[2.0, 0, 0]]})

    main(arguments(files, "--json"))

    told = capsys.readouterr()
    assert "1 of the 2 queries" in told.err
    assert "Q100002" in told.err
    assert json.loads(told.out)["micro_ap"] == 0.5


def test_a_ground_truth_of_another_split_is_refused(files):
    (files / "gt.csv").write_text(TRUTH.replace("Q1", "Q2").replace("R1", "R2"))

    with pytest.raises(InputError, match="another split"):
        main(arguments(files))


@pytest.mark.parametrize("name", ["q.npz", "r.npz", "gt.csv"])
def test_a_missing_file_is_named(files, name):
    (files / name).unlink()

    with pytest.raises(InputError, match=name):
        main(arguments(files))


def test_a_file_without_rows_finds_nothing(files, capsys):
    write_rows(files / "q.npz", {}, features=np.empty((0, 3), np.float32))

    main(arguments(files, "--json"))

    assert json.loads(capsys.readouterr().out)["micro_ap"] == 0.0
