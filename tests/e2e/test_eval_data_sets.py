"""`vcd eval vsc2022` and `vcd eval disc2021`: from folders of media to results."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageOps

from tests.e2e.conftest import RATE_HZ, Run, footage, one_sentence, scene, write_frames

TRUTH = """query_id,ref_id,query_start,query_end,ref_start,ref_end
Q1,R1,3,9,2,8
Q2,R2,0,9,0,9
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold three queries, of which two copy, three references, and other footage."""
    folder = tmp_path_factory.mktemp("vsc2022")
    for name in ("queries", "refs", "background"):
        (folder / name).mkdir()
    for seed in range(3):
        write_frames(folder / f"refs/R{seed}.mp4", footage(seed, 9.0))
        write_frames(folder / f"background/B{seed}.mp4", footage(600 + seed, 5.0))
    host, copied = list(footage(77, 9.0)), list(footage(1, 9.0))
    at = round(3 * RATE_HZ)
    inserted = host[:at] + copied[round(2 * RATE_HZ) : round(8 * RATE_HZ)] + host[at:]
    write_frames(folder / "queries/Q1.mp4", inserted)
    write_frames(folder / "queries/Q2.mp4", footage(2, 9.0))
    write_frames(folder / "queries/Q3.mp4", footage(99, 5.0))
    (folder / "ground_truth.csv").write_text(TRUTH)
    return folder


@pytest.fixture
def data_set(made: Path, tmp_path: Path) -> Path:
    """Hold a copy that a test may change."""
    shutil.copytree(made, tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.slow
def test_a_folder_of_videos_becomes_results(vcd: Run, data_set: Path) -> None:
    result = vcd("eval", "vsc2022", data_set, "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["micro_ap"] == found["micro_ap_score_norm"] == 1.0
    assert "by_edit" not in found
    assert found["segment_ap"] > 0.97
    assert found["segment_ap_score_norm"] > 0.97
    assert found["counts"] == {
        "queries": 3,
        "references": 3,
        "not_in_full": 0,
        "refused": 0,
        "true_segments": 2,
    }
    low, high = found["confidence_intervals"]["segment_ap"]
    assert low <= found["segment_ap"] <= high
    out = data_set / "results"
    assert json.loads((out / "results.json").read_text()) == found
    written = {path.name for path in out.iterdir()}
    assert {"matches.csv", "candidates.csv", "descriptor.png", "matching.png"} <= written


@pytest.mark.slow
def test_a_second_run_describes_only_what_is_missing(vcd: Run, data_set: Path) -> None:
    first = vcd("eval", "vsc2022", data_set, "--json")
    write_frames(data_set / "queries/Q0.mp4", footage(98, 4.0))
    os.utime(data_set / "refs/R0.mp4", (1, 1))

    second = vcd("eval", "vsc2022", data_set, "--json")

    assert second.returncode == 0, second.stderr
    assert "queries: 3 of 4 described before" in second.stderr
    assert "refs: 2 of 3 described before" in second.stderr
    assert "2 described, 8 unchanged" in second.stderr
    one, other = json.loads(first.stdout), json.loads(second.stdout)
    assert other["counts"]["queries"] == 4
    assert other["segment_ap"] == pytest.approx(one["segment_ap"], abs=0.01)


@pytest.mark.slow
def test_other_settings_describe_everything_again(vcd: Run, data_set: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text("[media]\nrate_hz = 1.0\n")
    vcd("eval", "vsc2022", data_set)

    result = vcd("eval", "vsc2022", data_set, "--config", tmp_path / "slow.toml")

    assert "9 described;" in result.stderr
    assert "unchanged" not in result.stderr


@pytest.mark.slow
def test_a_video_that_cannot_be_decoded_is_named_and_counted(vcd: Run, data_set: Path) -> None:
    (data_set / "queries/Q4.mp4").write_bytes(b"no video" * 100)

    result = vcd("eval", "vsc2022", data_set, "--json")

    assert result.returncode == 3
    one_sentence(result.stderr, "refused Q4")
    assert json.loads(result.stdout)["counts"]["refused"] == 1


@pytest.mark.slow
def test_where_it_is_known_what_was_done_there_is_a_table_by_edit(vcd: Run, data_set: Path) -> None:
    shutil.rmtree(data_set / "background")
    edits = data_set / "edits.csv"
    edits.write_text("query_id,ref_id,edit\nQ1,R1,none\nQ2,R9,crop70\nQ3,,flip\nQ8,R1,flip\n")

    refused = vcd("eval", "vsc2022", data_set)
    edits.write_text("query_id,ref_id,edit\nQ1,R1,none\nQ2,R2,crop70\nQ3,,flip\n")
    result = vcd("eval", "vsc2022", data_set)

    assert refused.returncode == 1
    one_sentence(refused.stderr, "edits.csv, line 5: the query Q8 copies nothing")
    assert result.returncode == 0, result.stderr
    _, _, table = result.stdout.partition("by_edit  true segments  segment_ap  ever found\n")
    assert [line.split()[::3] for line in table.splitlines()] == [
        ["crop70", "1.000"],
        ["none", "1.000"],
    ]
    found = json.loads((data_set / "results/results.json").read_text())
    assert found["by_edit"].keys() == {"crop70", "none"}
    assert found["by_edit"]["none"]["num_true"] == found["by_edit"]["none"]["ever_found"] == 1
    assert found["by_edit"]["none"]["segment_ap"] > 0.97
    assert found["provenance"]["inputs"]["edits"]["file"] == "edits.csv"


@pytest.mark.slow
def test_a_ground_truth_of_other_videos_is_told(vcd: Run, data_set: Path) -> None:
    (data_set / "ground_truth.csv").write_text(TRUTH.replace("Q1,R1", "Q200001,R200001"))

    result = vcd("eval", "vsc2022", data_set)

    one_sentence(result.stderr, "Q200001")


@pytest.mark.slow
def test_a_folder_that_is_no_data_set_is_refused_before_any_work(vcd: Run, tmp_path: Path) -> None:
    result = vcd("eval", "vsc2022", tmp_path)

    assert result.returncode == 1
    one_sentence(result.stderr, "wanted a folder", "queries")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_folders_of_images_become_the_table_of_disc2021(vcd: Run, tmp_path: Path) -> None:
    for name in ("val_query", "val_ref", "training"):
        (tmp_path / name).mkdir()
    for number in range(8):
        picture = scene(np.random.default_rng(number))
        picture.save(tmp_path / f"val_ref/R{number}.png")
        edited = ImageOps.mirror(picture.crop((40, 30, 440, 330)))
        edited.save(tmp_path / f"val_query/Q{number}.png")
        other = scene(np.random.default_rng(100 + number))
        other.save(tmp_path / f"training/T{number}.png")
    pairs = "".join(f"Q{number},R{number}\n" for number in range(8))
    (tmp_path / "val_groundtruth_matches.csv").write_text(pairs)

    result = vcd("eval", "disc2021", tmp_path, "--json")

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["accuracy_at_1"] == found["accuracy_at_1_score_norm"] == 1.0
    assert found["micro_ap"] > 0.8
    assert {"recall_at_p90", "micro_ap_score_norm"} <= found.keys()
    assert "micro_ap_whitened" not in found
    one_sentence(result.stderr, "no whitened rows", "found 8")
    assert (tmp_path / "results/pairs.png").exists()
