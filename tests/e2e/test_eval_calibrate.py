"""`vcd eval calibrate`: from known copies to a threshold that `vcd check` then uses."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Run, footage, write_frames

_HEADER = "query_id,ref_id,query_start,query_end,ref_start,ref_end\n"
_NUM_COPIES = 7


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold seven references, a copy of four seconds of each, and two strangers."""
    folder = tmp_path_factory.mktemp("known")
    rows = []
    for name in ("refs", "queries"):
        (folder / name).mkdir()
    for seed in range(_NUM_COPIES):
        frames = list(footage(200 + seed, 8.0))
        write_frames(folder / f"refs/R{seed}.mp4", frames)
        write_frames(folder / f"queries/Q{seed}.mp4", frames[24:72])
        rows.append(f"Q{seed},R{seed},0.0,4.0,2.0,6.0\n")
    for seed in range(2):
        write_frames(folder / f"queries/S{seed}.mp4", footage(300 + seed, 4.0))
    (folder / "ground_truth.csv").write_text(_HEADER + "".join(rows))
    return folder


@pytest.fixture(scope="module")
def work(known: Path, vcd: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold what an earlier run has indexed and checked."""
    folder = tmp_path_factory.mktemp("work")
    result = vcd(
        *("eval", "calibrate", known, "--work", folder / "work", "--precision", "0.5"),
        *("--out", folder / "calibration.json"),
    )
    assert result.returncode == 0, result.stderr
    return folder


def _document(result: Any) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_threshold_is_measured_stored_and_used(known, work, vcd, tmp_path):
    calibration = json.loads((work / "calibration.json").read_text())
    index = tmp_path / "own.index"
    shutil.copytree(work / "work/refs.index", index)

    stored = vcd("index", "calibrate", "--index", index, "--calibration", work / "calibration.json")
    checked = vcd("check", known / "queries", "--index", index, "--json")

    assert stored.returncode == 0, stored.stderr
    assert _document(checked)["summary"]["min_score"] == calibration["min_score"]
    assert "expected, measured on 9 queries of known" in checked.stderr
    scores = [
        match["score"] for report in _document(checked)["reports"] for match in report["matches"]
    ]
    assert len(scores) == _NUM_COPIES
    assert min(scores) == calibration["min_score"]


@pytest.mark.slow
def test_a_second_run_does_nothing_again_and_says_the_same(known, work, vcd, tmp_path):
    words = ("eval", "calibrate", known, "--work", work / "work", "--precision", "0.5")

    first, second = (
        vcd(*words, "--json", "--out", tmp_path / f"{name}.json") for name in ("one", "two")
    )

    document = _document(second)
    assert "0 indexed, 7 unchanged" in second.stderr
    assert "0 checked, 9 unchanged" in second.stderr
    assert "; every match however weak\n" in second.stderr
    assert first.stdout == second.stdout
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert document["calibration"] == json.loads((tmp_path / "one.json").read_text())
    assert document["counts"] == {
        "queries": 9,
        "negatives": 2,
        "refused": 0,
        "references": 7,
        "true_segments": 7,
        "matches": 7,
    }
    assert (document["precision"], document["recall"], document["is_shown"]) == (1.0, 1.0, True)
    assert document["confidence_intervals"]["precision"][0] == pytest.approx(0.025 ** (1 / 7))
    assert document["confidence_intervals"]["recall"] == [1.0, 1.0]
    assert document["calibration"]["curve"][0][1] < 0.5  # weak and wrong matches are in it
    assert document["provenance"]["settings"]["weights"] == "vcd_compact"


@pytest.mark.slow
def test_what_cannot_be_decoded_is_named_and_the_rest_is_measured(known, work, vcd, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(known, folder)
    (folder / "queries/Q0.mp4").write_bytes(b"no video")
    (folder / "refs/broken.mp4").write_bytes(b"no video")
    out = tmp_path / "c.json"

    result = vcd("eval", "calibrate", folder, "--precision", "0.5", "--out", out, "--json")

    assert result.returncode == 3, result.stderr
    document = json.loads(result.stdout)
    assert (document["counts"]["refused"], document["counts"]["true_segments"]) == (2, 6)
    assert "named above and left out: 2 videos that could not be used" in result.stderr
    assert json.loads(out.read_text())["num_queries"] == 8


@pytest.mark.slow
def test_a_threshold_is_measured_with_the_background_of_the_index(known, work, vcd, tmp_path):
    own, index = tmp_path / "work", tmp_path / "own.index"
    for copy, original in ((own, work / "work"), (index, work / "work/refs.index")):
        shutil.copytree(original, copy)
    (tmp_path / "background").mkdir()
    for seed in range(3):
        write_frames(tmp_path / f"background/B{seed}.mp4", footage(400 + seed, 4.0))
    background = tmp_path / "background.npz"
    assert vcd("describe", tmp_path / "background", "--out", background).returncode == 0
    words = ("eval", "calibrate", known, "--work", own, "--precision", "0.5")
    fitted, plain = (tmp_path / f"{name}.json" for name in ("fitted", "plain"))

    fit_first = vcd(*words, "--out", fitted, "--background", background)
    vcd("index", "calibrate", "--index", index, "--background", background)
    stored = vcd("index", "calibrate", "--index", index, "--calibration", fitted)
    checked = vcd("check", known / "queries", "--index", index, "--json")
    vcd(*words, "--out", plain)

    assert f"index calibrate --index DIR --background {background}, then" in fit_first.stderr
    assert stored.returncode == 0, stored.stderr
    assert _document(checked)["summary"]["fit"] == json.loads(fitted.read_text())["fit_digest"]
    assert "expected, measured on 9 queries of known" in checked.stderr
    assert json.loads(plain.read_text()) == json.loads((work / "calibration.json").read_text())
