"""`vcd index add` and `vcd check` on copies whose truth is known."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import RATE_HZ, Run, footage, write_frames

SAMPLING_STEP_S = 0.5


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def _edited(name, frames):
    edits = {
        "as it is": lambda f: f,
        "crop": lambda f: f[16:-16, 20:-20],
        "flip": lambda f: f[:, ::-1],
        "dim": lambda f: (f * 0.6).astype(np.uint8),
        "small": lambda f: np.array(Image.fromarray(f).resize((160, 120))),
    }
    return (np.ascontiguousarray(edits[name](frame)) for frame in frames)


@pytest.mark.parametrize("edit", ["as it is", "crop", "flip", "dim", "small"])
def test_an_edited_copy_is_found_at_full_length(
    edit: str, vcd: Run, index: Path, tmp_path: Path
) -> None:
    write_frames(tmp_path / "upload.mp4", _edited(edit, footage(3, 15.0)))

    result = vcd("check", tmp_path / "upload.mp4", "--index", index)

    assert result.returncode == 0, result.stderr
    (row,) = _rows(result.stdout)
    assert (row["query_id"], row["ref_id"]) == ("upload", "ref3")
    for side in ("query", "ref"):
        assert float(row[f"{side}_start"]) == pytest.approx(0.0, abs=SAMPLING_STEP_S)
        assert float(row[f"{side}_end"]) == pytest.approx(15.0, abs=SAMPLING_STEP_S)


def test_a_clip_inside_another_video_is_found_where_it_lies(
    vcd: Run, index: Path, tmp_path: Path
) -> None:
    clip = list(footage(1, 15.0))[round(4 * RATE_HZ) : round(10 * RATE_HZ)]
    host = list(footage(77, 12.0))
    at = round(5 * RATE_HZ)
    write_frames(tmp_path / "upload.mp4", host[:at] + clip + host[at:])

    result = vcd("check", tmp_path / "upload.mp4", "--index", index)

    (row,) = _rows(result.stdout)
    bounds = [float(row[c]) for c in ("query_start", "query_end", "ref_start", "ref_end")]
    assert row["ref_id"] == "ref1"
    assert bounds == pytest.approx([5.0, 11.0, 4.0, 10.0], abs=SAMPLING_STEP_S)


def test_two_clips_in_swapped_order_are_two_matches(vcd: Run, index: Path, tmp_path: Path) -> None:
    frames = list(footage(2, 15.0))
    early, late = frames[: round(6 * RATE_HZ)], frames[round(9 * RATE_HZ) :]
    write_frames(tmp_path / "upload.mp4", late + early)

    result = vcd("check", tmp_path / "upload.mp4", "--index", index)

    found = sorted(
        (float(row["query_start"]), float(row["ref_start"])) for row in _rows(result.stdout)
    )
    assert len(found) == 2
    assert found[0] == pytest.approx((0.0, 9.0), abs=SAMPLING_STEP_S)
    assert found[1] == pytest.approx((6.0, 0.0), abs=SAMPLING_STEP_S)


def test_unrelated_and_black_uploads_match_nothing(vcd: Run, index: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "stranger.mp4", footage(1234, 9.0))
    black = np.zeros((240, 320, 3), dtype=np.uint8)
    write_frames(tmp_path / "black.mp4", itertools.repeat(black, 60))

    result = vcd("check", tmp_path, "--index", index, "--json")

    document = json.loads(result.stdout)
    reports = {report["query_id"]: report for report in document["reports"]}
    assert [reports[name]["matches"] for name in ("black", "stranger")] == [[], []]
    assert reports["black"]["examined"] == []
    assert {skip["reason"] for skip in reports["black"]["skipped"]} == {"uninformative"}
    assert reports["stranger"]["skipped"] == []


def test_a_second_run_resumes_and_writes_the_same_file(
    vcd: Run, index: Path, tmp_path: Path
) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for seed in (0, 5):
        write_frames(uploads / f"upload{seed}.mp4", footage(seed, 6.0))
    out = tmp_path / "matches.csv"
    first = vcd("check", uploads, "--index", index, "--out", out)
    written = out.read_bytes()
    log = Path(f"{out}.reports.jsonl")
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0] + lines[1][:40])

    second = vcd("check", uploads, "--index", index, "--out", out)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "1 checked, 1 unchanged" in second.stderr
    assert out.read_bytes() == written
    assert len(_rows(out.read_text())) == 2


def test_the_same_upload_gets_the_same_json_twice(vcd: Run, index: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "upload.mp4", footage(4, 8.0))

    documents = [
        json.loads(vcd("check", tmp_path / "upload.mp4", "--index", index, "--json").stdout)
        for _ in range(2)
    ]

    for document in documents:
        for report in document["reports"]:
            del report["elapsed_s"]
    assert documents[0] == documents[1]
    assert documents[0]["reports"][0]["matches"]


def test_parquet_and_csv_hold_the_same_matches(vcd: Run, index: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_frames(tmp_path / "upload.mp4", footage(4, 8.0))
    for suffix in ("csv", "parquet", "json"):
        result = vcd(
            "check", tmp_path / "upload.mp4", "--index", index, "--out", tmp_path / f"m.{suffix}"
        )
        assert result.returncode == 0, result.stderr

    table = pq.read_table(tmp_path / "m.parquet").to_pylist()
    rows = _rows((tmp_path / "m.csv").read_text())
    assert [{key: str(value) for key, value in row.items()} for row in table] == rows
    document = json.loads((tmp_path / "m.json").read_text())
    assert len(document["reports"][0]["matches"]) == len(rows) == 1


def test_min_score_decides_what_is_reported(vcd: Run, index: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "upload.mp4", footage(4, 8.0))

    high = vcd("check", tmp_path / "upload.mp4", "--index", index, "--json", "--min-score=1e9")
    low = vcd("check", tmp_path / "upload.mp4", "--index", index, "--json", "--min-score=-inf")

    (report,) = json.loads(high.stdout)["reports"]
    assert report["matches"] == []
    assert "min_score" in {rejection["rule"] for rejection in report["rejected"]}
    assert json.loads(low.stdout)["reports"][0]["matches"]
